package redislog

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"
)

// serverClock is the server's clock as this process last read it, carried on by the machine's steady clock: processes
// whose own clocks differ, or jump, then agree on what is due and what a window is.
type serverClock struct {
	reading atomic.Pointer[reading]
}

// reading is what the server's clock said at a moment of ours; its steady part is what counts.
type reading struct{ ours, theirs time.Time }

// slowReading is how long a reading may take: the answer is as old as half of it.
const slowReading = time.Second

// set takes over what the server said between two moments of ours, unless it took too long to be of use.
func (c *serverClock) set(asked, answered, theirs time.Time) {
	took := answered.Sub(asked)
	if theirs.IsZero() || took > slowReading && c.reading.Load() != nil {
		return
	}
	c.reading.Store(&reading{asked.Add(took / 2), theirs})
}

// now is our own clock until the server's was read.
func (c *serverClock) now() time.Time {
	last := c.reading.Load()
	if last == nil {
		return time.Now().UTC()
	}
	return last.theirs.Add(time.Since(last.ours)).UTC()
}

// readClock asks the server.
func (l *Log) readClock(ctx context.Context) error {
	asked := time.Now()
	theirs, err := l.client.Time(ctx).Result()
	if err != nil {
		return l.failed("time", err)
	}
	l.clock.set(asked, time.Now(), theirs)
	return nil
}

// Now is the clock that all processes of this Redis share: its own.
func (l *Log) Now() time.Time { return l.options.Now() }

// readMilliseconds is a time of a script's reply; zero for anything else.
func readMilliseconds(reply any) time.Time {
	ms, err := strconv.ParseInt(text(reply), 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
