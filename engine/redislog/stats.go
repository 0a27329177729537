package redislog

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// Stats is what stands in an environment now.
type Stats struct {
	// Events are in the log; Pending of them are accepted and not decided.
	Events, Pending int64
	// LanesWaiting have an action that has not ended.
	LanesWaiting int64
	// Dead actions can be run again.
	Dead int64
}

// Stats counts, in one round trip. The figures of different partitions may be a moment apart.
func (l *Log) Stats(ctx context.Context, environment string) (Stats, error) {
	e, err := l.environment(environment)
	if err != nil {
		return Stats{}, err
	}
	type counts struct{ events, decided, due, dead *redis.IntCmd }
	all := make([]counts, e.partitions)
	_, err = l.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for p, keys := range e.slices {
			// decided is counted first: an event that comes between the two counts is then pending, not less than nothing
			all[p].decided = pipe.HLen(ctx, keys.decided())
			all[p].events = pipe.XLen(ctx, keys.events())
			all[p].due = pipe.ZCard(ctx, keys.due())
			all[p].dead = pipe.ZCard(ctx, keys.dead())
		}
		return nil
	})
	if err != nil {
		return Stats{}, l.failed("read", err)
	}
	var stats Stats
	for _, c := range all {
		stats.Events += c.events.Val()
		stats.Pending += max(c.events.Val()-c.decided.Val(), 0)
		stats.LanesWaiting += c.due.Val()
		stats.Dead += c.dead.Val()
	}
	return stats, nil
}
