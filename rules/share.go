package rules

import "fmt"

// Share is how much of one rule's work the index saves.
type Share struct {
	Rule string
	// Under says under what the index files the rule, such as name: "user-signed-up". It is "" for a rule that is looked
	// at on every event.
	Under string
	// Clauses are the parts of the match at its top-level &&, and Probed those of them that are decided on the bytes of the
	// event: the others are evaluated, on the events for which the index finds the rule and no probed clause is false.
	Clauses, Probed int
	// Cost is about how many steps all of its expressions take on lists of a few items; see budget.
	Cost int
}

// Costly reports a rule that may come near its budget.
func (s Share) Costly() bool { return s.Cost >= costly }

// Indexed reports whether the index prunes the rule.
func (s Share) Indexed() bool { return s.Under != "" }

// Shares are those of all rules, in their order.
func (s *Set) Shares() []Share {
	shared := countShared(s.rules)
	shares := make([]Share, len(s.rules))
	for i, r := range s.rules {
		shares[i] = Share{Rule: r.key, Under: under(shared.best(r)), Clauses: len(r.match.parts), Cost: r.info.Cost}
		for p := range r.match.parts {
			if knows(r.match.parts[p].probe) {
				shares[i].Probed++
			}
		}
	}
	return shares
}

// under is a group in words, "" for none.
func under(g group) string {
	switch {
	case g == nil:
		return ""
	case len(g) == 0:
		return "nothing, for no event can match it"
	}
	var all []string
	for i := range g {
		all = append(all, fmt.Sprintf("%s: %s", g[i].path, &g[i]))
	}
	return oneOfThem(all)
}
