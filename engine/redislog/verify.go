package redislog

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"switchyard/engine"
)

// Finding is something in the logs that can not be, unless something was lost or written behind the back of the scripts.
type Finding struct {
	Environment string `json:"environment"`
	Partition   int    `json:"partition"`
	// Code is stable: the name of an equation, or a key of findingTexts.
	Code string `json:"code"`
	// ID is the event or action, or the lane; "" of an equation.
	ID   string `json:"id,omitempty"`
	Text string `json:"text"`
}

// findingTexts are what the scripts of a verification can find, by code.
var findingTexts = map[string]string{
	"event_lost":         "the event is not decided, not claimed, and will not be given out again",
	"decision_orphaned":  "the event was decided and is not on the log",
	"action_lost":        "the action has not ended and is not in its lane: nobody will perform it",
	"action_blank":       "the action has a state and no entry on the log",
	"action_forgotten":   "the action is on the log and has no state",
	"dead_unlisted":      "the action is dead and not listed as such: it is not run again by filter",
	"dead_mislisted":     "the action is listed as dead and is not",
	"lane_unwatched":     "actions wait in the lane, and it is never due",
	"lane_empty":         "the lane is due and nothing waits in it",
	"lane_done":          "the action has ended and is still in its lane",
	"listing_incomplete": "more was found than is listed",
}

// Each script of a verification looks at one page of something, and returns where to go on and what it found. What it
// compares is of one moment, so that it can run beside live traffic.
const (
	// verifyPage is about how many things a script looks at, in a few milliseconds of the server, and verifyEntries how
	// many whole entries, which it has in its memory meanwhile.
	verifyPage, verifyEntries = 500, 25
	// verifyLane is how deep it looks into one lane.
	verifyLane = 1000
	// verifyMost is how many findings of one kind are listed, of a partition.
	verifyMost = 20
)

// verifyEventsScript looks at entries of the event log.
//
// KEYS: 1 events, 2 decided
//
// ARGV: 1 group; 2 the id to look from; 3 how many to look at
//
// Returns: {where to go on or "", code, id, code, id…}
var verifyEventsScript = newScript(`
local found, last = {''}, '0-0'
local groups = redis.pcall('XINFO', 'GROUPS', KEYS[1])
for i = 1, groups.err and 0 or #groups do
  local of = {}
  for f = 1, #groups[i], 2 do of[groups[i][f]] = groups[i][f + 1] end
  if of.name == ARGV[1] then last = of['last-delivered-id'] end
end
local lastms, lastseq = string.match(last, '^(%d+)-(%d+)$')
lastms, lastseq = tonumber(lastms), tonumber(lastseq)
local page = redis.call('XRANGE', KEYS[1], ARGV[2], '+', 'COUNT', ARGV[3])
for _, entry in ipairs(page) do
  local ms, seq = string.match(entry[1], '^(%d+)-(%d+)$')
  ms, seq = tonumber(ms), tonumber(seq)
  local given = ms < lastms or (ms == lastms and seq <= lastseq)
  if given and redis.call('HEXISTS', KEYS[2], entry[1]) == 0 and #redis.call('XPENDING', KEYS[1], ARGV[1], entry[1], entry[1], 1) == 0 then
    found[#found + 1] = 'event_lost'
    found[#found + 1] = entry[1]
  end
end
if #page == tonumber(ARGV[3]) then found[1] = '(' .. page[#page][1] end
return found
`)

// verifyDecisionsScript looks at decisions.
//
// KEYS: 1 events, 2 decided
//
// ARGV: 1 the cursor; 2 about how many to look at
//
// Returns: {where to go on or "", code, id, code, id…}
var verifyDecisionsScript = newScript(`
local page, found = redis.call('HSCAN', KEYS[2], ARGV[1], 'COUNT', ARGV[2]), {''}
for i = 1, #page[2], 2 do
  if not redis.call('XRANGE', KEYS[1], page[2][i], page[2][i])[1] then
    found[#found + 1] = 'decision_orphaned'
    found[#found + 1] = page[2][i]
  end
end
if page[1] ~= '0' then found[1] = page[1] end
return found
`)

// verifyStatesScript looks at the states of actions.
//
// KEYS: 1 actions, 2 state, 3 due, 4 dead
//
// ARGV: 1 the cursor; 2 about how many to look at; 3 the prefix of the lane keys, which are of the same hash tag
//
// Returns: {where to go on or "", code, id, code, id…}
var verifyStatesScript = newScript(unindexing + counting + `
local page, found = redis.call('HSCAN', KEYS[2], ARGV[1], 'COUNT', ARGV[2]), {''}
local function find(code, id)
  found[#found + 1] = code
  found[#found + 1] = id
end
for i = 1, #page[2], 2 do
  local id, status = page[2][i], string.match(page[2][i + 1], '^%d+ (%a+)')
  local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
  if not entry then
    find('action_blank', id)
  elseif unended(status) then
    local lane = ''
    for f = 1, #entry[2], 2 do if entry[2][f] == 'lane' then lane = entry[2][f + 1] end end
    if not redis.call('LPOS', ARGV[3] .. lane, id, 'MAXLEN', ` + fmt.Sprint(verifyLane) + `) and redis.call('LLEN', ARGV[3] .. lane) <= ` + fmt.Sprint(verifyLane) + ` then
      find('action_lost', id)
    elseif not redis.call('ZSCORE', KEYS[3], lane) then
      find('lane_unwatched', lane)
    end
  elseif status == 'dead' and not redis.call('ZSCORE', KEYS[4], padded(id)) then
    find('dead_unlisted', id)
  end
end
if page[1] ~= '0' then found[1] = page[1] end
return found
`)

// verifyActionsScript looks at entries of the action log.
//
// KEYS: 1 actions, 2 state
//
// ARGV: 1 the id to look from; 2 how many to look at
//
// Returns: {where to go on or "", code, id, code, id…}
var verifyActionsScript = newScript(`
local page, found = redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2]), {''}
for _, entry in ipairs(page) do
  if redis.call('HEXISTS', KEYS[2], entry[1]) == 0 then
    found[#found + 1] = 'action_forgotten'
    found[#found + 1] = entry[1]
  end
end
if #page == tonumber(ARGV[2]) then found[1] = '(' .. page[#page][1] end
return found
`)

// verifyLanesScript looks at the lanes that are due, now or later.
//
// KEYS: 1 state, 2 due
//
// ARGV: 1 the cursor; 2 about how many to look at; 3 the prefix of the lane keys, which are of the same hash tag
//
// Returns: {where to go on or "", code, id, code, id…}
var verifyLanesScript = newScript(counting + `
local page, found = redis.call('ZSCAN', KEYS[2], ARGV[1], 'COUNT', ARGV[2]), {''}
for i = 1, #page[2], 2 do
  local waiting = redis.call('LRANGE', ARGV[3] .. page[2][i], 0, ` + fmt.Sprint(verifyLane-1) + `)
  if #waiting == 0 then
    found[#found + 1] = 'lane_empty'
    found[#found + 1] = page[2][i]
  end
  for _, id in ipairs(waiting) do
    local state = redis.call('HGET', KEYS[1], id)
    if state and not unended(string.match(state, '^%d+ (%a+)')) then
      found[#found + 1] = 'lane_done'
      found[#found + 1] = id
    end
  end
end
if page[1] ~= '0' then found[1] = page[1] end
return found
`)

// verifyDeadScript looks at the list of dead actions.
//
// KEYS: 1 state, 2 dead
//
// ARGV: 1 the cursor; 2 about how many to look at
//
// Returns: {where to go on or "", code, id, code, id…}
var verifyDeadScript = newScript(`
local page, found = redis.call('ZSCAN', KEYS[2], ARGV[1], 'COUNT', ARGV[2]), {''}
for i = 1, #page[2], 2 do
  local ms, seq = string.match(page[2][i], '^0*(%d+)%-0*(%d+)$')
  local id = ms .. '-' .. seq
  local state = redis.call('HGET', KEYS[1], id)
  if not state or string.match(state, '^%d+ (%a+)') ~= 'dead' then
    found[#found + 1] = 'dead_mislisted'
    found[#found + 1] = id
  end
end
if page[1] ~= '0' then found[1] = page[1] end
return found
`)

// walk is one of the walks of a verification, over one partition.
type walk struct {
	script *script
	keys   []string
	// before and after stand around where to go on, in the arguments of the script.
	before, after []any
	from          string
	letter        byte // of the ids that it finds: e for events, a for actions
}

func walks(k slice) []walk {
	return []walk{
		{verifyEventsScript, []string{k.events(), k.decided()}, []any{group}, []any{verifyEntries}, "-", 'e'},
		{verifyDecisionsScript, []string{k.events(), k.decided()}, nil, []any{verifyPage}, "0", 'e'},
		{verifyActionsScript, []string{k.actions(), k.state()}, nil, []any{verifyEntries}, "-", 'a'},
		{verifyStatesScript, []string{k.actions(), k.state(), k.due(), k.dead()}, nil, []any{verifyPage, k.lanes()}, "0", 'a'},
		{verifyLanesScript, []string{k.state(), k.due()}, nil, []any{verifyPage, k.lanes()}, "0", 'a'},
		{verifyDeadScript, []string{k.state(), k.dead()}, nil, []any{verifyPage}, "0", 'a'},
	}
}

// Verify looks at everything in the logs of an environment, beside live traffic if need be: it checks the equations of
// conservation and then goes through both logs for what is in no place where it would be decided or performed. Pages is
// called after each step, of some hundred entries. It returns what each
// partition comes to, and what it found.
func (l *Log) Verify(ctx context.Context, environment string, partitions int, pages func()) ([]engine.Conservation, []Finding, error) {
	keys := slicesOf(environment, partitions)
	all, err := l.conservation(ctx, keys)
	if err != nil {
		return nil, nil, err
	}
	var findings []Finding
	for p, conservation := range all {
		for _, e := range conservation.Equations {
			if !e.Holds() {
				findings = append(findings, Finding{environment, p, e.Name, "", fmt.Sprintf("%s: %d is not %d", e.Text, e.Left, e.Right)})
			}
		}
		for _, w := range walks(keys[p]) {
			found, err := l.walk(ctx, w, p, pages)
			if err != nil {
				return nil, nil, err
			}
			for _, f := range found {
				findings = append(findings, Finding{environment, p, f.Code, f.ID, findingTexts[f.Code]})
			}
		}
	}
	return all, findings, nil
}

// walk makes one walk, page after page.
func (l *Log) walk(ctx context.Context, w walk, partition int, pages func()) (found []Finding, err error) {
	count, seen := map[string]int{}, map[string]bool{}
	for from := w.from; from != ""; pages() {
		c := &call{script: w.script, keys: w.keys, args: slices.Concat(w.before, []any{from}, w.after)}
		if err := l.run(ctx, "verify", c); err != nil {
			return nil, err
		}
		reply := texts(c.reply)
		if len(reply)%2 != 1 {
			return nil, fmt.Errorf("redis verify: unexpected reply %v", c.reply)
		}
		from = reply[0]
		for i := 1; i < len(reply); i += 2 {
			code := reply[i]
			if at := code + " " + reply[i+1]; seen[at] {
				continue // a scan may come by twice
			} else if count[code] < verifyMost {
				seen[at] = true
			}
			switch count[code]++; {
			case count[code] <= verifyMost:
				found = append(found, Finding{Code: code, ID: w.name(partition, code, reply[i+1])})
			case count[code] == verifyMost+1:
				found = append(found, Finding{Code: "listing_incomplete", ID: code})
			}
		}
	}
	return found, nil
}

// name is how people know what was found.
func (w walk) name(partition int, code, id string) string {
	if strings.HasPrefix(code, "lane_") && code != "lane_done" {
		return id
	}
	return string(w.letter) + strconv.Itoa(partition) + "-" + id
}

// Environments finds the environments that the server has, with their numbers of partitions.
func (l *Log) Environments(ctx context.Context) (map[string]int, error) {
	found, mu := map[string]int{}, sync.Mutex{}
	scan := func(ctx context.Context, node redis.Cmdable) error {
		for keys := node.Scan(ctx, 0, "sy:{*}:meta", 1000).Iterator(); ; {
			if !keys.Next(ctx) {
				return keys.Err()
			}
			tag, _, _ := strings.Cut(strings.TrimPrefix(keys.Val(), "sy:{"), "}")
			name, err := url.QueryUnescape(tag)
			if err != nil || metaKey(name) != keys.Val() {
				continue // another key, of an id that people chose
			}
			partitions, err := l.client.HGet(ctx, keys.Val(), "partitions").Int()
			if err != nil && !gone(err) {
				return err
			}
			mu.Lock()
			found[name] = partitions
			mu.Unlock()
		}
	}
	var err error
	if cluster, ok := l.client.(*redis.ClusterClient); ok {
		err = cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return scan(ctx, node) })
	} else {
		err = scan(ctx, l.client)
	}
	return found, l.failed("verify", err)
}
