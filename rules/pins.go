package rules

import (
	"slices"

	"github.com/expr-lang/expr/ast"

	"switchyard/engine"
)

// pins are what a match says of the events it can be true for: each of the lists is nil when it says nothing of that.
type pins struct{ names, sources, types []string }

// namedByType are the types whose events have no other name than that.
var namedByType = []string{engine.TypeIdentify, engine.TypeGroup, engine.TypeAlias, engine.TypeDelete}

func pinsOf(match ast.Node) pins {
	parts := conjuncts(match, nil)
	p := pins{names: pinned(parts, "name"), sources: pinned(parts, "source"), types: pinned(parts, "type")}
	if p.names == nil && within(p.types, namedByType) {
		p.names = p.types
	}
	return p
}

// pinned are the literals that a field must be one of, by all parts that compare it.
func pinned(parts []ast.Node, field string) (values []string) {
	for _, part := range parts {
		some, ok := comparedWithLiterals(part, field)
		switch {
		case !ok:
		case values == nil:
			values = append([]string{}, some...)
		default:
			values = slices.DeleteFunc(values, func(value string) bool { return !slices.Contains(some, value) })
		}
	}
	return values
}

// comparedWithLiterals are the literals of which a field must be one for the node to be true; ok is false when it need
// not.
func comparedWithLiterals(node ast.Node, field string) (values []string, ok bool) {
	binary, isBinary := node.(*ast.BinaryNode)
	if !isBinary {
		return nil, false
	}
	switch binary.Operator {
	case "==":
		for _, side := range [][2]ast.Node{{binary.Left, binary.Right}, {binary.Right, binary.Left}} {
			if text, isText := side[1].(*ast.StringNode); isText && nameOf(side[0]) == field {
				return []string{text.Value}, true
			}
		}
	case "in":
		values, ok = literalStrings(binary.Right)
		return values, ok && nameOf(binary.Left) == field
	case "||", "or":
		left, okLeft := comparedWithLiterals(binary.Left, field)
		right, okRight := comparedWithLiterals(binary.Right, field)
		return slices.Concat(left, right), okLeft && okRight
	}
	return nil, false
}

// within reports that there are some, and all of them are among others.
func within(some, others []string) bool {
	for _, one := range some {
		if !slices.Contains(others, one) {
			return false
		}
	}
	return len(some) > 0
}

// shaped reports whether an object of the event is the data that shapes are of: properties are of messages that have a
// name of their own, and traits of an identify or a group.
func (p pins) shaped(root string) bool {
	switch root {
	case "data":
		return true
	case "properties":
		for _, name := range p.names {
			if slices.Contains(namedByType, name) {
				return false
			}
		}
		return p.types == nil || within(p.types, []string{engine.TypeTrack, engine.TypePage, engine.TypeScreen})
	case "traits":
		return within(p.types, []string{engine.TypeIdentify, engine.TypeGroup})
	}
	return false
}
