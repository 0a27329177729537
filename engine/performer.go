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
	target func() *Target
	// processes is how many share the destination's rate; pauses tells the others when it is closed, nil for nobody.
	processes func() int
	pauses    Pauses
	metrics   *Metrics
	logger    *slog.Logger
	trouble   *trouble
	now       func() time.Time
	// wake cuts an idle wait short; it holds one token.
	wake   chan struct{}
	flying sync.WaitGroup
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
		target.share(p.processes())
		permits, wait := target.admit(stop, dueMax)
		if permits == 0 {
			p.paced(target, wait)
			pause(stop, wait)
			continue
		}
		now := p.now()
		actions, next, err := p.outbox.Due(stop, now, target.Policy.Timeout+leaseMargin, permits)
		target.refund(permits, len(actions))
		for _, action := range actions {
			p.flying.Add(1)
			go p.perform(work, target, action)
		}
		if err != nil {
			store.failed(stop, "actions can not be claimed", err)
			continue
		}
		store.worked()
		if len(actions) < permits {
			p.idle(stop, now, next)
		}
	}
	p.flying.Wait()
}

// dueMax bounds what one partition takes at once, so that all partitions get their share of the slots.
const dueMax = 32

// paced counts the time for which calls wait for their rate.
func (p *performer) paced(target *Target, wait time.Duration) {
	if target.pace != nil && target.Paused() == nil && target.Breaker() != BreakerOpen {
		p.metrics.Paced.WithLabelValues(p.environment, target.Name).Add(wait.Seconds())
	}
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
	target.leave()
	if err != nil && ctx.Err() != nil {
		return // the process is stopping; the lease runs out and somebody makes this attempt again, under the same key
	}
	if wait, ok := PostponedFor(err); ok {
		p.postpone(ctx, target, action, p.now().Add(wait))
		return
	}
	if IsClosed(err) {
		p.close(ctx, target, err)
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
	return target.call(ctx, action)
}

// postpone lets an action wait that was not attempted.
func (p *performer) postpone(ctx context.Context, target *Target, action *Action, until time.Time) {
	p.metrics.Postponed.WithLabelValues(p.environment, target.Name).Inc()
	err := p.insist(ctx, "actions can not be postponed", func() error { return p.outbox.Postpone(ctx, action, until) })
	if err == nil {
		p.nudge()
	}
}

// close pauses a destination that wants no more calls, here at once and in every process soon.
func (p *performer) close(ctx context.Context, target *Target, cause error) {
	pause := Pause{Since: p.now(), Reason: cause.Error()}
	if !target.paused.CompareAndSwap(nil, &pause) {
		return
	}
	p.logger.Error("a destination is paused, for it wants no more calls; resume it when it does", "environment", p.environment,
		"destination", target.Name, "error", cause)
	if p.pauses == nil {
		return
	}
	if err := p.pauses.Pause(ctx, p.environment, target.Name, pause); err != nil {
		p.trouble.note(ctx, p.environment, "other processes can not be told that a destination is paused", err)
	}
}

// record stores the result of an attempt.
func (p *performer) record(ctx context.Context, action *Action, next time.Time, patience int) {
	settled, recorded := action.Status, false
	err := p.insist(ctx, "results can not be recorded; attempts will be made again", func() (err error) {
		recorded, err = p.outbox.Record(ctx, action, next, patience)
		return err
	})
	switch {
	case err != nil:
		p.logger.Debug("a result can not be recorded; the attempt will be made again", "environment", p.environment,
			"action", action.ID, "error", err)
	case recorded:
		p.metrics.attempted(action, action.Status != settled)
		p.report(action, next)
	default:
		p.logger.Debug("a result came too late and was dropped", "environment", p.environment, "action", action.ID)
	}
}

// insist tries until something is stored or the lease of its lane is surely over: from then on another attempt is made by
// whoever finds the lane due, and the effect keys keep it from being done twice.
func (p *performer) insist(ctx context.Context, what string, do func() error) error {
	store := &contact{trouble: p.trouble, environment: p.environment}
	defer store.gone()
	for begun := time.Now(); ; {
		err := do()
		if err == nil {
			store.worked()
			return nil
		}
		if ctx.Err() != nil || time.Since(begun) > leaseMargin {
			return err
		}
		store.failed(ctx, what, err)
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
