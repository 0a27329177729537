package redislog

import (
	"context"
	"time"

	"switchyard/engine"
)

// retryScript puts an action that has ended back, at the end of its lane.
//
// KEYS: 1 state, 2 lane:<lane>, 3 due, 4 dead, 5 counts
//
// ARGV: 1 the action's entry id; 2 lane; 3 "<attempts> <status> ", what the state starts with; 4 the new state; 5 when the
// lane is due if it was empty, ms; 6 the padded id
//
// Returns: 1, or 0 when the state is another; nothing was changed then
var retryScript = newScript(counting + `
local state = redis.call('HGET', KEYS[1], ARGV[1])
if not state or string.sub(state, 1, #ARGV[3]) ~= ARGV[3] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[4])
redis.call('ZREM', KEYS[4], ARGV[6])
note('open')
note(string.match(ARGV[3], ' (%a+) '), -1)
counted(KEYS[5])
if redis.call('RPUSH', KEYS[2], ARGV[1]) == 1 then redis.call('ZADD', KEYS[3], ARGV[5], ARGV[2]) end
return 1
`)

// Retry runs a dead action again, under the same effect keys, behind whatever waits in its lane, with a new budget of
// attempts. Errors: engine.ErrNotFound, engine.ErrNotDead.
func (l *Log) Retry(ctx context.Context, environment, id string, now time.Time) (*engine.Action, error) {
	return l.again(ctx, environment, id, engine.ErrNotDead, func(action *engine.Action) error { return action.Retry(now) })
}

// Repeat runs an action that has ended once more, under effect keys that the nonce makes new; see engine.Action.Repeat.
// Errors: engine.ErrNotFound, and those of Action.Repeat.
func (l *Log) Repeat(ctx context.Context, environment, id, nonce string, now time.Time) (*engine.Action, error) {
	return l.again(ctx, environment, id, engine.ErrNotEnded, func(action *engine.Action) error { return action.Repeat(nonce, now) })
}

// again puts an action into another round. When somebody else was faster the error is late.
func (l *Log) again(ctx context.Context, environment, id string, late error, round func(*engine.Action) error) (*engine.Action, error) {
	e, err := l.environment(environment)
	if err != nil {
		return nil, err
	}
	action, err := l.Action(ctx, environment, id)
	if err != nil {
		return nil, err
	}
	ended := action.Status
	if err := round(action); err != nil {
		return nil, err
	}
	c, err := e.retryCall(action, ended)
	if err != nil {
		return nil, err
	}
	if err := l.run(ctx, "retry", c); err != nil {
		return nil, err
	}
	if c.number() == 0 {
		return nil, late
	}
	return action, nil
}

// retryCall stores an action that begins another round, if it is still as it ended.
func (e *Environment) retryCall(action *engine.Action, ended engine.Status) (*call, error) {
	state, err := writeState(action)
	if err != nil {
		return nil, err
	}
	at, _ := parseID('a', action.ID, e.partitions)
	keys := e.slices[at.partition]
	return &call{
		script: retryScript,
		keys:   []string{keys.state(), keys.lane(action.Lane), keys.due(), keys.dead(), keys.counts()},
		args: []any{at.stream(), action.Lane, statePrefix(len(action.Attempts), ended), state,
			milliseconds(action.BudgetSince), at.padded()},
	}, nil
}
