package knock

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
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
	// slowest is the least share of the pace that a gate falls to, and slowestRare that of one with few calls.
	slowest     = 1.0 / 16
	slowestRare = 1.0 / 2
	// recovery is the share of the pace that is won back in each second that the gate is open.
	recovery = 0.05
	// round is how often the pace is changed at most: one burst of 429 is one reason.
	round = time.Second
	// closedLeast and closedMost bound how long a 429 closes a gate.
	closedLeast = time.Second
	closedMost  = 5 * time.Minute
	// appointmentMost bounds how far ahead an action is postponed, so that a pace that rises again is used soon.
	appointmentMost = 20 * time.Second
)

// gate paces the calls of one endpoint. It is a token bucket whose pace is halved by a 429 and recovers in steps, and
// which closes for as long as a Retry-After says.
type gate struct {
	// name is for people: "identifies".
	name  string
	limit float64
	share func() int
	// rare is that it lets few calls through, all by take. A 429 says of them rather that two processes met than that the
	// pace is too high: the turn is given back, for the time when the gate opens again, and so they part.
	rare bool

	mu     sync.Mutex
	bucket *rate.Limiter
	latest time.Time
	opens  time.Time
	// factor is the share of the pace that was left by the last 429, at the time changed.
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
	now = later(now, g.opens)
	if now.After(g.latest) || g.latest.Sub(now) > round { // so much later it is no call that was overtaken
		g.latest = now
	}
	part := g.limit * g.recovered(g.latest) / float64(max(1, g.share()))
	if pace := rate.Limit(part * paceShare); pace != g.bucket.Limit() {
		g.bucket.SetLimitAt(g.latest, pace)
		g.bucket.SetBurstAt(g.latest, burstOf(part))
	}
	return g.latest
}

// recovered is the share of the pace that there is now. It grows with time, not with calls: an endpoint that allows one
// in a second would hardly ever recover.
func (g *gate) recovered(now time.Time) float64 {
	return min(1, g.factor+recovery*max(0, now.Sub(later(g.changed, g.opens)).Seconds()))
}

func (g *gate) closed(now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.opens.After(now)
}

// postpone says when an action should come again, at the earliest at the time given.
func (g *gate) postpone(now, at time.Time) error {
	return postponed(g.name, now, g.appoint(now, at, g.pace(now)))
}

func postponed(name string, now, at time.Time) error {
	return engine.Postponed("the rate of "+name+" that Knock allows is used up", max(at.Sub(now), time.Millisecond))
}

// appoint gives an appointment. They follow each other at a pace, so that actions which were sent away together do not
// come back together.
func (g *gate) appoint(now, at time.Time, pace float64) time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	at = later(at, g.appointment.Add(seconds(1/pace)))
	at = earlier(at, now.Add(appointmentMost))
	g.appointment = at
	return at
}

// limited notes a 429; wait is its Retry-After, 0 for none.
func (g *gate) limited(now time.Time, wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	floor := slowest
	if g.rare {
		floor = slowestRare
		g.bucket = rate.NewLimiter(g.bucket.Limit(), g.bucket.Burst())
	}
	if now.Sub(g.changed) >= round || now.Before(g.changed) {
		g.factor, g.changed = max(g.recovered(now)/2, floor), now
	}
	wait = max(wait, closedLeast)
	g.shut(now, wait+rand.N(wait/4)) // so that processes that met do not meet again
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

// seconds is a duration, also for a number too large for one.
func seconds(n float64) time.Duration {
	if n*float64(time.Second) >= math.MaxInt64/2 {
		return math.MaxInt64 / 2
	}
	return time.Duration(n * float64(time.Second))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
