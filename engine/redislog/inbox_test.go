package redislog_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/engine"
	"switchyard/engine/redislog"
)

var inboxContract = []contract{
	{"claim, commit, done", func(t *testing.T, f *fixture) {
		event := f.event("sam", "m")
		f.append(event)
		inbox := f.env.Inbox(f.partition("sam"), "a")
		claimed := f.claim(inbox)
		if len(claimed) != 1 || claimed[0].ID != event.ID {
			t.Fatalf("claimed %v", claimed)
		}
		v := verdict(claimed[0], f.clock.Now(), 2)
		if err := inbox.Commit(f.ctx, []*engine.Verdict{v}); err != nil || !v.Committed {
			t.Fatalf("committed %v, %v", v.Committed, err)
		}
		record, err := f.log.Event(f.ctx, f.name, event.ID)
		if err != nil {
			t.Fatal(err)
		}
		if record.Outcome != engine.OutcomeMatched || len(record.Rules) != 1 || len(record.ActionIDs) != 2 ||
			record.ActionIDs[0] != v.Decision.Actions[0].ID || record.DecidedAt.IsZero() {
			t.Errorf("%+v", record)
		}
		if again := f.claim(inbox); len(again) != 0 {
			t.Errorf("claimed again: %v", again)
		}
	}},
	{"a decision keeps its reason, rules and errors", func(t *testing.T, f *fixture) {
		f.append(f.event("sam", "m"))
		inbox := f.env.Inbox(f.partition("sam"), "a")
		v := verdict(f.claim(inbox)[0], f.clock.Now(), 0)
		v.Decision.Errors = []engine.RuleError{{Rule: "r", Message: "rules/r.yaml:4:12: no"}}
		if err := inbox.Commit(f.ctx, []*engine.Verdict{v}); err != nil {
			t.Fatal(err)
		}
		record, err := f.log.Event(f.ctx, f.name, v.Event.ID)
		if err != nil || record.Reason != "no rule matched" || len(record.Errors) != 1 || record.Errors[0].Rule != "r" || record.ActionIDs != nil {
			t.Errorf("%+v %v", record, err)
		}
	}},
	{"a commit is idempotent, whoever makes it", func(t *testing.T, f *fixture) {
		f.append(f.event("sam", "m"))
		p := f.partition("sam")
		inbox := f.env.Inbox(p, "a")
		event := f.claim(inbox)[0]
		first, second, third := verdict(event, f.clock.Now(), 1), verdict(event, f.clock.Now(), 1), verdict(event, f.clock.Now(), 1)
		for _, step := range []struct {
			inbox   engine.Inbox
			verdict *engine.Verdict
		}{{inbox, first}, {inbox, second}, {f.env.Inbox(p, "b"), third}, {inbox, first}} {
			if err := step.inbox.Commit(f.ctx, []*engine.Verdict{step.verdict}); err != nil {
				t.Fatal(err)
			}
		}
		if !first.Committed || second.Committed || third.Committed || second.Decision.Actions[0].ID != "" {
			t.Errorf("committed %v %v %v", first.Committed, second.Committed, third.Committed)
		}
		if due := f.due(f.clock.Now(), time.Minute); len(due) != 1 {
			t.Errorf("%d actions", len(due))
		}
	}},
	{"what was claimed and not committed comes again after a restart", func(t *testing.T, f *fixture) {
		f.append(f.event("sam", "1"), f.event("sam", "2"), f.event("sam", "3"))
		p := f.partition("sam")
		before := f.env.Inbox(p, "a")
		claimed, err := before.Claim(f.ctx, 2, 0)
		if err != nil || len(claimed) != 2 {
			t.Fatalf("%v %v", claimed, err)
		}
		after := f.env.Inbox(p, "a")
		again := f.claim(after)
		if len(again) != 2 || again[0].MessageID != "1" || again[1].MessageID != "2" {
			t.Errorf("claimed again %v", again)
		}
		f.commit(after, again...)
		if rest := f.claim(after); len(rest) != 1 || rest[0].MessageID != "3" {
			t.Errorf("the rest %v", rest)
		}
	}},
	{"what a dead process claimed is taken over, in order", func(t *testing.T, f *fixture) {
		f.append(f.event("sam", "1"), f.event("sam", "2"))
		p := f.partition("sam")
		if claimed := f.claim(f.env.Inbox(p, "dead")); len(claimed) != 2 {
			t.Fatalf("claimed %v", claimed)
		}
		f.append(f.event("sam", "3"))
		heir := f.env.Inbox(p, "heir")
		if early := f.claim(heir); len(early) != 0 {
			t.Errorf("taken from a live process: %v", early)
		}
		claimed := f.await(heir)
		if len(claimed) != 2 || claimed[0].MessageID != "1" || claimed[1].MessageID != "2" {
			t.Errorf("claimed %v", claimed)
		}
		f.commit(heir, claimed...)
		if claimed := f.claim(heir); len(claimed) != 1 || claimed[0].MessageID != "3" {
			t.Errorf("then %v", claimed)
		}
	}},
	{"a process that lost its partition can neither claim nor commit", func(t *testing.T, f *fixture) {
		f.append(f.event("sam", "1"))
		p := f.partition("sam")
		slow := f.env.Inbox(p, "slow")
		event := f.claim(slow)[0]
		heir := f.env.Inbox(p, "heir")
		f.await(heir)
		late := verdict(event, f.clock.Now(), 1)
		if err := slow.Commit(f.ctx, []*engine.Verdict{late}); err != nil || late.Committed {
			t.Errorf("committed %v, %v", late.Committed, err)
		}
		if record, err := f.log.Event(f.ctx, f.name, event.ID); err != nil || record.Outcome != engine.OutcomePending {
			t.Errorf("%+v %v", record, err)
		}
		v := verdict(event, f.clock.Now(), 1)
		if err := heir.Commit(f.ctx, []*engine.Verdict{v}); err != nil || !v.Committed {
			t.Errorf("the owner's verdict: %v %v", v.Committed, err)
		}
		f.append(f.event("sam", "2"))
		if claimed := f.claim(slow); len(claimed) != 0 {
			t.Errorf("it claims what it can not commit: %v", claimed)
		}
	}},
	{"two live processes share the partitions", func(t *testing.T, f *fixture) {
		consumers := map[string][]engine.Inbox{"a": f.inboxes(f.env, "a"), "b": f.inboxes(f.env, "b")}
		shares := map[string]map[int]bool{"a": {}, "b": {}}
		appended, seen := 0, 0
		for deadline := time.Now().Add(10 * time.Second); len(shares["b"]) < 2 || seen < appended; {
			if time.Now().After(deadline) {
				t.Fatalf("%d of %d events, shares %v", seen, appended, shares)
			}
			for len(shares["b"]) < 2 && appended < seen+8 {
				f.append(f.event(fmt.Sprint("user", appended), ""))
				appended++
			}
			for name, inboxes := range consumers {
				for p, inbox := range inboxes {
					seen += f.decideAll(inbox, func() { shares[name][p] = true })
				}
			}
		}
	}},
	{"a vanished group is made again", func(t *testing.T, f *fixture) {
		first := f.decide(1, f.event("sam", "1"))
		f.append(f.event("sam", "2"))
		p := f.partition("sam")
		inbox := f.env.Inbox(p, "decider")
		f.claim(inbox)
		client := f.client()
		if err := client.XGroupDestroy(f.ctx, f.slice(p)+"events", "router").Err(); err != nil {
			t.Fatal(err)
		}
		claimed := f.await(inbox)
		if len(claimed) != 1 || claimed[0].MessageID != "2" {
			t.Errorf("claimed %v; the first was %v", claimed, first[0].Event.ID)
		}
		v := verdict(claimed[0], f.clock.Now(), 0)
		if err := inbox.Commit(f.ctx, []*engine.Verdict{v}); err != nil || !v.Committed {
			t.Errorf("committed %v, %v", v.Committed, err)
		}
		if n := client.XPending(f.ctx, f.slice(p)+"events", "router").Val().Count; n != 0 {
			t.Errorf("%d entries stay pending", n)
		}
	}},
	{"an event deleted while it is pending does not spin", func(t *testing.T, f *fixture) {
		f.tampered = true
		event := f.event("sam", "1")
		f.append(event)
		p := f.partition("sam")
		inbox := f.env.Inbox(p, "a")
		claimed := f.claim(inbox)
		if err := f.client().XDel(f.ctx, f.slice(p)+"events", event.ID[len("e0-"):]).Err(); err != nil {
			t.Fatal(err)
		}
		f.append(f.event("sam", "2"))
		heir := f.env.Inbox(p, "a")
		if rest := f.await(heir); len(rest) != 1 || rest[0].MessageID != "2" {
			t.Errorf("claimed %v after %v", rest, claimed)
		}
	}},
	{"a partition that is left is another's at once", func(t *testing.T, f *fixture) {
		f.append(f.event("sam", "1"), f.event("sam", "2"))
		p := f.partition("sam")
		leaver, heir := f.env.Inbox(p, "leaver"), f.env.Inbox(p, "heir")
		if claimed, err := leaver.Claim(f.ctx, 1, 0); err != nil || len(claimed) != 1 {
			t.Fatalf("%v %v", claimed, err)
		}
		leaver.Leave(f.ctx)
		if claimed := f.claim(heir); len(claimed) != 1 || claimed[0].MessageID != "1" {
			t.Errorf("what it had claimed comes first: %v", claimed)
		}
		if n := f.client().ZCard(f.ctx, redislog.MembersKey(f.name)).Val(); n != 1 {
			t.Errorf("%d members", n)
		}
		f.append(f.event("sam", "3"))
		if claimed := f.claim(leaver); len(claimed) != 0 {
			t.Errorf("it claims in another's partition: %v", claimed)
		}
	}},
	{"a claim that waits ends with its context", func(t *testing.T, f *fixture) {
		inbox := f.env.Inbox(0, "a")
		f.claim(inbox)
		ctx, cancel := context.WithCancel(f.ctx)
		time.AfterFunc(50*time.Millisecond, cancel)
		if events, err := inbox.Claim(ctx, 1, time.Minute); len(events) != 0 || !errors.Is(err, context.Canceled) {
			t.Errorf("%v %v", events, err)
		}
	}},
	{"a dead process does not keep its partitions when the clock of Redis is set back", func(t *testing.T, f *fixture) {
		f.append(f.event("sam", "1"))
		p := f.partition("sam")
		f.claim(f.env.Inbox(p, "dead"))
		// What its life and its lease look like to a server whose clock was two hours ahead just now.
		client, late := f.client(), float64(time.Now().Add(2*time.Hour).UnixMilli())
		if err := client.ZAdd(f.ctx, redislog.MembersKey(f.name), redis.Z{Score: late, Member: "dead"}).Err(); err != nil {
			t.Fatal(err)
		}
		if err := client.PExpire(f.ctx, f.slice(p)+"owner", 2*time.Hour).Err(); err != nil {
			t.Fatal(err)
		}
		if claimed := f.await(f.env.Inbox(p, "heir")); len(claimed) != 1 {
			t.Errorf("claimed %v", claimed)
		}
	}},
	{"an event of another partition is refused", func(t *testing.T, f *fixture) {
		event := f.event("sam", "1")
		f.append(event)
		other := f.env.Inbox((f.partition("sam")+1)%4, "a")
		if err := other.Commit(f.ctx, []*engine.Verdict{verdict(event, f.clock.Now(), 0)}); err == nil || errors.Is(err, engine.ErrUnavailable) {
			t.Errorf("error %v", err)
		}
	}},
}

// commit decides events that were claimed, without actions.
func (f *fixture) commit(inbox engine.Inbox, events ...*engine.Event) {
	f.t.Helper()
	var verdicts []*engine.Verdict
	for _, event := range events {
		verdicts = append(verdicts, verdict(event, f.clock.Now(), 0))
	}
	if err := inbox.Commit(f.ctx, verdicts); err != nil {
		f.t.Fatal(err)
	}
}

// decideAll commits what one claim brings, and returns how many events that decided.
func (f *fixture) decideAll(inbox engine.Inbox, decided func()) (n int) {
	f.t.Helper()
	for _, event := range f.claim(inbox) {
		v := verdict(event, f.clock.Now(), 0)
		if err := inbox.Commit(f.ctx, []*engine.Verdict{v}); err != nil {
			f.t.Fatal(err)
		}
		if v.Committed {
			decided()
			n++
		}
	}
	return n
}
