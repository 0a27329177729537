package main

import (
	"fmt"
	"testing"
	"time"

	"switchyard/engine/redislog"
	"switchyard/engine/redislog/redistest"
)

// A process whose clock is hours from that of Redis, which all processes share, goes by that of Redis: what it decides
// is due at once for everybody, and nothing is trimmed before its time.
func TestEveryTimeIsByTheClockOfRedis(t *testing.T) {
	store := redistest.Start(t)
	for name, off := range map[string]time.Duration{"ahead": 5 * time.Hour, "behind": -5 * time.Hour} {
		t.Run("Redis is "+name, func(t *testing.T) {
			theirs := func() time.Time { return time.Now().Add(off).UTC() }
			before := logOptions
			logOptions = func(c *config) redislog.Options {
				options := before(c)
				options.Now = theirs
				return options
			}
			defer func() { logOptions = before }()
			i := start(t, store.URL(), signup)
			i.post("api-key", fmt.Sprintf(inlineSignup, name), 200)
			id := i.settled(name).ID
			var record struct {
				ReceivedAt time.Time `json:"received_at"`
				DecidedAt  time.Time `json:"decided_at"`
				Actions    []struct {
					CreatedAt time.Time `json:"created_at"`
					Attempts  []struct{ At time.Time }
				}
			}
			i.get(testEnvironment+"/events/"+id, &record)
			if len(record.Actions) != 1 || len(record.Actions[0].Attempts) != 1 {
				t.Fatalf("%+v", record)
			}
			action := record.Actions[0]
			for what, at := range map[string]time.Time{
				"received": record.ReceivedAt, "decided": record.DecidedAt,
				"the action is made": action.CreatedAt, "it is attempted": action.Attempts[0].At,
			} {
				if apart := at.Sub(theirs()).Abs(); apart > time.Minute {
					t.Errorf("%s: %v away from the clock of Redis", what, apart)
				}
			}
			i.stop()
		})
	}
}
