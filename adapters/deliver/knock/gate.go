package knock

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate" // the token bucket that Go's own team keeps

	"switchyard/engine"
)

// The limits that Knock publishes, in calls a second of one environment.
// Source: https://docs.knock.app/api-reference/overview/rate-limits (tiers 3, 1, 4 and 5).
const (
	identifyLimit = 60
	bulkLimit     = 1
	lookLimit     = 200
	triggerLimit  = 1000
)

const (
	// paceShare of a limit is the pace, and burstShare may come at once: together below the limit in any second, however
	// it is counted there, with a margin for calls that overtake each other on the way.
	paceShare  = 0.95
	burstShare = 0.04
	// slowest is the least share of the pace that a gate falls to.
	slowest = 1.0 / 16
	// recovery is the share of the pace that is won back in each second without a 429.
	recovery = 0.05
	// round is how often the pace is changed at most: one burst of 429 is one reason.
	round = time.Second
	// closedLeast and closedMost bound how long a 429 closes a gate.
	closedLeast = time.Second
	closedMost  = 5 * time.Minute
	// appointmentMost bounds how far ahead an action is postponed, so that a pace that rises again is used soon.
	appointmentMost = time.Minute
)

// gate paces the calls of one endpoint. It is a token bucket whose pace is halved by a 429 and recovers in steps, and
// which closes for as long as a Retry-After says.
type gate struct {
	// name is for people: "identifies".
	name  string
	limit float64
	share func() int

	mu      sync.Mutex
	bucket  *rate.Limiter
	latest  time.Time
	opens   time.Time
	factor  float64
	changed time.Time
	// appointment is the latest that was given to an action which could not be served in time.
	appointment time.Time
}

func newGate(name string, limit float64, share func() int) *gate {
	return &gate{name: name, limit: limit, share: share, factor: 1, bucket: rate.NewLimiter(rate.Limit(limit*paceShare), burstOf(limit))}
}

func burstOf(limit float64) int { return max(1, int(limit*burstShare)) }

// enter waits for a turn, up to patience. When there is none by then it returns at once that the action is postponed.
func (g *gate) enter(ctx context.Context, clock clock, patience time.Duration) error {
	give := clock.Now().Add(patience)
	for {
		now := clock.Now()
		turn, at := g.reserve(now)
		if at.After(give) {
			g.cancel(turn, now)
			return g.postpone(now, at)
		}
		if at.After(now) {
			if err := clock.sleep(ctx, at.Sub(now)); err != nil {
				g.cancel(turn, clock.Now())
				if errors.Is(err, context.DeadlineExceeded) { // no attempt was made
					return g.postpone(clock.Now(), at)
				}
				return err
			}
		}
		if !g.closed(clock.Now()) {
			return nil
		}
		// A 429 closed the gate meanwhile; what waited has to queue up again, or it would all go at once.
	}
}

func (g *gate) reserve(now time.Time) (turn *rate.Reservation, at time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	from := g.forward(now)
	turn = g.bucket.ReserveN(from, 1)
	return turn, from.Add(turn.DelayFrom(from))
}

func (g *gate) cancel(turn *rate.Reservation, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	turn.CancelAt(g.forward(now))
}

// take takes a turn if there is one now, and says when there may be one if not.
func (g *gate) take(now time.Time) (taken bool, next time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if next = g.next(now); next.After(now) {
		return false, next
	}
	return g.bucket.AllowN(g.forward(now), 1), next
}

// peek says when there may be a turn.
func (g *gate) peek(now time.Time) time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.next(now)
}

func (g *gate) next(now time.Time) time.Time {
	from := g.forward(now)
	missing := 1 - g.bucket.TokensAt(from)
	if missing <= 0 {
		return from
	}
	return from.Add(seconds(missing / float64(g.bucket.Limit())))
}

// within is how many calls a wait allows for.
func (g *gate) within(now time.Time, wait time.Duration) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	left := now.Add(wait).Sub(g.next(now)).Seconds()
	if left < 0 {
		return 0
	}
	return 1 + int(left*float64(g.bucket.Limit()))
}

// pace is the calls a second now.
func (g *gate) pace(now time.Time) float64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.forward(now)
	return float64(g.bucket.Limit())
}

// forward is the time for the bucket: never before the gate opens, and a clock that does not go back, for requests that
// overtake each other would win tokens. It also sets the pace.
func (g *gate) forward(now time.Time) time.Time {
	if g.opens.Sub(now) > closedMost {
		g.opens = now // a clock that was set back far is a new one
	}
	if g.opens.After(now) {
		now = g.opens
	}
	if now.After(g.latest) || g.latest.Sub(now) > 2*closedMost {
		g.latest = now
	}
	share := max(1, g.share())
	if pace := rate.Limit(g.limit * paceShare * g.factor / float64(share)); pace != g.bucket.Limit() {
		g.bucket.SetLimitAt(g.latest, pace)
		g.bucket.SetBurstAt(g.latest, burstOf(g.limit*g.factor/float64(share)))
	}
	return g.latest
}

func (g *gate) closed(now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.opens.After(now)
}

// postpone gives an action a time at which it should come again. Appointments follow each other at the pace of the gate,
// so that those which were sent away do not come back together; at is the earliest.
func (g *gate) postpone(now, at time.Time) error {
	return g.postponeAt(now, at, g.pace(now))
}

func (g *gate) postponeAt(now, at time.Time, pace float64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if next := g.appointment.Add(seconds(1 / pace)); next.After(at) {
		at = next
	}
	if latest := now.Add(appointmentMost); at.After(latest) {
		at = latest
	}
	g.appointment = at
	return engine.Postponed("the rate of "+g.name+" that Knock allows is used up", max(at.Sub(now), time.Millisecond))
}

// limited notes a 429; wait is its Retry-After, 0 for none.
func (g *gate) limited(now time.Time, wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now.Sub(g.changed) >= round || now.Before(g.changed) {
		g.factor, g.changed = max(g.factor/2, slowest), now
	}
	g.shut(now, max(wait, closedLeast))
}

// close notes that the endpoint asked for a pause without being overrun.
func (g *gate) close(now time.Time, wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut(now, wait)
}

func (g *gate) shut(now time.Time, wait time.Duration) {
	if opens := now.Add(min(wait, closedMost)); opens.After(g.opens) {
		g.opens = opens
	}
}

// served notes a success.
func (g *gate) served(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.factor < 1 && now.Sub(g.changed) >= round {
		g.factor, g.changed = min(1, g.factor+recovery), now
	}
}

// seconds is a duration, also for a number too large for one.
func seconds(n float64) time.Duration {
	if n*float64(time.Second) >= math.MaxInt64/2 {
		return math.MaxInt64 / 2
	}
	return time.Duration(n * float64(time.Second))
}
