package rules

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"switchyard/engine"
)

// Random rules and random events, of few words, so that they meet. What is awkward is among them: escapes, repeated and
// null members, numbers of every form, values of the wrong type.
var (
	someTypes  = []string{"track", "identify", "page", ""}
	someNames  = []string{"a", "ab", "order-placed", "track", ""}
	somePaths  = []string{"data.n", "data.plan", "data.a.b", `data["a b"]`, "properties.n", "context.app.v", "event.x", "traits.plan", "data.ünï", "data?.a?.b"}
	someTexts  = []string{"pro", "Pro", "team", "", "7", "größe", "a\\\"b", "pro-1"}
	someNumber = []string{"0", "7", "7.0", "-7", "7.5", "1e3", "1000", "9007199254740993", "9007199254740992", "-0.0", "1e300"}
	someJSON   = []string{
		`"pro"`, `"team"`, `"\u0070ro"`, `""`, `"7"`, `"größe"`, `"gr\u00f6\u00dfe"`, `"a\"b"`, `"pro-1"`, `7`, `7.0`, `70e-1`, `-7`, `0`, `-0`, `7.5`,
		`1e3`, `9007199254740993`, `9007199254740992`, `9007199254740994.0`, `1e400`, `-1e400`, `123456789012345678901234567890`, `true`, `false`, `null`,
		`{}`, `[]`, `["pro"]`, `{"b":7}`, `{"b":"pro"}`, `{"b":null}`, `{"\u0062":7}`, `{"b":1,"b":7}`, `{"b":{"b":7}}`,
	}
)

func oneOf(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

func quoted(text string) string { return `"` + text + `"` }

// randomPart is one condition.
func randomPart(r *rand.Rand, depth int) string {
	path := oneOf(r, somePaths)
	switch r.IntN(17) {
	case 0:
		return "type == " + quoted(oneOf(r, someTypes))
	case 1:
		return quoted(oneOf(r, someNames)) + " == name"
	case 2:
		return fmt.Sprintf("name in [%s, %s]", quoted(oneOf(r, someNames)), quoted(oneOf(r, someNames)))
	case 3:
		return fmt.Sprintf("name %s %s", oneOf(r, []string{"startsWith", "endsWith", "contains", "!="}), quoted(oneOf(r, someNames)))
	case 4:
		return fmt.Sprintf("%s %s %s", path, oneOf(r, []string{"==", "!="}), oneOf(r, append(someNumber, quoted(oneOf(r, someTexts)), "true", "false", "nil")))
	case 5:
		return fmt.Sprintf("%s %s %s", oneOf(r, append(someNumber, quoted(oneOf(r, someTexts)))), oneOf(r, []string{"==", "!="}), path)
	case 6:
		return fmt.Sprintf("%s in [%s, %s, %s]", path, oneOf(r, someNumber), quoted(oneOf(r, someTexts)), oneOf(r, []string{"true", "1", "nil"}))
	case 7, 8:
		return fmt.Sprintf("%s %s %s", path, oneOf(r, []string{"<", "<=", ">", ">="}), oneOf(r, someNumber))
	case 9:
		return fmt.Sprintf("%s %s %s", oneOf(r, someNumber), oneOf(r, []string{"<", "<=", ">", ">="}), path)
	case 10, 11:
		return fmt.Sprintf("%s %s %s", path, oneOf(r, []string{"startsWith", "endsWith", "contains", "matches"}), quoted(oneOf(r, []string{"pro", "p", "-1", "größe", "", "o"})))
	case 12:
		return path
	case 13:
		return "len(data) > 2"
	case 14:
		return fmt.Sprintf("%s in data", quoted(oneOf(r, someNames)))
	}
	if depth == 0 {
		return "user_id == \"u\""
	}
	inner := randomPart(r, depth-1) + oneOf(r, []string{" || ", " && ", " or "}) + randomPart(r, depth-1)
	return oneOf(r, []string{"(", "!(", "not ("}) + inner + ")"
}

func randomMatch(r *rand.Rand) string {
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

func randomEvent(r *rand.Rand) *engine.Event {
	event := &engine.Event{
		Type: oneOf(r, someTypes), Name: oneOf(r, someNames), UserID: oneOf(r, []string{"u", ""}),
		Data:       randomObject(r, `"n"`, `"plan"`, `"a"`, `"a b"`, `"ünï"`, `"other"`, `"\u0061"`),
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
	r := rand.New(rand.NewPCG(seed1, seed2))
	var source strings.Builder
	source.WriteString("rules:\n")
	for i := range rules {
		match, _ := json.Marshal(randomMatch(r))
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
	looped := &Set{rules: indexed.rules, matcher: everyRule(indexed.rules)}
	for range events {
		event := randomEvent(r)
		found += len(indexed.matcher.candidates(event, nil))
		got, want := indexed.Decide(event), looped.Decide(event)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("seeds %d %d: %+v\ndata %s properties %s context %s traits %s original %s\nindexed %s\nlooped  %s", seed1, seed2, event,
				event.Data, event.Properties, event.Context, event.Traits, event.Original, described(got, indexed), described(want, indexed))
		}
	}
	return rules * events, found
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
		`!(data.x != "a")`:                              "data/x = a",
		`data.x == "a" || name == "b"`:                  "data/x = a | name = b",
		`(data.x == "a" && name == "b") || true`:        "",
		`(data.x == "a" && name == "b") || data.y == 1`: "data/x = a | data/y = 1",
		`data.x == "a" || name contains "b"`:            "",
		`data.x != "a"`:                                 "",
		`data.x == nil`:                                 "",
		`data.x == data.y`:                              "",
		`timestamp > date("2024-01-01")`:                "",
		`data.x in ["a", nil]`:                          "",
		`lower(data.x) == "a"`:                          "",
		`data.x startsWith ""`:                          "",
	} {
		source, err := Parse("r.yaml", fmt.Appendf(nil, "rules: [{key: a, match: %q, actions: [{identify: {user_id: user_id}}]}]", source))
		if err != nil {
			t.Fatal(err)
		}
		match, problem := language.match(source.Rules[0].Match)
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

func alternativeText(p *predicate) string {
	at := eventNames[p.root].name + p.path
	switch p.kind {
	case isEqual:
		return fmt.Sprintf("%s = %v", at, p.value)
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
			one := interval{low: low, high: low + float64(r.IntN(8)) - 1, rule: &rule{number: n}}
			all = append(all, one)
			tree.add(one.low, one.high, one.rule)
		}
		tree.build()
		low := float64(r.IntN(24)) - 2
		high := low + float64(r.IntN(3))
		got := map[*rule]bool{}
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

// benchEvent is a track of 1.3 KB as it comes from the log.
func benchEvent() *engine.Event {
	data := json.RawMessage(`{"plan":"pro","account_id":"acme-4711","seats":25,"total":1299.5,"currency":"EUR","coupon":null,"trial":false,"sku":"A-50000-x",` +
		`"recipients":[{"id":"u-1","name":"Sam Seely","email":"sam@example.com"}],"items":[{"sku":"A-1","qty":2},{"sku":"B-2","qty":1}]}`)
	context := json.RawMessage(`{"ip":"203.0.113.7","locale":"en-US","userAgent":"` + strings.Repeat("Mozilla/5.0 ", 20) + `","library":{"name":"analytics.js","version":"next-1.64.0"},` +
		`"page":{"path":"/signup","title":"Sign up","url":"https://app.example.com/signup"},"campaign":{"source":"newsletter","name":"winter"}}`)
	return &engine.Event{Environment: "e", Type: "track", Name: "user-signed-up", UserID: "u-1", Data: data, Properties: data, Context: context, Original: data}
}

// benchRules compiles n rules, ten thousand to a file.
func benchRules(b *testing.B, n int, one func(i int) string) *Set {
	b.Helper()
	var files []*File
	for from := 0; from < n; from += 10_000 {
		var source strings.Builder
		source.WriteString("rules:\n")
		for i := from; i < min(n, from+10_000); i++ {
			match, _ := json.Marshal(one(i))
			fmt.Fprintf(&source, "  - {key: r%d, match: %s, actions: [{identify: {user_id: user_id}}]}\n", i, match)
		}
		file, err := Parse(fmt.Sprintf("r%d.yaml", from), []byte(source.String()))
		if err != nil {
			b.Fatal(err)
		}
		files = append(files, file)
	}
	set, err := Compile("e", files)
	if err != nil {
		b.Fatal(err)
	}
	return set
}

// benchMatch finds the rules for an event that none of them wants, by the index and by a plain loop.
func benchMatch(b *testing.B, one func(i int) string) {
	for _, n := range []int{1, 100, 10_000, 100_000} {
		set, event := benchRules(b, n, one), benchEvent()
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if set.Decide(event) != nil {
					b.Fatal("a rule matched")
				}
			}
		})
	}
}

func BenchmarkMatch(b *testing.B) {
	benchMatch(b, func(i int) string {
		return fmt.Sprintf(`type == "track" && name == "event-%d" && data.plan in ["pro", "team"]`, i)
	})
}

func BenchmarkMatchSameName(b *testing.B) {
	benchMatch(b, func(i int) string {
		return fmt.Sprintf(`type == "track" && name == "user-signed-up" && data.account_id == "account-%d"`, i)
	})
}

func BenchmarkMatchRange(b *testing.B) {
	benchMatch(b, func(i int) string {
		return fmt.Sprintf(`name == "user-signed-up" && data.total >= %d && data.total < %d`, 2000+10*i, 2010+10*i)
	})
}

func BenchmarkMatchPrefix(b *testing.B) {
	benchMatch(b, func(i int) string {
		return fmt.Sprintf(`name == "user-signed-up" && data.sku startsWith "B-%d-"`, i)
	})
}

func BenchmarkMatchMixed(b *testing.B) {
	benchMatch(b, func(i int) string {
		switch {
		case i%100 == 99:
			return fmt.Sprintf(`name == "user-signed-up" && data.account_id matches "^nobody-%d$"`, i)
		case i%4 == 0:
			return fmt.Sprintf(`name == "event-%d"`, i)
		case i%4 == 1:
			return fmt.Sprintf(`name == "user-signed-up" && data.account_id == "account-%d"`, i)
		case i%4 == 2:
			return fmt.Sprintf(`name == "user-signed-up" && data.total > %d && data.total < %d`, 2000+i, 2001+i)
		}
		return fmt.Sprintf(`data.sku startsWith "C-%d-"`, i)
	})
}

func BenchmarkMatchNaive(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		set, event := benchRules(b, n, func(i int) string {
			return fmt.Sprintf(`name == "user-signed-up" && data.account_id == "account-%d"`, i)
		}), benchEvent()
		set.matcher = everyRule(set.rules)
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			for b.Loop() {
				set.Decide(event)
			}
		})
	}
}

// BenchmarkLoad compiles 100,000 rules, and tells what they hold in memory.
func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		set := benchRules(b, 100_000, func(i int) string {
			return fmt.Sprintf(`type == "track" && name == "event-%d" && data.plan in ["pro", "team"]`, i)
		})
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB")
		runtime.KeepAlive(set)
	}
}
