package redislog

import (
	"context"

	"github.com/redis/go-redis/v9"

	"switchyard/engine"
)

// graveyard is a walk through the dead actions of some partitions, the oldest first.
type graveyard struct {
	e     *Environment
	plots []*plot
	// ceiling is the end of the query's time, as ZRANGEBYLEX takes it.
	ceiling string
}

// plot is one partition: what was read and not yet given out, and from where to read on.
type plot struct {
	partition int
	places    []position
	floor     string
	done      bool
}

// graveyard begins behind a query's cursor, or where its time does.
func (e *Environment) graveyard(query engine.ActionQuery) (*graveyard, error) {
	begin := position{partition: -1} // before those of all partitions
	if !query.From.IsZero() {
		begin.ms = after(query.From.Add(-clockSlack))
	}
	if query.Cursor != "" {
		var err error
		if begin, err = parseCursor(query.Cursor, e.partitions); err != nil {
			return nil, err
		}
	}
	walk := &graveyard{e: e, ceiling: "+"}
	if !query.To.IsZero() {
		walk.ceiling = "(" + position{ms: after(query.To.Add(clockSlack))}.padded()
	}
	for _, p := range e.home(query) {
		floor := "[" + begin.padded()
		if p <= begin.partition {
			floor = "(" + begin.padded()
		}
		walk.plots = append(walk.plots, &plot{partition: p, floor: floor})
	}
	return walk, nil
}

// home is the partitions that can have what a query asks for.
func (e *Environment) home(query engine.ActionQuery) []int {
	switch {
	case query.EventID != "":
		at, ok := parseID('e', query.EventID, e.partitions)
		if !ok {
			return nil
		}
		return []int{at.partition}
	case query.UserID != "":
		return []int{engine.Partition(engine.UserLane(query.UserID), e.partitions)}
	}
	return e.all()
}

// next is up to n more places; fewer only at the end.
func (g *graveyard) next(ctx context.Context, n int) ([]position, error) {
	var places []position
	for len(places) < n {
		if err := g.read(ctx, n); err != nil {
			return nil, err
		}
		oldest := g.oldest()
		if oldest == nil {
			break
		}
		places, oldest.places = append(places, oldest.places[0]), oldest.places[1:]
	}
	return places, nil
}

// read fills the plots that have nothing to give, in one round trip.
func (g *graveyard) read(ctx context.Context, n int) error {
	replies := map[*plot]*redis.StringSliceCmd{}
	chunk := max(2*n/max(len(g.plots), 1), chunkLeast)
	pipe := g.e.log.client.Pipeline()
	for _, p := range g.plots {
		if len(p.places) == 0 && !p.done {
			span := &redis.ZRangeBy{Min: p.floor, Max: g.ceiling, Count: int64(chunk)}
			replies[p] = pipe.ZRangeByLex(ctx, g.e.slices[p.partition].dead(), span)
		}
	}
	if len(replies) == 0 {
		return nil
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return err
	}
	for p, reply := range replies {
		found := reply.Val()
		p.places, p.done = placesOf(p.partition, found), len(found) < chunk
		if len(found) > 0 {
			p.floor = "(" + found[len(found)-1]
		}
	}
	return nil
}

// oldest is the plot with the oldest of all; nil when there is none.
func (g *graveyard) oldest() (oldest *plot) {
	for _, p := range g.plots {
		if len(p.places) > 0 && (oldest == nil || oldest.places[0].newer(p.places[0])) {
			oldest = p
		}
	}
	return oldest
}
