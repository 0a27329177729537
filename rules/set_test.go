package rules

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"switchyard/engine"
)

func compileText(t testing.TB, source string) *Set {
	t.Helper()
	file, err := Parse("r.yaml", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	set, err := Compile("production", []*File{file})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

const welcome = `
rules:
  - key: welcome
    name: Welcome new users
    match: type == "track" && name == "user-signed-up" && data.plan in ["pro", "team"]
    transform:
      people: 'map(properties.items, {"id": #.id, "name": #.sku})'
      leader: people[0]
    actions:
      - trigger:
          workflow: welcome
          recipients: people
          actor: user_id
          data: pick(properties, "plan", "id")
          tenant: data.n
          cancellation_key: '"welcome-" + user_id'
      - identify: {user_id: user_id, traits: '{"email": leader.name, "phone": "1", "seen": timestamp}'}
  - key: other
    match: name == "other"
    actions: [{identify: {user_id: user_id}}]
  - key: all
    actions: [{identify: {user_id: data.n}}]
`

func TestDecide(t *testing.T) {
	decision := compileText(t, welcome).Decide(sampleEvent())
	if decision == nil || decision.Outcome != "" || len(decision.Errors) > 0 {
		t.Fatalf("decision = %+v", decision)
	}
	if want := []string{"welcome", "all"}; !reflect.DeepEqual(decision.Rules, want) {
		t.Errorf("rules = %v, want %v", decision.Rules, want)
	}
	var got []string
	for _, a := range decision.Actions {
		if a.Environment != "production" || a.EventID != "1-0" || a.Lane != "u:sam10" || a.UserID != "sam10" || a.Status != engine.StatusWaiting || !a.CreatedAt.IsZero() {
			t.Errorf("action = %+v", a)
		}
		got = append(got, fmt.Sprintf("%s %s %d %s", a.Rule, a.Kind, a.Index, a.Payload()))
	}
	want := []string{
		`welcome identify 1 {"user_id":"sam10","traits":{"email":"x","phone_number":"1","seen":"2024-05-06T07:08:09.123Z"}}`,
		`all identify 0 {"user_id":"5","traits":{}}`,
		`welcome trigger 0 {"workflow":"welcome","recipients":[{"id":"1","name":"x"},{"id":"2","name":"y"},{"id":"3","name":null}],` +
			`"actor":"sam10","data":{"id":9007199254740993,"plan":"pro"},"tenant":"5","cancellation_key":"welcome-sam10"}`,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("actions:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	parameters := `{"workflow":"welcome","recipients":"people","actor":"user_id","data":"pick(properties, \"plan\", \"id\")",` +
		`"tenant":"data.n","cancellation_key":"\"welcome-\" + user_id"}`
	if string(decision.Actions[2].Parameters) != parameters {
		t.Errorf("parameters = %s", decision.Actions[2].Parameters)
	}
}

func TestDecideNothing(t *testing.T) {
	set := compileText(t, "rules: [{key: a, match: name == \"x\", actions: [{identify: {user_id: user_id}}]}]")
	if decision := set.Decide(sampleEvent()); decision != nil {
		t.Errorf("decision = %+v", decision)
	}
	off := compileText(t, "rules: [{key: a, enabled: false, actions: [{identify: {user_id: user_id}}]}]")
	if decision := off.Decide(sampleEvent()); decision != nil || off.Len() != 0 {
		t.Errorf("a rule that is switched off decided %+v", decision)
	}
}

// decideOne is the decision on the sample event of one rule with this match and this action.
func decideOne(t *testing.T, match, action string) *engine.Decision {
	t.Helper()
	return compileText(t, fmt.Sprintf("rules:\n  - key: a\n    match: '%s'\n    actions:\n      - %s\n", match, action)).Decide(sampleEvent())
}

// && has no order at the top level: false wins over an error.
func TestConjuncts(t *testing.T) {
	const fails, plainFails = `data.plan > 5`, `data.tags < 1`
	tests := map[string]string{
		`true && true`:                         "match",
		`true`:                                 "match",
		`data.yes`:                             "match",
		`data.missing`:                         "no match",
		`data.plan == "pro" && data.missing.a`: "no match",
		`false && ` + fails:                    "no match",
		fails + ` && false`:                    "no match",
		fails + ` && name == "x"`:              "no match",
		fails + ` && data.missing > 1`:         "no match",
		`(` + fails + ` && data.n == 5) && data.no`:  "no match",
		fails + ` && (data.yes && data.no)`:          "no match",
		fails + ` and ` + plainFails + ` and 1 == 2`: "no match",
		fails:                       "r.yaml:3:23: a string and a number can not be compared",
		fails + ` && true`:          "r.yaml:3:23: a string and a number can not be compared",
		`data.yes && ` + plainFails: "r.yaml:3:35: a list and a number can not be compared",
		fails + ` && ` + plainFails: "r.yaml:3:23: a string and a number can not be compared",
		`data.yes || ` + fails:      "match",
		fails + ` || data.yes`:      "r.yaml:3:23: a string and a number can not be compared",
		`data.plan`:                 "r.yaml:3:13: true or false was expected, not a string",
		`data.n && true`:            "r.yaml:3:13: true or false was expected, not a number",
		`type == "track" && "web" == source && environment in ["production"] && user_id != ""`: "match",
		`type in ["page", "track"] && name in ["user-signed-up"]`:                              "match",
		`type in ["page"] && ` + fails:                                                         "no match",
		`name == "x" || type == "track"`:                                                       "match",
		`!(name == "x") && type != "page"`:                                                     "match",
		`type == name`:                                                                         "no match",
		`let n = name; n == "user-signed-up"`:                                                  "match",
	}
	for match, want := range tests {
		decision := decideOne(t, match, "identify: {user_id: user_id}")
		got := "no match"
		switch {
		case decision != nil && len(decision.Errors) == 1 && len(decision.Rules) == 0 && len(decision.Actions) == 0:
			got = decision.Errors[0].Message
		case decision != nil:
			got = "match"
		}
		if got != want {
			t.Errorf("%s: %s; want %s", match, got, want)
		}
	}
}

func TestSkipped(t *testing.T) {
	tests := map[string]string{
		`trigger: {workflow: w, recipients: data.missing}`:                   "recipients is missing",
		`trigger: {workflow: w, recipients: data.empty}`:                     "recipients is empty",
		`trigger: {workflow: w, recipients: data.yes}`:                       "recipient 0: the id must be a string, not a boolean",
		`trigger: {workflow: w, recipients: '[{"name": "x"}]'}`:              "recipient 0: a recipient object needs an id",
		`trigger: {workflow: w, recipients: user_id, data: data.tags}`:       "data must be an object, not a list",
		`trigger: {workflow: w, recipients: user_id, tenant: data.yes}`:      "tenant must be a string, not a boolean",
		`trigger: {workflow: w, recipients: user_id, actor: '"a/b"'}`:        `actor: the id "a/b" must not contain / or #`,
		`identify: {user_id: anonymous_id}`:                                  "user_id: the id is missing",
		`identify: {user_id: user_id, traits: data.tags}`:                    "traits must be an object, not a list",
		`identify: {user_id: user_id, traits: data.missing}`:                 "",
		`trigger: {workflow: w, recipients: user_id, data: data.missing}`:    "",
		`trigger: {workflow: w, recipients: data.id, actor: data.missing.x}`: "",
	}
	for action, want := range tests {
		decision := decideOne(t, "true", action)
		if decision == nil || len(decision.Actions) != 1 || !reflect.DeepEqual(decision.Rules, []string{"a"}) {
			t.Errorf("%s: %+v", action, decision)
			continue
		}
		got := decision.Actions[0]
		if got.Reason != want || (got.Status == engine.StatusSkipped) != (want != "") || (got.Payload() == nil) != (want != "") {
			t.Errorf("%s: %s, %q, %s; want %q", action, got.Status, got.Reason, got.Payload(), want)
		}
	}
}

// A rule with any expression that fails asks for nothing, and the others go on.
func TestErrorsAreTheirRulesOnly(t *testing.T) {
	set := compileText(t, `
rules:
  - key: transform
    transform: {a: data.n + 1, b: a + data.plan}
    actions: [{identify: {user_id: user_id}}]
  - key: action
    actions:
      - identify: {user_id: user_id}
      - trigger:
          workflow: w
          recipients: |
            [
              user_id,
              "u-" + data.n
            ]
  - key: good
    transform: {b: '"x"'}
    actions: [{identify: {user_id: b}}]
  - key: payload
    actions: [{identify: {user_id: user_id, traits: '{"f": data.list[0].x ?? float("Inf")}'}}]
`)
	decision := set.Decide(sampleEvent())
	want := []engine.RuleError{
		{Rule: "transform", Message: "r.yaml:4:37: + can not be used on a number and a string"},
		{Rule: "action", Message: "r.yaml:14:20: + can not be used on a string and a number"},
		{Rule: "payload", Message: "r.yaml:20:54: the result is not a finite number"},
	}
	if decision == nil || !reflect.DeepEqual(decision.Errors, want) || len(decision.Actions) != 1 || decision.Actions[0].Rule != "good" {
		t.Errorf("decision = %+v", decision)
	}
}

func TestReservedTraits(t *testing.T) {
	event := sampleEvent()
	event.Traits = json.RawMessage(`{"email":"e","preferences":{"a":1},"channel_data":{"b":2}}`)
	tests := map[string]string{
		`traits`:                                   `{"email":"e"}`,
		`merge(traits, {"preferences": {}})`:       `{"email":"e","preferences":{"a":1}}`,
		`{"preferences": traits.preferences}`:      `{"preferences":{"a":1}}`,
		`pick(traits, "channel_data")`:             `{"channel_data":{"b":2}}`,
		`pick(traits, "email")`:                    `{"email":"e"}`,
		`omit(traits, "email")`:                    `{}`,
		`merge(traits, chosen)`:                    `{"channel_data":{"b":2},"email":"e"}`,
		`merge(traits, alias)`:                     `{"channel_data":{"b":2},"email":"e"}`,
		`{"email": traits.email, preferences: {}}`: `{"email":"e","preferences":{}}`,
	}
	for traits, want := range tests {
		set := compileText(t, fmt.Sprintf(`
rules:
  - key: a
    transform:
      chosen: pick(traits, "channel_data")
      alias: merge(chosen, {})
    actions:
      - identify: {user_id: user_id, traits: '%s'}
`, traits))
		decision := set.Decide(event)
		if decision == nil || len(decision.Actions) != 1 || decision.Actions[0].Identify == nil {
			t.Errorf("%s: %+v", traits, decision)
			continue
		}
		if got, _ := json.Marshal(decision.Actions[0].Identify.Traits); string(got) != want {
			t.Errorf("%s = %s, want %s", traits, got, want)
		}
	}
}

// An action must not change with the event, or with another action's.
func TestPayloadsShareNothing(t *testing.T) {
	set := compileText(t, `
rules:
  - key: a
    actions:
      - identify: {user_id: user_id, traits: data}
      - identify: {user_id: user_id, traits: data}
`)
	decision := set.Decide(sampleEvent())
	first, second := decision.Actions[0].Identify.Traits, decision.Actions[1].Identify.Traits
	first["object"].(map[string]any)["b"] = "changed"
	if second["object"].(map[string]any)["b"] != 2 {
		t.Error("two payloads share an object")
	}
}

// Absent parts are empty objects, and an original that is no object is too.
func TestOddEvents(t *testing.T) {
	set := compileText(t, `
rules:
  - key: a
    match: len(data) + len(properties) + len(traits) + len(context) + len(event) == 0 && keys(data) == []
    actions: [{trigger: {workflow: w, recipients: '"u"'}}]
`)
	for _, original := range []string{"", "5", "[1]", "null"} {
		if decision := set.Decide(&engine.Event{Original: json.RawMessage(original)}); decision == nil || len(decision.Actions) != 1 {
			t.Errorf("%q: %+v", original, decision)
		}
	}
	decision := set.Decide(&engine.Event{Data: json.RawMessage("{")})
	if decision == nil || len(decision.Errors) != 1 || !strings.HasPrefix(decision.Errors[0].Message, "r.yaml:4:12: data: ") {
		t.Errorf("broken data: %+v", decision)
	}
}

func FuzzMatch(f *testing.F) {
	for _, source := range []string{
		`type == "track" && data.a.b > 5`, `map(data.items, {"id": #.id})`, `let x = data; x.a[0:1] ?? nil`, `data | get("plan") in ["a"]`,
		`sortBy(data.items, .price, "desc")[0]?.id`, `reduce(data.list, #acc + #, 0) ** 2`, `1 < -data.n < 3`, `groupBy(data.items, .sku).x`,
		`if data.a { 1 } else { 2 }`, `timestamp.Add(duration("1h")) > date("2024-01-01")`, `data.text matches name`, `-(1..3)[0]`,
	} {
		f.Add(source)
	}
	f.Fuzz(func(t *testing.T, source string) {
		if strings.Contains(source, "..") || strings.Count(source, "(") > 20 {
			return // large ranges inside each other take their time
		}
		quoted, _ := json.Marshal(source)
		file, err := Parse("r.yaml", fmt.Appendf(nil, "rules: [{key: a, match: %s, actions: [{identify: {user_id: user_id, traits: %s}}]}]", quoted, quoted))
		if err != nil {
			return
		}
		set, err := Compile("e", []*File{file})
		if err != nil {
			return
		}
		set.Decide(sampleEvent())
		if decision := set.Decide(sampleEvent()); decision != nil {
			for _, failure := range decision.Errors {
				if strings.Contains(failure.Message, "this expression failed") {
					t.Errorf("%s: %s", source, failure.Message)
				}
			}
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	one := func(i int) string {
		return fmt.Sprintf(`  - {key: r%d, match: 'type == "track" && name == "event-%d" && data.plan in ["pro", "team"] && data.n > 3', actions: [{identify: {user_id: user_id, traits: 'pick(data, "plan")'}}]}`+"\n", i, i)
	}
	for _, n := range []int{1, 100, 10_000} {
		var source strings.Builder
		source.WriteString("rules:\n")
		for i := range n {
			source.WriteString(one(i))
		}
		set := compileText(b, source.String())
		for name, event := range map[string]string{"match": fmt.Sprint("event-", n/2), "miss": "something-else"} {
			b.Run(fmt.Sprintf("%s/%d rules", name, n), func(b *testing.B) {
				e := sampleEvent()
				e.Name = event
				book := new(Book)
				book.Swap(map[string]*Set{"production": set})
				b.ReportAllocs()
				for b.Loop() {
					if decision := book.Decide(e); (decision != nil) != (name == "match") {
						b.Fatal(decision)
					}
				}
			})
		}
	}
	set := compileText(b, "rules: [{key: a, match: 'data.plan == \"team\" && data.object.a.b.c > 3', actions: [{identify: {user_id: user_id}}]}]")
	b.Run("decoded and unmatched", func(b *testing.B) {
		e := sampleEvent()
		b.ReportAllocs()
		for b.Loop() {
			set.Decide(e)
		}
	})
}
