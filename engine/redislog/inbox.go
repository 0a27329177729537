package redislog

import (
	"context"
	"errors"
	"strings"
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

	held   bool
	heldAt time.Time
	// recovering: everything that is pending, whoever claimed it, comes before anything new; cursor is how far that is.
	recovering bool
	cursor     string
	// replaying: the group may be younger than the log, so what is new to it may be decided.
	replaying bool
	// searched is when abandoned claims were last looked for, swept when dead consumers were.
	searched, swept time.Time
}

var _ engine.Inbox = (*Inbox)(nil)

const (
	searchEvery = 2 * time.Second
	sweepEvery  = 10 * time.Minute
	// consumerIdle is how long a consumer without claims is kept.
	consumerIdle = time.Hour
	// claimBlock bounds how long a claim holds a connection, and so how late it sees that its context ended.
	claimBlock = time.Second
)

func newInbox(e *Environment, partition int, consumer string) *Inbox {
	return &Inbox{
		log: e.log, environment: e, partition: partition, consumer: consumer, keys: e.slices[partition],
		recovering: true, replaying: true, cursor: "0-0",
	}
}

// Claim implements engine.Inbox. It returns nothing, after up to wait, while another process decides this partition. It
// takes up to a second to see that its context ended.
func (in *Inbox) Claim(ctx context.Context, max int, wait time.Duration) ([]*engine.Event, error) {
	held, err := in.hold(ctx)
	if err != nil {
		return nil, err
	}
	if !held {
		in.pause(ctx, wait)
		return nil, ctx.Err()
	}
	claimed, err := in.claim(ctx, max, wait)
	if noGroup(err) {
		if err = in.createGroup(ctx); err == nil {
			claimed, err = in.claim(ctx, max, wait)
		}
	}
	if err != nil {
		in.recover() // entries may have been claimed for us in a reply that was lost
		return nil, in.log.failed("claim", err)
	}
	events := make([]*engine.Event, len(claimed))
	for i, e := range claimed {
		events[i] = eventOf(in.environment.key, in.partition, e)
	}
	return events, nil
}

// pause waits while the partition is another's.
func (in *Inbox) pause(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(min(wait, claimBlock, in.log.options.Lease/3))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// recover makes the next claim start with what is pending.
func (in *Inbox) recover() { in.recovering, in.cursor = true, "0-0" }

func (in *Inbox) claim(ctx context.Context, max int, wait time.Duration) ([]entry, error) {
	if in.recovering {
		found, err := in.takeOver(ctx, 0, max)
		if err != nil {
			return nil, err
		}
		in.recovering, in.searched = in.cursor != "0-0", time.Now()
		if len(found) > 0 {
			return found, nil
		}
		in.sweep(ctx)
	}
	if time.Since(in.searched) > searchEvery {
		in.searched = time.Now()
		found, err := in.takeOver(ctx, in.log.options.Lease, max)
		if err != nil || len(found) > 0 {
			return found, err
		}
	}
	return in.fresh(ctx, max, wait)
}

// takeOver claims entries that have been pending for idle, oldest first, from the cursor on.
func (in *Inbox) takeOver(ctx context.Context, idle time.Duration, max int) ([]entry, error) {
	for {
		reply, err := in.log.client.Do(ctx, "XAUTOCLAIM", in.keys.events(), group, in.consumer,
			idle.Milliseconds(), in.cursor, "COUNT", max).Slice()
		if err != nil {
			return nil, err
		}
		if len(reply) < 2 {
			return nil, errors.New("unexpected reply to XAUTOCLAIM")
		}
		// Entries that were deleted while pending are dropped by the server, or come without fields from an older one.
		in.cursor = text(reply[0])
		found, err := in.undecided(ctx, entries(reply[1]))
		if err != nil || len(found) > 0 || in.cursor == "0-0" {
			return found, err
		}
	}
}

// fresh claims what nobody has claimed yet, and waits for it.
func (in *Inbox) fresh(ctx context.Context, max int, wait time.Duration) ([]entry, error) {
	for {
		claimed, err := in.readGroup(ctx, max, wait)
		if err != nil || len(claimed) == 0 || !in.replaying {
			return claimed, err
		}
		found, err := in.undecided(ctx, claimed)
		in.replaying = err != nil || len(found) < len(claimed)
		if err != nil || len(found) > 0 {
			return found, err
		}
	}
}

func (in *Inbox) readGroup(ctx context.Context, max int, wait time.Duration) ([]entry, error) {
	args := []any{"XREADGROUP", "GROUP", group, in.consumer, "COUNT", max}
	block := min(wait, claimBlock, in.log.options.Lease/3, in.log.options.Timeout/2)
	if block >= time.Millisecond { // BLOCK 0 would wait for ever
		args = append(args, "BLOCK", block.Milliseconds())
	}
	reply, err := in.log.client.Do(ctx, append(args, "STREAMS", in.keys.events(), ">")...).Slice()
	if gone(err) || err == nil && len(reply) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	stream, _ := reply[0].([]any)
	if len(stream) != 2 {
		return nil, errors.New("unexpected reply to XREADGROUP")
	}
	return entries(stream[1]), nil
}

// undecided acknowledges entries that are decided, or gone, and returns the others.
func (in *Inbox) undecided(ctx context.Context, claimed []entry) ([]entry, error) {
	if len(claimed) == 0 {
		return nil, nil
	}
	ids := make([]string, len(claimed))
	for i, e := range claimed {
		ids[i] = e.id
	}
	decided, err := in.log.client.HMGet(ctx, in.keys.decided(), ids...).Result()
	if err != nil {
		return nil, err
	}
	var found []entry
	var done []string
	for i, e := range claimed {
		if decided[i] == nil && e.fields != nil {
			found = append(found, e)
		} else {
			done = append(done, e.id)
		}
	}
	if len(done) == 0 {
		return found, nil
	}
	return found, in.log.client.XAck(ctx, in.keys.events(), group, done...).Err()
}

// createGroup makes the group from the beginning of the log: what is decided is passed over as it comes.
func (in *Inbox) createGroup(ctx context.Context) error {
	in.replaying = true
	err := in.log.client.XGroupCreateMkStream(ctx, in.keys.events(), group, "0").Err()
	if err != nil && strings.HasPrefix(err.Error(), "BUSYGROUP") {
		return nil
	}
	return err
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
