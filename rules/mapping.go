package rules

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/types"

	"switchyard/engine"
	"switchyard/rules/document"
)

// MappingText is a mapping as written: where a connection's messages are in the JSON that it is sent. Everything in it
// is an expression, which sees body and headers, and item below each.
type MappingText struct {
	Place     document.Place
	Each      document.Text `yaml:"each" doc:"An expression: the list whose items are the messages, such as body.events; the other expressions see one of them as item. Left out, the body is one message."`
	Type      document.Text `yaml:"type" doc:"An expression: the type of the event, such as body.kind, or '\"track\"' in quotes of its own."`
	Name      document.Text `yaml:"name" doc:"An expression: the name of the event."`
	UserID    document.Text `yaml:"user_id" doc:"An expression: the user's id."`
	MessageID document.Text `yaml:"message_id" doc:"An expression: the message's own id, by which a repeat is recognised."`
	Timestamp document.Text `yaml:"timestamp" doc:"An expression: when it happened."`
	Data      document.Text `yaml:"data" doc:"An expression: an object, the main content of the event."`
}

// mappedParts are what a mapping makes of a message.
var mappedParts = []struct {
	name    string
	written func(*MappingText) document.Text
	of      func(*engine.Mapped) *any
}{
	{"type", func(w *MappingText) document.Text { return w.Type }, func(m *engine.Mapped) *any { return &m.Type }},
	{"name", func(w *MappingText) document.Text { return w.Name }, func(m *engine.Mapped) *any { return &m.Name }},
	{"user_id", func(w *MappingText) document.Text { return w.UserID }, func(m *engine.Mapped) *any { return &m.UserID }},
	{"message_id", func(w *MappingText) document.Text { return w.MessageID }, func(m *engine.Mapped) *any { return &m.MessageID }},
	{"timestamp", func(w *MappingText) document.Text { return w.Timestamp }, func(m *engine.Mapped) *any { return &m.Timestamp }},
	{"data", func(w *MappingText) document.Text { return w.Data }, func(m *engine.Mapped) *any { return &m.Data }},
}

// Mapping is a compiled mapping. It is safe for any number of goroutines.
type Mapping struct {
	each *expression
	// path is where each is a plain path of members, such as body.a.b, without the body; nil for anything else.
	path        []string
	parts       []mappedPart
	readHeaders bool
	hidden      map[string]bool
}

type mappedPart struct {
	name  string
	value *expression
	of    func(*engine.Mapped) *any
}

// The places of a mapping: in itself each sees no item, nor do the others without it.
var (
	bodyPlace = mappingPlace("it is an item of the list that each gives, and there is no each")
	eachPlace = mappingPlace("it is an item of the list that each gives; each itself sees the body")
	itemPlace = mappingPlace("")
)

// eventTypes are those that a message can be made.
var eventTypes = append(slices.Clone(messageTypes), engine.TypeRecord)

// mappingPlace sees no item where there is something to say instead.
func mappingPlace(noItem string) *place {
	p := &place{names: types.Map{"body": types.Any, "headers": objectType}, instead: map[string]string{}}
	for _, name := range eventNames {
		p.instead[name.name] = "the event is only made here, of body and headers"
	}
	p.instead["type"] += "; for the type of a value write typeof(value)"
	p.instead["now"] = "a body is read the same way at any time; without a timestamp it is the time of receipt"
	for _, literal := range eventTypes {
		p.instead[literal] = fmt.Sprintf(`a text has quotes of its own: '"%s"'`, literal)
	}
	if noItem == "" {
		p.names["item"] = types.Any
	} else {
		p.instead["item"] = noItem
	}
	return p
}

// CompileMapping makes a mapping ready to use; hide are the headers, beside the usual ones, that hold credentials, and
// that its expressions must not see. The error is document.Problems: everything that is wrong with it.
func CompileMapping(written *MappingText, hide ...string) (*Mapping, error) {
	m := &Mapping{hidden: map[string]bool{}}
	for _, header := range slices.Concat(credentialHeaders, hide) {
		m.hidden[strings.ToLower(header)] = true
	}
	var problems document.Problems
	report := func(problem *document.Problem) {
		if problem != nil {
			problems = append(problems, *problem)
		}
	}
	language := newLanguage(bodyPlace)
	if !written.Each.IsZero() {
		report(m.compileEach(newLanguage(eachPlace), written.Each))
		language = newLanguage(itemPlace)
	}
	for _, part := range mappedParts {
		text := part.written(written)
		if text.IsZero() {
			continue
		}
		var allowed []string
		if part.name == "type" {
			allowed = eventTypes
		}
		value, problem := m.compile(language, text, allowed...)
		report(problem)
		m.parts = append(m.parts, mappedPart{part.name, value, part.of})
	}
	if len(m.parts) == 0 {
		problem := written.Place.Problem("a mapping needs at least one of type, name, user_id, message_id, timestamp and data")
		report(&problem)
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return m, nil
}

// parse reads one expression; names of headers are as headers has them then.
func (m *Mapping) parse(language *language, text document.Text) (ast.Node, *document.Problem) {
	node, problem := language.parse(text)
	if problem != nil {
		return nil, problem
	}
	names := headerNames{text: text, hidden: m.hidden}
	ast.Walk(&node, &names)
	m.readHeaders = m.readHeaders || names.used
	return node, names.problem
}

func (m *Mapping) compile(language *language, text document.Text, allowed ...string) (*expression, *document.Problem) {
	node, problem := m.parse(language, text)
	if problem != nil {
		return nil, problem
	}
	if literal, ok := node.(*ast.StringNode); ok && allowed != nil && !slices.Contains(allowed, strings.ToLower(literal.Value)) {
		hint := "; there are " + strings.Join(allowed, ", ")
		if nearest, ok := document.Nearest(literal.Value, allowed); ok {
			hint = "; did you mean " + nearest + "?"
		}
		return nil, at(text, 0, "there is no type %q%s", literal.Value, hint)
	}
	return language.build(text, node)
}

func (m *Mapping) compileEach(language *language, text document.Text) (problem *document.Problem) {
	node, problem := m.parse(language, text)
	if problem != nil {
		return problem
	}
	if value := node.Nature(); !value.IsUnknown(&language.config.NtCache) && !value.IsArray() && !value.Nil {
		return at(text, beginning(node).Location().From, "each must be a list, not %s", withArticle(goTypes.Replace(value.String()+" ")))
	}
	m.path, _ = bodyPath(node)
	m.each, problem = language.build(text, node)
	return problem
}

// bodyPath are the members of body.a.b.
func bodyPath(node ast.Node) (path []string, ok bool) {
	switch n := node.(type) {
	case *ast.IdentifierNode:
		if n.Value == "body" {
			return []string{}, true
		}
	case *ast.ChainNode:
		return bodyPath(n.Node)
	case *ast.MemberNode:
		name, isName := n.Property.(*ast.StringNode)
		if path, ok = bodyPath(n.Node); ok && isName {
			return append(path, name.Value), true
		}
	}
	return nil, false
}

// Around is a body in which an item stands alone in the list that each finds; ok is false where that is no plain path.
func (m *Mapping) Around(item json.RawMessage) (body json.RawMessage, ok bool) {
	if m.each == nil || m.path == nil {
		return nil, false
	}
	var value any = []json.RawMessage{item}
	for _, name := range slices.Backward(m.path) {
		value = map[string]any{name: value}
	}
	body, err := encodeJSON(value)
	return body, err == nil
}

// Splits reports whether a request can have several messages, or none.
func (m *Mapping) Splits() bool { return m.each != nil }

// ReadsHeaders reports whether what it finds depends on the request's headers.
func (m *Mapping) ReadsHeaders() bool { return m.readHeaders }
