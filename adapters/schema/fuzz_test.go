package schema

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"switchyard/engine"
)

// FuzzCheck loads any text as a schema and checks any JSON with it. Neither may panic, hang or say something unreadable,
// and what is said has a place in the data.
func FuzzCheck(f *testing.F) {
	for _, schema := range []string{
		`{"type":"object","required":["plan"],"properties":{"plan":{"enum":["free","pro"]},"seats":{"type":"integer","minimum":1},"email":{"format":"email"}},"additionalProperties":false}`,
		`{"$schema":"http://json-schema.org/draft-04/schema#","id":"http://example.com/s.json","definitions":{"a":{"type":"string"}},"properties":{"a":{"$ref":"#/definitions/a"}}}`,
		`{"$schema":"http://json-schema.org/draft-07/schema#","if":{"required":["a"]},"then":{"required":["b"]},"else":false,"dependencies":{"a":["b"],"c":{"minProperties":2}}}`,
		`{"$schema":"https://json-schema.org/draft/2019-09/schema","$recursiveAnchor":true,"properties":{"a":{"$recursiveRef":"#"}},"unevaluatedProperties":false}`,
		`{"$dynamicAnchor":"n","anyOf":[{"properties":{"a":{"$dynamicRef":"#n"}}},{"$ref":"#/anyOf/0"}],"oneOf":[{"contains":{"const":1e2}},{"uniqueItems":true}]}`,
		`{"$ref":"#"}`, `{"$ref":"s.json"}`, `{"$ref":"http://example.com/"}`, `{"$dynamicRef":"#"}`, `{"not":{"$ref":"#"}}`, `false`, `[]`, `{"regexProperties":5}`,
		`{"patternProperties":{"^a":{"pattern":"(a+)+$"}},"propertyNames":{"maxLength":3},"prefixItems":[{"multipleOf":0.1}],"items":false}`,
	} {
		for _, data := range []string{`{}`, `{"a":{"a":[1,1.0,"x"],"":null}}`, `{"plan":"x","seats":0,"email":"a","a":1e400,"b":18446744073709551615,"c~/":-0}`, `[1e-999,1e99999999]`} {
			f.Add(schema, data)
		}
	}
	folder := f.TempDir()
	f.Fuzz(func(t *testing.T, schema, data string) {
		file := filepath.Join(folder, "s.json")
		if err := os.WriteFile(file, []byte(schema), 0o644); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		defer func() {
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("took %s", took)
			}
		}()
		s, err := Load(file)
		if err != nil {
			var problems Problems
			if !errors.As(err, &problems) || len(problems) == 0 {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		if engine.CheckJSON([]byte(data), engine.DefaultJSONLimits) != nil {
			return
		}
		got := s.Check(json.RawMessage(data), NewBudget())
		if len(got) > MaxViolations {
			t.Errorf("%d violations", len(got))
		}
		value, err := engine.DecodeJSON([]byte(data))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range got {
			if v.Message == "" || len(v.Message) > maxMessage || !utf8.ValidString(v.Message) {
				t.Errorf("message %q", v.Message)
			}
			if _, ok := at(value, v.Pointer); !ok && !strings.Contains(data, `""`) {
				t.Errorf("%q is no place in %s", v.Pointer, data)
			}
		}
		if again := s.Check(json.RawMessage(data), NewBudget()); len(again) != len(got) {
			t.Errorf("%v, then %v", got, again)
		}
	})
}

const typical = `{"type":"object","required":["plan","email"],"properties":{
	"plan":{"enum":["free","pro","team"]},"email":{"type":"string","format":"email"},"seats":{"type":"integer","minimum":1},
	"company":{"type":"object","properties":{"name":{"type":"string","minLength":1},"domain":{"pattern":"^[a-z0-9.-]+$"}},"required":["name"]},
	"tags":{"type":"array","items":{"type":"string"},"uniqueItems":true}},"additionalProperties":false}`

func BenchmarkCheck(b *testing.B) {
	s := loaded(b, "s.json", typical)
	for name, data := range map[string]string{
		"fits":     `{"plan":"pro","email":"sam@example.com","seats":5,"company":{"name":"Acme","domain":"acme.example"},"tags":["a","b","c"]}`,
		"unfitted": `{"plan":"gold","seats":0,"company":{"domain":"ACME"},"tags":["a","a",3],"extra":1}`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := s.Check(json.RawMessage(data), NewBudget()); (name == "fits") != (got == nil) {
					b.Fatal(got)
				}
			}
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	file := written(b, "s.json", typical)
	for b.Loop() {
		if _, err := Load(file); err != nil {
			b.Fatal(err)
		}
	}
}
