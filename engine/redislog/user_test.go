package redislog_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"switchyard/engine"
	"switchyard/engine/redislog"
)

var userContract = []contract{
	{"deleting a user removes what is theirs and nothing else", func(t *testing.T, f *fixture) {
		sam, ann := f.event("sam", "1"), f.event("ann", "2")
		f.decide(2, sam, ann)
		for _, action := range f.due(f.clock.Now(), time.Minute) {
			f.record(action, engine.StatusDead, time.Time{})
		}
		pending := f.event("sam", "3")
		f.append(pending)
		inbox := f.env.Inbox(f.partition("sam"), "decider")
		claimed := f.claim(inbox)
		f.identify("sam", "k", map[string]any{"name": "Sam"})
		if err := f.log.DeleteUser(f.ctx, f.name, "sam"); err != nil {
			t.Fatal(err)
		}
		if _, err := f.log.User(f.ctx, f.name, "sam"); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("user: %v", err)
		}
		for _, id := range []string{sam.ID, pending.ID} {
			if _, err := f.log.Event(f.ctx, f.name, id); !errors.Is(err, engine.ErrNotFound) {
				t.Errorf("event: %v", err)
			}
		}
		if ids := f.pageEvents(engine.EventQuery{}); len(ids) != 1 || ids[0] != ann.ID {
			t.Errorf("events %v", ids)
		}
		if ids := f.pageActions(engine.ActionQuery{}); len(ids) != 2 {
			t.Errorf("actions %v", ids)
		}
		if stats, err := f.log.Stats(f.ctx, f.name); err != nil || stats.Pending != 0 || stats.Dead != 1 || stats.LanesWaiting != 1 || stats.Events != 1 {
			t.Errorf("%+v %v", stats, err)
		}
		late := verdict(claimed[0], f.clock.Now(), 1)
		if err := inbox.Commit(f.ctx, []*engine.Verdict{late}); err != nil || late.Committed {
			t.Errorf("a deleted event was committed: %v %v", late.Committed, err)
		}
		if err := f.log.DeleteUser(f.ctx, f.name, "sam"); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("a second deletion: %v", err)
		}
		again := f.event("sam", "1")
		f.append(again)
		if again.DuplicateOf != "" {
			t.Error("a deleted event is still repeated")
		}
	}},
	{"deleting many events, and an attempt under way", func(t *testing.T, f *fixture) {
		var events []*engine.Event
		for i := range 250 {
			events = append(events, f.event("sam", fmt.Sprint(i)))
		}
		f.append(events...)
		inbox := f.env.Inbox(f.partition("sam"), "decider")
		for claimed := f.claim(inbox); len(claimed) > 0; claimed = f.claim(inbox) {
			var verdicts []*engine.Verdict
			for _, event := range claimed {
				verdicts = append(verdicts, verdict(event, f.clock.Now(), 1))
			}
			if err := inbox.Commit(f.ctx, verdicts); err != nil {
				t.Fatal(err)
			}
		}
		action := f.due(f.clock.Now(), time.Minute)[0]
		if err := f.log.DeleteUser(f.ctx, f.name, "sam"); err != nil {
			t.Fatal(err)
		}
		if f.record(action, engine.StatusSucceeded, time.Time{}) {
			t.Error("an action that was deleted was recorded")
		}
		for _, key := range f.client().Keys(f.ctx, f.slice(f.partition("sam"))+"*").Val() {
			if !strings.HasSuffix(key, "events") && !strings.HasSuffix(key, "actions") && !strings.HasSuffix(key, "owner") && !strings.HasSuffix(key, "counts") {
				t.Errorf("left behind: %q", key)
			}
		}
	}},
}

var namesContract = []contract{
	{"names are counted", func(t *testing.T, f *fixture) {
		first := f.clock.Now().Truncate(time.Millisecond)
		count := func(source, name string, n int, at time.Time, sample string) {
			t.Helper()
			seen := engine.NameSeen{Source: source, Type: "track", Name: name, Count: n, First: at, Last: at.Add(time.Second), Sample: []byte(sample)}
			if err := f.log.Count(f.ctx, f.name, []engine.NameSeen{seen}); err != nil {
				t.Fatal(err)
			}
		}
		count("web", "a b:{}\n", 2, first, `{"n":1}`)
		count("web", "a b:{}\n", 3, first.Add(time.Hour), `{"n":2}`)
		count("web", "a b:{}\n", 1, first.Add(-time.Hour), "")
		count("app", "x", 1, first, strings.Repeat("x", 1<<20))
		names, err := f.log.EventNames(f.ctx, f.name)
		if err != nil || len(names) != 2 {
			t.Fatalf("%v %v", names, err)
		}
		web := names[1]
		if web.Name != "a b:{}\n" || web.Type != "track" || web.Source != "web" || web.Count != 6 || !web.First.Equal(first.Add(-time.Hour)) ||
			!web.Last.Equal(first.Add(time.Hour+time.Second)) || string(web.Sample) != `{"n":2}` {
			t.Errorf("%+v", web)
		}
		if names[0].Sample != nil {
			t.Errorf("a sample of %d bytes was kept", len(names[0].Sample))
		}
	}},
	{"names are bounded, the rest is counted", func(t *testing.T, f *fixture) {
		var seen []engine.NameSeen
		for i := range 1200 {
			seen = append(seen, engine.NameSeen{Source: "web", Type: "track", Name: fmt.Sprint("n", i), Count: 1, First: f.clock.Now(), Last: f.clock.Now(), Sample: []byte("{}")})
		}
		for range 2 {
			if err := f.log.Count(f.ctx, f.name, seen); err != nil {
				t.Fatal(err)
			}
		}
		names, err := f.log.EventNames(f.ctx, f.name)
		if err != nil {
			t.Fatal(err)
		}
		var total int64
		for _, name := range names {
			total += name.Count
		}
		if len(names) != 1001 || total != 2400 || names[0].Name != "(other)" || names[0].Type != "" || names[0].Count != 400 {
			t.Errorf("%d names, %d events, first %+v", len(names), total, names[0])
		}
	}},
}

var directoryContract = []contract{
	{"a change is applied once, and numbers survive", func(t *testing.T, f *fixture) {
		big := json.Number("123456789012345678901234567890")
		if !f.identify("sam", "k1", map[string]any{"n": 9007199254740993, "big": big, "plan": map[string]any{"a": 1}}) {
			t.Error("not applied")
		}
		if f.identify("sam", "k1", map[string]any{"n": 1}) {
			t.Error("applied twice")
		}
		f.clock.forward(time.Hour)
		f.identify("sam", "k2", map[string]any{"plan": map[string]any{"b": nil}})
		f.clock.forward(-time.Hour)
		user, err := f.log.User(f.ctx, f.name, "sam")
		if err != nil {
			t.Fatal(err)
		}
		if user.Traits["n"] != 9007199254740993 || user.Traits["big"] != big || user.UpdatedAt.Sub(user.CreatedAt) < time.Hour {
			t.Errorf("%+v", user)
		}
		if plan, _ := user.Traits["plan"].(map[string]any); plan["a"] != 1 || len(plan) != 2 {
			t.Errorf("plan %v", user.Traits["plan"])
		}
	}},
	{"concurrent changes lose nothing", func(t *testing.T, f *fixture) {
		var group sync.WaitGroup
		for i := range 12 {
			group.Go(func() { f.identify("sam", fmt.Sprint("k", i), map[string]any{fmt.Sprint("t", i): i}) })
		}
		group.Wait()
		if user, err := f.log.User(f.ctx, f.name, "sam"); err != nil || len(user.Traits) != 12 {
			t.Errorf("%+v %v", user, err)
		}
	}},
	{"an error of the change changes nothing", func(t *testing.T, f *fixture) {
		wrong := errors.New("too large")
		_, err := f.log.Directory().Change(f.ctx, f.name, "sam", "k", func(map[string]any) (map[string]any, error) { return nil, wrong })
		if !errors.Is(err, wrong) || errors.Is(err, engine.ErrUnavailable) {
			t.Errorf("error %v", err)
		}
		if known, err := f.log.Directory().Known(f.ctx, f.name, []string{"sam", "ann"}); err != nil || known[0] || known[1] {
			t.Errorf("%v %v", known, err)
		}
	}},
	{"who is known", func(t *testing.T, f *fixture) {
		for _, id := range []string{"sam", "a{b}", "x}:profile"} {
			f.identify(id, "k", map[string]any{})
		}
		known, err := f.log.Directory().Known(f.ctx, f.name, []string{"sam", "nobody", "a{b}", "a", "x}:profile", "x"})
		if err != nil || fmt.Sprint(known) != "[true false true false true false]" {
			t.Errorf("%v %v", known, err)
		}
		if none, err := f.log.Directory().Known(f.ctx, f.name, nil); err != nil || len(none) != 0 {
			t.Errorf("%v %v", none, err)
		}
	}},
	{"a run is appended once", func(t *testing.T, f *fixture) {
		run := engine.Run{ID: "id", Workflow: "welcome", Recipients: []engine.Recipient{{ID: "sam"}}, Rule: "r", EventID: "e0-1-1",
			At: time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC), Data: map[string]any{"n": 9007199254740993}}
		for i, want := range []string{`{"n":0}`, `{"n":0}`} {
			stored, err := f.log.Directory().AppendRun(f.ctx, f.name, "k", run, json.RawMessage(fmt.Sprintf(`{"n":%d}`, i)))
			if err != nil || string(stored) != want {
				t.Errorf("%s %v", stored, err)
			}
		}
		runs := f.client().XRange(f.ctx, "sy:{"+f.name+":runs}:stream", "-", "+").Val()
		want := map[string]any{"id": "id", "workflow": "welcome", "recipients": `["sam"]`, "actor": "", "data": `{"n":9007199254740993}`,
			"tenant": "", "cancellation_key": "", "rule": "r", "event_id": "e0-1-1", "at": "2026-01-02T03:04:05.006Z"}
		if len(runs) != 1 || !maps.Equal(runs[0].Values, want) {
			t.Errorf("%v", runs)
		}
	}},
}

// identify merges traits into a user under an effect key.
func (f *fixture) identify(user, effect string, traits map[string]any) bool {
	f.t.Helper()
	applied, err := f.log.Directory().Change(f.ctx, f.name, user, effect, func(known map[string]any) (map[string]any, error) {
		return engine.MergeTraits(known, traits), nil
	})
	if err != nil {
		f.t.Error(err)
	}
	return applied
}

var trimContract = []contract{
	{"what is old and done goes, what waits stays", func(t *testing.T, f *fixture) {
		done, waiting := f.event("done", "1"), f.event("waiting", "2")
		f.decide(1, done, waiting)
		for _, action := range f.due(f.clock.Now(), time.Minute) {
			if action.UserID == "done" {
				f.record(action, engine.StatusDead, time.Time{})
			}
		}
		pending := f.event("pending", "3")
		f.append(pending)
		month := 30 * 24 * time.Hour
		if n, err := f.log.Trim(f.ctx, f.name, f.clock.Now().Add(month-time.Minute)); err != nil || n != 0 {
			t.Errorf("trimmed early: %d %v", n, err)
		}
		later := f.clock.Now().Add(month + time.Minute)
		if n, err := f.log.Trim(f.ctx, f.name, later); err != nil || n != 2 {
			t.Errorf("removed %d, %v", n, err)
		}
		if n, err := f.log.Trim(f.ctx, f.name, later); err != nil || n != 0 {
			t.Errorf("removed %d more, %v", n, err)
		}
		stats, err := f.log.Stats(f.ctx, f.name)
		if err != nil || stats.Events != 2 || stats.Pending != 1 || stats.LanesWaiting != 1 || stats.Dead != 0 {
			t.Errorf("%+v %v", stats, err)
		}
		if ids := f.pageActions(engine.ActionQuery{}); len(ids) != 1 {
			t.Errorf("actions %v", ids)
		}
		if due := f.due(later, time.Minute); len(due) != 1 || due[0].UserID != "waiting" {
			t.Errorf("due %v", due)
		}
		f.expectOnce(f.pageEvents(engine.EventQuery{}), map[string]bool{waiting.ID: true, pending.ID: true})
		if ids := f.pageEvents(engine.EventQuery{UserID: "done"}); len(ids) != 0 {
			t.Errorf("the index still finds %v", ids)
		}
	}},
	{"more than a step, with some in the way", func(t *testing.T, f *fixture) {
		var events []*engine.Event
		for i := range 1300 {
			events = append(events, f.event("sam", fmt.Sprint(i)))
		}
		f.append(events...)
		inbox := f.env.Inbox(f.partition("sam"), "decider")
		claimed, err := inbox.Claim(f.ctx, len(events), 0)
		if err != nil || len(claimed) != len(events) {
			t.Fatalf("%d events, %v", len(claimed), err)
		}
		left, verdicts := 0, []*engine.Verdict{}
		for i, event := range claimed {
			if i%2 == 0 {
				left++
				continue // stays pending, at the head of the log
			}
			verdicts = append(verdicts, verdict(event, f.clock.Now(), 0))
		}
		if err := inbox.Commit(f.ctx, verdicts); err != nil {
			t.Fatal(err)
		}
		later := f.clock.Now().Add(31 * 24 * time.Hour)
		for range 10 {
			if _, err := f.log.Trim(f.ctx, f.name, later); err != nil {
				t.Fatal(err)
			}
		}
		if stats, err := f.log.Stats(f.ctx, f.name); err != nil || stats.Events != int64(left) || stats.Pending != int64(left) {
			t.Errorf("%+v %v, %d should be left", stats, err, left)
		}
	}},
	{"what goes, goes from the indexes too, and what recognises repeats for as long as it must", func(t *testing.T, f *fixture) {
		done, waiting := f.event("sam", "1"), f.event("sam", "2")
		f.decide(0, done)
		f.decide(1, waiting)
		f.env.Keep(redislog.EnvOptions{Events: time.Hour, Actions: time.Hour})
		trim := func(after time.Duration) {
			t.Helper()
			if n, err := f.log.Trim(f.ctx, f.name, time.Now().Add(after)); err != nil || n != 1 {
				t.Errorf("removed %d, %v", n, err)
			}
		}
		slice := f.slice(f.partition("sam"))
		known := func(message string) []string { return f.client().HKeys(f.ctx, slice+"message:"+message).Val() }
		trim(61 * time.Minute)
		if user := f.client().ZCard(f.ctx, slice+"user:sam").Val(); user != 1 {
			t.Errorf("the user's index has %d events, want the one that waits", user)
		}
		if ttl := f.client().TTL(f.ctx, slice+"message:1").Val(); !slices.Contains(known("1"), "web/track/u:sam") || ttl <= 0 || ttl > 24*time.Hour {
			t.Errorf("within the window there is %v, for %s", known("1"), ttl)
		}
		again := f.event("sam", "1")
		f.decide(0, again)
		if ids := f.pageEvents(engine.EventQuery{MessageID: "1"}); again.DuplicateOf != done.ID || !slices.Equal(ids, []string{again.ID}) {
			t.Errorf("the repeat is of %q, and found is %v", again.DuplicateOf, ids)
		}
		if ttl := f.client().TTL(f.ctx, slice+"message:1").Val(); ttl > 0 {
			t.Errorf("the index of the repeat would be gone in %s", ttl)
		}
		trim(61 * time.Minute)
		for _, action := range f.due(f.clock.Now(), time.Minute) {
			f.record(action, engine.StatusSucceeded, time.Time{})
		}
		trimmed := 0
		for range 2 { // the action, then its event
			n, err := f.log.Trim(f.ctx, f.name, time.Now().Add(25*time.Hour))
			if trimmed += n; err != nil {
				t.Fatal(err)
			}
		}
		if trimmed != 2 {
			t.Errorf("removed %d", trimmed)
		}
		if user := f.client().ZCard(f.ctx, slice+"user:sam").Val(); user != 0 || len(known("2")) != 0 {
			t.Errorf("the user's index has %d events, the message id %v", user, known("2"))
		}
	}},
	{"over the size the runs of the directory go too", func(t *testing.T, f *fixture) {
		if f.log.Embedded() {
			t.Skip("the embedded server does not know what a stream takes")
		}
		const runs = 1000
		for n := range runs {
			if _, err := f.log.Directory().AppendRun(f.ctx, f.name, fmt.Sprint(n), engine.Run{Workflow: "w"}, nil); err != nil {
				t.Fatal(err)
			}
		}
		f.env.Keep(redislog.EnvOptions{Size: 1})
		if _, err := f.log.Trim(f.ctx, f.name, f.clock.Now()); err != nil {
			t.Fatal(err)
		}
		if left := f.client().XLen(f.ctx, "sy:{"+f.name+":runs}:stream").Val(); left > runs*3/4 {
			t.Errorf("%d of %d are left", left, runs)
		}
	}},
	{"over the size the oldest go, what waits stays", func(t *testing.T, f *fixture) {
		if f.log.Embedded() {
			t.Skip("the embedded server does not know what a stream takes")
		}
		stuck := f.event("stuck", "stuck")
		f.decide(1, stuck)
		f.due(f.clock.Now(), time.Minute)
		var events []*engine.Event
		for i := range 600 {
			events = append(events, f.event(fmt.Sprint("user", i%7), fmt.Sprint(i)))
		}
		for few := range slices.Chunk(events, 50) {
			f.decide(0, few...)
		}
		full := f.memory()
		f.env.Keep(redislog.EnvOptions{Size: full})
		if n, err := f.log.Trim(f.ctx, f.name, f.clock.Now()); err != nil || n != 0 {
			t.Errorf("at its size: removed %d, %v", n, err)
		}
		f.env.Keep(redislog.EnvOptions{Size: full / 2})
		for range 100 {
			n, err := f.log.Trim(f.ctx, f.name, f.clock.Now())
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
		}
		if left := f.memory(); left > full/2 || left < full/4 {
			t.Errorf("%d of %d bytes are left", left, full)
		}
		ids := f.pageEvents(engine.EventQuery{})
		if len(ids) < 100 || len(ids) > 500 || !slices.Contains(ids, events[len(events)-1].ID) || slices.Contains(ids, events[0].ID) || !slices.Contains(ids, stuck.ID) {
			t.Errorf("%d events are left, from %s to %s", len(ids), ids[len(ids)-1], ids[0])
		}
		for _, user := range []string{"user0", "user3"} {
			for _, id := range f.pageEvents(engine.EventQuery{UserID: user}) {
				if !slices.Contains(ids, id) {
					t.Errorf("the index of %s still has %s", user, id)
				}
			}
		}
		repeat := f.event("user0", "0")
		if f.append(repeat); repeat.DuplicateOf != events[0].ID {
			t.Errorf("a repeat within its window is new: of %q", repeat.DuplicateOf)
		}
	}},
}

// memory is what both logs take, by the server's account.
func (f *fixture) memory() (bytes int64) {
	f.t.Helper()
	for p := range 4 {
		for _, key := range []string{"events", "decided", "actions", "state"} {
			bytes += f.client().MemoryUsage(f.ctx, f.slice(p)+key, 50).Val()
		}
	}
	return bytes
}
