package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/gofiber/fiber/v2"

	"switchyard/engine"
)

// Explainer says why the rules of an environment match an event or not: of at most limit rules, the most telling first.
// The event is as its source would post it, and is one; the errors are *engine.BadRequest, and engine.ErrNotFound when
// there is no such connection.
type Explainer interface {
	Explain(environment, source string, event json.RawMessage, limit int) (*Explained, error)
}

// Explained is what the rules make of one event. It is written as the API has it.
type Explained struct {
	Event *engine.Event
	// Outcome and Reason are what would be on the event log.
	Outcome engine.Outcome
	Reason  string
	// Actions are those of the connection's identify switch.
	Actions []*engine.Action
	// Matched, Failed and Missed count all rules; Rules are those explained.
	Matched, Failed, Missed int
	Rules                   []ExplainedRule
}

// ExplainedRule is what one rule made of the event.
type ExplainedRule struct {
	Key  string `json:"key"`
	Name string `json:"name"`
	File string `json:"file"`
	Line int    `json:"line"`
	// Result is matched, failed (Error says of what) or missed.
	Result string `json:"result"`
	Error  string `json:"error,omitempty"`
	// Quarantined is why the rule is not evaluated on the events that come, and then fails on those that it would be.
	Quarantined *QuarantineView `json:"quarantined,omitempty"`
	// Pruned is the key by which the index left the rule out; "" when it was looked at.
	Pruned string `json:"pruned,omitempty"`
	// Nearest marks the missed rules that lack the least.
	Nearest bool     `json:"nearest"`
	Hints   []string `json:"hints"`
	// Clauses are the parts of the match; Failing counts those that are not true, and FirstFailing is the position of
	// the one to blame, null for none.
	Clauses      []ExplainedClause `json:"clauses"`
	MoreClauses  int               `json:"more_clauses,omitempty"`
	Failing      int               `json:"failing"`
	FirstFailing *int              `json:"first_failing"`
	// Transforms and Actions are what a matched rule asks for.
	Transforms []ExplainedValue  `json:"transforms"`
	Actions    []ExplainedAction `json:"actions"`
}

// ExplainedClause is one part of a match.
type ExplainedClause struct {
	Text string `json:"text"`
	File string `json:"file"`
	Line int    `json:"line"`
	Col  int    `json:"col"`
	// Verdict is true, false, missing or error.
	Verdict     string            `json:"verdict"`
	Error       string            `json:"error,omitempty"`
	Values      []ExplainedValue  `json:"values"`
	Wanted      string            `json:"wanted,omitempty"`
	Hint        string            `json:"hint,omitempty"`
	Clauses     []ExplainedClause `json:"clauses,omitempty"`
	MoreClauses int               `json:"more_clauses,omitempty"`
}

// ExplainedValue is a value that was looked at: Value is its JSON, as text, since it is cut when it is long.
type ExplainedValue struct {
	Text  string `json:"text"`
	Type  string `json:"type"`
	Value string `json:"value"`
}

// ExplainedAction is an action that would be done, or skipped.
type ExplainedAction struct {
	Action     string          `json:"action"`
	Status     engine.Status   `json:"status"`
	Parameters json.RawMessage `json:"parameters"`
	Payload    json.RawMessage `json:"payload"`
	Reason     string          `json:"reason,omitempty"`
}

// ExplainAction is an action as an explanation shows it.
func ExplainAction(action *engine.Action) ExplainedAction {
	return ExplainedAction{action.Kind, action.Status, jsonOr(action.Parameters, "{}"), jsonOr(action.Payload(), "null"), action.Reason}
}

// explainedEvent is as much of the event as tells it from others.
type explainedEvent struct {
	Environment string             `json:"environment"`
	Source      string             `json:"source"`
	Type        string             `json:"type"`
	Name        string             `json:"name"`
	UserID      string             `json:"user_id"`
	AnonymousID string             `json:"anonymous_id"`
	MessageID   string             `json:"message_id"`
	Timestamp   stamp              `json:"timestamp"`
	Data        json.RawMessage    `json:"data"`
	Notes       []string           `json:"notes,omitempty"`
	Violations  []engine.Violation `json:"violations,omitempty"`
}

type explainedView struct {
	Event   explainedEvent    `json:"event"`
	Outcome engine.Outcome    `json:"outcome"`
	Reason  string            `json:"reason,omitempty"`
	Actions []ExplainedAction `json:"actions"`
	Matched int               `json:"matched"`
	Failed  int               `json:"failed"`
	Missed  int               `json:"missed"`
	Rules   []ExplainedRule   `json:"rules"`
}

// MarshalJSON writes the explanation as the API has it.
func (e *Explained) MarshalJSON() ([]byte, error) {
	event := e.Event
	return plainJSON(explainedView{
		Event: explainedEvent{
			event.Environment, event.Source, event.Type, event.Name, event.UserID, event.AnonymousID, event.MessageID,
			stamp(event.Timestamp), jsonOr(event.Data, "{}"), event.Notes, event.Violations,
		},
		Outcome: e.Outcome, Reason: e.Reason, Actions: list(e.Actions, ExplainAction),
		Matched: e.Matched, Failed: e.Failed, Missed: e.Missed, Rules: e.Rules,
	})
}

// defaultExplained is how many rules are explained when nothing else is asked for.
const defaultExplained = 20

func (a *admin) explain(c *fiber.Ctx) error {
	environment, err := a.environment(c)
	if err != nil {
		return err
	}
	query := readParameters(c, "limit")
	limit := query.limitOr(defaultExplained)
	if query.err != nil {
		return query.err
	}
	var asked struct {
		Source string          `json:"source"`
		Event  json.RawMessage `json:"event"`
	}
	if err := readJSON(c.Request().Body(), &asked); err != nil {
		return err
	}
	var known []string
	for _, connection := range environment.Connections {
		if known = append(known, connection.Source); connection.Source != asked.Source {
			continue
		}
		if len(asked.Event) == 0 {
			return &failure{Status: fiber.StatusBadRequest, Code: "missing_event", Message: `the body has no event; send {"source": …, "event": {…}}`}
		}
		if kind := engine.KindOf(asked.Event); kind != '{' && kind != '[' {
			return &failure{Status: fiber.StatusBadRequest, Code: "malformed_event", Message: "the event must be an object, as the source posts it"}
		}
		explained, err := a.Explainer.Explain(environment.Key, asked.Source, asked.Event, limit)
		if err != nil {
			return err
		}
		return c.JSON(explained)
	}
	return &failure{Status: fiber.StatusNotFound, Code: "unknown_source",
		Message: fmt.Sprintf("no source %q is connected to %s; there are %s", asked.Source, environment.Key, strings.Join(known, ", "))}
}

// readJSON reads a request of the management API, and refuses names that it does not know.
func readJSON(body []byte, into any) error {
	if err := engine.CheckJSON(body, engine.DefaultJSONLimits); err != nil {
		broken := &engine.JSONError{Code: "malformed_json"}
		errors.As(err, &broken)
		return &failure{Status: fiber.StatusBadRequest, Code: broken.Code, Message: "the body: " + err.Error()}
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err != nil && !errors.Is(err, io.EOF) {
		return &failure{Status: fiber.StatusBadRequest, Code: "bad_request", Message: "the body: " + strings.TrimPrefix(err.Error(), "json: ")}
	}
	return nil
}
