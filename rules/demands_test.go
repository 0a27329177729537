package rules

import (
	"slices"
	"testing"

	"switchyard/engine"
)

// What the check of types says that functions need is what they need, and what it says that they give they give.
func TestDemands(t *testing.T) {
	literals := map[engine.JSONTypes]string{
		engine.JSONString: `"a"`, engine.JSONNumber: `5`, engine.JSONBoolean: `true`, engine.JSONObject: `{"a": "a"}`, engine.JSONList: `["a"]`,
	}
	others := map[string]string{
		"trimPrefix": `, "a"`, "trimSuffix": `, "a"`, "replace": `, "a", "b"`, "repeat": `, 2`, "hasPrefix": `, "a"`, "hasSuffix": `, "a"`,
		"indexOf": `, "a"`, "lastIndexOf": `, "a"`, "split": `, "a"`, "splitAfter": `, "a"`, "extract": `, "(a)"`, "take": `, 1`,
		"bitand": `, 1`, "bitor": `, 1`, "bitxor": `, 1`, "bitnand": `, 1`, "bitshl": `, 1`, "bitshr": `, 1`, "bitushr": `, 1`,
		"pick": `, "a"`, "omit": `, "a"`, "rename": `, "a", "b"`,
	}
	inputs := map[string]string{"fromBase64": `"YQ=="`, "urlParse": `"https://a.b"`, "fromJSON": `"5"`, "int": `"5"`, "float": `"5"`}
	for name, demand := range demands {
		for typ, literal := range literals {
			if given := inputs[name]; given != "" && typ == engine.JSONString {
				literal = given
			}
			// The list hides the argument's type from the compiler.
			value, err := evaluate(t, name+`([`+literal+`, nil][data.zero ?? 0]`+others[name]+`)`)
			switch fits := demand.first == 0 || typ.Has(demand.first); {
			case demand.first != 0 && fits != (err == nil):
				t.Errorf("%s of %s: %v %v", name, typ, value, err)
			case err == nil && demand.gives != 0 && !isTyped(value, demand.gives):
				t.Errorf("%s of %s gives %v", name, typ, value)
			}
		}
	}
	for name := range functions {
		if _, known := demands[name]; !known && !slices.Contains(unchecked, name) {
			t.Errorf("what does %s need?", name)
		}
	}
}

// isTyped reports a value of a type; functions may make lists of other types than JSON has.
func isTyped(value any, wanted engine.JSONTypes) bool {
	if _, ok := asList(value); ok {
		return wanted == engine.JSONList
	}
	return engine.JSONTypeOf(value) == wanted
}

// unchecked are functions of which the check says nothing, or which it knows in another way.
var unchecked = []string{
	"coalesce", "merge", "compact", "get", "first", "last", "min", "max", "mean", "median", "join", "truncate", "padStart", "padEnd",
	"e164", "isEmail", "sha256", "md5", "uuid5", "inline", "formatNumber", "formatPercent", "formatMoney", "date", "formatDate",
	"dateAdd", "dateDiff", "startOf", "inZone", "timezone", "duration", "fromPairs",
}
