package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"switchyard/engine"
	"switchyard/engine/redislog/redistest"
)

// A Redis that is there and refuses is a 503 at the door, nothing is stored by half, and the log says little.
func TestRedisRefuses(t *testing.T) {
	store := redistest.Start(t, "--appendfsync", "no")
	i := start(t, store.URL(), signup)
	i.post("api-key", fmt.Sprintf(inlineSignup, "before"), 200)
	i.settled("before")
	redisDo(t, store, "CONFIG", "SET", "min-replicas-to-write", "1")
	answer := i.post("api-key", fmt.Sprintf(inlineSignup, "refused"), 503)
	if answer.Header.Get("Retry-After") == "" || !strings.Contains(answer.Body, `"unavailable"`) {
		t.Errorf("%v %s", answer.Header, answer.Body)
	}
	eventually(t, "the log says that nothing can be claimed", func() bool {
		log := i.log.String()
		return strings.Contains(log, "events can not be claimed") && strings.Contains(log, "actions can not be claimed")
	})
	metrics := i.do(http.MethodGet, i.admin+"/metrics", "").Body
	for _, op := range []string{"append", "lease", "due"} {
		if !strings.Contains(metrics, fmt.Sprintf("switchyard_redis_errors_total{op=%q}", op)) {
			t.Errorf("the metrics have no errors of %s", op)
		}
	}
	redisDo(t, store, "CONFIG", "SET", "min-replicas-to-write", "0")
	if answer := i.post("api-key", fmt.Sprintf(inlineSignup, "refused"), 200); !strings.Contains(answer.Body, `"accepted":1,"duplicates":0`) {
		t.Errorf("the refused event was stored by half: %s", answer.Body)
	}
	if record := i.settled("refused"); record.Outcome != "matched" || record.Actions[0].Status != "succeeded" {
		t.Errorf("%+v", record)
	}
	eventually(t, "the log says that all is well again", func() bool { return strings.Contains(i.log.String(), "does its work again") })
	var warnings []string
	for line := range strings.Lines(i.log.String()) {
		if strings.Contains(line, "level=WARN") && !strings.Contains(line, "not verified") {
			warnings = append(warnings, line)
		}
	}
	if len(warnings) > 8 {
		t.Errorf("%d warnings:\n%s", len(warnings), strings.Join(warnings, ""))
	}
}

// More senders than can be served at once: each is answered, those that are too many are told so and when to come again,
// memory stays bounded, and what was accepted is done.
func TestMoreSendersThanCanBeServed(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("this system does not tell the memory of a process in /proc")
	}
	const senders, each = 1500, 4
	p := launch(t, buildBinary(t), redistest.Start(t, "--appendfsync", "no").URL())
	resetPeak(t, p.cmd.Process.Pid)
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: senders}}
	var mu sync.Mutex
	var took []time.Duration
	answers := map[int]int{}
	var group sync.WaitGroup
	for s := range senders {
		group.Go(func() {
			for n := range each {
				began := time.Now()
				answer, err := client.Post(p.ingest+"/v1/receive/api-key", "application/json", strings.NewReader(batchOf(s, n)))
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
				mu.Lock()
				if answers[answer.StatusCode]++; answer.StatusCode == 200 {
					took = append(took, time.Since(began))
				}
				mu.Unlock()
				busy := answer.StatusCode == 503 || answer.StatusCode == 429
				if answer.StatusCode != 200 && !busy || busy && answer.Header.Get("Retry-After") == "" {
					t.Errorf("answered %d, Retry-After %q", answer.StatusCode, answer.Header.Get("Retry-After"))
				}
			}
		})
	}
	group.Wait()
	most := peak(t, p.cmd.Process.Pid)
	slices.Sort(took)
	t.Logf("%d senders at once: answers %v; of the accepted p50 %v, p99 %v; peak %d MiB", senders, answers, took[len(took)/2], took[len(took)*99/100], most)
	if most > 600 {
		t.Errorf("%d MiB at the peak", most)
	}
	f := &fleet{t: t, processes: []*process{p}}
	f.settle()
	stored := 0
	pages(t, p, "events?", func(struct{}) { stored++ })
	if want := batchEvents * answers[200]; stored < want {
		t.Errorf("%d events in the log, %d were acknowledged", stored, want)
	}
}

const batchEvents = 5

// batchOf is a request of a sender, of a few KiB.
func batchOf(sender, n int) string {
	var list []string
	for i := range batchEvents {
		list = append(list, fmt.Sprintf(`{"type":"page","name":"p","userId":"u%d","messageId":"%d-%d-%d","properties":{"text":%q}}`, sender, sender, n, i, strings.Repeat("x", 500)))
	}
	return "[" + strings.Join(list, ",") + "]"
}

// stuck is a destination that answers nobody until it is closed.
type stuck chan struct{}

func (s stuck) Perform(context.Context, *engine.Action) (engine.Result, error) {
	<-s
	return engine.Result{}, nil
}

// A destination that does not answer holds up its own environment's actions, and nobody else's.
func TestAStuckDestinationDelaysOnlyItself(t *testing.T) {
	release := make(stuck)
	defer close(release)
	destinations["stuck"] = func(destinationConfig, site) (engine.Destination, error) { return release, nil }
	defer delete(destinations, "stuck")
	files := map[string]string{"rules.yaml": signup["rules.yaml"], "switchyard.yaml": `
sources:
  - {key: api, kind: http, name: Anything}
environments:
  - key: stuck
    partitions: 4
    destination: {kind: stuck, timeout: 60s}
    connections: {api: {write_keys: [stuck-key]}}
    rules: [rules.yaml]
  - key: test
    partitions: 4
    connections: {api: {write_keys: [api-key]}}
    rules: [rules.yaml]
`}
	i := start(t, redistest.Start(t, "--appendfsync", "no").URL(), files)
	const events = 300
	pace := func(name string) time.Duration {
		began := time.Now()
		for n := range events {
			i.post("api-key", signupOf(fmt.Sprint(name, n%20), fmt.Sprint(name, "-", n)), 200)
		}
		i.settled(fmt.Sprint(name, "-", events-1))
		return time.Since(began)
	}
	alone := pace("alone")
	for n := range events {
		i.post("stuck-key", signupOf(fmt.Sprint("u", n), fmt.Sprint("s-", n)), 200)
	}
	beside := pace("beside")
	var pending, done listOf[struct{}]
	i.get("/api/v1/environments/stuck/events?outcome=pending", &pending)
	i.get("/api/v1/environments/stuck/actions?status=succeeded", &done)
	t.Logf("%d events: %v alone, %v beside an environment whose destination is stuck", events, alone, beside)
	if len(done.Items) != 0 || len(pending.Items) != 0 {
		t.Errorf("of the stuck environment %d events are not decided and %d actions done; it must go on deciding and be stuck", len(pending.Items), len(done.Items))
	}
	if beside > 3*alone+5*time.Second {
		t.Errorf("%v beside a stuck environment, %v alone", beside, alone)
	}
}
