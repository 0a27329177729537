package rules

import (
	"bytes"
	"cmp"
	"math"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"switchyard/engine"
)

// question is one comparison of a value with literals. The value is there, and not null.
type question interface {
	of(v *value, n *notes) answer
	// offers are the alternatives of which one fits the value if the answer is want or unsure; ok is false when any value
	// may do.
	offers(at *eventPath, want bool) (alternatives group, ok bool)
	// fails reports whether the answer can be unsure.
	fails() bool
}

// certain is what a question is that is never unsure.
type certain struct{}

func (certain) fails() bool { return false }

// doubtful is what a question is that values of a wrong type make raise an error.
type doubtful struct{}

func (doubtful) fails() bool { return true }

// presence is x != nil, which nothing but a missing value fails.
type presence struct{ certain }

func (presence) of(*value, *notes) answer { return yes }

func (presence) offers(at *eventPath, want bool) (group, bool) {
	if !want {
		return group{}, true
	}
	return group{{path: at, kind: isPresent}}, at.isBelow()
}

// truthOf is a value that is a condition by itself.
type truthOf struct{ doubtful }

func (truthOf) of(v *value, _ *notes) answer {
	switch v.kind {
	case 't':
		return yes
	case 'f':
		return no
	}
	return unsure
}

func (truthOf) offers(at *eventPath, want bool) (group, bool) {
	return group{{path: at, kind: isPresent}}, want && at.isBelow()
}

// equals is ==, or in with a list of literals.
type equals struct {
	certain
	texts   []string
	numbers []numeral
	bools   [2]bool // false, true
	// many are the texts when they are more than a few.
	many map[string]struct{}
}

// few is up to how many texts are compared one by one.
const few = 8

func (q *equals) add(literal any) {
	switch l := literal.(type) {
	case string:
		q.texts = append(q.texts, l)
	case bool:
		q.bools[boolIndex(l)] = true
	default:
		q.numbers = append(q.numbers, numeralOf(l))
	}
}

// ready is called when all literals are there.
func (q *equals) ready() *equals {
	if len(q.texts) > few {
		q.many = make(map[string]struct{}, len(q.texts))
		for _, text := range q.texts {
			q.many[text] = struct{}{}
		}
	}
	return q
}

func (q *equals) of(v *value, _ *notes) answer {
	switch v.kind {
	case '"':
		return answerOf(q.hasText(v.raw))
	case isNumber:
		if len(q.numbers) > 0 && len(v.raw) > maxProbedNumber {
			return unsure // though the expression is never: it reads the number once for all rules
		}
		for i := range q.numbers {
			if order, ok := q.numbers[i].compare(v.raw); ok && order == 0 {
				return yes
			}
		}
	case 't', 'f':
		return answerOf(q.bools[boolIndex(v.kind == 't')])
	}
	return no
}

func (q *equals) hasText(text []byte) bool {
	if q.many != nil {
		_, found := q.many[string(text)]
		return found
	}
	for _, wanted := range q.texts {
		if string(text) == wanted {
			return true
		}
	}
	return false
}

func (q *equals) offers(at *eventPath, want bool) (group, bool) {
	if !want {
		return nil, false
	}
	if len(q.texts)+len(q.numbers) > maxAlternatives {
		return group{{path: at, kind: isPresent}}, at.isBelow()
	}
	alternatives := make(group, 0, len(q.texts)+len(q.numbers)) // without any, nothing fits
	for _, text := range q.texts {
		alternatives = append(alternatives, predicate{path: at, kind: isText, text: text})
	}
	if !at.isBelow() {
		return alternatives, true // it is a text
	}
	for i := range q.numbers {
		alternatives = append(alternatives, predicate{path: at, kind: isNumeral, low: q.numbers[i].float})
	}
	for i, wanted := range q.bools {
		if wanted {
			alternatives = append(alternatives, predicate{path: at, kind: isBool, low: float64(i)})
		}
	}
	return alternatives, true
}

// maxProbedNumber is the longest number, in bytes, that is read for each rule that asks for it.
const maxProbedNumber = 1 << 10

// numeral is a number literal.
type numeral struct {
	value any // int or float64
	float float64
	// exactly is true when float is the number.
	exactly bool
}

func numeralOf(literal any) numeral {
	f, _ := float(literal)
	_, exactly := small(literal)
	return numeral{literal, f, exactly}
}

// compare is -1, 0 or 1 as a number of an event is below, equal to or above the literal; ok is false for one that is too
// long to be compared.
func (n *numeral) compare(raw []byte) (order int, ok bool) {
	if n.exactly {
		if f, ok := smallOf(raw); ok {
			return cmp.Compare(f, n.float), true
		}
	}
	return compareNumbers(engine.NumberOf(raw), n.value)
}

// smallOf reads a checked number that a float64 holds as DecodeJSON would make it; ok is false for a larger one.
func smallOf(raw []byte) (number float64, ok bool) {
	if whole, ok := wholeOfFew(raw); ok {
		return float64(whole), true
	}
	if len(raw) > 15 && bytes.IndexByte(raw, '.') < 0 {
		return 0, false
	}
	f, err := strconv.ParseFloat(lent(raw), 64)
	return f, err == nil && math.Abs(f) < exactly
}

// wholeOfFew reads a whole number of at most 15 digits.
func wholeOfFew(raw []byte) (number int, ok bool) {
	digits := raw
	if len(digits) > 1 && digits[0] == '-' {
		digits = digits[1:]
	}
	if len(digits) > 15 {
		return 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		number = number*10 + int(c-'0')
	}
	if len(digits) < len(raw) {
		number = -number
	}
	return number, true
}

// lent is the bytes as a text that nobody keeps.
func lent(bytes []byte) string { return unsafe.String(unsafe.SliceData(bytes), len(bytes)) }

// textual is a test of a text: startsWith, endsWith or contains a literal.
type textual struct {
	doubtful
	operator string
	part     string
}

func (q *textual) of(v *value, n *notes) answer {
	if v.kind != '"' || !n.spend(len(v.raw)/bytesPerProbe) {
		return unsure
	}
	switch q.operator {
	case "startsWith":
		return answerOf(len(v.raw) >= len(q.part) && string(v.raw[:len(q.part)]) == q.part)
	case "endsWith":
		return answerOf(len(v.raw) >= len(q.part) && string(v.raw[len(v.raw)-len(q.part):]) == q.part)
	}
	return answerOf(strings.Contains(lent(v.raw), q.part))
}

func (q *textual) offers(at *eventPath, want bool) (group, bool) {
	switch {
	case !want:
		return nil, false
	case q.operator == "contains" || q.part == "":
		return group{{path: at, kind: isPresent}}, at.isBelow()
	case q.operator == "startsWith":
		return group{{path: at, kind: hasPrefix, text: q.part}}, true
	}
	return group{{path: at, kind: hasSuffix, text: q.part}}, true
}

// matching is a pattern's test of a text.
type matching struct {
	doubtful
	pattern *pattern
}

func (q *matching) of(v *value, n *notes) answer {
	if v.kind != '"' || !n.spend(len(v.raw)*q.pattern.size) {
		return unsure
	}
	return answerOf(q.pattern.Match(v.raw))
}

func (q *matching) offers(at *eventPath, want bool) (group, bool) {
	return group{{path: at, kind: isPresent}}, want && at.isBelow()
}

// ordering is < <= > or >= with a literal: the value stands on its left.
type ordering struct {
	doubtful
	operator string
	text     *string
	number   *numeral
	at       *time.Time
}

func (q *ordering) of(v *value, _ *notes) answer {
	order, comparable := 0, true
	switch {
	case v.kind == isNumber && q.number != nil && len(v.raw) <= maxProbedNumber:
		order, comparable = q.number.compare(v.raw)
	case v.kind == '"' && q.text != nil:
		order = strings.Compare(lent(v.raw), *q.text)
	case v.kind == isTime && q.at != nil:
		order = v.at.Compare(*q.at)
	default:
		return unsure
	}
	if !comparable {
		return unsure
	}
	switch q.operator {
	case "<":
		return answerOf(order < 0)
	case "<=":
		return answerOf(order <= 0)
	case ">":
		return answerOf(order > 0)
	}
	return answerOf(order >= 0)
}

func (q *ordering) offers(at *eventPath, want bool) (group, bool) {
	var bound float64
	switch {
	case q.number != nil && at.isBelow():
		bound = q.number.float
	case q.at != nil && at.isTime():
		bound = timeNumber(*q.at)
	default:
		return group{{path: at, kind: isPresent}}, want && at.isBelow()
	}
	// Wider than it is, for the literal may have been rounded.
	if below := q.operator[0] == '<'; below == want {
		return group{{path: at, kind: inRange, low: math.Inf(-1), high: math.Nextafter(bound, math.Inf(1))}}, true
	}
	return group{{path: at, kind: inRange, low: math.Nextafter(bound, math.Inf(-1)), high: math.Inf(1)}}, true
}

// span is in from..to: one of the whole numbers from one to another.
type span struct {
	doubtful
	from, to float64
}

func (q *span) of(v *value, _ *notes) answer {
	if v.kind != isNumber {
		return no
	}
	if len(v.raw) > maxProbedNumber {
		return unsure
	}
	number, ok := smallOf(v.raw)
	if !ok {
		return unsure
	}
	return answerOf(q.from <= number && number <= q.to && number == math.Trunc(number))
}

func (q *span) offers(at *eventPath, want bool) (group, bool) {
	return group{{path: at, kind: inRange, low: q.from, high: q.to}}, want
}

// timeNumber is a time as ranges have it, in seconds. An earlier time has no larger number.
func timeNumber(at time.Time) float64 { return float64(at.Unix()) + float64(at.Nanosecond())/1e9 }

// holding is literal in x: one of the items of a list, or the name of a member of an object.
type holding struct {
	doubtful
	item question
	text *string // the item, when it is a text
}

func (q *holding) of(v *value, n *notes) answer {
	switch v.kind {
	case '[':
		return q.among(v.raw, n)
	case '{':
		if q.text == nil {
			return no
		}
	}
	return unsure
}

func (q *holding) among(list []byte, n *notes) answer {
	if !n.spend(len(list) / bytesPerProbe) {
		return unsure
	}
	items := engine.WalkArray(list)
	for {
		raw, ok := items.NextItem()
		switch {
		case !ok:
			return no
		case !n.spend(1): // the expression, too, takes a step for each item, and perhaps one too many
			return unsure
		}
		n.item = jsonValue(raw)
		if !n.item.missing() && q.item.of(&n.item, n) == yes {
			return yes
		}
	}
}

func (q *holding) offers(at *eventPath, want bool) (group, bool) {
	if q.text != nil && want && at.isBelow() {
		return group{{path: at, kind: hasItem, text: *q.text}}, true
	}
	return group{{path: at, kind: isPresent}}, want && at.isBelow()
}

// memberThere is "name" in data, of one of the event's own objects, where null counts as there.
type memberThere struct{ path *eventPath }

func (m memberThere) ask(n *notes) answer {
	v := n.at(m.path)
	return answerOf(v.kind != absent)
}

func (m memberThere) offers(want bool) []group {
	if !want {
		return nil
	}
	return []group{{{path: m.path, kind: isThere}}}
}

func (m memberThere) fails() bool { return false }

func (m memberThere) paths(add func(*eventPath)) { add(m.path) }

// floatOf is a checked number, rounded; infinite when it is out of range.
func floatOf(raw []byte) float64 {
	if whole, ok := wholeOfFew(raw); ok {
		return float64(whole)
	}
	number, _ := strconv.ParseFloat(lent(raw), 64)
	return number
}
