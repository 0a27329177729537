package redislog_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"switchyard/engine"
	"switchyard/engine/redislog"
	"switchyard/engine/redislog/redistest"
)

// What happens when a master dies and its replica takes over, and what an acknowledgement by a replica is worth then.

// mostRecovery is how long a partition may be without a master, its failover included.
const mostRecovery = 15 * time.Second

// replicatedFixture acknowledges only what a replica has.
func replicatedFixture(t *testing.T, url string) *fixture {
	t.Helper()
	clock := &clock{}
	f := &fixture{t: t, ctx: context.Background(), clock: clock}
	f.log = openWith(t, redislog.Options{URL: url, Now: clock.Now, Lease: testLease, Replicated: true})
	return f.fresh(t)
}

// insist appends as a sender does: until it is acknowledged.
func (f *fixture) insist(event *engine.Event) {
	f.t.Helper()
	for deadline := time.Now().Add(2 * mostRecovery); ; time.Sleep(20 * time.Millisecond) {
		err := f.env.Append(f.ctx, []*engine.Event{event})
		if err == nil {
			return
		}
		if !errors.Is(err, engine.ErrUnavailable) || event.ID != "" {
			f.t.Errorf("an append that is not acknowledged: %v, id %q", err, event.ID)
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("the append is not acknowledged: %v", err)
		}
	}
}

// refused wants an append that is not acknowledged, in good time.
func (f *fixture) refused(event *engine.Event) {
	f.t.Helper()
	began := time.Now()
	err := f.env.Append(f.ctx, []*engine.Event{event})
	if !errors.Is(err, engine.ErrUnavailable) || event.ID != "" {
		f.t.Errorf("%v, id %q", err, event.ID)
	}
	if took := time.Since(began); took > 4*time.Second {
		f.t.Errorf("it took %v to refuse an event", took)
	}
}

// kept wants each event on the log.
func (f *fixture) kept(events []*engine.Event) {
	f.t.Helper()
	for _, event := range events {
		if record, err := f.log.Event(f.ctx, f.name, event.ID); err != nil || record.MessageID != event.MessageID {
			f.t.Errorf("%s, which was acknowledged as %s: %v", event.MessageID, event.ID, err)
		}
	}
}

func TestWhatAReplicaHasSurvivesTheMaster(t *testing.T) {
	cluster := redistest.StartReplicated(t)
	f := replicatedFixture(t, cluster.URL())
	var senders sync.WaitGroup
	var mu sync.Mutex
	var acknowledged []*engine.Event
	over := make(chan struct{})
	for s := range 8 {
		senders.Go(func() {
			for n := 0; ; n++ {
				event := f.event(fmt.Sprint("user", s), fmt.Sprintf("m%d-%d", s, n))
				f.insist(event)
				mu.Lock()
				acknowledged = append(acknowledged, event)
				mu.Unlock()
				select {
				case <-over:
					return
				default:
				}
			}
		})
	}
	time.Sleep(500 * time.Millisecond)
	key := f.slice(f.partition("user0")) + "events"
	victim := cluster.MasterOf(key)
	killed := time.Now()
	victim.Kill()
	cluster.AwaitMaster(key)
	victim.Restart() // as a replica by now, which its shard needs to acknowledge anything
	f.insist(f.event("user0", "afterwards"))
	took := time.Since(killed)
	close(over)
	senders.Wait()
	if took > mostRecovery {
		t.Errorf("it took %v from the death of the master to the next acknowledgement", took)
	}
	f.kept(acknowledged)
	t.Logf("%d events acknowledged; the first after the death of the master came after %.1f s", len(acknowledged), took.Seconds())
}

func TestWithoutAReplicaNothingIsAcknowledged(t *testing.T) {
	master := redistest.Start(t, "--repl-diskless-sync-delay", "0")
	f := replicatedFixture(t, master.URL())
	lonely := f.event("sam", "m")
	f.refused(lonely)
	if found, err := f.env.Inbox(f.partition("sam"), "x").Claim(f.ctx, 10, 0); !errors.Is(err, engine.ErrUnavailable) || len(found) > 0 {
		t.Errorf("an event that a failover would lose is decided: %v %v", found, err)
	}
	_, err := f.log.Directory().Change(f.ctx, f.name, "sam", "effect", func(known map[string]any) (map[string]any, error) { return known, nil })
	if !errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("the directory says that it is done: %v", err)
	}

	replica := redistest.StartReplica(t, master)
	f.insist(lonely)
	if lonely.DuplicateOf == "" {
		t.Error("the repeat is not recognised")
	}
	applied, err := f.log.Directory().Change(f.ctx, f.name, "sam", "effect", func(map[string]any) (map[string]any, error) {
		t.Error("the effect is applied again")
		return nil, nil
	})
	if applied || err != nil {
		t.Errorf("the repeat of the effect: %v %v", applied, err)
	}
	inbox := f.env.Inbox(f.partition("sam"), "x")
	if found := f.await(inbox); len(found) != 1 || found[0].MessageID != "m" {
		t.Errorf("claimed %v", found)
	}

	replica.Freeze() // it is connected, and confirms nothing
	f.refused(f.event("sam", "m2"))
	replica.Thaw()
	f.insist(f.event("sam", "m3"))
}

func TestReplicatedNeedsAReplica(t *testing.T) {
	if log, err := redislog.Open(context.Background(), redislog.Options{Replicated: true}); err == nil {
		log.Close()
		t.Error("the embedded store has replicas")
	} else if errors.Is(err, engine.ErrUnavailable) || !strings.Contains(err.Error(), "no replica") {
		t.Error(err)
	}
}

// A master hands over in good order, and answers MOVED to those who do not know yet: nobody needs to send again. Then one
// master of several loses its replica, and the others acknowledge.
func TestMastersAndReplicasOfAClusterChange(t *testing.T) {
	cluster := redistest.StartReplicated(t)
	f := replicatedFixture(t, cluster.URL())
	f.append(f.event("sam", "before"))
	key := f.slice(f.partition("sam")) + "events"
	next := cluster.ReplicaOf(cluster.MasterOf(key))
	cluster.HandOver(key, next)
	cluster.AwaitHealthy()
	f.append(f.event("sam", "after"))

	users := map[*redistest.Server]string{}
	for n := 0; len(users) < 2; n++ {
		user := fmt.Sprint("user", n)
		users[cluster.MasterOf(f.slice(f.partition(user))+"events")] = user
	}
	var lost, other string
	for master, user := range users {
		if lost == "" {
			cluster.ReplicaOf(master).Kill()
			lost = user
		} else {
			other = user
		}
	}
	events := []*engine.Event{f.event(lost, "1"), f.event(other, "2")}
	if err := f.env.Append(f.ctx, events); !errors.Is(err, engine.ErrUnavailable) || events[0].ID != "" || events[1].ID == "" {
		t.Errorf("%v, ids %q and %q", err, events[0].ID, events[1].ID)
	}
}

func TestASentinelFailsOver(t *testing.T) {
	master := redistest.Start(t, "--repl-diskless-sync-delay", "0")
	redistest.StartReplica(t, master)
	redistest.StartReplica(t, master) // one takes over, the other acknowledges
	f := replicatedFixture(t, fmt.Sprintf("redis+sentinel://127.0.0.1:%d/main", redistest.StartSentinel(t, master)))
	var acknowledged []*engine.Event
	for n := range 50 {
		acknowledged = append(acknowledged, f.event("sam", fmt.Sprint("m", n)))
		f.insist(acknowledged[n])
	}
	killed := time.Now()
	master.Kill()
	f.insist(f.event("sam", "afterwards"))
	took := time.Since(killed)
	if took > mostRecovery {
		t.Errorf("it took %v from the death of the master to the next acknowledgement", took)
	}
	f.kept(acknowledged)
	if found := f.await(f.env.Inbox(f.partition("sam"), "x")); len(found) < 51 {
		t.Errorf("%d events claimed", len(found))
	}
	t.Logf("the first acknowledgement after the death of the master came after %.1f s", took.Seconds())
}

// A master whose replica does not answer holds up its own events and no others.
func TestAMasterThatDoesBadlyHoldsUpOnlyItsOwn(t *testing.T) {
	cluster := redistest.StartReplicated(t)
	f := replicatedFixture(t, cluster.URL())
	sick := cluster.MasterOf(f.slice(f.partition("sam")) + "events")
	var well string // a user of another master
	for n := 0; well == ""; n++ {
		if user := fmt.Sprint("user", n); cluster.MasterOf(f.slice(f.partition(user))+"events") != sick {
			well = user
		}
	}
	accepted := func(user string) (ok, refused int64) {
		var good, bad atomic.Int64
		var senders sync.WaitGroup
		for range 16 {
			senders.Go(func() {
				for end := time.Now().Add(2 * time.Second); time.Now().Before(end); {
					if f.env.Append(f.ctx, []*engine.Event{f.event(user, "")}) == nil {
						good.Add(1)
					} else {
						bad.Add(1)
					}
				}
			})
		}
		senders.Wait()
		return good.Load(), bad.Load()
	}
	before, _ := accepted(well)
	replica := cluster.ReplicaOf(sick)
	replica.Freeze()
	defer replica.Thaw()
	var senders sync.WaitGroup
	senders.Go(func() { accepted("sam") })
	beside, refused := accepted(well)
	senders.Wait()
	t.Logf("%d events of a healthy master in two seconds, %d beside a sick one", before, beside)
	if refused > 0 || beside < before/4 {
		t.Errorf("%d refused, %d accepted where there were %d", refused, beside, before)
	}
}
