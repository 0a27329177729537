package rows

import (
	"encoding/json"
	"slices"

	"switchyard/adapters/spec"
	"switchyard/engine"
)

// Logged is a row as the event log has it.
type Logged struct {
	Context
	// Original is the row as sent, and Fields its columns under the names of the sync.
	Original, Fields json.RawMessage
	// Identifier is a column that has the user's id, as far as there is one; else "id".
	Identifier string
}

// LoggedOf is the row that an event was made of.
func LoggedOf(event *engine.Event) Logged {
	row := Logged{Original: event.Original, Fields: event.Data, Identifier: "id"}
	_ = json.Unmarshal(event.Context, &row.Context) // what can not be read is left out
	if event.Data == nil || event.Type == engine.TypeDelete || event.Type == engine.TypeIdentify {
		row.Fields = event.Original // of a user's data the id is taken away
	}
	columns := ColumnsOf(row.Fields)
	for _, name := range columns.names {
		if id, ok := spec.ID(columns.Value(name)); ok && id != "" && id == event.UserID {
			row.Identifier = name
			break
		}
	}
	return row
}

// Samples are those that a person would write of the row, the simplest first.
func (l Logged) Samples() []json.RawMessage {
	var samples []json.RawMessage
	columns := []json.RawMessage{l.Original, l.Fields}
	if fields := ColumnsOf(l.Original).Value("fields"); fields != nil {
		columns = append(columns, fields)
	}
	for _, row := range columns {
		samples = append(samples, row, encode(map[string]any{"object": l.Object, "rows": []json.RawMessage{row}}))
	}
	return slices.DeleteFunc(samples, func(sample json.RawMessage) bool { return engine.KindOf(sample) != '{' })
}
