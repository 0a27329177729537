package rules

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// heavy are values that make work, and some that are what functions want beside them.
func heavy() map[string]any {
	list, texts, object := make([]any, 2000), make([]any, 2000), map[string]any{}
	for i := range list {
		list[i], texts[i] = i, fmt.Sprint("text ", i)
		object[fmt.Sprint("key", i)] = []any{i}
	}
	shared := any([]any{1, "a"})
	for range 60 {
		shared = []any{shared, shared}
	}
	return map[string]any{
		"a list": list, "a list of texts": texts, "an object": object, "shared": shared, "a long text": strings.Repeat("aB ", 100_000),
		"a text of letters": strings.Repeat("üб漢", 10_000), "JSON": "[" + strings.Repeat("{},", 100_000) + "1]", "an address": "http://x/?" + strings.Repeat("a=b&", 10_000),
		"a number": 5, "a fraction": 0.1234567, "an extreme": 1e300, "many digits": json.Number(strings.Repeat("9", 1200)),
		"mixed numbers": append(append([]any{json.Number(strings.Repeat("9", 1200))}, list...), 0.5), "a time": time.Unix(1e9, 0), "a date": "2024-05-06T07:08:09+02:00", "a format": "%d.%m.%Y %A", "a zone": "America/New_York", "a unit": "month", "a pattern": "(a|b|ab)*c",
		"a word": "EUR", "nothing": nil, "empty": "",
	}
}

// Whatever a function is given again and again, its budget ends before the time does; so a new one can not be forgotten.
func TestFunctionsAreCharged(t *testing.T) {
	values := heavy()
	names := slices.Sorted(maps.Keys(values))
	seconds := []string{"a list", "an object", "shared", "a long text", "many digits", "a number", "an extreme", "a zone", "a pattern", "a format"}
	try := func(f *function, given string, args ...any) {
		if _, err := f.validate(make([]reflect.Type, len(args))); err != nil {
			return // it takes more, or fewer
		}
		calls, b := 0, budget{}
		cpu, memory := usage(func() {
			calls, b = 0, budget{left: memoryBudget, steps: stepBudget}
			call := append([]any{&b, f}, args...)
			for err := error(nil); err == nil; calls++ {
				if _, err = metered(call...); err == nil {
					err = b.step(1)
				}
			}
		})
		if cpu > mostCPU/2 || memory > mostMemory {
			t.Errorf("%s(%s) took %s and %d MB in %d calls", f.name, given, cpu, memory>>20, calls)
		}
	}
	for _, function := range slices.Sorted(maps.Keys(functions)) {
		f := functions[function]
		for _, first := range names {
			if try(f, first, values[first]); slower > 1 {
				continue
			}
			for _, second := range seconds {
				try(f, first+", "+second, values[first], values[second])
				for _, third := range []string{"a unit", "a number"} {
					try(f, first+", "+second+", "+third, values[first], values[second], values[third])
				}
			}
		}
	}
}
