package rules

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"

	"switchyard/engine"
	"switchyard/rules/document"
)

// condition infers what must be true or false.
func (w *inference) condition(node ast.Node) {
	value := w.value(node)
	if types, ok := w.knowledge.typesOf(value); ok && value.path != "" && !types.Has(engine.JSONBoolean) {
		w.wrong(beginning(node), "%s; a condition must be true or false", w.knowledge.is(value, types))
	}
}

func (w *inference) unary(n *ast.UnaryNode) inferred {
	switch n.Operator {
	case "!", "not":
		if binary, ok := n.Node.(*ast.BinaryNode); ok {
			w.binary(binary, true)
		} else {
			w.condition(n.Node)
		}
		return typed(engine.JSONBoolean)
	case "-", "+":
		if number, ok := numberLiteral(n); ok {
			return inferred{shape: &engine.Shape{Types: engine.JSONNumber, Enum: []any{number}}}
		}
		w.needs(n.Node, w.value(n.Node), engine.JSONNumber, n.Operator)
	}
	return inferred{}
}

// binary infers an operator with two sides; negated is true when its opposite is what counts.
func (w *inference) binary(n *ast.BinaryNode, negated bool) inferred {
	switch n.Operator {
	case "&&", "and", "||", "or":
		w.condition(n.Left)
		w.condition(n.Right)
		return typed(engine.JSONBoolean)
	case "==", "!=":
		left, right := w.read(n.Left, manner(isNilNode(n.Right))), w.read(n.Right, manner(isNilNode(n.Left)))
		w.compare(n, left, right, negated != (n.Operator == "!="))
		return typed(engine.JSONBoolean)
	case "<", "<=", ">", ">=":
		w.order(n, w.value(n.Left), w.value(n.Right))
		return typed(engine.JSONBoolean)
	case "in":
		w.in(n, negated)
		return typed(engine.JSONBoolean)
	case "contains", "startsWith", "endsWith", "matches":
		w.textTest(n)
		return typed(engine.JSONBoolean)
	case "??":
		left, right := w.read(n.Left, guarded), w.value(n.Right)
		return unionOf(left, right, alternative(left.path))
	case "+":
		return w.plus(n, w.value(n.Left), w.value(n.Right))
	case "-", "*", "/", "%", "**", "^":
		w.needs(n.Left, w.value(n.Left), engine.JSONNumber, n.Operator)
		w.needs(n.Right, w.value(n.Right), engine.JSONNumber, n.Operator)
		return inferred{} // with times and durations it makes others
	}
	w.values(n.Left, n.Right)
	return inferred{}
}

// alternative is the path of a value that something else may stand for.
func alternative(path string) string {
	if path == "" || strings.HasSuffix(path, " ?? …)") {
		return path
	}
	return "(" + path + " ?? …)"
}

func isNilNode(node ast.Node) bool {
	_, isNil := node.(*ast.NilNode)
	return isNil
}

// needs complains of a value of the data that can not have any of the types that something needs.
func (w *inference) needs(node ast.Node, value inferred, wanted engine.JSONTypes, what string) bool {
	types, ok := w.knowledge.typesOf(value)
	if !ok || value.path == "" || types.Has(wanted) {
		return false
	}
	w.wrong(beginning(node), "%s; %s needs %s", w.knowledge.is(value, types), what, wanted)
	return true
}

// compare complains of two values, at least one of the data, that can never be equal; unequal is true when it is asked
// whether they are not.
func (w *inference) compare(n *ast.BinaryNode, left, right inferred, unequal bool) {
	at := n.Right
	if left.path == "" {
		left, right, at = right, left, n.Left
	}
	w.equal(at, left, right, unequal)
}

// equal is compare with the value of the data first, and the other one at a node.
func (w *inference) equal(at ast.Node, field, other inferred, unequal bool) {
	types, ok := w.knowledge.typesOf(field)
	others, okOther := w.knowledge.typesOf(other)
	if !ok || !okOther || field.path == "" {
		return
	}
	result := "can never be equal"
	if unequal {
		result = "is always unequal"
	}
	if !types.Has(others) {
		w.wrong(at, "%s; it is compared with %s and %s", w.knowledge.is(field, types), w.named(other, others), result)
		return
	}
	if literal, ok := literalIn(other); ok && !allowed(field.shape.Enum, literal) {
		w.report(!unequal, at, "%s is never %s%s", field.path, shownValue(literal), nearestOf(field.shape.Enum, literal))
	}
}

// named is the other side of a comparison: its types, and what it is when it is of the data, too.
func (w *inference) named(v inferred, types engine.JSONTypes) string {
	if v.path == "" {
		return types.String()
	}
	return fmt.Sprintf("%s, %s,", v.path, types)
}

// literalIn is the string or number that a value is by the expression itself.
func literalIn(v inferred) (literal any, ok bool) {
	if v.path != "" || len(v.shape.Enum) != 1 {
		return nil, false
	}
	return v.shape.Enum[0], true
}

func allowed(enum []any, literal any) bool {
	if enum == nil {
		return true
	}
	for _, one := range enum {
		if same, err := equal(one, literal); same || err != nil {
			return true
		}
	}
	return false
}

// nearestOf says which value of an enum was meant, or which there are.
func nearestOf(enum []any, literal any) string {
	var texts []string
	for _, one := range enum {
		if text, ok := one.(string); ok {
			texts = append(texts, text)
		}
	}
	if text, ok := literal.(string); ok {
		if near, ok := document.Nearest(text, texts); ok {
			return "; did you mean " + strconv.Quote(near) + "?"
		}
	}
	if len(enum) == 0 {
		return ""
	}
	return "; it is " + oneOfThem(shownEach(enum))
}

// order complains of two values that have no order.
func (w *inference) order(n *ast.BinaryNode, left, right inferred) {
	const ordered = engine.JSONNumber | engine.JSONString
	if w.needs(n.Left, left, ordered, n.Operator) || w.needs(n.Right, right, ordered, n.Operator) {
		return
	}
	at := n.Right
	if left.path == "" {
		left, right, at = right, left, n.Left
	}
	types, ok := w.knowledge.typesOf(left)
	others, okOther := w.knowledge.typesOf(right)
	if ok && okOther && left.path != "" && !types.Has(others&ordered) {
		w.wrong(at, "%s; it can not be compared with %s", w.knowledge.is(left, types), w.named(right, others))
	}
}

func (w *inference) in(n *ast.BinaryNode, negated bool) {
	left := w.value(n.Left)
	if list, ok := n.Right.(*ast.ArrayNode); ok {
		for _, item := range list.Nodes {
			w.equal(item, left, w.value(item), negated)
		}
		return
	}
	right := w.value(n.Right)
	types, ok := w.knowledge.typesOf(right)
	if !ok || right.path == "" {
		return
	}
	name, isName := n.Left.(*ast.StringNode)
	switch {
	case !types.Has(engine.JSONList | engine.JSONObject):
		hint := ""
		if types == engine.JSONString {
			hint = " (for a part of a string write: text contains \"part\")"
		}
		w.wrong(beginning(n.Right), "%s; in needs a list or an object on its right%s", w.knowledge.is(right, types), hint)
	case types == engine.JSONObject && isName:
		w.member(right, name.Value, name, guarded)
	default:
		w.compare(&ast.BinaryNode{Left: n.Left, Right: n.Left}, itemOf(right), left, negated)
	}
}

func (w *inference) textTest(n *ast.BinaryNode) {
	left := w.value(n.Left)
	types, ok := w.knowledge.typesOf(left)
	if ok && left.path != "" && n.Operator == "contains" && types == engine.JSONList {
		w.wrong(beginning(n.Left), "%s; contains needs a string (for a list write: value in list)", w.knowledge.is(left, types))
	} else {
		w.needs(n.Left, left, engine.JSONString, n.Operator)
	}
	w.needs(n.Right, w.value(n.Right), engine.JSONString, n.Operator)
}

// plus is of two numbers or of two strings, and of times, which no JSON is.
func (w *inference) plus(n *ast.BinaryNode, left, right inferred) inferred {
	const added = engine.JSONNumber | engine.JSONString
	if w.needs(n.Left, left, added, "+") || w.needs(n.Right, right, added, "+") {
		return inferred{}
	}
	types, ok := w.knowledge.typesOf(left)
	others, okOther := w.knowledge.typesOf(right)
	if !ok || !okOther {
		return inferred{}
	}
	if left.path == "" {
		left, right, types, others = right, left, others, types
	}
	if left.path != "" && !types.Has(others) {
		w.wrong(n, "%s; + can not be used on it and %s", w.knowledge.is(left, types), w.named(right, others))
		return inferred{}
	}
	return typed((types & others) & added)
}
