// Package redislog is everything of Switchyard that speaks Redis: the event log, the lanes of actions, the action log,
// the names seen and the built-in directory. Every key is a function in keys.go; every script says what it takes and
// returns. It runs on one server, Sentinel or Cluster, and on an embedded server when there is none. What a failover may
// take back, and what not, is told in replicated.go.
//
// # Layout
//
// All keys of a partition share a hash tag, so that its scripts work on a cluster and partitions spread over its nodes:
//
//	sy:{env:p}:events        STREAM  the event log, one immutable entry an event; consumer group "router"
//	sy:{env:p}:decided       HASH    event → "<outcome> <actions> <json>"; pending events = XLEN events − HLEN decided
//	sy:{env:p}:message:<id>  HASH    "<source>/<type>/<lane>" → "<ms>:<event>", the first in the window; "ids" → its events
//	sy:{env:p}:user:<id>     ZSET    the user's events, padded, all of score 0: an index in lexicographic order
//	sy:{env:p}:actions       STREAM  the action log's immutable half, one entry an action
//	sy:{env:p}:state         HASH    action → "<attempts> <status> <json>"
//	sy:{env:p}:lane:<lane>   LIST    the lane's actions that have not ended, in order
//	sy:{env:p}:due           ZSET    lane → when its head is due, ms; a taken lane is due again when its lease ends
//	sy:{env:p}:dead          ZSET    dead actions, padded, all of score 0
//	sy:{env:p}:owner         STRING  the fencing token of who decides this partition, with the lease as its TTL
//	sy:{env:p}:counts        HASH    running totals; see counts.go
//
//	sy:{env}:meta            HASH    partitions, format
//	sy:{env}:members         ZSET    consumer → when its membership ends, ms of Redis' clock
//	sy:{env}:paused          HASH    destination → JSON; see Pauses
//	sy:{env}:quarantines     HASH    "<rule> <version>" → JSON; see Quarantine
//	sy:{env:names}:sources   SET     sources with names
//	sy:{env:names}:of:<src>  HASH    "<length of type>:<type><name>" → "<count> <first ms> <last ms> <sample>"
//	sy:{env:user:<id>}:profile       HASH   traits, created, updated, version
//	sy:{env:user:<id>}:effect:<key>  STRING an effect that was applied to this user
//	sy:{env:runs}:stream             STREAM workflow runs; see Directory.AppendRun
//	sy:{env:runs}:effect:<key>       STRING the result of the run that has this effect key
//
// An event's id is "e<partition>-<ms>-<seq>", an action's "a<partition>-<ms>-<seq>", after their stream entries. Inside a
// partition the entry id alone, "<ms>-<seq>", is kept; "padded" is that id with leading zeros, so that it sorts as text.
package redislog

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/engine"
)

// Options are how a Log is opened. Zero values are the defaults given.
type Options struct {
	// URL is "embedded" (also ""), redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://; see Open.
	URL string
	// PoolSize bounds the connections to each node, 1024. A partition that this process decides blocks one while nothing
	// comes, up to three quarters of them; the partitions beyond are looked at four times a second, and the rest of the
	// connections are for work. They are dialled when needed, so a high bound costs nothing.
	PoolSize int
	// DialTimeout (1 s), and Timeout (3 s) of a read or write. Claims block for less than Timeout.
	DialTimeout, Timeout time.Duration
	// Replicated has an event acknowledged only when a replica has it too; without one, Append answers
	// engine.ErrUnavailable, and nothing new is decided. Open refuses it for the embedded server.
	Replicated bool
	// Lease is how long a process that says nothing keeps the partitions it decides, 5 s. It is also how long an event
	// stays claimed without a commit.
	Lease time.Duration
	// Now is the clock that windows, retention and due times follow: Redis' own, as entry ids and leases do. Tests give
	// another.
	Now func() time.Time
	// OnError is told the operation of each error that Redis caused: append, claim, commit, due, record, read…
	OnError func(op string)
	// OnRewind is told when a partition has gone back to an earlier state, as after a failover that lost writes: the event that
	// was claimed here and is gone. It is told once of each time, by each process that has something to miss.
	OnRewind func(environment, event string)
}

// Log is one Redis, embedded or not.
type Log struct {
	client  redis.UniversalClient
	options Options
	clock   serverClock
	// blocked has room for the connections that may wait for something to come.
	blocked chan struct{}
	// troubles counts the errors that mean "not now".
	troubles atomic.Int64
	stop     func() // ends the embedded server; nil when there is none

	mu           sync.Mutex
	environments map[string]*Environment
}

// Open connects. The URL is one of
//
//	embedded                                        a server in this process; keeps nothing
//	redis://[user:password@]host[:port][/db]        one server; rediss:// with TLS, unix:///path for a socket
//	redis+sentinel://[user:password@]host1,host2/master[/db]
//	redis+cluster://[user:password@]host1,host2
//
// and the last two have rediss+… forms too. Open pings, and an error never holds a password; one that is worth another
// try wraps engine.ErrUnavailable.
func Open(ctx context.Context, options Options) (*Log, error) {
	options = options.withDefaults()
	silence()
	log := &Log{options: options, environments: map[string]*Environment{}, blocked: make(chan struct{}, options.PoolSize*3/4)}
	if options.Now == nil {
		log.options.Now = log.clock.now
	}
	if options.URL == embeddedURL {
		if options.Replicated {
			return nil, errNoReplica
		}
		server, err := startEmbedded()
		if err != nil {
			return nil, err
		}
		log.stop, options.URL = server.stop, "redis://"+server.address()
	}
	client, err := newClient(options)
	if err != nil {
		return nil, err
	}
	log.client = client
	if err := log.readClock(ctx); err != nil {
		log.Close()
		return nil, err
	}
	return log, nil
}

func (o Options) withDefaults() Options {
	if o.URL == "" {
		o.URL = embeddedURL
	}
	if o.PoolSize == 0 {
		o.PoolSize = 1024
	}
	if o.DialTimeout == 0 {
		o.DialTimeout = time.Second
	}
	if o.Timeout == 0 {
		o.Timeout = 3 * time.Second
	}
	if o.Lease == 0 {
		o.Lease = 5 * time.Second
	}
	if o.OnError == nil {
		o.OnError = func(string) {}
	}
	if o.OnRewind == nil {
		o.OnRewind = func(_, _ string) {}
	}
	return o
}

// Ping reports whether Redis answers.
func (l *Log) Ping(ctx context.Context) error {
	return l.failed("ping", l.client.Ping(ctx).Err())
}

// Embedded reports whether the server lives in this process, and keeps nothing across restarts.
func (l *Log) Embedded() bool { return l.stop != nil }

// Close gives up the partitions this process decides, so that others need not wait for its lease, and disconnects.
// Nothing may use the Log afterwards.
func (l *Log) Close() error {
	l.mu.Lock()
	environments := l.environments
	l.environments = map[string]*Environment{}
	l.mu.Unlock()
	for _, environment := range environments {
		environment.close()
	}
	err := l.client.Close()
	if l.stop != nil {
		l.stop()
	}
	return err
}

// environment is one that was opened; engine.ErrNotFound when it was not.
func (l *Log) environment(key string) (*Environment, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if environment := l.environments[key]; environment != nil {
		return environment, nil
	}
	return nil, engine.ErrNotFound
}
