package engine

import (
	"context"
	"errors"
	"time"
)

// What the loops ask of a log. redislog implements all of it; its contract suite says what each promises.

// ErrUnavailable is wrapped by every error that means "not now": the store is away, full or too slow. Nothing was
// stored for the event concerned, or it can not be known; sending it again is safe.
var ErrUnavailable = errors.New("the store is unavailable")

// Appender makes events durable.
type Appender interface {
	// Append stores each event of one environment in its partition and gives it its ID, or none and an error for it. A
	// repeat (the same environment, source, type and message id within the deduplication window) is stored too, with
	// DuplicateOf set. Storing one event and recognising it is one atomic step.
	Append(ctx context.Context, events []*Event) error
}

// Inbox is one partition's undecided events.
type Inbox interface {
	// Claim takes up to max events for this process, in the order of the log: what was claimed before and not committed, by
	// this process or one that has lost the partition, then new ones, waiting up to wait for the first of them. It is
	// called when what it gave before is committed or given up. Only one process at a time gets any.
	Claim(ctx context.Context, max int, wait time.Duration) ([]*Event, error)
	// Commit records each verdict, queues its actions in their lanes, and acknowledges the event, in one atomic step an
	// event, and none without those before it. An action without a lane is of its event's. Commit gives the actions their
	// IDs and sets Verdict.Committed, which stays false when the event was decided before (by this process or another), or
	// the partition is another's by now: then nothing was changed.
	Commit(ctx context.Context, verdicts []*Verdict) error
	// Leave gives the partition up, so that another process has it at once and not only when this one is taken for dead.
	// Nothing is claimed afterwards.
	Leave(ctx context.Context)
}

// Verdict is one event with its decision.
type Verdict struct {
	Event     *Event
	Decision  *Decision
	DecidedAt time.Time
	Committed bool
}

// Outbox is one partition's lanes of actions.
type Outbox interface {
	// Due takes the first action of up to max lanes that are due at now, and hides those lanes until now+lease, so that
	// a process that dies with them loses nothing. Next is when the next lane is due; zero when none is queued.
	Due(ctx context.Context, now time.Time, lease time.Duration, max int) (actions []*Action, next time.Time, err error)
	// Record stores the action after its newest attempt. An ended action leaves its lane and the next one is due at
	// once; another is due again at next, unless more than patience (or AnyNumber) wait behind it in its lane now: then
	// Record has it GiveWay. It reports false, and changes nothing, when the attempt is not the one expected: another
	// process has recorded it, or the action was deleted.
	Record(ctx context.Context, action *Action, next time.Time, patience int) (bool, error)
	// Postpone has the lane of an action that Due gave, and that was not attempted, due again at a time. Nothing is changed
	// when the action is not the first of its lane any more.
	Postpone(ctx context.Context, action *Action, until time.Time) error
}

// Pauses keeps which destinations of an environment are not to be called, for all processes.
type Pauses interface {
	// Pauses are those that are paused, by their names.
	Pauses(ctx context.Context, environment string) (map[string]Pause, error)
	// Pause begins one; of one that is paused already nothing is changed.
	Pause(ctx context.Context, environment, destination string, pause Pause) error
	// Resume ends one, and says whether there was one.
	Resume(ctx context.Context, environment, destination string) (bool, error)
}

// Names counts the event names seen.
type Names interface {
	// Count adds to what is known of the names of one environment.
	Count(ctx context.Context, environment string, seen []NameSeen) error
}

// NameSeen is one event name of one source, as seen by one process since it last told.
type NameSeen struct {
	Source, Type, Name string
	Count              int
	First, Last        time.Time
	// Sample is an original event with this name.
	Sample []byte
}
