package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// lines is a log to be read.
type lines struct {
	mu   sync.Mutex
	text []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, string(p))
	return len(p), nil
}

// with are the lines that have a text.
func (l *lines) with(text string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.text {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

// away is a store that can be away, and counts who asks.
type away struct {
	*memory
	mu    sync.Mutex
	err   error
	asked map[string]int
}

func (a *away) ask(what string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked[what]++
	return a.err
}

func (a *away) set(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.err = err
}

func (a *away) total() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, count := range a.asked {
		n += count
	}
	return n
}

func (a *away) Inbox(int, string) Inbox { return a }
func (a *away) Outbox(int) Outbox       { return a }

func (a *away) Claim(ctx context.Context, max int, wait time.Duration) ([]*Event, error) {
	if err := a.ask("claim"); err != nil {
		return nil, err
	}
	return a.memory.Claim(ctx, max, wait)
}

func (a *away) Due(ctx context.Context, now time.Time, lease time.Duration, max int) ([]*Action, time.Time, error) {
	if err := a.ask("due"); err != nil {
		return nil, time.Time{}, err
	}
	return a.memory.Due(ctx, now, lease, max)
}

// Many loops whose store is away say so once for each kind of work, ask it now and then only, and say once that all is
// well again.
func TestAStoreThatIsAwayIsNoFlood(t *testing.T) {
	const environments, partitions = 20, 8
	log := &lines{}
	store := &away{memory: newMemory(), err: fmt.Errorf("refused: %w", ErrUnavailable), asked: map[string]int{}}
	e := New(Options{
		Consumer: "test", Decider: Pipeline(DeciderFunc(nothing), DeciderFunc(nothing)), Names: store, Trimmer: store,
		Metrics: NewMetrics(prometheus.NewRegistry()), Logger: slog.New(slog.NewTextHandler(log, nil)), Now: store.now,
	})
	defer e.Stop(context.Background())
	began := time.Now()
	for n := range environments {
		e.Run(fmt.Sprint("e", n), partitions, store, NewTarget("script", &script{}, DefaultPolicy))
	}
	const loops = 2 * environments * partitions
	for store.total() < 3*loops { // each loop has tried a few times
		time.Sleep(5 * time.Millisecond)
	}
	// A loop waits for three quarters of its pause at least: 0.375, 0.75, then 1.5 s each.
	tries := 3 + int(time.Since(began)/(errorMost*3/4))
	if asked := store.total(); asked > tries*loops {
		t.Errorf("%d loops asked %d times in %v", loops, asked, time.Since(began))
	}
	if warned := log.with("level=WARN"); len(warned) != 2 {
		t.Errorf("the log says %d times that the store is away, want once for events and once for actions:\n%s", len(warned), warned)
	}
	store.set(nil)
	for deadline := time.Now().Add(30 * time.Second); len(log.with("does its work again")) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the log does not say that the store is back")
		}
	}
	if again := log.with("does its work again"); len(again) != 1 {
		t.Errorf("%s", again)
	}
}

func TestTroubleIsSaidOnceInAWhile(t *testing.T) {
	log := &lines{}
	trouble := newTrouble(slog.New(slog.NewTextHandler(log, nil)))
	a, b := &contact{trouble: trouble, environment: "a"}, &contact{trouble: trouble, environment: "b"}
	gone, odd := fmt.Errorf("gone: %w", ErrUnavailable), errors.New("odd")
	fail := func(c *contact, err error) {
		c.failures++
		trouble.begin(c, "no claims", err)
	}
	said := func(step string, warnings, again int) {
		t.Helper()
		if w, i := len(log.with("level=WARN")), len(log.with("level=INFO")); w != warnings || i != again {
			t.Errorf("%s: %d warnings, %d times well again; want %d, %d", step, w, i, warnings, again)
		}
	}
	fail(a, gone)
	fail(b, gone)
	fail(a, gone)
	said("one outage of both", 1, 0)
	fail(b, odd)
	said("an error that may be of one environment", 2, 0)
	a.worked()
	said("one of two is well", 2, 0)
	b.worked()
	said("both are", 2, 1)
	fail(a, gone)
	a.worked()
	said("back too soon to be said", 2, 1)
	trouble.said["no claims"].at = time.Now().Add(-sayLeast)
	fail(a, gone)
	said("back later", 3, 1)
	trouble.said["no claims"].at = time.Now().Add(-sayLeast)
	trouble.since = time.Now().Add(-2 * sayLeast)
	fail(a, gone)
	said("still the same", 3, 1)
	trouble.said["no claims"].at = time.Now().Add(-sayEvery)
	trouble.since = time.Now().Add(-2 * sayEvery)
	fail(a, gone)
	said("a minute later", 4, 1)
	if !strings.Contains(log.with("level=WARN")[3], "times_unsaid=1") {
		t.Error(log.with("level=WARN")[3])
	}
	a.gone()
	if len(trouble.troubled) != 0 {
		t.Error("a loop that has ended is in trouble")
	}
}

func TestErrorWaits(t *testing.T) {
	for n, most := range map[int]time.Duration{1: errorPause, 2: 2 * errorPause, 3: errorMost, 1000: errorMost} {
		for range 100 {
			if wait := errorWait(n); wait > most || wait < most*3/4 {
				t.Fatalf("%d failures: waits %v, want up to %v", n, wait, most)
			}
		}
	}
}

// lossy is where names are counted, if it can be.
type lossy struct {
	err  error
	told []NameSeen
}

func (l *lossy) Count(_ context.Context, _ string, seen []NameSeen) error {
	if l.err == nil {
		l.told = append(l.told, seen...)
	}
	return l.err
}

func TestNamesThatCanNotBeCountedAreCountedLater(t *testing.T) {
	names := &lossy{err: ErrUnavailable}
	counter := &tally{names: names, trouble: newTrouble(slog.New(slog.DiscardHandler))}
	first, last := time.Unix(1, 0), time.Unix(2, 0)
	counter.add(&Event{Name: "a", ReceivedAt: first})
	counter.tell(t.Context())
	counter.add(&Event{Name: "a", ReceivedAt: last})
	counter.tell(t.Context())
	names.err = nil
	counter.tell(t.Context())
	counter.tell(t.Context())
	if len(names.told) != 1 || names.told[0].Count != 2 || !names.told[0].First.Equal(first) || !names.told[0].Last.Equal(last) {
		t.Errorf("%+v", names.told)
	}
}
