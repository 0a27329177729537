package rules

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"

	"switchyard/engine"
)

// eventName is one name that an expression sees of an event. Either text, time or object reads it.
type eventName struct {
	name   string
	typ    types.Type
	text   func(*engine.Event) string
	time   func(*engine.Event) time.Time
	object func(*engine.Event) json.RawMessage
}

var (
	stringType = types.String
	timeType   = types.TypeOf(time.Time{})
	objectType = types.TypeOf(map[string]any{})
)

// eventNames are all of them; a position here is a bit of a nameSet.
var eventNames = []eventName{
	{name: "id", typ: stringType, text: func(e *engine.Event) string { return e.ID }},
	{name: "source", typ: stringType, text: func(e *engine.Event) string { return e.Source }},
	{name: "environment", typ: stringType, text: func(e *engine.Event) string { return e.Environment }},
	{name: "type", typ: stringType, text: func(e *engine.Event) string { return e.Type }},
	{name: "name", typ: stringType, text: func(e *engine.Event) string { return e.Name }},
	{name: "user_id", typ: stringType, text: func(e *engine.Event) string { return e.UserID }},
	{name: "anonymous_id", typ: stringType, text: func(e *engine.Event) string { return e.AnonymousID }},
	{name: "group_id", typ: stringType, text: func(e *engine.Event) string { return e.GroupID }},
	{name: "previous_id", typ: stringType, text: func(e *engine.Event) string { return e.PreviousID }},
	{name: "message_id", typ: stringType, text: func(e *engine.Event) string { return e.MessageID }},
	{name: "timestamp", typ: timeType, time: func(e *engine.Event) time.Time { return e.Timestamp }},
	{name: "received_at", typ: timeType, time: func(e *engine.Event) time.Time { return e.ReceivedAt }},
	{name: "data", typ: objectType, object: func(e *engine.Event) json.RawMessage { return e.Data }},
	{name: "properties", typ: objectType, object: func(e *engine.Event) json.RawMessage { return e.Properties }},
	{name: "traits", typ: objectType, object: func(e *engine.Event) json.RawMessage { return e.Traits }},
	{name: "context", typ: objectType, object: func(e *engine.Event) json.RawMessage { return e.Context }},
	{name: "event", typ: objectType, object: func(e *engine.Event) json.RawMessage { return e.Original }},
}

// eventPlace is where the expressions of rules stand.
var eventPlace = func() *place {
	p := &place{names: types.Map{}, instead: map[string]string{
		"type": "write typeof(value)",
		"now":  "an event is decided the same way at any time: use received_at",
	}}
	for _, name := range eventNames {
		p.names[name.name] = name.typ
	}
	return p
}()

// nameSet is a set of event names.
type nameSet uint32

func eventNameAt(name string) (position int, ok bool) {
	for i := range eventNames {
		if eventNames[i].name == name {
			return i, true
		}
	}
	return 0, false
}

// scope is what expressions see of one event: the names that they use, each made at most once.
type scope struct {
	event  *engine.Event
	values map[string]any
	loaded nameSet
	// decoded are the objects made so far, and those that can not be: data is often the same bytes as properties.
	decoded    []decoded
	machine    vm.VM
	budget     budget
	notes      notes
	candidates []int32 // numbers of rules
}

type decoded struct {
	doc    json.RawMessage
	object map[string]any
	err    error
}

var scopes = sync.Pool{New: func() any { return &scope{values: map[string]any{}} }}

func newScope(event *engine.Event) *scope {
	s := scopes.Get().(*scope)
	s.event = event
	return s
}

// free gives the scope back; nothing of the event stays in it.
func (s *scope) free() {
	clear(s.values)
	clear(s.decoded)
	s.notes.clear()
	clear(s.machine.Stack[:cap(s.machine.Stack)])
	clear(s.machine.Variables)
	s.event, s.loaded, s.decoded, s.candidates, s.budget = nil, 0, s.decoded[:0], s.candidates[:0], budget{}
	scopes.Put(s)
}

// load makes the names that are not there yet.
func (s *scope) load(names nameSet) error {
	missing := names &^ s.loaded
	for i := 0; missing != 0; i, missing = i+1, missing>>1 {
		if missing&1 == 0 {
			continue
		}
		value, err := s.value(&eventNames[i])
		if err != nil {
			return fmt.Errorf("%s: %w", eventNames[i].name, err)
		}
		s.values[eventNames[i].name] = value
		s.loaded |= 1 << i
	}
	return nil
}

func (s *scope) value(name *eventName) (any, error) {
	switch {
	case name.text != nil:
		return strings.Clone(name.text(s.event)), nil // what is decided must not share the event's memory, which may be lent
	case name.time != nil:
		return name.time(s.event).UTC(), nil // what their parts are depends on no machine
	}
	return s.object(name.object(s.event))
}

// object decodes one part of the event. An absent one, and an original that is no object, is an object without members.
func (s *scope) object(doc json.RawMessage) (map[string]any, error) {
	if len(doc) == 0 {
		return map[string]any{}, nil
	}
	for _, before := range s.decoded {
		if unsafe.SliceData(before.doc) == unsafe.SliceData(doc) && len(before.doc) == len(doc) {
			return before.object, before.err
		}
	}
	value, err := engine.DecodeJSON(doc)
	object, ok := value.(map[string]any)
	if !ok {
		object = map[string]any{}
	}
	s.decoded = append(s.decoded, decoded{doc, object, err})
	return object, err
}
