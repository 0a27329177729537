package main

import (
	"runtime/debug"
	"testing"
)

func TestGarbageIsBounded(t *testing.T) {
	for inUse, want := range map[uint64]int{0: 100, 10 << 20: 100, mostGarbage: 100, 2 * mostGarbage: 50, 100 * mostGarbage: leastPercent} {
		if percent := garbagePercent(inUse); percent != want {
			t.Errorf("of %d MiB in use %d%% may be garbage, want %d%%", inUse>>20, percent, want)
		}
	}
	t.Setenv("GOGC", "")
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	sparing()()
	if now := debug.SetGCPercent(100); now < 50 {
		t.Errorf("a small process is left with %d%%", now)
	}
}
