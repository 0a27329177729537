package main

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
)

// The collector lets garbage grow to the size of what is in use, which is good while that is little. The rules of a large
// set are in use for good: with a hundred thousand of them it would have the memory be twice what is needed.
const (
	// mostGarbage is about how much it may be, in bytes.
	mostGarbage = 128 << 20
	// leastPercent of what is in use it may always be.
	leastPercent = 20
)

// sparing has the collector run more often while rules are loaded, when what is in use grows, and then as it should for
// what is in use from now on.
func sparing() (done func()) {
	if os.Getenv("GOGC") != "" { // somebody knows better
		return func() {}
	}
	if inUse() < mostGarbage {
		debug.SetGCPercent(leastPercent)
	}
	return func() { debug.SetGCPercent(garbagePercent(inUse())) }
}

// inUse is what the collector last found in use.
func inUse() uint64 {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	return live[0].Value.Uint64()
}

// garbagePercent is how much garbage there may be, in percent of what is in use.
func garbagePercent(inUse uint64) int {
	return int(min(100, max(leastPercent, 100*mostGarbage/max(1, inUse))))
}
