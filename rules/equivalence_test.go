package rules

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"switchyard/adapters/spec"
	"switchyard/engine"
)

// What rules decide must be what a plain loop over the expressions of all of them would: here whole expressions of any
// form and raw messages of any form are made by grammars, and the loop shares nothing with Set.Decide but the machine.

// grammar makes random texts. What it makes is of few words, so that expressions and messages meet.
type grammar struct{ *rand.Rand }

func newGrammar(seed1, seed2 uint64) grammar { return grammar{rand.New(rand.NewPCG(seed1, seed2))} }

func (g grammar) of(from ...string) string { return from[g.IntN(len(from))] }

func (g grammar) oneIn(n int) bool { return g.IntN(n) == 0 }

// times joins up to most of what make makes.
func (g grammar) times(most int, separator string, make func() string) string {
	var all []string
	for range g.IntN(most + 1) {
		all = append(all, make())
	}
	return strings.Join(all, separator)
}

var (
	eqNames   = []string{"a", "b", "n", "list", "plan", "", "é", "a b", "traits", "a\x00", "\x00b", "日本", "x\"y", `s\t`, "\ufffd"}
	eqTexts   = []string{"pro", "team", "", "7", "7.0", "Pro", "é", "日本語", "a", "b", "x\"y", `s\t`, "\x00", "\ufffd", "😀", "pro-1", "2024-05-06", "true", "track", "sign up"}
	eqNumbers = []string{
		"0", "-0", "7", "-7", "7.0", "7.5", "0.1", "0.10000000000000001", "1e3", "1E+3", "70e-1", "1000", "9007199254740991", "9007199254740992", "9007199254740993",
		"-9007199254740993", "9007199254740992.0", "9007199254740993.5", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "18446744073709551615",
		"18446744073709551616", "1e400", "-1e400", "1e-400", "1.7976931348623157e308", "123456789012345", "1234567890123456", "999999999999999.9", "1e15", "1e16", "2", "3", "1",
	}
	eqLongNumbers = []string{strings.Repeat("9", 2000), "-" + strings.Repeat("1", 1366), strings.Repeat("3", 400), "1" + strings.Repeat("0", 1500) + ".0", "1e99999999999999999999", "-1e9999999999", "0." + strings.Repeat("0", 1500) + "1"}
	eqKinds       = []string{"track", "identify", "page", "screen", "group", "alias"}
	eqIDs         = []string{"id", "source", "environment", "type", "name", "user_id", "anonymous_id", "group_id", "previous_id", "message_id"}
	eqRoots       = []string{"data", "data", "data", "properties", "traits", "context", "event"}
	eqDates       = []string{`date("2024-05-06")`, `date("2024-05-06T07:08:09.123Z")`, `date(1714979289)`, `date("2024-05-06 09:08", nil, "Europe/Berlin")`, `date(-5)`, `date("06.05.24", "%d.%m.%y")`, `dateAdd(timestamp, 1, "d")`}
)

// jsonText writes a text as JSON in one of the ways that there are.
func (g grammar) jsonText(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r < ' ' || r < 0x10000 && g.oneIn(12):
			fmt.Fprintf(&b, g.of(`\u%04x`, `\u%04X`), r)
		case r > 0xffff && g.oneIn(2):
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+(r-0x10000)>>10, 0xdc00+(r-0x10000)&0x3ff)
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\ufffd' && g.oneIn(2):
			b.WriteString(g.of(`\ud800`, `\udc00`)) // half a pair
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func (g grammar) space() string {
	if g.oneIn(8) {
		return g.of(" ", "\n", "\t", " \r\n ")
	}
	return ""
}

// json is a value of any kind.
func (g grammar) json(depth int) string {
	switch g.IntN(12) {
	case 0, 1, 2:
		return g.jsonText(g.of(eqTexts...))
	case 3, 4, 5:
		if g.oneIn(30) {
			return g.of(eqLongNumbers...)
		}
		return g.of(eqNumbers...)
	case 6:
		return g.of("true", "false")
	case 7:
		return "null"
	case 8, 9:
		if depth > 0 {
			return "[" + g.space() + g.times(3, g.space()+","+g.space(), func() string { return g.json(depth - 1) }) + g.space() + "]"
		}
		return "[]"
	}
	if depth > 0 {
		return g.object(depth - 1)
	}
	return "{}"
}

// object has members of few names, some of them again and again; more are those that it must have.
func (g grammar) object(depth int, more ...string) string {
	members := slices.Clone(more)
	for range g.IntN(6) {
		name := g.of(eqNames[:5+g.IntN(len(eqNames)-5)]...)
		members = append(members, g.jsonText(name)+g.space()+":"+g.space()+g.json(depth))
	}
	g.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	return "{" + g.space() + strings.Join(members, g.space()+","+g.space()) + g.space() + "}"
}

// message is one as an SDK sends it, in order or not.
func (g grammar) message() string {
	member := func(name, value string) string { return g.jsonText(name) + g.space() + ":" + g.space() + value }
	kind := g.of(eqKinds...)
	members := []string{member("type", g.jsonText(kind)), member("userId", g.of(g.jsonText(g.of(eqTexts...)), "7", "null", `""`))}
	if kind == engine.TypeTrack || g.oneIn(8) {
		members = append(members, member("event", g.jsonText(g.of("pro", "track", "sign up", "é", "7"))))
	}
	for _, section := range []string{"properties", "traits", "context"} {
		if !g.oneIn(4) {
			members = append(members, member(section, g.object(3)))
		}
		if g.oneIn(10) { // the last one counts
			members = append(members, member(section, g.of(g.object(2), "null")))
		}
	}
	if g.oneIn(3) {
		members = append(members, member("context", g.object(2, member("traits", g.object(2)))))
	}
	for _, one := range []string{"name", "messageId", "groupId", "anonymousId", "previousId"} {
		if g.oneIn(4) {
			members = append(members, member(one, g.jsonText(g.of(eqTexts...))))
		}
	}
	if g.oneIn(2) {
		members = append(members, member("timestamp", g.of(`"2024-05-06T07:08:09.123Z"`, `"2024-05-06"`, "1714979289", `"x"`, `"2024-05-06T09:08:00+02:00"`)))
	}
	return g.object(2, members...)
}

var eqOptions = spec.Options{Now: time.Date(2024, 5, 6, 7, 8, 9, 123e6, time.UTC)}.WithDefaults()

// events are some that went through the decoder of messages, alone and as a batch, and one that did not.
func (g grammar) events(t testing.TB) []*engine.Event {
	alone := new(engine.Event)
	if err := spec.DecodeOne([]byte(g.message()), eqOptions, alone); err != nil {
		t.Fatal(err)
	}
	list := fmt.Sprintf(`{"batch":[%s,%s]%s"context":%s}`, g.message(), g.message(), ",", g.object(2, `"traits":`+g.object(1)))
	batch, err := spec.Decode([]byte(list), eqOptions)
	if err != nil {
		t.Fatalf("%v: %s", err, list)
	}
	section := func() json.RawMessage {
		if g.oneIn(5) {
			return nil
		}
		return json.RawMessage(g.space() + g.object(3))
	}
	data := section()
	raw := &engine.Event{
		ID: g.of(eqTexts...), Source: g.of(eqTexts...), Environment: "e", Type: g.of(eqKinds...), Name: g.of(eqTexts...), UserID: g.of(eqTexts...),
		GroupID: g.of(eqTexts...), MessageID: g.of(eqTexts...), Timestamp: someInstants[g.IntN(len(someInstants))], ReceivedAt: someInstants[g.IntN(len(someInstants))],
		Data: data, Properties: data, Traits: section(), Context: section(), Original: json.RawMessage(g.of(string(section()), g.json(2))),
	}
	events := append(batch.Events, alone, raw)
	for _, event := range events {
		event.Environment = "e"
	}
	return events
}

// literalText is one as expressions have it.
func (g grammar) literalText(text string) string {
	switch g.IntN(5) {
	case 0:
		if !strings.ContainsAny(text, "'\\\x00") {
			return "'" + text + "'"
		}
	case 1:
		if !strings.ContainsAny(text, "`\x00") {
			return "`" + text + "`"
		}
	case 2:
		var b strings.Builder
		for _, r := range text {
			if r < 0x10000 {
				fmt.Fprintf(&b, `\u%04x`, r)
			} else {
				b.WriteRune(r)
			}
		}
		return `"` + b.String() + `"`
	}
	return strings.ReplaceAll(string(asJSON(text)), "\\u0000", "\\x00")
}

func (g grammar) number() string {
	if g.oneIn(6) {
		return g.of("0x7", "0b111", "0o7", "1_000", "+7", "- 7", "-(-7)", "9_007_199_254_740_993", ".5", "7.", "-9223372036854775807")
	}
	for {
		if number := g.of(eqNumbers...); len(number) < 19 && !strings.HasSuffix(number, "e400") || number == "9223372036854775807" { // else it is too large
			return number
		}
	}
}

func (g grammar) literal() string {
	switch g.IntN(5) {
	case 0, 1:
		return g.number()
	case 2:
		return g.of("true", "false", "nil")
	}
	return g.literalText(g.of(eqTexts...))
}

// list is one of literals, mostly.
func (g grammar) list() string {
	most := 4
	if g.oneIn(10) {
		most = 12
	}
	if g.oneIn(2) {
		return "[" + g.times(most, ", ", func() string { return g.literalText(g.of(eqTexts...)) }) + "]"
	}
	return "[" + g.times(most, ", ", func() string {
		if g.oneIn(12) {
			return g.of(g.path(nil), "[7]", `{"a": 7}`, g.of(eqIDs...))
		}
		return g.literal()
	}) + "]"
}

// path is a value below an object of the event, or below one of the variables.
func (g grammar) path(variables []string) string {
	path := g.of(eqRoots...)
	if len(variables) > 0 && g.oneIn(2) {
		path = g.of(variables...)
	}
	for range 1 + g.IntN(3) {
		name := g.of(eqNames[:4+g.IntN(len(eqNames)-4)]...)
		switch g.IntN(9) {
		case 0:
			path += g.of("[0]", "[-1]", "?.[0]", "[7]")
		case 1:
			path += g.of("[name]", "[data.plan]", `["a" + "b"]`, "[1:]", "[:1]", "[0:-1]")
		case 2, 3:
			path += g.of("", "?.") + "[" + g.literalText(name) + "]"
		default:
			if transformName.MatchString(name) {
				path += g.of(".", ".", "?.") + name
			} else {
				path += "[" + g.literalText(name) + "]"
			}
		}
	}
	return path
}

// value is an expression of any type.
func (g grammar) value(depth int, variables []string) string {
	if depth <= 0 {
		return g.of(g.path(variables), g.path(variables), g.literal(), g.of(eqIDs...), g.of(eqRoots...))
	}
	v := func() string { return g.value(depth-1, variables) }
	switch g.IntN(22) {
	case 0:
		return fmt.Sprintf("%s(%s)", g.of("len", "upper", "lower", "trim", "int", "float", "string", "typeof", "abs", "round", "keys", "values", "first", "last", "sort", "sum", "reverse", "toJSON", "isEmail", "count"), v())
	case 1:
		return fmt.Sprintf("(%s %s %s)", v(), g.of("+", "-", "*", "/", "%", "**", ".."), g.of(v(), "2", "0", "7"))
	case 2:
		return fmt.Sprintf("%s(%s, %s)", g.of("min", "max", "coalesce", "concat", "get", "pick", "omit", "split", "join", "merge", "take", "indexOf"), v(), v())
	case 3:
		return fmt.Sprintf("(%s ? %s : %s)", g.condition(depth-1, variables), v(), v())
	case 4:
		return fmt.Sprintf("%s(%s, %s)", g.of("map", "filter", "find", "count", "findIndex", "sum", "sortBy", "groupBy"), g.path(variables), g.predicate(depth-1))
	case 5:
		return fmt.Sprintf("(%s | %s)", v(), g.of("upper()", `get("a")`, "len()", "first()", `split("-")`, `map(#)`, "keys()"))
	case 6:
		return fmt.Sprintf("%s[%s]", g.path(variables), g.of("0", "1:", ":2", "-1", `"a"`, "name", v()))
	case 7:
		return fmt.Sprintf("{%s: %s, \"b\": %s}", g.of("a", `"n"`), v(), v())
	case 8:
		return g.list()
	case 9:
		return g.of(eqDates...)
	case 10:
		return g.of("timestamp", "received_at", "timestamp.Year()", "timestamp.Unix()", `formatDate(timestamp, "%Y")`)
	case 11:
		return "-" + g.path(variables)
	}
	if g.oneIn(2) {
		return fmt.Sprintf("(%s ?? %s)", g.path(variables), g.of(g.literal(), g.literal(), v()))
	}
	return g.path(variables)
}

// predicate is a condition or a value on the items of a list.
func (g grammar) predicate(depth int) string {
	item := g.of("#", "#.a", ".b", ".n", "#[0]", "#?.plan", `#["a b"]`)
	switch g.IntN(6) {
	case 0:
		return item
	case 1:
		return fmt.Sprintf("%s %s %s", item, g.of("in", "not in"), g.list())
	case 2:
		return "{" + item + " == " + g.literal() + "}"
	case 3:
		return item + " == " + g.path(nil)
	case 4:
		if depth > 0 {
			return g.condition(depth-1, []string{"#"})
		}
	}
	return fmt.Sprintf("%s %s %s", item, g.of("==", "!=", "<", ">=", "contains"), g.literal())
}

func (g grammar) comparison() string { return g.of("==", "!=", "<", "<=", ">", ">=", "==", "!=") }

func (g grammar) textTest() string {
	return g.of("contains", "startsWith", "endsWith", "matches", "not contains", "not startsWith", "not matches")
}

// subject is what is mostly compared.
func (g grammar) subject(variables []string) string {
	switch g.IntN(8) {
	case 0:
		return g.of(eqIDs...)
	case 1:
		return g.of("name", "type", "name", "user_id")
	case 2:
		return fmt.Sprintf("(%s ?? %s)", g.path(variables), g.literal())
	}
	return g.path(variables)
}

// condition is an expression that is true or false, or fails.
func (g grammar) condition(depth int, variables []string) string {
	c := func() string { return g.condition(depth-1, variables) }
	subject := g.subject(variables)
	if depth > 0 {
		switch g.IntN(9) {
		case 0:
			return "(" + c() + g.of(" && ", " and ") + c() + ")"
		case 1:
			return "(" + c() + g.of(" || ", " or ") + c() + ")"
		case 2:
			return g.of("!(", "not (", "!!(") + c() + ")"
		case 3:
			switch g.IntN(6) {
			case 0:
				return fmt.Sprintf("(%s ? %s : %s)", c(), c(), c())
			case 1:
				return fmt.Sprintf("(if %s { %s } else { %s })", c(), c(), c())
			case 2:
				name := fmt.Sprint("v", len(variables))
				return fmt.Sprintf("(let %s = %s; %s)", name, g.value(depth-1, variables), g.condition(depth-1, append(slices.Clone(variables), name)))
			case 3:
				return fmt.Sprintf("(%s) %s %s", c(), g.of("==", "!=", "in"), g.of("true", "false", "[true]", "("+c()+")", "nil"))
			case 4:
				return fmt.Sprintf("((%s) ?? %s)", c(), g.of("true", "false", "nil"))
			}
			return fmt.Sprintf("%s(%s, %s)", g.of("any", "all", "none", "one"), g.of(g.path(variables), g.value(depth-1, variables)), g.predicate(depth-1))
		}
	}
	switch g.IntN(20) {
	case 0, 1:
		return fmt.Sprintf("%s == %s", g.of("type", "name"), g.literalText(g.of(g.of(eqKinds...), g.of(eqTexts...))))
	case 2, 3, 4:
		return fmt.Sprintf("%s %s %s", subject, g.comparison(), g.literal())
	case 5:
		return fmt.Sprintf("%s %s %s", g.literal(), g.comparison(), subject)
	case 6, 7:
		return fmt.Sprintf("%s %s %s", subject, g.of("in", "not in"), g.list())
	case 8:
		return fmt.Sprintf("%s %s %s", subject, g.textTest(), g.of(g.literalText(g.of("pro", "p", "", "é", "-1", "a", "o", "日")), g.path(variables), g.of(eqIDs...), `"^[a-z]+$"`, `"(?i)PRO"`, `"\\d"`))
	case 9:
		return fmt.Sprintf("%s %s %s", g.of(g.literal(), g.literal(), subject), g.of("in", "not in"), g.of(g.path(variables), g.of(eqRoots...)))
	case 10:
		return g.of("", "!", "not ") + g.path(variables)
	case 11:
		return fmt.Sprintf("%s %s %s", subject, g.comparison(), g.subject(variables))
	case 12:
		return fmt.Sprintf("%s %s %s %s %s", g.of(g.number(), g.literal()), g.of("<", "<=", ">", "=="), g.of(subject, g.value(1, variables)), g.of("<", "<=", ">="), g.of(g.number(), g.path(variables)))
	case 13:
		times := g.of("timestamp", "received_at", g.path(variables), "(timestamp ?? 7)")
		if g.oneIn(2) {
			return fmt.Sprintf("%s %s %s", g.of(eqDates...), g.comparison(), times)
		}
		return fmt.Sprintf("%s %s %s", times, g.comparison(), g.of(g.of(eqDates...), "nil", "received_at"))
	case 14:
		return fmt.Sprintf("%s(%s, %s)", g.of("any", "all", "none", "one"), g.path(variables), g.predicate(max(0, depth)))
	case 15:
		return fmt.Sprintf("%s %s %s", g.value(depth, variables), g.comparison(), g.value(depth, variables))
	case 16:
		return fmt.Sprintf("(%s ?? %s)", g.of(g.path(variables), subject), g.of("true", "false", "nil", g.literal()))
	case 17:
		return fmt.Sprintf("%s %s nil", subject, g.of("==", "!="))
	case 18:
		return fmt.Sprintf("%s %s %s", g.value(depth, variables), g.of("in", "not in"), g.value(depth, variables))
	}
	return g.of("true", "false", g.value(depth, variables))
}

func (g grammar) match() string {
	match := g.condition(2, nil)
	if g.oneIn(3) {
		match = g.condition(0, nil) + " && " + match
	}
	if g.oneIn(6) { // two ends of one range
		path := g.path(nil)
		match += fmt.Sprintf(" && %s %s %s && %s %s %s", path, g.of("<", "<=", ">"), g.number(), g.of(path, path, "data.n"), g.of(">", ">=", "<"), g.number())
	}
	if g.oneIn(10) {
		match += strings.Repeat(" ", longText)
	}
	for range g.IntN(3) {
		match += g.of(" && ", " and ", " && ", " && ", " || ") + g.condition(2, nil)
	}
	if g.oneIn(12) {
		return "let v = " + g.value(1, nil) + "; " + match
	}
	return match
}

// rule is one that compiles, as YAML.
func (g grammar) rule(key string) string {
	for {
		transform, userID := "", g.of("user_id", `"u"`, g.path(nil), "name")
		if g.oneIn(3) {
			transform = ", transform: {chosen: " + asJSON(g.of("user_id", "data.a", "data.n + 1", `pick(data, "a")`)) + ", two: " + asJSON(g.of("chosen", "[chosen, name]", "data.n + 1")) + "}"
			userID = g.of("two", userID)
		}
		rule := fmt.Sprintf("  - {key: %s, match: %s%s, actions: [{identify: {user_id: %s}}]}\n", key, asJSON(g.match()), transform, asJSON(userID))
		file, err := Parse("r.yaml", []byte("rules:\n"+rule))
		if err == nil {
			_, err = Compile("e", []*File{file})
		}
		if err == nil {
			return rule
		}
	}
}

// loop evaluates every part of every match by the machine, each compiled by itself from the text of the match, and each in
// a scope of its own.
type loop struct {
	set   *Set
	parts [][]*expression
}

func loopOf(t testing.TB, set *Set) *loop {
	t.Helper()
	l := &loop{set: set}
	for _, r := range set.rules {
		var parts []*expression
		for i := 0; !r.match.text.IsZero(); i++ {
			language := newLanguage(eventPlace)
			node, problem := language.parse(r.match.text)
			if problem != nil {
				t.Fatal(problem)
			}
			all := conjuncts(node, nil)
			part, problem := language.build(r.match.text, all[i])
			if problem != nil {
				t.Fatal(problem)
			}
			if parts = append(parts, part); len(parts) == len(all) {
				break
			}
		}
		l.parts = append(l.parts, parts)
	}
	return l
}

func (l *loop) holds(number int, event *engine.Event) (holds bool, failed error) {
	for _, part := range l.parts[number] {
		met, err := part.holds(freshScope(event))
		if err == nil && !met {
			return false, nil
		}
		if failed == nil {
			failed = err
		}
	}
	return failed == nil, failed
}

func freshScope(event *engine.Event) *scope { return &scope{event: event, values: map[string]any{}} }

func (l *loop) decide(event *engine.Event) (decision *engine.Decision, matches []int) {
	for number, r := range l.set.rules {
		holds, err := l.holds(number, event)
		if holds {
			matches = append(matches, number)
		}
		var actions []*engine.Action
		if holds && err == nil {
			holds, actions, err = r.decide(freshScope(event), yes)
		}
		decision = collect(decision, r, holds, actions, err)
	}
	return decision, matches
}

// checkEquivalence makes rules and events and compares. It returns how many pairs there were, how many of them matched or
// failed, and how many the index found.
func checkEquivalence(t testing.TB, seed1, seed2 uint64, rules, events int) (pairs, told, found int) {
	t.Helper()
	g := newGrammar(seed1, seed2)
	source := "rules:\n"
	for i := range rules {
		source += g.rule(fmt.Sprint("r", i))
	}
	set := compileText(t, source)
	loop := loopOf(t, set)
	book := new(Book)
	book.Swap(map[string]*Set{"e": set})
	for pairs < rules*events {
		for _, event := range g.events(t) {
			pairs += rules
			want, matches := loop.decide(event)
			for name, decide := range map[string]func(*engine.Event) *engine.Decision{"Set": set.Decide, "Book": book.Decide} {
				if got := decide(event); !reflect.DeepEqual(got, want) {
					t.Fatalf("seeds %d %d: the %s\n%s\nevent %s", seed1, seed2, name, difference(set, got, want), shownEvent(event))
				}
			}
			if got := set.Matches(event, nil); !slices.Equal(got, matches) {
				t.Fatalf("seeds %d %d: matches %v, want %v\nevent %s", seed1, seed2, got, matches, shownEvent(event))
			}
			if want != nil {
				told += len(want.Rules) + len(want.Errors)
			}
			scope := set.look(event)
			found += len(scope.candidates)
			scope.free()
		}
	}
	return pairs, told, found
}

// difference tells the rules about which two decisions differ.
func difference(set *Set, got, want *engine.Decision) string {
	told := func(d *engine.Decision, key string) (text string) {
		if d == nil {
			return ""
		}
		if slices.Contains(d.Rules, key) {
			text = "matches"
		}
		for _, failure := range d.Errors {
			if failure.Rule == key {
				text += "fails: " + failure.Message
			}
		}
		return text
	}
	text := ""
	for _, r := range set.rules {
		if g, w := told(got, r.key), told(want, r.key); g != w {
			text += fmt.Sprintf("%s: %s\n  got %q, want %q\n", r.key, r.info.Match, g, w)
		}
	}
	if text == "" {
		text = fmt.Sprintf("got %+v, want %+v", got, want)
	}
	return text
}

func shownEvent(e *engine.Event) string {
	return fmt.Sprintf("%+v\ndata %s\nproperties %s\ntraits %s\ncontext %s\noriginal %s", e, e.Data, e.Properties, e.Traits, e.Context, e.Original)
}

func TestEquivalence(t *testing.T) {
	pairs, told, found := 0, 0, 0
	for seed := range uint64(max(1, 24/slower)) {
		p, d, f := checkEquivalence(t, seed, 7, 40, 60)
		pairs, told, found = pairs+p, told+d, found+f
	}
	t.Logf("%d pairs: %d %% are decided, and %d %% found by the index", pairs, 100*told/pairs, 100*found/pairs)
}

// FuzzEquivalence is TestEquivalence for other seeds: each run looks at some thousands of pairs.
func FuzzEquivalence(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, seed1, seed2 uint64) { checkEquivalence(t, seed1, seed2, 40, 60) })
}

// What random rules came upon, and what they hardly can, one by one.
func TestEquivalenceFound(t *testing.T) {
	long := strings.Repeat("9", 2000)
	event := &engine.Event{Name: "abc", Data: json.RawMessage(`{"p":"a","long":` + long + `,"a":{"\u0000b":1},"c\u0000":{"b":2},"":{"":{"":3}},"list":[` + long + `]}`)}
	compare(t, event,
		// A text or time of the event is there always.
		"name != nil", "timestamp != nil", "name startsWith data.p", `name matches data.p`, "name ?? true", "timestamp ?? false", "data.p in name",
		// A number that is too long to be compared.
		"data.long != 5", "data.long == 5", "data.long < 5", "data.long >= 5", "!(data.long > 5)", "data.long < 5.5 && data.long > 1", "data.long in [5]", "5 in data.list", "5 not in data.list",
		// Names that hold what could stand between two names.
		`data.c["\x00b"] == 2 || data["c\x00"].b == 2`, `data["a\x00"].b == 1 || data.a["\x00b"] == 1`, `data["\x00"] == 3 || data[""][""][""] == 3`,
	)
	// What takes the machine too long, it must tell.
	compare(t, &engine.Event{Data: json.RawMessage(`{"many":[` + strings.Repeat("7,", 60_000) + `8]}`)},
		"5 in data.many", "8 in data.many", "7 in data.many", `!("a" in data.many)`, `"a" in data.many`)
	compare(t, &engine.Event{Data: json.RawMessage(`{"text":"` + strings.Repeat("x", 13<<20) + `"}`)},
		`data.text endsWith "a"`, `data.text contains "a"`, `data.text startsWith "a"`, `data.text matches "a"`)
}

// compare holds a rule of each match against the machine.
func compare(t *testing.T, event *engine.Event, matches ...string) {
	t.Helper()
	for _, match := range matches {
		set := compileText(t, "rules: [{key: a, match: "+asJSON(match)+", actions: [{identify: {user_id: '\"u\"'}}]}]")
		got := set.Decide(event)
		if want, _ := loopOf(t, set).decide(event); !reflect.DeepEqual(got, want) {
			t.Errorf("%s", difference(set, got, want))
		}
	}
}
