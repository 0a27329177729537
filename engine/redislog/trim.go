package redislog

import (
	"context"
	"time"
)

const (
	// trimStep is how many entries one script looks at, which keeps the server for a millisecond or so; trimSteps of
	// them make a call of Trim.
	trimStep, trimSteps = 100, 5
	// trimRuns bounds how many runs go at a time; Redis drops them by whole blocks of about a hundred.
	trimRuns = 10_000
)

// trimCursor is how far down each log of a partition is looked through. What may not go yet stays behind it, and is
// looked at again when it has come to the end of the retention and starts anew.
type trimCursor struct {
	events, actions string
}

// trimEventsScript removes old events that are decided and whose actions have all ended.
//
// KEYS: 1 events, 2 decided, 3 state
//
// ARGV: 1 the id to look from, 2 the id to look to, 3 how many to look at
//
// Returns: {how many were removed, where to look on or ""}
var trimEventsScript = newScript(`
local removed, last = 0, ''
local found = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', ARGV[3])
for _, entry in ipairs(found) do
  local decision = redis.call('HGET', KEYS[2], entry[1])
  if decision then
    local ended = true
    for id in string.gmatch(string.match(decision, '^%a+ ([^ ]*)'), '[^,]+') do
      local state = redis.call('HGET', KEYS[3], id)
      local status = state and string.match(state, '^%d+ (%a+)')
      if status == 'waiting' or status == 'retrying' then ended = false end
    end
    if ended then
      redis.call('XDEL', KEYS[1], entry[1])
      redis.call('HDEL', KEYS[2], entry[1])
      removed = removed + 1
    end
  end
end
if #found == tonumber(ARGV[3]) then last = '(' .. found[#found][1] end
return {removed, last}
`)

// trimActionsScript removes old actions that have ended.
//
// KEYS: 1 actions, 2 state, 3 dead
//
// ARGV and returns: those of trimEventsScript
var trimActionsScript = newScript(`
local removed, last = 0, ''
local found = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', ARGV[3])
for _, entry in ipairs(found) do
  local state = redis.call('HGET', KEYS[2], entry[1])
  local status = state and string.match(state, '^%d+ (%a+)')
  if status ~= 'waiting' and status ~= 'retrying' then
    local ms, seq = string.match(entry[1], '^(%d+)-(%d+)$')
    redis.call('XDEL', KEYS[1], entry[1])
    redis.call('HDEL', KEYS[2], entry[1])
    redis.call('ZREM', KEYS[3], string.format('%013d-%06d', tonumber(ms), tonumber(seq)))
    removed = removed + 1
  end
end
if #found == tonumber(ARGV[3]) then last = '(' .. found[#found][1] end
return {removed, last}
`)

// Trim removes what is older than the retention: events that are decided and whose actions have ended, actions that have
// ended (dead ones too), and runs of the directory. What is pending or waiting stays, however old. It looks at up to 500
// entries of each log of each partition, and returns how many it removed; call it again while that is not 0.
func (l *Log) Trim(ctx context.Context, environment string, now time.Time) (int, error) {
	e, err := l.environment(environment)
	if err != nil {
		return 0, err
	}
	keep := e.keep.Load()
	events := position{ms: after(now.Add(-keep.Events))}
	actions := position{ms: after(now.Add(-keep.Actions))}
	e.trimming.Lock()
	defer e.trimming.Unlock()
	total := 0
	for p, keys := range e.slices {
		cursor := &e.trimmed[p]
		n, err := l.trim(ctx, trimEventsScript, []string{keys.events(), keys.decided(), keys.state()}, &cursor.events, events)
		if total += n; err != nil {
			return total, err
		}
		n, err = l.trim(ctx, trimActionsScript, []string{keys.actions(), keys.state(), keys.dead()}, &cursor.actions, actions)
		if total += n; err != nil {
			return total, err
		}
	}
	runs, err := l.client.XTrimMinIDApprox(ctx, runsKey(environment), actions.stream(), trimRuns).Result()
	return total + int(runs), l.failed("trim", err)
}

func (l *Log) trim(ctx context.Context, script *script, keys []string, cursor *string, end position) (removed int, err error) {
	if end.ms == 0 {
		return 0, nil
	}
	for range trimSteps {
		from := *cursor
		if from == "" {
			from = "-"
		}
		c := &call{script: script, keys: keys, args: []any{from, "(" + end.stream(), trimStep}}
		if err := l.run(ctx, "trim", c); err != nil {
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
