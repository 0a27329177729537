package redislog

import (
	"context"
	"time"

	"switchyard/engine"
)

// retryScript puts a dead action back, at the end of its lane.
//
// KEYS: 1 state, 2 lane:<lane>, 3 due, 4 dead
//
// ARGV: 1 the action's entry id; 2 lane; 3 "<attempts> dead ", what the state starts with; 4 the new state; 5 when the
// lane is due if it was empty, ms; 6 the padded id
//
// Returns: 1, or 0 when the state is another; nothing was changed then
var retryScript = newScript(`
local state = redis.call('HGET', KEYS[1], ARGV[1])
if not state or string.sub(state, 1, #ARGV[3]) ~= ARGV[3] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[4])
redis.call('ZREM', KEYS[4], ARGV[6])
if redis.call('RPUSH', KEYS[2], ARGV[1]) == 1 then redis.call('ZADD', KEYS[3], ARGV[5], ARGV[2]) end
return 1
`)

// Retry runs a dead action again, under the same effect keys, behind whatever waits in its lane, with a new budget of
// attempts. Errors: engine.ErrNotFound, engine.ErrNotDead.
func (l *Log) Retry(ctx context.Context, environment, id string, now time.Time) (*engine.Action, error) {
	action, err := l.Action(ctx, environment, id)
	if err != nil {
		return nil, err
	}
	if action.Status != engine.StatusDead {
		return nil, engine.ErrNotDead
	}
	e, err := l.environment(environment)
	if err != nil {
		return nil, err
	}
	action.Status, action.BudgetFrom, action.BudgetSince = engine.StatusWaiting, len(action.Attempts), now
	state, err := writeState(action)
	if err != nil {
		return nil, err
	}
	at, _ := parseID('a', id, e.partitions)
	keys := e.slices[at.partition]
	c := &call{
		script: retryScript,
		keys:   []string{keys.state(), keys.lane(action.Lane), keys.due(), keys.dead()},
		args: []any{at.stream(), action.Lane, statePrefix(len(action.Attempts), engine.StatusDead), state,
			milliseconds(now), at.padded()},
	}
	if err := l.run(ctx, "retry", c); err != nil {
		return nil, err
	}
	if c.number() == 0 {
		return nil, engine.ErrNotDead // somebody else was faster
	}
	return action, nil
}
