package rules

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"switchyard/engine"
	"switchyard/rules/document"
)

const sampleData = `{
	"plan": "pro", "n": 5, "f": 5.5, "zero": 0, "id": 9007199254740993, "big": 18446744073709551615,
	"huge": 123456789012345678901234567890, "negative": -3, "yes": true, "no": false, "null": null, "text": "héllo",
	"tags": ["a", "b", "a"], "list": [3, 1, 2], "mixed": [1, "a", null], "empty": [], "object": {"a": {"b": {"c": 1}}, "b": 2},
	"items": [{"id": 1, "price": 2.5, "sku": "x"}, {"id": 2, "price": 4, "sku": "y"}, {"id": 3}]
}`

func sampleEvent() *engine.Event {
	return &engine.Event{
		ID: "1-0", Environment: "production", Source: "web", Type: "track", Name: "user-signed-up",
		UserID: "sam10", MessageID: "m1",
		Timestamp:  time.Date(2024, 5, 6, 7, 8, 9, 123456789, time.UTC),
		ReceivedAt: time.Date(2024, 5, 6, 8, 0, 0, 0, time.UTC),
		Data:       json.RawMessage(sampleData), Properties: json.RawMessage(sampleData),
		Original: json.RawMessage(`{"type":"track","nested":{"deep":[1,2]}}`),
	}
}

// text is an expression as a rules file has it, on line 1 at column 8.
func text(t testing.TB, source string) document.Text {
	t.Helper()
	doc, err := document.Parse("r.yaml", []byte("match: '"+strings.ReplaceAll(source, "'", "''")+"'"))
	if err != nil {
		t.Fatal(err)
	}
	var into struct {
		Match document.Text `yaml:"match"`
	}
	if err := doc.Decode(&into, nil); err != nil {
		t.Fatal(err)
	}
	return into.Match
}

// evaluate is the plain value of an expression for the sample event, or the error that compiling or running it gives.
func evaluate(t testing.TB, source string) (any, error) {
	t.Helper()
	e, problem := newLanguage(eventPlace).compile(text(t, source))
	if problem != nil {
		return nil, *problem
	}
	scope := newScope(sampleEvent())
	defer scope.free()
	v := values{scope: scope}
	value := v.of(e)
	return value, v.err
}

func TestValues(t *testing.T) {
	tests := []struct {
		source string
		want   any
	}{
		// the names
		{`[id, source, environment, type, name, user_id]`, []any{"1-0", "web", "production", "track", "user-signed-up", "sam10"}},
		{`[anonymous_id, group_id, previous_id, message_id]`, []any{"", "", "", "m1"}},
		{`[timestamp, received_at]`, []any{"2024-05-06T07:08:09.123Z", "2024-05-06T08:00:00.000Z"}},
		{`timestamp.Year()`, 2024},
		{`int(timestamp.Month()) == 5`, true},
		{`received_at - timestamp > duration("50m")`, true},
		{`timestamp < received_at && timestamp != received_at`, true},
		{`timestamp > date("2024-01-01")`, true},
		{`date("2024-05-06").Day()`, 6},
		{`event.nested.deep[-1]`, 2},
		{`data == properties`, true},

		// a missing path is nil, at any depth and through anything
		{`data.a`, nil}, {`data.a.b.c`, nil}, {`data["a"]["b"]`, nil}, {`data.plan.x.y`, nil}, {`data.n.x`, nil}, {`data.yes.x`, nil},
		{`data.tags[9]`, nil}, {`data.tags[-9]`, nil}, {`data.tags[-1]`, "a"}, {`data.a[0]`, nil}, {`data.tags.x`, nil}, {`data.n[0]`, nil},
		{`data.tags["x"]`, nil}, {`data.object["a"].b["c"]`, 1}, {`data.null.x`, nil}, {`data?.a?.b`, nil}, {`data.huge.x`, nil},
		{`data.tags[0.0]`, "a"}, {`data.tags[data.a]`, nil}, {`data[data.a]`, nil}, {`data.object[name]`, nil},
		{`traits.a.b`, nil}, {`context.page.url`, nil}, {`properties.a[0].b`, nil}, {`event.context.a`, nil},
		{`map(data.items, #.a.b)`, []any{nil, nil, nil}}, {`map(data.items, .sku)`, []any{"x", "y", nil}},
		{`filter(data.items, .a.b.c == nil) | len()`, 3}, {`data.text[1]`, "é"}, {`data.text[-1:]`, "o"}, {`data.a[1:2]`, nil},
		{`data.list[1:]`, []any{1, 2}}, {`data.list[:-1]`, []any{3, 1}}, {`data.list[5:9]`, []any{}},

		// comparing nil is false
		{`data.a < 5`, false}, {`data.a <= 5`, false}, {`data.a > 5`, false}, {`data.a >= 5`, false}, {`5 > data.a`, false},
		{`data.a < data.b`, false}, {`data.a in ["x"]`, false}, {`data.a in data.tags`, false}, {`"x" in data.a`, false},
		{`data.a in data.mixed`, false}, {`data.a contains "x"`, false}, {`data.a startsWith "x"`, false}, {`data.a endsWith "x"`, false},
		{`data.a matches "x"`, false}, {`"x" matches data.a`, false}, {`data.plan contains data.a`, false},
		{`data.a not in data.tags`, true}, {`not (data.a in ["x"])`, true}, {`!(data.a < 5)`, true},
		{`data.a == nil`, true}, {`data.a != nil`, false}, {`nil == nil`, true}, {`data.a == data.b`, true}, {`data.null == nil`, true},
		{`data.a == 0`, false}, {`data.a == ""`, false}, {`data.a == false`, false}, {`data.a ?? 1`, 1}, {`data.n ?? 1`, 5},

		// conditions: nil is false
		{`!data.a`, true}, {`data.a && true`, false}, {`data.a || data.yes`, true}, {`data.a ? 1 : 2`, 2}, {`not data.a`, true},
		{`if data.a { 1 } else { 2 }`, 2}, {`any(data.items, .a)`, false}, {`all(data.items, .a)`, false}, {`count(data.items, .a)`, 0},
		{`find(data.items, .a)`, nil}, {`count([true, data.a, true])`, 2},

		// nil is an empty list, and has no length
		{`len(data.a)`, 0}, {`len(traits)`, 0}, {`keys(traits)`, []any{}}, {`keys(data.a)`, []any{}}, {`map(data.a, #.x)`, []any{}},
		{`filter(data.a, true)`, []any{}}, {`any(data.a, true)`, false}, {`all(data.a, false)`, true}, {`none(data.a, true)`, true},
		{`one(data.a, true)`, false}, {`count(data.a, true)`, 0}, {`sum(data.a)`, 0}, {`sum(data.a, #.x)`, 0}, {`find(data.a, true)`, nil},
		{`groupBy(data.a, #.x)`, map[string]any{}}, {`sortBy(data.a, #.x)`, []any{}}, {`reduce(data.a, #acc + #, 0)`, 0},
		{`sort(data.a)`, []any{}}, {`uniq(data.a)`, []any{}}, {`reverse(data.a)`, []any{}}, {`flatten(data.a)`, []any{}},
		{`concat(data.a, [1], data.b)`, []any{1}}, {`first(data.a)`, nil}, {`last(data.a)`, nil}, {`take(data.a, 2)`, []any{}},
		{`join(data.a)`, ""}, {`min(data.a)`, nil}, {`max(data.list, data.a)`, 3}, {`upper(data.a)`, nil}, {`split(data.a, ",")`, nil},
		{`trim(data.a)`, nil}, {`replace(data.a, "a", "b")`, nil}, {`date(data.a)`, nil}, {`string(data.a)`, ""}, {`fromJSON(data.a)`, nil},
		{`get(data.a, "x")`, nil}, {`values(data.a)`, []any{}}, {`toPairs(data.a)`, []any{}}, {`pick(data.a, "x")`, map[string]any{}},
		{`omit(data.a, "x")`, map[string]any{}}, {`merge(data.a, {"x": 1}, data.b)`, map[string]any{"x": 1}}, {`rename(data.a, "x", "y")`, map[string]any{}},
		{`coalesce(data.a, "", data.plan)`, "pro"}, {`coalesce(data.a)`, nil}, {`typeof(data.a)`, "nil"},

		// equality is by value
		{`data.n == "5"`, false}, {`data.n == 5.0`, true}, {`data.tags == ["a", "b", "a"]`, true}, {`data.tags == ["a"]`, false},
		{`data.object == {"b": 2.0, "a": {"b": {"c": 1}}}`, true}, {`data.object.a == {"x": 1}`, false}, {`split("a,b", ",") == ["a", "b"]`, true},
		{`1..3 == [1, 2, 3]`, true}, {`3 in data.list`, true}, {`3.0 in data.list`, true}, {`"plan" in data`, true}, {`"x" in data`, false},
		{`data.plan in ["pro", "team"]`, true}, {`data.n in ["5"]`, false}, {`data.n in [5, "x"]`, true}, {`data.plan not in ["team"]`, true},
		{`1 < data.n < 10`, true}, {`-10 < -data.n < -1`, true}, {`1 > -5 > -10`, true}, {`data.text contains "éll"`, true}, {`data.plan matches "^p.o$"`, true},

		// functions
		{`pick(data, "plan", "n", "x")`, map[string]any{"plan": "pro", "n": 5}}, {`pick(data, ["plan"], "n") | len()`, 2},
		{`omit(data.object, "a")`, map[string]any{"b": 2}}, {`rename(data.object, "b", "c", "x", "y") | keys()`, []any{"a", "c"}},
		{`rename({"a": 1, "b": 2}, "a", "b", "b", "a")`, map[string]any{"a": 2, "b": 1}}, {`rename({"a": 1, "b": 2}, "a", "b")`, map[string]any{"b": 1}},
		{`merge({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}})`, map[string]any{"a": map[string]any{"b": 3, "c": 2}}},
		{`keys(data.object)`, []any{"a", "b"}}, {`values({"z": 1, "a": 2})`, []any{2, 1}}, {`toPairs({"z": 1, "a": 2})`, []any{[]any{"a", 2}, []any{"z", 1}}},
		{`fromPairs([["a", 1]])`, map[string]any{"a": 1}}, {`len(data.text)`, 5}, {`len(data.tags)`, 3}, {`typeof(data.tags)`, "list"},
		{`[typeof(1), typeof("a"), typeof(true), typeof({}), typeof(timestamp)]`, []any{"number", "string", "boolean", "object", "time"}},
		{`string(data.n) + string(data.f) + string(true)`, "55.5true"}, {`string(1000000.5)`, "1000000.5"}, {`string(data.tags)`, `["a","b","a"]`},
		{`join(data.mixed, "-")`, "1-a"}, {`sort(data.list)`, []any{1, 2, 3}}, {`sort(data.list, "desc")`, []any{3, 2, 1}}, {`sort([2, nil, 1])`, []any{1, 2, nil}},
		{`map(sortBy(data.items, .price, "desc"), .id)`, []any{2, 1, 3}}, {`sum(data.items, .price ?? 0)`, 6.5}, {`sum(data.list)`, 6},
		{`map(data.items, {"id": #.id, "n": #index})[1]`, map[string]any{"id": 2, "n": 1}}, {`uniq(data.tags)`, []any{"a", "b"}},
		{`groupBy(data.items, .price > 3)`, map[string]any{
			"true":  []any{map[string]any{"id": 2, "price": 4, "sku": "y"}},
			"false": []any{map[string]any{"id": 1, "price": 2.5, "sku": "x"}, map[string]any{"id": 3}},
		}},
		{`data.items | map({id: .id}) | last()`, map[string]any{"id": 3}}, {`map(data.items, {(data.plan): #index})[1]`, map[string]any{"pro": 1}},
		{`map(data.list, {# + 1})`, []any{4, 2, 3}}, {`map(data.list, {})`, []any{map[string]any{}, map[string]any{}, map[string]any{}}},
		{`map(data.list, {"a": {"b": [#, {"c": 1}]}})[0].a.b[1].c`, 1}, {`merge({"a": 1}, {"b": 2})`, map[string]any{"a": 1, "b": 2}},
		{`groupBy(data.tags, #).a`, []any{"a", "a"}}, {`reduce(data.list, #acc + #)`, 6}, {`max(data.list)`, 3}, {`min(3, 1.5, 2)`, 1.5},
		{`min(["b", "a"])`, "a"}, {`upper(data.plan)`, "PRO"}, {`split("a,b", ",")`, []any{"a", "b"}}, {`fromJSON("[9007199254740993]")[0]`, 9007199254740993},
		{`toJSON({"b": 1, "a": [data.id]})`, `{"a":[9007199254740993],"b":1}`}, {`let x = data.n; x + 1`, 6}, {`repeat("ab", 2)`, "abab"}, {`replace("aba", "a", "c")`, "cbc"},
		{`mean(data.list)`, 2.0}, {`duration("90m")`, "1h30m0s"}, {`findIndex(data.tags, # == "b")`, 1}, {`none(data.tags, # == "x")`, true}, {`one(data.tags, # == "b")`, true},
		{`any(data.items, any(data.items, .id == 3) && .id == 1)`, true}, {`data | get("plan")`, "pro"},
	}
	for _, test := range tests {
		got, err := evaluate(t, test.source)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s = %#v, %v; want %#v", test.source, got, err, test.want)
		}
	}
}

func TestNumbersKeepTheirValue(t *testing.T) {
	tests := []struct {
		source string
		want   any
	}{
		{`data.id == 9007199254740993`, true}, {`data.id == 9007199254740992`, false}, {`data.id != 9007199254740992`, true},
		{`data.id > 9007199254740992.0`, true}, {`data.id == 9007199254740992.0`, false}, {`data.id in [9007199254740992]`, false},
		{`data.id in [9007199254740993]`, true}, {`data.id`, 9007199254740993}, {`[data.id]`, []any{9007199254740993}},
		{`data.big`, uint64(18446744073709551615)}, {`data.big == data.big`, true}, {`data.big > 9223372036854775807`, true},
		{`data.big > -1`, true}, {`-1 < data.big`, true}, {`data.big == -1`, false}, {`data.big < data.huge`, true}, {`data.big > data.f`, true},
		{`data.huge`, json.Number("123456789012345678901234567890")}, {`data.huge == data.huge`, true}, {`data.huge > data.n`, true},
		{`data.huge == 123456789012345678901234567890.0`, false}, {`max(data.n, data.big, data.huge)`, json.Number("123456789012345678901234567890")},
		{`sort([data.big, data.n, data.huge])[0]`, 5}, {`data.n == 5.0`, true}, {`data.f > data.n`, true}, {`data.zero == -0.0`, true},
		{`data.id + 1`, 9007199254740994}, {`data.id - 1`, 9007199254740992}, {`9223372036854775807 + 1`, uint64(9223372036854775808)},
		{`data.big + 1`, json.Number("18446744073709551616")}, {`data.big - data.big`, 0}, {`-data.big`, json.Number("-18446744073709551615")},
		{`data.id * data.id`, json.Number("81129638414606699710187514626049")}, {`7 / 2`, 3.5}, {`6 / 2`, 3.0}, {`7 % 4`, 3}, {`-7 % 4`, -3},
		{`2 ** 3`, 8.0}, {`2 ^ 3`, 8.0}, {`data.n + data.f`, 10.5}, {`-data.n`, -5}, {`- 5`, -5}, {`-5.5`, -5.5}, {`sum([data.big, 1])`, json.Number("18446744073709551616")},
		{`string(data.id)`, "9007199254740993"}, {`string(data.huge)`, "123456789012345678901234567890"}, {`"u" + string(data.big)`, "u18446744073709551615"},
		{`abs(data.negative)`, 3}, {`int("7")`, 7}, {`2 * duration("1h")`, "2h0m0s"},
	}
	for _, test := range tests {
		got, err := evaluate(t, test.source)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s = %#v, %v; want %#v", test.source, got, err, test.want)
		}
	}
}

// The column in each message is that of the expression's character: 9 is its first.
func TestErrors(t *testing.T) {
	tests := map[string]string{
		// found while compiling
		`usr_id == "x"`:                   "1:9: unknown name usr_id; did you mean user_id?",
		`type == "x" && nmae == "y"`:      "1:24: unknown name nmae; did you mean name?",
		`lenght(data.x)`:                  "1:9: unknown name lenght; did you mean len?",
		`map(data.x, pik(#, "a"))`:        "1:21: unknown name pik; did you mean pick?",
		`zzzzzz`:                          `1:9: unknown name zzzzzz; a text needs quotes: "zzzzzz"`,
		`type(data.x)`:                    "1:9: type is not a function: write typeof(value)",
		`now() > timestamp`:               "1:9: now is not available: an event is decided the same way at any time: use received_at",
		`$env.data`:                       "1:9: $env is not available; write the name itself",
		`data.x = 5`:                      `1:16: unexpected "="; use == to compare`,
		`data.x ==`:                       "1:18: the expression ends too early",
		`(data.x`:                         "1:16: the expression ends too early: a bracket is not closed",
		`type == track`:                   `1:17: unknown name track; a text needs quotes: "track"`,
		`data.x == null`:                  "1:19: unknown name null; did you mean nil?",
		`name =~ "^a"`:                    `1:14: unexpected "=~"; use matches to fit a pattern`,
		`type == "a" AND name == "b"`:     `1:21: unexpected "AND"; write and in small letters`,
		`startsWith(name, "a")`:           `1:9: unexpected "startsWith"; it stands between two texts, as in name startsWith "a"`,
		`name.startsWith("a")`:            `1:14: a string has no method startsWith; write: text startsWith "part"`,
		`name == "a" || "b"`:              `1:21: || can not be used on a boolean and a string; each side needs a comparison of its own, or write name in ["a", "b"]`,
		`timestamp > "2024-01-01"`:        `1:19: > can not be used on a time and a string; date("2024-05-06") makes a time of a text`,
		`name == "a`:                      "1:19: a text is not closed: a quote is missing",
		`name == “a”`:                     `1:17: unexpected “; the quotes of a text are straight: "`,
		`name in ("a", "b")`:              `1:21: unexpected ","; a list stands in [ ]`,
		`name.startswith > 3`:             `1:14: a string has no field startswith; write: text startsWith "part"`,
		`sam@example.com`:                 `1:12: unexpected "@"; a text needs quotes, inside those of YAML`,
		`data.x)`:                         `1:15: unexpected ")"`,
		`user_id > 5`:                     "1:17: > can not be used on a string and a number; string(…) makes a text of a number, int(…) or float(…) a number of a text",
		`name matches "("`:                "1:22: error parsing regexp: missing closing ): `(`",
		`map(data, #)`:                    "1:13: builtin map takes only array (got object)",
		`pick()`:                          "1:9: not enough arguments to call pick",
		`len(1, 2)`:                       "1:9: too many arguments to call len",
		`name.first`:                      "1:14: a string has no field first; did you mean first(…)?",
		`let name = 1; name`:              "1:13: cannot redeclare name",
		`data.id == 99999999999999999999`: "1:20: the number 99999999999999999999 is too large",

		// found while running
		`data.a + 1`:                       "1:16: + can not be used on nothing and a number",
		`data.plan - 1`:                    "1:19: - can not be used on a string and a number",
		`data.plan + 1`:                    "1:19: + can not be used on a string and a number",
		`-data.plan`:                       "1:9: - can not be used on a number and a string",
		`data.n < "x"`:                     "1:16: a number and a string can not be compared",
		`data.plan > 5`:                    "1:19: a string and a number can not be compared",
		`data.tags < 5`:                    "1:19: a list and a number can not be compared",
		`data.tags contains "a"`:           "1:19: contains needs two strings, not a list and a string (for a list write: value in list)",
		`"a" in data.plan`:                 `1:13: in needs a list or an object on its right, not a string (for a part of a string write: text contains "part")`,
		`data.n matches "x"`:               "1:16: matches needs a string, not a number",
		`data.plan && true`:                "1:9: true or false was expected, not a string",
		`!data.n`:                          "1:10: true or false was expected, not a number",
		`filter(data.tags, #)`:             "1:27: true or false was expected, not a string",
		`map(data.object, #)`:              "1:13: a list was expected, not an object",
		`map(data.items, upper(.id))`:      "1:25: upper needs a string, not a number",
		`data.n / 0`:                       "1:16: division by zero",
		`data.n % data.zero`:               "1:16: division by zero",
		`data.f % 2`:                       "1:16: % needs whole numbers",
		`10.0 ** 400`:                      "1:14: the result is not a finite number",
		`float("NaN")`:                     "1:9: the result is not a finite number",
		`pick(data.tags, "a")`:             "1:9: pick needs an object, not a list",
		`rename(data, "a")`:                "1:9: rename needs pairs of names: the old one, the new one",
		`data.foo()`:                       "1:14: this is not a function",
		`reduce(data.a, #acc + #)`:         "1:9: reduce of an empty list without an initial value",
		`sort(data.mixed)`:                 "1:9: a string and a number can not be compared",
		`1..99999999`:                      "1:10: the value is too large",
		`repeat("ab", 9999999)`:            "1:9: the value is too large",
		`split(data.plan, data.n)`:         "1:9: split needs a string, not a number",
		`date("soon")`:                     `1:9: date: "soon" can not be read as a time without a format such as %d.%m.%Y`,
		`fromJSON("{")`:                    "1:9: fromJSON: the JSON ends early: a member name in double quotes was expected at byte 1",
		`len`:                              "1:9: len is a function; call it: len(…)",
		`"é" != data.plan && data.n < "x"`: "1:36: a number and a string can not be compared",
		`map(data.list, {"a": #}) + nmae`:  "1:36: unknown name nmae; did you mean name?",
		`map(data.list, {"a": # + "x"})`:   "1:32: + can not be used on a number and a string",
		`map(data.list, {"a": #}`:          "1:32: the expression ends too early: a bracket is not closed",
	}
	for source, want := range tests {
		_, err := evaluate(t, source)
		if err == nil || err.Error() != "r.yaml:"+want {
			t.Errorf("%s:\n got %v\nwant r.yaml:%s", source, err, want)
		}
	}
}

// What an expression makes can be far larger than what it reads.
func TestExpressionsAreBounded(t *testing.T) {
	doubled := "let a0 = [data, data]; "
	for i := range 40 {
		doubled += fmt.Sprintf("let a%d = [a%d, a%d]; ", i+1, i, i)
	}
	tests := map[string]string{
		"shared":     doubled + "a40",
		"comparison": doubled + "let b = [a39, a39]; b == a40",
		"text":       `reduce(1..100, #acc + #acc, "ab")`,
		"replaced":   `reduce(1..100, replace(#acc, "a", "aa"), "a")`,
		"joined":     `join(map(1..1000, repeat("a", 10000)))`,
		"number":     `reduce(1..100, #acc * #acc, 3)`,
		"depth":      `reduce(1..100, [#acc], 1)`,
		"json":       doubled + "toJSON(a40)",
		"long":       strings.Repeat(" ", maxExpressionBytes+1) + "1",
		"brackets":   strings.Repeat("(", maxExpressionBytes-1),
		"nodes":      "[" + strings.Repeat("1,", maxExpressionNodes) + "]",
	}
	for name, source := range tests {
		if value, err := evaluate(t, source); err == nil {
			t.Errorf("%s: no error, but %.100v", name, value)
		}
	}
}
