package redislog

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/engine"
)

const (
	// pageDefault and pageMost are the items of a page when none or too many are asked for.
	pageDefault, pageMost = 50, 1000
	// clockSlack is how far the time in an event may be from the time in its id: the clocks of a process and of Redis
	// differ a little, and an event waits a moment to be stored.
	clockSlack = 5 * time.Minute
)

// Events lists events, newest first. The user and message filters have indexes; with the others a call looks at a bounded
// stretch of the log. Errors: engine.ErrNotFound for an unknown environment, engine.ErrBadCursor.
func (l *Log) Events(ctx context.Context, query engine.EventQuery) (engine.EventPage, error) {
	e, err := l.environment(query.Environment)
	if err != nil {
		return engine.EventPage{}, err
	}
	from, err := e.start(query.Cursor, query.To)
	if err != nil {
		return engine.EventPage{}, err
	}
	partitions, read := e.eventSource(query)
	items, next, err := merge(ctx, partitions, from, pageSize(query.Limit), read)
	if err != nil {
		return engine.EventPage{}, l.failed("read", err)
	}
	return engine.EventPage{Items: items, Next: next}, nil
}

// Event is one event with its decision; engine.ErrNotFound when the log does not have it (any more).
func (l *Log) Event(ctx context.Context, environment, id string) (*engine.EventRecord, error) {
	e, err := l.environment(environment)
	if err != nil {
		return nil, err
	}
	at, ok := parseID('e', id, e.partitions)
	if !ok {
		return nil, engine.ErrNotFound
	}
	found, err := e.readEvents(ctx, at.partition, []position{at})
	if err != nil {
		return nil, l.failed("read", err)
	}
	if len(found) == 0 {
		return nil, engine.ErrNotFound
	}
	return found[0].value, nil
}

func pageSize(limit int) int {
	if limit <= 0 {
		return pageDefault
	}
	return min(limit, pageMost)
}

// start is where a query begins: at its cursor, or at the end of its time.
func (e *Environment) start(cursor string, to time.Time) (position, error) {
	from, err := parseCursor(cursor, e.partitions)
	if err == nil && !to.IsZero() {
		if ceiling := (position{ms: after(to.Add(clockSlack))}); from.newer(ceiling) {
			from = ceiling
		}
	}
	return from, err
}

// after is a time in milliseconds, as ids have it.
func after(t time.Time) uint64 { return uint64(max(t.UnixMilli(), 0)) }

// lowest is the bound of a scan at the beginning of a query's time.
func lowest(from time.Time) string {
	if from.IsZero() {
		return "-"
	}
	return position{ms: after(from.Add(-clockSlack))}.stream()
}

// eventSource chooses the index that serves a query best.
func (e *Environment) eventSource(query engine.EventQuery) ([]int, source[*engine.EventRecord]) {
	lookup := func(places placeSource) source[*engine.EventRecord] {
		return func(ctx context.Context, p int, below position, n int) (stretch[*engine.EventRecord], error) {
			s, err := places(ctx, p, below, n)
			if err != nil {
				return stretch[*engine.EventRecord]{}, err
			}
			found, err := e.readEvents(ctx, p, s.places)
			return stretch[*engine.EventRecord]{wantedEvents(found, query), len(s.places), s.end(), s.done}, err
		}
	}
	switch {
	case query.MessageID != "" && len(query.MessageID) <= engine.MaxMessageID:
		return e.all(), lookup(e.byMessage(query.MessageID))
	case query.UserID != "":
		p := engine.Partition(engine.UserLane(query.UserID), e.partitions)
		return []int{p}, lookup(e.byLex(e.slices[p].user(query.UserID)))
	}
	return e.all(), func(ctx context.Context, p int, below position, n int) (stretch[*engine.EventRecord], error) {
		found, err := e.scan(ctx, e.slices[p].events(), below, query.From, n)
		if err != nil {
			return stretch[*engine.EventRecord]{}, err
		}
		records, err := e.decided(ctx, p, found)
		return stretch[*engine.EventRecord]{wantedEvents(records, query), len(found), lastOf(p, found), len(found) < n}, err
	}
}

func (e *Environment) all() []int {
	partitions := make([]int, e.partitions)
	for p := range partitions {
		partitions[p] = p
	}
	return partitions
}

// scan reads a stream downwards.
func (e *Environment) scan(ctx context.Context, stream string, below position, from time.Time, n int) ([]entry, error) {
	reply, err := e.log.client.Do(ctx, "XREVRANGE", stream, "("+below.stream(), lowest(from), "COUNT", n).Result()
	return entries(reply), err
}

func lastOf(partition int, found []entry) position {
	if len(found) == 0 {
		return position{}
	}
	at, _ := parseEntry(found[len(found)-1].id)
	at.partition = partition
	return at
}

// readEvents looks entries up by their place; those that are gone are left out.
func (e *Environment) readEvents(ctx context.Context, p int, places []position) ([]placed[*engine.EventRecord], error) {
	found, err := e.log.lookup(ctx, e.slices[p].events(), places)
	if err != nil {
		return nil, err
	}
	return e.decided(ctx, p, found)
}

// lookup reads entries of a stream by their ids, in one round trip.
func (l *Log) lookup(ctx context.Context, stream string, places []position) ([]entry, error) {
	if len(places) == 0 {
		return nil, nil
	}
	replies := make([]*redis.Cmd, len(places))
	_, err := l.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, at := range places {
			replies[i] = pipe.Do(ctx, "XRANGE", stream, at.stream(), at.stream())
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var found []entry
	for _, reply := range replies {
		found = append(found, entries(reply.Val())...)
	}
	return found, nil
}

// decided joins entries with their decisions.
func (e *Environment) decided(ctx context.Context, p int, found []entry) ([]placed[*engine.EventRecord], error) {
	decisions, err := e.log.companions(ctx, e.slices[p].decided(), found)
	if err != nil {
		return nil, err
	}
	records := make([]placed[*engine.EventRecord], len(found))
	for i, f := range found {
		record := &engine.EventRecord{Event: eventOf(e.key, p, f), Outcome: engine.OutcomePending}
		readDecision(record, p, text(decisions[i]))
		records[i] = placed[*engine.EventRecord]{lastOf(p, found[:i+1]), record}
	}
	return records, nil
}

// companions are the values of a hash that has a field for each entry; nil where it has none.
func (l *Log) companions(ctx context.Context, hash string, found []entry) ([]any, error) {
	if len(found) == 0 {
		return nil, nil
	}
	ids := make([]string, len(found))
	for i, f := range found {
		ids[i] = f.id
	}
	return l.client.HMGet(ctx, hash, ids...).Result()
}

// readDecision fills in a decision as commitScript wrote it: "<outcome> <actions> <json>".
func readDecision(record *engine.EventRecord, partition int, stored string) {
	if stored == "" {
		return
	}
	outcome, ids, doc := splitDecision(stored)
	var decision decisionJSON
	_ = json.Unmarshal([]byte(doc), &decision) // written by Commit
	record.Outcome, record.Reason, record.Rules = engine.Outcome(outcome), decision.Reason, decision.Rules
	record.Errors, record.DecidedAt = decision.Errors, readTime(decision.At)
	for _, id := range ids {
		record.ActionIDs = append(record.ActionIDs, ActionID(partition, id))
	}
}

func splitDecision(stored string) (outcome string, actions []string, doc string) {
	outcome, rest, _ := strings.Cut(stored, " ")
	list, doc, _ := strings.Cut(rest, " ")
	if list != "" {
		actions = strings.Split(list, ",")
	}
	return outcome, actions, doc
}

func wantedEvents(found []placed[*engine.EventRecord], query engine.EventQuery) []placed[*engine.EventRecord] {
	kept := found[:0]
	for _, item := range found {
		r := item.value
		if is(query.Source, r.Source) && is(query.Type, r.Type) && is(query.Name, r.Name) && is(query.UserID, r.UserID) &&
			is(query.MessageID, r.MessageID) && is(query.Outcome, r.Outcome) && within(r.ReceivedAt, query.From, query.To) {
			kept = append(kept, item)
		}
	}
	return kept
}

// is reports whether a value passes a filter; an empty filter passes all.
func is[T ~string](filter, value T) bool { return filter == "" || filter == value }

func within(t, from, to time.Time) bool {
	return (from.IsZero() || !t.Before(from)) && (to.IsZero() || t.Before(to))
}

// gone reports a reply that means that there is no such key or field.
func gone(err error) bool { return errors.Is(err, redis.Nil) }
