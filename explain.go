package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"switchyard/adapters"
	"switchyard/adapters/verify"
	"switchyard/engine"
	"switchyard/httpapi"
	"switchyard/rules"
)

var _ httpapi.Explainer = (*server)(nil)

const explainSynopsis = `[-c FILE] [--env ENVIRONMENT] [--source SOURCE] [--rule KEY] [--all] [--json] EVENT.json

EVENT.json is as the source posts it; - is standard input. --env and --source may be left out where there is only one.`

// maxExplained is how many rules the command explains without --all.
const maxExplained = 100

// explaining are the flags of explain.
type explaining struct {
	file, env, source, rule string
	all, asJSON             bool
}

// explain says why the rules match an event or not. Its results are for people, or JSON as the API has it: an object for
// a file with one event, a list for one with several.
func explain(args []string, stdout, stderr io.Writer) error {
	var e explaining
	flags := newFlags("explain", explainSynopsis, stderr)
	flags.StringVar(&e.file, "c", "switchyard.yaml", "the configuration `file`")
	flags.StringVar(&e.env, "env", "", "the `environment` whose rules are asked")
	flags.StringVar(&e.source, "source", "", "the `source` that sends the event")
	flags.StringVar(&e.rule, "rule", "", "only the rule with this `key`")
	flags.BoolVar(&e.all, "all", false, "every clause of every rule")
	flags.BoolVar(&e.asJSON, "json", false, "print JSON")
	files, err := parse(flags, args, "EVENT.json")
	if err != nil {
		return err
	}
	p, err := loadPlan(e.file, os.LookupEnv)
	if err != nil {
		return err
	}
	connection, err := e.connection(p)
	if err != nil {
		return usageError{err}
	}
	event, err := readEvent(files[0])
	if err != nil {
		return err
	}
	most := maxExplained
	if e.all || e.rule != "" {
		most = p.sets[connection.Environment].Len()
	}
	explained, err := p.explain(connection, event, most)
	if err != nil {
		return fmt.Errorf("%s: %w", files[0], err)
	}
	if e.rule != "" {
		if err := e.only(explained); err != nil {
			return usageError{err}
		}
	}
	if e.asJSON {
		return printExplainedJSON(stdout, explained)
	}
	for i, one := range explained {
		if i > 0 {
			fmt.Fprintln(stdout)
		}
		printExplained(stdout, one, e.all || e.rule != "")
	}
	return nil
}

// connection is the one that is meant.
func (e *explaining) connection(p *plan) (*plannedConnection, error) {
	var environments, sources []string
	for _, environment := range p.environments {
		environments = append(environments, environment.key)
	}
	if e.env == "" && len(environments) == 1 {
		e.env = environments[0]
	}
	if !slices.Contains(environments, e.env) {
		return nil, wantsOne("env", "environment", e.env, environments)
	}
	for _, environment := range p.environments {
		if environment.key == e.env {
			for _, c := range environment.connections {
				sources = append(sources, c.Source)
			}
		}
	}
	if e.source == "" && len(sources) == 1 {
		e.source = sources[0]
	}
	if connection := p.connection(e.env, e.source); connection != nil {
		return connection, nil
	}
	return nil, wantsOne("source", "source of "+e.env, e.source, sources)
}

func wantsOne(flag, what, given string, known []string) error {
	if given == "" {
		return fmt.Errorf("--%s is missing; there are %s", flag, strings.Join(known, ", "))
	}
	return fmt.Errorf("there is no %s %q%s; there are %s", what, given, nearest(given, known), strings.Join(known, ", "))
}

// only leaves out every rule but one.
func (e *explaining) only(explained []*httpapi.Explained) error {
	for _, one := range explained {
		var keys []string
		for _, rule := range one.Rules {
			keys = append(keys, rule.Key)
		}
		i := slices.Index(keys, e.rule)
		if i < 0 && one.Outcome != engine.OutcomeInvalid {
			return fmt.Errorf("%s has no enabled rule %q%s", e.env, e.rule, nearest(e.rule, keys))
		}
		if i >= 0 {
			one.Rules = one.Rules[i : i+1]
		}
	}
	return nil
}

func printExplainedJSON(stdout io.Writer, explained []*httpapi.Explained) error {
	encoder := json.NewEncoder(stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if len(explained) == 1 {
		return encoder.Encode(explained[0])
	}
	return encoder.Encode(explained)
}

// Explain implements httpapi.Explainer with the live plan.
func (s *server) Explain(environment, source string, event json.RawMessage, limit int) (*httpapi.Explained, error) {
	p, live := s.plan.Load(), s.book.Preview(environment)
	connection := p.connection(environment, source)
	if connection == nil || live == nil {
		return nil, engine.ErrNotFound // reloaded meanwhile
	}
	events, err := connection.preview(event)
	if err != nil {
		return nil, err
	}
	if len(events) != 1 {
		return nil, &engine.BadRequest{Code: "not_one_event", Message: fmt.Sprintf("one event is explained at a time; in this there are %d", len(events))}
	}
	return p.explainOne(events[0], live, limit), nil
}

// explain says of every event that the connection makes of a file why the rules match it or not.
func (p *plan) explain(connection *plannedConnection, file []byte, most int) ([]*httpapi.Explained, error) {
	events, err := connection.preview(file)
	if err != nil {
		return nil, err
	}
	if len(events) == 0 {
		return nil, errors.New("the connection makes no event of this")
	}
	explained := make([]*httpapi.Explained, len(events))
	for i, event := range events {
		explained[i] = p.explainOne(event, p.sets[event.Environment], most)
	}
	return explained, nil
}

// preview is what the connection makes of an event that its vendor posts, as far as it can be known without a proof. Its
// errors are the sender's: *engine.BadRequest and *engine.TooLarge.
func (c *plannedConnection) preview(event []byte) ([]*engine.Event, error) {
	now := time.Now()
	message, err := adapters.Kinds[c.Kind].Request(event, verify.Config{}, now)
	if err != nil {
		var bad *engine.BadRequest
		if errors.As(err, &bad) {
			return nil, bad
		}
		return nil, &engine.BadRequest{Code: "malformed_event", Message: err.Error()}
	}
	batch, err := c.receiver.Preview(message.Received(), now)
	if err != nil {
		return nil, err
	}
	for _, event := range batch.Events {
		event.Environment, event.Source = c.Environment, c.Source
	}
	return batch.Events, nil
}

// explainable are rules that are asked about an event that did not come: those of a configuration, or a server's.
type explainable interface {
	engine.Decider
	Explain(event *engine.Event, most int) *rules.Report
}

// explainOne says why the rules of the event's environment match it or not. Those of an invalid event are not asked.
func (p *plan) explainOne(event *engine.Event, set explainable, most int) *httpapi.Explained {
	identifies := func(environment, source string) bool { return p.connection(environment, source).IdentifyUsers }
	decision := engine.Pipeline(engine.IdentifySwitch(identifies), set).Decide(event)
	explained := &httpapi.Explained{Event: event, Outcome: decision.Outcome, Reason: decision.Reason, Rules: []httpapi.ExplainedRule{}}
	for _, action := range decision.Actions {
		if action.Rule == engine.IdentifySwitchRule {
			explained.Actions = append(explained.Actions, action)
		}
	}
	if decision.Outcome == engine.OutcomeInvalid {
		return explained
	}
	report := set.Explain(event, most)
	explained.Matched, explained.Failed, explained.Missed = report.Matched, report.Failed, report.Missed
	explained.Rules = views(report.Rules, explainedRule)
	return explained
}

// views makes a list, and never null, of another.
func views[T, V any](all []T, view func(*T) V) []V {
	made := make([]V, len(all))
	for i := range all {
		made[i] = view(&all[i])
	}
	return made
}

func explainedRule(e *rules.Explanation) httpapi.ExplainedRule {
	rule := httpapi.ExplainedRule{
		Key: e.Key, Name: e.Name, File: e.File, Line: e.Line, Result: string(e.Fate), Error: e.Error, Pruned: e.Pruned,
		Quarantined: httpapi.ViewQuarantine(e.Quarantined), Nearest: e.Nearest, Hints: append([]string{}, e.Hints...), Clauses: views(e.Clauses, explainedClause), MoreClauses: e.More,
		Failing: e.Misses, Transforms: views(e.Transforms, explainedValue),
		Actions: views(e.Actions, func(action **engine.Action) httpapi.ExplainedAction { return httpapi.ExplainAction(*action) }),
	}
	if e.FirstFailing >= 0 {
		rule.FirstFailing = &e.FirstFailing
	}
	return rule
}

func explainedClause(c *rules.Clause) httpapi.ExplainedClause {
	return httpapi.ExplainedClause{
		Text: c.Text, File: c.File, Line: c.Line, Col: c.Col, Verdict: string(c.Verdict), Error: c.Error, Wanted: c.Wanted,
		Hint: c.Hint, Values: views(c.Operands, explainedValue), Clauses: views(c.Clauses, explainedClause), MoreClauses: c.More,
	}
}

func explainedValue(o *rules.Operand) httpapi.ExplainedValue {
	return httpapi.ExplainedValue{Text: o.Text, Type: o.Type, Value: o.Value}
}
