package rules

import (
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser/lexer"

	"switchyard/rules/document"
)

// Verdict is what a clause came to.
type Verdict string

const (
	True  Verdict = "true"
	False Verdict = "false"
	// Missing: false, for a value that the clause compares is not in the event.
	Missing Verdict = "missing"
	// Erred: the clause raised an error, which Clause.Error tells.
	Erred Verdict = "error"
)

// Clause is one part of a match, with what it came to on one event.
type Clause struct {
	// Text is the clause as written, on one line, cut when it is very long; it begins at Line and Col of File.
	Text      string
	File      string
	Line, Col int
	Verdict   Verdict
	Error     string
	// Operands are the values that the clause compares or looks at, and Wanted the literal it compares them with, as
	// written; "" when it compares with none.
	Operands []Operand
	Wanted   string
	// Hint says what is probably wrong; "" when nothing comes to mind.
	Hint string
	// Clauses are the sides of an || or && inside. Each is evaluated, also where the whole did not need it. More is how
	// many are left out.
	Clauses []Clause
	More    int
}

// hints appends the clause's and those below it.
func (c *Clause) hints(into []string) []string {
	if c.Hint != "" && !slices.Contains(into, c.Hint) {
		into = append(into, c.Hint)
	}
	for i := range c.Clauses {
		if c.Clauses[i].Verdict != True {
			into = c.Clauses[i].hints(into)
		}
	}
	return into
}

const (
	// maxClauseDepth is how deep the tree of a clause goes, and maxClauses how many are shown beside each other.
	maxClauseDepth = 3
	maxClauses     = 50
	// maxOperands is how many values are shown of a clause that is no comparison.
	maxOperands = 3
)

// part is a clause as parsed.
type part struct {
	node ast.Node
	// parts are the clauses below it.
	parts []*part
	// operands are the nodes whose values are shown.
	operands []ast.Node
	// comparison is nil for a clause that compares nothing with a literal.
	comparison *comparedWith
}

// comparedWith is the comparison of one value, which is the first operand, with a literal or a list of them.
type comparedWith struct {
	operator string
	literal  ast.Node
	values   []any
	// flipped is true when the literal stands on the left.
	flipped bool
}

// dissect makes the tree of clauses of a node, at most so deep.
func dissect(node ast.Node, depth int) *part {
	p := &part{node: node}
	inner, negated := node, false
	for {
		not, ok := inner.(*ast.UnaryNode)
		if !ok || not.Operator != "!" && not.Operator != "not" {
			break
		}
		inner, negated = not.Node, true
	}
	binary, ok := inner.(*ast.BinaryNode)
	switch {
	case ok && logical(binary.Operator) != "" && depth > 0 && negated:
		p.parts = []*part{dissect(binary, depth-1)}
	case ok && logical(binary.Operator) != "" && depth > 0:
		for _, side := range sides(binary, logical(binary.Operator), nil) {
			p.parts = append(p.parts, dissect(side, depth-1))
		}
	case ok && tests[binary.Operator] != nil:
		p.compare(binary, negated)
	default:
		p.operands = pathsIn(inner)
	}
	return p
}

// logical is || or && for an operator that is one of them, however it is written.
func logical(operator string) string {
	switch operator {
	case "||", "or":
		return "||"
	case "&&", "and":
		return "&&"
	}
	return ""
}

func sides(node ast.Node, operator string, before []ast.Node) []ast.Node {
	if binary, ok := node.(*ast.BinaryNode); ok && logical(binary.Operator) == operator {
		return sides(binary.Right, operator, sides(binary.Left, operator, before))
	}
	return append(before, node)
}

func (p *part) compare(n *ast.BinaryNode, negated bool) {
	left, isLeft := literalsOf(n.Left)
	right, isRight := literalsOf(n.Right)
	switch {
	case isLeft == isRight:
		p.operands = []ast.Node{n.Left, n.Right}
	case isRight:
		p.operands, p.comparison = []ast.Node{n.Left}, &comparedWith{n.Operator, n.Right, right, false}
	default:
		p.operands, p.comparison = []ast.Node{n.Right}, &comparedWith{n.Operator, n.Left, left, true}
	}
	if negated && p.comparison != nil {
		p.comparison.operator = "not " + n.Operator
	}
}

// literalsOf are the values of a literal, or of a list of them.
func literalsOf(node ast.Node) (values []any, ok bool) {
	if list, isList := node.(*ast.ArrayNode); isList {
		for _, item := range list.Nodes {
			one, ok := literalsOf(item)
			if !ok || len(one) != 1 {
				return nil, false
			}
			values = append(values, one[0])
		}
		return values, true
	}
	if _, isNil := node.(*ast.NilNode); isNil {
		return []any{nil}, true
	}
	if numbers := numbersOf(node); numbers != nil {
		return numbers, true
	}
	value, ok := literalOf(node)
	return []any{value}, ok
}

// numbersOf are the numbers of a range of literals, such as 1..3; nil for one of many.
func numbersOf(node ast.Node) (numbers []any) {
	n, ok := node.(*ast.BinaryNode)
	if !ok || n.Operator != ".." {
		return nil
	}
	from, isFrom := n.Left.(*ast.IntegerNode)
	to, isTo := n.Right.(*ast.IntegerNode)
	if !isFrom || !isTo || to.Value-from.Value >= maxClauses {
		return nil
	}
	for number := from.Value; number <= to.Value; number++ {
		numbers = append(numbers, number)
	}
	return numbers
}

// pathsIn are the values of the event that an expression mentions, the first few.
func pathsIn(node ast.Node) []ast.Node {
	found := paths{inside: map[ast.Node]bool{}}
	book := newPathBook()
	if book.valueAt(node) != nil {
		return []ast.Node{node}
	}
	ast.Walk(&node, &found)
	var outermost []ast.Node
	for _, one := range found.nodes {
		if !found.inside[one] && len(outermost) < maxOperands {
			outermost = append(outermost, one)
		}
	}
	return outermost
}

// paths finds nodes that are paths, and those that are only a part of one.
type paths struct {
	nodes  []ast.Node
	inside map[ast.Node]bool
}

// Visit implements ast.Visitor; children come first.
func (p *paths) Visit(node *ast.Node) {
	if _, _, ok := memberPath(*node, nil); !ok {
		return
	}
	p.nodes = append(p.nodes, *node)
	switch n := (*node).(type) {
	case *ast.ChainNode:
		p.inside[n.Node] = true
	case *ast.MemberNode:
		p.inside[n.Node] = true
	}
}

// clauses evaluates the parts of a rule's match, one by one. Compiling changes a node, so that the match is read again
// for every level of the tree, and once more for the operands.
func (x *explainer) clauses(r *rule) (clauses []Clause, more int) {
	text := r.match.text
	if text.IsZero() {
		return nil, 0
	}
	seen := x.language.dissect(text, maxClauseDepth)
	work := clauseWork{explainer: x, spans: newSpans(text)}
	trees := make([][]*part, depthOf(seen)+2)
	for i := range trees {
		trees[i] = x.language.dissect(text, maxClauseDepth)
	}
	for i := range seen[:min(len(seen), maxClauses)] {
		clauses = append(clauses, work.clause(seen[i], column(trees, i), 0))
	}
	return clauses, max(0, len(seen)-maxClauses)
}

// dissect parses a match, which was compiled once, into the trees of its clauses, each at most so deep.
func (l *language) dissect(text document.Text, depth int) (parts []*part) {
	node, problem := l.parse(text)
	if problem != nil {
		return nil
	}
	for _, conjunct := range conjuncts(node, nil) {
		parts = append(parts, dissect(conjunct, depth))
	}
	return parts
}

// depthOf is how many levels a list of clauses has below it.
func depthOf(parts []*part) int {
	depth := 0
	for _, p := range parts {
		if len(p.parts) > 0 {
			depth = max(depth, 1+depthOf(p.parts))
		}
	}
	return depth
}

// column is the same clause of every tree.
func column(trees [][]*part, i int) []*part {
	column := make([]*part, len(trees))
	for t, tree := range trees {
		column[t] = tree[i]
	}
	return column
}

// below are the trees below one clause of every tree.
func below(column []*part) [][]*part {
	trees := make([][]*part, len(column))
	for t, p := range column {
		trees[t] = p.parts
	}
	return trees
}

// clauseWork evaluates the clauses of one match.
type clauseWork struct {
	*explainer
	spans *spans
}

// clause evaluates one: of the trees, each level has one to compile, and the operands the last.
func (w *clauseWork) clause(seen *part, trees []*part, level int) Clause {
	from, to := w.spans.of(seen.node)
	place := w.spans.text.At(from)
	c := Clause{Text: oneLine(w.spans.text.Value[from:to], maxClauseText), File: place.File(), Line: place.Line, Col: place.Col}
	value, err := w.run(trees[level].node)
	met := false
	if err == nil {
		if met, err = truth(value); err != nil {
			err = place.Problem("%s", err.Error())
		}
	}
	values, missing := w.operands(&c, seen, trees[len(trees)-1])
	switch {
	case err != nil:
		c.Verdict, c.Error = Erred, err.Error()
	case met:
		c.Verdict = True
	case missing:
		c.Verdict = Missing
	default:
		c.Verdict = False
	}
	if seen.comparison != nil {
		c.Wanted = w.written(seen.comparison.literal)
	}
	if c.Verdict != True && len(c.Operands) > 0 {
		c.Hint = w.hint(seen, c.Operands[0].Text, values)
	}
	for i, one := range seen.parts[:min(len(seen.parts), maxClauses)] {
		c.Clauses = append(c.Clauses, w.clause(one, column(below(trees), i), level+1))
	}
	c.More = max(0, len(seen.parts)-maxClauses)
	return c
}

// operands evaluates what a clause looks at, and shows what is no literal; missing is true when any is nil.
func (w *clauseWork) operands(c *Clause, seen, compiled *part) (values []any, missing bool) {
	values = make([]any, len(seen.operands))
	for i, operand := range seen.operands {
		if _, isLiteral := literalsOf(operand); isLiteral {
			continue
		}
		value, err := w.run(compiled.operands[i])
		if err != nil { // the clause has the same error, and what it was made of tells more
			w.ingredients(c, operand)
			continue
		}
		values[i] = value
		missing = missing || isNil(value)
		w.show(c, operand, value)
	}
	return values, missing
}

// ingredients shows the values of the event that an operand mentions.
func (w *clauseWork) ingredients(c *Clause, operand ast.Node) {
	for _, node := range pathsIn(operand) {
		if path := newPathBook().pathOf(node); path != nil {
			if value, err := w.valueOf(path); err == nil {
				w.show(c, node, value)
			}
		}
	}
}

// show adds a value to those that a clause looked at, once.
func (w *clauseWork) show(c *Clause, node ast.Node, value any) {
	if one := operandOf(w.written(node), value); !slices.Contains(c.Operands, one) {
		c.Operands = append(c.Operands, one)
	}
}

// written is a node as it stands in the match.
func (w *clauseWork) written(node ast.Node) string {
	from, to := w.spans.of(node)
	return oneLine(w.spans.text.Value[from:to], maxShown)
}

// run is the value of a node, which is changed.
func (w *clauseWork) run(node ast.Node) (value any, err error) {
	defer func() {
		if r := recover(); r != nil { // what compiles as a whole could still not do so in part
			err = *at(w.spans.text, node.Location().From, "this clause can not be evaluated by itself: %v", r)
		}
	}()
	compiled, problem := w.language.build(w.spans.text, node)
	if problem != nil {
		return nil, *problem
	}
	return compiled.run(w.scope)
}

// oneLine is an expression without its line breaks, cut.
func oneLine(text string, most int) string {
	if strings.ContainsAny(text, "\r\n\t") {
		text = strings.Join(strings.Fields(text), " ")
	}
	return cutTo(text, most)
}

// spans finds where the nodes of one expression begin and end. A node of expr knows only the place of one token, such as
// its operator.
type spans struct {
	text   document.Text
	tokens []lexer.Token
	// offsets are the bytes at which the characters begin, and the end.
	offsets []int
}

func newSpans(text document.Text) *spans {
	s := &spans{text: text, tokens: tokensOf(text.Value)}
	for i := range text.Value {
		s.offsets = append(s.offsets, i)
	}
	s.offsets = append(s.offsets, len(text.Value))
	return s
}

// of is the first byte of a node and the one after its last: from its first token to its last, and on to the brackets
// that these open or close.
func (s *spans) of(node ast.Node) (from, to int) {
	outer := extent{first: -1}
	ast.Walk(&node, &outer)
	first, last := s.token(outer.first), s.token(outer.last)
	if outer.first < 0 || first < 0 || last < 0 {
		return 0, len(s.text.Value)
	}
	if last+1 < len(s.tokens) && s.tokens[last].Kind == lexer.Identifier && s.tokens[last+1].Is(lexer.Bracket, "(") {
		last++ // a call without arguments
	}
	if first > 0 && slices.Contains([]string{"let", "if"}, s.tokens[first-1].Value) && s.tokens[first-1].Kind != lexer.String {
		first-- // whose nodes begin after the word
	}
	first, last = s.balanced(first, last)
	return s.offset(s.tokens[first].From), s.offset(s.tokens[last].To)
}

// balanced widens a range of tokens until every bracket in it has its other half.
func (s *spans) balanced(first, last int) (int, int) {
	open, unopened := 0, 0
	for _, token := range s.tokens[first : last+1] {
		switch {
		case token.Kind != lexer.Bracket:
		case strings.Contains("([{", token.Value):
			open++
		case open > 0:
			open--
		default:
			unopened++
		}
	}
	for ; unopened > 0 && first > 0; first-- {
		if t := s.tokens[first-1]; t.Kind == lexer.Bracket {
			unopened += bracketStep(t)
		}
	}
	for ; open > 0 && last+1 < len(s.tokens); last++ {
		if t := s.tokens[last+1]; t.Kind == lexer.Bracket {
			open -= bracketStep(t)
		}
	}
	return first, last
}

// bracketStep is -1 for a bracket that opens and 1 for one that closes.
func bracketStep(token lexer.Token) int {
	if strings.Contains("([{", token.Value) {
		return -1
	}
	return 1
}

// token is the position of the token at a character; -1 for none.
func (s *spans) token(character int) int {
	i, found := slices.BinarySearchFunc(s.tokens, character, func(t lexer.Token, at int) int { return t.From - at })
	if !found {
		return -1
	}
	return i
}

func (s *spans) offset(character int) int {
	return s.offsets[min(max(character, 0), len(s.offsets)-1)]
}

// extent is the first and the last token of a node and all below it.
type extent struct{ first, last int }

// Visit implements ast.Visitor.
func (e *extent) Visit(node *ast.Node) {
	at := (*node).Location()
	if at.From == at.To { // made by the parser
		return
	}
	if e.first < 0 || at.From < e.first {
		e.first = at.From
	}
	e.last = max(e.last, at.From)
}
