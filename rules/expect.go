package rules

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"switchyard/engine"
	"switchyard/rules/document"
)

// FailureKind says in which way a test did not come out.
type FailureKind string

const (
	// FailedTest: the test itself is wrong, such as one that expects something of a rule that is not there.
	FailedTest FailureKind = "test"
	// FailedEvent: no event that can be routed was made of the test's.
	FailedEvent FailureKind = "event"
	// FailedRule: a rule could not be evaluated on the event.
	FailedRule FailureKind = "rule"
	// MissingAction: it is expected, and nothing asks for it.
	MissingAction FailureKind = "missing"
	// UnexpectedAction: a rule asks for it, and it is not expected.
	UnexpectedAction FailureKind = "unexpected"
	// DifferentAction: it is asked for, with other values.
	DifferentAction FailureKind = "different"
	// MovedAction: it is asked for, in another place of the order.
	MovedAction FailureKind = "moved"
)

// Failure is one way in which a test did not come out as it says.
type Failure struct {
	Kind FailureKind
	// Place is the expectation's, and the test's where no expectation speaks of it.
	Place   document.Place
	Message string
	// Expected and Got are values of JSON in the form of an expectation; of two that differ, only the members that do. Nil
	// where there is none.
	Expected, Got any
}

// Outcome is what one test came to. It passed when nothing failed.
type Outcome struct {
	Test *Test
	// Decisions are those on the events that were made of the test's; nil when the test could not be run.
	Decisions []*engine.Decision
	Failures  []Failure
}

// Fail is the outcome of a test that could not be run.
func (t *Test) Fail(kind FailureKind, at document.Place, format string, args ...any) Outcome {
	return Outcome{Test: t, Failures: []Failure{{Kind: kind, Place: at, Message: fmt.Sprintf(format, args...)}}}
}

// Check reports what is wrong with the test itself, in an environment with rules of these keys.
func (t *Test) Check(keys []string) []Failure {
	var failures []Failure
	wrong := func(at document.Place, format string, args ...any) {
		failures = append(failures, Failure{Kind: FailedTest, Place: at, Message: fmt.Sprintf(format, args...)})
	}
	for i := range t.Expect {
		e := &t.Expect[i]
		if key := e.Rule.Value; key != engine.IdentifySwitchRule && !slices.Contains(keys, key) {
			hint := ""
			if nearest, ok := document.Nearest(key, keys); ok {
				hint = fmt.Sprintf("; did you mean %q?", nearest)
			}
			wrong(e.Rule.Place(), "there is no rule %q%s", key, hint)
		}
		if e.Identify != nil && e.ofTrigger() {
			wrong(e.Place, "an expectation is of an identify or of a trigger, not of both; write two")
		}
	}
	return failures
}

// Judge holds the decisions on the events of a test against what it expects. A rule that failed fails the test, and so
// does an event that can not be routed: what was not evaluated shows nothing.
func (t *Test) Judge(decisions []*engine.Decision) Outcome {
	outcome := Outcome{Test: t, Decisions: decisions}
	fail := func(kind FailureKind, message string) {
		outcome.Failures = append(outcome.Failures, Failure{Kind: kind, Place: t.Place, Message: message})
	}
	routed := false
	for _, decision := range decisions {
		if decision.Outcome != engine.OutcomeInvalid {
			routed = true
		} else {
			fail(FailedEvent, "the event is invalid: "+decision.Reason)
		}
		for _, failed := range decision.Errors {
			fail(FailedRule, fmt.Sprintf("the rule %s failed: %s", failed.Rule, failed.Message))
		}
	}
	if routed {
		outcome.Failures = append(outcome.Failures, t.compare(outcome.Actions())...)
	}
	return outcome
}

// Actions are those that were asked for, each as an expectation of all of it would be written.
func (o *Outcome) Actions() []map[string]any {
	actions := []map[string]any{}
	for _, decision := range o.Decisions {
		for _, action := range decision.Actions {
			actions = append(actions, asked(action))
		}
	}
	return actions
}

// Matched are the keys of the rules that matched.
func (o *Outcome) Matched() []string {
	var keys []string
	for _, decision := range o.Decisions {
		keys = append(keys, decision.Rules...)
	}
	return keys
}

// compare pairs what is expected with what was asked for, as far as the two are alike, and reports the rest.
func (t *Test) compare(got []map[string]any) []Failure {
	wanted := make([]map[string]any, len(t.Expect))
	for i := range t.Expect {
		wanted[i] = t.Expect[i].wanted()
	}
	var failures []Failure
	var extra []int
	for _, pair := range align(len(wanted), len(got), func(i, j int) int { return resemblance(wanted[i], got[j]) }) {
		i, j := pair[0], pair[1]
		switch {
		case i < 0:
			extra = append(extra, j)
		case j < 0:
			failures = append(failures, Failure{MissingAction, t.Expect[i].Place, title(wanted[i]) + " is not asked for", wanted[i], nil})
		default:
			if want, have, same := differing(wanted[i], got[j]); !same {
				failures = append(failures, Failure{DifferentAction, t.Expect[i].Place, title(got[j]) + " is not as expected", want, have})
			}
		}
	}
	for _, j := range extra {
		if !moved(failures, got[j], j) {
			failures = append(failures, Failure{UnexpectedAction, t.Place, title(got[j]) + " is asked for, and not expected", nil, got[j]})
		}
	}
	return failures
}

// moved finds an action that is not where it is expected among those that are missing, and says so there instead.
func moved(failures []Failure, got map[string]any, at int) bool {
	for i := range failures {
		f := &failures[i]
		if f.Kind != MissingAction {
			continue
		}
		if _, _, same := differing(f.Expected.(map[string]any), got); same {
			*f = Failure{Kind: MovedAction, Place: f.Place, Message: fmt.Sprintf("%s is asked for in another place, as action %d", title(got), at+1)}
			return true
		}
	}
	return false
}

// How alike an expectation and an action are, so that those are compared with each other that a person would compare.
const (
	unlike       = 0
	sameRule     = 1 // and kind of action
	sameWorkflow = 3
	sameAction   = 9
)

func resemblance(want, got map[string]any) int {
	if want["rule"] != got["rule"] || kindOf(want) != "" && kindOf(want) != kindOf(got) {
		return unlike
	}
	if _, _, same := differing(want, got); same {
		return sameAction
	}
	if workflow, ok := want["trigger"]; ok && workflow == got["trigger"] {
		return sameWorkflow
	}
	return sameRule
}

// align pairs two sequences in order, so that the pairs are as much alike as can be; an index is -1 where an item of the
// other has no partner.
func align(n, m int, resemblance func(i, j int) int) (pairs [][2]int) {
	like, best := make([][]int, n+1), make([][]int, n+1)
	for i := n; i >= 0; i-- {
		like[i], best[i] = make([]int, m+1), make([]int, m+1)
		for j := m - 1; i < n && j >= 0; j-- {
			like[i][j] = resemblance(i, j)
			best[i][j] = max(best[i+1][j], best[i][j+1], best[i+1][j+1]+like[i][j])
		}
	}
	i, j := 0, 0
	for i < n && j < m {
		switch {
		case like[i][j] != unlike && best[i][j] == best[i+1][j+1]+like[i][j]:
			pairs = append(pairs, [2]int{i, j})
			i, j = i+1, j+1
		case best[i][j] == best[i+1][j]:
			pairs = append(pairs, [2]int{i, -1})
			i++
		default:
			pairs = append(pairs, [2]int{-1, j})
			j++
		}
	}
	for ; i < n; i++ {
		pairs = append(pairs, [2]int{i, -1})
	}
	for ; j < m; j++ {
		pairs = append(pairs, [2]int{-1, j})
	}
	return pairs
}

func (e *Expectation) ofTrigger() bool {
	return e.Trigger != "" || e.Recipients != nil || e.Actor != nil || e.Data != nil || e.Tenant != nil || e.CancellationKey != nil
}

// wanted is the expectation as values of JSON, each normalised as an action's own would be; what it leaves out is not
// there.
func (e *Expectation) wanted() map[string]any {
	object := map[string]any{"rule": e.Rule.Value}
	set := func(into map[string]any, name string, value any, normal func(any) (any, error)) {
		if value == nil {
			return
		}
		into[name] = value
		if normalised, err := normal(value); err == nil {
			into[name] = asPlain(normalised)
		}
	}
	if e.Identify != nil {
		identify := map[string]any{}
		set(identify, "user_id", e.Identify.UserID, func(v any) (any, error) { return engine.UserID(v) })
		set(identify, "traits", e.Identify.Traits, canonicalTraits)
		object["identify"] = identify
	}
	if e.Trigger != "" {
		object["trigger"] = e.Trigger
	}
	set(object, "recipients", e.Recipients, func(v any) (any, error) { return engine.NewRecipients(v) })
	set(object, "actor", e.Actor, func(v any) (any, error) { return engine.NewRecipient(v) })
	set(object, "data", e.Data, func(v any) (any, error) { return v, nil })
	set(object, "tenant", e.Tenant, asText)
	set(object, "cancellation_key", e.CancellationKey, asText)
	if e.Skipped != "" {
		object["skipped"] = e.Skipped
	}
	return object
}

func canonicalTraits(value any) (any, error) {
	if traits, ok := value.(map[string]any); ok {
		return engine.CanonicalTraits(traits), nil
	}
	return value, nil
}

func asText(value any) (any, error) {
	if text, ok := engine.Text(value); ok {
		return text, nil
	}
	return value, nil
}

// asked is an action in the form of an expectation. One that was skipped has its reason, and no values.
func asked(action *engine.Action) map[string]any {
	object := map[string]any{}
	payload, _ := asPlain(action.Payload()).(map[string]any)
	if action.Kind == engine.ActionIdentify {
		object["identify"] = payload
		if payload == nil {
			object["identify"] = map[string]any{}
		}
	} else {
		for name, value := range payload {
			object[name] = value
		}
		delete(object, "workflow")
		parameters, _ := asPlain(action.Parameters).(map[string]any)
		object["trigger"] = parameters["workflow"]
	}
	object["rule"] = action.Rule
	if action.Status == engine.StatusSkipped {
		object["skipped"] = action.Reason
	}
	return object
}

// asPlain is a value as it is read back from JSON; itself, when it can not be written.
func asPlain(value any) any {
	doc, err := json.Marshal(value)
	if err != nil {
		return value
	}
	read, err := engine.DecodeJSON(doc)
	if err != nil {
		return value
	}
	return read
}

// kindOf is the kind of action that an expectation or an action is of; "" for an expectation of any.
func kindOf(object map[string]any) string {
	if _, ok := object["identify"]; ok {
		return engine.ActionIdentify
	}
	for _, name := range []string{"trigger", "recipients", "actor", "data", "tenant", "cancellation_key"} {
		if _, ok := object[name]; ok {
			return engine.ActionTrigger
		}
	}
	return ""
}

// title names an expectation or an action for people.
func title(object map[string]any) string {
	parts := []string{fmt.Sprint(object["rule"]) + ":", kindOf(object)}
	if parts[1] == "" {
		parts[1] = "an action"
	}
	if workflow, ok := object["trigger"]; ok {
		parts = append(parts, fmt.Sprint(workflow))
	}
	return strings.Join(parts, " ")
}

// differing are the members of an expectation that an action has otherwise. What the expectation leaves out is not
// compared, but for skipped.
func differing(want, got map[string]any) (wanted, have map[string]any, same bool) {
	wanted, have = map[string]any{}, map[string]any{}
	for name, value := range want {
		other, ok := got[name]
		switch {
		case name == "skipped":
			if reason, _ := other.(string); ok && strings.Contains(reason, value.(string)) {
				continue
			}
		case name == "identify" && ok:
			below, belowHave, same := differing(value.(map[string]any), other.(map[string]any))
			if same {
				continue
			}
			value, other = below, belowHave
		case !ok && isBlank(value):
			continue
		default:
			if same, _ := equal(value, other); same && ok {
				continue
			}
			value, other = narrowed(value, other)
		}
		wanted[name] = value
		if ok {
			have[name] = other
		}
	}
	if reason, skipped := got["skipped"]; skipped && want["skipped"] == nil {
		have["skipped"] = reason
	}
	return wanted, have, len(wanted) == 0 && len(have) == 0
}

// isBlank reports a value that an action does not have when it is empty.
func isBlank(value any) bool {
	object, isObject := value.(map[string]any)
	return value == "" || isObject && len(object) == 0
}

// narrowed leaves of two objects the members that differ, at every depth.
func narrowed(a, b any) (any, any) {
	x, isX := a.(map[string]any)
	y, isY := b.(map[string]any)
	if !isX || !isY {
		return a, b
	}
	left, right := map[string]any{}, map[string]any{}
	for name, value := range x {
		other, ok := y[name]
		if !ok {
			left[name] = value
		} else if same, _ := equal(value, other); !same {
			left[name], right[name] = narrowed(value, other)
		}
	}
	for name, value := range y {
		if _, ok := x[name]; !ok {
			right[name] = value
		}
	}
	return left, right
}
