package redislog

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"switchyard/engine"
)

// commitScript records verdicts, queues their actions and acknowledges the events, in their order and in one step: whatever
// fails, no verdict gets through without those before it, so that the actions of a lane are queued in the order of its
// events.
//
// KEYS: 1 events, 2 decided, 3 actions, 4 state, 5 due, 6 owner, 7 counts, 8… the lanes
//
// ARGV: 1 the owner's token; 2 its lease, ms; 3 group; then for each verdict the event's entry id, the outcome, the decision
// as JSON, when the lanes are due, ms, and the number of actions; and for each of these the place of its lane in KEYS, its
// state, "1" when it is to be performed or "0" when it has ended, and the values of actionFields
//
// Returns: {1, verdict…}, each the entry ids of its actions, or 0 when the event is decided already, or deleted, and was
// only acknowledged; {-1}, and nothing was changed, when another process owns the partition, or none
//
// An event is committed only while it is pending in the group, for then it is neither deleted nor unclaimed.
var commitScript = newScript(counting + `
if redis.call('GET', KEYS[6]) ~= ARGV[1] then return {-1} end
redis.call('PEXPIRE', KEYS[6], ARGV[2]) -- see owner.go on full servers
local reply, at, width = {1}, 4, ` + fmt.Sprint(actionArgs) + `
while at <= #ARGV do
  local event, outcome, decision, due, last = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], at + 4 + ARGV[at + 4] * width
  local open = redis.call('HEXISTS', KEYS[2], event) == 0
  if redis.call('XACK', KEYS[1], ARGV[3], event) == 1 and open then
    local ids = {}
    for a = at + 5, last, width do
      local id = redis.call('XADD', KEYS[3], '*', ` + commitFields() + `)
      redis.call('HSET', KEYS[4], id, ARGV[a + 1])
      if ARGV[a + 2] == '1' and redis.call('RPUSH', KEYS[tonumber(ARGV[a])], id) == 1 then
        redis.call('ZADD', KEYS[5], due, ARGV[a + ` + fmt.Sprint(laneArg) + `])
      end
      ids[#ids + 1] = id
      note('planned')
      note(ARGV[a + 2] == '1' and 'open' or string.match(ARGV[a + 1], '^%d+ (%a+)'))
    end
    redis.call('HSET', KEYS[2], event, outcome .. ' ' .. table.concat(ids, ',') .. ' ' .. decision)
    reply[#reply + 1] = ids
    note(outcome)
  else
    reply[#reply + 1] = 0
  end
  at = last + 1
end
counted(KEYS[7])
return reply
`)

// actionArgs are the arguments of an action, of which laneArg is the name of its lane.
var (
	actionArgs = 3 + len(actionFields)
	laneArg    = 3 + slices.Index(actionFields, "lane")
)

func commitFields() string {
	list := make([]string, len(actionFields))
	for i, field := range actionFields {
		list[i] = fmt.Sprintf("'%s', ARGV[a + %d]", field, 3+i)
	}
	return strings.Join(list, ", ")
}

// commitArgs and commitBytes bound one script, to a few milliseconds of the server.
const commitArgs, commitBytes = 10_000, 4 << 20

// Commit implements engine.Inbox. Nothing is committed by a process that has lost the partition; the events are decided by
// the new owner.
func (in *Inbox) Commit(ctx context.Context, verdicts []*engine.Verdict) error {
	var batch *commitment
	for _, verdict := range verdicts {
		if verdict.Committed {
			continue
		}
		if batch == nil {
			batch = in.newCommitment()
		}
		if err := batch.add(verdict); err != nil {
			return err
		}
		if batch.full() {
			if err := in.store(ctx, batch); err != nil {
				return err
			}
			batch = nil
		}
	}
	return in.store(ctx, batch)
}

// store commits a batch; nil is nothing.
func (in *Inbox) store(ctx context.Context, batch *commitment) error {
	if batch == nil || in.token == "" {
		return nil // it is another's by now
	}
	c := &call{script: commitScript, keys: batch.keys, args: batch.args}
	if err := in.log.run(ctx, "commit", c); err != nil {
		return err
	}
	reply := c.list()
	if len(reply) != 1+len(batch.verdicts) {
		in.token = ""
		return nil
	}
	for i, verdict := range batch.verdicts {
		ids, decided := reply[1+i].([]any)
		verdict.Committed = decided
		for a, id := range ids {
			verdict.Decision.Actions[a].ID = ActionID(in.partition, text(id))
		}
	}
	return nil
}

// commitment is verdicts on their way into one script.
type commitment struct {
	inbox    *Inbox
	verdicts []*engine.Verdict
	keys     []string
	args     []any
	lanes    map[string]int // their places in keys, from 1
	bytes    int
}

func (in *Inbox) newCommitment() *commitment {
	k := in.keys
	return &commitment{
		inbox: in, lanes: map[string]int{},
		keys: []string{k.events(), k.decided(), k.actions(), k.state(), k.due(), k.owner(), k.counts()},
		args: []any{in.token, in.lease().Milliseconds(), group},
	}
}

func (c *commitment) full() bool { return len(c.args) >= commitArgs || c.bytes >= commitBytes }

// add puts a verdict behind the others.
func (c *commitment) add(verdict *engine.Verdict) error {
	in, event, decision := c.inbox, verdict.Event, verdict.Decision
	at, ok := parseID('e', event.ID, in.environment.partitions)
	if !ok || at.partition != in.partition {
		return fmt.Errorf("redis commit: event %q is not of partition %d", event.ID, in.partition)
	}
	if verdict.DecidedAt.IsZero() {
		verdict.DecidedAt = in.log.Now()
	}
	doc, err := json.Marshal(decisionJSON{decision.Reason, decision.Rules, decision.Errors, writeTime(verdict.DecidedAt)})
	if err != nil {
		return fmt.Errorf("redis commit: %w", err)
	}
	args := append(c.args, at.stream(), string(decision.Outcome), doc, milliseconds(verdict.DecidedAt), len(decision.Actions))
	for _, action := range decision.Actions {
		in.complete(action, verdict)
		if args, err = appendAction(append(args, c.lane(action.Lane)), action, at); err != nil {
			return fmt.Errorf("redis commit: %w", err)
		}
	}
	for _, arg := range args[len(c.args):] {
		c.bytes += sizeOf(arg)
	}
	c.args, c.verdicts = args, append(c.verdicts, verdict)
	return nil
}

// sizeOf is the length of an argument, about.
func sizeOf(arg any) int {
	switch v := arg.(type) {
	case string:
		return len(v)
	case []byte:
		return len(v)
	case packing:
		return len(v) // it is held as it is until it is written
	}
	return 1
}

// lane is the place of a lane's key.
func (c *commitment) lane(lane string) int {
	if c.lanes[lane] == 0 {
		c.keys = append(c.keys, c.inbox.keys.lane(lane))
		c.lanes[lane] = len(c.keys)
	}
	return c.lanes[lane]
}

// decisionJSON is the part of a decision that is only read again for people.
type decisionJSON struct {
	Reason string             `json:"reason,omitempty"`
	Rules  []string           `json:"rules,omitempty"`
	Errors []engine.RuleError `json:"errors,omitempty"`
	At     string             `json:"at"`
}

// complete fills in what an action has from its event, where the decider left it out.
func (in *Inbox) complete(action *engine.Action, verdict *engine.Verdict) {
	event := verdict.Event
	action.EventID, action.Environment = event.ID, in.environment.key
	if action.Lane == "" {
		action.Lane = event.Lane()
	}
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
