package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

const coveredRules = `rules:
  - key: upgrade
    match: |
      type == "track" && name == "plan-changed"
        && (data.plan == "pro" || data.plan == "team")
    actions: [{identify: {user_id: user_id}}]
  - key: refund
    match: name == "refunded" && data.amount > 100
    actions: [{identify: {user_id: user_id}}]
  - key: everything
    actions: [{identify: {user_id: '"log"'}}]
tests:
  - name: to pro
    event: {type: track, event: plan-changed, userId: u, properties: {plan: pro}}
    expect: [{rule: upgrade}, {rule: everything}]
  - name: a small refund
    event: {type: track, event: refund-asked, userId: u, properties: {amount: 5}}
    expect: [{rule: everything}]
`

func TestTestCoverage(t *testing.T) {
	code, stdout, _ := runTests(t, map[string]string{"rules.yaml": coveredRules}, "--coverage", "rules.yaml")
	if code != exitGood {
		t.Errorf("exit %d", code)
	}
	wantOutput(t, stdout, `
rules.yaml: 2 passed

2 passed
hint: 1 rule is matched by no test: refund

coverage

  rules.yaml:2: upgrade: matched by 1 event, clauses: 3 of 5 exercised
    rules.yaml:4:7: never false   type == "track"
    rules.yaml:5:35: never true    data.plan == "team"

  rules.yaml:7: refund: never looked at, clauses: 0 of 2 exercised
    rules.yaml:8:12: never true    name == "refunded"
    rules.yaml:8:34: never true    data.amount > 100

  rules.yaml:10: everything: matched by 2 events, clauses: 0 of 0 exercised

rules: 2 of 3 matched
clauses: 3 of 7 exercised (42.9%)
`)
}

func TestTestMinCoverage(t *testing.T) {
	files := map[string]string{"rules.yaml": coveredRules}
	for name, test := range map[string]struct {
		args   []string
		code   int
		stderr string
	}{
		"enough":         {[]string{"--min-coverage", "42"}, exitGood, ""},
		"with a sign":    {[]string{"--min-coverage=42%"}, exitGood, ""},
		"not enough":     {[]string{"--min-coverage", "43"}, exitProblems, "42.9% of the clauses are exercised, and --min-coverage wants 43%"},
		"no number":      {[]string{"--min-coverage", "high"}, exitUsage, "it is a number from 0 to 100"},
		"too much":       {[]string{"--min-coverage", "101"}, exitUsage, "it is a number from 0 to 100"},
		"something else": {[]string{"--min-coverage", "5x"}, exitUsage, "it is a number from 0 to 100"},
		"of some tests":  {[]string{"--min-coverage", "5", "-run", "pro"}, exitUsage, "leave out -run"},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := runTests(t, files, append(test.args, "rules.yaml")...)
			if code != test.code || !strings.Contains(stderr, test.stderr) {
				t.Errorf("exit %d, messages %s", code, stderr)
			}
		})
	}
}

func TestTestCoverageAsJSON(t *testing.T) {
	_, stdout, _ := runTests(t, map[string]string{"rules.yaml": coveredRules}, "--json", "rules.yaml")
	var report struct{ Coverage coverageDocument }
	if err := json.Unmarshal([]byte(stdout), &report); err != nil {
		t.Fatal(err)
	}
	c := report.Coverage
	if c.Rules != 3 || c.Matched != 2 || c.Clauses != 7 || c.Exercised != 3 || len(c.ByRule) != 3 {
		t.Fatalf("%+v", c)
	}
	or := c.ByRule[0].Match[2]
	if or.Side || !or.True || !or.False || len(or.Sides) != 2 || !or.Sides[0].True || or.Sides[1].True || !or.Sides[1].Side || or.Sides[1].Line != 5 || or.Sides[1].Col != 35 {
		t.Errorf("%+v", or)
	}
	if c.ByRule[1].LookedAt || !c.ByRule[2].LookedAt || c.ByRule[2].Matched != 2 {
		t.Errorf("%+v", c.ByRule)
	}
}

// A rule that two environments load is exercised by the tests in both.
func TestTestCoverageOfEnvironments(t *testing.T) {
	code, stdout, stderr := runTests(t, map[string]string{
		"switchyard.yaml": `sources: [{key: web, kind: segment}]
environments:
  - {key: a, connections: {web: {write_keys: [a]}}, rules: [rules.yaml]}
  - {key: b, connections: {web: {write_keys: [b]}}, rules: [rules.yaml]}
`, "rules.yaml": `rules: [{key: one, match: 'environment == "a" || environment == "b"', actions: [{identify: {user_id: user_id}}]}]
tests: [{name: any, source: web, event: {type: page, userId: u}, expect: [{rule: one}]}]
`}, "--coverage")
	if code != exitGood || !strings.Contains(stdout, "matched by 2 events, clauses: 2 of 3 exercised\n    rules.yaml:1:28: never false   environment") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
}

// The guide's own example of coverage.
func TestTheRulesGuidesCoverage(t *testing.T) {
	guide, err := os.ReadFile("rules/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(guide), "\n## Testing rules\n")
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindStringSubmatch(section)
	shown := regexp.MustCompile("(?s)```console coverage\n(.*?)```").FindStringSubmatch(section)
	if block == nil || shown == nil {
		t.Fatal("the guide shows no coverage")
	}
	_, stdout, _ := runTests(t, map[string]string{"rules/upgrade.yaml": block[1]}, "--coverage", "rules/upgrade.yaml")
	if !strings.HasSuffix(stdout, shown[1]) {
		t.Errorf("printed\n%s\nthe guide shows\n%s", stdout, shown[1])
	}
}

func TestTheHintNamesTheFirstFew(t *testing.T) {
	for count, want := range map[int]string{1: "r0", 20: "r18, r19", 21: "r18, r19 and 1 more", 100_000: "r18, r19 and 99980 more"} {
		names := make([]string, count)
		for i := range names {
			names[i] = fmt.Sprintf("r%d", i)
		}
		if few := firstFew(names); !strings.HasSuffix(few, want) {
			t.Errorf("of %d: %s", count, few)
		}
	}
}
