package engine

import (
	"bytes"
	"context"
	"sync"
	"time"
)

// tally counts the event names that this process decides and tells the log once a second, so that knowing them costs an
// event no command of its own. A crash loses at most a second of counts, never an event.
type tally struct {
	environment string
	names       Names
	trouble     *trouble

	mu   sync.Mutex
	seen map[nameKey]*NameSeen
}

type nameKey struct{ source, typ, name string }

const (
	tallyEvery = time.Second
	// tallyMax bounds the names held between two tellings; more are left out of the count, not of the log.
	tallyMax = 1000
	// sampleMax bounds a sample; a larger event is not kept as one.
	sampleMax = 16 << 10
	// nameMax bounds a name as it is counted, in bytes.
	nameMax = 256
)

func (t *tally) add(event *Event) {
	if len(event.Name) > nameMax {
		return
	}
	key := nameKey{event.Source, event.Type, event.Name}
	t.mu.Lock()
	defer t.mu.Unlock()
	seen := t.seen[key]
	if seen == nil {
		if len(t.seen) >= tallyMax {
			return
		}
		seen = &NameSeen{Source: event.Source, Type: event.Type, Name: event.Name, First: event.ReceivedAt}
		if len(event.Original) <= sampleMax {
			seen.Sample = bytes.Clone(event.Original)
		}
		if t.seen == nil {
			t.seen = map[nameKey]*NameSeen{}
		}
		t.seen[key] = seen
	}
	seen.Count++
	seen.Last = event.ReceivedAt
}

func (t *tally) run(ctx context.Context) {
	for ctx.Err() == nil {
		pause(ctx, tallyEvery)
		t.tell(ctx)
	}
}

func (t *tally) tell(stop context.Context) {
	t.mu.Lock()
	names := make([]NameSeen, 0, len(t.seen))
	for _, seen := range t.seen {
		names = append(names, *seen)
	}
	t.seen = nil
	t.mu.Unlock()
	if len(names) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if err := t.names.Count(ctx, t.environment, names); err != nil {
		t.trouble.note(stop, t.environment, "event names can not be counted", err)
		t.keep(names)
	}
}

// keep puts back what could not be told.
func (t *tally) keep(names []NameSeen) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen == nil {
		t.seen = map[nameKey]*NameSeen{}
	}
	for _, name := range names {
		key := nameKey{name.Source, name.Type, name.Name}
		if since := t.seen[key]; since != nil {
			name.Count, name.Last = name.Count+since.Count, since.Last
		}
		if t.seen[key] != nil || len(t.seen) < tallyMax {
			t.seen[key] = &name
		}
	}
}
