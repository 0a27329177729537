package rules

import (
	"encoding/json"
	"strings"
	"testing"

	"switchyard/engine"
)

// judged compiles a rules file and judges its first test on an event.
func judged(t *testing.T, source string, event *engine.Event) Outcome {
	t.Helper()
	file, err := Parse("r.yaml", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	set, err := Compile("test", []*File{file})
	if err != nil {
		t.Fatal(err)
	}
	none := engine.DeciderFunc(func(*engine.Event) *engine.Decision { return nil })
	return file.Tests[0].Judge([]*engine.Decision{engine.Pipeline(none, set).Decide(event)})
}

const twoActions = `rules:
  - key: both
    match: name == "go"
    actions:
      - identify: {user_id: user_id, traits: data.traits}
      - trigger: {workflow: hello, recipients: data.people, data: data.more, tenant: data.tenant, actor: data.actor}
tests:
  - name: a test
    event: {}
    expect: `

// Each expectation is of the actions of this event.
const twoActionsData = `{"traits":{"n":9007199254740993,"phone":"1","deep":{"a":1,"b":2}},"people":["b",{"id":"a","x":5.0},"b"],"tenant":7,"actor":"kim"}`

func TestExpectations(t *testing.T) {
	const identify = "{rule: both, identify: {}}"
	const trigger = "{rule: both, trigger: hello}"
	for name, test := range map[string]struct{ expect, want string }{
		"only the rules":                    {"[{rule: both}, {rule: both}]", ""},
		"what is left out":                  {"[" + identify + "," + trigger + "]", ""},
		"values":                            {"[{rule: both, identify: {user_id: 5, traits: {deep: {b: 2.0, a: 1}, phone: '1', n: 9007199254740993}}}, {rule: both, trigger: hello, recipients: [b, {x: 5, id: a}], data: {}, tenant: '7', actor: kim, cancellation_key: ''}]", ""},
		"one recipient":                     {"[" + identify + ", {rule: both, recipients: b}]", `different {"recipients":["b"]} {"recipients":["b",{"id":"a","x":5}]}`},
		"the order of recipients":           {"[" + identify + ", {rule: both, recipients: [{id: a, x: 5}, b]}]", `different {"recipients":[{"id":"a","x":5},"b"]} {"recipients":["b",{"id":"a","x":5}]}`},
		"another digit":                     {"[{rule: both, identify: {traits: {deep: {a: 1, b: 2}, phone_number: '1', n: 9007199254740992}}}, " + trigger + "]", `different {"identify":{"traits":{"n":9007199254740992}}} {"identify":{"traits":{"n":9007199254740993}}}`},
		"a member too few and one too many": {"[{rule: both, identify: {traits: {deep: {a: 1, c: 2}, phone: '1', n: 9007199254740993}}}, " + trigger + "]", `different {"identify":{"traits":{"deep":{"c":2}}}} {"identify":{"traits":{"deep":{"b":2}}}}`},
		"data that is not there":            {"[" + identify + ", {rule: both, data: {a: 1}}]", `different {"data":{"a":1}} {}`},
		"another workflow":                  {"[" + identify + ", {rule: both, trigger: bye}]", `different {"trigger":"bye"} {"trigger":"hello"}`},
		"an id that can not be one":         {"[{rule: both, identify: {user_id: a/b}}, " + trigger + "]", `different {"identify":{"user_id":"a/b"}} {"identify":{"user_id":"5"}}`},
		"missing":                           {"[" + identify + "," + trigger + ", {rule: both, trigger: bye}]", `missing {"rule":"both","trigger":"bye"} null`},
		"unexpected":                        {"[" + trigger + "]", `unexpected null {"identify":{"traits":{"deep":{"a":1,"b":2},"n":9007199254740993,"phone_number":"1"},"user_id":"5"},"rule":"both"}`},
		"in another order":                  {"[" + trigger + "," + identify + "]", "moved null null"},
		"skipped, and it is not":            {"[" + identify + ", {rule: both, trigger: hello, skipped: empty}]", `different {"skipped":"empty"} {}`},
	} {
		t.Run(name, func(t *testing.T) {
			outcome := judged(t, twoActions+test.expect, &engine.Event{Type: "track", Name: "go", UserID: "5", Data: json.RawMessage(twoActionsData)})
			wantFailures(t, outcome, test.want)
		})
	}
}

func wantFailures(t *testing.T, outcome Outcome, want string) {
	t.Helper()
	var lines []string
	for _, f := range outcome.Failures {
		expected, _ := json.Marshal(f.Expected)
		got, _ := json.Marshal(f.Got)
		lines = append(lines, strings.Join([]string{string(f.Kind), string(expected), string(got)}, " "))
	}
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("failures\n%s\nwant\n%s", got, want)
	}
}

func TestExpectSkippedAndFailed(t *testing.T) {
	for name, test := range map[string]struct{ expect, data, want string }{
		"skipped with this reason":     {"[{rule: both}, {rule: both, trigger: hello, skipped: recipients is missing}]", `{}`, ""},
		"skipped with another reason":  {"[{rule: both}, {rule: both, skipped: empty}]", `{}`, `different {"skipped":"empty"} {"skipped":"recipients is missing"}`},
		"skipped, and not expected so": {"[{rule: both}, {rule: both, trigger: hello}]", `{}`, `different {} {"skipped":"recipients is missing"}`},
		"nothing expected":             {"[]", `{"people":"a"}`, `unexpected null {"identify":{"traits":{},"user_id":"5"},"rule":"both"}` + "\n" + `unexpected null {"recipients":["a"],"rule":"both","trigger":"hello"}`},
	} {
		t.Run(name, func(t *testing.T) {
			wantFailures(t, judged(t, twoActions+test.expect, &engine.Event{Type: "track", Name: "go", UserID: "5", Data: json.RawMessage(test.data)}), test.want)
		})
	}
	none := &engine.Event{Type: "track", Name: "other"}
	wantFailures(t, judged(t, twoActions+"[]", none), "")
	wantFailures(t, judged(t, twoActions+"[]", &engine.Event{Type: "track", Name: "go", Invalid: "no name"}), "event null null")
	failing := strings.Replace(twoActions, "data.people", "data.n + 1", 1) + "[]"
	outcome := judged(t, failing, &engine.Event{Type: "track", Name: "go", UserID: "5", Data: json.RawMessage("{}")})
	wantFailures(t, outcome, "rule null null")
	if message := outcome.Failures[0].Message; !strings.HasPrefix(message, "the rule both failed: r.yaml:6:") {
		t.Error(message)
	}
}

func TestCheckOfTests(t *testing.T) {
	file, err := Parse("r.yaml", []byte(`tests:
  - name: a
    event: {}
    expect:
      - {rule: welcom}
      - {rule: welcome, identify: {user_id: u}, trigger: w}
      - {rule: identify_users}
`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range file.Tests[0].Check([]string{"welcome", "bye"}) {
		got = append(got, f.Place.Problem("%s", f.Message).Error())
	}
	want := `r.yaml:5:16: there is no rule "welcom"; did you mean "welcome"?
r.yaml:6:9: an expectation is of an identify or of a trigger, not of both; write two`
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}

// A sequence that is as expected passes, whichever of its actions are alike.
func TestAlign(t *testing.T) {
	for _, test := range []struct{ a, b, want string }{
		{"aaa", "aaa", "aa aa aa"},
		{"ab", "ba", "a- bb -a"},
		{"abc", "ac", "aa b- cc"},
		{"ac", "abc", "aa -b cc"},
		{"aA", "A", "a- AA"},
		{"Aa", "a", "A- aa"},
		{"a", "A", "aA"},
		{"", "ab", "-a -b"},
		{"ab", "", "a- b-"},
	} {
		pairs := align(len(test.a), len(test.b), func(i, j int) int {
			x, y := test.a[i:i+1], test.b[j:j+1]
			switch {
			case x == y:
				return sameAction
			case strings.EqualFold(x, y):
				return sameRule
			}
			return unlike
		})
		var shown []string
		for _, pair := range pairs {
			text := ""
			for side, sequence := range []string{test.a, test.b} {
				if pair[side] < 0 {
					text += "-"
				} else {
					text += sequence[pair[side] : pair[side]+1]
				}
			}
			shown = append(shown, text)
		}
		if got := strings.Join(shown, " "); got != test.want {
			t.Errorf("%q and %q: %s, want %s", test.a, test.b, got, test.want)
		}
	}
}
