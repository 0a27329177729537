package document

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

type settings struct {
	Where   Place
	Listen  string           `yaml:"listen" doc:"host:port"`
	Redis   string           `yaml:"redis"`
	Port    int              `yaml:"port"`
	Limit   *uint8           `yaml:"limit"`
	Rate    float64          `yaml:"rate"`
	DryRun  bool             `yaml:"dry_run"`
	Keep    time.Duration    `yaml:"keep"`
	Role    string           `yaml:"role" enum:"viewer,editor,admin"`
	Keys    []string         `yaml:"keys"`
	Match   Text             `yaml:"match"`
	Event   any              `yaml:"event"`
	Sources []source         `yaml:"sources"`
	Headers map[string]Text  `yaml:"headers"`
	Fields  Ordered[Text]    `yaml:"fields"`
	Target  target           `yaml:"target"`
	Retry   map[string]retry `yaml:"retry"`
}

type source struct {
	Key  string `yaml:"key" required:"true"`
	Kind string `yaml:"kind" required:"true" enum:"segment,http"`
	paced
}

type paced struct {
	Every time.Duration `yaml:"every"`
}

type retry struct {
	Attempts int `yaml:"attempts"`
}

// target is a text, or an object with a url.
type target struct {
	URL string
}

func (t *target) FromDocument(value *Value) {
	var object struct {
		URL string `yaml:"url" required:"true"`
	}
	if value.Shape() == Scalar {
		value.Decode(&t.URL)
		return
	}
	value.Decode(&object)
	t.URL = object.URL
}

func (target) DocumentSchema(of func(any) map[string]any) map[string]any {
	return map[string]any{"type": []string{"string", "object"}}
}

func decode(t *testing.T, src string, lookup Lookup) (settings, error) {
	t.Helper()
	var into settings
	doc, err := Parse("c.yaml", []byte(src))
	if err == nil {
		err = doc.Decode(&into, lookup)
	}
	return into, err
}

const wholeFile = `
listen: 127.0.0.1:8080 # comment
port: 80
limit: 255
rate: 1e3
dry_run: true
keep: 1d12h
role: editor
keys: [a, "5"]
match: true
event: {n: 9007199254740993, big: 18446744073709551615, huge: 123456789012345678901, f: 0.5, no: no, t: 2024-01-02, z: null}
sources:
  - &web {key: web, kind: http, every: 30s}
  - *web
headers: {a: 1}
fields: {z: 1, a: 2}
target: {url: u}
retry:
  x: {attempts: 3}
`

func TestDecode(t *testing.T) {
	got, err := decode(t, wholeFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"n": 9007199254740993, "big": uint64(18446744073709551615), "huge": json.Number("123456789012345678901"),
		"f": 0.5, "no": "no", "t": "2024-01-02", "z": nil,
	}
	if !reflect.DeepEqual(got.Event, want) {
		t.Errorf("event = %#v", got.Event)
	}
	web := source{"web", "http", paced{30 * time.Second}}
	if !reflect.DeepEqual(got.Sources, []source{web, web}) {
		t.Errorf("sources = %+v", got.Sources)
	}
	if got.Keep != 36*time.Hour || got.Rate != 1000 || *got.Limit != 255 || !got.DryRun || got.Port != 80 {
		t.Errorf("scalars = %+v", got)
	}
	if got.Match.Value != "true" || got.Headers["a"].Value != "1" || got.Target.URL != "u" || got.Retry["x"].Attempts != 3 {
		t.Errorf("texts = %+v", got)
	}
	if len(got.Fields) != 2 || got.Fields[0].Name.Value != "z" || got.Fields[1].Value.Value != "2" {
		t.Errorf("fields = %+v", got.Fields)
	}
	if got.Where.Line != 2 || got.Where.File() != "c.yaml" {
		t.Errorf("where = %+v", got.Where)
	}
}

func TestDecodeProblems(t *testing.T) {
	tests := map[string][]string{
		"redis_url: x\nlisten: y": {`1:1: unknown key "redis_url"; did you mean "redis"?`},
		"lisent: x\nprot: 1":      {`1:1: unknown key "lisent"; did you mean "listen"?`, `2:1: unknown key "prot"; did you mean "port"?`},
		"zebra: 1":                {`1:1: unknown key "zebra"`},
		"port: 1\nport: 2":        {`2:1: the key "port" is here twice; the first is on line 1`},
		"port: x":                 {"1:7: a whole number was expected"},
		"port: '5'":               {"1:7: a whole number was expected, not a string in quotes"},
		"port: 1.5":               {"1:7: a whole number was expected"},
		"port: [1]":               {"1:7: a whole number was expected, not a list"},
		"limit: 256":              {"1:8: a whole number was expected, and this one is too large"},
		"limit: -1":               {"1:8: a whole number was expected"},
		"rate: .nan":              {"1:7: a number was expected"},
		"dry_run: yes":            {"1:10: true or false was expected"},
		"listen: 5":               {"1:9: a string was expected, not a number; put it in quotes"},
		"listen: {a: b}":          {"1:9: a string was expected, not an object"},
		"keep: 30":                {"1:7: a duration such as 30s, 24h or 30d was expected, with its unit"},
		"keep: -3s":               {"1:7: a duration such as 30s, 24h or 30d was expected, not below zero"},
		"keep: soon":              {"1:7: a duration such as 30s, 24h or 30d was expected"},
		"role: edtor":             {`1:7: "role" must be one of viewer, editor, admin, not "edtor"; did you mean "editor"?`},
		"keys: a":                 {"1:7: a list was expected, not a string"},
		"sources: {a: b}":         {"1:10: a list was expected, not an object"},
		"sources:\n  kind: http":  {`2:3: a list was expected, not an object; begin each of its items with "- "`},
		"match: {a: b}":           {"1:8: a string was expected, not an object; an expression is one text: put it in quotes"},
		"match: !data.x == 1":     {"1:8: !data.x begins a tag of YAML, for it begins with !; put it all in quotes"},
		"kind: http":              {`1:1: unknown key "kind"; it stands in an item of "sources": indent it further`},
		"target: {ulr: u}":        {`1:9: "url" is required`, `1:10: unknown key "ulr"; did you mean "url"?`},
		"target: {url: f(a, b)}":  {`1:20: unknown key "b)"; a text with a comma needs quotes inside { }`},
		"target: {url: u, to: b}": {`1:18: unknown key "to"; there are url`},
		"sources:\n  - {key: ''}": {`2:5: "kind" is required (one of segment, http)`, `2:11: "key" must not be empty`},
		"sources: [5]":            {"1:11: an object (key: value) was expected, not a number"},
		"headers: [a]":            {"1:10: an object (key: value) was expected, not a list"},
		"? [a]\n: b":              {"1:3: a key must be a string, not a list"},
		"headers: {<<: {a: b}}":   {"1:11: merge keys (<<) are not supported; an alias can stand for a whole value only"},
		"target: {}":              {`1:9: "url" is required`},
		"fields: [a]":             {"1:9: an object (key: value) was expected, not a list"},
		"event: .inf":             {"1:8: a number of JSON was expected; there is no such number in it"},
		"- a":                     {"1:1: an object (key: value) was expected, not a list"},
		"listen: &a [*a]":         {"1:9: a string was expected, not a list"},
		"event: *x":               {"1:8: no anchor &x stands above this alias"},
		"a: 1\n---\nb: 2":         {"2:1: a second YAML document starts here; a file holds one"},
		"a: 1\nb: [1,\nc: 2\n":    {"2:1: this is not YAML: did not find expected ',' or ']' (inside { } and [ ] a text with a comma, a bracket or a quote needs quotes around all of it)"},
		"a: b: c":                 {`1:1: this is not YAML: mapping values are not allowed in this context (a text that holds ": " needs quotes)`},
		"a: \xff":                 {"1:4: the file is not UTF-8 text"},
	}
	for src, want := range tests {
		_, err := decode(t, src, nil)
		var problems Problems
		if !errors.As(err, &problems) {
			t.Errorf("%q: %v", src, err)
			continue
		}
		var got []string
		for _, problem := range problems {
			got = append(got, strings.TrimPrefix(problem.Error(), "c.yaml:"))
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q:\n got %q\nwant %q", src, got, want)
		}
	}
}

func TestEmpty(t *testing.T) {
	for _, src := range []string{"", "# only a comment\n", "null", "---\n", "\ufeff"} {
		if got, err := decode(t, src, nil); err != nil || !reflect.DeepEqual(got, settings{}) {
			t.Errorf("%q: %+v, %v", src, got, err)
		}
	}
	doc, err := Parse("c.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Decode(&source{}, nil); err == nil || !strings.Contains(err.Error(), `"key" is required`) {
		t.Errorf("required of an empty file: %v", err)
	}
}

func TestAliasesAreBounded(t *testing.T) {
	src := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'k'; c++ {
		src += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+",", 10) + "]\n"
	}
	for name, src := range map[string]string{"laughs": src, "self": "a: &a [*a, *a]"} {
		doc, err := Parse("c.yaml", []byte(src))
		if err != nil {
			t.Fatal(name, err)
		}
		var into map[string]any
		if err := doc.Decode(&into, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestExpand(t *testing.T) {
	env := map[string]string{"PORT": "81", "SECRET": "hunter2", "EMPTY": "", "ON": "true"}
	lookup := func(name string) (string, bool) { value, ok := env[name]; return value, ok }
	got, err := decode(t, `
listen: ${HOST:-localhost}:${PORT} $5 $${PORT}
redis: "${EMPTY:-embedded}${EMPTY}"
port: ${PORT}
dry_run: "${ON}"
event: {a: "${PORT}"}
match: x ${SECRET}
`, lookup)
	if err != nil {
		t.Fatal(err)
	}
	if got.Listen != "localhost:81 $5 ${PORT}" || got.Redis != "embedded" || got.Port != 81 || !got.DryRun {
		t.Errorf("expanded = %+v", got)
	}
	if !reflect.DeepEqual(got.Event, map[string]any{"a": "81"}) || got.Match.Value != "x hunter2" {
		t.Errorf("expanded = %+v", got)
	}
	tests := map[string]string{
		"listen: a ${NOPE} b":                    "c.yaml:1:11: the environment variable NOPE is not set, and has no default",
		"listen: >\n  a\n  b ${NOPE}":            "c.yaml:3:5: the environment variable NOPE is not set, and has no default",
		"listen: ${PORT":                         "c.yaml:1:9: this ${ is not closed; write $${ for a literal ${",
		"listen: ${A-B}":                         "c.yaml:1:9: a variable is written ${NAME} or ${NAME:-default}; write $${ for a literal ${",
		"port: ${SECRET}":                        "c.yaml:1:7: a whole number was expected",
		"keep: ${SECRET}":                        "c.yaml:1:7: a duration such as 30s, 24h or 30d was expected",
		"role: ${SECRET}":                        `c.yaml:1:7: "role" must be one of viewer, editor, admin`,
		"sources: [{key: a, kind: '${SECRET}'}]": `c.yaml:1:26: "kind" must be one of segment, http`,
	}
	for src, want := range tests {
		if _, err := decode(t, src, lookup); err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", src, err, want)
		}
	}
	if got, err := decode(t, "listen: ${NOPE}", nil); err != nil || got.Listen != "${NOPE}" {
		t.Errorf("without a lookup: %q, %v", got.Listen, err)
	}
}

func TestNearest(t *testing.T) {
	known := []string{"user_id", "type", "name", "message_id", "len", "data", "environment"}
	tests := map[string]string{
		"usr_id": "user_id", "userId": "user_id", "tpye": "type", "Name": "name", "messageid": "message_id", "lenght": "len",
		"env": "environment", "dat": "data", "q": "", "": "", "zebra": "", strings.Repeat("x", 100): "",
	}
	for name, want := range tests {
		if got, _ := Nearest(name, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", name, got, want)
		}
	}
}

// A file that is all values, or one line, is refused in little time, and what is shown of it is short.
func TestHugeFiles(t *testing.T) {
	for name, test := range map[string]struct{ source, message string }{
		"a list":     {"items: [" + strings.Repeat("a,", 7<<20) + "]", "1:1: the file has more than 2000000 commas"},
		"one line":   {"items: " + strings.Repeat("x", MaxBytes-100), "1:8: a list was expected, not a string"},
		"many wrong": {"items: [" + strings.Repeat("{}, ", 300_000) + "]", "1:9: a string was expected, not an object"},
		"too long":   {strings.Repeat("x", MaxBytes+1), "1:1: the file is larger than 16 MB"},
	} {
		t.Run(name, func(t *testing.T) {
			var into struct {
				Items []string `yaml:"items"`
			}
			doc, err := Parse("a.yaml", []byte(test.source))
			if err == nil {
				err = doc.Decode(&into, nil)
			}
			problems, _ := err.(Problems)
			if len(problems) == 0 || len(problems) > maxProblems || !strings.HasPrefix(problems[0].Error(), "a.yaml:"+test.message) {
				t.Fatalf("%.200v", err)
			}
			if text := problems.Explain(); len(text) > 1000*maxProblems {
				t.Errorf("it takes %d bytes to explain", len(text))
			}
		})
	}
}

func TestExcerptsOfLongLines(t *testing.T) {
	line := strings.Repeat("é", 300) + "X" + strings.Repeat("é", 20_000)
	doc, err := Parse("a.yaml", []byte(line))
	if err != nil {
		t.Fatal(err)
	}
	for col, want := range map[int]string{
		301:    "…" + strings.Repeat("é", 120) + "X" + strings.Repeat("é", 119) + "…",
		1:      strings.Repeat("é", 120) + "…",
		15_000: "", 30_000: "",
	} {
		problem := doc.problem(1, col, "no")
		if problem.Excerpt != want {
			t.Errorf("column %d: %q, want %q", col, problem.Excerpt, want)
		}
		if lines := strings.Split(problem.Explain(), "\n"); col == 301 && strings.Index(lines[2], "^") != len("      | ")+121 {
			t.Errorf("the caret is elsewhere: %s", problem.Explain())
		}
	}
}

// flavour is one of a table, as a kind of destination is.
type flavour string

func (flavour) Choices() []string { return []string{"sweet", "sour"} }

func TestChoicesOfATable(t *testing.T) {
	type dish struct {
		Taste flavour `yaml:"taste"`
	}
	doc, err := Parse("dish.yaml", []byte("taste: swet\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Decode(&dish{}, nil); err == nil || !strings.Contains(err.Error(), `must be one of sweet, sour, not "swet"; did you mean "sweet"?`) {
		t.Errorf("a value that is not in the table: %v", err)
	}
}
