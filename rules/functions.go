package rules

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/vm/runtime"

	"switchyard/engine"
)

// function is one function of the language: its value from its arguments. The signatures say how many it takes.
type function struct {
	name       string
	call       func(args ...any) (any, error)
	signatures []any
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

// functions are ours, beside those of expr. Some have the names of expr's own, and stand for them: they take a missing
// value, keep every digit of a number, and answer the same every time, where expr's use the order of a Go map.
var functions = []function{
	{"pick", pick, []any{new(oneMore)}},
	{"omit", omit, []any{new(oneMore)}},
	{"merge", merge, []any{new(any0)}},
	{"rename", rename, []any{new(oneMore)}},
	{"coalesce", coalesce, []any{new(oneMore)}},
	{"typeof", func(args ...any) (any, error) { return bareTypeName(args[0]), nil }, []any{new(one)}},
	{"len", length, []any{new(one)}},
	{"get", func(args ...any) (any, error) { return member(args[0], args[1]), nil }, []any{new(two)}},
	{"first", func(args ...any) (any, error) { return member(args[0], 0), nil }, []any{new(one)}},
	{"last", func(args ...any) (any, error) { return member(args[0], -1), nil }, []any{new(one)}},
	{"take", func(args ...any) (any, error) { return take(args[0], args[1]) }, []any{new(two)}},
	{"keys", func(args ...any) (any, error) { return entries(args[0], func(name string, _ any) any { return name }) }, []any{new(one)}},
	{"values", func(args ...any) (any, error) {
		return entries(args[0], func(_ string, value any) any { return value })
	}, []any{new(one)}},
	{"toPairs", func(args ...any) (any, error) {
		return entries(args[0], func(name string, value any) any { return []any{name, value} })
	}, []any{new(one)}},
	{"string", func(args ...any) (any, error) { return toText(args[0]) }, []any{new(one)}},
	{"toJSON", func(args ...any) (any, error) { return toJSON(args[0]) }, []any{new(one)}},
	{"join", join, []any{new(one), new(two)}},
	{"min", func(args ...any) (any, error) { return extreme(-1, args) }, []any{new(oneMore)}},
	{"max", func(args ...any) (any, error) { return extreme(1, args) }, []any{new(oneMore)}},
	{"sort", sorted, []any{new(one), new(two)}},
	{"uniq", uniq, []any{new(one)}},
}

// texts are expr's functions on a text; here a missing text gives nil, and what is no text a plain error.
var texts = map[string][]any{
	"upper": {new(one)}, "lower": {new(one)}, "trim": {new(one), new(two)},
	"trimPrefix": {new(one), new(two)}, "trimSuffix": {new(one), new(two)},
	"split": {new(two), new(three)}, "splitAfter": {new(two), new(three)},
	"indexOf": {new(two)}, "lastIndexOf": {new(two)}, "hasPrefix": {new(two)}, "hasSuffix": {new(two)},
	"toBase64": {new(one)}, "fromBase64": {new(one)},
	"date": {new(one), new(two), new(three)}, "duration": {new(one)},
}

// ownTexts stand for expr's, which do not bound the text they make, or round numbers.
var ownTexts = map[string]function{
	"replace":  {"replace", replace, []any{new(three), new(four)}},
	"repeat":   {"repeat", repeat, []any{new(two)}},
	"fromJSON": {"fromJSON", func(args ...any) (any, error) { return engine.DecodeJSON([]byte(args[0].(string))) }, []any{new(one)}},
}

// allFunctions are ours and the texts.
func allFunctions() []function {
	all := slices.Clone(functions)
	for name, signatures := range texts {
		all = append(all, function{name, textFunction(name, builtinCall(name)), signatures})
	}
	for name, own := range ownTexts {
		all = append(all, function{name, textFunction(name, own.call), own.signatures})
	}
	return all
}

func builtinCall(name string) func(args ...any) (any, error) {
	f := builtin.Builtins[builtin.Index[name]]
	if f.Fast != nil {
		return func(args ...any) (any, error) { return f.Fast(args[0]), nil }
	}
	return f.Func
}

func textFunction(name string, call func(args ...any) (any, error)) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		if args[0] == nil {
			return nil, nil
		}
		if _, ok := args[0].(string); !ok {
			return nil, fmt.Errorf("%s needs a string, not %s", name, typeName(args[0]))
		}
		result, err := call(args...)
		if text, ok := result.(string); ok && len(text) > maxText {
			return nil, errTooLarge
		}
		return result, err
	}
}

// maxText bounds the texts that functions make, in bytes.
const maxText = 1 << 20

func concat(a, b string) (any, error) {
	if len(a)+len(b) > maxText {
		return nil, errTooLarge
	}
	return a + b, nil
}

func repeat(args ...any) (any, error) {
	text := args[0].(string)
	n, ok := wholeIndex(args[1])
	if !ok || n < 0 {
		return nil, fmt.Errorf("repeat needs a number of times, not %s", typeName(args[1]))
	}
	if n > maxText || n*len(text) > maxText {
		return nil, errTooLarge
	}
	return strings.Repeat(text, n), nil
}

func replace(args ...any) (any, error) {
	text, old, with := args[0].(string), args[1].(string), args[2].(string)
	n := -1
	if len(args) == 4 {
		n = runtime.ToInt(args[3])
	}
	if len(text)+strings.Count(text, old)*len(with) > maxText {
		return nil, errTooLarge
	}
	return strings.Replace(text, old, with, n), nil
}

// object is the first argument of the functions on objects; nil counts as an empty one.
func object(name string, value any) (map[string]any, error) {
	switch v := value.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return v, nil
	}
	return nil, fmt.Errorf("%s needs an object, not %s", name, typeName(value))
}

// names are the other arguments: texts, or lists of them.
func names(function string, args []any) ([]string, error) {
	var all []string
	for _, arg := range args {
		list, isList := asList(arg)
		if !isList {
			list = []any{arg}
		}
		for _, item := range list {
			name, ok := item.(string)
			if !ok {
				return nil, fmt.Errorf("%s needs names, not %s", function, typeName(item))
			}
			all = append(all, name)
		}
	}
	return all, nil
}

// takesNames are the functions whose other arguments name members of the first, and how far apart these stand.
var takesNames = map[string]int{"get": 1, "pick": 1, "omit": 1, "rename": 2}

// pick is an object with only the members named, as far as it has them.
func pick(args ...any) (any, error) {
	from, err := object("pick", args[0])
	if err != nil {
		return nil, err
	}
	wanted, err := names("pick", args[1:])
	picked := make(map[string]any, len(wanted))
	for _, name := range wanted {
		if value, ok := from[name]; ok {
			picked[name] = value
		}
	}
	return picked, err
}

// omit is an object without the members named.
func omit(args ...any) (any, error) {
	from, err := object("omit", args[0])
	if err != nil {
		return nil, err
	}
	unwanted, err := names("omit", args[1:])
	rest := make(map[string]any, len(from))
	for name, value := range from {
		if !slices.Contains(unwanted, name) {
			rest[name] = value
		}
	}
	return rest, err
}

// merge lays each object over those before it, at every depth.
func merge(args ...any) (any, error) {
	merged := map[string]any{}
	for _, arg := range args {
		over, err := object("merge", arg)
		if err != nil {
			return nil, err
		}
		merged = engine.MergeTraits(merged, over)
	}
	return merged, nil
}

// rename gives members other names, all at once, so that two can be swapped; what the object lacks is left out.
func rename(args ...any) (any, error) {
	from, err := object("rename", args[0])
	if err != nil {
		return nil, err
	}
	pairs, err := names("rename", args[1:])
	if err != nil {
		return nil, err
	}
	if len(pairs)%2 != 0 {
		return nil, errors.New("rename needs pairs of names: the old one, the new one")
	}
	renamed, _ := omit(append([]any{from}, args[1:]...)...)
	for name, value := range from {
		if at := slices.Index(pairs, name); at >= 0 && at%2 != 0 {
			renamed.(map[string]any)[name] = value
		}
	}
	for i := 0; i < len(pairs); i += 2 {
		delete(renamed.(map[string]any), pairs[i])
	}
	for i := 0; i < len(pairs); i += 2 {
		if value, ok := from[pairs[i]]; ok {
			renamed.(map[string]any)[pairs[i+1]] = value
		}
	}
	return renamed, nil
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
		return len([]rune(v)), nil
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
	doc, err := json.Marshal(value)
	if err == nil && len(doc) > maxText {
		err = errTooLarge
	}
	return string(doc), err
}

// join writes the items of a list as text, with glue between them; missing ones are left out.
func join(args ...any) (any, error) {
	list, err := items(args[0])
	if err != nil {
		return nil, err
	}
	glue := ""
	if len(args) == 2 {
		glue = textOf(args[1])
	}
	var parts []string
	size := 0
	for _, item := range list {
		if item == nil {
			continue
		}
		part, err := toText(item)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part.(string))
		if size += len(part.(string)) + len(glue); size > maxText {
			return nil, errTooLarge
		}
	}
	return strings.Join(parts, glue), nil
}

// bareTypeName is what typeof gives: nil, string, boolean, number, list, object, time or duration.
func bareTypeName(value any) string {
	if isNil(value) {
		return "nil"
	}
	_, name, _ := strings.Cut(typeName(value), " ")
	return name
}
