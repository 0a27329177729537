package schema

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v5"

	"switchyard/engine"
)

// fault is one thing that does not fit: a leaf of the library's tree of errors.
type fault struct {
	pointer string
	keyword string
	// Schema is the node that asks for it; nil when it is not known, and then library is all there is to say.
	schema  *jsonschema.Schema
	library string
	// Detail is the one property of several that a required, additionalProperties or dependentRequired is about.
	detail string
	// OfName is true when not the value is at fault, but the name that it has.
	ofName bool
	// Types are those of all forms of an anyOf that want something else than there is.
	types []string
	// Others are the same place's faults with the other forms; forms counts them when they have nothing in common.
	others []fault
	forms  int
}

// reader makes violations of the library's errors about one value.
type reader struct {
	keywords keywords
	value    any
	// Steps is what it took, as the meter counts.
	steps int
}

// violations are the faults in sentences, ordered by place.
func (r *reader) violations(e *jsonschema.ValidationError) []engine.Violation {
	faults, more := r.faults(e)
	slices.SortStableFunc(faults, func(a, b fault) int {
		return cmp.Or(strings.Compare(a.pointer, b.pointer), strings.Compare(a.keyword, b.keyword), strings.Compare(a.detail, b.detail))
	})
	var found []engine.Violation
	for i, f := range faults {
		if len(found) == MaxViolations {
			more += len(faults) - i
			break
		}
		v := engine.Violation{Pointer: cut(f.pointer, maxMessage), Message: cut(r.sentence(f), maxMessage)}
		if !slices.Contains(found, v) {
			found = append(found, v)
		}
	}
	if more == 0 {
		return found
	}
	if len(found) == MaxViolations {
		found, more = found[:MaxViolations-1], more+1
	}
	return append(found, engine.Violation{Message: fmt.Sprintf("and %d more places do not fit", more)})
}

// leaf is an error that is more than the group of its causes.
type leaf struct {
	*jsonschema.ValidationError
	schema        *jsonschema.Schema
	keyword, rest string
}

// isChoice is true of the error that none of several forms fits.
func (l leaf) isChoice() bool {
	return (l.keyword == "anyOf" || l.keyword == "oneOf") && len(l.Causes) > 0
}

// leaves adds those of an error.
func (r *reader) leaves(all []leaf, e *jsonschema.ValidationError) []leaf {
	r.steps++
	l := leaf{ValidationError: e}
	l.schema, l.keyword, l.rest = r.keywords.find(e)
	if len(e.Causes) == 0 || l.keyword == "minContains" || l.isChoice() {
		return append(all, l)
	}
	for _, cause := range e.Causes {
		all = r.leaves(all, cause)
	}
	return all
}

// faults are the first of an error by their places, and how many more places there are. To say what is wrong costs far
// more than to find it, so nothing is said about what is not shown.
func (r *reader) faults(e *jsonschema.ValidationError) (first []fault, more int) {
	leaves := r.leaves(nil, e)
	// The library walks maps; without an order the same event would read differently each time.
	slices.SortFunc(leaves, func(a, b leaf) int {
		return cmp.Or(strings.Compare(a.InstanceLocation, b.InstanceLocation), strings.Compare(a.AbsoluteKeywordLocation, b.AbsoluteKeywordLocation))
	})
	for i, l := range leaves {
		if len(first) >= MaxViolations {
			return first, len(leaves) - i
		}
		first = append(first, r.read(l)...)
	}
	return first, 0
}

// read is what a leaf says.
func (r *reader) read(l leaf) []fault {
	r.steps += stepsOfAFault
	f := fault{
		pointer: pointerOf(l.InstanceLocation),
		keyword: l.keyword,
		schema:  l.schema,
		library: l.Message,
		ofName:  isOfName(l.KeywordLocation),
	}
	switch {
	case l.isChoice():
		return r.closest(f, l.Causes)
	case l.schema == nil:
		return []fault{f}
	}
	value, _ := at(r.value, f.pointer)
	switch object, _ := value.(map[string]any); f.keyword {
	case "":
		f.detail = refusing(l.AbsoluteKeywordLocation)
	case "required":
		return each(f, missing(f.schema, object))
	case "additionalProperties":
		return each(f, additional(f.schema, object))
	case "dependencies", "dependentRequired":
		f.detail = dependency(f.schema, f.keyword, l.rest)
	}
	return []fault{f}
}

// refusing is the keyword that holds the false schema at a location.
func refusing(location string) string {
	tokens := strings.Split(location, "/")
	if n := len(tokens); n == 1 || tokens[n-2] != "properties" {
		return tokens[n-1]
	}
	return "properties"
}

// each is the fault once for each name.
func each(f fault, names []string) []fault {
	if len(names) == 0 {
		return []fault{f}
	}
	all := make([]fault, len(names))
	for i, name := range names {
		all[i] = f
		all[i].detail = name
	}
	return all
}

func missing(s *jsonschema.Schema, object map[string]any) []string {
	var names []string
	for _, name := range s.Required {
		if _, ok := object[name]; !ok {
			names = append(names, name)
		}
	}
	return names
}

func additional(s *jsonschema.Schema, object map[string]any) []string {
	var names []string
	for name := range object {
		if s.Properties[name] == nil && !matchesAny(s, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func matchesAny(s *jsonschema.Schema, name string) bool {
	for pattern := range s.PatternProperties {
		if pattern.MatchString(name) {
			return true
		}
	}
	return false
}

// dependency is the text of a fault with name/index of a dependency: the property that is missing, and its reason.
func dependency(s *jsonschema.Schema, keyword, rest string) string {
	name, index, _ := strings.Cut(pointerOf(rest), "/")
	name = pointerUnescapes.Replace(name)
	needed := s.DependentRequired[name]
	if keyword == "dependencies" {
		needed, _ = s.Dependencies[name].([]string)
	}
	for i, other := range needed {
		if fmt.Sprint(i) == index {
			return fmt.Sprintf("%s, which is required beside %s", show(other), show(name))
		}
	}
	return fmt.Sprintf("what is required beside %s", show(name))
}

// isOfName is true when the last value on the way of keywords is the name of a property. A name after properties, and the
// like, is no keyword.
func isOfName(location string) bool {
	ofName := false
	tokens := strings.Split(location, "/")
	for i := 0; i < len(tokens); i++ {
		switch tokens[i] {
		case "propertyNames":
			ofName = true
		case "properties", "patternProperties", "dependencies", "dependentSchemas", "dependentRequired":
			i++
		}
	}
	return ofName
}

// closest picks the form of an anyOf or oneOf that the value was most likely meant to have, and returns its faults. If
// there is no such form, it is one fault for all.
func (r *reader) closest(f fault, causes []*jsonschema.ValidationError) []fault {
	forms := make([][]fault, len(causes))
	best, distance, ties := 0, 0, 0
	for i, cause := range causes {
		forms[i], _ = r.faults(cause)
		switch d := farness(f.pointer, forms[i]); {
		case i == 0 || d < distance:
			best, distance, ties = i, d, 1
		case d == distance:
			ties++
		}
	}
	switch {
	case distance >= otherKind:
		return []fault{f.wantingAny(forms)}
	case ties == 1:
		return forms[best]
	}
	var tied []fault
	for _, form := range forms {
		if farness(f.pointer, form) == distance {
			tied = append(tied, form[0])
		}
	}
	first := tied[0]
	different := func(other fault) bool { return other.pointer != first.pointer || other.ofName != first.ofName }
	if distance%otherForm == 1 && len(tied) <= 4 && !slices.ContainsFunc(tied, different) {
		first.others = tied[1:]
		return []fault{first}
	}
	f.forms, f.others = len(causes), tied[:1]
	return []fault{f}
}

const (
	// otherForm is the distance of a form whose constant, the kind of a thing, is another.
	otherForm = 1 << 20
	// otherKind is the distance of a form that is no object, say, when the value is one.
	otherKind = 1 << 21
)

// farness is how far a value at the pointer is from a form that it has these faults with.
func farness(pointer string, faults []fault) int {
	distance := len(faults)
	for _, f := range faults {
		below, under := strings.CutPrefix(f.pointer, pointer)
		switch {
		case f.keyword == "type" && f.pointer == pointer:
			return otherKind
		case (f.keyword == "const" || f.keyword == "enum") && under && strings.Count(below, "/") == 1 && distance < otherForm:
			distance += otherForm
		}
	}
	return distance
}

// wantingAny is the fault with forms that all want another type.
func (f fault) wantingAny(forms [][]fault) fault {
	for _, form := range forms {
		for _, wrong := range form {
			if wrong.keyword != "type" || wrong.pointer != f.pointer {
				continue
			}
			types := wrong.types
			if wrong.schema != nil {
				types = append(types, wrong.schema.Types...)
			}
			for _, name := range types {
				if !slices.Contains(f.types, name) {
					f.types = append(f.types, name)
				}
			}
		}
	}
	f.keyword, f.schema = "type", nil
	return f
}
