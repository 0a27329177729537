package redislog

import (
	"context"
	"strings"
	"testing"
	"time"

	"switchyard/engine/redislog/redistest"
)

// What no call of the API can bring about in a test's time is tested on the script itself, on both servers.

func withLogs(t *testing.T, test func(t *testing.T, l *Log)) {
	for name, url := range map[string]string{"embedded": embeddedURL, "redis": redistest.Start(t).URL()} {
		t.Run(name, func(t *testing.T) {
			l, err := Open(context.Background(), Options{URL: url})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			test(t, l)
		})
	}
}

func TestSweepKeepsWhoHasClaims(t *testing.T) {
	withLogs(t, func(t *testing.T, l *Log) {
		ctx, key := context.Background(), sliceOf("e", 0).events()
		do := func(args ...any) {
			t.Helper()
			if err := l.client.Do(ctx, args...).Err(); err != nil {
				t.Fatal(err)
			}
		}
		do("XGROUP", "CREATE", key, group, "0", "MKSTREAM")
		do("XADD", key, "*", "a", "b")
		do("XREADGROUP", "GROUP", group, "holds a claim", "STREAMS", key, ">")
		do("XGROUP", "CREATECONSUMER", key, group, "me")
		do("XGROUP", "CREATECONSUMER", key, group, "gone")
		sweep := func(idle int) int64 {
			t.Helper()
			c := &call{script: sweepScript, keys: []string{key}, args: []any{group, idle, "me"}}
			if err := l.run(ctx, "claim", c); err != nil {
				t.Fatal(err)
			}
			return c.number()
		}
		if n := sweep(3_600_000); n != 0 {
			t.Errorf("%d young consumers were removed", n)
		}
		if n := sweep(-2); n != 1 {
			t.Errorf("%d consumers were removed", n)
		}
		consumers, err := l.client.XInfoConsumers(ctx, key, group).Result()
		if err != nil || len(consumers) != 2 {
			t.Errorf("%v %v", consumers, err)
		}
	})
}

func TestBeatAndOwn(t *testing.T) {
	withLogs(t, func(t *testing.T, l *Log) {
		run := func(s *script, keys []string, args ...any) any {
			t.Helper()
			c := &call{script: s, keys: keys, args: args}
			if err := l.run(context.Background(), "lease", c); err != nil {
				t.Fatal(err)
			}
			return c.reply
		}
		beat := func(consumer string, life any) []string {
			t.Helper()
			reply, _ := run(beatScript, []string{membersKey("e"), metaKey("e")}, consumer, life, 4, format).([]any)
			if len(reply) != 3 || time.Since(readMilliseconds(reply[0])).Abs() > time.Minute || text(reply[1]) != "4" {
				t.Fatalf("%v", reply)
			}
			return texts(reply[2])
		}
		beat("b", 60_000)
		if live := beat("a", 60_000); len(live) != 2 {
			t.Errorf("live: %v", live)
		}
		if live := beat("b", "0"); len(live) != 1 || live[0] != "a" {
			t.Errorf("live: %v", live)
		}
		other, _ := run(beatScript, []string{membersKey("e"), metaKey("e")}, "c", 60_000, 8, format).([]any)
		if text(other[1]) != "4" || len(texts(other[2])) != 1 {
			t.Errorf("one with another number of partitions: %v", other)
		}
		tokens := map[string]bool{}
		for _, step := range []struct {
			who, lease string
			owns, new  bool
		}{
			{"a", "60000", true, true}, {"a b", "60000", false, false}, {"a b", "0", false, false}, {"a", "60000", true, false},
			{"a", "0", false, false}, {"a b", "60000", true, true}, {"a", "60000", false, false}, {"a b", "0", false, false}, {"a", "60000", true, true},
		} {
			token := text(run(ownScript, []string{sliceOf("e", 0).owner()}, step.who, step.lease))
			if owns := strings.HasPrefix(token, step.who+" "); owns != step.owns || owns && tokens[token] == step.new {
				t.Errorf("%+v: %q", step, token)
			}
			tokens[token] = true
		}
	})
}

func TestChosenSpreads(t *testing.T) {
	members, shares := []string{"a", "b", "c"}, map[string]int{}
	for p := range 9 {
		shares[chosen(members, "production", p)]++
	}
	if shares["a"] != 3 || shares["b"] != 3 || shares["c"] != 3 || chosen(nil, "e", 0) != "" {
		t.Errorf("%v", shares)
	}
}
