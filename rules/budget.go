package rules

import (
	"encoding/json"
	"errors"
	"math"
	"math/bits"
	"reflect"
	"strings"
)

// budget bounds what evaluating a rule on one event takes. Its steps are time, its items memory. All that can take long
// is charged where it is done, by its size: the nodes of an expression and the turns of its loops, what operators compare,
// what functions read and make. An expression has a budget of its own, so that what it comes to depends on nothing but
// itself and the event; the rule's is looked at between its expressions.
type budget struct {
	// left and steps are what the expression may still make and take.
	left, steps int
	// rule is true while a rule is evaluated, and made and taken are what its expressions have come to so far; event is
	// what the rules before it have, on the same event.
	rule        bool
	made, taken int
	event       struct{ made, taken int }
	// frugal is true for a rule that must do with less, for those before it have used up what there was.
	frugal bool
	// over is the error of the first expression of the rule that went over a budget; nil when none did.
	over error
}

// budgetName is the name under which expressions pass the budget to the functions that they call.
const budgetName = operatorPrefix + "budget"

const (
	// stepBudget bounds the steps of one expression, and of the expressions of a rule before its last: a rule is stopped
	// before it has taken twice as many. A step is at most half a microsecond, and mostly much less.
	stepBudget = 50_000
	// memoryBudget bounds in the same way the items of all lists that are made; bytesPerItem of a text are one.
	memoryBudget = 1 << 18
	bytesPerItem = 64
	// eventSteps and eventItems are what all rules may take and make of one event, a few tenths of a second and 64 MB,
	// before each further one must do with a part of its budget: a thousand that go through lists would else take a minute
	// over a list that is long. With what is left to each, plain rules work as before.
	eventSteps = 20 * stepBudget
	eventItems = 4 * memoryBudget
	frugality  = 100
)

// What is done in the time of one step.
const (
	// bytesPerStep are compared or searched, functionBytes read or made by most functions.
	bytesPerStep  = 256
	functionBytes = 128
	// itemsPerStep are gone through in a list or object, valuesPerStep where each is looked into.
	itemsPerStep  = 4
	valuesPerStep = 2
	// patternStepsPerStep are bytes of a text by instructions of a pattern.
	patternStepsPerStep = 32
	// digitsPerStep are those of numbers that no register holds.
	digitsPerStep = 16
)

var (
	errTooLong  = errors.New("this takes too many steps: too many items are gone through, or inside each other")
	errRuleLong = errors.New("this rule takes too many steps: its expressions together do too much")
	// errEventLong says little against the rule that has it.
	errEventLong = errors.New("this takes too many steps beside what the rules before it have taken: too many rules go through long lists of this event")
)

// isOverBudget tells the errors of what costs too much from others.
func isOverBudget(err error) bool {
	return errors.Is(err, errTooLong) || errors.Is(err, errRuleLong) || errors.Is(err, errTooLarge) ||
		err != nil && strings.Contains(err.Error(), vmMemory)
}

// vmMemory is what expr's machine says when its own lists are too large.
const vmMemory = "memory budget exceeded"

// open begins the evaluation of a rule, close ends it.
func (b *budget) open() {
	*b = budget{rule: true, event: b.event, frugal: b.event.taken >= eventSteps || b.event.made >= eventItems}
}

func (b *budget) close() {
	b.rule = false
	b.event.taken += b.taken
	b.event.made += b.made
}

// may is what an expression may make and take.
func (b *budget) may() (make, take int) {
	if b.frugal {
		return memoryBudget / frugality, stepBudget / frugality
	}
	return memoryBudget, stepBudget
}

// begin gives an expression its budget, unless the rule has used up its own; once is what it costs beside its loops.
func (b *budget) begin(once int) error {
	b.left, b.steps = b.may()
	if b.rule && (b.taken >= b.steps || b.made >= b.left) {
		return errRuleLong
	}
	return b.step(once)
}

// end counts for the rule what an expression has used.
func (b *budget) end() {
	make, take := b.may()
	b.taken += take - b.steps
	b.made += make - b.left
}

// overrun remembers that the rule went over a budget, whatever becomes of the error: a condition that is false beside it
// hides it.
func (b *budget) overrun(err error) {
	if b.rule && b.over == nil {
		b.over = err
	}
}

// charge takes what is done with the value of an expression, after it: to write it as JSON has it.
func (b *budget) charge(p *plainer) {
	b.taken += p.values/valuesPerStep + p.bytes/functionBytes
	b.made += p.values + p.bytes/bytesPerItem
}

// plainer writes the value of an expression as JSON has it.
func (b *budget) plainer() plainer {
	if b.frugal {
		make, _ := b.may()
		return plainer{mostValues: make, mostBytes: make * bytesPerItem}
	}
	return newPlainer()
}

func (b *budget) step(n int) error {
	if b.steps -= n; b.steps < 0 {
		return errTooLong
	}
	return nil
}

func (b *budget) take(items int) error {
	if b.left -= items; b.left < 0 {
		return errTooLarge
	}
	return nil
}

// each charges one turn of a loop, and passes on the value of the loop's body; the last argument is what the body costs.
func each(args ...any) (any, error) {
	return args[0], args[1].(*budget).step(args[2].(int) + textSteps(args[0]))
}

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
	case "matches":
		return func(args ...any) (any, error) { return args[2].(*budget).matches(args[0], args[1]) }
	}
	test := tests[sign]
	return func(args ...any) (any, error) {
		if err := args[2].(*budget).step(textSteps(args[0]) + textSteps(args[1])); err != nil {
			return nil, err
		}
		return test(args[0], args[1])
	}
}

func textSteps(value any) int {
	switch v := value.(type) {
	case string:
		return len(v) / bytesPerStep
	case json.Number:
		return len(v) / digitsPerStep
	}
	return 0
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
		if err := b.step(lengthOfList(haystack) + textSteps(needle)); err != nil {
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

// own is an error of one of our functions: in plain words already.
type own struct{ error }

// Unwrap lets errors.Is see it.
func (o own) Unwrap() error { return o.error }

// metered calls a function, and takes what that costs: what it reads before it is called, what it makes after.
func metered(args ...any) (any, error) {
	b, f, args := args[0].(*budget), args[1].(*function), args[2:]
	if err := b.step(f.steps); err != nil {
		return nil, err
	}
	for _, arg := range args {
		if err := b.reading(f, arg); err != nil {
			return nil, err
		}
	}
	result, err := f.evaluate(b, args)
	if err != nil {
		return nil, own{err}
	}
	return result, b.making(f, result)
}

func (b *budget) reading(f *function, value any) error {
	if text, ok := value.(string); ok {
		return b.step(len(text) / f.pace)
	}
	switch f.reads {
	case deeply:
		return b.weigh(value)
	case sorting:
		return b.step(sortSteps(lengthOf(value)) + textSteps(value) + extremeSteps(value))
	case nothing:
		return nil
	}
	return b.step(lengthOf(value)/itemsPerStep + textSteps(value) + extremeSteps(value))
}

// extremeSteps are for a number that is hundreds of digits when it is written out.
func extremeSteps(value any) int {
	const steps, most = 150, 1e24
	if f, ok := value.(float64); ok && f != 0 && (math.Abs(f) > most || math.Abs(f) < 1/most) {
		return steps
	}
	return 0
}

func (b *budget) making(f *function, value any) error {
	if text, ok := value.(string); ok {
		if err := b.step(len(text) / f.pace); err != nil {
			return err
		}
		return b.take(len(text) / bytesPerItem)
	}
	if f.reads == nothing {
		return nil
	}
	if f.makesDeep {
		return b.weighMade(value)
	}
	if err := b.step(lengthOf(value) / itemsPerStep); err != nil {
		return err
	}
	return b.take(lengthOf(value))
}

// weigh charges all values in one, at every depth: an expression can share a part of a value many times over.
func (b *budget) weigh(value any) error {
	return b.step(sizeOf(value, (b.steps+1)*valuesPerStep) / valuesPerStep)
}

// weighMade is weigh for a value that is new.
func (b *budget) weighMade(value any) error {
	size := sizeOf(value, b.left+1)
	if err := b.step(size / valuesPerStep); err != nil {
		return err
	}
	return b.take(size)
}

// sortSteps is what it takes to put so many items in order.
func sortSteps(items int) int { return items * bits.Len(uint(items)) / itemsPerStep }

// sizeOf counts the values in a value, and its texts by their length, until there are more than most.
func sizeOf(value any, most int) (size int) {
	const container = 4 // which is allocated, even if it is empty
	size = 1
	count := func(value any) bool {
		size += sizeOf(value, most-size)
		return size <= most
	}
	switch v := value.(type) {
	case nil, bool, int, float64:
	case string:
		size += len(v) / bytesPerItem
	case json.Number:
		size += len(v) / digitsPerStep
	case []any:
		size = container
		for _, item := range v {
			if !count(item) {
				break
			}
		}
	case map[string]any:
		size = container
		for _, member := range v {
			if !count(member) {
				break
			}
		}
	default:
		switch v := reflect.ValueOf(value); v.Kind() {
		case reflect.Slice, reflect.Array:
			for i := 0; i < v.Len() && count(v.Index(i).Interface()); i++ {
			}
		case reflect.Map:
			for all := v.MapRange(); all.Next() && count(all.Value().Interface()); {
			}
		}
	}
	return size
}

// lengthOf is the number of items of a list or members of an object; 0 for anything else.
func lengthOf(value any) int {
	switch v := value.(type) {
	case nil, bool, int, float64, string:
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
