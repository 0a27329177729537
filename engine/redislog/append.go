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

// appendScript stores the events of one request that share a partition, in their order, and recognises repeats, in one
// step: all of them or none.
//
// KEYS: 1 events, 2 counts; then for each event message:<message id>, user:<user id>, and told:<hash of what the event tells
// the state of>
//
// ARGV: 1 now, ms; then for each event its deduplication window, ms; the scope "<source>/<type>/<lane>", "" not to look;
// "1" to keep the message id, "" not to; "1" to keep the user, "" not to; the message id of an event that tells a state, ""
// for another; and the values of eventFields without dup, in their order
//
// Returns: for each event in turn its entry id, and the entry id of the event that it repeats or ""
//
// The first event of a scope starts the window; a repeat does not prolong it. Of a state, only what was told last is
// repeated. What is kept of the message id and the user goes with the event; see unindexing.
var appendScript = newScript(`
local now, at, reply = tonumber(ARGV[1]), 2, {}
for key = 3, #KEYS, 3 do
  local window, scope, keep, user, state = tonumber(ARGV[at]), ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  local dup, first, ids = '', false, false
  if keep ~= '' then
    local known = redis.call('HMGET', KEYS[key], scope, 'ids')
    first, ids = known[1], known[2]
  end
  if first then
    local since, id = string.match(first, '^(%d+):(.+)$')
    if math.abs(now - tonumber(since)) < window then dup = id end
  end
  if state ~= '' then
    local since, id, told = string.match(redis.call('GET', KEYS[key + 2]) or '', '^(%d+):(%S+) (.*)$')
    if told == state and math.abs(now - tonumber(since)) < window then dup = id end
  end
  local id = redis.call('XADD', KEYS[1], '*', ` + appendFields() + `)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  local padded = string.format('%013d-%06d', tonumber(ms), tonumber(seq))
  if keep ~= '' then
    if ids == '' then redis.call('PERSIST', KEYS[key]) end
    ids = (ids and string.sub(ids, -` + strconv.Itoa((messageEvents-1)*21) + `) or '') .. padded .. ' '
    if scope ~= '' and dup == '' then
      redis.call('HSET', KEYS[key], 'ids', ids, scope, ARGV[1] .. ':' .. id)
    else
      redis.call('HSET', KEYS[key], 'ids', ids)
    end
  end
  if state ~= '' and dup == '' then
    redis.call('SET', KEYS[key + 2], ARGV[1] .. ':' .. id .. ' ' .. state, 'PX', math.max(window, 1))
  end
  if user ~= '' then redis.call('ZADD', KEYS[key + 1], 0, padded) end
  reply[#reply + 1] = id
  reply[#reply + 1] = dup
  at = at + ` + strconv.Itoa(appendArgs) + `
end
redis.call('HINCRBY', KEYS[2], 'accepted', #reply / 2)
return reply
`)

// firstField is where the event fields are among the appendArgs arguments of an event.
const firstField = 5

var appendArgs = firstField + len(eventFields)

// appendFields spells the fields out, so that the names need not travel with every event.
func appendFields() string {
	var list strings.Builder
	for i, field := range eventFields {
		fmt.Fprintf(&list, "'%s', ARGV[at + %d], ", field, firstField+i)
	}
	return list.String() + "'" + dupField + "', dup"
}

// shipment is events of one request and partition on their way, in one call.
type shipment struct {
	call      *call
	partition int
	events    []*engine.Event
	bytes     int
}

// ship packs events by their partitions, each in order, into calls of a few milliseconds of the server.
func (e *Environment) ship(events []*engine.Event) (all []*shipment) {
	now := milliseconds(e.log.options.Now())
	open := map[int]*shipment{}
	for _, event := range events {
		p := e.partition(event)
		s := open[p]
		if s == nil || len(s.call.args)+appendArgs > commitArgs || s.bytes > commitBytes {
			keys := e.slices[p]
			s = &shipment{partition: p, call: &call{script: appendScript, keys: []string{keys.events(), keys.counts()}, args: []any{now}}}
			open[p], all = s, append(all, s)
		}
		e.pack(s, event)
	}
	return all
}

func (e *Environment) pack(s *shipment, event *engine.Event) {
	keys, c := e.slices[s.partition], s.call
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
	c.keys = append(c.keys, keys.message(messageKey(event)), keys.user(event.UserID), keys.told(stateHash(event)))
	c.args = append(c.args, strconv.FormatInt(window(e.keep.Load().Dedupe, event).Milliseconds(), 10), scope, message, user, state)
	c.args = appendEvent(c.args, event)
	s.events = append(s.events, event)
	s.bytes += len(event.Original)
}

// done gives the events of a shipment their ids; the error is that of all of them.
func (s *shipment) done() error {
	if s.call.err != nil {
		return s.call.err
	}
	reply := texts(s.call.reply)
	if len(reply) != 2*len(s.events) {
		return fmt.Errorf("redis append: unexpected reply %v", s.call.reply)
	}
	for i, event := range s.events {
		event.ID, event.DuplicateOf = EventID(s.partition, reply[2*i]), ""
		if of := reply[2*i+1]; of != "" {
			event.DuplicateOf = EventID(s.partition, of)
		}
	}
	return nil
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
