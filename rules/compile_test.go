package rules

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v5"

	"switchyard/engine"
	"switchyard/rules/document"
)

// compileError is what is wrong with a rules file, explained.
func compileError(t *testing.T, source string) string {
	t.Helper()
	file, err := Parse("rules/a.yaml", []byte(source))
	if err == nil {
		_, err = Compile("production", []*File{file})
	}
	var problems document.Problems
	if !errors.As(err, &problems) {
		return ""
	}
	return problems.Explain()
}

func TestProblemsAreExplained(t *testing.T) {
	tests := map[string]struct{ source, want string }{
		"plain": {`
rules:
  - key: a
    match: type == "track" && usr_id != ""
    actions: [{identify: {user_id: user_id}}]
`, `
rules/a.yaml:4:31: unknown name usr_id; did you mean user_id?
    4 |     match: type == "track" && usr_id != ""
      |                               ^`},
		"quoted": {`
rules:
  - key: a
    actions:
      - identify: {user_id: user_id, traits: '{"it''s": pik(data, "x")}'}
`, `
rules/a.yaml:5:57: unknown name pik; did you mean pick?
    5 |       - identify: {user_id: user_id, traits: '{"it''s": pik(data, "x")}'}
      |                                                         ^`},
		"double-quoted": {`
rules:
  - key: a
    match: "name == \"é\" && data.n = 1"
    actions: [{identify: {user_id: user_id}}]
`, `
rules/a.yaml:4:37: unexpected "="; use == to compare
    4 |     match: "name == \"é\" && data.n = 1"
      |                                     ^`},
		"block": {`
rules:
  - key: a
    match: |
      type == "track"
        && nmae == "x"
    actions: [{identify: {user_id: user_id}}]
`, `
rules/a.yaml:6:12: unknown name nmae; did you mean name?
    6 |         && nmae == "x"
      |            ^`},
		"folded": {`
rules:
  - key: a
    match: >-
      type == "track"
      && data.x in 5
    actions: [{identify: {user_id: user_id}}]
`, `
rules/a.yaml:6:17: in can not be used on any value and a number
    6 |       && data.x in 5
      |                 ^`},
		"comment": {`
rules:
  - key: a
    match: any(data.items, #.id == 1)
    actions: [{identify: {user_id: user_id}}]
`, `
rules/a.yaml:4:27: the expression ends too early: # after a space begins a comment in YAML; put the expression in quotes
    4 |     match: any(data.items, #.id == 1)
      |                           ^`},
		"everything at once": {`
rules:
  - key: A
    match: nmae
    transform: {data: '1', len: '2', x-y: '3', good: usr_id, uses: good + bad}
    actions: [{}, {identify: {user_id: user_id}, trigger: {workflow: w, recipients: good}}]
  - key: b
    match: user_id
    actions: [{identify: {user_id: uses}}]
  - key: b
    actions: [{identify: {user_id: user_id}}]
  - key: identify_users
    enabled: false
    actions: [{trigger: {workflow: w, recipients: x}}]
`, `
rules/a.yaml:3:10: a rule's key is made of a-z, 0-9, _ and -, and starts with a letter or digit
    3 |   - key: A
      |          ^
rules/a.yaml:4:12: unknown name nmae; did you mean name?
    4 |     match: nmae
      |            ^
rules/a.yaml:5:17: data is a name of the event already; choose another
    5 |     transform: {data: '1', len: '2', x-y: '3', good: usr_id, uses: good + bad}
      |                 ^
rules/a.yaml:5:28: len is a function; choose another name
    5 |     transform: {data: '1', len: '2', x-y: '3', good: usr_id, uses: good + bad}
      |                            ^
rules/a.yaml:5:38: "x-y" can not be a name in expressions
    5 |     transform: {data: '1', len: '2', x-y: '3', good: usr_id, uses: good + bad}
      |                                      ^
rules/a.yaml:5:54: unknown name usr_id; did you mean user_id?
    5 |     transform: {data: '1', len: '2', x-y: '3', good: usr_id, uses: good + bad}
      |                                                      ^
rules/a.yaml:5:75: unknown name bad; a text needs quotes: "bad"
    5 |     transform: {data: '1', len: '2', x-y: '3', good: usr_id, uses: good + bad}
      |                                                                           ^
rules/a.yaml:6:15: an action is an identify or a trigger; this is neither
    6 |     actions: [{}, {identify: {user_id: user_id}, trigger: {workflow: w, recipients: good}}]
      |               ^
rules/a.yaml:6:19: an action is an identify or a trigger, not both; write two
    6 |     actions: [{}, {identify: {user_id: user_id}, trigger: {workflow: w, recipients: good}}]
      |                   ^
rules/a.yaml:8:12: a condition must be true or false, not a string
    8 |     match: user_id
      |            ^
rules/a.yaml:9:36: unknown name uses; a text needs quotes: "uses"
    9 |     actions: [{identify: {user_id: uses}}]
      |                                    ^
rules/a.yaml:10:10: the key b is taken in this environment, at rules/a.yaml:7
   10 |   - key: b
      |          ^
rules/a.yaml:12:10: the key identify_users is the name of a connection's own switch; choose another
   12 |   - key: identify_users
      |          ^
rules/a.yaml:14:51: unknown name x; a text needs quotes: "x"
   14 |     actions: [{trigger: {workflow: w, recipients: x}}]
      |                                                   ^`},
		"written wrongly": {`
rules:
  - key: a
    mtach: x
    actions: []
  - name: b
    actions: [{trigger: {workflow: w, recipient: x}}]
`, `
rules/a.yaml:4:5: unknown key "mtach"; did you mean "match"?
    4 |     mtach: x
      |     ^
rules/a.yaml:5:14: "actions" must not be empty
    5 |     actions: []
      |              ^
rules/a.yaml:6:5: "key" is required
    6 |   - name: b
      |     ^
rules/a.yaml:7:25: "recipients" is required
    7 |     actions: [{trigger: {workflow: w, recipient: x}}]
      |                         ^
rules/a.yaml:7:39: unknown key "recipient"; did you mean "recipients"?
    7 |     actions: [{trigger: {workflow: w, recipient: x}}]
      |                                       ^`},
		"not indented": {`
rules:
  - key: a
    actions:
      - trigger:
        workflow: w
        recipients: user_id
`, `
rules/a.yaml:6:9: unknown key "workflow"; it stands below "trigger": indent it further
    6 |         workflow: w
      |         ^
rules/a.yaml:7:9: unknown key "recipients"; it stands below "trigger": indent it further
    7 |         recipients: user_id
      |         ^`},
	}
	for name, test := range tests {
		if got := compileError(t, test.source); got != strings.TrimPrefix(test.want, "\n") {
			t.Errorf("%s: got\n%s\nwant%s", name, got, test.want)
		}
	}
}

// Each transform sees those above it, and none below.
func TestTransformOrder(t *testing.T) {
	const source = `
rules:
  - key: a
    transform:
      zed: data.n
      alpha: zed + 1
      list: '[zed, alpha]'
    actions: [{identify: {user_id: 'join(list, "-")'}}]
`
	decision := compileText(t, source).Decide(sampleEvent())
	if decision == nil || len(decision.Actions) != 1 || decision.Actions[0].Identify.UserID != "5-6" {
		t.Errorf("decision = %+v", decision)
	}
	swapped := strings.Replace(strings.Replace(source, "zed: data.n", "tmp: 1", 1), "alpha: zed + 1", "alpha: zed + 1\n      zed: data.n", 1)
	if got := compileError(t, swapped); !strings.HasPrefix(got, "rules/a.yaml:6:14: unknown name zed") {
		t.Errorf("a transform sees one below it: %s", got)
	}
	// Those of one rule are not seen in another.
	two := source + "  - key: b\n    actions: [{identify: {user_id: alpha}}]\n"
	if got := compileError(t, two); !strings.HasPrefix(got, "rules/a.yaml:10:36: unknown name alpha") {
		t.Errorf("a rule sees another's transforms: %s", got)
	}
}

func TestLoadFiles(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "bad.yaml")
	for path, source := range map[string]string{good: welcome, bad: "rulez: []"} {
		if err := os.WriteFile(path, []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := LoadFiles([]string{good})
	if err != nil || len(files) != 1 || files[0].Path != good || len(files[0].Rules) != 3 {
		t.Errorf("good: %+v, %v", files, err)
	}
	_, err = LoadFiles([]string{bad, good, filepath.Join(dir, "none.yaml")})
	if problems, ok := err.(document.Problems); !ok || len(problems) != 2 {
		t.Errorf("bad: %v", err)
	}
}

func TestSchema(t *testing.T) {
	schema, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := jsonschema.CompileString("rules.json", string(schema))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]bool{
		welcome: true,
		`tests: [{name: a, event: {type: track}, expect: [{rule: a, identify: {user_id: u}}, {rule: a, trigger: w, recipients: [u]}]}]`: true,
		`tests: [{event: {}}]`: false,
		`tests: [{name: a, event: {}, expect: [{rule: a, triger: w}]}]`: false,
		`rules: [{key: a}]`:                                                                                      false,
		`rules: [{key: a, actions: []}]`:                                                                         false,
		`rules: [{key: a, actions: [{trigger: {workflow: w}}]}]`:                                                 false,
		`rules: [{key: a, match: [x], actions: [{identify: {user_id: x}}]}]`:                                     false,
		`rules: [{key: a, match: true, transform: {a: 1, b: [2]}, actions: [{identify: {user_id: x}}]}]`:         false,
		`rules: [{key: a, match: true, transform: {a: 1}, enabled: no, actions: [{identify: {user_id: x}}]}]`:    false,
		`rules: [{key: a, match: true, transform: {a: 1}, enabled: false, actions: [{identify: {user_id: x}}]}]`: true,
	}
	for source, want := range tests {
		_, err := Parse("r.yaml", []byte(source))
		if (err == nil) != want {
			t.Errorf("the decoder on %s: %v", source, err)
		}
		if err := compiled.Validate(asValue(t, source)); (err == nil) != want {
			t.Errorf("the schema on %s: %v", source, err)
		}
	}
}

func asValue(t *testing.T, source string) any {
	t.Helper()
	doc, err := document.Parse("r.yaml", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := doc.Decode(&value, nil); err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(value)
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

// checkMistakes makes every mistake of the guide's table of them.
func checkMistakes(t *testing.T, guide string) {
	_, table, ok := strings.Cut(guide, "| written | told |\n|---|---|\n")
	if !ok {
		t.Error("the README shows no mistakes")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	for _, row := range strings.Split(table, "\n") {
		cells := strings.Split(row, "`")
		if len(cells) != 5 {
			t.Fatalf("the README's row %s", row)
		}
		match, trigger := "match: type == \"track\"", "workflow: w\n          "+cells[1]
		if strings.HasPrefix(cells[1], "match:") {
			match, trigger = cells[1], "workflow: w"
		}
		if !strings.HasPrefix(cells[1], "recipients:") {
			trigger += "\n          recipients: user_id"
		}
		source := "rules:\n  - key: a\n    " + match + "\n    actions:\n      - trigger:\n          " + trigger + "\n"
		told, _, _ := strings.Cut(compileError(t, source), "\n")
		if !strings.HasSuffix(told, ": "+cells[3]) {
			t.Errorf("the README says of %s\n%s\nbut it is\n%s", cells[1], cells[3], told)
		}
	}
}

// checkLookups holds what the guide says to be looked up, and to be evaluated, against what is.
func checkLookups(t *testing.T, guide string) {
	_, section, _ := strings.Cut(guide, "\n## What makes a rule cheap\n")
	_, table, _ := strings.Cut(section, "| these are looked up |")
	table, rest, _ := strings.Cut(table, "\n\n")
	lookedUp, evaluated, _ := strings.Cut(rest, "- Evaluated is")
	evaluated, _, _ = strings.Cut(evaluated, "\n\n")
	lookedUp, _, _ = strings.Cut(lookedUp, "\n- Brackets")
	comparison := regexp.MustCompile("`([^`&]* (?:==|!=|in|<|>=|startsWith) [^`&]*)`")
	for want, text := range map[bool]string{true: table + lookedUp, false: evaluated} {
		examples := comparison.FindAllStringSubmatch(text, -1)
		for _, example := range examples {
			match := example[1]
			share := compileText(t, "rules:\n  - key: a\n    match: |\n      "+match+"\n    actions: [{identify: {user_id: user_id}}]\n").Shares()[0]
			if is := share.Probed == share.Clauses; is != want {
				t.Errorf("the README says of %s that it is looked up: %t, but it is %t", match, want, is)
			}
		}
		if len(examples) < 3 {
			t.Errorf("the README shows only %v", examples)
		}
	}
}

// The expressions and the problem that README.md shows are what the code does.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(readme), "```")
	var problem string
	for i := 1; i < len(blocks); i += 2 {
		language, body, _ := strings.Cut(blocks[i], "\n")
		switch language {
		case "yaml":
			compileText(t, body)
		case "yaml map":
			compileMapping(t, body)
		case "yaml wrong":
			problem = compileError(t, body)
		case "text":
			if strings.TrimSpace(body) != problem {
				t.Errorf("the README shows\n%s\nbut the code says\n%s", body, problem)
			}
		}
	}
	if problem == "" {
		t.Error("the README shows no problem")
	}
	checkMistakes(t, string(readme))
	checkLookups(t, string(readme))
	for _, row := range strings.Split(string(readme), "\n") {
		source, want, ok := strings.Cut(row, "` → `")
		if !ok {
			continue
		}
		source = source[strings.Index(source, "`")+1:]
		want, _, _ = strings.Cut(want, "`")
		got, err := evaluate(t, source)
		shown, _ := json.Marshal(got)
		text := strings.ReplaceAll(string(shown), "null", "nil")
		if err != nil {
			text = "error: " + err.(document.Problem).Message
		}
		if text != want {
			t.Errorf("the README says %s → %s, but it is %s", source, want, text)
		}
	}
	for _, name := range newLanguage(eventPlace).known() {
		_, isName := eventNameAt(name)
		example := regexp.MustCompile("(?m)^- `([^`]*[^`\\w])?" + name + "\\([^`]*` → `")
		if !isName && !example.Match(readme) {
			t.Errorf("the README has no example of %s", name)
		}
	}
	for _, place := range []*place{eventPlace, itemPlace} {
		for name := range place.names {
			if !strings.Contains(string(readme), fmt.Sprintf("`%s`", name)) {
				t.Errorf("the README does not tell of %s", name)
			}
		}
	}
}

// Of very many programs some are made only when an event wants them; they do the same, and fail at the same place.
func TestProgramsThatAreMadeLate(t *testing.T) {
	file, err := Parse("r.yaml", []byte(`rules:
  - key: good
    match: name == "n" && any(data.items, .a == 1) && len(data.items) > 1
    transform: {every: 'map(data.items, .a)', more: 'every[1:]'}
    actions:
      - identify: {user_id: user_id, traits: '{"every": every}'}
      - trigger: {workflow: w, recipients: user_id, data: '{"more": more, "preferences": 1}'}
  - key: bad
    match: name == "n"
    transform: {every: data.items, more: 'every - 1'}
    actions: [{trigger: {workflow: w, recipients: user_id}}]
`))
	if err != nil {
		t.Fatal(err)
	}
	var made []string
	for _, kept := range []int{0, keptPrograms} {
		compiler := NewCompiler()
		compiler.kept = kept
		set, err := compiler.Compile("e", []*File{file})
		if err != nil {
			t.Fatal(err)
		}
		if late := set.rules[0].transforms[0].value.program == nil; late != (kept > 0) {
			t.Errorf("with %d programs there is one: %v", kept, !late)
		}
		decision := set.Decide(&engine.Event{Type: "track", Name: "n", UserID: "u", Data: json.RawMessage(`{"items":[{"a":1},{"a":2}]}`)})
		text, _ := json.Marshal(decision)
		made = append(made, string(text))
	}
	if made[0] != made[1] || !strings.Contains(made[0], "r.yaml:10:49") {
		t.Errorf("at once: %s\nlate:    %s", made[0], made[1])
	}
}
