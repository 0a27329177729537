package redislog

import (
	"testing"
	"time"
)

func TestServerClock(t *testing.T) {
	var clock serverClock
	near := func(what string, want time.Time) {
		t.Helper()
		if off := clock.now().Sub(want); off < -time.Minute || off > time.Minute {
			t.Errorf("%s: off by %v", what, off)
		}
	}
	now := time.Now()
	near("before any reading", now)
	clock.set(now, now, time.Time{})
	near("a reading of nothing", now)
	clock.set(now.Add(-time.Second), now, now.Add(time.Hour))
	near("an hour ahead of ours", now.Add(time.Hour))
	clock.set(now.Add(-2*slowReading), now, now.Add(3*time.Hour))
	near("a reading that took too long to be of use", now.Add(time.Hour))
	clock.set(now, now, now.Add(-time.Hour))
	near("set back", now.Add(-time.Hour))
}
