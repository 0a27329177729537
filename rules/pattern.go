package rules

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
)

// pattern is a regular expression in RE2's syntax, whose cost is at most the length of the text by the size of its
// program.
type pattern struct {
	*regexp.Regexp
	size int
}

// The bounds of patterns: those that are made while an event is decided must be short, for each is compiled then.
const (
	maxMadePattern  = 1 << 10
	maxPatternSize  = 10_000
	maxPatternSteps = 16 << 20
)

func newPattern(text string) (*pattern, error) {
	compiled, err := regexp.Compile(text)
	if err != nil {
		return nil, err
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, err
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, err
	}
	if len(program.Inst) > maxPatternSize {
		return nil, errors.New("the pattern is too complex")
	}
	return &pattern{compiled, len(program.Inst)}, nil
}

// checkPattern is for a pattern that is a literal.
func checkPattern(text string) error {
	_, err := newPattern(text)
	return err
}

// patternOf is the second operand of matches, or argument of extract, ready for a text.
func patternOf(function string, value any, text string) (p *pattern, err error) {
	switch v := value.(type) {
	case *pattern:
		p = v
	case string:
		if len(v) > maxMadePattern {
			return nil, fmt.Errorf("%s: a pattern that is no literal may have %d bytes", function, maxMadePattern)
		}
		if p, err = newPattern(v); err != nil {
			return nil, err
		}
	default:
		return nil, needs(function, "a pattern", value)
	}
	if len(text)*p.size > maxPatternSteps {
		return nil, fmt.Errorf("%s: the text is too long for this pattern", function)
	}
	return p, nil
}
