package redislog_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"switchyard/engine"
	"switchyard/engine/redislog"
)

// plant is one process as far as the store sees it: a log with its environments and the loops of an engine over them,
// and a destination that keeps a ledger.
type plant struct {
	t       *testing.T
	ctx     context.Context
	log     *redislog.Log
	engine  *engine.Engine
	metrics *engine.Metrics
	said    *buffer
	ledger  *ledger
	envs    []*redislog.Environment
	names   []string
	// errors counts what Redis caused, of any operation.
	errors atomic.Int64
	stop   func()
}

// buffer is a log to be read while it is written.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) lines(with string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for line := range strings.Lines(b.text.String()) {
		if strings.Contains(line, with) {
			n++
		}
	}
	return n
}

// ledger is a destination that does nothing, and knows how often it was asked for each effect and in what order the events
// of each user came.
type ledger struct {
	mu      sync.Mutex
	effects map[string]int
	order   map[string][]string
}

func (l *ledger) Perform(_ context.Context, action *engine.Action) (engine.Result, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := action.EffectKey("")
	if l.effects[key]++; l.effects[key] == 1 {
		l.order[action.UserID] = append(l.order[action.UserID], action.EventID)
	}
	return engine.Result{}, nil
}

// count is how many effects there are, and how often one was asked for again.
func (l *ledger) count() (effects, again int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, times := range l.effects {
		again += times - 1
	}
	return len(l.effects), again
}

// identifies asks for one identify of each event with a user.
var identifies = engine.DeciderFunc(func(event *engine.Event) *engine.Decision {
	if event.UserID == "" {
		return nil
	}
	return &engine.Decision{Rules: []string{"r"}, Actions: []*engine.Action{{
		EventID: event.ID, Rule: "r", Kind: engine.ActionIdentify, UserID: event.UserID, Status: engine.StatusWaiting,
		Identify: &engine.Identify{UserID: event.UserID, Traits: map[string]any{}},
	}}}
})

var nobody = engine.DeciderFunc(func(*engine.Event) *engine.Decision { return nil })

var plants atomic.Int64

// newPlant starts the loops of so many environments.
func newPlant(t *testing.T, options redislog.Options, environments, partitions int) *plant {
	t.Helper()
	p := &plant{
		t: t, ctx: context.Background(), said: &buffer{}, metrics: engine.NewMetrics(prometheus.NewRegistry()),
		ledger: &ledger{effects: map[string]int{}, order: map[string][]string{}},
	}
	options.OnError = func(string) { p.errors.Add(1) }
	var err error
	if p.log, err = redislog.Open(p.ctx, options); err != nil {
		t.Fatal(err)
	}
	p.engine = engine.New(engine.Options{
		Consumer: fmt.Sprint("plant", plants.Add(1)), Decider: engine.Pipeline(nobody, identifies), Names: p.log, Trimmer: p.log,
		Metrics: p.metrics, Logger: slog.New(slog.NewTextHandler(p.said, nil)), Now: p.log.Now,
	})
	policy := engine.DefaultPolicy
	policy.Timeout = time.Second // and so the lease of what is taken is short
	target := engine.NewTarget("ledger", p.ledger, policy)
	for n := range environments {
		name := fmt.Sprint("env", n)
		env, err := p.log.Environment(p.ctx, name, partitions, redislog.EnvOptions{})
		if err != nil {
			t.Fatal(err)
		}
		p.envs, p.names = append(p.envs, env), append(p.names, name)
		p.engine.Run(name, partitions, env, target)
	}
	p.stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(p.ctx, 10*time.Second)
		defer cancel()
		p.engine.Stop(ctx)
		p.log.Close()
	})
	t.Cleanup(p.stop)
	return p
}

// send appends the nth event of an environment, each of one of seven users.
func (p *plant) send(env, n int) (*engine.Event, error) {
	now := p.log.Now()
	event := &engine.Event{
		Environment: p.names[env], Source: "web", Type: engine.TypeTrack, Name: "done", UserID: fmt.Sprint("user", env, "-", n%7),
		MessageID: fmt.Sprint("m", n), ReceivedAt: now, Timestamp: now, Original: []byte(`{}`),
	}
	return event, p.envs[env].Append(p.ctx, []*engine.Event{event})
}

// insist sends until the event is acknowledged, as senders do.
func (p *plant) insist(env, n int) *engine.Event {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		event, err := p.send(env, n)
		if err == nil {
			return event
		}
		if time.Now().After(deadline) {
			p.t.Errorf("event %d is not acknowledged: %v", n, err)
			return event
		}
	}
}

// acks are the events that were acknowledged, of each environment in their order.
type acks struct {
	senders sync.WaitGroup
	stored  [][]*engine.Event
}

// senders send events to all environments at once, each insisting on one after the other.
func (p *plant) senders(from, to int) *acks {
	a := &acks{stored: make([][]*engine.Event, len(p.envs))}
	for env := range p.envs {
		a.senders.Go(func() {
			for n := from; n < to; n++ {
				a.stored[env] = append(a.stored[env], p.insist(env, n))
			}
		})
	}
	return a
}

// inOrder checks that each event that was acknowledged had its effect, those of a user in their order.
func (p *plant) inOrder(of ...*acks) {
	p.t.Helper()
	want := map[string][]string{}
	for _, a := range of {
		for _, events := range a.stored {
			for _, event := range events {
				want[event.UserID] = append(want[event.UserID], cmp.Or(event.DuplicateOf, event.ID))
			}
		}
	}
	p.ledger.mu.Lock()
	defer p.ledger.mu.Unlock()
	if !maps.EqualFunc(p.ledger.order, want, slices.Equal) {
		p.t.Errorf("effects %v\nwant %v", p.ledger.order, want)
	}
}

// events is how many events stand in the logs.
func (p *plant) events() (n int) {
	p.t.Helper()
	for _, name := range p.names {
		stats, err := p.log.Stats(p.ctx, name)
		if err != nil {
			p.t.Fatal(err)
		}
		n += int(stats.Events)
	}
	return n
}

// settled waits until so many effects are done and nothing waits any more.
func (p *plant) settled(effects int) {
	p.t.Helper()
	p.eventually("all is done", func() bool {
		if done, _ := p.ledger.count(); done < effects {
			return false
		}
		for _, name := range p.names {
			stats, err := p.log.Stats(p.ctx, name)
			if err != nil || stats.Pending > 0 || stats.LanesWaiting > 0 {
				return false
			}
		}
		return true
	})
	if done, _ := p.ledger.count(); done != effects {
		p.t.Errorf("%d effects for %d events", done, effects)
	}
}

func (p *plant) eventually(what string, reached func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(time.Minute); !reached(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			done, again := p.ledger.count()
			p.t.Fatalf("never happened: %s; %d effects, %d again, the log:\n%s", what, done, again, p.said.text.String())
		}
	}
}
