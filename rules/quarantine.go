package rules

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"switchyard/engine"
)

// A rule that goes over its budget again and again, or fails on most events, is put into quarantine: it is not evaluated
// any more, and every event that it would have been evaluated on says so. It is evaluated again when somebody releases
// it, or when its text has changed. All processes that share a log share the quarantines.

const (
	// maxOverruns is how often a rule may go over its budget in the events that count.
	maxOverruns = 5
	// fewestJudged is of how many events, from its first failure on, a rule must have failed on more than half.
	fewestJudged = 100
	// mostJudged is when what was is halved, so that of the past only the last one or two hundred events count.
	mostJudged = 2 * fewestJudged
)

// largeEvent is the size in bytes from which going over the budget is not held against a rule: whoever may send events
// could else have any rule quarantined that goes through a list. Each such event still fails the rule, and says so.
const largeEvent = 16 << 10

func isLarge(event *engine.Event) bool {
	return max(len(event.Original), len(event.Data)) >= largeEvent
}

// tallied is what became of a rule's last events, in one word: how many, failed, and over the budget.
type tallied uint64

func (t tallied) seen() uint64   { return uint64(t) & 0xffff }
func (t tallied) failed() uint64 { return uint64(t) >> 16 & 0xffff }
func (t tallied) over() uint64   { return uint64(t) >> 32 & 0xffff }

func tallyOf(seen, failed, over uint64) tallied { return tallied(seen | failed<<16 | over<<32) }

// next is the tally after one more event; nothing is tallied before the first failure.
func (t tallied) next(failed, over bool) tallied {
	t = tallyOf(t.seen()+1, t.failed()+boolUint(failed), t.over()+boolUint(over))
	if t.seen() > mostJudged {
		t = tallyOf(t.seen()/2, t.failed()/2, t.over()/2)
	}
	if t.failed() == 0 && t.over() == 0 {
		return 0
	}
	return t
}

func boolUint(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// reason is why a rule with this tally is put into quarantine; "" for one that is not.
func (t tallied) reason() string {
	switch {
	case t.over() >= maxOverruns:
		return engine.QuarantineBudget
	case t.seen() >= fewestJudged && 2*t.failed() > t.seen()+1: // the first is always a failure
		return engine.QuarantineErrors
	}
	return ""
}

// watch looks after one version of one live rule. Deciding reads it without a lock.
type watch struct {
	environment, rule, version string

	tally atomic.Uint64
	held  atomic.Pointer[held]
}

// held is a quarantine with what an event says of it.
type held struct {
	engine.Quarantine
	notice error
}

func (w *watch) newHeld(q engine.Quarantine) *held {
	return &held{q, fmt.Errorf("the rule is quarantined since %s (%s): %s; bring it back with: %s",
		q.At.UTC().Format(time.RFC3339), quarantineReasons[q.Reason], q.LastError, w.releaseCommand())}
}

// releaseCommand takes the rule out of quarantine, once it has the server's URL.
func (w *watch) releaseCommand() string {
	return fmt.Sprintf("switchyard release --server URL --env %s %s", w.environment, w.rule)
}

// quarantineReasons are the reasons in words.
var quarantineReasons = map[string]string{
	engine.QuarantineBudget: "it went over its budget too often",
	engine.QuarantineErrors: "it failed on most events",
}

// saw tallies one evaluation, and is why the rule must be put into quarantine; "" for no reason.
func (w *watch) saw(failed, over bool) (reason string) {
	for {
		before := tallied(w.tally.Load())
		if before == 0 && !failed && !over {
			return ""
		}
		after := before.next(failed, over)
		if w.tally.CompareAndSwap(uint64(before), uint64(after)) {
			return after.reason()
		}
	}
}

// refuse puts the rule into quarantine, release takes it out and forgets what was.
func (w *watch) refuse(q engine.Quarantine) { w.held.Store(w.newHeld(q)) }

func (w *watch) release() {
	w.tally.Store(0)
	w.held.Store(nil)
}

// Quarantines is the store of the quarantines that all processes share.
type Quarantines interface {
	// Quarantine remembers one; of a version that is in quarantine already, what is known stays.
	Quarantine(ctx context.Context, environment, rule string, q engine.Quarantine) error
	// QuarantineChanges is another when those of an environment have changed.
	QuarantineChanges(ctx context.Context, environment string) (engine.QuarantineChanges, error)
	// Quarantined are those of an environment, by the rules' keys, of all versions.
	Quarantined(ctx context.Context, environment string) (map[string][]engine.Quarantine, error)
	// Release forgets those of a rule.
	Release(ctx context.Context, environment, rule string) error
}

// Guard puts the rules of a book into quarantine and takes them out again, together with other processes. It never keeps
// an event waiting: while the store is away a quarantine holds in this process, and is told when the store is back.
type Guard struct {
	book   *Book
	store  Quarantines
	logger *slog.Logger
	// tripped wakes Run.
	tripped chan struct{}
	// syncing keeps one meeting with the store at a time, and met is what the last one was about, by environment.
	syncing sync.Mutex
	met     map[string]meeting

	mu sync.Mutex
	// holding are the rules in quarantine, and untold those of which the store does not know yet. There are few, however
	// many rules there are.
	holding map[*watch]bool
	untold  map[*watch]engine.Quarantine
	trouble bool // the last meeting with the store failed
	// lines are how many rules were quarantined or released since the last meeting.
	lines int
}

// meeting is what was told to which rules.
type meeting struct {
	changes engine.QuarantineChanges
	page    *page
}

// mostLines is how many rules the log names between two meetings: thousands can go wrong at once.
const mostLines = 20

// Guarded is the guard of a book; a book without one has no quarantines. It must be called before events are decided.
func Guarded(book *Book, store Quarantines, logger *slog.Logger) *Guard {
	g := &Guard{book: book, store: store, logger: logger, met: map[string]meeting{}, holding: map[*watch]bool{}, untold: map[*watch]engine.Quarantine{}, tripped: make(chan struct{}, 1)}
	book.guard = g
	return g
}

// trip puts a rule into quarantine, unless it is there.
func (g *Guard) trip(r *watched, reason string, err error, at time.Time) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.held.Load() != nil {
		return
	}
	q := engine.Quarantine{Version: r.version, Reason: reason, At: at.UTC(), LastError: err.Error()}
	g.untold[r.watch] = q
	g.hold(r, q, "a rule is quarantined, and is not evaluated any more")
	g.wake()
}

// wake has Run meet the store.
func (g *Guard) wake() {
	select {
	case g.tripped <- struct{}{}:
	default: // it is woken already
	}
}

// hold keeps a rule in quarantine, and says so.
func (g *Guard) hold(r *watched, q engine.Quarantine, message string) {
	g.holding[r.watch] = true
	r.refuse(q)
	r.quarantines.Add(1)
	if !g.says() {
		return
	}
	g.logger.Warn(message, "environment", r.environment, "rule", r.rule, "version", r.version,
		"reason", quarantineReasons[q.Reason], "error", q.LastError,
		"bring_it_back", r.releaseCommand()+", or change the rule")
}

// says reports whether the log has a line for one more rule.
func (g *Guard) says() bool {
	g.lines++
	return g.lines <= mostLines
}

// free has a rule evaluated again.
func (g *Guard) free(w *watch) {
	delete(g.holding, w)
	delete(g.untold, w)
	w.release()
	if !g.says() {
		return
	}
	g.logger.Info("a rule was released, and is evaluated again", "environment", w.environment, "rule", w.rule)
}

// Run meets the store every second, and when there is something to tell, until ctx ends.
func (g *Guard) Run(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-g.tripped:
		}
		g.Sync(ctx)
	}
}

// syncTime bounds one meeting with the store.
const syncTime = 2 * time.Second

// Sync tells the store what is new here, and takes over what is new there. While the store is away everything stays as
// it is, and the log says so once.
func (g *Guard) Sync(ctx context.Context) {
	g.syncing.Lock()
	defer g.syncing.Unlock()
	ctx, cancel := context.WithTimeout(ctx, syncTime)
	defer cancel()
	err := g.tell(ctx)
	for environment, page := range g.book.pages() {
		if err != nil {
			break
		}
		err = g.meet(ctx, environment, page)
	}
	g.report(ctx, err)
}

// meet takes over what is new in one environment. A store that has lost quarantines, as one that was restored or emptied
// has, is told them again.
func (g *Guard) meet(ctx context.Context, environment string, page *page) error {
	changes, err := g.store.QuarantineChanges(ctx, environment)
	if err != nil {
		return err
	}
	before, now := g.met[environment], meeting{changes, page}
	if before == now {
		return nil
	}
	if changes.Lost(before.changes) {
		g.retell(environment)
	}
	stored, err := g.store.Quarantined(ctx, environment)
	if err == nil {
		g.adopt(environment, page, stored)
		g.met[environment] = now
	}
	return err
}

// retell has the store told all that is in quarantine here.
func (g *Guard) retell(environment string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	told := 0
	for w := range g.holding {
		if held := w.held.Load(); held != nil && w.environment == environment {
			g.untold[w] = held.Quarantine
			told++
		}
	}
	if told > 0 {
		g.logger.Warn("the store has lost quarantines of rules; they are told to it again", "environment", environment, "rules", told)
		g.wake()
	}
}

func (g *Guard) report(ctx context.Context, err error) {
	g.mu.Lock()
	before := g.trouble
	g.trouble = err != nil
	more := g.lines - mostLines
	g.lines = 0
	g.mu.Unlock()
	if more > 0 {
		g.logger.Warn("more rules were quarantined or released; the metric switchyard_rule_quarantined names those in quarantine", "rules", more)
	}
	switch {
	case err != nil && !before && context.Cause(ctx) != context.Canceled:
		g.logger.Warn("quarantines of rules can not be shared; they hold in each process for itself until they can", "error", err)
	case err == nil && before:
		g.logger.Info("quarantines of rules are shared again")
	}
}

// tell stores what is not stored yet; what it has no time for is for the next meeting.
func (g *Guard) tell(ctx context.Context) error {
	end := time.Now().Add(syncTime / 2)
	g.mu.Lock()
	untold := make(map[*watch]engine.Quarantine, len(g.untold))
	for w, q := range g.untold {
		untold[w] = q
	}
	g.mu.Unlock()
	for w, q := range untold {
		if time.Now().After(end) {
			g.wake()
			break
		}
		if err := g.store.Quarantine(ctx, w.environment, w.rule, q); err != nil {
			return err
		}
		g.mu.Lock()
		delete(g.untold, w)
		g.mu.Unlock()
	}
	return nil
}

// adopt makes the rules of an environment what the store says they are.
func (g *Guard) adopt(environment string, page *page, stored map[string][]engine.Quarantine) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for rule, all := range stored {
		r := page.byKey[rule]
		if r == nil || r.held.Load() != nil {
			continue
		}
		if known := find(all, r.version); known != nil {
			g.hold(r, *known, "a rule is quarantined by another process, or was before")
		}
	}
	for w := range g.holding {
		_, untold := g.untold[w]
		live := page.byKey[w.rule]
		switch {
		case w.environment != environment || untold:
		case live == nil || live.watch != w: // the rule has changed, or is gone
			delete(g.holding, w)
		case find(stored[w.rule], w.version) == nil:
			g.free(w)
		}
	}
}

func find(all []engine.Quarantine, version string) *engine.Quarantine {
	for i := range all {
		if all[i].Version == version {
			return &all[i]
		}
	}
	return nil
}

// Release takes a rule out of quarantine, in all processes: here at once, elsewhere within a second or two. The error is
// engine.ErrNotFound, engine.ErrNotQuarantined, or that of the store, and then nothing has changed.
func (g *Guard) Release(ctx context.Context, environment, rule string) (engine.RuleInfo, error) {
	g.syncing.Lock() // or a meeting that has read the store before would undo this
	defer g.syncing.Unlock()
	r := g.book.rule(environment, rule)
	if r == nil {
		return engine.RuleInfo{}, engine.ErrNotFound
	}
	if r.held.Load() == nil { // but another process may have told since this one looked
		stored, err := g.store.Quarantined(ctx, environment)
		if err != nil || find(stored[rule], r.version) == nil {
			return engine.RuleInfo{}, cmp.Or(err, engine.ErrNotQuarantined)
		}
	}
	if err := g.store.Release(ctx, environment, rule); err != nil {
		return engine.RuleInfo{}, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.free(r.watch)
	return r.describe(), nil
}

// version is a short hash of what is written of a rule.
func version(info *engine.RuleText) string {
	const bytes = 6
	written, _ := json.Marshal([]any{info.Key, info.Name, info.Match, info.Transform, info.Actions}) // texts can be encoded
	sum := sha256.Sum256(written)
	return hex.EncodeToString(sum[:bytes])
}
