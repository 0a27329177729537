package redislog

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"switchyard/engine"
)

// EnvOptions say how long things are kept. Zero values are the defaults given.
type EnvOptions struct {
	// Events (30 days) and Actions (30 days) are the retention of the two logs.
	Events, Actions time.Duration
	// Size bounds the bytes of Redis' memory that both logs may take; 0 is no bound. The oldest then go before their
	// time. The embedded server does not know what its streams take, and keeps more.
	Size int64
	// Dedupe (24 h) is the window in which a repeat of a message id is recognised.
	Dedupe time.Duration
}

func (o EnvOptions) withDefaults() EnvOptions {
	const month = 30 * 24 * time.Hour
	if o.Events <= 0 {
		o.Events = month
	}
	if o.Actions <= 0 {
		o.Actions = month
	}
	if o.Dedupe <= 0 {
		o.Dedupe = 24 * time.Hour
	}
	return o
}

// Environment is one environment's log.
type Environment struct {
	log        *Log
	key        string
	partitions int
	slices     []slice
	keep       atomic.Pointer[EnvOptions]
	appenders  *appenders
	membership *membership

	mu      sync.Mutex
	inboxes []*Inbox

	trimming sync.Mutex
	trimmed  []trimCursor
}

var _ engine.Store = (*Environment)(nil)

// Environment opens an environment's log. The number of partitions is fixed when it is first used, on any process;
// another number afterwards is an error that says both. Opening it again returns the same Environment and changes nothing
// of it: new options are given to Keep, which can not fail.
func (l *Log) Environment(ctx context.Context, key string, partitions int, options EnvOptions) (*Environment, error) {
	if partitions < 1 {
		return nil, fmt.Errorf("environment %q needs at least one partition, not %d", key, partitions)
	}
	if err := l.fixPartitions(ctx, key, partitions); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	environment := l.environments[key]
	if environment == nil {
		environment = newEnvironment(l, key, partitions)
		environment.Keep(options)
		l.environments[key] = environment
	}
	return environment, nil
}

// Keep changes how long things are kept, from now on.
func (e *Environment) Keep(options EnvOptions) {
	options = options.withDefaults()
	e.keep.Store(&options)
}

func newEnvironment(l *Log, key string, partitions int) *Environment {
	e := &Environment{
		log: l, key: key, partitions: partitions,
		slices: slicesOf(key, partitions), trimmed: make([]trimCursor, partitions),
		membership: &membership{log: l, key: membersKey(key), meta: metaKey(key), partitions: partitions},
	}
	e.appenders = &appenders{log: l, of: map[string]*appender{}}
	return e
}

// format is the form in which the logs are stored. Another one has other keys, or counts what this one does not.
const format = "2"

// openScript fixes the number of partitions of an environment when it is first used.
//
// KEYS: 1 meta
//
// ARGV: 1 the number of partitions; 2 the format
//
// Returns: {the number of partitions that is fixed, the format that it was fixed with or ""}
var openScript = newScript(`
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('HSET', KEYS[1], 'partitions', ARGV[1], 'format', ARGV[2]) end
local meta = redis.call('HMGET', KEYS[1], 'partitions', 'format')
return {meta[1] or '', meta[2] or ''}
`)

func (l *Log) fixPartitions(ctx context.Context, key string, partitions int) error {
	c := &call{script: openScript, keys: []string{metaKey(key)}, args: []any{partitions, format}}
	if err := l.run(ctx, "open", c); err != nil {
		return err
	}
	fixed := texts(c.reply)
	switch {
	case len(fixed) != 2:
		return fmt.Errorf("redis open: unexpected reply %v", c.reply)
	case fixed[1] != format:
		return fmt.Errorf("environment %q is in Redis in the form %q of another version of Switchyard, and this one needs %q: use another Redis, or delete its keys (sy:{%s…)",
			key, fixed[1], format, tagged(key))
	case fixed[0] != strconv.Itoa(partitions):
		return fmt.Errorf("environment %q has %s partitions in Redis and %d in the config; the number is fixed when an environment is first used",
			key, fixed[0], partitions)
	}
	return nil
}

// Inbox is the undecided events of a partition, for one consumer: the name of this process among those that share the
// log. Two live processes must not use one name.
func (e *Environment) Inbox(partition int, consumer string) engine.Inbox {
	inbox := newInbox(e, partition, consumer)
	e.mu.Lock()
	e.inboxes = append(e.inboxes, inbox)
	e.mu.Unlock()
	return inbox
}

// Outbox is the lanes of a partition.
func (e *Environment) Outbox(partition int) engine.Outbox {
	return &Outbox{environment: e, log: e.log, partition: partition, keys: e.slices[partition]}
}

// partition is where an event is stored: with the others of its lane. One that names nobody goes by its bytes.
func (e *Environment) partition(event *engine.Event) int {
	if lane := event.Lane(); lane != "" {
		return engine.Partition(lane, e.partitions)
	}
	return engine.Partition(string(event.Original), e.partitions)
}

func (e *Environment) close() {
	e.appenders.stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.resign(ctx)
}

// milliseconds is a time as scripts take it.
func milliseconds(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
