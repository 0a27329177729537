package adapters

import (
	"bytes"
	"encoding/json"
	"time"

	generic "switchyard/adapters/http"
	"switchyard/adapters/spec"
	"switchyard/engine"
)

// Mapper reads the messages of a request with the expressions of a connection.
type Mapper interface {
	// Map returns up to most messages; its errors are *engine.BadRequest.
	Map(req *engine.Request, most int) ([]engine.Mapped, error)
	// Splits is true when a request can have several messages.
	Splits() bool
	// ReadsHeaders is true when what it finds depends on the request's headers.
	ReadsHeaders() bool
}

// decodeMapped makes events of what a connection's expressions find in a request. A message that does not fit is an event
// with Invalid set, and is kept: what is wrong may be our own expression, which the sender can not mend. One without a
// message id has that of the request's headers, as a connection of kind http has.
func decodeMapped(mapper Mapper, req *engine.Request, opts spec.Options) (engine.Batch, error) {
	messages, err := mapper.Map(req, opts.MaxEvents)
	if err != nil {
		return engine.Batch{}, err
	}
	batch := engine.Batch{Events: make([]*engine.Event, len(messages)), Single: !mapper.Splits(), Keep: true}
	left := spec.Budget(len(req.Body))
	for i, message := range messages {
		r := mapping{Options: opts, from: message, event: &engine.Event{
			Timestamp: opts.Now, ReceivedAt: opts.Now, Verification: opts.Coverage.Of(i), Original: message.Original,
		}}
		r.read()
		if left -= spec.Size(r.event); left < 0 {
			return engine.Batch{}, spec.ErrBudget
		}
		batch.Events[i] = r.event
	}
	generic.NameByHeaders(req, batch, opts)
	return batch, nil
}

// mapping is one message while it is made an event.
type mapping struct {
	spec.Options
	from  engine.Mapped
	event *engine.Event
}

func (r *mapping) read() {
	e := r.event
	if r.from.Err != nil {
		e.Invalid = r.from.Err.Error()
	}
	e.Type = r.readType()
	e.UserID, e.MessageID, e.Name = r.text("user_id", r.from.UserID), r.text("message_id", r.from.MessageID), r.text("name", r.from.Name)
	switch {
	case e.Name != "":
	case e.Type == engine.TypeTrack:
		r.fail("the connection's map found no name for this track")
		fallthrough
	default:
		e.Name = e.Type
	}
	r.readData()
	r.readTimestamp()
	spec.Bound(e)
}

// fail marks the event as invalid; the first reason stands.
func (r *mapping) fail(reason string) {
	if r.event.Invalid == "" {
		r.event.Invalid = reason
	}
}

// readType is a track when nothing is mapped: most webhooks tell what happened.
func (r *mapping) readType() string {
	if r.from.Type == nil {
		return engine.TypeTrack
	}
	text, _ := r.from.Type.(string)
	if known, ok := spec.TypeOf(text); ok {
		return known
	}
	if text == engine.TypeRecord {
		return text
	}
	r.fail("the connection's map makes the type " + shown(r.from.Type) + ", which is none of ours")
	return ""
}

func (r *mapping) text(part string, value any) string {
	text, ok := engine.Text(value)
	if value != nil && !ok {
		r.fail("the connection's map makes " + part + " " + engine.TypeName(value) + "; it must be a string or a number")
	}
	return text
}

func (r *mapping) readData() {
	if r.from.Data == nil {
		return
	}
	object, ok := r.from.Data.(map[string]any)
	if !ok {
		r.fail("the connection's map makes data " + engine.TypeName(r.from.Data) + "; it must be an object")
		return
	}
	doc, err := encode(object)
	if err != nil {
		r.fail("the connection's map makes data that is not JSON: " + err.Error())
		return
	}
	e := r.event
	e.Data = doc
	switch e.Type {
	case engine.TypeTrack, engine.TypePage, engine.TypeScreen:
		e.Properties = doc
	case engine.TypeIdentify, engine.TypeGroup:
		e.Traits = doc
	}
}

// readTimestamp leaves the time of receipt where there is no time to be believed, and says so.
func (r *mapping) readTimestamp() {
	at, ok := r.from.Timestamp.(time.Time)
	if !ok {
		if r.from.Timestamp == nil {
			return
		}
		if doc, err := encode(r.from.Timestamp); err == nil {
			at, ok = spec.Time(doc)
		}
	}
	switch {
	case !ok:
		r.note("timestamp " + shown(r.from.Timestamp) + " is not a time; the time of receipt was used")
	case r.Ahead(at):
		r.note("timestamp " + shown(r.from.Timestamp) + " is more than a day ahead; the time of receipt was used")
	default:
		r.event.Timestamp = at.UTC()
	}
}

func (r *mapping) note(text string) { r.event.Notes = append(r.event.Notes, text) }

func encode(value any) (json.RawMessage, error) {
	var doc bytes.Buffer
	encoder := json.NewEncoder(&doc)
	encoder.SetEscapeHTML(false) // data is shown to people and compared with the original
	err := encoder.Encode(value)
	return bytes.TrimSuffix(doc.Bytes(), []byte("\n")), err
}

// shown is a value short enough for a sentence.
func shown(value any) string {
	doc, err := encode(value)
	if err != nil {
		return engine.TypeName(value)
	}
	return spec.Shown(doc)
}
