package redislog_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"switchyard/engine"
	"switchyard/engine/redislog"
)

var packContract = []contract{
	{"every vendor's message comes back byte for byte", func(t *testing.T, f *fixture) {
		var events []*engine.Event
		messages := redislog.AllMessages(t)
		for _, m := range messages {
			event := f.event("sam", m.Name)
			event.Original, event.Data, event.Properties = m.Original, nil, nil
			if len(m.Original) > 100 { // parts that are stored as their places
				event.Data = m.Original[len(m.Original)/4 : len(m.Original)/2]
				event.Properties, event.Context = event.Data, m.Original
			}
			events = append(events, event)
		}
		f.append(events...)
		claimed := f.claimAll(f.env.Inbox(f.partition("sam"), "a"), len(events))
		for i, m := range messages {
			record, err := f.log.Event(f.ctx, f.name, events[i].ID)
			if err != nil {
				t.Fatalf("%s: %v", m.Name, err)
			}
			for _, read := range []*engine.Event{record.Event, claimed[i]} {
				if !bytes.Equal(read.Original, m.Original) || !bytes.Equal(read.Data, events[i].Data) ||
					!bytes.Equal(read.Context, events[i].Context) || !bytes.Equal(read.Properties, events[i].Data) || read.Invalid != "" {
					t.Errorf("%s: got %.200q, want %.200q; %q", m.Name, read.Original, m.Original, read.Invalid)
				}
			}
		}
	}},
	{"a broken original makes its event invalid, and no other", func(t *testing.T, f *fixture) {
		f.xadd("type", "track", "packed", "\x01\xff\xff\xff\xff\x0fabc", "data", "0:50", "context", "3:4")
		f.xadd("type", "track", "packed", "\x07{}", "data", "0:2")
		f.xadd("type", "track", "packed", `{"a":1}`, "data", "0:7")
		for i, event := range f.claimAll(f.env.Inbox(0, "a"), 3) {
			if broken := i < 2; broken != strings.Contains(event.Invalid, "the stored original can not be read") || broken != (event.Data == nil) {
				t.Errorf("event %d: %+v", i, event)
			}
			record, err := f.log.Event(f.ctx, f.name, event.ID)
			if err != nil || record.Invalid != event.Invalid {
				t.Errorf("event %d: %+v %v", i, record, err)
			}
		}
	}},
}

// claimAll takes events until there are so many.
func (f *fixture) claimAll(inbox engine.Inbox, n int) (events []*engine.Event) {
	f.t.Helper()
	for len(events) < n {
		claimed := f.claim(inbox)
		var verdicts []*engine.Verdict
		for _, event := range claimed {
			verdicts = append(verdicts, verdict(event, f.clock.Now(), 0))
		}
		if err := inbox.Commit(f.ctx, verdicts); err != nil {
			f.t.Fatal(err)
		}
		if events = append(events, claimed...); len(claimed) == 0 {
			f.t.Fatalf("%d events of %d could be claimed", len(events), n)
		}
	}
	return events
}

// xadd writes an entry of partition 0's event log by hand.
func (f *fixture) xadd(fields ...any) {
	f.tampered = true // nobody has counted it
	f.t.Helper()
	if err := f.client().XAdd(f.ctx, &redis.XAddArgs{Stream: f.slice(0) + "events", Values: fields}).Err(); err != nil {
		f.t.Fatal(err)
	}
}
