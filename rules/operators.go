package rules

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// What the operators of an expression mean here. They differ from expr's own where a missing value (nil) is concerned,
// and in keeping every digit of a number.

// maxSteps bounds what one comparison of nested values may cost; an expression can build values that share their parts
// many times over.
const maxSteps = 1_000_000

var errTooLarge = errors.New("the value is too large")

// equal compares by value, numbers of all types numerically, lists and objects at every depth. Values of different
// types are not equal; nil equals nil only.
func equal(a, b any) (bool, error) {
	switch x := a.(type) {
	case string:
		y, ok := b.(string)
		return ok && x == y, nil
	case nil:
		return isNil(b), nil
	case bool:
		y, ok := b.(bool)
		return ok && x == y, nil
	}
	steps := maxSteps
	same := equalDeep(a, b, &steps)
	if steps <= 0 {
		return false, errTooLarge
	}
	return same, nil
}

func equalDeep(a, b any, steps *int) bool {
	if *steps--; *steps <= 0 {
		return false
	}
	if order, ok := compareNumbers(a, b); ok {
		return order == 0
	}
	switch x := a.(type) {
	case time.Time:
		y, ok := b.(time.Time)
		return ok && x.Equal(y)
	case map[string]any:
		y, ok := b.(map[string]any)
		return ok && equalObjects(x, y, steps)
	}
	if x, ok := asList(a); ok {
		y, ok := asList(b)
		return ok && equalLists(x, y, steps)
	}
	if x, y := reflect.ValueOf(a), reflect.ValueOf(b); x.Kind() == reflect.Map && y.Kind() == reflect.Map {
		return equalMaps(x, y, steps)
	}
	return isNil(a) && isNil(b) || !isNil(a) && !isNil(b) && reflect.DeepEqual(a, b)
}

func equalObjects(x, y map[string]any, steps *int) bool {
	if len(x) != len(y) {
		return false
	}
	for name, value := range x {
		other, ok := y[name]
		if !ok || !equalDeep(value, other, steps) {
			return false
		}
	}
	return true
}

// equalMaps is for what groupBy made.
func equalMaps(x, y reflect.Value, steps *int) bool {
	if x.Len() != y.Len() || x.Type() != y.Type() {
		return false
	}
	for all := x.MapRange(); all.Next(); {
		other := y.MapIndex(all.Key())
		if !other.IsValid() || !equalDeep(all.Value().Interface(), other.Interface(), steps) {
			return false
		}
	}
	return true
}

func equalLists(x, y []any, steps *int) bool {
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if !equalDeep(x[i], y[i], steps) {
			return false
		}
	}
	return true
}

func isNil(value any) bool {
	if value == nil {
		return true
	}
	switch v := reflect.ValueOf(value); v.Kind() {
	case reflect.Map, reflect.Slice, reflect.Pointer:
		return v.IsNil()
	}
	return false
}

// asList is a list of any type as []any. Typed ones come from functions such as split; nil is none.
func asList(value any) (list []any, ok bool) {
	if list, ok := value.([]any); ok {
		return list, true
	}
	if value == nil {
		return nil, false
	}
	v := reflect.ValueOf(value)
	if v.Kind() != reflect.Slice && v.Kind() != reflect.Array {
		return nil, false
	}
	list = make([]any, v.Len())
	for i := range list {
		list[i] = v.Index(i).Interface()
	}
	return list, true
}

// order compares two numbers, texts, times or durations. With nil on either side there is no order, and no error.
func order(a, b any) (result int, ordered bool, err error) {
	if a == nil || b == nil {
		return 0, false, nil
	}
	if result, ok := compareNumbers(a, b); ok {
		return result, true, nil
	}
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			return strings.Compare(x, y), true, nil
		}
	case time.Time:
		if y, ok := b.(time.Time); ok {
			return x.Compare(y), true, nil
		}
	case time.Duration:
		if y, ok := b.(time.Duration); ok {
			return cmp.Compare(x, y), true, nil
		}
	}
	return 0, false, fmt.Errorf("%s and %s can not be compared", typeName(a), typeName(b))
}

// stringSet is the right side of: name in ["a", "b"].
type stringSet struct {
	texts   map[string]struct{}
	longest int // so that a longer text need not be hashed
}

func newStringSet(texts []string) *stringSet {
	set := &stringSet{texts: make(map[string]struct{}, len(texts))}
	for _, text := range texts {
		set.texts[text] = struct{}{}
		set.longest = max(set.longest, len(text))
	}
	return set
}

func (s *stringSet) has(value any) bool {
	text, ok := value.(string)
	if !ok || len(text) > s.longest {
		return false
	}
	_, found := s.texts[text]
	return found
}

// in finds a value in a list, or a key in an object. Nil is in nothing, and nothing is in nil.
func in(needle, haystack any) (bool, error) {
	if needle == nil || haystack == nil {
		return false, nil
	}
	switch h := haystack.(type) {
	case *stringSet:
		return h.has(needle), nil
	case map[string]any:
		text, _ := needle.(string)
		_, found := h[text]
		return found && text == needle, nil
	}
	list, ok := asList(haystack)
	if !ok {
		return false, fmt.Errorf("in needs a list or an object on its right, not %s%s", typeName(haystack), containsHint(haystack))
	}
	for _, item := range list {
		if same, err := equal(needle, item); same || err != nil {
			return same, err
		}
	}
	return false, nil
}

func containsHint(haystack any) string {
	if _, ok := haystack.(string); ok {
		return ` (for a part of a string write: text contains "part")`
	}
	return ""
}

// textTest is contains, startsWith or endsWith; false with nil on either side.
func textTest(operator string, test func(text, part string) bool) func(a, b any) (bool, error) {
	return func(a, b any) (bool, error) {
		if a == nil || b == nil {
			return false, nil
		}
		text, okA := a.(string)
		part, okB := b.(string)
		if okA && okB {
			return test(text, part), nil
		}
		hint := ""
		if _, isList := asList(a); isList && operator == "contains" {
			hint = " (for a list write: value in list)"
		}
		return false, fmt.Errorf("%s needs two strings, not %s and %s%s", operator, typeName(a), typeName(b), hint)
	}
}

// matches is the operator, with a budget of its own.
func matches(a, b any) (bool, error) {
	return (&budget{left: memoryBudget, steps: stepBudget}).matches(a, b)
}

// truth is a condition's value: nil, which is what a missing path gives, is false.
func truth(value any) (bool, error) {
	switch v := value.(type) {
	case bool:
		return v, nil
	case nil:
		return false, nil
	}
	return false, fmt.Errorf("true or false was expected, not %s", typeName(value))
}
