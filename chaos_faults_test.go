package main

import (
	"fmt"
	"math/rand/v2"
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

// faultWeight is how often a fault comes among the others.
type faultWeight struct {
	fault  fault
	weight int
}

var (
	anyFault = []faultWeight{
		{killProcess, 45}, {stopProcess, 20}, {killRedis, 10}, {cutOff, 10}, {drainProcess, 8}, {reloadRules, 7},
	}
	mostlyStops = []faultWeight{{stopProcess, 8}, {killProcess, 1}, {cutOff, 1}}
	mostlyKills = []faultWeight{{killProcess, 6}, {stopProcess, 1}, {cutOff, 1}}
)

// weather is what befell a storm.
type weather struct {
	count map[fault]int
	// over is when each was over; from then on things should get better.
	over []time.Time
}

func (w weather) String() string {
	return fmt.Sprintf("%d kills, %d stops, %d Redis restarts, %d cuts, %d drains, %d reloads", w.count[killProcess],
		w.count[stopProcess], w.count[killRedis], w.count[cutOff], w.count[drainProcess], w.count[reloadRules])
}

// befall lets fault after fault come until the storm is over; then everything runs.
func (s *storm) befall() {
	random := s.random(1)
	s.weather.count = map[fault]int{}
	for end := time.Now().Add(s.length); time.Now().Before(end); {
		time.Sleep(between(random, 300*time.Millisecond, 1800*time.Millisecond))
		s.fault(drawn(random, s.kinds), random)
		s.weather.over = append(s.weather.over, time.Now())
	}
}

func drawn(random *rand.Rand, among []faultWeight) fault {
	total := 0
	for _, one := range among {
		total += one.weight
	}
	draw := random.IntN(total)
	for _, one := range among {
		if draw -= one.weight; draw < 0 {
			return one.fault
		}
	}
	return among[0].fault
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
	case cutOff:
		redisDo(s.t, s.redis, "CLIENT", "KILL", "TYPE", "normal")
	case drainProcess:
		process.drain()
		process.start()
	case reloadRules:
		if process.isReady() { // one that has not come that far has nobody to hear it, and would end
			process.signal(syscall.SIGHUP)
		}
	}
}

// stop holds a process for longer than the lease of a partition, and now and then than that of a lane. Another may be
// killed meanwhile, so that what both had is left to the third.
func (s *storm) stop(process, other *stormProcess, random *rand.Rand) {
	length := between(random, 1200*time.Millisecond, 2500*time.Millisecond)
	if random.IntN(5) == 0 {
		length += 5 * time.Second
	}
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
}
