package engine

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Store is one environment's log as the loops need it.
type Store interface {
	Appender
	Inbox(partition int, consumer string) Inbox
	Outbox(partition int) Outbox
	// Processes is how many share this log now, this one among them, as far as is known.
	Processes() int
}

// Options are what an engine works with.
type Options struct {
	// Consumer names this process among those that share the log.
	Consumer string
	Decider  Decider
	Names    Names
	Trimmer  Trimmer
	// Pauses are followed, and told when a destination closes; nil for none.
	Pauses Pauses
	// Ledger is checked continuously; nil for none.
	Ledger  Ledger
	Metrics *Metrics
	Logger  *slog.Logger
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// Engine runs the loops of every environment: for each partition a router and a performer, and for each environment a
// tally, a janitor and an auditor.
type Engine struct {
	options Options
	// stop ends the loops; work ends the calls that are under way.
	stop, work             context.Context
	cancelStop, cancelWork context.CancelFunc
	loops                  sync.WaitGroup
	trouble                *trouble

	mu           sync.Mutex
	environments map[string]*running
}

type running struct {
	target atomic.Pointer[Target]
	cancel context.CancelFunc
}

// New makes an engine with no environment yet.
func New(options Options) *Engine {
	if options.Now == nil {
		options.Now = time.Now
	}
	e := &Engine{options: options, environments: map[string]*running{}, trouble: newTrouble(options.Logger)}
	e.stop, e.cancelStop = context.WithCancel(context.Background())
	e.work, e.cancelWork = context.WithCancel(context.Background())
	return e
}

// Run starts the loops of an environment, or, when they run already, gives them their new target from the next action
// on. It can not fail, so that a reload can do all its fallible work before.
func (e *Engine) Run(environment string, partitions int, store Store, target *Target) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if live := e.environments[environment]; live != nil {
		if before := live.target.Load(); before.Name == target.Name {
			target.paused.Store(before.paused.Load())
		}
		live.target.Store(target)
		return
	}
	live := &running{}
	live.target.Store(target)
	var stop context.Context
	stop, live.cancel = context.WithCancel(e.stop)
	e.environments[environment] = live
	e.start(stop, environment, partitions, store, live)
}

// Target is the destination of an environment; nil when it does not run.
func (e *Engine) Target(environment string) *Target {
	e.mu.Lock()
	defer e.mu.Unlock()
	if live := e.environments[environment]; live != nil {
		return live.target.Load()
	}
	return nil
}

// Drop stops the loops of an environment that is no longer configured; its log stays.
func (e *Engine) Drop(environment string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if live := e.environments[environment]; live != nil {
		live.cancel()
		delete(e.environments, environment)
	}
}

// Stop ends the loops: nothing new is claimed, calls under way are finished until ctx ends, then cut off. What was cut
// off is still in the log and is done again, under the same keys, by whoever comes next.
func (e *Engine) Stop(ctx context.Context) {
	e.cancelStop()
	done := make(chan struct{})
	go func() {
		e.loops.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	e.cancelWork()
	select {
	case <-done:
	case <-time.After(cutOffTime):
		e.options.Logger.Warn("a loop does not end; what it holds is claimed again by whoever comes next")
	}
}

// cutOffTime is how long a loop may take to notice that it is cut off. A decision can not be interrupted.
const cutOffTime = 2 * time.Second

func (e *Engine) start(stop context.Context, environment string, partitions int, store Store, live *running) {
	o := e.options
	names := &tally{environment: environment, names: o.Names, trouble: e.trouble}
	sweeper := &janitor{environment: environment, trimmer: o.Trimmer, trouble: e.trouble, now: o.Now}
	e.loops.Go(func() { names.run(stop) })
	e.loops.Go(func() { sweeper.run(stop) })
	if o.Pauses != nil {
		watch := &gate{environment: environment, pauses: o.Pauses, target: live.target.Load, logger: o.Logger}
		watch.look(stop) // before the first call
		e.loops.Go(func() { watch.run(stop) })
	}
	if o.Ledger != nil {
		checker := &auditor{environment: environment, ledger: o.Ledger, logger: o.Logger, broken: map[imbalance]bool{}}
		e.loops.Go(func() { checker.run(stop) })
	}
	for p := range partitions {
		doer := &performer{
			environment: environment, outbox: store.Outbox(p), target: live.target.Load, processes: store.Processes, pauses: o.Pauses,
			metrics: o.Metrics, logger: o.Logger, trouble: e.trouble, now: o.Now, wake: make(chan struct{}, 1),
		}
		decider := &router{
			environment: environment, inbox: store.Inbox(p, o.Consumer), decider: o.Decider, tally: names,
			metrics: o.Metrics, logger: o.Logger, store: &contact{trouble: e.trouble, environment: environment}, now: o.Now, committed: doer.nudge,
			lanes: func() Lanes { return live.target.Load().Policy.Lanes },
		}
		e.loops.Go(func() { decider.run(stop) })
		e.loops.Go(func() { doer.run(stop, e.work) })
	}
}
