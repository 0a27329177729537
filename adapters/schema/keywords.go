package schema

import (
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

// keywords are all nodes of a compiled schema by their location, so that a violation can be told from what the schema
// asks for, not from the library's sentence about it.
type keywords map[string]*jsonschema.Schema

// add walks a schema and everything that it refers to.
func (k keywords) add(schemas ...*jsonschema.Schema) {
	for _, s := range schemas {
		if s == nil || k[s.Location] == s {
			continue
		}
		k[s.Location] = s
		k.add(s.Ref, s.RecursiveRef, s.DynamicRef, s.Not, s.If, s.Then, s.Else, s.PropertyNames, s.UnevaluatedProperties,
			s.Items2020, s.Contains, s.UnevaluatedItems)
		k.add(s.AllOf...)
		k.add(s.AnyOf...)
		k.add(s.OneOf...)
		k.add(s.PrefixItems...)
		for _, below := range s.Properties {
			k.add(below)
		}
		for _, below := range s.PatternProperties {
			k.add(below)
		}
		for _, below := range s.DependentSchemas {
			k.add(below)
		}
		for _, below := range s.Dependencies {
			k.addAny(below)
		}
		k.addAny(s.AdditionalProperties)
		k.addAny(s.AdditionalItems)
		k.addAny(s.Items)
	}
}

// addAny adds the values of those keywords that may be something else than a schema.
func (k keywords) addAny(value any) {
	switch value := value.(type) {
	case *jsonschema.Schema:
		k.add(value)
	case []*jsonschema.Schema:
		k.add(value...)
	}
}

// endless is a schema that leads back to itself without a step down in the value, so that no value can be checked with it;
// nil without. The library finds those within one file.
func (k keywords) endless() *jsonschema.Schema {
	done := map[*jsonschema.Schema]bool{} // false while it is on the way
	var visit func(*jsonschema.Schema) *jsonschema.Schema
	visit = func(s *jsonschema.Schema) *jsonschema.Schema {
		if finished, seen := done[s]; seen {
			if finished {
				return nil
			}
			return s
		}
		done[s] = false
		for _, next := range inPlace(s) {
			if next == nil {
				continue
			}
			if endless := visit(next); endless != nil {
				return endless
			}
		}
		done[s] = true
		return nil
	}
	for _, location := range slices.Sorted(maps.Keys(k)) {
		if endless := visit(k[location]); endless != nil {
			return endless
		}
	}
	return nil
}

// inPlace are the schemas that apply to the same value; where $dynamicRef leads is only known then.
func inPlace(s *jsonschema.Schema) []*jsonschema.Schema {
	all := slices.Concat([]*jsonschema.Schema{s.Ref, s.Not, s.If, s.Then, s.Else}, s.AllOf, s.AnyOf, s.OneOf)
	for _, below := range s.DependentSchemas {
		all = append(all, below)
	}
	for _, below := range s.Dependencies {
		if schema, ok := below.(*jsonschema.Schema); ok {
			all = append(all, schema)
		}
	}
	return all
}

// find splits the location of a keyword into its schema, the keyword and what is below it: 0 of allOf/0. The keyword of
// a schema that is false, or of an error that only groups others, is "".
func (k keywords) find(e *jsonschema.ValidationError) (s *jsonschema.Schema, keyword, rest string) {
	location := e.AbsoluteKeywordLocation
	if e.Message == "" || e.Message == "not allowed" {
		return k[location], "", ""
	}
	for range 3 { // dependencies/name/0 is the longest
		slash := strings.LastIndexByte(location, '/')
		if slash < 0 {
			break
		}
		location = location[:slash]
		if s := k[location]; s != nil {
			keyword, rest, _ = strings.Cut(e.AbsoluteKeywordLocation[slash+1:], "/")
			return s, keyword, rest
		}
	}
	return nil, "", ""
}
