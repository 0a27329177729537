package engine

import (
	"errors"
	"regexp"
	"slices"
	"time"
)

// ErrNotDead is returned when an action is to be run again that has not ended dead.
var ErrNotDead = errors.New("only a dead action can be run again")

// What keeps an action from being repeated.
var (
	ErrNotEnded  = errors.New("only an action that has ended can be repeated")
	ErrNoPayload = errors.New("this action was skipped before anything was resolved: there is nothing to repeat")
	ErrNonceUsed = errors.New("this action was repeated with this nonce before; another nonce repeats it once more")
)

// nonces are those that people may choose.
var nonces = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// IsNonce reports whether a text can tell one intended repeat of an action from another.
func IsNonce(text string) bool { return nonces.MatchString(text) }

// Nonce is that of the newest intended repeat, "" for an action that was not repeated. It is part of the effect keys.
func (a *Action) Nonce() string {
	if len(a.Nonces) == 0 {
		return ""
	}
	return a.Nonces[len(a.Nonces)-1]
}

// Retry begins another round of a dead action: the same effects, under the same keys, with a new budget of attempts.
func (a *Action) Retry(now time.Time) error {
	if a.Status != StatusDead {
		return ErrNotDead
	}
	a.begin(now)
	return nil
}

// Repeat asks for the effects of an ended action once more, under keys that the nonce makes new and deterministic. A
// nonce repeats an action once: when the repeat is dead, the same nonce runs it again under the keys that it has.
func (a *Action) Repeat(nonce string, now time.Time) error {
	switch {
	case a.Status == StatusDead && nonce == a.Nonce():
		return a.Retry(now)
	case slices.Contains(a.Nonces, nonce):
		return ErrNonceUsed
	case !a.Status.Ended():
		return ErrNotEnded
	case a.Identify == nil && a.Trigger == nil:
		return ErrNoPayload
	}
	a.Nonces = append(slices.Clip(a.Nonces), nonce)
	a.begin(now)
	return nil
}

func (a *Action) begin(now time.Time) {
	a.Status, a.BudgetFrom, a.BudgetSince = StatusWaiting, len(a.Attempts), now
}
