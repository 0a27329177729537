// Package rules is where expressions live: rules as people write them in YAML, compiled into an immutable Set for each
// environment, and the Book that holds the live sets and is asked about every event.
//
// The language is expr's (github.com/expr-lang/expr) with a few meanings of its own, which README.md tells to those
// who write rules: a missing path is nil and never an error, numbers keep every digit, a condition's top-level && has no
// order, and nothing depends on the time or on chance.
package rules

import (
	"slices"
	"strings"
	"time"

	"switchyard/engine"
)

var _ engine.Decider = (*Set)(nil)

// Set is the compiled rules of one environment. It is immutable, and safe for any number of goroutines.
type Set struct {
	environment string
	rules       []*rule
	matcher     matcher
}

func newSet(environment string, rules []*rule) *Set {
	for i, r := range rules {
		r.number = i
	}
	return &Set{environment: environment, rules: rules, matcher: newIndex(rules)}
}

// Environment is the key of the environment that the set was compiled for.
func (s *Set) Environment() string { return s.environment }

// Len is the number of rules that are enabled.
func (s *Set) Len() int { return len(s.rules) }

// Unindexed are the keys of the rules that are evaluated on every event, since nothing of their matches can be looked up.
func (s *Set) Unindexed() []string {
	var keys []string
	for _, r := range s.rules {
		if !r.match.indexed() {
			keys = append(keys, r.key)
		}
	}
	return keys
}

// Decide is what the rules ask for of one event: nil when none matches and none fails. Outcome is left open. A rule that
// fails asks for nothing and is in Errors; the others go on. Identifies come before triggers.
func (s *Set) Decide(event *engine.Event) *engine.Decision { return s.decide(event, nil) }

// decide counts each rule's work, and leaves out those in quarantine, by the page that the set is on; nil for none.
func (s *Set) decide(event *engine.Event, page *page) *engine.Decision {
	scope := newScope(event)
	defer scope.free()
	scope.candidates = s.matcher.candidates(event, scope.candidates)
	var decision *engine.Decision
	var begun time.Time
	for _, r := range scope.candidates {
		possible := r.match.possible(event)
		if page != nil {
			live := page.rules[r.number]
			live.survivors.Add(1)
			if held := live.held.Load(); held != nil && possible {
				decision = collect(decision, r, false, nil, held.notice)
				continue
			}
		}
		if !possible {
			continue
		}
		if page != nil && begun.IsZero() {
			begun = time.Now()
		}
		matched, actions, err := r.decide(scope)
		if page != nil {
			begun = page.done(page.rules[r.number], begun, matched, err, scope.budget.over)
		}
		decision = collect(decision, r, matched, actions, err)
	}
	if decision != nil {
		slices.SortStableFunc(decision.Actions, func(a, b *engine.Action) int { return strings.Compare(a.Kind, b.Kind) }) // identify < trigger
	}
	return decision
}

func collect(decision *engine.Decision, r *rule, matched bool, actions []*engine.Action, err error) *engine.Decision {
	if !matched && err == nil {
		return decision
	}
	if decision == nil {
		decision = &engine.Decision{}
	}
	if err != nil {
		decision.Errors = append(decision.Errors, engine.RuleError{Rule: r.key, Message: err.Error()})
		return decision
	}
	decision.Rules = append(decision.Rules, r.key)
	decision.Actions = append(decision.Actions, actions...)
	return decision
}
