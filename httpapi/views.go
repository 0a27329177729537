package httpapi

import (
	"bytes"
	"encoding/json"
	"time"

	"switchyard/engine"
)

// The shapes of the management API. Names are fixed: other programs read them.

// stamp is a time as the API writes it: RFC 3339 with milliseconds, UTC; a zero time is null.
type stamp time.Time

func (s stamp) MarshalJSON() ([]byte, error) {
	if time.Time(s).IsZero() {
		return []byte("null"), nil
	}
	return time.Time(s).UTC().AppendFormat(nil, `"2006-01-02T15:04:05.000Z07:00"`), nil
}

type listView[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"next_cursor,omitempty"`
}

func list[T, R any](records []R, view func(R) T) []T {
	items := make([]T, len(records))
	for i, record := range records {
		items[i] = view(record)
	}
	return items
}

type eventView struct {
	ID           string              `json:"id"`
	Environment  string              `json:"environment"`
	Source       string              `json:"source"`
	Type         string              `json:"type"`
	Name         string              `json:"name"`
	UserID       string              `json:"user_id"`
	AnonymousID  string              `json:"anonymous_id"`
	GroupID      string              `json:"group_id,omitempty"`
	PreviousID   string              `json:"previous_id,omitempty"`
	MessageID    string              `json:"message_id"`
	Timestamp    stamp               `json:"timestamp"`
	ReceivedAt   stamp               `json:"received_at"`
	DecidedAt    stamp               `json:"decided_at"`
	Outcome      engine.Outcome      `json:"outcome"`
	Reason       string              `json:"reason,omitempty"`
	DuplicateOf  string              `json:"duplicate_of,omitempty"`
	Verification engine.Verification `json:"verification"`
	MatchedRules []string            `json:"matched_rules"`
	RuleErrors   []engine.RuleError  `json:"rule_errors,omitempty"`
	Notes        []string            `json:"notes,omitempty"`
	Violations   []engine.Violation  `json:"violations,omitempty"`
}

// eventDetail is an event by id: with its content and all its actions.
type eventDetail struct {
	eventView
	Data    json.RawMessage `json:"data"`
	Context json.RawMessage `json:"context"`
	// Event is the original as received; a string when it was not JSON.
	Event   json.RawMessage `json:"event"`
	Actions []actionView    `json:"actions"`
}

func viewEvent(record *engine.EventRecord) eventView {
	rules := record.Rules
	if rules == nil {
		rules = []string{}
	}
	return eventView{
		ID: record.ID, Environment: record.Environment, Source: record.Source, Type: record.Type, Name: record.Name,
		UserID: record.UserID, AnonymousID: record.AnonymousID, GroupID: record.GroupID, PreviousID: record.PreviousID,
		MessageID: record.MessageID, Timestamp: stamp(record.Timestamp), ReceivedAt: stamp(record.ReceivedAt),
		DecidedAt: stamp(record.DecidedAt), Outcome: record.Outcome, Reason: record.Reason,
		DuplicateOf: record.DuplicateOf, Verification: record.Verification, MatchedRules: rules,
		RuleErrors: record.Errors, Notes: record.Notes, Violations: record.Violations,
	}
}

func viewEventDetail(record *engine.EventRecord, actions []*engine.Action) eventDetail {
	return eventDetail{
		eventView: viewEvent(record), Data: jsonOr(record.Data, "{}"), Context: jsonOr(record.Context, "{}"), Event: withoutKey(asJSON(record.Original)),
		Actions: list(actions, viewAction),
	}
}

// jsonOr stands in for an absent document.
func jsonOr(doc json.RawMessage, absent string) json.RawMessage {
	if len(doc) == 0 {
		return json.RawMessage(absent)
	}
	return doc
}

// asJSON is doc, or doc as a JSON string when it is not JSON: an invalid event may be anything.
func asJSON(doc []byte) json.RawMessage {
	if engine.CheckJSON(doc, engine.DefaultJSONLimits) == nil {
		return doc
	}
	text, err := json.Marshal(string(doc))
	if err != nil {
		return json.RawMessage("null")
	}
	return text
}

// withoutKey masks the write key that some SDKs put into each message: whoever reads the log must not be able to send.
func withoutKey(doc json.RawMessage) json.RawMessage {
	if !bytes.Contains(doc, []byte(`"writeKey"`)) || engine.KindOf(doc) != '{' {
		return doc
	}
	masked := []byte{'{'}
	err := engine.MembersOf(doc, engine.DefaultJSONLimits, func(name []byte, value json.RawMessage) error {
		if len(masked) > 1 {
			masked = append(masked, ',')
		}
		if string(name) == "writeKey" {
			value = json.RawMessage(`"…"`)
		}
		quoted, err := plainJSON(string(name))
		masked = append(append(append(masked, quoted...), ':'), value...)
		return err
	})
	if err != nil {
		return json.RawMessage("null")
	}
	return append(masked, '}')
}

type actionView struct {
	ID          string          `json:"id"`
	EventID     string          `json:"event_id"`
	Environment string          `json:"environment"`
	Rule        string          `json:"rule"`
	Action      string          `json:"action"`
	UserID      string          `json:"user_id"`
	Status      engine.Status   `json:"status"`
	Destination string          `json:"destination"`
	EffectKey   string          `json:"effect_key"`
	Nonce       string          `json:"nonce"`
	Parameters  json.RawMessage `json:"parameters"`
	Payload     json.RawMessage `json:"payload"`
	Result      json.RawMessage `json:"result"`
	Reason      string          `json:"reason"`
	Attempts    []attemptView   `json:"attempts"`
	CreatedAt   stamp           `json:"created_at"`
}

type attemptView struct {
	At      stamp         `json:"at"`
	Status  engine.Status `json:"status"`
	Error   string        `json:"error"`
	Seconds float64       `json:"seconds"`
}

func viewAction(action *engine.Action) actionView {
	return actionView{
		ID: action.ID, EventID: action.EventID, Environment: action.Environment, Rule: action.Rule, Action: action.Kind,
		UserID: action.UserID, Status: action.Status, Destination: action.Destination, EffectKey: action.EffectKey(""), Nonce: action.Nonce(),
		Parameters: jsonOr(action.Parameters, "{}"), Payload: jsonOr(action.Payload(), "null"),
		Result: jsonOr(action.Result, "null"), Reason: action.Reason,
		Attempts: list(action.Attempts, viewAttempt), CreatedAt: stamp(action.CreatedAt),
	}
}

func viewAttempt(attempt engine.Attempt) attemptView {
	return attemptView{stamp(attempt.At), attempt.Status, attempt.Error, attempt.Took.Seconds()}
}

type userView struct {
	ID        string         `json:"id"`
	Traits    map[string]any `json:"traits"`
	CreatedAt stamp          `json:"created_at"`
	UpdatedAt stamp          `json:"updated_at"`
}

type nameView struct {
	Source    string          `json:"source"`
	Type      string          `json:"type"`
	Name      string          `json:"name"`
	Count     int64           `json:"count"`
	FirstSeen stamp           `json:"first_seen"`
	LastSeen  stamp           `json:"last_seen"`
	Sample    json.RawMessage `json:"sample"`
}

func viewName(name engine.NameRecord) nameView {
	return nameView{name.Source, name.Type, name.Name, name.Count, stamp(name.First), stamp(name.Last), withoutKey(jsonOr(name.Sample, "null"))}
}

type ruleView struct {
	Key         string          `json:"key"`
	Name        string          `json:"name"`
	Match       string          `json:"match"`
	Transform   json.RawMessage `json:"transform"`
	Actions     json.RawMessage `json:"actions"`
	File        string          `json:"file"`
	Line        int             `json:"line"`
	Indexed     bool            `json:"indexed"`
	Version     string          `json:"version"`
	Cost        int             `json:"cost"`
	Survivors   uint64          `json:"survivors"`
	Evaluations uint64          `json:"evaluations"`
	Matches     uint64          `json:"matches"`
	Errors      uint64          `json:"errors"`
	Seconds     float64         `json:"seconds"`
	LastError   string          `json:"last_error"`
	LastErrorAt stamp           `json:"last_error_at"`
	LastMatchAt stamp           `json:"last_match_at"`
	Quarantined *QuarantineView `json:"quarantined,omitempty"`
}

// QuarantineView is why a rule is not evaluated.
type QuarantineView struct {
	Reason    string `json:"reason"`
	At        stamp  `json:"at"`
	LastError string `json:"last_error"`
}

// ViewQuarantine is a quarantine as the API has it; nil for none.
func ViewQuarantine(q *engine.Quarantine) *QuarantineView {
	if q == nil {
		return nil
	}
	return &QuarantineView{q.Reason, stamp(q.At), q.LastError}
}

func viewRule(rule engine.RuleInfo) ruleView {
	return ruleView{
		Key: rule.Key, Name: rule.Name, Match: rule.Match, Transform: jsonOr(rule.Transform, "null"),
		Actions: jsonOr(rule.Actions, "[]"), File: rule.File, Line: rule.Line, Indexed: rule.Indexed,
		Version: rule.Version, Cost: rule.Cost, Quarantined: ViewQuarantine(rule.Quarantined),
		Survivors: rule.Stats.Survivors, Evaluations: rule.Stats.Evaluations, Seconds: rule.Stats.Spent.Seconds(),
		Matches: rule.Stats.Matches, Errors: rule.Stats.Errors,
		LastError: rule.Stats.LastError, LastErrorAt: stamp(rule.Stats.LastErrorAt), LastMatchAt: stamp(rule.Stats.LastMatchAt),
	}
}
