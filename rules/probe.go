package rules

// answer is what a probe knows of a condition.
type answer int8

const (
	// unsure: only the expression can tell. It is the answer where the expression would raise an error, which must be told
	// with its place, and where the probe does not know the operator.
	unsure answer = iota
	no
	yes
)

func answerOf(holds bool) answer {
	if holds {
		return yes
	}
	return no
}

func (a answer) not() answer {
	switch a {
	case yes:
		return no
	case no:
		return yes
	}
	return unsure
}

// probe is a condition as far as it can be told from the bytes of the values that it looks at. What it answers is what
// the expression would; TestProbesAgainstExpressions and FuzzIndex hold that.
type probe interface {
	// ask is the condition on one event.
	ask(n *notes) answer
	// offers are groups of alternatives: the condition can come to want, or to an error, only if one of each group fits.
	offers(want bool) []group
	// fails reports whether evaluating the condition can raise an error.
	fails() bool
	// paths calls add for every path that is looked at.
	paths(add func(*eventPath))
}

// knows reports a probe that is unsure only of values of a wrong type, and of very long ones.
func knows(p probe) bool {
	switch p := p.(type) {
	case opaque:
		return false
	case not:
		return knows(p.probe)
	case *both:
		return knows(p.left) && knows(p.right)
	}
	return true
}

// opaque is a condition that only the expression can tell.
type opaque struct {
	// need is a path without whose value the condition is false; nil when nothing is known.
	need *eventPath
}

func (o opaque) ask(n *notes) answer {
	if o.need != nil {
		if v := n.at(o.need); v.missing() {
			return no
		}
	}
	return unsure
}

func (o opaque) offers(want bool) []group {
	if o.need == nil || !want || !o.need.isBelow() { // a text or time of the event is never missing
		return nil
	}
	return []group{{{path: o.need, kind: isPresent}}}
}

func (o opaque) fails() bool { return true }

func (o opaque) paths(add func(*eventPath)) {
	if o.need != nil {
		add(o.need)
	}
}

// inquiry asks one question about the value at one path.
type inquiry struct {
	path *eventPath
	question
	// orElse is the answer when the value is missing.
	orElse answer
}

func (i *inquiry) ask(n *notes) answer {
	switch v := n.at(i.path); {
	case v.kind == untold:
		return unsure
	case v.missing():
		return i.orElse
	default:
		return i.of(v, n)
	}
}

func (i *inquiry) offers(want bool) []group {
	alternatives, ok := i.question.offers(i.path, want)
	if !ok {
		return nil
	}
	if i.path.via != nil && len(alternatives) == 0 {
		alternatives = group{{path: i.path, kind: isUntold}}
	}
	if i.orElse != answerOf(!want) {
		if !i.path.isBelow() {
			return []group{alternatives} // a text or time of the event is never missing
		}
		alternatives = append(alternatives, predicate{path: i.path, kind: isMissing})
	}
	return []group{alternatives}
}

func (i *inquiry) fails() bool { return i.orElse == unsure || i.path.via != nil || i.question.fails() }

func (i *inquiry) paths(add func(*eventPath)) { add(i.path) }

// not is !a.
type not struct{ probe }

func (p not) ask(n *notes) answer { return p.probe.ask(n).not() }

func (p not) offers(want bool) []group { return p.probe.offers(!want) }

// both is a && b, from left to right: the right is not looked at when the left is false or raises an error. An || is
// the both of two nots, negated, which comes to the same from left to right.
type both struct{ left, right probe }

func (p *both) ask(n *notes) answer {
	if left := p.left.ask(n); left != yes {
		return left
	}
	return p.right.ask(n)
}

func (p *both) offers(want bool) []group {
	if want {
		groups := p.left.offers(true)
		if !p.left.fails() { // else its error stands, whatever the right is
			groups = append(groups, p.right.offers(true)...)
		}
		return groups
	}
	left, right := handiest(p.left.offers(false)), handiest(p.right.offers(false))
	if left == nil || right == nil || len(left)+len(right) > maxAlternatives {
		return nil
	}
	return []group{append(left[:len(left):len(left)], right...)}
}

func (p *both) fails() bool { return p.left.fails() || p.right.fails() }

func (p *both) paths(add func(*eventPath)) {
	p.left.paths(add)
	p.right.paths(add)
}

// either is a || b.
func either(left, right probe) probe { return not{&both{not{left}, not{right}}} }

// handiest is the group that probably fits the fewest events.
func handiest(groups []group) (best group) {
	least := 0
	for _, g := range groups {
		cost := 0
		for i := range g {
			cost += g[i].kind.breadth()
		}
		if best == nil || cost < least {
			best, least = g, cost
		}
	}
	return best
}
