package schema

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"switchyard/engine"
)

// written puts files into a folder, the names and texts in turn, and returns the path of the first.
func written(t testing.TB, files ...string) string {
	t.Helper()
	folder := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		path := filepath.Join(folder, files[i])
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(files[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(folder, files[0])
}

func loaded(t testing.TB, files ...string) *Schema {
	t.Helper()
	s, err := Load(written(t, files...))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// lines are violations as a table of a test shows them: pointer, a space, sentence.
func lines(violations []engine.Violation) []string {
	var all []string
	for _, v := range violations {
		all = append(all, v.Pointer+" "+v.Message)
	}
	return all
}

// Every keyword, and what its violation says.
func TestTheSentences(t *testing.T) {
	for _, test := range []struct {
		schema, data string
		want         []string
	}{
		// nothing wrong
		{`{}`, `{"a":1}`, nil},
		{`true`, `{}`, nil},
		{`{"type":"object","required":["plan"]}`, `{"plan":"x"}`, nil},

		// any type
		{`false`, `{}`, []string{" is not allowed"}},
		{`{"properties":{"seats":{"type":"number"}}}`, `{"seats":"5"}`, []string{"/seats must be a number, not a string"}},
		{`{"properties":{"a":{"type":["string","null"]}}}`, `{"a":{}}`, []string{"/a must be a string or null, not an object"}},
		{`{"properties":{"a":{"type":["string","boolean","array"]}}}`, `{"a":null}`, []string{"/a must be a string, a boolean or an array, not null"}},
		{`{"properties":{"a":{"type":"object"}}}`, `{"a":true}`, []string{"/a must be an object, not a boolean"}},
		{`{"properties":{"a":{"type":"null"}}}`, `{"a":[]}`, []string{"/a must be null, not an array"}},
		{`{"properties":{"a":{"type":"integer"}}}`, `{"a":1.5}`, []string{"/a must be a whole number; it is 1.5"}},
		{`{"properties":{"a":{"type":"integer"}}}`, `{"a":"1"}`, []string{"/a must be a whole number, not a string"}},
		{`{"properties":{"plan":{"enum":["free","pro"]}}}`, `{"plan":"gold"}`, []string{`/plan must be one of "free", "pro"; it is "gold"`}},
		{`{"properties":{"plan":{"enum":["free"]}}}`, `{"plan":4}`, []string{`/plan must be "free"; it is 4`}},
		{`{"properties":{"a":{"enum":[1,2.50,null,{"b":1}]}}}`, `{"a":[1]}`, []string{`/a must be one of 1, 2.50, null, an object; it is an array`}},
		{`{"properties":{"a":{"const":"x"}}}`, `{"a":"y"}`, []string{`/a must be "x"; it is "y"`}},
		{`{"properties":{"a":{"const":null}}}`, `{"a":"y"}`, []string{`/a must be null; it is "y"`}},
		{`{"properties":{"a":{"not":{"type":"string"}}}}`, `{"a":"y"}`, []string{`/a must not fit what the schema excludes with "not"`}},
		{`{"properties":{"a":false}}`, `{"a":1}`, []string{"/a is not allowed"}},
		{`{"properties":{"items":false}}`, `{"items":1}`, []string{"/items is not allowed"}},

		// strings
		{`{"properties":{"a":{"minLength":1}}}`, `{"a":""}`, []string{"/a must not be empty"}},
		{`{"properties":{"a":{"minLength":3}}}`, `{"a":"äö"}`, []string{"/a must have at least 3 characters; it has 2"}},
		{`{"properties":{"a":{"maxLength":1}}}`, `{"a":"äö"}`, []string{"/a must have at most 1 character; it has 2"}},
		{`{"properties":{"a":{"pattern":"^[a-z]+$"}}}`, `{"a":"A%d"}`, []string{`/a must match the pattern ^[a-z]+$; it is "A%d"`}},
		{`{"properties":{"a":{"format":"email"}}}`, `{"a":"sam"}`, []string{`/a must be an email address; it is "sam"`}},
		{`{"properties":{"a":{"format":"date-time"}}}`, `{"a":"2024-01-01"}`, []string{`/a must be a date and time such as 2006-01-02T15:04:05Z; it is "2024-01-01"`}},
		{`{"properties":{"a":{"format":"uuid"}}}`, `{"a":"1"}`, []string{`/a must be a UUID such as 3f2b8c1e-7d40-4c55-9a61-0e9f5d2b7a18; it is "1"`}},
		{`{"properties":{"a":{"format":"regex"}}}`, `{"a":"("}`, []string{`/a must be a regular expression (RE2: without look-around and back-references); it is "("`}},
		{`{"properties":{"a":{"format":"phone"}}}`, `{"a":"x"}`, nil},
		{`{"properties":{"a":{"format":"email"}}}`, `{"a":5}`, nil},
		{`{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"contentEncoding":"base64","contentMediaType":"application/json","contentSchema":{"type":"object"}}}}`, `{"a":"%%%"}`, nil},

		// numbers
		{`{"properties":{"a":{"minimum":1}}}`, `{"a":0}`, []string{"/a must be at least 1; it is 0"}},
		{`{"properties":{"a":{"maximum":1.5}}}`, `{"a":1.75}`, []string{"/a must be at most 1.5; it is 1.75"}},
		{`{"properties":{"a":{"exclusiveMinimum":0}}}`, `{"a":0}`, []string{"/a must be more than 0; it is 0"}},
		{`{"properties":{"a":{"exclusiveMaximum":1e3}}}`, `{"a":1000}`, []string{"/a must be less than 1000; it is 1000"}},
		{`{"properties":{"a":{"multipleOf":0.01}}}`, `{"a":0.015}`, []string{"/a must be a multiple of 0.01; it is 0.015"}},
		{`{"$schema":"http://json-schema.org/draft-04/schema#","properties":{"a":{"minimum":1,"exclusiveMinimum":true}}}`, `{"a":1}`, []string{"/a must be more than 1; it is 1"}},

		// objects
		{`{"required":["plan"]}`, `{}`, []string{` lacks the required "plan"`}},
		{`{"required":["plan","a","b"]}`, `{"a":1}`, []string{` lacks the required "b"`, ` lacks the required "plan"`}},
		{`{"properties":{"a":{}},"additionalProperties":false}`, `{"a":1,"c":1,"b":1}`, []string{` has a property "b", which the schema does not allow`, ` has a property "c", which the schema does not allow`}},
		{`{"properties":{"a":{}},"patternProperties":{"^x-":{"type":"string"}},"additionalProperties":false}`, `{"x-a":1,"y":1}`, []string{` has a property "y", which the schema does not allow`, "/x-a must be a string, not a number"}},
		{`{"additionalProperties":{"type":"string"}}`, `{"a":1}`, []string{"/a must be a string, not a number"}},
		{`{"properties":{"a":{}},"unevaluatedProperties":false}`, `{"a":1,"b":1}`, []string{"/b is a property that the schema does not allow"}},
		{`{"minProperties":2}`, `{"a":1}`, []string{" must have at least 2 properties; it has 1"}},
		{`{"maxProperties":1}`, `{"a":1,"b":1}`, []string{" must have at most 1 property; it has 2"}},
		{`{"propertyNames":{"pattern":"^[a-z]+$"}}`, `{"A b":1}`, []string{`/A b its name must match the pattern ^[a-z]+$; it is "A b"`}},
		{`{"properties":{"propertyNames":{"type":"string"}}}`, `{"propertyNames":1}`, []string{"/propertyNames must be a string, not a number"}},
		{`{"dependentRequired":{"card":["name","zip"]}}`, `{"card":1,"zip":1}`, []string{` lacks "name", which is required beside "card"`}},
		{`{"$schema":"http://json-schema.org/draft-07/schema#","dependencies":{"c/d":["name"]}}`, `{"c/d":1}`, []string{` lacks "name", which is required beside "c/d"`}},
		{`{"dependentSchemas":{"card":{"required":["name"]}}}`, `{"card":1}`, []string{` lacks the required "name"`}},

		// arrays
		{`{"properties":{"a":{"minItems":2}}}`, `{"a":[1]}`, []string{"/a must have at least 2 items; it has 1"}},
		{`{"properties":{"a":{"maxItems":1}}}`, `{"a":[1,2]}`, []string{"/a must have at most 1 item; it has 2"}},
		{`{"properties":{"a":{"uniqueItems":true}}}`, `{"a":["x","y",1.0,1]}`, []string{"/a must have items that all differ; items at index 2 and 3 are equal"}},
		{`{"properties":{"a":{"items":{"type":"string"}}}}`, `{"a":["x",1]}`, []string{"/a/1 must be a string, not a number"}},
		{`{"properties":{"a":{"prefixItems":[{"type":"string"}],"items":false}}}`, `{"a":[1,2]}`, []string{"/a/0 must be a string, not a number", "/a/1 is an item too many"}},
		{`{"properties":{"a":{"uniqueItems":true}}}`, `{"a":[[],[[]],[[],[]],[[[]]],{},[{}],"[]","1",1,true,null,{"a":1,"b":2},{"a":{"b":2}},{"b":2,"a":1.0}]}`, []string{"/a must have items that all differ; items at index 11 and 13 are equal"}},
		{`{"properties":{"a":{"uniqueItems":true}}}`, `{"a":[1e400,1e399,10e399]}`, []string{"/a must have items that all differ; items at index 0 and 2 are equal"}},
		{`{"properties":{"a":{"uniqueItems":false}}}`, `{"a":[1,1]}`, nil},
		{`{"properties":{"a":{"$ref":"http://json-schema.org/draft-07/schema#"}}}`, `{"a":{"required":["b","b"]}}`, []string{"/a/required must have items that all differ; items at index 0 and 1 are equal"}},
		{`{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"items":[{}],"additionalItems":false}}}`, `{"a":[1,2]}`, []string{"/a must have at most 1 item; it has 2"}},
		{`{"properties":{"a":{"contains":{"const":5}}}}`, `{"a":[1,2]}`, []string{`/a must contain at least 1 item that fits "contains"`}},
		{`{"properties":{"a":{"contains":{"const":1},"minContains":2}}}`, `{"a":[1,2]}`, []string{`/a must contain at least 2 items that fit "contains"`}},
		{`{"properties":{"a":{"contains":{"const":1},"maxContains":1}}}`, `{"a":[1,1]}`, []string{`/a must contain at most 1 item that fits "contains"`}},
		{`{"properties":{"a":{"prefixItems":[{}],"unevaluatedItems":false}}}`, `{"a":[1,1]}`, []string{`/a/1 is an item too many`}},

		// schemas of schemas
		{`{"allOf":[{"required":["a"]},{"required":["b"]},{"required":["a"]}]}`, `{}`, []string{` lacks the required "a"`, ` lacks the required "b"`}},
		{`{"if":{"required":["a"]},"then":{"required":["b"]},"else":{"required":["c"]}}`, `{"a":1}`, []string{` lacks the required "b"`}},
		{`{"if":{"required":["a"]},"then":{"required":["b"]},"else":{"required":["c"]}}`, `{}`, []string{` lacks the required "c"`}},
		{`{"$defs":{"s":{"type":"string"}},"properties":{"a":{"$ref":"#/$defs/s"}}}`, `{"a":1}`, []string{"/a must be a string, not a number"}},
		{`{"$defs":{"s":{"$anchor":"here","type":"string"}},"properties":{"a":{"$ref":"#here"}}}`, `{"a":1}`, []string{"/a must be a string, not a number"}},
		{`{"$dynamicAnchor":"n","properties":{"k":{"$dynamicRef":"#n"},"v":{"type":"string"}}}`, `{"k":{"v":1}}`, []string{"/k/v must be a string, not a number"}},
		{`{"$schema":"https://json-schema.org/draft/2019-09/schema","properties":{"k":{"$recursiveRef":"#"},"v":{"type":"string"}}}`, `{"k":{"k":{"v":1}}}`, []string{"/k/k/v must be a string, not a number"}},

		// anyOf and oneOf: the form that was meant
		{`{"properties":{"a":{"anyOf":[{"type":"string","format":"email"},{"type":"null"}]}}}`, `{"a":"sam"}`, []string{`/a must be an email address; it is "sam"`}},
		{`{"properties":{"a":{"anyOf":[{"type":"string"},{"type":"null"}]}}}`, `{"a":5}`, []string{`/a must be a string or null, not a number`}},
		{`{"properties":{"a":{"anyOf":[{"anyOf":[{"type":"string"},{"type":"boolean"}]},{"type":"null"}]}}}`, `{"a":5}`, []string{`/a must be a string, a boolean or null, not a number`}},
		{`{"anyOf":[{"required":["email"]},{"required":["phone"]}]}`, `{}`, []string{` lacks the required "email", or lacks the required "phone"`}},
		{`{"properties":{"a":{"oneOf":[{"format":"email"},{"format":"uuid"}]}}}`, `{"a":"x"}`, []string{`/a must be an email address, or must be a UUID such as 3f2b8c1e-7d40-4c55-9a61-0e9f5d2b7a18; it is "x"`}},
		{`{"oneOf":[{"properties":{"kind":{"const":"card"},"number":{"type":"string"}},"required":["number"]},{"properties":{"kind":{"const":"iban"}},"required":["iban"]}]}`, `{"kind":"card","number":7}`, []string{`/number must be a string, not a number`}},
		{`{"oneOf":[{"properties":{"kind":{"const":"card"}}},{"properties":{"kind":{"const":"iban"}}}]}`, `{"kind":"cash"}`, []string{`/kind must be "card", or must be "iban"; it is "cash"`}},
		{`{"oneOf":[{"required":["a"]},{"required":["b"]}]}`, `{"a":1,"b":1}`, []string{` must fit exactly one of the forms that are allowed, and fits more than one`}},
		{`{"anyOf":[{"required":["a","b"]},{"required":["c","d"]}]}`, `{}`, []string{` fits none of the 2 forms that are allowed; for one of them, lacks the required "a"`}},
		{`{"anyOf":[{"properties":{"x":{"minimum":5}}},{"properties":{"y":{"minimum":5}}}]}`, `{"x":1,"y":1}`, []string{` fits none of the 2 forms that are allowed; for one of them, "/x" must be at least 5; it is 1`}},

		// pointers
		{`{"additionalProperties":{"type":"string"}}`, `{"a/b~c d%é\"":1}`, []string{`/a~1b~0c d%é" must be a string, not a number`}},
		{`{"properties":{"a/b":{"items":{"properties":{"":{"type":"string"}}}}}}`, `{"a/b":[{"":1}]}`, []string{`/a~1b/0 must be a string`}}, // the library loses an empty name
		{`{"additionalProperties":{"properties":{"x":{"type":"string"}}}}`, `{"":{"x":1}}`, []string{`/x must be a string`}},
	} {
		got := lines(loaded(t, "s.json", test.schema).Check(json.RawMessage(test.data), NewBudget()))
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s\n of %s\ngot  %q\nwant %q", test.data, test.schema, got, test.want)
		}
	}
}

// Whole numbers keep all their digits, and 1.0 is a whole number.
func TestNumbersAreExact(t *testing.T) {
	for _, test := range []struct{ schema, number, want string }{
		{`{"type":"integer"}`, `1.0`, ""},
		{`{"type":"integer"}`, `1e2`, ""},
		{`{"type":"integer"}`, `-0`, ""},
		{`{"type":"integer"}`, `-0.0`, ""},
		{`{"type":"integer"}`, `9223372036854775807`, ""},
		{`{"type":"integer"}`, `18446744073709551615`, ""},
		{`{"type":"integer"}`, `123456789012345678901234567890`, ""},
		{`{"type":"integer"}`, `1e400`, ""},
		{`{"type":"integer"}`, `0.1`, "/n must be a whole number; it is 0.1"},
		{`{"type":"number"}`, `5e-324`, ""},
		{`{"type":"number"}`, `1.7976931348623157e308`, ""},
		{`{"type":"string"}`, `18446744073709551615`, "/n must be a string, not a number"},
		{`{"const":1}`, `1.0`, ""},
		{`{"const":9007199254740993}`, `9007199254740993`, ""},
		{`{"const":9007199254740993}`, `9007199254740992`, "/n must be 9007199254740993; it is 9007199254740992"},
		{`{"enum":[18446744073709551615]}`, `18446744073709551614`, "/n must be 18446744073709551615; it is 18446744073709551614"},
		{`{"maximum":9223372036854775806}`, `9223372036854775807`, "/n must be at most 9223372036854775806; it is 9223372036854775807"},
		{`{"maximum":9223372036854775806}`, `9223372036854775806`, ""},
		{`{"maximum":123456789012345678901234567890}`, `123456789012345678901234567891`, "/n must be at most 123456789012345678901234567890; it is 123456789012345678901234567891"},
		{`{"maximum":1e308}`, `1e400`, "/n must be at most 1" + strings.Repeat("0", 76) + "…; it is 1e400"},
		{`{"multipleOf":0.01}`, `19.99`, ""},
		{`{"multipleOf":0.1}`, `0.3`, ""},
		{`{"multipleOf":3}`, `123456789012345678901234567891`, "/n must be a multiple of 3; it is 123456789012345678901234567891"},
		{`{"minimum":1}`, `1e401`, "/n could not be checked: the number has more than 400 digits"},
		{`{"minimum":1}`, `1e999999999999`, "/n could not be checked: the number has more than 400 digits"},
		{`{}`, `1` + strings.Repeat("0", 400), "/n could not be checked: the number has more than 400 digits"},
		{`{"minimum":1}`, `1e-999999999999`, "/n must be at least 1; it is 0"}, // which is what rules see as well
	} {
		got := lines(loaded(t, "s.json", `{"properties":{"n":`+test.schema+`}}`).Check(json.RawMessage(`{"n":`+test.number+`}`), NewBudget()))
		if strings.Join(got, "|") != test.want {
			t.Errorf("%s of %s: %q, want %q", test.number, test.schema, got, test.want)
		}
	}
}

func TestAbsentDataIsAnEmptyObject(t *testing.T) {
	s := loaded(t, "s.json", `{"type":"object","required":["plan"]}`)
	want := []engine.Violation{{Message: `lacks the required "plan"`}}
	for _, data := range []json.RawMessage{nil, {}, json.RawMessage(`{}`)} {
		if got := s.Check(data, NewBudget()); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v", data, got)
		}
	}
	if got := s.Check(json.RawMessage(`{"plan":"pro"}`), NewBudget()); got != nil {
		t.Errorf("what fits gives %#v, not nil", got)
	}
}

func TestAtMostTwenty(t *testing.T) {
	s := loaded(t, "s.json", `{"additionalProperties":{"type":"string"}}`)
	data := func(n int) json.RawMessage {
		var members []string
		for i := range n {
			members = append(members, fmt.Sprintf(`"p%03d":%d`, i, i))
		}
		return json.RawMessage("{" + strings.Join(members, ",") + "}")
	}
	if got := s.Check(data(20), NewBudget()); len(got) != 20 || got[19].Pointer != "/p019" {
		t.Errorf("20 are %d, the last %v", len(got), got[len(got)-1])
	}
	for n, last := range map[int]string{21: "and 2 more places do not fit", 130: "and 111 more places do not fit"} {
		got := s.Check(data(n), NewBudget())
		if len(got) != 20 || got[18].Pointer != "/p018" || got[19] != (engine.Violation{Message: last}) {
			t.Errorf("%d are %d: %v", n, len(got), got)
		}
	}
}

func TestLongValuesAreCutAtARune(t *testing.T) {
	for _, schema := range []string{
		`{"additionalProperties":{"format":"email"}}`,
		`{"additionalProperties":{"pattern":"^` + strings.Repeat("ä", 300) + `$"}}`,
		`{"additionalProperties":{"enum":["` + strings.Repeat("ß", 300) + `",2,3,4]}}`,
		`{"additionalProperties":{"const":"` + strings.Repeat("ß", 300) + `"}}`,
		`{"additionalProperties":false}`,
		`{"required":["` + strings.Repeat("é", 300) + `"]}`,
		`{"propertyNames":{"maxLength":3,"const":"x"}}`,
	} {
		s := loaded(t, "s.json", schema)
		for _, text := range []string{strings.Repeat("ü", 500), "x" + strings.Repeat("日", 500), strings.Repeat("\\u0001", 500), strings.Repeat(`\"`, 500)} {
			for _, v := range s.Check(json.RawMessage(`{"`+text+`":"`+text+`"}`), NewBudget()) {
				if len(v.Message) > maxMessage || !utf8.ValidString(v.Message) {
					t.Errorf("%d bytes: %q", len(v.Message), v.Message)
				}
			}
		}
	}
	for _, test := range []struct{ text, want string }{
		{"äöü", `"äöü"`},
		{`a"b\c`, `"a\"b\\c"`},
		{strings.Repeat("a", 79), `"` + strings.Repeat("a", 79) + `"`},
		{strings.Repeat("ä", 100), `"` + strings.Repeat("ä", 39) + `…"`},
	} {
		if got := quote(test.text); got != test.want {
			t.Errorf("quote(%q) = %s", test.text, got)
		}
	}
}

func TestAnEnumOfManySaysHowMany(t *testing.T) {
	var values []string
	for i := range 200 {
		values = append(values, fmt.Sprintf("%q", fmt.Sprintf("country-%d", i)))
	}
	s := loaded(t, "s.json", `{"properties":{"c":{"enum":[`+strings.Join(values, ",")+`]}}}`)
	want := `/c must be one of "country-0", "country-1", "country-2", "country-3", "country-4", "country-5", "country-6", … (200 in all); it is "x"`
	if got := lines(s.Check(json.RawMessage(`{"c":"x"}`), NewBudget())); len(got) != 1 || got[0] != want {
		t.Errorf("%q", got)
	}
}

func TestTheOrderIsTheSameEachTime(t *testing.T) {
	s := loaded(t, "s.json", `{"required":["x","y"],"properties":{"a":{"type":"string"},"b":{"type":"string"},"c":{"minimum":5,"multipleOf":2}},"patternProperties":{"^d":{"type":"string"}}}`)
	first := s.Check(json.RawMessage(`{"a":1,"b":2,"c":3,"d":4,"d1":5}`), NewBudget())
	for range 50 {
		if got := s.Check(json.RawMessage(`{"a":1,"b":2,"c":3,"d":4,"d1":5}`), NewBudget()); !reflect.DeepEqual(got, first) {
			t.Fatalf("%v\n%v", got, first)
		}
	}
}

func TestConcurrentChecks(t *testing.T) {
	s := loaded(t, "s.json", `{"$ref":"b.json"}`, "b.json", `{"properties":{"n":{"type":"integer","maximum":100}}}`)
	var wait sync.WaitGroup
	for worker := range 16 {
		wait.Go(func() {
			for i := range 200 {
				n := worker*200 + i
				got := s.Check(fmt.Appendf(nil, `{"n":%d}`, n), NewBudget())
				if (len(got) > 0) != (n > 100) || n > 100 && got[0].Message != fmt.Sprintf("must be at most 100; it is %d", n) {
					t.Errorf("%d: %v", n, got)
				}
			}
		})
	}
	wait.Wait()
}
