package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"switchyard/engine/redislog/redistest"
)

// TestBenchTableOfProcesses posts to one process and to three that share one Redis, and prints what came through, what it
// cost Redis, and why: `make bench`. Senders, processes and Redis share the cores of one machine, so three processes show
// what sharing costs; what they add shows on machines of their own.
func TestBenchTableOfProcesses(t *testing.T) {
	if os.Getenv("SWITCHYARD_BENCH") == "" {
		t.Skip("a benchmark: make bench runs it")
	}
	binary := buildBinary(t)
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "\nend to end, 1 event in 10 matches, Redis with AOF every second\taccepted/s\tp50 ms\tp99 ms\tdone/s\tcommands an event\tbytes to Redis\tfrom Redis\tAOF\tmemory\t\n")
	var costs []cost
	for _, n := range []int{1, 3} {
		c := endToEnd(t, binary, n)
		name := "one process"
		if n > 1 {
			name = strconv.Itoa(n) + " processes"
		}
		fmt.Fprintf(table, "%s\t%.0f\t%.2f\t%.2f\t%.0f\t%.1f\t%.0f\t%.0f\t%.0f\t%.0f\t\n", name, c.rate, c.p50.Seconds()*1e3, c.p99.Seconds()*1e3,
			c.done, c.total(), c.in, c.out, c.aof, c.memory)
		costs = append(costs, c)
	}
	fmt.Fprintf(table, "\nRedis commands an event, those of scripts included\tone process\tthree\t  why\n")
	for _, command := range slices.Sorted(maps.Keys(costs[0].commands)) {
		if costs[0].commands[command] < 0.005 && costs[1].commands[command] < 0.005 {
			continue
		}
		why := reasons[command]
		if why == "" {
			t.Errorf("nobody knows why %s is called", command)
		}
		fmt.Fprintf(table, "%s\t%.2f\t%.2f\t  %s\n", command, costs[0].commands[command], costs[1].commands[command], why)
	}
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
}

// reasons are why each command is called on the road of an event.
var reasons = map[string]string{
	"evalsha":          "one for each event appended; one for a batch of claims, of commits; one for each action taken and recorded",
	"xadd":             "the event; each action that it asks for; the run",
	"hmget":            "whether the message id was seen; the directory's profile",
	"hset":             "the message id; the decision; the state of each action, twice; the profile",
	"pexpire":          "the lease of the partition, with each claim and commit",
	"zadd":             "the event in the user's index; the lane in the schedule, when it is queued, taken and moved on",
	"hincrby":          "the counts of conservation: accepted with each event, the others once a batch",
	"get":              "the fencing token of the partition, with each claim and commit; the state of a reverse-ETL row",
	"xpending":         "whether something was claimed and not committed, before anything new is claimed",
	"xreadgroup":       "a batch of events",
	"xread":            "waiting for the next event",
	"hexists":          "that an event is decided once, at its claim and at its commit",
	"xack":             "the event is decided",
	"xrevrange":        "where to wait when there is nothing",
	"rpush":            "the action joins its lane",
	"zrem":             "the lane leaves the schedule when it is empty; see owner.go on full servers",
	"zrangebyscore":    "lanes that are due",
	"zrange":           "when the next lane is due",
	"lindex":           "the head of a lane",
	"xrange":           "the body of an action that is performed",
	"hget":             "the state of an action, when it is taken and when it is recorded; the number of partitions",
	"lrem":             "the action leaves its lane",
	"exists":           "whether the lane is empty; whether the effect was applied, and the recipients are known",
	"llen":             "how many wait behind a failing action; how many are open",
	"set":              "the effect key of the run and of the profile",
	"xlen":             "metrics and conservation",
	"hlen":             "metrics and conservation; how many names there are",
	"zcard":            "metrics and conservation",
	"hgetall":          "the counts, for conservation",
	"multi":            "go-redis",
	"info":             "this benchmark",
	"ping":             "readiness",
	"hsetnx":           "when a user of the directory was created",
	"zremrangebyscore": "processes that are gone",
	"time":             "the clock that all share",
	"sadd":             "the names of sources",
}

// cost is what an end-to-end run took, in all and of Redis, an event.
type cost struct {
	loadResult
	done                 float64 // events a second until everything had come to rest
	commands             map[string]float64
	in, out, aof, memory float64 // bytes
}

func (c cost) total() (sum float64) {
	for _, n := range c.commands {
		sum += n
	}
	return sum
}

const benchRules = `rules:
  - {key: step, match: type == "track" && name == "user-signed-up" && data.plan == "pro", actions: [{trigger: {workflow: welcome, recipients: properties.recipients}}]}
`

// endToEnd posts for five seconds from 64 connections to so many processes, and waits until all is done.
func endToEnd(t *testing.T, binary string, count int) cost {
	store := redistest.Start(t, "--appendfsync", "everysec", "--auto-aof-rewrite-percentage", "0")
	var processes []*process
	var urls []string
	for range count {
		p := launchWith(t, binary, store.URL(), benchRules)
		processes, urls = append(processes, p), append(urls, p.ingest+"/v1/receive/api-key")
	}
	before := redisFigures(t, store)
	began := time.Now()
	var n atomic.Int64
	result := bombard(t, urls, 5*time.Second, func() []byte {
		i := int(n.Add(1))
		if i%10 == 0 { // the others are what no rule wants
			return track(i)
		}
		return bytes.Replace(track(i), []byte("user-signed-up"), []byte("page-was-read!"), 1)
	})
	events := result.requests
	eventually(t, "rest", func() bool { return atRest(processes[0]) })
	took := time.Since(began)
	after := redisFigures(t, store)
	of := func(name string) float64 { return (after[name] - before[name]) / float64(events) }
	c := cost{loadResult: result, done: float64(events) / took.Seconds(), commands: map[string]float64{},
		in: of("total_net_input_bytes"), out: of("total_net_output_bytes"), aof: of("aof_current_size"), memory: of("used_memory")}
	for name := range after {
		if command, ok := strings.CutPrefix(name, "cmdstat_"); ok {
			c.commands[command] = of(name)
		}
	}
	for _, p := range processes {
		p.kill()
	}
	return c
}

// atRest reports whether everything is decided and done.
func atRest(p *process) bool {
	text, err := fetchText(p.admin + "/metrics")
	return err == nil && strings.Contains(text, `switchyard_pending_events{environment="test"} 0`) &&
		strings.Contains(text, `switchyard_lanes_waiting{environment="test"} 0`)
}

var infoLines = regexp.MustCompile(`(?m)^(cmdstat_\w+|total_net_\w+|aof_current_size|used_memory):(?:calls=)?(\d+)`)

// redisFigures are the calls of each command, and the bytes that went in and out and are kept.
func redisFigures(t *testing.T, store *redistest.Server) map[string]float64 {
	text, _ := redisDo(t, store, "INFO", "everything").(string)
	figures := map[string]float64{}
	for _, line := range infoLines.FindAllStringSubmatch(text, -1) {
		figures[line[1]], _ = strconv.ParseFloat(line[2], 64)
	}
	return figures
}
