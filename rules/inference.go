package rules

import (
	"fmt"

	"github.com/expr-lang/expr/ast"

	"switchyard/engine"
	"switchyard/rules/document"
)

// inference goes through the expressions of one rule and infers what their values can be, from what is known of the
// event's data. It speaks up only where that is certain; of a value that it loses track of it says nothing.
type inference struct {
	check     *typeCheck
	knowledge *knowledge
	pins      pins
	text      document.Text // the expression under way
	// names are what transforms and let give names to, items those that loops around are at.
	names map[string]inferred
	items []inferred
	// rare are the paths that were said to be in few events.
	rare map[string]bool
}

// inferred is what is known of a value. The zero value is nothing.
type inferred struct {
	shape *engine.Shape
	// path is the value as it is written, where it comes from the data; "" for one that the expression makes, of which
	// nothing is complained.
	path string
	// itemPath is that of the items of a list that the expression makes of such.
	itemPath string
}

// manner is how a value is read.
type manner bool

const (
	asIs manner = false
	// guarded: the expression provides for the value not being there.
	guarded manner = true
)

// rule infers all expressions of a rule.
func (w *inference) rule(parsed parsedRule) {
	w.names = map[string]inferred{}
	if w.text = parsed.match.text; parsed.match.node != nil {
		w.condition(parsed.match.node)
	}
	for _, one := range parsed.others {
		w.text = one.text
		value := w.value(one.node)
		if one.names != "" {
			w.names[one.names] = value
		}
	}
}

func (w *inference) wrong(at ast.Node, format string, args ...any) {
	w.report(true, at, format, args...)
}

func (w *inference) report(isError bool, node ast.Node, format string, args ...any) {
	w.check.report(w.knowledge, isError, *at(w.text, node.Location().From, format, args...))
}

// value infers a value that is read as it is.
func (w *inference) value(node ast.Node) inferred { return w.read(node, asIs) }

func (w *inference) values(nodes ...ast.Node) {
	for _, node := range nodes {
		if node != nil {
			w.value(node)
		}
	}
}

// read infers the value of a node, and of all below it.
func (w *inference) read(node ast.Node, how manner) inferred {
	switch n := node.(type) {
	case *ast.StringNode:
		return inferred{shape: &engine.Shape{Types: engine.JSONString, Enum: []any{n.Value}}}
	case *ast.IntegerNode:
		return inferred{shape: &engine.Shape{Types: engine.JSONNumber, Enum: []any{n.Value}}}
	case *ast.FloatNode:
		return inferred{shape: &engine.Shape{Types: engine.JSONNumber, Enum: []any{n.Value}}}
	case *ast.BoolNode:
		return typed(engine.JSONBoolean)
	case *ast.IdentifierNode:
		return w.name(n.Value)
	case *ast.PointerNode:
		if n.Name == "" && len(w.items) > 0 {
			return w.items[len(w.items)-1]
		}
	case *ast.ChainNode:
		return w.read(n.Node, how)
	case *ast.MemberNode:
		return w.memberNode(n, how)
	case *ast.SliceNode:
		w.values(n.From, n.To)
		if value := w.value(n.Node); isList(value) { // and not a text, of which a part is another
			return value
		}
	case *ast.UnaryNode:
		return w.unary(n)
	case *ast.BinaryNode:
		return w.binary(n, false)
	case *ast.ConditionalNode:
		w.condition(n.Cond)
		return unionOf(w.read(n.Exp1, how), w.read(n.Exp2, how), "")
	case *ast.VariableDeclaratorNode:
		return w.let(n, how)
	case *ast.SequenceNode:
		var last inferred
		for _, one := range n.Nodes {
			last = w.value(one)
		}
		return last
	case *ast.ArrayNode:
		return w.list(n)
	case *ast.MapNode:
		return w.object(n)
	case *ast.CallNode:
		return w.callNode(n)
	case *ast.BuiltinNode:
		return w.builtin(n)
	}
	return inferred{}
}

func typed(types engine.JSONTypes) inferred { return inferred{shape: &engine.Shape{Types: types}} }

// unionOf is a value that is the one or the other.
func unionOf(a, b inferred, path string) inferred {
	if a.shape == nil || b.shape == nil {
		return inferred{}
	}
	return inferred{shape: a.shape.Or(b.shape), path: path}
}

// name is a name of the event, or one that was given above.
func (w *inference) name(name string) inferred {
	if value, ok := w.names[name]; ok {
		return value
	}
	if w.pins.shaped(name) {
		return inferred{shape: w.knowledge.data, path: name}
	}
	return inferred{}
}

func (w *inference) let(n *ast.VariableDeclaratorNode, how manner) inferred {
	before, was := w.names[n.Name]
	w.names[n.Name] = w.value(n.Value)
	value := w.read(n.Expr, how)
	if delete(w.names, n.Name); was {
		w.names[n.Name] = before
	}
	return value
}

func (w *inference) list(n *ast.ArrayNode) inferred {
	items := inferred{shape: &engine.Shape{}} // of an empty list, nothing
	for _, node := range n.Nodes {
		items = unionOf(items, w.value(node), "")
	}
	return inferred{shape: &engine.Shape{Types: engine.JSONList, Items: items.shape}}
}

// object is an object as written. What is asked of it that it does not have is no matter of the event's data.
func (w *inference) object(n *ast.MapNode) inferred {
	made := &engine.Shape{Types: engine.JSONObject, Members: map[string]*engine.Shape{}}
	for _, node := range n.Pairs {
		pair, ok := node.(*ast.PairNode)
		if !ok {
			continue
		}
		name, isLiteral := pair.Key.(*ast.StringNode)
		if value := w.value(pair.Value); isLiteral {
			made.Members[name.Value] = shapeOf(value)
		} else {
			w.value(pair.Key)
			made.Members = map[string]*engine.Shape{} // any of them may be another
		}
	}
	return inferred{shape: made}
}

// shapeOf is the shape of a value, of which perhaps nothing is known.
func shapeOf(v inferred) *engine.Shape {
	if v.shape == nil {
		return engine.AnyShape()
	}
	return v.shape
}

func (w *inference) memberNode(n *ast.MemberNode, how manner) inferred {
	base := w.read(n.Node, how)
	switch property := n.Property.(type) {
	case *ast.StringNode:
		return w.member(base, property.Value, property, how)
	case *ast.IntegerNode:
		return itemOf(base)
	case *ast.UnaryNode:
		if _, ok := property.Node.(*ast.IntegerNode); ok {
			return itemOf(base)
		}
	}
	w.value(n.Property)
	return inferred{}
}

// itemOf is any item of what is only a list.
func itemOf(list inferred) inferred {
	if !isList(list) {
		return inferred{}
	}
	path := list.itemPath
	if list.path != "" {
		path = list.path + "[]"
	}
	return inferred{shape: list.shape.Items, path: path}
}

func isList(v inferred) bool {
	return v.shape != nil && v.shape.Types&^engine.JSONNull == engine.JSONList
}

// member is the member of a value by a name, which stands at a node.
func (w *inference) member(base inferred, name string, at ast.Node, how manner) inferred {
	if base.shape == nil {
		return inferred{}
	}
	path := ""
	if base.path != "" {
		path = memberText(base.path, name)
	}
	if types, ok := w.knowledge.typesOf(base); ok && !types.Has(engine.JSONObject) {
		if base.path != "" {
			w.report(how == asIs, at, "%s, and has no member %s", w.knowledge.is(base, types), name)
		}
		return inferred{}
	}
	if member := base.shape.Members[name]; member != nil {
		if how == asIs {
			w.few(base, member, path, at)
		}
		return inferred{shape: member, path: path}
	}
	w.unknown(base, name, path, at, how)
	return inferred{}
}

// few warns of a field that was learned to be in few of the objects around it.
func (w *inference) few(base inferred, member *engine.Shape, path string, at ast.Node) {
	objects, seen := base.shape.Count(engine.JSONObject), member.Seen()
	if !w.knowledge.learned || objects < enoughSeen || seen*rareShare >= objects || base.shape.Rest != engine.RestClosed || w.rare[path] {
		return
	}
	w.rare[path] = true
	w.report(false, at, "%s was in only %d of %s", path, seen, w.around(base, objects))
}

// around are the objects that were looked at: events, or what has a path below their data.
func (w *inference) around(base inferred, objects int) string {
	if base.shape == w.knowledge.data {
		return fmt.Sprintf("%d events %s", objects, w.knowledge.of)
	}
	return fmt.Sprintf("%d objects %s", objects, base.path)
}

// unknown tells of a member that is not known.
func (w *inference) unknown(base inferred, name, path string, at ast.Node, how manner) {
	if base.path == "" {
		return
	}
	rest, all := base.shape.Rest, sortedMembers(base.shape)
	near, isNear := document.Nearest(name, all)
	hint := ""
	if isNear {
		hint = "; did you mean " + near + "?"
	}
	if w.knowledge.learned {
		if objects := base.shape.Count(engine.JSONObject); objects >= enoughSeen && rest == engine.RestClosed {
			w.report(false, at, "%s was in none of %s%s", path, w.around(base, objects), hint)
		}
		return
	}
	typo := isNear && document.Typo(name, near)
	switch {
	case rest == engine.RestClosed:
		w.report(how == asIs, at, "unknown field %s: the schema of %s does not allow it%s", path, w.knowledge.of, hint)
	case rest == engine.RestOpen:
		w.report(how == asIs && typo, at, "unknown field %s: the schema of %s does not name it%s", path, w.knowledge.of, hint)
	case rest == engine.RestExpected && typo:
		w.report(false, at, "unknown field %s: the schema of %s does not name it%s", path, w.knowledge.of, hint)
	}
}

func sortedMembers(shape *engine.Shape) []string {
	members := make(map[string]any, len(shape.Members))
	for name := range shape.Members {
		members[name] = nil
	}
	return sortedNames(members)
}
