package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"time"

	"switchyard/adapters"
	"switchyard/adapters/verify"
	"switchyard/engine"
	"switchyard/rules"
)

const testSynopsis = `[-c FILE] [-run REGEXP] [--coverage] [--min-coverage PERCENT] [--json] [--junit FILE] [RULE-FILES]
   or: switchyard test --from-event ID [-c FILE] [--server URL] [--env E] [--into RULE-FILE] [--keep PATH] [--no-mask]

Runs the tests of all rule files of the configuration, or of those named, in every environment that loads them. A file
that no environment loads is tested on its own, and needs no configuration. With --from-event it makes a test of an event
on the log of a server, personal data masked, and prints it.`

// testRules runs the tests that stand beside the rules. Its results are on stdout: a line for each file, and what failed.
func testRules(args []string, stdout, stderr io.Writer) error {
	flags := newFlags("test", testSynopsis, stderr)
	file := flags.String("c", "switchyard.yaml", "the configuration `file`")
	pattern := flags.String("run", "", "run only the tests whose names fit this `regexp`")
	asJSON := flags.Bool("json", false, "print the results as JSON")
	junit := flags.String("junit", "", "write the results to a `file`, too, as JUnit XML")
	wanted := coverageFlags(flags)
	from := logFlags(flags)
	named, err := parseAny(flags, args)
	if err != nil {
		return err
	}
	if from.id != "" {
		return from.run(*file, given(flags, "c"), named, stdout, stderr)
	}
	names, err := regexp.Compile(*pattern)
	if err != nil {
		return usageError{fmt.Errorf("-run: %w", err)}
	}
	if wanted.minimum > 0 && *pattern != "" {
		return usageError{errors.New("--min-coverage is of all tests; leave out -run")}
	}
	if _, err := os.Stat(*file); len(named) > 0 && !given(flags, "c") && errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(stderr, "there is no %s: every event is read as a source of kind http would, and no connection's switch is set\n", *file)
		*file = ""
	}
	benches, err := loadBenches(*file, named)
	if err != nil {
		if *asJSON {
			return reportJSON(stdout, err)
		}
		return err
	}
	report := &testReport{selected: *pattern != "", wanted: wanted}
	for _, b := range benches {
		report.environments = append(report.environments, b.environment)
		for _, file := range b.files {
			report.suites = append(report.suites, b.run(file, names))
		}
		report.coverage.add(b.coverage.Rules())
	}
	if *junit != "" {
		if err := report.writeJUnit(*junit); err != nil {
			return err
		}
	}
	if *asJSON {
		err = report.printJSON(stdout)
	} else {
		err = report.print(stdout)
	}
	if _, failed := report.counts(); err == nil && failed > 0 {
		err = errFound
	}
	if missing := report.missing(); err == nil && missing != "" {
		fmt.Fprintln(stderr, missing)
		err = errFound
	}
	return err
}

// given reports a flag that the command line sets.
func given(flags *flag.FlagSet, name string) (found bool) {
	flags.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}

// bench is an environment in which rules are tested: its whole pipeline, and its sources without what proves and what
// limits the sender.
type bench struct {
	// environment is "" for a file that none loads.
	environment string
	files       []*rules.File
	// keys are those of the rules, also of the ones that are switched off.
	keys     []string
	pipeline engine.Decider
	// coverage is of the rules of the files.
	coverage *rules.Coverage
	// sources by their keys; nil without a configuration, where every source is read as anything is.
	sources  map[string]*testSource
	anything *testSource
}

type testSource struct {
	kind     adapters.Kind
	receiver *adapters.Receiver
}

// loadBenches makes a bench of every environment of a configuration, "" for none, with the files named, or all; and one
// of each file that is named and not loaded.
func loadBenches(config string, named []string) ([]*bench, error) {
	var p *plan
	var benches []*bench
	var loaded []string
	if config != "" {
		var err error
		if p, err = loadPlan(config, os.LookupEnv); err != nil {
			return nil, err
		}
		for _, e := range p.environments {
			b, err := newBench(p, e.key, p.sets[e.key], p.written[e.key])
			if err != nil {
				return nil, err
			}
			b.files = slices.DeleteFunc(slices.Clone(b.files), func(f *rules.File) bool { return len(named) > 0 && !isAmong(f.Path, named) })
			b.coverage = p.sets[e.key].NewCoverage(b.files)
			for _, file := range b.files {
				loaded = append(loaded, file.Path)
			}
			benches = append(benches, b)
		}
	}
	others, err := rules.LoadFiles(slices.DeleteFunc(slices.Clone(named), func(path string) bool { return isAmong(path, loaded) }))
	if err != nil {
		return nil, err
	}
	for _, file := range others {
		set, err := rules.Compile("", []*rules.File{file})
		if err != nil {
			return nil, err
		}
		b, err := newBench(p, "", set, []*rules.File{file})
		if err != nil {
			return nil, err
		}
		b.coverage = set.NewCoverage(b.files)
		benches = append(benches, b)
	}
	return slices.DeleteFunc(benches, func(b *bench) bool { return len(b.files) == 0 }), nil
}

// isAmong compares files and not their names, which may be relative or links.
func isAmong(path string, paths []string) bool {
	file, err := os.Stat(path)
	return err == nil && slices.ContainsFunc(paths, func(other string) bool {
		found, err := os.Stat(other)
		return err == nil && os.SameFile(file, found)
	})
}

// newBench is made of a plan, which may be nil, and of the rules of an environment, which may be "".
func newBench(p *plan, environment string, set *rules.Set, files []*rules.File) (*bench, error) {
	b := &bench{environment: environment, files: files}
	for _, file := range files {
		for _, rule := range file.Rules {
			b.keys = append(b.keys, rule.Key.Value)
		}
	}
	identifies := func(environment, source string) bool { return p != nil && p.identifies(environment, source) }
	b.pipeline = engine.Pipeline(engine.IdentifySwitch(identifies), set)
	var err error
	if b.anything, err = newTestSource("http", adapters.Settings{}); err != nil || p == nil {
		return b, err
	}
	b.sources = map[string]*testSource{}
	objects := set.Objects()
	for _, source := range p.config.Sources {
		settings := adapters.Settings{Objects: objects}
		if c := p.connection(environment, source.Key); c != nil {
			settings = c.settings
			settings.Verify, settings.Limits = verify.Config{}, adapters.Limits{}
		}
		if b.sources[source.Key], err = newTestSource(source.Kind.Value, settings); err != nil {
			return nil, fmt.Errorf("the source %s can not be tested: %w", source.Key, err)
		}
	}
	return b, nil
}

func newTestSource(kind string, settings adapters.Settings) (*testSource, error) {
	receiver, err := adapters.Kinds[kind].Receiver(settings)
	return &testSource{adapters.Kinds[kind], receiver}, err
}

// run runs the tests of a file whose names fit.
func (b *bench) run(file *rules.File, names *regexp.Regexp) *testSuite {
	suite := &testSuite{file: file, environment: b.environment}
	for i := range file.Tests {
		if test := &file.Tests[i]; names.MatchString(test.Name) {
			suite.outcomes = append(suite.outcomes, b.outcome(test))
		}
	}
	return suite
}

func (b *bench) outcome(t *rules.Test) rules.Outcome {
	if wrong := t.Check(b.keys); wrong != nil {
		return rules.Outcome{Test: t, Failures: wrong}
	}
	source := b.anything
	if b.sources != nil && !t.Source.IsZero() {
		if source = b.sources[t.Source.Value]; source == nil {
			return t.Fail(rules.FailedTest, t.Source.Place(), "there is no source %q%s", t.Source.Value, nearest(t.Source.Value, sortedKeys(b.sources)))
		}
	}
	events, decisions, err := b.decide(source, t)
	if err != nil {
		return t.Fail(rules.FailedEvent, t.Place, "the event can not be read: %v", err)
	}
	for i, event := range events {
		if decisions[i].Outcome != engine.OutcomeInvalid {
			b.coverage.Observe(event, decisions[i])
		}
	}
	return t.Judge(decisions)
}

// decide is what the events that the source makes of a test's come to.
func (b *bench) decide(source *testSource, t *rules.Test) ([]*engine.Event, []*engine.Decision, error) {
	events, err := source.events(t)
	decisions := make([]*engine.Decision, len(events))
	for i, event := range events {
		event.ID, event.Environment, event.Source = fmt.Sprintf("test-%d", i), b.environment, t.Source.Value
		decisions[i] = b.pipeline.Decide(event)
	}
	return events, decisions, err
}

// The times of receipt of a test's event, so that a result never depends on the clock: that of the event itself, else
// testTime. Distant is the one at which every time that an event may have is believed.
var (
	testTime = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	distant  = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
)

// events are those that the source makes of a test's event.
func (s *testSource) events(t *rules.Test) ([]*engine.Event, error) {
	var doc bytes.Buffer
	encoder := json.NewEncoder(&doc)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(t.Event); err != nil {
		return nil, err
	}
	message, err := s.kind.Request(bytes.TrimSpace(doc.Bytes()), verify.Config{}, testTime)
	if err != nil {
		return nil, err
	}
	for name, value := range t.Headers {
		message.Header.Set(name, value)
	}
	first, err := s.receiver.Receive(message.Received(), distant)
	if err != nil {
		return nil, err
	}
	if len(first.Events) == 0 {
		return nil, errors.New("there is no event in it")
	}
	batch, err := s.receiver.Receive(message.Received(), receivedAt(first.Events))
	return batch.Events, err
}

// receivedAt is the last of the times that events have of themselves.
func receivedAt(events []*engine.Event) time.Time {
	var last time.Time
	for _, event := range events {
		if event.Timestamp.Before(distant) && event.Timestamp.After(last) {
			last = event.Timestamp
		}
	}
	if last.IsZero() {
		return testTime
	}
	return last
}
