package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// mentions has a rule whose actions are dead until its actor, the user, is known.
var mentions = map[string]string{"switchyard.yaml": signup["switchyard.yaml"], "rules.yaml": `
rules:
  - key: mention
    match: name == "mentioned"
    actions: [{trigger: {workflow: mention, recipients: '{"id": data.who}', actor: user_id}}]
  - key: broken
    match: name == "broken"
    actions: [{trigger: {workflow: broken, recipients: data.nobody}}]
`}

// mention posts an event and returns its action.
func (i *instance) mention(user, id string) actionRecord {
	i.t.Helper()
	i.post("api-key", fmt.Sprintf(`{"type":"track","event":"mentioned","userId":%q,"messageId":%q,"properties":{"who":"sam"}}`, user, id), 200)
	return i.settled(id).Actions[0]
}

func (i *instance) know(user string) {
	i.t.Helper()
	i.post("api-key", fmt.Sprintf(`{"type":"identify","userId":%q,"messageId":"know-%s"}`, user, user), 200)
	i.settled("know-" + user)
}

func (i *instance) retry(body string) reply {
	i.t.Helper()
	return i.do(http.MethodPost, i.admin+testEnvironment+"/actions/retry", body)
}

// succeeded counts the actions of a rule that succeeded.
func (i *instance) succeeded(rule string) int {
	i.t.Helper()
	var page listOf[actionRecord]
	i.get(testEnvironment+"/actions?limit=500&status=succeeded&rule="+rule, &page)
	return len(page.Items)
}

func TestDeadActionsAreRunAgainByFilter(t *testing.T) {
	onBothStores(t, func(t *testing.T, redis string) {
		i := start(t, redis, mentions)
		for n := range 6 {
			if action := i.mention(fmt.Sprint("u", n%2), fmt.Sprint("m-", n)); action.Status != "dead" {
				t.Fatalf("%+v", action)
			}
		}
		i.know("u0")
		i.know("u1")
		if answer := i.retry(`{"user_id":"u0","rule":"other"}`); answer.Status != 200 || answer.Body != `{"retried":0}` {
			t.Errorf("%d %s", answer.Status, answer.Body)
		}
		for range 2 {
			if answer := i.retry(`{"user_id":"u0"}`); answer.Status != 200 {
				t.Errorf("%d %s", answer.Status, answer.Body)
			}
			eventually(t, "u0's actions succeeded, and once", func() bool { return i.succeeded("mention") == 3 })
		}
		var first struct {
			Retried    int
			NextCursor string `json:"next_cursor"`
		}
		if answer := i.retry(`{"all":true,"limit":2}`); json.Unmarshal([]byte(answer.Body), &first) != nil || first.Retried != 2 || first.NextCursor == "" {
			t.Errorf("%d %s", answer.Status, answer.Body)
		}
		if answer := i.retry(`{"all":true,"cursor":"` + first.NextCursor + `"}`); answer.Body != `{"retried":1}` {
			t.Errorf("%d %s", answer.Status, answer.Body)
		}
		eventually(t, "all succeeded", func() bool { return i.succeeded("mention") == 6 })
	})
}

func TestARunAgainWithoutAChoiceIsRefused(t *testing.T) {
	i := start(t, "embedded", mentions)
	for body, code := range map[string]string{
		``: "malformed_json", `{}`: "missing_filter", `{"all":false}`: "missing_filter", `{"limit":10}`: "missing_filter",
		`{"all":true,"rule":"x"}`: "invalid_parameter", `{"rule":"x","limit":0}`: "invalid_parameter", `{"rule":"x","limit":5001}`: "invalid_parameter",
		`{"action":"email"}`: "invalid_parameter", `{"usr_id":"x"}`: "bad_request", `{"status":"dead"}`: "bad_request", `{"from":"monday"}`: "bad_request",
		`{"all":true,"cursor":"odd"}`: "bad_cursor",
	} {
		if answer := i.retry(body); answer.Status != 400 || !strings.Contains(answer.Body, `"`+code+`"`) {
			t.Errorf("%s: %d %s, want %s", body, answer.Status, answer.Body, code)
		}
	}
}

func TestAnIntendedRepeat(t *testing.T) {
	onBothStores(t, func(t *testing.T, redis string) {
		i := start(t, redis, mentions)
		i.know("kim")
		action := i.mention("kim", "m-1")
		again := func(body string) reply {
			return i.do(http.MethodPost, i.admin+testEnvironment+"/actions/"+action.ID+"/retry", body)
		}
		type view struct {
			Status, Nonce string
			EffectKey     string `json:"effect_key"`
			Result        struct {
				Run string `json:"workflow_run_id"`
			}
			Attempts []any
		}
		var before, after view
		i.get(testEnvironment+"/actions/"+action.ID, &before)
		for body, want := range map[string]string{``: "not_dead", `{}`: "not_dead", `{"nonce":""}`: "invalid_parameter", `{"nonce":"a b"}`: "invalid_parameter",
			`{"nonce":1}`: "bad_request", `{"once":"x"}`: "bad_request", `{`: "malformed_json"} {
			if answer := again(body); answer.Status/100 != 4 || !strings.Contains(answer.Body, `"`+want+`"`) {
				t.Errorf("%s: %d %s, want %s", body, answer.Status, answer.Body, want)
			}
		}
		if answer := again(`{"nonce":"second-time"}`); answer.Status != 200 || !strings.Contains(answer.Body, `"nonce":"second-time"`) {
			t.Fatalf("%d %s", answer.Status, answer.Body)
		}
		if answer := again(`{"nonce":"second-time"}`); answer.Status != 409 || !strings.Contains(answer.Body, `"nonce_used"`) {
			t.Errorf("%d %s", answer.Status, answer.Body)
		}
		i.settled("m-1")
		i.get(testEnvironment+"/actions/"+action.ID, &after)
		if after.Status != "succeeded" || after.Nonce != "second-time" || len(after.Attempts) != 2 || after.EffectKey == before.EffectKey ||
			after.Result.Run == before.Result.Run || after.Result.Run == "" {
			t.Errorf("before %+v\nafter %+v", before, after)
		}

		i.post("api-key", `{"type":"track","event":"broken","userId":"kim","messageId":"m-2"}`, 200)
		action = i.settled("m-2").Actions[0]
		if answer := again(`{"nonce":"x"}`); action.Status != "skipped" || answer.Status != 409 || !strings.Contains(answer.Body, `"no_payload"`) {
			t.Errorf("%+v: %d %s", action, answer.Status, answer.Body)
		}
	})
}

func TestTheRetryCommand(t *testing.T) {
	i := start(t, "embedded", mentions)
	var dead []string
	for n := range 4 {
		dead = append(dead, i.mention("kim", fmt.Sprint("m-", n)).ID)
	}
	i.know("kim")
	command := func(want int, args ...string) (stdout, stderr string) {
		t.Helper()
		var out, log bytes.Buffer
		if code := run(append([]string{"retry", "--server", i.admin, "--env", "test"}, args...), &out, &log); code != want {
			t.Errorf("%v: exit %d, want %d: %s%s", args, code, want, &out, &log)
		}
		return out.String(), log.String()
	}
	for _, wrong := range [][]string{{}, {"--all", "--rule", "mention"}, {dead[0], "--all"}, {"--from", "monday"}, {"--nonce", "x", "--all"}, {"--server", "", dead[0]}} {
		command(exitUsage, wrong...)
	}
	if out, _ := command(exitGood, dead[0]); out != "1 action queued again in test\n" {
		t.Errorf("by its id: %q", out)
	}
	if out, _ := command(exitGood, "--user", "kim", "--rule", "mention", "--action", "trigger", "--from", "2020-01-01T00:00:00Z", "--to", time.Now().Add(time.Hour).Format(time.RFC3339)); out != "3 actions queued again in test\n" {
		t.Errorf("by a filter: %q", out)
	}
	eventually(t, "all succeeded", func() bool { return i.succeeded("mention") == 4 })
	if out, _ := command(exitGood, "--all", "--json"); out != `{"refused":0,"retried":0}`+"\n" {
		t.Errorf("nothing is dead: %q", out)
	}
	if out, log := command(exitProblems, "--json", dead[0], dead[1]); out != `{"refused":2,"retried":0}`+"\n" || !strings.Contains(log, dead[1]+": POST ") || !strings.Contains(log, "only a dead action") {
		t.Errorf("what is not dead: %q %q", out, log)
	}
	if out, log := command(exitProblems, "--nonce", "more", dead[0], "a0-1-1"); out != "1 action queued again in test\n" || !strings.Contains(log, "a0-1-1: ") {
		t.Errorf("a repeat: %q %q", out, log)
	}
	eventually(t, "the repeat succeeded", func() bool {
		return i.succeeded("mention") == 4 && i.metric(`switchyard_lanes_waiting{environment="test"} 0`)
	})
}

func TestTheRetryCommandComesThroughMany(t *testing.T) {
	i := start(t, "embedded", mentions)
	var batch strings.Builder
	for n := range 620 {
		fmt.Fprintf(&batch, `,{"type":"track","event":"mentioned","userId":"u%d","messageId":"b-%d","properties":{"who":"sam"}}`, n%20, n)
	}
	i.post("api-key", "["+batch.String()[1:]+"]", 200)
	eventually(t, "all are dead", func() bool { return i.metric(`switchyard_actions_dead{environment="test"} 620`) })
	for n := range 20 {
		i.know(fmt.Sprint("u", n))
	}
	var stdout, stderr bytes.Buffer
	if code := run([]string{"retry", "--server", i.admin, "--env", "test", "--all"}, &stdout, &stderr); code != exitGood || stdout.String() != "620 actions queued again in test\n" {
		t.Fatalf("%d %s %s", code, &stdout, &stderr)
	}
	eventually(t, "none is dead or waits", func() bool {
		return i.metric(`switchyard_actions_dead{environment="test"} 0`) && i.metric(`switchyard_lanes_waiting{environment="test"} 0`)
	})
}

// The order is a setting like others: it is checked, and a reload takes effect.
func TestTheOrderIsReloaded(t *testing.T) {
	i := start(t, "embedded", mentions)
	relaxed := strings.Replace(mentions["switchyard.yaml"], "partitions: 4", "partitions: 4\n    destination: {order: relaxed, lane: {waiting: 10, age: 1h}}", 1)
	i.write("switchyard.yaml", relaxed)
	eventually(t, "the change is live", func() bool { return i.metric(`switchyard_config_reloads_total{result="success"} 1`) })
	if lanes := i.server.plan.Load().environments[0].policy.Lanes; !lanes.Relaxed || lanes.Waiting != 10 || lanes.Age != time.Hour {
		t.Errorf("%+v", lanes)
	}
	i.know("kim")
	if action := i.mention("kim", "m-1"); action.Status != "succeeded" {
		t.Errorf("%+v", action)
	}
	if answer := i.do(http.MethodDelete, i.admin+testEnvironment+"/users/kim", ""); answer.Status != 204 {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
}
