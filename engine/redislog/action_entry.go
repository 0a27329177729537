package redislog

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"switchyard/engine"
)

// actionFields are those of an entry of the action log, always all and always in this order; see eventFields.
var actionFields = []string{"event", "rule", "index", "kind", "lane", "user", "parameters", "payload", "created"}

// stateJSON is the half of an action that changes. A state is stored as "<number of attempts> <status> <json>".
type stateJSON struct {
	Reason      string          `json:"reason,omitempty"`
	Destination string          `json:"destination,omitempty"`
	Result      json.RawMessage `json:"result,omitempty"`
	Attempts    []attemptJSON   `json:"attempts,omitempty"`
	BudgetFrom  int             `json:"budget_from,omitempty"`
	BudgetSince string          `json:"budget_since,omitempty"`
	Nonces      []string        `json:"nonces,omitempty"`
}

type attemptJSON struct {
	At     string        `json:"at"`
	Status engine.Status `json:"status"`
	Error  string        `json:"error,omitempty"`
	Took   time.Duration `json:"took"`
}

// appendAction adds the arguments of one action to those of commitScript.
func appendAction(args []any, action *engine.Action, event position) ([]any, error) {
	state, err := writeState(action)
	if err != nil {
		return nil, err
	}
	perform := "1"
	if action.Status.Ended() {
		perform = "0"
	}
	return append(args, state, perform, event.stream(), action.Rule, strconv.Itoa(action.Index), action.Kind, action.Lane,
		action.UserID, []byte(action.Parameters), []byte(action.Payload()), writeTime(action.CreatedAt)), nil
}

func writeState(action *engine.Action) (string, error) {
	state := stateJSON{
		Reason: action.Reason, Destination: action.Destination, Result: anyJSON(action.Result),
		BudgetFrom: action.BudgetFrom, BudgetSince: writeTime(action.BudgetSince), Nonces: action.Nonces,
	}
	for _, a := range action.Attempts {
		state.Attempts = append(state.Attempts, attemptJSON{writeTime(a.At), a.Status, a.Error, a.Took})
	}
	doc, err := json.Marshal(state)
	if err != nil {
		return "", fmt.Errorf("the state of action %s: %w", action.ID, err)
	}
	return fmt.Sprintf("%d %s %s", len(action.Attempts), action.Status, doc), nil
}

// actionOf reads an entry of the action log with its state. A payload that can not be read leaves the action without
// one, as if it had not been resolved, and says so in Reason.
func actionOf(environment string, partition int, e entry, state string) *engine.Action {
	action := &engine.Action{ID: ActionID(partition, e.id), Environment: environment}
	payload := ""
	for i := 0; i+1 < len(e.fields); i += 2 {
		value := text(e.fields[i+1])
		switch text(e.fields[i]) {
		case "event":
			action.EventID = EventID(partition, value)
		case "rule":
			action.Rule = value
		case "index":
			action.Index, _ = strconv.Atoi(value)
		case "kind":
			action.Kind = value
		case "lane":
			action.Lane = value
		case "user":
			action.UserID = value
		case "parameters":
			action.Parameters = rawJSON(value)
		case "payload":
			payload = value
		case "created":
			action.CreatedAt = readTime(value)
		}
	}
	readState(action, state)
	if err := readPayload(action, payload); err != nil && action.Reason == "" {
		action.Reason = err.Error()
	}
	return action
}

func readPayload(action *engine.Action, payload string) (err error) {
	if payload == "" {
		return nil
	}
	switch action.Kind {
	case engine.ActionIdentify:
		identify := &engine.Identify{}
		if err = json.Unmarshal([]byte(payload), identify); err == nil {
			action.Identify = identify
		}
	case engine.ActionTrigger:
		trigger := &engine.Trigger{}
		if err = json.Unmarshal([]byte(payload), trigger); err == nil {
			action.Trigger = trigger
		}
	}
	if err != nil {
		return fmt.Errorf("the stored payload can not be read: %w", err)
	}
	return nil
}

// readState fills in the half that changes.
func readState(action *engine.Action, stored string) {
	_, rest, _ := strings.Cut(stored, " ")
	status, doc, _ := strings.Cut(rest, " ")
	action.Status = engine.Status(status)
	var state stateJSON
	if json.Unmarshal([]byte(doc), &state) != nil {
		return // trimmed, or not ours
	}
	action.Reason, action.Destination, action.Result = state.Reason, state.Destination, state.Result
	action.BudgetFrom, action.BudgetSince, action.Nonces = state.BudgetFrom, readTime(state.BudgetSince), state.Nonces
	for _, a := range state.Attempts {
		action.Attempts = append(action.Attempts, engine.Attempt{At: readTime(a.At), Status: a.Status, Error: a.Error, Took: a.Took})
	}
}

// anyJSON is a result as it is, or quoted when a destination returned something that is not JSON: a bad body must not
// keep an attempt from being recorded.
func anyJSON(result json.RawMessage) json.RawMessage {
	if len(result) == 0 || json.Valid(result) {
		return result
	}
	quoted, _ := json.Marshal(string(result)) // a string can always be written
	return quoted
}

func rawJSON(stored string) json.RawMessage {
	if stored == "" {
		return nil
	}
	return json.RawMessage(stored)
}
