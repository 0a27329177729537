package rules

import (
	"cmp"
	"maps"
	"slices"

	"github.com/expr-lang/expr/ast"

	"switchyard/engine"
)

// messageParts are the names of an event that only messages have, and no row.
var messageParts = []string{"properties", "traits", "context", "anonymous_id", "group_id", "previous_id"}

// messageTypes are also the names of the messages that have none of their own.
var messageTypes = []string{
	engine.TypeTrack, engine.TypeIdentify, engine.TypePage, engine.TypeScreen, engine.TypeGroup, engine.TypeAlias, engine.TypeDelete,
}

// Objects are the sorts of reverse-ETL rows that the rules use, by name, each with the columns that they read and the
// types of the literals that these are compared with.
//
// A rule is for records when its match compares type with "record", and the literals that it compares name with are the
// objects. One that does not compare type may be for messages or for records; it counts, unless its match reads type in
// another way, or the rule something that a row does not have (properties, traits, context, anonymous_id, group_id or
// previous_id): to offer an object that nobody sends is better than to hide one. A rule whose match compares type with
// "identify" is for the object user, unless it wants another name than an identify has.
//
// Columns are the members of data, and of traits for a user, that are looked up by a literal name, at the first level,
// anywhere in the rule. Those that omit leaves out are not used.
func (s *Set) Objects() []engine.Object {
	objects := map[string]columns{}
	for _, r := range s.rules {
		if !r.match.allows("type", engine.TypeRecord) && !r.match.allows("type", engine.TypeIdentify) {
			continue // as most are: what they read is not asked
		}
		use := r.use()
		for _, name := range r.records(use) {
			note(objects, name, use.columns("data"))
		}
		if r.match.compares("type", engine.TypeIdentify) && r.match.allows("name", engine.TypeIdentify) {
			note(objects, engine.UserObject, use.columns("data", "traits"))
		}
	}
	all := make([]engine.Object, 0, len(objects))
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		object := engine.Object{Name: name}
		for _, column := range slices.Sorted(maps.Keys(objects[name])) {
			object.Fields = append(object.Fields, engine.Field{Name: column, Type: objects[name][column]})
		}
		all = append(all, object)
	}
	return all
}

// columns are columns by name with their types, "" for one that nothing tells the type of.
type columns map[string]string

func (c columns) add(name, typ string) {
	if c[name] == "" {
		c[name] = typ
	}
}

func note(objects map[string]columns, name string, used columns) {
	if objects[name] == nil {
		objects[name] = columns{}
	}
	for column, typ := range used {
		objects[name].add(column, typ)
	}
}

// records are the names of the records that the rule is for.
func (r *rule) records(use use) (names []string) {
	compared, _ := r.match.values("name")
	_, byType := r.match.values("type")
	if byType && !r.match.allows("type", engine.TypeRecord) || !byType && r.forMessages(use) {
		return nil
	}
	for _, name := range compared {
		if r.match.allows("name", name) && (byType || !slices.Contains(messageTypes, name)) {
			names = append(names, name)
		}
	}
	return names
}

// forMessages reports that a rule which does not compare type is hardly for records.
func (r *rule) forMessages(use use) bool {
	for i := range r.match.parts {
		if value := r.match.parts[i].value; value != nil && value.uses.reads("type") {
			return true
		}
	}
	return use.names.reads(messageParts...)
}

// allows reports whether no test of a field excludes a value.
func (m *match) allows(field, value string) bool {
	for i := range m.parts {
		if root, texts, ok := wanted(m.parts[i].probe); ok && eventNames[root].name == field && !slices.Contains(texts, value) {
			return false
		}
	}
	return true
}

// compares reports whether a field is tested, and may have a value.
func (m *match) compares(field, value string) bool {
	_, tested := m.values(field)
	return tested && m.allows(field, value)
}

// memberOf is a member that is looked up by a literal name.
type memberOf struct{ value, name string }

// memberUse is one with the type that comparisons tell, "" when none does.
type memberUse struct {
	memberOf
	typ string
}

// lookup notes the members that one node of an expression looks up.
func (e *code) lookup(node ast.Node) {
	switch n := node.(type) {
	case *ast.MemberNode:
		e.member(n.Node, n.Property)
	case *ast.BinaryNode:
		switch n.Operator {
		case "in":
			e.member(n.Right, n.Left)
			e.compared(n.Left, n.Right)
		case "==", "!=", "<", "<=", ">", ">=":
			e.compared(n.Left, n.Right)
			e.compared(n.Right, n.Left)
		}
	case *ast.CallNode:
		callee, ok := n.Callee.(*ast.IdentifierNode)
		if !ok || takesNames[callee.Value] == 0 || callee.Value == "omit" {
			return
		}
		for i := 1; i < len(n.Arguments); i += takesNames[callee.Value] {
			e.member(n.Arguments[0], n.Arguments[i])
		}
	}
}

// member notes a member by its name, or those of a list of names.
func (e *code) member(value, name ast.Node) {
	of := nameOf(value)
	if of == "" {
		return
	}
	switch n := name.(type) {
	case *ast.StringNode:
		e.note(memberOf{of, n.Value}, "")
	case *ast.ArrayNode:
		for _, item := range n.Nodes {
			e.member(value, item)
		}
	}
}

// note adds a member; what is known of its type stays.
func (e *code) note(member memberOf, typ string) {
	for i := range e.members {
		if e.members[i].memberOf == member {
			e.members[i].typ = cmp.Or(e.members[i].typ, typ)
			return
		}
	}
	e.members = append(e.members, memberUse{member, typ})
}

// compared notes the type of a member that is compared with a literal, or with a list of them.
func (e *code) compared(value, with ast.Node) {
	if chain, ok := value.(*ast.ChainNode); ok {
		value = chain.Node
	}
	member, ok := value.(*ast.MemberNode)
	if !ok {
		return
	}
	name, isName := member.Property.(*ast.StringNode)
	if of := nameOf(member.Node); of != "" && isName {
		e.note(memberOf{of, name.Value}, literalType(with))
	}
}

// literalType is number, string or boolean; "" for what is no literal.
func literalType(node ast.Node) string {
	switch n := node.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		return engine.FieldNumber
	case *ast.StringNode:
		return engine.FieldString
	case *ast.BoolNode:
		return engine.FieldBoolean
	case *ast.UnaryNode:
		return literalType(n.Node)
	case *ast.ArrayNode:
		if len(n.Nodes) > 0 {
			return literalType(n.Nodes[0])
		}
	}
	return ""
}

// nameOf is the name that an expression is; "" for one that is more, or something else.
func nameOf(node ast.Node) string {
	if name, ok := node.(*ast.IdentifierNode); ok {
		return name.Value
	}
	return ""
}

// leave ends what an expression calls by a name of its own: the members of that are those of what it stands for.
func (e *code) leave(let *ast.VariableDeclaratorNode) {
	left := e.members
	e.members = nil
	for _, use := range left {
		if use.value == let.Name {
			use.value = nameOf(let.Value)
		}
		if use.value != "" {
			e.note(use.memberOf, use.typ)
		}
	}
}

// use is what the expressions of a rule read.
type use struct {
	names   nameSet
	members map[memberOf]string
	// aliases are the transforms that are only other names.
	aliases map[string]string
}

func (r *rule) use() use {
	u := use{members: map[memberOf]string{}, aliases: map[string]string{}}
	for i := range r.match.parts {
		u.add(r.match.parts[i].value)
	}
	for _, one := range r.transforms {
		u.add(one.value)
		u.aliases[one.name] = one.value.is
	}
	for _, one := range r.actions {
		u.add(one.userID, one.traits, one.recipients, one.actor, one.data, one.tenant, one.cancellationKey)
	}
	return u
}

func (u *use) add(expressions ...*expression) {
	for _, e := range expressions {
		if e == nil {
			continue
		}
		u.names |= e.uses
		for _, use := range e.members {
			u.members[use.memberOf] = cmp.Or(u.members[use.memberOf], use.typ)
		}
	}
}

// columns are the members that are looked up of some names of the event.
func (u *use) columns(of ...string) columns {
	used := columns{}
	for member, typ := range u.members {
		if slices.Contains(of, u.original(member.value)) {
			used.add(member.name, typ)
		}
	}
	return used
}

// original is the name of a value before transforms gave it others; these only see those above them.
func (u *use) original(name string) string {
	for u.aliases[name] != "" {
		name = u.aliases[name]
	}
	return name
}

// reads reports whether one of some names of the event is among them.
func (s nameSet) reads(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		i, ok := eventNameAt(name)
		return ok && s&(1<<i) != 0
	})
}
