package rules

import (
	"slices"
	"time"

	"github.com/expr-lang/expr/ast"
)

// probing makes probes of checked conditions.
type probing struct {
	book *pathBook
}

// of is the probe of a condition. There always is one; at worst it knows nothing.
func (p probing) of(node ast.Node) probe {
	switch n := node.(type) {
	case *ast.BoolNode:
		return fixed(answerOf(n.Value))
	case *ast.UnaryNode:
		if n.Operator == "!" || n.Operator == "not" {
			return not{p.of(n.Node)}
		}
	case *ast.BinaryNode:
		return p.binary(n)
	case *ast.BuiltinNode:
		if n.Name == "any" || n.Name == "one" { // of nothing they are false
			return opaque{need: p.book.valueAt(n.Arguments[0])}
		}
	}
	if from, ok := p.subject(node, "", nil); ok {
		return from.ask(truthOf{})
	}
	return opaque{}
}

func (p probing) binary(n *ast.BinaryNode) probe {
	switch n.Operator {
	case "&&", "and":
		return &both{p.of(n.Left), p.of(n.Right)}
	case "||", "or":
		return either(p.of(n.Left), p.of(n.Right))
	case "==", "!=":
		found := p.equality(n.Left, n.Right)
		if found == nil {
			found = p.equality(n.Right, n.Left)
		}
		switch {
		case found == nil:
			return opaque{}
		case n.Operator == "!=":
			return not{found}
		}
		return found
	case "in":
		return p.membership(n)
	case "startsWith", "endsWith", "contains", "matches":
		return p.text(n)
	case "<", "<=", ">", ">=":
		return p.order(n)
	case "??":
		if from, ok := p.subject(n, "", nil); ok {
			return from.ask(truthOf{})
		}
	}
	return opaque{}
}

// subject is a value that is compared: one at a path, or path ?? literal.
type subject struct {
	path   *eventPath
	orElse answer
}

// subject is a node as one; comparing the literal of a ?? with another answers for a missing value.
func (p probing) subject(node ast.Node, operator string, with any) (subject, bool) {
	if path := p.value(node); path != nil {
		return subject{path, no}, true // a missing value is in nothing, and neither above nor below anything
	}
	n, ok := node.(*ast.BinaryNode)
	if !ok || n.Operator != "??" {
		return subject{}, false
	}
	path := p.value(n.Left)
	instead, isLiteral := literalOf(n.Right)
	if path == nil || !isLiteral {
		return subject{}, false
	}
	if operator == "" {
		holds, isBool := instead.(bool)
		return subject{path, answerOf(holds)}, isBool
	}
	holds, err := tests[operator](instead, with)
	if err != nil {
		return subject{path, unsure}, true
	}
	return subject{path, answerOf(holds)}, true
}

// value is a place in the event, or the result of a function of what stands there.
func (p probing) value(node ast.Node) *eventPath {
	if path := p.book.valueAt(node); path != nil {
		return path
	}
	name, arguments := callOf(node)
	via := lookedThrough[name]
	if via == nil || len(arguments) != 1 {
		return nil
	}
	of := p.book.valueAt(arguments[0])
	if of == nil || of.isTime() {
		return nil
	}
	return p.book.result(via, of)
}

func (s subject) ask(q question) probe { return &inquiry{s.path, q, s.orElse} }

// equality is value == literal; nil when it is none.
func (p probing) equality(side, with ast.Node) probe {
	if _, isNil := with.(*ast.NilNode); isNil {
		path := p.value(side)
		if path == nil {
			return nil
		}
		return not{subject{path, no}.ask(presence{})}
	}
	literal, ok := literalOf(with)
	if !ok {
		return nil
	}
	from, ok := p.subject(side, "==", literal)
	if !ok {
		return nil
	}
	q := &equals{}
	q.add(literal)
	return from.ask(q.ready())
}

// membership is value in [literals], or literal in value.
func (p probing) membership(n *ast.BinaryNode) probe {
	if list, ok := n.Right.(*ast.ArrayNode); ok {
		if q, values := literalsIn(list); q != nil {
			if from, ok := p.subject(n.Left, "in", values); ok {
				return from.ask(q)
			}
		}
		return opaque{}
	}
	if q, ok := wholeRange(n.Right); ok {
		if path := p.value(n.Left); path != nil && path.isBelow() {
			return subject{path, no}.ask(q)
		}
	}
	literal, ok := literalOf(n.Left)
	if ok {
		text, isText := literal.(string)
		if root := p.book.pathOf(n.Right); root != nil && isText && !root.isBelow() && eventNames[root.root].object != nil {
			return memberThere{p.book.path(root.root, text)}
		}
		if path := p.book.valueAt(n.Right); path != nil && path.isBelow() {
			q := &equals{}
			q.add(literal)
			holding := &holding{item: q.ready()}
			if isText {
				holding.text = &text
			}
			return subject{path, no}.ask(holding)
		}
	}
	if path := p.book.valueAt(n.Right); path != nil && p.simple(n.Left) {
		return opaque{need: path}
	}
	return opaque{}
}

// maxRange is the longest list that from..to is looked up for; a longer one costs its expression more than it may take.
const maxRange = 10_000

// wholeRange is from..to.
func wholeRange(node ast.Node) (*span, bool) {
	n, ok := node.(*ast.BinaryNode)
	if !ok || n.Operator != ".." {
		return nil, false
	}
	low, _ := numberLiteral(n.Left)
	high, _ := numberLiteral(n.Right)
	from, okFrom := low.(int)
	to, okTo := high.(int)
	if !okFrom || !okTo || from > to || to-from > maxRange || from < -exactly || to > exactly {
		return nil, false
	}
	return &span{from: float64(from), to: float64(to)}, true
}

// literalsIn are the literals of a list; nil when it has anything else. Nil is never in a list, and left out.
func literalsIn(list *ast.ArrayNode) (*equals, []any) {
	q, values := &equals{}, []any{}
	for _, item := range list.Nodes {
		if _, isNil := item.(*ast.NilNode); isNil {
			continue
		}
		literal, ok := literalOf(item)
		if !ok {
			return nil, nil
		}
		q.add(literal)
		values = append(values, literal)
	}
	return q.ready(), values
}

func (p probing) text(n *ast.BinaryNode) probe {
	part, isText := n.Right.(*ast.StringNode)
	if isText {
		from, ok := p.subject(n.Left, n.Operator, part.Value)
		if ok && n.Operator != "matches" {
			return from.ask(&textual{operator: n.Operator, part: part.Value})
		}
		if ok {
			if pattern, err := newPattern(part.Value); err == nil {
				return from.ask(&matching{pattern: pattern})
			}
		}
	}
	if path := p.book.valueAt(n.Left); path != nil && p.simple(n.Right) {
		return opaque{need: path}
	}
	return opaque{}
}

var flipped = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<="}

func (p probing) order(n *ast.BinaryNode) probe {
	if found := p.ordering(n.Left, n.Operator, n.Right); found != nil {
		return found
	}
	if found := p.ordering(n.Right, flipped[n.Operator], n.Left); found != nil {
		return found
	}
	for _, sides := range [][2]ast.Node{{n.Left, n.Right}, {n.Right, n.Left}} {
		if path := p.book.valueAt(sides[0]); path != nil && path.isBelow() && p.simple(sides[1]) {
			return opaque{need: path}
		}
	}
	return opaque{}
}

// ordering is value < literal, or one of its kind; nil when it is none.
func (p probing) ordering(side ast.Node, operator string, with ast.Node) probe {
	literal, ok := orderedLiteral(with)
	if !ok {
		return nil
	}
	from, ok := p.subject(side, operator, literal)
	if !ok {
		return nil
	}
	q := &ordering{operator: operator}
	switch l := literal.(type) {
	case string:
		q.text = &l
	case time.Time:
		q.at = &l
	default:
		number := numeralOf(l)
		q.number = &number
	}
	return from.ask(q)
}

// orderedLiteral is a literal text or number, or date("…") of literals, which is as good as one.
func orderedLiteral(node ast.Node) (any, bool) {
	if name, arguments := callOf(node); name == "date" {
		var given []any
		for _, argument := range arguments {
			literal, ok := literalOf(argument)
			if _, isNil := argument.(*ast.NilNode); !ok && !isNil {
				return nil, false
			}
			given = append(given, literal)
		}
		made, err := functions["date"].call(given...)
		at, isTime := made.(time.Time)
		return at, err == nil && isTime
	}
	literal, ok := literalOf(node)
	_, isBool := literal.(bool)
	return literal, ok && !isBool
}

func callOf(node ast.Node) (name string, arguments []ast.Node) {
	switch n := node.(type) {
	case *ast.CallNode:
		if callee, ok := n.Callee.(*ast.IdentifierNode); ok {
			return callee.Value, n.Arguments
		}
	case *ast.BuiltinNode:
		return n.Name, n.Arguments
	}
	return "", nil
}

// simple is a value that can be had without an error.
func (p probing) simple(node ast.Node) bool {
	_, isLiteral := literalOf(node)
	return isLiteral || p.book.pathOf(node) != nil
}

// literalOf is a string, number (an int or a float64) or boolean as written.
func literalOf(node ast.Node) (literal any, ok bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.BoolNode:
		return n.Value, true
	}
	return numberLiteral(node)
}

func numberLiteral(node ast.Node) (number any, ok bool) {
	switch n := node.(type) {
	case *ast.IntegerNode:
		return n.Value, true
	case *ast.FloatNode:
		return n.Value, true
	case *ast.UnaryNode:
		if n.Operator != "-" {
			return nil, false
		}
		switch number, _ := numberLiteral(n.Node); v := number.(type) {
		case int:
			return -v, true
		case float64:
			return -v, true
		}
	}
	return nil, false
}

// fixed is true or false, always.
type fixed answer

func (f fixed) ask(*notes) answer { return answer(f) }

func (f fixed) offers(want bool) []group {
	if answer(f) == answerOf(want) {
		return nil
	}
	return []group{{}} // no event will do
}

func (f fixed) fails() bool { return false }

func (f fixed) paths(func(*eventPath)) {}

// wanted are the texts that a part of a match compares one of the event's own texts with: name == "a", or
// name in ["a", "b"].
func wanted(p probe) (root int, texts []string, ok bool) {
	asked, isInquiry := p.(*inquiry)
	if !isInquiry || !asked.path.isText() {
		return 0, nil, false
	}
	q, isEqual := asked.question.(*equals)
	if !isEqual || len(q.numbers) > 0 || slices.Contains(q.bools[:], true) {
		return 0, nil, false
	}
	return asked.path.root, q.texts, true
}
