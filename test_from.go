package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"

	"switchyard/adapters"
	"switchyard/engine"
	"switchyard/rules"
	"switchyard/rules/document"
)

// fromLog makes a rule test of an event on the log of a server.
type fromLog struct {
	*client
	id, env, into string
	keep          []string
	noMask        bool

	stderr io.Writer
	plan   *plan  // nil without a configuration
	bench  *bench // that of the environment; nil without a configuration
	source *testSource
	event  loggedEvent
}

// loggedEvent is an event as the management API tells it.
type loggedEvent struct {
	ID          string             `json:"id"`
	Source      string             `json:"source"`
	Type        string             `json:"type"`
	Name        string             `json:"name"`
	UserID      string             `json:"user_id"`
	AnonymousID string             `json:"anonymous_id"`
	GroupID     string             `json:"group_id"`
	PreviousID  string             `json:"previous_id"`
	Outcome     engine.Outcome     `json:"outcome"`
	Reason      string             `json:"reason"`
	DuplicateOf string             `json:"duplicate_of"`
	Rules       []string           `json:"matched_rules"`
	RuleErrors  []engine.RuleError `json:"rule_errors"`
	Data        json.RawMessage    `json:"data"`
	Context     json.RawMessage    `json:"context"`
	Original    json.RawMessage    `json:"event"`
	Actions     []loggedAction     `json:"actions"`
}

type loggedAction struct {
	Rule       string          `json:"rule"`
	Kind       string          `json:"action"`
	Reason     string          `json:"reason"`
	Parameters json.RawMessage `json:"parameters"`
	Payload    json.RawMessage `json:"payload"`
}

func logFlags(flags *flag.FlagSet) *fromLog {
	f := &fromLog{client: clientFlags(flags)}
	flags.StringVar(&f.id, "from-event", "", "make a test of the logged event with this `id`, and print it")
	flags.StringVar(&f.env, "env", "", "the `environment` of the logged event")
	flags.StringVar(&f.into, "into", "", "add the test to this rule `file` instead of printing it")
	flags.BoolVar(&f.noMask, "no-mask", false, "leave personal data in the test")
	flags.Func("keep", "leave the personal data at this `path` of the event, such as properties.email; may be repeated", func(path string) error {
		f.keep = append(f.keep, strings.TrimPrefix(path, "event."))
		return nil
	})
	return f
}

// run prints the test, or adds it to a file. Messages say what was masked, and what of it was not.
func (f *fromLog) run(config string, configGiven bool, named []string, stdout, stderr io.Writer) error {
	f.stderr = stderr
	if len(named) > 0 {
		return usageError{fmt.Errorf("unexpected argument %q; name the file to add to with --into", named[0])}
	}
	if err := f.load(config, configGiven); err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	if err := f.fetch(ctx); err != nil {
		return err
	}
	test, err := f.test()
	if err != nil {
		return err
	}
	item, err := document.Item(test, testMembers)
	if err != nil {
		return err
	}
	if f.into == "" {
		_, err = stdout.Write(item)
		return err
	}
	return f.append(test)
}

// load reads the configuration, if there is one, and finds out which server and which environment are meant.
func (f *fromLog) load(config string, given bool) (err error) {
	if _, missing := os.Stat(config); given || !errors.Is(missing, fs.ErrNotExist) {
		if f.plan, err = loadPlan(config, os.LookupEnv); err != nil {
			return err
		}
		if len(f.plan.environments) == 1 && f.env == "" {
			f.env = f.plan.environments[0].key
		}
		if f.base == "" {
			f.base = "http://" + reachable(f.plan.config.AdminListen.Value)
		}
	}
	switch {
	case f.base == "":
		return usageError{errors.New("--server is missing, and there is no configuration to tell where the server is")}
	case f.env == "":
		return usageError{errors.New("--env is missing")}
	case f.plan == nil:
		return nil
	case f.plan.sets[f.env] == nil:
		return usageError{fmt.Errorf("%s has no environment %q%s", config, f.env, nearest(f.env, sortedKeys(f.plan.sets)))}
	}
	f.bench, err = newBench(f.plan, f.env, f.plan.sets[f.env], f.plan.written[f.env])
	return err
}

// reachable is where this machine reaches what listens on an address, which may be on all of its networks.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return address
}

// fetch reads the event, and finds its source.
func (f *fromLog) fetch(ctx context.Context) error {
	environment := "/api/v1/environments/" + url.PathEscape(f.env)
	if err := f.get(ctx, environment+"/events/"+url.PathEscape(f.id), &f.event); err != nil {
		return err
	}
	switch {
	case f.event.Outcome == engine.OutcomeInvalid:
		return fmt.Errorf("the event is invalid: %s; a test of it could not pass", f.event.Reason)
	case f.event.DuplicateOf != "":
		return fmt.Errorf("the event repeats event %s; make a test of that one", f.event.DuplicateOf)
	}
	if f.bench != nil {
		if f.source = f.bench.sources[f.event.Source]; f.source == nil {
			return fmt.Errorf("the configuration has no source %q, from which the event came", f.event.Source)
		}
		return nil
	}
	if f.event.Outcome == engine.OutcomePending {
		return errors.New("the event is not decided yet")
	}
	var connections struct {
		Items []struct {
			Source, Kind string
			Mapped       bool
		}
	}
	if err := f.get(ctx, environment+"/connections", &connections); err != nil {
		return err
	}
	for _, c := range connections.Items {
		if c.Source == f.event.Source && !c.Mapped {
			var err error
			f.source, err = newTestSource(c.Kind, adapters.Settings{})
			return err
		}
	}
	return nil
}

// testMembers is the order of a test's members, and of those of the events in it.
var testMembers = strings.Fields(`name source headers type event expect rule identify trigger id userId anonymousId groupId previousId user_id
	object rows recipients actor properties traits data tenant cancellation_key skipped context messageId timestamp originalTimestamp sentAt`)

// test is the test as values of JSON.
func (f *fromLog) test() (map[string]any, error) {
	event, err := f.sample()
	if err != nil {
		return nil, err
	}
	test := map[string]any{"name": fmt.Sprintf("%s %s, as logged", f.event.Type, f.event.Name), "source": f.event.Source}
	if f.event.Name == f.event.Type {
		test["name"] = f.event.Type + ", as logged"
	}
	expect := any(f.logged())
	if f.bench == nil {
		masking := f.masking(event, expect, test["name"])
		test["event"], test["expect"], test["name"] = masking.Mask(event), masking.Mask(expect), masking.Mask(test["name"])
		f.tell(masking, nil)
		fmt.Fprintln(f.stderr, "without a configuration (-c) the rules are not asked: what is expected is what the log has; run the test before you trust it")
		return test, nil
	}
	masking := f.masking(event, test["name"])
	kept, decided, err := f.maskFor(masking, event)
	if err != nil {
		return nil, err
	}
	outcome := rules.Outcome{Decisions: decided}
	test["event"], test["name"], test["expect"] = masking.Mask(event), masking.Mask(test["name"]), withoutNull(outcome.Actions())
	f.tell(masking, kept)
	f.tellDifferences(decided)
	return test, nil
}

// sample is what is to be written as the test's event, so that the source makes of it the event that is on the log.
func (f *fromLog) sample() (any, error) {
	logged := &engine.Event{
		Type: f.event.Type, Name: f.event.Name, UserID: f.event.UserID, AnonymousID: f.event.AnonymousID, GroupID: f.event.GroupID,
		PreviousID: f.event.PreviousID, Data: f.event.Data, Context: f.event.Context, Original: withoutWriteKey(f.event.Original),
	}
	if f.source == nil { // it can not be tried
		return engine.DecodeJSON(logged.Original)
	}
	samples := f.source.kind.Samples(logged)
	if mapping := f.mapping(); mapping != nil {
		samples = append([]json.RawMessage{}, logged.Original)
		if body, ok := mapping.Around(logged.Original); ok {
			samples = append(samples, body)
		}
	}
	var near any
	for _, exact := range []bool{false, true} {
		for _, sample := range samples {
			value, same := f.isRead(sample, logged, exact)
			switch {
			case same && (exact || f.agrees(value)):
				return value, nil
			case same && near == nil:
				near = value
			}
		}
	}
	if near == nil {
		return nil, errors.New("no test can be made of this event: what the log has of it is not all that the source made it of")
	}
	return near, nil
}

// isRead reports that the source makes the logged event of a sample.
func (f *fromLog) isRead(sample json.RawMessage, logged *engine.Event, exact bool) (value any, same bool) {
	value, err := engine.DecodeJSON(sample)
	if err != nil {
		return nil, false
	}
	events, err := f.source.events(&rules.Test{Event: value})
	return value, err == nil && len(events) == 1 && sameEvent(events[0], logged, exact)
}

// mapping is the map of the connection; nil when it has none.
func (f *fromLog) mapping() *rules.Mapping {
	if f.plan == nil {
		return nil
	}
	if c := f.plan.connection(f.env, f.event.Source); c != nil {
		mapping, _ := c.settings.Map.(*rules.Mapping)
		return mapping
	}
	return nil
}

// agrees reports that a sample comes to what the log has, as far as the rules are still the same. Where the details of a
// sync matter, which a plain row does not have, it does not.
func (f *fromLog) agrees(value any) bool {
	if f.bench == nil {
		return true
	}
	_, decided, err := f.decide(value)
	return err == nil && len(decided) == 1 && (slices.Equal(decided[0].Rules, f.event.Rules) || f.event.Outcome == engine.OutcomePending)
}

// sameEvent compares what rules see of an event, but for its times and its message id; exactly, or without the details of
// a sync.
func sameEvent(made, logged *engine.Event, exact bool) bool {
	if made.Type != logged.Type || made.Name != logged.Name || made.UserID != logged.UserID || made.AnonymousID != logged.AnonymousID ||
		made.GroupID != logged.GroupID || made.PreviousID != logged.PreviousID || made.Invalid != "" || !sameObject(made.Data, logged.Data) {
		return false
	}
	return sameObject(made.Context, logged.Context) || !exact && logged.Type == engine.TypeRecord ||
		!exact && logged.Type == engine.TypeIdentify && rowObject(logged.Context) != "" && rowObject(logged.Context) == rowObject(made.Context)
}

func rowObject(context json.RawMessage) string {
	var row struct{ Object string }
	_ = json.Unmarshal(context, &row) // of a message's context there is none
	return row.Object
}

// sameObject compares two objects; what is absent has no members.
func sameObject(a, b json.RawMessage) bool {
	x, _ := engine.DecodeJSON(orEmpty(a))
	y, _ := engine.DecodeJSON(orEmpty(b))
	left, err := json.Marshal(x)
	right, otherErr := json.Marshal(y)
	return err == nil && otherErr == nil && bytes.Equal(left, right)
}

func orEmpty(doc json.RawMessage) json.RawMessage {
	if len(doc) == 0 {
		return json.RawMessage("{}")
	}
	return doc
}

// withoutWriteKey leaves out what the API has hidden.
func withoutWriteKey(original json.RawMessage) json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(original, &members) != nil || members["writeKey"] == nil {
		return original
	}
	delete(members, "writeKey")
	doc, err := json.Marshal(members)
	if err != nil {
		return original
	}
	return doc
}

// decide has the rules of the configuration decide a test's event.
func (f *fromLog) decide(event any) ([]*engine.Event, []*engine.Decision, error) {
	return f.bench.decide(f.source, &rules.Test{Source: document.Text{Value: f.event.Source}, Event: event})
}

// logged are the actions of the log, in the form of expectations.
func (f *fromLog) logged() []any {
	expect := []any{}
	for _, action := range f.event.Actions {
		one := map[string]any{}
		payload, _ := engine.DecodeJSON(action.Payload)
		parameters, _ := engine.DecodeJSON(action.Parameters)
		members, resolved := payload.(map[string]any)
		configured, _ := parameters.(map[string]any)
		if action.Kind == engine.ActionIdentify {
			one["identify"] = members
			if !resolved {
				one["identify"] = map[string]any{}
			}
		} else {
			for name, value := range members {
				one[name] = value
			}
			delete(one, "workflow")
			one["trigger"] = configured["workflow"]
		}
		one["rule"] = action.Rule
		if !resolved {
			one["skipped"] = action.Reason
		}
		expect = append(expect, withoutNull(one))
	}
	return expect
}

// withoutNull leaves out the members that are null; an expectation that leaves something out does not compare it.
func withoutNull(value any) any {
	switch v := value.(type) {
	case []map[string]any:
		list := make([]any, len(v))
		for i, one := range v {
			list[i] = withoutNull(one)
		}
		return list
	case map[string]any:
		kept := map[string]any{}
		for name, member := range v {
			if member != nil {
				kept[name] = member
			}
		}
		if identify, ok := kept["identify"].(map[string]any); ok {
			kept["identify"] = withoutNull(identify)
		}
		return kept
	}
	return value
}

// append adds the test to a rule file, or leaves the file as it is.
func (f *fromLog) append(test map[string]any) error {
	info, err := os.Stat(f.into)
	if err != nil {
		return err
	}
	source, err := os.ReadFile(f.into)
	if err != nil {
		return err
	}
	appended, err := document.Append(f.into, source, "tests", test, testMembers)
	if err != nil {
		return err
	}
	if _, err := rules.Parse(f.into, appended); err != nil {
		return err
	}
	if err := os.WriteFile(f.into, appended, info.Mode().Perm()); err != nil {
		return err
	}
	fmt.Fprintf(f.stderr, "added to %s\n", f.into)
	return nil
}
