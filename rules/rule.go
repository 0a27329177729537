package rules

import (
	"encoding/json"
	"errors"
	"strings"

	"switchyard/engine"
)

// rule is one compiled rule. It is immutable.
type rule struct {
	key     string
	enabled bool

	match      match
	transforms []transform
	actions    []action
	info       engine.RuleText
	// mentions are the reserved traits that each transform names; used while compiling.
	mentions map[string][]string
}

type transform struct {
	name  string
	value *expression
}

// action is one identify or trigger; of its expressions, those of the other kind and those left out are nil.
type action struct {
	kind       string
	parameters json.RawMessage
	workflow   string

	userID, traits *expression
	// keep are the reserved traits that the rule sets on purpose.
	keep []string

	recipients, actor, data, tenant, cancellationKey *expression
}

// decide is what the rule asks for of one event: nothing when it does not match, and nothing when any of its
// expressions fails. Known is what its match's probe says.
func (r *rule) decide(s *scope, known answer) (matched bool, actions []*engine.Action, err error) {
	s.budget.open()
	defer s.budget.close()
	if known == unsure {
		matched, err = r.match.evaluate(s)
		known = answerOf(matched)
	}
	if known == no || err != nil {
		return false, nil, err
	}
	defer func() { // the names are this rule's only
		for _, one := range r.transforms {
			delete(s.values, one.name)
		}
	}()
	for _, one := range r.transforms {
		if s.values[one.name], err = one.value.run(s); err != nil {
			return false, nil, err
		}
	}
	actions = make([]*engine.Action, len(r.actions))
	for i := range r.actions {
		if actions[i], err = r.action(s, i); err != nil {
			return false, nil, err
		}
	}
	return true, actions, nil
}

// action resolves one action. One that can not be resolved is skipped, with the reason.
func (r *rule) action(s *scope, i int) (*engine.Action, error) {
	one := &r.actions[i]
	resolved := &engine.Action{
		Environment: s.event.Environment, EventID: s.event.ID, Rule: r.key, Index: i, Kind: one.kind,
		Lane: s.event.Lane(), UserID: strings.Clone(s.event.UserID), Parameters: one.parameters, Status: engine.StatusWaiting,
	}
	reason, err := one.resolve(s, resolved)
	if err != nil {
		return nil, err
	}
	if reason != nil {
		resolved.Status, resolved.Reason = engine.StatusSkipped, reason.Error()
	}
	return resolved, nil
}

// resolve evaluates the expressions into the action's payload. Reason is why it can not be done as asked; err is of an
// expression.
func (a *action) resolve(s *scope, into *engine.Action) (reason, err error) {
	v := values{scope: s}
	if a.kind == engine.ActionIdentify {
		userID, traits := v.of(a.userID), v.of(a.traits)
		if v.err != nil {
			return nil, v.err
		}
		into.Identify, reason = engine.NewIdentify(userID, traits, a.keep...)
	} else {
		given := engine.TriggerValues{
			Recipients: v.of(a.recipients), Actor: v.of(a.actor), Data: v.of(a.data),
			Tenant: v.of(a.tenant), CancellationKey: v.of(a.cancellationKey),
		}
		if v.err != nil {
			return nil, v.err
		}
		into.Trigger, reason = engine.NewTrigger(a.workflow, given)
	}
	if reason != nil {
		into.Identify, into.Trigger = nil, nil
	}
	return reason, nil
}

// values evaluates expressions up to the first that fails.
type values struct {
	scope *scope
	err   error
}

// of is the plain value of an expression; nil for one that the file does not have.
func (v *values) of(e *expression) any {
	if e == nil || v.err != nil {
		return nil
	}
	value, err := e.run(v.scope)
	if err == nil {
		value, err = v.plain(e, value)
	}
	v.err = err
	return value
}

func (v *values) plain(e *expression, value any) (any, error) {
	p := v.scope.budget.plainer()
	value, err := p.value(value, 0)
	v.scope.budget.charge(&p)
	switch {
	case errors.Is(err, errTooLarge):
		return nil, e.overBudget(v.scope, err)
	case err != nil:
		return nil, *at(*e.text, 0, "%s", err.Error())
	}
	return value, nil
}
