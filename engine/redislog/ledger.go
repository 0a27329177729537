package redislog

import (
	"context"
	"fmt"
	"strconv"

	"switchyard/engine"
)

// ledgerScript reads what the equations of one partition are about, at one moment.
//
// KEYS: 1 events, 2 decided, 3 actions, 4 state, 5 due, 6 dead, 7 counts
//
// ARGV: 1 the prefix of the lane keys, which are of the same hash tag; 2 how many lanes are looked into at most
//
// Returns: {the lengths of KEYS 1, 2, 3, 4 and 6; how many actions are in the lanes, -1 when they are too many to look into;
// the fields and values of the counts}
var ledgerScript = newScript(`
local open = -1
if redis.call('ZCARD', KEYS[5]) <= tonumber(ARGV[2]) then
  open = 0
  for _, lane in ipairs(redis.call('ZRANGE', KEYS[5], 0, -1)) do open = open + redis.call('LLEN', ARGV[1] .. lane) end
end
return {redis.call('XLEN', KEYS[1]), redis.call('HLEN', KEYS[2]), redis.call('XLEN', KEYS[3]), redis.call('HLEN', KEYS[4]),
  redis.call('ZCARD', KEYS[6]), open, redis.call('HGETALL', KEYS[7])}
`)

// ledgerLanes bounds how long one script takes, to a millisecond or so of the server.
const ledgerLanes = 2000

// ledger is what is in a partition, and what was counted of it, at one moment.
type ledger struct {
	events, decisions, actions, states, dead int64
	// inLanes is -1 when there are too many lanes.
	inLanes int64
	counted map[string]int64
}

func ledgerCall(keys slice) *call {
	return &call{
		script: ledgerScript,
		keys:   []string{keys.events(), keys.decided(), keys.actions(), keys.state(), keys.due(), keys.dead(), keys.counts()},
		args:   []any{keys.lanes(), ledgerLanes},
	}
}

func readLedger(c *call) (*ledger, error) {
	reply := c.list()
	if len(reply) != 7 {
		return nil, fmt.Errorf("redis verify: unexpected reply %v", c.reply)
	}
	number := func(i int) int64 { n, _ := reply[i].(int64); return n }
	l := &ledger{number(0), number(1), number(2), number(3), number(4), number(5), map[string]int64{}}
	fields := texts(reply[6])
	for i := 0; i+1 < len(fields); i += 2 {
		n, err := strconv.ParseInt(fields[i+1], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("redis verify: the count %q is %q", fields[i], fields[i+1])
		}
		l.counted[fields[i]] = n
	}
	return l, nil
}

// sum adds counts up.
func (l *ledger) sum(prefix string, fields ...string) (sum int64) {
	for _, field := range fields {
		sum += l.counted[prefix+field]
	}
	return sum
}

var (
	outcomes = []string{string(engine.OutcomeMatched), string(engine.OutcomeUnmatched), string(engine.OutcomeDuplicate), string(engine.OutcomeInvalid)}
	ends     = []string{string(engine.StatusSucceeded), string(engine.StatusSkipped), string(engine.StatusDead)}
	unended  = []string{string(engine.StatusWaiting), string(engine.StatusRetrying)}
)

func (l *ledger) accepted() int64 { return l.counted["accepted"] - l.counted["removed:pending"] }
func (l *ledger) pending() int64  { return l.events - l.decisions }
func (l *ledger) planned() int64  { return l.counted["planned"] - l.sum("dropped:", unended...) }

func (l *ledger) open() int64 {
	if l.inLanes < 0 {
		return l.counted["open"]
	}
	return l.inLanes
}

// conservation lists the equations of a partition. Each has figures on its two sides that different scripts have written, or
// that were counted on one side and are there on the other.
func (l *ledger) conservation(partition int) engine.Conservation {
	count := func(field string) int64 { return l.counted[field] }
	return engine.Conservation{
		Partition: partition,
		Events: engine.EventTotals{Accepted: l.accepted(), Matched: count("matched"), Unmatched: count("unmatched"),
			Duplicate: count("duplicate"), Invalid: count("invalid"), Pending: l.pending()},
		Actions: engine.ActionTotals{Planned: l.planned(), Succeeded: count("succeeded"), Skipped: count("skipped"),
			Dead: count("dead"), Open: l.open()},
		Equations: []engine.Equation{
			{Name: "events", Text: "accepted = matched + unmatched + duplicate + invalid + pending",
				Left: l.accepted(), Right: l.sum("", outcomes...) + l.pending()},
			{Name: "decisions", Text: "decisions kept = events decided - events removed",
				Left: l.decisions, Right: l.sum("", outcomes...) - l.sum("removed:", outcomes...)},
			{Name: "actions", Text: "planned = succeeded + skipped + dead + open",
				Left: l.planned(), Right: l.sum("", ends...) + l.open()},
			{Name: "states", Text: "states kept = actions planned - actions removed",
				Left: l.states, Right: count("planned") - l.sum("dropped:", ends...) - l.sum("dropped:", unended...)},
			{Name: "action_log", Text: "entries of the action log = states kept", Left: l.actions, Right: l.states},
			{Name: "dead", Text: "dead actions listed = dead - dead removed", Left: l.dead, Right: count("dead") - count("dropped:dead")},
		},
	}
}

// Conservation implements engine.Ledger, in one round trip. Each partition's figures are of one moment.
func (l *Log) Conservation(ctx context.Context, environment string) ([]engine.Conservation, error) {
	e, err := l.environment(environment)
	if err != nil {
		return nil, err
	}
	return l.conservation(ctx, e.slices)
}

func (l *Log) conservation(ctx context.Context, partitions []slice) ([]engine.Conservation, error) {
	calls := make([]*call, len(partitions))
	for p, keys := range partitions {
		calls[p] = ledgerCall(keys)
	}
	if err := l.run(ctx, "verify", calls...); err != nil {
		return nil, err
	}
	all := make([]engine.Conservation, len(calls))
	for p, c := range calls {
		ledger, err := readLedger(c)
		if err != nil {
			return nil, err
		}
		all[p] = ledger.conservation(p)
	}
	return all, nil
}
