package adapters

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"switchyard/adapters/verify"
	"switchyard/engine"
)

// Of every event of the golden files there is a sample that its source reads as that event.
func TestSamplesAreReadAsTheEvent(t *testing.T) {
	inputs, err := filepath.Glob("*/testdata/*.in.http")
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no inputs: %v", err)
	}
	tried := 0
	for _, input := range inputs {
		kind, known := Kinds[strings.Split(filepath.ToSlash(input), "/")[0]]
		if !known {
			continue
		}
		name := strings.TrimSuffix(input, ".in.http")
		var settings Settings
		read(t, name+".verify.json", &settings.Verify)
		read(t, name+".rows.json", &settings.Rows)
		receiver, err := kind.Receiver(settings)
		if err != nil {
			t.Fatal(err)
		}
		batch, err := receiver.Receive(requestOf(t, input), noon)
		if err != nil {
			continue
		}
		settings.Verify = verify.Config{}
		if receiver, err = kind.Receiver(settings); err != nil {
			t.Fatal(err)
		}
		for i, event := range batch.Events {
			if event.Invalid != "" {
				continue
			}
			if tried++; !hasSample(kind, receiver, event) {
				t.Errorf("%s: no sample of event %d is read as it: %s", input, i, event.Original)
			}
		}
	}
	if tried < 50 {
		t.Errorf("only %d events were tried", tried)
	}
}

func hasSample(kind Kind, receiver *Receiver, event *engine.Event) bool {
	for _, sample := range kind.Samples(event) {
		message, err := kind.Request(sample, verify.Config{}, noon)
		if err != nil {
			continue
		}
		batch, err := receiver.Receive(message.Received(), noon)
		if err != nil || len(batch.Events) != 1 {
			continue
		}
		made := batch.Events[0]
		if made.Type == event.Type && made.Name == event.Name && made.UserID == event.UserID && made.Invalid == "" &&
			equalObjects(made.Data, event.Data) && equalObjects(made.Context, event.Context) && equalObjects(made.Traits, event.Traits) {
			return true
		}
	}
	return false
}

func equalObjects(a, b json.RawMessage) bool {
	var x, y map[string]json.RawMessage
	_, _ = json.Unmarshal(a, &x), json.Unmarshal(b, &y) // of an absent one there is nothing
	left, err := json.Marshal(x)
	right, otherErr := json.Marshal(y)
	return err == nil && otherErr == nil && (bytes.Equal(left, right) || len(x)+len(y) == 0)
}
