package redislog_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"switchyard/engine"
)

var queryContract = []contract{
	{"paging yields each event once, newest first", func(t *testing.T, f *fixture) {
		want := map[string]bool{}
		for i := range 300 {
			event := f.event(fmt.Sprint("user", i%7), fmt.Sprint("m", i))
			f.append(event)
			want[event.ID] = true
		}
		for _, limit := range []int{1, 7, 100, 1000} {
			ids := f.pageEvents(engine.EventQuery{Limit: limit})
			f.expectOnce(ids, want)
			if !slices.IsSortedFunc(ids, func(a, b string) int { return -compareMillis(a, b) }) {
				t.Errorf("limit %d: not newest first", limit)
			}
		}
	}},
	{"every filter of events", func(t *testing.T, f *fixture) {
		base := f.clock.Now()
		events := make([]*engine.Event, 24)
		for i := range events {
			events[i] = f.event(fmt.Sprint("user", i%3), fmt.Sprint("m", i%6))
			events[i].Source, events[i].Type = []string{"web", "app"}[i%2], []string{"track", "identify"}[i/12]
			events[i].Name = fmt.Sprint("name", i%4)
			events[i].ReceivedAt = base.Add(time.Duration(i) * time.Second)
		}
		f.decide(0, events...)
		f.append(events[0])
		for _, c := range []struct {
			name   string
			query  engine.EventQuery
			wanted func(*engine.Event) bool
		}{
			{"source", engine.EventQuery{Source: "app"}, func(e *engine.Event) bool { return e.Source == "app" }},
			{"type", engine.EventQuery{Type: "identify"}, func(e *engine.Event) bool { return e.Type == "identify" }},
			{"name", engine.EventQuery{Name: "name3"}, func(e *engine.Event) bool { return e.Name == "name3" }},
			{"user", engine.EventQuery{UserID: "user1"}, func(e *engine.Event) bool { return e.UserID == "user1" }},
			{"message", engine.EventQuery{MessageID: "m4"}, func(e *engine.Event) bool { return e.MessageID == "m4" }},
			{"user and message", engine.EventQuery{UserID: "user1", MessageID: "m4"}, func(e *engine.Event) bool { return e.UserID == "user1" && e.MessageID == "m4" }},
			{"user and source", engine.EventQuery{UserID: "user1", Source: "app"}, func(e *engine.Event) bool { return e.UserID == "user1" && e.Source == "app" }},
			{"from and to", engine.EventQuery{From: base.Add(3 * time.Second), To: base.Add(9 * time.Second)}, func(e *engine.Event) bool {
				return !e.ReceivedAt.Before(base.Add(3*time.Second)) && e.ReceivedAt.Before(base.Add(9*time.Second))
			}},
			{"unknown user", engine.EventQuery{UserID: "nobody"}, func(*engine.Event) bool { return false }},
			{"unknown message", engine.EventQuery{MessageID: "none"}, func(*engine.Event) bool { return false }},
			{"to long ago", engine.EventQuery{To: base.Add(-time.Hour)}, func(*engine.Event) bool { return false }},
			{"from far ahead", engine.EventQuery{From: base.Add(time.Hour)}, func(*engine.Event) bool { return false }},
		} {
			want := map[string]bool{}
			for _, event := range append(events[1:], events[0]) {
				if c.wanted(event) {
					want[event.ID] = true
				}
			}
			for _, limit := range []int{2, 50} {
				c.query.Limit = limit
				t.Run(c.name, func(t *testing.T) { g := *f; g.t = t; g.expectContains(g.pageEvents(c.query), want) })
			}
		}
		pending := f.pageEvents(engine.EventQuery{Outcome: engine.OutcomePending})
		if len(pending) != 1 || pending[0] != events[0].ID {
			t.Errorf("pending %v", pending)
		}
		if n := len(f.pageEvents(engine.EventQuery{Outcome: engine.OutcomeUnmatched, Limit: 5})); n != 24 {
			t.Errorf("%d unmatched", n)
		}
	}},
	{"every filter of actions", func(t *testing.T, f *fixture) {
		verdicts := f.decide(3, f.event("sam", "1"), f.event("ann", "2"), f.event("sam", "3"))
		for _, action := range f.due(f.clock.Now(), time.Minute) {
			f.record(action, engine.StatusSucceeded, time.Time{})
		}
		ofEvent := map[string]bool{}
		for _, action := range verdicts[0].Decision.Actions {
			ofEvent[action.ID] = true
		}
		for _, limit := range []int{1, 2, 100} {
			if n := len(f.pageActions(engine.ActionQuery{Limit: limit})); n != 9 {
				t.Errorf("limit %d: %d actions", limit, n)
			}
			if n := len(f.pageActions(engine.ActionQuery{UserID: "sam", Limit: limit})); n != 6 {
				t.Errorf("limit %d: %d of sam", limit, n)
			}
			f.expectOnce(f.pageActions(engine.ActionQuery{EventID: verdicts[0].Event.ID, Limit: limit}), ofEvent)
		}
		for want, query := range map[int]engine.ActionQuery{
			2: {Status: engine.StatusSucceeded}, 7: {Status: engine.StatusWaiting}, 9: {Rule: "welcome", Kind: "identify"},
			0: {Rule: "other"},
		} {
			if n := len(f.pageActions(query)); n != want {
				t.Errorf("%+v: %d", query, n)
			}
		}
		for _, query := range []engine.ActionQuery{{Kind: "trigger"}, {EventID: "nonsense"}, {EventID: "e0-1-1"}, {UserID: "nobody"},
			{Status: engine.StatusDead}, {From: f.clock.Now().Add(time.Hour)}, {To: f.clock.Now().Add(-time.Hour)}} {
			if n := len(f.pageActions(query)); n != 0 {
				t.Errorf("%+v: %d", query, n)
			}
		}
	}},
	{"a rare filter is searched a bounded stretch at a time", func(t *testing.T, f *fixture) {
		rare := f.event("sam", "")
		rare.Name = "rare"
		f.append(rare)
		batch := make([]*engine.Event, 500)
		for range 12 {
			for i := range batch {
				batch[i] = f.event(fmt.Sprint("u", i), "")
			}
			f.append(batch...)
		}
		query := engine.EventQuery{Environment: f.name, Name: "rare"}
		page, err := f.log.Events(f.ctx, query)
		if err != nil || len(page.Items) != 0 || page.Next == "" {
			t.Errorf("the first page has %d items, next %q, %v", len(page.Items), page.Next, err)
		}
		if ids := f.pageEvents(engine.EventQuery{Name: "rare"}); len(ids) != 1 || ids[0] != rare.ID {
			t.Errorf("found %v", ids)
		}
	}},
	{"unknown ids and broken cursors", func(t *testing.T, f *fixture) {
		f.append(f.event("sam", "1"))
		for _, id := range []string{"", "e", "a", "e0", "e0-", "e0-1", "e0-1-", "e0-1-1", "e9-1-1", "e-1-1-1", "e00-1-1", "e0-01-1", "e0-1-1-1",
			"e0-18446744073709551616-0", "e0-1-99999999999999999999", "ex-1-1", "e0-1-1 ", "e0-1-1\x00", "e99999999999999999999-1-1", "日本"} {
			if _, err := f.log.Event(f.ctx, f.name, id); !errors.Is(err, engine.ErrNotFound) {
				t.Errorf("event %q: %v", id, err)
			}
			if _, err := f.log.Action(f.ctx, f.name, "a"+id); !errors.Is(err, engine.ErrNotFound) {
				t.Errorf("action %q: %v", id, err)
			}
			if _, err := f.log.Retry(f.ctx, f.name, id, f.clock.Now()); !errors.Is(err, engine.ErrNotFound) {
				t.Errorf("retry %q: %v", id, err)
			}
		}
		for _, cursor := range []string{"x", "!", "MS0x", "MS0xLTk", "LS0t", "MS0xLTA=", "MS0xLTAg", "MDEtMS0w"} {
			if _, err := f.log.Events(f.ctx, engine.EventQuery{Environment: f.name, Cursor: cursor}); !errors.Is(err, engine.ErrBadCursor) {
				t.Errorf("cursor %q: %v", cursor, err)
			}
			if _, err := f.log.Actions(f.ctx, engine.ActionQuery{Environment: f.name, Cursor: cursor}); !errors.Is(err, engine.ErrBadCursor) {
				t.Errorf("cursor %q: %v", cursor, err)
			}
		}
		if _, err := f.log.Events(f.ctx, engine.EventQuery{Environment: "none"}); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("unknown environment: %v", err)
		}
		if page, err := f.log.Events(f.ctx, engine.EventQuery{Environment: f.name, Limit: -1}); err != nil || len(page.Items) != 1 || page.Next != "" {
			t.Errorf("%v %v", page, err)
		}
	}},
}

func (f *fixture) pageEvents(query engine.EventQuery) (ids []string) {
	f.t.Helper()
	query.Environment = f.name
	for range 10_000 {
		page, err := f.log.Events(f.ctx, query)
		if err != nil {
			f.t.Fatal(err)
		}
		for _, item := range page.Items {
			ids = append(ids, item.ID)
		}
		if query.Cursor = page.Next; query.Cursor == "" {
			return ids
		}
	}
	f.t.Fatal("the pages have no end")
	return nil
}

func (f *fixture) pageActions(query engine.ActionQuery) (ids []string) {
	f.t.Helper()
	query.Environment = f.name
	for range 10_000 {
		page, err := f.log.Actions(f.ctx, query)
		if err != nil {
			f.t.Fatal(err)
		}
		for _, item := range page.Items {
			ids = append(ids, item.ID)
		}
		if query.Cursor = page.Next; query.Cursor == "" {
			return ids
		}
	}
	f.t.Fatal("the pages have no end")
	return nil
}

func (f *fixture) expectOnce(ids []string, want map[string]bool) {
	f.t.Helper()
	seen := map[string]bool{}
	for _, id := range ids {
		if seen[id] || !want[id] {
			f.t.Errorf("%s came twice, or was not asked for", id)
		}
		seen[id] = true
	}
	if len(seen) != len(want) {
		f.t.Errorf("%d of %d", len(seen), len(want))
	}
}

// expectContains allows the one event that the filter test appends last, whose first copy has lost its id.
func (f *fixture) expectContains(ids []string, want map[string]bool) {
	f.t.Helper()
	for id := range want {
		if !slices.Contains(ids, id) {
			f.t.Errorf("%s is missing", id)
		}
	}
	if len(ids) > len(want)+1 || len(want) == 0 && len(ids) > 0 {
		f.t.Errorf("%d events, want %d", len(ids), len(want))
	}
}

// compareMillis compares ids by their milliseconds.
func compareMillis(a, b string) int {
	var p, x, y int
	fmt.Sscanf(a[1:], "%d-%d", &p, &x)
	fmt.Sscanf(b[1:], "%d-%d", &p, &y)
	return x - y
}
