package redislog

import (
	"context"
	"time"

	"switchyard/engine"
)

// group is the one consumer group of each event log. Its pending entries are the events claimed and not committed.
const group = "router"

// Inbox is one partition's undecided events, as one process sees them. It is used by one goroutine.
type Inbox struct {
	log         *Log
	environment *Environment
	partition   int
	consumer    string
	keys        slice

	// token is what the owner key holds while this process owns the partition, "" while it does not.
	token string
	// claimed is the last entry that was claimed here, and looked up to which of the log's troubles it was looked for again.
	claimed string
	looked  int64
	// swept is when dead consumers were last looked for.
	swept time.Time
}

var _ engine.Inbox = (*Inbox)(nil)

const (
	sweepEvery = 10 * time.Minute
	// consumerIdle is how long a consumer without claims is kept.
	consumerIdle = time.Hour
	// claimBlock bounds how long a claim holds a connection, and so how late it sees that the partition is another's turn.
	claimBlock = time.Second
	// claimPause is the wait when there is nothing to block on: while the partition is another's, which costs no command,
	// or all connections for that are taken.
	claimPause = 250 * time.Millisecond
)

func newInbox(e *Environment, partition int, consumer string) *Inbox {
	return &Inbox{log: e.log, environment: e, partition: partition, consumer: consumer, keys: e.slices[partition]}
}

func (in *Inbox) lease() time.Duration { return in.log.options.Lease }

// Claim implements engine.Inbox. It returns nothing, after up to wait, while another process decides this partition.
func (in *Inbox) Claim(ctx context.Context, max int, wait time.Duration) ([]*engine.Event, error) {
	owned, err := in.own(ctx)
	if err != nil {
		return nil, err
	}
	in.lookBack(ctx)
	if !owned {
		pause(ctx, min(wait, claimPause, in.lease()/3)) // while it is another's
		return nil, ctx.Err()
	}
	found, err := in.find(ctx, max, wait)
	if err != nil {
		return nil, in.log.failed("claim", err)
	}
	if len(found) > 0 {
		in.claimed = found[len(found)-1].id
	}
	events := make([]*engine.Event, len(found))
	for i, e := range found {
		events[i] = eventOf(in.environment.key, in.partition, e)
	}
	return events, nil
}

// find claims what there is, or what comes while it waits.
func (in *Inbox) find(ctx context.Context, max int, wait time.Duration) ([]entry, error) {
	for {
		found, owned, err := in.claim(ctx, max)
		if !owned {
			in.token = ""
		}
		if err != nil || !owned || len(found.entries) > 0 {
			return found.entries, err
		}
		if found.passed {
			continue
		}
		in.sweep(ctx)
		came, err := in.await(ctx, found.last, wait)
		if err != nil || !came {
			return nil, err
		}
		wait = 0
	}
}

// Leave implements engine.Inbox. The first of a process that leaves ends its membership, so that the others are given its
// partitions; those that it has not left yet are its own until it has.
func (in *Inbox) Leave(ctx context.Context) {
	members := in.environment.membership
	members.forget(in.consumer)
	in.token = ""
	_ = in.log.run(ctx, "lease", members.beat(in.consumer, 0), in.ownCall(0)) // a lease that is not given up ends by itself
}

// sweepScript removes consumers that are long gone: processes have new names after each start.
//
// KEYS: 1 events
//
// ARGV: 1 group, 2 the idle time from which a consumer without pending entries is removed, ms, 3 the consumer to keep
//
// Returns: how many were removed
var sweepScript = newScript(`
local removed = 0
for _, flat in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local c = {}
  for i = 1, #flat, 2 do c[flat[i]] = flat[i + 1] end
  if c.name ~= ARGV[3] and c.pending == 0 and c.idle > tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], c.name)
    removed = removed + 1
  end
end
return removed
`)

// sweep is housekeeping: whether it succeeds does not matter to a claim.
func (in *Inbox) sweep(ctx context.Context) {
	if time.Since(in.swept) < sweepEvery {
		return
	}
	in.swept = time.Now()
	_ = in.log.run(ctx, "claim", &call{
		script: sweepScript, keys: []string{in.keys.events()}, args: []any{group, consumerIdle.Milliseconds(), in.consumer},
	})
}
