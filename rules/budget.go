package rules

import "reflect"

// budget bounds what the functions of one evaluation read and make, all together: each text alone is bounded, but a loop
// could make a hundred thousand of them. It counts as memoryBudget does, in items of lists.
type budget struct{ left int }

// budgetName is the name under which expressions pass the budget to the functions that they call.
const budgetName = operatorPrefix + "budget"

// What makes up one item: bytes of a text that is read or made, or items of a list that is only read.
const (
	bytesPerItem = 64
	itemsPerItem = 16
)

func (b *budget) take(items int) error {
	if b.left -= items; b.left < 0 {
		return errTooLarge
	}
	return nil
}

// own is an error of one of our functions: in plain words already.
type own struct{ error }

// metered calls a function, and takes what that costs.
func metered(args ...any) (any, error) {
	b, f, args := args[0].(*budget), args[1].(*function), args[2:]
	cost := max(f.cost, 0)
	for _, arg := range args {
		cost += f.reading(arg)
	}
	if err := b.take(cost); err != nil {
		return nil, err
	}
	result, err := f.call(args...)
	if err != nil {
		return nil, own{err}
	}
	return result, b.take(f.making(result))
}

// plus is the operator +, which can make texts.
func plus(args ...any) (any, error) {
	result, err := arithmetics[0].apply(args[0], args[1])
	if text, ok := result.(string); ok {
		err = args[2].(*budget).take(len(text) / bytesPerItem)
	}
	return result, err
}

func (f *function) reading(value any) int {
	if text, ok := value.(string); ok {
		return len(text) / bytesPerItem
	}
	if f.cost == free {
		return 0
	}
	return lengthOf(value) / itemsPerItem
}

func (f *function) making(value any) int {
	if text, ok := value.(string); ok {
		return len(text) / bytesPerItem
	}
	if f.cost == free {
		return 0
	}
	return lengthOf(value)
}

// lengthOf is the number of items of a list or members of an object; 0 for anything else.
func lengthOf(value any) int {
	switch v := value.(type) {
	case nil, bool, int, float64:
		return 0
	case []any:
		return len(v)
	case map[string]any:
		return len(v)
	}
	switch v := reflect.ValueOf(value); v.Kind() {
	case reflect.Slice, reflect.Array, reflect.Map:
		return v.Len()
	}
	return 0
}
