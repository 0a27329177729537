package rules

import (
	"errors"
	"reflect"
)

// budget bounds what the functions of one evaluation read and make, all together: each text alone is bounded, but a loop
// could make a hundred thousand of them. It counts as memoryBudget does, in items of lists.
type budget struct {
	left int
	// steps are what its loops and comparisons may still take.
	steps int
}

// budgetName is the name under which expressions pass the budget to the functions that they call.
const budgetName = operatorPrefix + "budget"

// What makes up one item: bytes of a text that is read or made, or items of a list that is only read.
const (
	bytesPerItem = 64
	itemsPerItem = 16
)

// stepBudget bounds the steps of one evaluation: the turns of its loops, and what is compared in lists and texts. Three
// loops inside each other over a hundred items are a million steps; a turn takes 0.2 to 0.7 us, so this is 10 to 35 ms.
const stepBudget = 50_000

// What is done in the time of one turn: bytes of text compared or searched, and of those of a text by the parts of a pattern.
const (
	bytesPerStep        = 256
	patternStepsPerStep = 200
)

var errTooLong = errors.New("this takes too many steps: too many items are gone through, or inside each other")

func (b *budget) step(n int) error {
	if b.steps -= n; b.steps < 0 {
		return errTooLong
	}
	return nil
}

// each counts the turns of a loop: it passes on the value of the loop's body.
func each(args ...any) (any, error) { return args[0], args[1].(*budget).step(1) }

// meteredTest is one of the tests, with what it reads taken from the budget.
func meteredTest(sign string) func(args ...any) (any, error) {
	switch sign {
	case "==":
		return func(args ...any) (any, error) { return args[2].(*budget).equal(args[0], args[1]) }
	case "!=":
		return func(args ...any) (any, error) {
			same, err := args[2].(*budget).equal(args[0], args[1])
			return !same, err
		}
	case "in":
		return func(args ...any) (any, error) { return args[2].(*budget).in(args[0], args[1]) }
	}
	test := tests[sign]
	return func(args ...any) (any, error) {
		holds, err := test(args[0], args[1]) // which is bounded by itself
		if err != nil {
			return false, err
		}
		return holds, args[2].(*budget).step(testSteps(args[0], args[1]))
	}
}

func testSteps(text, other any) int {
	if p, ok := other.(*pattern); ok {
		text, _ := text.(string)
		return len(text) * p.size / patternStepsPerStep
	}
	return textSteps(text) + textSteps(other)
}

func textSteps(value any) int {
	text, _ := value.(string)
	return len(text) / bytesPerStep
}

func (b *budget) equal(x, y any) (bool, error) {
	if err := b.step(min(textSteps(x), textSteps(y))); err != nil {
		return false, err
	}
	switch x.(type) {
	case nil, bool, string, int, float64:
		return equal(x, y)
	}
	steps := min(maxSteps, b.steps+1)
	before := steps
	same := equalDeep(x, y, &steps)
	if err := b.step(before - steps); err != nil {
		return false, err
	}
	if steps <= 0 {
		return false, errTooLarge
	}
	return same, nil
}

func (b *budget) in(needle, haystack any) (bool, error) {
	list, ok := haystack.([]any)
	if !ok || needle == nil {
		if err := b.step(lengthOfList(haystack)); err != nil {
			return false, err
		}
		return in(needle, haystack)
	}
	for _, item := range list {
		if err := b.step(1); err != nil {
			return false, err
		}
		if same, err := b.equal(needle, item); same || err != nil {
			return same, err
		}
	}
	return false, nil
}

// lengthOfList is the number of items that are gone through; an object is not.
func lengthOfList(value any) int {
	switch value.(type) {
	case map[string]any, *stringSet:
		return 0
	}
	return lengthOf(value)
}

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
