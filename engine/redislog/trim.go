package redislog

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// trimStep is how many entries one script looks at, which keeps the server for a millisecond or so, and holds their
	// bodies in its memory; trimSteps of them make a call of Trim.
	trimStep, trimSteps = 25, 20
	// trimRuns bounds how many runs go at a time; Redis drops them by whole blocks of about a hundred.
	trimRuns = 10_000
)

// trimCursor is how far down each log of a partition is looked through. What may not go yet stays behind it, and is
// looked at again when it has come to the end of the retention and starts anew.
type trimCursor struct {
	events, actions string
}

// trimEventsScript removes old events that are decided and whose actions are gone, with their places in the indexes: an event
// is there as long as any of its actions, by which the deletion of its user finds them.
//
// KEYS: 1 events, 2 decided, 3 state, 4 counts
//
// ARGV: 1 the id to look from, 2 the id to look to, 3 how many to look at, 4 how many to remove at most; the prefixes of the
// 5 message and 6 user keys, which are of the same hash tag; 7 now, ms; 8 the deduplication window, ms
//
// Returns: {how many were removed, where to look on or ""}
var trimEventsScript = newScript(counting + unindexing + `
local removed, last, most = 0, '', tonumber(ARGV[4])
local found = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', ARGV[3])
for _, entry in ipairs(found) do
  local decision = removed < most and redis.call('HGET', KEYS[2], entry[1])
  if decision then
    local gone = true
    for id in string.gmatch(string.match(decision, '^%a+ ([^ ]*)'), '[^,]+') do
      if redis.call('HEXISTS', KEYS[3], id) == 1 then gone = false end
    end
    if gone then
      redis.call('XDEL', KEYS[1], entry[1])
      redis.call('HDEL', KEYS[2], entry[1])
      unindex(ARGV[5], ARGV[6], entry, padded(entry[1]), tonumber(ARGV[7]), tonumber(ARGV[8]), false)
      removed = removed + 1
      note('removed:' .. string.match(decision, '^%a+'))
    end
  end
end
counted(KEYS[4])
if #found == tonumber(ARGV[3]) then last = '(' .. found[#found][1] end
return {removed, last}
`)

// trimActionsScript removes old actions that have ended.
//
// KEYS: 1 actions, 2 state, 3 dead, 4 counts
//
// ARGV: 1 the id to look from, 2 the id to look to, 3 how many to look at, 4 how many to remove at most
//
// Returns: {how many were removed, where to look on or ""}
var trimActionsScript = newScript(counting + unindexing + `
local removed, last, most = 0, '', tonumber(ARGV[4])
local found = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', ARGV[3])
for _, entry in ipairs(found) do
  local state = redis.call('HGET', KEYS[2], entry[1])
  local status = state and string.match(state, '^%d+ (%a+)')
  if removed < most and not unended(status) then
    redis.call('XDEL', KEYS[1], entry[1])
    redis.call('HDEL', KEYS[2], entry[1])
    redis.call('ZREM', KEYS[3], padded(entry[1]))
    removed = removed + 1
    if status then note('dropped:' .. status) end
  end
end
counted(KEYS[4])
if #found == tonumber(ARGV[3]) then last = '(' .. found[#found][1] end
return {removed, last}
`)

// Trim removes what is older than the retention: actions that have ended (dead ones too), then events that are decided and
// whose actions are gone, and runs of the directory; and of what is left the oldest, while the logs take more than the
// retention's size. What is pending or waiting stays, however old. It does a bounded part of that and returns how many
// entries it removed; call it again while that is not 0.
func (l *Log) Trim(ctx context.Context, environment string, now time.Time) (int, error) {
	e, err := l.environment(environment)
	if err != nil {
		return 0, err
	}
	e.trimming.Lock()
	defer e.trimming.Unlock()
	aged, err := e.trimAged(ctx, now)
	if err != nil {
		return aged, err
	}
	squeezed, err := e.trimSize(ctx, now)
	return aged + squeezed, err
}

// trimAged removes what is older than the retention. It looks at up to 500 entries of each log of each partition.
func (e *Environment) trimAged(ctx context.Context, now time.Time) (total int, err error) {
	keep := e.keep.Load()
	events, actions := position{ms: after(now.Add(-keep.Events))}, position{ms: after(now.Add(-keep.Actions))}
	for p := range e.slices {
		cursor := &e.trimmed[p]
		n, err := e.trimActions(ctx, p, &cursor.actions, bound{actions, trimStep * trimSteps, trimSteps})
		if total += n; err != nil {
			return total, err
		}
		n, err = e.trimEvents(ctx, p, now, &cursor.events, bound{events, trimStep * trimSteps, trimSteps})
		if total += n; err != nil {
			return total, err
		}
	}
	runs, err := e.log.client.XTrimMinIDApprox(ctx, runsKey(e.key), actions.stream(), trimRuns).Result()
	return total + int(runs), e.log.failed("trim", err)
}

// trimSize removes the oldest of both logs and of the runs when they take more than the size: of each the same share. It looks
// behind what may not go yet, but not for ever.
func (e *Environment) trimSize(ctx context.Context, now time.Time) (removed int, err error) {
	size := e.keep.Load().Size
	if size <= 0 {
		return 0, nil
	}
	partitions, runs, total, err := e.sizes(ctx)
	if err != nil || total <= size {
		return 0, err
	}
	share := func(length int64) bound {
		excess := int(float64(length) * float64(total-size) / float64(total))
		return bound{position{ms: lastMS}, min(excess+1, trimStep*trimSteps), 10 * trimSteps}
	}
	for p, of := range partitions {
		var events, actions string // from the beginning
		if !e.mine(p) {
			continue // whose it is does
		}
		n, err := e.trimActions(ctx, p, &actions, share(of.actions))
		if removed += n; err != nil {
			return removed, err
		}
		n, err = e.trimEvents(ctx, p, now, &events, share(of.events))
		if removed += n; err != nil {
			return removed, err
		}
	}
	n, err := e.log.client.XTrimMaxLenApprox(ctx, runsKey(e.key), max(runs-int64(share(runs).most), 0), trimRuns).Result()
	return removed + int(n), e.log.failed("trim", err)
}

// mine reports whether the partition's turn is this process's, so that not every process removes the excess. Who decides
// nothing does not know, and trims all.
func (e *Environment) mine(partition int) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.inboxes) == 0 {
		return true
	}
	e.membership.mu.Lock()
	defer e.membership.mu.Unlock()
	whose := chosen(e.membership.members, e.key, partition)
	return whose == "" || whose == e.inboxes[0].consumer
}

// lastMS is behind all entries.
const lastMS = 1 << 60

// bound is which entries of a log may go: those before end, most of them, in so many steps.
type bound struct {
	end         position
	most, steps int
}

func (e *Environment) trimEvents(ctx context.Context, partition int, now time.Time, cursor *string, b bound) (int, error) {
	keys := e.slices[partition]
	return e.trim(ctx, &call{
		script: trimEventsScript, keys: []string{keys.events(), keys.decided(), keys.state(), keys.counts()},
		args: []any{keys.message(""), keys.user(""), milliseconds(now), e.keep.Load().Dedupe.Milliseconds()},
	}, cursor, b)
}

func (e *Environment) trimActions(ctx context.Context, partition int, cursor *string, b bound) (int, error) {
	keys := e.slices[partition]
	return e.trim(ctx, &call{
		script: trimActionsScript, keys: []string{keys.actions(), keys.state(), keys.dead(), keys.counts()},
	}, cursor, b)
}

// trim makes the call from the cursor on, step after step, with the arguments that both scripts take before its own.
func (e *Environment) trim(ctx context.Context, c *call, cursor *string, b bound) (removed int, err error) {
	own := c.args
	for step := 0; step < b.steps && removed < b.most && b.end.ms > 0; step++ {
		from := *cursor
		if from == "" {
			from = "-"
		}
		c.args = append([]any{from, "(" + b.end.stream(), trimStep, b.most - removed}, own...)
		if err := e.log.run(ctx, "trim", c); err != nil {
			return removed, err
		}
		reply := c.list()
		if len(reply) != 2 {
			return removed, nil
		}
		n, _ := reply[0].(int64)
		removed += int(n)
		if *cursor = text(reply[1]); *cursor == "" {
			return removed, nil
		}
	}
	return removed, nil
}

// sizes are the bytes that a partition's logs take, and their lengths.
type sizes struct {
	bytes           int64
	events, actions int64
}

// sizes asks the server what the logs of each partition take: the two streams, decisions and states; and the runs of the
// directory. It estimates large ones from a sample, in a fraction of a millisecond. The small keys beside them, of message
// ids, users and effects, are not counted.
func (e *Environment) sizes(ctx context.Context) (partitions []sizes, runs, total int64, err error) {
	type asked struct {
		usage           []*redis.IntCmd
		events, actions *redis.IntCmd
	}
	all := make([]asked, e.partitions)
	pipe := e.log.client.Pipeline()
	for p, keys := range e.slices {
		for _, key := range []string{keys.events(), keys.decided(), keys.actions(), keys.state()} {
			all[p].usage = append(all[p].usage, pipe.MemoryUsage(ctx, key, 50))
		}
		all[p].events, all[p].actions = pipe.XLen(ctx, keys.events()), pipe.XLen(ctx, keys.actions())
	}
	runsUsage, runsLength := pipe.MemoryUsage(ctx, runsKey(e.key), 50), pipe.XLen(ctx, runsKey(e.key))
	if _, err := pipe.Exec(ctx); !gone(err) && err != nil {
		return nil, 0, 0, e.log.failed("trim", err)
	}
	total = runsUsage.Val()
	partitions = make([]sizes, e.partitions)
	for p, a := range all {
		partitions[p] = sizes{0, a.events.Val(), a.actions.Val()}
		for _, usage := range a.usage {
			partitions[p].bytes += usage.Val() // 0 of what is not there
		}
		total += partitions[p].bytes
	}
	return partitions, runsLength.Val(), total, nil
}
