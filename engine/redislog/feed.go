package redislog

import (
	"context"
	"sync"
)

// placed is something of a log with its place.
type placed[T any] struct {
	at    position
	value T
}

// stretch is a piece of one partition's log.
type stretch[T any] struct {
	// items are those of it that were asked for, newest first.
	items []placed[T]
	// scanned is how many entries were looked at; end is the last of them.
	scanned int
	end     position
	// done is true when nothing is left below.
	done bool
}

// source reads the stretch of up to n entries of a partition below a position, that position excluded.
type source[T any] func(ctx context.Context, partition int, below position, n int) (stretch[T], error)

// feed is one partition in a merge: what was found and not yet given out, and how far down it was looked for.
type feed[T any] struct {
	partition int
	items     []placed[T]
	floor     position
	done      bool
}

func (f *feed[T]) dry() bool { return len(f.items) == 0 && !f.done }

const (
	// scanLimit bounds how many entries one query looks at, give or take a chunk of each partition. A query with a rare
	// filter then returns what it has, and where to go on.
	scanLimit = 5000
	// chunkLeast and chunkMost bound what is read of a partition at a time.
	chunkLeast, chunkMost = 16, 512
)

// merge reads up to limit items of several partitions, newest first, below from. It returns the cursor of what is
// further below, "" at the end.
func merge[T any](ctx context.Context, partitions []int, from position, limit int, read source[T]) ([]T, string, error) {
	feeds := make([]*feed[T], len(partitions))
	for i, p := range partitions {
		feeds[i] = &feed[T]{partition: p, floor: from.below(p)}
	}
	chunk := min(max(2*limit/max(len(feeds), 1), chunkLeast), chunkMost)
	items, last, scanned := []T{}, from, 0
	for len(items) < limit {
		if dry := dryOf(feeds); len(dry) > 0 && scanned < scanLimit {
			n, err := fill(ctx, dry, chunk, read)
			if err != nil {
				return nil, "", err
			}
			scanned, chunk = scanned+n, min(2*chunk, chunkMost)
			continue
		}
		head, unknown := newest(feeds)
		if unknown != nil && (head == nil || unknown.newer(head.items[0].at)) {
			return items, unknown.cursor(), nil // nothing is known from here on down
		}
		if head == nil {
			return items, "", nil
		}
		items, last = append(items, head.items[0].value), head.items[0].at
		head.items = head.items[1:]
	}
	for _, f := range feeds {
		if len(f.items) > 0 || !f.done {
			return items, last.cursor(), nil
		}
	}
	return items, "", nil
}

func dryOf[T any](feeds []*feed[T]) (dry []*feed[T]) {
	for _, f := range feeds {
		if f.dry() {
			dry = append(dry, f)
		}
	}
	return dry
}

// newest is the feed whose next item is the newest, nil when there is none, and the highest floor of the feeds that are
// dry, nil when none is.
func newest[T any](feeds []*feed[T]) (head *feed[T], unknown *position) {
	for _, f := range feeds {
		switch {
		case f.dry():
			if unknown == nil || f.floor.newer(*unknown) {
				unknown = &f.floor
			}
		case len(f.items) > 0:
			if head == nil || f.items[0].at.newer(head.items[0].at) {
				head = f
			}
		}
	}
	return head, unknown
}

// fill reads one more stretch of each feed, all at a time.
func fill[T any](ctx context.Context, feeds []*feed[T], chunk int, read source[T]) (scanned int, err error) {
	stretches, failures := make([]stretch[T], len(feeds)), make([]error, len(feeds))
	var reads sync.WaitGroup
	for i, f := range feeds {
		reads.Go(func() { stretches[i], failures[i] = read(ctx, f.partition, f.floor, chunk) })
	}
	reads.Wait()
	for i, f := range feeds {
		if failures[i] != nil {
			return 0, failures[i]
		}
		f.items, f.done = stretches[i].items, stretches[i].done
		if stretches[i].scanned > 0 {
			f.floor = stretches[i].end
		}
		scanned += stretches[i].scanned
	}
	return scanned, nil
}
