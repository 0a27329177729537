package redislog

import "github.com/redis/go-redis/v9"

// Client lets tests do to Redis what nobody should.
func (l *Log) Client() redis.UniversalClient { return l.client }

// Prefix is what the keys of a partition start with.
func Prefix(environment string, partition int) string { return sliceOf(environment, partition).prefix }
