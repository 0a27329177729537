package document

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// Described is a type that gives its own JSON Schema, as a Custom should; of is the schema of another value's type.
type Described interface {
	DocumentSchema(of func(any) map[string]any) map[string]any
}

// Schema is the JSON Schema (draft 2020-12) of the documents that decode into v, a struct or a pointer to one. It is
// made from the tags that the decoder reads, and `doc:"…"` for the descriptions that editors show. A number, boolean,
// duration or enum may also be a text with ${…}.
func Schema(v any, title string) ([]byte, error) {
	s := &schemas{defs: map[string]any{}, names: map[reflect.Type]string{}}
	root := s.of(reflect.TypeOf(v))
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = title
	if len(s.defs) > 0 {
		root["$defs"] = s.defs
	}
	return json.MarshalIndent(root, "", "  ")
}

type schemas struct {
	defs  map[string]any
	names map[reflect.Type]string
}

var describedType = reflect.TypeFor[Described]()

func (s *schemas) of(t reflect.Type) map[string]any {
	if t == nil {
		return map[string]any{}
	}
	if t.Implements(describedType) && t.Kind() != reflect.Pointer {
		return reflect.Zero(t).Interface().(Described).DocumentSchema(func(v any) map[string]any { return s.of(reflect.TypeOf(v)) })
	}
	switch kind := t.Kind(); {
	case t == textType:
		return map[string]any{"type": []string{"string", "number", "boolean"}}
	case t == durationType:
		return map[string]any{"type": "string", "pattern": `^([0-9]+d)?([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))*$|\$\{`}
	case kind == reflect.String:
		return map[string]any{"type": "string"}
	case kind == reflect.Bool:
		return orVariable(map[string]any{"type": "boolean"})
	case kind == reflect.Float32 || kind == reflect.Float64:
		return orVariable(map[string]any{"type": "number"})
	case isScalar(t):
		return orVariable(whole(t))
	case kind == reflect.Pointer:
		return s.of(t.Elem())
	case kind == reflect.Struct:
		return s.ref(t)
	case kind == reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": s.of(t.Elem())}
	case kind == reflect.Slice:
		return map[string]any{"type": "array", "items": s.of(t.Elem())}
	}
	return map[string]any{}
}

func whole(t reflect.Type) map[string]any {
	schema := map[string]any{"type": "integer"}
	if reflect.Zero(t).CanUint() {
		schema["minimum"] = 0
	}
	return schema
}

func orVariable(schema map[string]any) map[string]any {
	return map[string]any{"anyOf": []any{schema, map[string]any{"type": "string", "pattern": `\$\{`}}}
}

// ref gives a struct a definition of its own, so that structs may hold themselves.
func (s *schemas) ref(t reflect.Type) map[string]any {
	name, known := s.names[t]
	if !known {
		if name = t.Name(); name == "" || s.defs[name] != nil {
			name = fmt.Sprintf("%s%d", name, len(s.defs))
		}
		s.names[t] = name
		s.defs[name] = map[string]any{} // taken while it is being made
		s.defs[name] = s.object(t)
	}
	return map[string]any{"$ref": "#/$defs/" + name}
}

func (s *schemas) object(t reflect.Type) map[string]any {
	properties := map[string]any{}
	var required []string
	for _, f := range fieldsOf(t) {
		properties[f.key] = s.property(f)
		if f.required {
			required = append(required, f.key)
		}
	}
	object := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		object["required"] = required
	}
	return object
}

func (s *schemas) property(f field) map[string]any {
	schema := s.of(f.typ)
	switch {
	case len(f.enum()) > 0:
		schema = orVariable(map[string]any{"enum": f.enum()})
	case f.required && f.typ.Kind() == reflect.Slice:
		schema["minItems"] = 1
	case f.required && (f.typ.Kind() == reflect.String || f.typ == textType):
		schema["minLength"] = 1
	}
	if f.doc != "" {
		schema["description"] = f.doc
	}
	return schema
}
