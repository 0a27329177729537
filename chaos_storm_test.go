package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"switchyard/engine/redislog/redistest"
)

// stormOptions are what makes two storms differ.
type stormOptions struct {
	seed       uint64
	length     time.Duration
	kinds      deck
	sabotage   string // see chaos_build.go; "ack" acknowledges without a replica; "" for a sound program
	replicated bool   // over a cluster of three masters with a replica each, whose word is needed
	hasty      bool   // few users, hardly a pause, and a destination that is well: a user's events come close behind each other
}

// storm is one run: the processes, their Redis, their senders, what befalls them, and who knows what should come of it.
type storm struct {
	stormOptions
	t         *testing.T
	binary    string
	dir       string
	redis     *redistest.Server  // nil on a cluster
	cluster   *redistest.Cluster // nil on one server
	processes []*stormProcess
	oracle    *oracle
	senders   []*sender
	found     *findings

	weather         weather
	events, actions int // on the logs
}

const (
	stormProcesses  = 3
	stormPartitions = 6
	// patience is how long a destination may take, short so that late answers are many.
	stormPatience = 300 * time.Millisecond
	// restTime is how long all may take to come to rest after the last fault, the lease of a lane included.
	restTime = 90 * time.Second
)

// stormConfig has two environments: main, whose effects go to the oracle, and people, with the built-in directory.
const stormConfig = `
listen: 127.0.0.1:%d
admin_listen: 127.0.0.1:%d
sources: [{key: api, kind: http, name: Senders}]
environments:
  - key: main
    partitions: %[3]d
    destination: {kind: chaos, timeout: %[4]s, retry: {attempts: 1000, min: 20ms, max: 300ms}}
    connections: {api: {write_keys: [main-key]}}
    rules: [rules.yaml]
  - key: people
    partitions: %[3]d
    destination: {kind: directory, timeout: %[4]s, retry: {attempts: 1000, min: 20ms, max: 300ms}}
    connections: {api: {write_keys: [people-key]}}
    rules: [rules.yaml]
`

// stormRules ask for two actions on each step of a user, in this order.
const stormRules = `
rules:
  - key: step
    match: type == "track" && name == "step"
    actions:
      - identify: {user_id: user_id, traits: 'pick(data, "seq")'}
      - trigger: {workflow: step, recipients: user_id, data: 'pick(data, "seq")'}
`

func newStorm(t *testing.T, options stormOptions) *storm {
	t.Helper()
	s := &storm{stormOptions: options, t: t, dir: os.Getenv("SWITCHYARD_CHAOS_DIR"), found: newFindings()}
	if s.dir == "" {
		s.dir = t.TempDir()
	}
	s.binary = buildBinary(t, "-tags", "chaos")
	if options.replicated {
		s.cluster = redistest.StartReplicated(t)
	} else {
		s.redis = redistest.Start(t)
	}
	s.oracle = startOracle(t, s.seed, s.hasty, s.found)
	if err := os.WriteFile(filepath.Join(s.dir, "rules.yaml"), []byte(stormRules), 0o600); err != nil {
		t.Fatal(err)
	}
	for n := range stormProcesses {
		s.processes = append(s.processes, s.newProcess(n))
	}
	s.senders = newSenders(s)
	return s
}

// url is that of the store.
func (s *storm) url() string {
	if s.cluster != nil {
		return s.cluster.URL()
	}
	return s.redis.URL()
}

// storeConfig is what the configuration says of the store, beyond what the command line does.
func (s *storm) storeConfig() string {
	if s.cluster != nil {
		ack := "replicated"
		if s.sabotage == "ack" {
			ack = "local"
		}
		return fmt.Sprintf("redis: %s\nack: %s\n", s.url(), ack)
	}
	return ""
}

// random is a source of chance of its own for each part of the storm, so that one does not depend on the speed of another.
func (s *storm) random(part uint64) *rand.Rand { return rand.New(rand.NewPCG(s.seed, part)) }

// run lets the storm pass over the processes, waits for calm, and holds what came of it against what should have.
func (s *storm) run() {
	s.t.Logf("seed %d for %s, logs in %s", s.seed, s.length, s.dir)
	for _, process := range s.processes {
		process.start()
	}
	for _, process := range s.processes {
		process.awaitReady(30 * time.Second)
	}
	over, left := make(chan struct{}), sync.WaitGroup{}
	for _, sender := range s.senders {
		left.Go(func() { sender.run(over) })
	}
	s.befall()
	close(over)
	for _, process := range s.processes {
		process.awaitReady(30 * time.Second)
	}
	left.Wait()
	s.settle()
	s.judge()
	s.verify()
	for _, process := range s.processes {
		process.kill()
	}
}

// settle waits until nothing is pending and no lane waits.
func (s *storm) settle() {
	deadline, left := time.Now().Add(restTime), ""
	for time.Now().Before(deadline) {
		if left = s.unrest(); left == "" {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.found.add(notSettled, "%s after the last fault there is still %s", restTime, left)
}

// unrest are the metrics that say what is under way; "" when nothing is.
func (s *storm) unrest() string {
	text, err := fetchText(s.processes[0].admin + "/metrics")
	if err != nil {
		return err.Error()
	}
	var left []string
	seen := 0
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, "switchyard_pending_events{") || strings.HasPrefix(line, "switchyard_lanes_waiting{") {
			seen++
			if !strings.HasSuffix(line, " 0") {
				left = append(left, line)
			}
		}
	}
	if seen != 4 { // two for each environment
		return fmt.Sprintf("no word of all environments, %d metrics", seen)
	}
	return strings.Join(left, ", ")
}

// summary is the storm in a line.
func (s *storm) summary() string {
	return fmt.Sprintf("chaos: seed %d, %.0f s, %d messages acknowledged, %d events logged, %d actions, %s, %d attempts at the destination of which %d repeated what was applied, %d violations, slowest recovery %.1f s",
		s.seed, time.Since(s.found.began).Seconds(), s.acknowledged(), s.events, s.actions, s.weather, s.oracle.calls, s.oracle.repeats, s.found.total(),
		s.slowestRecovery().Seconds())
}
