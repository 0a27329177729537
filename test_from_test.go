package main

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// loggedFiles is a set-up with sources of several kinds.
var loggedFiles = map[string]string{
	"switchyard.yaml": `sources:
  - {key: web, kind: segment}
  - {key: hooks, kind: http}
  - {key: warehouse, kind: census}
  - {key: crm, kind: hightouch}
  - {key: sheet, kind: polytomic}
  - {key: jobs, kind: jitsu}
environments:
  - key: test
    connections:
      web: {write_keys: [web-key], identify_users: true}
      hooks: {write_keys: [hooks-key], map: {each: body.commits, name: '"commit"', user_id: item.author.email, message_id: item.id, data: item}}
      warehouse: {write_keys: [warehouse-key], identify_users: true}
      crm: {write_keys: [crm-key]}
      sheet: {write_keys: [sheet-key]}
      jobs: {write_keys: [jobs-key]}
    rules: [rules.yaml]
`,
	"rules.yaml": `rules:
  - key: welcome
    match: type == "track" && name == "signed-up" && not (data.email endsWith "@acme.com")
    actions:
      - identify: {user_id: user_id, traits: 'pick(data, "email", "name", "phone")'}
      - trigger:
          workflow: welcome
          recipients: inline(data.recipients)
          data: '{"greeting": "Hello " + upper(data.name), "plan": data.plan}'
          cancellation_key: '"welcome-" + data.email'
  - key: internal
    match: name == "signed-up" && data.email endsWith "@acme.com"
    actions: [{trigger: {workflow: internal, recipients: '"team"', data: '{"who": data.email}'}}]
  - key: commit
    match: name == "commit"
    actions: [{trigger: {workflow: commit, recipients: user_id}}]
  - key: overdue
    match: type == "record" && name == "invoice" && data.days > 30
    actions: [{trigger: {workflow: overdue, recipients: user_id, data: 'pick(data, "email", "days")'}}]
  - key: run
    match: type == "record" && context.run_id == 7
    actions: [{trigger: {workflow: run, recipients: '"team"'}}]
  - key: gone
    match: type == "delete"
    actions: [{trigger: {workflow: gone, recipients: '"team"', data: '{"was": name}'}}]
`,
}

// newestID is the id of the newest event, once it is decided.
func (i *instance) newestID() string {
	i.t.Helper()
	var page listOf[eventRecord]
	eventually(i.t, "the event is decided", func() bool {
		i.get(testEnvironment+"/events?limit=1", &page)
		return len(page.Items) == 1 && page.Items[0].Outcome != "pending"
	})
	return page.Items[0].ID
}

// runFrom runs switchyard test --from-event on the newest event.
func (i *instance) runFrom(args ...string) (code int, stdout, stderr string) {
	i.t.Helper()
	var out, messages bytes.Buffer
	code = run(append([]string{"test", "--from-event", i.newestID(), "--server", i.admin, "--env", "test"}, args...), &out, &messages)
	return code, out.String(), messages.String()
}

const loggedSignup = `{"type":"track","event":"signed-up","userId":"sam@x.io","messageId":"m-1","context":{"ip":"8.8.8.8"},"timestamp":"2026-02-03T04:05:06Z",
	"properties":{"email":"Sam@x.io","name":"Sam Seely","phone":"+49301234567","plan":"pro","recipients":[{"id":"sam@x.io","email":"sam@x.io"},"kim@x.io"]}}`

const maskedSignup = `- name: track signed-up, as logged
  source: web
  event:
    type: track
    event: signed-up
    userId: person1@example.com
    properties:
      name: Alex Blake
      recipients: [{id: person1@example.com, email: person1@example.com}, person2@example.com]
      email: person1@example.com
      phone: "+12025550100"
      plan: pro
    context: {ip: 192.0.2.1}
    messageId: m-1
    timestamp: "2026-02-03T04:05:06Z"
  expect:
    - rule: welcome
      identify:
        user_id: person1@example.com
        traits: {name: Alex Blake, email: person1@example.com, phone_number: "+12025550100"}
    - rule: welcome
      trigger: welcome
      recipients:
        - {id: person1@example.com, email: person1@example.com}
        - {id: person2@example.com, email: person2@example.com}
      data: {greeting: Hello ALEX BLAKE, plan: pro}
      cancellation_key: welcome-person1@example.com
`

func TestTestFromEvent(t *testing.T) {
	i := start(t, "embedded", loggedFiles)
	config, rules := filepath.Join(i.dir, "switchyard.yaml"), filepath.Join(i.dir, "rules.yaml")
	i.post("web-key", loggedSignup, 200)
	code, stdout, stderr := i.runFrom("-c", config)
	wantOutput(t, stdout, maskedSignup)
	for _, want := range []string{"masked: a mail address at properties.email, properties.recipients.email, properties.recipients.id, userId\n", "masked: a name at properties.name\n", "masked: an IP address at context.ip\n"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("exit %d, no %q in %s", code, want, stderr)
		}
	}
	if code, stdout, stderr := i.runFrom("-c", config, "--into", rules); code != exitGood || stdout != "" || !strings.HasSuffix(stderr, "added to "+rules+"\n") {
		t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
	}
	written, err := os.ReadFile(rules)
	if err != nil || string(written) != loggedFiles["rules.yaml"]+"tests:\n"+indented("  ", strings.TrimSuffix(maskedSignup, "\n"))+"\n" {
		t.Errorf("%v\n%s", err, written)
	}
	var out, messages bytes.Buffer
	if code := run([]string{"test", "-c", config}, &out, &messages); code != exitGood {
		t.Errorf("the test does not pass: exit %d\n%s%s", code, &out, &messages)
	}
}

// Without the rules the expectation is the log's, masked in the same way.
func TestTestFromEventWithoutTheRules(t *testing.T) {
	i := start(t, "embedded", loggedFiles)
	i.post("web-key", loggedSignup, 200)
	t.Chdir(t.TempDir())
	code, stdout, stderr := i.runFrom()
	wantOutput(t, stdout, maskedSignup)
	if code != exitGood || !strings.Contains(stderr, "without a configuration (-c)") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

// A mail address that a rule looks at is kept, and so is what the command line says.
func TestTestFromEventKeeps(t *testing.T) {
	i := start(t, "embedded", loggedFiles)
	config := filepath.Join(i.dir, "switchyard.yaml")
	i.post("web-key", `{"type":"track","event":"signed-up","userId":"u","messageId":"m-2","properties":{"email":"sam@acme.com","name":"Sam","ip":"8.8.8.8"}}`, 200)
	_, stdout, stderr := i.runFrom("-c", config, "--keep", "properties.name", "--keep", "event.nowhere")
	if !strings.Contains(stdout, "{name: Sam, email: sam@acme.com, ip: 192.0.2.1}") || !strings.Contains(stdout, "{who: sam@acme.com}") {
		t.Errorf("printed\n%s", stdout)
	}
	wantOutput(t, stderr, `
--keep nowhere: no personal data was found there
kept: a mail address at properties.email, for masked the rules would decide otherwise
masked: an IP address at properties.ip
kept: a name at properties.name
`)
	if _, stdout, stderr = i.runFrom("-c", config, "--no-mask"); !strings.Contains(stdout, "ip: 8.8.8.8") || stderr != "" {
		t.Errorf("printed\n%s%s", stdout, stderr)
	}
}

// Whatever a source sends, the test of it passes, and its event is the one on the log.
func TestTestFromEventOfEachKind(t *testing.T) {
	i := start(t, "embedded", loggedFiles)
	config, into := filepath.Join(i.dir, "switchyard.yaml"), filepath.Join(i.dir, "rules.yaml")
	for name, test := range map[string]struct{ key, body, want string }{
		"one of a batch":  {"web-key", `{"batch":[{"type":"track","event":"signed-up","userId":"u","messageId":"b-1","properties":{"email":"a@x.io","name":"A"}}],"context":{"locale":"de"},"sentAt":"2026-01-01T00:00:00Z"}`, "context: {locale: de}"},
		"a mapped item":   {"hooks-key", `{"commits":[{"id":"c-1","author":{"email":"sam@x.io"}}]}`, "event: {commits: [{id: c-1, author: {email: person1@example.com}}]}\n"},
		"a census record": {"warehouse-key", `{"jsonrpc":"2.0","id":"1","method":"sync_batch","params":{"sync_plan":{"object":{"object_api_name":"invoice"},"operation":"upsert","schema":{"id":{"active_identifier":true}},"sync_id":5},"records":[{"id":"in_1","user_id":"sam@x.io","email":"sam@x.io","days":31}]}}`, "event:\n    object: invoice\n    rows: [{id: in_1, user_id: person1@example.com, days: 31, email: person1@example.com}]\n"},
		"a census run":    {"warehouse-key", `{"jsonrpc":"2.0","id":"1","method":"sync_batch","params":{"sync_plan":{"object":{"object_api_name":"order"},"operation":"upsert","schema":{"id":{"active_identifier":true}},"sync_run_id":7},"records":[{"id":"o_1"}]}}`, "sync_run_id: 7"},
		"a census user":   {"warehouse-key", `{"jsonrpc":"2.0","id":"1","method":"sync_batch","params":{"sync_plan":{"object":{"object_api_name":"user"},"operation":"upsert","schema":{"email":{"active_identifier":true}}},"records":[{"email":"sam@x.io","plan":"pro"}]}}`, "email: {active_identifier: true}"},
		"a census delete": {"warehouse-key", `{"jsonrpc":"2.0","id":"1","method":"sync_batch","params":{"sync_plan":{"object":{"object_api_name":"invoice"},"operation":"delete","schema":{"id":{"active_identifier":true}}},"records":[{"id":"in_2"}]}}`, "operation: delete"},
		"a hightouch row": {"crm-key", `{"jsonrpc":"2.0","id":"1","method":"change","params":{"idColumn":"nr","configuration":{"object":"invoice","mappings":[{"from":"nr","to":"id"},{"from":"who","to":"user_id"},{"from":"d","to":"days"}]},"rows":[{"nr":"in_3","who":"u","d":40}]}}`, "rows: [{id: in_3, user_id: u, days: 40, nr: in_3}]"},
		"a polytomic row": {"sheet-key", `{"event":"sync.records","object":{"id":"s1","name":"invoice","records":[{"hash":"h1","fields":{"id":"in_4","user_id":"u","days":50}}]}}`, "rows: [{id: in_4, user_id: u, days: 50}]"},
		"a jitsu row":     {"jobs-key", `{"syncId":"invoice","runId":"r","records":[{"operation":"upsert","key":"k","idempotencyKey":"i-1","data":{"user_id":"u","days":60}}]}`, "syncId: invoice"},
		"nothing fires":   {"web-key", `{"type":"page","name":"Home","userId":"u","messageId":"p-1"}`, "expect: []"},
		"the switch":      {"web-key", `{"type":"identify","userId":"u","messageId":"i-1","traits":{"email":"a@x.io"}}`, "rule: identify_users"},
	} {
		t.Run(name, func(t *testing.T) {
			i.post(test.key, test.body, 200)
			code, stdout, stderr := i.runFrom("-c", config)
			if code != exitGood || !strings.Contains(stdout, test.want) || strings.Contains(stdout, "x.io") || strings.Contains(stderr, "on the log") {
				t.Errorf("exit %d\n%s%s", code, stdout, stderr)
			}
			if code, _, stderr := i.runFrom("-c", config, "--into", into); code != exitGood {
				t.Fatalf("exit %d: %s", code, stderr)
			}
			var out, messages bytes.Buffer
			if code := run([]string{"test", "-c", config}, &out, &messages); code != exitGood {
				t.Errorf("exit %d\n%s%s", code, &out, &messages)
			}
		})
	}
}

func TestTestFromEventRefuses(t *testing.T) {
	i := start(t, "embedded", loggedFiles)
	config := filepath.Join(i.dir, "switchyard.yaml")
	i.post("web-key", `[{"type":"trakc","userId":"u"},{"type":"page","userId":"u","messageId":"ok"}]`, 200)
	i.settled("ok")
	var page listOf[eventRecord]
	i.get(testEnvironment+"/events?outcome=invalid", &page)
	i.write("brackets.yaml", "tests: []\n")
	for name, test := range map[string]struct {
		args   []string
		code   int
		stderr string
	}{
		"no server":           {[]string{"--from-event", "e", "--env", "test"}, exitUsage, "--server is missing"},
		"no environment":      {[]string{"--from-event", "e", "--server", i.admin}, exitUsage, "--env is missing"},
		"another environment": {[]string{"--from-event", "e", "-c", config, "--env", "tset"}, exitUsage, `did you mean "test"?`},
		"a rule file":         {[]string{"--from-event", "e", "rules.yaml"}, exitUsage, "--into"},
		"no such event":       {[]string{"--from-event", "nowhere", "--server", i.admin, "-c", config}, exitProblems, http.StatusText(http.StatusNotFound)},
		"an invalid event":    {[]string{"--from-event", page.Items[0].ID, "--server", i.admin, "-c", config}, exitProblems, "the event is invalid"},
		"a list in brackets":  {[]string{"--from-event", i.newestID(), "--server", i.admin, "-c", config, "--into", filepath.Join(i.dir, "brackets.yaml")}, exitProblems, "is no list with a -"},
		"no such file":        {[]string{"--from-event", i.newestID(), "--server", i.admin, "-c", config, "--into", "nowhere.yaml"}, exitProblems, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			var out, messages bytes.Buffer
			if code := run(append([]string{"test"}, test.args...), &out, &messages); code != test.code || !strings.Contains(messages.String(), test.stderr) || out.Len() > 0 {
				t.Errorf("exit %d\n%s%s", code, &out, &messages)
			}
		})
	}
}
