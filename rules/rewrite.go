package rules

import (
	"reflect"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker/nature"
)

// rewrite gives an expression, once expr has checked it, the semantics of this package: it replaces operators, member
// accesses and conditions by calls of our functions. Each new node has the place and the type of the one it replaces,
// so that run-time errors are placed and nothing need be checked again.
type rewrite struct {
	cache *nature.Cache
	cost  *cost
}

// operatorPrefix keeps the names of these functions from being written by anybody.
const operatorPrefix = "op:"

// meteredCall is the call of a function with the budget, eachTurn that of a loop's body, and the tests that are metered
// have their names with meteredPrefix.
const (
	meteredCall   = "call"
	eachTurn      = "each"
	meteredPrefix = "metered "
)

// operatorFunctions are the operators as functions of expr.
func operatorFunctions() []*function {
	all := []*function{
		define(operatorPrefix+meteredCall, metered, new(any0)),
		define(operatorPrefix+eachTurn, each, new(three)),
		define("op:..", rangeOf, new(three)),
		define("op:method", called, new(two)),
		define("op:.", func(args ...any) (any, error) { return args[1].(*path).of(args[0]), nil }, new(two)),
		define("op:[]", lookup, new(three)),
		define("op:[:]", sliceOf, new(four)),
		define("op:truth", func(args ...any) (any, error) { return truth(args[0]) }, new(one)),
		define("op:lower", func(args ...any) (any, error) { return lowerNames(args[0]), args[1].(*budget).weigh(args[0]) }, new(two)),
		define("op:list", func(args ...any) (any, error) { return listOf(args[0]) }, new(one)),
		define("op:sum", sumOf, new(two)),
		define("op:sortBy", sortedBy, new(three), new(four)),
	}
	for sign, test := range tests {
		all = append(all, define(operatorPrefix+sign, func(args ...any) (any, error) { return test(args[0], args[1]) }, new(two)),
			define(operatorPrefix+meteredPrefix+sign, meteredTest(sign), new(three)))
	}
	for i := range arithmetics {
		o := &arithmetics[i]
		if o.sign == "+" {
			all = append(all, define("op:+", plus, new(three)))
			continue
		}
		all = append(all, define(operatorPrefix+o.sign, o.calculate, new(three)))
	}
	return all
}

// tests are the operators that are true or false.
var tests = map[string]func(a, b any) (bool, error){
	"==":         equal,
	"!=":         func(a, b any) (bool, error) { same, err := equal(a, b); return !same, err },
	"<":          ordered(func(result int) bool { return result < 0 }),
	"<=":         ordered(func(result int) bool { return result <= 0 }),
	">":          ordered(func(result int) bool { return result > 0 }),
	">=":         ordered(func(result int) bool { return result >= 0 }),
	"in":         in,
	"contains":   textTest("contains", strings.Contains),
	"startsWith": textTest("startsWith", strings.HasPrefix),
	"endsWith":   textTest("endsWith", strings.HasSuffix),
	"matches":    matches,
}

func ordered(holds func(result int) bool) func(a, b any) (bool, error) {
	return func(a, b any) (bool, error) {
		result, ok, err := order(a, b)
		return ok && holds(result), err
	}
}

// Visit implements ast.Visitor; children come first.
func (r *rewrite) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.BinaryNode:
		r.binary(node, n)
	case *ast.UnaryNode:
		r.unary(node, n)
	case *ast.MemberNode:
		r.member(node, n)
	case *ast.ChainNode: // a?.b is a.b here
		*node = n.Node
	case *ast.SliceNode:
		r.call(node, "[:]", n.Node, orNil(n.From), orNil(n.To), passBudget())
	case *ast.ConditionalNode:
		n.Cond = condition(n.Cond)
	case *ast.BuiltinNode:
		r.builtin(node, n)
	case *ast.CallNode:
		r.function(node, n)
	case *ast.PredicateNode:
		n.Node = newCall(n.Node, eachTurn, n.Node, passBudget(), constant(n, r.cost.turns[n]))
	}
}

// function has the call of one of our functions metered.
func (r *rewrite) function(node *ast.Node, n *ast.CallNode) {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		r.call(node, "method", n, passBudget())
		return
	}
	if functions[callee.Value] == nil {
		return
	}
	if pattern, ok := n.Arguments[len(n.Arguments)-1].(*ast.StringNode); ok && callee.Value == "extract" {
		n.Arguments[len(n.Arguments)-1] = compiled(pattern)
	}
	r.call(node, meteredCall, append([]ast.Node{passBudget(), constant(n, functions[callee.Value])}, n.Arguments...)...)
}

func passBudget() ast.Node { return &ast.IdentifierNode{Value: budgetName} }

// compiled is a literal pattern; one that is wrong has been complained about.
func compiled(literal *ast.StringNode) ast.Node {
	p, err := newPattern(literal.Value)
	if err != nil {
		return literal
	}
	return constant(literal, p)
}

func orNil(node ast.Node) ast.Node {
	if node == nil {
		return &ast.NilNode{}
	}
	return node
}

// call replaces a node by the call of an operator's function.
func (r *rewrite) call(node *ast.Node, operator string, arguments ...ast.Node) {
	*node = newCall(*node, operator, arguments...)
}

func newCall(instead ast.Node, operator string, arguments ...ast.Node) ast.Node {
	call := &ast.CallNode{Callee: &ast.IdentifierNode{Value: operatorPrefix + operator}, Arguments: arguments}
	call.Callee.SetLocation(instead.Location())
	call.SetLocation(instead.Location())
	call.SetNature(*instead.Nature())
	return call
}

func (r *rewrite) binary(node *ast.Node, n *ast.BinaryNode) {
	switch n.Operator {
	case "&&", "and", "||", "or":
		n.Left, n.Right = condition(n.Left), condition(n.Right)
	case "in":
		r.test(node, "in", n.Left, constantSet(n.Right))
	case "matches":
		if pattern, ok := n.Right.(*ast.StringNode); ok {
			n.Right = compiled(pattern)
		}
		r.test(node, "matches", n.Left, n.Right)
	case "^":
		r.call(node, "**", n.Left, n.Right, passBudget())
	case "??":
	default:
		if tests[n.Operator] != nil {
			r.test(node, n.Operator, n.Left, n.Right)
			return
		}
		r.call(node, n.Operator, n.Left, n.Right, passBudget())
	}
}

// test is metered, unless it costs no more than a literal is long.
func (r *rewrite) test(node *ast.Node, sign string, left, right ast.Node) {
	switch sign {
	case "contains", "matches":
	default:
		if isScalar(left) && sign != "in" || isScalar(right) {
			r.call(node, sign, left, right)
			return
		}
	}
	r.call(node, meteredPrefix+sign, left, right, passBudget())
}

// isScalar reports a literal that is no list, and a set of them.
func isScalar(node ast.Node) bool {
	switch n := node.(type) {
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NilNode:
		return true
	case *ast.ConstantNode:
		_, isSet := n.Value.(*stringSet)
		return isSet
	}
	return false
}

func constant(instead ast.Node, value any) ast.Node {
	node := &ast.ConstantNode{Value: value}
	node.SetLocation(instead.Location())
	return node
}

// constantSet makes a list of string literals a set.
func constantSet(list ast.Node) ast.Node {
	literals, ok := literalStrings(list)
	if !ok || len(literals) == 0 {
		return list
	}
	return constant(list, newStringSet(literals))
}

// literalStrings are those of a list that has nothing else.
func literalStrings(list ast.Node) (literals []string, ok bool) {
	array, ok := list.(*ast.ArrayNode)
	if !ok {
		return nil, false
	}
	for _, item := range array.Nodes {
		text, ok := item.(*ast.StringNode)
		if !ok {
			return nil, false
		}
		literals = append(literals, text.Value)
	}
	return literals, true
}

func (r *rewrite) unary(node *ast.Node, n *ast.UnaryNode) {
	switch n.Operator {
	case "!", "not":
		n.Node = condition(n.Node)
	case "-":
		switch literal := n.Node.(type) {
		// New nodes: in 1 < -x < 3 the parser shares the middle one, and it is visited twice.
		case *ast.IntegerNode:
			ast.Patch(node, &ast.IntegerNode{Value: -literal.Value})
		case *ast.FloatNode:
			ast.Patch(node, &ast.FloatNode{Value: -literal.Value})
		default:
			zero := &ast.IntegerNode{}
			zero.SetLocation(n.Location())
			r.call(node, "-", zero, n.Node, passBudget())
		}
	}
}

// condition makes a value that must be true or false one that is.
func condition(node ast.Node) ast.Node {
	if isBoolean(node) {
		return node
	}
	return wrap("truth", node)
}

// wrap passes a value through an operator's function; a complaint about it is placed where it begins.
func wrap(operator string, value ast.Node, more ...ast.Node) ast.Node {
	call := newCall(value, operator, append([]ast.Node{value}, more...)...)
	call.SetLocation(beginning(value).Location())
	return call
}

// beginning is the leftmost part of a value; expr places a binary operator at its sign, and a member at its name.
func beginning(node ast.Node) ast.Node {
	switch n := node.(type) {
	case *ast.BinaryNode:
		return beginning(n.Left)
	case *ast.MemberNode:
		return beginning(n.Node)
	case *ast.CallNode:
		callee, ok := n.Callee.(*ast.IdentifierNode)
		if !ok {
			return beginning(n.Callee)
		}
		if strings.HasPrefix(callee.Value, operatorPrefix) && callee.Value != operatorPrefix+meteredCall {
			return beginning(n.Arguments[0])
		}
	}
	return node
}

func isBoolean(node ast.Node) bool {
	switch n := node.(type) {
	case *ast.BoolNode:
		return true
	case *ast.UnaryNode:
		return n.Operator == "!" || n.Operator == "not"
	case *ast.BinaryNode:
		return n.Operator != "??" // only that and && || are left
	case *ast.BuiltinNode:
		return n.Name == "all" || n.Name == "any" || n.Name == "none" || n.Name == "one"
	case *ast.CallNode:
		callee, _ := n.Callee.(*ast.IdentifierNode)
		if callee == nil || !strings.HasPrefix(callee.Value, operatorPrefix) {
			return false
		}
		name := callee.Value[len(operatorPrefix):]
		if name == eachTurn {
			return isBoolean(n.Arguments[0])
		}
		return tests[strings.TrimPrefix(name, meteredPrefix)] != nil
	}
	return false
}

// maxPath is how many names become one call; more would be copied again and again.
const maxPath = 64

// member makes an access that gives nil where expr's would fail; those of one chain become one call. Methods of times
// and durations stay.
func (r *rewrite) member(node *ast.Node, n *ast.MemberNode) {
	base := n.Node.Nature()
	if !base.IsUnknown(r.cache) {
		switch base.Kind {
		case reflect.Map, reflect.Slice, reflect.Array, reflect.String:
		default:
			return
		}
	}
	name, ok := n.Property.(*ast.StringNode)
	if !ok {
		r.call(node, "[]", n.Node, n.Property, passBudget())
		return
	}
	if call, ok := n.Node.(*ast.CallNode); ok {
		if callee, ok := call.Callee.(*ast.IdentifierNode); ok && callee.Value == operatorPrefix+"." {
			before := *call.Arguments[1].(*ast.ConstantNode).Value.(*path)
			if len(before) < maxPath {
				longer := append(append(path{}, before...), name.Value)
				r.call(node, ".", call.Arguments[0], constant(n, &longer))
				return
			}
		}
	}
	r.call(node, ".", n.Node, constant(n, &path{name.Value}))
}

func (r *rewrite) builtin(node *ast.Node, n *ast.BuiltinNode) {
	var predicate *ast.PredicateNode
	if len(n.Arguments) > 1 {
		predicate, _ = n.Arguments[1].(*ast.PredicateNode)
	}
	if predicate != nil || n.Name == "count" || n.Name == "sum" {
		n.Arguments[0] = wrap("list", n.Arguments[0])
	}
	switch n.Name {
	case "all", "none", "any", "one", "filter", "find", "findIndex", "findLast", "findLastIndex":
		predicate.Node = condition(predicate.Node)
	case "count":
		if predicate == nil {
			item := &ast.PointerNode{}
			predicate = &ast.PredicateNode{Node: newCall(item, eachTurn, item, passBudget(), constant(item, 1))}
			n.Arguments = append(n.Arguments, predicate)
		}
		predicate.Node = condition(predicate.Node)
	case "sum":
		r.call(node, "sum", mapped(n, n.Arguments[0], predicate), passBudget())
	case "sortBy":
		r.sortBy(node, n, predicate)
	}
}

// mapped is a list, or what a predicate makes of its items.
func mapped(instead, list ast.Node, predicate *ast.PredicateNode) ast.Node {
	if predicate == nil {
		return list
	}
	node := &ast.BuiltinNode{Name: "map", Arguments: []ast.Node{list, predicate}}
	node.SetLocation(instead.Location())
	return node
}

// sortBy becomes: let list = …; sortBy(list, map(list, predicate), order).
func (r *rewrite) sortBy(node *ast.Node, n *ast.BuiltinNode, predicate *ast.PredicateNode) {
	list := func() ast.Node { return &ast.IdentifierNode{Value: operatorPrefix + "sorted"} }
	arguments := append(append([]ast.Node{list(), mapped(n, list(), predicate)}, n.Arguments[2:]...), passBudget())
	declared := &ast.VariableDeclaratorNode{Name: operatorPrefix + "sorted", Value: n.Arguments[0], Expr: newCall(n, "sortBy", arguments...)}
	declared.SetLocation(n.Location())
	declared.SetNature(*n.Nature())
	*node = declared
}
