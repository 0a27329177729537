package rows

import (
	"bytes"
	"encoding/json"
	"fmt"

	"switchyard/adapters/spec"
	"switchyard/engine"
)

// Each makes the events of a checked list of rows. A list without rows makes none; one that is too long is an
// *engine.BadRequest.
func (o Options) Each(list json.RawMessage, read func(row json.RawMessage) Row) ([]*engine.Event, error) {
	events, left := []*engine.Event{}, o.Budget
	err := engine.ElementsOf(list, o.Limits, func(row json.RawMessage) error {
		if len(events) == o.MaxEvents {
			return &engine.BadRequest{Code: "too_many_events", Message: fmt.Sprintf("more than %d rows in one request", o.MaxEvents)}
		}
		event := o.Event(read(row), len(events))
		if left -= spec.Size(event); left < 0 {
			return spec.ErrBudget
		}
		events = append(events, event)
		return nil
	})
	return events, err
}

// EnvelopeOf checks a body and reads its top level; a body that is not an object has no columns.
func EnvelopeOf(doc json.RawMessage, limits engine.JSONLimits) (Columns, error) {
	if err := engine.CheckJSON(doc, limits); err != nil {
		return Columns{}, err
	}
	return ColumnsOf(doc), nil
}

// Mentions reports that a body could have a member of this name: it is there as it is written, or with an escape.
func Mentions(body []byte, name string) bool {
	return bytes.Contains(body, []byte(`"`+name+`"`)) || bytes.Contains(body, []byte(`\u`))
}
