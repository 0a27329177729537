package rules

import (
	"slices"

	"switchyard/engine"
)

// matcher finds the rules that an event could match: all that do, in order, and as few others as it can.
type matcher interface {
	// candidates appends them to into.
	candidates(event *engine.Event, into []*rule) []*rule
}

// index finds rules by the event's name, or by its type when they name none. A rule that tests neither is a candidate
// for every event.
type index struct {
	byName, byType map[string][]*rule
	others         []*rule
}

func newIndex(rules []*rule) *index {
	x := &index{byName: map[string][]*rule{}, byType: map[string][]*rule{}}
	for _, r := range rules {
		if names, ok := r.match.values("name"); ok {
			add(x.byName, names, r)
		} else if types, ok := r.match.values("type"); ok {
			add(x.byType, types, r)
		} else {
			x.others = append(x.others, r)
		}
	}
	return x
}

func add(to map[string][]*rule, values []string, r *rule) {
	for _, value := range slices.Compact(slices.Sorted(slices.Values(values))) {
		to[value] = append(to[value], r)
	}
}

// values are the literals that the match compares a field with, by the first such test.
func (m *match) values(field string) (values []string, ok bool) {
	for _, test := range m.tests {
		if eventNames[test.field].name == field {
			return test.values, true
		}
	}
	return nil, false
}

// indexed reports whether the index prunes a rule with this match.
func (m *match) indexed() bool {
	_, byName := m.values("name")
	_, byType := m.values("type")
	return byName || byType
}

func (x *index) candidates(event *engine.Event, into []*rule) []*rule {
	lists := [...][]*rule{x.byName[event.Name], x.byType[event.Type], x.others}
	for {
		first := -1
		for i, list := range lists {
			if len(list) > 0 && (first < 0 || list[0].number < lists[first][0].number) {
				first = i
			}
		}
		if first < 0 {
			return into
		}
		into = append(into, lists[first][0])
		lists[first] = lists[first][1:]
	}
}
