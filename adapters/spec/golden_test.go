package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchyard/adapters/verify"
	"switchyard/engine"
)

var update = flag.Bool("update", false, "write the golden files anew")

var noon = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

var options = Options{Now: noon, Coverage: verify.Coverage{First: engine.Verified, Rest: engine.Partial}}

// outcome is what a golden file shows of a body.
type outcome struct {
	Error  *engine.BadRequest `json:"error,omitempty"`
	Single bool               `json:"single,omitempty"`
	Events []view             `json:"events,omitempty"`
}

// view is an event as a golden file shows it.
type view struct {
	Type         string              `json:"type,omitempty"`
	Name         string              `json:"name,omitempty"`
	UserID       string              `json:"user_id,omitempty"`
	AnonymousID  string              `json:"anonymous_id,omitempty"`
	GroupID      string              `json:"group_id,omitempty"`
	PreviousID   string              `json:"previous_id,omitempty"`
	MessageID    string              `json:"message_id,omitempty"`
	Timestamp    time.Time           `json:"timestamp"`
	Verification engine.Verification `json:"verification"`
	Data         json.RawMessage     `json:"data,omitempty"`
	Properties   json.RawMessage     `json:"properties,omitempty"`
	Traits       json.RawMessage     `json:"traits,omitempty"`
	Context      json.RawMessage     `json:"context,omitempty"`
	Original     json.RawMessage     `json:"original"`
	Invalid      string              `json:"invalid,omitempty"`
	Notes        []string            `json:"notes,omitempty"`
}

func viewOf(e *engine.Event) view {
	return view{e.Type, e.Name, e.UserID, e.AnonymousID, e.GroupID, e.PreviousID, e.MessageID, e.Timestamp,
		e.Verification, e.Data, e.Properties, e.Traits, e.Context, e.Original, e.Invalid, e.Notes}
}

func outcomeOf(t *testing.T, batch engine.Batch, err error) []byte {
	t.Helper()
	seen := outcome{Single: batch.Single}
	if err != nil && !errors.As(err, &seen.Error) {
		t.Fatalf("error %v is no *engine.BadRequest", err)
	}
	for _, event := range batch.Events {
		seen.Events = append(seen.Events, viewOf(event))
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(seen); err != nil {
		t.Fatal(err)
	}
	return text.Bytes()
}

func TestGolden(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*.in.json")
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, input := range inputs {
		name := strings.TrimSuffix(input, ".in.json")
		t.Run(filepath.Base(name), func(t *testing.T) {
			body, err := os.ReadFile(input)
			if err != nil {
				t.Fatal(err)
			}
			batch, err := Decode(body, options)
			got := outcomeOf(t, batch, err)
			if *update {
				if err := os.WriteFile(name+".out.json", got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(name + ".out.json")
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s reads as\n%s\nwant\n%s", input, got, want)
			}
		})
	}
}
