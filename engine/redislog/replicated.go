package redislog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/engine"
)

// Replication is asynchronous: a master that dies takes with it what it has answered and not yet passed on. With
// Options.Replicated, what somebody is told is there is therefore waited for with WAIT. This is needed in three places,
// and one more:
//
//   - An append, for its sender forgets the event once it is acknowledged.
//   - A claim, for an event that only its dying master has is not there afterwards, while its sender repeats it: it gets
//     another id, so its effects get other keys. An event is decided, and its effects go out, only when its id stays.
//   - An effect on the built-in directory, whose keys are on other masters than the action that is recorded as done.
//   - The deletion of a user, who must not come back.
//
// Commits and records do without. All keys of a partition are on one master and a replica has a prefix of what was written
// there, so that a failover takes the partition back to an earlier state of its own: an event whose commit was lost is
// pending again and is decided again, an action whose record was lost is due again and is attempted again, both under the
// same effect keys, for these follow from the event's id. Leases, tokens and the consumer group go back likewise, and are
// taken and made again as they are after a crash.

const (
	// replicaWait is how long a pipeline waits for a replica at most. One that is in step answers within the time of a
	// round trip.
	replicaWait = time.Second
	// redirects is how often calls are repeated that another master should have got, redirectPause apart: the client
	// learns meanwhile which.
	redirects     = 4
	redirectPause = 50 * time.Millisecond
)

var (
	errNotReplicated = fmt.Errorf("no replica has confirmed the write: %w", engine.ErrUnavailable)
	errNoReplica     = errors.New("the embedded store has no replica to wait for: it keeps acknowledged events only in this process")
)

// keep is run for writes that the death of a master must not take back. Without Options.Replicated there is no difference.
// With it, a call without an error is on a replica too; one that failed may have been done all the same, as with any lost
// answer.
func (l *Log) keep(ctx context.Context, op string, calls ...*call) error {
	if !l.options.Replicated {
		return l.run(ctx, op, calls...)
	}
	return l.runBy(ctx, l.replicated, op, calls)
}

// replicated is pipeline with a WAIT behind the calls of each master. It speaks to the masters itself: the cluster's own
// pipeline would send a command without a key, as WAIT is, anywhere.
//
// A master that has lost the slot answers MOVED and does nothing; those calls are made again where they belong. ASK, which
// it answers while a slot is being migrated, stays an error: until the migration is through, no script that also makes new
// keys can run on either side.
func (l *Log) replicated(ctx context.Context, calls []*call, queue queueCall) (forgotten []*call) {
	left := calls
	for try := 0; len(left) > 0; try++ {
		l.onMasters(ctx, left, queue)
		left = slices.DeleteFunc(slices.Clone(left), func(c *call) bool { return !redis.HasErrorPrefix(c.err, "MOVED") })
		if len(left) == 0 || try == redirects {
			break
		}
		l.relearn()
		if !pause(ctx, redirectPause) {
			break
		}
	}
	for _, c := range calls {
		if c.forgotten() {
			forgotten = append(forgotten, c)
		}
	}
	return forgotten
}

// onMasters runs the calls, those of each master in one pipeline and in their order, and the masters side by side.
func (l *Log) onMasters(ctx context.Context, calls []*call, queue queueCall) {
	groups := map[pipeliner][]*call{}
	for _, c := range calls {
		master, err := l.master(ctx, c.keys[0])
		if c.err = err; err == nil {
			groups[master] = append(groups[master], c)
		}
	}
	var done sync.WaitGroup
	for master, group := range groups {
		done.Go(func() { l.onMaster(ctx, master, group, queue) })
	}
	done.Wait()
}

// pipeliner is a node, or all that there is.
type pipeliner interface {
	Pipelined(ctx context.Context, fill func(redis.Pipeliner) error) ([]redis.Cmder, error)
}

// master is where a key is written.
func (l *Log) master(ctx context.Context, key string) (pipeliner, error) {
	if cluster, ok := l.client.(*redis.ClusterClient); ok {
		return cluster.MasterForKey(ctx, key)
	}
	return l.client, nil
}

// onMaster runs calls on one connection, and has a replica confirm them there: WAIT speaks of the writes of its own
// connection.
func (l *Log) onMaster(ctx context.Context, master pipeliner, calls []*call, queue queueCall) {
	replies, replicas := make([]*redis.Cmd, len(calls)), (*redis.Cmd)(nil)
	_, _ = master.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, c := range calls {
			replies[i] = queue(pipe, c)
		}
		replicas = pipe.Do(ctx, "WAIT", 1, min(replicaWait, l.options.Timeout/2).Milliseconds())
		return nil
	}) // each reply has its own error, and all have the connection's
	unsure := confirmed(replicas)
	for i, c := range calls {
		c.take(replies[i])
		if c.err == nil {
			c.err = unsure
		}
	}
}

// confirmed is nil when a replica has what was written. A master that was demoted meanwhile answers WAIT with an error.
func confirmed(replicas *redis.Cmd) error {
	switch n, err := replicas.Int64(); {
	case err != nil:
		return fmt.Errorf("%w: %w", errNotReplicated, err)
	case n < 1:
		return errNotReplicated
	}
	return nil
}

// relearn has a cluster's client look again which master has what, in the background and a few times a second at most.
func (l *Log) relearn() {
	if cluster, ok := l.client.(*redis.ClusterClient); ok {
		cluster.ReloadState(context.Background())
	}
}

// pause waits, and reports false when the context ended first.
func pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
