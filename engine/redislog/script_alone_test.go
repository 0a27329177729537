package redislog

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/engine/redislog/redistest"
)

// Each script is tested alone, on keys made by hand from its documentation: what it returns, and all that it changes. Each
// case runs on the embedded server, on a real one, and on a real one at its memory limit.
//
// Keys, arguments and commands are words, in ' where they have spaces or are empty. In them @x is the key x of the
// partition, ~1-1 the padded id of the entry 1-1, and NEW1 the first id that the server made in this partition; likewise in
// what is expected, where TIME is the server's clock.

// alone is how one script is tested.
type alone struct {
	script *script
	keys   string
	full   atLimit
	// nothing are the replies that say that nothing was changed.
	nothing []string
	// consumers: those of the groups are compared too. Servers make them at different times.
	consumers bool
	cases     []aloneCase
}

// atLimit is what a script that would change something does on a server at its memory limit.
type atLimit string

const (
	goesOn  atLimit = "goes on"
	refuses atLimit = "refuses" // as a whole
)

type aloneCase struct {
	name string
	// then: it goes on in the partition that the case before has left.
	then bool
	// real: the embedded server can not come to what is given.
	real  bool
	given []string // commands
	keys  string   // those beyond, or instead of, the keys of all cases
	args  string
	reply string
	// changes are the lines of the partition that went, "-", and came, "+".
	changes []string
}

// scriptsAlone names each script of the package.
var scriptsAlone = map[string][]alone{
	"appendScript":          {appendAlone},
	"beatScript":            {beatAlone},
	"changeScript":          {changeAlone},
	"claimScript":           {claimAlone},
	"commitScript":          {commitAlone},
	"countScript":           {countAlone},
	"dueScript":             {dueAlone},
	"forgetScript":          {forgetAlone},
	"forgetSampleScript":    {forgetSampleAlone},
	"ledgerScript":          {ledgerAlone},
	"ownScript":             {ownAlone, giveUpAlone},
	"recordScript":          {recordAlone},
	"retryScript":           {retryAlone},
	"runScript":             {runsAlone},
	"sweepScript":           {sweepAlone},
	"trimActionsScript":     {trimActionsAlone},
	"trimEventsScript":      {trimEventsAlone},
	"verifyActionsScript":   {verifyActionsAlone},
	"verifyDeadScript":      {verifyDeadAlone},
	"verifyDecisionsScript": {verifyDecisionsAlone},
	"verifyEventsScript":    {verifyEventsAlone},
	"verifyLanesScript":     {verifyLanesAlone},
	"verifyStatesScript":    {verifyStatesAlone},
}

func TestEveryScriptIsTestedAlone(t *testing.T) {
	var names []string
	for _, s := range documentedScripts(t) {
		names = append(names, s.name)
	}
	slices.Sort(names)
	if tested := slices.Sorted(maps.Keys(scriptsAlone)); !slices.Equal(tested, names) {
		t.Errorf("tested alone are %v\nof %v", tested, names)
	}
	for name, suites := range scriptsAlone {
		for _, a := range suites {
			for _, nothing := range a.nothing {
				if !slices.ContainsFunc(a.cases, func(c aloneCase) bool { return c.reply == nothing }) {
					t.Errorf("%s: no case has the reply %s", name, nothing)
				}
			}
		}
	}
}

func TestScriptsAlone(t *testing.T) {
	t.Run("embedded", func(t *testing.T) { runAlone(t, "embedded", false) })
	t.Run("redis", func(t *testing.T) { runAlone(t, redistest.Start(t, "--appendfsync", "no").URL(), false) })
	t.Run("full", func(t *testing.T) { runAlone(t, redistest.Start(t, "--appendfsync", "no").URL(), true) })
}

func runAlone(t *testing.T, url string, full bool) {
	l, err := Open(context.Background(), Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, name := range slices.Sorted(maps.Keys(scriptsAlone)) {
		for _, a := range scriptsAlone[name] {
			t.Run(name, func(t *testing.T) { a.run(t, l, full) })
		}
	}
}

func (a alone) run(t *testing.T, l *Log, full bool) {
	var r *rawSlice
	for _, c := range a.cases {
		t.Run(c.name, func(t *testing.T) {
			if c.real && l.Embedded() {
				t.Skip("only a real server comes to this")
			}
			if !c.then {
				r = newRawSlice(l.client, !l.Embedded())
			} else if r == nil {
				t.Skip("it goes on from the case before it, which has not run")
			}
			r.t, r.consumers = t, a.consumers
			for _, command := range c.given {
				r.do(command)
			}
			if full {
				r.checkFull(a, c)
			} else {
				r.check(a, c)
			}
		})
	}
}

// check runs a case and compares the reply and the changes.
func (r *rawSlice) check(a alone, c aloneCase) {
	r.t.Helper()
	before, bytes := r.lines(), r.bytes()
	result, err := r.eval(a, c)
	if err != nil {
		r.t.Fatal(err)
	}
	changes := difference(before, r.lines())
	if got := r.named(shown(result)); got != c.reply {
		r.t.Errorf("it returns %s\nwant       %s", got, c.reply)
	}
	want := slices.Sorted(slices.Values(c.changes))
	if !slices.Equal(changes, want) {
		r.t.Errorf("it changes\n%s\nwant\n%s", strings.Join(changes, "\n"), strings.Join(want, "\n"))
	}
	if slices.Contains(a.nothing, c.reply) && !maps.Equal(bytes, r.bytes()) {
		r.t.Error("something was changed")
	}
}

// checkFull runs a case at the memory limit. A script that refuses must have changed nothing, and does its work as soon
// as there is room.
func (r *rawSlice) checkFull(a alone, c aloneCase) {
	r.t.Helper()
	r.limit(1)
	defer r.limit(0)
	if a.full == refuses && len(c.changes) > 0 {
		before := r.bytes()
		if _, err := r.eval(a, c); err == nil || !strings.Contains(err.Error(), "OOM") {
			r.t.Errorf("it does not refuse: %v", err)
		}
		if !maps.Equal(before, r.bytes()) {
			r.t.Error("it refused, and something was changed")
		}
		r.limit(0)
	}
	r.check(a, c)
}

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
