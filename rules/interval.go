package rules

import (
	"cmp"
	"slices"
)

// intervals find the rules whose range holds a number: a balanced tree over the ranges by their low ends, in one slice,
// each node knowing the highest end below it. A look-up costs the depth of the tree and what it finds.
type intervals struct {
	nodes []interval
}

type interval struct {
	low, high, highest float64
	rule               int32
}

func (t *intervals) add(low, high float64, rule int32) {
	if low <= high { // an empty range holds nothing
		t.nodes = append(t.nodes, interval{low: low, high: high, rule: rule})
	}
}

// build makes it ready to be asked.
func (t *intervals) build() {
	slices.SortFunc(t.nodes, func(a, b interval) int { return cmp.Compare(a.low, b.low) })
	t.highest(0, len(t.nodes))
}

func (t *intervals) highest(from, to int) float64 {
	if from >= to {
		return 0
	}
	middle := (from + to) / 2
	node := &t.nodes[middle]
	node.highest = node.high
	if from < middle {
		node.highest = max(node.highest, t.highest(from, middle))
	}
	if middle+1 < to {
		node.highest = max(node.highest, t.highest(middle+1, to))
	}
	return node.highest
}

// find appends the rules of all ranges that touch low to high.
func (t *intervals) find(low, high float64, into []int32) []int32 {
	return t.below(0, len(t.nodes), low, high, into)
}

func (t *intervals) below(from, to int, low, high float64, into []int32) []int32 {
	for from < to {
		middle := (from + to) / 2
		node := &t.nodes[middle]
		if node.highest < low {
			return into // everything here ends before
		}
		into = t.below(from, middle, low, high, into)
		if node.low > high {
			return into // everything on the right begins after
		}
		if node.high >= low {
			into = append(into, node.rule)
		}
		from = middle + 1
	}
	return into
}
