package redislog

import (
	"context"

	"switchyard/engine"
)

// Actions lists actions, newest first. The event, user and dead filters have indexes; with the others a call looks at a
// bounded stretch of the log. Errors are those of Events.
func (l *Log) Actions(ctx context.Context, query engine.ActionQuery) (engine.ActionPage, error) {
	e, err := l.environment(query.Environment)
	if err != nil {
		return engine.ActionPage{}, err
	}
	from, err := e.start(query.Cursor, query.To)
	if err != nil {
		return engine.ActionPage{}, err
	}
	partitions, read := e.actionSource(query)
	items, next, err := merge(ctx, partitions, from, pageSize(query.Limit), read)
	if err != nil {
		return engine.ActionPage{}, l.failed("read", err)
	}
	return engine.ActionPage{Items: items, Next: next}, nil
}

// Action is one action; engine.ErrNotFound when the log does not have it (any more).
func (l *Log) Action(ctx context.Context, environment, id string) (*engine.Action, error) {
	found, err := l.ActionsOf(ctx, environment, []string{id})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, engine.ErrNotFound
	}
	return found[0], nil
}

// ActionsOf are the actions of these ids, in their order; those that are gone are left out.
func (l *Log) ActionsOf(ctx context.Context, environment string, ids []string) ([]*engine.Action, error) {
	e, err := l.environment(environment)
	if err != nil {
		return nil, err
	}
	wanted := map[int][]position{}
	for _, id := range ids {
		if at, ok := parseID('a', id, e.partitions); ok {
			wanted[at.partition] = append(wanted[at.partition], at)
		}
	}
	byID := map[string]*engine.Action{}
	for p, list := range wanted {
		found, err := e.readActions(ctx, p, list)
		if err != nil {
			return nil, l.failed("read", err)
		}
		for _, item := range found {
			byID[item.value.ID] = item.value
		}
	}
	actions := make([]*engine.Action, 0, len(ids))
	for _, id := range ids {
		if action := byID[id]; action != nil {
			actions = append(actions, action)
		}
	}
	return actions, nil
}

// actionSource chooses the index that serves a query best.
func (e *Environment) actionSource(query engine.ActionQuery) ([]int, source[*engine.Action]) {
	lookup := func(index placeSource) source[*engine.Action] {
		return func(ctx context.Context, p int, below position, n int) (stretch[*engine.Action], error) {
			s, err := index(ctx, p, below, n)
			if err != nil {
				return stretch[*engine.Action]{}, err
			}
			found, err := e.readActions(ctx, p, s.places)
			return stretch[*engine.Action]{wantedActions(found, query), len(s.places), s.end(), s.done}, err
		}
	}
	switch {
	case query.EventID != "":
		at, ok := parseID('e', query.EventID, e.partitions)
		if !ok {
			return nil, nil
		}
		return []int{at.partition}, lookup(e.actionsOfEvents(func(context.Context, position) ([]position, bool, error) {
			return []position{at}, true, nil
		}))
	case query.UserID != "":
		p := engine.Partition(engine.UserLane(query.UserID), e.partitions)
		return []int{p}, lookup(e.actionsOfUser(p, query.UserID))
	case query.Status == engine.StatusDead:
		return e.all(), lookup(func(ctx context.Context, p int, below position, n int) (places, error) {
			return e.byLex(e.slices[p].dead())(ctx, p, below, n)
		})
	}
	return e.all(), func(ctx context.Context, p int, below position, n int) (stretch[*engine.Action], error) {
		found, err := e.scan(ctx, e.slices[p].actions(), below, query.From, n)
		if err != nil {
			return stretch[*engine.Action]{}, err
		}
		actions, err := e.stated(ctx, p, found)
		return stretch[*engine.Action]{wantedActions(actions, query), len(found), lastOf(p, found), len(found) < n}, err
	}
}

// actionsOfUser reads the actions of a user's events, scanLimit events at a time. An action is younger than its event, so
// only events below the position can have some below it; but old events may have been decided late, so when the newest
// have none below it, the ones before them are looked at.
func (e *Environment) actionsOfUser(p int, user string) placeSource {
	return e.actionsOfEvents(func(ctx context.Context, below position) ([]position, bool, error) {
		s, err := e.byLex(e.slices[p].user(user))(ctx, p, below, scanLimit)
		return s.places, s.done, err
	})
}

// actionsOfEvents reads the actions that the decisions of some events name.
func (e *Environment) actionsOfEvents(events func(ctx context.Context, below position) ([]position, bool, error)) placeSource {
	return func(ctx context.Context, p int, below position, n int) (places, error) {
		for floor := below; ; {
			list, done, err := events(ctx, floor)
			if err != nil || len(list) == 0 {
				return places{done: true}, err
			}
			found, err := e.actionsOfList(ctx, p, list)
			if err != nil {
				return places{}, err
			}
			found = newestBelow(found, below)
			if len(found) > n {
				return places{found[:n], false}, nil
			}
			if done || len(found) > 0 {
				return places{found, done}, nil
			}
			floor = list[len(list)-1]
		}
	}
}

// actionsOfList is the actions that the decisions of these events name.
func (e *Environment) actionsOfList(ctx context.Context, p int, list []position) ([]position, error) {
	ids := make([]string, len(list))
	for i, at := range list {
		ids[i] = at.stream()
	}
	decisions, err := e.log.client.HMGet(ctx, e.slices[p].decided(), ids...).Result()
	if err != nil {
		return nil, err
	}
	var actions []string
	for _, decision := range decisions {
		_, of, _ := splitDecision(text(decision))
		actions = append(actions, of...)
	}
	return placesOf(p, actions), nil
}

// readActions looks entries up by their place; those that are gone are left out.
func (e *Environment) readActions(ctx context.Context, p int, places []position) ([]placed[*engine.Action], error) {
	found, err := e.log.lookup(ctx, e.slices[p].actions(), places)
	if err != nil {
		return nil, err
	}
	return e.stated(ctx, p, found)
}

// stated joins entries with their states.
func (e *Environment) stated(ctx context.Context, p int, found []entry) ([]placed[*engine.Action], error) {
	states, err := e.log.companions(ctx, e.slices[p].state(), found)
	if err != nil {
		return nil, err
	}
	actions := make([]placed[*engine.Action], len(found))
	for i, f := range found {
		actions[i] = placed[*engine.Action]{lastOf(p, found[:i+1]), actionOf(e.key, p, f, text(states[i]))}
	}
	return actions, nil
}

func wantedActions(found []placed[*engine.Action], query engine.ActionQuery) []placed[*engine.Action] {
	kept := found[:0]
	for _, item := range found {
		a := item.value
		if is(query.Rule, a.Rule) && is(query.Kind, a.Kind) && is(query.UserID, a.UserID) && is(query.EventID, a.EventID) &&
			is(query.Status, a.Status) && within(a.CreatedAt, query.From, query.To) {
			kept = append(kept, item)
		}
	}
	return kept
}
