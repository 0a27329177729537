package knock

import (
	"context"
	"errors"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"switchyard/engine"
)

const (
	// bulkMost is how many users Knock takes in one bulk identify. Source: its OpenAPI document.
	bulkMost = 1000
	// bulkBytes bounds the body of one; a single user's may be larger.
	bulkBytes = 8 << 20
	// soon is how long identifies may wait for calls of their own before they are folded into a bulk one.
	soon = time.Second
	// gathering is how long a bulk that is not full waits for more.
	gathering = 50 * time.Millisecond
	// uncertainTime is how long a bulk is given that may have been accepted; Knock carries one out within seconds.
	uncertainTime = 10 * time.Second
	// rememberedMost bounds how many users that can not be part of a large bulk are remembered.
	rememberedMost = 10_000
)

// folder is where identifies wait for their turn. They go in the order in which they came, each by a call of its own while
// that is fast enough, else many in one bulk identify. Two of the same user are never under way at once.
type folder struct {
	destination  *Destination
	single, bulk *gate

	mu    sync.Mutex
	queue []*person
	// busy are the users that are under way.
	busy map[string]bool
	// company is what is known of users that wait no more; see person.
	company map[string]int
	// running is that there is a loop which empties the queue.
	running bool
	// wake tells it of a change; it holds one token.
	wake chan struct{}
}

// person is one identify that waits, or is under way.
type person struct {
	id     string
	traits []byte
	effect string
	// company is the largest bulk that it may be part of, itself included; 1 is none. It shrinks when a bulk is refused, so
	// that what is wrong with one user keeps no other from being identified.
	company int
	since   time.Time
	// batch is the bulk it is part of; nil while it waits.
	batch *batch
	// gone is that nobody waits for its outcome any more.
	gone bool
	// outcome gets one value.
	outcome chan outcome
}

// outcome is what becomes of a person.
type outcome struct {
	// alone is that it is to be identified by a call of its own now.
	alone  bool
	result engine.Result
	err    error
}

// batch is a bulk identify under way.
type batch struct {
	people []*person
	ctx    context.Context
	cancel context.CancelFunc
	// waiters is how many are still interested; when nobody is, it is cancelled.
	waiters int
	// operation is its id there; "" until it is known.
	operation string
}

func newFolder(d *Destination, single, bulk *gate) *folder {
	return &folder{
		destination: d, single: single, bulk: bulk,
		busy: map[string]bool{}, company: map[string]int{}, wake: make(chan struct{}, 1),
	}
}

// perform identifies a person, in its turn. When none is to be had within patience, it is postponed.
func (f *folder) perform(ctx context.Context, p *person) (engine.Result, error) {
	clock := f.destination.client.clock
	if err := f.join(clock.Now(), p); err != nil {
		return engine.Result{}, err
	}
	patient := clock.After(patience)
	for {
		select {
		case outcome := <-p.outcome:
			if !outcome.alone {
				return outcome.result, outcome.err
			}
			defer f.release(p.id)
			return f.destination.put(ctx, p)
		case <-ctx.Done():
			return f.leave(p, ctx.Err())
		case <-patient:
			left, err := f.giveUp(clock.Now(), p)
			if err != nil {
				return engine.Result{}, err
			}
			patient = clock.After(left)
		}
	}
}

// join puts a person into the queue, unless it would wait there for too long.
func (f *folder) join(now time.Time, p *person) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue) >= f.room(now) {
		return f.postpone(now)
	}
	if known, ok := f.company[p.id]; ok {
		p.company = min(p.company, known)
		delete(f.company, p.id)
	}
	p.since = now
	f.queue = append(f.queue, p)
	f.stir()
	return nil
}

// stir has the queue looked at.
func (f *folder) stir() {
	if len(f.queue) > 0 && !f.running {
		f.running = true
		go f.run()
		return
	}
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// room is how many can be served within patience.
func (f *folder) room(now time.Time) int {
	return f.single.within(now, patience) + bulkMost*f.bulk.within(now, patience)
}

// postpone sends a person away until those that were sent away before it can have been served; it comes somewhat early, so
// that no bulk goes half empty. Where bulk identifies are rarer than the longest wait, it comes shortly before one.
func (f *folder) postpone(now time.Time) error {
	pace, opens := f.bulk.pace(now), f.bulk.peek(now)
	at := later(now.Add(patience/2), earlier(f.single.peek(now), opens))
	at = f.single.appoint(now, at, f.single.pace(now)+bulkMost*pace)
	if every := seconds(1 / pace); every > patience {
		turns := math.Ceil(max(0, at.Sub(opens).Seconds()*pace))
		at = later(now.Add(patience/2), opens.Add(seconds(turns/pace)-patience/2))
	}
	return postponed(f.single.name, now, at)
}

// giveUp takes a person out of the queue that has waited there for long enough; else it says how long it may wait yet.
func (f *folder) giveUp(now time.Time, p *person) (left time.Duration, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if left = p.since.Add(patience).Sub(now); left > 0 {
		return left, nil
	}
	if !f.remove(p) {
		return patience, nil // it is under way
	}
	f.remember(p)
	return 0, f.postpone(now)
}

// leave is for a person whose context has ended.
func (f *folder) leave(p *person, err error) (engine.Result, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.remove(p) {
		f.remember(p)
		if errors.Is(err, context.DeadlineExceeded) { // no attempt was made
			return engine.Result{}, f.postpone(f.destination.client.Now())
		}
		return engine.Result{}, err
	}
	b := p.batch
	if b == nil { // its turn, or its outcome, came at the same moment
		outcome := <-p.outcome
		if outcome.alone {
			f.free(p.id)
			return engine.Result{}, err
		}
		return outcome.result, outcome.err
	}
	p.gone = true
	if b.waiters--; b.waiters == 0 {
		b.cancel()
	}
	if b.operation != "" {
		return p.unfinished(b.operation), notEnded(b.operation, err)
	}
	return engine.Result{}, uncertain(err)
}

// uncertain is an error after which a bulk may have been accepted, nobody knows as which operation. It is given time to be
// carried out before its users are identified again, and before what comes after them.
func uncertain(err error) error {
	if _, asked := engine.AskedWait(err); asked || engine.IsPermanent(err) {
		return err
	}
	return engine.RetryAfter(err, uncertainTime)
}

// remove takes a person out of the queue, if it is there.
func (f *folder) remove(p *person) bool {
	at := slices.Index(f.queue, p)
	if at < 0 {
		return false
	}
	f.queue = slices.Delete(f.queue, at, at+1)
	f.stir()
	return true
}

// remember keeps what was learned of a person for when it comes again.
func (f *folder) remember(p *person) {
	if p.company < bulkMost && len(f.company) < rememberedMost {
		f.company[p.id] = p.company
	}
}

func (f *folder) release(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.free(id)
}

func (f *folder) free(id string) {
	delete(f.busy, id)
	f.stir()
}

// run serves the queue until it is empty.
func (f *folder) run() {
	clock := f.destination.client.clock
	for {
		wait, more := f.serve(clock.Now())
		if !more {
			return
		}
		if wait == 0 {
			continue
		}
		select {
		case <-clock.After(wait):
		case <-f.wake:
		}
	}
}

// serve starts what can be started now, once; wait is how long until there may be more, 0 when there is more already.
func (f *folder) serve(now time.Time) (wait time.Duration, more bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue) == 0 {
		f.running = false
		return 0, false
	}
	enough := max(1, int(f.single.pace(now)*soon.Seconds()))
	idle, social, eldest := f.waiting(enough)
	if idle == 0 {
		return patience, true // all of them wait for one that is under way
	}
	next := now.Add(patience)
	if idle > enough && social > 0 {
		ready := eldest.Add(gathering)
		if social >= bulkMost {
			ready = now
		}
		opens := f.bulk.peek(now)
		switch at := later(ready, opens); {
		case at.After(now):
			next = earlier(next, at)
		default:
			if taken, _ := f.bulk.take(now); taken {
				f.send(enough)
				return 0, true
			}
		}
	}
	taken, at := f.single.take(now)
	if taken {
		f.sendAlone()
		return 0, true
	}
	return max(earlier(next, at).Sub(now), time.Millisecond), true
}

// waiting counts those whose user is not under way, and those among them that may be part of a bulk.
func (f *folder) waiting(enough int) (idle, social int, eldest time.Time) {
	for _, p := range f.queue {
		if f.busy[p.id] {
			continue
		}
		idle++
		if p.company > enough {
			if social == 0 {
				eldest = p.since
			}
			social++
		}
	}
	return idle, social, eldest
}

// sendAlone gives the first in the queue its turn.
func (f *folder) sendAlone() {
	for i, p := range f.queue {
		if !f.busy[p.id] {
			f.busy[p.id] = true
			f.queue = slices.Delete(f.queue, i, i+1)
			p.outcome <- outcome{alone: true}
			return
		}
	}
}

// send starts a bulk of as many as may be in one. Those that may only be in a small one, up to enough, are left to calls of
// their own.
func (f *folder) send(enough int) {
	people, rest := f.gather(enough)
	f.queue = rest
	b := &batch{people: people, waiters: len(people)}
	b.ctx, b.cancel = context.WithCancel(context.Background()) // those of its people end at different times
	for _, p := range people {
		p.batch = b
	}
	go f.deliver(b)
}

func (f *folder) gather(enough int) (people, rest []*person) {
	most, size := bulkMost, 0
	for _, p := range f.queue {
		fits := len(people) < min(most, p.company) && (len(people) == 0 || size+len(p.traits) <= bulkBytes)
		if !fits || p.company <= enough || f.busy[p.id] {
			rest = append(rest, p)
			continue
		}
		f.busy[p.id] = true
		most = min(most, p.company)
		size += len(p.traits) + len(p.id)
		people = append(people, p)
	}
	return people, rest
}

// deliver carries a bulk out.
func (f *folder) deliver(b *batch) {
	defer b.cancel()
	operation, err := f.destination.putMany(b.ctx, b.people)
	switch status := statusOf(err); {
	case status == http.StatusTooManyRequests:
		f.again(b, false)
		return
	case status == http.StatusBadRequest || status == http.StatusRequestEntityTooLarge || status == http.StatusUnprocessableEntity:
		f.again(b, true)
		return
	case err != nil:
		err = uncertain(err)
		f.finish(b, func(*person) outcome { return outcome{err: err} })
		return
	}
	f.mu.Lock()
	b.operation = operation
	f.mu.Unlock()
	how, err := f.destination.await(b.ctx, operation)
	if err != nil {
		f.finish(b, func(p *person) outcome { return outcome{result: p.unfinished(operation), err: err} })
		return
	}
	f.end(b, how)
}

// end tells everybody how an operation ended. Those that it failed for are tried alone, for their own call says what is
// wrong; when it is not known whom it failed for, they are tried in smaller company.
func (f *folder) end(b *batch, how ending) {
	if !how.complete {
		f.again(b, true)
		return
	}
	failed := b.people[:0:0]
	done := b.people[:0:0]
	for _, p := range b.people {
		if how.succeeded(p.id) {
			done = append(done, p)
		} else {
			p.company = 1
			failed = append(failed, p)
		}
	}
	b.people = done
	f.finish(b, func(p *person) outcome {
		return outcome{result: body(identified{UserID: p.id, BulkOperation: b.operation})}
	})
	b.people = failed
	f.again(b, false)
}

// finish gives each person of a bulk its outcome. Nobody may be left who waits for it; the outcome is dropped then.
func (f *folder) finish(b *batch, of func(*person) outcome) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range b.people {
		delete(f.busy, p.id)
		p.batch = nil
		p.outcome <- of(p)
	}
	f.stir()
}

// again puts those of a bulk back to the front of the queue; of one that was
// refused they are to be in smaller company.
func (f *folder) again(b *batch, refused bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.destination.client.Now()
	var back []*person
	for _, p := range b.people {
		delete(f.busy, p.id)
		p.batch = nil
		if refused {
			p.company = max(1, len(b.people)/2)
		}
		if p.since = now; !p.gone {
			back = append(back, p)
		}
	}
	f.queue = append(back, f.queue...)
	f.stir()
}
