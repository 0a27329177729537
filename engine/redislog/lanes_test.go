package redislog_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"switchyard/adapters/deliver/directory"
	"switchyard/engine"
	"switchyard/engine/redislog"
)

var lanesContract = []contract{
	{"too many behind it, and an action gives way", func(t *testing.T, f *fixture) {
		f.decide(1, f.event("sam", "1"), f.event("sam", "2"), f.event("sam", "3"), f.event("ann", "1"))
		later := f.clock.Now().Add(time.Hour)
		for _, action := range f.due(f.clock.Now(), time.Minute) {
			action.Reason = "a \x00 \"busy\" destination"
			f.try(action, later, 2) // there are just two behind sam's, and none behind ann's
			if action.Status != engine.StatusRetrying {
				t.Errorf("%s gave way: %+v", action.UserID, action)
			}
		}
		f.decide(1, f.event("sam", "4"))
		for _, action := range f.due(later, time.Minute) {
			if action.UserID != "sam" {
				continue
			}
			f.try(action, later.Add(time.Hour), 2)
			stored, err := f.log.Action(f.ctx, f.name, action.ID)
			if err != nil || stored.Status != engine.StatusDead || stored.Reason != action.Reason || len(stored.Attempts) != 2 ||
				stored.Attempts[0].Status != engine.StatusRetrying || stored.Attempts[1].Status != engine.StatusDead {
				t.Errorf("stored %+v, %v", stored, err)
			}
			if !strings.HasPrefix(action.Reason, "gave way after ") || action.Status != engine.StatusDead ||
				!strings.HasSuffix(action.Reason, ": 3 actions of this user waited behind it; the last error was: a \x00 \"busy\" destination") {
				t.Errorf("%s, %q", action.Status, action.Reason)
			}
		}
		due := f.due(f.clock.Now(), time.Minute)
		if len(due) != 1 || due[0].UserID != "sam" || len(due[0].Attempts) != 0 {
			t.Fatalf("the next is not due at once: %v", due)
		}
		if stats, _ := f.log.Stats(f.ctx, f.name); stats.Dead != 1 || stats.LanesWaiting != 2 {
			t.Errorf("%+v", stats)
		}
	}},
	{"an action without patience gives way to one, and to nobody", func(t *testing.T, f *fixture) {
		f.decide(1, f.event("sam", "1"), f.event("sam", "2"))
		now := f.clock.Now()
		first := f.due(now, time.Minute)[0]
		if f.try(first, now, 0); first.Status != engine.StatusDead || !strings.Contains(first.Reason, ": 1 action of this user") {
			t.Errorf("%s, %q", first.Status, first.Reason)
		}
		last := f.due(f.clock.Now(), time.Minute)[0]
		if f.try(last, now, 0); last.Status != engine.StatusRetrying {
			t.Errorf("gave way to nobody: %+v", last)
		}
		again, err := f.log.Retry(f.ctx, f.name, first.ID, f.clock.Now())
		if err != nil || again.Status != engine.StatusWaiting {
			t.Errorf("what gave way can be run again: %+v %v", again, err)
		}
	}},
	{"an attempt that comes too late does not give way either", func(t *testing.T, f *fixture) {
		f.decide(1, f.event("sam", "1"), f.event("sam", "2"))
		now := f.clock.Now()
		first, second := f.due(now, time.Second)[0], f.due(now.Add(2*time.Second), time.Second)[0]
		if !f.try(second, now, 5) || f.try(first, now, 0) || first.Status != engine.StatusRetrying {
			t.Errorf("%+v", first)
		}
	}},
	{"actions with lanes of their own do not wait", func(t *testing.T, f *fixture) {
		f.decideRelaxed(3, f.event("sam", "1"))
		now := f.clock.Now()
		due := f.due(now, time.Minute)
		if len(due) != 3 {
			t.Fatalf("%d due", len(due))
		}
		f.try(due[0], now.Add(time.Hour), 0)
		f.record(due[1], engine.StatusSucceeded, time.Time{})
		f.record(due[2], engine.StatusDead, time.Time{})
		if _, err := f.log.Retry(f.ctx, f.name, due[2].ID, f.clock.Now()); err != nil {
			t.Fatal(err)
		}
		f.decide(1, f.event("sam", "2")) // the order is strict again
		if again := f.due(f.clock.Now(), time.Minute); len(again) != 2 {
			t.Errorf("%d due", len(again))
		}
		if again := f.due(now.Add(2*time.Hour), time.Minute); len(again) != 3 {
			t.Errorf("%d due later", len(again))
		}
	}},
	{"deleting a user leaves no lane behind", func(t *testing.T, f *fixture) {
		f.decideRelaxed(2, f.event("sam", "1"), f.event("sam", "2"))
		f.decide(2, f.event("sam", "3"))
		now := f.clock.Now()
		due := f.due(now, time.Minute)
		f.try(due[0], now.Add(time.Hour), 5)
		f.record(due[1], engine.StatusDead, time.Time{})
		if err := f.log.DeleteUser(f.ctx, f.name, "sam"); err != nil {
			t.Fatal(err)
		}
		for _, action := range due[2:] {
			if f.try(action, now, 0) {
				t.Error("an action that was deleted was recorded")
			}
		}
		f.nothingLeft("sam")
	}},
	{"an event stays as long as its actions, and both go with their user", func(t *testing.T, f *fixture) {
		action := f.decide(1, f.event("sam", "1"))[0].Decision.Actions[0]
		f.record(f.due(f.clock.Now(), time.Minute)[0], engine.StatusDead, time.Time{})
		f.env.Keep(redislog.EnvOptions{Events: time.Hour})
		if n, err := f.log.Trim(f.ctx, f.name, f.clock.Now().Add(2*time.Hour)); err != nil || n != 0 {
			t.Fatalf("%d %v", n, err)
		}
		if _, err := f.log.Retry(f.ctx, f.name, action.ID, f.clock.Now()); err != nil {
			t.Fatal(err)
		}
		if err := f.log.DeleteUser(f.ctx, f.name, "sam"); err != nil {
			t.Fatal(err)
		}
		f.nothingLeft("sam")
	}},
	{"an attempt that was made and not recorded is made again, with the effects of one", func(t *testing.T, f *fixture) {
		f.append(f.event("sam", "m"))
		inbox := f.env.Inbox(f.partition("sam"), "a")
		v := verdict(f.claim(inbox)[0], f.clock.Now(), 1)
		trigger, err := engine.NewTrigger("w", engine.TriggerValues{Recipients: []any{map[string]any{"id": "sam", "n": 1}, map[string]any{"id": "ann"}}})
		if err != nil {
			t.Fatal(err)
		}
		v.Decision.Actions = append(v.Decision.Actions, &engine.Action{Rule: "r", Kind: engine.ActionTrigger, Trigger: trigger})
		if err := inbox.Commit(f.ctx, []*engine.Verdict{v}); err != nil {
			t.Fatal(err)
		}
		now, destination := f.clock.Now(), directory.New(f.log.Directory(), nil)
		for range 2 {
			var bodies []string
			for range 3 { // the first two processes die between effect and record
				action := f.due(now, time.Second)[0]
				result, err := destination.Perform(f.ctx, action)
				if err != nil {
					t.Fatal(err)
				}
				bodies = append(bodies, string(result.Body))
				if now = now.Add(2 * time.Second); len(bodies) == 3 && !f.record(action, engine.StatusSucceeded, time.Time{}) {
					t.Error("not recorded")
				}
			}
			if strings.Contains(bodies[0], "workflow_run_id") && bodies[0] != bodies[2] {
				t.Errorf("%s, then %s", bodies[0], bodies[2])
			}
		}
		if runs := f.client().XLen(f.ctx, "sy:{"+f.name+":runs}:stream").Val(); runs != 1 {
			t.Errorf("%d runs", runs)
		}
		for user, version := range map[string]string{"sam": "2", "ann": "1"} {
			if got := f.client().HGet(f.ctx, "sy:{"+f.name+":user:"+user+"}:profile", "version").Val(); got != version {
				t.Errorf("%s was changed %s times, want %s", user, got, version)
			}
		}
	}},
	{"an effect is remembered for a week", func(t *testing.T, f *fixture) {
		f.identify("sam", "k", nil)
		if life := f.client().PTTL(f.ctx, "sy:{"+f.name+":user:sam}:effect:k").Val(); life < 6*24*time.Hour {
			t.Errorf("for %s", life)
		}
	}},
}

// try records an attempt that failed.
func (f *fixture) try(action *engine.Action, next time.Time, patience int) bool {
	f.t.Helper()
	action.Status = engine.StatusRetrying
	action.Attempts = append(action.Attempts, engine.Attempt{At: f.clock.Now(), Status: engine.StatusRetrying, Error: action.Reason})
	ok, err := f.env.Outbox(f.partition(action.UserID)).Record(f.ctx, action, next, patience)
	if err != nil {
		f.t.Fatal(err)
	}
	return ok
}

// decideRelaxed is decide for actions with lanes of their own.
func (f *fixture) decideRelaxed(actions int, events ...*engine.Event) {
	f.t.Helper()
	f.append(events...)
	for _, inbox := range f.inboxes(f.env, "decider") {
		for _, event := range f.claim(inbox) {
			v := verdict(event, f.clock.Now(), actions)
			for n, action := range v.Decision.Actions {
				action.Lane = fmt.Sprintf("e:%s/%d", event.ID, n)
			}
			if err := inbox.Commit(f.ctx, []*engine.Verdict{v}); err != nil {
				f.t.Fatal(err)
			}
		}
	}
}

// nothingLeft wants no key of a user's partition to hold anything for ever.
func (f *fixture) nothingLeft(user string) {
	f.t.Helper()
	for _, key := range f.client().Keys(f.ctx, f.slice(f.partition(user))+"*").Val() {
		switch {
		case f.client().TTL(f.ctx, key).Val() > 0: // the owner, and a message id that is remembered
		case strings.HasSuffix(key, ":events"), strings.HasSuffix(key, ":actions"), strings.HasSuffix(key, ":counts"):
			if n := f.client().XLen(f.ctx, key).Val(); n != 0 {
				f.t.Errorf("%s has %d entries", key, n)
			}
		default:
			f.t.Errorf("left behind: %q", key)
		}
	}
}
