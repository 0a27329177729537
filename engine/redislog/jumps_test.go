package redislog_test

import (
	"fmt"
	"testing"
	"time"

	"switchyard/engine"
)

// Clocks that jump by hours, that of windows and retention and that of the server itself.
var jumpContract = []contract{
	{"a repeat is recognised whichever way the clock jumps inside the window", func(t *testing.T, f *fixture) {
		first := f.event("sam", "m")
		f.append(first)
		for _, jump := range []time.Duration{-3 * time.Hour, 6 * time.Hour, -3 * time.Hour} {
			f.clock.forward(jump)
			repeat := f.event("sam", "m")
			f.append(repeat)
			if repeat.DuplicateOf != first.ID {
				t.Errorf("after a jump of %v it repeats %q, want %q", jump, repeat.DuplicateOf, first.ID)
			}
		}
	}},
	{"nothing is trimmed before its time when the clock jumps by hours", func(t *testing.T, f *fixture) {
		f.decide(1, f.event("sam", "1"))
		for _, action := range f.due(f.clock.Now(), time.Minute) {
			f.record(action, engine.StatusSucceeded, time.Time{})
		}
		for _, jump := range []time.Duration{-5 * time.Hour, 0, 5 * time.Hour} {
			if removed, err := f.log.Trim(f.ctx, f.name, f.clock.Now().Add(jump)); removed != 0 || err != nil {
				t.Errorf("%v: %d removed, %v", jump, removed, err)
			}
		}
	}},
	{"the log stays in order when the clock of Redis was set back", func(t *testing.T, f *fixture) {
		before := f.event("sam", "0")
		f.append(before)
		p := f.partition("sam")
		// What a log looks like to a server whose clock was two hours ahead just now.
		ahead := fmt.Sprintf("%d-0", time.Now().Add(2*time.Hour).UnixMilli())
		if err := f.client().Do(f.ctx, "XSETID", f.slice(p)+"events", ahead).Err(); err != nil {
			t.Skip("this server can not pretend: ", err)
		}
		f.append(f.event("sam", "1"), f.event("sam", "2"), f.event("sam", "3"))
		inbox := f.env.Inbox(p, "a")
		claimed := f.claim(inbox)
		if len(claimed) != 4 {
			t.Fatalf("claimed %v", claimed)
		}
		var verdicts []*engine.Verdict
		for n, event := range claimed {
			if event.MessageID != fmt.Sprint(n) {
				t.Errorf("claimed as number %d: %s", n, event.MessageID)
			}
			verdicts = append(verdicts, verdict(event, f.clock.Now(), 1))
		}
		if err := inbox.Commit(f.ctx, verdicts); err != nil || !verdicts[3].Committed {
			t.Fatal(err)
		}
		page, err := f.log.Events(f.ctx, engine.EventQuery{Environment: f.name, UserID: "sam"})
		if err != nil || len(page.Items) != 4 || page.Items[0].MessageID != "3" || page.Items[3].ID != before.ID {
			t.Errorf("%+v %v", page, err)
		}
		if due := f.due(f.clock.Now(), time.Minute); len(due) != 1 || due[0].EventID != before.ID {
			t.Errorf("due %v", due)
		}
	}},
}
