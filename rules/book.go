package rules

import (
	"iter"
	"slices"
	"strings"
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
}

// page is one environment's set, with the counters of its rules, by their numbers.
type page struct {
	set      *Set
	counters []*counter
}

// Swap replaces all sets, by environment, at once; events that are being decided finish with the old ones. The counts of
// a rule go on when the new set of the environment has its key.
func (b *Book) Swap(sets map[string]*Set) {
	b.swapping.Lock()
	defer b.swapping.Unlock()
	before := b.pages()
	pages := make(map[string]*page, len(sets))
	for environment, set := range sets {
		pages[environment] = before[environment].next(set)
	}
	b.live.Store(&pages)
}

func (b *Book) pages() map[string]*page {
	if live := b.live.Load(); live != nil {
		return *live
	}
	return nil
}

func (p *page) next(set *Set) *page {
	known := map[string]*counter{}
	if p != nil {
		for i, r := range p.set.rules {
			known[r.key] = p.counters[i]
		}
	}
	next := &page{set: set, counters: make([]*counter, len(set.rules))}
	for i, r := range set.rules {
		if next.counters[i] = known[r.key]; next.counters[i] == nil {
			next.counters[i] = new(counter)
		}
	}
	return next
}

// Decide asks the rules of the event's environment; see Set.Decide.
func (b *Book) Decide(event *engine.Event) *engine.Decision {
	page := b.pages()[event.Environment]
	if page == nil {
		return nil
	}
	return page.set.decide(event, page.counters)
}

// Rules are the live rules of an environment, in their order.
func (b *Book) Rules(environment string) []engine.RuleInfo {
	page := b.pages()[environment]
	if page == nil {
		return nil
	}
	infos := make([]engine.RuleInfo, len(page.set.rules))
	for i, r := range page.set.rules {
		infos[i] = r.info
		infos[i].Stats = page.counters[i].stats()
	}
	return infos
}

// All yields every live rule with the key of its environment, by environment and in their order there.
func (b *Book) All() iter.Seq2[string, engine.RuleInfo] {
	return func(yield func(string, engine.RuleInfo) bool) {
		var environments []string
		for environment := range b.pages() {
			environments = append(environments, environment)
		}
		slices.SortFunc(environments, strings.Compare)
		for _, environment := range environments {
			for _, info := range b.Rules(environment) {
				if !yield(environment, info) {
					return
				}
			}
		}
	}
}

// counter counts one rule's work. An evaluation is an event that passed what the rule asks of the event's own texts,
// such as type and name, so that its expressions were run.
type counter struct {
	evaluations, matches, errors atomic.Uint64

	spent     atomic.Int64
	lastMatch atomic.Int64 // Unix nanoseconds; 0 for never
	lastError atomic.Pointer[failure]
}

type failure struct {
	message string
	at      time.Time
}

// add counts one evaluation that began when the one before it ended; it returns when this one did.
func (c *counter) add(begun time.Time, matched bool, err error) (ended time.Time) {
	ended = time.Now()
	c.evaluations.Add(1)
	c.spent.Add(int64(ended.Sub(begun)))
	if matched {
		c.matches.Add(1)
		c.lastMatch.Store(ended.UnixNano())
	}
	if err != nil {
		c.errors.Add(1)
		c.lastError.Store(&failure{message: err.Error(), at: ended})
	}
	return ended
}

func (c *counter) stats() engine.RuleStats {
	stats := engine.RuleStats{
		Evaluations: c.evaluations.Load(), Matches: c.matches.Load(), Errors: c.errors.Load(),
		Spent: time.Duration(c.spent.Load()),
	}
	if at := c.lastMatch.Load(); at != 0 {
		stats.LastMatchAt = time.Unix(0, at)
	}
	if last := c.lastError.Load(); last != nil {
		stats.LastError, stats.LastErrorAt = last.message, last.at
	}
	return stats
}
