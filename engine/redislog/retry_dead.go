package redislog

import (
	"context"
	"time"

	"switchyard/engine"
)

// retryStep is how many dead actions are read and put back in one round trip.
const retryStep = 500

// RetryDead runs again what a query chooses of the dead actions, as Retry does each, up to its limit. It goes from the
// oldest on, so that those of a user are queued in their order, and looks at a bounded number of them; a call that fails
// half-way can be made again. Errors are those of Events.
func (l *Log) RetryDead(ctx context.Context, query engine.ActionQuery, now time.Time) (engine.Retried, error) {
	e, err := l.environment(query.Environment)
	if err != nil {
		return engine.Retried{}, err
	}
	query.Status = engine.StatusDead
	if query.Limit <= 0 {
		query.Limit = retryStep
	}
	graves, err := e.graveyard(query)
	if err != nil {
		return engine.Retried{}, err
	}
	var done engine.Retried
	var last position
	for looked := 0; done.Count < query.Limit && looked < scanLimit; {
		places, err := graves.next(ctx, min(query.Limit-done.Count, retryStep))
		if err != nil || len(places) == 0 {
			return done, l.failed("read", err)
		}
		n, err := e.retryAt(ctx, places, query, now)
		if done.Count += n; err != nil {
			return done, err
		}
		looked, last = looked+len(places), places[len(places)-1]
	}
	if more, err := graves.next(ctx, 1); err != nil || len(more) == 0 {
		return done, l.failed("read", err)
	}
	done.Next = last.cursor()
	return done, nil
}

// retryAt puts those back of some dead actions that are asked for, in the order of their places.
func (e *Environment) retryAt(ctx context.Context, places []position, query engine.ActionQuery, now time.Time) (int, error) {
	ofPartition := map[int][]position{}
	for _, at := range places {
		ofPartition[at.partition] = append(ofPartition[at.partition], at)
	}
	var calls []*call
	for p, list := range ofPartition {
		found, err := e.readActions(ctx, p, list)
		if err != nil {
			return 0, e.log.failed("read", err)
		}
		for _, item := range wantedActions(found, query) {
			action := item.value
			if err := action.Retry(now); err != nil {
				return 0, err
			}
			c, err := e.retryCall(action, engine.StatusDead)
			if err != nil {
				return 0, err
			}
			calls = append(calls, c)
		}
	}
	err := e.log.run(ctx, "retry", calls...)
	retried := 0
	for _, c := range calls {
		retried += int(c.number())
	}
	return retried, err
}
