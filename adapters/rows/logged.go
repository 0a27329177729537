package rows

import (
	"bytes"
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
	columns := ColumnsOf(event.Original)
	switch {
	case event.Data == nil || columns.has(event.Data):
		row.Fields = event.Original // of a user's data the id is taken away
	case event.Type == engine.TypeIdentify:
		data := ColumnsOf(event.Data).without(row.Identifier)
		row.Fields = append(appendColumn(data[:len(data)-1], row.Identifier, encode(event.UserID)), '}')
	}
	columns = ColumnsOf(row.Fields)
	for _, name := range columns.names {
		if id, ok := spec.ID(columns.Value(name)); ok && id != "" && id == event.UserID {
			row.Identifier = name
			break
		}
	}
	return row
}

// has reports that every column of a row is among these.
func (c Columns) has(row json.RawMessage) bool {
	for name, value := range ColumnsOf(row).values {
		if !bytes.Equal(c.values[name], value) {
			return false
		}
	}
	return true
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
