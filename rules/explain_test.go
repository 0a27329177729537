package rules

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"switchyard/engine"
)

var explained = &engine.Event{
	Environment: "production", Source: "web", Type: "track", Name: "plan-changed", UserID: "kim",
	Data: json.RawMessage(`{"Plan": "Pro", "tier": " Gold", "seats": "7", "total": 99, "n": 7, "ok": "true", "tags": ["a", "b"], "numbers": [7, 8], "none": null,
		"country": "Germny", "id": 9007199254740993, "address": {"city": "Berlin"}, "trial": true, "long": "` + strings.Repeat("ü", 200) + `"}`),
	Context: json.RawMessage(`{"locale": "de-DE"}`),
}

// explainOne is what one match makes of the event.
func explainOne(t *testing.T, match string, event *engine.Event) Explanation {
	t.Helper()
	set := compileText(t, fmt.Sprintf("rules:\n  - key: one\n    match: %s\n    actions: [{identify: {user_id: user_id}}]\n", match))
	return set.Explain(event, 1).Rules[0]
}

// clauseText is a clause and those below it on one line.
func clauseText(c Clause) string {
	text := fmt.Sprintf("%d:%d %s: %s", c.Line, c.Col, c.Text, c.Verdict)
	for _, o := range c.Operands {
		text += fmt.Sprintf(" <%s %s %s>", o.Text, o.Type, o.Value)
	}
	if c.Wanted != "" {
		text += " wants " + c.Wanted
	}
	var below []string
	for _, one := range c.Clauses {
		below = append(below, clauseText(one))
	}
	if below != nil {
		text += " {" + strings.Join(below, " | ") + "}"
	}
	return text
}

func TestClauses(t *testing.T) {
	for match, want := range map[string][]string{
		`type == "track" && data.Plan in ["pro", 'team']`: {
			`3:12 type == "track": true <type string "track"> wants "track"`,
			`3:31 data.Plan in ["pro", 'team']: false <data.Plan string "Pro"> wants ["pro", 'team']`,
		},
		`data.plan == "pro"`: {`3:12 data.plan == "pro": missing <data.plan missing > wants "pro"`},
		`data.seats > 5`:     {`3:12 data.seats > 5: error <data.seats string "7"> wants 5`},
		`dateDiff(data.Plan, data.tier, "d") in 1..3`: {
			`3:12 dateDiff(data.Plan, data.tier, "d") in 1..3: error <data.Plan string "Pro"> <data.tier string " Gold"> wants 1..3`,
		},
		`5 < data.n < 7`: {
			`3:12 5 < data.n: true <data.n number 7> wants 5`, `3:16 data.n < 7: false <data.n number 7> wants 7`,
		},
		`(data.n == 8 or (data.trial && lower(data.plan) == "pro")) and not (name == "x" || data["address"].city startsWith "B")`: {
			`3:13 data.n == 8 or (data.trial && lower(data.plan) == "pro"): false {` +
				`3:13 data.n == 8: false <data.n number 7> wants 8 | ` +
				`3:29 data.trial && lower(data.plan) == "pro": false {` +
				`3:29 data.trial: true <data.trial boolean true> | ` +
				`3:43 lower(data.plan) == "pro": missing <lower(data.plan) missing > wants "pro"}}`,
			`3:75 not (name == "x" || data["address"].city startsWith "B"): false {` +
				`3:80 name == "x" || data["address"].city startsWith "B": true {` +
				`3:80 name == "x": false <name string "plan-changed"> wants "x" | ` +
				`3:95 data["address"].city startsWith "B": true <data["address"].city string "Berlin"> wants "B"}}`,
		},
		`'len(data.tags) > 2 && any(data.tags, # == "c") && data.n not in [7]'`: {
			`3:13 len(data.tags) > 2: false <len(data.tags) number 2> wants 2`,
			`3:35 any(data.tags, # == "c"): false <data.tags list ["a","b"]>`,
			`3:63 data.n not in [7]: false <data.n number 7> wants [7]`,
		},
		"'data.id == 9007199254740992 && data.missing'": {
			`3:13 data.id == 9007199254740992: false <data.id number 9007199254740993> wants 9007199254740992`,
			`3:44 data.missing: missing <data.missing missing >`,
		},
		"|\n      name == \"plan-changed\" &&\n      (data.n > 8 ||\n       data.address.city == \"Köln\")": {
			`4:7 name == "plan-changed": true <name string "plan-changed"> wants "plan-changed"`,
			`5:8 data.n > 8 || data.address.city == "Köln": false {5:8 data.n > 8: false <data.n number 7> wants 8 | ` +
				`6:8 data.address.city == "Köln": false <data.address.city string "Berlin"> wants "Köln"}`,
		},
		`"\u006eame == 'x' && (timestamp).Year() > 2000"`: {
			`3:13 name == 'x': false <name string "plan-changed"> wants 'x'`,
			`3:33 (timestamp).Year() > 2000: false <(timestamp).Year() number 1> wants 2000`,
		},
		`data.long == "x"`: {`3:12 data.long == "x": false <data.long string "` + strings.Repeat("ü", maxShown-2) + `…> wants "x"`},
	} {
		got := explainOne(t, match, explained)
		var clauses []string
		for _, clause := range got.Clauses {
			clauses = append(clauses, clauseText(clause))
		}
		if a, b := strings.Join(clauses, "\n"), strings.Join(want, "\n"); a != b {
			t.Errorf("%s is\n%s\nwant\n%s", match, a, b)
		}
	}
}

func TestHints(t *testing.T) {
	for match, want := range map[string]string{
		`data.Plan == "pro"`:                     `data.Plan is "Pro", the rule wants "pro"`,
		`data.Plan in ["team", "pro"]`:           `data.Plan is "Pro", the rule wants "pro"`,
		`data.Plan startsWith "pr"`:              `data.Plan is "Pro", the rule wants "pr"`,
		`data.tier == "Gold"`:                    `data.tier is " Gold", the rule wants "Gold"`,
		`data.seats == 7`:                        `data.seats is the string "7", the rule compares a number`,
		`data.seats > 5`:                         `data.seats is the string "7", the rule compares a number`,
		`data.n == "7"`:                          `data.n is the number 7, the rule compares a string`,
		`data.ok == true`:                        `data.ok is the string "true", the rule compares a boolean`,
		`data.trial == "true"`:                   `data.trial is the boolean true, the rule compares a string`,
		`data.plan == "pro"`:                     `data.plan is missing; the event has data.Plan`,
		`data.address.City == "Berlin"`:          `data.address.City is missing; the event has data.address.city`,
		`lower(data.plan) == "pro"`:              `data.plan is missing; the event has data.Plan`,
		`data.locale == "de-DE"`:                 `data.locale is missing; the event has context.locale`,
		`data.Plan.key == "pro"`:                 `data.Plan is a string, and has no key`,
		`data.none == "pro"`:                     `data.none is null`,
		`name == "plan-change"`:                  `name is "plan-changed", the rule wants "plan-change"`,
		`data.country in ["France", "Germany"]`:  `data.country is "Germny", the rule wants "Germany"`,
		`data.total >= 100`:                      `data.total is 99, just outside: the rule wants >= 100`,
		`100 < data.total`:                       `data.total is 99, just outside: the rule wants > 100`,
		`data.total > 99`:                        `data.total is 99, which > leaves out and >= would take`,
		`99 > data.total`:                        `data.total is 99, which < leaves out and <= would take`,
		`data.total > 1000`:                      ``,
		`data.tags == "a"`:                       `data.tags is a list that has it; write "a" in data.tags`,
		`"B" in data.tags`:                       `data.tags has the string "b", the rule looks for "B"`,
		`8 in data.tags`:                         ``,
		`"7" in data.numbers`:                    `data.numbers has the number 7, the rule looks for "7"`,
		`data.n in 1..6`:                         `data.n is 7, close to 6`,
		`data.n in [1, 2]`:                       ``,
		`"plan" in data`:                         `data has no "plan"; it has "Plan"`,
		`data.Plan in []`:                        ``,
		`name == "x" || data.Plan == "pro"`:      `data.Plan is "Pro", the rule wants "pro"`,
		`data.n == 7`:                            ``,
		`data.Plan == data.Tier`:                 `data.Tier is missing; the event has data.tier`,
		`name != "plan-changed"`:                 ``,
		`type == "trak" && data.Plan == "pro"`:   `type is "track", the rule wants "trak"; data.Plan is "Pro", the rule wants "pro"`,
		`data.nothing.like.it == 1 && data.xyzw`: ``,
	} {
		if got := strings.Join(explainOne(t, asJSON(match), explained).Hints, "; "); got != want {
			t.Errorf("%s: %q, want %q", match, got, want)
		}
	}
}

const nearlyRules = `
rules:
  - {key: far, match: type == "page" && name == "Home" && data.n == 1, actions: [{identify: {user_id: user_id}}]}
  - {key: plan, match: type == "track" && name == "plan-changed" && data.Plan == "pro", actions: [{identify: {user_id: user_id}}]}
  - {key: off, enabled: false, actions: [{identify: {user_id: user_id}}]}
  - {key: other, match: type == "track" && name == "order-placed", actions: [{identify: {user_id: user_id}}]}
  - {key: typo, match: type == "track" && name == "plan-change", actions: [{identify: {user_id: user_id}}]}
  - {key: fails, match: name == "plan-changed" && data.seats > 5, actions: [{identify: {user_id: user_id}}]}
  - key: takes
    name: Takes it
    match: name startsWith "plan-"
    transform: {who: upper(user_id), half: data.n / 2}
    actions:
      - trigger: {workflow: w, recipients: who, data: '{"half": half}'}
      - identify: {user_id: data.nobody}
  - key: breaks
    transform: {who: upper(user_id), broken: data.tags + 1}
    actions: [{identify: {user_id: who}}]
`

func TestExplain(t *testing.T) {
	set := compileText(t, nearlyRules)
	report := set.Explain(explained, 100)
	var order []string
	rules := map[string]Explanation{}
	for _, one := range report.Rules {
		rules[one.Key] = one
		order = append(order, fmt.Sprintf("%s %s %d %t", one.Key, one.Fate, one.Misses, one.Nearest))
	}
	if got, want := strings.Join(order, ", "), "takes matched 0 false, fails failed 1 false, breaks failed 0 false, typo missed 1 true, "+
		"plan missed 1 true, other missed 1 true, far missed 3 false"; got != want {
		t.Errorf("the order is %s\nwant %s", got, want)
	}
	if report.Matched != 1 || report.Failed != 2 || report.Missed != 4 {
		t.Errorf("%d %d %d", report.Matched, report.Failed, report.Missed)
	}
	for key, want := range map[string]string{
		"other": `name is "plan-changed", filed under "order-placed"`, "far": `name is "plan-changed", filed under "Home"`, "plan": "", "takes": "",
	} {
		if got := rules[key]; got.Pruned != want && key != "plan" || got.Found != (got.Pruned == "") {
			t.Errorf("%s is pruned by %q, want %q", key, got.Pruned, want)
		}
	}
	takes := rules["takes"]
	if fmt.Sprint(takes.Transforms) != `[{who string "KIM"} {half number 3.5}]` || len(takes.Actions) != 2 || takes.FirstFailing != -1 || takes.Name != "Takes it" {
		t.Errorf("%+v", takes)
	} else if got := string(takes.Actions[0].Payload()); got != `{"workflow":"w","recipients":[{"id":"KIM"}],"data":{"half":3.5}}` && !strings.Contains(got, `"half":3.5`) {
		t.Errorf("the payload is %s", got)
	} else if skipped := takes.Actions[1]; skipped.Status != engine.StatusSkipped || skipped.Reason == "" || skipped.Payload() != nil {
		t.Errorf("%+v", skipped)
	}
	if breaks := rules["breaks"]; !strings.Contains(breaks.Error, "+ can not be used on") || fmt.Sprint(breaks.Transforms) != `[{who string "KIM"}]` || breaks.Clauses != nil {
		t.Errorf("%+v", breaks)
	}
	if fails := rules["fails"]; fails.FirstFailing != 1 || fails.Error != fails.Clauses[1].Error || !strings.Contains(fails.Error, "8:62: ") {
		t.Errorf("%+v", fails)
	}
	if got := set.Explain(explained, 2); len(got.Rules) != 2 || got.Missed != 4 || len(set.Explain(explained, 0).Rules) != 0 {
		t.Errorf("%+v", got)
	}
}

// A false clause is the reason before one that raised an error, which then does not count.
func TestFirstFailing(t *testing.T) {
	got := explainOne(t, `data.seats > 5 && name == "x"`, explained)
	if got.Fate != Missed || got.FirstFailing != 1 || got.Misses != 2 {
		t.Errorf("%+v", got)
	}
}

// The text of a clause is all of it, however it is written.
func TestClauseTexts(t *testing.T) {
	for _, match := range []string{
		`let x = data; x.tags[0:1] ?? nil`, `data | get("plan") in ["a"]`, `sortBy(data.items, .price, "desc")[0]?.id`,
		`reduce(data.list, #acc + #, 0) ** 2 > (1)`, `if data.a { true } else { name == "x" }`, `timestamp.Add(duration("1h")) > date("2024-01-01")`,
		`data.a ? (name == "x") : data["b"]`, `-(1..3)[0] == -data.n`, `data?.["a b"]?.c != nil`, `map(data.items, {"id": #.id})[0].id == (("x"))`,
		`{"a": [1, 2]}.a[0] == 1`, `len([]) == len({})`, `timestamp.Year() == 2024`, `all(data.tags, {# != "x"}) == true`, `not (data.n in [1])`,
		`data.n not in [(1), 2]`, `"größe" == data["ünï"] + "ß"`, `!data.trial`, `!(name == "x" || name == "y")`, `timestamp.Weekday().String() == "Monday"`, `data.tags[1:]`,
		`any(filter(data.tags, # startsWith "x"), len(#) > 1)`, `count(data.tags) > 1`, `1 in [data.n]`, `data.n // a comment`,
	} {
		e := explainOne(t, asJSON(match), explained)
		if want, _, _ := strings.Cut(match, " //"); len(e.Clauses) != 1 || e.Clauses[0].Text != want || e.Clauses[0].Col != 13 {
			t.Errorf("%s is shown as %+v", match, e.Clauses)
		}
	}
	both := explainOne(t, asJSON(`((name == ("x"))) && (data.n in [1, (2)] or (len(data.tags)) > 1)`), explained)
	if got := both.Clauses[0].Text + " & " + both.Clauses[1].Text + " & " + both.Clauses[1].Clauses[1].Text; got != `name == ("x") & data.n in [1, (2)] or (len(data.tags)) > 1 & (len(data.tags)) > 1` {
		t.Error(got)
	}
}

// Explain and Decide agree, and the clauses say why: a rule matches when all are true, and fails when none is false and
// some raised an error.
func TestExplainAgreesWithDecide(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 7))
		var source strings.Builder
		source.WriteString("rules:\n")
		for i := range 30 {
			match, _ := json.Marshal(randomMatch(t, r, newLanguage(eventPlace)))
			fmt.Fprintf(&source, "  - {key: r%d, match: %s, actions: [{identify: {user_id: '\"u\"'}}]}\n", i, match)
		}
		set := compileText(t, source.String())
		for n := range 15 {
			event := randomEvent(r)
			decision := set.Decide(event)
			decided := map[string]Fate{}
			if decision != nil {
				for _, key := range decision.Rules {
					decided[key] = Matched
				}
				for _, failed := range decision.Errors {
					decided[failed.Rule] = Failed
				}
			}
			for _, one := range set.Explain(event, len(set.rules)).Rules {
				want := Missed
				if fate, ok := decided[one.Key]; ok {
					want = fate
				}
				if one.Fate != want || byClauses(one) != want || (one.FirstFailing < 0) != (want == Matched) || (one.Pruned == "") != one.Found {
					t.Fatalf("seed %d: %s: decided %s, explained %+v\nevent %+v", seed, set.rules[0].info.Match, want, one, event)
				}
			}
			if n == 0 {
				checkTexts(t, set, event)
			}
		}
	}
}

// checkTexts holds that the text of every clause, as a rule of its own, comes to the clause's verdict.
func checkTexts(t *testing.T, set *Set, event *engine.Event) {
	t.Helper()
	var source strings.Builder
	source.WriteString("rules:\n")
	wants := map[string]Clause{}
	var add func(clauses []Clause)
	add = func(clauses []Clause) {
		for _, c := range clauses {
			if strings.HasSuffix(c.Text, "…") {
				continue // cut, for it is long
			}
			key := fmt.Sprintf("c%d", len(wants))
			wants[key] = c
			fmt.Fprintf(&source, "  - {key: %s, match: %s, actions: [{identify: {user_id: '\"u\"'}}]}\n", key, asJSON(c.Text))
			add(c.Clauses)
		}
	}
	for _, one := range set.Explain(event, len(set.rules)).Rules {
		add(one.Clauses)
	}
	texts := compileText(t, source.String())
	for _, got := range texts.Explain(event, len(wants)).Rules {
		want := map[Verdict]Fate{True: Matched, Erred: Failed}[wants[got.Key].Verdict]
		// && has an order inside a clause, and none in a match.
		if want == "" || want == Failed && len(got.Clauses) > 1 {
			want = Missed
		}
		if got.Fate != want && !(len(got.Clauses) > 1 && got.Fate == Failed) {
			t.Errorf("%s is %s by itself, and %s as a clause", wants[got.Key].Text, got.Fate, wants[got.Key].Verdict)
		}
	}
}

func byClauses(e Explanation) Fate {
	fate := Matched
	for _, clause := range e.Clauses {
		switch clause.Verdict {
		case False, Missing:
			return Missed
		case Erred:
			fate = Failed
		}
	}
	return fate
}

// The near ones are those for such events. Of an event that no rule matched the nearest of all is one, whatever it is for.
func TestNearest(t *testing.T) {
	near := func(source string) (keys string) {
		for _, one := range compileText(t, source).Explain(explained, 100).Rules {
			if one.Nearest {
				keys += " " + one.Key
			}
		}
		return keys
	}
	const action = ", actions: [{identify: {user_id: user_id}}]}\n"
	foreign := "rules:\n" +
		"  - {key: sign-up, match: name == \"user-signed-up\"" + action +
		"  - {key: order, match: type == \"track\" && name == \"order-placed\" && data.total > 100" + action
	if got := near(foreign); got != " sign-up" {
		t.Errorf("%q", got)
	}
	for added, want := range map[string]string{
		"  - {key: several, match: name == \"plan-changed\" && data.n > 7 && data.total > 100 && data.trial": " several",
		"  - {key: takes, match: name == \"plan-changed\"":                                                   "",
	} {
		if got := near(foreign + added + action); got != want {
			t.Errorf("with%s: %q, want %q", added, got, want)
		}
	}
}

// What is asked of many rules is bounded: the near ones are found among all of them.
func TestExplainOfManyRules(t *testing.T) {
	var source strings.Builder
	source.WriteString("rules:\n")
	for i := range 3000 {
		fmt.Fprintf(&source, "  - {key: r%d, match: type == \"track\" && name == \"event-%d\", actions: [{identify: {user_id: user_id}}]}\n", i, i)
	}
	set := compileText(t, source.String())
	report := set.Explain(&engine.Event{Type: "track", Name: "Event 1234"}, 3)
	if len(report.Rules) != 3 || report.Missed != 3000 || report.Rules[0].Pruned == "" {
		t.Errorf("%+v", report)
	}
}

func BenchmarkExplain(b *testing.B) {
	set, event := benchRules(b, 100_000, benchKinds[""]), benchEvent(b)
	for b.Loop() {
		set.Explain(event, 20)
	}
}
