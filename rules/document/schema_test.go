package document

import (
	"encoding/json"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

// The schema and the decoder must agree on what is right.
func TestSchema(t *testing.T) {
	schema, err := Schema(settings{}, "settings")
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := jsonschema.CompileString("settings.json", string(schema))
	if err != nil {
		t.Fatalf("%v\n%s", err, schema)
	}
	tests := map[string]bool{
		wholeFile:                               true,
		"{}":                                    true,
		`port: "${PORT}"`:                       true,
		`dry_run: "${ON:-true}"`:                true,
		`keep: 30d`:                             true,
		`keep: "${KEEP:-1h}"`:                   true,
		`role: "${ROLE:-viewer}"`:               true,
		`match: 5`:                              true,
		"redis_url: x":                          false,
		"port: 1.5":                             false,
		"port: '5'":                             false,
		"keep: 30":                              false,
		"keep: soon":                            false,
		"role: owner":                           false,
		"limit: -1":                             false,
		"sources: [{key: a}]":                   false,
		"sources: [{key: '', kind: http}]":      false,
		"sources: [{key: a, kind: http, x: 1}]": false,
		"headers: {a: [1]}":                     false,
		"fields: {a: {b: c}}":                   false,
		"keys: a":                               false,
	}
	lookup := func(name string) (string, bool) {
		value, ok := map[string]string{"PORT": "1"}[name]
		return value, ok
	}
	for src, want := range tests {
		if _, err := decode(t, src, lookup); (err == nil) != want {
			t.Errorf("the decoder on %q: %v", src, err)
		}
		if err := compiled.Validate(asJSON(t, src)); (err == nil) != want {
			t.Errorf("the schema on %q: %v", src, err)
		}
	}
}

// asJSON is the document as a validator sees it.
func asJSON(t *testing.T, src string) any {
	t.Helper()
	doc, err := Parse("c.yaml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := doc.Decode(&value, nil); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	return value
}
