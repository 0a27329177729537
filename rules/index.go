package rules

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strconv"

	"switchyard/engine"
)

// matcher finds the rules that an event could match: all that do, in order, and as few others as it can.
type matcher interface {
	// candidates appends them to into.
	candidates(event *engine.Event, into []*rule) []*rule
}

// index finds rules by what their matches look up. Each rule is filed under the alternatives of one part of its match,
// the one that the fewest other rules share; a rule that offers nothing is a candidate for every event. What it costs an
// event is a walk over the members that rules use and a look-up for each, whatever the number of rules.
type index struct {
	// texts are by the event's own texts, roots by the members of its objects.
	texts []textIndex
	roots []rootIndex
	// always are the rules that offer nothing.
	always []*rule
}

type textIndex struct {
	of     func(*engine.Event) string
	values *valueIndex
}

type rootIndex struct {
	of   func(*engine.Event) json.RawMessage
	node *pathNode
}

// pathNode is a member that rules use, or one on the way to it.
type pathNode struct {
	below  map[string]*pathNode
	values *valueIndex // nil on the way
}

// valueIndex finds rules by the value at one path.
type valueIndex struct {
	texts   map[string][]*rule
	numbers map[float64][]*rule
	bools   [2][]*rule
	// prefixes and suffixes are by length, the lengths in order.
	prefixes, suffixes affixIndex
	ranges             intervals
	present            []*rule
	// Rules that would raise an error on a value of another type, which must be told.
	wantText, wantNumber []*rule
}

type affixIndex struct {
	lengths []int
	rules   map[string][]*rule
}

func newIndex(rules []*rule) *index {
	b := indexBuilder{index: &index{}, texts: map[int]*valueIndex{}, roots: map[int]*pathNode{}, shared: countShared(rules)}
	for _, r := range rules {
		b.file(r)
	}
	return b.build()
}

func countShared(rules []*rule) sharing {
	shared := sharing{}
	for _, r := range rules {
		for _, g := range r.match.groups {
			for i := range g {
				shared[keyOf(&g[i])]++
			}
		}
	}
	return shared
}

// indexBuilder fills an index.
type indexBuilder struct {
	*index
	texts  map[int]*valueIndex
	roots  map[int]*pathNode
	shared sharing
}

// sharing is how many rules have an alternative.
type sharing map[predicateKey]int

type predicateKey struct {
	root  int
	path  string
	kind  predicateKind
	value any
}

// keyOf tells alternatives apart. All ranges of one value count as the same: how many hold a number is not known.
func keyOf(p *predicate) predicateKey {
	key := predicateKey{p.root, p.path, p.kind, p.value}
	if p.kind == hasPrefix || p.kind == hasSuffix {
		key.value = p.text
	}
	return key
}

// file puts a rule under its best group.
func (b *indexBuilder) file(r *rule) {
	best := b.shared.best(r)
	if best == nil {
		b.always = append(b.always, r)
		return
	}
	for i := range best {
		b.values(&best[i]).add(&best[i], r)
	}
}

// best is the group that a rule is filed under; nil when it offers none.
func (s sharing) best(r *rule) group {
	best, least := group(nil), math.MaxInt
	for _, g := range r.match.groups {
		if cost := s.cost(g); cost < least {
			best, least = g, cost
		}
	}
	return best
}

// cost is about how many rules an event will find together with this one. What needs no walk is preferred, and a range
// to what is merely there.
func (s sharing) cost(g group) int {
	cost := 0
	for i := range g {
		p := &g[i]
		shared := s[keyOf(p)]
		switch p.kind {
		case inRange:
			shared = shared/8 + 2
		case isPresent:
			shared += 16
		}
		cost += 4 * shared
		if p.names != nil {
			cost++
		}
	}
	return cost
}

// values is the index of an alternative's path.
func (b *indexBuilder) values(p *predicate) *valueIndex {
	if p.names == nil {
		if b.texts[p.root] == nil {
			b.texts[p.root] = newValueIndex()
		}
		return b.texts[p.root]
	}
	node := b.roots[p.root]
	if node == nil {
		node = &pathNode{}
		b.roots[p.root] = node
	}
	for _, name := range p.names {
		if node.below == nil {
			node.below = map[string]*pathNode{}
		}
		if node.below[name] == nil {
			node.below[name] = &pathNode{}
		}
		node = node.below[name]
	}
	if node.values == nil {
		node.values = newValueIndex()
	}
	return node.values
}

func (b *indexBuilder) build() *index {
	for root := range eventNames {
		if values := b.texts[root]; values != nil {
			values.build()
			b.index.texts = append(b.index.texts, textIndex{eventNames[root].text, values})
		}
		if node := b.roots[root]; node != nil {
			node.build()
			b.index.roots = append(b.index.roots, rootIndex{eventNames[root].object, node})
		}
	}
	return b.index
}

func (n *pathNode) build() {
	if n.values != nil {
		n.values.build()
	}
	for _, below := range n.below {
		below.build()
	}
}

func newValueIndex() *valueIndex {
	return &valueIndex{
		texts: map[string][]*rule{}, numbers: map[float64][]*rule{},
		prefixes: affixIndex{rules: map[string][]*rule{}}, suffixes: affixIndex{rules: map[string][]*rule{}},
	}
}

func (v *valueIndex) add(p *predicate, r *rule) {
	switch p.kind {
	case isEqual:
		switch value := p.value.(type) {
		case string:
			v.texts[value] = append(v.texts[value], r)
		case float64:
			v.numbers[value] = append(v.numbers[value], r)
		case bool:
			v.bools[boolIndex(value)] = append(v.bools[boolIndex(value)], r)
		}
	case hasPrefix:
		v.prefixes.add(p.text, r)
		v.wantText = append(v.wantText, r)
	case hasSuffix:
		v.suffixes.add(p.text, r)
		v.wantText = append(v.wantText, r)
	case inRange:
		v.ranges.add(p.low, p.high, r)
		v.wantNumber = append(v.wantNumber, r)
	case isPresent:
		v.present = append(v.present, r)
	}
}

func (v *valueIndex) build() {
	v.ranges.build()
	v.prefixes.build()
	v.suffixes.build()
}

func (a *affixIndex) add(text string, r *rule) { a.rules[text] = append(a.rules[text], r) }

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

func (x *index) candidates(event *engine.Event, into []*rule) []*rule {
	before := len(into)
	into = append(into, x.always...)
	for i := range x.texts {
		into = x.texts[i].values.text(x.texts[i].of(event), into)
	}
	for i := range x.roots {
		into = x.roots[i].node.walk(x.roots[i].of(event), into)
	}
	found := into[before:]
	if len(found) < 2 {
		return into
	}
	slices.SortFunc(found, func(a, b *rule) int { return cmp.Compare(a.number, b.number) })
	return into[:before+len(slices.Compact(found))] // a rule may have been found by several alternatives
}

// walk looks at the members of an object that rules use. Of repeated ones every one is looked at, though only the last
// counts: that finds more rules, not fewer.
func (n *pathNode) walk(object []byte, into []*rule) []*rule {
	members := engine.WalkObject(object)
	for {
		name, value, ok := members.Next()
		if !ok {
			return into
		}
		node := n.below[string(name)]
		if node == nil && bytes.IndexByte(name, '\\') >= 0 {
			node = n.below[unescaped(name)]
		}
		if node == nil {
			continue
		}
		if node.values != nil {
			into = node.values.json(value, into)
		}
		if node.below != nil && value[0] == '{' {
			into = node.walk(value, into)
		}
	}
}

func unescaped(name []byte) string {
	text, _ := engine.StringOf(slices.Concat([]byte{'"'}, name, []byte{'"'}))
	return text
}

// json finds the rules for a value as it stands in the event.
func (v *valueIndex) json(value []byte, into []*rule) []*rule {
	switch value[0] {
	case 'n':
		return into // as if it were not there
	case '"':
		into = append(append(into, v.present...), v.wantNumber...)
		if bytes.IndexByte(value, '\\') >= 0 {
			return v.text(unescaped(value[1:len(value)-1]), into)
		}
		return v.bytes(value[1:len(value)-1], into)
	case 't', 'f':
		into = append(into, v.bools[boolIndex(value[0] == 't')]...)
	case '{', '[':
	default:
		into = append(append(into, v.present...), v.wantText...)
		return v.number(value, into)
	}
	return append(append(append(into, v.present...), v.wantNumber...), v.wantText...)
}

func (v *valueIndex) text(text string, into []*rule) []*rule {
	into = append(into, v.texts[text]...)
	for _, length := range v.prefixes.lengths {
		if length > len(text) {
			break
		}
		into = append(into, v.prefixes.rules[text[:length]]...)
	}
	for _, length := range v.suffixes.lengths {
		if length > len(text) {
			break
		}
		into = append(into, v.suffixes.rules[text[len(text)-length:]]...)
	}
	return into
}

// bytes is text, for one that is not a string yet; the compiler makes none for a look-up.
func (v *valueIndex) bytes(text []byte, into []*rule) []*rule {
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

// exactly is the number up to which float64 has every whole one; beyond it, and it is rare, the neighbours count, too.
const exactly = 1 << 53

func (v *valueIndex) number(literal []byte, into []*rule) []*rule {
	value := floatOf(literal)
	into = append(into, v.numbers[value]...)
	low, high := value, value
	if math.Abs(value) >= exactly || math.IsInf(value, 0) {
		low, high = math.Nextafter(value, math.Inf(-1)), math.Nextafter(value, math.Inf(1))
		if low != value {
			into = append(into, v.numbers[low]...)
		}
		if high != value {
			into = append(into, v.numbers[high]...)
		}
	}
	return v.ranges.find(low, high, into)
}

// floatOf reads a checked number; a short whole one, as most are, without help.
func floatOf(literal []byte) float64 {
	if len(literal) <= 15 {
		whole := 0
		for i, c := range literal {
			if c < '0' || c > '9' {
				if i == 0 && c == '-' && len(literal) > 1 {
					continue
				}
				whole = -1
				break
			}
			whole = whole*10 + int(c-'0')
		}
		if whole >= 0 && literal[0] != '-' {
			return float64(whole)
		}
		if whole > 0 {
			return -float64(whole)
		}
	}
	value, _ := strconv.ParseFloat(string(literal), 64) // out of range it is infinite
	return value
}
