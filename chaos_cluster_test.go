package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/engine/redislog/redistest"
)

// The chaos test on a Redis Cluster of three masters with a replica each, with `ack: replicated`: what was acknowledged
// survives the death of its master, and nothing is done under two keys because of it.
//
//	make chaos-cluster                  20 minutes with a new seed
//	make chaos-cluster CHAOS=5m SEED=7  so long, with that seed

const (
	killMaster   fault = "master kill -9"
	killLonely   fault = "master kill -9 while its replica lags"
	freezeMaster fault = "master SIGSTOP"
)

var mastersDie = deck{killMaster: 2, killLonely: 2, freezeMaster: 1, killProcess: 3, stopProcess: 2}

// mostRecovery is how long after the death of a master every user must be served again, not counting the time for which a
// process was stopped on top of it; sharedRecovery is the same where other tests have the same cores at the same time.
const mostRecovery, sharedRecovery = 15 * time.Second, time.Minute

// betweenDeaths is from the return of a master to the death of the next, at least.
const betweenDeaths = 4 * time.Second

func TestChaosCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("a storm takes its time")
	}
	length := 12 * time.Second
	if os.Getenv("CI") == "true" {
		length = 40 * time.Second
	}
	s := newStorm(t, stormOptions{seed: stormSeed(t), length: stormLength(t, length), kinds: mastersDie, replicated: true})
	s.run()
	took, most := s.recoveries(), sharedRecovery
	if os.Getenv("SWITCHYARD_CHAOS") != "" {
		most = mostRecovery
	}
	for n, recovery := range took {
		from, stopped := s.weather.deaths[n], time.Duration(0)
		for _, stop := range s.weather.stops {
			stopped += stop.within(span{from, from.Add(recovery)})
		}
		if recovery-stopped > most {
			s.found.add(notSettled, "it took %s from the death of a master, the %d. of %d, until every user was served again", recovery.Round(time.Millisecond), n+1, len(took))
		}
	}
	s.found.report(t)
	t.Log(s.summary())
	t.Logf("from the death of a master until every user was served again: %s", inSeconds(took))
}

// The storm is worth something only if it loses what no replica had.
func TestChaosClusterIsProven(t *testing.T) {
	if testing.Short() {
		t.Skip("a storm takes its time")
	}
	s := newStorm(t, stormOptions{seed: stormSeed(t), length: 10 * time.Second, kinds: deck{killLonely: 1}, replicated: true, sabotage: "ack"})
	s.run()
	if s.found.count(notDecided) == 0 {
		t.Errorf("nothing was found of the kind %q", notDecided)
	}
	t.Logf("%s; found %s", s.summary(), cmp.Or(s.found.counts(), "nothing"))
}

func inSeconds(list []time.Duration) (text []string) {
	for _, took := range list {
		text = append(text, fmt.Sprintf("%.1f s", took.Seconds()))
	}
	return text
}

// loseMaster takes a master away until its replica has taken over, and brings it back. It waits until the one before is in
// step again, for two at a time of the same shard may lose what was acknowledged, and then so long that the one recovery
// can be told from the next.
func (s *storm) loseMaster(kind fault, random *rand.Rand) {
	s.cluster.AwaitHealthy()
	time.Sleep(time.Until(s.weather.restored.Add(betweenDeaths)))
	masters := s.cluster.Masters()
	victim := masters[random.IntN(len(masters))]
	switch kind {
	case killMaster:
		victim.Kill()
	case killLonely:
		s.killLonely(victim, random)
	case freezeMaster:
		victim.Freeze()
	}
	s.weather.deaths = append(s.weather.deaths, time.Now())
	if random.IntN(3) == 0 {
		s.weather.count[killProcess]++
		process := s.processes[random.IntN(len(s.processes))]
		process.kill()
		process.start()
	}
	s.cluster.AwaitMasters(victim)
	time.Sleep(between(random, 0, time.Second))
	if kind == freezeMaster {
		victim.Thaw() // it takes itself for the master still, for a moment
	} else {
		victim.Restart()
	}
	s.weather.restored = time.Now()
}

// killLonely kills a master after it has served for a while what its replica did not get.
func (s *storm) killLonely(victim *redistest.Server, random *rand.Rand) {
	replica := s.cluster.ReplicaOf(victim)
	replica.Freeze() // first, so that it can not come back at once
	victim.DropReplicas()
	time.Sleep(between(random, 200*time.Millisecond, time.Second))
	victim.Kill()
	replica.Thaw()
}

// recoveries are, for each death of a master, how long it took until a message of every user that came after it was
// acknowledged and applied. Users who sent nothing more do not count.
func (s *storm) recoveries() (all []time.Duration) {
	s.oracle.mu.Lock()
	defer s.oracle.mu.Unlock()
	for _, death := range s.weather.deaths {
		served := map[string]time.Time{}
		for _, m := range s.sent("main") {
			done, ok := s.oracle.applied[s.oracle.keys[place{m.user, m.seq, 0}]]
			if first := served[m.user]; ok && m.acked.After(death) && (first.IsZero() || done.at.Before(first)) {
				served[m.user] = done.at
			}
		}
		slowest := time.Duration(0)
		for _, at := range served {
			slowest = max(slowest, at.Sub(death))
		}
		all = append(all, slowest)
	}
	return all
}

// redisDo speaks to the store of the storm, whatever that is.
func (s *storm) redisDo(words ...any) any {
	if s.cluster == nil {
		return redisDo(s.t, s.redis, words...)
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addressesOf(s.cluster.Nodes)})
	defer client.Close()
	reply, err := client.Do(s.t.Context(), words...).Result()
	if err != nil {
		s.t.Fatalf("%v: %v", words, err)
	}
	return reply
}

func addressesOf(servers []*redistest.Server) (addresses []string) {
	for _, server := range servers {
		addresses = append(addresses, fmt.Sprintf("127.0.0.1:%d", server.Port()))
	}
	return addresses
}
