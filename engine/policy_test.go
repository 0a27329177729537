package engine

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

var retry = Retry{Attempts: 4, MaxAge: time.Hour, Min: time.Second, Max: time.Minute}

func TestWaitDoublesWithinItsBounds(t *testing.T) {
	for n, full := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 7: time.Minute, 40: time.Minute, 1000: time.Minute} {
		for range 100 {
			shortest, longest := full, full*5/4
			if full == retry.Max {
				shortest, longest = full*3/4, full
			}
			if wait := retry.wait(n, errors.New("x")); wait > longest || wait < shortest {
				t.Fatalf("wait %d is %s, want %s to %s", n, wait, shortest, longest)
			}
		}
	}
}

func TestWaitNeverOverflows(t *testing.T) {
	asks := []time.Duration{-1 << 63, -time.Second, 0, 1, time.Second, time.Hour, 1<<63 - 1}
	for _, r := range []Retry{{Min: 10 * time.Second, Max: time.Hour}, {Min: time.Minute, Max: 24 * time.Hour}, {Min: time.Second, Max: time.Second},
		{Min: time.Nanosecond, Max: 1 << 62}, {Min: 1, Max: 1}, {Min: 1<<63 - 1, Max: 1<<63 - 1}, {Min: 1, Max: 1<<63 - 1}} {
		for n := range 200 {
			for _, asked := range asks {
				if wait := r.wait(n, RetryAfter(errors.New("x"), asked)); wait < r.Min || wait > r.Max || wait < min(asked, r.Max) {
					t.Fatalf("%+v: wait %d is %s when asked for %s", r, n, wait, asked)
				}
			}
			if wait := r.wait(n, errors.New("x")); wait < r.Min || wait > r.Max {
				t.Fatalf("%+v: wait %d is %s", r, n, wait)
			}
		}
	}
}

func TestLanesThatFailedTogetherDoNotComeBackTogether(t *testing.T) {
	for _, n := range []int{1, 3, 100} {
		waits := map[time.Duration]bool{}
		for range 100 {
			waits[retry.wait(n, errors.New("x"))] = true
		}
		if len(waits) < 90 {
			t.Errorf("wait %d: %d different of 100", n, len(waits))
		}
	}
}

func TestRetryAfterIsHonouredUpToTheLongestWait(t *testing.T) {
	for asked, want := range map[time.Duration]time.Duration{30 * time.Second: 30 * time.Second, 24 * time.Hour: time.Minute} {
		for _, err := range []error{RetryAfter(errors.New("429"), asked), fmt.Errorf("calling: %w", RetryAfter(errors.New("429"), asked))} {
			if wait := retry.wait(1, err); wait != want {
				t.Errorf("asked for %s, waits %s, want %s", asked, wait, want)
			}
		}
	}
	if wait := retry.wait(4, RetryAfter(errors.New("429"), time.Millisecond)); wait < 8*time.Second {
		t.Errorf("a short Retry-After must not cut the backoff to %s", wait)
	}
}

func TestSettle(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	failure := errors.New("refused")
	for _, test := range []struct {
		name     string
		attempts int // before this one
		from     int // where the round began
		age      time.Duration
		result   Result
		err      error
		want     Status
		again    bool
	}{
		{name: "success", want: StatusSucceeded},
		{name: "nothing to do", result: Result{Skipped: "unknown user: x"}, want: StatusSkipped},
		{name: "first failure", err: failure, want: StatusRetrying, again: true},
		{name: "last attempt", attempts: 3, err: failure, want: StatusDead},
		{name: "one before the last", attempts: 2, err: failure, want: StatusRetrying, again: true},
		{name: "a new round has a new budget", attempts: 9, from: 8, err: failure, want: StatusRetrying, again: true},
		{name: "too old", attempts: 1, age: time.Hour, err: failure, want: StatusDead},
		{name: "would be too old when it is due", attempts: 1, age: time.Hour - 2*time.Second, err: failure, want: StatusDead},
		{name: "just young enough", attempts: 1, age: time.Hour - 4*time.Second, err: failure, want: StatusRetrying, again: true},
		{name: "asked to wait until it is too old", attempts: 1, age: time.Hour - 30*time.Second, err: RetryAfter(failure, time.Minute), want: StatusDead},
		{name: "however late the first attempt is made", age: 100 * time.Hour, err: failure, want: StatusRetrying, again: true},
		{name: "however old, a success is one", age: 100 * time.Hour, want: StatusSucceeded},
		{name: "final", err: Permanent(failure), want: StatusDead},
		{name: "final, wrapped", err: errors.Join(errors.New("while calling"), Permanent(failure)), want: StatusDead},
		{name: "final beats Retry-After", err: RetryAfter(Permanent(failure), time.Second), want: StatusDead},
	} {
		t.Run(test.name, func(t *testing.T) {
			action := &Action{Attempts: make([]Attempt, test.attempts), BudgetFrom: test.from, BudgetSince: start, Status: StatusWaiting}
			attempt := Attempt{At: start.Add(test.age), Took: time.Second}
			next := retry.settle(action, attempt, test.result, test.err)
			if action.Status != test.want || next.IsZero() == test.again {
				t.Fatalf("status %s, next %s", action.Status, next)
			}
			if len(action.Attempts) != test.attempts+1 || action.Attempts[test.attempts].Status != test.want {
				t.Errorf("the attempt is not on the record: %+v", action.Attempts)
			}
			if test.again && !next.After(attempt.At.Add(attempt.Took)) {
				t.Errorf("next is %s, before the attempt ended", next)
			}
			if test.err != nil && action.Reason == "" || test.err == nil && action.Reason != test.result.Skipped {
				t.Errorf("reason %q", action.Reason)
			}
		})
	}
}
