package engine

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestPatienceEndsWithTheAge(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name  string
		lanes Lanes
		after time.Duration
		want  int
	}{
		{"young", Lanes{Waiting: 10, Age: time.Hour}, time.Minute, 10},
		{"due at its age", Lanes{Waiting: 10, Age: time.Hour}, time.Hour, 10},
		{"due after its age", Lanes{Waiting: 10, Age: time.Hour}, time.Hour + 1, 0},
		{"no bound on the number", Lanes{Age: time.Hour}, time.Minute, AnyNumber},
		{"no bound on the number, and old", Lanes{Age: time.Hour}, 2 * time.Hour, 0},
		{"no bound on the age", Lanes{Waiting: 10}, 1000 * time.Hour, 10},
		{"no bound", Lanes{}, 1000 * time.Hour, AnyNumber},
	} {
		if got := test.lanes.patience(&Action{BudgetSince: start}, start.Add(test.after)); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

func TestALaneOfItsOwnIsNobodyElses(t *testing.T) {
	event := &Event{ID: "e0-1-1", UserID: "sam"}
	if lane := (Lanes{}).laneOf(event, 3); lane != "u:sam" {
		t.Errorf("strict: %q", lane)
	}
	lanes := map[string]bool{event.Lane(): true, (&Event{ID: "e0-1-1"}).Lane(): true}
	for n := range 3 {
		for _, id := range []string{"e0-1-1", "e0-1-11"} {
			lanes[Lanes{Relaxed: true}.laneOf(&Event{ID: id, UserID: "sam"}, n)] = true
		}
	}
	if len(lanes) != 8 {
		t.Errorf("lanes are shared: %v", lanes)
	}
}

func TestTooManyBehindAFailureMakeItGiveWay(t *testing.T) {
	m := newMemory()
	destination := &script{answers: map[string][]error{"ann": {errors.New("busy")}}}
	accept(t, m, "ann", "ann", "bob")
	startWith(t, m, destination, everything, Lanes{Waiting: 2, Age: time.Hour})
	m.waitFor(t, "the first is dead, the others are done", func() bool {
		return len(m.actions) == 6 && m.status("a0") == StatusDead && m.status("a1") == StatusSucceeded &&
			m.status("a2") == StatusSucceeded && m.status("a3") == StatusSucceeded
	})
	if reason := m.actions["a0"].Reason; !strings.HasPrefix(reason, "gave way after ") || !strings.HasSuffix(reason, ": 3 actions of this user waited behind it; the last error was: busy") {
		t.Errorf("reason %q", reason)
	}
	if attempts := m.actions["a0"].Attempts; len(attempts) != 1 || attempts[0].Status != StatusDead || attempts[0].Error != "busy" {
		t.Errorf("attempts %+v", attempts)
	}
}

func TestAFailureThatIsOldGivesWay(t *testing.T) {
	m := newMemory()
	destination := &script{answers: map[string][]error{"ann": {errors.New("busy"), errors.New("busy"), errors.New("busy")}}}
	accept(t, m, "ann")
	startWith(t, m, destination, everything, Lanes{Waiting: 100, Age: 3 * time.Minute})
	m.waitFor(t, "the first attempt", func() bool { return len(m.actions) == 2 && m.status("a0") == StatusRetrying })
	m.advance(2 * time.Minute)
	m.waitFor(t, "it gives way, for its next attempt would be too late", func() bool {
		return m.status("a0") == StatusDead && len(m.actions["a0"].Attempts) == 2
	})
	m.waitFor(t, "the one behind it goes on", func() bool { return len(m.actions["a1"].Attempts) == 1 })
	if reason := m.actions["a0"].Reason; !strings.HasPrefix(reason, "gave way after 2m0s: 1 actions") {
		t.Errorf("reason %q", reason)
	}
}

func TestARelaxedUserWaitsForNothing(t *testing.T) {
	m := newMemory()
	destination := &script{answers: map[string][]error{"ann": {errors.New("busy")}}}
	accept(t, m, "ann", "ann")
	startWith(t, m, destination, everything, Lanes{Relaxed: true, Waiting: 1})
	m.waitFor(t, "one is tried again, three are done", func() bool {
		count := map[Status]int{}
		for _, action := range m.actions {
			count[action.Status]++
		}
		return count[StatusSucceeded] == 3 && count[StatusRetrying] == 1
	})
	m.advance(2 * time.Minute)
	m.waitFor(t, "all are done", func() bool {
		for _, action := range m.actions {
			if action.Status != StatusSucceeded {
				return false
			}
		}
		return true
	})
}

// What was queued in the user's lane stays there when the order is relaxed, and is done in order.
func TestAReloadOfTheOrderLosesNothing(t *testing.T) {
	m := newMemory()
	destination := &script{answers: map[string][]error{"ann": {errors.New("busy")}}}
	accept(t, m, "ann")
	e, policy := startEngine(t, m, destination, everything)
	m.waitFor(t, "the first attempt", func() bool { return len(m.actions) == 2 && m.status("a0") == StatusRetrying })
	policy.Lanes.Relaxed = true
	e.Run("test", 1, m, NewTarget("script", destination, policy))
	m.mu.Lock()
	m.events = append(m.events, &Event{ID: "later", Type: TypeTrack, UserID: "ann"})
	m.mu.Unlock()
	m.waitFor(t, "what came later is done, what waited still waits", func() bool {
		return len(m.actions) == 4 && m.status("a2") == StatusSucceeded && m.status("a3") == StatusSucceeded &&
			m.status("a0") == StatusRetrying && m.status("a1") == StatusWaiting
	})
	m.advance(2 * time.Minute)
	m.waitFor(t, "all is done", func() bool { return m.status("a0") == StatusSucceeded && m.status("a1") == StatusSucceeded })
}
