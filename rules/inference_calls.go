package rules

import (
	"maps"

	"github.com/expr-lang/expr/ast"

	"switchyard/engine"
)

// demand is what a function needs its first argument to be, and what it gives; 0 for anything.
type demand struct{ first, gives engine.JSONTypes }

// demands are those of functions that fail on another first argument, or give always the same.
var demands = map[string]demand{
	"upper":       {engine.JSONString, engine.JSONString},
	"lower":       {engine.JSONString, engine.JSONString},
	"trim":        {engine.JSONString, engine.JSONString},
	"trimPrefix":  {engine.JSONString, engine.JSONString},
	"trimSuffix":  {engine.JSONString, engine.JSONString},
	"capitalize":  {engine.JSONString, engine.JSONString},
	"replace":     {engine.JSONString, engine.JSONString},
	"repeat":      {engine.JSONString, engine.JSONString},
	"slug":        {engine.JSONString, engine.JSONString},
	"toBase64":    {engine.JSONString, engine.JSONString},
	"fromBase64":  {engine.JSONString, engine.JSONString},
	"urlEncode":   {engine.JSONString, engine.JSONString},
	"urlDecode":   {engine.JSONString, engine.JSONString},
	"hasPrefix":   {engine.JSONString, engine.JSONBoolean},
	"hasSuffix":   {engine.JSONString, engine.JSONBoolean},
	"indexOf":     {engine.JSONString, engine.JSONNumber},
	"lastIndexOf": {engine.JSONString, engine.JSONNumber},
	"split":       {engine.JSONString, engine.JSONList},
	"splitAfter":  {engine.JSONString, engine.JSONList},
	"urlParse":    {engine.JSONString, 0},
	"fromJSON":    {engine.JSONString, 0},
	"extract":     {engine.JSONString, 0},
	"abs":         {engine.JSONNumber, engine.JSONNumber},
	"ceil":        {engine.JSONNumber, engine.JSONNumber},
	"floor":       {engine.JSONNumber, engine.JSONNumber},
	"round":       {engine.JSONNumber, engine.JSONNumber},
	"bitand":      {engine.JSONNumber, engine.JSONNumber},
	"bitor":       {engine.JSONNumber, engine.JSONNumber},
	"bitxor":      {engine.JSONNumber, engine.JSONNumber},
	"bitnand":     {engine.JSONNumber, engine.JSONNumber},
	"bitnot":      {engine.JSONNumber, engine.JSONNumber},
	"bitshl":      {engine.JSONNumber, engine.JSONNumber},
	"bitshr":      {engine.JSONNumber, engine.JSONNumber},
	"bitushr":     {engine.JSONNumber, engine.JSONNumber},
	"int":         {0, engine.JSONNumber},
	"float":       {0, engine.JSONNumber},
	"len":         {engine.JSONString | engine.JSONList | engine.JSONObject, engine.JSONNumber},
	"string":      {0, engine.JSONString},
	"toJSON":      {0, engine.JSONString},
	"typeof":      {0, engine.JSONString},
	"take":        {engine.JSONList, 0},
	"uniq":        {engine.JSONList, 0},
	"sort":        {engine.JSONList, 0},
	"reverse":     {engine.JSONList, 0},
	"concat":      {engine.JSONList, engine.JSONList},
	"flatten":     {engine.JSONList, engine.JSONList},
	"pick":        {engine.JSONObject, 0},
	"omit":        {engine.JSONObject, 0},
	"rename":      {engine.JSONObject, 0},
	"keys":        {engine.JSONObject, engine.JSONList},
	"values":      {engine.JSONObject, engine.JSONList},
	"toPairs":     {engine.JSONObject, engine.JSONList},
}

func (w *inference) callNode(n *ast.CallNode) inferred {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		if method, ok := n.Callee.(*ast.MemberNode); ok { // of a time or duration
			w.value(method.Node)
		}
		w.values(n.Arguments...)
		return inferred{}
	}
	return w.call(callee.Value, n.Arguments)
}

// call infers the call of a function.
func (w *inference) call(name string, arguments []ast.Node) inferred {
	if len(arguments) == 0 {
		return inferred{}
	}
	if name == "coalesce" {
		return w.coalesce(arguments)
	}
	first := w.value(arguments[0])
	if name == "merge" {
		w.needs(arguments[0], first, engine.JSONObject, name)
		for _, argument := range arguments[1:] {
			w.needs(argument, w.value(argument), engine.JSONObject, name)
		}
		return inferred{}
	}
	w.values(arguments[1:]...)
	demand := demands[name]
	if demand.first != 0 && w.needs(arguments[0], first, demand.first, name) {
		return inferred{}
	}
	switch name {
	case "pick", "omit", "rename", "get":
		return w.members(name, first, arguments[1:])
	case "first", "last":
		return itemOf(first)
	case "take", "uniq", "sort", "reverse", "compact":
		return first
	}
	if demand.gives != 0 {
		return typed(demand.gives)
	}
	return inferred{}
}

// coalesce is the first value that is there.
func (w *inference) coalesce(arguments []ast.Node) inferred {
	value := w.read(arguments[0], guarded)
	path := alternative(value.path)
	for _, argument := range arguments[1:] {
		value = unionOf(value, w.read(argument, guarded), path)
	}
	return value
}

// members infers the functions that name members of their first argument.
func (w *inference) members(function string, object inferred, names []ast.Node) inferred {
	found, complete := map[string]*engine.Shape{}, true
	how := asIs
	if function == "omit" { // what is not there is left out all the same
		how = guarded
	}
	for i := 0; i < len(names); i += takesNames[function] {
		for _, node := range literalNodes(names[i]) {
			literal, ok := node.(*ast.StringNode)
			if !ok {
				complete = false
				continue
			}
			value := w.member(object, literal.Value, literal, how)
			if function == "get" {
				return value
			}
			found[literal.Value] = shapeOf(value)
		}
	}
	if !complete || object.shape == nil {
		return inferred{}
	}
	switch function {
	case "pick":
		return inferred{shape: &engine.Shape{Types: engine.JSONObject, Members: found}}
	case "omit":
		rest := &engine.Shape{Types: engine.JSONObject, Members: maps.Clone(object.shape.Members)}
		maps.DeleteFunc(rest.Members, func(name string, _ *engine.Shape) bool { return found[name] != nil })
		return inferred{shape: rest}
	}
	return inferred{}
}

// literalNodes are the items of a list as written, or the node itself.
func literalNodes(node ast.Node) []ast.Node {
	if list, ok := node.(*ast.ArrayNode); ok {
		return list.Nodes
	}
	return []ast.Node{node}
}

// conditions are the loops whose bodies must be true or false.
var conditions = map[string]bool{
	"all": true, "none": true, "any": true, "one": true, "filter": true, "find": true, "findIndex": true, "findLast": true,
	"findLastIndex": true, "count": true,
}

// builtin infers the call of expr's own functions: loops, and a few others.
func (w *inference) builtin(n *ast.BuiltinNode) inferred {
	if len(n.Arguments) < 2 {
		return w.call(n.Name, n.Arguments)
	}
	predicate, ok := n.Arguments[1].(*ast.PredicateNode)
	if !ok {
		return w.call(n.Name, n.Arguments)
	}
	list := w.value(n.Arguments[0])
	if w.needs(n.Arguments[0], list, engine.JSONList, n.Name) {
		list = inferred{}
	}
	w.items = append(w.items, itemOf(list))
	body := inferred{}
	if conditions[n.Name] {
		w.condition(predicate.Node)
	} else {
		body = w.value(predicate.Node)
	}
	w.items = w.items[:len(w.items)-1]
	w.values(n.Arguments[2:]...)
	switch n.Name {
	case "map":
		return inferred{shape: &engine.Shape{Types: engine.JSONList, Items: body.shape}, itemPath: body.path}
	case "filter", "sortBy":
		return list
	case "find", "findLast":
		return itemOf(list)
	case "all", "none", "any", "one":
		return typed(engine.JSONBoolean)
	case "count":
		return typed(engine.JSONNumber)
	}
	return inferred{}
}
