package rules

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"switchyard/engine"
	"switchyard/rules/document"
)

// Fate is what became of a rule on one event.
type Fate string

const (
	// Matched: the rule asks for its actions.
	Matched Fate = "matched"
	// Failed: an expression of the rule raised an error, and the rule asks for nothing.
	Failed Fate = "failed"
	// Missed: the rule does not match.
	Missed Fate = "missed"
)

// Report says of one event why the rules matched it or not.
type Report struct {
	// Matched, Failed and Missed count all rules.
	Matched, Failed, Missed int
	// Rules are those explained: the matched, the failed, then the missed, the nearest first.
	Rules []Explanation
}

// Explanation is what one rule made of the event.
type Explanation struct {
	Key, Name string
	File      string
	Line      int
	Fate      Fate
	// Error is that of a failed rule, with its place.
	Error string
	// Quarantined is why the rule is not evaluated on the events that come; nil for one that is. It failed on those that
	// it would be evaluated on.
	Quarantined *engine.Quarantine
	// Found is true when the index found the rule for the event. Else the rule was not looked at, for the value that it
	// is filed under is not in the event, as Pruned says.
	Found  bool
	Pruned string
	// Clauses are the parts of the match at its top-level &&, in their order; FirstFailing is the position of the first
	// for which the rule did not match, -1 for none. More is how many clauses are left out of a very long match.
	Clauses      []Clause
	FirstFailing int
	More         int
	// Misses is how many clauses are not true, and Nearest marks the few missed rules that lack the least.
	Misses  int
	Nearest bool
	// Hints say what is probably wrong.
	Hints []string
	// Transforms and Actions are those of a matched rule; of one whose actions failed, the transforms up to there.
	Transforms []Operand
	Actions    []*engine.Action
}

const (
	// maxNearest is how many missed rules are near, at most.
	maxNearest = 5
	// maxHints is how many hints a rule is given.
	maxHints = 3
)

// Explain says why each rule matched the event or not: of at most most rules in full, the most telling first. The rules
// are decided as Decide does; the clauses are compiled for the answer, one by one, and forgotten.
func (s *Set) Explain(event *engine.Event, most int) *Report { return s.explain(event, most, nil) }

// explain is Explain, with the quarantines of the page that the set is on; nil for none.
func (s *Set) explain(event *engine.Event, most int, page *page) *Report {
	scope := s.look(event)
	defer scope.free()
	x := explainer{set: s, scope: scope, language: newLanguage(eventPlace)}
	found := s.found(scope)
	standings := make([]standing, len(s.rules))
	report := &Report{}
	for i, r := range s.rules {
		standings[i] = x.standing(r, found[i], page.heldAt(i))
		switch standings[i].fate {
		case Matched:
			report.Matched++
		case Failed:
			report.Failed++
		default:
			report.Missed++
		}
	}
	slices.SortStableFunc(standings, standing.compare)
	near := 0
	for _, one := range standings[:min(max(most, 0), len(standings))] {
		explanation := x.explain(one)
		nearestOfAll := near == 0 && report.Matched+report.Failed == 0
		if one.fate == Missed && near < maxNearest && (one.isNear() || nearestOfAll) {
			explanation.Nearest = true
			near++
		}
		report.Rules = append(report.Rules, explanation)
	}
	return report
}

// found reports of each rule, by its number, whether the index found it for the event that was looked at.
func (s *Set) found(scope *scope) []bool {
	found := make([]bool, len(s.rules))
	for _, number := range scope.candidates {
		found[number] = true
	}
	return found
}

// explainer answers for one event.
type explainer struct {
	set      *Set
	scope    *scope
	language *language
	shared   *sharing // counted when a rule is explained that the index did not find
}

// standing is how a rule did, as far as it takes to put the rules in order.
type standing struct {
	*rule
	found   bool
	fate    Fate
	err     error
	actions []*engine.Action
	held    *held // nil for a rule that is in no quarantine
	// holding and failing count the parts of the match; alike is true when a text is near to one that was wanted, and
	// foreign when one is not: the rule is for other events.
	holding, failing int
	alike, foreign   bool
}

func (x *explainer) standing(r *rule, found bool, quarantine *held) standing {
	st := standing{rule: r, found: found, fate: Missed, held: quarantine}
	if known := r.match.probe(&x.scope.notes); found && known != no {
		if st.held != nil {
			st.fate, st.err = Failed, st.held.notice
			return st
		}
		var matched bool
		matched, st.actions, st.err = r.decide(x.scope, known)
		switch {
		case st.err != nil:
			st.fate = Failed
			return st
		case matched:
			st.fate = Matched
			return st
		}
	}
	for i := range r.match.parts {
		part := &r.match.parts[i]
		is := part.ask(&x.scope.notes)
		if is == unsure {
			met, err := part.value.holds(x.scope)
			is = answerOf(met && err == nil)
		}
		if is == yes {
			st.holding++
			continue
		}
		st.failing++
		if root, texts, ok := wanted(part.probe); ok {
			_, alike := document.Nearest(eventNames[root].text(x.scope.event), texts)
			st.alike, st.foreign = st.alike || alike, st.foreign || !alike
		}
	}
	return st
}

// compare puts the matched first, then the failed, then the missed: the near ones, and each by the fewest parts that are
// not true. Of equals the one with a text near to what was wanted comes first, then the one of which more is true.
func (st standing) compare(other standing) int {
	if order := cmp.Compare(fateRank(st.fate), fateRank(other.fate)); order != 0 || st.fate != Missed {
		return order
	}
	return cmp.Or(-cmp.Compare(boolIndex(st.isNear()), boolIndex(other.isNear())), cmp.Compare(st.failing, other.failing),
		-cmp.Compare(boolIndex(st.alike), boolIndex(other.alike)), -cmp.Compare(st.holding, other.holding))
}

func fateRank(fate Fate) int { return slices.Index([]Fate{Matched, Failed, Missed}, fate) }

// isNear is false for a rule that has nothing in common with the event, and for one of other events, unless that is all
// that keeps it from matching.
func (st standing) isNear() bool {
	if st.foreign && st.failing > 1 {
		return false
	}
	return st.holding > 0 || st.alike || st.failing == 1 && !st.foreign
}

func (x *explainer) explain(st standing) Explanation {
	info := &st.info
	e := Explanation{
		Key: st.key, Name: info.Name, File: info.File, Line: info.Line, Fate: st.fate, Found: st.found,
		FirstFailing: -1, Actions: st.actions,
	}
	if st.err != nil {
		e.Error = st.err.Error()
	}
	if st.held != nil {
		e.Quarantined = &st.held.Quarantine
	}
	if !e.Found {
		e.Pruned = x.pruned(st.rule)
	}
	e.Clauses, e.More = x.clauses(st.rule)
	e.count()
	if st.fate == Matched || st.fate == Failed && e.Misses == 0 && st.held == nil {
		e.Transforms = x.transforms(st.rule)
	}
	return e
}

// count finds the first failing clause and gathers hints. A false clause comes before one with an error, which counts
// only when none is false.
func (e *Explanation) count() {
	for i := range e.Clauses {
		clause := &e.Clauses[i]
		if clause.Verdict == True {
			continue
		}
		e.Misses++
		if e.FirstFailing < 0 || clause.Verdict != Erred && e.Clauses[e.FirstFailing].Verdict == Erred {
			e.FirstFailing = i
		}
		e.Hints = clause.hints(e.Hints)
	}
	e.Hints = e.Hints[:min(len(e.Hints), maxHints)]
}

// transforms are the values of a rule's transforms, up to the first that fails.
func (x *explainer) transforms(r *rule) (values []Operand) {
	defer func() {
		for _, one := range r.transforms {
			delete(x.scope.values, one.name)
		}
	}()
	for _, one := range r.transforms {
		value, err := one.value.run(x.scope)
		if err != nil {
			return values
		}
		x.scope.values[one.name] = value
		values = append(values, operandOf(one.name, value))
	}
	return values
}

// pruned says under which key the index filed a rule that it did not find.
func (x *explainer) pruned(r *rule) string {
	if x.shared == nil {
		x.shared = countShared(x.set.rules)
	}
	best := x.shared.best(r)
	if len(best) == 0 {
		return "no event can match it"
	}
	var values []string // what the event has at each path
	under := map[string][]string{}
	for _, p := range best {
		is := fmt.Sprintf("%s is %s", p.path, x.actual(p.path))
		if under[is] == nil {
			values = append(values, is)
		}
		under[is] = append(under[is], p.String())
	}
	for i, is := range values {
		values[i] = is + ", filed under " + oneOfThem(under[is])
	}
	return strings.Join(values, "; ")
}

// oneOfThem joins alternatives, the first few of them.
func oneOfThem(all []string) string {
	const most = 5
	if more := len(all) - most; more > 0 {
		return strings.Join(all[:most], ", ") + fmt.Sprintf(" or %d more", more)
	}
	if len(all) < 2 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:len(all)-1], ", ") + " or " + all[len(all)-1]
}

// actual is the event's value at a path, in a sentence.
func (x *explainer) actual(at *eventPath) string {
	value, err := x.valueOf(at)
	if err != nil || value == nil {
		return "missing"
	}
	return shownValue(value)
}

func (x *explainer) valueOf(at *eventPath) (any, error) {
	if at.via != nil {
		value, err := x.valueOf(at.of)
		if err != nil {
			return nil, err
		}
		return at.via.call(value)
	}
	if err := x.scope.load(1 << at.root); err != nil {
		return nil, err
	}
	return path(at.names).of(x.scope.values[eventNames[at.root].name]), nil
}

// String is the path as an expression has it.
func (p *eventPath) String() string {
	if p.via != nil {
		return p.via.name + "(" + p.of.String() + ")"
	}
	text := eventNames[p.root].name
	for _, name := range p.names {
		text = memberText(text, name)
	}
	return text
}

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func memberText(of, name string) string {
	if plainName.MatchString(name) {
		return of + "." + name
	}
	return of + "[" + shownValue(name) + "]"
}

// Operand is a value that an expression looked at, or the value of a transform.
type Operand struct {
	// Text is the expression as written, or the transform's name.
	Text string
	// Type is missing for nil, else string, number, boolean, list, object, time or duration.
	Type string
	// Value is as JSON has it, and cut when it is long; "" for nil.
	Value string
}

// maxShown and maxClauseText bound what is shown of a value and of an expression, in characters.
const (
	maxShown      = 80
	maxClauseText = 300
)

const missingType = "missing"

func operandOf(text string, value any) Operand {
	if isNil(value) {
		return Operand{Text: text, Type: missingType}
	}
	_, name, _ := strings.Cut(typeName(value), " ")
	return Operand{Text: text, Type: name, Value: shownValue(value)}
}

// shownValue is a value as JSON, cut.
func shownValue(value any) string {
	if text, ok := value.(string); ok && len(text) > 8*maxShown {
		value = strings.ToValidUTF8(text[:8*maxShown], "")
	}
	plainValue, err := plain(value)
	if errors.Is(err, errTooLarge) {
		return typeName(value) + " that is too large to show"
	}
	doc, encodeErr := encodeJSON(plainValue)
	if err != nil || encodeErr != nil {
		return typeName(value)
	}
	return cutTo(string(doc), maxShown)
}

// cutTo cuts a text to so many characters, the last of them an ellipsis.
func cutTo(text string, most int) string {
	if len(text) <= most {
		return text
	}
	characters := []rune(text)
	if len(characters) <= most {
		return text
	}
	return string(characters[:most-1]) + "…"
}
