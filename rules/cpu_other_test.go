//go:build !linux

package rules

import "time"

var started = time.Now()

// threadCPU is the time that has passed, where a thread's own is not known.
func threadCPU() time.Duration { return time.Since(started) }
