package adapters

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"switchyard/adapters/rows"
	"switchyard/engine"
)

// FuzzReceive gives any body to any kind: nothing panics, every error is one that is answered with 4xx, and every event
// can be stored and read again.
func FuzzReceive(f *testing.F) {
	var receivers []*Receiver
	for _, name := range Names() {
		for _, cfg := range []rows.Config{{}, {As: rows.AsIdentify, IDColumn: "id"}, {As: rows.AsRecord}} {
			if receiver, err := Kinds[name].Receiver(Settings{Rows: cfg}); err == nil {
				receivers = append(receivers, receiver)
			}
		}
	}
	inputs, err := filepath.Glob("*/testdata/*.in.http")
	if err != nil || len(inputs) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, input := range inputs {
		text, err := os.ReadFile(input)
		if err != nil {
			f.Fatal(err)
		}
		_, body, _ := cutHead(text)
		for which := range receivers {
			f.Add(uint8(which), body)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		receiver := receivers[int(which)%len(receivers)]
		batch, err := receiver.Receive(request("POST", nil, body), noon)
		if refused := (*engine.BadRequest)(nil); err != nil {
			if !errors.As(err, &refused) || refused.Code == "" || refused.Message == "" {
				t.Fatalf("error %v of %q", err, body)
			}
			return
		}
		stored := 0
		for _, event := range batch.Events {
			stored += checkEvent(t, event)
			event.ID = "stored"
		}
		if most := 64*len(body) + 1024*len(batch.Events); stored > most {
			t.Fatalf("%d bytes are stored of %d: %q", stored, len(body), body)
		}
		if batch.Answer != nil {
			if _, err := json.Marshal(batch.Answer()); err != nil {
				t.Fatalf("the answer to %q: %v", body, err)
			}
		}
	})
}

// checkEvent returns how many bytes of the event are stored.
func checkEvent(t *testing.T, event *engine.Event) (stored int) {
	for _, part := range []json.RawMessage{event.Data, event.Properties, event.Traits, event.Context} {
		if part != nil && (engine.KindOf(part) != '{' || engine.CheckJSON(part, engine.DefaultJSONLimits) != nil) {
			t.Fatalf("a part is no object: %q", part)
		}
		stored += len(part)
	}
	if engine.CheckJSON(event.Original, engine.DefaultJSONLimits) != nil {
		t.Fatalf("the original is not JSON: %q", event.Original)
	}
	if event.Invalid == "" && (event.Name == "" || engine.TypeLabel(event.Type) == "other") {
		t.Fatalf("valid, with type %q and name %q", event.Type, event.Name)
	}
	if event.Timestamp.IsZero() || event.Verification == "" {
		t.Fatalf("timestamp %v, verification %q", event.Timestamp, event.Verification)
	}
	return stored + len(event.Original) + len(event.Name) + len(event.UserID) + len(event.MessageID) + len(event.Invalid)
}
