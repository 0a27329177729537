package redislog_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"switchyard/engine"
	"switchyard/engine/redislog"
	"switchyard/engine/redislog/redistest"
)

// world is what two processes do with an environment: each event comes to one effect. Some are held up, to be decided or
// done when the test wants it.
type world struct {
	*fixture
	// decide and perform hold up events by their message ids, until they are closed.
	decide, perform map[string]chan struct{}

	mu sync.Mutex
	// effects are the keys under which an effect was asked for, by the message; decided how often each event was.
	effects map[string][]string
	rewinds []string
	log     bytes.Buffer
}

func (w *world) Write(text []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(text)
}

// said reports whether the log has a text.
func (w *world) said(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Contains(w.log.String(), text)
}

func newWorld(t *testing.T, url string) *world {
	w := &world{effects: map[string][]string{}, decide: map[string]chan struct{}{}, perform: map[string]chan struct{}{}}
	clock := &clock{}
	f := &fixture{t: t, ctx: context.Background(), clock: clock}
	f.log = openWith(t, redislog.Options{URL: url, Now: clock.Now, Lease: testLease, OnRewind: func(_, event string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.rewinds = append(w.rewinds, event)
	}})
	w.fixture = f.fresh(t)
	return w
}

// start is another process.
func (w *world) start(consumer string) {
	e := engine.New(engine.Options{
		Consumer: consumer, Decider: engine.DeciderFunc(w.decider), Names: w.fixture.log, Trimmer: w.fixture.log,
		Metrics: engine.NewMetrics(prometheus.NewRegistry()), Logger: slog.New(slog.NewTextHandler(w, nil)), Now: w.fixture.log.Now,
	})
	policy := engine.DefaultPolicy
	policy.Timeout = 2 * time.Second
	e.Run(w.name, 4, w.env, engine.NewTarget("test", w, policy))
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		e.Stop(ctx)
	})
}

func (w *world) decider(event *engine.Event) *engine.Decision {
	if held := w.decide[event.MessageID]; held != nil {
		<-held
	}
	return &engine.Decision{Outcome: engine.OutcomeMatched, Rules: []string{"welcome"}, Actions: []*engine.Action{{
		Rule: "welcome", Kind: engine.ActionIdentify, Parameters: json.RawMessage(`{}`), Status: engine.StatusWaiting,
		Identify: &engine.Identify{UserID: event.UserID, Traits: map[string]any{"message": event.MessageID}},
	}}}
}

// Perform implements engine.Destination.
func (w *world) Perform(_ context.Context, action *engine.Action) (engine.Result, error) {
	message, _ := action.Identify.Traits["message"].(string)
	if held := w.perform[message]; held != nil {
		<-held
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.effects[message] = append(w.effects[message], action.EffectKey(""))
	return engine.Result{}, nil
}

// send appends an event of a user for each message.
func (w *world) send(user string, messages ...string) (events []*engine.Event) {
	for _, message := range messages {
		event := w.event(user, message)
		w.insist(event)
		events = append(events, event)
	}
	return events
}

// await waits until all messages had effects.
func (w *world) await(messages ...string) {
	w.t.Helper()
	w.until(fmt.Sprintf("the effects of %v", messages), func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return !slices.ContainsFunc(messages, func(message string) bool { return len(w.effects[message]) == 0 })
	})
}

func (w *world) until(what string, holds func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(mostRecovery); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("waited too long for %s; the log:\n%s", what, w.log.String())
		}
	}
}

func named(word string, n int) (messages []string) {
	for i := range n {
		messages = append(messages, fmt.Sprint(word, i))
	}
	return messages
}

// A replica that has not all that its master had takes the partition back to an earlier state of its own. From there it
// goes on by itself: what is there is decided and done, once by the log and under the same keys, and the rest is said.
func TestAFailoverLosesTheLastWrites(t *testing.T) {
	cluster := redistest.StartReplicated(t)
	w := newWorld(t, cluster.URL())
	other := "ann" // of the same partition
	for n := 0; w.partition(other) != w.partition("sam"); n++ {
		other = fmt.Sprint("ann", n)
	}
	for _, gates := range []map[string]chan struct{}{w.decide, w.perform} {
		for _, message := range append(named("held", 3), "slow") {
			gates[message] = make(chan struct{})
		}
	}
	close(w.decide["slow"])
	for _, message := range named("held", 3) {
		close(w.perform[message])
	}
	w.start("one")

	kept := w.send("sam", named("before", 10)...)
	w.await(named("before", 10)...)
	kept = append(kept, w.send(other, "slow")...) // decided, and under way to the destination
	time.Sleep(300 * time.Millisecond)
	kept = append(kept, w.send("sam", named("held", 3)...)...) // claimed, and being decided
	time.Sleep(300 * time.Millisecond)

	key := w.slice(w.partition("sam")) + "events"
	master := cluster.MasterOf(key)
	replica := cluster.ReplicaOf(master)
	replica.Freeze()
	master.DropReplicas()
	close(w.perform["slow"]) // its result will be lost
	for _, message := range named("held", 3) {
		close(w.decide[message]) // their decisions will be lost
	}
	lost := w.send("sam", named("lost", 5)...)
	w.await(append(append(named("held", 3), named("lost", 5)...), "slow")...)
	w.start("two") // its membership and the tokens of its partitions may be lost
	time.Sleep(testLease / 2)

	killed := time.Now()
	master.Kill()
	replica.Thaw()
	cluster.AwaitMaster(key)
	kept = append(kept, w.send("sam", named("after", 5)...)...)
	w.await(named("after", 5)...)
	t.Logf("%.1f s from the death of the master to the effects of what came after", time.Since(killed).Seconds())
	w.until("everything to come to rest", func() bool {
		stats, err := w.fixture.log.Stats(w.ctx, w.name)
		return err == nil && stats.Pending == 0 && stats.LanesWaiting == 0
	})
	w.settledOnce(kept)
	for _, event := range lost {
		if _, err := w.fixture.log.Event(w.ctx, w.name, event.ID); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("%s: %v; nothing was lost, and nothing is shown", event.MessageID, err)
		}
	}
	w.mu.Lock()
	repeats := len(w.effects["held0"]) + len(w.effects["slow"])
	w.mu.Unlock()
	if repeats < 4 {
		t.Errorf("held0 and slow had %d effects: their decision and result were not lost", repeats)
	}
	w.until("a word of what is lost", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return slices.Contains(w.rewinds, lost[len(lost)-1].ID)
	})
	if !w.said("trying again") {
		t.Error("nothing is said of the failover")
	}
	w.rests(cluster.MasterOf(key))
}

// settledOnce wants each event decided with one action that succeeded, and all its effects under one key.
func (w *world) settledOnce(events []*engine.Event) {
	w.t.Helper()
	for _, event := range events {
		record, err := w.fixture.log.Event(w.ctx, w.name, event.ID)
		if err != nil || record.Outcome != engine.OutcomeMatched {
			w.t.Errorf("%s: %+v %v", event.MessageID, record, err)
			continue
		}
		actions, err := w.fixture.log.Actions(w.ctx, engine.ActionQuery{Environment: w.name, EventID: event.ID})
		if err != nil || len(actions.Items) != 1 || actions.Items[0].Status != engine.StatusSucceeded {
			w.t.Errorf("%s has the actions %+v, %v", event.MessageID, actions.Items, err)
		}
		w.mu.Lock()
		keys := slices.Compact(slices.Clone(w.effects[event.MessageID]))
		w.mu.Unlock()
		if len(keys) != 1 {
			w.t.Errorf("%s had effects under the keys %v", event.MessageID, keys)
		}
	}
}

// rests wants the loops to ask a server for little while there is nothing to do.
func (w *world) rests(server *redistest.Server) {
	w.t.Helper()
	before, span := server.Commands(), 2*time.Second
	time.Sleep(span)
	if rate := float64(server.Commands()-before) / span.Seconds(); rate > 500 {
		w.t.Errorf("%.0f commands a second with nothing to do", rate)
	}
}
