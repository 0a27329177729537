package document

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestItem(t *testing.T) {
	item, err := Item(map[string]any{
		"name": "a: #b", "z": nil, "event": map[string]any{
			"type": "track", "n": 9007199254740993, "yes": "yes", "day": "2024-05-06", "text": "two\nlines", "five": "5", "f": 0.5,
			"long": strings.Repeat("x ", 50), "list": []any{1, "a, b", map[string]any{}, []any{}}, "huge": json.Number("123456789012345678901234567890"),
		},
	}, []string{"name", "event", "type"})
	if err != nil {
		t.Fatal(err)
	}
	want := `- name: 'a: #b'
  event:
    type: track
    day: "2024-05-06"
    f: 0.5
    five: "5"
    huge: 123456789012345678901234567890
    list: [1, 'a, b', {}, []]
    long: 'x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x '
    n: 9007199254740993
    text: "two\nlines"
    "yes": "yes"
  z: null
`
	if string(item) != want {
		t.Errorf("written\n%s\nwant\n%s", item, want)
	}
}

func TestAppend(t *testing.T) {
	item := map[string]any{"name": "new", "n": 1}
	for name, test := range map[string]struct{ src, want string }{
		"at the end":            {"rules: []\ntests:\n  - name: old # why\n    n: 0\n", "rules: []\ntests:\n  - name: old # why\n    n: 0\n  - name: new\n    n: 1\n"},
		"without a last break":  {"tests:\n- name: old", "tests:\n- name: old\n- name: new\n  n: 1\n"},
		"before something else": {"tests:\n    - {name: old}\n\n# the rules\nrules: []\n", "tests:\n    - {name: old}\n    - name: new\n      n: 1\n\n# the rules\nrules: []\n"},
		"no list":               {"# first\nrules: []\n\n", "# first\nrules: []\n\ntests:\n  - name: new\n    n: 1\n"},
		"an empty list":         {"tests: # none yet\nrules: []\n", "tests: # none yet\n  - name: new\n    n: 1\nrules: []\n"},
		"an empty list at last": {"rules: []\ntests:", "rules: []\ntests:\n  - name: new\n    n: 1\n"},
		"an empty file":         {"", "tests:\n  - name: new\n    n: 1\n"},
		"only a comment":        {"# nothing", "# nothing\ntests:\n  - name: new\n    n: 1\n"},
		"breaks of Windows":     {"tests:\r\n  - name: old\r\n", "tests:\r\n  - name: old\r\n  - name: new\r\n    n: 1\r\n"},
		"a mark in front":       {"\ufefftests:\n  - a\nrules: []\n", "\ufefftests:\n  - a\n  - name: new\n    n: 1\nrules: []\n"},
		"a block at the end":    {"tests:\n  - |\n    text\n\n    # no comment\nrules: []\n", "tests:\n  - |\n    text\n\n    # no comment\n  - name: new\n    n: 1\nrules: []\n"},
		"a comment of the list": {"tests:\n  - a\n  # more to come\n", "tests:\n  - a\n  # more to come\n  - name: new\n    n: 1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Append("r.yaml", []byte(test.src), "tests", item, []string{"name"})
			if err != nil || string(got) != test.want {
				t.Errorf("%v\n%q\nwant\n%q", err, got, test.want)
			}
		})
	}
	for src, want := range map[string]string{
		"tests: [a]\n":                "no list with a - before each item",
		"tests: 5\n":                  "no list with a - before each item",
		"- a\n":                       "is no file with tests:",
		"{tests: [a]}\n":              "is no file with tests:",
		"a: [1,\n":                    "this is not YAML",
		"tests:\n  - |+\n    a\n\n\n": "changes nothing else",
		"rules: []\n...\n":            "",
	} {
		_, err := Append("r.yaml", []byte(src), "tests", item, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", src, err)
		}
	}
}
