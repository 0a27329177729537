package engine

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

// performer does the actions of one partition: due, perform, record. The first attempt and every retry are this code;
// it never sleeps with an action in hand, a retry is a due time in the outbox.
type performer struct {
	environment string
	outbox      Outbox
	// target is the environment's destination now; a reload changes it between two attempts.
	target  func() *Target
	metrics *Metrics
	logger  *slog.Logger
	trouble *trouble
	now     func() time.Time
	// wake cuts an idle wait short; it holds one token.
	wake   chan struct{}
	flying sync.WaitGroup
}

// Target is a destination with its policy. Its slots are shared by all partitions of the environment.
type Target struct {
	Name        string
	Destination Destination
	Policy      Policy
	slots       chan struct{}
}

// NewTarget makes a target.
func NewTarget(name string, destination Destination, policy Policy) *Target {
	return &Target{Name: name, Destination: destination, Policy: policy, slots: make(chan struct{}, policy.Concurrency)}
}

const (
	// dueIdle is how often lanes are looked at when nothing is known to be due: another process may have queued some.
	dueIdle = time.Second
	// leaseMargin is added to a destination's time-out for the time until the result is recorded.
	leaseMargin = 5 * time.Second
)

// run takes what is due until stop ends; calls under way then go on until work ends.
func (p *performer) run(stop, work context.Context) {
	store := &contact{trouble: p.trouble, environment: p.environment}
	defer store.gone()
	for stop.Err() == nil {
		target := p.target()
		free := p.acquire(stop, target)
		now := p.now()
		actions, next, err := p.outbox.Due(stop, now, target.Policy.Timeout+leaseMargin, free)
		for range free - len(actions) {
			<-target.slots
		}
		for _, action := range actions {
			p.flying.Add(1)
			go p.perform(work, target, action)
		}
		if err != nil {
			store.failed(stop, "actions can not be claimed", err)
			continue
		}
		store.worked()
		if len(actions) < free {
			p.idle(stop, now, next)
		}
	}
	p.flying.Wait()
}

// dueMax bounds what one partition takes at once, so that all partitions get their share of the slots.
const dueMax = 32

// acquire takes at least one slot, and what else is free at once.
func (p *performer) acquire(stop context.Context, target *Target) (free int) {
	select {
	case target.slots <- struct{}{}:
		free = 1
	case <-stop.Done():
		return 0
	}
	for free < dueMax {
		select {
		case target.slots <- struct{}{}:
			free++
		default:
			return free
		}
	}
	return free
}

func (p *performer) idle(stop context.Context, now, next time.Time) {
	wait := dueIdle
	if !next.IsZero() {
		wait = min(wait, max(next.Sub(now), time.Millisecond))
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.wake:
	case <-stop.Done():
	}
}

// nudge ends an idle wait now.
func (p *performer) nudge() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *performer) perform(ctx context.Context, target *Target, action *Action) {
	defer p.flying.Done()
	started, begun := p.now(), time.Now()
	result, err := p.attempt(ctx, target, action)
	attempt := Attempt{At: started, Took: time.Since(begun)} // by a clock that nothing sets
	<-target.slots
	if err != nil && ctx.Err() != nil {
		return // the process is stopping; the lease runs out and somebody makes this attempt again, under the same key
	}
	action.Destination = target.Name
	next := target.Policy.Retry.settle(action, attempt, result, err)
	p.record(ctx, action, next, target.Policy.Lanes.patience(action, next))
	p.nudge()
}

// attempt makes one call; a destination that panics has failed for good on this action.
func (p *performer) attempt(ctx context.Context, target *Target, action *Action) (result Result, err error) {
	ctx, cancel := context.WithTimeout(ctx, target.Policy.Timeout)
	defer cancel()
	defer func() {
		if caught := recover(); caught != nil {
			p.logger.Error("a destination panicked", "environment", p.environment, "action", action.ID,
				"panic", caught, "stack", string(debug.Stack()))
			err = Permanent(fmt.Errorf("internal error: %v", caught))
		}
	}()
	return target.Destination.Perform(ctx, action)
}

// record tries until the result is stored or its lease is surely over: from then on another attempt is made by whoever
// finds the lane due, and the effect keys keep it from being done twice.
func (p *performer) record(ctx context.Context, action *Action, next time.Time, patience int) {
	begun, settled := time.Now(), action.Status
	store := &contact{trouble: p.trouble, environment: p.environment}
	defer store.gone()
	for {
		recorded, err := p.outbox.Record(ctx, action, next, patience)
		if err == nil {
			store.worked()
		}
		switch {
		case err == nil && recorded:
			p.metrics.attempted(action, action.Status != settled)
			p.report(action, next)
			return
		case err == nil:
			p.logger.Debug("a result came too late and was dropped", "environment", p.environment, "action", action.ID)
			return
		case ctx.Err() != nil || time.Since(begun) > leaseMargin:
			p.logger.Debug("a result can not be recorded; the attempt will be made again", "environment", p.environment,
				"action", action.ID, "error", err)
			return
		}
		store.failed(ctx, "results can not be recorded; attempts will be made again", err)
	}
}

func (p *performer) report(action *Action, next time.Time) {
	attempt := action.Attempts[len(action.Attempts)-1]
	level := slog.LevelDebug
	if action.Status == StatusDead {
		level = slog.LevelWarn
	}
	p.logger.Log(context.Background(), level, "action attempted", "environment", p.environment, "action", action.ID,
		"event", action.EventID, "rule", action.Rule, "kind", action.Kind, "status", action.Status, "reason", action.Reason,
		"attempts", len(action.Attempts), "took", attempt.Took, "next", next)
}
