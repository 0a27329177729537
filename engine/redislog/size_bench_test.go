package redislog_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/redis/go-redis/v9"

	"switchyard/adapters/spec"
	"switchyard/engine"
	"switchyard/engine/redislog"
	"switchyard/engine/redislog/redistest"
)

// TestBenchTable prints the ways to store an original beside each other, and what a logged event takes of Redis: `make
// bench`.
func TestBenchTable(t *testing.T) {
	if os.Getenv("SWITCHYARD_BENCH") == "" {
		t.Skip("a benchmark: make bench runs it")
	}
	printCodecs(t, "original of the vendors' fixtures", redislog.FixtureMessages(t))
	printCodecs(t, "full original", redislog.FullMessages(t))
	printSizes(t)
}

// codec is a way to store an original.
type codec struct {
	name   string
	encode func(dst, original []byte) []byte
	decode func(dst, stored []byte) ([]byte, error)
}

func codecs(t *testing.T) []codec {
	dict := s2.MakeDictManual(redislog.Dictionary, 0)
	return []codec{
		{
			"as it is",
			func(dst, original []byte) []byte { return append(dst, original...) },
			func(dst, stored []byte) ([]byte, error) { return append(dst, stored...), nil },
		},
		{"s2", s2.Encode, func(dst, stored []byte) ([]byte, error) { return s2.Decode(dst[:cap(dst)], stored) }},
		{"s2, dictionary", dict.Encode, dict.Decode},
		{"s2 better, dictionary", func(dst, original []byte) []byte { return dict.EncodeBetter(dst[:cap(dst)], original) }, dict.Decode},
		zstandard(t, "zstd fastest", zstd.SpeedFastest, nil),
		zstandard(t, "zstd fastest, dictionary", zstd.SpeedFastest, redislog.Dictionary),
		zstandard(t, "zstd default, dictionary", zstd.SpeedDefault, redislog.Dictionary),
		{
			"as Redis gets it",
			func(_, original []byte) []byte { return redislog.Pack(t, original) },
			func(_, stored []byte) ([]byte, error) { return redislog.Unpack(string(stored)) },
		},
	}
}

func zstandard(t *testing.T, name string, level zstd.EncoderLevel, dict []byte) codec {
	encoding := []zstd.EOption{
		zstd.WithEncoderLevel(level), zstd.WithEncoderCRC(false), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(64 << 10),
	}
	decoding := []zstd.DOption{zstd.WithDecoderConcurrency(1)}
	if dict != nil {
		encoding = append(encoding, zstd.WithEncoderDictRaw(1, dict))
		decoding = append(decoding, zstd.WithDecoderDictRaw(1, dict))
	}
	writer, err := zstd.NewWriter(nil, encoding...)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := zstd.NewReader(nil, decoding...)
	if err != nil {
		t.Fatal(err)
	}
	return codec{
		name,
		func(dst, original []byte) []byte { return writer.EncodeAll(original, dst) },
		func(dst, stored []byte) ([]byte, error) { return reader.DecodeAll(stored, dst) },
	}
}

// printCodecs measures each codec over the same messages.
func printCodecs(t *testing.T, of string, messages []redislog.Message) {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "\nper %s\tbytes\tof it\tns to write\tallocations\tns to read\tallocations\t\n", of)
	raw := 0
	for _, m := range messages {
		raw += len(m.Original)
	}
	for _, codec := range codecs(t) {
		var stored [][]byte
		bytes := 0
		for _, m := range messages {
			doc := slices.Clone(codec.encode(make([]byte, 0, 8<<10), m.Original))
			stored, bytes = append(stored, doc), bytes+len(doc)
		}
		write, read := measure(t, codec, messages, stored)
		fmt.Fprintf(table, "%s\t%d\t%d%%\t%d\t%d\t%d\t%d\t\n", codec.name, bytes/len(messages), 100*bytes/raw,
			write.NsPerOp(), write.AllocsPerOp(), read.NsPerOp(), read.AllocsPerOp())
	}
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
}

func measure(t *testing.T, codec codec, messages []redislog.Message, stored [][]byte) (write, read testing.BenchmarkResult) {
	room := make([]byte, 0, 8<<10)
	write = testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			codec.encode(room, messages[i%len(messages)].Original)
		}
	})
	read = testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, err := codec.decode(room, stored[i%len(stored)]); err != nil {
				b.Fatal(err)
			}
		}
	})
	for i, m := range messages {
		if original, err := codec.decode(nil, stored[i]); err != nil || !bytes.Equal(original, m.Original) {
			t.Fatalf("%s: %s: %q %v", codec.name, m.Name, original, err)
		}
	}
	return write, read
}

// The sizes are those of so many events of one partition, five of each user.
const sizeEvents, sizeUsers = 5000, 1000

// printSizes is the memory of all keys of a partition by their kind, and of the server, in bytes for each event.
func printSizes(t *testing.T) {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "\nbytes of Redis per logged event\tno action\tone action\t\n")
	without, with := logged(t, 0), logged(t, 1)
	for _, row := range []string{
		"posted", "events, originals as they are", "events", "decided", "message", "user", "actions", "state",
		"all keys, originals as they are", "all keys", "used by the server", "written to the AOF, originals as they are", "written to the AOF",
	} {
		fmt.Fprintf(table, "%s\t%d\t%d\t\n", row, without[row]/sizeEvents, with[row]/sizeEvents)
	}
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
}

// logged logs events on a server of its own, decides them, performs their actions, and weighs what there is.
func logged(t *testing.T, actions int) map[string]int {
	clock := &clock{}
	log := openLog(t, redistest.Start(t, "--appendonly", "yes", "--appendfsync", "no").URL(), clock)
	f := &fixture{t: t, ctx: t.Context(), log: log, clock: clock, name: "size"}
	env, err := f.log.Environment(f.ctx, f.name, 1, redislog.EnvOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f.env = env
	used, written := f.info("used_memory"), f.info("aof_current_size")
	sizes := map[string]int{}
	inbox := env.Inbox(0, "a")
	for first := 0; first < sizeEvents; first += 100 {
		events := f.fullEvents(first, 100)
		for _, event := range events {
			sizes["posted"] += len(event.Original)
		}
		f.append(events...)
		f.perform(inbox, actions)
	}
	sizes["used by the server"], sizes["written to the AOF"] = f.info("used_memory")-used, f.info("aof_current_size")-written
	sizes["written to the AOF, originals as they are"] = sizes["written to the AOF"]
	f.weigh(sizes)
	return sizes
}

// fullEvents are events of real length; each has ids of its own.
func (f *fixture) fullEvents(first, count int) (events []*engine.Event) {
	messages := redislog.FullMessages(f.t)
	for n := first; n < first+count; n++ {
		text := string(messages[n%len(messages)].Original)
		user := fmt.Sprintf("usr_%x", 0x5bd1e995*uint32(n%sizeUsers+1))
		text = strings.Replace(text, `"messageId":"`, fmt.Sprintf(`"messageId":"%08x-`, 0x9e3779b9*uint32(n+1)), 1)
		text = strings.Replace(text, `"type":"`, fmt.Sprintf(`"userId":%q,"type":"`, user), 1)
		batch, err := spec.Decode([]byte(text), spec.Options{Now: f.clock.Now()})
		if err != nil || batch.Events[0].Invalid != "" {
			f.t.Fatalf("%s: %v", text, err)
		}
		event := batch.Events[0]
		event.Environment, event.Source, event.Verification = f.name, "web", engine.Verified
		events = append(events, event)
	}
	return events
}

// perform decides what was appended and performs its actions.
func (f *fixture) perform(inbox engine.Inbox, actions int) {
	events := f.claim(inbox)
	verdicts := make([]*engine.Verdict, len(events))
	for i, event := range events {
		verdicts[i] = welcome(event, verdict(event, f.clock.Now(), actions))
	}
	if err := inbox.Commit(f.ctx, verdicts); err != nil {
		f.t.Fatal(err)
	}
	for {
		due, _, err := f.env.Outbox(0).Due(f.ctx, f.clock.Now(), time.Minute, 100)
		if err != nil {
			f.t.Fatal(err)
		}
		if len(due) == 0 {
			return
		}
		for _, action := range due {
			action.Status, action.Destination = engine.StatusSucceeded, "knock"
			action.Result = json.RawMessage(`{"workflow_run_id":"0f6d7e0a-4a5c-4b9e-8b3d-7a9c2d1e5f60"}`)
			action.Attempts = append(action.Attempts, engine.Attempt{At: f.clock.Now(), Status: action.Status, Took: 87654321})
			if _, err := f.env.Outbox(0).Record(f.ctx, action, time.Time{}, engine.AnyNumber); err != nil {
				f.t.Fatal(err)
			}
		}
	}
}

// welcome makes the actions of a verdict triggers, as rules do.
func welcome(event *engine.Event, verdict *engine.Verdict) *engine.Verdict {
	for _, action := range verdict.Decision.Actions {
		action.Kind, action.Identify = engine.ActionTrigger, nil
		action.Parameters = json.RawMessage(`{"workflow":"welcome","recipients":"user_id","actor":"user_id",` +
			`"data":"pick(data, \"plan\", \"seats\", \"name\")","tenant":"data.account_id"}`)
		action.Trigger = &engine.Trigger{
			Workflow: "welcome", Recipients: []engine.Recipient{{ID: event.UserID}},
			Data: map[string]any{"plan": "pro", "seats": 25, "name": "Guides"},
		}
	}
	return verdict
}

// weigh adds up what all keys take, by the kind of key, and what they would with originals as they are.
func (f *fixture) weigh(sizes map[string]int) {
	f.t.Helper()
	plain := f.slice(0) + "plain"
	sizes["written to the AOF, originals as they are"] += f.copyPlain(f.slice(0)+"events", plain)
	keys, err := f.client().Keys(f.ctx, "*").Result()
	if err != nil {
		f.t.Fatal(err)
	}
	for _, key := range keys {
		size, err := f.client().MemoryUsage(f.ctx, key, 0).Result()
		if err != nil {
			f.t.Fatal(err)
		}
		if key == plain {
			sizes["events, originals as they are"] += int(size)
			continue
		}
		kind, _, _ := strings.Cut(strings.TrimPrefix(key, f.slice(0)), ":")
		sizes[kind] += int(size)
		sizes["all keys"] += int(size)
	}
	sizes["all keys, originals as they are"] = sizes["all keys"] - sizes["events"] + sizes["events, originals as they are"]
}

// copyPlain copies an event log with its originals as former versions stored them, which is so many bytes more.
func (f *fixture) copyPlain(from, to string) (more int) {
	f.t.Helper()
	for last := "-"; ; {
		found, err := f.client().XRangeN(f.ctx, from, last, "+", 500).Result()
		if err != nil {
			f.t.Fatal(err)
		}
		if len(found) == 0 {
			return more
		}
		pipe := f.client().Pipeline()
		for _, entry := range found {
			reply := f.client().Do(f.ctx, "XRANGE", from, entry.ID, entry.ID).Val().([]any)[0].([]any)[1].([]any) // in their order
			for i := 0; i < len(reply); i += 2 {
				if reply[i] != "packed" {
					continue
				}
				original, err := redislog.Unpack(reply[i+1].(string))
				if err != nil {
					f.t.Fatal(err)
				}
				more += len(original) - len(reply[i+1].(string))
				reply[i], reply[i+1] = "original", original
			}
			pipe.XAdd(f.ctx, &redis.XAddArgs{Stream: to, ID: entry.ID, Values: reply})
			last = "(" + entry.ID
		}
		if _, err := pipe.Exec(f.ctx); err != nil {
			f.t.Fatal(err)
		}
	}
}

// info is a number that the server tells of itself.
func (f *fixture) info(field string) int {
	f.t.Helper()
	text, err := f.client().Info(f.ctx, "memory", "persistence").Result()
	if err != nil {
		f.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(text, "\n"+field+":")
	line, _, _ := strings.Cut(rest, "\r")
	number, err := strconv.Atoi(line)
	if err != nil {
		f.t.Fatalf("%s: %v", field, err)
	}
	return number
}
