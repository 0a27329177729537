package redislog_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"switchyard/engine"
	"switchyard/engine/redislog"
	"switchyard/engine/redislog/redistest"
)

// What happens when Redis is away, full, slow or forgetful. These need a real server.

func outage(t *testing.T, args ...string) (*fixture, *redistest.Server) {
	server := redistest.Start(t, args...)
	return newFixture(t, server.URL()).fresh(t), server
}

func TestRedisIsKilledAndComesBack(t *testing.T) {
	f, server := outage(t)
	kept := f.event("sam", "1")
	f.append(kept)
	inbox := f.env.Inbox(f.partition("sam"), "decider")
	claimed := f.claim(inbox)

	server.Kill()
	lost := f.event("sam", "2")
	start := time.Now()
	if err := f.env.Append(f.ctx, []*engine.Event{lost}); !errors.Is(err, engine.ErrUnavailable) || lost.ID != "" {
		t.Errorf("append: %v, id %q", err, lost.ID)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("it took %v to see that Redis is away", took)
	}
	v := verdict(claimed[0], f.clock.Now(), 1)
	for name, err := range map[string]error{
		"commit": inbox.Commit(f.ctx, []*engine.Verdict{v}),
		"ping":   f.log.Ping(f.ctx),
		"claim":  second(f.env.Inbox(0, "x").Claim(f.ctx, 1, 0)),
		"events": second(f.log.Events(f.ctx, engine.EventQuery{Environment: f.name})),
		"stats":  second(f.log.Stats(f.ctx, f.name)),
		"user":   second(f.log.User(f.ctx, f.name, "sam")),
		"known":  second(f.log.Directory().Known(f.ctx, f.name, []string{"sam"})),
		"delete": f.log.DeleteUser(f.ctx, f.name, "sam"),
	} {
		if !errors.Is(err, engine.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}

	server.Restart()
	if err := inbox.Commit(f.ctx, []*engine.Verdict{v}); err != nil || !v.Committed {
		t.Errorf("the commit after the restart: %v %v", v.Committed, err)
	}
	f.append(lost)
	if record, err := f.log.Event(f.ctx, f.name, kept.ID); err != nil || record.Outcome != engine.OutcomeMatched {
		t.Errorf("%+v %v", record, err)
	}
	if again := f.await(inbox); len(again) != 1 || again[0].ID != lost.ID {
		t.Errorf("claimed %v", again)
	}
}

// second is the error of a call with a value.
func second[T any](_ T, err error) error { return err }

func TestRedisDoesNotAnswer(t *testing.T) {
	server := redistest.Start(t)
	log, err := redislog.Open(context.Background(), redislog.Options{URL: server.URL(), Timeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	env, err := log.Environment(context.Background(), "e", 1, redislog.EnvOptions{})
	if err != nil {
		t.Fatal(err)
	}
	server.Freeze()
	defer server.Thaw()
	var group sync.WaitGroup
	start := time.Now()
	for range 50 {
		group.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			event := &engine.Event{Environment: "e", UserID: "sam"}
			if err := env.Append(ctx, []*engine.Event{event}); !errors.Is(err, engine.ErrUnavailable) || event.ID != "" {
				t.Errorf("%v, id %q", err, event.ID)
			}
		})
	}
	group.Wait()
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("50 appends took %v", took)
	}
}

func TestScriptsAreForgotten(t *testing.T) {
	f, _ := outage(t)
	f.append(f.event("sam", "1"))
	var group sync.WaitGroup
	for i := range 40 {
		group.Go(func() {
			if i%10 == 0 {
				if err := f.client().ScriptFlush(f.ctx).Err(); err != nil {
					t.Error(err)
				}
			}
			if err := f.env.Append(f.ctx, []*engine.Event{f.event("sam", fmt.Sprint("m", i)), f.event("ann", fmt.Sprint("m", i))}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if err := f.client().ScriptFlush(f.ctx).Err(); err != nil {
		t.Fatal(err)
	}
	f.decide(1, f.event("sam", "last"))
	if stats, err := f.log.Stats(f.ctx, f.name); err != nil || stats.Events != 82 || stats.Pending != 0 {
		t.Errorf("%+v %v", stats, err)
	}
}

func TestRedisIsFlushed(t *testing.T) {
	f, _ := outage(t)
	f.decide(1, f.event("sam", "1"))
	inbox := f.env.Inbox(f.partition("sam"), "decider")
	done := make(chan []*engine.Event)
	go func() { done <- f.await(inbox) }()
	time.Sleep(20 * time.Millisecond) // for the claim to block; when it does not, the test is only easier
	if err := f.client().FlushAll(f.ctx).Err(); err != nil {
		t.Fatal(err)
	}
	event := f.event("sam", "1")
	f.append(event)
	if claimed := <-done; len(claimed) != 1 || claimed[0].ID != event.ID || event.DuplicateOf != "" {
		t.Errorf("claimed %v", claimed)
	}
}

func TestRedisIsFull(t *testing.T) {
	f, _ := outage(t, "--maxmemory", "4mb", "--maxmemory-policy", "noeviction")
	inbox := f.env.Inbox(f.partition("sam"), "decider")
	f.claim(inbox) // makes the group
	var err error
	var stored []*engine.Event
	for i := 0; err == nil && i < 2000; i++ {
		event := f.event("sam", fmt.Sprint(i))
		noise := make([]byte, 12<<10) // nothing can pack it
		rand.Read(noise)
		event.Original = []byte(`"` + base64.StdEncoding.EncodeToString(noise) + `"`)
		if err = f.env.Append(f.ctx, []*engine.Event{event}); err == nil {
			stored = append(stored, event)
		} else if event.ID != "" {
			t.Error("an event that was refused has an id")
		}
	}
	if !errors.Is(err, engine.ErrUnavailable) {
		t.Fatalf("a full server: %v", err)
	}
	if stats, err := f.log.Stats(f.ctx, f.name); err != nil || stats.Events != int64(len(stored)) {
		t.Errorf("%d events in the log, %d were acknowledged, %v", stats.Events, len(stored), err)
	}
	f.drains(inbox, len(stored))
	if err := f.client().ConfigSet(f.ctx, "maxmemory", "0").Err(); err != nil {
		t.Fatal(err)
	}
	repeat := f.event("sam", fmt.Sprint(len(stored)))
	f.append(repeat)
	if repeat.DuplicateOf != "" {
		t.Error("the refused event was half-stored: its repeat counts as a duplicate")
	}
}

// drains shows that a full server still decides and does what it has accepted.
func (f *fixture) drains(inbox engine.Inbox, events int) {
	f.t.Helper()
	for decided := 0; decided < events; {
		claimed := f.await(inbox)
		var verdicts []*engine.Verdict
		for i, event := range claimed {
			verdicts = append(verdicts, verdict(event, f.clock.Now(), (decided+i)%2))
		}
		if err := inbox.Commit(f.ctx, verdicts); err != nil {
			f.t.Fatal(err)
		}
		decided += len(claimed)
		time.Sleep(testLease / 2) // so that the lease is prolonged now and then
	}
	for done, status := 0, engine.StatusRetrying; done < events/2; done++ {
		due := f.due(f.clock.Now(), time.Minute)
		if len(due) != 1 || !f.record(due[0], status, f.clock.Now()) {
			f.t.Fatalf("%d of %d actions done, then %d due", done, events/2, len(due))
		}
		if status == engine.StatusRetrying {
			done, status = done-1, engine.StatusDead
		} else {
			status = engine.StatusSucceeded
		}
	}
}

func TestErrorsAreCounted(t *testing.T) {
	server := redistest.Start(t)
	var errorsSeen atomic.Int64
	log, err := redislog.Open(context.Background(), redislog.Options{URL: server.URL(), OnError: func(op string) {
		if op == "ping" {
			errorsSeen.Add(1)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	server.Kill()
	if log.Ping(context.Background()) == nil || errorsSeen.Load() != 1 {
		t.Errorf("%d errors counted", errorsSeen.Load())
	}
}

func TestOpenFailures(t *testing.T) {
	server := redistest.Start(t, "--requirepass", "right")
	address := strings.TrimPrefix(server.URL(), "redis://")
	for url, unavailable := range map[string]bool{
		"redis://:S3cret@" + address:           true, // a wrong password may be put right while we wait
		"redis://" + address:                   true,
		"redis://:S3cret@127.0.0.1:1":          true,
		"redis://user:S3cret@no.such.invalid":  true,
		"redis://:S3cret@a,b":                  false,
		"redis://:S3cret%@" + address:          false,
		"redis://:S3cret@" + address + "/x":    false,
		"redis://:S3cret@" + address + "?p=1":  false,
		"http://:S3cret@" + address:            false,
		":S3cret@" + address:                   false,
		"redis+sentinel://:S3cret@a,b":         false,
		"redis+cluster://:S3cret@a,b/1":        false,
		"redis://:S3cret@" + address + "?%zz=": false,
	} {
		log, err := redislog.Open(context.Background(), redislog.Options{URL: url, DialTimeout: 300 * time.Millisecond})
		if err == nil {
			log.Close()
			t.Errorf("%s was accepted", url)
			continue
		}
		if strings.Contains(err.Error(), "S3cret") {
			t.Errorf("the password is in %q", err)
		}
		if errors.Is(err, engine.ErrUnavailable) != unavailable {
			t.Errorf("%s: %v", url, err)
		}
	}
	log, err := redislog.Open(context.Background(), redislog.Options{URL: "redis://:right@" + address + "/2"})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if log.Embedded() {
		t.Error("a server of its own is not embedded")
	}
}

func TestSentinel(t *testing.T) {
	server := redistest.Start(t)
	url := fmt.Sprintf("redis+sentinel://127.0.0.1:%d/main/1", redistest.StartSentinel(t, server))
	f := newFixture(t, url).fresh(t)
	f.decide(1, f.event("sam", "1"))
	if due := f.due(f.clock.Now(), time.Minute); len(due) != 1 {
		t.Errorf("due %v", due)
	}
	server.Kill()
	if err := f.log.Ping(f.ctx); !errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("the master is away: %v", err)
	}
}

func TestSentinelAndClusterURLs(t *testing.T) {
	for url, wrong := range map[string]bool{
		"redis+sentinel://h1,h2:26380/mymaster/3":             false,
		"redis+sentinel://u:p@h1/mymaster?sentinel_password=": false,
		"rediss+cluster://u:p%40ss@h1,h2:7001":                false,
		"rediss://h1:6380/1?skip_verify=true":                 false,
		"redis://[::1]:6379":                                  false,
		"redis://[::1]":                                       false,
		"unix:///tmp/redis.sock?db=1":                         false,
		"redis+other://h1":                                    true,
		"redis://":                                            true,
		"redis://h1,":                                         true,
		"redis://h1?skip_verify=true":                         true,
	} {
		if err := redislog.CheckURL(url); (err != nil) != wrong {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestUnixSocket(t *testing.T) {
	path := t.TempDir() + "/r.sock"
	redistest.Start(t, "--unixsocket", path)
	if _, err := net.Dial("unix", path); err != nil {
		t.Skip(err)
	}
	log, err := redislog.Open(context.Background(), redislog.Options{URL: "unix://" + path})
	if err != nil {
		t.Fatal(err)
	}
	log.Close()
}

// A process that stops in good order hands its partitions on at once.
func TestClosingHandsOn(t *testing.T) {
	server := redistest.Start(t)
	open := func() (*redislog.Log, *redislog.Environment) {
		log, err := redislog.Open(context.Background(), redislog.Options{URL: server.URL(), Lease: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		env, err := log.Environment(context.Background(), "e", 1, redislog.EnvOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return log, env
	}
	first, env := open()
	if err := env.Append(context.Background(), []*engine.Event{{Environment: "e", UserID: "sam"}}); err != nil {
		t.Fatal(err)
	}
	if claimed, err := env.Inbox(0, "first").Claim(context.Background(), 10, 0); err != nil || len(claimed) != 1 {
		t.Fatalf("%v %v", claimed, err)
	}
	first.Close()
	if err := env.Append(context.Background(), []*engine.Event{{}}); !errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("a closed log: %v", err)
	}
	log, env := open()
	defer log.Close()
	if claimed, err := env.Inbox(0, "second").Claim(context.Background(), 10, 0); err != nil || len(claimed) != 1 {
		t.Errorf("%v %v", claimed, err)
	}
}
