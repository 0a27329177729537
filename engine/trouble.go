package engine

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// trouble is what the loops of a process have with their store. While a store is away every one of them finds out, again
// and again; the log says so once for each kind of work that waits, then once a minute, and once when all is well again.
type trouble struct {
	logger *slog.Logger

	mu sync.Mutex
	// troubled are the loops whose last try failed, since the first of them did.
	troubled map[*contact]bool
	since    time.Time
	said     map[string]*saying
	// told is whether the log has a line on what is going on now.
	told bool
}

// saying is when the log said something last, and how often it would have since.
type saying struct {
	at     time.Time
	hushed int
}

const (
	// sayEvery is how often the log repeats what goes on, and sayLeast how soon it says so of trouble that came back.
	sayEvery = time.Minute
	sayLeast = 10 * time.Second
)

func newTrouble(logger *slog.Logger) *trouble {
	return &trouble{logger: logger, troubled: map[*contact]bool{}, said: map[string]*saying{}}
}

// contact is how one loop gets on with the store; it is used by that loop only.
type contact struct {
	trouble     *trouble
	environment string
	failures    int
}

// failed notes that something can not be done, and waits before the next try, a little longer each time.
func (c *contact) failed(ctx context.Context, what string, err error) {
	if ctx.Err() != nil {
		return
	}
	c.failures++
	c.trouble.begin(c, what, err)
	pause(ctx, errorWait(c.failures))
}

// worked notes that the store has answered.
func (c *contact) worked() {
	if c.failures > 0 {
		c.failures = 0
		c.trouble.end(c)
	}
}

// gone is for a loop that ends, well or not.
func (c *contact) gone() {
	if c.failures > 0 {
		c.trouble.forget(c)
	}
}

const (
	// errorPause keeps a loop whose store is away from spinning: it is the first wait, and errorMost the longest, which
	// is also how late a loop finds out that the store is back.
	errorPause = 500 * time.Millisecond
	errorMost  = 2 * time.Second
)

// errorWait is the wait after the nth failure in turn. Loops that failed together do not come back together.
func errorWait(n int) time.Duration {
	wait := errorMost
	if n <= 2 {
		wait = errorPause << (n - 1)
	}
	return wait - rand.N(wait/4)
}

func (t *trouble) begin(c *contact, what string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.troubled) == 0 {
		t.since, t.told = time.Now(), false
	}
	t.troubled[c] = true
	t.say(c.environment, what, err)
}

// note is for work that is only done now and then, and says nothing of how the store is doing until the next time.
func (t *trouble) note(ctx context.Context, environment, what string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ctx.Err() == nil {
		t.say(environment, what, err)
	}
}

// say logs what can not be done, unless it is said already. That the store is away concerns all environments, any other
// error perhaps only this one.
func (t *trouble) say(environment, what string, err error) {
	key := what
	if !errors.Is(err, ErrUnavailable) {
		key += " " + environment
	}
	last := t.said[key]
	if last == nil {
		last = &saying{}
		t.said[key] = last
	}
	rest := sayEvery
	if last.at.Before(t.since) {
		rest = sayLeast
	}
	if time.Since(last.at) < rest {
		last.hushed++
		return
	}
	t.logger.Warn(what+"; trying again", "environment", environment, "error", err, "times_unsaid", last.hushed)
	*last, t.told = saying{at: time.Now()}, true
}

func (t *trouble) end(c *contact) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.troubled, c)
	if len(t.troubled) == 0 && t.told {
		t.logger.Info("the store does its work again", "after", time.Since(t.since).Round(time.Millisecond))
	}
}

func (t *trouble) forget(c *contact) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.troubled, c)
}

// pause waits, or returns early when the context ends.
func pause(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
