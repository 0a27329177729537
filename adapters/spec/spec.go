// Package spec reads the Segment-style message (https://segment.com/docs/connections/spec) that Segment, RudderStack,
// Jitsu, Freshpaint, their SDKs and most home-made senders share.
package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"switchyard/adapters/verify"
	"switchyard/engine"
)

// DefaultMaxEvents is the most events of one request; Segment's webhooks send up to 4,000, its SDKs fewer.
const DefaultMaxEvents = 4000

// MaxInvalidBytes bounds what is kept of a message that is not valid. A longer one is cut, and its Original is then a
// JSON string of the first part of its text, so that it is a JSON value still.
const MaxInvalidBytes = 64 << 10

// jsonSpace is what JSON calls white space; package bytes calls more so.
const jsonSpace = " \t\r\n"

// Options are what a request's messages are read with.
type Options struct {
	// Now is the time of receipt.
	Now time.Time
	// Coverage is how far the request was authenticated; its zero value is not at all.
	Coverage verify.Coverage
	// DefaultType is the type of messages that have none, as on the path /v1/track; "" for none.
	DefaultType string
	// IDHeaders are the headers that may name the message; nil for the usual ones.
	IDHeaders []string
	// EventMeansTrack makes a message without a type, but with an event, a track.
	EventMeansTrack bool
	// Limits are those of the scanner; engine.DefaultJSONLimits when zero.
	Limits engine.JSONLimits
	// MaxEvents is the most events of one request; DefaultMaxEvents when zero.
	MaxEvents int
}

// Decode reads every shape in which such messages arrive: one object, a bare array, {"batch": […]} with context and
// sentAt for all of it, and an array of {"json": {…}} (Segment's extensible webhook).
//
// A body that is no JSON at all is an *engine.BadRequest with the code malformed_json, invalid_utf8, too_deep,
// too_many_values, empty_body, empty_batch or too_many_events. A bad message is an event with Invalid set, which keeps
// what could be read. The body is lent; the events share one copy of it.
func Decode(body []byte, opts Options) (engine.Batch, error) {
	return Read(body, func(doc json.RawMessage) (engine.Batch, error) { return DecodeOwn(doc, opts) })
}

// DecodeOwn is Decode for a document that Read has given to an adapter, which is not copied again.
func DecodeOwn(doc json.RawMessage, opts Options) (engine.Batch, error) {
	return newDecoder(opts.WithDefaults()).decode(doc)
}

// Encode is what most vendors post for an event or a list of events: the bytes as they are, as application/json.
func Encode(event []byte) (http.Header, []byte, error) {
	return http.Header{"Content-Type": {"application/json"}}, event, nil
}

// Read gives an adapter its own copy of a body, without the white space around it, and makes what the scanner says of
// broken JSON an *engine.BadRequest.
func Read(body []byte, decode func(doc json.RawMessage) (engine.Batch, error)) (engine.Batch, error) {
	doc := bytes.TrimLeft(body, jsonSpace)
	if len(doc) == 0 {
		return engine.Batch{}, &engine.BadRequest{Code: "empty_body", Message: "the body is empty"}
	}
	leading := len(body) - len(doc)
	batch, err := decode(bytes.Clone(bytes.TrimRight(doc, jsonSpace)))
	if broken := (*engine.JSONError)(nil); errors.As(err, &broken) {
		err = &engine.BadRequest{Code: broken.Code, Message: fmt.Sprintf("%s at byte %d", broken.Message, leading+broken.Offset)}
	}
	if err != nil {
		return engine.Batch{}, err
	}
	return batch, nil
}

// WithDefaults fills what is left out.
func (opts Options) WithDefaults() Options {
	if opts.Limits == (engine.JSONLimits{}) {
		opts.Limits = engine.DefaultJSONLimits
	}
	if opts.MaxEvents == 0 {
		opts.MaxEvents = DefaultMaxEvents
	}
	if opts.Coverage == (verify.Coverage{}) {
		opts.Coverage = verify.Coverage{First: engine.Unverified, Rest: engine.Unverified}
	}
	return opts
}

// decoder reads the messages of one request.
type decoder struct {
	Options
	// context, integrations and sentAt are the batch's, for the messages that have none.
	context, integrations, sentAt json.RawMessage
	// withheld is the note on what is too large to be shared; "" for none.
	withheld string
	events   []*engine.Event
}

func newDecoder(opts Options) *decoder { return &decoder{Options: opts} }

func (d *decoder) decode(body []byte) (engine.Batch, error) {
	switch body[0] {
	case '[':
		return d.list(body)
	case '{':
		return d.object(body)
	}
	if err := engine.CheckJSON(body, d.Limits); err != nil {
		return engine.Batch{}, err
	}
	d.add(body, nil)
	return engine.Batch{Events: d.events, Single: true}, nil
}

// object reads a message, or the envelope of a batch: an object with a list named batch and no type.
func (d *decoder) object(body json.RawMessage) (engine.Batch, error) {
	m := &members{}
	if err := m.read(body, d.Limits); err != nil {
		return engine.Batch{}, err
	}
	if batch := m.values[memberBatch]; batch != nil && batch[0] == '[' && m.values[memberType] == nil {
		d.sentAt = m.values[memberSentAt]
		d.context, d.integrations = objectOr(m.values[memberContext]), objectOr(m.values[memberIntegrations])
		return d.list(batch)
	}
	d.add(body, m)
	return engine.Batch{Events: d.events, Single: true}, nil
}

func (d *decoder) list(list json.RawMessage) (engine.Batch, error) {
	var elements []json.RawMessage
	err := engine.ElementsOf(list, d.Limits, func(element json.RawMessage) error {
		if len(elements) == d.MaxEvents {
			return &engine.BadRequest{Code: "too_many_events", Message: fmt.Sprintf("more than %d events in one request", d.MaxEvents)}
		}
		elements = append(elements, element)
		return nil
	})
	switch {
	case err != nil:
		return engine.Batch{}, err
	case len(elements) == 0:
		return engine.Batch{}, &engine.BadRequest{Code: "empty_batch", Message: "the batch has no events"}
	}
	shared := len(d.context) + len(lookup(d.context, "traits")) + len(d.integrations)
	if shared*len(elements) > budgetFree/2+len(list) {
		d.withheld = fmt.Sprintf("the context and integrations of the batch are %d bytes, too large for each of its %d events, and were left out", shared, len(elements))
		d.context, d.integrations = nil, nil
	}
	d.events = make([]*engine.Event, 0, len(elements))
	for _, element := range elements {
		d.element(element)
	}
	return engine.Batch{Events: d.events}, nil
}

// element reads one message of a list, taken out of {"json": {…}} when that is all the element holds. Package verify
// has the same rule for what a signature covers.
func (d *decoder) element(element json.RawMessage) {
	if element[0] != '{' {
		d.add(element, nil)
		return
	}
	m := &members{}
	_ = m.read(element, d.Limits) // checked with the list
	if inner := m.values[memberJSON]; m.count == 1 && inner != nil && inner[0] == '{' {
		element = inner
		_ = m.read(inner, d.Limits)
	}
	if d.integrations != nil {
		element = d.integrated(element)
	}
	d.add(element, m)
}

// integrated is a message with the batch's integrations, which Segment's SDKs take out of the messages when they are the
// same for all. It is the one thing that is ever added to an original.
func (d *decoder) integrated(message json.RawMessage) json.RawMessage {
	shared := appendMember([]byte{'{'}, memberNames[memberIntegrations], d.integrations)
	return fill(message, append(shared, '}'), integrationLevels)
}

// objectOr is an object, and nil for any other value.
func objectOr(value json.RawMessage) json.RawMessage {
	if value == nil || value[0] != '{' {
		return nil
	}
	return value
}

// add makes an event of one message; m is nil when it is not an object.
func (d *decoder) add(original json.RawMessage, m *members) {
	event := &engine.Event{Verification: d.Coverage.Of(len(d.events))}
	d.events = append(d.events, event)
	d.fill(event, original, m)
}

// fill reads a message into an event; m is nil when it is not an object.
func (d *decoder) fill(event *engine.Event, original json.RawMessage, m *members) {
	event.Timestamp, event.ReceivedAt, event.Original = d.Now, d.Now, original
	if m == nil {
		event.Invalid = "a message must be an object, not " + TypeName(original)
	} else {
		r := reading{decoder: d, members: m, event: event}
		r.read()
	}
	Bound(event)
}

// DecodeOne reads a single message, an object, into an event that may have been used before. Nothing is copied: the event
// is good for as long as message is not changed; what rules decide of it stays good. Nothing is allocated for a message
// that is in order and has no escapes in its ids and names. It is for those who go through many events that are stored
// already; the options must have their defaults. The error is a *engine.JSONError.
func DecodeOne(message json.RawMessage, opts Options, event *engine.Event) error {
	var m members
	if err := m.read(message, opts.Limits); err != nil {
		return err
	}
	*event = engine.Event{Verification: opts.Coverage.First}
	d := decoder{Options: opts}
	d.fill(event, message, &m)
	return nil
}

// Bound cuts an invalid event, which is only kept to be looked at, to MaxInvalidBytes.
func Bound(event *engine.Event) {
	size := len(event.Original)
	if event.Invalid == "" || size <= MaxInvalidBytes {
		return
	}
	event.Original = quote(clip(event.Original, MaxInvalidBytes))
	event.Data, event.Properties, event.Traits, event.Context = nil, nil, nil, nil
	event.Notes = append(event.Notes, fmt.Sprintf("the original is cut to %d of its %d bytes", MaxInvalidBytes, size))
}

var errFound = errors.New("found")

// WriteKeyOf is the text of the top-level member writeKey, for the SDKs that put it into the body; "" when there is none,
// or the JSON is broken before it.
func WriteKeyOf(body []byte) (key string) {
	if !bytes.Contains(body, []byte(`"writeKey"`)) || engine.KindOf(body) != '{' {
		return ""
	}
	err := engine.MembersOf(body, engine.DefaultJSONLimits, func(name []byte, value json.RawMessage) error {
		if string(name) != "writeKey" {
			return nil
		}
		key, _ = engine.StringOf(value)
		return errFound
	})
	if !errors.Is(err, errFound) {
		return ""
	}
	return key
}
