package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func wantJSONError(t *testing.T, doc string, err error, code string, offset int) {
	t.Helper()
	var broken *JSONError
	if !errors.As(err, &broken) || broken.Code != code || broken.Offset != offset {
		t.Errorf("%.60q: error %#v, want %s at byte %d", doc, err, code, offset)
	}
}

func TestCheckJSONRefuses(t *testing.T) {
	for _, tc := range []struct {
		doc, code string
		offset    int
	}{
		{``, "malformed_json", 0},
		{"  ", "malformed_json", 2},
		{"\ufeff{}", "malformed_json", 0},
		{"\x00", "malformed_json", 0},
		{`{`, "malformed_json", 1},
		{`{"a"`, "malformed_json", 4},
		{`{"a":`, "malformed_json", 5},
		{`{"a":1`, "malformed_json", 6},
		{`{"a":1,}`, "malformed_json", 7},
		{`{a:1}`, "malformed_json", 1},
		{`{'a':1}`, "malformed_json", 1},
		{`{"a" 1}`, "malformed_json", 5},
		{`{"a":1 "b":2}`, "malformed_json", 7},
		{`{1:2}`, "malformed_json", 1},
		{`[`, "malformed_json", 1},
		{`[1,]`, "malformed_json", 3},
		{`[,1]`, "malformed_json", 1},
		{`[1 2]`, "malformed_json", 3},
		{`[1}`, "malformed_json", 2},
		{`{} {}`, "malformed_json", 3},
		{`1 // one`, "malformed_json", 2},
		{`01`, "malformed_json", 1},
		{`-`, "malformed_json", 1},
		{`+1`, "malformed_json", 0},
		{`.5`, "malformed_json", 0},
		{`1.`, "malformed_json", 2},
		{`1e`, "malformed_json", 2},
		{`1e+`, "malformed_json", 3},
		{`0x10`, "malformed_json", 1},
		{`NaN`, "malformed_json", 0},
		{`nul`, "malformed_json", 0},
		{`True`, "malformed_json", 0},
		{`truex`, "malformed_json", 4},
		{`"a`, "malformed_json", 2},
		{`"a\"`, "malformed_json", 4},
		{`"\x41"`, "malformed_json", 2},
		{`"\u12g4"`, "malformed_json", 2},
		{`"\u12"`, "malformed_json", 2},
		{`"\u123`, "malformed_json", 2},
		{`"\`, "malformed_json", 2},
		{"\"a\nb\"", "malformed_json", 2},
		{"\"\x00\"", "malformed_json", 1},
		{"\"ab\xff\"", "invalid_utf8", 3},
		{"\"\xc3\"", "invalid_utf8", 1},
		{"\"\xed\xa0\x80\"", "invalid_utf8", 1}, // a surrogate
		{"\"\xc0\xaf\"", "invalid_utf8", 1},     // overlong
		{"{\"\xff\":1}", "invalid_utf8", 2},
	} {
		wantJSONError(t, tc.doc, CheckJSON([]byte(tc.doc), DefaultJSONLimits), tc.code, tc.offset)
		if _, err := DecodeJSON([]byte(tc.doc)); err == nil {
			t.Errorf("%q is decoded", tc.doc)
		}
	}
}

func TestCheckJSONTakes(t *testing.T) {
	for _, doc := range []string{
		`{}`, `[]`, ` { "a" : [ 1 , { } ] } `, "\t\r\n1\n", `null`, `true`, `false`, `""`, `0`, `-0`, `-0.0e-0`, `1E+5`,
		`1e999`, `123456789012345678901234567890`, `"\u0000\"\\\/\b\f\n\r\t"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\ude00x"`,
		`"é€😀"`, "\"\u007f\ufffd\u2028\"", `{"a":1,"a":2}`, `{"":{"":[]}}`,
	} {
		if err := CheckJSON([]byte(doc), DefaultJSONLimits); err != nil {
			t.Errorf("%q: %v", doc, err)
		}
	}
}

func TestJSONLimits(t *testing.T) {
	limits := JSONLimits{Depth: 2, Values: 4}
	for doc, code := range map[string]string{
		`1`:                   "",
		`[[]]`:                "",
		`[[1]]`:               "",
		`{"a":{"b":1}}`:       "",
		`[[[]]]`:              "too_deep",
		`{"a":[{}]}`:          "too_deep",
		`[1,2,3]`:             "",
		`[1,2,3,4]`:           "too_many_values",
		`{"a":1,"b":2,"c":3}`: "",
		`{"a":1,"b":[2,3]}`:   "too_many_values",
	} {
		checks := map[string]error{"CheckJSON": CheckJSON([]byte(doc), limits)}
		switch doc[0] {
		case '{':
			checks["MembersOf"] = MembersOf([]byte(doc), limits, func([]byte, json.RawMessage) error { return nil })
		case '[':
			checks["ElementsOf"] = ElementsOf([]byte(doc), limits, func(json.RawMessage) error { return nil })
		}
		for name, err := range checks {
			var broken *JSONError
			if got := errors.As(err, &broken); got != (code != "") || got && broken.Code != code {
				t.Errorf("%s of %s: %v, want %q", name, doc, err, code)
			}
		}
	}
	bomb := bytes.Repeat([]byte("["), 10_000_000)
	wantJSONError(t, "bomb", CheckJSON(bomb, DefaultJSONLimits), "too_deep", DefaultJSONLimits.Depth)
}

func TestMembersOf(t *testing.T) {
	doc := []byte(` { "a" : 1.10 , "\u0062\n":{ "x" : [ ] }, "a":null,"":"" } `)
	var got []string
	err := MembersOf(doc, DefaultJSONLimits, func(key []byte, value json.RawMessage) error {
		got = append(got, string(key)+"="+string(value))
		if cap(value) != len(value) {
			t.Errorf("appending to %s would write into the document", value)
		}
		return nil
	})
	want := []string{"a=1.10", "b\n={ \"x\" : [ ] }", "a=null", `=""`}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("members %q, error %v, want %q", got, err, want)
	}
}

func TestElementsOf(t *testing.T) {
	var got []string
	err := ElementsOf([]byte(` [ 1 , "a,b" ,{"c":[1]},null ] `), DefaultJSONLimits, func(value json.RawMessage) error {
		got = append(got, string(value))
		return nil
	})
	if want := []string{"1", `"a,b"`, `{"c":[1]}`, "null"}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("elements %q, error %v, want %q", got, err, want)
	}
}

func TestWalksStopAtAnError(t *testing.T) {
	stop := errors.New("stop")
	calls := 0
	err := ElementsOf([]byte(`[1,2,oops`), DefaultJSONLimits, func(json.RawMessage) error { calls++; return stop })
	if calls != 1 || !errors.Is(err, stop) {
		t.Errorf("%d elements, error %v", calls, err)
	}
	err = MembersOf([]byte(`{"a":1,oops`), DefaultJSONLimits, func([]byte, json.RawMessage) error { calls++; return stop })
	if calls != 2 || !errors.Is(err, stop) {
		t.Errorf("%d members, error %v", calls-1, err)
	}
	for _, doc := range []string{``, `1`, `[]`, `"{"`, `{}x`} {
		if MembersOf([]byte(doc), DefaultJSONLimits, func([]byte, json.RawMessage) error { return nil }) == nil {
			t.Errorf("%q is an object", doc)
		}
	}
	for _, doc := range []string{``, `1`, `{}`, `"["`, `[]x`} {
		if ElementsOf([]byte(doc), DefaultJSONLimits, func(json.RawMessage) error { return nil }) == nil {
			t.Errorf("%q is an array", doc)
		}
	}
}

func TestKindOf(t *testing.T) {
	for doc, want := range map[string]byte{``: 0, "  \n": 0, " {": '{', "[": '[', `"a"`: '"', "-1": '-', "7": '7', "null": 'n', "x": 'x'} {
		if got := KindOf([]byte(doc)); got != want {
			t.Errorf("%q is %q, want %q", doc, got, want)
		}
	}
}

func TestStringOf(t *testing.T) {
	for value, want := range map[string]string{
		`""`: "", `"plain"`: "plain", `"é"`: "é", `"\"\\\/\b\f\n\r\t"`: "\"\\/\b\f\n\r\t", `"\u00e9\u20AC"`: "é€",
		`"\ud83d\ude00!"`: "😀!", `"\ud83d"`: "\ufffd", `"\ud83dx"`: "\ufffdx", `"\ud83d\n"`: "\ufffd\n",
		`"\ude00\ud83d"`: "\ufffd\ufffd", `"\ud83d\u0041"`: "\ufffdA", `"\ud83d\ud83d\ude00"`: "\ufffd😀", `"a\u0000b"`: "a\x00b",
	} {
		if got, ok := StringOf(json.RawMessage(value)); !ok || got != want {
			t.Errorf("%s is %q, %t; want %q", value, got, ok, want)
		}
	}
	for _, value := range []string{``, `1`, `null`, `{}`, `["a"]`} {
		if text, ok := StringOf(json.RawMessage(value)); ok {
			t.Errorf("%s is the string %q", value, text)
		}
	}
}

func TestDecodeJSONNumbers(t *testing.T) {
	for doc, want := range map[string]any{
		`0`: 0, `-7`: -7, `9007199254740993`: 9007199254740993,
		`9223372036854775807`: math.MaxInt64, `-9223372036854775808`: math.MinInt64,
		`9223372036854775808`: uint64(1 << 63), `18446744073709551615`: uint64(math.MaxUint64),
		`18446744073709551616`:  json.Number("18446744073709551616"),
		`-9223372036854775809`:  json.Number("-9223372036854775809"),
		`100000000000000000001`: json.Number("100000000000000000001"),
		`1.5`:                   1.5, `1.0`: 1.0, `1e3`: 1000.0, `-1.25E-2`: -0.0125, `1e20`: 1e20, `5e-324`: 5e-324,
		`1e400`: json.Number("1e400"), `-1e400`: json.Number("-1e400"), `1e-400`: 0.0, `0.1`: 0.1,
	} {
		got, err := DecodeJSON([]byte(doc))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %T %v, error %v; want %T %v", doc, got, got, err, want, want)
		}
	}
	zero, err := DecodeJSON([]byte(`-0`))
	if f, ok := zero.(float64); err != nil || !ok || !math.Signbit(f) || f != 0 {
		t.Errorf("-0 is %T %v, error %v", zero, zero, err)
	}
}

func TestDecodeJSON(t *testing.T) {
	got, err := DecodeJSON([]byte(` {"a":[1,"x",null,true,{}],"b":{"c":[]},"a":[false],"\u0064":"\u0065"} `))
	want := map[string]any{"a": []any{false}, "b": map[string]any{"c": []any{}}, "d": "e"}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%#v, error %v; want %#v", got, err, want)
	}
}

// differ compares the scanner with encoding/json on one document; "" is agreement. They may differ on invalid UTF-8,
// which encoding/json takes, and on the limits.
func differ(doc []byte) string {
	err := CheckJSON(doc, DefaultJSONLimits)
	var broken *JSONError
	if err != nil && (!errors.As(err, &broken) || broken.Offset < 0 || broken.Offset > len(doc)) {
		return fmt.Sprintf("error %#v has no place in the document", err)
	}
	valid := json.Valid(doc)
	switch {
	case err == nil && (!valid || !utf8.Valid(doc)):
		return "taken; encoding/json says it is not valid"
	case err != nil && broken.Code == "malformed_json" && valid:
		return fmt.Sprintf("refused, %v; encoding/json says it is valid", err)
	case err != nil && broken.Code == "invalid_utf8" && utf8.Valid(doc):
		return fmt.Sprintf("refused, %v; it is valid UTF-8", err)
	}
	value, decodeErr := DecodeJSON(doc)
	if (decodeErr == nil) != (err == nil) {
		return fmt.Sprintf("CheckJSON says %v, DecodeJSON %v", err, decodeErr)
	}
	if err != nil {
		return ""
	}
	return differByWalk(doc, value)
}

// differByWalk compares the values of a valid document, whole and member by member.
func differByWalk(doc []byte, value any) string {
	decoder := json.NewDecoder(bytes.NewReader(doc))
	decoder.UseNumber()
	var want any
	if err := decoder.Decode(&want); err != nil {
		return "" // encoding/json is no reference here: it bounds the depth, too
	}
	if !same(value, want) {
		return fmt.Sprintf("decoded as %#v, by encoding/json as %#v", value, want)
	}
	keep := map[string]any{}
	each := func(key []byte, span json.RawMessage) (err error) {
		if !bytes.Contains(doc, span) {
			return errors.New("a span is not of the document")
		}
		keep[string(key)], err = DecodeJSON(span)
		return err
	}
	switch KindOf(doc) {
	case '{':
		if err := MembersOf(doc, DefaultJSONLimits, each); err != nil || !same(keep, want) {
			return fmt.Sprintf("walked as %#v, error %v; want %#v", keep, err, want)
		}
	case '[':
		n := 0
		err := ElementsOf(doc, DefaultJSONLimits, func(span json.RawMessage) error { n++; return each(nil, span) })
		if err != nil || n != len(want.([]any)) {
			return fmt.Sprintf("%d elements, error %v; want %d", n, err, len(want.([]any)))
		}
	}
	return ""
}

// same compares what DecodeJSON made with what encoding/json made with UseNumber.
func same(got, want any) bool {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(w) {
			return false
		}
		for key, value := range w {
			if other, there := g[key]; !there || !same(other, value) {
				return false
			}
		}
		return true
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return false
		}
		for i := range w {
			if !same(g[i], w[i]) {
				return false
			}
		}
		return true
	case json.Number:
		return sameNumber(got, w)
	}
	return reflect.DeepEqual(got, want)
}

func sameNumber(got any, want json.Number) bool {
	switch g := got.(type) {
	case int:
		return fmt.Sprint(g) == want.String()
	case uint64:
		return fmt.Sprint(g) == want.String()
	case json.Number:
		return g == want
	case float64:
		f, err := want.Float64()
		return err == nil && f == g
	}
	return false
}

func TestJSONLikeEncodingJSON(t *testing.T) {
	for _, doc := range seeds() {
		if difference := differ([]byte(doc)); difference != "" {
			t.Errorf("%.80q: %s", doc, difference)
		}
		for i := range min(len(doc), 200) {
			if difference := differ([]byte(doc[:i])); difference != "" {
				t.Errorf("%.80q: %s", doc[:i], difference)
			}
			for _, c := range "\"\\{}[],:0-.eut \n\x00\xff" {
				changed := doc[:i] + string(c) + doc[i+1:]
				if difference := differ([]byte(changed)); difference != "" {
					t.Errorf("%.80q: %s", changed, difference)
				}
			}
		}
	}
}

func seeds() []string {
	return []string{
		``, `{}`, `[]`, `null`, `-0`, `-0.10e+5`, `1E400`, `18446744073709551616`, "\t[true , false]\r\n", `"\ud83d\ude00"`,
		`{"type":"track","event":"e","properties":{"a":[1,-2.5e-3,"\u00e9\n"],"b":null},"userId":9007199254740993}`,
		`[{"json":{"a":1}},{"json":{"a":2,"a":3}}]`, `{"\u0061":1,"a":2}`, `"\ud800\u0041"`, "\"\u2028\"", "\"\xff\"",
		strings.Repeat("[", 65) + strings.Repeat("]", 65), strings.Repeat(`{"a":`, 64) + "1" + strings.Repeat("}", 64),
	}
}

func FuzzJSON(f *testing.F) {
	for _, doc := range seeds() {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		before := bytes.Clone(doc)
		if difference := differ(doc); difference != "" {
			t.Fatal(difference)
		}
		if !bytes.Equal(doc, before) {
			t.Fatal("the document was changed")
		}
	})
}
