package rules

import (
	"math"
	"regexp/syntax"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser/lexer"

	"switchyard/rules/document"
)

// The cost of an expression is known before it runs, as far as it can be: about how many steps (see budget) it takes when
// each list that it goes through has nominalItems items, and each text that a pattern looks at nominalText bytes.

const (
	// nominalItems is short, since what is refused here must be hopeless: a rule that is over its budget with lists of
	// this length will be over it on most events.
	nominalItems = 10
	nominalText  = 16
	// maxNesting is how many loops may stand inside each other. Four over a hundred items are a hundred million turns.
	maxNesting = 4
	// maxRuleBytes bounds what all expressions of one rule take to compile, and to run from end to end.
	maxRuleBytes = 128 << 10
	maxRuleCost  = 2 * stepBudget
	// maxTransforms and maxActions bound what a rule takes to compile, too: the more names there are, the longer each takes.
	maxTransforms = 200
	maxActions    = 300
	// nodesPerStep is how many nodes of an expression are evaluated in the time of one step, and literalPerNode how much
	// of a text literal counts as another node, for it may be compared.
	nodesPerStep   = 8
	literalPerNode = 64
	// callNodes is what the call of a function costs beside its arguments.
	callNodes = 2
)

// cost is what an expression costs.
type cost struct {
	// once are the steps of what stands in no loop.
	once int
	// nominal are the steps of all of it, with nominal lists and texts.
	nominal int
	// turns are the steps of one turn of each loop, without those of the loops inside it.
	turns map[*ast.PredicateNode]int
	// deepest is how many loops stand inside each other, and innermost where more than maxNesting do; else nil.
	deepest   int
	innermost ast.Node
}

// costOf goes through an expression as it was parsed.
func costOf(node ast.Node) *cost {
	c := &cost{}
	nodes := c.visit(node, 0, 1)
	c.once = nodes / nodesPerStep
	c.nominal += 1 + c.once
	return c
}

// visit counts the nodes up to the next loops. Depth is the number of loops around them, turns how often they nominally
// are evaluated.
func (c *cost) visit(node ast.Node, depth, turns int) (nodes int) {
	nodes = 1
	switch n := node.(type) {
	case nil:
		return 0
	case *ast.StringNode:
		nodes += len(n.Value) / literalPerNode
	case *ast.BinaryNode:
		if pattern, ok := n.Right.(*ast.StringNode); ok && n.Operator == "matches" {
			c.add(turns, patternSteps(pattern.Value))
		}
	case *ast.CallNode:
		name := nameOf(n.Callee)
		if f := functions[name]; f != nil {
			nodes += callNodes
			c.add(turns, f.steps)
		}
		if name == "extract" {
			if pattern, ok := n.Arguments[1].(*ast.StringNode); ok {
				c.add(turns, patternSteps(pattern.Value))
			}
		}
	case *ast.PredicateNode:
		c.loop(n, depth+1, turns*nominalItems)
		return nodes
	}
	for _, child := range children(node) {
		nodes += c.visit(child, depth, turns)
	}
	return nodes
}

func (c *cost) loop(n *ast.PredicateNode, depth, turns int) {
	c.deepest = max(c.deepest, depth)
	if depth > maxNesting {
		if c.innermost == nil {
			c.innermost = n
		}
		return // its cost would be past counting
	}
	steps := 1 + c.visit(n.Node, depth, turns)/nodesPerStep
	if c.turns == nil {
		c.turns = map[*ast.PredicateNode]int{}
	}
	c.turns[n] = steps
	c.add(turns, steps)
}

func (c *cost) add(turns, steps int) { c.nominal += turns * steps }

// patternSteps is what a pattern costs on a nominal text; what is no pattern has been complained about.
func patternSteps(text string) int {
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return 0
	}
	return programSize(parsed) * nominalText / patternStepsPerStep
}

// children are the nodes right below one; expr's own walk does not say when it enters a node.
func children(node ast.Node) []ast.Node {
	switch n := node.(type) {
	case *ast.UnaryNode:
		return []ast.Node{n.Node}
	case *ast.BinaryNode:
		return []ast.Node{n.Left, n.Right}
	case *ast.ChainNode:
		return []ast.Node{n.Node}
	case *ast.MemberNode:
		return []ast.Node{n.Node, n.Property}
	case *ast.SliceNode:
		return []ast.Node{n.Node, n.From, n.To}
	case *ast.CallNode:
		return append([]ast.Node{n.Callee}, n.Arguments...)
	case *ast.BuiltinNode:
		return n.Arguments
	case *ast.PredicateNode:
		return []ast.Node{n.Node}
	case *ast.VariableDeclaratorNode:
		return []ast.Node{n.Value, n.Expr}
	case *ast.SequenceNode:
		return n.Nodes
	case *ast.ConditionalNode:
		return []ast.Node{n.Cond, n.Exp1, n.Exp2}
	case *ast.ArrayNode:
		return n.Nodes
	case *ast.MapNode:
		return n.Pairs
	case *ast.PairNode:
		return []ast.Node{n.Key, n.Value}
	}
	return nil
}

// visits is how many nodes a walk comes to. The parser makes a < b < c an && of two comparisons that share b, so that a
// walk comes to b twice, and four times to what is shared in it: a tree of few nodes can take for ever.
func visits(node ast.Node, known map[ast.Node]int) int {
	if node == nil {
		return 0
	}
	if count, again := known[node]; again {
		return count
	}
	count := 1
	for _, child := range children(node) {
		count = min(count+visits(child, known), math.MaxInt32)
	}
	known[node] = count
	return count
}

// refusal says what is wrong with an expression that costs too much, where, and what to do; nil when nothing is.
func (c *cost) refusal(text document.Text, node ast.Node) *document.Problem {
	switch {
	case c.innermost != nil:
		return at(text, c.innermost.Location().From,
			"more than %d loops stand inside each other here; take the inner ones into a transform, so that each goes through its list once", maxNesting)
	case c.nominal > stepBudget:
		return at(text, beginning(node).Location().From,
			"this costs some %d steps with lists of %d items, and may take %d; make it shorter, go through fewer lists inside each other, or use simpler patterns",
			c.nominal, nominalItems, stepBudget)
	}
	return nil
}

// maxBrackets is how many brackets may stand inside each other: what reads an expression goes down into each.
const maxBrackets = 100

// tooDeep finds the bracket that is one too many. It looks at the tokens only where the characters leave it open.
func tooDeep(text document.Text) *document.Problem {
	depth, deepest := 0, 0
	for i := range len(text.Value) {
		depth += bracketDepth(text.Value[i])
		deepest = max(deepest, depth)
	}
	if deepest <= maxBrackets {
		return nil
	}
	depth = 0
	for _, token := range tokensOf(text.Value) {
		if token.Kind != lexer.Bracket {
			continue
		}
		if depth += bracketDepth(token.Value[0]); depth > maxBrackets {
			return at(text, token.From, "more than %d brackets stand inside each other here; give the inner parts names in transforms", maxBrackets)
		}
	}
	return nil
}

// bracketDepth is 1 for a bracket that opens, -1 for one that closes.
func bracketDepth(character byte) int {
	switch character {
	case '(', '[', '{':
		return 1
	case ')', ']', '}':
		return -1
	}
	return 0
}

// expressions calls each for all expressions of a rule that it has.
func (r *rule) expressions(each func(*expression)) {
	for i := range r.match.parts {
		if value := r.match.parts[i].value; value != nil {
			each(value)
		}
	}
	for _, one := range r.transforms {
		each(one.value)
	}
	for _, one := range r.actions {
		for _, e := range []*expression{one.userID, one.traits, one.recipients, one.actor, one.data, one.tenant, one.cancellationKey} {
			if e != nil {
				each(e)
			}
		}
	}
}

// cost is that of all expressions of a rule.
func (r *rule) cost() (steps int) {
	r.expressions(func(e *expression) { steps += int(e.cost) })
	return steps
}

// tooCostly is what is wrong with a rule that would go over its budget on most events; nil when nothing is.
func (r *rule) tooCostly(place document.Place) *document.Problem {
	if r.info.Cost <= maxRuleCost {
		return nil
	}
	problem := place.Problem("the expressions of this rule cost some %d steps together with lists of %d items, and may take %d; split the rule",
		r.info.Cost, nominalItems, maxRuleCost)
	return &problem
}

// tooLarge is what is wrong with a rule that would take long to compile; nil when nothing is.
func (r *Rule) tooLarge() *document.Problem {
	for _, limit := range []struct {
		what      string
		has, most int
	}{
		{"transforms", len(r.Transform), maxTransforms},
		{"actions", len(r.Actions), maxActions},
		{"bytes of expressions", r.size(), maxRuleBytes},
	} {
		if limit.has > limit.most {
			problem := r.Place.Problem("this rule has %d %s, and may have %d; split the rule", limit.has, limit.what, limit.most)
			return &problem
		}
	}
	return nil
}

// size is the length of all expressions of a rule, in bytes.
func (r *Rule) size() int {
	size := len(r.Match.Value)
	for _, one := range r.Transform {
		size += len(one.Value.Value)
	}
	for _, one := range r.Actions {
		if i := one.Identify; i != nil {
			size += len(i.UserID.Value) + len(i.Traits.Value)
		}
		if t := one.Trigger; t != nil {
			size += len(t.Recipients.Value) + len(t.Actor.Value) + len(t.Data.Value) + len(t.Tenant.Value) + len(t.CancellationKey.Value)
		}
	}
	return size
}

// costly is from where on a rule is worth a word: it may take a tenth of its budget with short lists.
const costly = maxRuleCost / 10
