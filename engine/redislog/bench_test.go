package redislog_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"switchyard/engine"
	"switchyard/engine/redislog"
	"switchyard/engine/redislog/redistest"
)

func benchmark(b *testing.B) *fixture {
	server := redistest.Start(b, "--appendfsync", "everysec")
	clock := &clock{}
	f := &fixture{ctx: context.Background(), log: openLog(b, server.URL(), clock), clock: clock, name: "bench"}
	var err error
	if f.env, err = f.log.Environment(f.ctx, f.name, 4, redislog.EnvOptions{}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	return f
}

// BenchmarkAppend is one event a call, from many callers.
func BenchmarkAppend(b *testing.B) {
	for _, callers := range []int{1, 32, 256} {
		b.Run(fmt.Sprint(callers, "callers"), func(b *testing.B) {
			benchmark(b).appendFrom(b, callers)
		})
	}
}

// BenchmarkAcknowledge is BenchmarkAppend on a cluster of three masters and three replicas, on one machine: what their word
// costs.
func BenchmarkAcknowledge(b *testing.B) {
	url := redistest.StartReplicated(b).URL()
	for _, callers := range []int{1, 32, 256} {
		for _, replicated := range []bool{false, true} {
			b.Run(fmt.Sprintf("%d callers/replicated=%v", callers, replicated), func(b *testing.B) {
				clock := &clock{}
				f := &fixture{ctx: context.Background(), clock: clock, name: "bench"}
				f.log = openWith(b, redislog.Options{URL: url, Now: clock.Now, Lease: testLease, Replicated: replicated})
				var err error
				if f.env, err = f.log.Environment(f.ctx, f.name, 8, redislog.EnvOptions{}); err != nil {
					b.Fatal(err)
				}
				b.ResetTimer()
				f.appendFrom(b, callers)
			})
		}
	}
}

// appendFrom appends b.N events, one a call, from so many callers for each core.
func (f *fixture) appendFrom(b *testing.B, callers int) {
	b.SetParallelism(callers)
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			event := f.event(fmt.Sprint("user", i%1000), fmt.Sprintf("%p-%d", pb, i))
			if err := f.env.Append(f.ctx, []*engine.Event{event}); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkCommit is one verdict with one action, claimed and committed 128 at a time.
func BenchmarkCommit(b *testing.B) {
	f := benchmark(b)
	b.StopTimer()
	f.appendMany(b, b.N)
	inbox := f.env.Inbox(f.partition("sam"), "a")
	b.StartTimer()
	for n := 0; n < b.N; {
		events, err := inbox.Claim(f.ctx, 128, time.Second)
		if err != nil {
			b.Fatal(err)
		}
		verdicts := make([]*engine.Verdict, len(events))
		for i, event := range events {
			verdicts[i] = verdict(event, f.clock.Now(), 1)
		}
		if err := inbox.Commit(f.ctx, verdicts); err != nil {
			b.Fatal(err)
		}
		n += len(events)
	}
}

// BenchmarkDueAndRecord is one action from one lane of many, taken 32 at a time and recorded one by one.
func BenchmarkDueAndRecord(b *testing.B) {
	f := benchmark(b)
	b.StopTimer()
	var events []*engine.Event
	for i := range b.N {
		events = append(events, f.event(fmt.Sprint("user", i%5000), ""))
	}
	for len(events) > 0 {
		n := min(len(events), 1000)
		if err := f.env.Append(f.ctx, events[:n]); err != nil {
			b.Fatal(err)
		}
		events = events[n:]
	}
	for p := range 4 {
		inbox := f.env.Inbox(p, "a")
		for {
			claimed, err := inbox.Claim(f.ctx, 500, 0)
			if err != nil {
				b.Fatal(err)
			}
			if len(claimed) == 0 {
				break
			}
			var verdicts []*engine.Verdict
			for _, event := range claimed {
				verdicts = append(verdicts, verdict(event, f.clock.Now(), 1))
			}
			if err := inbox.Commit(f.ctx, verdicts); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.StartTimer()
	for n := 0; n < b.N; {
		for p := range 4 {
			actions, _, err := f.env.Outbox(p).Due(f.ctx, f.clock.Now(), time.Minute, 32)
			if err != nil {
				b.Fatal(err)
			}
			for _, action := range actions {
				action.Status = engine.StatusSucceeded
				action.Attempts = append(action.Attempts, engine.Attempt{At: f.clock.Now(), Status: engine.StatusSucceeded})
				if _, err := f.env.Outbox(p).Record(f.ctx, action, time.Time{}, engine.AnyNumber); err != nil {
					b.Fatal(err)
				}
			}
			n += len(actions)
		}
	}
}

func (f *fixture) appendMany(b *testing.B, n int) {
	for n > 0 {
		batch := make([]*engine.Event, min(n, 1000))
		for i := range batch {
			batch[i] = f.event("sam", "")
		}
		if err := f.env.Append(f.ctx, batch); err != nil {
			b.Fatal(err)
		}
		n -= len(batch)
	}
}
