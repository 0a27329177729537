package engine

import (
	"strconv"
	"time"
)

// Lanes is how the actions of one user wait for each other.
type Lanes struct {
	// Relaxed makes each action that is queued from now on a lane of its own: none waits for another, and their order is
	// not kept. What was queued before keeps its lane.
	Relaxed bool
	// Waiting is the most actions that may wait behind one that must be tried again, and Age the longest time after its
	// first attempt that they may wait for it; 0 is no bound. Beyond either it gives way: it is dead, and they go on.
	Waiting int
	Age     time.Duration
}

// laneOf names the lane of the nth action that a decision asks for. Where the order is relaxed it is a lane that no event
// has, for events of their own lanes are "e:<id>" and no id has a slash.
func (l Lanes) laneOf(event *Event, n int) string {
	if l.Relaxed {
		return "e:" + event.ID + "/" + strconv.Itoa(n)
	}
	return event.Lane()
}

// AnyNumber is the patience of an action that gives way to none.
const AnyNumber = -1

// patience is how many actions may wait behind one that would be tried again at next: none once it has held them up for
// long enough.
func (l Lanes) patience(action *Action, next time.Time) int {
	switch {
	case l.Age > 0 && next.Sub(action.BudgetSince) > l.Age:
		return 0
	case l.Waiting > 0:
		return l.Waiting
	}
	return AnyNumber
}

// GiveWay ends an action that was to be tried again, for too many of its lane wait behind it, or for too long. Behind
// says how many: "3 actions".
func (a *Action) GiveWay(behind string) {
	end := len(a.Attempts) - 1
	last := a.Attempts[end]
	last.Status = StatusDead
	held := last.At.Add(last.Took).Sub(a.BudgetSince).Round(time.Millisecond)
	a.Status = StatusDead
	a.Reason = "gave way after " + held.String() + ": " + behind + " of this user waited behind it; the last error was: " + a.Reason
	a.Attempts = append(a.Attempts[:end:end], last)
}
