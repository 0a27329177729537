package rules

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/vm/runtime"
)

// path is the constant part of a.b.c, looked up in one call.
type path []string

func (p path) of(value any) any {
	for _, name := range p {
		if value = member(value, name); value == nil {
			return nil
		}
	}
	return value
}

// member is value[key]: of an object by name, of a list or a text by position, from the end when negative. What is not
// there is nil, whatever the value is; a method of a time or duration is itself.
func member(value, key any) any {
	switch v := value.(type) {
	case nil, bool, int, uint64, float64, json.Number:
		return nil
	case map[string]any:
		name, ok := key.(string)
		if !ok {
			return nil
		}
		return v[name]
	case []any:
		if i, ok := position(key, len(v)); ok {
			return v[i]
		}
		return nil
	case string:
		i, ok := position(key, utf8.RuneCountInString(v))
		if !ok {
			return nil
		}
		from := offsetOf(v, i)
		_, size := utf8.DecodeRuneInString(v[from:])
		return strings.ToValidUTF8(v[from:from+size], "\uFFFD")
	}
	return memberOfOther(value, key)
}

// memberOfOther is for what only functions make: typed lists, groups, times.
func memberOfOther(value, key any) any {
	v := reflect.ValueOf(value)
	switch v.Kind() {
	case reflect.Slice, reflect.Array:
		if i, ok := position(key, v.Len()); ok {
			return v.Index(i).Interface()
		}
		return nil
	case reflect.Map:
		if k := reflect.ValueOf(key); k.IsValid() && k.Comparable() && k.Type().AssignableTo(v.Type().Key()) {
			if found := v.MapIndex(k); found.IsValid() {
				return found.Interface()
			}
		}
		return nil
	}
	if name, ok := key.(string); ok && name != "Local" && v.MethodByName(name).IsValid() {
		return runtime.Fetch(value, name)
	}
	return nil
}

// position is an index within length, counted from the end when negative.
func position(key any, length int) (int, bool) {
	i, ok := wholeIndex(key)
	if i < 0 {
		i += length
	}
	return i, ok && i >= 0 && i < length
}

// wholeIndex is a whole number that can count something.
func wholeIndex(value any) (int, bool) {
	switch v := value.(type) {
	case int:
		return v, true
	case float64:
		return int(v), v == math.Trunc(v) && math.Abs(v) < 1<<53
	}
	return 0, false
}

// slice is value[from:to]; nil ends are open, ends outside are moved inside, and a slice of nil is nil.
func slice(value, from, to any) (any, error) {
	if value == nil {
		return nil, nil
	}
	text, isText := value.(string)
	list, isList := asList(value)
	if !isText && !isList {
		return nil, fmt.Errorf("%s can not be sliced", typeName(value))
	}
	length := max(utf8.RuneCountInString(text), len(list))
	start, err := end(from, 0, length)
	if err != nil {
		return nil, err
	}
	stop, err := end(to, length, length)
	if err != nil {
		return nil, err
	}
	start = min(start, stop)
	if isText {
		from := offsetOf(text, start)
		return text[from : from+offsetOf(text[from:], stop-start)], nil
	}
	return list[start:stop:stop], nil
}

// offsetOf is the byte at which a character of a text begins; that after the last is the end.
func offsetOf(text string, character int) int {
	for offset := range text {
		if character--; character < 0 {
			return offset
		}
	}
	return len(text)
}

func end(value any, open, length int) (int, error) {
	if value == nil {
		return open, nil
	}
	i, ok := wholeIndex(value)
	if !ok {
		return 0, fmt.Errorf("a slice needs whole numbers, not %s", typeName(value))
	}
	if i < 0 {
		i += length
	}
	return min(max(i, 0), length), nil
}
