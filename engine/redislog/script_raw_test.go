package redislog

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// rawSlice is one partition of a server, as it is stored.
type rawSlice struct {
	t      *testing.T
	client redis.UniversalClient
	prefix string

	real, consumers bool

	fresh []string // ids that the server made, as they came
}

var rawSlices atomic.Int64

func newRawSlice(client redis.UniversalClient, real bool) *rawSlice {
	return &rawSlice{client: client, real: real, prefix: fmt.Sprintf("sy:{raw%d:0}:", rawSlices.Add(1))}
}

func (r *rawSlice) limit(bytes int) {
	r.t.Helper()
	if err := r.client.ConfigSet(context.Background(), "maxmemory", fmt.Sprint(bytes)).Err(); err != nil {
		r.t.Fatal(err)
	}
}

// do makes one command.
func (r *rawSlice) do(command string) {
	r.t.Helper()
	if err := r.client.Do(context.Background(), r.words(command)...).Err(); err != nil && err != redis.Nil {
		r.t.Fatalf("%s: %v", command, err)
	}
}

func (r *rawSlice) eval(a alone, c aloneCase) (any, error) {
	var keys []string
	for _, key := range r.words(a.keys + " " + c.keys) {
		keys = append(keys, key.(string))
	}
	result, err := r.client.Eval(context.Background(), a.script.source, keys, r.words(c.args)...).Result()
	if err == redis.Nil {
		err = nil
	}
	return result, err
}

var (
	word      = regexp.MustCompile(`'[^']*'|[^ ']+`)
	freshID   = regexp.MustCompile(`NEW(\d)`)
	shortPad  = regexp.MustCompile(`~(\d+)-(\d+)`)
	paddedID  = regexp.MustCompile(`\b0*(\d+)-(\d{6})\b`)
	times     = regexp.MustCompile(`\b1\d{12}(\d{3})?\b`)
	generated = regexp.MustCompile(`\b1\d{12}-\d+\b`)
)

func (r *rawSlice) words(text string) (words []any) {
	for _, w := range word.FindAllString(text, -1) {
		w = strings.Trim(w, "'")
		if rest, key := strings.CutPrefix(w, "@"); key {
			w = r.prefix + rest
		}
		w = freshID.ReplaceAllStringFunc(w, func(name string) string { return r.fresh[name[3]-'1'] })
		words = append(words, shortPad.ReplaceAllStringFunc(w, func(id string) string { return pad(id[1:]) }))
	}
	return words
}

func pad(id string) string {
	var ms, seq int64
	_, _ = fmt.Sscanf(id, "%d-%d", &ms, &seq)
	return fmt.Sprintf("%013d-%06d", ms, seq)
}

// named puts ids as the cases have them.
func (r *rawSlice) named(text string) string {
	text = paddedID.ReplaceAllStringFunc(text, func(id string) string {
		if len(id) != len(pad("1-1")) {
			return id
		}
		var ms, seq int64
		_, _ = fmt.Sscanf(id, "%d-%d", &ms, &seq)
		return fmt.Sprintf("~%d-%d", ms, seq)
	})
	text = generated.ReplaceAllStringFunc(text, func(id string) string {
		if i := slices.Index(r.fresh, id); i >= 0 {
			return fmt.Sprintf("NEW%d", i+1)
		}
		return id
	})
	return times.ReplaceAllString(text, "TIME")
}

// shown writes a reply: lists in [], "" as ”.
func shown(reply any) string {
	switch v := reply.(type) {
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = shown(v[i])
		}
		return "[" + strings.Join(parts, " ") + "]"
	case string:
		if v == "" {
			return "''"
		}
	}
	return fmt.Sprint(reply)
}

func difference(before, after []string) (changes []string) {
	for _, line := range before {
		if !slices.Contains(after, line) {
			changes = append(changes, "- "+line)
		}
	}
	for _, line := range after {
		if !slices.Contains(before, line) {
			changes = append(changes, "+ "+line)
		}
	}
	slices.Sort(changes)
	return changes
}

// lines are all that the partition has, a line for each field, member and entry.
func (r *rawSlice) lines() []string {
	r.t.Helper()
	ctx := context.Background()
	var lines []string
	for _, key := range r.client.Keys(ctx, r.prefix+"*").Val() {
		name := strings.TrimPrefix(key, r.prefix)
		for _, line := range r.content(key) {
			lines = append(lines, name+" "+line)
		}
		if life := r.client.PTTL(ctx, key).Val(); life > 0 { // to 10 s, so that the time of a test does not show
			lines = append(lines, fmt.Sprintf("%s expires %d s", name, (life+10*time.Second-1)/(10*time.Second)*10))
		}
	}
	for _, line := range lines {
		for _, id := range generated.FindAllString(line, -1) {
			if len(id) != len(pad("1-1")) && !slices.Contains(r.fresh, id) {
				r.fresh = append(r.fresh, id)
			}
		}
	}
	slices.Sort(r.fresh)
	for i := range lines {
		lines[i] = r.named(lines[i])
	}
	slices.Sort(lines)
	return lines
}

// content is what a key holds.
func (r *rawSlice) content(key string) (lines []string) {
	ctx := context.Background()
	switch kind := r.client.Type(ctx, key).Val(); kind {
	case "string":
		return []string{r.client.Get(ctx, key).Val()}
	case "list":
		return []string{strings.Join(r.client.LRange(ctx, key, 0, -1).Val(), " ")}
	case "hash":
		for field, value := range r.client.HGetAll(ctx, key).Val() {
			lines = append(lines, field+" = "+value)
		}
	case "zset":
		for _, z := range r.client.ZRangeWithScores(ctx, key, 0, -1).Val() {
			lines = append(lines, fmt.Sprintf("%v at %.0f", z.Member, z.Score))
		}
	case "stream":
		return r.stream(key)
	default:
		r.t.Fatalf("%s is a %s", key, kind)
	}
	return lines
}

func (r *rawSlice) stream(key string) (lines []string) {
	ctx := context.Background()
	entries, _ := r.client.Do(ctx, "XRANGE", key, "-", "+").Slice()
	for _, e := range entries {
		lines = append(lines, shown(e))
	}
	groups, _ := r.client.XInfoGroups(ctx, key).Result()
	for _, g := range groups {
		lines = append(lines, fmt.Sprintf("group %s at %s", g.Name, wholeID(g.LastDeliveredID)))
		pending, _ := r.client.XPendingExt(ctx, &redis.XPendingExtArgs{Stream: key, Group: g.Name, Start: "-", End: "+", Count: 1000}).Result()
		for _, p := range pending {
			lines = append(lines, fmt.Sprintf("pending %s of %s", p.ID, p.Consumer))
		}
		if !r.consumers {
			continue
		}
		consumers, _ := r.client.XInfoConsumers(ctx, key, g.Name).Result()
		for _, c := range consumers {
			lines = append(lines, "consumer "+c.Name)
		}
	}
	return lines
}

// wholeID is an id of a stream with its second half.
func wholeID(id string) string {
	if strings.Contains(id, "-") {
		return id
	}
	return id + "-0"
}

// bytes are all keys as they are stored, and when they expire; on the embedded server, which can not tell, their lines.
func (r *rawSlice) bytes() map[string]string {
	r.t.Helper()
	ctx, all := context.Background(), map[string]string{}
	if !r.real {
		all[""] = strings.Join(r.lines(), "\n")
		return all
	}
	for _, key := range r.client.Keys(ctx, r.prefix+"*").Val() {
		dump, err := r.client.Dump(ctx, key).Result()
		if err != nil {
			r.t.Fatal(err)
		}
		all[key] = fmt.Sprint(dump, r.client.PExpireTime(ctx, key).Val())
	}
	return all
}
