package main

import (
	"cmp"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// The chaos test: several processes and a real Redis are killed, stopped and cut off while senders post and a
// destination fails, and what is promised of every event and every action is held against what came of it.
//
//	make chaos                  20 minutes with a new seed
//	make chaos CHAOS=5m SEED=7  so long, with that seed
//
// SWITCHYARD_CHAOS_DIR=FOLDER keeps the logs of the processes there, one line an event.

const chaosSeed = 20_261

// A storm breaks no promise.
func TestChaos(t *testing.T) {
	if testing.Short() {
		t.Skip("a storm takes its time")
	}
	length := 12 * time.Second
	if os.Getenv("CI") == "true" {
		length = time.Minute
	}
	s := newStorm(t, stormOptions{seed: stormSeed(t), length: stormLength(t, length), kinds: anyFault})
	s.run()
	s.found.report(t)
	t.Log(s.summary())
}

// stormLength is how long a storm was asked for, or else the length given.
func stormLength(t *testing.T, otherwise time.Duration) time.Duration {
	t.Helper()
	text := os.Getenv("SWITCHYARD_CHAOS")
	if text == "" {
		return otherwise
	}
	length, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("SWITCHYARD_CHAOS must be a duration such as 20m: %v", err)
	}
	return length
}

// stormSeed is the one asked for, a new one for a storm that was asked for without, and else always the same.
func stormSeed(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("SWITCHYARD_CHAOS_SEED")
	switch {
	case text != "":
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("SWITCHYARD_CHAOS_SEED must be a number: %v", err)
		}
		return seed
	case os.Getenv("SWITCHYARD_CHAOS") != "":
		return rand.Uint64N(1_000_000)
	}
	return chaosSeed
}

// The oracle is worth something only if it notices: without fencing, the ledger of effects or the order of lanes, each of
// them broken in the processes of a storm, it finds what that breaks.
func TestChaosOracleIsProven(t *testing.T) {
	if testing.Short() {
		t.Skip("a storm takes its time")
	}
	for _, broken := range []struct {
		sabotage string
		length   time.Duration
		kinds    deck
		hasty    bool
		want     breach
	}{
		{"fencing", 10 * time.Second, mostlyStops, true, outOfOrder},
		{"ledger", 4 * time.Second, mostlyKills, false, appliedTwice},
		{"lanes", 4 * time.Second, mostlyKills, false, outOfOrder},
	} {
		t.Run(broken.sabotage, func(t *testing.T) {
			s := newStorm(t, stormOptions{
				seed: stormSeed(t), length: broken.length, kinds: broken.kinds, sabotage: broken.sabotage, hasty: broken.hasty,
			})
			s.run()
			if s.found.count(broken.want) == 0 {
				t.Errorf("nothing was found of the kind %q", broken.want)
			}
			t.Logf("%s; found %s", s.summary(), cmp.Or(s.found.counts(), "nothing"))
		})
	}
}
