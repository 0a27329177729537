package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// The two kinds of action.
const (
	ActionIdentify = "identify"
	ActionTrigger  = "trigger"
)

// Status is where an action stands. Succeeded, skipped and dead are its ends; a dead one can be run again.
type Status string

const (
	// StatusWaiting: not attempted yet; it is next in its lane, or behind an earlier action of its user.
	StatusWaiting Status = "waiting"
	// StatusRetrying: attempted without success, and due again.
	StatusRetrying  Status = "retrying"
	StatusSucceeded Status = "succeeded"
	// StatusSkipped: there was nothing to do, or no way to do it; Reason says which.
	StatusSkipped Status = "skipped"
	StatusDead    Status = "dead"
)

// Ended reports whether nothing more happens to the action by itself.
func (s Status) Ended() bool {
	return s == StatusSucceeded || s == StatusSkipped || s == StatusDead
}

// IdentifySwitchRule stands as the rule of the actions that a connection's identify switch asks for. No rule can have
// this key.
const IdentifySwitchRule = "identify_users"

// Action is one identify or trigger that a rule, or the identify switch, asked for.
type Action struct {
	// ID is given when the decision is committed.
	ID          string
	EventID     string
	Environment string
	// Rule is the rule's key, or IdentifySwitchRule.
	Rule string
	// Index is the position among the actions that this rule asks for on one event, skipped ones included.
	Index int
	// Kind is identify or trigger.
	Kind string
	// Lane is the event's, or the action's own where the order is relaxed; see Lanes. Actions of a lane are done in the
	// order committed.
	Lane   string
	UserID string
	// Parameters are the expressions as configured, for people: {"recipients": "people", "workflow": "welcome"}.
	Parameters json.RawMessage
	// Identify or Trigger is the resolved payload; the other is nil. Both are nil when the action was skipped while it
	// was resolved.
	Identify *Identify
	Trigger  *Trigger
	// CreatedAt is when it was decided.
	CreatedAt time.Time

	// The rest changes as the action is performed.

	Status      Status
	Destination string
	Result      json.RawMessage
	// Reason is why it was skipped, or the last error of one that is retrying or dead.
	Reason   string
	Attempts []Attempt
	// Budget is where the current round of attempts began: 0 or what they were when a dead action was run again, and when
	// the first of them was made; until then, when it was queued. Retries are counted and aged from there.
	BudgetFrom  int
	BudgetSince time.Time
	// Nonces are those of its intended repeats, the newest last; see Repeat.
	Nonces []string
}

// Attempt is one call of a destination.
type Attempt struct {
	At     time.Time
	Status Status
	Error  string
	Took   time.Duration
}

// Payload is the resolved action as JSON; nil when it was skipped while it was resolved.
func (a *Action) Payload() json.RawMessage {
	var doc []byte
	var err error
	switch {
	case a.Identify != nil:
		doc, err = json.Marshal(a.Identify)
	case a.Trigger != nil:
		doc, err = json.Marshal(a.Trigger)
	}
	if err != nil {
		return nil // payloads hold only decoded JSON, and that can be written again
	}
	return doc
}

// EffectKey is the deterministic key of what this action does to one target: the same at every attempt and after every
// crash, different for every other effect and for every intended repeat. It is 35 characters of [a-z0-9_]. The whole
// action has the target "".
func (a *Action) EffectKey(target string) string {
	parts := []string{a.Environment, a.EventID, a.Rule, strconv.Itoa(a.Index), target}
	if nonce := a.Nonce(); nonce != "" {
		parts = append(parts, nonce)
	}
	hash := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(hash, "%d:%s,", len(part), part)
	}
	return "sy_" + hex.EncodeToString(hash.Sum(nil)[:16])
}

// Identify creates or updates one user.
type Identify struct {
	UserID string         `json:"user_id"`
	Traits map[string]any `json:"traits"`
}

// NewIdentify reads an identify from the values of its expressions. Traits may be nil, else must be an object; names in
// keep are kept although they are reserved.
func NewIdentify(userID, traits any, keep ...string) (*Identify, error) {
	id, err := UserID(userID)
	if err != nil {
		return nil, fmt.Errorf("user_id: %w", err)
	}
	object, ok := traits.(map[string]any)
	if traits != nil && !ok {
		return nil, fmt.Errorf("traits must be an object, not %s", TypeName(traits))
	}
	return &Identify{UserID: id, Traits: DropReserved(CanonicalTraits(object), keep...)}, nil
}

// Trigger starts a notification workflow.
type Trigger struct {
	Workflow   string      `json:"workflow"`
	Recipients []Recipient `json:"recipients"`
	Actor      *Recipient  `json:"actor,omitempty"`
	// Data is what the templates see; nil is written as absent.
	Data            map[string]any `json:"data,omitempty"`
	Tenant          string         `json:"tenant,omitempty"`
	CancellationKey string         `json:"cancellation_key,omitempty"`
}

// TriggerValues are the values of a trigger's expressions; nil is absent.
type TriggerValues struct {
	Recipients, Actor, Data, Tenant, CancellationKey any
}

// NewTrigger reads a trigger from the values of its expressions. Recipients are required.
func NewTrigger(workflow string, values TriggerValues) (*Trigger, error) {
	recipients, err := NewRecipients(values.Recipients)
	if err != nil {
		return nil, err
	}
	trigger := &Trigger{Workflow: workflow, Recipients: recipients}
	if values.Actor != nil {
		actor, err := NewRecipient(values.Actor)
		if err != nil {
			return nil, fmt.Errorf("actor: %w", err)
		}
		trigger.Actor = &actor
	}
	if values.Data != nil {
		data, ok := values.Data.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("data must be an object, not %s", TypeName(values.Data))
		}
		trigger.Data = data
	}
	if trigger.Tenant, err = optionalText("tenant", values.Tenant); err != nil {
		return nil, err
	}
	trigger.CancellationKey, err = optionalText("cancellation_key", values.CancellationKey)
	return trigger, err
}

func optionalText(field string, value any) (string, error) {
	if value == nil {
		return "", nil
	}
	text, ok := Text(value)
	if !ok {
		return "", fmt.Errorf("%s must be a string, not %s", field, TypeName(value))
	}
	return text, nil
}

// UnmarshalJSON reads an identify with its numbers as DecodeJSON has them.
func (i *Identify) UnmarshalJSON(doc []byte) error {
	value, err := DecodeJSON(doc)
	if err != nil {
		return err
	}
	object, _ := value.(map[string]any)
	i.UserID, _ = object["user_id"].(string)
	i.Traits, _ = object["traits"].(map[string]any)
	if i.UserID == "" {
		return errors.New("an identify needs a user_id")
	}
	return nil
}

// UnmarshalJSON reads a trigger with its numbers as DecodeJSON has them.
func (t *Trigger) UnmarshalJSON(doc []byte) error {
	value, err := DecodeJSON(doc)
	if err != nil {
		return err
	}
	object, _ := value.(map[string]any)
	workflow, _ := object["workflow"].(string)
	read, err := NewTrigger(workflow, TriggerValues{
		Recipients: object["recipients"], Actor: object["actor"], Data: object["data"],
		Tenant: object["tenant"], CancellationKey: object["cancellation_key"],
	})
	if err != nil {
		return err
	}
	*t = *read
	return nil
}
