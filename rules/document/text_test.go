package document

import (
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

// In each source the character that the offset of "@" in the value must point at is the one @ of the source.
func TestTextPlaces(t *testing.T) {
	sources := []string{
		"match: a && @b",
		"match:   a\n   && @b\n",
		"match: a\n\n   && @b\n",
		"match: 'it''s @b'",
		"match: 'a\n   b  @c'",
		`match: "a\"b\t@c"`,
		`match: "\x41\u00e9\U0001F600@c"`,
		"match: \"a\\\n   b @c\"",
		"match: \"a   \n\n   b @c\"",
		"match: |\n  a\n    b\n  c @d\n",
		"match: |2-\n   a @b\n",
		"match: | # why\n  a @b\n",
		"match: >\n  a\n  b\n\n    c @d\n  e\n",
		"match: >-\n\n  a\n  @b\n",
		"match: &anchor !!str 'a @b'",
		"match: !!str\n  a @b",
		"match: é é @b",
		"\ufeffmatch: a @b",
		"match: |\r\n  a\r\n  @b\r\n",
	}
	for _, src := range sources {
		var into struct {
			Match Text `yaml:"match"`
		}
		doc, err := Parse("c.yaml", []byte(src))
		if err != nil {
			t.Fatalf("%q: %v", src, err)
		}
		if err := doc.Decode(&into, nil); err != nil {
			t.Fatalf("%q: %v", src, err)
		}
		text := into.Match
		at := text.At(strings.Index(text.Value, "@"))
		src = strings.TrimPrefix(src, "\ufeff")
		before := src[:strings.Index(src, "@")]
		line := 1 + strings.Count(before, "\n")
		col := 1 + utf8.RuneCountInString(before[strings.LastIndex(before, "\n")+1:])
		if at.Line != line || at.Col != col {
			t.Errorf("%q: %d:%d, want %d:%d", src, at.Line, at.Col, line, col)
		}
		end := text.At(len(text.Value))
		if got := doc.offset(end.Line, end.Col); got > len(doc.src) || strings.Contains(src[got:], "@") {
			t.Errorf("%q: the end is at %d:%d", src, end.Line, end.Col)
		}
	}
}

func TestExplain(t *testing.T) {
	problem := Problem{File: "a.yaml", Line: 12, Col: 4, Message: "no", Excerpt: "\té b"}
	want := "a.yaml:12:4: no\n   12 | \té b\n      | \t  ^"
	if got := problem.Explain(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := (Problem{File: "a", Line: 1, Col: 1, Message: "no"}).Explain(); got != "a:1:1: no" {
		t.Errorf("without an excerpt: %q", got)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(wholeFile), 3)
	for _, src := range []string{"match: >\n  a\n", "match: \"\\x4\\\n\"", "match: &a !b |1+\n x", "a: &a [*a]", "\xff", "a: ${"} {
		f.Add([]byte(src), 1)
	}
	if src, err := os.ReadFile("../../examples/quickstart/switchyard.yaml"); err == nil {
		f.Add(src, 1)
	}
	f.Fuzz(func(t *testing.T, src []byte, offset int) {
		doc, err := Parse("c.yaml", src)
		if err != nil {
			_ = err.(Problems).Explain()
			return
		}
		var into settings
		err = doc.Decode(&into, func(name string) (string, bool) { return name, len(name)%2 == 0 })
		if err != nil {
			_ = err.(Problems).Explain()
		}
		place := into.Match.At(offset)
		if into.Match.Value != "" && (place.Line < 1 || place.Col < 1 || place.Line > len(doc.lines)) {
			t.Errorf("a place of %q is %d:%d", into.Match.Value, place.Line, place.Col)
		}
	})
}
