package redislog_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"switchyard/engine"
	"switchyard/engine/redislog"
)

var appendContract = []contract{
	{"an event comes back as it went", func(t *testing.T, f *fixture) {
		event := f.event("sam10", "m1")
		event.Notes = []string{"the timestamp did not parse"}
		event.Violations = []engine.Violation{{Pointer: "/plan", Message: "must be one of \"a\", \"b\""}, {Message: "<&>"}}
		event.Traits = json.RawMessage(`{"elsewhere":"not in the original"}`)
		event.Timestamp = event.Timestamp.Truncate(time.Millisecond).Add(123456 * time.Nanosecond)
		event.ReceivedAt = event.ReceivedAt.Truncate(time.Millisecond)
		f.append(event)
		record, err := f.log.Event(f.ctx, f.name, event.ID)
		if err != nil {
			t.Fatal(err)
		}
		if record.Outcome != engine.OutcomePending {
			t.Errorf("outcome %q", record.Outcome)
		}
		if !reflect.DeepEqual(record.Event, event) {
			t.Errorf("got  %+v\nwant %+v", record.Event, event)
		}
	}},
	{"odd ids", func(t *testing.T, f *fixture) {
		odd := []string{" ", "a b", "{}", "}{", "a{b}c", "a:b", "nul\x00byte", "line\nfeed\r\n", "größe-日本", "\xff\xfe", "%7B", "ids",
			"'; return 1 --", strings.Repeat("x", 10<<10), "(", "[", "+", "-", "*", "$"}
		for _, id := range odd {
			event := f.event(id, "message "+id)
			event.AnonymousID, event.GroupID, event.Name, event.Source = id, id, id, id
			event.Original = nil
			event.Data, event.Properties = nil, nil
			f.decide(1, event)
			page, err := f.log.Events(f.ctx, engine.EventQuery{Environment: f.name, UserID: id})
			if err != nil || len(page.Items) != 1 || page.Items[0].UserID != id || page.Items[0].Name != id {
				t.Errorf("user %.40q: %v %v", id, page.Items, err)
			}
			byMessage, err := f.log.Events(f.ctx, engine.EventQuery{Environment: f.name, MessageID: "message " + id})
			if err != nil || len(byMessage.Items) != 1 {
				t.Errorf("message %.40q: %v %v", id, byMessage.Items, err)
			}
			due := f.due(f.clock.Now(), time.Second)
			if len(due) != 1 || due[0].UserID != id || due[0].Lane != engine.UserLane(id) {
				t.Errorf("lane of %.40q: %v", id, due)
				continue
			}
			if !f.record(due[0], engine.StatusSucceeded, time.Time{}) {
				t.Errorf("the attempt of %.40q was refused", id)
			}
			if err := f.log.DeleteUser(f.ctx, f.name, id); err != nil {
				t.Errorf("deleting %.40q: %v", id, err)
			}
		}
		stats, err := f.log.Stats(f.ctx, f.name)
		if err != nil || stats != (redislog.Stats{}) {
			t.Errorf("%+v %v", stats, err)
		}
	}},
	{"a repeat is stored and points to the first", func(t *testing.T, f *fixture) {
		first, second, third := f.event("sam", "m"), f.event("sam", "m"), f.event("sam", "m")
		f.append(first)
		f.append(second, third)
		if first.DuplicateOf != "" || second.DuplicateOf != first.ID || third.DuplicateOf != first.ID {
			t.Errorf("%q %q %q, first %q", first.DuplicateOf, second.DuplicateOf, third.DuplicateOf, first.ID)
		}
		if second.ID == first.ID || second.ID == "" {
			t.Errorf("the repeat has the id %q", second.ID)
		}
		record, err := f.log.Event(f.ctx, f.name, third.ID)
		if err != nil || record.DuplicateOf != first.ID {
			t.Errorf("%v %v", record, err)
		}
	}},
	{"a repeat in one batch", func(t *testing.T, f *fixture) {
		first, second := f.event("sam", "m"), f.event("sam", "m")
		f.append(first, second)
		if second.DuplicateOf != first.ID || first.DuplicateOf != "" {
			t.Errorf("%q %q", first.DuplicateOf, second.DuplicateOf)
		}
	}},
	{"the scope is source, type and user", func(t *testing.T, f *fixture) {
		events := []*engine.Event{f.event("sam", "m"), f.event("sam", "m"), f.event("sam", "m")}
		events[1].Source, events[2].Type = "app", engine.TypeIdentify
		for n := range 20 { // more than there are partitions, so some share sam's
			events = append(events, f.event(fmt.Sprintf("user-%d", n), "m"))
		}
		f.append(events...)
		for i, event := range events {
			if event.DuplicateOf != "" {
				t.Errorf("event %d repeats %q", i, event.DuplicateOf)
			}
		}
	}},
	{"no id, one too long, one invalid: processed normally", func(t *testing.T, f *fixture) {
		for _, id := range []string{"", strings.Repeat("m", engine.MaxMessageID+1)} {
			first, second := f.event("sam", id), f.event("sam", id)
			f.append(first, second)
			if second.DuplicateOf != "" {
				t.Errorf("%.10q repeats %q", id, second.DuplicateOf)
			}
		}
		broken, mended := f.event("sam", "x"), f.event("sam", "x")
		broken.Invalid = "data does not fit its schema"
		f.append(broken)
		f.append(mended)
		if mended.DuplicateOf != "" {
			t.Error("a corrected event was taken for a repeat of the broken one")
		}
		longest := f.event("sam", strings.Repeat("l", engine.MaxMessageID))
		again := f.event("sam", strings.Repeat("l", engine.MaxMessageID))
		f.append(longest, again)
		if again.DuplicateOf != longest.ID {
			t.Error("the longest message id is not deduplicated")
		}
	}},
	{"of a state only what was told last is repeated", func(t *testing.T, f *fixture) {
		tell := func(thing, content string) *engine.Event {
			event := f.event("sam", content)
			event.StateKey = thing
			f.append(event)
			return event
		}
		first := tell("row 1", "free")
		for _, step := range []struct {
			thing, content string
			repeats        *engine.Event
		}{
			{"row 1", "free", first}, {"row 2", "free", nil}, {"row 1", "free", first}, {"row 1", "pro", nil}, {"row 1", "free", nil},
		} {
			want := ""
			if step.repeats != nil {
				want = step.repeats.ID
			}
			if got := tell(step.thing, step.content); got.DuplicateOf != want || got.ID == "" {
				t.Errorf("%s %s repeats %q, want %q", step.thing, step.content, got.DuplicateOf, want)
			}
		}
		f.clock.forward(25 * time.Hour)
		if later := tell("row 1", "free"); later.DuplicateOf != "" {
			t.Errorf("after the window: repeats %q", later.DuplicateOf)
		}
	}},
	{"an event may have a window of its own, shorter than the environment's", func(t *testing.T, f *fixture) {
		send := func(window time.Duration) *engine.Event {
			event := f.event("sam", "hash")
			event.DedupeFor = window
			f.append(event)
			return event
		}
		first := send(time.Hour)
		f.clock.forward(59 * time.Minute)
		if again := send(time.Hour); again.DuplicateOf != first.ID {
			t.Errorf("within its window: repeats %q, want %q", again.DuplicateOf, first.ID)
		}
		f.clock.forward(2 * time.Minute)
		news := send(time.Hour)
		if news.DuplicateOf != "" {
			t.Errorf("after its window: repeats %q", news.DuplicateOf)
		}
		f.clock.forward(25 * time.Hour)
		if later := send(100 * time.Hour); later.DuplicateOf != "" {
			t.Errorf("after the environment's window: repeats %q", later.DuplicateOf)
		}
	}},
	{"the window is 24 hours from the first", func(t *testing.T, f *fixture) {
		f.append(f.event("sam", "m"))
		for _, step := range []struct {
			forward time.Duration
			repeat  bool
		}{{12 * time.Hour, true}, {11*time.Hour + 59*time.Minute, true}, {time.Minute + time.Second, false}, {time.Hour, true}} {
			f.clock.forward(step.forward)
			event := f.event("sam", "m")
			f.append(event)
			if repeat := event.DuplicateOf != ""; repeat != step.repeat {
				t.Errorf("after %v more: repeat %v", step.forward, repeat)
			}
		}
		f.clock.forward(-f.clock.offset)
	}},
	{"concurrent repeats have one first", func(t *testing.T, f *fixture) {
		events := make([]*engine.Event, 200)
		var group sync.WaitGroup
		for i := range events {
			events[i] = f.event("sam", fmt.Sprint("m", i%10))
			group.Go(func() {
				if err := f.env.Append(f.ctx, []*engine.Event{events[i]}); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		firsts := 0
		for _, event := range events {
			if event.DuplicateOf == "" {
				firsts++
			}
		}
		if firsts != 10 {
			t.Errorf("%d firsts of 10 messages", firsts)
		}
	}},
	{"an event that names nobody is stored", func(t *testing.T, f *fixture) {
		event := &engine.Event{Environment: f.name, Source: "web", Type: "track", Invalid: "not an object", Original: []byte("nonsense\x00")}
		f.append(event)
		record, err := f.log.Event(f.ctx, f.name, event.ID)
		if err != nil || string(record.Original) != "nonsense\x00" || record.Invalid != "not an object" {
			t.Errorf("%+v %v", record, err)
		}
	}},
	{"a context that ended stores nothing", func(t *testing.T, f *fixture) {
		ctx, cancel := context.WithCancel(f.ctx)
		cancel()
		event := f.event("sam", "m")
		if err := f.env.Append(ctx, []*engine.Event{event}); err != nil && !errors.Is(err, engine.ErrUnavailable) {
			t.Error(err)
		} else if err != nil && event.ID != "" {
			t.Error("an error and an id")
		}
	}},
	{"the number of partitions is fixed", func(t *testing.T, f *fixture) {
		_, err := f.log.Environment(f.ctx, f.name, 8, redislog.EnvOptions{})
		if err == nil || !strings.Contains(err.Error(), "4 partitions") || !strings.Contains(err.Error(), "8") {
			t.Errorf("error %v", err)
		}
		if _, err := f.log.Environment(f.ctx, f.name, 0, redislog.EnvOptions{}); err == nil {
			t.Error("no partitions were accepted")
		}
	}},
}
