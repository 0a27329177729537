package rules

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// What of a condition can be looked up. A part of a match offers groups of alternatives when it can be true only if one
// alternative of each fits: name == "a" offers one, data.plan in ["pro", "team"] two, and an || what all its sides offer.
// The index files a rule under the alternatives of one group; which rules it then finds is a superset of those that
// match. So an alternative may be wider than the condition, never narrower: values that would raise an error count as
// fitting, since the error must be told.

// predicate is one alternative: something about the value at a path.
type predicate struct {
	path *eventPath
	kind predicateKind
	// hash is of all else, once it is set; see sharing.
	hash uint32
	// text is that of isText, hasPrefix, hasSuffix and hasItem.
	text string
	// low is the number of isNumeral, and 0 or 1 of isBool; low and high are the ends of inRange, both included.
	low, high float64
}

type predicateKind uint8

const (
	isText predicateKind = iota
	isNumeral
	isBool
	hasItem
	hasPrefix
	hasSuffix
	inRange
	isPresent
	// isThere is isPresent, with null too.
	isThere
	isMissing
	// isUntold is a function's result that can not be told, which every alternative for its path takes in.
	isUntold
)

// breadth is about how many events a predicate of a kind fits, beside others of the same path.
func (k predicateKind) breadth() int {
	switch k {
	case isText, isNumeral, hasItem:
		return 1
	case hasPrefix, hasSuffix:
		return 2
	case inRange, isBool:
		return 8
	}
	return 64
}

// hashed is the predicate with its hash, which depends on nothing that differs from one run to the next.
func (p predicate) hashed() predicate {
	const prime = 0x9e3779b97f4a7c15
	h := uint64(p.path.number)<<8 | uint64(p.kind)
	for _, number := range []uint64{math.Float64bits(p.low), math.Float64bits(p.high)} {
		h = (h ^ number) * prime
		h ^= h >> 32
	}
	for i := range len(p.text) {
		h = (h ^ uint64(p.text[i])) * prime
	}
	p.hash = uint32(h >> 32)
	return p
}

// group is the alternatives of one part of a match.
type group []predicate

// maxAlternatives bounds a group; a longer list of literals is filed under the presence of its path.
const maxAlternatives = 1000

// String is the key that the index has for an alternative.
func (p *predicate) String() string {
	switch p.kind {
	case isText:
		return shownValue(p.text)
	case isNumeral:
		return rounded(p.low)
	case isBool:
		return strconv.FormatBool(p.low == 1)
	case hasItem:
		return "lists with " + shownValue(p.text)
	case hasPrefix:
		return "texts that begin with " + shownValue(p.text)
	case hasSuffix:
		return "texts that end with " + shownValue(p.text)
	case inRange:
		return p.rangeText()
	case isMissing:
		return "no value"
	case isUntold:
		return "an error"
	}
	return "any value"
}

func (p *predicate) rangeText() string {
	what, shown := "numbers", rounded
	if p.path.isTime() {
		what, shown = "times", timeOfNumber
	}
	switch low, high := shown(p.low), shown(p.high); {
	case math.IsInf(p.low, -1):
		return fmt.Sprintf("%s up to %s", what, high)
	case math.IsInf(p.high, 1):
		return fmt.Sprintf("%s from %s", what, low)
	default:
		return fmt.Sprintf("%s from %s to %s", what, low, high)
	}
}

// rounded hides that ranges are filed a little wider than they are.
func rounded(number float64) string { return strconv.FormatFloat(number, 'g', 12, 64) }

func timeOfNumber(seconds float64) string {
	return time.Unix(int64(math.Round(seconds)), 0).UTC().Format(timeLayout)
}

// joined is what several parts offer together: two ends of a range of one value make one range. It is what a rule keeps,
// no larger than need be.
func joined(groups []group) []group {
	all := make([]group, 0, len(groups))
	at := map[*eventPath]int{}
	for _, one := range groups {
		if len(one) == 1 && one[0].kind == inRange {
			if i, again := at[one[0].path]; again {
				all[i][0].low, all[i][0].high = max(all[i][0].low, one[0].low), min(all[i][0].high, one[0].high)
				continue
			}
			at[one[0].path] = len(all)
		}
		all = append(all, slices.Clip(slices.Clone(one)))
	}
	for _, one := range all {
		for i := range one {
			one[i] = one[i].hashed()
		}
	}
	return all
}
