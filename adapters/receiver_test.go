package adapters

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"switchyard/adapters/rows"
	"switchyard/adapters/verify"
	"switchyard/engine"
)

// messagesOf is a Mapper that finds the messages it was made with.
type messagesOf struct {
	messages []engine.Mapped
	splits   bool
	err      error
}

func (m messagesOf) Map(*engine.Request, int) ([]engine.Mapped, error) { return m.messages, m.err }
func (m messagesOf) Splits() bool                                      { return m.splits }
func (m messagesOf) ReadsHeaders() bool                                { return true }

func receive(t *testing.T, kind string, settings Settings, body string) (engine.Batch, error) {
	t.Helper()
	receiver, err := Kinds[kind].Receiver(settings)
	if err != nil {
		t.Fatal(err)
	}
	return receiver.Receive(request("POST", http.Header{"Webhook-Id": {"w-1"}}, []byte(body)), noon)
}

func TestSettingsThatAKindCanNotHave(t *testing.T) {
	for want, settings := range map[string]struct {
		kind string
		Settings
	}{
		"rows: this kind":        {"segment", Settings{Rows: rows.Config{As: rows.AsRecord}}},
		"map: this kind":         {"polytomic", Settings{Map: messagesOf{}}},
		"rows: dedupe":           {"census", Settings{Rows: rows.Config{Dedupe: -1}}},
		"limits: burst":          {"http", Settings{Limits: Limits{Burst: 1}}},
		"verify: this kind":      {"polytomic", Settings{Verify: verify.Config{Scheme: verify.HMAC, Header: "X", Secrets: []string{"s"}}}},
		"verify: the secret at ": {"jitsu", Settings{Verify: verify.Config{Scheme: verify.Bearer, Secrets: []string{"s:t"}}}},
	} {
		if _, err := Kinds[settings.kind].Receiver(settings.Settings); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want one that begins with %s", err, want)
		}
	}
}

func TestMappedMessages(t *testing.T) {
	original := []byte(`{"o":1}`)
	for name, test := range map[string]struct {
		mapped  engine.Mapped
		invalid string
		check   func(e *engine.Event) bool
	}{
		"a track unless said otherwise": {mapped: engine.Mapped{Name: "paid", UserID: 7, MessageID: "m", Data: map[string]any{"a": "<&>"}},
			check: func(e *engine.Event) bool {
				return e.Type == "track" && e.Name == "paid" && e.UserID == "7" && e.MessageID == "m" && string(e.Data) == `{"a":"<&>"}` && string(e.Properties) == string(e.Data)
			}},
		"the headers name what the map does not": {mapped: engine.Mapped{Name: "paid"}, check: func(e *engine.Event) bool { return e.MessageID == "w-1" }},
		"an identify has traits": {mapped: engine.Mapped{Type: "Identify", UserID: "u", Data: map[string]any{"a": 1}},
			check: func(e *engine.Event) bool {
				return e.Type == "identify" && e.Name == "identify" && string(e.Traits) == `{"a":1}`
			}},
		"a record": {mapped: engine.Mapped{Type: "record", Name: "invoice", Data: map[string]any{}},
			check: func(e *engine.Event) bool { return e.Type == "record" && e.Name == "invoice" }},
		"unix seconds": {mapped: engine.Mapped{Name: "n", Timestamp: 1714561200}, check: func(e *engine.Event) bool { return e.Timestamp.Equal(noon.Add(-time.Hour)) }},
		"a time":       {mapped: engine.Mapped{Name: "n", Timestamp: noon.Add(-time.Minute)}, check: func(e *engine.Event) bool { return e.Timestamp.Equal(noon.Add(-time.Minute)) }},
		"no time":      {mapped: engine.Mapped{Name: "n", Timestamp: "soon"}, check: func(e *engine.Event) bool { return e.Timestamp.Equal(noon) && noted(e, `"soon" is not a time`) }},
		"the future":   {mapped: engine.Mapped{Name: "n", Timestamp: "2030-01-01T00:00:00Z"}, check: func(e *engine.Event) bool { return e.Timestamp.Equal(noon) && noted(e, "day ahead") }},

		"no name":          {mapped: engine.Mapped{}, invalid: "no name"},
		"an unknown type":  {mapped: engine.Mapped{Type: "trakc", Name: "n"}, invalid: `"trakc"`},
		"a type of a type": {mapped: engine.Mapped{Type: 5, Name: "n"}, invalid: "none of ours"},
		"a list of ids":    {mapped: engine.Mapped{Name: "n", UserID: []any{"a"}}, invalid: "user_id a list"},
		"data of a text":   {mapped: engine.Mapped{Name: "n", Data: "x"}, invalid: "data a string"},
		"a failure":        {mapped: engine.Mapped{Err: errors.New("switchyard.yaml:1:2: no")}, invalid: "switchyard.yaml:1:2: no"},
	} {
		t.Run(name, func(t *testing.T) {
			test.mapped.Original = original
			batch, err := receive(t, "http", Settings{Map: messagesOf{messages: []engine.Mapped{test.mapped}}}, "{}")
			if err != nil || len(batch.Events) != 1 || !batch.Single {
				t.Fatalf("%+v, error %v", batch, err)
			}
			e := batch.Events[0]
			if test.invalid != "" && !strings.Contains(e.Invalid, test.invalid) || test.invalid == "" && (e.Invalid != "" || !test.check(e)) {
				t.Errorf("%+v\ndata %s", e, e.Data)
			}
			if string(e.Original) != string(original) {
				t.Errorf("the original is %s", e.Original)
			}
		})
	}
}

func TestAMapThatSplits(t *testing.T) {
	two := []engine.Mapped{{Name: "a"}, {Name: "b", MessageID: "own"}}
	batch, err := receive(t, "rudderstack", Settings{Map: messagesOf{messages: two, splits: true}}, "{}")
	if err != nil || batch.Single || batch.Events[0].MessageID != "w-1#0" || batch.Events[1].MessageID != "own" {
		t.Errorf("%+v, error %v", batch, err)
	}
	refused := &engine.BadRequest{Code: "not_a_list"}
	if _, err := receive(t, "http", Settings{Map: messagesOf{err: refused}}, "{}"); err != error(refused) {
		t.Errorf("error %v", err)
	}
}

func TestTheRateOfAConnection(t *testing.T) {
	receiver, err := Kinds["http"].Receiver(Settings{Limits: Limits{Rate: 2, Burst: 4}})
	if err != nil {
		t.Fatal(err)
	}
	send := func(after time.Duration, body string) time.Duration {
		_, err := receiver.Receive(request("POST", nil, []byte(body)), noon.Add(after))
		var throttled *engine.Throttled
		if err != nil && !errors.As(err, &throttled) {
			t.Fatal(err)
		}
		if throttled == nil {
			return 0
		}
		return throttled.Wait
	}
	one := `{"event":"e"}`
	five := "[" + strings.Repeat(one+",", 4) + one + "]"
	for _, step := range []struct {
		after time.Duration
		body  string
		wait  time.Duration
	}{
		{0, one, 0}, {0, one, 0}, {0, one, 0}, {0, one, 0}, // the burst
		{0, one, 500 * time.Millisecond},
		{250 * time.Millisecond, one, 250 * time.Millisecond},
		{500 * time.Millisecond, one, 0},
		{500 * time.Millisecond, one, 500 * time.Millisecond},
		{time.Minute, five, 0}, // more than the burst, and taken
		{time.Minute, one, time.Second},
		{time.Minute + time.Second, one, 0},
		{time.Minute + 100*time.Second, five, 0}, // what was saved up is no more than the burst
		{time.Minute + 100*time.Second, one, time.Second},
	} {
		if wait := send(step.after, step.body); wait != step.wait {
			t.Errorf("after %s: wait %s, want %s", step.after, wait, step.wait)
		}
	}
}

// Whoever is not verified can not use up the rate of who is.
func TestStrangersDoNotSpendTheRate(t *testing.T) {
	receiver, err := Kinds["http"].Receiver(Settings{
		Limits: Limits{Rate: 1}, Verify: verify.Config{Scheme: verify.Bearer, Secrets: []string{"s"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		_, err := receiver.Receive(request("POST", http.Header{"Authorization": {"Bearer t"}}, []byte(`{"event":"e"}`)), noon)
		if unauthorized := (*engine.Unauthorized)(nil); !errors.As(err, &unauthorized) {
			t.Fatalf("error %v", err)
		}
	}
	if _, err := receiver.Receive(request("POST", http.Header{"Authorization": {"Bearer s"}}, []byte(`{"event":"e"}`)), noon); err != nil {
		t.Errorf("error %v", err)
	}
}

// A question of a vendor has no events and costs nothing of the rate.
// A preview wants no proof, spends nothing of the rate, and reads as the connection does.
func TestPreview(t *testing.T) {
	settings := Settings{
		Verify: verify.Config{Scheme: verify.Bearer, Secrets: []string{"secret"}}, Limits: Limits{Rate: 1, Burst: 1, Body: 100},
		Map: messagesOf{messages: []engine.Mapped{{Name: "mapped"}}},
	}
	receiver, err := Kinds["http"].Receiver(settings)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		batch, err := receiver.Preview(request("POST", nil, []byte(`{}`)), noon)
		if err != nil || len(batch.Events) != 1 || batch.Events[0].Name != "mapped" || batch.Events[0].Verification != engine.Unverified {
			t.Fatalf("%+v, %v", batch, err)
		}
	}
	var tooLarge *engine.TooLarge
	if _, err := receiver.Preview(request("POST", nil, make([]byte, 101)), noon); !errors.As(err, &tooLarge) {
		t.Errorf("a body that is too large: %v", err)
	}
	proven := http.Header{"Authorization": {"Bearer secret"}}
	if _, err := receiver.Receive(request("POST", proven, []byte(`{}`)), noon); err != nil {
		t.Errorf("the rate was spent: %v", err)
	}
}

func TestQuestionsAreFree(t *testing.T) {
	receiver, err := Kinds["census"].Receiver(Settings{Limits: Limits{Rate: 1}})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		batch, err := receiver.Receive(request("POST", nil, []byte(`{"jsonrpc":"2.0","id":1,"method":"test_connection"}`)), noon)
		if err != nil || batch.Answer == nil {
			t.Errorf("%+v, error %v", batch, err)
		}
	}
}

// A row that could not be stored is told to the vendor as one to send again.
func TestRowsThatAreNotStored(t *testing.T) {
	call := `{"jsonrpc":"2.0","id":1,"method":"sync_batch","params":{"sync_plan":{"object":{"object_api_name":"user"},"schema":{"id":{"active_identifier":true}}},"records":[{"id":"a"},{"id":"b"}]}}`
	batch, err := receive(t, "census", Settings{}, call)
	if err != nil {
		t.Fatal(err)
	}
	batch.Events[0].ID = "e0-1-1"
	doc := string(encodeJSON(t, batch.Answer()))
	if !strings.Contains(doc, `{"identifier":"a","success":true}`) || !strings.Contains(doc, `{"identifier":"b","success":false,"error_message":"it could not be stored; send it again"}`) {
		t.Error(doc)
	}
}

// What is not signed must not become part of what is called verified.
func TestWhatIsNotSigned(t *testing.T) {
	body := []byte(`{"userId":"u","event":"x","traits":{"a":1}}`)
	signed := func(settings Settings) (*Receiver, http.Header) {
		t.Helper()
		settings.Verify = verify.Config{Scheme: verify.HMAC, Header: "X-Sig", Secrets: []string{"s"}}
		receiver, err := Kinds["http"].Receiver(settings)
		if err != nil {
			t.Fatal(err)
		}
		proof, err := verify.Sign(settings.Verify, body, "", noon)
		if err != nil {
			t.Fatal(err)
		}
		return receiver, proof.Header
	}
	receiver, header := signed(Settings{})
	header.Set("Idempotency-Key", "chosen by whoever sends it again")
	batch, err := receiver.Receive(request("POST", header, body), noon)
	if err != nil || batch.Events[0].Verification != engine.Verified || batch.Events[0].MessageID != "" {
		t.Errorf("an id that is not signed: %+v, error %v", batch.Events, err)
	}
	batch, err = receiver.ReceiveCall("identify", request("POST", header, body), noon)
	if err != nil || batch.Events[0].Type != engine.TypeIdentify || batch.Events[0].Verification != engine.Partial {
		t.Errorf("a type from the path: %+v, error %v", batch.Events, err)
	}
	receiver, header = signed(Settings{Map: messagesOf{messages: []engine.Mapped{{Name: "n"}}}})
	batch, err = receiver.Receive(request("POST", header, body), noon)
	if err != nil || batch.Events[0].Verification != engine.Partial {
		t.Errorf("a map that reads headers: %+v, error %v", batch.Events, err)
	}
}

// A small request is not stored as a large one.
func TestTheBudgetOfARequest(t *testing.T) {
	long := strings.Repeat("<", 250)
	rowsOf := func(n int, row string) string { return "[" + strings.Repeat(row+",", n-1) + row + "]" }
	for name, test := range map[string]struct{ kind, body string }{
		"the sync of rows":   {"polytomic", `{"event":"sync.records","object":{"id":"` + long + `","name":"` + long + `","metadata":{"a":"` + strings.Repeat("<", 4000) + `"},"records":` + rowsOf(4000, `{"fields":{}}`) + `}}`},
		"the plan of a sync": {"census", `{"jsonrpc":"2.0","id":1,"method":"sync_batch","params":{"sync_plan":{"object":{"object_api_name":"` + long + `"},"sync_id":"` + long + `","sync_run_id":"` + long + `"},"records":` + rowsOf(4000, `{}`) + `}}`},
		"columns many times": {"hightouch", `{"jsonrpc":"2.0","id":1,"method":"add","params":{"configuration":{"mappings":` + manyMappings(500) + `},"rows":` + rowsOf(1000, `{"a":"xxxxxxxxxxxxxxxx"}`) + `}}`},
	} {
		batch, err := receive(t, test.kind, Settings{}, test.body)
		refused, stored := (*engine.BadRequest)(nil), 0
		for _, event := range batch.Events {
			stored += len(event.Original) + len(event.Data) + len(event.Context) + len(event.Name) + len(event.MessageID)
		}
		answered := batch.Answer != nil && strings.Contains(string(encodeJSON(t, batch.Answer())), "error")
		if !(errors.As(err, &refused) && refused.Code == "too_large") && !answered || stored > 8<<20 {
			t.Errorf("%s: %d bytes of %d, error %v", name, stored, len(test.body), err)
		}
	}
	context := `{"context":{"traits":{"a":"` + strings.Repeat("x", 4000) + `"}},"batch":` + rowsOf(4000, `{"type":"identify","userId":"u"}`) + `}`
	batch, err := receive(t, "segment", Settings{}, context)
	if err != nil || len(batch.Events) != 4000 || batch.Events[0].Context != nil || len(batch.Events[0].Notes) != 1 {
		t.Errorf("a batch's context: %d events, error %v", len(batch.Events), err)
	}
}

func manyMappings(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf(`{"from":"a","to":"field-%d"}`, i))
	}
	return "[" + strings.Join(list, ",") + "]"
}

// A reload does not give a sender its burst again.
func TestTheRateOutlivesAReload(t *testing.T) {
	settings := Settings{Limits: Limits{Rate: 1, Burst: 2}}
	before, _ := Kinds["http"].Receiver(settings)
	after, _ := Kinds["http"].Receiver(settings)
	other, _ := Kinds["http"].Receiver(Settings{Limits: Limits{Rate: 1, Burst: 3}})
	send := func(r *Receiver) error {
		_, err := r.Receive(request("POST", nil, []byte(`{"event":"e"}`)), noon)
		return err
	}
	for range 2 {
		if err := send(before); err != nil {
			t.Fatal(err)
		}
	}
	if send(before) == nil {
		t.Fatal("the burst is not two")
	}
	after.Inherit(before)
	other.Inherit(before)
	if send(after) == nil || send(other) != nil {
		t.Error("the same limits go on, and new ones begin anew")
	}
	after.Inherit(nil)
}

// What is refused after it was proven costs as much as an event.
func TestRefusedBodiesSpendTheRate(t *testing.T) {
	receiver, err := Kinds["http"].Receiver(Settings{Limits: Limits{Rate: 1, Burst: 2}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, _ = receiver.Receive(request("POST", nil, []byte(`{`)), noon)
	}
	throttled := (*engine.Throttled)(nil)
	if _, err := receiver.Receive(request("POST", nil, []byte(`{`)), noon); !errors.As(err, &throttled) {
		t.Errorf("error %v", err)
	}
	// Requests that overtake each other do not win anything back.
	for n := range 50 {
		_, err := receiver.Receive(request("POST", nil, []byte(`{"event":"e"}`)), noon.Add(-time.Duration(n%2)*time.Second))
		if err == nil {
			t.Fatal("an older time let it in")
		}
	}
}
