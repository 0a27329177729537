package engine

import (
	"encoding/json"
	"math/bits"
	"strings"
)

// JSONTypes is a set of types that a JSON value can have.
type JSONTypes uint8

// The types of JSON.
const (
	JSONString JSONTypes = 1 << iota
	JSONNumber
	JSONBoolean
	JSONObject
	JSONList
	JSONNull
	// JSONAny is all of them.
	JSONAny = JSONString | JSONNumber | JSONBoolean | JSONObject | JSONList | JSONNull
)

// JSONTypeNames are the types in the order of their bits, as typeof and the API name them.
var JSONTypeNames = [...]string{"string", "number", "boolean", "object", "list", "null"}

// Has reports whether one of some types is in the set.
func (t JSONTypes) Has(some JSONTypes) bool { return t&some != 0 }

// index is the position of a set's first type in JSONTypeNames.
func (t JSONTypes) index() int { return bits.TrailingZeros8(uint8(t)) }

// Names are the names of the types.
func (t JSONTypes) Names() []string {
	var names []string
	for i, name := range JSONTypeNames {
		if t&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// String is the types for people: "a string or an object".
func (t JSONTypes) String() string {
	names := t.Names()
	for i, name := range names {
		article := "a "
		if name == "object" {
			article = "an "
		}
		if name != "null" {
			names[i] = article + name
		}
	}
	return strings.Join(names, " or ")
}

// JSONTypeOf is the type of a value as DecodeJSON makes it.
func JSONTypeOf(value any) JSONTypes {
	switch value.(type) {
	case nil:
		return JSONNull
	case string:
		return JSONString
	case bool:
		return JSONBoolean
	case map[string]any:
		return JSONObject
	case []any:
		return JSONList
	}
	return JSONNumber
}

// Shape is what is known of the values at one place in the data of events, either because a schema says so or because
// events were looked at. A Shape is a tree, and is not changed once it is made.
type Shape struct {
	// Types are those that a value can have; none for a place where no value can be.
	Types JSONTypes
	// Members are those of an object by name, and Rest says whether it can have others.
	Members map[string]*Shape
	Rest    Rest
	// Items is what is known of each item of a list; nil for nothing.
	Items *Shape
	// Enum is what a string or a number can be, each a string or a number as DecodeJSON makes it; nil for anything.
	Enum []any

	// Counts, of a learned shape, are how many values of each type were seen, in the order of JSONTypeNames.
	Counts [len(JSONTypeNames)]int
	// Example, of a learned shape, is a value that was seen, nil for none that is short and neither list nor object.
	Example json.RawMessage
}

// Rest is what is known of members that a Shape does not name.
type Rest uint8

const (
	// RestUnsaid: nothing is known of the members of the object.
	RestUnsaid Rest = iota
	// RestOpen: its members are listed, and nothing says that there are no others.
	RestOpen
	// RestExpected: it is like a dictionary, and has members by any name.
	RestExpected
	// RestClosed: there are no others.
	RestClosed
)

// AnyShape is the shape of which nothing is known.
func AnyShape() *Shape { return &Shape{Types: JSONAny} }

// Seen is how many values were looked at, those that are null included; 0 for a shape that was not learned.
func (s *Shape) Seen() int {
	seen := 0
	for _, count := range s.Counts {
		seen += count
	}
	return seen
}

// Count is how many values of one type were seen.
func (s *Shape) Count(one JSONTypes) int { return s.Counts[one.index()] }

// Saw adds values of one type that were seen, while the shape is made.
func (s *Shape) Saw(one JSONTypes, count int) {
	s.Types |= one
	s.Counts[one.index()] += count
}

// Or is the shape of values that have the one shape or the other.
func (s *Shape) Or(other *Shape) *Shape {
	if s == other {
		return s
	}
	either := &Shape{Types: s.Types | other.Types, Example: s.Example}
	for i := range either.Counts {
		either.Counts[i] = s.Counts[i] + other.Counts[i]
	}
	if either.Example == nil {
		either.Example = other.Example
	}
	either.Enum = enumOfEither(s, other)
	either.orMembers(s, other)
	switch {
	case !s.Types.Has(JSONList):
		either.Items = other.Items
	case !other.Types.Has(JSONList):
		either.Items = s.Items
	case s.Items != nil && other.Items != nil:
		either.Items = s.Items.Or(other.Items)
	}
	return either
}

func enumOfEither(a, b *Shape) []any {
	const limited = JSONString | JSONNumber
	switch {
	case !a.Types.Has(limited):
		return b.Enum
	case !b.Types.Has(limited):
		return a.Enum
	case a.Enum == nil || b.Enum == nil:
		return nil
	}
	return append(append([]any{}, a.Enum...), b.Enum...)
}

func (s *Shape) orMembers(a, b *Shape) {
	switch {
	case !a.Types.Has(JSONObject):
		s.Members, s.Rest = b.Members, b.Rest
		return
	case !b.Types.Has(JSONObject):
		s.Members, s.Rest = a.Members, a.Rest
		return
	}
	s.Rest = a.Rest.or(b.Rest)
	s.Members = make(map[string]*Shape, len(a.Members)+len(b.Members))
	for name, member := range a.Members {
		s.Members[name] = member.orIn(b, name)
	}
	for name, member := range b.Members {
		if a.Members[name] == nil {
			s.Members[name] = member.orIn(a, name)
		}
	}
}

// orIn is a member's shape when it may also come in the other object.
func (s *Shape) orIn(other *Shape, name string) *Shape {
	if member := other.Members[name]; member != nil {
		return s.Or(member)
	}
	if other.Rest == RestClosed {
		return s
	}
	return AnyShape() // it can be there, too, with any value
}

func (r Rest) or(other Rest) Rest {
	switch {
	case r == RestUnsaid || other == RestUnsaid:
		return RestUnsaid
	case r == RestExpected || other == RestExpected:
		return RestExpected
	}
	return min(r, other)
}

// EventShape is the shape of the data of the events of one source with one name.
type EventShape struct {
	Source, Name string
	// Type is that of the events; "" for any.
	Type string
	// Events is how many were looked at; 0 for a shape that a schema declares.
	Events int
	// Enforced, of a declared shape, is false when events come to the rules that do not have it.
	Enforced bool
	Data     *Shape
}
