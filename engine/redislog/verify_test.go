package redislog_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/engine"
	"switchyard/engine/redislog"
)

var verifyContract = []contract{
	{"a sound log has no findings", func(t *testing.T, f *fixture) {
		f.busy()
		if got := f.findings(); len(got) != 0 {
			t.Errorf("found %v", got)
		}
	}},
	{"each loss is found and named", func(t *testing.T, f *fixture) {
		f.tampered = true
		for _, loss := range losses {
			g := f.fresh(t)
			slice := g.slice(g.partition("sam"))
			loss.tamper(g, slice, g.busy())
			got := g.findings()
			if !slices.Equal(slices.Sorted(maps.Keys(got)), loss.want) {
				t.Errorf("%s: found %v, want %v", loss.name, got, loss.want)
			}
		}
		f.env.Append(f.ctx, []*engine.Event{f.event("sam", "x")}) // this environment is tampered with, too
		f.client().XTrimMaxLen(f.ctx, f.slice(f.partition("sam"))+"events", 0)
	}},
	{"environments are found with their partitions", func(t *testing.T, f *fixture) {
		odd := &fixture{t: t, ctx: f.ctx, log: f.log, clock: f.clock, name: f.name + ":{x} %"}
		odd.open(f.log, 3)
		found, err := f.log.Environments(f.ctx)
		if err != nil || found[f.name] != 4 || found[odd.name] != 3 {
			t.Errorf("%v %v", found, err)
		}
		f.append(f.event("}:meta", "}:meta")) // whose keys look like those of an environment
		if again, err := f.log.Environments(f.ctx); err != nil || !maps.Equal(again, found) {
			t.Errorf("%v %v", again, err)
		}
	}},
	{"an environment in the form of another version is refused", func(t *testing.T, f *fixture) {
		f.client().HSet(f.ctx, "sy:{"+f.name+"-old}:meta", "partitions", 4)
		if _, err := f.log.Environment(f.ctx, f.name+"-old", 4, redislog.EnvOptions{}); err == nil || !strings.Contains(err.Error(), "another version of Switchyard") {
			t.Errorf("%v", err)
		}
	}},
}

// things are ids of entries in a partition: an event that is pending, one that was decided with two actions, of which one
// waits and one succeeded, and one whose action is dead.
type things struct{ claimed, decided, waiting, succeeded, dead string }

// busy leaves some of everything in the partition of sam.
func (f *fixture) busy() (have things) {
	f.t.Helper()
	f.decide(1, f.event("sam", "dead"))
	for _, action := range f.due(f.clock.Now(), time.Minute) {
		f.record(action, engine.StatusDead, time.Time{})
		have.dead = entryID(action.ID)
	}
	decided := f.event("sam", "decided")
	f.decide(2, decided)
	have.decided = entryID(decided.ID)
	for _, action := range f.due(f.clock.Now(), time.Minute) {
		f.record(action, engine.StatusSucceeded, time.Time{})
		have.succeeded = entryID(action.ID)
	}
	lane := f.client().LRange(f.ctx, f.slice(f.partition("sam"))+"lane:u:sam", 0, -1).Val()
	if len(lane) != 1 {
		f.t.Fatalf("in the lane there is %v", lane)
	}
	have.waiting = lane[0]
	f.decide(0, f.event("ann", "1"), f.event("ann", "1"))
	claimed := f.event("sam", "claimed")
	f.append(claimed)
	for _, inbox := range f.inboxes(f.env, "decider") {
		f.claim(inbox)
	}
	f.append(f.event("sam", "new"))
	have.claimed = entryID(claimed.ID)
	return have
}

// entryID is the stream id in one of ours.
func entryID(id string) string {
	_, entry, _ := strings.Cut(id, "-")
	return entry
}

var losses = []struct {
	name   string
	tamper func(f *fixture, slice string, have things)
	want   []string
}{
	{"a pending event is deleted", func(f *fixture, slice string, have things) {
		f.client().XDel(f.ctx, slice+"events", have.claimed)
	}, []string{"events"}},
	{"a claimed event is acknowledged without a decision", func(f *fixture, slice string, have things) {
		f.client().XAck(f.ctx, slice+"events", "router", have.claimed)
	}, []string{"event_lost"}},
	{"a decision is lost", func(f *fixture, slice string, have things) {
		f.client().HDel(f.ctx, slice+"decided", have.decided)
	}, []string{"decisions", "event_lost", "events"}},
	{"a decided event is deleted", func(f *fixture, slice string, have things) {
		f.client().XDel(f.ctx, slice+"events", have.decided)
	}, []string{"decision_orphaned", "events"}},
	{"an action is taken out of its lane", func(f *fixture, slice string, have things) {
		f.client().LRem(f.ctx, slice+"lane:u:sam", 0, have.waiting)
	}, []string{"action_lost", "actions", "lane_empty"}},
	{"a lane is never due", func(f *fixture, slice string, have things) {
		f.client().ZRem(f.ctx, slice+"due", "u:sam")
	}, []string{"actions", "lane_unwatched"}},
	{"an ended action is still in its lane", func(f *fixture, slice string, have things) {
		f.client().RPush(f.ctx, slice+"lane:u:sam", have.succeeded)
	}, []string{"actions", "lane_done"}},
	{"an entry of the action log is deleted", func(f *fixture, slice string, have things) {
		f.client().XDel(f.ctx, slice+"actions", have.succeeded)
	}, []string{"action_blank", "action_log"}},
	{"the state of an action is lost", func(f *fixture, slice string, have things) {
		f.client().HDel(f.ctx, slice+"state", have.succeeded)
	}, []string{"action_forgotten", "action_log", "states"}},
	{"a dead action is not listed", func(f *fixture, slice string, have things) {
		f.client().Del(f.ctx, slice+"dead")
	}, []string{"dead", "dead_unlisted"}},
	{"an action is listed as dead that is not", func(f *fixture, slice string, have things) {
		ms, seq, _ := strings.Cut(have.succeeded, "-")
		f.client().ZAdd(f.ctx, slice+"dead", redis.Z{Member: fmt.Sprintf("%s-%06s", ms, seq)})
	}, []string{"dead", "dead_mislisted"}},
	{"the counts are lost", func(f *fixture, slice string, have things) {
		f.client().Del(f.ctx, slice+"counts")
	}, []string{"actions", "dead", "decisions", "events", "states"}},
}

// findings are what a verification finds, by code.
func (f *fixture) findings() map[string][]string {
	f.t.Helper()
	steps := 0
	_, found, err := f.log.Verify(f.ctx, f.name, 4, func() { steps++ })
	if err != nil || steps < 4*6 {
		f.t.Fatalf("%v after %d steps", err, steps)
	}
	byCode := map[string][]string{}
	for _, one := range found {
		if one.Environment != f.name || one.Partition != f.partition("sam") || one.Text == "" {
			f.t.Errorf("%+v", one)
		}
		byCode[one.Code] = append(byCode[one.Code], one.ID)
	}
	return byCode
}
