package redislog

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/engine"
)

// effectLife is how long the directory remembers that an effect was applied, far longer than an attempt is repeated by
// itself. A dead action that is run again by hand after that may have effects twice.
const effectLife = 7 * 24 * time.Hour

// Directory is the store of the built-in destination: people and workflow runs.
type Directory struct {
	log *Log
}

// Directory is the store of the built-in destination.
func (l *Log) Directory() *Directory { return &Directory{l} }

// changeScript writes a profile if nobody has changed it since it was read, and the effect was not applied.
//
// KEYS: 1 profile, 2 effect:<key>
//
// ARGV: 1 the version that was read, "" for no profile; 2 the new version; 3 traits; 4 now, ms; 5 how long the effect is
// remembered, ms
//
// Returns: 1 when written; 0 when the effect was applied before, and is only remembered for longer; -1 when the version is
// another: nothing was changed then
var changeScript = newScript(`
if redis.call('EXISTS', KEYS[2]) == 1 then
  redis.call('PEXPIRE', KEYS[2], ARGV[5]) -- see touchScript
  return 0
end
if (redis.call('HGET', KEYS[1], 'version') or '') ~= ARGV[1] then return -1 end
redis.call('HDEL', KEYS[1], '') -- no field has this name; see owner.go on full servers
redis.call('HSETNX', KEYS[1], 'created', ARGV[4])
redis.call('HSET', KEYS[1], 'traits', ARGV[3], 'updated', ARGV[4], 'version', ARGV[2])
redis.call('SET', KEYS[2], '1', 'PX', ARGV[5])
return 1
`)

// changeTries is how often a change is made again because another came between its reading and its writing.
const changeTries = 20

// Change sets a user's traits to what change makes of them, empty when the user is new, and remembers the effect. An
// effect that was applied before is not applied again: applied is false then. An error of change is returned as it is,
// and nothing is written. Change may be called several times.
func (d *Directory) Change(ctx context.Context, environment, userID, effect string,
	change func(traits map[string]any) (map[string]any, error)) (applied bool, err error) {
	keys := []string{profileKey(environment, userID), userEffectKey(environment, userID, effect)}
	for range changeTries {
		before, err := d.read(ctx, keys)
		if err != nil {
			return false, err
		}
		if before.applied {
			if known, err := d.confirm(ctx, keys[1], effectLife); err != nil || known {
				return false, err
			}
			continue // a failover took it back
		}
		outcome, err := d.write(ctx, keys, before, effectLife, change)
		if err != nil || outcome >= 0 {
			return outcome == 1, err
		}
	}
	return false, fmt.Errorf("redis directory: user %q is changed too often by others: %w", userID, engine.ErrUnavailable)
}

// touchScript remembers an effect for a time from now on. It writes, so that it can be waited for a replica to have it and
// what was written before.
//
// KEYS: 1 effect:<key>
//
// ARGV: 1 how long, ms
//
// Returns: 1, or 0 when the effect is not known
var touchScript = newScript(`return redis.call('PEXPIRE', KEYS[1], ARGV[1])`)

// confirm reports whether an effect that was seen is there to stay: with Options.Replicated, whoever applied it may have
// given up waiting for a replica.
func (d *Directory) confirm(ctx context.Context, key string, life time.Duration) (bool, error) {
	if !d.log.options.Replicated {
		return true, nil
	}
	c := &call{script: touchScript, keys: []string{key}, args: []any{life.Milliseconds()}}
	err := d.log.keep(ctx, "directory", c)
	return c.number() == 1, err
}

// snapshot is a user as read, to be changed.
type snapshot struct {
	traits  map[string]any
	version string
	applied bool
}

func (d *Directory) read(ctx context.Context, keys []string) (snapshot, error) {
	pipe := d.log.client.Pipeline()
	fields := pipe.HMGet(ctx, keys[0], "traits", "version")
	effect := pipe.Exists(ctx, keys[1])
	if _, err := pipe.Exec(ctx); err != nil {
		return snapshot{}, d.log.failed("directory", err)
	}
	traits, err := decodeTraits(text(fields.Val()[0]))
	return snapshot{traits, text(fields.Val()[1]), effect.Val() == 1}, err
}

func (d *Directory) write(ctx context.Context, keys []string, before snapshot, life time.Duration,
	change func(map[string]any) (map[string]any, error)) (int64, error) {
	traits, err := change(before.traits)
	if err != nil {
		return 0, err
	}
	doc, err := encodeTraits(traits)
	if err != nil {
		return 0, engine.Permanent(fmt.Errorf("the traits can not be written: %w", err))
	}
	version, _ := strconv.ParseInt(before.version, 10, 64) // "" is 0
	c := &call{script: changeScript, keys: keys, args: []any{before.version, version + 1, doc,
		milliseconds(d.log.options.Now()), life.Milliseconds()}}
	err = d.log.keep(ctx, "directory", c)
	return c.number(), err
}

// Known reports for each id whether the directory has that user.
func (d *Directory) Known(ctx context.Context, environment string, ids []string) ([]bool, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	replies := make([]*redis.IntCmd, len(ids))
	_, err := d.log.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, id := range ids {
			replies[i] = pipe.Exists(ctx, profileKey(environment, id))
		}
		return nil
	})
	if err != nil {
		return nil, d.log.failed("directory", err)
	}
	known := make([]bool, len(ids))
	for i, reply := range replies {
		known[i] = reply.Val() == 1
	}
	return known, nil
}

// runScript appends a workflow run once.
//
// KEYS: 1 runs stream, 2 runs effect:<key>
//
// ARGV: 1 the result to remember; 2 how long, ms; then the fields of the entry, see AppendRun: 3 id, 4 workflow,
// 5 recipients, 6 actor, 7 data, 8 tenant, 9 cancellation_key, 10 rule, 11 event_id, 12 at
//
// Returns: the result that is remembered, that of the first call
var runScript = newScript(`
local result = redis.call('GET', KEYS[2])
if result then
  redis.call('PEXPIRE', KEYS[2], ARGV[2]) -- see touchScript
  return result
end
redis.call('XDEL', KEYS[1], '0-1') -- no entry has this id; see owner.go on full servers
redis.call('XADD', KEYS[1], '*', 'id', ARGV[3], 'workflow', ARGV[4], 'recipients', ARGV[5], 'actor', ARGV[6],
  'data', ARGV[7], 'tenant', ARGV[8], 'cancellation_key', ARGV[9], 'rule', ARGV[10], 'event_id', ARGV[11], 'at', ARGV[12])
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
`)

// AppendRun appends a run to the stream sy:{<environment>:runs}:stream, for a notification worker to consume, and keeps
// the result under the effect key. The same effect again appends nothing; stored is the result of the first time.
//
// An entry has these fields, "" where there is nothing:
//
//	id                the run's UUID; a run that is seen twice has the same
//	workflow          the workflow's key
//	recipients        JSON array: ids, and objects {"id":…, "collection":…, …}
//	actor             JSON: an id or an object
//	data              JSON object
//	tenant, cancellation_key, rule, event_id
//	at                when the action was performed, RFC 3339, UTC, milliseconds
//
// Read it with a consumer group of your own. Entries older than the retention of actions are trimmed.
func (d *Directory) AppendRun(ctx context.Context, environment, effect string, run engine.Run, result json.RawMessage) (stored json.RawMessage, err error) {
	args := []any{[]byte(result), effectLife.Milliseconds(), run.ID, run.Workflow}
	for _, part := range []any{run.Recipients, run.Actor, run.Data} {
		doc, err := json.Marshal(part)
		if err != nil {
			return nil, engine.Permanent(fmt.Errorf("the run can not be written: %w", err))
		}
		if string(doc) == "null" {
			doc = nil
		}
		args = append(args, doc)
	}
	at := run.At.UTC().Format("2006-01-02T15:04:05.000Z")
	args = append(args, run.Tenant, run.CancellationKey, run.Rule, run.EventID, at)
	c := &call{script: runScript, keys: []string{runsKey(environment), runEffectKey(environment, effect)}, args: args}
	if err := d.log.keep(ctx, "directory", c); err != nil {
		return nil, err
	}
	return json.RawMessage(text(c.reply)), nil
}
