package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// runTests runs `switchyard test` in a folder of files.
func runTests(t *testing.T, files map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	i := &instance{t: t, dir: t.TempDir()}
	for name, text := range files {
		i.write(name, text)
	}
	t.Chdir(i.dir)
	var out, messages bytes.Buffer
	code = run(append([]string{"test"}, args...), &out, &messages)
	return code, out.String(), messages.String()
}

// wantOutput holds an output against a golden one.
func wantOutput(t *testing.T, got, want string) {
	t.Helper()
	if want = strings.TrimPrefix(want, "\n"); got != want {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
}

const testConfig = `sources:
  - {key: web, kind: segment}
  - {key: code, kind: http}
  - {key: crm, kind: hightouch}
environments:
  - key: test
    connections:
      web: {write_keys: [w], verify: {scheme: segment, secrets: [s]}, identify_users: true, limits: {rate: 1, burst: 1}}
      code:
        write_keys: [c]
        verify: {scheme: bearer, secrets: [s]}
        map: {each: body.commits, name: 'headers["X-Kind"]', user_id: item.author, message_id: item.id, data: item}
      crm: {write_keys: [h], rows: {as: identify, id_column: email}, identify_users: true}
    rules: [rules.yaml]
`

const testedRules = `rules:
  - key: welcome
    match: name == "signed-up"
    transform: {total: data.n + 1}
    actions:
      - identify: {user_id: user_id, traits: 'pick(data, "plan")'}
      - trigger: {workflow: welcome, recipients: data.who, data: 'pick(data, "plan", "seats")'}
tests:
`

func TestTestOutput(t *testing.T) {
	const signedUp = "    source: web\n    event: {type: track, event: signed-up, userId: u, properties: {n: 1, plan: pro, seats: 3, who: [u, {id: v, email: v@x.com}]}}\n"
	for name, test := range map[string]struct{ tests, want string }{
		"pass": {"  - name: all of it\n" + signedUp + `    expect:
      - {rule: welcome, identify: {user_id: u, traits: {plan: pro}}}
      - {rule: welcome, trigger: welcome, recipients: [u, {email: v@x.com, id: v}], data: {seats: 3.0, plan: pro}}
`, `
rules.yaml: 1 passed

1 passed
coverage: rules matched 1 of 1, clauses exercised 0 of 1
`},
		"wrong recipients and data": {"  - name: who\n" + signedUp + `    expect:
      - {rule: welcome}
      - {rule: welcome, trigger: welcome, recipients: [u, {email: v@y.com, id: v}], data: {seats: 4, plan: pro}}
`, `
rules.yaml: 0 passed, 1 failed

  rules.yaml:9:5: who
    rules.yaml:14:9: welcome: trigger welcome is not as expected (- expected, + got)
        {
          "data": {
      -     "seats": 4
      +     "seats": 3
          },
          "recipients": [
            "u",
            {
      -       "email": "v@y.com",
      +       "email": "v@x.com",
              "id": "v"
            }
          ]
        }

0 passed, 1 failed
coverage: rules matched 1 of 1, clauses exercised 0 of 1
`},
		"a missing and an extra action": {"  - name: other\n" + signedUp + `    expect:
      - {rule: welcome, identify: {user_id: u}}
      - {rule: identify_users, identify: {user_id: u}}
`, `
rules.yaml: 0 passed, 1 failed

  rules.yaml:9:5: other
    rules.yaml:14:9: identify_users: identify is not asked for
      - {
      -   "identify": {
      -     "user_id": "u"
      -   },
      -   "rule": "identify_users"
      - }
    rules.yaml:9:5: welcome: trigger welcome is asked for, and not expected
      + {
      +   "data": {
      +     "plan": "pro",
      +     "seats": 3
      +   },
      +   "recipients": [
      +     "u",
      +     {
      +       "email": "v@x.com",
      +       "id": "v"
      +     }
      +   ],
      +   "rule": "welcome",
      +   "trigger": "welcome"
      + }

0 passed, 1 failed
coverage: rules matched 1 of 1, clauses exercised 0 of 1
`},
		"skipped": {`  - name: nobody to tell
    source: web
    event: {type: track, event: signed-up, userId: u, properties: {n: 1}}
    expect: [{rule: welcome}, {rule: welcome, trigger: welcome, skipped: recipients is missing}]
  - name: somebody to tell
    source: web
    event: {type: track, event: signed-up, userId: u, properties: {n: 1}}
    expect: [{rule: welcome}, {rule: welcome, trigger: welcome}]
`, `
rules.yaml: 1 passed, 1 failed

  rules.yaml:13:5: somebody to tell
    rules.yaml:16:31: welcome: trigger welcome is not as expected (- expected, + got)
        {
      +   "skipped": "recipients is missing"
        }

1 passed, 1 failed
coverage: rules matched 1 of 1, clauses exercised 0 of 1
`},
		"nothing fires": {`  - name: a page
    source: web
    event: {type: page, name: Home, anonymousId: a}
    expect: [{rule: welcome, identify: {user_id: u}}]
`, `
rules.yaml: 0 passed, 1 failed

  rules.yaml:9:5: a page
    rules.yaml:12:14: welcome: identify is not asked for
      - {
      -   "identify": {
      -     "user_id": "u"
      -   },
      -   "rule": "welcome"
      - }
    nothing was asked for: no rule matched

0 passed, 1 failed
hint: 1 rule is matched by no test: welcome
coverage: rules matched 0 of 1, clauses exercised 0 of 1
`},
		"a rule fails": {`  - name: no n
    source: web
    event: {type: track, event: signed-up, userId: u}
`, `
rules.yaml: 0 passed, 1 failed

  rules.yaml:9:5: no n
    rules.yaml:9:5: the rule welcome failed: rules.yaml:4:31: + can not be used on nothing and a number
    nothing was asked for: no rule matched, and some failed

0 passed, 1 failed
hint: 1 rule is matched by no test: welcome
coverage: rules matched 0 of 1, clauses exercised 0 of 1
`},
		"an unknown source, an unknown rule and an event that is none": {`  - name: a
    source: wbe
    event: {type: page}
  - name: b
    event: {type: page, userId: u}
    expect: [{rule: welcom}]
  - name: c
    source: web
    event: {type: trakc}
  - name: d
    source: code
    event: {type: track}
`, `
rules.yaml: 0 passed, 4 failed

  rules.yaml:9:5: a
    rules.yaml:10:13: there is no source "wbe" (did you mean "web"?)
       10 |     source: wbe
          |             ^

  rules.yaml:12:5: b
    rules.yaml:14:21: there is no rule "welcom"; did you mean "welcome"?
       14 |     expect: [{rule: welcom}]
          |                     ^

  rules.yaml:15:5: c
    rules.yaml:15:5: the event is invalid: type "trakc" is not one of track, identify, page, screen, group, alias, delete

  rules.yaml:18:5: d
    rules.yaml:18:5: the event can not be read: body.commits is missing; a list of messages was expected there

0 passed, 4 failed
hint: 1 rule is matched by no test: welcome
coverage: rules matched 0 of 1, clauses exercised 0 of 1
`},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := runTests(t, map[string]string{"switchyard.yaml": testConfig, "rules.yaml": testedRules + test.tests})
			wantOutput(t, stdout, test.want)
			if failed := strings.Contains(stdout, " failed\n"); failed != (code == exitProblems) || !failed && code != exitGood || stderr != "" {
				t.Errorf("exit %d, messages %q", code, stderr)
			}
		})
	}
}

// An event comes through its connection: the switch, the map, the rows, and never the proof or the rate.
func TestTestReadsAsTheConnectionDoes(t *testing.T) {
	const rules = `rules:
  - key: push
    match: name == "push"
    actions: [{trigger: {workflow: pushed, recipients: user_id, data: '{"at": string(received_at), "when": string(timestamp)}'}}]
tests:
  - name: each commit, with a header
    source: code
    headers: {x-kind: push}
    event: {commits: [{id: 1, author: ann}, {id: 2, author: bob}]}
    expect:
      - {rule: push, recipients: ann}
      - {rule: push, recipients: bob, data: {at: "2026-01-01T00:00:00.000Z", when: "2026-01-01T00:00:00.000Z"}}
  - name: a row of users
    source: crm
    event: {email: e@x.com, plan: pro}
    expect: [{rule: identify_users, identify: {user_id: e@x.com, traits: {email: e@x.com, plan: pro}}}]
  - name: a time of its own, ahead of ours
    source: web
    event: {type: track, event: push, userId: u, timestamp: 2199-03-04T05:06:07Z}
    expect: [{rule: push, data: {at: "2199-03-04T05:06:07.000Z", when: "2199-03-04T05:06:07.000Z"}}]
  - name: without a source
    event: {event: push, userId: 9007199254740993}
    expect: [{rule: push, recipients: 9007199254740993}]
`
	code, stdout, stderr := runTests(t, map[string]string{"switchyard.yaml": testConfig, "rules.yaml": rules})
	if code != exitGood || stdout != "rules.yaml: 4 passed\n\n4 passed\ncoverage: rules matched 1 of 1, clauses exercised 1 of 1\n" {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
}

const welcomeRule = `rules:
  - {key: welcome, match: 'source == "web" && name == "go"', actions: [{identify: {user_id: user_id}}]}
tests:
  - {name: go, source: web, event: {type: track, event: go, userId: u}, expect: [{rule: welcome, identify: {user_id: u}}]}
  - {name: an identify, source: web, event: {type: identify, userId: u}}
`

func TestTestEnvironmentsAndFiles(t *testing.T) {
	files := map[string]string{
		"switchyard.yaml": `sources: [{key: web, kind: segment}]
environments:
  - key: staging
    connections: {web: {write_keys: [s], identify_users: true}}
    rules: [rules/*.yaml]
  - key: production
    connections: {web: {write_keys: [p]}}
    rules: [rules/a.yaml]
`,
		"rules/a.yaml": welcomeRule,
		"rules/b.yaml": "rules: [{key: lone, match: 'false', actions: [{identify: {user_id: user_id}}]}]\n",
		"alone.yaml":   welcomeRule,
		"broken.yaml":  "rules: [{key: b, match: nme, actions: [{identify: {user_id: user_id}}]}]\n",
	}
	for name, test := range map[string]struct {
		args   []string
		code   int
		stdout string
		stderr string
	}{
		"all": {nil, exitProblems, `
rules/a.yaml (staging): 1 passed, 1 failed

  rules/a.yaml:5:5: an identify
    rules/a.yaml:5:5: identify_users: identify is asked for, and not expected
      + {
      +   "identify": {
      +     "traits": {
      +     },
      +     "user_id": "u"
      +   },
      +   "rule": "identify_users"
      + }

rules/b.yaml (staging): no tests
rules/a.yaml (production): 2 passed

3 passed, 1 failed
hint: 1 rule is matched by no test: lone
coverage: rules matched 1 of 2, clauses exercised 1 of 3
`, ""},
		"by name":                 {[]string{"-run", "^go$"}, exitGood, "rules/a.yaml (staging): 1 passed\nrules/a.yaml (production): 1 passed\n\n2 passed\n", ""},
		"no such name":            {[]string{"--run=nowhere"}, exitGood, "no test has such a name\n", ""},
		"not a pattern":           {[]string{"-run", "("}, exitUsage, "", "missing closing )"},
		"a file without tests":    {[]string{"rules/b.yaml"}, exitGood, "no tests found\n", ""},
		"a loaded and another":    {[]string{"./rules/a.yaml", "alone.yaml", "-run", "go"}, exitGood, "rules/a.yaml (staging): 1 passed\nrules/a.yaml (production): 1 passed\nalone.yaml (in no environment): 1 passed\n\n3 passed\n", ""},
		"alone":                   {[]string{"alone.yaml"}, exitGood, "alone.yaml: 2 passed\n\n2 passed\ncoverage: rules matched 1 of 1, clauses exercised 1 of 2\n", ""},
		"no such file":            {[]string{"nowhere.yaml"}, exitProblems, "", "nowhere.yaml:1:1: can not be read"},
		"no such configuration":   {[]string{"-c", "nowhere.yaml", "alone.yaml"}, exitProblems, "", "nowhere.yaml"},
		"a file with a mistake":   {[]string{"broken.yaml"}, exitProblems, "", "broken.yaml:1:25: unknown name nme"},
		"the same, for a program": {[]string{"--json", "broken.yaml"}, exitProblems, "{\n  \"ok\": false,\n  \"problems\": [\n    {\n      \"file\": \"broken.yaml\",\n      \"line\": 1,\n      \"col\": 25,\n      \"message\": \"unknown name nme; did you mean name?\",\n      \"excerpt\": \"rules: [{key: b, match: nme, actions: [{identify: {user_id: user_id}}]}]\"\n    }\n  ]\n}\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := runTests(t, files, test.args...)
			wantOutput(t, stdout, test.stdout)
			if code != test.code || !strings.Contains(stderr, test.stderr) {
				t.Errorf("exit %d, messages %s", code, stderr)
			}
		})
	}
}

func TestTestWithoutConfiguration(t *testing.T) {
	code, stdout, stderr := runTests(t, map[string]string{"rules.yaml": welcomeRule}, "rules.yaml")
	if code != exitGood || stdout != "rules.yaml: 2 passed\n\n2 passed\ncoverage: rules matched 1 of 1, clauses exercised 1 of 2\n" || !strings.HasPrefix(stderr, "there is no switchyard.yaml") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	if code, stdout, stderr = runTests(t, nil); code != exitProblems || !strings.Contains(stderr, "switchyard.yaml") {
		t.Errorf("neither configuration nor files: exit %d\n%s%s", code, stdout, stderr)
	}
}

var failingTests = map[string]string{"switchyard.yaml": testConfig, "rules.yaml": testedRules + `  - name: good & <well>
    source: web
    event: {type: page, name: Home, userId: u}
  - name: "\e[31m, and a ]]> in the data"
    source: web
    event: {type: track, event: signed-up, userId: u, properties: {n: 1, plan: "]]>", who: u}}
    expect:
      - {rule: welcome, identify: {traits: {plan: "<b>"}}}
      - {rule: welcome, trigger: welcome}
`}

func TestTestJUnit(t *testing.T) {
	code, _, stderr := runTests(t, failingTests, "--junit", "report.xml")
	if code != exitProblems {
		t.Errorf("exit %d: %s", code, stderr)
	}
	doc, err := os.ReadFile("report.xml")
	if err != nil {
		t.Fatal(err)
	}
	var report junitReport
	if err := xml.Unmarshal(doc, &report); err != nil {
		t.Fatalf("%v\n%s", err, doc)
	}
	if report.Tests != 2 || report.Failures != 1 || len(report.Suites) != 1 {
		t.Fatalf("%+v", report)
	}
	suite := report.Suites[0]
	if suite.Name != "rules.yaml" || suite.Tests != 2 || suite.Failures != 1 || len(suite.Cases) != 2 {
		t.Fatalf("%+v", suite)
	}
	good, bad := suite.Cases[0], suite.Cases[1]
	if good.Name != "good & <well>" || good.Failure != nil || good.Line != 9 || good.File != "rules.yaml" {
		t.Errorf("%+v", good)
	}
	if bad.Name != "\ufffd[31m, and a ]]> in the data" || bad.Failure == nil {
		t.Fatalf("%+v", bad)
	}
	if bad.Failure.Type != "different" || bad.Failure.Message != "welcome: identify is not as expected" || !strings.Contains(bad.Failure.Text, `+       "plan": "]]>"`) {
		t.Errorf("%+v", bad.Failure)
	}
	if code, _, stderr := runTests(t, failingTests, "--junit", "no/such/folder.xml"); code != exitProblems || !strings.Contains(stderr, "JUnit") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

func TestTestJSON(t *testing.T) {
	code, stdout, _ := runTests(t, failingTests, "--json", "-run", "data")
	if code != exitProblems {
		t.Errorf("exit %d", code)
	}
	wantOutput(t, stdout, `
{
  "ok": false,
  "passed": 0,
  "failed": 1,
  "files": [
    {
      "file": "rules.yaml",
      "environment": "test",
      "passed": 0,
      "failed": 1,
      "tests": [
        {
          "name": "\u001b[31m, and a ]]> in the data",
          "line": 12,
          "col": 5,
          "source": "web",
          "ok": false,
          "events": [
            {
              "outcome": "matched",
              "matched_rules": [
                "welcome"
              ]
            }
          ],
          "actions": [
            {
              "identify": {
                "traits": {
                  "plan": "]]>"
                },
                "user_id": "u"
              },
              "rule": "welcome"
            },
            {
              "data": {
                "plan": "]]>"
              },
              "recipients": [
                "u"
              ],
              "rule": "welcome",
              "trigger": "welcome"
            }
          ],
          "failures": [
            {
              "kind": "different",
              "file": "rules.yaml",
              "line": 16,
              "col": 9,
              "message": "welcome: identify is not as expected",
              "expected": {
                "identify": {
                  "traits": {
                    "plan": "<b>"
                  }
                }
              },
              "got": {
                "identify": {
                  "traits": {
                    "plan": "]]>"
                  }
                }
              }
            }
          ]
        }
      ]
    }
  ]
}
`)
	code, stdout, _ = runTests(t, failingTests, "--json", "-run", "well")
	if code != exitGood || !json.Valid([]byte(stdout)) || !strings.Contains(stdout, `"ok": true`) {
		t.Errorf("exit %d\n%s", code, stdout)
	}
}

// Every rule of the examples has a test that it matches, and all of them pass.
func TestTheExamplesTests(t *testing.T) {
	configs, err := filepath.Glob("examples/*/switchyard.yaml")
	if err != nil || len(configs) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, config := range configs {
		var stdout, stderr bytes.Buffer
		if code := run([]string{"test", "-c", config}, &stdout, &stderr); code != exitGood || strings.Contains(stdout.String(), "hint:") {
			t.Errorf("%s: exit %d\n%s%s", config, code, &stdout, &stderr)
		}
	}
}

// The guide's own rules with tests, exactly as they stand there, and the failure that it shows.
func TestTheRulesGuidesTests(t *testing.T) {
	guide, err := os.ReadFile("rules/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(guide), "\n## Testing rules\n")
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindStringSubmatch(section)
	shown := regexp.MustCompile("(?s)```console\n(.*?)```").FindStringSubmatch(section)
	if block == nil || shown == nil {
		t.Fatal("the guide shows no tests")
	}
	code, stdout, stderr := runTests(t, map[string]string{"rules/upgrade.yaml": block[1]}, "rules/upgrade.yaml")
	if code != exitGood {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	broken := strings.Replace(block[1], "to: pro}", "to: team}", 1)
	_, stdout, _ = runTests(t, map[string]string{"rules/upgrade.yaml": broken}, "rules/upgrade.yaml")
	wantOutput(t, stdout, shown[1])
}
