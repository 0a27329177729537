package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// memory is the smallest store that keeps the promises of Inbox and Outbox for one partition, with a clock to move.
type memory struct {
	mu      sync.Mutex
	clock   time.Time
	events  []*Event
	decided map[string]*Verdict
	actions map[string]*Action
	lanes   map[string][]string
	due     map[string]time.Time
	// commitErrors and recordErrors are returned, one a call, before anything works.
	commitErrors, recordErrors []error
	left                       bool
	changed                    chan struct{}
}

func newMemory() *memory {
	return &memory{
		clock: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), decided: map[string]*Verdict{}, actions: map[string]*Action{},
		lanes: map[string][]string{}, due: map[string]time.Time{}, changed: make(chan struct{}, 1),
	}
}

func (m *memory) now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.clock
}

func (m *memory) advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clock = m.clock.Add(d)
}

func (m *memory) Append(_ context.Context, events []*Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, event := range events {
		event.ID = fmt.Sprintf("e%d", len(m.events)+len(m.decided))
		m.events = append(m.events, event)
	}
	return nil
}

func (m *memory) Inbox(int, string) Inbox { return m }
func (m *memory) Outbox(int) Outbox       { return m }

func (m *memory) Claim(ctx context.Context, max int, _ time.Duration) ([]*Event, error) {
	m.mu.Lock()
	claimed := m.events
	m.events = nil
	m.mu.Unlock()
	if len(claimed) == 0 {
		pause(ctx, time.Millisecond)
	}
	return claimed, nil
}

func (m *memory) Leave(context.Context) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left = true
	m.tell()
}

func (m *memory) Commit(_ context.Context, verdicts []*Verdict) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.commitErrors) > 0 {
		err := m.commitErrors[0]
		m.commitErrors = m.commitErrors[1:]
		return err
	}
	for _, verdict := range verdicts {
		if m.decided[verdict.Event.ID] != nil {
			continue
		}
		m.decided[verdict.Event.ID], verdict.Committed = verdict, true
		for _, action := range verdict.Decision.Actions {
			action.ID = fmt.Sprintf("a%d", len(m.actions))
			m.actions[action.ID] = action
			if !action.Status.Ended() {
				m.lanes[action.Lane] = append(m.lanes[action.Lane], action.ID)
				if _, queued := m.due[action.Lane]; !queued {
					m.due[action.Lane] = m.clock
				}
			}
		}
	}
	m.tell()
	return nil
}

func (m *memory) Due(_ context.Context, now time.Time, lease time.Duration, max int) (actions []*Action, next time.Time, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for lane, at := range m.due {
		if !at.After(now) && len(actions) < max {
			copied := *m.actions[m.lanes[lane][0]]
			actions = append(actions, &copied)
			m.due[lane] = now.Add(lease)
		}
	}
	return actions, next, nil
}

func (m *memory) Processes() int { return 1 }

func (m *memory) Postpone(_ context.Context, action *Action, until time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.due[action.Lane] = until
	m.tell()
	return nil
}

func (m *memory) Record(_ context.Context, action *Action, next time.Time, patience int) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.recordErrors) > 0 {
		err := m.recordErrors[0]
		m.recordErrors = m.recordErrors[1:]
		return false, err
	}
	if len(m.actions[action.ID].Attempts) != len(action.Attempts)-1 {
		return false, nil
	}
	if behind := len(m.lanes[action.Lane]) - 1; !action.Status.Ended() && patience != AnyNumber && behind > patience {
		action.GiveWay(fmt.Sprint(behind, " actions"))
	}
	m.actions[action.ID] = action
	m.due[action.Lane] = next
	if action.Status.Ended() {
		m.lanes[action.Lane] = m.lanes[action.Lane][1:]
		m.due[action.Lane] = m.clock
		if len(m.lanes[action.Lane]) == 0 {
			delete(m.due, action.Lane)
		}
	}
	m.tell()
	return true, nil
}

func (m *memory) Count(context.Context, string, []NameSeen) error      { return nil }
func (m *memory) Trim(context.Context, string, time.Time) (int, error) { return 0, nil }
func (m *memory) status(id string) Status                              { return m.actions[id].Status }
func (m *memory) tell()                                                { notify(m.changed) }
func (m *memory) waitFor(t *testing.T, what string, done func() bool)  { waitFor(t, m, what, done) }

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// waitFor waits for a state that the loops bring about, looking again after every change.
func waitFor(t *testing.T, m *memory, what string, done func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		m.mu.Lock()
		reached := done()
		m.mu.Unlock()
		if reached {
			return
		}
		select {
		case <-m.changed:
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			t.Fatalf("never happened: %s", what)
		}
	}
}

// script is a destination that answers with what it is told, by user.
type script struct {
	mu      sync.Mutex
	answers map[string][]error
	done    []string
}

func (s *script) Perform(ctx context.Context, action *Action) (Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = append(s.done, action.EventID+"/"+action.Kind)
	if answers := s.answers[action.UserID]; len(answers) > 0 {
		s.answers[action.UserID] = answers[1:]
		return Result{}, answers[0]
	}
	return Result{Body: json.RawMessage(`{"ok":true}`)}, nil
}

func (s *script) calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.done)
}

// everything asks for a trigger, then an identify, for each event.
var everything = DeciderFunc(func(event *Event) *Decision {
	action := func(kind string) *Action {
		return &Action{EventID: event.ID, Rule: "r", Kind: kind, Lane: event.Lane(), UserID: event.UserID, Status: StatusWaiting}
	}
	return &Decision{Rules: []string{"r"}, Actions: []*Action{action(ActionTrigger), action(ActionIdentify)}}
})

func nothing(*Event) *Decision { return nil }

func startEngine(t *testing.T, m *memory, destination Destination, decider Decider) (*Engine, Policy) {
	t.Helper()
	return startWith(t, m, destination, decider, Lanes{Waiting: 100, Age: 100 * time.Hour})
}

func startWith(t *testing.T, m *memory, destination Destination, decider Decider, lanes Lanes) (*Engine, Policy) {
	t.Helper()
	e := New(Options{
		Consumer: "test", Decider: Pipeline(DeciderFunc(nothing), decider), Names: m, Trimmer: m,
		Metrics: NewMetrics(prometheus.NewRegistry()), Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: m.now,
	})
	policy := DefaultPolicy
	policy.Retry, policy.Lanes = Retry{Attempts: 3, MaxAge: time.Hour, Min: time.Minute, Max: time.Hour}, lanes
	e.Run("test", 1, m, NewTarget("script", destination, policy))
	t.Cleanup(func() { e.Stop(context.Background()) })
	return e, policy
}

func accept(t *testing.T, m *memory, users ...string) {
	t.Helper()
	for _, user := range users {
		if err := m.Append(context.Background(), []*Event{{Type: TypeTrack, UserID: user}}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnEventIsDecidedAndItsActionsAreDoneInOrder(t *testing.T) {
	m, destination := newMemory(), &script{}
	accept(t, m, "ann")
	startEngine(t, m, destination, everything)
	m.waitFor(t, "both actions succeeded", func() bool {
		return len(m.actions) == 2 && m.status("a0") == StatusSucceeded && m.status("a1") == StatusSucceeded
	})
	if got, want := destination.calls(), []string{"e0/identify", "e0/trigger"}; !slices.Equal(got, want) {
		t.Errorf("done %v, want %v: identify comes first", got, want)
	}
	if m.decided["e0"].Decision.Outcome != OutcomeMatched {
		t.Errorf("outcome %q", m.decided["e0"].Decision.Outcome)
	}
}

func TestARetryHoldsBackOnlyItsUser(t *testing.T) {
	m := newMemory()
	destination := &script{answers: map[string][]error{"ann": {errors.New("busy")}}}
	accept(t, m, "ann", "bob")
	startEngine(t, m, destination, everything)
	m.waitFor(t, "bob is done, ann waits", func() bool {
		return len(m.actions) == 4 && m.status("a2") == StatusSucceeded && m.status("a3") == StatusSucceeded &&
			m.status("a0") == StatusRetrying
	})
	if m.actions["a1"].Status != StatusWaiting {
		t.Errorf("ann's second action is %s; it must wait behind the first", m.actions["a1"].Status)
	}
	m.advance(2 * time.Minute)
	m.waitFor(t, "ann is done", func() bool { return m.status("a0") == StatusSucceeded && m.status("a1") == StatusSucceeded })
	if attempts := m.actions["a0"].Attempts; len(attempts) != 2 || attempts[0].Error != "busy" || attempts[1].Error != "" {
		t.Errorf("attempts: %+v", attempts)
	}
}

func TestWhatCanNotBeMendedIsDeadAndLetsTheNextThrough(t *testing.T) {
	m := newMemory()
	destination := &script{answers: map[string][]error{"ann": {Permanent(errors.New("no such workflow"))}}}
	accept(t, m, "ann")
	startEngine(t, m, destination, everything)
	m.waitFor(t, "first dead, second done", func() bool {
		return len(m.actions) == 2 && m.status("a0") == StatusDead && m.status("a1") == StatusSucceeded
	})
	if m.actions["a0"].Reason != "no such workflow" {
		t.Errorf("reason %q", m.actions["a0"].Reason)
	}
}

func TestErrorsOfTheStoreLoseNothingAndDoNothingTwice(t *testing.T) {
	m, destination := newMemory(), &script{}
	m.commitErrors = []error{ErrUnavailable}
	m.recordErrors = []error{ErrUnavailable}
	accept(t, m, "ann")
	startEngine(t, m, destination, everything)
	m.waitFor(t, "both done", func() bool {
		return len(m.actions) == 2 && m.status("a0") == StatusSucceeded && m.status("a1") == StatusSucceeded
	})
	if calls := destination.calls(); len(calls) != 2 {
		t.Errorf("the destination was called %d times: %v", len(calls), calls)
	}
}

type panicking struct{}

func (panicking) Perform(context.Context, *Action) (Result, error) { panic("boom") }

func TestAPanicStopsOneActionOrOneEventOnly(t *testing.T) {
	m := newMemory()
	accept(t, m, "ann", "bob")
	startEngine(t, m, panicking{}, DeciderFunc(func(event *Event) *Decision {
		if event.UserID == "ann" {
			panic("rule")
		}
		return everything(event)
	}))
	m.waitFor(t, "ann is unmatched, bob's actions are dead", func() bool {
		return len(m.decided) == 2 && len(m.actions) == 2 && m.status("a0") == StatusDead && m.status("a1") == StatusDead
	})
	decision := m.decided["e0"].Decision
	if decision.Outcome != OutcomeUnmatched || len(decision.Errors) != 1 {
		t.Errorf("ann's event: %+v", decision)
	}
}

// slow is a destination that holds its call until it is let go, or its context ends.
type slow struct{ begun, release chan struct{} }

func (s slow) Perform(ctx context.Context, _ *Action) (Result, error) {
	notify(s.begun)
	select {
	case <-s.release:
		return Result{}, nil
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
}

func TestStopFinishesWhatIsUnderWay(t *testing.T) {
	m, destination := newMemory(), slow{make(chan struct{}, 1), make(chan struct{})}
	accept(t, m, "ann")
	e, _ := startEngine(t, m, destination, everything)
	<-destination.begun
	stopped := make(chan struct{})
	go func() {
		e.Stop(context.Background())
		close(stopped)
	}()
	close(destination.release)
	<-stopped
	if m.status("a0") != StatusSucceeded {
		t.Errorf("the call under way ended %s", m.status("a0"))
	}
}

func TestStopHandsPartitionsOnBeforeTheLastCallEnds(t *testing.T) {
	m, destination := newMemory(), slow{make(chan struct{}, 1), make(chan struct{})}
	accept(t, m, "ann")
	e, _ := startEngine(t, m, destination, everything)
	<-destination.begun
	stopped := make(chan struct{})
	go func() {
		e.Stop(context.Background())
		close(stopped)
	}()
	m.waitFor(t, "the partition is left while a call is under way", func() bool { return m.left })
	select {
	case <-stopped:
		t.Error("the call was not waited for")
	default:
	}
	close(destination.release)
	<-stopped
}

func TestStopCutsOffAtItsDeadlineAndRecordsNoFailure(t *testing.T) {
	m, destination := newMemory(), slow{make(chan struct{}, 1), make(chan struct{})}
	accept(t, m, "ann")
	e, _ := startEngine(t, m, destination, everything)
	<-destination.begun
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	e.Stop(ctx)
	if action := m.actions["a0"]; action.Status != StatusWaiting || len(action.Attempts) != 0 {
		t.Errorf("a call that was cut off left %s with %d attempts; it must be made again", action.Status, len(action.Attempts))
	}
}

func TestANewTargetServesTheNextAction(t *testing.T) {
	m, first, second := newMemory(), &script{}, &script{}
	accept(t, m, "ann")
	e, policy := startEngine(t, m, first, everything)
	m.waitFor(t, "ann is done", func() bool { return len(m.actions) == 2 && m.status("a1") == StatusSucceeded })
	e.Run("test", 1, m, NewTarget("second", second, policy))
	// The loop may hold one look at the old target; after its next turn only the new one is used.
	m.waitFor(t, "the new target is used", func() bool {
		m.events = append(m.events, &Event{ID: fmt.Sprintf("n%d", len(m.decided)), Type: TypeTrack, UserID: "bob"})
		return len(second.calls()) > 0
	})
}
