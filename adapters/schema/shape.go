package schema

import (
	"encoding/json"
	"math"

	"github.com/santhosh-tekuri/jsonschema/v5"

	"switchyard/engine"
)

const (
	// maxShapes bounds the shape that is made of one schema: what is beyond could be anything.
	maxShapes = 10_000
	// maxTurns is how often a schema that refers to itself is followed.
	maxTurns = 2
)

// Shape is what the schema says of the data that fits it, as far as it can be said without the data. Where the schema
// leaves a choice the shape has both; what can not be told, such as what "not" leaves, is any value. So data that fits
// always has the shape, and data that has it need not fit.
func (s *Schema) Shape() *engine.Shape { return s.shape }

// shapeOf is the shape of data, which always is an object.
func shapeOf(root *jsonschema.Schema) *engine.Shape {
	s := &shaper{left: maxShapes, turns: map[*jsonschema.Schema]int{}}
	return both(s.of(root), &engine.Shape{Types: engine.JSONObject})
}

// shaper makes shapes of a schema's nodes.
type shaper struct {
	left  int
	turns map[*jsonschema.Schema]int // on the way down to here
}

// of is the shape of the values that fit; nil, for no schema, is that of any value.
func (s *shaper) of(node *jsonschema.Schema) *engine.Shape {
	if node == nil || s.left <= 0 || s.turns[node] >= maxTurns {
		return engine.AnyShape()
	}
	if node.Always != nil {
		if *node.Always {
			return engine.AnyShape()
		}
		return &engine.Shape{}
	}
	s.left--
	s.turns[node]++
	defer func() { s.turns[node]-- }()
	shape := s.own(node)
	if node.Ref != nil {
		shape = both(shape, s.of(node.Ref))
	}
	for _, also := range node.AllOf {
		shape = both(shape, s.of(also))
	}
	for _, choice := range choices(node) {
		shape = both(shape, s.either(choice))
	}
	if never(node.UnevaluatedProperties) {
		shape.Rest = engine.RestClosed
	} else if node.UnevaluatedProperties != nil && shape.Rest != engine.RestClosed {
		shape.Rest = engine.RestExpected
	}
	return shape
}

// choices are the groups of schemas of which at least one holds; nil in one holds for any value.
func choices(node *jsonschema.Schema) [][]*jsonschema.Schema {
	var all [][]*jsonschema.Schema
	for _, some := range [][]*jsonschema.Schema{node.AnyOf, node.OneOf} {
		if len(some) > 0 {
			all = append(all, some)
		}
	}
	if node.If != nil {
		all = append(all, []*jsonschema.Schema{node.If, nil}, []*jsonschema.Schema{node.Then, node.Else})
	}
	for _, dependent := range node.DependentSchemas {
		all = append(all, []*jsonschema.Schema{dependent, nil})
	}
	for _, dependent := range node.Dependencies {
		if schema, ok := dependent.(*jsonschema.Schema); ok {
			all = append(all, []*jsonschema.Schema{schema, nil})
		}
	}
	if node.RecursiveRef != nil || node.DynamicRef != nil { // where they lead is only known with the data
		all = append(all, []*jsonschema.Schema{nil})
	}
	return all
}

func (s *shaper) either(some []*jsonschema.Schema) *engine.Shape {
	shape := s.of(some[0])
	for _, other := range some[1:] {
		shape = shape.Or(s.of(other))
	}
	return shape
}

// own is the shape by the keywords of a node itself.
func (s *shaper) own(node *jsonschema.Schema) *engine.Shape {
	shape := &engine.Shape{Types: engine.JSONAny}
	if len(node.Types) > 0 {
		shape.Types = 0
		for _, name := range node.Types {
			shape.Types |= typesByName[name]
		}
	}
	if allowed := node.Enum; len(allowed) > 0 {
		limit(shape, allowed)
	}
	if len(node.Constant) > 0 {
		limit(shape, node.Constant)
	}
	s.members(shape, node)
	s.items(shape, node)
	return shape
}

var typesByName = map[string]engine.JSONTypes{
	"string": engine.JSONString, "number": engine.JSONNumber, "integer": engine.JSONNumber, "boolean": engine.JSONBoolean,
	"object": engine.JSONObject, "array": engine.JSONList, "null": engine.JSONNull,
}

// limit leaves only the values of an enum.
func limit(shape *engine.Shape, allowed []any) {
	enum := &engine.Shape{Enum: []any{}, Rest: engine.RestUnsaid}
	for _, value := range allowed {
		typ := engine.JSONTypeOf(value)
		enum.Types |= typ
		if number, ok := value.(json.Number); ok {
			value = numberOf(number)
		}
		if typ.Has(engine.JSONString | engine.JSONNumber) {
			enum.Enum = append(enum.Enum, value)
		}
	}
	shape.Types &= enum.Types
	shape.Enum = enumOfBoth(shape.Enum, enum.Enum)
}

// numberOf is a number as the data is decoded, and 1.0 as 1.
func numberOf(text json.Number) any {
	value, _ := engine.DecodeJSON([]byte(text))
	if number, ok := value.(float64); ok && number == math.Trunc(number) && math.Abs(number) < 1<<53 {
		return int(number)
	}
	return value
}

func (s *shaper) members(shape *engine.Shape, node *jsonschema.Schema) {
	shape.Members = map[string]*engine.Shape{}
	for name, member := range node.Properties {
		shape.Members[name] = s.of(member)
	}
	if len(node.Properties) > 0 {
		shape.Rest = engine.RestOpen
	}
	for _, name := range node.Required {
		if shape.Members[name] == nil {
			shape.Members[name] = engine.AnyShape()
		}
	}
	switch further := node.AdditionalProperties.(type) {
	case bool:
		if !further {
			shape.Rest = engine.RestClosed
		}
	case *jsonschema.Schema:
		if shape.Rest = engine.RestExpected; never(further) {
			shape.Rest = engine.RestClosed
		}
	}
	if len(node.PatternProperties) > 0 {
		shape.Rest = engine.RestExpected
	}
}

func never(schema *jsonschema.Schema) bool {
	return schema != nil && schema.Always != nil && !*schema.Always
}

// items is what every item fits: one of the schemas for the first ones, or that for the others.
func (s *shaper) items(shape *engine.Shape, node *jsonschema.Schema) {
	first, others, said := node.PrefixItems, node.Items2020, node.Items2020 != nil
	switch items := node.Items.(type) { // before draft 2020-12
	case *jsonschema.Schema:
		others, said = items, true
	case []*jsonschema.Schema:
		first = items
		others, said = further(node.AdditionalItems)
	}
	if !said {
		return
	}
	if len(first) == 0 || !never(others) {
		first = append(first[:len(first):len(first)], others)
	}
	shape.Items = s.either(first)
}

func further(items any) (schema *jsonschema.Schema, said bool) {
	switch items := items.(type) {
	case *jsonschema.Schema:
		return items, true
	case bool:
		return &jsonschema.Schema{Always: &items}, true
	}
	return nil, false
}

// both is the shape of values that have the one shape and the other.
func both(a, b *engine.Shape) *engine.Shape {
	shape := &engine.Shape{Types: a.Types & b.Types, Enum: enumOfBoth(a.Enum, b.Enum), Rest: restOfBoth(a.Rest, b.Rest)}
	shape.Members = make(map[string]*engine.Shape, len(a.Members)+len(b.Members))
	for name, member := range a.Members {
		shape.Members[name] = member
	}
	for name, member := range b.Members {
		if other := shape.Members[name]; other != nil {
			member = both(other, member)
		}
		shape.Members[name] = member
	}
	switch {
	case a.Items == nil:
		shape.Items = b.Items
	case b.Items == nil:
		shape.Items = a.Items
	default:
		shape.Items = both(a.Items, b.Items)
	}
	return shape
}

// restOfBoth is closed when one is; else the one counts that says more.
func restOfBoth(a, b engine.Rest) engine.Rest { return max(a, b) }

func enumOfBoth(a, b []any) []any {
	if a == nil || b == nil {
		return append(append([]any(nil), a...), b...)
	}
	common := []any{}
	for _, value := range a {
		for _, other := range b {
			if value == other {
				common = append(common, value)
				break
			}
		}
	}
	return common
}
