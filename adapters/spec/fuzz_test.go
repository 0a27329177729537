package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"switchyard/engine"
)

// FuzzDecode holds that no body panics, that every section of an event is an object, and that originals are spans of the
// body, byte for byte.
func FuzzDecode(f *testing.F) {
	inputs, err := filepath.Glob("testdata/*.in.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, input := range inputs {
		body, err := os.ReadFile(input)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		sent := bytes.Clone(body)
		batch, err := Decode(body, options)
		if !bytes.Equal(body, sent) {
			t.Fatal("the body was changed")
		}
		WriteKeyOf(body)
		var refused *engine.BadRequest
		switch {
		case err != nil && !errors.As(err, &refused):
			t.Fatalf("error %v is no *engine.BadRequest", err)
		case err == nil && (!json.Valid(body) || len(batch.Events) == 0):
			t.Fatalf("%d events of %q", len(batch.Events), body)
		}
		for _, event := range batch.Events {
			checkEvent(t, event, body)
		}
	})
}

func checkEvent(t *testing.T, event *engine.Event, body []byte) {
	for _, section := range []json.RawMessage{event.Data, event.Properties, event.Traits, event.Context} {
		if section != nil && (!json.Valid(section) || section[0] != '{') {
			t.Fatalf("a section is no object: %q", section)
		}
	}
	// Only a batch's integrations are ever added to an original.
	integrated := bytes.Contains(body, []byte("integrations")) || bytes.Contains(body, []byte(`\u`))
	if len(event.Original) <= MaxInvalidBytes && !integrated && !bytes.Contains(body, event.Original) {
		t.Fatalf("the original %q is not in the body", event.Original)
	}
	if !json.Valid(event.Original) {
		t.Fatalf("the original is not JSON: %q", event.Original)
	}
	if event.Invalid == "" && (event.Name == "" || !slices.Contains(types, event.Type)) {
		t.Fatalf("valid, with type %q and name %q", event.Type, event.Name)
	}
	if _, err := event.Timestamp.MarshalJSON(); err != nil || event.Timestamp.IsZero() {
		t.Fatalf("timestamp %v: %v", event.Timestamp, err)
	}
}
