package redislog

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// places is a piece of an index: where the entries it names stand, newest first.
type places struct {
	places []position
	done   bool
}

func (p places) end() position {
	if len(p.places) == 0 {
		return position{}
	}
	return p.places[len(p.places)-1]
}

// placeSource reads up to n places of a partition's index below a position.
type placeSource func(ctx context.Context, partition int, below position, n int) (places, error)

// byLex reads an index that is a sorted set of padded ids.
func (e *Environment) byLex(key string) placeSource {
	return func(ctx context.Context, p int, below position, n int) (places, error) {
		ceiling := "+"
		if below.ms != top.ms {
			ceiling = "(" + below.padded()
		}
		ids, err := e.log.client.ZRevRangeByLex(ctx, key, &redis.ZRangeBy{Min: "-", Max: ceiling, Count: int64(n)}).Result()
		return places{placesOf(p, ids), len(ids) < n}, err
	}
}

// byMessage reads the index of a message id, which is short and read as a whole.
func (e *Environment) byMessage(id string) placeSource {
	return func(ctx context.Context, p int, below position, _ int) (places, error) {
		list, err := e.log.client.HGet(ctx, e.slices[p].message(id), "ids").Result()
		if err != nil && !gone(err) {
			return places{}, err
		}
		return places{newestBelow(placesOf(p, strings.Fields(list)), below), true}, nil
	}
}

func placesOf(partition int, ids []string) []position {
	out := make([]position, 0, len(ids))
	for _, id := range ids {
		if at, ok := parseEntry(id); ok {
			at.partition = partition
			out = append(out, at)
		}
	}
	return out
}

// newestBelow sorts places newest first and leaves out those that are not below.
func newestBelow(all []position, below position) []position {
	slices.SortFunc(all, func(a, b position) int {
		return cmp.Or(cmp.Compare(b.ms, a.ms), cmp.Compare(b.seq, a.seq))
	})
	return slices.DeleteFunc(all, func(at position) bool {
		return at.ms > below.ms || at.ms == below.ms && at.seq >= below.seq
	})
}
