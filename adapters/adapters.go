// Package adapters is the catalogue of sources: what each vendor sends, how it proves who it is, and how an event would
// be sent by it.
package adapters

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	generic "switchyard/adapters/http"
	"switchyard/adapters/segment"
	"switchyard/adapters/spec"
	"switchyard/adapters/verify"
	"switchyard/engine"
)

// Kinds is every vendor, by the kind that a source is configured with.
var Kinds = map[string]Kind{
	"segment": {Decode: segment.Decode, Encode: segment.Encode, Schemes: segment.Schemes},
	"http":    {Decode: generic.Decode, Encode: generic.Encode, Schemes: generic.Schemes},
}

// Names are the kinds, sorted.
func Names() []string {
	names := make([]string, 0, len(Kinds))
	for name := range Kinds {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Kind is one vendor.
type Kind struct {
	// Decode makes events of a request to the vendor's webhook; its errors are *engine.BadRequest. The request is lent.
	Decode func(req *engine.Request, opts spec.Options) (engine.Batch, error)
	// Encode makes the body and the headers with which the vendor would post an event; signatures are added to it.
	Encode func(event []byte) (http.Header, []byte, error)
	// Schemes are the schemes of package verify that the vendor can be configured to send, the best first.
	Schemes []string
}

// Check reports what is wrong with the verification of a connection: a scheme that this vendor can not send, or one that
// is not complete. The zero config is fine; the write key alone is then the credential.
func (k Kind) Check(cfg verify.Config) error {
	if cfg.IsZero() {
		return nil
	}
	if _, err := verify.New(cfg); err != nil {
		return err
	}
	return k.sends(cfg)
}

func (k Kind) sends(cfg verify.Config) error {
	if !cfg.IsZero() && !slices.Contains(k.Schemes, cfg.Scheme) {
		return fmt.Errorf("verify: this kind of source does not send scheme %s; use %s", cfg.Scheme, strings.Join(k.Schemes, " or "))
	}
	return nil
}

// Receiver verifies and decodes the requests of one connection.
type Receiver struct {
	kind     Kind
	verifier *verify.Verifier
}

// Receiver builds the receiver of a connection, or returns the error of Check.
func (k Kind) Receiver(cfg verify.Config) (*Receiver, error) {
	if err := k.Check(cfg); err != nil {
		return nil, err
	}
	verifier := verify.None()
	if !cfg.IsZero() {
		var err error
		if verifier, err = verify.New(cfg); err != nil {
			return nil, err
		}
	}
	return &Receiver{kind: k, verifier: verifier}, nil
}

// Receive makes events of a request to the vendor's webhook. Its errors are *engine.Unauthorized and *engine.BadRequest.
func (r *Receiver) Receive(req *engine.Request, now time.Time) (engine.Batch, error) {
	return r.receive(req, now, "")
}

// ReceiveCall does the same for a call of a Segment-compatible SDK, /v1/track and the like: the call is the type of the
// messages that have none, but for batch, whose messages each have their own.
func (r *Receiver) ReceiveCall(call string, req *engine.Request, now time.Time) (engine.Batch, error) {
	if call == "batch" {
		call = ""
	}
	return r.receive(req, now, call)
}

func (r *Receiver) receive(req *engine.Request, now time.Time, defaultType string) (engine.Batch, error) {
	coverage, err := r.verifier.Verify(req, now)
	if err != nil {
		return engine.Batch{}, err
	}
	return r.kind.Decode(req, spec.Options{Now: now, Coverage: coverage, DefaultType: defaultType})
}

// Message is a request without its address.
type Message struct {
	Method string
	Header http.Header
	Query  url.Values
	Body   []byte
}

// Request is how the vendor would send an event to a connection with this verification. A scheme that sends an id of the
// message is given a new one for every now.
func (k Kind) Request(event []byte, cfg verify.Config, now time.Time) (*Message, error) {
	if err := k.sends(cfg); err != nil { // not Check: a sender signs with a private key
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
