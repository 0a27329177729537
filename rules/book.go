package rules

import (
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"switchyard/engine"
)

var _ engine.Decider = (*Book)(nil)

// Book holds the live Set of every environment. Deciding takes no lock; the zero Book has no rules.
type Book struct {
	live atomic.Pointer[map[string]*page]
	// swapping keeps two swaps from losing each other's counters.
	swapping sync.Mutex
	guard    *Guard
}

// page is one environment's set, with what is counted of its rules, by their numbers.
type page struct {
	set   *Set
	rules []*watched
	byKey map[string]*watched
	guard *Guard
	// uncounted is true for a page that is only asked.
	uncounted bool
}

// watched is one live rule at work. The counter is its key's, the watch its version's.
type watched struct {
	*watch
	*counter
	info *engine.RuleText
}

// Swap replaces all sets, by environment, at once; events that are being decided finish with the old ones. The counts of
// a rule go on when the new set of the environment has its key, and a quarantine when it has its version.
func (b *Book) Swap(sets map[string]*Set) {
	b.swapping.Lock()
	defer b.swapping.Unlock()
	before := b.pages()
	pages := make(map[string]*page, len(sets))
	for environment, set := range sets {
		pages[environment] = before[environment].next(environment, set)
		pages[environment].guard = b.guard
	}
	b.live.Store(&pages)
}

func (b *Book) pages() map[string]*page {
	if live := b.live.Load(); live != nil {
		return *live
	}
	return nil
}

func (p *page) next(environment string, set *Set) *page {
	var known map[string]*watched
	if p != nil {
		known = p.byKey
	}
	next := &page{set: set, rules: make([]*watched, len(set.rules)), byKey: make(map[string]*watched, len(set.rules))}
	for i, r := range set.rules {
		w := &watched{info: &r.info}
		if before := known[r.key]; before != nil {
			w.counter = before.counter
			if before.version == r.info.Version {
				w.watch = before.watch
			}
		}
		if w.counter == nil {
			w.counter = new(counter)
		}
		if w.watch == nil {
			w.watch = &watch{environment: environment, rule: r.key, version: r.info.Version}
		}
		next.rules[i], next.byKey[r.key] = w, w
	}
	return next
}

// rule is a live rule; nil when there is none.
func (b *Book) rule(environment, key string) *watched {
	if page := b.pages()[environment]; page != nil {
		return page.byKey[key]
	}
	return nil
}

// Decide asks the rules of the event's environment; see Set.Decide.
func (b *Book) Decide(event *engine.Event) *engine.Decision {
	page := b.pages()[event.Environment]
	if page == nil {
		return nil
	}
	return page.set.decide(event, page)
}

// Preview is the live rules of an environment as they are now, quarantines and all, to be asked about events that did not
// come: nothing that it does is counted.
type Preview struct{ page *page }

// Preview is nil for an environment that has no rules.
func (b *Book) Preview(environment string) *Preview {
	live := b.pages()[environment]
	if live == nil {
		return nil
	}
	return &Preview{&page{set: live.set, rules: live.rules, uncounted: true}}
}

// Decide is what the book would decide.
func (p *Preview) Decide(event *engine.Event) *engine.Decision {
	return p.page.set.decide(event, p.page)
}

// Explain is Set.Explain, and says of a rule that it is in quarantine.
func (p *Preview) Explain(event *engine.Event, most int) *Report {
	return p.page.set.explain(event, most, p.page)
}

// heldAt is the quarantine of a rule by its number; nil for none.
func (p *page) heldAt(number int) *held {
	if p == nil {
		return nil
	}
	return p.rules[number].held.Load()
}

// Len is the number of live rules of an environment.
func (b *Book) Len(environment string) int {
	if page := b.pages()[environment]; page != nil {
		return len(page.rules)
	}
	return 0
}

// Rule is one live rule.
func (b *Book) Rule(environment, key string) (info engine.RuleInfo, ok bool) {
	if r := b.rule(environment, key); r != nil {
		return r.describe(), true
	}
	return info, false
}

// RulesAfter are some live rules of an environment, in their order, from the one after that of a key, or from the first
// for ""; and whether there are more. The error is engine.ErrBadCursor when that key is gone.
func (b *Book) RulesAfter(environment, key string, limit int) (infos []engine.RuleInfo, more bool, err error) {
	page := b.pages()[environment]
	if page == nil {
		return nil, false, nil
	}
	from := 0
	if key != "" {
		from = 1 + slices.IndexFunc(page.rules, func(r *watched) bool { return r.rule == key })
		if from == 0 {
			return nil, false, engine.ErrBadCursor
		}
	}
	to := min(from+limit, len(page.rules))
	for _, r := range page.rules[from:to] {
		infos = append(infos, r.describe())
	}
	return infos, to < len(page.rules), nil
}

// Rules are the live rules of an environment, in their order.
func (b *Book) Rules(environment string) []engine.RuleInfo {
	page := b.pages()[environment]
	if page == nil {
		return nil
	}
	infos := make([]engine.RuleInfo, len(page.rules))
	for i, r := range page.rules {
		infos[i] = r.describe()
	}
	return infos
}

// describe is a rule with how it does.
func (r *watched) describe() engine.RuleInfo {
	info := engine.RuleInfo{RuleText: *r.info, Stats: r.stats()}
	if held := r.held.Load(); held != nil {
		info.Quarantined = &held.Quarantine
	}
	return info
}

// All yields every live rule with the key of its environment, by environment and in their order there.
func (b *Book) All() iter.Seq2[string, engine.RuleInfo] {
	return func(yield func(string, engine.RuleInfo) bool) {
		pages := b.pages()
		for _, environment := range slices.Sorted(maps.Keys(pages)) {
			for _, r := range pages[environment].rules {
				if !yield(environment, r.describe()) {
					return
				}
			}
		}
	}
}

// counter counts one rule's work. A survivor is an event for which the index found the rule; an evaluation one that passed
// what the rule asks of the event's own texts too, such as type and name, so that its expressions were run.
type counter struct {
	survivors, evaluations, matches, errors, quarantines atomic.Uint64

	spent     atomic.Int64
	lastMatch atomic.Int64 // Unix nanoseconds; 0 for never
	lastError atomic.Pointer[failure]
}

type failure struct {
	message string
	at      time.Time
}

// done counts one evaluation of a rule that began when the one before it ended; it returns when this one did. Over is the
// error of going over a budget, which need not be that of the rule; it is not held against one that is excused.
func (p *page) done(r *watched, begun time.Time, matched bool, err, over error, excused bool) (ended time.Time) {
	if p.uncounted {
		return begun
	}
	ended = time.Now()
	r.add(ended.Sub(begun), ended, matched, err)
	if over != nil && excused {
		return ended
	}
	if reason := r.saw(err != nil, over != nil); reason != "" {
		if over == nil {
			over = err
		}
		if over == nil { // the event that fills the tally need not be one of the failures
			over = r.lastFailure()
		}
		p.guard.trip(r, reason, over, ended)
	}
	return ended
}

func (c *counter) add(spent time.Duration, at time.Time, matched bool, err error) {
	c.evaluations.Add(1)
	c.spent.Add(int64(spent))
	if matched {
		c.matches.Add(1)
		c.lastMatch.Store(at.UnixNano())
	}
	if err != nil {
		c.errors.Add(1)
		c.lastError.Store(&failure{message: err.Error(), at: at})
	}
}

// Error makes a failure an error.
func (f *failure) Error() string { return f.message }

func (c *counter) lastFailure() error {
	if last := c.lastError.Load(); last != nil {
		return last
	}
	return errTooLong
}

func (c *counter) stats() engine.RuleStats {
	stats := engine.RuleStats{
		Survivors: c.survivors.Load(), Evaluations: c.evaluations.Load(), Matches: c.matches.Load(), Errors: c.errors.Load(),
		Quarantines: c.quarantines.Load(), Spent: time.Duration(c.spent.Load()),
	}
	if at := c.lastMatch.Load(); at != 0 {
		stats.LastMatchAt = time.Unix(0, at)
	}
	if last := c.lastError.Load(); last != nil {
		stats.LastError, stats.LastErrorAt = last.message, last.at
	}
	return stats
}
