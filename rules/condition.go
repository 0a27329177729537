package rules

import (
	"github.com/expr-lang/expr/ast"

	"switchyard/rules/document"
)

// match is a rule's condition, taken apart at its top-level &&. These have no order: when any part is false the rule
// does not match, whatever another part would have raised. Below an || or inside brackets that are not the top level,
// && goes from left to right as usual.
type match struct {
	// text is the condition as written, of which Set.Explain makes what it needs when it is asked.
	text  document.Text
	parts []conjunct
	// groups are what the parts offer to the index.
	groups []group
}

// conjunct is one part of a match.
type conjunct struct {
	probe
	// value is what the part reads; nil for one that compares a text of the event with literals. Its program is there when
	// the probe does not know the part, and else made when the probe is unsure for the first time, which is seldom.
	value *expression
}

// probe is no when a part is false, as far as probes can tell, and yes when all are true.
func (m *match) probe(n *notes) answer {
	n.left = probeSteps
	all := yes
	for i := range m.parts {
		switch m.parts[i].ask(n) {
		case no:
			return no
		case unsure:
			all = unsure
		}
	}
	return all
}

// holds evaluates the match. An error counts only when no part is false.
func (m *match) holds(s *scope) (bool, error) {
	if known := m.probe(&s.notes); known != unsure {
		return known == yes, nil
	}
	return m.evaluate(s)
}

// evaluate asks the expressions of a match for what its probe is unsure of.
func (m *match) evaluate(s *scope) (bool, error) {
	var failed error
	for i := range m.parts {
		if m.parts[i].ask(&s.notes) == yes {
			continue
		}
		met, err := m.parts[i].value.holds(s)
		switch {
		case err != nil:
			if failed == nil {
				failed = err
			}
		case !met:
			return false, nil
		}
	}
	return failed == nil, failed
}

// match compiles a rule's condition; a text that the file does not have matches everything.
func (l *language) match(text document.Text, book *pathBook) (m match, problem *document.Problem) {
	if text.IsZero() {
		return m, nil
	}
	m.text = text
	node, problem := l.parse(text)
	if problem != nil {
		return m, problem
	}
	parts := conjuncts(node, nil)
	m.parts = make([]conjunct, 0, len(parts))
	for i, part := range parts {
		compiled, problem := l.conjunct(text, part, probing{book})
		if problem != nil {
			return m, problem
		}
		if compiled.value != nil {
			compiled.value.part = int32(i)
		}
		m.parts = append(m.parts, compiled)
		m.groups = append(m.groups, compiled.offers(true)...)
	}
	m.groups = joined(m.groups)
	return m, nil
}

// conjunct compiles one part of a match.
func (l *language) conjunct(text document.Text, part ast.Node, probing probing) (c conjunct, problem *document.Problem) {
	c.probe = probing.of(part)
	if _, _, ok := wanted(c.probe); ok {
		return c, nil
	}
	if boolean := part.Nature(); !boolean.IsUnknown(&l.config.NtCache) && !boolean.IsBool() && !boolean.Nil {
		return c, at(text, part.Location().From, "a condition must be true or false, not %s", withArticle(goTypes.Replace(boolean.String()+" ")))
	}
	if knows(c.probe) && len(text.Value) < longText {
		c.value, problem = l.survey(text, part)
		return c, problem
	}
	c.value, problem = l.build(text, part)
	return c, problem
}

// conjuncts are the parts of a condition at its top-level &&.
func conjuncts(node ast.Node, before []ast.Node) []ast.Node {
	if and, ok := node.(*ast.BinaryNode); ok && (and.Operator == "&&" || and.Operator == "and") {
		return conjuncts(and.Right, conjuncts(and.Left, before))
	}
	return append(before, node)
}

// values are the literals that the match compares a field with, by the first part that does.
func (m *match) values(field string) (values []string, ok bool) {
	for i := range m.parts {
		if root, texts, ok := wanted(m.parts[i].probe); ok && eventNames[root].name == field {
			return texts, true
		}
	}
	return nil, false
}

// indexed reports whether the index prunes a rule with this match.
func (m *match) indexed() bool { return len(m.groups) > 0 }
