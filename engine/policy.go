package engine

import (
	"math/rand/v2"
	"time"
)

// Policy is how an environment's destination is called.
type Policy struct {
	// Concurrency is the most calls at once.
	Concurrency int
	// Rate is the most calls a second, by all processes together; 0 is no bound.
	Rate float64
	// Timeout bounds one attempt.
	Timeout time.Duration
	Breaker Breaker
	Retry   Retry
	Lanes   Lanes
}

// Breaker is when a destination that fails is left alone: after so many failures in a row (0 is never), for so long; then
// one call tries it.
type Breaker struct {
	Failures int
	Open     time.Duration
}

// Retry is when another attempt is made, and when no more.
type Retry struct {
	// Attempts is the most in one round; MaxAge is how long after the first of the round the last may start.
	Attempts int
	MaxAge   time.Duration
	// Min and Max bound the wait, which doubles from Min; a Retry-After is honoured between them.
	Min, Max time.Duration
}

// DefaultPolicy suits a destination that answers in a second: thirteen attempts in about an hour, then dead.
var DefaultPolicy = Policy{
	Concurrency: 16,
	Timeout:     10 * time.Second,
	Retry:       Retry{Attempts: 13, MaxAge: 24 * time.Hour, Min: time.Second, Max: 15 * time.Minute},
	Lanes:       Lanes{Waiting: 1000, Age: 24 * time.Hour},
}

// wait is how long until the attempt after the nth of this round (n from 1): doubled each time, and up to a quarter more
// so that the lanes that failed together do not come back together. It is never outside the bounds.
func (r Retry) wait(n int, err error) time.Duration {
	full := r.Max
	if shift := max(n-1, 0); shift < 63 && r.Min < r.Max>>shift { // compared this way round nothing overflows
		full = r.Min << shift
	}
	longest := full + min(full/4, r.Max-full)
	shortest := max(longest-full/4, r.Min) // at the upper bound the quarter is below it
	wait := shortest
	if longest > shortest {
		wait += rand.N(longest - shortest)
	}
	if asked, ok := AskedWait(err); ok {
		wait = max(wait, min(asked, r.Max))
	}
	return wait
}

// settle puts the outcome of one attempt into the action and returns when the next is due; zero when it has ended. It
// is the one place that decides between succeeded, skipped, retrying and dead.
func (r Retry) settle(action *Action, attempt Attempt, result Result, err error) (next time.Time) {
	if len(action.Attempts) == action.BudgetFrom {
		action.BudgetSince = attempt.At // what it waited for others before is not its fault
	}
	switch {
	case err == nil && result.Skipped != "":
		attempt.Status, action.Reason = StatusSkipped, result.Skipped
	case err == nil:
		attempt.Status, action.Reason = StatusSucceeded, ""
	default:
		attempt.Status, attempt.Error, action.Reason = StatusRetrying, err.Error(), err.Error()
		tries := len(action.Attempts) + 1 - action.BudgetFrom
		next = attempt.At.Add(attempt.Took).Add(r.wait(tries, err))
		if IsPermanent(err) || tries >= r.Attempts || next.Sub(action.BudgetSince) > r.MaxAge {
			attempt.Status, next = StatusDead, time.Time{}
		}
	}
	action.Status = attempt.Status
	action.Result = result.Body
	action.Attempts = append(action.Attempts, attempt)
	return next
}
