package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"switchyard/adapters"
)

const bareSignup = `{"type":"track","event":"user-signed-up","userId":"sam10","messageId":"%s","properties":{"recipients":["sam10"],"plan":"pro"}}`
const inlineSignup = `{"type":"track","event":"user-signed-up","userId":"sam10","messageId":"%s","properties":{"recipients":[{"id":"sam10","name":"Sam Seely","email":"sam@example.com"}],"plan":"pro"}}`

func TestSignup(t *testing.T) {
	onBothStores(t, func(t *testing.T, redis string) {
		i := start(t, redis, signup)

		i.post("api-key", fmt.Sprintf(bareSignup, "m-1"), 200)
		before := i.settled("m-1")
		if len(before.Actions) != 1 || before.Actions[0].Status != "skipped" || before.Actions[0].Reason != "unknown user: sam10" {
			t.Errorf("before anybody identified sam10: %+v", before)
		}
		if missing := i.do("GET", i.admin+testEnvironment+"/users/sam10", ""); missing.Status != 404 {
			t.Errorf("a bare id must not make a user: %d %s", missing.Status, missing.Body)
		}

		first := i.post("api-key", fmt.Sprintf(inlineSignup, "m-2"), 200)
		if want := `{"success":true,"accepted":1,"duplicates":0,"invalid":0}`; first.Body != want {
			t.Errorf("answered %s, want %s", first.Body, want)
		}
		matched := i.settled("m-2")
		if matched.Outcome != "matched" || len(matched.Actions) != 1 || matched.Actions[0].Status != "succeeded" {
			t.Errorf("with who Sam is: %+v", matched)
		}
		var user struct {
			Traits map[string]any `json:"traits"`
		}
		i.get(testEnvironment+"/users/sam10", &user)
		if user.Traits["name"] != "Sam Seely" || user.Traits["email"] != "sam@example.com" {
			t.Errorf("sam10 is %v", user.Traits)
		}

		again := i.post("api-key", fmt.Sprintf(inlineSignup, "m-2"), 200)
		if want := `{"success":true,"accepted":0,"duplicates":1,"invalid":0}`; again.Body != want {
			t.Errorf("the repeat was answered %s, want %s", again.Body, want)
		}
		repeat := i.settled("m-2")
		if repeat.ID == matched.ID || repeat.Outcome != "duplicate" || len(repeat.Actions) != 0 {
			t.Errorf("the repeat: %+v", repeat)
		}

		var runs struct{ Items []map[string]any }
		i.get(testEnvironment+"/actions?status=succeeded&action=trigger", &runs)
		if len(runs.Items) != 1 {
			t.Errorf("%d runs of the workflow, want 1: %v", len(runs.Items), runs.Items)
		}
	})
}

func TestQuickstart(t *testing.T) {
	onBothStores(t, func(t *testing.T, redis string) {
		i := start(t, redis, quickstartFiles(t))
		var out bytes.Buffer
		if err := tell(t.Context(), i.server, i.dir, nil, &out); err != nil {
			t.Fatalf("%v\n%s", err, &out)
		}
		if want := "demo: 19 events, 15 actions succeeded, 0 failed\n"; !strings.HasSuffix(out.String(), want) {
			t.Errorf("the demo ends with\n%s\nwant %s", &out, want)
		}
	})
}

// quickstartFiles is the quickstart as the binary carries it.
func quickstartFiles(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	const root = "examples/quickstart"
	err := fs.WalkDir(quickstart, root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := quickstart.ReadFile(path)
		files[strings.TrimPrefix(path, root+"/")] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// The demo has something of every kind of source.
func TestTheQuickstartShowsEveryKind(t *testing.T) {
	plan, err := loadPlan("examples/quickstart/switchyard.yaml", func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	story, err := readStory("examples/quickstart/story.json")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, step := range story {
		told[(&teller{plan: plan}).connection(step.Source).Kind] = true
	}
	for _, kind := range adapters.Names() {
		if !told[kind] {
			t.Errorf("the story has nothing of %s", kind)
		}
	}
}

func TestDemoOnce(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run([]string{"demo", "--once"}, &stdout, &stderr); code != exitGood {
		t.Fatalf("exit %d\n%s\n%s", code, &stdout, &stderr)
	}
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	if last := lines[len(lines)-1]; !regexp.MustCompile(`^demo: \d+ events, \d+ actions succeeded, 0 failed$`).MatchString(last) {
		t.Errorf("the last line is %q", last)
	}
	if !strings.Contains(stderr.String(), "KEEPS NOTHING") {
		t.Errorf("nothing warns of the embedded store: %s", &stderr)
	}
}

func TestDemoWithADoubleOfKnock(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run([]string{"demo", "--once", "--destination", "knock-double"}, &stdout, &stderr); code != exitGood {
		t.Fatalf("exit %d\n%s\n%s", code, &stdout, &stderr)
	}
	if text := stdout.String(); !strings.Contains(text, "The double of Knock has 5 users and 9 workflow runs, and 0 complaints.") || !strings.HasSuffix(text, "demo: 19 events, 16 actions succeeded, 0 failed\n") {
		t.Errorf("it ends with\n%s", text)
	}
	if code := run([]string{"demo", "--destination", "nowhere"}, &stdout, &stderr); code != exitUsage {
		t.Errorf("another destination: exit %d", code)
	}
}

// The README's own first rule, exactly as it stands there.
func TestReadmeFirstRule(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(blocks) != 2 {
		t.Fatalf("%d YAML blocks in the README, want the configuration and the rules", len(blocks))
	}
	i := start(t, "embedded", map[string]string{"switchyard.yaml": blocks[0][1], "rules.yaml": blocks[1][1]})
	event := regexp.MustCompile(`shop-write-key -d '(.*?)'`).FindStringSubmatch(string(readme))
	if event == nil {
		t.Fatal("the README posts nothing")
	}
	i.post("shop-write-key", event[1], 200)
	var actions struct {
		Items []actionRecord `json:"items"`
	}
	eventually(t, "both actions succeeded", func() bool {
		i.get("/api/v1/environments/development/actions?user_id=ann&status=succeeded", &actions)
		return len(actions.Items) == 2
	})
	i.get("/api/v1/environments/development/users/ann", &struct{}{})
}

func TestSend(t *testing.T) {
	i := start(t, "embedded", signup)
	event := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(event, []byte(fmt.Sprintf(inlineSignup, "sent-1")), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	to := i.ingest + "/v1/receive/web-key"
	if code := run([]string{"send", "--to", to, "--kind", "segment", "--secret", "web-secret", event}, &stdout, &stderr); code != exitGood {
		t.Fatalf("exit %d: %s", code, &stderr)
	}
	if want := `{"success":true,"accepted":1,"duplicates":0,"invalid":0}` + "\n"; stdout.String() != want {
		t.Errorf("printed %q", &stdout)
	}
	if record := i.settled("sent-1"); record.Outcome != "matched" {
		t.Errorf("%+v", record)
	}
	stderr.Reset()
	if code := run([]string{"send", event, "--to", to, "--kind", "segment", "--secret", "wrong"}, &stdout, &stderr); code != exitProblems || !strings.Contains(stderr.String(), "401") {
		t.Errorf("a wrong secret: exit %d: %s", code, &stderr)
	}
	if strings.Contains(stderr.String(), "web-key") {
		t.Errorf("the write key is printed: %s", &stderr)
	}
}

// The quickstart's connections, each as its vendor would send: with the flags, and as the configuration has it.
func TestSendAsEveryKind(t *testing.T) {
	i := start(t, "embedded", quickstartFiles(t))
	folder := t.TempDir()
	for name, text := range map[string]string{
		"track.json": `{"type":"track","event":"sent","userId":"u","messageId":"%s","properties":{"n":1}}`,
		"rows.json":  `{"object":"invoice","rows":[{"id":"%s","user_id":"u","amount":5}]}`,
		"row.json":   `{"id":"%s","customer":"u"}`,
		"bad.json":   `[{"id":"a"},{"name":"without an id"}]`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(strings.ReplaceAll(text, "%s", "s-1")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		source, event string
		flags         []string
	}{
		{"website", "track.json", []string{"--kind", "segment", "--secret", "website-secret"}},
		{"mobile", "track.json", []string{"--kind", "rudderstack", "--header", "X-Webhook-Secret", "--secret", "mobile-secret"}},
		{"product", "track.json", []string{"--kind", "jitsu", "--secret", "product-secret"}},
		{"marketing", "track.json", []string{"--kind", "freshpaint", "--secret", "marketing-secret"}},
		{"crm", "rows.json", []string{"--kind", "hightouch", "--secret", "crm-secret"}},
		{"warehouse", "rows.json", []string{"--kind", "census", "--secret", "warehouse-secret"}},
		{"spreadsheet", "row.json", []string{"--kind", "polytomic", "--secret", "spreadsheet-secret"}},
		{"playground", "track.json", []string{"-H", "Idempotency-Key: k"}},
	} {
		to := i.ingest + "/v1/receive/" + test.source + "-write-key"
		for name, args := range map[string][]string{
			"by flags":             append([]string{"send", "--to", to}, test.flags...),
			"by the configuration": {"send", "--to", to, "-c", filepath.Join(i.dir, "switchyard.yaml"), "--source", test.source},
		} {
			var stdout, stderr bytes.Buffer
			if code := run(append(args, filepath.Join(folder, test.event)), &stdout, &stderr); code != exitGood {
				t.Errorf("%s %s: exit %d: %s%s", test.source, name, code, &stdout, &stderr)
			}
		}
	}
	var stdout, stderr bytes.Buffer
	crm := i.ingest + "/v1/receive/crm-write-key"
	if code := run([]string{"send", "--to", crm, "--kind", "hightouch", "--secret", "crm-secret", filepath.Join(folder, "bad.json")}, &stdout, &stderr); code != exitProblems || !strings.Contains(stdout.String(), "without an id") {
		t.Errorf("a rejected row: exit %d: %s%s", code, &stdout, &stderr)
	}
	for want, args := range map[string][]string{
		"add --header NAME":      {"--to", crm, "--kind", "rudderstack", "--secret", "s"},
		"must begin with http":   {"--to", "127.0.0.1:8080/x"},
		"--scheme may choose":    {"--to", crm, "--secret", "no whsec"},
		"no connection of the":   {"-c", filepath.Join(i.dir, "switchyard.yaml"), "--source", "nobody"},
		"is written 'Name: valu": {"--to", crm, "-H", "nonsense"},
	} {
		stderr.Reset()
		if code := run(append(append([]string{"send"}, args...), filepath.Join(folder, "track.json")), &stdout, &stderr); code != exitUsage || !strings.Contains(stderr.String(), want) {
			t.Errorf("%v: exit %d: %s", args, code, &stderr)
		}
	}
}

func TestSDKDoor(t *testing.T) {
	i := start(t, "embedded", signup)
	basic := []string{"Authorization", "Basic YXBpLWtleTo="} // api-key:
	for _, test := range []struct {
		name, path, body string
		headers          []string
		status           int
	}{
		{"batch, Basic", "/v1/batch", `{"batch":[{"type":"identify","userId":"kim","messageId":"s-1","traits":{"email":"kim@example.com"}}],"sentAt":"2026-01-05T00:00:00Z"}`, basic, 200},
		{"track, write key in the body", "/v1/track", `{"writeKey":"api-key","event":"clicked","userId":"kim","messageId":"s-2"}`, nil, 200},
		{"page", "/v1/page", `{"name":"Home","userId":"kim","messageId":"s-3"}`, basic, 200},
		{"a verified connection is not opened by its write key", "/v1/track", `{"writeKey":"web-key","event":"x","userId":"kim"}`, nil, 401},
		{"no key", "/v1/track", `{"event":"x"}`, nil, 401},
		{"unknown key", "/v1/track", `{"writeKey":"nobody","event":"x"}`, nil, 401},
	} {
		answer := i.do(http.MethodPost, i.ingest+test.path, test.body, test.headers...)
		if answer.Status != test.status || test.status == 200 && answer.Body != `{"success":true}` {
			t.Errorf("%s: %d %s", test.name, answer.Status, answer.Body)
		}
	}
	if record := i.settled("s-1"); len(record.Actions) != 1 || record.Actions[0].Rule != "identify_users" || record.Actions[0].Status != "succeeded" {
		t.Errorf("the identify switch: %+v", record)
	}
	if record := i.settled("s-2"); record.Type != "track" || record.Name != "clicked" {
		t.Errorf("track: %+v", record)
	}
	if record := i.settled("s-3"); record.Type != "page" || record.Name != "Home" {
		t.Errorf("page: %+v", record)
	}
}

func mustJSON(t *testing.T, value any) string {
	t.Helper()
	doc, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(doc)
}

// A dead action is run again by hand once its cause is mended, under the same key.
func TestADeadActionIsRunAgain(t *testing.T) {
	onBothStores(t, func(t *testing.T, redis string) {
		i := start(t, redis, map[string]string{"switchyard.yaml": signup["switchyard.yaml"], "rules.yaml": `
rules:
  - key: mention
    match: name == "mentioned"
    actions: [{trigger: {workflow: mention, recipients: '{"id": data.who}', actor: user_id}}]
`})
		i.post("api-key", `{"type":"track","event":"mentioned","userId":"kim","messageId":"x-1","properties":{"who":"sam"}}`, 200)
		dead := i.settled("x-1")
		if len(dead.Actions) != 1 || dead.Actions[0].Status != "dead" || !strings.Contains(dead.Actions[0].Reason, "kim") {
			t.Fatalf("an unknown actor: %+v", dead)
		}
		i.post("api-key", `{"type":"identify","userId":"kim","messageId":"x-2"}`, 200)
		i.settled("x-2")
		retry := i.do(http.MethodPost, i.admin+testEnvironment+"/actions/"+dead.Actions[0].ID+"/retry", "")
		if retry.Status != 200 || !strings.Contains(retry.Body, `"waiting"`) {
			t.Fatalf("%d %s", retry.Status, retry.Body)
		}
		again := i.settled("x-1")
		if len(again.Actions) != 1 || again.Actions[0].Status != "succeeded" || len(again.Actions[0].Attempts) != 2 {
			t.Errorf("after the retry: %+v", again)
		}
		if !i.metric(`switchyard_actions_dead{environment="test"} 0`) {
			t.Error("it is still counted as dead")
		}
	})
}

// A story that does not come out as told ends the demo with a failure, with or without --once.
func TestTheDemoNoticesWhatIsNotAsExpected(t *testing.T) {
	files := quickstartFiles(t)
	files["rules/welcome.yaml"] = strings.Replace(files["rules/welcome.yaml"], `recipients: properties.recipients`, `recipients: '["nobody"]'`, 1)
	i := start(t, "embedded", files)
	var out bytes.Buffer
	if err := tell(t.Context(), i.server, i.dir, nil, &out); !errors.Is(err, errFound) {
		t.Errorf("%v\n%s", err, &out)
	}
	if !strings.Contains(out.String(), "NOT AS EXPECTED") || strings.HasSuffix(out.String(), " 0 failed\n") {
		t.Errorf("printed\n%s", &out)
	}
}
