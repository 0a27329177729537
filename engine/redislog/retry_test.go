package redislog_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"switchyard/engine"
)

var retryContract = []contract{
	{"the dead are run again in their order, in steps", func(t *testing.T, f *fixture) {
		var events []*engine.Event
		for n := range 30 {
			events = append(events, f.event(fmt.Sprint("user", n%3), fmt.Sprint(n)))
		}
		f.decide(2, events...)
		f.kill(60)
		before := map[string]string{}
		page, err := f.log.Actions(f.ctx, engine.ActionQuery{Environment: f.name, Limit: 100})
		if err != nil || len(page.Items) != 60 {
			t.Fatalf("%d actions, %v", len(page.Items), err)
		}
		want := map[string][]string{}
		for _, action := range slices.Backward(page.Items) {
			want[action.UserID] = append(want[action.UserID], action.ID)
			before[action.ID] = action.EffectKey("x")
		}
		query := engine.ActionQuery{Environment: f.name, Limit: 7}
		total, steps := 0, 0
		for ; steps == 0 || query.Cursor != ""; steps++ {
			done, err := f.log.RetryDead(f.ctx, query, f.clock.Now())
			if err != nil || done.Count > 7 {
				t.Fatalf("%+v %v", done, err)
			}
			total, query.Cursor = total+done.Count, done.Next
		}
		if total != 60 || steps != 9 {
			t.Errorf("%d in %d steps", total, steps)
		}
		if done, err := f.log.RetryDead(f.ctx, engine.ActionQuery{Environment: f.name}, f.clock.Now()); err != nil || done.Count != 0 || done.Next != "" {
			t.Errorf("once more: %+v %v", done, err)
		}
		got := map[string][]string{}
		for due := f.due(f.clock.Now(), time.Minute); len(due) > 0; due = f.due(f.clock.Now(), time.Minute) {
			for _, action := range due {
				got[action.UserID] = append(got[action.UserID], action.ID)
				if action.BudgetFrom != 1 || action.EffectKey("x") != before[action.ID] {
					t.Errorf("%+v", action)
				}
				f.record(action, engine.StatusSucceeded, time.Time{})
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("done    %v\nordered %v", got, want)
		}
	}},
	{"a step takes the oldest of all partitions", func(t *testing.T, f *fixture) {
		for n := range 6 {
			f.decide(1, f.event(fmt.Sprint("user", n), "1"))
			time.Sleep(2 * time.Millisecond) // ids are by the server's clock
		}
		f.kill(6)
		if done, err := f.log.RetryDead(f.ctx, engine.ActionQuery{Environment: f.name, Limit: 4}, f.clock.Now()); err != nil || done.Count != 4 || done.Next == "" {
			t.Fatalf("%+v %v", done, err)
		}
		page, err := f.log.Actions(f.ctx, engine.ActionQuery{Environment: f.name, Status: engine.StatusDead})
		if err != nil || len(page.Items) != 2 || page.Items[0].UserID != "user5" || page.Items[1].UserID != "user4" {
			t.Errorf("left dead: %v %v", page.Items, err)
		}
	}},
	{"only those are run again that are asked for", func(t *testing.T, f *fixture) {
		sam := f.event("sam", "1")
		f.decide(2, sam, f.event("sam", "2"), f.event("ann", "1"))
		f.kill(6)
		now := f.clock.Now()
		for _, test := range []struct {
			query engine.ActionQuery
			want  int
		}{
			{engine.ActionQuery{Rule: "other"}, 0},
			{engine.ActionQuery{Kind: engine.ActionTrigger}, 0},
			{engine.ActionQuery{UserID: "nobody"}, 0},
			{engine.ActionQuery{EventID: "e0-1-1"}, 0},
			{engine.ActionQuery{EventID: "odd"}, 0},
			{engine.ActionQuery{From: now.Add(time.Hour)}, 0},
			{engine.ActionQuery{To: now.Add(-time.Hour)}, 0},
			{engine.ActionQuery{Status: engine.StatusSucceeded, EventID: sam.ID, Rule: "welcome"}, 2}, // a status is not asked for
			{engine.ActionQuery{EventID: sam.ID}, 0},
			{engine.ActionQuery{UserID: "sam", From: now.Add(-time.Hour), To: now.Add(time.Hour)}, 2},
			{engine.ActionQuery{Kind: engine.ActionIdentify}, 2},
		} {
			test.query.Environment = f.name
			if done, err := f.log.RetryDead(f.ctx, test.query, now); err != nil || done.Count != test.want || done.Next != "" {
				t.Errorf("%+v: %+v %v", test.query, done, err)
			}
		}
		if _, err := f.log.RetryDead(f.ctx, engine.ActionQuery{Environment: f.name, Cursor: "odd"}, now); !errors.Is(err, engine.ErrBadCursor) {
			t.Errorf("a bad cursor: %v", err)
		}
		if _, err := f.log.RetryDead(f.ctx, engine.ActionQuery{Environment: "nowhere"}, now); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("no environment: %v", err)
		}
	}},
	{"an action is repeated once for each nonce", func(t *testing.T, f *fixture) {
		f.decide(1, f.event("sam", "1"))
		action := f.due(f.clock.Now(), time.Minute)[0]
		keys := map[string]bool{action.EffectKey(""): true}
		f.record(action, engine.StatusSucceeded, time.Time{})
		for n, nonce := range []string{"again", "once-more"} {
			repeated, err := f.log.Repeat(f.ctx, f.name, action.ID, nonce, f.clock.Now())
			if err != nil || repeated.Status != engine.StatusWaiting || repeated.Nonce() != nonce {
				t.Fatalf("%+v %v", repeated, err)
			}
			if _, err := f.log.Repeat(f.ctx, f.name, action.ID, nonce, f.clock.Now()); !errors.Is(err, engine.ErrNonceUsed) {
				t.Errorf("the same nonce while it waits: %v", err)
			}
			if _, err := f.log.Repeat(f.ctx, f.name, action.ID, "other", f.clock.Now()); !errors.Is(err, engine.ErrNotEnded) {
				t.Errorf("another nonce while it waits: %v", err)
			}
			due := f.due(f.clock.Now(), time.Minute)
			if len(due) != 1 || len(due[0].Attempts) != n+1 || due[0].BudgetFrom != n+1 || keys[due[0].EffectKey("")] {
				t.Fatalf("due %+v", due)
			}
			keys[due[0].EffectKey("")] = true
			f.record(due[0], engine.StatusSucceeded, time.Time{})
			if _, err := f.log.Repeat(f.ctx, f.name, action.ID, nonce, f.clock.Now()); !errors.Is(err, engine.ErrNonceUsed) {
				t.Errorf("the same nonce afterwards: %v", err)
			}
		}
		if _, err := f.log.Repeat(f.ctx, f.name, action.ID, "again", f.clock.Now()); !errors.Is(err, engine.ErrNonceUsed) {
			t.Errorf("an older nonce: %v", err)
		}
		if _, err := f.log.Retry(f.ctx, f.name, action.ID, f.clock.Now()); !errors.Is(err, engine.ErrNotDead) {
			t.Errorf("without a nonce: %v", err)
		}
	}},
	{"a dead repeat is run again under the keys that it has", func(t *testing.T, f *fixture) {
		f.decide(1, f.event("sam", "1"))
		action := f.due(f.clock.Now(), time.Minute)[0]
		f.record(action, engine.StatusSucceeded, time.Time{})
		repeated, err := f.log.Repeat(f.ctx, f.name, action.ID, "again", f.clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		for _, again := range []func() (*engine.Action, error){
			func() (*engine.Action, error) { return f.log.Retry(f.ctx, f.name, action.ID, f.clock.Now()) },
			func() (*engine.Action, error) { return f.log.Repeat(f.ctx, f.name, action.ID, "again", f.clock.Now()) },
		} {
			f.record(f.due(f.clock.Now(), time.Minute)[0], engine.StatusDead, time.Time{})
			if retried, err := again(); err != nil || retried.EffectKey("") != repeated.EffectKey("") || retried.Nonce() != "again" {
				t.Errorf("%+v %v", retried, err)
			}
			if stats, _ := f.log.Stats(f.ctx, f.name); stats.Dead != 0 || stats.LanesWaiting != 1 {
				t.Errorf("%+v", stats)
			}
		}
	}},
}

// kill makes so many waiting actions dead.
func (f *fixture) kill(actions int) {
	f.t.Helper()
	for killed := 0; killed < actions; {
		due := f.due(f.clock.Now(), time.Minute)
		if len(due) == 0 {
			f.t.Fatalf("only %d were due", killed)
		}
		for _, action := range due {
			f.record(action, engine.StatusDead, time.Time{})
			killed++
		}
	}
}
