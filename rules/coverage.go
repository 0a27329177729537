package rules

import (
	"fmt"
	"slices"

	"github.com/expr-lang/expr/ast"

	"switchyard/engine"
	"switchyard/rules/document"
)

// Coverage notes what the events of tests make of the rules of a set, clause by clause. Each clause is evaluated by
// itself, so that one counts that stands beside a false one, and whatever found the rule. It is for one goroutine.
type Coverage struct {
	set   *Set
	rules []*RuleCoverage
	known map[string]*loneClause
	turn  int
}

// RuleCoverage is what all events made of one rule.
type RuleCoverage struct {
	Key, Name string
	File      string
	Line      int
	// Found is true when the index found the rule for any event; else the rule was never looked at. Matched is on how many
	// events it matched.
	Found   bool
	Matched int
	// Clauses are the parts of the match at its top-level &&; More is how many clauses of a very long match are left out,
	// at any depth.
	Clauses []*ClauseCoverage
	More    int
}

// ClauseCoverage is what all events made of one clause.
type ClauseCoverage struct {
	// Text is the clause as written, on one line, cut when it is very long; it begins at Line and Col of File.
	Text      string
	File      string
	Line, Col int
	// Side is true for one of the sides of an ||. It is True when it was so on an event on which everything was true that
	// is joined to the || by &&: what is true of events that the rule does not want shows nothing.
	Side        bool
	True, False bool
	// Sides are those of every || inside.
	Sides []*ClauseCoverage

	alone  *loneClause
	beside []*loneClause
}

// Exercised reports that a side of an || was true, and that any other clause was both true and false.
func (c *ClauseCoverage) Exercised() bool { return c.True && (c.False || c.Side) }

// Count is how many clauses, at any depth, are exercised, of how many.
func (r *RuleCoverage) Count() (exercised, all int) { return countClauses(r.Clauses) }

// Join adds what is known of the same rule from elsewhere, such as another environment.
func (r *RuleCoverage) Join(other *RuleCoverage) {
	r.Found, r.Matched = r.Found || other.Found, r.Matched+other.Matched
	joinClauses(r.Clauses, other.Clauses)
}

func joinClauses(clauses, others []*ClauseCoverage) {
	for i, c := range clauses[:min(len(clauses), len(others))] {
		c.True, c.False = c.True || others[i].True, c.False || others[i].False
		joinClauses(c.Sides, others[i].Sides)
	}
}

func countClauses(clauses []*ClauseCoverage) (exercised, all int) {
	for _, c := range clauses {
		below, allBelow := countClauses(c.Sides)
		exercised, all = exercised+below+boolIndex(c.Exercised()), all+allBelow+1
	}
	return exercised, all
}

const (
	// maxCovered is how many clauses of one match are evaluated, and maxCoveredDepth how deep they are looked for.
	maxCovered      = 200
	maxCoveredDepth = 32
)

// NewCoverage prepares the rules that are enabled in these files.
func (s *Set) NewCoverage(files []*File) *Coverage {
	c := &Coverage{set: s, rules: make([]*RuleCoverage, len(s.rules)), known: map[string]*loneClause{}}
	language := newLanguage(eventPlace)
	for i, r := range s.rules {
		if !slices.ContainsFunc(files, func(f *File) bool { return f.Path == r.info.File }) {
			continue
		}
		c.rules[i] = &RuleCoverage{Key: r.key, Name: r.info.Name, File: r.info.File, Line: r.info.Line}
		work := coverageWork{Coverage: c, rule: c.rules[i], language: language, left: maxCovered}
		work.cover(r.match.text)
	}
	return c
}

// Observe notes what an event, which was decided so, makes of every rule.
func (c *Coverage) Observe(event *engine.Event, decision *engine.Decision) {
	scope := c.set.look(event)
	defer scope.free()
	c.turn++
	found := c.set.found(scope)
	for i, r := range c.rules {
		if r == nil {
			continue
		}
		r.Found = r.Found || found[i]
		if slices.Contains(decision.Rules, r.Key) {
			r.Matched++
		}
		c.observe(r.Clauses, scope)
	}
}

// observe evaluates only what can still show something new.
func (c *Coverage) observe(clauses []*ClauseCoverage, scope *scope) {
	for _, clause := range clauses {
		if !clause.Exercised() && c.all(clause.beside, scope) {
			switch clause.alone.at(c.turn, scope) {
			case True:
				clause.True = true
			case False:
				clause.False = true
			}
		}
		c.observe(clause.Sides, scope)
	}
}

func (c *Coverage) all(clauses []*loneClause, scope *scope) bool {
	return !slices.ContainsFunc(clauses, func(p *loneClause) bool { return p.at(c.turn, scope) != True })
}

// Rules are in the order of the set.
func (c *Coverage) Rules() []*RuleCoverage {
	return slices.DeleteFunc(slices.Clone(c.rules), func(r *RuleCoverage) bool { return r == nil })
}

// loneClause is a clause that is evaluated by itself, once for each event, however many rules have it.
type loneClause struct {
	expression *expression
	turn       int
	verdict    Verdict
}

func (p *loneClause) at(turn int, scope *scope) Verdict {
	if p.turn == turn {
		return p.verdict
	}
	p.turn, p.verdict = turn, Erred
	if value, err := p.expression.run(scope); err == nil {
		if met, err := truth(value); err == nil {
			p.verdict = map[bool]Verdict{true: True, false: False}[met]
		}
	}
	return p.verdict
}

// coverageWork takes the match of one rule apart.
type coverageWork struct {
	*Coverage
	rule     *RuleCoverage
	language *language
	spans    *spans
	left     int
}

func (w *coverageWork) cover(text document.Text) {
	if text.IsZero() {
		return
	}
	seen := w.language.dissect(text, maxCoveredDepth)
	trees := make([][]*part, depthOf(seen)+1) // compiling changes a node, so that each level of the tree has its own
	for i := range trees {
		trees[i] = w.language.dissect(text, maxCoveredDepth)
	}
	w.spans = newSpans(text)
	alone := w.clausesOf(seen, trees, 0)
	for i, p := range seen {
		if clause := w.clause(p, alone[i]); clause != nil {
			clause.Sides = w.sides(p, column(trees, i), 0, others(alone, i))
			w.rule.Clauses = append(w.rule.Clauses, clause)
		}
	}
}

// sides are the clauses at every || in a part, at any depth; beside is what must be true for them to count.
func (w *coverageWork) sides(p *part, trees []*part, level int, beside []*loneClause) (found []*ClauseCoverage) {
	if len(p.parts) == 0 {
		return nil
	}
	alone := w.clausesOf(p.parts, below(trees), level+1)
	binary, _ := p.node.(*ast.BinaryNode)
	isOr, isAnd := binary != nil && logical(binary.Operator) == "||", binary != nil && logical(binary.Operator) == "&&"
	for i, one := range p.parts {
		besideOne := beside
		if isAnd {
			besideOne = slices.Concat(beside, others(alone, i))
		}
		if !isOr {
			found = append(found, w.sides(one, column(below(trees), i), level+1, besideOne)...)
			continue
		}
		if side := w.clause(one, alone[i]); side != nil {
			side.Side, side.beside = true, beside
			side.Sides = w.sides(one, column(below(trees), i), level+1, beside)
			found = append(found, side)
		}
	}
	return found
}

// clause is nil for one that is left out.
func (w *coverageWork) clause(p *part, alone *loneClause) *ClauseCoverage {
	if alone == nil {
		w.rule.More++
		return nil
	}
	from, to := w.spans.of(p.node)
	place := w.spans.text.At(from)
	text := oneLine(w.spans.text.Value[from:to], maxClauseText)
	return &ClauseCoverage{Text: text, File: place.File(), Line: place.Line, Col: place.Col, alone: alone}
}

// clausesOf are those of parts beside each other; nil for what there are too many of.
func (w *coverageWork) clausesOf(parts []*part, trees [][]*part, level int) []*loneClause {
	alone := make([]*loneClause, len(parts))
	for i, p := range parts {
		if w.left--; w.left < 0 {
			continue
		}
		from, to := w.spans.of(p.node)
		text := w.spans.text.Value[from:to]
		if w.known[text] == nil {
			w.known[text] = w.compile(trees[level][i].node)
		}
		alone[i] = w.known[text]
	}
	return alone
}

// compile is nil for what compiles as a whole and can not by itself.
func (w *coverageWork) compile(node ast.Node) (p *loneClause) {
	defer func() {
		if r := recover(); r != nil {
			p = nil
		}
	}()
	expression, problem := w.language.build(w.spans.text, node)
	if problem != nil {
		return nil
	}
	return &loneClause{expression: expression}
}

// others are all of some clauses that there are but one.
func others(clauses []*loneClause, i int) (rest []*loneClause) {
	for j, p := range clauses {
		if j != i && p != nil {
			rest = append(rest, p)
		}
	}
	return rest
}

// Place is where the clause begins, as file:line:col.
func (c *ClauseCoverage) Place() string { return fmt.Sprintf("%s:%d:%d", c.File, c.Line, c.Col) }
