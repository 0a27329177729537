package rules

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// pattern is a regular expression in RE2's syntax, whose cost is at most the length of the text by the size of its
// program.
type pattern struct {
	*regexp.Regexp
	size int
}

// The bounds of patterns: those that are made while an event is decided must be short, for each is compiled then.
const (
	maxMadePattern = 1 << 10
	maxPatternSize = 10_000
	// maxPatternClasses bounds classes such as \pL, each of which is hundreds of ranges.
	maxPatternClasses = 100
)

var (
	errComplexPattern = errors.New("the pattern is too complex")
	errManyPatterns   = errors.New("the patterns of this expression are too complex together; give some of them names in transforms")
	errManyClasses    = fmt.Errorf(`the pattern has more than %d classes such as \pL`, maxPatternClasses)
)

// newPattern compiles a pattern; one that is too complex is refused before it takes time or memory.
func newPattern(text string) (*pattern, error) {
	size, err := patternSize(text)
	if err != nil {
		return nil, err
	}
	compiled, err := regexp.Compile(text)
	if err != nil {
		return nil, err
	}
	return &pattern{compiled, size}, nil
}

// patternSize is about the size of a pattern's program.
func patternSize(text string) (int, error) {
	if classesIn(text) > maxPatternClasses {
		return 0, errManyClasses
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return 0, err
	}
	size := programSize(parsed)
	if size > maxPatternSize {
		return 0, errComplexPattern
	}
	return size, nil
}

func classesIn(text string) int { return strings.Count(text, `\p`) + strings.Count(text, `\P`) }

// programSize is about how many instructions a pattern has, without compiling it. Past maxPatternSize it is only more.
func programSize(re *syntax.Regexp) int {
	size := 1
	for _, part := range re.Sub {
		if size += programSize(part); size > maxPatternSize {
			return size
		}
	}
	switch re.Op {
	case syntax.OpLiteral:
		size += len(re.Rune)
	case syntax.OpCapture:
		size += 2
	case syntax.OpRepeat:
		size *= max(re.Min, re.Max, 1)
	}
	return size
}

// patterns looks at the literal patterns of one expression, before expr compiles them to see whether it can: what they
// take to read is bounded for all of them together.
type patterns struct {
	literals
	classes, size int
}

// Visit implements ast.Visitor.
func (p *patterns) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.BinaryNode:
		if n.Operator == "matches" {
			p.check(n.Right, p.pattern)
		}
	case *ast.CallNode:
		if nameOf(n.Callee) == "extract" && len(n.Arguments) > 1 {
			p.check(n.Arguments[1], p.pattern)
		}
	}
}

func (p *patterns) pattern(text string) error {
	if p.classes += classesIn(text); p.classes > maxPatternClasses {
		return errManyClasses
	}
	size, err := patternSize(text)
	if p.size += size; err == nil && p.size > 2*maxPatternSize {
		return errManyPatterns
	}
	return err
}

// steps is what it takes to match a text.
func (p *pattern) steps(text string) int {
	return len(text)/patternStepsPerStep*p.size + len(text)%patternStepsPerStep*p.size/patternStepsPerStep
}

// madeSteps is what it takes to compile a pattern that is no literal.
func madeSteps(text string) int { return 8 + 2*len(text) + 300*classesIn(text) }

// patternFor is the second operand of matches, or argument of extract, ready for a text, with all that it will cost taken.
func (b *budget) patternFor(function string, value any, text string) (p *pattern, err error) {
	switch v := value.(type) {
	case *pattern:
		p = v
	case string:
		if len(v) > maxMadePattern {
			return nil, fmt.Errorf("%s: a pattern that is no literal may have %d bytes", function, maxMadePattern)
		}
		if err := b.step(madeSteps(v)); err != nil {
			return nil, err
		}
		if p, err = newPattern(v); err != nil {
			return nil, err
		}
		if err := b.step(p.size); err != nil {
			return nil, err
		}
	default:
		return nil, needs(function, "a pattern", value)
	}
	return p, b.step(p.steps(text))
}
