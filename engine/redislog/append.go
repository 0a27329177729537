package redislog

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"switchyard/engine"
)

// messageEvents is how many events the index of one message id names, the newest ones.
const messageEvents = 64

// appendScript stores one event and recognises a repeat, in one step.
//
// KEYS: 1 events, 2 message:<message id>, 3 user:<user id>, 4 told:<hash of what the event tells the state of>,
// 5 counts
//
// ARGV: 1 now, ms; 2 the deduplication window, ms; 3 the scope "<source>/<type>/<lane>", "" not to look; 4 "1" to keep the
// message id, "" not to; 5 "1" to keep the user, "" not to; 6 the message id of an event that tells a state, "" for another;
// 7… the values of eventFields without dup, in their order
//
// Returns: {entry id, entry id of the event that this one repeats or ""}
//
// The first event of a scope starts the window; a repeat does not prolong it. Of a state, only what was told last is
// repeated. What is kept of the message id and the user goes with the event; see unindexing.
var appendScript = newScript(`
local now, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local dup, first, ids = '', false, false
if ARGV[4] ~= '' then
  local known = redis.call('HMGET', KEYS[2], ARGV[3], 'ids')
  first, ids = known[1], known[2]
end
if first then
  local at, id = string.match(first, '^(%d+):(.+)$')
  if math.abs(now - tonumber(at)) < window then dup = id end
end
if ARGV[6] ~= '' then
  local at, id, told = string.match(redis.call('GET', KEYS[4]) or '', '^(%d+):(%S+) (.*)$')
  if told == ARGV[6] and math.abs(now - tonumber(at)) < window then dup = id end
end
local id = redis.call('XADD', KEYS[1], '*', ` + appendFields() + `)
redis.call('HINCRBY', KEYS[5], 'accepted', 1)
local ms, seq = string.match(id, '^(%d+)-(%d+)$')
local padded = string.format('%013d-%06d', tonumber(ms), tonumber(seq))
if ARGV[4] ~= '' then
  if ids == '' then redis.call('PERSIST', KEYS[2]) end
  ids = (ids and string.sub(ids, -` + strconv.Itoa((messageEvents-1)*21) + `) or '') .. padded .. ' '
  if ARGV[3] ~= '' and dup == '' then
    redis.call('HSET', KEYS[2], 'ids', ids, ARGV[3], ARGV[1] .. ':' .. id)
  else
    redis.call('HSET', KEYS[2], 'ids', ids)
  end
end
if ARGV[6] ~= '' and dup == '' then
  redis.call('SET', KEYS[4], ARGV[1] .. ':' .. id .. ' ' .. ARGV[6], 'PX', math.max(window, 1))
end
if ARGV[5] ~= '' then redis.call('ZADD', KEYS[3], 0, padded) end
return {id, dup}
`)

// firstField is the index in ARGV of the first event field.
const firstField = 7

// appendFields spells the fields out, so that the names need not travel with every event.
func appendFields() string {
	var list strings.Builder
	for i, field := range eventFields {
		fmt.Fprintf(&list, "'%s', ARGV[%d], ", field, firstField+i)
	}
	return list.String() + "'" + dupField + "', dup"
}

func (e *Environment) appendCall(event *engine.Event, partition int) *call {
	dedupe, keys, now := e.keep.Load().Dedupe, e.slices[partition], e.log.options.Now()
	scope, message, user, state := "", "", "", ""
	if n := len(event.MessageID); n > 0 && n <= engine.MaxMessageID {
		message = "1"
		if event.Invalid == "" { // a corrected message may come again under its id
			// With the lane, for only its partition can look: a repeat has the user of what it repeats, and another user's
			// event must not be taken for one because the two happen to share a partition.
			scope = event.Source + "/" + event.Type + "/" + event.Lane()
			if event.StateKey != "" {
				scope, state = "", event.MessageID
			}
		}
	}
	if event.UserID != "" {
		user = "1"
	}
	args := make([]any, 0, firstField+len(eventFields))
	args = append(args, milliseconds(now), strconv.FormatInt(window(dedupe, event).Milliseconds(), 10), scope, message, user, state)
	return &call{
		script: appendScript,
		keys:   []string{keys.events(), keys.message(messageKey(event)), keys.user(event.UserID), keys.told(stateHash(event)), keys.counts()},
		args:   appendEvent(args, event),
	}
}

// stateHash names a state without saying whose it is: the key outlives the user who is deleted, for a while.
func stateHash(event *engine.Event) string {
	if event.StateKey == "" {
		return ""
	}
	hash := sha256.Sum256([]byte(event.Source + "/" + event.Lane() + "/" + event.StateKey))
	return hex.EncodeToString(hash[:16])
}

// window is how long a repeat of the event is recognised.
func window(dedupe time.Duration, event *engine.Event) time.Duration {
	if event.DedupeFor > 0 {
		return min(dedupe, event.DedupeFor)
	}
	return dedupe
}

// messageKey is the message id, or "" for one too long to be a key; the script then leaves that key alone.
func messageKey(event *engine.Event) string {
	if len(event.MessageID) > engine.MaxMessageID {
		return ""
	}
	return event.MessageID
}
