package adapters

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"switchyard/adapters/rows"
	"switchyard/adapters/schema"
	"switchyard/adapters/spec"
	"switchyard/adapters/verify"
	"switchyard/engine"
)

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

// SettingError is one setting that this kind of source can not have.
type SettingError struct {
	// Section is the part of the connection: verify, rows, map or limits.
	Section string
	Err     error
}

func (e SettingError) Error() string { return e.Err.Error() }

// SettingErrors are all of them.
type SettingErrors []SettingError

func (e SettingErrors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Receiver builds the receiver of a connection. Its error is SettingErrors.
func (k Kind) Receiver(s Settings) (*Receiver, error) {
	var wrong SettingErrors
	check := func(section string, err error) {
		if err != nil {
			wrong = append(wrong, SettingError{section, err})
		}
	}
	verifier, err := k.verifier(s.Verify)
	check("verify", err)
	check("rows", k.checkRows(s.Rows))
	check("map", k.checkMap(s.Map))
	check("limits", s.Limits.check())
	if wrong != nil {
		return nil, wrong
	}
	return &Receiver{kind: k, settings: s, verifier: verifier, throttle: newThrottle(s.Limits)}, nil
}

// verifier is that of a connection; the zero config takes everybody who knows the write key.
func (k Kind) verifier(cfg verify.Config) (*verify.Verifier, error) {
	if cfg.IsZero() {
		return verify.None(), nil
	}
	verifier, err := verify.New(cfg)
	if err != nil {
		return nil, err
	}
	return verifier, k.sends(cfg)
}

func (k Kind) checkRows(cfg rows.Config) error {
	if !k.Rows && !cfg.IsZero() {
		return errors.New("rows: this kind of source sends no rows; remove it")
	}
	return cfg.Check()
}

func (k Kind) checkMap(mapper Mapper) error {
	if mapper != nil && !k.Templated {
		return errors.New("map: this kind of source sends one form, which needs no map; remove it, or use kind http")
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
			if r.verifier.SignsBody() { // and not the path, which decides the type of a message without one
				opts.Coverage = verify.Unsure
			}
		}
		return spec.Decode(req.Body, opts.Options)
	})
}

// Preview makes events of a request as Receive does, but asks for no proof and takes nothing of the rate: it is for
// people who want to know what would become of an event.
func (r *Receiver) Preview(req *engine.Request, now time.Time) (engine.Batch, error) {
	if limit := r.settings.Limits.Body; limit > 0 && len(req.Body) > limit {
		return engine.Batch{}, &engine.TooLarge{Limit: limit}
	}
	unproven, err := verify.None().Verify(req, now)
	if err != nil {
		return engine.Batch{}, err
	}
	return r.read(req, r.options(req, now, unproven), r.decode)
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
	batch, err := r.read(req, r.options(req, now, coverage), decode)
	if err != nil {
		_ = r.throttle.take(now, 1) // what is refused took work, too
		return engine.Batch{}, err
	}
	return batch, r.throttle.take(now, len(batch.Events))
}

// read makes events of a body and holds them against the connection's schemas, and all of them against the size of the
// body.
func (r *Receiver) read(req *engine.Request, opts rows.Options, decode func(*engine.Request, rows.Options) (engine.Batch, error)) (engine.Batch, error) {
	tidy := r.tidied(req)
	batch, err := decode(tidy, opts)
	if err != nil {
		return engine.Batch{}, err
	}
	if len(tidy.Body) != len(req.Body) {
		for _, event := range batch.Events {
			event.Notes = append(event.Notes, "the body was not JSON as it was sent, and was mended")
		}
	}
	if err := r.checkData(&batch); err != nil {
		return engine.Batch{}, err
	}
	left := opts.Budget
	for _, event := range batch.Events {
		if left -= spec.Size(event); left < 0 {
			return engine.Batch{}, spec.ErrBudget
		}
	}
	return batch, nil
}

// tidied is the request with what the vendor is known to send broken mended.
func (r *Receiver) tidied(req *engine.Request) *engine.Request {
	if r.kind.Tidy == nil {
		return req
	}
	tidy := *req
	tidy.Body = r.kind.Tidy(req.Body)
	return &tidy
}

func (r *Receiver) options(req *engine.Request, now time.Time, coverage verify.Coverage) rows.Options {
	common := spec.Options{Now: now, Coverage: coverage, MaxEvents: r.settings.Limits.Batch, IDHeaders: r.verifier.IDHeaders()}
	return rows.Options{
		Options: common.WithDefaults(), Config: r.settings.Rows, Used: r.settings.Objects, Rate: r.settings.Limits.Rate,
		Budget: spec.Budget(len(req.Body)),
	}
}

func (r *Receiver) decode(req *engine.Request, opts rows.Options) (engine.Batch, error) {
	if r.settings.Map == nil {
		return r.kind.Decode(req, opts)
	}
	if r.verifier.SignsBody() && r.settings.Map.ReadsHeaders() { // which are not signed
		opts.Coverage = verify.Unsure
	}
	return decodeMapped(r.settings.Map, req, opts.Options)
}

// Inherit takes over what is left of the rate from the receiver that this one replaces.
func (r *Receiver) Inherit(before *Receiver) {
	if before != nil && before.settings.Limits == r.settings.Limits {
		r.throttle = before.throttle
	}
}

// checkData holds the data of each event against the schema for its name.
func (r *Receiver) checkData(batch *engine.Batch) error {
	budget := schema.NewBudget()
	for _, event := range batch.Events {
		schema := r.settings.Schemas[event.Name]
		if schema == nil || event.Invalid != "" {
			continue
		}
		event.Violations = schema.Check(event.Data, budget)
		if len(event.Violations) == 0 || r.settings.OnInvalid == Warn {
			continue
		}
		event.Invalid = "the data does not fit the schema of " + event.Name + ": " + violations(event.Violations)
		spec.Bound(event)
		batch.Keep = true
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
