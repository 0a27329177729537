package rules

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"switchyard/engine"
)

// Random rules and random events, of few words, so that they meet. What is awkward is among them: escapes, repeated and
// null members, numbers of every form and size, texts that look like numbers, deep nesting, values of the wrong type.
var (
	someTypes = []string{"track", "identify", "page", ""}
	someNames = []string{"a", "ab", "order-placed", "track", ""}
	somePaths = []string{
		"data.n", "data.plan", "data.a.b", `data["a b"]`, "properties.n", "context.app.v", "event.x", "traits.plan", "data.ünï", "data?.a?.b",
		"data.a.b.b", "data.list", "data.a", "event.properties.n", `data["a"]["b"]`, "data.null",
	}
	someTexts  = []string{"pro", "Pro", "team", "", "7", "7.0", "größe", "a\\\"b", "pro-1", "日本", "\\u0000", "2024-05-06"}
	someNumber = []string{
		"0", "7", "7.0", "-7", "7.5", "1e3", "1000", "9007199254740993", "9007199254740992", "-0.0", "1e300", "9223372036854775807",
		"-9007199254740993", "0.1", "123456789012345",
	}
	someTimes = []string{
		`date("2024-05-06")`, `date("2024-05-06T07:08:09.123Z")`, `date("2024-05-06 09:08", nil, "Europe/Berlin")`, `date(1714979289)`, `date("06.05.24", "%d.%m.%y")`,
	}
	someJSON = []string{
		`"pro"`, `"team"`, `"\u0070ro"`, `""`, `"7"`, `"7.0"`, `"größe"`, `"gr\u00f6\u00dfe"`, `"a\"b"`, `"pro-1"`, `7`, `7.0`, `70e-1`, `-7`, `0`, `-0`, `7.5`,
		`1e3`, `9007199254740993`, `9007199254740992`, `9007199254740994.0`, `1e400`, `-1e400`, `123456789012345678901234567890`, `true`, `false`, `null`,
		`9223372036854775807`, `18446744073709551615`, `-9007199254740993`, `0.1`, `0.10000000000000001`, `123456789012345`, `1234567890123456`,
		`{}`, `[]`, `["pro"]`, `{"b":7}`, `{"b":"pro"}`, `{"b":null}`, `{"\u0062":7}`, `{"b":1,"b":7}`, `{"b":{"b":7}}`, `{"b":{"b":7},"b":{}}`,
		`{"b":{"b":"pro"},"b":"pro"}`, `[7,"pro",null,{"b":7}]`, `["te\u0061m"]`, `[[["pro"]]]`, `[{"b":"pro"},{"b":7},{}]`, `"日本"`, `"\ud800"`, `"\u0000"`, `"2024-05-06"`,
	}
)

func oneOf(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

func quoted(text string) string { return `"` + text + `"` }

// randomPart is one condition.
func randomPart(r *rand.Rand, depth int) string {
	path := oneOf(r, somePaths)
	if r.IntN(6) == 0 {
		path = fmt.Sprintf("%s(%s)", oneOf(r, []string{"lower", "upper", "trim", "capitalize", "string", "len", "int", "float", "abs", "floor", "ceil", "round"}), oneOf(r, append(somePaths, "name", "user_id")))
	}
	if r.IntN(6) == 0 {
		path = fmt.Sprintf("(%s ?? %s)", path, randomLiteral(r))
	}
	order := oneOf(r, []string{"<", "<=", ">", ">="})
	switch r.IntN(26) {
	case 0:
		return "type == " + quoted(oneOf(r, someTypes))
	case 1:
		return quoted(oneOf(r, someNames)) + " == name"
	case 2:
		return fmt.Sprintf("name %s [%s, %s]", oneOf(r, []string{"in", "not in"}), quoted(oneOf(r, someNames)), quoted(oneOf(r, someNames)))
	case 3:
		return fmt.Sprintf("name %s %s", oneOf(r, []string{"startsWith", "endsWith", "contains", "!=", "matches", "<", ">="}), quoted(oneOf(r, someNames)))
	case 4, 5:
		return fmt.Sprintf("%s %s %s", path, oneOf(r, []string{"==", "!="}), oneOf(r, []string{randomLiteral(r), "nil"}))
	case 6:
		return fmt.Sprintf("%s %s %s", randomLiteral(r), oneOf(r, []string{"==", "!="}), path)
	case 7:
		return fmt.Sprintf("%s %s [%s, %s, %s]", path, oneOf(r, []string{"in", "not in"}), oneOf(r, someNumber), quoted(oneOf(r, someTexts)), oneOf(r, []string{"true", "1", "nil", "-7"}))
	case 8:
		if r.IntN(3) == 0 {
			return fmt.Sprintf("%s %s %s..%s", path, oneOf(r, []string{"in", "not in"}), oneOf(r, []string{"-7", "0", "7", "1", "9000"}), oneOf(r, []string{"-7", "0", "7", "1000", "9007199254740993"}))
		}
		var texts []string
		for range r.IntN(14) {
			texts = append(texts, quoted(oneOf(r, someTexts)))
		}
		return fmt.Sprintf("%s in [%s]", path, strings.Join(texts, ", "))
	case 9, 10:
		return fmt.Sprintf("%s %s %s", path, order, oneOf(r, []string{oneOf(r, someNumber), quoted(oneOf(r, someTexts))}))
	case 11:
		return fmt.Sprintf("%s %s %s", oneOf(r, someNumber), order, path)
	case 12, 13:
		return fmt.Sprintf("%s %s %s", path, oneOf(r, []string{"startsWith", "endsWith", "contains", "matches"}), quoted(oneOf(r, []string{"pro", "p", "-1", "größe", "", "o", "^[a-z]+$"})))
	case 14:
		return path
	case 15:
		return oneOf(r, []string{"len(data) > 2", "data.n + 1 > 5", "true", "false", "upper(string(data.plan)) == \"PRO\"", "data.n == data.plan", "data.n < data.a.b"})
	case 16:
		return fmt.Sprintf("%s in %s", quoted(oneOf(r, []string{"a", "n", "plan", "b", "pro"})), oneOf(r, []string{"data", "data.a", "context", "event", "data.list"}))
	case 17:
		return fmt.Sprintf("%s in %s", randomLiteral(r), path)
	case 18:
		return fmt.Sprintf("%s(%s, %s)", oneOf(r, []string{"any", "all", "none", "one"}), path, oneOf(r, []string{`# == "pro"`, ".b == 7", "# == 7", ".b"}))
	case 19, 20:
		return fmt.Sprintf("%s %s %s", oneOf(r, []string{"timestamp", "received_at"}), oneOf(r, []string{order, order, "==", "!="}), oneOf(r, someTimes))
	case 21:
		return fmt.Sprintf("%s %s timestamp", oneOf(r, someTimes), order)
	case 22:
		return fmt.Sprintf("%s in %s", oneOf(r, []string{"name", "data.plan", "data.n"}), path)
	}
	if depth == 0 {
		return "user_id == \"u\""
	}
	inner := randomPart(r, depth-1) + oneOf(r, []string{" || ", " && ", " or ", " and "}) + randomPart(r, depth-1)
	return oneOf(r, []string{"(", "!(", "not ("}) + inner + ")"
}

func randomLiteral(r *rand.Rand) string {
	return oneOf(r, []string{oneOf(r, someNumber), quoted(oneOf(r, someTexts)), "true", "false"})
}

// randomMatch is one that compiles: results of functions have types, and not all can be compared with all.
func randomMatch(t *testing.T, r *rand.Rand, l *language) string {
	for {
		match := anyMatch(r)
		if _, problem := l.match(text(t, match), newPathBook()); problem == nil {
			return match
		}
	}
}

func anyMatch(r *rand.Rand) string {
	match := randomPart(r, 2)
	for range r.IntN(3) {
		match += oneOf(r, []string{" && ", " and ", " && ", " || "}) + randomPart(r, 2)
	}
	return match
}

func randomObject(r *rand.Rand, names ...string) json.RawMessage {
	if r.IntN(6) == 0 {
		return nil
	}
	var members []string
	for _, name := range names {
		for r.IntN(3) != 0 { // now and then one is there twice
			members = append(members, name+oneOf(r, []string{":", " : "})+oneOf(r, someJSON))
			if r.IntN(3) != 0 {
				break
			}
		}
	}
	return json.RawMessage("{" + strings.Join(members, oneOf(r, []string{",", " ,\n "})) + "}")
}

var someInstants = []time.Time{
	{}, time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC), time.Date(2024, 5, 6, 0, 0, 0, 1, time.UTC), time.Date(2024, 5, 6, 7, 8, 9, 123e6, time.UTC),
	time.Date(2024, 5, 6, 7, 8, 0, 0, time.UTC), time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC), time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC),
	time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
}

func randomEvent(r *rand.Rand) *engine.Event {
	event := &engine.Event{
		Type: oneOf(r, someTypes), Name: oneOf(r, someNames), UserID: oneOf(r, []string{"u", ""}),
		Data:      randomObject(r, `"n"`, `"plan"`, `"a"`, `"a b"`, `"ünï"`, `"other"`, `"\u0061"`, `"list"`, `"null"`),
		Timestamp: someInstants[r.IntN(len(someInstants))], ReceivedAt: someInstants[r.IntN(len(someInstants))],
		Properties: randomObject(r, `"n"`), Traits: randomObject(r, `"plan"`), Original: randomObject(r, `"x"`),
	}
	if r.IntN(2) == 0 {
		event.Context = json.RawMessage(`{"app":` + string(randomObject(r, `"v"`)) + `}`)
		if !json.Valid(event.Context) {
			event.Context = nil
		}
	}
	return event
}

// checkIndex holds that the index changes nothing but the work: the set decides as a loop over all rules does. It returns
// how many pairs of a rule and an event were looked at, and how many the index found.
func checkIndex(t *testing.T, seed1, seed2 uint64, rules, events int) (pairs, found int) {
	t.Helper()
	r, language := rand.New(rand.NewPCG(seed1, seed2)), newLanguage(eventPlace)
	var source strings.Builder
	source.WriteString("rules:\n")
	for i := range rules {
		match, _ := json.Marshal(randomMatch(t, r, language))
		fmt.Fprintf(&source, "  - {key: r%d, match: %s, actions: [{identify: {user_id: '\"u\"'}}]}\n", i, match)
	}
	file, err := Parse("r.yaml", []byte(source.String()))
	if err != nil {
		t.Fatal(err)
	}
	indexed, err := Compile("e", []*File{file})
	if err != nil {
		t.Fatalf("%v\n%s", err, source.String())
	}
	looped := plainLoop(t, indexed)
	for range events {
		event := randomEvent(r)
		found += len(indexed.look(event).candidates)
		got, want := indexed.Decide(event), looped.Decide(event)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("seeds %d %d: %+v\ndata %s properties %s context %s traits %s original %s\nindexed %s\nlooped  %s", seed1, seed2, event,
				event.Data, event.Properties, event.Context, event.Traits, event.Original, described(got, indexed), described(want, indexed))
		}
	}
	return rules * events, found
}

// plainLoop is a set that evaluates the expressions of every rule, one after the other: what the index and the probes are
// held against.
func plainLoop(t testing.TB, set *Set) *Set {
	t.Helper()
	l := newLanguage(eventPlace)
	plain := &Set{environment: set.environment, tree: set.tree, matcher: everyRule(len(set.rules))}
	for _, r := range set.rules {
		loop := *r
		loop.match.parts = nil
		if !r.match.text.IsZero() {
			node, problem := l.parse(r.match.text)
			if problem != nil {
				t.Fatal(problem)
			}
			for _, part := range conjuncts(node, nil) {
				value, problem := l.build(r.match.text, part)
				if problem != nil {
					t.Fatal(problem)
				}
				loop.match.parts = append(loop.match.parts, conjunct{opaque{}, value})
			}
		}
		plain.rules = append(plain.rules, &loop)
	}
	return plain
}

// everyRule finds all rules, always.
type everyRule int

func (n everyRule) candidates(_ *notes, into []int32) []int32 {
	for number := range n {
		into = append(into, int32(number))
	}
	return into
}

// described are the rules of a decision with their matches.
func described(decision *engine.Decision, set *Set) string {
	if decision == nil {
		return "nothing"
	}
	text := fmt.Sprintf("%v %v", decision.Rules, decision.Errors)
	for _, r := range set.rules {
		text += "\n  " + r.key + ": " + r.info.Match
	}
	return text
}

func TestIndexAgainstLoop(t *testing.T) {
	pairs, found := 0, 0
	for seed := range uint64(60) {
		p, f := checkIndex(t, seed, 1, 40, 60)
		pairs, found = pairs+p, found+f
	}
	t.Logf("%d pairs, of which the index found %d %%", pairs, 100*found/pairs)
	if found > pairs*3/4 {
		t.Error("the index hardly prunes anything")
	}
}

// FuzzIndex is TestIndexAgainstLoop for other seeds: each run looks at 4,000 pairs.
func FuzzIndex(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, seed1, seed2 uint64) { checkIndex(t, seed1, seed2, 40, 100) })
}

// What each condition offers to the index.
func TestGroups(t *testing.T) {
	language := newLanguage(eventPlace)
	for source, want := range map[string]string{
		`name == "a"`:                                   "name = a",
		`data.plan in ["a", 7, true]`:                   "data/plan = a | data/plan = 7 | data/plan = true",
		`data.n > 5 && data.n <= 9`:                     "data/n 5..9",
		`5 < data.n && data.n < 9 && name == ""`:        "data/n 5..9, name = ",
		`data.a.b startsWith "x"`:                       "data/a/b x…",
		`name endsWith "x"`:                             "name …x",
		`data.x != nil`:                                 "data/x?",
		`data.x`:                                        "data/x?",
		`data.x == nil`:                                 "data/x missing",
		`!data.x`:                                       "",
		`!(data.x != "a")`:                              "data/x = a",
		`data.x == "a" || name == "b"`:                  "data/x = a | name = b",
		`(data.x == "a" && name == "b") || true`:        "",
		`(data.x == "a" && name == "b") || data.y == 1`: "data/x = a | data/y = 1",
		`data.x == "a" || name contains "b"`:            "",
		`data.x == "a" || data.y contains "b"`:          "data/x = a | data/y?",
		`data.x != "a"`:                                 "",
		`!(data.x != "a" || name != "b")`:               "data/x = a, name = b",
		`!(data.n > 5 || data.x != "a")`:                "data/n -Inf..5 | data/n missing",
		`!(data.x != "a" && name != "b")`:               "data/x = a | name = b",
		`(data.x ?? "a") == "a"`:                        "data/x = a | data/x missing",
		`(data.x ?? "b") == "a"`:                        "data/x = a",
		`(data.n ?? 0) >= 5`:                            "data/n 5..+Inf",
		`data.x == data.y`:                              "",
		`data.x < data.y`:                               "data/x?",
		`timestamp > date("2024-01-01")`:                "timestamp 1.70407e+09..+Inf",
		`received_at < date("2024-01-01 09:00", nil, "Europe/Berlin")`: "received_at -Inf..1.7041e+09",
		`data.x in ["a", nil]`:          "data/x = a",
		`data.x not in ["a"]`:           "",
		`data.n in 1..5`:                "data/n 1..5",
		`"vip" in data.tags`:            "data/tags has vip",
		`name in data.names`:            "data/names?",
		`"x" in data`:                   "data/x there",
		`any(data.items, .sku == "A")`:  "data/items?",
		`none(data.items, .sku == "A")`: "",
		`data.x matches "^a"`:           "data/x?",
		`lower(data.x) == "a"`:          "lower(data/x) = a",
		`lower(name) in ["a", "b"]`:     "lower(name) = a | lower(name) = b",
		`string(data.x ?? 1) == "a"`:    "",
		`len(data.x) > 3`:               "len(data/x) 3..+Inf",
		`lower(data.x) contains "a"`:    "lower(data/x)?",
		`trim(lower(data.x)) == "a"`:    "",
		`!(lower(data.x) != "a")`:       "lower(data/x) = a",
		`data.x startsWith ""`:          "data/x?",
	} {
		source, err := Parse("r.yaml", fmt.Appendf(nil, "rules: [{key: a, match: %q, actions: [{identify: {user_id: user_id}}]}]", source))
		if err != nil {
			t.Fatal(err)
		}
		match, problem := language.match(source.Rules[0].Match, newPathBook())
		if problem != nil {
			t.Fatal(problem)
		}
		var groups []string
		for _, g := range match.groups {
			var alternatives []string
			for i := range g {
				alternatives = append(alternatives, alternativeText(&g[i]))
			}
			groups = append(groups, strings.Join(alternatives, " | "))
		}
		if got := strings.Join(groups, ", "); got != want {
			t.Errorf("%s offers %q, want %q", source.Rules[0].Match.Value, got, want)
		}
	}
}

func pathText(p *eventPath) string {
	if p.via != nil {
		return p.via.name + "(" + pathText(p.of) + ")"
	}
	return strings.Join(append([]string{eventNames[p.root].name}, p.names...), "/")
}

func alternativeText(p *predicate) string {
	at := pathText(p.path)
	switch p.kind {
	case isText:
		return at + " = " + p.text
	case isNumeral:
		return fmt.Sprintf("%s = %v", at, p.low)
	case isBool:
		return fmt.Sprintf("%s = %v", at, p.low == 1)
	case hasItem:
		return at + " has " + p.text
	case isMissing:
		return at + " missing"
	case isThere:
		return at + " there"
	case hasPrefix:
		return at + " " + p.text + "…"
	case hasSuffix:
		return at + " …" + p.text
	case inRange:
		return fmt.Sprintf("%s %.6g..%.6g", at, p.low, p.high)
	}
	return at + "?"
}

func TestIntervals(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var tree intervals
		var all []interval
		for n := range r.IntN(40) {
			low := float64(r.IntN(20))
			one := interval{low: low, high: low + float64(r.IntN(8)) - 1, rule: int32(n)}
			all = append(all, one)
			tree.add(one.low, one.high, one.rule)
		}
		tree.build()
		low := float64(r.IntN(24)) - 2
		high := low + float64(r.IntN(3))
		got := map[int32]bool{}
		for _, found := range tree.find(low, high, nil) {
			if got[found] {
				t.Fatal("a rule is found twice")
			}
			got[found] = true
		}
		for _, one := range all {
			if want := one.low <= one.high && one.low <= high && one.high >= low; got[one.rule] != want {
				t.Fatalf("%v..%v for %v..%v: found %v, want %v", one.low, one.high, low, high, got[one.rule], want)
			}
		}
	}
}
