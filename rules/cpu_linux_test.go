package rules

import (
	"syscall"
	"time"
)

// threadCPU is the processor time of the calling thread, which others on the machine do not add to. The goroutine must be
// locked to its thread.
func threadCPU() time.Duration {
	const thread = 1 // RUSAGE_THREAD
	var usage syscall.Rusage
	if err := syscall.Getrusage(thread, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
