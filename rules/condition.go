package rules

import (
	"slices"

	"github.com/expr-lang/expr/ast"

	"switchyard/engine"
	"switchyard/rules/document"
)

// match is a rule's condition, taken apart at its top-level &&. These have no order: when any part is false the rule
// does not match, whatever another part would have raised. Below an || or inside brackets that are not the top level,
// && goes from left to right as usual.
type match struct {
	// text is the condition as written, of which Set.Explain makes what it needs when it is asked.
	text document.Text
	// tests are the parts that compare one text of the event with literals; they need no machine, and the index knows
	// them.
	tests []fieldTest
	// conditions are the other parts.
	conditions []*expression
	// groups are what the parts offer to the index, one each at the most.
	groups []group
}

// fieldTest is name == "literal", or name in ["literal", …].
type fieldTest struct {
	field  int // of eventNames
	values []string
}

func (t *fieldTest) holds(event *engine.Event) bool {
	return slices.Contains(t.values, eventNames[t.field].text(event))
}

// possible reports whether the event passes the tests.
func (m *match) possible(event *engine.Event) bool {
	for i := range m.tests {
		if !m.tests[i].holds(event) {
			return false
		}
	}
	return true
}

// holds evaluates the other parts. An error counts only when no part is false.
func (m *match) holds(s *scope) (bool, error) {
	var failed error
	for _, condition := range m.conditions {
		met, err := condition.holds(s)
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
func (l *language) match(text document.Text) (m match, problem *document.Problem) {
	if text.IsZero() {
		return m, nil
	}
	m.text = text
	node, problem := l.parse(text)
	if problem != nil {
		return m, problem
	}
	for _, part := range conjuncts(node, nil) {
		if offered := groupOf(part); offered != nil {
			m.groups = append(m.groups, offered)
		}
		if test, ok := fieldTestOf(part); ok {
			m.tests = append(m.tests, test)
			continue
		}
		if boolean := part.Nature(); !boolean.IsUnknown(&l.config.NtCache) && !boolean.IsBool() && !boolean.Nil {
			return m, at(text, part.Location().From, "a condition must be true or false, not %s", withArticle(goTypes.Replace(boolean.String()+" ")))
		}
		condition, problem := l.build(text, part)
		if problem != nil {
			return m, problem
		}
		m.conditions = append(m.conditions, condition)
	}
	m.groups = joined(m.groups)
	return m, nil
}

func conjuncts(node ast.Node, before []ast.Node) []ast.Node {
	if and, ok := node.(*ast.BinaryNode); ok && (and.Operator == "&&" || and.Operator == "and") {
		return conjuncts(and.Right, conjuncts(and.Left, before))
	}
	return append(before, node)
}

func fieldTestOf(node ast.Node) (test fieldTest, ok bool) {
	binary, ok := node.(*ast.BinaryNode)
	if !ok {
		return test, false
	}
	switch binary.Operator {
	case "==":
		if test, ok := literalTest(binary.Left, binary.Right); ok {
			return test, true
		}
		return literalTest(binary.Right, binary.Left)
	case "in":
		values, ok := literalStrings(binary.Right)
		field, isField := textField(binary.Left)
		return fieldTest{field, values}, ok && isField
	}
	return test, false
}

func literalTest(name, value ast.Node) (test fieldTest, ok bool) {
	field, isField := textField(name)
	literal, isLiteral := value.(*ast.StringNode)
	if !isField || !isLiteral {
		return test, false
	}
	return fieldTest{field, []string{literal.Value}}, true
}

func textField(node ast.Node) (field int, ok bool) {
	name, ok := node.(*ast.IdentifierNode)
	if !ok {
		return 0, false
	}
	field, ok = eventNameAt(name.Value)
	return field, ok && eventNames[field].text != nil
}

// values are the literals that the match compares a field with, by the first such test.
func (m *match) values(field string) (values []string, ok bool) {
	for _, test := range m.tests {
		if eventNames[test.field].name == field {
			return test.values, true
		}
	}
	return nil, false
}

// indexed reports whether the index prunes a rule with this match.
func (m *match) indexed() bool { return len(m.groups) > 0 }
