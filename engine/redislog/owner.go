package redislog

import (
	"context"
	"hash/fnv"
	"slices"
	"sync"
	"time"
)

// A partition is decided by one process at a time, for only then are the actions of a user queued in the order of its
// events. The processes that share an environment say every now and then that they live, and the partitions go round
// among them in the order of their names. Each partition has an owner key with the owner's name; it ends with the lease,
// and Commit checks it, so that a process which has lost its lease can not commit.
//
// A server at its memory limit refuses a script whose first write may grow, and lets one go on that has written already.
// The scripts of this file, of commit.go and of outbox.go therefore begin with a write that can not grow: events are then
// refused at the door, while what was accepted is still decided and done, and in the end trimmed.

// membership is what this process knows of the live ones.
type membership struct {
	log *Log
	key string

	mu      sync.Mutex
	beaten  map[string]time.Time
	members []string
}

// beatScript prolongs a member's life and tells who lives, by the server's clock, which all share.
//
// KEYS: 1 members
//
// ARGV: 1 consumer; 2 how long its membership lasts from now, ms; "0" ends it
//
// Returns: the live members
var beatScript = newScript(`
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if ARGV[2] == '0' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
end
return redis.call('ZRANGE', KEYS[1], 0, -1)
`)

// live returns the live members, this consumer among them, and says that it lives when that is due.
func (m *membership) live(ctx context.Context, consumer string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	lease, now := m.log.options.Lease, time.Now()
	if last, known := m.beaten[consumer]; known && now.Sub(last) < lease/3 {
		return m.members, nil
	}
	beat := &call{script: beatScript, keys: []string{m.key}, args: []any{consumer, lease.Milliseconds()}}
	if err := m.log.run(ctx, "lease", beat); err != nil {
		return nil, err
	}
	if m.beaten == nil {
		m.beaten = map[string]time.Time{}
	}
	m.beaten[consumer], m.members = now, texts(beat.reply)
	slices.Sort(m.members)
	return m.members, nil
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

// holdScript takes or keeps a partition.
//
// KEYS: 1 owner
//
// ARGV: 1 consumer, 2 the lease, ms; "0" to give the partition up
//
// Returns: the owner now, "" for none
var holdScript = newScript(`
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return owner end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
  return ''
end
if redis.call('PEXPIRE', KEYS[1], ARGV[2]) == 0 then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return ARGV[1]
`)

// hold reports whether this process decides the partition now; it takes the partition, keeps it or hands it on. Handing
// on is harmless at any time: what was claimed and not committed is claimed by the next owner first.
func (in *Inbox) hold(ctx context.Context) (bool, error) {
	lease, now := in.log.options.Lease, time.Now()
	if in.held && now.Sub(in.heldAt) < lease/3 {
		return true, nil
	}
	if now.Sub(in.heldAt) >= lease {
		in.held = false // another may have had it meanwhile
	}
	members, err := in.environment.membership.live(ctx, in.consumer)
	if err != nil {
		return false, err
	}
	mine := chosen(members, in.environment.key, in.partition) == in.consumer
	if !mine && !in.held {
		return false, nil
	}
	request := in.holdCall(lease)
	if !mine {
		request = in.holdCall(0)
	}
	if err := in.log.run(ctx, "lease", request); err != nil {
		return false, err
	}
	held := text(request.reply) == in.consumer
	if held && !in.held {
		in.recover()
	}
	in.held, in.heldAt = held, now
	return held, nil
}

func (in *Inbox) holdCall(lease time.Duration) *call {
	return &call{script: holdScript, keys: []string{in.keys.owner()}, args: []any{in.consumer, lease.Milliseconds()}}
}

// resign gives up every partition and the membership, as far as Redis can be told.
func (e *Environment) resign(ctx context.Context) {
	var calls []*call
	left := map[string]bool{}
	for _, inbox := range e.inboxes {
		calls = append(calls, inbox.holdCall(0))
		if !left[inbox.consumer] {
			left[inbox.consumer] = true
			calls = append(calls, &call{script: beatScript, keys: []string{e.membership.key}, args: []any{inbox.consumer, "0"}})
		}
	}
	_ = e.log.run(ctx, "lease", calls...) // a lease that is not given up ends by itself
}
