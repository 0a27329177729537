package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"switchyard/engine"
)

const (
	// enoughSeen is how many events or objects must have been seen before a field that none of them has is worth a
	// warning, and enoughValues how many values before it is worth one that they had another type.
	enoughSeen   = 20
	enoughValues = 5
	// rareShare is the part of the objects around it below which a field is in few of them: one in so many.
	rareShare = 20
)

// known are all shapes of an environment, to be found by what rules pin.
type known struct {
	sources  []string
	names    map[string]bool
	declared map[string]map[string]engine.EventShape // by name and source
	learned  map[string][]engine.EventShape          // by name
	// made are the knowledges that were asked for; many rules pin the same.
	made map[string]*knowledge
}

// knowledge is what is known of the data of the events that a rule is for.
type knowledge struct {
	data *engine.Shape
	// firm is true when no event can have other data.
	firm    bool
	learned bool
	events  int
	// of is the events' names, for people.
	of string
}

func newKnown(shapes Shapes) known {
	k := known{
		sources: shapes.Sources, names: map[string]bool{}, declared: map[string]map[string]engine.EventShape{},
		learned: map[string][]engine.EventShape{}, made: map[string]*knowledge{},
	}
	for _, shape := range shapes.Declared {
		if k.names[shape.Name] = true; k.declared[shape.Name] == nil {
			k.declared[shape.Name] = map[string]engine.EventShape{}
		}
		k.declared[shape.Name][shape.Source] = shape
	}
	for _, shape := range shapes.Learned {
		k.names[shape.Name] = true
		k.learned[shape.Name] = append(k.learned[shape.Name], shape)
	}
	return k
}

// declaredFor is what schemas say of the events that a rule pins; nil for nothing.
func (k *known) declaredFor(p pins) *knowledge {
	return k.once("declared", p, func() *knowledge {
		made := &knowledge{firm: true}
		var named []string
		for _, name := range p.names {
			if len(k.declared[name]) > 0 {
				named = append(named, name)
			}
			for _, source := range k.sources {
				if p.sources != nil && !slices.Contains(p.sources, source) {
					continue
				}
				shape, ok := k.declared[name][source]
				if made.firm = made.firm && ok && shape.Enforced; ok {
					made.add(shape)
				}
			}
		}
		made.of = quotedNames(named)
		return made
	})
}

// learnedFor is what was seen of the events that a rule pins; nil when too few were.
func (k *known) learnedFor(p pins) *knowledge {
	made := k.once("learned", p, func() *knowledge {
		made := &knowledge{learned: true, of: quotedNames(p.names)}
		for _, name := range p.names {
			for _, shape := range k.learned[name] {
				if (p.sources == nil || slices.Contains(p.sources, shape.Source)) && (p.types == nil || slices.Contains(p.types, shape.Type)) {
					made.add(shape)
				}
			}
		}
		return made
	})
	if made == nil || made.events < enoughSeen {
		return nil
	}
	return made
}

func (k *known) once(what string, p pins, makeIt func() *knowledge) *knowledge {
	key := fmt.Sprintf("%s %q %q %t %q", what, p.names, p.sources, p.sources == nil, p.types)
	made, ok := k.made[key]
	if !ok {
		if made = makeIt(); made.data == nil {
			made = nil
		}
		k.made[key] = made
	}
	return made
}

func (k *knowledge) add(shape engine.EventShape) {
	if k.events += shape.Events; k.data == nil {
		k.data = shape.Data
		return
	}
	k.data = k.data.Or(shape.Data)
}

// quotedNames are a few names: "a", "b" and 3 more.
func quotedNames(names []string) string {
	const most = 3
	var quoted []string
	for _, name := range names[:min(len(names), most)] {
		quoted = append(quoted, strconv.Quote(name))
	}
	if more := len(names) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(quoted, ", "), more)
	}
	return strings.Join(quoted, ", ")
}

// typesOf are the types that a value can have, null aside; ok is false when that is not known well enough.
func (k *knowledge) typesOf(v inferred) (types engine.JSONTypes, ok bool) {
	if v.shape == nil || v.shape.Types == engine.JSONAny {
		return 0, false
	}
	types = v.shape.Types &^ engine.JSONNull
	if k.learned && v.path != "" && v.shape.Seen()-v.shape.Count(engine.JSONNull) < enoughValues {
		return 0, false
	}
	return types, types != 0
}

// is says of a value what types it has.
func (k *knowledge) is(v inferred, types engine.JSONTypes) string {
	if seen := v.shape.Seen(); k.learned && seen > 0 {
		return fmt.Sprintf("%s was always %s (seen %d times)", v.path, types, seen)
	}
	return fmt.Sprintf("%s is %s", v.path, types)
}
