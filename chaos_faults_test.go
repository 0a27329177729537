package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"
)

// fault is something that befalls a storm.
type fault string

const (
	killProcess  fault = "kill -9"
	stopProcess  fault = "SIGSTOP"
	killRedis    fault = "Redis kill -9"
	cutOff       fault = "connections cut"
	drainProcess fault = "SIGTERM"
	reloadRules  fault = "SIGHUP"
)

// deck is how often each fault comes among the others. It is shuffled, dealt to the end and shuffled again, so that every
// kind comes in every storm that is long enough.
type deck map[fault]int

var (
	anyFault    = deck{killProcess: 6, stopProcess: 3, killRedis: 1, cutOff: 1, drainProcess: 1, reloadRules: 1}
	mostlyStops = deck{stopProcess: 4, killProcess: 1}
	mostlyKills = deck{killProcess: 4, cutOff: 1}
)

// shuffled is the deck in a random order, which is the same for the same source of chance.
func (d deck) shuffled(random *rand.Rand) []fault {
	var faults []fault
	for _, kind := range slices.Sorted(maps.Keys(d)) {
		faults = append(faults, slices.Repeat([]fault{kind}, d[kind])...)
	}
	random.Shuffle(len(faults), func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
	return faults
}

// weather is what befell a storm.
type weather struct {
	count map[fault]int
	// over is when each was over; from then on things should get better.
	over []time.Time
	// deaths are when masters of a cluster were killed or stopped.
	deaths []time.Time
	// stops are the spans for which processes were stopped.
	stops []span
	// restored is when the last of them came back.
	restored time.Time
}

// span is from a moment to another.
type span struct{ from, to time.Time }

// within is how much of the span lies in another.
func (s span) within(other span) time.Duration {
	from, to := s.from, s.to
	if from.Before(other.from) {
		from = other.from
	}
	if to.After(other.to) {
		to = other.to
	}
	return max(to.Sub(from), 0)
}

func (w weather) String() string {
	text := fmt.Sprintf("%d kills, %d stops, %d Redis restarts, %d cuts, %d drains, %d reloads", w.count[killProcess],
		w.count[stopProcess], w.count[killRedis], w.count[cutOff], w.count[drainProcess], w.count[reloadRules])
	if len(w.deaths) > 0 {
		text += fmt.Sprintf(", %d masters killed, %d masters stopped", w.count[killMaster]+w.count[killLonely], w.count[freezeMaster])
	}
	return text
}

// befall lets fault after fault come until the storm is over; then everything runs.
func (s *storm) befall() {
	random := s.random(1)
	s.weather.count = map[fault]int{}
	end := time.Now().Add(s.length)
	for {
		for _, kind := range s.kinds.shuffled(random) {
			if time.Now().After(end) {
				return
			}
			time.Sleep(between(random, 200*time.Millisecond, 1200*time.Millisecond))
			s.fault(kind, random)
			s.weather.over = append(s.weather.over, time.Now())
		}
	}
}

func between(random *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(random.Int64N(int64(most-least)))
}

func (s *storm) fault(kind fault, random *rand.Rand) {
	s.weather.count[kind]++
	process := s.processes[random.IntN(len(s.processes))]
	other := s.processes[(process.n+1)%len(s.processes)]
	switch kind {
	case killProcess:
		process.kill()
		time.Sleep(between(random, 0, time.Second))
		process.start()
	case stopProcess:
		s.stop(process, other, random)
	case killRedis:
		s.redis.Kill()
		if random.IntN(3) == 0 {
			s.weather.count[killProcess]++
			process.kill()
			process.start()
		}
		time.Sleep(between(random, 0, 1500*time.Millisecond))
		s.redis.Restart()
	case killMaster, killLonely, freezeMaster:
		s.loseMaster(kind, random)
	case cutOff:
		redisDo(s.t, s.redis, "CLIENT", "KILL", "TYPE", "normal")
	case drainProcess:
		process.awaitReady(30 * time.Second) // before, a signal just ends it
		process.drain()
		process.start()
	case reloadRules:
		process.awaitReady(30 * time.Second)
		process.signal(syscall.SIGHUP)
	}
}

// stop holds a process for longer than the lease of a partition, and now and then than that of a lane. Another may be
// killed meanwhile, so that what both had is left to the third.
func (s *storm) stop(process, other *stormProcess, random *rand.Rand) {
	length := between(random, 1200*time.Millisecond, 2500*time.Millisecond)
	if random.IntN(6) == 0 {
		length += 5 * time.Second
	}
	began := time.Now()
	process.signal(syscall.SIGSTOP)
	if random.IntN(3) == 0 {
		time.Sleep(length / 3)
		s.weather.count[killProcess]++
		other.kill()
		other.start()
		length -= length / 3
	}
	time.Sleep(length)
	process.signal(syscall.SIGCONT)
	s.weather.stops = append(s.weather.stops, span{began, time.Now()})
}
