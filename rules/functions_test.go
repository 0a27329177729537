package rules

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/expr-lang/expr/builtin"
)

// evaluations are expressions with their values, or with the message of their error.
type evaluations []struct {
	source string
	want   any
}

type wrong string

func (tests evaluations) run(t *testing.T) {
	t.Helper()
	for _, test := range tests {
		got, err := evaluate(t, test.source)
		if message, isError := test.want.(wrong); isError {
			if err == nil || err.Error() != "r.yaml:"+string(message) {
				t.Errorf("%s:\n got %v, %v\nwant r.yaml:%s", test.source, got, err, message)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s = %#v, %v; want %#v", test.source, got, err, test.want)
		}
	}
}

func TestTextFunctions(t *testing.T) {
	evaluations{
		{`slug("Ünïcode straße & Привет 影師!")`, "unicode-strasse-and-privet-ying-shi"},
		{`slug("Müller", "de")`, "mueller"}, {`slug("--")`, ""}, {`slug(data.a)`, nil}, {`slug(nil)`, nil},
		{`slug("x", "xx")`, wrong(`1:19: slug knows the languages bg, cs, de, el, en, es, fi, fr, hu, id, it, kk, nb, nl, nn, pl, pt, ro, sl, sv, tr, not "xx"`)},
		{`slug("x", data.plan)`, wrong(`1:9: slug knows the languages bg, cs, de, el, en, es, fi, fr, hu, id, it, kk, nb, nl, nn, pl, pt, ro, sl, sv, tr, not "pro"`)},
		{`capitalize("élan vital")`, "Élan vital"}, {`capitalize("")`, ""}, {`capitalize(data.a)`, nil}, {`capitalize("ǆ")`, "ǅ"},
		{`truncate("héllo wörld", 6)`, "héllo…"}, {`truncate("héllo", 5)`, "héllo"}, {`truncate("héllo", 2, "...")`, "hé"}, {`truncate("abc", 0)`, ""},
		{`truncate(data.a, 5)`, nil}, {`truncate("abcdef", 4, "")`, "abcd"},
		{`truncate("a", -1)`, wrong("1:9: truncate needs a number of characters, not -1")},
		{`truncate("a", "b")`, wrong("1:9: truncate needs a number of characters, not a string")},
		{`padStart(42, 6, "0")`, "000042"}, {`padStart(data.big, 3)`, "18446744073709551615"}, {`padEnd("é", 4, "ab")`, "éaba"}, {`padStart("a", 3, "")`, "a"},
		{`padStart(data.a, 3)`, nil}, {`padStart(data.tags, 3)`, wrong("1:9: padStart needs a string, not a list")},
		{`padStart("a", 2000000)`, wrong("1:9: the value is too large")}, {`padEnd("a", 500000, "影影")`, wrong("1:9: the value is too large")},
		{`extract("sam@example.com", "@(.+)$")`, "example.com"}, {`extract("a1b22", "[0-9]+")`, "1"}, {`extract("abc", "[0-9]")`, nil}, {`extract(data.a, "x")`, nil},
		{`extract("a1", data.missing)`, wrong("1:9: extract needs a pattern, not nothing")},
		{`extract("a1", "(")`, wrong("1:23: error parsing regexp: missing closing ): `(`")},
		{`indexOf("héllo", "l")`, 2}, {`lastIndexOf("héllo", "l")`, 3}, {`indexOf("a", "b")`, -1}, {`data.text[indexOf(data.text, "l"):]`, "llo"},
		{`fromBase64(toBase64("héllo"))`, "héllo"}, {`fromBase64("aGk_")`, "hi?"}, {`fromBase64("aA")`, "h"}, {`fromBase64(data.a)`, nil},
		{`fromBase64("!!")`, wrong(`1:9: fromBase64 needs base64, not "!!"`)}, {`fromBase64("/w==")`, wrong("1:9: fromBase64 makes texts, and these bytes are none")},
		{`toJSON({"a": "<&>", "n": data.huge})`, `{"a":"<&>","n":123456789012345678901234567890}`}, {`fromJSON(toJSON(data.id))`, 9007199254740993},
		{`fromJSON(repeat("[", 100))`, wrong("1:9: fromJSON: JSON nested deeper than 64 levels at byte 64")},
		{`replace("aaa", "a", "b", 2)`, "bba"}, {`replace("aaa", "a", "b", "c")`, wrong("1:9: replace needs a whole number, not a string")},
		{`split("a,b,c", ",", 2)`, []any{"a", "b,c"}}, {`join(split("a b", " "), data.n)`, wrong("1:9: join needs a string between the items, not a number")},
		{`join(5)`, wrong("1:9: join needs a list, not a number")}, {`upper("éa")`, "ÉA"},
		{`upper(5)`, wrong("1:9: upper needs a string, not a number")}, {`upper("a", "b")`, wrong("1:9: too many arguments to call upper")},
		{`upper(name) > 5`, wrong("1:21: > can not be used on a string and a number; string(…) makes a text of a number, int(…) or float(…) a number of a text")}, {`upper(data.a) ?? "none"`, "none"},
		{`slgu("a")`, wrong("1:9: unknown name slgu; did you mean slug?")},
	}.run(t)
}

func TestPatterns(t *testing.T) {
	evaluations{
		{`data.plan matches "^p"`, true}, {`data.a matches "("`, wrong("1:24: error parsing regexp: missing closing ): `(`")},
		{`let p = "^p"; data.plan matches p`, true}, {`data.plan matches data.a`, false},
		{`let p = "("; data.plan matches p`, wrong("1:32: error parsing regexp: missing closing ): `(`")},
		{`let p = repeat("a", 1025); data.plan matches p`, wrong("1:46: matches: a pattern that is no literal may have 1024 bytes")},
		{`let p = repeat("(\\pL{1000})", 90); data.plan matches p`, wrong("1:55: the pattern is too complex")},
		{`data.plan matches "(\\pL{1000})(\\pL{1000})(\\pL{1000})(\\pL{1000})(\\pL{1000})(\\pL{1000})(\\pL{1000})(\\pL{1000})(\\pL{1000})(\\pL{1000})"`, wrong("1:27: the pattern is too complex")},
		{`repeat("a", 100000) matches "(a|aa)*b"`, false},
		{`repeat("a", 1000000) matches "(.{100})*b"`, wrong("1:30: " + errTooLong.Error())},
	}.run(t)
}

// Each text alone is bounded, and so are all that a loop makes, and what functions read in one.
func TestFunctionsInLoopsAreBounded(t *testing.T) {
	shared := "let a0 = [1, 2]; "
	for i := range 40 {
		shared += fmt.Sprintf("let a%d = [a%d, a%d]; ", i+1, i, i)
	}
	for name, source := range map[string]string{
		"made":      `map(1..200000, repeat("a", 1000000))`,
		"read":      `let a = repeat("a", 1000000); map(1..200000, sha256(a))`,
		"joined":    `reduce(1..200000, #acc + "aaaaaaaaaa", "")`,
		"split":     `map(1..1000, len(split(repeat("a", 1000000), "")))`,
		"decoded":   `let a = "[" + repeat("1,", 100000) + "1]"; map(1..1000, len(fromJSON(a)))`,
		"costly":    `map(1..100000, e164("030 1234567", "DE"))`,
		"flattened": shared + "flatten(a40)",
		"mean":      shared + "mean(flatten(a40))",
		"inline":    shared + "inline(flatten(a40))",
		"unique":    shared + "uniq([a39, a39, [a38, a38]])",
	} {
		started := time.Now()
		if value, err := evaluate(t, source); err == nil || !strings.Contains(err.Error(), "too large") && !strings.Contains(err.Error(), "too many steps") {
			t.Errorf("%s: %.100v, %v", name, value, err)
		}
		if took := time.Since(started); took > 5*time.Second {
			t.Errorf("%s took %s", name, took)
		}
	}
	evaluations{
		{`len(map(1..20000, padStart(#, 8, "0")))`, 20000}, {`len(map(1..4000, formatMoney(#, "EUR", "de")))`, 4000}, {`len(map(1..20000, get(data.tags, 1)))`, 20000},
		{`len(map(1..1000, e164("030 1234567", "DE")))`, 1000},
	}.run(t)
}

// No function has the name of a word of the language, of an event's name, or one that expr would take for its own.
func TestFunctionNames(t *testing.T) {
	for name, f := range functions {
		if _, taken := eventNameAt(name); taken || slices.Contains(keywords, name) {
			t.Errorf("%s is taken", name)
		}
		if i, ok := builtin.Index[name]; ok && builtin.Builtins[i].Predicate {
			t.Errorf("%s has a predicate in expr", name)
		}
		for position := range f.checks {
			if position == 0 && name != "uuid5" && name != "timezone" {
				t.Errorf("%s checks its subject", name)
			}
		}
	}
}

func TestMemberAndListFunctions(t *testing.T) {
	type object = map[string]any
	evaluations{
		{`compact({"a": nil, "b": "", "c": 0, "d": false})`, object{"c": 0, "d": false}}, {`compact(data.mixed)`, []any{1, "a"}}, {`compact(data.a)`, nil}, {`compact(5)`, wrong("1:9: compact needs an object or a list, not a number")},
		{`flatten([1, [2, [3, []]]])`, []any{1, 2, 3}}, {`flatten(5)`, wrong("1:9: flatten needs a list, not a number")}, {`uniq([{"a": 1}, {"a": 1.0}, [1], [1], {"a": {"b": 1}}])`, []any{object{"a": 1}, []any{1}, object{"a": object{"b": 1}}}},
		{`len(uniq(map(1..4000, {"a": {"b": #}})))`, 4000}, {`take("x", 1)`, wrong("1:9: take needs a list, not a string")}, {`take([1], -1)`, wrong("1:9: take needs a number of items, not -1")},
	}.run(t)
}

// A missing value is nil, and an optional argument that is missing is as if it were not written.
func TestMissingArguments(t *testing.T) {
	type object = map[string]any
	evaluations{
		{`fromPairs(data.a)`, object{}}, {`fromPairs(toPairs(data.object)) == data.object`, true}, {`fromPairs([["a", 1], ["a", 2], [5, 3]])`, object{"a": 2, "5": 3}},
		{`fromPairs(5)`, wrong("1:9: fromPairs needs a list, not a number")}, {`fromPairs(data.tags)`, wrong("1:9: fromPairs needs lists of a name and a value, not a string")},
		{`fromPairs([[nil, 1]])`, wrong("1:9: fromPairs needs a string, not nothing")},
		{`bitand(data.a, 1)`, nil}, {`bitnot(data.a)`, nil}, {`bitor(4.0, data.n)`, 5}, {`bitxor("a", 1)`, wrong("1:9: bitxor needs a whole number, not a string")},
		{`bitshl(1, -1)`, wrong("1:9: bitshl needs a number of bits, not -1")}, {`bitnand(5.5, 1)`, wrong("1:9: bitnand needs a whole number, not 5.5")}, {`bitshr(-8, 1)`, -4}, {`bitushr(8, 1)`, 4},
		{`e164("+493012345678", data.a)`, "+493012345678"}, {`e164("030 1234567", data.a)`, nil}, {`slug("Ä", data.a)`, "a"}, {`join(data.tags, data.a)`, "aba"},
		{`truncate("abcdef", 4, data.a)`, "abc…"}, {`padStart(1, 3, data.a)`, "  1"}, {`trim(" a ", data.a)`, "a"}, {`split("a,b", ",", data.a)`, []any{"a", "b"}},
		{`replace("aa", "a", "b", data.a)`, "bb"}, {`round(1.25, 1, data.a)`, 1.3}, {`round(1.25, data.a)`, 1}, {`sort([2, 1], data.a)`, []any{1, 2}}, {`sortBy(data.list, #, data.a)`, []any{1, 2, 3}},
		{`formatDate(timestamp, "%H", data.a)`, "07"}, {`dateAdd(timestamp, 1, "d", data.a) == dateAdd(timestamp, 1, "d")`, true}, {`startOf(timestamp, "day", data.a)`, "2024-05-06T00:00:00.000Z"},
		{`dateDiff(timestamp, received_at, "m", data.a)`, 51}, {`date("2024-05-06 09:00", data.a, data.b)`, "2024-05-06T09:00:00.000Z"}, {`date(data.a, data.b, data.c)`, nil},
		{`formatNumber(1234.5, data.a, data.b)`, "1,234.5"}, {`formatMoney(1, "EUR", data.a)`, "€1.00"}, {`formatPercent(0.5, data.a, data.b)`, "50%"},
		{`min(1, data.a)`, 1}, {`sum([nil, 1, data.a, 2.5])`, 3.5}, {`sum([nil])`, 0}, {`sum(["a", nil, "b"])`, "ab"}, {`coalesce(data.a, data.b)`, nil},
	}.run(t)
}
