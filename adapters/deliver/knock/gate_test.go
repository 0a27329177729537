package knock

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"switchyard/engine"
)

var clockNow = clock{time.Now, time.After}

// In no second are there more calls than the limit, whatever the load, and most of the limit is used.
func TestNoSecondIsAboveTheLimit(t *testing.T) {
	for _, limit := range []int{1, 60, 200, 1000} {
		for _, share := range []int{1, 4} {
			synctest.Test(t, func(t *testing.T) {
				gate := newGate("calls", float64(limit), func() int { return share })
				var calls []time.Time
				began := time.Now()
				chance := rand.New(rand.NewPCG(uint64(limit), 1))
				for time.Since(began) < 20*time.Second {
					if chance.IntN(limit*5) == 0 {
						time.Sleep(time.Duration(chance.Int64N(int64(2 * time.Second)))) // quiet, so that a burst is allowed
					}
					if err := gate.enter(t.Context(), clockNow, time.Minute); err != nil {
						t.Fatal(err)
					}
					calls = append(calls, time.Now())
				}
				first := 0
				for i, at := range calls {
					for at.Sub(calls[first]) >= time.Second {
						first++
					}
					if n := (i - first + 1) * share; n > limit && i-first > 0 {
						t.Fatalf("limit %d, share %d: %d calls in a second", limit, share, n)
					}
				}
				if used := float64(len(calls)*share) / 20 / float64(limit); used < 0.55 {
					t.Errorf("limit %d, share %d: %.0f %% are used", limit, share, 100*used)
				}
			})
		}
	}
}

func TestTheShareChanges(t *testing.T) {
	processes := 1
	gate := newGate("calls", 100, func() int { return processes })
	for _, test := range []struct {
		processes int
		pace      float64
	}{{1, 95}, {2, 47.5}, {5, 19}, {0, 95}, {-1, 95}} {
		processes = test.processes
		if pace := gate.pace(time.Now()); pace != test.pace {
			t.Errorf("%d processes: %v", test.processes, pace)
		}
	}
}

func TestPaceFallsAndRecovers(t *testing.T) {
	gate := newGate("calls", 1000, func() int { return 1 })
	now := time.Now()
	for range 50 {
		gate.limited(now, 0) // one burst, one reason
	}
	if pace := gate.pace(now); pace != 475 {
		t.Errorf("after one burst: %v", pace)
	}
	for range 20 {
		now = now.Add(round)
		gate.limited(now, 0)
	}
	if pace := gate.pace(now); pace < 950*slowest-1 || pace > 950*slowest*1.5 {
		t.Errorf("at the floor: %v", pace)
	}
	now = now.Add(11 * time.Second)
	if pace := gate.pace(now); pace < 450 || pace > 650 {
		t.Errorf("half-way: %v", pace)
	}
	if pace := gate.pace(now.Add(20 * time.Second)); pace != 950 {
		t.Errorf("at the end: %v", pace)
	}
}

// What waits when the gate is closed does not pass at once when it opens.
func TestClosedWhileSomeWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := newGate("calls", 100, func() int { return 1 })
		passed := make(chan time.Time, 150)
		for range 150 {
			go func() {
				if gate.enter(t.Context(), clockNow, time.Minute) == nil {
					passed <- time.Now()
				}
			}()
		}
		time.Sleep(500 * time.Millisecond)
		began := time.Now()
		gate.limited(began, 3*time.Second)
		early, second := 0, 0
		for range 150 {
			switch after := (<-passed).Sub(began); {
			case after < 3*time.Second && after > 0:
				early++
			case after > 0 && after < 4*time.Second+750*time.Millisecond:
				second++
			}
		}
		if early != 0 || second > 100 {
			t.Errorf("%d passed while it was closed, %d in the second after it", early, second)
		}
	})
}

// A clock that is set back, or forth, stops nothing for longer than a Retry-After could.
func TestClocksThatJump(t *testing.T) {
	for _, jump := range []time.Duration{-48 * time.Hour, -time.Hour, -8 * time.Minute, -2 * time.Minute, 48 * time.Hour} {
		gate := newGate("calls", 10, func() int { return 1 })
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		gate.limited(now, time.Minute)
		gate.reserve(now)
		now = now.Add(jump)
		if _, at := gate.reserve(now); at.Sub(now) > closedMost+time.Second {
			t.Errorf("%v: the next turn is in %v", jump, at.Sub(now))
		}
		if wait, _ := engine.PostponedFor(gate.postpone(now, now)); wait > appointmentMost {
			t.Errorf("%v: postponed for %v", jump, wait)
		}
	}
}

func TestEnteringEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := newGate("calls", 1, func() int { return 1 })
		if err := gate.enter(t.Context(), clockNow, patience); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, cancel)
		if err := gate.enter(ctx, clockNow, patience); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, postponed := engine.PostponedFor(gate.enter(ctx, clockNow, patience)); !postponed {
			t.Error("an attempt that was not made is counted")
		}
		began := time.Now() // the turns of those that left were given back
		if err := gate.enter(t.Context(), clockNow, patience); err != nil || time.Since(began) > time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}
