package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"

	"switchyard/engine"
	"switchyard/rules"
	"switchyard/rules/document"
)

// sample is what is to be written as the test's event, so that the source makes of it the event that is on the log.
func (f *fromLog) sample() (any, error) {
	logged := &engine.Event{
		Type: f.event.Type, Name: f.event.Name, UserID: f.event.UserID, AnonymousID: f.event.AnonymousID, GroupID: f.event.GroupID,
		PreviousID: f.event.PreviousID, Data: f.event.Data, Context: f.event.Context, Original: withoutWriteKey(f.event.Original),
	}
	if f.source == nil { // it can not be tried
		return engine.DecodeJSON(logged.Original)
	}
	samples := f.source.kind.Samples(logged)
	if mapping := f.mapping(); mapping != nil {
		samples = append([]json.RawMessage{}, logged.Original)
		if body, ok := mapping.Around(logged.Original); ok {
			samples = append(samples, body)
		}
	}
	var near any
	for _, exact := range []bool{false, true} {
		for _, sample := range samples {
			value, same := f.isRead(sample, logged, exact)
			switch {
			case same && (exact || f.agrees(value)):
				return value, nil
			case same && near == nil:
				near = value
			}
		}
	}
	if near == nil {
		return nil, errors.New("no test can be made of this event: what the log has of it is not all that the source made it of")
	}
	return near, nil
}

// isRead reports that the source makes the logged event of a sample.
func (f *fromLog) isRead(sample json.RawMessage, logged *engine.Event, exact bool) (value any, same bool) {
	value, err := engine.DecodeJSON(sample)
	if err != nil {
		return nil, false
	}
	events, err := f.source.events(&rules.Test{Event: value})
	return value, err == nil && len(events) == 1 && sameEvent(events[0], logged, exact)
}

// mapping is the map of the connection; nil when it has none.
func (f *fromLog) mapping() *rules.Mapping {
	if f.plan == nil {
		return nil
	}
	if c := f.plan.connection(f.env, f.event.Source); c != nil {
		mapping, _ := c.settings.Map.(*rules.Mapping)
		return mapping
	}
	return nil
}

// agrees reports that a sample comes to what the log has, as far as the rules are still the same. Where the details of a
// sync matter, which a plain row does not have, it does not.
func (f *fromLog) agrees(value any) bool {
	if f.bench == nil {
		return true
	}
	_, decided, err := f.decide(value)
	return err == nil && len(decided) == 1 && (slices.Equal(decided[0].Rules, f.event.Rules) || f.event.Outcome == engine.OutcomePending)
}

// sameEvent compares what rules see of an event, but for its times and its message id; exactly, or without the details of
// a sync.
func sameEvent(made, logged *engine.Event, exact bool) bool {
	if made.Type != logged.Type || made.Name != logged.Name || made.UserID != logged.UserID || made.AnonymousID != logged.AnonymousID ||
		made.GroupID != logged.GroupID || made.PreviousID != logged.PreviousID || made.Invalid != "" || !sameObject(made.Data, logged.Data) {
		return false
	}
	return sameObject(made.Context, logged.Context) || !exact && logged.Type == engine.TypeRecord ||
		!exact && logged.Type == engine.TypeIdentify && rowObject(logged.Context) != "" && rowObject(logged.Context) == rowObject(made.Context)
}

func rowObject(context json.RawMessage) string {
	var row struct{ Object string }
	_ = json.Unmarshal(context, &row) // of a message's context there is none
	return row.Object
}

// sameObject compares two objects; what is absent has no members.
func sameObject(a, b json.RawMessage) bool {
	x, _ := engine.DecodeJSON(orEmpty(a))
	y, _ := engine.DecodeJSON(orEmpty(b))
	left, err := json.Marshal(x)
	right, otherErr := json.Marshal(y)
	return err == nil && otherErr == nil && bytes.Equal(left, right)
}

func orEmpty(doc json.RawMessage) json.RawMessage {
	if len(doc) == 0 {
		return json.RawMessage("{}")
	}
	return doc
}

// withoutWriteKey leaves out what the API has hidden.
func withoutWriteKey(original json.RawMessage) json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(original, &members) != nil || members["writeKey"] == nil {
		return original
	}
	delete(members, "writeKey")
	doc, err := json.Marshal(members)
	if err != nil {
		return original
	}
	return doc
}

// decide has the rules of the configuration decide a test's event.
func (f *fromLog) decide(event any) ([]*engine.Event, []*engine.Decision, error) {
	return f.bench.decide(f.source, &rules.Test{Source: document.Text{Value: f.event.Source}, Event: event})
}
