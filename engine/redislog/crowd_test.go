package redislog_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/engine"
	"switchyard/engine/redislog"
	"switchyard/engine/redislog/redistest"
)

// What many partitions, each with a reader that waits, do to each other.

// slowest sends events to every environment, a few at a time, and is the longest that one took to be acknowledged and
// to be decided.
func (p *plant) slowest(from, to int) (acked, decided time.Duration) {
	var mu sync.Mutex
	var group sync.WaitGroup
	for env := range p.envs {
		group.Go(func() {
			for n := from; n < to; n++ {
				began := time.Now()
				event, err := p.send(env, n)
				if err != nil {
					p.t.Error(err)
					return
				}
				took := time.Since(began)
				for deadline := began.Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
					record, err := p.log.Event(p.ctx, p.names[env], event.ID)
					if err == nil && record.Outcome != engine.OutcomePending {
						mu.Lock()
						acked, decided = max(acked, took), max(decided, record.DecidedAt.Sub(event.ReceivedAt))
						mu.Unlock()
						break
					}
					if time.Now().After(deadline) {
						p.t.Errorf("%s of %s is not decided: %v", event.ID, p.names[env], err)
						return
					}
				}
			}
		})
	}
	group.Wait()
	return acked, decided
}

func TestManyEnvironmentsDoNotStarveEachOther(t *testing.T) {
	server := redistest.Start(t, "--appendfsync", "no")
	p := newPlant(t, redislog.Options{URL: server.URL()}, 40, 8)
	p.slowest(0, 2) // every partition has an owner
	acked, decided := p.slowest(2, 6)
	t.Logf("40 environments of 8 partitions: at most %v to be acknowledged, %v to be decided", acked, decided)
	if acked > 2*time.Second || decided > 5*time.Second {
		t.Errorf("acknowledged after up to %v, decided after up to %v", acked, decided)
	}
	p.settled(40 * 6)
}

// With fewer connections than partitions, those that find none to wait on look now and then.
func TestMorePartitionsThanConnections(t *testing.T) {
	server := redistest.Start(t, "--appendfsync", "no")
	p := newPlant(t, redislog.Options{URL: server.URL(), PoolSize: 8}, 4, 16)
	p.slowest(0, 2)
	acked, decided := p.slowest(2, 6)
	t.Logf("64 partitions on 8 connections: at most %v to be acknowledged, %v to be decided", acked, decided)
	if decided > 5*time.Second {
		t.Errorf("decided after up to %v", decided)
	}
	p.settled(4 * 6)
	if n := p.errors.Load(); n != 0 {
		t.Errorf("%d errors", n)
	}
}

// commands is how often a server was asked, by the commands of clients and by those inside scripts as well.
func commands(t *testing.T, client redis.UniversalClient) (asked, all int) {
	t.Helper()
	stats, err := client.Info(context.Background(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(stats) {
		name, rest, _ := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":calls=")
		count, _, _ := strings.Cut(rest, ",")
		n, _ := strconv.Atoi(count)
		switch all += n; name {
		case "eval", "evalsha", "xread":
			asked += n
		}
	}
	return asked, all
}

// A process that has nothing to do asks little: of each partition a look at its events, a wait for new ones and a look at
// its lanes every second, and for each environment that it lives twice a second.
func TestAnIdleProcessAsksLittle(t *testing.T) {
	const environments, partitions = 4, 8
	const askedMost, allMost = 5, 20 // a second and partition
	server := redistest.Start(t, "--appendfsync", "no")
	p := newPlant(t, redislog.Options{URL: server.URL()}, environments, partitions)
	p.slowest(0, 3)
	p.settled(environments * 3)
	asked, all := commands(t, p.log.Client())
	began := time.Now()
	p.eventually("a few seconds have passed", func() bool { return time.Since(began) > 3*time.Second })
	askedThen, allThen := commands(t, p.log.Client())
	each := time.Since(began).Seconds() * environments * partitions
	t.Logf("idle, a second and partition: asked %.1f times, %.1f commands in all", float64(askedThen-asked)/each, float64(allThen-all)/each)
	if float64(askedThen-asked) > askedMost*each || float64(allThen-all) > allMost*each {
		t.Errorf("in %.0f seconds of partitions: asked %d times, %d commands in all", each, askedThen-asked, allThen-all)
	}
}
