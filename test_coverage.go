package main

import (
	"flag"
	"fmt"
	"strings"

	"switchyard/rules"
)

// wantedCoverage is what the command line says of coverage.
type wantedCoverage struct {
	// list is true when every clause that is not exercised is shown, and not only how many.
	list bool
	// minimum is in percent of the clauses; 0 wants nothing.
	minimum float64
}

func coverageFlags(flags *flag.FlagSet) *wantedCoverage {
	w := &wantedCoverage{}
	flags.BoolVar(&w.list, "coverage", false, "list the clauses of each rule that were never true or never false")
	flags.Func("min-coverage", "fail when fewer than this `percent` of the clauses are exercised", func(text string) error {
		if _, err := fmt.Sscanf(strings.TrimSuffix(text, "%")+"\n", "%g\n", &w.minimum); err != nil || w.minimum < 0 || w.minimum > 100 {
			return fmt.Errorf("it is a number from 0 to 100")
		}
		return nil
	})
	return w
}

// testCoverage is what the tests exercise of the rules, each rule once, in whichever environments it is tested.
type testCoverage []*rules.RuleCoverage

func (c *testCoverage) add(all []*rules.RuleCoverage) {
	type place struct {
		file string
		line int
	}
	known := make(map[place]*rules.RuleCoverage, len(*c)+len(all))
	for _, rule := range *c {
		known[place{rule.File, rule.Line}] = rule
	}
	for _, rule := range all {
		at := place{rule.File, rule.Line}
		if same := known[at]; same != nil {
			same.Join(rule)
			continue
		}
		known[at] = rule
		*c = append(*c, rule)
	}
}

func (c testCoverage) count() (exercised, all int) {
	for _, rule := range c {
		e, a := rule.Count()
		exercised, all = exercised+e, all+a
	}
	return exercised, all
}

func (c testCoverage) matched() (matched int) {
	for _, rule := range c {
		if rule.Matched > 0 {
			matched++
		}
	}
	return matched
}

// percent is that of the clauses; all, when there are none.
func (c testCoverage) percent() float64 {
	exercised, all := c.count()
	if all == 0 {
		return 100
	}
	return 100 * float64(exercised) / float64(all)
}

// missing says that the coverage is below what is wanted; "" when it is not.
func (r *testReport) missing() string {
	if percent := r.coverage.percent(); percent < r.wanted.minimum {
		return fmt.Sprintf("%.1f%% of the clauses are exercised, and --min-coverage wants %g%%; --coverage lists what is missing", percent, r.wanted.minimum)
	}
	return ""
}

func (c testCoverage) printTotal(text *strings.Builder) {
	exercised, all := c.count()
	fmt.Fprintf(text, "coverage: rules matched %d of %d, clauses exercised %d of %d\n", c.matched(), len(c), exercised, all)
}

// print lists what no test showed, rule by rule.
func (c testCoverage) print(text *strings.Builder) {
	text.WriteString("\ncoverage\n")
	for _, rule := range c {
		exercised, all := rule.Count()
		fmt.Fprintf(text, "\n  %s:%d: %s: %s, clauses: %d of %d exercised\n", rule.File, rule.Line, rule.Key, ruleFate(rule), exercised, all)
		for _, line := range uncovered(rule.Clauses) {
			fmt.Fprintf(text, "    %s\n", line)
		}
		if rule.More > 0 {
			fmt.Fprintf(text, "    %s not looked into\n", count(rule.More, "clause more is", "clauses more are"))
		}
	}
	exercised, all := c.count()
	fmt.Fprintf(text, "\nrules: %d of %d matched\nclauses: %d of %d exercised (%.1f%%)\n", c.matched(), len(c), exercised, all, c.percent())
}

func ruleFate(rule *rules.RuleCoverage) string {
	switch {
	case rule.Matched > 0:
		return "matched by " + count(rule.Matched, "event", "events")
	case rule.Found:
		return "never matched"
	}
	return "never looked at"
}

// uncovered are the clauses that are not exercised, each with its place and what is missing.
func uncovered(clauses []*rules.ClauseCoverage) (lines []string) {
	for _, clause := range clauses {
		if never := never(clause); never != "" {
			lines = append(lines, fmt.Sprintf("%s: %-12s  %s", clause.Place(), never, clause.Text))
		}
		lines = append(lines, uncovered(clause.Sides)...)
	}
	return lines
}

func never(clause *rules.ClauseCoverage) string {
	switch {
	case clause.Exercised():
		return ""
	case !clause.True && !clause.False && !clause.Side:
		return "never either" // it failed, or there was no event
	case !clause.True:
		return "never true"
	}
	return "never false"
}

// Coverage for programs.

type coverageDocument struct {
	Rules     int            `json:"rules"`
	Matched   int            `json:"matched"`
	Clauses   int            `json:"clauses"`
	Exercised int            `json:"exercised"`
	Percent   float64        `json:"percent"`
	ByRule    []ruleDocument `json:"by_rule"`
}

type ruleDocument struct {
	Key       string           `json:"key"`
	File      string           `json:"file"`
	Line      int              `json:"line"`
	LookedAt  bool             `json:"looked_at"`
	Matched   int              `json:"matched"`
	Clauses   int              `json:"clauses"`
	Exercised int              `json:"exercised"`
	More      int              `json:"more_clauses,omitempty"`
	Match     []clauseDocument `json:"match"`
}

// clauseDocument is a part of a match at its top-level &&, or, with side, one of the sides of an || inside.
type clauseDocument struct {
	Text      string           `json:"text"`
	File      string           `json:"file"`
	Line      int              `json:"line"`
	Col       int              `json:"col"`
	Side      bool             `json:"side"`
	True      bool             `json:"true"`
	False     bool             `json:"false"`
	Exercised bool             `json:"exercised"`
	Sides     []clauseDocument `json:"sides,omitempty"`
}

func (c testCoverage) document() *coverageDocument {
	doc := &coverageDocument{Rules: len(c), Matched: c.matched(), Percent: c.percent(), ByRule: []ruleDocument{}}
	doc.Exercised, doc.Clauses = c.count()
	for _, rule := range c {
		one := ruleDocument{
			Key: rule.Key, File: rule.File, Line: rule.Line, LookedAt: rule.Found, Matched: rule.Matched,
			More: rule.More, Match: clauseDocuments(rule.Clauses),
		}
		one.Exercised, one.Clauses = rule.Count()
		doc.ByRule = append(doc.ByRule, one)
	}
	return doc
}

func clauseDocuments(clauses []*rules.ClauseCoverage) []clauseDocument {
	list := []clauseDocument{}
	for _, c := range clauses {
		list = append(list, clauseDocument{c.Text, c.File, c.Line, c.Col, c.Side, c.True, c.False, c.Exercised(), clauseDocuments(c.Sides)})
	}
	return list
}
