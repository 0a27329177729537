package rules

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"switchyard/engine"
)

// covered is the coverage of the rules of a file by events.
func covered(t *testing.T, source string, events ...*engine.Event) []*RuleCoverage {
	t.Helper()
	file, err := Parse("r.yaml", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	set, err := Compile("test", []*File{file})
	if err != nil {
		t.Fatal(err)
	}
	coverage := set.NewCoverage([]*File{file})
	none := engine.DeciderFunc(func(*engine.Event) *engine.Decision { return nil })
	for _, event := range events {
		coverage.Observe(event, engine.Pipeline(none, set).Decide(event))
	}
	return coverage.Rules()
}

// coverageText is what is known of clauses, one in a line: T and F for true and false, and | before a side.
func coverageText(clauses []*ClauseCoverage, indent string) (text string) {
	for _, c := range clauses {
		text += fmt.Sprintf("%s%s%s%s %d:%d %s\n", indent, strings.Repeat("|", boolIndex(c.Side)),
			strings.Repeat("T", boolIndex(c.True)), strings.Repeat("F", boolIndex(c.False)), c.Line, c.Col, c.Text)
		text += coverageText(c.Sides, indent+" ")
	}
	return text
}

func event(name, data string) *engine.Event {
	return &engine.Event{Type: "track", Name: name, Data: []byte(data), Timestamp: time.Unix(0, 0)}
}

func TestCoverage(t *testing.T) {
	const nested = `name == "go" && (data.plan == "pro" or (data.n > 5 && (data.a || data.b))) && !(data.x == 1 || data.y == 1)`
	for name, test := range map[string]struct {
		match, want string
		exercised   int
		events      []*engine.Event
	}{
		"one side": {`name == "go" && (data.plan == "pro" || data.plan == "team")`, `
T 3:12 name == "go"
T 3:29 data.plan == "pro" || data.plan == "team"
 |T 3:29 data.plan == "pro"
 |F 3:51 data.plan == "team"
`, 1, []*engine.Event{event("go", `{"plan":"pro"}`)}},
		"all of it": {`name == "go" && (data.plan == "pro" || data.plan == "team")`, `
TF 3:12 name == "go"
TF 3:29 data.plan == "pro" || data.plan == "team"
 |TF 3:29 data.plan == "pro"
 |TF 3:51 data.plan == "team"
`, 4, []*engine.Event{event("go", `{"plan":"free"}`), event("go", `{"plan":"team"}`), event("go", `{"plan":"pro"}`), event("stop", `{}`)}},
		"a side on an event that the rule does not want": {`name == "go" && (data.a || data.b)`, `
F 3:12 name == "go"
T 3:29 data.a || data.b
 | 3:29 data.a
 | 3:39 data.b
`, 0, []*engine.Event{event("stop", `{"a":true}`)}},
		"at any depth": {nested, `
T 3:12 name == "go"
T 3:29 data.plan == "pro" or (data.n > 5 && (data.a || data.b))
 |F 3:29 data.plan == "pro"
 |T 3:52 data.n > 5 && (data.a || data.b)
  |F 3:67 data.a
  |T 3:77 data.b
T 3:90 !(data.x == 1 || data.y == 1)
 |F 3:92 data.x == 1
 |F 3:107 data.y == 1
`, 2, []*engine.Event{event("go", `{"n":6,"b":true}`)}},
		"a clause that fails is neither": {`name == "go" && data.n > 5`, `
T 3:12 name == "go"
 3:28 data.n > 5
`, 0, []*engine.Event{event("go", `{"n":"6"}`)}},
	} {
		t.Run(name, func(t *testing.T) {
			rules := covered(t, "rules:\n  - key: one\n    match: "+test.match+"\n    actions: [{identify: {user_id: user_id}}]\n", test.events...)
			if got := coverageText(rules[0].Clauses, ""); got != test.want[1:] {
				t.Errorf("covered\n%swant\n%s", got, test.want[1:])
			}
			if exercised, _ := rules[0].Count(); exercised != test.exercised {
				t.Errorf("%d exercised, want %d", exercised, test.exercised)
			}
		})
	}
}

func TestCoverageOfRules(t *testing.T) {
	rules := covered(t, `rules:
  - {key: seen, match: name == "go", actions: [{identify: {user_id: '"u"'}}]}
  - {key: missed, match: name == "go" && data.n == 1, actions: [{identify: {user_id: '"u"'}}]}
  - {key: elsewhere, match: name == "stop", actions: [{identify: {user_id: '"u"'}}]}
  - {key: all, actions: [{identify: {user_id: '"u"'}}]}
  - {key: off, enabled: false, match: name == "go", actions: [{identify: {user_id: '"u"'}}]}
`, event("go", `{}`), event("go", `{"n":2}`))
	var got []string
	for _, r := range rules {
		exercised, all := r.Count()
		got = append(got, fmt.Sprintf("%s:%d found %t, matched %d, %d of %d", r.Key, r.Line, r.Found, r.Matched, exercised, all))
	}
	want := `seen:2 found true, matched 2, 0 of 1
missed:3 found false, matched 0, 0 of 2
elsewhere:4 found false, matched 0, 0 of 1
all:5 found true, matched 2, 0 of 0`
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
}

// A very long match, wide or deep, costs no more than a bounded number of clauses.
func TestCoverageIsBounded(t *testing.T) {
	wide := strings.TrimSuffix(strings.Repeat(`data.n == 1 || `, 1500), " || ")
	deep := strings.Repeat("(data.a || (data.b && ", maxBrackets/2) + "data.c" + strings.Repeat("))", maxBrackets/2)
	for name, match := range map[string]string{"wide": wide, "deep": deep} {
		started := time.Now()
		rule := covered(t, "rules:\n  - key: long\n    match: "+match+"\n    actions: [{identify: {user_id: user_id}}]\n", event("go", `{"a":true}`))[0]
		if _, all := rule.Count(); all > maxCovered || all < 10 || name == "wide" && rule.More == 0 {
			t.Errorf("%s: %d clauses, %d more", name, all, rule.More)
		}
		if took := time.Since(started); took > 5*time.Second {
			t.Errorf("%s took %s", name, took)
		}
	}
}
