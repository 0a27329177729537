package rules

import (
	"errors"
	"fmt"
)

// The operators that can take long, each with the budget as its last argument.

// plus is the operator +, which can make texts.
func plus(args ...any) (any, error) {
	b := args[2].(*budget)
	if err := b.step(textSteps(args[0]) + textSteps(args[1])); err != nil {
		return nil, err
	}
	result, err := arithmetics[0].apply(args[0], args[1])
	if text, ok := result.(string); ok {
		err = b.take(len(text) / bytesPerItem)
	}
	return result, err
}

// calculate is another operator of numbers: those of a thousand digits take their time.
func (o *arithmetic) calculate(args ...any) (any, error) {
	if err := args[2].(*budget).step(textSteps(args[0]) + textSteps(args[1])); err != nil {
		return nil, err
	}
	return o.apply(args[0], args[1])
}

// matches is a regular expression's test; false with nil on either side.
func (b *budget) matches(value, with any) (bool, error) {
	if value == nil || with == nil {
		return false, nil
	}
	text, ok := value.(string)
	if !ok {
		return false, fmt.Errorf("matches needs a string, not %s", typeName(value))
	}
	p, err := b.patternFor("matches", with, text)
	if err != nil {
		return false, err
	}
	return p.MatchString(text), nil
}

// rangeOf is from..to, a list of whole numbers.
func rangeOf(args ...any) (any, error) {
	from, okFrom := wholeIndex(args[0])
	to, okTo := wholeIndex(args[1])
	if !okFrom || !okTo {
		wrong := args[0]
		if okFrom {
			wrong = args[1]
		}
		return nil, fmt.Errorf("a range needs whole numbers, not %s", typeName(wrong))
	}
	if from > to {
		return []any{}, nil
	}
	size := to - from + 1
	if size <= 0 || size > memoryBudget { // it is below 0 where from and to are far apart
		return nil, errTooLarge
	}
	b := args[2].(*budget)
	if err := errors.Join(b.step(size/itemsPerStep), b.take(size)); err != nil {
		return nil, err
	}
	list := make([]any, size)
	for i := range list {
		list[i] = from + i
	}
	return list, nil
}

// lookup is value[key].
func lookup(args ...any) (any, error) {
	if err := args[2].(*budget).step(2*textSteps(args[0]) + textSteps(args[1])); err != nil {
		return nil, err
	}
	return member(args[0], args[1]), nil
}

// sliceOf is value[from:to].
func sliceOf(args ...any) (any, error) {
	if text, ok := args[0].(string); ok {
		if err := args[3].(*budget).step(len(text) / functionBytes); err != nil {
			return nil, err
		}
	}
	return slice(args[0], args[1], args[2])
}

// sumOf is sum(list).
func sumOf(args ...any) (any, error) {
	if err := args[1].(*budget).weigh(args[0]); err != nil {
		return nil, err
	}
	return sum(args[0])
}

// sortedBy is sortBy(list, keys), and sortBy(list, keys, order).
func sortedBy(args ...any) (any, error) {
	last := len(args) - 1
	if err := args[last].(*budget).step(sortSteps(lengthOf(args[0]))); err != nil {
		return nil, err
	}
	return sortBy(args[:last]...)
}

// called charges what a method has made: some of a time's make texts.
func called(args ...any) (any, error) {
	text, ok := args[0].(string)
	if !ok {
		return args[0], nil
	}
	b := args[1].(*budget)
	return text, errors.Join(b.step(3+len(text)/functionBytes*2), b.take(len(text)/bytesPerItem))
}
