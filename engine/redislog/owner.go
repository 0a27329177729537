package redislog

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"sync"
	"time"
)

// A partition is decided by one process at a time, for only then are the actions of a user queued in the order of its
// events. The processes that share an environment say every now and then that they live, and the partitions go round
// among them in the order of their names. Each partition has an owner key with the owner's fencing token, another for each
// time that it is taken; it ends with the lease. Every claim and every commit checks the token in the script that does it,
// and prolongs the lease: a process that has lost its lease, because it was stopped or cut off for a while, can neither
// claim nor commit when it goes on, and what it had claimed is claimed by the new owner first.
//
// A server at its memory limit refuses a script whose first write may grow, and lets one go on that has written already.
// The scripts of this file, of claim.go, commit.go, outbox.go and directory.go therefore begin with a write that can not grow: events are
// then refused at the door, while what was accepted is still decided and done, and in the end trimmed.

// membership is what this process knows of the live ones.
type membership struct {
	log *Log
	// key is the members', and meta holds the number of partitions.
	key, meta  string
	partitions int

	mu      sync.Mutex
	beaten  map[string]time.Time
	members []string
}

// beatMost is how often a process says that it lives, at the least, whatever the lease: it is also how late it sees who
// has come and gone.
const beatMost = 500 * time.Millisecond

// forget has a consumer say that it lives before its next claim, if it has one.
func (m *membership) forget(consumer string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.beaten, consumer)
}

// beatScript prolongs a member's life and tells who lives, by the server's clock, which all share. It also writes the
// number of partitions where it was lost, with all else that the server had. One that has another number is no member: it
// would be given partitions that it does not decide.
//
// KEYS: 1 members, 2 meta
//
// ARGV: 1 consumer; 2 how long its membership lasts from now, ms; "0" ends it; 3 the number of partitions; 4 the format
//
// Returns: {the server's clock, ms; the number of partitions that is fixed; the live members}
//
// A clock that was set back would have the dead live on for as long: nobody lives for longer than from now.
var beatScript = newScript(`
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('EXISTS', KEYS[2]) == 0 then redis.call('HSET', KEYS[2], 'partitions', ARGV[3], 'format', ARGV[4]) end
local partitions = redis.call('HGET', KEYS[2], 'partitions')
if ARGV[2] == '0' or partitions ~= ARGV[3] then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  local longest = now + tonumber(ARGV[2])
  redis.call('ZADD', KEYS[1], longest, ARGV[1])
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. string.format('%d', longest), '+inf')) do
    redis.call('ZADD', KEYS[1], longest, member)
  end
end
return {string.format('%d', now), partitions, redis.call('ZRANGE', KEYS[1], 0, -1)}
`)

// live returns the live members, this consumer among them, and says that it lives when that is due.
func (m *membership) live(ctx context.Context, consumer string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	lease, now := m.log.options.Lease, time.Now()
	if last, known := m.beaten[consumer]; known && now.Sub(last) < min(lease/3, beatMost) {
		return m.members, nil
	}
	beat := m.beat(consumer, lease)
	if err := m.log.run(ctx, "lease", beat); err != nil {
		return nil, err
	}
	reply := beat.list()
	if len(reply) != 3 {
		return nil, fmt.Errorf("redis lease: unexpected reply %v", beat.reply)
	}
	if fixed := text(reply[1]); fixed != strconv.Itoa(m.partitions) {
		return nil, fmt.Errorf("redis lease: the environment has %s partitions there and %d here", fixed, m.partitions)
	}
	m.log.clock.set(now, time.Now(), readMilliseconds(reply[0]))
	if m.beaten == nil {
		m.beaten = map[string]time.Time{}
	}
	m.beaten[consumer], m.members = now, texts(reply[2])
	slices.Sort(m.members)
	return m.members, nil
}

// Processes implements engine.Store: the live ones, as of when this one last said that it lives.
func (e *Environment) Processes() int {
	e.membership.mu.Lock()
	defer e.membership.mu.Unlock()
	return max(len(e.membership.members), 1)
}

// beat is the call that prolongs a membership, or ends it with 0.
func (m *membership) beat(consumer string, life time.Duration) *call {
	return &call{script: beatScript, keys: []string{m.key, m.meta}, args: []any{consumer, life.Milliseconds(), m.partitions, format}}
}

// chosen is the member whose turn a partition is. Environments start at different members, so that many small ones
// spread too.
func chosen(members []string, environment string, partition int) string {
	if len(members) == 0 {
		return ""
	}
	hash := fnv.New32a()
	hash.Write([]byte(environment))
	return members[(int(hash.Sum32()%1024)+partition)%len(members)]
}

// ownScript takes a partition that nobody owns, or tells whose it is.
//
// KEYS: 1 owner
//
// ARGV: 1 consumer, 2 the lease, ms; "0" to give the partition up
//
// Returns: the token when the partition is the consumer's now, else ""; nothing was changed when it is another's
//
// A token is "<consumer> <server's clock, us>". That of a consumer which has the partition already, and lost the answer, is
// told again. A lease that lasts longer than any, because the clock was set back, is cut down: its owner may be dead.
var ownScript = newScript(`
local token = redis.call('GET', KEYS[1])
local mine = token and string.match(token, '^(.*) %d+$') == ARGV[1]
if token and not mine then
  if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[2]) and ARGV[2] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
  return ''
end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
  return ''
end
if redis.call('PEXPIRE', KEYS[1], ARGV[2]) == 0 then -- a write that can not grow, see above
  local time = redis.call('TIME')
  token = ARGV[1] .. ' ' .. time[1] .. string.format('%06d', tonumber(time[2]))
  redis.call('SET', KEYS[1], token, 'PX', ARGV[2])
end
return token
`)

// own reports whether this process decides the partition now; it takes the partition or hands it on as members come and
// go. Handing on is harmless at any time: what was claimed and not committed is claimed by the next owner first.
func (in *Inbox) own(ctx context.Context) (bool, error) {
	members, err := in.environment.membership.live(ctx, in.consumer)
	if err != nil {
		return false, err
	}
	mine := chosen(members, in.environment.key, in.partition) == in.consumer
	switch {
	case mine && in.token != "":
		return true, nil // the next claim says so, and prolongs the lease
	case !mine && in.token == "":
		return false, nil
	}
	lease := in.lease()
	if !mine {
		lease = 0
	}
	request := in.ownCall(lease)
	if err := in.log.run(ctx, "lease", request); err != nil {
		return false, err
	}
	in.token = text(request.reply)
	return in.token != "", nil
}

func (in *Inbox) ownCall(lease time.Duration) *call {
	return &call{script: ownScript, keys: []string{in.keys.owner()}, args: []any{in.consumer, lease.Milliseconds()}}
}

// resign gives up every partition and the membership, as far as Redis can be told.
func (e *Environment) resign(ctx context.Context) {
	var calls []*call
	left := map[string]bool{}
	for _, inbox := range e.inboxes {
		calls = append(calls, inbox.ownCall(0))
		if !left[inbox.consumer] {
			left[inbox.consumer] = true
			calls = append(calls, e.membership.beat(inbox.consumer, 0))
		}
	}
	_ = e.log.run(ctx, "lease", calls...) // a lease that is not given up ends by itself
}
