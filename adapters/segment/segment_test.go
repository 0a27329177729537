package segment

import (
	"strings"
	"testing"
	"time"

	"switchyard/adapters/spec"
	"switchyard/adapters/verify"
	"switchyard/engine"
)

// Segment's webhook sends up to 4,000 events at once, of which it signs the first.
func TestLargestBatch(t *testing.T) {
	body := "[" + strings.TrimSuffix(strings.Repeat(`{"type":"track","event":"e","userId":"u"},`, 4000), ",") + "]"
	batch, err := Decode(&engine.Request{Body: []byte(body)}, spec.Options{
		Now: time.Now(), Coverage: verify.Coverage{First: engine.Verified, Rest: engine.Partial},
	})
	if err != nil || len(batch.Events) != 4000 || batch.Single {
		t.Fatalf("%d events, error %v", len(batch.Events), err)
	}
	for i, event := range batch.Events {
		if want := map[bool]engine.Verification{true: engine.Verified, false: engine.Partial}[i == 0]; event.Verification != want {
			t.Fatalf("event %d is %s", i, event.Verification)
		}
	}
}

// A message without a type is not guessed at: Segment always sends one, unless the customer mapped it away.
func TestTypeIsRequired(t *testing.T) {
	batch, err := Decode(&engine.Request{Body: []byte(`{"event":"e"}`)}, spec.Options{Now: time.Now()})
	if err != nil || batch.Events[0].Invalid == "" || !batch.Single {
		t.Errorf("%+v, error %v", batch, err)
	}
}
