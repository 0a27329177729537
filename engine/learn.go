package engine

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"unicode/utf8"
)

// The bounds of what is learned; whoever sends events chooses what is in them.
const (
	// maxLearnedNames is how many names of events are told apart, maxLearnedPerName how many fields one of them has, at
	// all depths, and maxLearnedFields how many all of them.
	maxLearnedNames   = 1000
	maxLearnedPerName = 500
	maxLearnedFields  = 50_000
	// maxLearnedDepth is how deep fields are looked for, maxLearnedItems how many items of each list are looked at.
	maxLearnedDepth = 8
	maxLearnedItems = 100
	// maxFieldName and maxExample are in bytes. A field with a longer name is left out, a longer text is cut.
	maxFieldName = 128
	maxExample   = 80
)

// An object that has more than dictionaryMembers of which the most are in less than one in dictionaryShare of its kind is
// taken for a dictionary: its members' names are data, and not fields.
const (
	dictionaryMembers = 50
	dictionaryShare   = 10
)

// Learner learns the shapes of data from events. What it keeps is bounded, whatever it is shown. It is not safe for
// concurrent use.
type Learner struct {
	most   int
	names  map[eventKind]*lesson
	fields int // left for all names
}

type eventKind struct{ source, typ, name string }

// lesson is what has been learned of one name.
type lesson struct {
	learner *Learner
	data    *Shape
	events  int
	fields  int // left for this name
}

// NewLearner learns from the first so many events of each name that it is shown.
func NewLearner(perName int) *Learner {
	return &Learner{most: perName, names: map[eventKind]*lesson{}, fields: maxLearnedFields}
}

// Add learns from one event's data. One that rules do not see, since it is invalid or a repeat, teaches nothing.
func (l *Learner) Add(event *Event) {
	if event.Invalid != "" || event.DuplicateOf != "" {
		return
	}
	kind := eventKind{event.Source, event.Type, event.Name}
	one := l.names[kind]
	if one == nil {
		if len(l.names) >= maxLearnedNames {
			return
		}
		one = &lesson{learner: l, data: &Shape{}, fields: maxLearnedPerName}
		l.names[kind] = one
	}
	if one.events >= l.most {
		return
	}
	one.events++
	data := event.Data
	if len(data) == 0 {
		data = json.RawMessage("{}")
	}
	if value, err := DecodeJSON(data); err == nil {
		one.learn(one.data, value, 0)
	}
}

// learn adds a value to what is known of its place.
func (l *lesson) learn(shape *Shape, value any, depth int) {
	shape.Saw(JSONTypeOf(value), 1)
	switch value := value.(type) {
	case map[string]any:
		l.members(shape, value, depth)
	case []any:
		if depth >= maxLearnedDepth || len(value) == 0 {
			return
		}
		if shape.Items == nil {
			shape.Items = &Shape{}
		}
		for _, item := range value[:min(len(value), maxLearnedItems)] {
			l.learn(shape.Items, item, depth+1)
		}
	case nil:
	default:
		if shape.Example == nil {
			shape.Example = exampleOf(value)
		}
	}
}

func (l *lesson) members(shape *Shape, object map[string]any, depth int) {
	if shape.Members == nil {
		shape.Members, shape.Rest = map[string]*Shape{}, RestClosed
	}
	if depth >= maxLearnedDepth {
		shape.Rest = RestUnsaid
		return
	}
	for _, name := range slices.Sorted(maps.Keys(object)) { // which of too many are kept must not be chance
		member := shape.Members[name]
		if member == nil {
			if len(name) > maxFieldName || l.fields <= 0 || l.learner.fields <= 0 {
				shape.Rest = RestUnsaid
				continue
			}
			l.fields--
			l.learner.fields--
			member = &Shape{}
			shape.Members[name] = member
		}
		l.learn(member, object[name], depth+1)
	}
}

// exampleOf is a string, number or boolean as JSON, a long text cut; nil for a number that is long.
func exampleOf(value any) json.RawMessage {
	if text, ok := value.(string); ok && len(text) > maxExample {
		cut := maxExample
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		value = text[:cut] + "…"
	}
	doc, err := json.Marshal(value)
	if err != nil || len(doc) > 6*maxExample+8 { // a byte can take six
		return nil
	}
	return doc
}

// Shapes are what was learned, by source, type and name. The learner must not be used any more.
func (l *Learner) Shapes() []EventShape {
	shapes := make([]EventShape, 0, len(l.names))
	for kind, one := range l.names {
		one.data.findDictionaries()
		shapes = append(shapes, EventShape{Source: kind.source, Type: kind.typ, Name: kind.name, Events: one.events, Data: one.data})
	}
	slices.SortFunc(shapes, func(a, b EventShape) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name))
	})
	return shapes
}

func (s *Shape) findDictionaries() {
	seen := 0
	for _, member := range s.Members {
		seen += member.Seen()
		member.findDictionaries()
	}
	if s.Items != nil {
		s.Items.findDictionaries()
	}
	if members := len(s.Members); members > dictionaryMembers && seen < members*s.Count(JSONObject)/dictionaryShare {
		s.Rest = RestExpected
	}
}
