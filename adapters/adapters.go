// Package adapters is the catalogue of sources: what each vendor sends, how it proves who it is, and how an event would
// be sent by it.
package adapters

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchyard/adapters/census"
	"switchyard/adapters/freshpaint"
	"switchyard/adapters/hightouch"
	generic "switchyard/adapters/http"
	"switchyard/adapters/jitsu"
	"switchyard/adapters/polytomic"
	"switchyard/adapters/rows"
	"switchyard/adapters/rudderstack"
	"switchyard/adapters/segment"
	"switchyard/adapters/spec"
	"switchyard/adapters/verify"
	"switchyard/engine"
)

// Kinds is every vendor, by the kind that a source is configured with.
var Kinds = map[string]Kind{
	"segment":     {Decode: messages(segment.Decode), Encode: spec.Encode, Schemes: segment.Schemes},
	"rudderstack": {Decode: messages(rudderstack.Decode), Encode: spec.Encode, Schemes: rudderstack.Schemes, Templated: true},
	"jitsu":       {Decode: jitsu.Decode, Encode: spec.Encode, Schemes: jitsu.Schemes, Rows: true, Body: jitsu.Body, CheckVerify: jitsu.CheckVerify},
	"freshpaint":  {Decode: messages(freshpaint.Decode), Encode: freshpaint.Encode, Schemes: freshpaint.Schemes},
	"hightouch":   {Decode: hightouch.Decode, Encode: hightouch.Encode, Schemes: hightouch.Schemes, Rows: true, Body: hightouch.Body, Templated: true},
	"census":      {Decode: census.Decode, Encode: census.Encode, Schemes: census.Schemes, Rows: true, Body: census.Body, Templated: true, Tidy: census.Tidy},
	"polytomic":   {Decode: polytomic.Decode, Encode: polytomic.Encode, Schemes: polytomic.Schemes, Rows: true, Body: polytomic.Body},
	"http":        {Decode: messages(generic.Decode), Encode: spec.Encode, Schemes: generic.Schemes, Templated: true},
}

// Names are the kinds, sorted.
func Names() []string { return slices.Sorted(maps.Keys(Kinds)) }

// Kind is one vendor.
type Kind struct {
	// Decode makes events of a request to the vendor's webhook; its errors are *engine.BadRequest. The request is lent.
	Decode func(req *engine.Request, opts rows.Options) (engine.Batch, error)
	// Encode makes the body and the headers with which the vendor would post an event; signatures are added to it.
	Encode func(event []byte) (http.Header, []byte, error)
	// Schemes are the schemes of package verify that the vendor can be configured to send, the best first.
	Schemes []string

	// Rows is true for a vendor that sends rows, which a connection may have its own say on.
	Rows bool
	// Body is what the vendor would send with one row of the event log in it; nil for a vendor that sends no rows.
	Body func(row rows.Logged) any
	// Templated is true for a vendor whose users decide what the body is, which a connection's map can read.
	Templated bool
	// Tidy mends what the vendor is known to send broken, once it is verified; nil for nothing. What is sound comes back
	// as it is.
	Tidy func(body []byte) []byte
	// CheckVerify says what of a verification the vendor can not send, beside the scheme; nil for nothing.
	CheckVerify func(cfg verify.Config) error
}

// messages makes the Decode of a vendor that sends no rows.
func messages(decode func(*engine.Request, spec.Options) (engine.Batch, error)) func(*engine.Request, rows.Options) (engine.Batch, error) {
	return func(req *engine.Request, opts rows.Options) (engine.Batch, error) { return decode(req, opts.Options) }
}

// sends reports a verification that this vendor can not send.
func (k Kind) sends(cfg verify.Config) error {
	switch {
	case cfg.IsZero():
		return nil
	case !slices.Contains(k.Schemes, cfg.Scheme):
		return fmt.Errorf("verify: this kind of source does not send scheme %s; use %s", cfg.Scheme, strings.Join(k.Schemes, " or "))
	case k.CheckVerify != nil:
		return k.CheckVerify(cfg)
	}
	return nil
}

// Message is a request without its address.
type Message struct {
	Method string
	Header http.Header
	Query  url.Values
	Body   []byte
}

// Received is the message as its receiver gets it.
func (m *Message) Received() *engine.Request {
	return &engine.Request{
		Method: m.Method, Body: m.Body, Header: m.Header.Get, Query: m.Query.Get,
		Headers: func() map[string]string {
			headers := make(map[string]string, len(m.Header))
			for name, values := range m.Header {
				headers[strings.ToLower(name)] = values[0]
			}
			return headers
		},
	}
}

// Request is how the vendor would send an event to a connection with this verification. A scheme that sends an id of the
// message is given a new one for every now.
func (k Kind) Request(event []byte, cfg verify.Config, now time.Time) (*Message, error) {
	if err := k.sends(cfg); err != nil {
		return nil, err
	}
	header, body, err := k.Encode(event)
	if err != nil {
		return nil, err
	}
	proof, err := verify.Sign(cfg, body, messageID(body, now), now)
	if err != nil {
		return nil, err
	}
	for name, values := range proof.Header {
		header[name] = values
	}
	return &Message{Method: http.MethodPost, Header: header, Query: proof.Query, Body: body}, nil
}

// messageID has the form of Standard Webhooks' ids.
func messageID(body []byte, now time.Time) string {
	hash := sha256.New()
	hash.Write([]byte(strconv.FormatInt(now.UnixNano(), 10) + "."))
	hash.Write(body)
	return "msg_" + hex.EncodeToString(hash.Sum(nil)[:16])
}
