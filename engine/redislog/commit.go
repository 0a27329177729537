package redislog

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"switchyard/engine"
)

// commitScript records one verdict, queues its actions and acknowledges the event, in one step.
//
// KEYS: 1 events, 2 decided, 3 actions, 4 state, 5 lane:<lane>, 6 due, 7 owner
//
// ARGV: 1 group; 2 consumer; 3 the event's entry id; 4 outcome; 5 the decision as JSON; 6 when the lane is due, ms;
// 7 lane; then for each action its state, "1" when it is to be performed or "0" when it has ended, and the values of
// actionFields
//
// Returns: {1, entry id of each action…}; {0} when the event is decided already, or deleted; {-1} when another process
// owns the partition. Nothing was changed then, but for an acknowledgement of what is decided.
//
// An event is committed only while it is pending in the group, for then it is neither deleted nor unclaimed.
var commitScript = newScript(`
local owner = redis.call('GET', KEYS[7])
if owner and owner ~= ARGV[2] then return {-1} end
if redis.call('HEXISTS', KEYS[2], ARGV[3]) == 1 then
  redis.call('XACK', KEYS[1], ARGV[1], ARGV[3])
  return {0}
end
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[3]) == 0 then return {0} end
local reply, width = {1}, ` + fmt.Sprint(2+len(actionFields)) + `
local idle = redis.call('EXISTS', KEYS[5]) == 0
for at = 8, #ARGV, width do
  local id = redis.call('XADD', KEYS[3], '*', ` + commitFields() + `)
  redis.call('HSET', KEYS[4], id, ARGV[at])
  if ARGV[at + 1] == '1' then
    redis.call('RPUSH', KEYS[5], id)
    if idle then
      redis.call('ZADD', KEYS[6], ARGV[6], ARGV[7])
      idle = false
    end
  end
  reply[#reply + 1] = id
end
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4] .. ' ' .. table.concat(reply, ',', 2) .. ' ' .. ARGV[5])
return reply
`)

func commitFields() string {
	list := make([]string, len(actionFields))
	for i, field := range actionFields {
		list[i] = fmt.Sprintf("'%s', ARGV[at + %d]", field, 2+i)
	}
	return strings.Join(list, ", ")
}

// Commit implements engine.Inbox. A verdict of a process that has lost the partition is not committed either; its event
// is decided by the new owner.
func (in *Inbox) Commit(ctx context.Context, verdicts []*engine.Verdict) error {
	var open []*engine.Verdict
	var calls []*call
	for _, verdict := range verdicts {
		if verdict.Committed {
			continue
		}
		c, err := in.commitCall(verdict)
		if err != nil {
			return err
		}
		open, calls = append(open, verdict), append(calls, c)
	}
	err := in.log.run(ctx, "commit", calls...)
	for i, c := range calls {
		if c.err == nil {
			in.committed(open[i], c.list())
		}
	}
	if err != nil {
		in.recover() // what failed comes again, before anything new
	}
	return err
}

func (in *Inbox) committed(verdict *engine.Verdict, reply []any) {
	if len(reply) == 0 {
		return
	}
	switch reply[0] {
	case int64(1):
		verdict.Committed = true
	case int64(-1):
		in.held = false
	}
	for i, action := range verdict.Decision.Actions {
		if 1+i < len(reply) {
			action.ID = ActionID(in.partition, text(reply[1+i]))
		}
	}
}

// decisionJSON is the part of a decision that is only read again for people.
type decisionJSON struct {
	Reason string             `json:"reason,omitempty"`
	Rules  []string           `json:"rules,omitempty"`
	Errors []engine.RuleError `json:"errors,omitempty"`
	At     string             `json:"at"`
}

func (in *Inbox) commitCall(verdict *engine.Verdict) (*call, error) {
	event, decision := verdict.Event, verdict.Decision
	at, ok := parseID('e', event.ID, in.environment.partitions)
	if !ok || at.partition != in.partition {
		return nil, fmt.Errorf("redis commit: event %q is not of partition %d", event.ID, in.partition)
	}
	if verdict.DecidedAt.IsZero() {
		verdict.DecidedAt = in.log.options.Now()
	}
	doc, err := json.Marshal(decisionJSON{decision.Reason, decision.Rules, decision.Errors, writeTime(verdict.DecidedAt)})
	if err != nil {
		return nil, fmt.Errorf("redis commit: %w", err)
	}
	lane := event.Lane()
	args := []any{group, in.consumer, at.stream(), string(decision.Outcome), doc, milliseconds(verdict.DecidedAt), lane}
	for _, action := range decision.Actions {
		in.complete(action, verdict)
		if args, err = appendAction(args, action, at); err != nil {
			return nil, fmt.Errorf("redis commit: %w", err)
		}
	}
	k := in.keys
	return &call{
		script: commitScript,
		keys:   []string{k.events(), k.decided(), k.actions(), k.state(), k.lane(lane), k.due(), k.owner()},
		args:   args,
	}, nil
}

// complete fills in what an action has from its event, where the decider left it out.
func (in *Inbox) complete(action *engine.Action, verdict *engine.Verdict) {
	event := verdict.Event
	action.EventID, action.Environment, action.Lane = event.ID, in.environment.key, event.Lane()
	if action.UserID == "" {
		action.UserID = event.UserID
	}
	if action.Status == "" {
		action.Status = engine.StatusWaiting
	}
	if action.CreatedAt.IsZero() {
		action.CreatedAt = verdict.DecidedAt
	}
	if action.BudgetSince.IsZero() {
		action.BudgetSince = action.CreatedAt
	}
}
