package engine

import "slices"

// Outcome is how an event was decided; "" while it is not.
type Outcome string

const (
	OutcomeMatched   Outcome = "matched"
	OutcomeUnmatched Outcome = "unmatched"
	OutcomeDuplicate Outcome = "duplicate"
	OutcomeInvalid   Outcome = "invalid"
	// OutcomePending is what readers are shown until an event is decided; it is never stored.
	OutcomePending Outcome = "pending"
)

// Decision is what one event asks for.
type Decision struct {
	Outcome Outcome
	// Reason says why nothing was done: what is invalid, which event it repeats, that no rule matched. "" when matched.
	Reason string
	// Rules are the keys of the rules that matched, in their order.
	Rules []string
	// Actions in the order in which they are to be done. Those that could not be resolved have StatusSkipped and a Reason
	// already; the others StatusWaiting.
	Actions []*Action
	// Errors are of the rules that failed on this event; they asked for nothing.
	Errors []RuleError
}

// RuleError is one rule's failure on one event.
type RuleError struct {
	Rule string `json:"rule"`
	// Message has the position: rules/welcome.yaml:4:12: …
	Message string `json:"message"`
}

// Decider says what an event asks for; it is a pure function of the event, and must not keep or change it. It returns
// nil when it has nothing to say.
type Decider interface {
	Decide(event *Event) *Decision
}

// DeciderFunc makes a function a Decider.
type DeciderFunc func(event *Event) *Decision

// Decide calls the function.
func (f DeciderFunc) Decide(event *Event) *Decision { return f(event) }

// FirstOf is the decision of the first decider that has one.
func FirstOf(deciders ...Decider) Decider {
	return DeciderFunc(func(event *Event) *Decision {
		for _, decider := range deciders {
			if decision := decider.Decide(event); decision != nil {
				return decision
			}
		}
		return nil
	})
}

// AllOf joins the decisions of all deciders; of one event's actions, identifies come before triggers, and each kind
// keeps its order.
func AllOf(deciders ...Decider) Decider {
	return DeciderFunc(func(event *Event) *Decision {
		var joined *Decision
		for _, decider := range deciders {
			decision := decider.Decide(event)
			switch {
			case decision == nil:
			case joined == nil:
				joined = decision
			default:
				joined.Rules = append(joined.Rules, decision.Rules...)
				joined.Actions = append(joined.Actions, decision.Actions...)
				joined.Errors = append(joined.Errors, decision.Errors...)
			}
		}
		if joined != nil {
			slices.SortStableFunc(joined.Actions, func(a, b *Action) int { return rank(a) - rank(b) })
		}
		return joined
	})
}

func rank(action *Action) int {
	if action.Kind == ActionIdentify {
		return 0
	}
	return 1
}

// Pipeline is how every event is decided: an invalid one and a repeat do nothing, everybody else is asked, and what
// nobody wants is unmatched.
func Pipeline(identifySwitch, rules Decider) Decider {
	return FirstOf(DeciderFunc(invalid), DeciderFunc(duplicate), outcome(AllOf(identifySwitch, rules)), DeciderFunc(unmatched))
}

func invalid(event *Event) *Decision {
	if event.Invalid == "" {
		return nil
	}
	return &Decision{Outcome: OutcomeInvalid, Reason: event.Invalid}
}

func duplicate(event *Event) *Decision {
	if event.DuplicateOf == "" {
		return nil
	}
	return &Decision{Outcome: OutcomeDuplicate, Reason: "repeats event " + event.DuplicateOf}
}

func unmatched(*Event) *Decision {
	return &Decision{Outcome: OutcomeUnmatched, Reason: "no rule matched"}
}

// outcome names what a decider's answer amounts to: an event with an action or a matching rule is matched; one on which
// rules only failed is unmatched, and keeps their errors.
func outcome(decider Decider) Decider {
	return DeciderFunc(func(event *Event) *Decision {
		decision := decider.Decide(event)
		switch {
		case decision == nil:
		case len(decision.Rules) > 0 || len(decision.Actions) > 0:
			decision.Outcome = OutcomeMatched
		default:
			decision.Outcome = OutcomeUnmatched
			decision.Reason = "no rule matched, and some failed"
		}
		return decision
	})
}
