package engine

import (
	"encoding/json"
	"errors"
	"time"
)

// What readers of the logs ask for and are given.

// ErrNotFound is returned for an id that the log does not have (any more).
var ErrNotFound = errors.New("not found")

// ErrBadCursor is returned for a cursor that this log did not make.
var ErrBadCursor = errors.New("this cursor is not one of ours")

// ErrNotQuarantined is returned when a rule is to be released that is evaluated.
var ErrNotQuarantined = errors.New("the rule is not in quarantine")

// EventQuery chooses events of one environment, newest first; the zero value of a field does not filter.
type EventQuery struct {
	Environment, Source, Type, Name, UserID, MessageID string

	Outcome Outcome
	// From is inclusive, To exclusive; both of the time of receipt.
	From, To time.Time
	// Limit is the most items in a page. Cursor is the Next of the page before, "" for the first.
	Limit  int
	Cursor string
}

// EventPage is one page of events. It may hold fewer than Limit, even none, and still have a Next: a rare filter is
// searched a bounded stretch at a time.
type EventPage struct {
	Items []*EventRecord
	Next  string
}

// EventRecord is an event with what was decided.
type EventRecord struct {
	*Event
	// Outcome is OutcomePending until decided.
	Outcome   Outcome
	Reason    string
	Rules     []string
	Errors    []RuleError
	DecidedAt time.Time
	ActionIDs []string
}

// ActionQuery chooses actions of one environment, newest first; the zero value of a field does not filter.
type ActionQuery struct {
	Environment, Rule, Kind, UserID, EventID string

	Status   Status
	From, To time.Time
	Limit    int
	Cursor   string
}

// ActionPage is one page of actions, as EventPage is of events.
type ActionPage struct {
	Items []*Action
	Next  string
}

// Retried is what one step of running dead actions again came to.
type Retried struct {
	Count int
	// Next is where the next step goes on; "" when all were looked at.
	Next string
}

// NameRecord is what is known of one event name of one source.
type NameRecord struct {
	Source, Type, Name string
	Count              int64
	First, Last        time.Time
	Sample             json.RawMessage
}

// User is one person of the built-in directory.
type User struct {
	ID     string
	Traits map[string]any
	// CreatedAt and UpdatedAt are by the clock of the process that wrote.
	CreatedAt, UpdatedAt time.Time
}

// Run is one start of a workflow, as a notification worker consumes it.
type Run struct {
	// ID is a UUID derived from the effect key: the same run has the same id.
	ID       string
	Workflow string
	// Recipients are those who are known, bare ids and objects of collections alike.
	Recipients      []Recipient
	Actor           *Recipient
	Data            map[string]any
	Tenant          string
	CancellationKey string
	Rule            string
	EventID         string
	At              time.Time
}

// RuleInfo is one live rule, for people.
type RuleInfo struct {
	RuleText
	Stats RuleStats
	// Quarantined is nil for a rule that is evaluated.
	Quarantined *Quarantine
}

// RuleText is a rule as written, and what is known of it before it runs.
type RuleText struct {
	Key, Name string
	// Match is the expression as written, "" for a rule that takes every event.
	Match string
	// Transform and Actions as written.
	Transform json.RawMessage
	Actions   json.RawMessage
	// File and Line are where it stands.
	File string
	Line int
	// Indexed is false when the rule is evaluated on every event.
	Indexed bool
	// Version is a short hash of everything that is written of the rule.
	Version string
	// Cost is about how many steps its expressions take, with short lists.
	Cost int
}

// The reasons of a quarantine.
const (
	QuarantineBudget = "budget"
	QuarantineErrors = "errors"
)

// Quarantine is of a rule that is not evaluated any more, for it costs or fails too much. It is of one version of the
// rule: another is evaluated.
type Quarantine struct {
	Version string `json:"version"`
	// Reason is QuarantineBudget or QuarantineErrors.
	Reason    string    `json:"reason"`
	At        time.Time `json:"at"`
	LastError string    `json:"last_error"`
}

// QuarantineChanges tells whether the quarantines of an environment are as they were. The zero value is that of a store
// that has never had any.
type QuarantineChanges struct {
	// Epoch is another for a store that has lost what it had, and Count goes up with each change.
	Epoch string
	Count int64
}

// Lost reports whether a store that was at before has lost some of its quarantines since, rather than released them.
func (c QuarantineChanges) Lost(before QuarantineChanges) bool {
	return before.Epoch != "" && (c.Epoch != before.Epoch || c.Count < before.Count)
}

// RuleStats count one rule's work in this process since it started; a reload keeps them.
type RuleStats struct {
	// Survivors are the events for which the index found the rule. Of these, Evaluations are those on which its
	// expressions were run.
	Survivors, Evaluations, Matches, Errors uint64
	// Quarantines is how often it was put into quarantine, here or by another process.
	Quarantines uint64
	// Spent is the time in the rule's expressions.
	Spent time.Duration
	// LastError is "" when there was none.
	LastError   string
	LastErrorAt time.Time
	LastMatchAt time.Time
}
