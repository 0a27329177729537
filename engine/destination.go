package engine

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
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

// AskedWait is the wait that the destination asked for, if it did.
func AskedWait(err error) (wait time.Duration, ok bool) {
	var asked *retryAfter
	if errors.As(err, &asked) {
		return asked.wait, true
	}
	return 0, false
}

// AskedToWait marks an error with what a Retry-After header asks for, seconds or a date; with "", and what is neither, the
// error is returned as it is.
func AskedToWait(err error, header string, now time.Time) error {
	if seconds, failed := strconv.ParseUint(header, 10, 31); failed == nil {
		return RetryAfter(err, time.Duration(seconds)*time.Second)
	}
	if at, failed := http.ParseTime(header); failed == nil && at.After(now) {
		return RetryAfter(err, at.Sub(now))
	}
	return err
}

// Closed marks an error by which the destination says that it wants no more calls. It is paused then, until somebody
// resumes it, and the action is tried again after that.
func Closed(err error) error { return &closed{err} }

// IsClosed reports whether the destination wants no more calls.
func IsClosed(err error) bool {
	var c *closed
	return errors.As(err, &c)
}

type closed struct{ error }

func (c *closed) Unwrap() error { return c.error }

// Postponed is an error by which a destination says that it made no attempt, for it is not the action's turn yet: its rate
// is used up, or it is paused. The action is due again after the wait, and nothing is counted against it.
func Postponed(reason string, wait time.Duration) error { return &postponed{reason, wait} }

// PostponedFor is how long an action is postponed, if it is.
func PostponedFor(err error) (wait time.Duration, ok bool) {
	var p *postponed
	if errors.As(err, &p) {
		return p.wait, true
	}
	return 0, false
}

type postponed struct {
	reason string
	wait   time.Duration
}

func (p *postponed) Error() string { return p.reason }
