package adapters

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchyard/adapters/schema"
	"switchyard/engine"
)

// The events of one request share what their schemas may cost, and the next request has it all again.
func TestARequestHasOneBudget(t *testing.T) {
	file := filepath.Join(t.TempDir(), "s.json")
	// It doubles the work at each level that an event is nested.
	if err := os.WriteFile(file, []byte(`{"properties":{"a":{"anyOf":[{"$ref":"#"},{"$ref":"#"}]}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err := schema.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	receiver, err := Kinds["segment"].Receiver(Settings{Schemas: map[string]*schema.Schema{"Nested": loaded}, OnInvalid: Warn})
	if err != nil {
		t.Fatal(err)
	}
	nested := strings.Repeat(`{"a":`, 11) + "1" + strings.Repeat("}", 11)
	event := fmt.Sprintf(`{"type":"track","event":"Nested","userId":"u","properties":%s}`, nested)
	body := `{"batch":[` + strings.Repeat(event+",", 99) + event + `]}`
	for range 2 {
		batch, err := receiver.ReceiveCall("batch", &engine.Request{Body: []byte(body)}, time.Now())
		if err != nil || len(batch.Events) != 100 {
			t.Fatal(len(batch.Events), err)
		}
		if first := batch.Events[0].Violations; first != nil {
			t.Errorf("the first is not checked: %v", first)
		}
		last := batch.Events[99].Violations
		if len(last) != 1 || !strings.Contains(last[0].Message, "the events of this request") {
			t.Errorf("the last is checked: %v", last)
		}
	}
}
