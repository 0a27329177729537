package main

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"switchyard/adapters"
	"switchyard/engine"
)

// The quickstart travels in the binary, so that the demo needs nothing but it.
//
//go:embed examples/quickstart
var quickstart embed.FS

// step is one request of a story, with what each of its events must come to.
type step struct {
	Title  string          `json:"title"`
	Source string          `json:"source"`
	Post   json.RawMessage `json:"post"`
	Expect []expectation   `json:"expect"`
}

type expectation struct {
	Outcome string          `json:"outcome"`
	Actions []actionSummary `json:"actions"`
}

type actionSummary struct {
	Rule   string `json:"rule"`
	Action string `json:"action"`
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
}

func demo(args []string, stdout, stderr io.Writer) error {
	flags := newFlags("demo", "[--once] [--destination knock-double]", stderr)
	elsewhere := flags.String("destination", "", "`knock-double`: the actions go to a double of Knock in this process, and not to the built-in directory")
	once := flags.Bool("once", false, "stop after the sample events; exit 1 if anything was not as expected")
	if _, err := parse(flags, args); err != nil {
		return err
	}
	dir, err := unpackQuickstart()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	double, err := demoDouble(*elsewhere, filepath.Join(dir, "switchyard.yaml"))
	if err != nil {
		return err
	}
	defer double.close()
	level := "info"
	options := serving{file: filepath.Join(dir, "switchyard.yaml"), redis: "embedded"}
	if *once {
		level = "warn"
		options.listen, options.adminListen = "127.0.0.1:0", "127.0.0.1:0"
	}
	logger, err := newLogger(stderr, level, "text")
	if err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	ctx, done := context.WithCancel(ctx)
	defer done()
	results := make(chan error, 1)
	err = runServer(ctx, options, logger, func(s *server) {
		result := tell(ctx, s, dir, double, stdout)
		if results <- result; *once || result != nil {
			done()
			return
		}
		fmt.Fprintf(stdout, "\nStill serving; stop with Ctrl-C. Management API, metrics and health: http://%[1]s\n\n  curl -s http://%[1]s/api/v1/environments/development/events\n", s.admin.address())
	})
	if err != nil {
		return err
	}
	select {
	case result := <-results:
		return result
	default: // stopped before the story was told
		return errFound
	}
}

func unpackQuickstart() (string, error) {
	dir, err := os.MkdirTemp("", "switchyard-demo-")
	if err != nil {
		return "", err
	}
	files, err := fs.Sub(quickstart, "examples/quickstart")
	if err != nil {
		return "", err
	}
	return dir, os.CopyFS(dir, files)
}

// tell posts the story through the real door, prints what each event did, and returns errFound when that was not what
// was to be expected.
func tell(ctx context.Context, s *server, dir string, double *knockDouble, stdout io.Writer) error {
	story, err := readStory(filepath.Join(dir, "story.json"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	t := &teller{elsewhere: double != nil, plan: s.plan.Load(), api: client{base: "http://" + s.admin.address()}, ingest: "http://" + s.ingest.address()}
	fmt.Fprintf(stdout, rowFormat, "SOURCE", "EVENT", "OUTCOME", "ACTIONS")
	for _, step := range story {
		rows, err := t.play(ctx, step)
		if err != nil {
			return fmt.Errorf("%s: %w", step.Title, err)
		}
		fmt.Fprintf(stdout, "\n%s\n%s", step.Title, strings.Join(rows, ""))
	}
	double.tell(stdout)
	fmt.Fprintf(stdout, "\ndemo: %d events, %d actions succeeded, %d failed\n", t.events, t.succeeded, t.failed)
	if t.failed > 0 {
		return errFound
	}
	return nil
}

func readStory(file string) ([]step, error) {
	doc, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var story []step
	decoder := json.NewDecoder(bytes.NewReader(doc))
	decoder.DisallowUnknownFields()
	return story, decoder.Decode(&story)
}

const rowFormat = "  %-11s %-16s %-10s %s\n"

// teller plays steps and counts what came of them. An action failed when it is dead, or anything is not as expected.
type teller struct {
	// elsewhere: the actions do not go to the directory, for which the story tells how each ends.
	elsewhere                 bool
	plan                      *plan
	api                       client
	ingest                    string
	events, succeeded, failed int
}

func (t *teller) play(ctx context.Context, step step) (rows []string, err error) {
	connection := t.connection(step.Source)
	if connection == nil {
		return nil, fmt.Errorf("the configuration has no connection %q", step.Source)
	}
	message, err := adapters.Kinds[connection.Kind].Request(step.Post, connection.settings.Verify, time.Now())
	if err != nil {
		return nil, err
	}
	if _, err := post(ctx, t.ingest+"/v1/receive/"+connection.writeKeys[0], message); err != nil {
		return nil, err
	}
	events, err := connection.eventsOf(message)
	if err != nil || len(events) != len(step.Expect) {
		return nil, fmt.Errorf("a step needs one expectation for each event: %d and %d (%v)", len(step.Expect), len(events), err)
	}
	for i, event := range events {
		record, err := t.api.settled(ctx, connection.Environment, event.MessageID)
		if err != nil {
			return nil, err
		}
		rows = append(rows, t.row(connection.Kind, record, step.Expect[i]))
	}
	return rows, nil
}

func (t *teller) connection(source string) *plannedConnection {
	for _, e := range t.plan.environments {
		for _, c := range e.connections {
			if c.Source == source {
				return c
			}
		}
	}
	return nil
}

func (t *teller) row(kind string, record eventRecord, want expectation) string {
	t.events++
	var shown []string
	for _, action := range record.Actions {
		switch action.Status {
		case "succeeded":
			t.succeeded++
		case "dead":
			t.failed++
		}
		line := fmt.Sprintf("%s %s: %s", action.Rule, action.Action, action.Status)
		if action.Reason != "" {
			line += " (" + action.Reason + ")"
		}
		shown = append(shown, line)
	}
	if len(shown) == 0 {
		shown = []string{record.Reason}
	}
	if got := (expectation{record.Outcome, summaries(record.Actions)}); !got.equal(want) && (!t.elsewhere || !got.like(want)) {
		t.failed++
		shown = append(shown, fmt.Sprintf("NOT AS EXPECTED: %+v", want))
	}
	name := record.Name
	if name == "" {
		name = "-"
	}
	indent := "\n" + fmt.Sprintf(strings.TrimRight(rowFormat, "\n"), "", "", "", "")
	return fmt.Sprintf(rowFormat, kind, name, record.Outcome, strings.Join(shown, indent))
}

func (e expectation) equal(other expectation) bool {
	return e.Outcome == other.Outcome && slices.Equal(e.Actions, other.Actions)
}

// like is equal but for how the actions have ended.
func (e expectation) like(other expectation) bool {
	return e.Outcome == other.Outcome && slices.EqualFunc(e.Actions, other.Actions, func(a, b actionSummary) bool {
		return a.Rule == b.Rule && a.Action == b.Action
	})
}

// summaries are actions as a story expects them.
func summaries(actions []actionRecord) []actionSummary {
	list := make([]actionSummary, len(actions))
	for i, action := range actions {
		list[i] = action.actionSummary
	}
	return list
}

// eventsOf is what the connection makes of a message, for the ids under which its events are on the log.
func (c *plannedConnection) eventsOf(message *adapters.Message) ([]*engine.Event, error) {
	batch, err := c.receiver.Receive(message.Received(), time.Now())
	return batch.Events, err
}
