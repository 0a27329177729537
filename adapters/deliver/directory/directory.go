// Package directory is the built-in destination: it keeps the people that identifies name, and hands the runs that
// triggers start to a stream. It honours effect keys, so an action performed twice has one effect and one result.
package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"switchyard/engine"
)

// Store keeps people and runs. Each method is told the effect key, and does nothing when it has seen it before.
type Store interface {
	// Change sets a user's traits, empty when the user is new, to what change makes of them; see redislog.Directory.
	Change(ctx context.Context, environment, userID, effect string,
		change func(traits map[string]any) (map[string]any, error)) (applied bool, err error)
	// Known reports for each id whether there is such a user.
	Known(ctx context.Context, environment string, ids []string) ([]bool, error)
	// AppendRun appends a run and keeps its result; stored is the result of the first call with this effect key.
	AppendRun(ctx context.Context, environment, effect string, run engine.Run, result json.RawMessage) (stored json.RawMessage, err error)
}

// Destination performs actions on a Store.
type Destination struct {
	store Store
	now   func() time.Time
}

var _ engine.Destination = (*Destination)(nil)

// New makes the destination. Now is the clock; time.Now when nil.
func New(store Store, now func() time.Time) *Destination {
	if now == nil {
		now = time.Now
	}
	return &Destination{store: store, now: now}
}

// Perform implements engine.Destination. The bodies of its results are
//
//	{"user_id":"sam10","applied":true}
//	{"workflow_run_id":"…","recipients":[{"id":"sam10","status":"notified"}, …]}
//
// where applied is false when the effect was there already, and a recipient's status is notified, "identified and
// notified", or skipped with a reason. Nothing that it fails on for good can be mended by another attempt: an unknown
// actor, or traits that grow too large.
//
// While the store is away, which is where the actions are too, no attempt is counted.
func (d *Destination) Perform(ctx context.Context, action *engine.Action) (engine.Result, error) {
	result, err := d.perform(ctx, action)
	if errors.Is(err, engine.ErrUnavailable) {
		return engine.Result{}, engine.Postponed(err.Error(), time.Second)
	}
	return result, err
}

func (d *Destination) perform(ctx context.Context, action *engine.Action) (engine.Result, error) {
	switch {
	case action.Identify != nil:
		return d.identify(ctx, action)
	case action.Trigger != nil:
		return d.trigger(ctx, action)
	}
	return engine.Result{}, engine.Permanent(fmt.Errorf("an action of kind %q has no payload", action.Kind))
}

func (d *Destination) identify(ctx context.Context, action *engine.Action) (engine.Result, error) {
	applied, err := d.upsert(ctx, action, action.Identify.UserID, action.Identify.Traits)
	if err != nil {
		return engine.Result{}, err
	}
	return body(struct {
		UserID  string `json:"user_id"`
		Applied bool   `json:"applied"`
	}{action.Identify.UserID, applied})
}

// upsert lays traits over what is known of one user, once for each action.
func (d *Destination) upsert(ctx context.Context, action *engine.Action, userID string, traits map[string]any) (applied bool, err error) {
	effect := action.EffectKey("user:" + userID)
	applied, err = d.store.Change(ctx, action.Environment, userID, effect, func(known map[string]any) (map[string]any, error) {
		merged := engine.MergeTraits(known, traits)
		doc, err := json.Marshal(merged)
		if err != nil {
			return nil, engine.Permanent(fmt.Errorf("the traits can not be written: %w", err))
		}
		if len(doc) > engine.MaxTraitsBytes {
			return nil, engine.Permanent(fmt.Errorf("the traits of %q would have %d bytes, more than %d", userID, len(doc), engine.MaxTraitsBytes))
		}
		return merged, nil
	})
	if err != nil {
		return false, fmt.Errorf("identifying %q: %w", userID, err)
	}
	return applied, nil
}

// body is a result of one JSON value.
func body(value any) (engine.Result, error) {
	doc, err := json.Marshal(value)
	if err != nil {
		return engine.Result{}, engine.Permanent(fmt.Errorf("the result can not be written: %w", err))
	}
	return engine.Result{Body: doc}, nil
}
