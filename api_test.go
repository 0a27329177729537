package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

type listOf[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"next_cursor"`
}

func TestEventQueries(t *testing.T) {
	onBothStores(t, func(t *testing.T, redis string) {
		i := start(t, redis, signup)
		for n := range 12 {
			i.post("api-key", fmt.Sprintf(`{"type":"page","name":"P%d","userId":"u%d","messageId":"q-%d"}`, n%3, n%4, n), 200)
		}
		i.post("api-key", fmt.Sprintf(inlineSignup, "q-match"), 200)
		i.settled("q-match")
		for n := range 12 {
			i.settled(fmt.Sprintf("q-%d", n))
		}
		count := func(query string) int {
			t.Helper()
			var page listOf[eventRecord]
			i.get(testEnvironment+"/events?limit=100&"+query, &page)
			return len(page.Items)
		}
		for query, want := range map[string]int{
			"": 13, "type=page": 12, "type=track": 1, "name=P1": 4, "user_id=u3": 3, "user_id=nobody": 0, "source=api": 13,
			"source=web": 0, "outcome=matched": 1, "outcome=unmatched": 12, "message_id=q-5": 1, "user_id=u1&name=P1": 1,
			"from=2020-01-01T00:00:00Z": 13, "to=2020-01-01T00:00:00Z": 0,
		} {
			if got := count(query); got != want {
				t.Errorf("%s: %d events, want %d", query, got, want)
			}
		}
		seen, cursor, last := map[string]bool{}, "", ""
		for pages := 0; ; pages++ {
			var page listOf[struct{ ID, ReceivedAt string }]
			i.get(testEnvironment+"/events?limit=5&cursor="+url.QueryEscape(cursor), &page)
			for _, item := range page.Items {
				if seen[item.ID] {
					t.Errorf("%s is on two pages", item.ID)
				}
				seen[item.ID] = true
				last = item.ID
			}
			if cursor = page.NextCursor; cursor == "" || pages > 20 {
				break
			}
		}
		if len(seen) != 13 {
			t.Errorf("paging found %d events of 13", len(seen))
		}
		var detail struct {
			ID    string         `json:"id"`
			Event map[string]any `json:"event"`
			Data  map[string]any `json:"data"`
		}
		i.get(testEnvironment+"/events/"+last, &detail)
		if detail.ID != last || detail.Event["type"] == nil || detail.Data == nil {
			t.Errorf("%+v", detail)
		}

		var names listOf[struct {
			Source, Name string
			Count        int
			Sample       map[string]any
		}]
		eventually(t, "the names are counted", func() bool {
			i.get(testEnvironment+"/event-names", &names)
			return len(names.Items) == 4
		})
		for _, name := range names.Items {
			if name.Name == "P0" && (name.Count != 4 || name.Sample["type"] != "page" || name.Source != "api") {
				t.Errorf("%+v", name)
			}
		}
	})
}

func TestAnActionShowsItsParametersPayloadAndResult(t *testing.T) {
	i := start(t, "embedded", signup)
	i.post("api-key", fmt.Sprintf(inlineSignup, "a-1"), 200)
	id := i.settled("a-1").Actions[0].ID
	var action struct {
		ID, Rule, Action, Status, Destination string
		Parameters, Payload, Result           map[string]any
		Attempts                              []struct {
			At, Status string
			Seconds    float64
		}
	}
	i.get(testEnvironment+"/actions/"+id, &action)
	if action.Rule != "welcome" || action.Action != "trigger" || action.Destination != "directory" ||
		action.Parameters["recipients"] != "properties.recipients" || action.Payload["workflow"] != "welcome" ||
		mustJSON(t, action.Payload["data"]) != `{"plan":"pro"}` || action.Result["workflow_run_id"] == nil ||
		len(action.Attempts) != 1 || action.Attempts[0].Status != "succeeded" {
		t.Errorf("%+v", action)
	}
	if again := i.do(http.MethodPost, i.admin+testEnvironment+"/actions/"+id+"/retry", ""); again.Status != http.StatusConflict {
		t.Errorf("what succeeded is not run again: %d %s", again.Status, again.Body)
	}
}

func TestBadQueries(t *testing.T) {
	i := start(t, "embedded", signup)
	for path, want := range map[string]struct {
		status int
		code   string
	}{
		"/api/v1/environments/nowhere/events":   {404, "unknown_environment"},
		testEnvironment + "/events?usr_id=x":    {400, "invalid_parameter"},
		testEnvironment + "/events?limit=0":     {400, "invalid_parameter"},
		testEnvironment + "/events?limit=many":  {400, "invalid_parameter"},
		testEnvironment + "/events?from=monday": {400, "invalid_parameter"},
		testEnvironment + "/events?outcome=odd": {400, "invalid_parameter"},
		testEnvironment + "/events?cursor=odd":  {400, "bad_cursor"},
		testEnvironment + "/events/odd":         {404, "not_found"},
		testEnvironment + "/events/e0-1-1":      {404, "not_found"},
		testEnvironment + "/actions/odd":        {404, "not_found"},
		testEnvironment + "/users/nobody":       {404, "not_found"},
		testEnvironment + "/rules/nobody":       {404, "not_found"},
		testEnvironment + "/rules?cursor=odd":   {400, "bad_cursor"},
		testEnvironment + "/rules?limit=501":    {400, "invalid_parameter"},
		testEnvironment + "/rules?match=x":      {400, "invalid_parameter"},
		"/api/v1/nothing":                       {404, "no_route"},
	} {
		answer := i.do(http.MethodGet, i.admin+path, "")
		if answer.Status != want.status || !strings.Contains(answer.Body, `"`+want.code+`"`) {
			t.Errorf("%s: %d %s, want %d %s", path, answer.Status, answer.Body, want.status, want.code)
		}
	}
}

func TestUserIDsOfEveryKind(t *testing.T) {
	i := start(t, "embedded", signup)
	for n, id := range []string{"a b", "a?b", "ünï", "{x}", "a%2Fb", "a+b", "..", "\u0000"} {
		message := fmt.Sprintf("u-%d", n)
		i.post("api-key", `{"type":"identify","userId":`+mustJSON(t, id)+`,"messageId":"`+message+`","traits":{"n":9007199254740993}}`, 200)
		i.settled(message)
		answer := i.do(http.MethodGet, i.admin+testEnvironment+"/users/"+strings.ReplaceAll(url.PathEscape(id), ".", "%2E"), "")
		if answer.Status != 200 || !strings.Contains(answer.Body, "9007199254740993") {
			t.Errorf("%q: %d %s", id, answer.Status, answer.Body)
		}
	}
}

func TestDeletingAUserRemovesTheLoggedEvents(t *testing.T) {
	onBothStores(t, func(t *testing.T, redis string) {
		i := start(t, redis, signup)
		i.post("api-key", fmt.Sprintf(inlineSignup, "d-1"), 200)
		i.post("api-key", `{"type":"page","name":"Home","userId":"other","messageId":"d-2"}`, 200)
		i.settled("d-1")
		i.settled("d-2")
		var names listOf[struct {
			Name   string
			Count  int
			Sample any
		}]
		eventually(t, "both names are counted", func() bool {
			i.get(testEnvironment+"/event-names", &names)
			return len(names.Items) == 2
		})
		if answer := i.do(http.MethodDelete, i.admin+testEnvironment+"/users/sam10", ""); answer.Status != 204 {
			t.Fatalf("%d %s", answer.Status, answer.Body)
		}
		var events listOf[eventRecord]
		i.get(testEnvironment+"/events", &events)
		if len(events.Items) != 1 || events.Items[0].Name != "Home" {
			t.Errorf("left on the log: %+v", events.Items)
		}
		var actions listOf[actionRecord]
		if i.get(testEnvironment+"/actions", &actions); len(actions.Items) != 0 {
			t.Errorf("left on the action log: %+v", actions.Items)
		}
		if answer := i.do(http.MethodGet, i.admin+testEnvironment+"/users/sam10", ""); answer.Status != 404 {
			t.Errorf("the user is still there: %s", answer.Body)
		}
		i.get(testEnvironment+"/event-names", &names)
		for _, name := range names.Items {
			if (name.Sample == nil) != (name.Name == "user-signed-up") || name.Count != 1 {
				t.Errorf("after the deletion: %+v", name)
			}
		}
	})
}

func TestAccess(t *testing.T) {
	files := map[string]string{"rules.yaml": signup["rules.yaml"], "switchyard.yaml": signup["switchyard.yaml"] + `
admin:
  tokens:
    - {name: reader, role: viewer, token: read-secret}
    - {name: writer, role: editor, token: edit-secret}
`}
	i := start(t, "embedded", files)
	for _, test := range []struct {
		method, path, authorization string
		status                      int
	}{
		{"GET", "/api/v1/environments", "", 401},
		{"GET", "/api/v1/environments", "Bearer wrong", 401},
		{"GET", "/api/v1/environments", "Basic read-secret", 401},
		{"GET", "/api/v1/environments", "Bearer read-secret", 200},
		{"DELETE", testEnvironment + "/users/x", "Bearer read-secret", 403},
		{"DELETE", testEnvironment + "/users/x", "Bearer edit-secret", 404},
		{"POST", testEnvironment + "/rules/welcome/release", "Bearer read-secret", 403},
		{"POST", testEnvironment + "/rules/welcome/release", "Bearer edit-secret", 409},
		{"POST", testEnvironment + "/rules/none/release", "Bearer edit-secret", 404},
		{"POST", "/api/v1/environments/none/rules/welcome/release", "Bearer edit-secret", 404},
		{"POST", testEnvironment + "/actions/retry", "Bearer read-secret", 403},
		{"POST", testEnvironment + "/actions/retry", "Bearer edit-secret", 400},
		{"POST", testEnvironment + "/actions/a0-1-1/retry", "Bearer read-secret", 403},
		{"POST", testEnvironment + "/actions/a0-1-1/retry", "Bearer edit-secret", 404},
		{"GET", "/healthz", "", 200},
		{"GET", "/readyz", "", 200},
		{"GET", "/metrics", "", 200},
	} {
		if answer := i.do(test.method, i.admin+test.path, "", "Authorization", test.authorization); answer.Status != test.status {
			t.Errorf("%s %s with %q: %d %s", test.method, test.path, test.authorization, answer.Status, answer.Body)
		}
	}
}

// A page on the web that points its own name at 127.0.0.1 must not read the log through its visitor's browser.
func TestWithoutTokensOnlyLocalhostIsServed(t *testing.T) {
	i := start(t, "embedded", signup)
	request, err := http.NewRequest(http.MethodGet, i.admin+"/api/v1/environments", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "evil.example.com"
	request.Header.Set("X-Forwarded-Host", "localhost")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusForbidden {
		t.Errorf("answered %d", response.StatusCode)
	}
	if other := i.do(http.MethodDelete, i.admin+testEnvironment+"/users/x", "", "Origin", "https://evil.example.com"); other.Status != http.StatusForbidden {
		t.Errorf("a page of another site may delete: %d", other.Status)
	}
	if own := i.do(http.MethodGet, i.admin+"/api/v1/environments", "", "Origin", i.admin); own.Status != http.StatusOK {
		t.Errorf("a page of this server may not read: %d", own.Status)
	}
}

func TestALibraryErrorDoesNotQuoteTheRequest(t *testing.T) {
	i := start(t, "embedded", signup)
	conn, err := net.Dial("tcp", strings.TrimPrefix(i.ingest, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprint(conn, "POST /v1/receive/api-key HTTP/1.1\r\nHost: x\r\nAuthorization: Basic c2VjcmV0Og==\r\nContent-Length: x\r\n\r\n")
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.Contains(string(answer), " 400 ") || strings.Contains(string(answer), "c2VjcmV0Og") || strings.Contains(string(answer), "api-key") {
		t.Errorf("%v %s", err, answer)
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	i := start(t, "embedded", map[string]string{"rules.yaml": signup["rules.yaml"], "switchyard.yaml": strings.NewReplacer(
		"web-secret", "very-secret-1", "api-key", "write-key-that-is-long-7777", "web-key", "other-key-that-is-long-8888").Replace(signup["switchyard.yaml"])})
	i.post("write-key-that-is-long-7777", `{"type":"page","name":"x","messageId":"s-1"}`, 200)
	i.do("POST", i.ingest+"/v1/receive/other-key-that-is-long-8888", `{}`, "X-Signature", "00")
	i.do("POST", i.ingest+"/v1/receive/wrong-key-that-is-long-9999", `{}`)
	i.do("POST", i.ingest+"/v1/track", `{"writeKey":"write-key-that-is-long-7777","event":"e","messageId":"s-2"}`)
	i.do("POST", i.ingest+"/v1/receive/write-key-that-is-long-7777/and/more", `{}`)
	i.do("POST", i.ingest+"/v1/receive/write-key-that-is-long-7777?token=very-secret-1", `{`)
	i.settled("s-1")
	keyed := i.settled("s-2")
	var names listOf[struct{ Name string }]
	eventually(t, "the names are counted", func() bool {
		i.get(testEnvironment+"/event-names", &names)
		return len(names.Items) == 2
	})
	var shown bytes.Buffer
	shown.WriteString(i.log.String())
	for _, path := range []string{"/api/v1/environments", testEnvironment + "/connections", testEnvironment + "/events",
		testEnvironment + "/events/" + keyed.ID, testEnvironment + "/event-names", "/metrics"} {
		shown.WriteString(i.do("GET", i.admin+path, "").Body)
	}
	for _, secret := range []string{"very-secret-1", "write-key-that-is-long", "other-key-that-is-long", "wrong-key-that-is-long"} {
		if strings.Contains(shown.String(), secret) {
			t.Errorf("%s is shown", secret)
		}
	}
	if !strings.Contains(shown.String(), "…7777") {
		t.Error("a write key can not be told from another")
	}
}

func TestMetrics(t *testing.T) {
	i := start(t, "embedded", signup)
	i.post("api-key", fmt.Sprintf(inlineSignup, "x-1"), 200)
	i.post("api-key", fmt.Sprintf(inlineSignup, "x-1"), 200)
	i.post("api-key", `{"type":"page","name":"Home","messageId":"x-2"}`, 200)
	i.post("api-key", `{`, 400)
	i.do("POST", i.ingest+"/v1/receive/nobody", `{}`)
	i.settled("x-1")
	i.settled("x-2")
	for _, line := range []string{
		`switchyard_events_received_total{environment="test",source="api",type="track"} 2`,
		`switchyard_events_rejected_total{environment="test",reason="malformed_json",source="api"} 1`,
		`switchyard_events_rejected_total{environment="",reason="unknown_write_key",source=""} 1`,
		`switchyard_events_decided_total{environment="test",outcome="matched",source="api"} 1`,
		`switchyard_events_decided_total{environment="test",outcome="duplicate",source="api"} 1`,
		`switchyard_events_decided_total{environment="test",outcome="unmatched",source="api"} 1`,
		`switchyard_ingest_seconds_count 5`,
		`switchyard_rule_matches_total{environment="test",rule="welcome"} 1`,
		`switchyard_rule_errors_total{environment="test",rule="welcome"} 0`,
		`switchyard_actions_total{action="trigger",environment="test",rule="welcome",status="succeeded"} 1`,
		`switchyard_action_seconds_count{action="trigger",destination="directory",environment="test"} 1`,
		`switchyard_event_lag_seconds_count{environment="test"} 3`,
		`switchyard_pending_events{environment="test"} 0`,
		`switchyard_lanes_waiting{environment="test"} 0`,
		`switchyard_actions_dead{environment="test"} 0`,
		`switchyard_rules_loaded{environment="test"} 1`,
	} {
		eventually(t, line, func() bool { return i.metric(line) })
	}
	for _, name := range []string{"switchyard_build_info{", "switchyard_rule_evaluations_total{", "switchyard_rule_eval_seconds_total{", "go_goroutines"} {
		if !strings.Contains(i.do("GET", i.admin+"/metrics", "").Body, name) {
			t.Errorf("%s is missing", name)
		}
	}
}

func TestRulesComeInPages(t *testing.T) {
	files := maps.Clone(signup)
	for n := range 60 {
		files["rules.yaml"] += fmt.Sprintf("  - {key: more-%d, match: name == \"n%d\", actions: [{trigger: {workflow: w, recipients: user_id}}]}\n", n, n)
	}
	i := start(t, "embedded", files)
	var keys []string
	cursor := ""
	for pages := 0; pages == 0 || cursor != ""; pages++ {
		var page struct {
			Items      []struct{ Key string }
			NextCursor string `json:"next_cursor"`
		}
		i.get(testEnvironment+"/rules?limit=30&cursor="+cursor, &page)
		for _, rule := range page.Items {
			keys = append(keys, rule.Key)
		}
		cursor = page.NextCursor
	}
	if len(keys) != 61 || keys[0] != "welcome" || keys[60] != "more-59" {
		t.Errorf("the pages have %v", keys)
	}
}
