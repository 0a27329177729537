package redislog

import (
	"context"
	"encoding/json"

	"switchyard/engine"
)

var _ engine.Pauses = (*Log)(nil)

// Pauses implements engine.Pauses. A field that can not be read is a pause without a reason.
func (l *Log) Pauses(ctx context.Context, environment string) (map[string]engine.Pause, error) {
	fields, err := l.client.HGetAll(ctx, pausesKey(environment)).Result()
	if err != nil {
		return nil, l.failed("pause", err)
	}
	all := make(map[string]engine.Pause, len(fields))
	for destination, doc := range fields {
		var pause engine.Pause
		_ = json.Unmarshal([]byte(doc), &pause)
		all[destination] = pause
	}
	return all, nil
}

// Pause implements engine.Pauses.
func (l *Log) Pause(ctx context.Context, environment, destination string, pause engine.Pause) error {
	doc, err := json.Marshal(pause)
	if err != nil {
		return err
	}
	return l.failed("pause", l.client.HSetNX(ctx, pausesKey(environment), destination, doc).Err())
}

// Resume implements engine.Pauses.
func (l *Log) Resume(ctx context.Context, environment, destination string) (bool, error) {
	n, err := l.client.HDel(ctx, pausesKey(environment), destination).Result()
	return n == 1, l.failed("pause", err)
}
