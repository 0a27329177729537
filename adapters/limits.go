package adapters

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate" // the token bucket that Go's own team keeps

	"switchyard/adapters/spec"
	"switchyard/engine"
)

// Limits bound what one connection may send to one process; zero values leave what the server allows to everybody.
type Limits struct {
	// Rate is the events a second, Burst how many may come at once before it counts; Rate's own second when zero.
	Rate  float64
	Burst int
	// Body is the bytes of a request after decompression, Batch its events.
	Body, Batch int
}

// minRate is one event in a day.
const minRate = 1.0 / (24 * 60 * 60)

func (l Limits) check() error {
	switch {
	case l.Rate < 0 || l.Burst < 0 || l.Body < 0 || l.Batch < 0:
		return errors.New("limits: a limit can not be negative; leave it out for none")
	case l.Burst > 0 && l.Rate == 0:
		return errors.New("limits: burst needs a rate")
	case l.Batch > spec.DefaultMaxEvents:
		return fmt.Errorf("limits: batch can not be above %d, which is the limit for everybody", spec.DefaultMaxEvents)
	case l.Rate != 0 && !(l.Rate >= minRate && l.Rate <= math.MaxInt32): // NaN, too
		return errors.New("limits: rate must be a number of events a second, at least one in a day")
	}
	return nil
}

// throttle holds a connection to its rate. A request is let in while there is anything left, and is then charged for all
// of its events, also below zero: a batch larger than the burst is so not shut out for good, and pays afterwards.
type throttle struct {
	bucket *rate.Limiter
	mu     sync.Mutex
	latest time.Time
}

// newThrottle returns nil, which lets everything in, when there is no rate.
func newThrottle(l Limits) *throttle {
	if l.Rate == 0 {
		return nil
	}
	burst := l.Burst
	if burst == 0 {
		burst = max(1, int(l.Rate))
	}
	return &throttle{bucket: rate.NewLimiter(rate.Limit(l.Rate), burst)}
}

// maxWait is the longest that a sender is told to wait.
const maxWait = time.Hour

// forward is a clock that does not go back: requests that overtake each other would win tokens.
func (t *throttle) forward(now time.Time) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.After(t.latest) || t.latest.Sub(now) > maxWait { // a clock that was set back far is a new one
		t.latest = now
	}
	return t.latest
}

// open refuses early, before a body is decoded.
func (t *throttle) open(now time.Time) error {
	if t == nil {
		return nil
	}
	missing := 1 - t.bucket.TokensAt(t.forward(now))
	if missing <= 0 {
		return nil
	}
	seconds := min(missing/float64(t.bucket.Limit()), maxWait.Seconds())
	return &engine.Throttled{Wait: time.Duration(seconds * float64(time.Second))}
}

// take charges for the events of a request; of two that come at once, one may find that nothing is left.
func (t *throttle) take(now time.Time, events int) error {
	if t == nil || events == 0 {
		return nil
	}
	now = t.forward(now)
	if !t.bucket.AllowN(now, 1) {
		return t.open(now)
	}
	for rest := events - 1; rest > 0; rest -= t.bucket.Burst() {
		t.bucket.ReserveN(now, min(rest, t.bucket.Burst()))
	}
	return nil
}
