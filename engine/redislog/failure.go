package redislog

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"switchyard/engine"
)

// failed tells the counter of an error of Redis, and names the operation in it; see named. A cluster's client only learns
// from a node that redirects it that another has taken over; one that is gone redirects nobody.
func (l *Log) failed(op string, err error) error {
	if err != nil && !errors.Is(err, context.Canceled) {
		l.options.OnError(op)
		if unavailable(err) {
			l.troubles.Add(1)
			l.relearn()
		}
	}
	return named(op, err)
}

// named is an error with the operation in it. A nil error stays nil; one that means "not now" wraps
// engine.ErrUnavailable. The caller has dealt with redis.Nil.
func named(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, engine.ErrUnavailable) || !unavailable(err):
		return fmt.Errorf("redis %s: %w", op, err)
	}
	return fmt.Errorf("redis %s: %w: %w", op, engine.ErrUnavailable, err)
}

// notNow are the error replies of a server that is there and can not serve: starting, full, failing over, misconfigured.
// Senders are told to come back for all of them; the operator sees the reply in the log.
var notNow = []string{
	"OOM", "LOADING", "READONLY", "MISCONF", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "NOREPLICAS", "BUSY ", "NOAUTH",
	"WRONGPASS", "NOPERM", "UNKILLABLE", "UNBLOCKED", "MOVED", "ASK ", "ERR max number of clients",
}

// unavailable tells "not now" from "never": whatever is not a reply is trouble with the connection.
func unavailable(err error) bool {
	var reply redis.Error
	if !errors.As(err, &reply) {
		return true
	}
	text := reply.Error()
	for _, prefix := range notNow {
		if strings.HasPrefix(text, prefix) || strings.Contains(text, ": -"+prefix) { // so from inside a script of an older server
			return true
		}
	}
	return strings.Contains(text, "OOM command not allowed") // as still older ones report it
}
