package rules

import (
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"switchyard/engine"
	"switchyard/rules/document"
)

// Shapes are what is known of the data of the events of one environment.
type Shapes struct {
	// Declared are those that JSON Schemas describe, one for each source and name, and Learned those of events seen.
	Declared, Learned []engine.EventShape
	// Sources are all that are connected: one without a declared shape may send any data under any name.
	Sources []string
}

// CheckTypes holds the expressions of rules against the shapes of the events that they are for. A rule says by its match
// which these are: by comparing name, or type with identify or group, which are names, too, and further by source and
// type. A rule that does not say it is not checked, and nor is a file that does not compile.
//
// What can not be right by what is declared is an error, unless the event may come from a source that declares nothing;
// that, and what is odd by what was learned, are warnings. Both are in the order of their places.
func CheckTypes(files []*File, shapes Shapes) (errors, warnings document.Problems) {
	c := newTypeCheck(shapes)
	for _, file := range files {
		for i := range file.Rules {
			c.rule(&file.Rules[i])
		}
	}
	_, _ = c.errors.Err(), c.warnings.Err() // which sort
	return c.errors, c.warnings
}

// typeCheck is the check of all rules.
type typeCheck struct {
	known known
	// languages are those below some transforms, and nodes what was read in them: many rules have the same.
	languages map[string]*language
	nodes     map[codeKey]ast.Node
	errors    document.Problems
	warnings  document.Problems
	// reported are all so far; an expression that a rule has twice, or two knowledges find the same of, is told once.
	reported map[document.Problem]bool
	// spoken are the places of what is declared wrong: what was learned adds nothing there.
	spoken map[document.Problem]bool
}

func newTypeCheck(shapes Shapes) *typeCheck {
	return &typeCheck{
		known: newKnown(shapes), languages: map[string]*language{}, nodes: map[codeKey]ast.Node{},
		reported: map[document.Problem]bool{}, spoken: map[document.Problem]bool{},
	}
}

func (c *typeCheck) rule(r *Rule) {
	if !c.known.mentionedIn(r.Match.Value) {
		return // which nearly all of many rules are, and they cost no more than this
	}
	match, problem := c.language(nil).parse(r.Match)
	if problem != nil {
		return
	}
	pins := pinsOf(match)
	declared, learned := c.known.declaredFor(pins), c.known.learnedFor(pins)
	if declared == nil && learned == nil {
		return
	}
	parsed, ok := c.parseRule(r, match)
	if !ok {
		return
	}
	for _, knowledge := range []*knowledge{declared, learned} {
		if knowledge != nil {
			(&inference{check: c, knowledge: knowledge, pins: pins, rare: map[string]bool{}}).rule(parsed)
		}
	}
}

// report adds a problem, once.
func (c *typeCheck) report(k *knowledge, isError bool, problem document.Problem) {
	place := document.Problem{File: problem.File, Line: problem.Line, Col: problem.Col}
	if c.reported[problem] || k.learned && c.spoken[place] {
		return
	}
	c.reported[problem] = true
	if !k.learned {
		c.spoken[place] = true
	}
	if isError && k.firm {
		c.errors = append(c.errors, problem)
	} else {
		c.warnings = append(c.warnings, problem)
	}
}

// parsedText is one expression of a rule, read.
type parsedText struct {
	text document.Text
	node ast.Node
	// names is the transform that the expression is; "" for another.
	names string
}

// parsedRule is a rule's expressions: its match, and the others in their order.
type parsedRule struct {
	match  parsedText
	others []parsedText
}

// parseRule reads all expressions of a rule; ok is false when one of them is wrong.
func (c *typeCheck) parseRule(r *Rule, match ast.Node) (parsed parsedRule, ok bool) {
	parsed.match = parsedText{text: r.Match, node: match}
	var transforms []string
	for _, one := range r.Transform {
		node := c.node(transforms, one.Value)
		if node == nil {
			return parsed, false
		}
		parsed.others = append(parsed.others, parsedText{one.Value, node, one.Name.Value})
		transforms = append(transforms, one.Name.Value)
	}
	for _, action := range r.Actions {
		for _, text := range action.texts() {
			if text.IsZero() {
				continue
			}
			node := c.node(transforms, text)
			if node == nil {
				return parsed, false
			}
			parsed.others = append(parsed.others, parsedText{text: text, node: node})
		}
	}
	return parsed, true
}

// maxNodes bounds the expressions that are kept for other rules.
const maxNodes = 10_000

// node is an expression below some transforms, read; nil for one that is wrong.
func (c *typeCheck) node(transforms []string, text document.Text) ast.Node {
	key := codeKey{strings.Join(transforms, " "), text.Value}
	if node := c.nodes[key]; node != nil {
		return node
	}
	node, problem := c.language(transforms).parse(text)
	if problem != nil {
		return nil
	}
	if len(c.nodes) < maxNodes {
		c.nodes[key] = node
	}
	return node
}

func (c *typeCheck) language(transforms []string) *language {
	key := strings.Join(transforms, " ")
	if c.languages[key] == nil {
		c.languages[key] = newLanguage(eventPlace, slices.Clone(transforms)...)
	}
	return c.languages[key]
}

// texts are the expressions of an action.
func (a *Action) texts() []document.Text {
	var texts []document.Text
	if one := a.Identify; one != nil {
		texts = append(texts, one.UserID, one.Traits)
	}
	if one := a.Trigger; one != nil {
		texts = append(texts, one.Recipients, one.Actor, one.Data, one.Tenant, one.CancellationKey)
	}
	return texts
}

// mentionedIn reports that an expression has one of the names as a literal. One with an escape may have any.
func (k *known) mentionedIn(match string) bool {
	if len(k.names) == 0 {
		return false
	}
	if strings.IndexByte(match, '\\') >= 0 {
		return true
	}
	for {
		begin := strings.IndexAny(match, "\"'`")
		if begin < 0 {
			return false
		}
		end := strings.IndexByte(match[begin+1:], match[begin])
		if end < 0 {
			return false
		}
		if k.names[match[begin+1:begin+1+end]] {
			return true
		}
		match = match[begin+end+2:]
	}
}
