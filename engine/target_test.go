package engine

import (
	"context"
	"errors"
	"testing"
	"time"
)

func admitAll(t *testing.T, target *Target, most int) (permits int, wait time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return target.admit(ctx, most)
}

func TestSlotsAreShared(t *testing.T) {
	target := NewTarget("d", nil, Policy{Concurrency: 5})
	if n, _ := admitAll(t, target, 3); n != 3 {
		t.Errorf("%d of 3", n)
	}
	if n, _ := admitAll(t, target, 3); n != 2 {
		t.Errorf("%d of the 2 that are left", n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if n, _ := target.admit(ctx, 1); n != 0 {
		t.Errorf("%d beyond all", n)
	}
	target.refund(3, 1)
	target.leave()
	if n, _ := admitAll(t, target, 5); n != 3 {
		t.Errorf("%d of the 3 that were given back", n)
	}
}

// What is taken and not used does not count against the rate, and what others have taken does.
func TestPace(t *testing.T) {
	target := NewTarget("d", nil, Policy{Concurrency: 100, Rate: 50}) // five at once
	first, _ := admitAll(t, target, 32)
	if second, wait := admitAll(t, target, 32); first != 5 || second != 0 || wait <= 0 || wait > 50*time.Millisecond {
		t.Errorf("%d at once, then %d, to wait %s", first, second, wait)
	}
	target.refund(first, 2)
	if n, _ := admitAll(t, target, 32); n != 3 {
		t.Errorf("%d after 2 of 5 were used", n)
	}
	target.refund(3, 3)
	target.share(5)
	if _, wait := admitAll(t, target, 1); wait < 60*time.Millisecond {
		t.Errorf("one of five processes may go on after %s", wait)
	}
}

func TestBreaker(t *testing.T) {
	outage := errors.New("no answer")
	var answer error
	destination := performFunc(func(context.Context, *Action) (Result, error) { return Result{}, answer })
	target := NewTarget("d", destination, Policy{Concurrency: 10, Breaker: Breaker{Failures: 3, Open: 20 * time.Millisecond}})
	call := func(err error) error {
		answer = err
		_, err = target.call(context.Background(), &Action{})
		return err
	}
	for range 10 {
		call(Permanent(errors.New("422")))
		call(RetryAfter(errors.New("429"), time.Second))
		call(Closed(errors.New("410")))
		call(outage)
		call(outage)
		call(nil)
	}
	if target.Breaker() != BreakerClosed {
		t.Fatal("it opened for what is no outage, or for failures that were not in a row")
	}
	for range 3 {
		call(outage)
	}
	if n, wait := admitAll(t, target, 5); target.Breaker() != BreakerOpen || n != 0 || wait <= 0 {
		t.Errorf("after 3 failures: %s, %d are let in", target.Breaker(), n)
	}
	if _, ok := PostponedFor(call(nil)); !ok {
		t.Error("a call was made while it is open")
	}
	for deadline := time.Now().Add(10 * time.Second); target.Breaker() != BreakerHalfOpen && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if n, _ := admitAll(t, target, 5); n != 1 {
		t.Errorf("half-open: %d are let in", n)
	}
	if err := call(nil); err != nil || target.Breaker() != BreakerClosed {
		t.Errorf("the probe went well: %v, %s", err, target.Breaker())
	}
}

type performFunc func(ctx context.Context, action *Action) (Result, error)

func (f performFunc) Perform(ctx context.Context, action *Action) (Result, error) {
	return f(ctx, action)
}

func TestAPanicLeavesTheBreakerAlone(t *testing.T) {
	target := NewTarget("d", performFunc(func(context.Context, *Action) (Result, error) { panic("x") }), Policy{Concurrency: 1, Breaker: Breaker{Failures: 1, Open: time.Hour}})
	for range 3 {
		func() {
			defer func() { recover() }()
			target.call(context.Background(), &Action{})
		}()
	}
	if target.Breaker() != BreakerClosed {
		t.Errorf("it is %s", target.Breaker())
	}
}

// An action that is not attempted stays as it is, and is done when it is its turn.
func TestPostponed(t *testing.T) {
	m := newMemory()
	accept(t, m, "ann", "bob")
	destination := &script{answers: map[string][]error{"ann": {Postponed("not yet", time.Minute), Postponed("not yet", time.Minute)}}}
	startEngine(t, m, destination, everything)
	m.waitFor(t, "bob is done, ann waits", func() bool {
		return len(m.actions) == 4 && m.status("a2") == StatusSucceeded && m.status("a3") == StatusSucceeded && m.status("a0") == StatusWaiting && m.due["u:ann"].Equal(m.clock.Add(time.Minute))
	})
	m.advance(time.Minute + time.Second)
	m.waitFor(t, "ann waits once more", func() bool { return m.status("a0") == StatusWaiting && m.due["u:ann"].Equal(m.clock.Add(time.Minute)) })
	m.advance(time.Minute + time.Second)
	m.waitFor(t, "ann is done, with one attempt", func() bool {
		return m.status("a0") == StatusSucceeded && m.status("a1") == StatusSucceeded && len(m.actions["a0"].Attempts) == 1
	})
}
