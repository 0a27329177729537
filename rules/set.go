// Package rules is where expressions live: rules as people write them in YAML, compiled into an immutable Set for each
// environment, and the Book that holds the live sets and is asked about every event.
//
// The language is expr's (github.com/expr-lang/expr) with a few meanings of its own, which README.md tells to those
// who write rules: a missing path is nil and never an error, numbers keep every digit, a condition's top-level && has no
// order, and nothing depends on the time or on chance.
package rules

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"switchyard/engine"
)

var _ engine.Decider = (*Set)(nil)

// Set is the compiled rules of one environment. It is immutable, and safe for any number of goroutines.
type Set struct {
	environment string
	rules       []*rule
	// tree is where the rules look in an event, and matcher finds those that it could be for.
	tree    *pathTree
	matcher matcher
	// objects are made when they are asked for first.
	offered sync.Once
	objects []engine.Object
}

func newSet(environment string, rules []*rule, book *pathBook) *Set {
	paths := map[*eventPath]bool{}
	add := func(path *eventPath) { paths[path] = true }
	for _, r := range rules {
		for i := range r.match.parts {
			r.match.parts[i].paths(add)
		}
	}
	size := book.len()
	return &Set{environment: environment, rules: rules, tree: newPathTree(paths, size), matcher: newIndex(rules, size)}
}

// Environment is the key of the environment that the set was compiled for.
func (s *Set) Environment() string { return s.environment }

// Len is the number of rules that are enabled.
func (s *Set) Len() int { return len(s.rules) }

// Decide is what the rules ask for of one event: nil when none matches and none fails. Outcome is left open. A rule that
// fails asks for nothing and is in Errors; the others go on. Identifies come before triggers.
func (s *Set) Decide(event *engine.Event) *engine.Decision { return s.decide(event, nil) }

// decide counts each rule's work, and leaves out those in quarantine, by the page that the set is on; nil for none.
func (s *Set) decide(event *engine.Event, page *page) *engine.Decision {
	scope := s.look(event)
	defer scope.free()
	var decision *engine.Decision
	var begun time.Time
	for _, number := range scope.candidates {
		r := s.rules[number]
		known := r.match.probe(&scope.notes)
		if page != nil {
			live := page.rules[number]
			if !page.uncounted {
				live.survivors.Add(1)
			}
			if held := live.held.Load(); held != nil && known != no {
				decision = collect(decision, r, false, nil, held.notice)
				continue
			}
		}
		if known == no {
			continue
		}
		if page != nil && begun.IsZero() {
			begun = time.Now()
		}
		matched, actions, err := r.decide(scope, known)
		if page != nil {
			excused := scope.budget.frugal || isLarge(event)
			begun = page.done(page.rules[number], begun, matched, err, scope.budget.over, excused)
		}
		decision = collect(decision, r, matched, actions, err)
	}
	if decision != nil {
		decision.Errors = abridged(decision.Errors)
		slices.SortStableFunc(decision.Actions, func(a, b *engine.Action) int { return strings.Compare(a.Kind, b.Kind) }) // identify < trigger
	}
	return decision
}

// look is the scope of an event, with the rules that could match it.
func (s *Set) look(event *engine.Event) *scope {
	scope := newScope(event)
	scope.notes.begin(s.tree, event)
	scope.candidates = s.matcher.candidates(&scope.notes, scope.candidates)
	return scope
}

// Matches appends the positions of the rules that match an event to into, in order, without evaluating what they ask
// for. One that fails does not match.
func (s *Set) Matches(event *engine.Event, into []int) []int {
	scope := s.look(event)
	defer scope.free()
	for _, number := range scope.candidates {
		if holds, err := s.rules[number].match.holds(scope); holds && err == nil {
			into = append(into, int(number))
		}
	}
	return into
}

func collect(decision *engine.Decision, r *rule, matched bool, actions []*engine.Action, err error) *engine.Decision {
	if !matched && err == nil {
		return decision
	}
	if decision == nil {
		decision = &engine.Decision{}
	}
	if err != nil {
		failure := engine.RuleError{Rule: r.key}
		if len(decision.Errors) < mostErrors {
			failure.Message = err.Error()
		}
		decision.Errors = append(decision.Errors, failure)
		return decision
	}
	decision.Rules = append(decision.Rules, r.key)
	decision.Actions = append(decision.Actions, actions...)
	return decision
}

// mostErrors is how many rules the log of one event has that failed on it: with thousands it would be larger than all
// events.
const mostErrors = 100

// abridged are the first of many errors, and how many more there are.
func abridged(errors []engine.RuleError) []engine.RuleError {
	if more := len(errors) - mostErrors; more > 0 {
		last := engine.RuleError{Message: fmt.Sprintf("%d more rules failed, or are quarantined", more)}
		errors = append(errors[:mostErrors], last)
	}
	return errors
}
