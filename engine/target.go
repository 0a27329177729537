package engine

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
	"golang.org/x/time/rate"
)

// Target is a destination with its policy, and with what this process knows of how it does: what is under way, how fast
// calls may follow each other, whether it fails, and whether somebody paused it. All partitions of an environment share
// it. A reload makes another, which knows nothing yet.
type Target struct {
	Name        string
	Destination Destination
	Policy      Policy

	slots   chan struct{}
	pace    *pacer
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	paused  atomic.Pointer[Pause]
}

// Pause is why a destination is not called.
type Pause struct {
	Since  time.Time `json:"since"`
	Reason string    `json:"reason"`
}

// NewTarget makes a target.
func NewTarget(name string, destination Destination, policy Policy) *Target {
	t := &Target{Name: name, Destination: destination, Policy: policy, slots: make(chan struct{}, policy.Concurrency)}
	if policy.Rate > 0 {
		t.pace = &pacer{limiter: rate.NewLimiter(rate.Limit(policy.Rate), max(int(policy.Rate/10), 1))}
	}
	if b := policy.Breaker; b.Failures > 0 {
		// A well-kept circuit breaker, for its half-open state is easily got wrong.
		t.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
			Name: name, MaxRequests: 1, Timeout: b.Open,
			ReadyToTrip:  func(counts gobreaker.Counts) bool { return counts.ConsecutiveFailures >= uint32(b.Failures) },
			IsSuccessful: func(err error) bool { return !isOutage(err) },
		})
	}
	return t
}

// isOutage reports whether an error says that the destination itself does badly. An answer that is final does not, nor one
// that asks to wait: both are from a destination that works.
func isOutage(err error) bool {
	if err == nil || IsPermanent(err) || IsClosed(err) {
		return false
	}
	_, postponed := PostponedFor(err)
	_, asked := AskedWait(err)
	return !postponed && !asked
}

// BreakerState is how a destination does: closed is well, open is not called, half-open is tried with one call.
type BreakerState string

const (
	BreakerClosed   BreakerState = "closed"
	BreakerHalfOpen BreakerState = "half-open"
	BreakerOpen     BreakerState = "open"
)

// Breaker is the state of the circuit breaker; closed when there is none.
func (t *Target) Breaker() BreakerState {
	if t.breaker == nil {
		return BreakerClosed
	}
	return BreakerState(t.breaker.State().String())
}

// DestinationInfo is how a destination does, as this process knows it.
type DestinationInfo struct {
	Name, Kind string
	DryRun     bool
	Paused     *Pause
	Breaker    BreakerState
}

// Info is how it does.
func (t *Target) Info() DestinationInfo {
	_, dry := t.Destination.(DryRun)
	return DestinationInfo{Name: t.Name, Kind: t.Name, DryRun: dry, Paused: t.Paused(), Breaker: t.Breaker()}
}

// SetPaused has this process pause or, with nil, resume it at once.
func (t *Target) SetPaused(pause *Pause) { t.paused.Store(pause) }

// Paused is since when and why it is not called; nil when it is.
func (t *Target) Paused() *Pause { return t.paused.Load() }

// errShut is what a call gets that comes while the breaker is open, or tries it already.
var errShut = Postponed("the destination fails, and is tried again in a while", time.Second)

// call makes one call, if the breaker lets it.
func (t *Target) call(ctx context.Context, action *Action) (Result, error) {
	if t.breaker == nil {
		return t.Destination.Perform(ctx, action)
	}
	done, err := t.breaker.Allow()
	if err != nil {
		return Result{}, errShut
	}
	told := false
	defer func() {
		if !told { // a panic, which another action need not have
			done(nil)
		}
	}()
	result, err := t.Destination.Perform(ctx, action)
	told = true
	if errors.Is(ctx.Err(), context.Canceled) {
		done(nil) // cut off for the process stops; a time-out is another error
	} else {
		done(err)
	}
	return result, err
}

// admit takes permits for calls: at least one, unless stop ends or the destination is not to be called now; then wait is
// how long to wait for a change. Each permit is given back by leave, or by refund when it was not needed.
func (t *Target) admit(stop context.Context, most int) (permits int, wait time.Duration) {
	if t.paused.Load() != nil || t.Breaker() == BreakerOpen {
		return 0, dueIdle
	}
	if t.Breaker() == BreakerHalfOpen {
		most = 1
	}
	if t.pace != nil {
		if most, wait = t.pace.take(most); most == 0 {
			return 0, min(wait, dueIdle) // a reload may raise the rate
		}
	}
	select {
	case t.slots <- struct{}{}:
		permits = 1
	case <-stop.Done():
		t.unpace(most, 0)
		return 0, 0
	}
	for permits < most {
		select {
		case t.slots <- struct{}{}:
			permits++
			continue
		default:
		}
		break
	}
	t.unpace(most-permits, 0)
	return permits, 0
}

// refund gives permits back of which only some were used.
func (t *Target) refund(permits, used int) {
	for range permits - used {
		<-t.slots
	}
	t.unpace(permits, used)
}

func (t *Target) unpace(taken, used int) {
	if t.pace != nil {
		t.pace.spend(taken, used)
	}
}

// share divides the rate by the number of processes that call the destination.
func (t *Target) share(processes int) {
	if t.pace != nil {
		t.pace.shared(t.Policy.Rate, processes)
	}
}

// leave ends one call.
func (t *Target) leave() { <-t.slots }

// pacer spreads calls over time. What is taken counts against the rate only when it is spent, for who takes does not know
// yet how many actions there are.
type pacer struct {
	mu      sync.Mutex
	limiter *rate.Limiter
	taken   int
	share   int
}

// shared divides the rate by the number of processes that call the same destination.
func (p *pacer) shared(full float64, processes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if processes = max(processes, 1); processes != p.share {
		p.share = processes
		p.limiter.SetLimit(rate.Limit(full / float64(processes)))
	}
}

// take is how many calls, up to most, may begin now; when none, how long until one may.
func (p *pacer) take(most int) (n int, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	free := p.limiter.Tokens() - float64(p.taken)
	if n = min(int(free), most); n >= 1 {
		p.taken += n
		return n, 0
	}
	missing := (1 - free) / float64(p.limiter.Limit())
	return 0, max(time.Duration(missing*float64(time.Second)), time.Millisecond)
}

// spend ends a take, of which some was used.
func (p *pacer) spend(taken, used int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken -= taken
	p.limiter.AllowN(time.Now(), used)
}
