package httpapi

import (
	"sync/atomic"
	"time"

	"switchyard/engine"
)

// Door is one connection as senders meet it.
type Door struct {
	Connection *engine.Connection
	Log        engine.Appender
	// Receive verifies and decodes a request to the vendor's webhook.
	Receive func(request *engine.Request, now time.Time) (engine.Batch, error)
	// ReceiveCall does the same for the calls of a Segment-compatible SDK: track, identify, …, batch.
	ReceiveCall func(call string, request *engine.Request, now time.Time) (engine.Batch, error)
}

// Doors are all connections by write key; a reload swaps them whole.
type Doors struct {
	byKey atomic.Pointer[map[string]*Door]
}

// Swap replaces all doors at once.
func (d *Doors) Swap(byKey map[string]*Door) { d.byKey.Store(&byKey) }

func (d *Doors) find(writeKey string) *Door {
	if byKey := d.byKey.Load(); byKey != nil && writeKey != "" {
		return (*byKey)[writeKey]
	}
	return nil
}
