package rules

import (
	"math"
	"math/bits"
	"slices"

	"switchyard/engine"
)

// matcher finds the rules that an event could match: all that do, in order, and as few others as it can.
type matcher interface {
	// candidates appends their numbers to into.
	candidates(n *notes, into []int32) []int32
}

// index finds rules by what their matches look up. Each rule is filed under the alternatives of one part of its match,
// the one that the fewest other rules share; a rule that offers nothing is a candidate for every event. What it costs an
// event is a walk over the members that rules use and a look-up for each, whatever the number of rules.
type index struct {
	// texts and times are by the event's own texts and times; roots are the objects that must be walked, of which
	// members are by the numbers of their paths.
	texts   []nameIndex
	times   []nameIndex
	roots   []int
	members []*valueIndex
	// results are the paths at which the value is that of a function, missing those at which some rules want nothing.
	results []*eventPath
	missing []int
	// always are the rules that offer nothing.
	always []int32
}

type nameIndex struct {
	root   int // of eventNames
	values *valueIndex
}

// valueIndex finds rules by the value at one path. Rules are their numbers in the set.
type valueIndex struct {
	texts   map[string][]int32
	numbers map[float64][]int32
	bools   [2][]int32
	// prefixes and suffixes are by length, the lengths in order.
	prefixes, suffixes affixIndex
	ranges             intervals
	items              map[string][]int32
	present, there     []int32
	missing            []int32
	// all are the rules of a function's result, for one that can not be told.
	all []int32
	// Rules that would raise an error on a value of another type, which must be told.
	wantText, wantNumber, wantList []int32
}

type affixIndex struct {
	lengths []int
	rules   map[string][]int32
}

func newIndex(rules []*rule, size int) *index {
	b := indexBuilder{
		index: &index{members: make([]*valueIndex, size)}, names: make([]*valueIndex, len(eventNames)), shared: countShared(rules),
	}
	for number, r := range rules {
		b.file(r, int32(number))
	}
	return b.build()
}

// indexBuilder fills an index.
type indexBuilder struct {
	*index
	names  []*valueIndex
	roots  nameSet
	shared *sharing
}

// sharing is how many rules have an alternative.
type sharing struct {
	// rules counts them by the low bits of the alternative's hash. Of two that share these one may be taken for the other,
	// and a rule be filed under what more rules have than it could be: that is seldom, and costs little.
	rules []uint32
	// lows and highs are the ends of all ranges of a path, in order.
	lows, highs map[*eventPath][]float64
}

func countShared(rules []*rule) *sharing {
	count := 0
	for _, r := range rules {
		count += len(r.match.groups)
	}
	s := &sharing{make([]uint32, 1<<bits.Len(uint(4*count))), map[*eventPath][]float64{}, map[*eventPath][]float64{}}
	for _, r := range rules {
		for _, g := range r.match.groups {
			for i := range g {
				s.count(&g[i])
			}
		}
	}
	for path := range s.lows {
		slices.Sort(s.lows[path])
		slices.Sort(s.highs[path])
	}
	return s
}

func (s *sharing) slot(p *predicate) *uint32 { return &s.rules[int(p.hash)&(len(s.rules)-1)] }

func (s *sharing) count(p *predicate) {
	if p.kind != inRange {
		*s.slot(p)++
		return
	}
	s.lows[p.path] = append(s.lows[p.path], p.low)
	s.highs[p.path] = append(s.highs[p.path], p.high)
}

// with is about how many rules an event finds that fits an alternative: those that have it too, and for a range, those
// whose ranges overlap it.
func (s *sharing) with(p *predicate) int {
	if p.kind != inRange {
		return int(*s.slot(p))
	}
	begun, _ := slices.BinarySearch(s.lows[p.path], math.Nextafter(p.high, math.Inf(1)))
	ended, _ := slices.BinarySearch(s.highs[p.path], p.low)
	return begun - ended
}

// file puts a rule under its best group.
func (b *indexBuilder) file(r *rule, number int32) {
	best := b.shared.best(r)
	if best == nil {
		b.always = append(b.always, number)
		return
	}
	for i := range best {
		b.values(best[i].path).add(&best[i], number)
	}
}

// best is the group that a rule is filed under; nil when it offers none.
func (s *sharing) best(r *rule) group {
	best, least := group(nil), math.MaxInt
	for _, g := range r.match.groups {
		if cost := s.cost(g); cost < least {
			best, least = g, cost
		}
	}
	return best
}

// cost is about how many rules an event finds together with this one, and how many events find them. What needs no walk is
// preferred.
func (s *sharing) cost(g group) int {
	cost := 0
	for i := range g {
		p := &g[i]
		shared := s.with(p)
		switch {
		case p.kind == inRange:
			shared += 2
		case p.kind == isPresent, p.kind == isThere, p.kind == isMissing, p.path.isOfFew():
			shared += 16
		}
		cost += 4 * shared
		if p.path.isBelow() {
			cost++
		}
	}
	return cost
}

// values is the index of a path.
func (b *indexBuilder) values(path *eventPath) *valueIndex {
	at := &b.names[path.root]
	if path.isBelow() {
		at = &b.members[path.number]
		if path.via == nil || path.of.isBelow() {
			b.roots |= 1 << path.root
		}
	}
	if *at == nil {
		*at = &valueIndex{}
		if path.via != nil {
			b.results = append(b.results, path)
		}
	}
	return *at
}

func (b *indexBuilder) build() *index {
	for root, values := range b.names {
		switch {
		case values == nil:
		case eventNames[root].text != nil:
			b.texts = append(b.texts, nameIndex{root, values.build()})
		default:
			b.times = append(b.times, nameIndex{root, values.build()})
		}
		if b.roots&(1<<root) != 0 {
			b.index.roots = append(b.index.roots, root)
		}
	}
	for number, values := range b.members {
		if values != nil && len(values.build().missing) > 0 {
			b.missing = append(b.missing, number)
		}
	}
	return b.index
}

func (v *valueIndex) add(p *predicate, rule int32) {
	if p.path.via != nil {
		v.all = append(v.all, rule)
	}
	switch p.kind {
	case isText:
		put(&v.texts, p.text, rule)
	case isNumeral:
		put(&v.numbers, p.low, rule)
	case isBool:
		v.bools[int(p.low)] = append(v.bools[int(p.low)], rule)
	case hasPrefix:
		put(&v.prefixes.rules, p.text, rule)
		v.wantText = append(v.wantText, rule)
	case hasSuffix:
		put(&v.suffixes.rules, p.text, rule)
		v.wantText = append(v.wantText, rule)
	case inRange:
		v.ranges.add(p.low, p.high, rule)
		v.wantNumber = append(v.wantNumber, rule)
	case hasItem:
		put(&v.items, p.text, rule)
		v.wantList = append(v.wantList, rule)
	case isPresent:
		v.present = append(v.present, rule)
	case isThere:
		v.there = append(v.there, rule)
	case isMissing:
		v.missing = append(v.missing, rule)
	}
}

func (v *valueIndex) build() *valueIndex {
	v.ranges.build()
	v.prefixes.build()
	v.suffixes.build()
	return v
}

// put files a rule in a map that is made for the first one.
func put[K comparable](rules *map[K][]int32, key K, rule int32) {
	if *rules == nil {
		*rules = map[K][]int32{}
	}
	(*rules)[key] = append((*rules)[key], rule)
}

func (a *affixIndex) build() {
	for text := range a.rules {
		if !slices.Contains(a.lengths, len(text)) {
			a.lengths = append(a.lengths, len(text))
		}
	}
	slices.Sort(a.lengths)
}

func boolIndex(value bool) int {
	if value {
		return 1
	}
	return 0
}

func (x *index) candidates(n *notes, into []int32) []int32 {
	before := len(into)
	for i := range x.texts {
		into = x.texts[i].values.text(n.name(x.texts[i].root).raw, into)
	}
	for i := range x.times {
		at := timeNumber(n.name(x.times[i].root).at)
		into = x.times[i].values.ranges.find(at, at, into)
	}
	for _, root := range x.roots {
		n.walk(root)
	}
	for _, path := range x.results {
		n.result(path)
	}
	for _, number := range n.seen {
		if values := x.members[number]; values != nil {
			into = values.find(&n.values[number], into)
		}
	}
	for _, number := range x.missing {
		if n.values[number].missing() {
			into = append(into, x.members[number].missing...)
		}
	}
	found := into[before:]
	if len(found) > 1 { // a rule may have been found by several alternatives
		slices.Sort(found)
		into = into[:before+len(slices.Compact(found))]
	}
	return interleave(into, before, x.always)
}

// interleave puts numbers in order among those of into from a position on, which are in order too.
func interleave(into []int32, from int, more []int32) []int32 {
	at := len(into) - 1
	if at < from {
		return append(into, more...)
	}
	into = append(into, more...)
	for last := len(into) - 1; len(more) > 0; last-- {
		if at >= from && into[at] > more[len(more)-1] {
			into[last] = into[at]
			at--
			continue
		}
		into[last] = more[len(more)-1]
		more = more[:len(more)-1]
	}
	return into
}

// find appends the rules for a value.
func (v *valueIndex) find(found *value, into []int32) []int32 {
	switch found.kind {
	case absent:
		return into
	case untold:
		return append(into, v.all...)
	}
	into = append(into, v.there...)
	if found.kind == 'n' {
		return into // as if it were not there
	}
	into = append(into, v.present...)
	switch found.kind {
	case '"':
		return v.text(found.raw, append(append(into, v.wantNumber...), v.wantList...))
	case isNumber:
		return v.number(found.raw, append(append(into, v.wantText...), v.wantList...))
	case '[':
		into = v.list(found.raw, into)
	case 't', 'f':
		into = append(append(into, v.wantList...), v.bools[boolIndex(found.kind == 't')]...)
	default:
		into = append(into, v.wantList...)
	}
	return append(append(into, v.wantNumber...), v.wantText...)
}

// text looks a text up; the compiler makes no string for that.
func (v *valueIndex) text(text []byte, into []int32) []int32 {
	into = append(into, v.texts[string(text)]...)
	for _, length := range v.prefixes.lengths {
		if length > len(text) {
			break
		}
		into = append(into, v.prefixes.rules[string(text[:length])]...)
	}
	for _, length := range v.suffixes.lengths {
		if length > len(text) {
			break
		}
		into = append(into, v.suffixes.rules[string(text[len(text)-length:])]...)
	}
	return into
}

func (v *valueIndex) list(list []byte, into []int32) []int32 {
	if len(v.items) == 0 {
		return into
	}
	items := engine.WalkArray(list)
	for walked := 0; ; walked++ {
		raw, ok := items.NextItem()
		switch {
		case !ok:
			return into
		case walked == probeSteps: // so many that the expression may raise an error
			return append(into, v.wantList...)
		}
		if item := jsonValue(raw); item.kind == '"' {
			into = append(into, v.items[string(item.raw)]...)
		}
	}
}

// exactly is the number up to which float64 has every whole one; beyond it, and it is rare, the neighbours count, too.
const exactly = 1 << 53

func (v *valueIndex) number(literal []byte, into []int32) []int32 {
	number := floatOf(literal)
	into = append(into, v.numbers[number]...)
	if math.IsInf(number, 0) { // and perhaps too long to be compared
		into = append(into, v.wantNumber...)
	}
	low, high := number, number
	if math.Abs(number) >= exactly || math.IsInf(number, 0) {
		low, high = math.Nextafter(number, math.Inf(-1)), math.Nextafter(number, math.Inf(1))
		if low != number {
			into = append(into, v.numbers[low]...)
		}
		if high != number {
			into = append(into, v.numbers[high]...)
		}
	}
	return v.ranges.find(low, high, into)
}
