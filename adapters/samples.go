package adapters

import (
	"encoding/json"

	"switchyard/adapters/rows"
	"switchyard/engine"
)

// Samples are files of which Request may make a message that is read as this event of the log, the simplest first: the
// original, what a request told of it beside it, and for a row what the vendor puts around it. Which of them is read so
// depends on the connection; a caller tries them in order.
func (k Kind) Samples(event *engine.Event) []json.RawMessage {
	samples := []json.RawMessage{event.Original}
	if engine.KindOf(event.Original) == '{' {
		typed := with(event.Original, "type", event.Type) // of a call such as /v1/track
		samples = append(samples, typed)
		if event.Context != nil { // of a batch
			samples = append(samples, with(typed, "context", event.Context))
		}
	}
	if k.Body != nil {
		row := rows.LoggedOf(event)
		samples = append(samples, row.Samples()...)
		if body, err := encode(k.Body(row)); err == nil {
			samples = append(samples, body)
		}
	}
	return samples
}

// with is an object with one member set.
func with(object json.RawMessage, name string, value any) json.RawMessage {
	var members map[string]json.RawMessage
	set, err := encode(value)
	if err != nil || json.Unmarshal(object, &members) != nil {
		return object
	}
	members[name] = set
	made, err := encode(members)
	if err != nil {
		return object
	}
	return made
}
