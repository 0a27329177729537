package engine

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func learn(docs ...string) *Shape {
	l := NewLearner(len(docs) + 1)
	for _, doc := range docs {
		l.Add(&Event{Source: "web", Type: "track", Name: "order", Data: json.RawMessage(doc)})
	}
	return l.Shapes()[0].Data
}

func TestLearn(t *testing.T) {
	data := learn(
		`{"total": 5, "plan": "pro", "tags": ["a", 1], "address": {"zip": null}}`,
		`{"total": "5", "address": {"zip": "1"}, "items": [{"price": 1}, {"price": 2, "sku": "x"}]}`,
		`{"total": 7, "tags": []}`,
	)
	for _, want := range []struct {
		shape *Shape
		types JSONTypes
		seen  int
		text  string
	}{
		{data, JSONObject, 3, ""},
		{data.Members["total"], JSONNumber | JSONString, 3, "5"},
		{data.Members["plan"], JSONString, 1, `"pro"`},
		{data.Members["tags"], JSONList, 2, ""},
		{data.Members["tags"].Items, JSONString | JSONNumber, 2, `"a"`},
		{data.Members["address"].Members["zip"], JSONString | JSONNull, 2, `"1"`},
		{data.Members["items"].Items, JSONObject, 2, ""},
		{data.Members["items"].Items.Members["sku"], JSONString, 1, `"x"`},
	} {
		if want.shape.Types != want.types || want.shape.Seen() != want.seen || string(want.shape.Example) != want.text {
			t.Errorf("%s, seen %d times, such as %s; want %+v", want.shape.Types, want.shape.Seen(), want.shape.Example, want)
		}
	}
	if data.Rest != RestClosed || data.Members["total"].Count(JSONNumber) != 2 {
		t.Errorf("%+v", data)
	}
}

func TestLearnByNameFromWhatRulesSee(t *testing.T) {
	l := NewLearner(2)
	add := func(source, name string, change func(*Event)) {
		event := &Event{Source: source, Type: "track", Name: name, Data: json.RawMessage(`{"a": 1}`)}
		change(event)
		l.Add(event)
	}
	for range 3 {
		add("web", "b", func(*Event) {})
	}
	add("web", "a", func(e *Event) { e.Data = nil })
	add("app", "a", func(*Event) {})
	add("app", "invalid", func(e *Event) { e.Invalid = "the data does not fit" })
	add("app", "repeat", func(e *Event) { e.DuplicateOf = "e0-1-1" })
	var got []string
	for _, shape := range l.Shapes() {
		got = append(got, fmt.Sprint(shape.Source, " ", shape.Name, " ", shape.Events, " ", len(shape.Data.Members)))
	}
	if want := "app a 1 1, web a 1 0, web b 2 1"; strings.Join(got, ", ") != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestLearnIsBounded(t *testing.T) {
	wide := make([]string, 2*maxLearnedPerName)
	for i := range wide {
		wide[i] = fmt.Sprintf(`"field%04d": 1`, i)
	}
	data := learn("{" + strings.Join(wide, ",") + "}")
	if len(data.Members) != maxLearnedPerName || data.Rest != RestUnsaid || data.Members["field0000"] == nil {
		t.Errorf("%d fields, rest %d", len(data.Members), data.Rest)
	}
	deep := learn(strings.Repeat(`{"a":`, 30) + "1" + strings.Repeat("}", 30))
	depth := 0
	for shape := deep; shape != nil; shape = shape.Members["a"] {
		depth++
	}
	if depth != maxLearnedDepth+1 {
		t.Errorf("%d levels", depth)
	}
	long := learn(`{"text": "` + strings.Repeat("é", 1000) + `", "` + strings.Repeat("n", 1000) + `": 1}`)
	if len(long.Members) != 1 || len(long.Members["text"].Example) > maxExample+10 || !json.Valid(long.Members["text"].Example) {
		t.Errorf("%d members, %s", len(long.Members), long.Members["text"].Example)
	}
	l := NewLearner(1)
	for i := range 2 * maxLearnedNames {
		l.Add(&Event{Name: fmt.Sprint(i), Data: json.RawMessage("{" + strings.Join(wide[:100], ",") + "}")})
	}
	fields := 0
	shapes := l.Shapes()
	for _, shape := range shapes {
		fields += len(shape.Data.Members)
	}
	if len(shapes) != maxLearnedNames || fields != maxLearnedFields {
		t.Errorf("%d names, %d fields", len(shapes), fields)
	}
}

// An object whose names are data, such as prices by article, has no fields to tell of.
func TestLearnDictionaries(t *testing.T) {
	docs := make([]string, 100)
	for i := range docs {
		docs[i] = fmt.Sprintf(`{"prices": {"sku-%d": 1}, "total": 1}`, i)
	}
	data := learn(docs...)
	if data.Members["prices"].Rest != RestExpected || data.Rest != RestClosed {
		t.Errorf("%d, %d", data.Members["prices"].Rest, data.Rest)
	}
}

func TestShapeOr(t *testing.T) {
	object := func(rest Rest, members map[string]*Shape) *Shape {
		return &Shape{Types: JSONObject, Rest: rest, Members: members}
	}
	text, number := &Shape{Types: JSONString, Enum: []any{"a"}}, &Shape{Types: JSONNumber}
	closed := object(RestClosed, map[string]*Shape{"a": text}).Or(object(RestClosed, map[string]*Shape{"a": number, "b": number}))
	if closed.Rest != RestClosed || closed.Members["a"].Types != JSONString|JSONNumber || closed.Members["a"].Enum != nil || closed.Members["b"].Types != JSONNumber {
		t.Errorf("%+v", closed)
	}
	open := object(RestClosed, map[string]*Shape{"a": text}).Or(object(RestOpen, map[string]*Shape{"b": number}))
	if open.Rest != RestOpen || open.Members["a"].Types != JSONAny || open.Members["b"].Types != JSONNumber {
		t.Errorf("%+v", open)
	}
	if unsaid := object(RestClosed, nil).Or(AnyShape()); unsaid.Rest != RestUnsaid || unsaid.Types != JSONAny {
		t.Errorf("%+v", unsaid)
	}
	if absent := text.Or(&Shape{Types: JSONNull}); absent.Types != JSONString|JSONNull || len(absent.Enum) != 1 {
		t.Errorf("%+v", absent)
	}
	if mixed := object(RestClosed, map[string]*Shape{"a": text}).Or(text); mixed.Rest != RestClosed || mixed.Members["a"] != text || len(mixed.Enum) != 1 {
		t.Errorf("%+v", mixed)
	}
}

// Whatever is sent, all counts add up and every value is of the shape that was learned from it.
func FuzzLearn(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1}`, `{"a":[1,"b",null,{"c":{}}],"b":{"a":true}}`, `{"a":{"a":{"a":[[[1]]]}}}`, `[1]`, `{"a":1e999,"a":2}`} {
		f.Add(seed, `{"a":"b"}`)
	}
	f.Fuzz(func(t *testing.T, one, other string) {
		var docs []string
		for _, doc := range []string{one, other} {
			if CheckJSON([]byte(doc), DefaultJSONLimits) == nil && KindOf([]byte(doc)) == '{' {
				docs = append(docs, doc)
			}
		}
		if len(docs) == 0 {
			return
		}
		shape := learn(docs...)
		both := learn(docs[:1]...).Or(learn(docs[len(docs)-1:]...))
		for _, doc := range docs {
			value, err := DecodeJSON([]byte(doc))
			if err != nil {
				t.Fatal(err)
			}
			wantShaped(t, shape, value)
			wantShaped(t, both, value)
		}
	})
}

func wantShaped(t *testing.T, shape *Shape, value any) {
	if shape == nil || shape.Types == JSONAny {
		return
	}
	if typ := JSONTypeOf(value); !shape.Types.Has(typ) || shape.Count(typ) == 0 {
		t.Fatalf("%v is not %s", value, shape.Types)
	}
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			if shape.Members[name] == nil && shape.Rest == RestClosed {
				t.Fatalf("%q is not known", name)
			}
			if known := shape.Members[name]; known != nil {
				if known.Seen() > shape.Count(JSONObject) {
					t.Fatalf("%q was seen %d times in %d objects", name, known.Seen(), shape.Count(JSONObject))
				}
				wantShaped(t, known, member)
			}
		}
	case []any:
		for _, item := range value[:min(len(value), maxLearnedItems)] {
			wantShaped(t, shape.Items, item)
		}
	}
}
