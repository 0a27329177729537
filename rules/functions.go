package rules

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/builtin"
)

// function is one function of the language: its value from its arguments. The signatures say how many it takes, and of
// which types as far as these are known before it runs.
type function struct {
	name       string
	call       func(args ...any) (any, error)
	signatures []any
	// steps is what a call costs beside the size of what it reads and makes, pace how many bytes of text are one step, and
	// reads how it goes through lists and objects; see budget.
	steps, pace int
	reads       reach
	// makesDeep is true when what it makes is new at every depth.
	makesDeep bool
	// metered is a call that takes what it costs itself.
	metered func(b *budget, args []any) (any, error)
	// checks are what a text at a position of the arguments must be; a literal there is checked before anything runs.
	checks map[int]func(text string) error
}

// The signatures, by the number of arguments.
type (
	one     = func(any) any
	two     = func(any, any) any
	three   = func(any, any, any) any
	four    = func(any, any, any, any) any
	any0    = func(...any) any
	oneMore = func(any, ...any) any
)

func define(name string, call func(args ...any) (any, error), signatures ...any) *function {
	return &function{name: name, call: leavingOut(call, signatures), signatures: signatures, pace: functionBytes}
}

// leavingOut calls a function without the optional arguments at the end that are missing, as if they were not written.
func leavingOut(call func(args ...any) (any, error), signatures []any) func(args ...any) (any, error) {
	least, most := math.MaxInt, 0
	for _, signature := range signatures {
		t := reflect.TypeOf(signature).Elem()
		if t.IsVariadic() {
			return call
		}
		least, most = min(least, t.NumIn()), max(most, t.NumIn())
	}
	if least == most {
		return call
	}
	return func(args ...any) (any, error) {
		for len(args) > least && isNil(args[len(args)-1]) {
			args = args[:len(args)-1]
		}
		return call(args...)
	}
}

// reach is how far a function goes through lists and objects.
type reach int

const (
	once    reach = iota // each item or member once
	nothing              // what is read is little, and nothing is made, however large the arguments are
	deeply               // all that is in them
	sorting              // they are put in order
)

func (f *function) costs(steps int) *function {
	f.steps = steps
	return f
}

func (f *function) paced(bytes int) *function {
	f.pace = bytes
	return f
}

func (f *function) going(reads reach) *function {
	f.reads = reads
	return f
}

func (f *function) makingDeep() *function {
	f.makesDeep = true
	return f
}

func (f *function) evaluate(b *budget, args []any) (any, error) {
	if f.metered != nil {
		return f.metered(b, args)
	}
	return f.call(args...)
}

// checked has literals at some positions checked; what they must be, the function checks itself, too.
func (f *function) checked(check func(text string) error, positions ...int) *function {
	if f.checks == nil {
		f.checks = map[int]func(string) error{}
	}
	for _, position := range positions {
		f.checks[position] = check
	}
	return f
}

// validate is the type of a call with arguments of some types, by the signature for so many. (expr tries each signature,
// and complains about the last.) What is nil or not known yet may be anything.
func (f *function) validate(args []reflect.Type) (reflect.Type, error) {
	few := false
	for _, signature := range f.signatures {
		t := reflect.TypeOf(signature).Elem()
		fixed := t.NumIn()
		if t.IsVariadic() {
			fixed--
		}
		if few = few || len(args) < fixed; len(args) < fixed || len(args) > fixed && !t.IsVariadic() {
			continue
		}
		for i, arg := range args {
			if wanted := parameter(t, i); arg != nil && arg.Kind() != reflect.Interface && !arg.AssignableTo(wanted) {
				return nil, needs(f.name, typeName(reflect.Zero(wanted).Interface()), reflect.Zero(arg).Interface())
			}
		}
		return t.Out(0), nil
	}
	if few {
		return nil, fmt.Errorf("not enough arguments to call %s", f.name)
	}
	return nil, fmt.Errorf("too many arguments to call %s", f.name)
}

func parameter(signature reflect.Type, position int) reflect.Type {
	last := signature.NumIn() - 1
	if signature.IsVariadic() && position >= last {
		return signature.In(last).Elem()
	}
	return signature.In(position)
}

// functions are ours, beside those of expr. Some have the names of expr's own, and stand for them: they take a missing
// value, keep every digit of a number, bound what they make, and answer the same everywhere and every time, where expr's
// use the order of a Go map or the machine's time zone.
var functions = func() map[string]*function {
	table := map[string]*function{}
	for _, f := range slices.Concat(
		valueFunctions, memberFunctions, listFunctions, textFunctions, timeFunctions, numberFunctions, bitFunctions, formatFunctions,
		identityFunctions, webFunctions,
	) {
		if table[f.name] != nil {
			panic("two functions are called " + f.name)
		}
		table[f.name] = f
	}
	return table
}()

// valueFunctions take values of any type.
var valueFunctions = []*function{
	define("coalesce", coalesce, new(oneMore)).going(nothing),
	define("typeof", func(args ...any) (any, error) { return bareTypeName(args[0]), nil }, new(one)).going(nothing),
	define("len", length, new(one)).going(nothing),
	define("string", func(args ...any) (any, error) { return toText(args[0]) }, new(one)).going(deeply),
	define("toJSON", func(args ...any) (any, error) { return toJSON(args[0]) }, new(one)).going(deeply).paced(32),
	define("fromJSON", onText("fromJSON", 1, fromJSON), new(one)).paced(16).makingDeep(),
}

func builtinCall(name string) func(args ...any) (any, error) {
	f := builtin.Builtins[builtin.Index[name]]
	if f.Fast != nil {
		return func(args ...any) (any, error) { return f.Fast(args[0]), nil }
	}
	return f.Func
}

// needs is the complaint about an argument.
func needs(function, wanted string, value any) error {
	return fmt.Errorf("%s needs %s, not %s", function, wanted, typeName(value))
}

// needsWhole is the complaint about a number of something.
func needsWhole(function, wanted string, value any) error {
	if _, ok := numeric(value); ok {
		return fmt.Errorf("%s needs %s, not %s", function, wanted, shortened(textOf(value)))
	}
	return needs(function, wanted, value)
}

// textArgument is an argument that must be a text; absent is what it is when it is left out.
func textArgument(function, wanted string, args []any, position int, absent string) (string, error) {
	if position >= len(args) {
		return absent, nil
	}
	text, ok := args[position].(string)
	if !ok {
		return "", needs(function, wanted, args[position])
	}
	return text, nil
}

// wordOf is a text, or a number as its literal, for what may come as either: an id, a phone number.
func wordOf(function string, value any) (string, error) {
	if text, ok := value.(string); ok {
		return text, nil
	}
	if _, ok := numeric(value); ok {
		return textOf(value), nil
	}
	return "", needs(function, "a string", value)
}

// coalesce is the first value that is neither nil nor "".
func coalesce(args ...any) (any, error) {
	for _, arg := range args {
		if !isNil(arg) && arg != "" {
			return arg, nil
		}
	}
	return nil, nil
}

// length counts the characters of a text, the items of a list, the members of an object; nil has none.
func length(args ...any) (any, error) {
	switch v := args[0].(type) {
	case nil:
		return 0, nil
	case string:
		return utf8.RuneCountInString(v), nil
	case []any:
		return len(v), nil
	case map[string]any:
		return len(v), nil
	}
	switch v := reflect.ValueOf(args[0]); v.Kind() {
	case reflect.Slice, reflect.Array, reflect.Map:
		return v.Len(), nil
	}
	return nil, fmt.Errorf("%s has no length", typeName(args[0]))
}

// toText is a scalar's text, and the JSON of a list or object; nil is "".
func toText(value any) (any, error) {
	if text, ok := value.(string); ok {
		return text, nil
	}
	switch kind := reflect.ValueOf(value).Kind(); kind {
	case reflect.Map, reflect.Slice, reflect.Array:
		return toJSON(value)
	}
	return textOf(value), nil
}

func toJSON(value any) (any, error) {
	value, err := plain(value)
	if err != nil {
		return nil, err
	}
	doc, err := encodeJSON(value)
	if err == nil && len(doc) > maxText {
		err = errTooLarge
	}
	return string(doc), err
}

// bareTypeName is what typeof gives: nil, string, boolean, number, list, object, time or duration.
func bareTypeName(value any) string {
	if isNil(value) {
		return "nil"
	}
	_, name, _ := strings.Cut(typeName(value), " ")
	return name
}
