package redislog_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"switchyard/engine"
	"switchyard/engine/redislog"
	"switchyard/engine/redislog/redistest"
)

// crowd makes so many Append calls at once and is how many were refused, how many of these without having waited, and how
// long the last to return took.
func crowd(t *testing.T, env *redislog.Environment, callers, batch, size int) (refused, atOnce int64, longest time.Duration) {
	t.Helper()
	original := []byte(`"` + strings.Repeat("x", size) + `"`)
	var group sync.WaitGroup
	var count, full, slowest atomic.Int64
	for caller := range callers {
		events := make([]*engine.Event, batch)
		for n := range events {
			events[n] = &engine.Event{Environment: "e", UserID: fmt.Sprint("u", caller), MessageID: fmt.Sprint(caller, "-", n), Original: original}
		}
		group.Go(func() {
			began := time.Now()
			err := env.Append(t.Context(), events)
			if took := int64(time.Since(began)); took > slowest.Load() {
				slowest.Store(took) // about: one of two may be lost
			}
			if err != nil {
				count.Add(1)
			}
			if err != nil && strings.Contains(err.Error(), "too many appends are waiting") {
				full.Add(1)
			}
			if err != nil && !errors.Is(err, engine.ErrUnavailable) {
				t.Error(err)
			}
		})
	}
	group.Wait()
	return count.Load(), full.Load(), time.Duration(slowest.Load())
}

func overloaded(t *testing.T) (*redistest.Server, *redislog.Environment) {
	server := redistest.Start(t, "--appendfsync", "no")
	log, err := redislog.Open(t.Context(), redislog.Options{URL: server.URL(), Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	env, err := log.Environment(t.Context(), "e", 4, redislog.EnvOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return server, env
}

// What waits when Redis is found not to answer is refused then, and not one pipeline after the other.
func TestWaitingAppendsAreRefusedTogether(t *testing.T) {
	server, env := overloaded(t)
	server.Freeze()
	defer server.Thaw()
	refused, _, longest := crowd(t, env, 600, 100, 10)
	t.Logf("600 batches of 100 events: %d refused, the last after %v", refused, longest)
	if refused != 600 || longest > 10*time.Second {
		t.Errorf("%d of 600 were refused, the last after %v", refused, longest)
	}
}

// Large bodies that wait are refused at once when they are too much, however few they are.
func TestWaitingAppendsAreBoundedInBytes(t *testing.T) {
	server, env := overloaded(t)
	server.Freeze()
	refused, atOnce, _ := crowd(t, env, 300, 1, 1<<20)
	server.Thaw()
	t.Logf("300 events of 1 MiB each at once: %d refused, %d of them without having waited", refused, atOnce)
	if atOnce < 100 { // 64 may wait, and two loops hold some
		t.Errorf("%d of %d were refused at once", atOnce, refused)
	}
	for deadline := time.Now().Add(30 * time.Second); ; {
		if again, _, _ := crowd(t, env, 20, 1, 1<<20); again == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("what comes later is refused too")
		}
	}
}
