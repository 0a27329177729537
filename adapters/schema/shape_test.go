package schema

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"switchyard/engine"
)

// shown is a shape in one line: its types, its enum, its members and its items.
func shown(shape *engine.Shape) string {
	switch {
	case shape == nil:
		return "?"
	case shape.Types == 0:
		return "never"
	}
	text := strings.Join(shape.Types.Names(), "|")
	if shape.Types == engine.JSONAny {
		text = "any"
	}
	if shape.Enum != nil {
		text += fmt.Sprint(shape.Enum)
	}
	var members []string
	for _, name := range slices.Sorted(maps.Keys(shape.Members)) {
		members = append(members, name+": "+shown(shape.Members[name]))
	}
	if rest := []string{"", "…", "*", "closed"}[shape.Rest]; rest != "" {
		members = append(members, rest)
	}
	if len(members) > 0 {
		text += "{" + strings.Join(members, ", ") + "}"
	}
	if shape.Items != nil {
		text += "[" + shown(shape.Items) + "]"
	}
	return text
}

func TestShape(t *testing.T) {
	for schema, want := range map[string]string{
		`{}`: `object`,
		`{"properties": {"a": {"type": "string"}, "b": {"type": ["integer", "null"]}}}`: `object{a: string, b: number|null, …}`,
		`{"properties": {"a": true, "b": false}, "additionalProperties": true}`:         `object{a: any, b: never, …}`,
		`{"properties": {"a": {}}, "additionalProperties": false}`:                      `object{a: any, closed}`,
		`{"properties": {"a": {}}, "additionalProperties": {"type": "number"}}`:         `object{a: any, *}`,
		`{"properties": {"a": {}}, "patternProperties": {"^x": {}}}`:                    `object{a: any, *}`,
		`{"properties": {"a": {}}, "required": ["b"]}`:                                  `object{a: any, b: any, …}`,
		`{"properties": {"a": {"allOf": [{"enum": [1, 2]}, {"enum": [1.0, 3]}]}}}`:      `object{a: number[1], …}`,
		`{"required": ["b"]}`:                                                                                      `object{b: any}`,
		`{"properties": {"a": {"enum": ["x", 1, null]}}}`:                                                          `object{a: string|number|null[x 1], …}`,
		`{"properties": {"a": {"const": true}}}`:                                                                   `object{a: boolean, …}`,
		`{"properties": {"a": {"const": "x", "type": "string"}}}`:                                                  `object{a: string[x], …}`,
		`{"properties": {"a": {"type": "array", "items": {"type": "string"}}}}`:                                    `object{a: list[string], …}`,
		`{"properties": {"a": {"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "null"}}}}`: `object{a: list[string|null], …}`,
		`{"properties": {"a": {"type": "array", "prefixItems": [{"type": "string"}], "items": false}}}`:            `object{a: list[string], …}`,
		`{"properties": {"a": {"type": "array", "prefixItems": [{"type": "string"}]}}}`:                            `object{a: list, …}`,
		`{"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"a": {"type": "array", "items": [{"type": "string"}], "additionalItems": false}}}`:         `object{a: list[string], …}`,
		`{"$defs": {"s": {"type": "string"}}, "properties": {"a": {"$ref": "#/$defs/s"}}}`:                                                                                `object{a: string, …}`,
		`{"properties": {"a": {"type": "string"}}, "allOf": [{"properties": {"b": {"type": "number"}}}, {"required": ["c"]}]}`:                                            `object{a: string, b: number, c: any, …}`,
		`{"allOf": [{"properties": {"a": {"enum": ["x", "y"]}}}, {"properties": {"a": {"enum": ["y", "z"]}}}]}`:                                                           `object{a: string[y], …}`,
		`{"properties": {"a": {"type": "string"}}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}`:                                                                  `object{a: string, b: any, …}`,
		`{"properties": {"a": {"oneOf": [{"type": "string"}, {"type": "object", "properties": {"x": {"type": "number"}}}]}}}`:                                             `object{a: string|object{x: number, …}, …}`,
		`{"oneOf": [{"properties": {"a": {"type": "string"}}, "additionalProperties": false}, {"properties": {"b": {"type": "number"}}, "additionalProperties": false}]}`: `object{a: string, b: number, closed}`,
		`{"oneOf": [{"properties": {"a": {"type": "string"}}}, {"properties": {"b": {"type": "number"}}}]}`:                                                               `object{a: any, b: any, …}`,
		`{"allOf": [{"properties": {"a": {"type": "string"}}}], "unevaluatedProperties": false}`:                                                                          `object{a: string, closed}`,
		`{"properties": {"a": {"type": "string"}}, "if": {"properties": {"a": {"const": "x"}}}, "then": {"properties": {"b": {"type": "number"}}}}`:                       `object{a: string, b: any, …}`,
		`{"properties": {"a": {"type": "string"}}, "dependentSchemas": {"a": {"required": ["b"]}}}`:                                                                       `object{a: string, b: any, …}`,
		`{"properties": {"a": {"type": "string"}}, "not": {"required": ["b"]}}`:                                                                                           `object{a: string, …}`,
		`{"properties": {"a": {"$ref": "#"}}, "additionalProperties": false}`:                                                                                             `object{a: any{a: any, closed}, closed}`,
	} {
		if got := shown(loaded(t, "s.json", schema).Shape()); got != want {
			t.Errorf("%s\n got %s\nwant %s", schema, got, want)
		}
	}
}

// A schema that refers to itself from many places is not followed without end.
func TestTheShapeOfARecursiveSchemaIsBounded(t *testing.T) {
	var members []string
	for i := range 30 {
		members = append(members, fmt.Sprintf(`"m%d": {"anyOf": [{"$ref": "#/$defs/n"}, {"$ref": "#/$defs/o"}]}`, i))
	}
	properties := `{"properties": {` + strings.Join(members, ", ") + `}}`
	begin := time.Now()
	shape := loaded(t, "s.json", `{"$defs": {"n": `+properties+`, "o": `+properties+`}, "$ref": "#/$defs/n"}`).Shape()
	if took := time.Since(begin); took > 5*time.Second || len(shape.Members) != 30 {
		t.Errorf("%d members, took %s", len(shape.Members), took)
	}
}

// FuzzShape loads any text as a schema: data that fits it has its shape.
func FuzzShape(f *testing.F) {
	for _, schema := range []string{
		`{"properties":{"a":{"enum":["x",1,null]},"b":{"type":"array","items":{"type":"integer"}}},"additionalProperties":false}`,
		`{"anyOf":[{"properties":{"a":{"type":"string"}},"additionalProperties":false},{"required":["b"]}],"properties":{"b":{"const":1.0}}}`,
		`{"$schema":"http://json-schema.org/draft-07/schema#","if":{"required":["a"]},"then":{"properties":{"b":{"type":"string"}}},"else":{"dependencies":{"c":{"properties":{"b":{}}}}}}`,
		`{"properties":{"a":{"$ref":"#"},"b":{"prefixItems":[{"type":"string"}],"items":{"type":"null"}}},"unevaluatedProperties":false}`,
	} {
		for _, data := range []string{`{}`, `{"a":"x","b":[1,2]}`, `{"a":{"a":{"a":{}}},"b":1,"c":null}`, `{"a":1.0,"b":["s",null]}`} {
			f.Add(schema, data)
		}
	}
	folder := f.TempDir()
	f.Fuzz(func(t *testing.T, schema, data string) {
		file := filepath.Join(folder, "s.json")
		if err := os.WriteFile(file, []byte(schema), 0o644); err != nil {
			t.Fatal(err)
		}
		s, err := Load(file)
		if err != nil || engine.CheckJSON([]byte(data), engine.DefaultJSONLimits) != nil || engine.KindOf([]byte(data)) != '{' {
			return
		}
		if s.Check(json.RawMessage(data), NewBudget()) != nil {
			return
		}
		value, err := engine.DecodeJSON([]byte(data))
		if err != nil {
			t.Fatal(err)
		}
		if why := unlike(s.Shape(), value); why != "" {
			t.Errorf("%s fits %s, and its shape says %s: %s", data, schema, shown(s.Shape()), why)
		}
	})
}

// unlike says why a value does not have a shape; "" when it has.
func unlike(shape *engine.Shape, value any) string {
	if typ := engine.JSONTypeOf(value); !shape.Types.Has(typ) {
		return fmt.Sprintf("%v is %s", value, typ)
	}
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			known := shape.Members[name]
			if known == nil && shape.Rest == engine.RestClosed {
				return name + " is not allowed"
			}
			if known != nil {
				if why := unlike(known, member); why != "" {
					return why
				}
			}
		}
	case []any:
		for _, item := range value {
			if shape.Items != nil {
				if why := unlike(shape.Items, item); why != "" {
					return why
				}
			}
		}
	case string:
		if shape.Enum != nil && !slices.Contains(shape.Enum, any(value)) {
			return fmt.Sprintf("%q is not in %v", value, shape.Enum)
		}
	}
	return ""
}
