package redislog

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"switchyard/engine"
)

// The rules in quarantine of an environment are one hash, "<rule> <version>" → the quarantine as JSON. It is as long as
// the rules that went wrong and were never released. Two fields more, which no rule can have, say whether it has changed,
// so that processes need not read all of it every second.
const (
	epochField   = " epoch"
	changesField = " changes"
)

// quarantineField joins a rule's key, which has no space, and its version.
func quarantineField(rule, version string) string { return rule + " " + version }

// Quarantine remembers that a version of a rule is in quarantine. One that is there already stays as it is: the first
// process to say so has the reason. The error wraps engine.ErrUnavailable when it is worth another try.
func (l *Log) Quarantine(ctx context.Context, environment, rule string, q engine.Quarantine) error {
	doc, err := json.Marshal(q)
	if err != nil {
		return err
	}
	return l.changeQuarantines(ctx, environment, func(pipe redis.Pipeliner, key string) {
		pipe.HSetNX(ctx, key, quarantineField(rule, q.Version), doc)
	})
}

// changeQuarantines makes a change, and counts it, in one step.
func (l *Log) changeQuarantines(ctx context.Context, environment string, change func(pipe redis.Pipeliner, key string)) error {
	_, err := l.client.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		key := quarantinesKey(environment)
		change(pipe, key)
		pipe.HSetNX(ctx, key, epochField, rand.Text())
		pipe.HIncrBy(ctx, key, changesField, 1)
		return nil
	})
	return l.failed("quarantine", err)
}

// QuarantineChanges is other than before when the quarantines of an environment are.
func (l *Log) QuarantineChanges(ctx context.Context, environment string) (changes engine.QuarantineChanges, err error) {
	values, err := l.client.HMGet(ctx, quarantinesKey(environment), epochField, changesField).Result()
	if err != nil {
		return changes, l.failed("quarantine", err)
	}
	changes.Epoch, _ = values[0].(string)
	count, _ := values[1].(string)
	changes.Count, _ = strconv.ParseInt(count, 10, 64)
	return changes, nil
}

// Quarantined are the quarantines of an environment by the keys of the rules, of all their versions. A field that can
// not be read is left out.
func (l *Log) Quarantined(ctx context.Context, environment string) (map[string][]engine.Quarantine, error) {
	fields, err := l.client.HGetAll(ctx, quarantinesKey(environment)).Result()
	if err != nil {
		return nil, l.failed("quarantine", err)
	}
	all := map[string][]engine.Quarantine{}
	for field, doc := range fields {
		rule, _, _ := strings.Cut(field, " ")
		if rule == "" {
			continue // the two fields more
		}
		var q engine.Quarantine
		if json.Unmarshal([]byte(doc), &q) == nil {
			all[rule] = append(all[rule], q)
		}
	}
	return all, nil
}

// Release forgets the quarantines of a rule, of all its versions. To release one that is in none is no error.
func (l *Log) Release(ctx context.Context, environment, rule string) error {
	fields, err := l.client.HKeys(ctx, quarantinesKey(environment)).Result()
	if err != nil {
		return l.failed("quarantine", err)
	}
	var theirs []string
	for _, field := range fields {
		if strings.HasPrefix(field, quarantineField(rule, "")) {
			theirs = append(theirs, field)
		}
	}
	if len(theirs) == 0 {
		return nil
	}
	return l.changeQuarantines(ctx, environment, func(pipe redis.Pipeliner, key string) { pipe.HDel(ctx, key, theirs...) })
}
