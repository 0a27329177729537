package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v5"
	"go.yaml.in/yaml/v3"
)

func TestCommandLine(t *testing.T) {
	for _, test := range []struct {
		args   []string
		code   int
		stdout string
		stderr string
	}{
		{args: nil, code: exitUsage, stderr: "Usage: switchyard <command>"},
		{args: []string{"help"}, code: exitGood, stdout: "Usage: switchyard <command>"},
		{args: []string{"srve"}, code: exitUsage, stderr: `did you mean "serve"?`},
		{args: []string{"version"}, code: exitGood, stdout: "switchyard development, commit "},
		{args: []string{"version", "--json"}, code: exitGood, stdout: `"version":"development"`},
		{args: []string{"version", "extra"}, code: exitUsage, stderr: `unexpected argument "extra"`},
		{args: []string{"check", "-h"}, code: exitGood, stderr: "Usage: switchyard check"},
		{args: []string{"check", "--nonsense"}, code: exitUsage, stderr: "nonsense"},
		{args: []string{"check", "-c", "no-such-file.yaml"}, code: exitProblems, stderr: "no-such-file.yaml"},
		{args: []string{"check", "-c", "examples/quickstart/switchyard.yaml"}, code: exitGood, stdout: "development: 10 connections, 5 rules: good"},
		{args: []string{"check", "--json", "-c", "examples/quickstart/switchyard.yaml"}, code: exitGood, stdout: `"ok": true`},
		{args: []string{"test", "-h"}, code: exitGood, stderr: "Usage: switchyard test [-c FILE]"},
		{args: []string{"test", "--nonsense"}, code: exitUsage, stderr: "nonsense"},
		{args: []string{"test", "-c", "examples/quickstart/switchyard.yaml"}, code: exitGood, stdout: "examples/quickstart/rules/welcome.yaml: 4 passed"},
		{args: []string{"serve", "-c", "examples/quickstart/switchyard.yaml", "--log-level", "loud"}, code: exitUsage, stderr: "--log-level"},
		{args: []string{"send", "--kind", "segmnt", "--to", "http://127.0.0.1:1", "x.json"}, code: exitUsage, stderr: `did you mean "segment"?`},
		{args: []string{"send", "x.json"}, code: exitUsage, stderr: "--to is missing"},
		{args: []string{"send", "--to", "http://127.0.0.1:1"}, code: exitUsage, stderr: "EVENT.json is missing"},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := run(test.args, &stdout, &stderr); code != test.code {
				t.Errorf("exit %d, want %d", code, test.code)
			}
			if !strings.Contains(stdout.String(), test.stdout) || !strings.Contains(stderr.String(), test.stderr) {
				t.Errorf("stdout %q\nstderr %q", &stdout, &stderr)
			}
		})
	}
}

const sound = `sources:
  - {key: web, kind: http}
environments:
  - key: test
    connections:
      web: {write_keys: [k]}
`

func TestConfigProblemsNamePlaceAndRemedy(t *testing.T) {
	for name, test := range map[string]struct{ config, want string }{
		"unknown key":             {"redi: embedded\n" + sound, `switchyard.yaml:1:1: unknown key "redi"; did you mean "redis"?`},
		"missing sections":        {"listen: 127.0.0.1:1\n", `"sources" is required`},
		"unknown kind":            {strings.Replace(sound, "kind: http", "kind: segmant", 1), `switchyard.yaml:2:22: there is no source kind "segmant" (did you mean "segment"?)`},
		"unknown source":          {strings.Replace(sound, "      web:", "      wbe:", 1), `there is no source "wbe" (did you mean "web"?)`},
		"variable":                {"redis: ${NOWHERE_SET}\n" + sound, "switchyard.yaml:1:8: the environment variable NOWHERE_SET is not set"},
		"public admin, no tokens": {"admin_listen: 0.0.0.0:8081\n" + sound, "admin.tokens is needed"},
		"verify without secrets":  {strings.Replace(sound, "[k]}", "[k], verify: {scheme: bearer, secrets: []}}", 1), "secrets"},
		"a scheme the vendor can not send": {strings.NewReplacer("kind: http", "kind: segment", "[k]}", `[k], verify: {scheme: basic, secrets: ["a:b"]}}`).Replace(sound),
			"switchyard.yaml:6:38: connection web: verify: this kind of source does not send scheme basic"},
		"a write key twice": {strings.Replace(sound, "[k]", "[k, k]", 1), "used twice"},
		"no rule file fits": {sound + "    rules: [nowhere/*.yaml]\n", `switchyard.yaml:7:13: no file fits "nowhere/*.yaml"`},
		"not an address":    {"admin_listen: 8081\n" + sound, "switchyard.yaml:1:15: this is not an address"},
		"not a Redis URL":   {"redis: localhost:6379\n" + sound, "switchyard.yaml:1:8: the Redis URL must be"},
		"no replica":        {"ack: replicated\n" + sound, "switchyard.yaml:1:6: ack: replicated needs a Redis with replicas; the embedded store has none"},
		"unknown ack":       {"ack: replicate\n" + sound, `did you mean "replicated"?`},
		"bad duration":      {"retention: {events: fast}\n" + sound, "switchyard.yaml:1:21"},
		"a webhook without a url": {strings.Replace(sound, "key: test", `key: test
    destination: {kind: webhook, secret: whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz}`, 1), "url must be one of http or https"},
		"a webhook without a secret": {strings.Replace(sound, "key: test", `key: test
    destination: {kind: webhook, url: https://x.example}`, 1), "secret is missing"},
		"a secret in another form": {strings.Replace(sound, "key: test", `key: test
    destination: {kind: webhook, url: https://x.example, secret: hunter22222}`, 1), "must begin with whsec_"},
		"a url for the directory": {strings.Replace(sound, "key: test", `key: test
    destination: {url: https://x.example}`, 1), "url is not for a destination of the kind directory"},
		"no network": {strings.Replace(sound, "key: test", `key: test
    destination: {kind: webhook, url: https://x.example, secret: whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz, allow: [10.1.0.1/99]}`, 1), "allow must be networks"},
		"no kind": {strings.Replace(sound, "key: test", `key: test
    destination: {kind: webhok}`, 1), "did you mean"},
		"bad size":            {"retention: {size: much}\n" + sound, "switchyard.yaml:1:19: a size such as 512MB or 4GB was expected"},
		"a huge size":         {"retention: {size: 9999999999TB}\n" + sound, "switchyard.yaml:1:19: 9999999999TB is more than can be counted"},
		"a tiny size":         {"retention: {size: 512KB}\n" + sound, "retention.size must be at least 1MB"},
		"dedupe beyond log":   {"retention: {events: 1h}\n" + sound, "retention.dedupe"},
		"bad environment key": {strings.Replace(sound, "key: test", "key: Te st", 1), "the key of an environment"},
		"too many partitions": {strings.Replace(sound, "key: test", "key: test\n    partitions: 5000", 1), "partitions must be 1 to 1024"},
		"not YAML":            {"sources: [", "switchyard.yaml:"},
		"unknown role":        {"admin: {tokens: [{name: a, role: owner, token: t}]}\n" + sound, "viewer"},
		"unknown order":       {strings.Replace(sound, "key: test", "key: test\n    destination: {order: relaxd}", 1), `did you mean "relaxed"?`},
		"no place to wait":    {strings.Replace(sound, "key: test", "key: test\n    destination:\n      lane: {waiting: -1}", 1), "switchyard.yaml:6:13: lane.waiting must be at least 1"},
		"unknown destination": {strings.Replace(sound, "key: test", "key: test\n    destination: {kind: directry}", 1), `did you mean "directory"?`},
	} {
		t.Run(name, func(t *testing.T) { wantProblem(t, test.config, test.want) })
	}
}

// wantProblem has a configuration checked, and wants a complaint.
func wantProblem(t *testing.T, config, want string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "switchyard.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	if code := run([]string{"check", "-c", file}, &stdout, &stderr); code != exitProblems || !strings.Contains(stdout.String(), want) {
		t.Errorf("exit %d\n%s%swant %s", code, &stdout, &stderr, want)
	}
}

func TestCheckSaysHowRulesAreFound(t *testing.T) {
	i := &instance{t: t, dir: t.TempDir()}
	i.write("switchyard.yaml", sound+"    rules: [rules.yaml, more.yaml]\n")
	i.write("rules.yaml", `rules:
  - {key: quick, match: 'name == "a" && any(data.x, # > 2)', actions: [{identify: {user_id: user_id}}]}
  - {key: slow, match: slug(name) == "a", actions: [{identify: {user_id: user_id}}]}
  - {key: all, actions: [{identify: {user_id: user_id}}]}
`)
	i.write("more.yaml", "rules: []\n")
	checked := func(flags ...string) string {
		var stdout, stderr bytes.Buffer
		if code := run(append([]string{"check", "-c", i.dir + "/switchyard.yaml"}, flags...), &stdout, &stderr); code != exitGood {
			t.Fatalf("exit %d: %s%s", code, &stdout, &stderr)
		}
		return stdout.String()
	}
	few := `3 rules: good
  quick  found by name: "a"; clauses: 1 looked up, 1 evaluated
  slow   looked at on every event, for no clause says which value it must have; clauses: 0 looked up, 1 evaluated
  all    takes every event
`
	if got := checked(); !strings.HasSuffix(got, few) {
		t.Errorf("got %s", got)
	}
	var more strings.Builder
	more.WriteString("rules:\n")
	for n := range 100 {
		fmt.Fprintf(&more, "  - {key: r%d, match: name == \"n%d\", actions: [{identify: {user_id: user_id}}]}\n", n, n)
	}
	i.write("more.yaml", more.String())
	many := "  all   takes every event\n  101 rules found by the index, 2 looked at on every event; --rules tells of all\n"
	if got := checked(); !strings.HasSuffix(got, many) || strings.Contains(got, "quick") {
		t.Errorf("got %s", got)
	}
	if got := checked("--rules"); !strings.Contains(got, `  r99    found by name: "n99"; clauses: 1 looked up, 0 evaluated`+"\n") {
		t.Errorf("got %s", got)
	}
	if got := checked("--json"); !strings.Contains(got, `"found_by": "name: \"a\"",`) {
		t.Errorf("got %s", got)
	}
}

// A type that no event has, and a source that there is not, are most likely misspelt.
func TestCheckWarnsOfStrays(t *testing.T) {
	i := &instance{t: t, dir: t.TempDir()}
	i.write("switchyard.yaml", sound+"    rules: [rules.yaml]\n")
	i.write("rules.yaml", `rules:
  - {key: one, match: type == "trak", actions: [{identify: {user_id: user_id}}]}
  - {key: two, match: 'source in ["web", "wbe"] && type != "trak"', actions: [{identify: {user_id: user_id}}]}
`)
	want := i.dir + `/rules.yaml:2:31: warning: type is never "trak"; did you mean "track"?
    2 |   - {key: one, match: type == "trak", actions: [{identify: {user_id: user_id}}]}
      |                               ^
` + i.dir + `/rules.yaml:3:42: warning: source is never "wbe"; did you mean "web"?
`
	var stdout, stderr bytes.Buffer
	if code := run([]string{"check", "-c", i.dir + "/switchyard.yaml"}, &stdout, &stderr); code != exitGood || !strings.HasPrefix(stdout.String(), want) || stderr.String() != "0 problems, 2 warnings\n" {
		t.Errorf("exit %d\n%s%s", code, &stdout, &stderr)
	}
	if code := run([]string{"check", "--strict", "-c", i.dir + "/switchyard.yaml"}, &stdout, &stderr); code != exitProblems {
		t.Errorf("exit %d", code)
	}
}

func TestCheckShowsTheRuleUnderACaret(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"switchyard.yaml": sound + "    rules: [rules.yaml]\n",
		"rules.yaml": `rules:
  - key: welcome
    match: type == "track" && usr_id == "x"
    actions: [{identify: {user_id: user_id}}]
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var stdout, stderr bytes.Buffer
	if code := run([]string{"check", "-c", filepath.Join(dir, "switchyard.yaml")}, &stdout, &stderr); code != exitProblems {
		t.Errorf("exit %d", code)
	}
	lines := strings.Split(stdout.String(), "\n")
	if len(lines) < 3 || !strings.Contains(lines[0], "rules.yaml:3:31: ") || !strings.Contains(lines[0], `did you mean user_id?`) {
		t.Fatalf("printed\n%s", &stdout)
	}
	if at, caret := strings.Index(lines[1], "usr_id"), strings.Index(lines[2], "^"); at < 0 || at != caret {
		t.Errorf("the caret is not under the name:\n%s", &stdout)
	}
}

// The published schemas accept every example of ours and refuse what the strict decoder refuses.
func TestSchemas(t *testing.T) {
	schemas := map[string]*jsonschema.Schema{}
	for _, which := range []string{"config", "rules"} {
		var stdout, stderr bytes.Buffer
		if code := run([]string{"check", "--schema=" + which}, &stdout, &stderr); code != exitGood {
			t.Fatalf("exit %d: %s", code, &stderr)
		}
		schema, err := jsonschema.CompileString(which+".json", stdout.String())
		if err != nil {
			t.Fatal(err)
		}
		schemas[which] = schema
	}
	var both bytes.Buffer
	if code := run([]string{"check", "--schema"}, &both, &both); code != exitGood || !json.Valid(both.Bytes()) {
		t.Errorf("--schema alone: exit %d", code)
	}
	examples := map[string]string{"examples/quickstart/switchyard.yaml": "config"}
	rules, err := filepath.Glob("examples/*/rules/*.yaml")
	if err != nil || len(rules) == 0 {
		t.Fatalf("no rules among the examples: %v", err)
	}
	for _, file := range rules {
		examples[file] = "rules"
	}
	for file, which := range examples {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := schemas[which].Validate(fromYAML(t, string(text))); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	for text, which := range map[string]string{
		"redi: embedded\n" + sound:                                       "config",
		strings.Replace(sound, "key: test", "name: test", 1):             "config",
		"rules: [{key: a, actions: [{identify: {user_id: x, who: y}}]}]": "rules",
		"rules: [{match: 'true', actions: []}]":                          "rules",
	} {
		if schemas[which].Validate(fromYAML(t, text)) == nil {
			t.Errorf("the schema takes what the decoder refuses:\n%s", text)
		}
	}
}

func fromYAML(t *testing.T, text string) any {
	t.Helper()
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := json.Unmarshal([]byte(mustJSON(t, value)), &plain); err != nil {
		t.Fatal(err)
	}
	return plain
}

// The guide's own example of what makes a rule cheap.
func TestTheRulesGuidesCheapRules(t *testing.T) {
	guide, err := os.ReadFile("rules/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(guide), "\n## What makes a rule cheap\n")
	_, written, _ := strings.Cut(section, "```yaml cheap\n")
	written, _, _ = strings.Cut(written, "```")
	_, shown, _ := strings.Cut(section, "```console cheap\n")
	shown, _, _ = strings.Cut(shown, "```")
	i := &instance{t: t, dir: t.TempDir()}
	i.write("switchyard.yaml", strings.Replace(sound, "key: test", "key: production", 1)+"    rules: [rules.yaml]\n")
	i.write("rules.yaml", written)
	var stdout, stderr bytes.Buffer
	if code := run([]string{"check", "-c", i.dir + "/switchyard.yaml"}, &stdout, &stderr); code != exitGood || stdout.String() != shown {
		t.Errorf("exit %d %s\nthe guide shows\n%s\nbut the command prints\n%s", code, &stderr, shown, &stdout)
	}
}
