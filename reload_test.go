package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"switchyard/engine/redislog/redistest"
)

func (i *instance) metric(line string) bool {
	i.t.Helper()
	return strings.Contains(i.do("GET", i.admin+"/metrics", "").Body, line+"\n")
}

func TestReload(t *testing.T) {
	i := start(t, "embedded", signup)
	sent := 0
	outcome := func() string {
		sent++
		id := fmt.Sprintf("r-%d", sent)
		i.post("api-key", `{"type":"track","event":"order-placed","userId":"u","messageId":"`+id+`"}`, 200)
		return i.settled(id).Outcome
	}
	if got := outcome(); got != "unmatched" {
		t.Fatalf("before: %s", got)
	}

	i.write("rules.yaml", signup["rules.yaml"]+`
  - key: ordered
    match: name == "order-placed"
    actions: [{identify: {user_id: user_id}}]
`)
	eventually(t, "the changed file is live", func() bool { return i.metric(`switchyard_config_reloads_total{result="success"} 1`) })
	if got := outcome(); got != "matched" {
		t.Fatalf("after a good change: %s", got)
	}

	i.write("rules.yaml", `rules: [{key: broken, match: usr_id == "x", actions: [{identify: {user_id: user_id}}]}]`)
	eventually(t, "the bad file is reported", func() bool { return i.metric(`switchyard_config_reloads_total{result="failure"} 1`) })
	if got := outcome(); got != "matched" {
		t.Fatalf("after a bad change: %s; the running rules must stay", got)
	}
	if !strings.Contains(i.log.String(), "usr_id") || !strings.Contains(i.log.String(), "rules.yaml:1:") {
		t.Errorf("the log does not say what is wrong and where:\n%s", i.log)
	}

	i.write("rules.yaml", `rules: []`)
	i.write("switchyard.yaml", strings.Replace(signup["switchyard.yaml"], "write_keys: [api-key]", "write_keys: [api-key, second-key]", 1))
	eventually(t, "the second key is live", func() bool { return i.do("HEAD", i.ingest+"/v1/receive/second-key", "").Status == 200 })
	if got := outcome(); got != "unmatched" {
		t.Fatalf("without rules: %s", got)
	}
	if !i.metric(`switchyard_rules_loaded{environment="test"} 0`) {
		t.Error("an environment without rules has no figure that says so")
	}
}

func TestReloadOnHangup(t *testing.T) {
	i := start(t, "embedded", signup)
	// The same size and time: only a SIGHUP can tell.
	path := filepath.Join(i.dir, "rules.yaml")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	i.write("rules.yaml", strings.Replace(signup["rules.yaml"], "user-signed-up", "user-signed-on", 1))
	if err := os.Chtimes(path, time.Now(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "reloaded", func() bool { return strings.Contains(i.log.String(), "reloaded") })
	var rules struct{ Items []struct{ Match string } }
	i.get(testEnvironment+"/rules", &rules)
	if len(rules.Items) != 1 || !strings.Contains(rules.Items[0].Match, "user-signed-on") {
		t.Errorf("live rules: %+v", rules.Items)
	}
}

func TestWhatOnlyARestartChangesIsRefused(t *testing.T) {
	i := start(t, "embedded", signup)
	i.write("switchyard.yaml", strings.Replace(signup["switchyard.yaml"], "partitions: 4", "partitions: 5", 1))
	eventually(t, "the change is refused", func() bool { return i.metric(`switchyard_config_reloads_total{result="failure"} 1`) })
	if !strings.Contains(i.log.String(), "fixed for the environment's life") {
		t.Errorf("the log does not say why:\n%s", i.log)
	}
}

func TestWhenEventsAreAcknowledgedIsChangedByARestart(t *testing.T) {
	store := redistest.Start(t)
	i := start(t, store.URL(), signup)
	i.write("switchyard.yaml", "redis: "+store.URL()+"\nack: replicated\n"+signup["switchyard.yaml"])
	eventually(t, "the change is refused", func() bool { return i.metric(`switchyard_config_reloads_total{result="failure"} 1`) })
	if !strings.Contains(i.log.String(), "ack changed; that needs a restart") {
		t.Errorf("the log does not say why:\n%s", i.log)
	}
}

// A plan that meets a store it does not fit changes nothing at all, not even how long the others keep their events.
func TestAFailedReloadKeepsTheRetention(t *testing.T) {
	store := redistest.Start(t)
	i := start(t, store.URL(), signup)
	redisDo(t, store, "HSET", "sy:{other}:meta", "partitions", 3)
	i.post("api-key", `{"type":"page","name":"Home","userId":"u","messageId":"kept"}`, 200)
	i.write("switchyard.yaml", "retention: {events: 1m, actions: 1m, dedupe: 1ms}\n"+signup["switchyard.yaml"]+"  - key: other\n")
	eventually(t, "the reload is refused", func() bool { return i.metric(`switchyard_config_reloads_total{result="failure"} 1`) })
	time.Sleep(5 * time.Millisecond) // past the window that must not hold
	if answer := i.post("api-key", `{"type":"page","name":"Home","userId":"u","messageId":"kept"}`, 200); !strings.Contains(answer.Body, `"duplicates":1`) {
		t.Errorf("the refused window is in force: %s", answer.Body)
	}
}
