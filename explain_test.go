package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// explainFile runs the command on an event.
func explainFile(t *testing.T, event string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(file, []byte(event), 0o644); err != nil {
		t.Fatal(err)
	}
	var out, err bytes.Buffer
	code = run(append(append([]string{"explain"}, args...), file), &out, &err)
	return code, out.String(), err.String()
}

func TestExplainTheQuickstart(t *testing.T) {
	const proPlan = `{"type":"track","event":"plan-changed","userId":"kim","messageId":"m","properties":{"plan":"pro","seats":3}}`
	for name, test := range map[string]struct {
		source, event, flag string
		code                int
		want                []string
	}{
		"matched": {"website", proPlan, "", exitGood, []string{
			"track \"plan-changed\" from website in development, user \"kim\"\nmatched (of 5 rules 1 matched, 0 failed)\n",
			"\nmatched plan-changed (Keep the plan up to date, and tell whoever moves up to a paid one) examples/quickstart/rules/welcome.yaml:11\n  true     type == \"track\"\n",
			"\n  before = \"free\"\n", "\n  identify {\"user_id\":\"kim\",\"traits\":{\"plan\":\"pro\",\"seats\":3}}\n", "\n  trigger {\"workflow\":\"plan-upgraded\",",
			"\nnearest welcome ", "\nothers\n  invoice-paid: name == \"invoice-paid\" is false, name is the string \"plan-changed\"\n",
		}},
		"all clauses": {"website", proPlan, "--all", exitGood, []string{
			"\nmissed invoice-paid ", "  missing  data.amount_cents > 0   # data.amount_cents is missing\n           at examples/quickstart/rules/billing.yaml:4:38\n",
			"  not looked at: name is \"plan-changed\", filed under \"invoice-paid\"\n",
		}},
		"one rule":   {"website", proPlan, "--rule=refund", exitGood, []string{"\nmissed refund ", "source is the string \"website\""}},
		"no rule":    {"website", proPlan, "--rule=refnd", exitUsage, []string{`did you mean "refund"?`}},
		"for a row":  {"warehouse", `{"object":"invoice","rows":[{"id":"i1","days_overdue":30}]}`, "", exitGood, []string{"data.days_overdue is 30, which > leaves out and >= would take"}},
		"by its map": {"payments", `{"id":"evt_1","type":"charge.refunded","data":{"object":{"customer":"kim","amount":"500"}}}`, "", exitGood, []string{"\nfailed refund ", "welcome", "  error: examples/quickstart/rules/warehouse.yaml:18:41: / can not be used on a string and a number\n"}},
		"the switch": {"website", `{"type":"identify","userId":"kim","traits":{"a":1}}`, "", exitGood, []string{"\nmatched (of 5 rules 0 matched, 0 failed)\nthe connection's identify_users: identify {"}},
		"several": {"website", `[{"type":"trakc"},{"type":"track","event":"user-signed-up","properties":{}}]`, "", exitGood, []string{
			"event \"\" from website in development\ninvalid: type \"trakc\" is not one of", "\n  trigger skipped: ",
		}},
		"malformed":         {"website", `{"type":`, "", exitProblems, []string{"event.json: the JSON ends early"}},
		"malformed row":     {"warehouse", `{"type":`, "", exitProblems, []string{"event.json: the file is not JSON"}},
		"unknown source":    {"websit", proPlan, "", exitUsage, []string{`did you mean "website"?`}},
		"unknown env":       {"website", proPlan, "--env=develop", exitUsage, []string{`did you mean "development"?`}},
		"JSON":              {"website", proPlan, "--json", exitGood, []string{`"outcome": "matched"`, `"matched": 1`, `"text": "data.plan in [\"pro\", \"team\"]"`, `"first_failing": null`}},
		"JSON, one of many": {"website", "[" + proPlan + "," + proPlan + "]", "--json", exitGood, []string{"[\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			args := []string{"-c", "examples/quickstart/switchyard.yaml", "--source", test.source}
			if test.flag != "" {
				args = append(args, test.flag)
			}
			code, stdout, stderr := explainFile(t, test.event, args...)
			if code != test.code {
				t.Errorf("exit %d, want %d: %s", code, test.code, stderr)
			}
			for _, want := range test.want {
				if !strings.Contains(stdout+stderr, want) {
					t.Errorf("%q is not in\n%s%s", want, stdout, stderr)
				}
			}
		})
	}
}

// The example of the rules' README is what the command prints.
func TestReadmeExplains(t *testing.T) {
	readme, err := os.ReadFile("rules/README.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{}
	blocks := strings.Split(string(readme), "```")
	for i := 1; i < len(blocks); i += 2 {
		language, body, _ := strings.Cut(blocks[i], "\n")
		shown[language] = body
	}
	t.Chdir(t.TempDir())
	if err := os.Mkdir("rules", 0o755); err != nil {
		t.Fatal(err)
	}
	config := strings.Replace(sound, "key: test", "key: production", 1) + "    rules: [rules/*.yaml]\n"
	for name, text := range map[string]string{"switchyard.yaml": config, "rules/welcome.yaml": shown["yaml explained"]} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	code, stdout, stderr := explainFile(t, shown["json explained"], "--env", "production", "--source", "web")
	if want := shown["text explained"]; code != exitGood || stdout != want {
		t.Errorf("exit %d %s\nthe README shows\n%s\nbut the command prints\n%s", code, stderr, want, stdout)
	}
}

func TestExplainOverTheAPI(t *testing.T) {
	i := start(t, "embedded", map[string]string{"rules.yaml": signup["rules.yaml"] + `
  - {key: never, match: name == "nothing", actions: [{identify: {user_id: user_id}}]}
`, "switchyard.yaml": signup["switchyard.yaml"] + "admin: {tokens: [{name: reader, role: viewer, token: read-secret}]}\n"})
	ask := func(path, body string) reply {
		return i.do(http.MethodPost, i.admin+path, body, "Authorization", "Bearer read-secret")
	}
	answer := ask(testEnvironment+"/explain", `{"source":"web","event":{"type":"track","event":"user-signed-up","userId":"sam","properties":{"recipients":["sam"],"plan":"pro"}}}`)
	var got struct {
		Event struct {
			Name   string
			UserID string         `json:"user_id"`
			Data   map[string]any `json:"data"`
		}
		Outcome                 string
		Matched, Failed, Missed int
		Rules                   []struct {
			Key, Result, Pruned, File string
			Line                      int
			FirstFailing              *int `json:"first_failing"`
			Clauses                   []struct {
				Text, Verdict, Wanted string
				Line, Col             int
				Values                []map[string]string
			}
			Actions []struct {
				Action, Status string
				Payload        map[string]any
			}
		}
	}
	if err := json.Unmarshal([]byte(answer.Body), &got); err != nil || answer.Status != http.StatusOK {
		t.Fatalf("%d %s: %v", answer.Status, answer.Body, err)
	}
	if got.Event.Name != "user-signed-up" || got.Event.UserID != "sam" || got.Event.Data["plan"] != "pro" || got.Outcome != "matched" || got.Matched != 1 || got.Missed != 1 || len(got.Rules) != 2 {
		t.Fatalf("%s", answer.Body)
	}
	welcome, never := got.Rules[0], got.Rules[1]
	if welcome.Key != "welcome" || welcome.Result != "matched" || welcome.FirstFailing != nil || len(welcome.Actions) != 1 || welcome.Actions[0].Payload["workflow"] != "welcome" {
		t.Errorf("%+v", welcome)
	}
	if never.Result != "missed" || never.Pruned != `name is "user-signed-up", filed under "nothing"` || never.FirstFailing == nil || *never.FirstFailing != 0 {
		t.Errorf("%+v", never)
	} else if clause := never.Clauses[0]; clause.Text != `name == "nothing"` || clause.Verdict != "false" || clause.Line != 11 || clause.Col != 25 || clause.Wanted != `"nothing"` ||
		clause.Values[0]["type"] != "string" || clause.Values[0]["value"] != `"user-signed-up"` {
		t.Errorf("%+v", clause)
	}
	if one := ask(testEnvironment+"/explain?limit=1", `{"source":"web","event":{"type":"track","event":"x"}}`); strings.Count(one.Body, `"result":`) != 1 || !strings.Contains(one.Body, `"missed":2`) {
		t.Errorf("%s", one.Body)
	}
	if invalid := ask(testEnvironment+"/explain", `{"source":"web","event":{"type":"trakc"}}`); invalid.Status != 200 || !strings.Contains(invalid.Body, `"outcome":"invalid","reason":"type`) || !strings.Contains(invalid.Body, `"rules":[]`) {
		t.Errorf("%d %s", invalid.Status, invalid.Body)
	}
	for name, bad := range map[string]struct {
		path, body string
		status     int
		code       string
	}{
		"unknown source":      {testEnvironment + "/explain", `{"source":"wbe","event":{"type":"track"}}`, 404, "unknown_source"},
		"no source":           {testEnvironment + "/explain", `{"event":{"type":"track"}}`, 404, "unknown_source"},
		"unknown environment": {"/api/v1/environments/nowhere/explain", `{"source":"web","event":{}}`, 404, "unknown_environment"},
		"no event":            {testEnvironment + "/explain", `{"source":"web"}`, 400, "missing_event"},
		"malformed body":      {testEnvironment + "/explain", `{"source":"web","event":{"type"}}`, 400, "malformed_json"},
		"empty body":          {testEnvironment + "/explain", ``, 400, "malformed_json"},
		"a misspelt name":     {testEnvironment + "/explain", `{"sorce":"web","event":{}}`, 400, "bad_request"},
		"malformed event":     {testEnvironment + "/explain", `{"source":"web","event":7}`, 400, "malformed_event"},
		"two events":          {testEnvironment + "/explain", `{"source":"web","event":[{"type":"track","event":"a"},{"type":"track","event":"b"}]}`, 400, "not_one_event"},
		"bad limit":           {testEnvironment + "/explain?limit=0", `{"source":"web","event":{}}`, 400, "invalid_parameter"},
	} {
		if answer := ask(bad.path, bad.body); answer.Status != bad.status || !strings.Contains(answer.Body, `"code":"`+bad.code+`"`) {
			t.Errorf("%s: %d %s, want %d %s", name, answer.Status, answer.Body, bad.status, bad.code)
		}
	}
	if stranger := i.do(http.MethodPost, i.admin+testEnvironment+"/explain", `{}`); stranger.Status != http.StatusUnauthorized {
		t.Errorf("without a token: %d", stranger.Status)
	}
}
