package redislog

import (
	"context"
	"time"
)

// claimScript takes events for the process that owns the partition: those that are pending, whoever claimed them and
// died or lost an answer, before anything new. The owner claims only when it has committed, or given up, what it claimed
// before; so everything that is pending then is abandoned, and the order of the log is kept.
//
// KEYS: 1 events, 2 decided, 3 owner
//
// ARGV: 1 the owner's token; 2 its lease, ms; 3 group; 4 consumer; 5 how many at most
//
// Returns: {1, entries, "1" when others were passed over for they are decided or gone, the id after which there is
// nothing yet}; {-1}, and nothing was changed, when another process owns the partition, or none
//
// A vanished group is made again from the beginning of the log: what is decided is passed over as it comes.
var claimScript = newScript(`
if redis.call('GET', KEYS[3]) ~= ARGV[1] then return {-1} end
redis.call('PEXPIRE', KEYS[3], ARGV[2]) -- see owner.go on full servers
local pending = redis.pcall('XPENDING', KEYS[1], ARGV[3])
if pending.err then
  if not string.find(pending.err, 'NOGROUP', 1, true) then return pending end
  redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[3], '0', 'MKSTREAM')
  pending = {0}
end
local found
if pending[1] > 0 then
  found = redis.call('XAUTOCLAIM', KEYS[1], ARGV[3], ARGV[4], 0, '0-0', 'COUNT', ARGV[5])[2]
else
  local read = redis.call('XREADGROUP', 'GROUP', ARGV[3], ARGV[4], 'COUNT', ARGV[5], 'STREAMS', KEYS[1], '>')
  found = read and read[1][2] or {}
end
local open, passed, last = {}, '0', '0-0'
for _, entry in ipairs(found) do
  if entry and entry[2] and redis.call('HEXISTS', KEYS[2], entry[1]) == 0 then
    open[#open + 1] = entry
  elseif entry then
    redis.call('XACK', KEYS[1], ARGV[3], entry[1])
    passed = '1'
  end
end
if #open == 0 and pending[1] > 0 then -- older servers keep deleted entries pending
  for _, claim in ipairs(redis.call('XPENDING', KEYS[1], ARGV[3], '-', '+', ARGV[5])) do
    if not redis.call('XRANGE', KEYS[1], claim[1], claim[1])[1] then redis.call('XACK', KEYS[1], ARGV[3], claim[1]) end
  end
  if redis.call('XPENDING', KEYS[1], ARGV[3])[1] < pending[1] then passed = '1' end
end
if #open == 0 then
  local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
  if newest then last = newest[1] end
end
return {1, open, passed, last}
`)

// claimed is what one claim brought.
type claimed struct {
	entries []entry
	// passed: there may be more at once; last is the end of the log otherwise.
	passed bool
	last   string
}

// claim takes what there is, without waiting. It reports false when the partition is not this process's any more.
func (in *Inbox) claim(ctx context.Context, max int) (found claimed, owned bool, err error) {
	c := &call{
		script: claimScript,
		keys:   []string{in.keys.events(), in.keys.decided(), in.keys.owner()},
		args:   []any{in.token, in.lease().Milliseconds(), group, in.consumer, max},
	}
	if err := in.log.keep(ctx, "claim", c); err != nil {
		return found, true, err
	}
	reply := c.list()
	if len(reply) != 4 {
		return found, false, nil
	}
	return claimed{entries(reply[1]), text(reply[2]) == "1", text(reply[3])}, true, nil
}

// await waits until something is appended behind an entry, for at most so long. When all connections that may be blocked
// are, it waits for a little while instead, and the claim after it looks.
func (in *Inbox) await(ctx context.Context, last string, wait time.Duration) (came bool, err error) {
	block := min(wait, claimBlock, in.lease()/3, in.log.options.Timeout/2)
	if block < time.Millisecond { // BLOCK 0 would wait for ever
		return false, nil
	}
	select {
	case in.log.blocked <- struct{}{}:
	default:
		pause(ctx, min(wait, claimPause, in.lease()/3))
		return true, nil
	}
	type answer struct {
		entries []any
		err     error
	}
	answered := make(chan answer, 1)
	go func() {
		defer func() { <-in.log.blocked }()
		entries, err := in.log.client.Do(ctx, "XREAD", "COUNT", 1, "BLOCK", block.Milliseconds(), "STREAMS", in.keys.events(), last).Slice()
		answered <- answer{entries, err}
	}()
	select {
	case a := <-answered:
		if gone(a.err) {
			return false, nil
		}
		return len(a.entries) > 0, a.err
	case <-ctx.Done(): // the reading takes nothing, and ends by itself
		return false, ctx.Err()
	}
}
