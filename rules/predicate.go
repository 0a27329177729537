package rules

import (
	"math"
	"slices"

	"github.com/expr-lang/expr/ast"
)

// What of a condition can be looked up. A part of a match offers a group of alternatives when it can be true only if one
// of them is: name == "a" offers one, data.plan in ["pro", "team"] two, and an || what all its sides offer. The index
// files a rule under the alternatives of one of its parts; which rules it then finds is a superset of those that match,
// and each of them is evaluated as written. So an alternative may be wider than the condition, never narrower: values
// that would raise an error count as fitting, since the error must be told.

// eventPath is where a value stands in an event: a text of its own, or a path of members below one of its objects.
type eventPath struct {
	root int // of eventNames
	path string
	// names are the members of path, which joins them.
	names []string
}

type predicateKind int

const (
	isEqual predicateKind = iota
	hasPrefix
	hasSuffix
	inRange
	isPresent
)

// predicate is one alternative: something about the value at a path.
type predicate struct {
	eventPath
	kind predicateKind
	// value is the literal of isEqual: a string, a float64 or a bool; text that of hasPrefix and hasSuffix.
	value any
	text  string
	// low and high are the ends of inRange, both included.
	low, high float64
}

// group is the alternatives of one part of a match.
type group []predicate

// maxAlternatives bounds a group; a longer list of literals is evaluated.
const maxAlternatives = 1000

// groupOf are the alternatives that a part offers; nil for none.
func groupOf(node ast.Node) group {
	switch n := node.(type) {
	case *ast.BinaryNode:
		return binaryGroup(n)
	case *ast.UnaryNode:
		if not, ok := n.Node.(*ast.BinaryNode); ok && (n.Operator == "!" || n.Operator == "not") && not.Operator == "!=" {
			return equality(not.Left, not.Right)
		}
		return nil
	}
	if path, ok := valueAt(node); ok && path.names != nil { // a condition by itself, and nil is false
		return group{{eventPath: path, kind: isPresent}}
	}
	return nil
}

func binaryGroup(n *ast.BinaryNode) group {
	switch n.Operator {
	case "||", "or":
		left, right := groupOf(n.Left), groupOf(n.Right)
		if left == nil || right == nil || len(left)+len(right) > maxAlternatives {
			return nil
		}
		return slices.Concat(left, right)
	case "&&", "and":
		// From left to right here: when the left is true or raises an error the right may not be looked at.
		return groupOf(n.Left)
	case "==":
		return equality(n.Left, n.Right)
	case "!=":
		return presence(n.Left, n.Right)
	case "in":
		return membership(n)
	case "startsWith", "endsWith":
		return affix(n)
	case "<", "<=", ">", ">=":
		return comparison(n)
	}
	return nil
}

func equality(left, right ast.Node) group {
	if path, ok := valueAt(left); ok {
		if value, ok := literalOf(right); ok {
			return group{{eventPath: path, kind: isEqual, value: value}}
		}
	}
	if path, ok := valueAt(right); ok {
		if value, ok := literalOf(left); ok {
			return group{{eventPath: path, kind: isEqual, value: value}}
		}
	}
	return nil
}

// presence is path != nil; compared with anything else, a missing value is unequal, too.
func presence(left, right ast.Node) group {
	for _, side := range [][2]ast.Node{{left, right}, {right, left}} {
		path, ok := valueAt(side[0])
		if _, isNil := side[1].(*ast.NilNode); ok && isNil && path.names != nil {
			return group{{eventPath: path, kind: isPresent}}
		}
	}
	return nil
}

func membership(n *ast.BinaryNode) group {
	path, ok := valueAt(n.Left)
	list, isList := n.Right.(*ast.ArrayNode)
	if !ok || !isList || len(list.Nodes) > maxAlternatives {
		return nil
	}
	alternatives := make(group, 0, len(list.Nodes))
	for _, item := range list.Nodes {
		value, ok := literalOf(item)
		if !ok {
			return nil
		}
		alternatives = append(alternatives, predicate{eventPath: path, kind: isEqual, value: value})
	}
	return alternatives
}

func affix(n *ast.BinaryNode) group {
	path, ok := valueAt(n.Left)
	text, isText := n.Right.(*ast.StringNode)
	if !ok || !isText || text.Value == "" {
		return nil
	}
	kind := hasPrefix
	if n.Operator == "endsWith" {
		kind = hasSuffix
	}
	return group{{eventPath: path, kind: kind, text: text.Value}}
}

func comparison(n *ast.BinaryNode) group {
	operator := n.Operator
	path, ok := valueAt(n.Left)
	value, isNumber := numberLiteral(n.Right)
	if !ok || !isNumber {
		operator = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<="}[operator]
		path, ok = valueAt(n.Right)
		value, isNumber = numberLiteral(n.Left)
	}
	if !ok || !isNumber || path.names == nil {
		return nil
	}
	interval := predicate{eventPath: path, kind: inRange, low: math.Inf(-1), high: math.Inf(1)}
	if operator[0] == '<' {
		interval.high = math.Nextafter(value, math.Inf(1)) // wider, for the literal may have been rounded
	} else {
		interval.low = math.Nextafter(value, math.Inf(-1))
	}
	return group{interval}
}

// literalOf is a string, number or boolean as written.
func literalOf(node ast.Node) (value any, ok bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.BoolNode:
		return n.Value, true
	}
	number, ok := numberLiteral(node)
	return number, ok
}

func numberLiteral(node ast.Node) (value float64, ok bool) {
	switch n := node.(type) {
	case *ast.IntegerNode:
		return float64(n.Value), true
	case *ast.FloatNode:
		return n.Value, true
	case *ast.UnaryNode:
		if value, ok = numberLiteral(n.Node); ok && n.Operator == "-" {
			return -value, true
		}
	}
	return 0, false
}

// valueAt is a value that can be looked up: a text of the event, or one below its objects, which are none themselves.
func valueAt(node ast.Node) (path eventPath, ok bool) {
	path, ok = pathOf(node)
	return path, ok && (path.names != nil || eventNames[path.root].text != nil)
}

// pathOf is a text of the event, or a path of literal names below one of its objects.
func pathOf(node ast.Node) (path eventPath, ok bool) {
	switch n := node.(type) {
	case *ast.ChainNode:
		return pathOf(n.Node)
	case *ast.IdentifierNode:
		root, known := eventNameAt(n.Value)
		if !known || eventNames[root].time != nil {
			return path, false
		}
		return eventPath{root: root}, true
	case *ast.MemberNode:
		name, isName := n.Property.(*ast.StringNode)
		below, ok := pathOf(n.Node)
		if !ok || !isName || eventNames[below.root].object == nil {
			return path, false
		}
		below.path += "/" + name.Value
		below.names = append(slices.Clip(below.names), name.Value)
		return below, true
	}
	return path, false
}

// joined is what several parts offer together: two ends of a range of one value make one range.
func joined(groups []group) []group {
	var all []group
	at := map[[2]any]int{}
	for _, one := range groups {
		if len(one) != 1 || one[0].kind != inRange {
			all = append(all, one)
			continue
		}
		key := [2]any{one[0].root, one[0].path}
		if i, again := at[key]; again {
			all[i][0].low, all[i][0].high = max(all[i][0].low, one[0].low), min(all[i][0].high, one[0].high)
			continue
		}
		at[key] = len(all)
		all = append(all, slices.Clone(one))
	}
	return all
}
