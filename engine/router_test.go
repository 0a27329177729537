package engine

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// scribe is an inbox that notes what is committed, and loses the partition after so many commits.
type scribe struct {
	commits [][]string
	keeps   int
}

func (s *scribe) Claim(context.Context, int, time.Duration) ([]*Event, error) { return nil, nil }

func (s *scribe) Leave(context.Context) {}

func (s *scribe) Commit(_ context.Context, verdicts []*Verdict) error {
	var ids []string
	for _, v := range verdicts {
		ids = append(ids, v.Event.ID)
		v.Committed = len(s.commits) < s.keeps
	}
	s.commits = append(s.commits, ids)
	return nil
}

func testRouter(inbox Inbox, decide func(*Event) *Decision) *router {
	return &router{
		inbox: inbox, decider: DeciderFunc(decide), tally: &tally{}, metrics: NewMetrics(prometheus.NewRegistry()),
		logger: slog.New(slog.DiscardHandler), store: &contact{trouble: newTrouble(slog.New(slog.DiscardHandler))}, now: time.Now, committed: func() {},
		lanes: func() Lanes { return Lanes{} },
	}
}

func someEvents(n int) (events []*Event) {
	for i := range n {
		events = append(events, &Event{ID: fmt.Sprint("e", i)})
	}
	return events
}

// Decisions that take long are committed as they come, so that the partition is not lost over them; who has lost it
// leaves the rest of its claim to the new owner.
func TestSlowDecisionsAreCommittedInParts(t *testing.T) {
	for _, test := range []struct {
		slow, want string
		keeps      int
	}{
		{"e1", "[[e0 e1] [e2 e3]]", 100},
		{"e1", "[[e0 e1]]", 0},
		{"", "[[e0 e1 e2 e3]]", 100},
	} {
		inbox := &scribe{keeps: test.keeps}
		testRouter(inbox, func(event *Event) *Decision {
			if event.ID == test.slow {
				time.Sleep(commitEvery + time.Millisecond)
			}
			return &Decision{Outcome: OutcomeUnmatched}
		}).route(t.Context(), someEvents(4))
		if got := fmt.Sprint(inbox.commits); got != test.want {
			t.Errorf("slow %q, kept for %d commits: committed %s, want %s", test.slow, test.keeps, got, test.want)
		}
	}
}

func TestActionsOfOneEventAreBounded(t *testing.T) {
	greedy := &Decision{Outcome: OutcomeMatched, Actions: make([]*Action, MaxActions+7)}
	for i := range greedy.Actions {
		greedy.Actions[i] = &Action{Index: i}
	}
	verdict := testRouter(&scribe{}, func(*Event) *Decision { return greedy }).decide(&Event{ID: "e"})
	if n := len(verdict.Decision.Actions); n != MaxActions || len(verdict.Decision.Errors) != 1 || !strings.Contains(verdict.Decision.Errors[0].Message, "7 actions too many") {
		t.Errorf("%d actions, %v", n, verdict.Decision.Errors)
	}
}
