package engine

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// Request is what the door lends to an adapter: the raw body after decompression, and the rest by name. It is valid
// only until the call returns; an adapter that keeps bytes keeps a copy.
type Request struct {
	Method string
	Body   []byte
	// Header returns the first value of a header, "" when absent; the name's case does not matter.
	Header func(name string) string
	// Headers makes all of them, by their names in lower case, each with its first value.
	Headers func() map[string]string
	// Query returns the first value of a query parameter, "" when absent.
	Query func(name string) string
}

// Batch is what an adapter made of one request.
type Batch struct {
	// Events in the order sent. Those that can not be routed have Invalid set.
	Events []*Event
	// Single is true when the body was one message and not a list; a single invalid event is answered with 400.
	Single bool
	// Keep is true when an invalid event is logged also when it came alone.
	Keep bool
	// Answer is the vendor's own reply, a value for JSON; nil for the usual one. It is asked for once the events are
	// stored: one that could not be has no ID then. A batch without events, a vendor's question, is answered at once.
	Answer func() any
}

// Mapped is one message as the expressions of a connection read it: the parts of an event, not checked yet. They are
// the values of DecodeJSON, or times; nil for a part that is not mapped, or is absent.
type Mapped struct {
	// Original is the part of the body that it was made of.
	Original json.RawMessage

	Type, Name, UserID, MessageID, Timestamp, Data any
	// Err says which expression failed, and where; nil when none did.
	Err error
}

// BadRequest is an error of the sender: the body can not be understood at all, and nothing of it was stored.
type BadRequest struct {
	// Code is stable, for programs: malformed_json, too_deep, too_many_elements, empty_batch…
	Code    string
	Message string
}

func (e *BadRequest) Error() string { return e.Message }

// Unauthorized is a signature or secret that is missing or wrong. Its message never says what would have been right.
type Unauthorized struct {
	Code    string // missing_signature, bad_signature, stale_timestamp, bad_credentials…
	Message string
}

func (e *Unauthorized) Error() string { return e.Message }

// Throttled is a connection that sends more than its limits allow; nothing of the request was stored.
type Throttled struct {
	// Wait is when it may be tried again.
	Wait time.Duration
}

func (e *Throttled) Error() string {
	return fmt.Sprintf("this connection sends more events than its limit; send this again in %d s", e.Seconds())
}

// Seconds is the wait in whole seconds, at least one, as Retry-After has it.
func (e *Throttled) Seconds() int { return int(max(1, math.Ceil(e.Wait.Seconds()))) }

// TooLarge is a body that is larger than its connection allows.
type TooLarge struct {
	// Limit is in bytes.
	Limit int
}

func (e *TooLarge) Error() string {
	return fmt.Sprintf("the body is larger than the %d bytes that this connection allows", e.Limit)
}
