package rules

import (
	"strings"

	"github.com/expr-lang/expr/ast"

	"switchyard/engine"
	"switchyard/rules/document"
)

// credentialHeaders are never seen by expressions: what they read is stored and shown.
var credentialHeaders = []string{"authorization", "proxy-authorization", "cookie"}

// headersOf are the headers of a request that expressions see, by their names in lower case.
func (m *Mapping) headersOf(req *engine.Request) map[string]any {
	visible := map[string]any{}
	if req.Headers == nil {
		return visible
	}
	for name, value := range req.Headers() {
		if name = strings.ToLower(name); !m.hidden[name] {
			visible[name] = value
		}
	}
	return visible
}

// headerNames makes a name by which an expression looks up a header lower-case, since the case of these does not matter:
// a literal here, and any other by a call. What is done with all of headers, such as keys(headers), has the names in lower
// case.
type headerNames struct {
	text    document.Text
	hidden  map[string]bool
	used    bool
	problem *document.Problem // the first use of a header that is hidden
}

// Visit implements ast.Visitor.
func (h *headerNames) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		h.used = h.used || isHeaders(n)
	case *ast.MemberNode:
		if isHeaders(n.Node) {
			n.Property = h.name(n.Property)
		}
	case *ast.BinaryNode:
		if n.Operator == "in" && isHeaders(n.Right) {
			n.Left = h.name(n.Left)
		}
	case *ast.CallNode:
		callee, ok := n.Callee.(*ast.IdentifierNode)
		if !ok || takesNames[callee.Value] == 0 || !isHeaders(n.Arguments[0]) {
			return
		}
		for i := 1; i < len(n.Arguments); i += takesNames[callee.Value] {
			n.Arguments[i] = h.name(n.Arguments[i])
		}
	}
}

func isHeaders(node ast.Node) bool {
	name, ok := node.(*ast.IdentifierNode)
	return ok && name.Value == "headers"
}

func (h *headerNames) name(node ast.Node) ast.Node {
	literal, ok := node.(*ast.StringNode)
	if !ok {
		return wrap("lower", node, passBudget())
	}
	lower := &ast.StringNode{Value: strings.ToLower(literal.Value)}
	lower.SetLocation(literal.Location())
	lower.SetNature(*literal.Nature())
	if h.hidden[lower.Value] && h.problem == nil {
		h.problem = at(h.text, literal.Location().From, "the header %s holds a credential, and can not be read", lower.Value)
	}
	return lower
}

// lowerNames makes a text lower-case, and those of a list.
func lowerNames(value any) any {
	switch v := value.(type) {
	case string:
		return strings.ToLower(v)
	case []any:
		lower := make([]any, len(v))
		for i, item := range v {
			lower[i] = lowerNames(item)
		}
		return lower
	}
	return value
}
