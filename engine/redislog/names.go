package redislog

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"switchyard/engine"
)

const (
	// namesPerSource bounds the names kept of one source; what comes after is counted as otherNames.
	namesPerSource = 1000
	otherNames     = "(other)"
	// nameLongest cuts names, sampleLongest leaves samples out: one sender must not fill the store this way.
	nameLongest, sampleLongest = 512, 16 << 10
)

var _ engine.Names = (*Log)(nil)

// countScript adds to what is known of some names of one source.
//
// KEYS: 1 names of:<source>
//
// ARGV: 1 how many names at most; 2 the field of the others; then for each name its field, count, first ms, last ms and
// sample
//
// Returns: how many names were new
var countScript = newScript(`
local known, new = redis.call('HLEN', KEYS[1]), 0
for at = 3, #ARGV, 5 do
  local field, count = ARGV[at], tonumber(ARGV[at + 1])
  local first, last, sample = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), ARGV[at + 4]
  local was = redis.call('HGET', KEYS[1], field)
  if not was and known >= tonumber(ARGV[1]) and field ~= ARGV[2] then
    field = ARGV[2]
    was = redis.call('HGET', KEYS[1], field)
  end
  if was then
    local c, f, l, s = string.match(was, '^(%d+) (%d+) (%d+) (.*)$')
    count, first, last = count + tonumber(c), math.min(first, tonumber(f)), math.max(last, tonumber(l))
    if sample == '' or field == ARGV[2] then sample = s end
  else
    known, new = known + 1, new + 1
  end
  redis.call('HSET', KEYS[1], field, string.format('%.0f %.0f %.0f ', count, first, last) .. sample)
end
return new
`)

// Count implements engine.Names.
func (l *Log) Count(ctx context.Context, environment string, seen []engine.NameSeen) error {
	bySource := map[string]*call{}
	var calls []*call
	for _, name := range seen {
		c := bySource[name.Source]
		if c == nil {
			c = &call{script: countScript, keys: []string{namesKey(environment, name.Source)},
				args: []any{namesPerSource, nameField("", otherNames)}}
			bySource[name.Source] = c
			calls = append(calls, c)
		}
		sample := name.Sample
		if len(sample) > sampleLongest {
			sample = nil
		}
		c.args = append(c.args, nameField(name.Type, name.Name), name.Count, after(name.First), after(name.Last), sample)
	}
	if len(calls) == 0 {
		return nil
	}
	for source := range bySource {
		if err := l.client.SAdd(ctx, sourcesKey(environment), source).Err(); err != nil {
			return l.failed("names", err)
		}
	}
	return l.run(ctx, "names", calls...)
}

// EventNames are all names seen in an environment, by source, type and name. What came after a source had a thousand is
// under the name "(other)", without a type.
func (l *Log) EventNames(ctx context.Context, environment string) ([]engine.NameRecord, error) {
	if _, err := l.environment(environment); err != nil {
		return nil, err
	}
	sources, err := l.client.SMembers(ctx, sourcesKey(environment)).Result()
	if err != nil {
		return nil, l.failed("read", err)
	}
	records := []engine.NameRecord{}
	for _, source := range sources {
		names, err := l.client.HGetAll(ctx, namesKey(environment, source)).Result()
		if err != nil {
			return nil, l.failed("read", err)
		}
		for field, value := range names {
			records = append(records, nameRecord(source, field, value))
		}
	}
	slices.SortFunc(records, func(a, b engine.NameRecord) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name))
	})
	return records, nil
}

// nameField joins a type and a name, whatever bytes they have, such that they come apart again.
func nameField(kind, name string) string {
	if len(name) > nameLongest {
		name = strings.ToValidUTF8(name[:nameLongest], "")
	}
	return strconv.Itoa(len(kind)) + ":" + kind + name
}

func nameRecord(source, field, value string) engine.NameRecord {
	record := engine.NameRecord{Source: source, Name: field}
	length, rest, _ := strings.Cut(field, ":")
	if n, err := strconv.Atoi(length); err == nil && n >= 0 && n <= len(rest) {
		record.Type, record.Name = rest[:n], rest[n:]
	}
	parts := strings.SplitN(value, " ", 4)
	if len(parts) == 4 {
		record.Count, _ = strconv.ParseInt(parts[0], 10, 64)
		record.First, record.Last = readTime(parts[1]), readTime(parts[2])
		if parts[3] != "" {
			record.Sample = json.RawMessage(parts[3])
		}
	}
	return record
}
