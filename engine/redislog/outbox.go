package redislog

import (
	"context"
	"strconv"
	"strings"
	"time"

	"switchyard/engine"
)

// Outbox is one partition's lanes.
type Outbox struct {
	log         *Log
	environment *Environment
	partition   int
	keys        slice
}

var _ engine.Outbox = (*Outbox)(nil)

// dueScript takes the heads of lanes that are due, and hides those lanes for the lease.
//
// KEYS: 1 due, 2 actions, 3 state
//
// ARGV: 1 now, ms; 2 the end of the lease, ms; 3 how many lanes at most; 4 the prefix of the lane keys, which are of the
// same hash tag
//
// Returns: {when the next lane is due, ms, as the server writes a score: 1764000000000 or 1.764e+12, or ""; {entry, state} of
// each action…}
//
// A lane without actions leaves the schedule, and an action without an entry, because it was deleted, leaves its lane.
var dueScript = newScript(`
local taken = {''}
redis.call('ZREM', KEYS[1], '') -- no lane has this name; see owner.go on full servers
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])) do
  local lane = ARGV[4] .. name
  local id, found = redis.call('LINDEX', lane, 0), nil
  while id do
    found = redis.call('XRANGE', KEYS[2], id, id)[1]
    if found then break end
    redis.call('LPOP', lane)
    redis.call('HDEL', KEYS[3], id)
    id = redis.call('LINDEX', lane, 0)
  end
  if found then
    redis.call('ZADD', KEYS[1], ARGV[2], name)
    taken[#taken + 1] = {found, redis.call('HGET', KEYS[3], id) or ''}
  else
    redis.call('ZREM', KEYS[1], name)
  end
end
local next = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if next[2] then taken[1] = next[2] end
return taken
`)

// Due implements engine.Outbox.
func (o *Outbox) Due(ctx context.Context, now time.Time, lease time.Duration, max int) ([]*engine.Action, time.Time, error) {
	if max <= 0 {
		return nil, time.Time{}, ctx.Err()
	}
	c := &call{
		script: dueScript,
		keys:   []string{o.keys.due(), o.keys.actions(), o.keys.state()},
		args:   []any{milliseconds(now), milliseconds(now.Add(lease)), max, o.keys.lanes()},
	}
	if err := o.log.run(ctx, "due", c); err != nil {
		return nil, time.Time{}, err
	}
	reply := c.list()
	if len(reply) == 0 {
		return nil, time.Time{}, nil
	}
	actions := make([]*engine.Action, 0, len(reply)-1)
	for _, item := range reply[1:] {
		pair, _ := item.([]any)
		if len(pair) != 2 {
			continue
		}
		for _, e := range entries(pair[:1]) {
			actions = append(actions, actionOf(o.environment.key, o.partition, e, text(pair[1])))
		}
	}
	return actions, readScore(text(reply[0])), nil
}

// readScore is the time of a score of milliseconds; zero for "".
func readScore(score string) time.Time {
	ms, err := strconv.ParseFloat(score, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms)).UTC()
}

// postponeScript has a lane due again at a time, when the action that was taken from it is still its first.
//
// KEYS: 1 lane:<lane>, 2 due
//
// ARGV: 1 the action's entry id; 2 lane; 3 when it is due, ms
//
// Returns: 1, or 0 when another is the first, or none: nothing was changed then
var postponeScript = newScript(`
if redis.call('LINDEX', KEYS[1], 0) ~= ARGV[1] then return 0 end
redis.call('ZREM', KEYS[2], ARGV[2]) -- see owner.go on full servers
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[2])
return 1
`)

// Postpone implements engine.Outbox.
func (o *Outbox) Postpone(ctx context.Context, action *engine.Action, until time.Time) error {
	at, ok := parseID('a', action.ID, o.environment.partitions)
	if !ok || at.partition != o.partition {
		return nil
	}
	return o.log.run(ctx, "postpone", &call{
		script: postponeScript, keys: []string{o.keys.lane(action.Lane), o.keys.due()},
		args: []any{at.stream(), action.Lane, milliseconds(until)},
	})
}

// recordScript stores an action's state after an attempt and moves its lane on.
//
// KEYS: 1 state, 2 lane:<lane>, 3 due, 4 dead, 5 counts
//
// ARGV: 1 the action's entry id; 2 lane; 3 the number of attempts expected before; 4 the new state; 5 "retry", "ended" or
// "dead"; 6 when the lane is due, ms; 7 the padded id; for a "retry" that may give way also 8 how many actions may wait
// behind it, 9 when the lane is due if more do, and the state that it has then: 10 up to their number, 11 from there
//
// Returns: 1; 1 + the number of actions behind it when it gave way to them; or 0 when the action is gone, has ended, or has
// another number of attempts: nothing was changed then
//
// The number of attempts is the fencing token: of two processes that made the same attempt, the first to record it wins.
var recordScript = newScript(counting + `
local state = redis.call('HGET', KEYS[1], ARGV[1])
if not state then return 0 end
local count, status = string.match(state, '^(%d+) (%a+) ')
if count ~= ARGV[3] or (status ~= 'waiting' and status ~= 'retrying') then return 0 end
redis.call('ZREM', KEYS[3], '') -- no lane has this name; see owner.go on full servers
local place = redis.call('LPOS', KEYS[2], ARGV[1])
local head, after = place == 0, place and redis.call('LLEN', KEYS[2]) - 1 - place or 0
local new, how, due, behind = ARGV[4], ARGV[5], ARGV[6], 0
if ARGV[8] and after > tonumber(ARGV[8]) then
  how, due, behind = 'dead', ARGV[9], after
  new = ARGV[10] .. behind .. (behind == 1 and ' action' or ' actions') .. ARGV[11]
end
if how ~= 'retry' then redis.call('LREM', KEYS[2], 1, ARGV[1]) end
if redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('ZREM', KEYS[3], ARGV[2])
elseif head then
  redis.call('ZADD', KEYS[3], due, ARGV[2])
end
redis.call('HSET', KEYS[1], ARGV[1], new)
if how == 'dead' then redis.call('ZADD', KEYS[4], 0, ARGV[7]) end
if how ~= 'retry' then
  note('open', -1)
  note(string.match(new, '^%d+ (%a+)'))
  counted(KEYS[5])
end
return 1 + behind
`)

// Record implements engine.Outbox. The lane's next action is due as of this attempt's beginning.
func (o *Outbox) Record(ctx context.Context, action *engine.Action, next time.Time, patience int) (bool, error) {
	at, ok := parseID('a', action.ID, o.environment.partitions)
	if !ok || at.partition != o.partition {
		return false, nil
	}
	args, err := o.recordArgs(action, at, next, patience)
	if err != nil {
		return false, err
	}
	c := &call{
		script: recordScript,
		keys:   []string{o.keys.state(), o.keys.lane(action.Lane), o.keys.due(), o.keys.dead(), o.keys.counts()},
		args:   args,
	}
	if err := o.log.run(ctx, "record", c); err != nil {
		return false, err
	}
	if behind := c.number() - 1; behind > 0 {
		action.GiveWay(counted(behind))
	}
	return c.number() > 0, nil
}

func (o *Outbox) recordArgs(action *engine.Action, at position, next time.Time, patience int) ([]any, error) {
	state, err := writeState(action)
	if err != nil {
		return nil, err
	}
	due, how := next, "retry"
	if action.Status.Ended() {
		due, how = o.since(action), "ended"
	}
	if action.Status == engine.StatusDead {
		how = "dead"
	}
	args := []any{at.stream(), action.Lane, strconv.Itoa(max(len(action.Attempts)-1, 0)), state, how, milliseconds(due), at.padded()}
	if how != "retry" || patience == engine.AnyNumber {
		return args, nil
	}
	before, after, err := givenWay(action)
	return append(args, patience, milliseconds(o.since(action)), before, after), err
}

// givenWay is the state of an action that has given way, up to the number of those that wait behind it and from there.
// Only the script knows the number.
func givenWay(action *engine.Action) (before, after string, err error) {
	const number = "\x00" // which JSON escapes; the reason comes first in a state, and the number before the error
	yielded := *action
	yielded.GiveWay(number)
	state, err := writeState(&yielded)
	before, after, _ = strings.Cut(state, `\u0000`)
	return before, after, err
}

// counted says how many actions, as recordScript does.
func counted(actions int64) string {
	if actions == 1 {
		return "1 action"
	}
	return strconv.FormatInt(actions, 10) + " actions"
}

// since is a time that is surely past by the clock of whoever asks what is due: when the newest attempt began.
func (o *Outbox) since(action *engine.Action) time.Time {
	if n := len(action.Attempts); n > 0 {
		return action.Attempts[n-1].At
	}
	return action.CreatedAt
}

// statePrefix is what a stored state starts with for this number of attempts and status.
func statePrefix(attempts int, status engine.Status) string {
	return strings.Join([]string{strconv.Itoa(attempts), string(status), ""}, " ")
}
