package main

import (
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
	"path/filepath"
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
var testMembers = strings.Fields(`type id name source headers event expect rule identify trigger userId anonymousId groupId previousId user_id
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
		mask := f.masking(event, expect, test["name"])
		test["event"], test["expect"], test["name"] = mask.Mask(event), mask.Mask(expect), mask.Mask(test["name"])
		f.tell(mask, nil)
		fmt.Fprintln(f.stderr, "without a configuration (-c) the rules are not asked: what is expected is what the log has; run the test before you trust it")
		return test, nil
	}
	mask := f.masking(event, test["name"])
	kept, decided, err := f.maskFor(mask, event)
	if err != nil {
		return nil, err
	}
	outcome := rules.Outcome{Decisions: decided}
	test["event"], test["name"], test["expect"] = mask.Mask(event), mask.Mask(test["name"]), withoutNull(outcome.Actions())
	f.tell(mask, kept)
	f.tellDifferences(decided)
	return test, nil
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
	if err := replace(f.into, appended, info.Mode().Perm()); err != nil {
		return err
	}
	fmt.Fprintf(f.stderr, "added to %s\n", f.into)
	return nil
}

// replace writes a file anew, or leaves it as it is: it is not emptied before all of the text is on the disk.
func replace(path string, text []byte, mode os.FileMode) (err error) {
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return err
	}
	old, err := os.OpenFile(path, os.O_WRONLY, 0) // which a file that may not be written refuses, and a new name would not
	if err != nil {
		return err
	}
	old.Close()
	file, err := os.CreateTemp(filepath.Dir(path), ".switchyard-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(file.Name())
		}
	}()
	_, err = file.Write(text)
	if err = errors.Join(err, file.Chmod(mode), file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
