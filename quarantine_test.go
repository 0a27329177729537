package main

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

const endless = `
rules:
  - key: endless
    match: type == "track" && any(1..1000, any(1..1000, false))
    actions: [{identify: {user_id: user_id}}]
  - key: steady
    match: type == "track"
    actions: [{trigger: {workflow: steady, recipients: user_id}}]
`

// liveRule is as much of a rule as these tests read.
type liveRule struct {
	Version                        string
	Cost                           int
	Survivors, Evaluations, Errors int
	Quarantined                    *struct {
		Reason, At string
		LastError  string `json:"last_error"`
	}
}

func (i *instance) rule(key string) (rule liveRule) {
	i.t.Helper()
	i.get(testEnvironment+"/rules/"+key, &rule)
	return rule
}

// A rule that costs too much is stopped, then not evaluated any more, while another goes on; it comes back when it is
// released, and when it has changed.
func TestQuarantine(t *testing.T) {
	onBothStores(t, func(t *testing.T, redis string) {
		files := map[string]string{"switchyard.yaml": signup["switchyard.yaml"], "rules.yaml": endless}
		i, sent := start(t, redis, files), 0
		decided := func() (matched string, errors string) {
			sent++
			id := fmt.Sprintf("q-%d", sent)
			i.post("api-key", `{"type":"track","event":"e","userId":"u","messageId":"`+id+`"}`, 200)
			var record struct {
				MatchedRules []string                         `json:"matched_rules"`
				RuleErrors   []struct{ Rule, Message string } `json:"rule_errors"`
			}
			i.get(testEnvironment+"/events/"+i.settled(id).ID, &record)
			if len(record.RuleErrors) == 1 {
				errors = record.RuleErrors[0].Message
			}
			return strings.Join(record.MatchedRules, " "), errors
		}
		trip := func() {
			t.Helper()
			for range 5 {
				if matched, errors := decided(); matched != "steady" || !strings.Contains(errors, "too many steps") {
					t.Fatalf("before the quarantine: %q %q", matched, errors)
				}
			}
			if q := i.rule("endless").Quarantined; q == nil || q.Reason != "budget" || q.At == "" || !strings.Contains(q.LastError, "rules.yaml:4:") {
				t.Fatalf("%+v", i.rule("endless"))
			}
			if matched, errors := decided(); matched != "steady" || !strings.Contains(errors, "bring it back with: switchyard release --server URL --env test endless") {
				t.Fatalf("in quarantine: %q %q", matched, errors)
			}
		}
		trip()
		if r := i.rule("endless"); r.Evaluations != 5 || r.Errors != 5 || r.Survivors != 6 || len(r.Version) != 12 || r.Cost < 100 {
			t.Errorf("%+v", r)
		}
		if r := i.rule("steady"); r.Evaluations != 6 || r.Errors != 0 || r.Quarantined != nil {
			t.Errorf("%+v", r)
		}
		asked := i.do(http.MethodPost, i.admin+testEnvironment+"/explain", `{"source":"web","event":{"type":"track","event":"e","userId":"u"}}`)
		if !strings.Contains(asked.Body, `"quarantined":{"reason":"budget",`) || !strings.Contains(asked.Body, `"matched":1,"failed":1,`) {
			t.Errorf("the explanation does not tell of it: %s", asked.Body)
		}
		for _, line := range []string{
			`switchyard_rule_quarantined{environment="test",reason="budget",rule="endless"} 1`,
			`switchyard_rule_quarantines_total{environment="test",rule="endless"} 1`,
			`switchyard_rule_survivors_total{environment="test",rule="endless"} 6`,
			`switchyard_rule_evaluations_total{environment="test",rule="endless"} 5`,
		} {
			if !i.metric(line) {
				t.Errorf("no metric %s", line)
			}
		}
		if !strings.Contains(i.log.String(), "a rule is quarantined") {
			t.Errorf("the log does not say so:\n%s", i.log)
		}

		if redis != "embedded" {
			other := start(t, redis, files)
			eventually(t, "another process knows", func() bool { return other.rule("endless").Quarantined != nil })
			defer eventually(t, "the release is known to the other process", func() bool { return other.rule("endless").Quarantined == nil })
			defer other.server.engine.Drop("test") // the events are for the first
		}

		var stdout, stderr bytes.Buffer
		release := []string{"release", "--server", i.admin, "--env", "test", "endless"}
		if code := run(release, &stdout, &stderr); code != exitGood || !strings.Contains(stdout.String(), "endless is released in test") {
			t.Fatalf("%d %s %s", code, &stdout, &stderr)
		}
		if code := run(release, &stdout, &stderr); code != exitProblems || !strings.Contains(stderr.String(), "not in quarantine") {
			t.Errorf("%d %s", code, &stderr)
		}
		for _, wrong := range [][]string{{"release", "endless"}, {"release", "--server", i.admin, "--env", "test"}} {
			if code := run(wrong, &stdout, &stderr); code != exitUsage {
				t.Errorf("%v: %d", wrong, code)
			}
		}
		if i.rule("endless").Quarantined != nil {
			t.Fatal("released, and still quarantined")
		}
	})
}

func TestQuarantineEndsWithAReload(t *testing.T) {
	i := start(t, "embedded", map[string]string{"switchyard.yaml": signup["switchyard.yaml"], "rules.yaml": endless})
	for n := range 5 {
		id := fmt.Sprintf("r-%d", n)
		i.post("api-key", `{"type":"track","event":"e","userId":"u","messageId":"`+id+`"}`, 200)
		i.settled(id)
	}
	before := i.rule("endless")
	if before.Quarantined == nil {
		t.Fatal("not quarantined")
	}
	reloaded := func(n int) func() bool {
		return func() bool { return i.metric(fmt.Sprintf(`switchyard_config_reloads_total{result="success"} %d`, n)) }
	}
	i.write("rules.yaml", endless+"# a comment\n")
	eventually(t, "the comment is live", reloaded(1))
	if i.rule("endless").Quarantined == nil {
		t.Error("a reload of the same rule released it")
	}
	i.write("rules.yaml", strings.Replace(endless, "any(1..1000, any(1..1000, false))", `name == "e"`, 1))
	eventually(t, "the new version is live", reloaded(2))
	if after := i.rule("endless"); after.Quarantined != nil || after.Version == before.Version {
		t.Errorf("%+v", after)
	}
	i.post("api-key", `{"type":"track","event":"e","userId":"u","messageId":"after"}`, 200)
	if i.settled("after"); i.rule("endless").Evaluations != 6 {
		t.Errorf("%+v", i.rule("endless"))
	}
}
