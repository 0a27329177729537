package redislog_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"switchyard/engine"
)

var outboxContract = []contract{
	{"a postponed action is due later, without an attempt", func(t *testing.T, f *fixture) {
		f.decide(1, f.event("sam", "1"))
		now := f.clock.Now()
		action := f.due(now, time.Minute)[0]
		if err := f.env.Outbox(f.partition("sam")).Postpone(f.ctx, action, now.Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if due := f.due(now, time.Minute); len(due) != 0 {
			t.Errorf("due at once: %v", due)
		}
		due := f.due(now.Add(2*time.Second), time.Minute)
		if len(due) != 1 || due[0].ID != action.ID || len(due[0].Attempts) != 0 || due[0].Status != engine.StatusWaiting {
			t.Fatalf("%+v", due)
		}
		f.record(due[0], engine.StatusSucceeded, time.Time{})
		if err := f.env.Outbox(f.partition("sam")).Postpone(f.ctx, action, now); err != nil {
			t.Fatal(err)
		}
		if due := f.due(now.Add(time.Hour), time.Minute); len(due) != 0 {
			t.Errorf("an action that has ended is due: %v", due)
		}
	}},
	{"pauses are kept, the first reason too", func(t *testing.T, f *fixture) {
		first := engine.Pause{Since: time.UnixMilli(1_700_000_000_000).UTC(), Reason: "gone"}
		for _, pause := range []engine.Pause{first, {Reason: "again"}} {
			if err := f.log.Pause(f.ctx, f.name, "hook", pause); err != nil {
				t.Fatal(err)
			}
		}
		pauses, err := f.log.Pauses(f.ctx, f.name)
		if err != nil || len(pauses) != 1 || pauses["hook"] != first {
			t.Errorf("%v %v", pauses, err)
		}
		for _, want := range []bool{true, false} {
			if was, err := f.log.Resume(f.ctx, f.name, "hook"); err != nil || was != want {
				t.Errorf("%v %v", was, err)
			}
		}
	}},
	{"an action comes back as it went", func(t *testing.T, f *fixture) {
		f.append(f.event("sam", "m"))
		inbox := f.env.Inbox(f.partition("sam"), "a")
		v := verdict(f.claim(inbox)[0], f.clock.Now().Truncate(time.Millisecond), 0)
		actor := engine.Recipient{ID: "boss"}
		trigger := &engine.Action{Rule: "welcome", Index: 3, Kind: engine.ActionTrigger, Status: engine.StatusWaiting,
			Parameters: json.RawMessage(`{"recipients":"people"}`), Trigger: &engine.Trigger{Workflow: "w", Actor: &actor,
				Recipients: []engine.Recipient{{ID: "a"}, {ID: "b", Traits: map[string]any{"n": 12345678901234567}}, {ID: "p", Collection: "projects", Traits: map[string]any{}}},
				Data:       map[string]any{"x": []any{1, "two", nil}}, Tenant: "t", CancellationKey: "c"}}
		v.Decision.Actions = []*engine.Action{trigger}
		if err := inbox.Commit(f.ctx, []*engine.Verdict{v}); err != nil {
			t.Fatal(err)
		}
		due := f.due(f.clock.Now(), time.Minute)
		if len(due) != 1 || !reflect.DeepEqual(due[0], trigger) {
			t.Errorf("got  %+v\nwant %+v", due[0], trigger)
		}
		due[0].Result, due[0].Destination, due[0].Reason = json.RawMessage(`{"id":"x"}`), "directory", "slow"
		f.record(due[0], engine.StatusRetrying, f.clock.Now().Add(time.Minute))
		stored, err := f.log.Action(f.ctx, f.name, due[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		stored.Attempts[0].At = due[0].Attempts[0].At
		if !reflect.DeepEqual(stored, due[0]) {
			t.Errorf("got  %+v\nwant %+v", stored, due[0])
		}
	}},
	{"a skipped action is logged and never due", func(t *testing.T, f *fixture) {
		f.append(f.event("sam", "m"))
		inbox := f.env.Inbox(f.partition("sam"), "a")
		v := verdict(f.claim(inbox)[0], f.clock.Now(), 2)
		v.Decision.Actions[0].Status, v.Decision.Actions[0].Reason = engine.StatusSkipped, "recipients is missing"
		v.Decision.Actions[0].Identify = nil
		if err := inbox.Commit(f.ctx, []*engine.Verdict{v}); err != nil {
			t.Fatal(err)
		}
		if due := f.due(f.clock.Now(), time.Minute); len(due) != 1 || due[0].Index != 1 {
			t.Errorf("due %v", due)
		}
		action, err := f.log.Action(f.ctx, f.name, v.Decision.Actions[0].ID)
		if err != nil || action.Status != engine.StatusSkipped || action.Reason != "recipients is missing" || action.Payload() != nil {
			t.Errorf("%+v %v", action, err)
		}
	}},
	{"a lane is done in order, one at a time", func(t *testing.T, f *fixture) {
		f.decide(2, f.event("sam", "1"), f.event("sam", "2"))
		var order []string
		for range 4 {
			due := f.due(f.clock.Now(), time.Minute)
			if len(due) != 1 {
				t.Fatalf("%d due", len(due))
			}
			if again := f.due(f.clock.Now(), time.Minute); len(again) != 0 {
				t.Fatal("a taken lane was given out again")
			}
			order = append(order, due[0].ID)
			f.record(due[0], engine.StatusSucceeded, time.Time{})
		}
		page, err := f.log.Actions(f.ctx, engine.ActionQuery{Environment: f.name})
		if err != nil || len(page.Items) != 4 {
			t.Fatalf("%v %v", page, err)
		}
		for i, id := range order {
			if page.Items[3-i].ID != id {
				t.Errorf("action %d was done in another order", i)
			}
		}
		if _, next, err := f.env.Outbox(f.partition("sam")).Due(f.ctx, f.clock.Now(), time.Minute, 1); err != nil || !next.IsZero() {
			t.Errorf("next %v, %v", next, err)
		}
	}},
	{"a retry holds its lane and no other", func(t *testing.T, f *fixture) {
		f.decide(1, f.event("sam", "1"), f.event("sam", "2"), f.event("ann", "1"))
		now := f.clock.Now()
		for _, action := range f.due(now, time.Minute) {
			if action.UserID == "sam" {
				f.record(action, engine.StatusRetrying, now.Add(time.Hour))
			} else {
				f.record(action, engine.StatusSucceeded, time.Time{})
			}
		}
		f.decide(1, f.event("ann", "2"), f.event("sam", "3"))
		due := f.due(now.Add(59*time.Minute), time.Minute)
		if len(due) != 1 || due[0].UserID != "ann" {
			t.Errorf("due %v", due)
		}
		_, next, err := f.env.Outbox(f.partition("sam")).Due(f.ctx, now, time.Minute, 10)
		if err != nil || f.partition("sam") != f.partition("ann") && next.Sub(now.Add(time.Hour)).Abs() > time.Second {
			t.Errorf("next %v, %v", next, err)
		}
		due = f.due(now.Add(61*time.Minute), time.Minute)
		for _, action := range due {
			if action.UserID == "sam" && (len(action.Attempts) != 1 || action.Status != engine.StatusRetrying) {
				t.Errorf("%+v", action)
			}
		}
	}},
	{"a lease that ends gives the action to another, and one attempt counts", func(t *testing.T, f *fixture) {
		f.decide(1, f.event("sam", "1"))
		now := f.clock.Now()
		first := f.due(now, time.Second)[0]
		second := f.due(now.Add(2*time.Second), time.Second)[0]
		if first.ID != second.ID {
			t.Fatal("another action")
		}
		if !f.record(second, engine.StatusRetrying, now) || f.record(first, engine.StatusSucceeded, now) {
			t.Error("the second to record was believed")
		}
		stored, err := f.log.Action(f.ctx, f.name, first.ID)
		if err != nil || stored.Status != engine.StatusRetrying || len(stored.Attempts) != 1 {
			t.Errorf("%+v %v", stored, err)
		}
	}},
	{"an ended action can not be recorded again", func(t *testing.T, f *fixture) {
		f.decide(1, f.event("sam", "1"), f.event("sam", "2"))
		action := f.due(f.clock.Now(), time.Minute)[0]
		f.record(action, engine.StatusSucceeded, time.Time{})
		if f.record(action, engine.StatusDead, time.Time{}) {
			t.Error("recorded after its end")
		}
		if ok, err := f.env.Outbox(0).Record(f.ctx, &engine.Action{ID: "nonsense"}, time.Time{}, engine.AnyNumber); ok || err != nil {
			t.Errorf("%v %v", ok, err)
		}
		if due := f.due(f.clock.Now(), time.Minute); len(due) != 1 {
			t.Errorf("%d due", len(due))
		}
	}},
	{"a result that is not JSON is recorded all the same", func(t *testing.T, f *fixture) {
		f.decide(1, f.event("sam", "1"))
		action := f.due(f.clock.Now(), time.Minute)[0]
		action.Result = json.RawMessage("<html>")
		if !f.record(action, engine.StatusSucceeded, time.Time{}) {
			t.Fatal("refused")
		}
		stored, err := f.log.Action(f.ctx, f.name, action.ID)
		if err != nil || string(stored.Result) != `"\u003chtml\u003e"` {
			t.Errorf("%s %v", stored.Result, err)
		}
	}},
	{"a dead action frees its lane and can be run again", func(t *testing.T, f *fixture) {
		f.decide(1, f.event("sam", "1"), f.event("sam", "2"))
		action := f.due(f.clock.Now(), time.Minute)[0]
		action.Reason = "410 gone"
		f.record(action, engine.StatusDead, time.Time{})
		if stats, _ := f.log.Stats(f.ctx, f.name); stats.Dead != 1 || stats.LanesWaiting != 1 {
			t.Errorf("%+v", stats)
		}
		next := f.due(f.clock.Now(), time.Minute)
		if len(next) != 1 || next[0].ID == action.ID {
			t.Fatalf("next %v", next)
		}
		dead, err := f.log.Actions(f.ctx, engine.ActionQuery{Environment: f.name, Status: engine.StatusDead})
		if err != nil || len(dead.Items) != 1 || dead.Items[0].ID != action.ID || dead.Next != "" {
			t.Errorf("%v %v", dead, err)
		}
		again, err := f.log.Retry(f.ctx, f.name, action.ID, f.clock.Now())
		if err != nil || again.Status != engine.StatusWaiting || again.BudgetFrom != 1 || again.BudgetSince.IsZero() {
			t.Fatalf("%+v %v", again, err)
		}
		if _, err := f.log.Retry(f.ctx, f.name, action.ID, f.clock.Now()); !errors.Is(err, engine.ErrNotDead) {
			t.Errorf("a second retry: %v", err)
		}
		f.record(next[0], engine.StatusSucceeded, time.Time{})
		due := f.due(f.clock.Now(), time.Minute)
		if len(due) != 1 || due[0].ID != action.ID || len(due[0].Attempts) != 1 || due[0].BudgetFrom != 1 {
			t.Fatalf("due %v", due)
		}
		if !f.record(due[0], engine.StatusSucceeded, time.Time{}) {
			t.Error("the retried attempt was refused")
		}
		if stats, _ := f.log.Stats(f.ctx, f.name); stats.Dead != 0 || stats.LanesWaiting != 0 {
			t.Errorf("%+v", stats)
		}
	}},
	{"a retry into an empty lane is due", func(t *testing.T, f *fixture) {
		f.decide(1, f.event("sam", "1"))
		action := f.due(f.clock.Now(), time.Minute)[0]
		f.record(action, engine.StatusDead, time.Time{})
		if _, err := f.log.Retry(f.ctx, f.name, action.ID, f.clock.Now()); err != nil {
			t.Fatal(err)
		}
		if due := f.due(f.clock.Now(), time.Minute); len(due) != 1 {
			t.Errorf("%d due", len(due))
		}
		if _, err := f.log.Retry(f.ctx, f.name, "a0-1-1", f.clock.Now()); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("error %v", err)
		}
	}},
	{"an action whose body is gone leaves its lane", func(t *testing.T, f *fixture) {
		f.tampered = true
		verdicts := f.decide(1, f.event("sam", "1"), f.event("sam", "2"))
		p := f.partition("sam")
		if err := f.client().XDel(f.ctx, f.slice(p)+"actions", verdicts[0].Decision.Actions[0].ID[len("a0-"):]).Err(); err != nil {
			t.Fatal(err)
		}
		if due := f.due(f.clock.Now(), time.Minute); len(due) != 1 || due[0].ID != verdicts[1].Decision.Actions[0].ID {
			t.Errorf("due %v", due)
		}
	}},
}
