package redislog

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"switchyard/engine"
)

// User is one person of the directory; engine.ErrNotFound when there is none of this id.
func (l *Log) User(ctx context.Context, environment, id string) (*engine.User, error) {
	if _, err := l.environment(environment); err != nil {
		return nil, err
	}
	fields, err := l.client.HMGet(ctx, profileKey(environment, id), "traits", "created", "updated").Result()
	if err != nil {
		return nil, l.failed("read", err)
	}
	if fields[0] == nil {
		return nil, engine.ErrNotFound
	}
	traits, err := decodeTraits(text(fields[0]))
	if err != nil {
		return nil, err
	}
	return &engine.User{ID: id, Traits: traits, CreatedAt: readTime(text(fields[1])), UpdatedAt: readTime(text(fields[2]))}, nil
}

func decodeTraits(doc string) (map[string]any, error) {
	if doc == "" {
		return map[string]any{}, nil
	}
	value, err := engine.DecodeJSON([]byte(doc))
	if err != nil {
		return nil, fmt.Errorf("the stored traits can not be read: %w", err)
	}
	traits, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the stored traits are %s", engine.TypeName(value))
	}
	return traits, nil
}

func encodeTraits(traits map[string]any) (string, error) {
	doc, err := json.Marshal(traits)
	return string(doc), err
}

// unindexing begins a script that removes events: unindex takes one out of the indexes of its message id and its user, of
// which it is given the prefixes of the keys. What recognises repeats of the message stays until its window has passed, but
// not that of an event that is to be forgotten. A message id may be that of any number of users: no more is looked at than
// what is of this event.
var unindexing = `
local function laneof(entry) -- as engine.Event.Lane
  if entry.user ~= '' then return 'u:' .. entry.user end
  if entry.anon ~= '' then return 'a:' .. entry.anon end
  if entry.group ~= '' then return 'g:' .. entry.group end
  return 'm:' .. entry.msg
end
local function unindex(messages, users, logged, padded, now, window, forget)
  local entry = {user = '', anon = '', group = '', msg = ''}
  for i = 1, #logged[2], 2 do entry[logged[2][i]] = logged[2][i + 1] end
  if entry.user ~= '' then redis.call('ZREM', users .. entry.user, padded) end
  if entry.msg == '' or #entry.msg > ` + maxMessageID + ` then return end
  local message, scope = messages .. entry.msg, (entry.source or '') .. '/' .. (entry.type or '') .. '/' .. laneof(entry)
  local known = redis.call('HMGET', message, scope, 'ids')
  local first, had = known[1], known[2]
  if first then
    local since, id = string.match(first, '^(%d+):(.+)$')
    if id == logged[1] and (forget or since + window <= now) then redis.call('HDEL', message, scope) end
  end
  if not had then return end
  local ids = string.gsub(had, string.gsub(padded, '%-', '%%-') .. ' ', '')
  if ids ~= '' and ids ~= had then redis.call('HSET', message, 'ids', ids) end
  if ids == '' then -- nothing but repeats is left to be recognised, until another comes; see appendScript
    redis.call('HDEL', message, 'ids')
    if redis.call('HLEN', message) > 0 then
      redis.call('HSET', message, 'ids', '')
      redis.call('PEXPIRE', message, math.max(window, 1))
    end
  end
end
local function padded(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return string.format('%013d-%06d', tonumber(ms), tonumber(seq))
end
`

// maxMessageID is engine.MaxMessageID for a script.
var maxMessageID = strconv.Itoa(engine.MaxMessageID)

// forgetScript removes events of a user with all that hangs on them.
//
// KEYS: 1 user:<user id>, 2 events, 3 decided, 4 actions, 5 state, 6 dead, 7 lane:<the user's lane>, 8 due, 9 counts
//
// ARGV: 1 group; 2 the user's lane; 3 how many events at most; the prefixes of the 4 message, 5 lane and 6 user keys, which
// are of the same hash tag; 7 now, ms; 8 the deduplication window, ms
//
// Returns: {how many of the user's events are left, how many were removed}
//
// A deleted event is acknowledged, so that a decision under way is not committed; a deleted action has no state, so that
// an attempt under way is not recorded.
var forgetScript = newScript(counting + unindexing + `
local function drop(action)
  local state = redis.call('HGET', KEYS[5], action)
  local status = state and string.match(state, '^%d+ (%a+)')
  if status then
    note('dropped:' .. status)
    if unended(status) then note('open', -1) end
  end
  redis.call('XDEL', KEYS[4], action)
  redis.call('HDEL', KEYS[5], action)
  redis.call('ZREM', KEYS[6], padded(action))
end
local removed = 0
for _, of in ipairs(redis.call('ZRANGE', KEYS[1], 0, tonumber(ARGV[3]) - 1)) do
  local ms, seq = string.match(of, '^0*(%d+)%-0*(%d+)$')
  local id = ms .. '-' .. seq
  local entry = redis.call('XRANGE', KEYS[2], id, id)[1]
  if entry then unindex(ARGV[4], ARGV[6], entry, of, tonumber(ARGV[7]), tonumber(ARGV[8]), true) end
  local decision = redis.call('HGET', KEYS[3], id)
  for action in string.gmatch(decision and string.match(decision, '^%a+ ([^ ]*)') or '', '[^,]+') do
    local logged = redis.call('XRANGE', KEYS[4], action, action)[1]
    for i = 1, logged and #logged[2] or 0, 2 do
      if logged[2][i] == 'lane' then
        local lane = logged[2][i + 1] -- its own, where the order was relaxed
        redis.call('LREM', ARGV[5] .. lane, 0, action)
        if redis.call('EXISTS', ARGV[5] .. lane) == 0 then redis.call('ZREM', KEYS[8], lane) end
      end
    end
    drop(action)
  end
  redis.call('HDEL', KEYS[3], id)
  redis.call('XACK', KEYS[2], ARGV[1], id)
  if redis.call('XDEL', KEYS[2], id) == 1 then
    note('removed:' .. (decision and string.match(decision, '^%a+') or 'pending'))
    removed = removed + 1
  end
  redis.call('ZREM', KEYS[1], of)
end
local left = redis.call('ZCARD', KEYS[1])
if left == 0 then
  for _, action in ipairs(redis.call('LRANGE', KEYS[7], 0, -1)) do drop(action) end -- run again when its event was gone
  redis.call('DEL', KEYS[7])
  redis.call('ZREM', KEYS[8], ARGV[2])
end
counted(KEYS[9])
return {left, removed}
`)

// forgetStep is how many events one script removes.
const forgetStep = 100

// DeleteUser removes a person from the directory, and the logged events that carry the id, with their decisions and
// actions, and the samples of event names that are of this person. The stream of workflow runs is left to its consumer. It returns engine.ErrNotFound when there was neither. A call that fails half-way can be made again.
func (l *Log) DeleteUser(ctx context.Context, environment, id string) error {
	e, err := l.environment(environment)
	if err != nil {
		return err
	}
	lane := engine.UserLane(id)
	k := e.slices[engine.Partition(lane, e.partitions)]
	c := &call{
		script: forgetScript,
		keys:   []string{k.user(id), k.events(), k.decided(), k.actions(), k.state(), k.dead(), k.lane(lane), k.due(), k.counts()},
		args:   []any{group, lane, forgetStep, k.message(""), k.lanes(), k.user(""), milliseconds(l.options.Now()), e.keep.Load().Dedupe.Milliseconds()},
	}
	var events int64
	for {
		if err := l.keep(ctx, "delete", c); err != nil {
			return err
		}
		reply := c.list()
		if len(reply) != 2 {
			return fmt.Errorf("redis delete: unexpected reply %v", c.reply)
		}
		removed, _ := reply[1].(int64)
		events += removed
		if reply[0] == int64(0) {
			break
		}
	}
	if err := l.forgetSamples(ctx, environment, id); err != nil {
		return err
	}
	profile := &call{script: dropScript, keys: []string{profileKey(environment, id)}}
	if err := l.keep(ctx, "delete", profile); err != nil {
		return err
	}
	if profile.number()+events == 0 {
		return engine.ErrNotFound
	}
	return nil
}

// dropScript removes a key.
//
// KEYS: 1 the key
//
// ARGV: none
//
// Returns: 1, or 0 when there was none
var dropScript = newScript(`return redis.call('DEL', KEYS[1])`)

// forgetSampleScript drops the sample of a name, and keeps its counts.
//
// KEYS: 1 names of:<source>
//
// ARGV: 1 the name's field, 2 its value as it was read
//
// Returns: 1, or 0 when the value is another by now; nothing was changed then
var forgetSampleScript = newScript(`
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1]) -- a write that can not grow; see owner.go on full servers
redis.call('HSET', KEYS[1], ARGV[1], string.match(ARGV[2], '^%d+ %d+ %d+ '))
return 1
`)

// forgetSamples drops the samples of event names that carry a user's id. A name that is counted at this very moment is
// looked at again.
func (l *Log) forgetSamples(ctx context.Context, environment, id string) error {
	sources, err := l.client.SMembers(ctx, sourcesKey(environment)).Result()
	if err != nil {
		return l.failed("delete", err)
	}
	for _, source := range sources {
		for again := true; again; {
			names, err := l.client.HGetAll(ctx, namesKey(environment, source)).Result()
			if err != nil {
				return l.failed("delete", err)
			}
			var calls []*call
			for field, value := range names {
				if sampleOf(nameRecord(source, field, value).Sample, id) {
					calls = append(calls, &call{script: forgetSampleScript, keys: []string{namesKey(environment, source)}, args: []any{field, value}})
				}
			}
			if err := l.keep(ctx, "delete", calls...); err != nil {
				return err
			}
			again = slices.ContainsFunc(calls, func(c *call) bool { return c.number() == 0 })
		}
	}
	return nil
}

// sampleOf reports whether an original event speaks of a user: anywhere in it, whatever the vendor calls the field.
func sampleOf(sample json.RawMessage, id string) bool {
	value, err := engine.DecodeJSON(sample)
	return err == nil && mentions(value, id)
}

func mentions(value any, id string) bool {
	switch v := value.(type) {
	case map[string]any:
		for _, below := range v {
			if mentions(below, id) {
				return true
			}
		}
		return false
	case []any:
		return slices.ContainsFunc(v, func(below any) bool { return mentions(below, id) })
	}
	text, ok := engine.Text(value)
	return ok && text == id
}
