package redislog_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/engine"
	"switchyard/engine/redislog"
	"switchyard/engine/redislog/redistest"
)

// The contract is held by all servers: each test of the suite runs on the embedded one, on a real one, on a cluster of one, and on one
// of three masters whose replicas have to confirm.

type contract struct {
	name string
	test func(t *testing.T, f *fixture)
}

// suite is filled by the files beside this one, by concern.
var suite = []([]contract){appendContract, inboxContract, outboxContract, lanesContract, retryContract, queryContract, userContract, namesContract, quarantineContract, directoryContract, trimContract, verifyContract, packContract, jumpContract}

func TestContract(t *testing.T) {
	t.Run("embedded", func(t *testing.T) { runSuite(t, "embedded") })
	t.Run("redis", func(t *testing.T) { runSuite(t, redistest.Start(t, "--appendfsync", "no").URL()) })
	t.Run("cluster", func(t *testing.T) {
		runSuite(t, "redis+cluster://"+strings.TrimPrefix(redistest.StartCluster(t).URL(), "redis://"))
	})
	t.Run("replicated cluster", func(t *testing.T) { runSuiteOn(replicatedFixture(t, redistest.StartReplicated(t).URL())) })
}

func runSuite(t *testing.T, url string) { runSuiteOn(newFixture(t, url)) }

func runSuiteOn(f *fixture) {
	t := f.t
	for _, group := range suite {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) {
				g := f.fresh(t)
				c.test(t, g)
				g.conserved()
			})
		}
	}
}

// clock is the process's clock, as tests move it.
type clock struct {
	mu     sync.Mutex
	offset time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset).UTC()
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

// fixture is one environment of a log.
type fixture struct {
	t     *testing.T
	ctx   context.Context
	log   *redislog.Log
	clock *clock
	name  string
	env   *redislog.Environment
	// tampered: the test has deleted something behind the log's back, which conservation must notice.
	tampered bool
}

// testLease is short for the tests that wait for a dead process, and long for a slow machine between a claim and its commit.
const testLease = 2 * time.Second

func openLog(t testing.TB, url string, clock *clock) *redislog.Log {
	t.Helper()
	return openWith(t, redislog.Options{URL: url, Now: clock.Now, Lease: testLease})
}

func openWith(t testing.TB, options redislog.Options) *redislog.Log {
	t.Helper()
	log, err := redislog.Open(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	return log
}

func newFixture(t *testing.T, url string) *fixture {
	clock := &clock{}
	return &fixture{t: t, ctx: context.Background(), log: openLog(t, url, clock), clock: clock}
}

var fixtures struct {
	sync.Mutex
	n int
}

// fresh is the same log with a new environment of four partitions.
func (f *fixture) fresh(t *testing.T) *fixture {
	fixtures.Lock()
	fixtures.n++
	name := fmt.Sprintf("env%d", fixtures.n)
	fixtures.Unlock()
	g := *f
	g.t, g.name = t, name
	g.env = g.open(g.log, 4)
	return &g
}

// conserved wants every equation of conservation to hold, whatever a test of the contract has done by the log's methods.
func (f *fixture) conserved() {
	f.t.Helper()
	partitions, err := f.log.Conservation(f.ctx, f.name)
	if err != nil {
		f.t.Errorf("conservation: %v", err)
	}
	noticed := false
	for _, partition := range partitions {
		for _, equation := range partition.Equations {
			noticed = noticed || !equation.Holds()
			if !equation.Holds() && !f.tampered {
				f.t.Errorf("partition %d: %s: %d is not %d", partition.Partition, equation.Text, equation.Left, equation.Right)
			}
		}
	}
	if f.tampered && !noticed {
		f.t.Error("what is gone is not missed")
	}
}

func (f *fixture) open(log *redislog.Log, partitions int) *redislog.Environment {
	f.t.Helper()
	env, err := log.Environment(f.ctx, f.name, partitions, redislog.EnvOptions{})
	if err != nil {
		f.t.Fatal(err)
	}
	return env
}

// event is a track of a user with a message id.
func (f *fixture) event(user, message string) *engine.Event {
	original := fmt.Sprintf(`{"type":"track","event":"signed up","userId":%q,"properties":{"plan":"pro","seats":12345678901234567}}`, user)
	properties := original[len(original)-len(`{"plan":"pro","seats":12345678901234567}}`) : len(original)-1]
	now := f.clock.Now()
	return &engine.Event{
		Environment: f.name, Source: "web", Type: engine.TypeTrack, Name: "signed up", UserID: user, MessageID: message,
		Timestamp: now, ReceivedAt: now, Verification: engine.Verified, Original: json.RawMessage(original),
		Data: json.RawMessage(properties), Properties: json.RawMessage(properties),
	}
}

func (f *fixture) append(events ...*engine.Event) {
	f.t.Helper()
	if err := f.env.Append(f.ctx, events); err != nil {
		f.t.Fatal(err)
	}
}

// inboxes are those of all partitions.
func (f *fixture) inboxes(env *redislog.Environment, consumer string) []engine.Inbox {
	inboxes := make([]engine.Inbox, 4)
	for p := range inboxes {
		inboxes[p] = env.Inbox(p, consumer)
	}
	return inboxes
}

// claim takes what one inbox has now.
func (f *fixture) claim(inbox engine.Inbox) []*engine.Event {
	f.t.Helper()
	events, err := inbox.Claim(f.ctx, 100, 0)
	if err != nil {
		f.t.Fatal(err)
	}
	return events
}

// await claims until something comes.
func (f *fixture) await(inbox engine.Inbox) []*engine.Event {
	f.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		events, err := inbox.Claim(f.ctx, 100, 5*time.Millisecond)
		if err != nil {
			f.t.Fatal(err)
		}
		if len(events) > 0 {
			return events
		}
	}
	f.t.Fatal("nothing could be claimed")
	return nil
}

func (f *fixture) partition(user string) int { return engine.Partition(engine.UserLane(user), 4) }

// identify is a verdict with one identify for each index.
func verdict(event *engine.Event, at time.Time, actions int) *engine.Verdict {
	v := &engine.Verdict{Event: event, DecidedAt: at, Decision: &engine.Decision{Outcome: engine.OutcomeUnmatched, Reason: "no rule matched"}}
	if actions > 0 {
		v.Decision = &engine.Decision{Outcome: engine.OutcomeMatched, Rules: []string{"welcome"}}
	}
	for i := range actions {
		v.Decision.Actions = append(v.Decision.Actions, &engine.Action{
			EventID: event.ID, Rule: "welcome", Index: i, Kind: engine.ActionIdentify, UserID: event.UserID,
			Parameters: json.RawMessage(`{"user_id":"user_id"}`), Status: engine.StatusWaiting,
			Identify: &engine.Identify{UserID: event.UserID, Traits: map[string]any{"n": i, "big": 12345678901234567}},
		})
	}
	return v
}

// decide appends events and commits each with some actions.
func (f *fixture) decide(actions int, events ...*engine.Event) []*engine.Verdict {
	f.t.Helper()
	f.append(events...)
	var verdicts []*engine.Verdict
	for p, inbox := range f.inboxes(f.env, "decider") {
		var mine []*engine.Verdict
		for _, event := range f.claim(inbox) {
			mine = append(mine, verdict(event, f.clock.Now(), actions))
		}
		if err := inbox.Commit(f.ctx, mine); err != nil {
			f.t.Fatalf("partition %d: %v", p, err)
		}
		verdicts = append(verdicts, mine...)
	}
	return verdicts
}

// due takes what is due at a time in all partitions.
func (f *fixture) due(now time.Time, lease time.Duration) []*engine.Action {
	f.t.Helper()
	var actions []*engine.Action
	for p := range 4 {
		found, _, err := f.env.Outbox(p).Due(f.ctx, now, lease, 100)
		if err != nil {
			f.t.Fatal(err)
		}
		actions = append(actions, found...)
	}
	return actions
}

// record stores an attempt with its status.
func (f *fixture) record(action *engine.Action, status engine.Status, next time.Time) bool {
	f.t.Helper()
	action.Status = status
	action.Attempts = append(action.Attempts, engine.Attempt{At: f.clock.Now(), Status: status, Took: time.Millisecond})
	ok, err := f.env.Outbox(f.partition(action.UserID)).Record(f.ctx, action, next, engine.AnyNumber)
	if err != nil {
		f.t.Fatal(err)
	}
	return ok
}

func (f *fixture) client() redis.UniversalClient { return f.log.Client() }

func (f *fixture) slice(p int) string { return redislog.Prefix(f.name, p) }
