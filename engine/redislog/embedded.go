package redislog

import (
	"fmt"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// embeddedURL is the URL of a server in this process.
const embeddedURL = "embedded"

// embedded is a miniredis: Redis' commands, streams, scripts and all, in Go and in memory. It is the zero-install
// default because it lets one log implementation serve both cases, held by one contract suite; a second implementation
// in plain Go maps would be faster, and would be wrong in its own ways. It keeps nothing, and is made for trying and
// for tests: its scripts and ranges are slow.
type embedded struct {
	server *miniredis.Miniredis
	done   chan struct{}
	ticker sync.WaitGroup
}

// embeddedTick is how finely keys expire. The server can follow the clock by itself, but then walks all keys at every
// command.
const embeddedTick = time.Second

// startEmbedded listens on a free port of the loopback interface.
func startEmbedded() (*embedded, error) {
	e := &embedded{server: miniredis.NewMiniRedis(), done: make(chan struct{})}
	if err := e.server.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("starting the embedded store: %w", err)
	}
	e.ticker.Go(e.expire)
	return e, nil
}

func (e *embedded) address() string { return e.server.Addr() }

// expire moves the time-to-live of all keys along with the clock: to the server, time passes only when it is told.
func (e *embedded) expire() {
	ticker := time.NewTicker(embeddedTick)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-ticker.C:
			now := time.Now()
			e.server.FastForward(now.Sub(last))
			last = now
		case <-e.done:
			return
		}
	}
}

func (e *embedded) stop() {
	close(e.done)
	e.ticker.Wait()
	e.server.Close()
}
