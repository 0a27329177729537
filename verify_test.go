package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"switchyard/engine/redislog/redistest"
)

func TestTheVerifyCommand(t *testing.T) {
	store := redistest.Start(t)
	p := launch(t, buildBinary(t), store.URL())
	p.post("api-key", fmt.Sprintf(inlineSignup, "v-1"), 200)
	p.post("api-key", fmt.Sprintf(inlineSignup, "v-1"), 200)
	record := p.settled("v-1")

	ask := func(want int, flags ...string) string {
		t.Helper()
		var stdout, stderr bytes.Buffer
		if code := run(append([]string{"verify", "--redis", store.URL()}, flags...), &stdout, &stderr); code != want {
			t.Errorf("exit %d, want %d: %s%s", code, want, &stdout, &stderr)
		}
		return stdout.String() + stderr.String()
	}
	eventually(t, "the repeat is decided", func() bool {
		return strings.Contains(ask(exitGood), "2 accepted  = 1 matched + 0 unmatched + 1 duplicate + 0 invalid + 0 pending")
	})
	if text := ask(exitGood, "--env", "test"); !strings.Contains(text, "1 planned   = 1 succeeded") || !strings.Contains(text, "nothing is missing, nothing is too many") {
		t.Errorf("of a sound log: %s", text)
	}
	if text := ask(exitProblems, "--env", "tset"); !strings.Contains(text, `no environment "tset"`) || !strings.Contains(text, "test") {
		t.Errorf("of an environment that is not there: %s", text)
	}

	partition, entry, _ := strings.Cut(strings.TrimPrefix(record.ID, "e"), "-")
	redisDo(t, store, "XDEL", "sy:{test:"+partition+"}:events", entry)
	if text := ask(exitProblems); !strings.Contains(text, "decision_orphaned "+record.ID+": ") || !strings.Contains(text, "2 findings") {
		t.Errorf("of an event that was deleted: %s", text)
	}
	var answer struct {
		Environments []struct {
			Environment string
			Events      map[string]int
			Findings    []struct{ Code, ID string }
		}
	}
	if err := json.Unmarshal([]byte(ask(exitProblems, "--json")), &answer); err != nil || len(answer.Environments) != 1 {
		t.Fatalf("%v: %+v", err, answer)
	}
	if e := answer.Environments[0]; e.Environment != "test" || e.Events["accepted"] != 2 || len(e.Findings) != 2 || e.Findings[1].ID != record.ID {
		t.Errorf("%+v", e)
	}
	if metrics, err := fetchText(p.admin + "/metrics"); err != nil || !strings.Contains(metrics, `switchyard_conservation_broken{environment="test",equation="events"} 1`) {
		t.Errorf("the metrics do not say so: %v", err)
	}
}

func TestVerifyNeedsAServer(t *testing.T) {
	for _, args := range [][]string{{}, {"--redis", "embedded"}, {"--redis", "http://127.0.0.1"}} {
		var stdout, stderr bytes.Buffer
		if code := run(append([]string{"verify"}, args...), &stdout, &stderr); code != exitUsage {
			t.Errorf("%v: exit %d: %s", args, code, &stderr)
		}
	}
	var stdout, stderr bytes.Buffer
	if code := run([]string{"verify", "--redis", redistest.Start(t).URL()}, &stdout, &stderr); code != exitProblems || !strings.Contains(stderr.String(), "no environment") {
		t.Errorf("of an empty server: exit %d: %s", code, &stderr)
	}
}
