package redislog

import (
	"context"
	"encoding/json"
	"strings"

	"switchyard/engine"
)

// The rules in quarantine of an environment are one hash, "<rule> <version>" → the quarantine as JSON. It is as long as
// the rules that went wrong and were never released.

// quarantineField joins a rule's key, which has no space, and its version.
func quarantineField(rule, version string) string { return rule + " " + version }

// Quarantine remembers that a version of a rule is in quarantine. One that is there already stays as it is: the first
// process to say so has the reason. The error wraps engine.ErrUnavailable when it is worth another try.
func (l *Log) Quarantine(ctx context.Context, environment, rule string, q engine.Quarantine) error {
	doc, err := json.Marshal(q)
	if err != nil {
		return err
	}
	return l.failed("quarantine", l.client.HSetNX(ctx, quarantinesKey(environment), quarantineField(rule, q.Version), doc).Err())
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
	return l.failed("quarantine", l.client.HDel(ctx, quarantinesKey(environment), theirs...).Err())
}
