// Package engine is the floor of Switchyard: the nouns every room shares (Event, Action, Decision, Recipient), the
// small interfaces its loops call, and the loops themselves — accept, route, perform, retry. It imports none of our
// other packages.
package engine

import (
	"encoding/json"
	"time"
)

// The event types Switchyard knows. Segment's spec names the first six; delete comes from Segment classic, and a record
// is one row of a reverse-ETL sync.
const (
	TypeTrack    = "track"
	TypeIdentify = "identify"
	TypePage     = "page"
	TypeScreen   = "screen"
	TypeGroup    = "group"
	TypeAlias    = "alias"
	TypeDelete   = "delete"
	TypeRecord   = "record"
)

// Verification says how far the sender of an event was authenticated.
type Verification string

const (
	// Verified: a signature or secret beyond the write key was checked and covers this event.
	Verified Verification = "verified"
	// Partial: the request was authenticated, this event's bytes were not (Segment signs element 0 of a batch only).
	Partial Verification = "partial"
	// Unverified: the connection has no scheme; the write key alone was the credential.
	Unverified Verification = "unverified"
)

// Event is the common form that an adapter makes of one message, with the original beside it, untouched.
//
// The JSON fields may share memory with Original; nobody writes into them.
type Event struct {
	// ID is ours, given when the event is appended; it orders the events of a partition. See redislog.EventID.
	ID          string
	Environment string
	Source      string

	Type string
	// Name is the event of a track, the name of a page or screen, the object or sync of a record; else the type.
	Name string
	// Ids are opaque; "" when absent. A numeric id is its literal text.
	UserID, AnonymousID, GroupID, PreviousID, MessageID string

	// Timestamp is the first that parses of timestamp, originalTimestamp, sentAt and the time of receipt.
	Timestamp  time.Time
	ReceivedAt time.Time

	Verification Verification

	// Each is a JSON object, or nil when absent. Data is the primary content: the properties of a track, page or
	// screen, the traits of an identify or group, the fields of a record.
	Data, Properties, Traits, Context json.RawMessage
	// Original is the message as received; for an invalid event whatever arrived, bounded, and perhaps not an object. Two
	// things are done to it: the integrations of an SDK's batch are added, and what is not JSON but can be mended is mended.
	Original json.RawMessage

	// Invalid says why the event can not be routed; "" when it can.
	Invalid string
	// Notes say what was put right on the way in, such as a timestamp that did not parse.
	Notes []string
	// Violations are what does not fit the connection's schema for this event.
	Violations []Violation
	// StateKey names the thing, a row of a table, whose state the event tells; "" for an event that tells what happened.
	// Such an event is a repeat when its MessageID is that of the last event of the thing, so that a value that changes
	// and changes back comes through.
	StateKey string
	// DedupeFor shortens the time for which a repeat is recognised; zero leaves it to the environment. It is for message
	// ids that are hashes of the content of something that has no StateKey.
	DedupeFor time.Duration
	// DuplicateOf is the id of the event that this one repeats; set by the log as it appends.
	DuplicateOf string
}

// Violation is one place where an event's data does not fit its schema.
type Violation struct {
	// Pointer is the JSON pointer (RFC 6901) of the value in the data, cut when it is very long; "" for all of it.
	Pointer string `json:"pointer"`
	Message string `json:"message"`
}

// Lane names the sequence that this event's actions belong to: its user, or the nearest thing to one. Events of one
// lane share a partition. An event that names nobody is a lane of its own, "" until it has an id.
func (e *Event) Lane() string {
	switch {
	case e.UserID != "":
		return "u:" + e.UserID
	case e.AnonymousID != "":
		return "a:" + e.AnonymousID
	case e.GroupID != "":
		return "g:" + e.GroupID
	case e.MessageID != "":
		return "m:" + e.MessageID
	case e.ID != "":
		return "e:" + e.ID
	}
	return ""
}

// UserLane is the lane of the events that carry this user id.
func UserLane(userID string) string { return "u:" + userID }

// MaxMessageID is the longest message id that deduplication looks at; a longer one is kept, and processed normally.
const MaxMessageID = 255

// Partition maps a lane to one of n partitions. The hash is FNV-1a; it is part of the stored format and never changes.
func Partition(lane string, n int) int {
	hash := uint64(14695981039346656037)
	for i := 0; i < len(lane); i++ {
		hash = (hash ^ uint64(lane[i])) * 1099511628211
	}
	return int(hash % uint64(n))
}

// Connection is one source in one environment, as far as the loops and the logs need to know it.
type Connection struct {
	Environment, Source string
	// Kind is the vendor: a key of the adapters' catalogue.
	Kind string
	// Name is for people.
	Name string
	// IdentifyUsers makes every identify event update its user, without a rule.
	IdentifyUsers bool
	// Verified is false when the write key alone is the credential.
	Verified bool
}
