package knock

import (
	"container/heap"
	"context"
	"fmt"
	"testing"
	"time"

	"switchyard/adapters/deliver/knock/knocktest"
	"switchyard/engine"
)

// yard is what the engine does for a destination, without its store: lanes in order, a bounded number of calls at once,
// retries that double their wait, and actions that come again when they were postponed.
type yard struct {
	d       *Destination
	slots   int
	timeout time.Duration
	// attempts is the most for one action; postponed, retried and forgotten count what
	// came back.
	attempts, postponed, retried, forgotten int
	// dies says whether the process dies between this call and the record of its result; nil for never.
	dies func() bool
	// results are the last of each action, errors those of the dead.
	results map[*engine.Action]engine.Result
	dead    map[*engine.Action]error
	took    time.Duration
}

// lane is the actions of one user that are left.
type lane struct {
	due      time.Time
	serial   int
	actions  []*engine.Action
	failures int
}

type lanesDue []*lane

func (l lanesDue) Len() int { return len(l) }
func (l lanesDue) Less(a, b int) bool {
	if !l[a].due.Equal(l[b].due) {
		return l[a].due.Before(l[b].due)
	}
	return l[a].serial < l[b].serial
}
func (l lanesDue) Swap(a, b int) { l[a], l[b] = l[b], l[a] }
func (l *lanesDue) Push(x any)   { *l = append(*l, x.(*lane)) }
func (l *lanesDue) Pop() any {
	last := (*l)[len(*l)-1]
	*l = (*l)[:len(*l)-1]
	return last
}

// returned is an attempt that ended.
type returned struct {
	lane   *lane
	result engine.Result
	err    error
}

func newYard(d *Destination, slots int) *yard {
	return &yard{d: d, slots: slots, timeout: time.Minute, attempts: 10,
		results: map[*engine.Action]engine.Result{}, dead: map[*engine.Action]error{}}
}

// run performs all actions; it must be called in a bubble, whose clock is used.
func (y *yard) run(lanes [][]*engine.Action) {
	began := time.Now()
	due := &lanesDue{}
	for n, actions := range lanes {
		heap.Push(due, &lane{due: began, serial: n, actions: actions})
	}
	back := make(chan returned)
	for flying := 0; due.Len() > 0 || flying > 0; {
		for flying < y.slots && due.Len() > 0 && !(*due)[0].due.After(time.Now()) {
			next := heap.Pop(due).(*lane)
			flying++
			go y.attempt(next, back)
		}
		wait := time.Hour
		if flying < y.slots && due.Len() > 0 {
			wait = time.Until((*due)[0].due)
		}
		select {
		case r := <-back:
			flying--
			if y.settle(r) {
				heap.Push(due, r.lane)
			}
		case <-time.After(wait):
		}
	}
	y.took = time.Since(began)
}

func (y *yard) attempt(l *lane, back chan<- returned) {
	ctx, cancel := context.WithTimeout(context.Background(), y.timeout)
	defer cancel()
	result, err := y.d.Perform(ctx, l.actions[0])
	back <- returned{l, result, err}
}

// settle is the engine's judgement of an attempt; it returns whether anything is left to do in the lane.
func (y *yard) settle(r returned) (more bool) {
	l, action := r.lane, r.lane.actions[0]
	if y.dies != nil && y.dies() { // its lease runs out, and the attempt is made again from what was recorded before it
		y.forgotten++
		l.due = time.Now().Add(y.timeout)
		return true
	}
	if wait, ok := engine.PostponedFor(r.err); ok {
		y.postponed++
		l.due = time.Now().Add(wait)
		return true
	}
	action.Result = r.result.Body
	y.results[action] = r.result
	if r.err != nil && !engine.IsPermanent(r.err) && l.failures+1 < y.attempts {
		y.retried++
		l.failures++
		wait := min(time.Second<<(l.failures-1), 15*time.Minute)
		if asked, ok := engine.AskedWait(r.err); ok {
			wait = max(wait, min(asked, 15*time.Minute))
		}
		l.due = time.Now().Add(wait)
		return true
	}
	if r.err != nil {
		y.dead[action] = r.err
	}
	l.due, l.failures, l.actions = time.Now(), 0, l.actions[1:]
	return len(l.actions) > 0
}

// limited is the share of all calls that were answered with 429.
func limited(double *knocktest.Knock) float64 {
	all, refused := 0, 0
	for call, n := range double.Calls() {
		all += n
		if call.Status == 429 {
			refused += n
		}
	}
	return float64(refused) / float64(all)
}

// checkDelivered looks for what is lost or doubled at the double: each lane is an identify with its number in the trait
// "v", or several, and a trigger with its own key.
func checkDelivered(t *testing.T, double *knocktest.Knock, lanes [][]*engine.Action) {
	t.Helper()
	runs := map[string]int{}
	for _, run := range double.Runs() {
		runs[run.Key]++
	}
	wrong := 0
	complain := func(format string, values ...any) {
		if wrong++; wrong <= 10 {
			t.Errorf(format, values...)
		}
	}
	for _, actions := range lanes {
		var want []string
		for _, action := range actions {
			if action.Trigger != nil && runs[action.EffectKey("")] != 1 {
				complain("%s ran %d times", action.EventID, runs[action.EffectKey("")])
			}
			if action.Identify != nil {
				want = append(want, fmt.Sprint(action.Identify.Traits["v"]))
			}
		}
		id := actions[0].UserID
		user := double.User(id)
		if user == nil {
			complain("%q is not there", id)
			continue
		}
		var got []string
		for _, change := range user.History {
			if v := fmt.Sprint(change.Traits["v"]); len(got) == 0 || got[len(got)-1] != v { // a repeat of the same converges
				got = append(got, v)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			complain("%q was identified with %v, want %v", id, got, want)
		}
	}
	if complaints := double.Complaints(); len(complaints) > 0 {
		t.Errorf("%d complaints, such as %s", len(complaints), complaints[0])
	}
}
