package adapters

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	generic "switchyard/adapters/http"
	"switchyard/adapters/rows"
	"switchyard/adapters/schema"
	"switchyard/adapters/spec"
	"switchyard/adapters/verify"
	"switchyard/engine"
)

// Mapper reads the messages of a request with the expressions of a connection.
type Mapper interface {
	// Map returns up to max messages; its errors are *engine.BadRequest.
	Map(req *engine.Request, max int) ([]engine.Mapped, error)
	// Splits is true when a request can have several messages.
	Splits() bool
}

// What becomes of an event whose data does not fit its schema.
const (
	// Quarantine logs it as invalid, with what does not fit. It is the default.
	Quarantine = "quarantine"
	// Warn routes it, with what does not fit on the log.
	Warn = "warn"
	// Reject refuses it when it came alone, and else does as Quarantine.
	Reject = "reject"
)

// Settings are what a connection sets for its receiver; the zero value takes everything that the vendor sends.
type Settings struct {
	Verify verify.Config
	Rows   rows.Config
	// Map reads the bodies instead of the kind's own decoder; nil for none.
	Map    Mapper
	Limits Limits
	// Schemas are those of the data of events, by the events' names; OnInvalid is Quarantine when "".
	Schemas   map[string]*schema.Schema
	OnInvalid string
	// Objects are the rows that the environment's rules use.
	Objects []engine.Object
}

// Receiver verifies and decodes the requests of one connection.
type Receiver struct {
	kind     Kind
	settings Settings
	verifier *verify.Verifier
	throttle *throttle
}

// Receiver builds the receiver of a connection, or says which of its settings this kind can not have.
func (k Kind) Receiver(s Settings) (*Receiver, error) {
	if err := errors.Join(k.Check(s.Verify), k.checkRows(s.Rows), s.Limits.check()); err != nil {
		return nil, err
	}
	if s.Map != nil && !k.Templated {
		return nil, errors.New("map: this kind of source sends one form, which needs no map; remove it, or use kind http")
	}
	verifier := verify.None()
	if !s.Verify.IsZero() {
		var err error
		if verifier, err = verify.New(s.Verify); err != nil {
			return nil, err
		}
	}
	return &Receiver{kind: k, settings: s, verifier: verifier, throttle: newThrottle(s.Limits)}, nil
}

func (k Kind) checkRows(cfg rows.Config) error {
	switch {
	case !k.Rows && !cfg.IsZero():
		return errors.New("rows: this kind of source sends no rows; remove it")
	case cfg.Dedupe < 0:
		return errors.New("rows: dedupe must be a time, such as 1h")
	}
	for object, fields := range cfg.Objects {
		for field, typ := range fields {
			if !slices.Contains(rows.FieldTypes, typ) {
				return fmt.Errorf("rows: the type of %s.%s must be one of %s", object, field, strings.Join(rows.FieldTypes, ", "))
			}
		}
	}
	return nil
}

// Receive makes events of a request to the vendor's webhook. Its errors are *engine.Unauthorized, *engine.BadRequest,
// *engine.TooLarge and *engine.Throttled.
func (r *Receiver) Receive(req *engine.Request, now time.Time) (engine.Batch, error) {
	return r.receive(req, now, r.decode)
}

// ReceiveCall does the same for a call of a Segment-compatible SDK, /v1/track and the like, whatever the kind: the call
// is the type of the messages that have none, but for batch, whose messages each have their own.
func (r *Receiver) ReceiveCall(call string, req *engine.Request, now time.Time) (engine.Batch, error) {
	return r.receive(req, now, func(req *engine.Request, opts rows.Options) (engine.Batch, error) {
		if call != "batch" {
			opts.DefaultType = call
		}
		return spec.Decode(req.Body, opts.Options)
	})
}

// receive is the road of a request, the cheapest refusals first. Who is not verified spends nothing of the rate.
func (r *Receiver) receive(req *engine.Request, now time.Time, decode func(*engine.Request, rows.Options) (engine.Batch, error)) (engine.Batch, error) {
	if limit := r.settings.Limits.Body; limit > 0 && len(req.Body) > limit {
		return engine.Batch{}, &engine.TooLarge{Limit: limit}
	}
	coverage, err := r.verifier.Verify(req, now)
	if err != nil {
		return engine.Batch{}, err
	}
	if err := r.throttle.open(now); err != nil {
		return engine.Batch{}, err
	}
	if r.kind.Tidy != nil {
		tidy := *req
		tidy.Body = r.kind.Tidy(req.Body)
		req = &tidy
	}
	batch, err := decode(req, r.options(now, coverage))
	if err != nil {
		return engine.Batch{}, err
	}
	if err := r.checkData(batch); err != nil {
		return engine.Batch{}, err
	}
	return batch, r.throttle.take(now, len(batch.Events))
}

func (r *Receiver) options(now time.Time, coverage verify.Coverage) rows.Options {
	common := spec.Options{Now: now, Coverage: coverage, MaxEvents: r.settings.Limits.Batch}
	return rows.Options{
		Options: common.WithDefaults(), Config: r.settings.Rows, Used: r.settings.Objects, Rate: r.settings.Limits.Rate,
	}
}

func (r *Receiver) decode(req *engine.Request, opts rows.Options) (engine.Batch, error) {
	if r.settings.Map == nil {
		return r.kind.Decode(req, opts)
	}
	messages, err := r.settings.Map.Map(req, opts.MaxEvents)
	if err != nil {
		return engine.Batch{}, err
	}
	return generic.DecodeMapped(req, messages, !r.settings.Map.Splits(), opts.Options), nil
}

// checkData holds the data of each event against the schema for its name.
func (r *Receiver) checkData(batch engine.Batch) error {
	for _, event := range batch.Events {
		schema := r.settings.Schemas[event.Name]
		if schema == nil || event.Invalid != "" {
			continue
		}
		event.Violations = schema.Check(event.Data)
		if len(event.Violations) == 0 || r.settings.OnInvalid == Warn {
			continue
		}
		event.Invalid = "the data does not fit the schema of " + event.Name + ": " + violations(event.Violations)
		if r.settings.OnInvalid == Reject && batch.Single {
			return &engine.BadRequest{Code: "schema_violation", Message: event.Invalid}
		}
	}
	return nil
}

// violations are the first few, as one sentence.
func violations(list []engine.Violation) string {
	const most = 3
	var parts []string
	for _, violation := range list[:min(len(list), most)] {
		parts = append(parts, strings.TrimSpace(violation.Pointer+" "+violation.Message))
	}
	if more := len(list) - most; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, "; ")
}
