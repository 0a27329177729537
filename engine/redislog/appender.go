package redislog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/engine"
)

// appenders are those of an environment: of a cluster one for each master, so that one that does badly holds up only what is
// for it.
type appenders struct {
	log *Log

	mu     sync.Mutex
	of     map[string]*appender // by the address of the master; "" where there is one
	closed bool
}

// at is the appender for a key.
func (a *appenders) at(ctx context.Context, key string) (*appender, error) {
	address := ""
	if cluster, ok := a.log.client.(*redis.ClusterClient); ok {
		master, err := cluster.MasterForKey(ctx, key)
		if err != nil {
			return nil, a.log.failed("append", err)
		}
		address = master.Options().Addr
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil, errClosed
	}
	if a.of[address] == nil {
		a.of[address] = startAppender(a.log)
	}
	return a.of[address], nil
}

// stop refuses further parcels and ends when those that wait are stored.
func (a *appenders) stop() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	for _, one := range a.of {
		one.stop()
	}
}

// appender folds the Append calls of many requests into shared pipelines: what arrives while one pipeline is under way
// goes with the next. Under load a request so costs a share of a round trip, and alone it waits for nobody.
type appender struct {
	log   *Log
	queue chan *parcel
	loops sync.WaitGroup
	// waiting is how many bytes are in the queue.
	waiting atomic.Int64
	// closing keeps a parcel from being queued behind the back of loops that have ended.
	closing sync.RWMutex
	closed  bool
}

const (
	// appendQueue is how many parcels may wait; one more is refused at once.
	appendQueue = 1024
	// appendBytes is how many bytes may wait, about; one call may wait however large it is.
	appendBytes = 64 << 20
	// appendLoops pipelines are under way at a time: while one is with Redis the next is being written.
	appendLoops = 2
	// appendBatch is how many calls a pipeline takes, and batchBytes from how many bytes on it takes no further call.
	appendBatch = 512
	batchBytes  = 8 << 20
	// appendTimeout bounds a pipeline, whatever the contexts of its calls say.
	appendTimeout = 3 * time.Second
)

var (
	errQueueFull = fmt.Errorf("too many appends are waiting: %w", engine.ErrUnavailable)
	errClosed    = fmt.Errorf("the log is closed: %w", engine.ErrUnavailable)
)

// parcel is what one Append call has for one appender. Whoever swaps taken owns it: a loop that stores it, or the caller, who gives up.
type parcel struct {
	calls []*call
	bytes int64
	taken atomic.Bool
	done  chan struct{}
}

func startAppender(l *Log) *appender {
	a := &appender{log: l, queue: make(chan *parcel, appendQueue)}
	for range appendLoops {
		a.loops.Go(a.run)
	}
	return a
}

// begin queues calls, to be run with whatever else is waiting.
func (a *appender) begin(calls []*call) (*parcel, error) {
	p := &parcel{calls: calls, bytes: bytesOf(calls), done: make(chan struct{})}
	return p, a.enqueue(p)
}

// wait waits for the outcome. When the context ends before a loop took the parcel, nothing was sent; afterwards the
// time-out bounds it: the bytes belong to the caller, who may use them for something else as soon as this returns.
func (p *parcel) wait(ctx context.Context) error {
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
	}
	if p.taken.CompareAndSwap(false, true) {
		return fmt.Errorf("%w: %w", engine.ErrUnavailable, context.Cause(ctx))
	}
	<-p.done
	return nil
}

func (a *appender) enqueue(p *parcel) error {
	a.closing.RLock()
	defer a.closing.RUnlock()
	if a.closed {
		return errClosed
	}
	if waiting := a.waiting.Add(p.bytes); waiting <= max(appendBytes, p.bytes) {
		select {
		case a.queue <- p:
			return nil
		default:
		}
	}
	a.waiting.Add(-p.bytes)
	a.log.options.OnError("append")
	return errQueueFull
}

// bytesOf is how large calls are, about.
func bytesOf(calls []*call) (n int64) {
	for _, c := range calls {
		for _, arg := range c.args {
			n += int64(sizeOf(arg))
		}
	}
	return n
}

func (a *appender) run() {
	for first := range a.queue {
		a.waiting.Add(-first.bytes)
		if away := a.flush(a.collect(first)); away != nil {
			a.refuse(away)
		}
	}
}

// refuse gives up what waits, for it would fare no better: who waits for many to be found too late would wait for long.
func (a *appender) refuse(away error) {
	for {
		select {
		case p, open := <-a.queue:
			if !open {
				return
			}
			a.waiting.Add(-p.bytes)
			if p.taken.CompareAndSwap(false, true) {
				p.fail(away)
			}
		default:
			return
		}
	}
}

// fail ends a parcel of which nothing was sent.
func (p *parcel) fail(err error) {
	p.abandon(err)
	close(p.done)
}

// collect takes what waits behind the first parcel, without waiting for more.
func (a *appender) collect(first *parcel) []*parcel {
	batch, queued, bytes := []*parcel{}, 0, int64(0)
	for next := first; ; {
		if next.taken.CompareAndSwap(false, true) {
			batch, queued, bytes = append(batch, next), queued+len(next.calls), bytes+next.bytes
		}
		if queued >= appendBatch || bytes >= batchBytes {
			return batch
		}
		select {
		case more, open := <-a.queue:
			if !open {
				return batch
			}
			a.waiting.Add(-more.bytes)
			next = more
		default:
			return batch
		}
	}
}

// flush stores the parcels, pipeline after pipeline, and gives up at the first that finds the store unavailable, which it
// returns.
func (a *appender) flush(batch []*parcel) (away error) {
	var calls []*call
	for _, p := range batch {
		calls = append(calls, p.calls...)
	}
	for chunk := range slices.Chunk(calls, appendBatch) {
		if away == nil {
			away = a.pipeline(chunk)
			continue
		}
		for _, c := range chunk {
			c.err = away
		}
	}
	for _, p := range batch {
		close(p.done)
	}
	return away
}

// pipeline makes up to appendBatch calls. Each call has its own error; what is returned means that another pipeline
// would fare no better.
func (a *appender) pipeline(calls []*call) error {
	ctx, cancel := context.WithTimeout(context.Background(), appendTimeout)
	defer cancel()
	if err := a.log.keep(ctx, "append", calls...); errors.Is(err, engine.ErrUnavailable) {
		return err
	}
	return nil
}

func (a *appender) stop() {
	a.closing.Lock()
	if !a.closed {
		a.closed = true
		close(a.queue)
	}
	a.closing.Unlock()
	a.loops.Wait()
}

// Append implements engine.Appender. Events of one call that share a partition are stored in their order, and all or none
// of them, unless they are hundreds. It returns within about three seconds when Redis is away, however many events there are;
// a context that ends sooner is heeded until the events are on their way. With Options.Replicated an event that no replica
// has is an engine.ErrUnavailable; it may be stored all the same, and the repeat is then recognised.
func (e *Environment) Append(ctx context.Context, events []*engine.Event) error {
	shipments := e.ship(events)
	var failures []error
	for _, p := range e.dispatch(ctx, shipments) {
		if err := p.wait(ctx); err != nil {
			p.abandon(err)
		}
	}
	for _, s := range shipments {
		if err := s.done(); err != nil {
			failures = append(failures, err)
		}
	}
	return joined(failures)
}

// dispatch queues shipments where they belong. What can not be queued has its error.
func (e *Environment) dispatch(ctx context.Context, shipments []*shipment) (parcels []*parcel) {
	calls := map[*appender][]*call{}
	for _, s := range shipments {
		appender, err := e.appenders.at(ctx, s.call.keys[0])
		if s.call.err = err; err == nil {
			calls[appender] = append(calls[appender], s.call)
		}
	}
	for appender, theirs := range calls {
		p, err := appender.begin(theirs)
		if err != nil {
			p.abandon(err)
			continue
		}
		parcels = append(parcels, p)
	}
	return parcels
}

// abandon gives the calls of a parcel, of which nothing was sent, their error.
func (p *parcel) abandon(err error) {
	for _, c := range p.calls {
		c.err = err
	}
}

// joined is errors.Join, once for each message: a batch that failed as a whole failed for one reason.
func joined(failures []error) error {
	seen := map[string]bool{}
	var distinct []error
	for _, err := range failures {
		if !seen[err.Error()] {
			seen[err.Error()] = true
			distinct = append(distinct, err)
		}
	}
	return errors.Join(distinct...)
}
