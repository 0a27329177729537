package engine

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Destination is where actions go. Perform makes one attempt and judges it: a nil error is success (or a skip, when the
// result says so), Permanent(err) is final, any other error may be tried again. It must be safe to call again with the
// same action: effects carry Action.EffectKey, and a target that takes such keys is given them.
type Destination interface {
	Perform(ctx context.Context, action *Action) (Result, error)
}

// Result is what a destination did.
type Result struct {
	// Body is kept in the action log: a JSON value, such as {"workflow_run_id":"…"}; nil for none.
	Body json.RawMessage
	// Skipped is why nothing was done; "" when something was.
	Skipped string
}

// Permanent marks an error that another attempt can not mend.
func Permanent(err error) error { return &permanent{err} }

// IsPermanent reports whether another attempt is pointless.
func IsPermanent(err error) bool {
	var p *permanent
	return errors.As(err, &p)
}

type permanent struct{ error }

func (p *permanent) Unwrap() error { return p.error }

// RetryAfter marks an error with the wait that the destination asked for.
func RetryAfter(err error, wait time.Duration) error { return &retryAfter{err, wait} }

type retryAfter struct {
	error
	wait time.Duration
}

func (r *retryAfter) Unwrap() error { return r.error }
