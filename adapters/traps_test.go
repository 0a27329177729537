package adapters

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"switchyard/engine"
)

// What real senders are known to do, each with the one that does it.
func TestTraps(t *testing.T) {
	for _, trap := range []struct {
		name, kind, body string
		check            func(e *engine.Event) bool
	}{
		{"Segment's documentation shows a time that is none", "segment",
			`{"type":"track","event":"e","timestamp":"2015-2-02T00:30:08.276Z","sentAt":"2024-05-01T10:00:00Z"}`,
			func(e *engine.Event) bool {
				return e.Invalid == "" && e.Timestamp.Equal(noon.Add(-2*time.Hour)) && noted(e, "2015-2-02T00:30:08.276Z", "sentAt was used")
			}},
		{"no time at all is the time of receipt", "segment", `{"type":"track","event":"e","timestamp":"yesterday"}`,
			func(e *engine.Event) bool { return e.Timestamp.Equal(noon) && noted(e, "the time of receipt was used") }},
		{"a time far in the future is clamped and flagged", "segment", `{"type":"track","event":"e","timestamp":"2031-01-01T00:00:00Z"}`,
			func(e *engine.Event) bool { return e.Timestamp.Equal(noon) && noted(e, "more than a day ahead") }},
		{"a clock that is an hour fast is believed", "segment", `{"type":"track","event":"e","timestamp":"2024-05-01T13:00:00Z"}`,
			func(e *engine.Event) bool { return e.Timestamp.Equal(noon.Add(time.Hour)) && e.Notes == nil }},
		{"trait keys hold spaces", "segment", `{"type":"group","groupId":"g","traits":{"total billed":830}}`,
			func(e *engine.Event) bool { return string(e.Data) == `{"total billed":830}` }},
		{"a page's category is at the top and in the properties", "segment", `{"type":"page","name":"Home","category":"Docs","properties":{"category":"Docs"}}`,
			func(e *engine.Event) bool { return e.Name == "Home" && string(e.Data) == `{"category":"Docs"}` }},
		{"a numeric id becomes its digits", "segment", `{"type":"identify","userId":12345678901234567890,"anonymousId":1.50}`,
			func(e *engine.Event) bool { return e.UserID == "12345678901234567890" && e.AnonymousID == "1.50" }},
		{"integers above 2^53 survive", "segment", `{"type":"track","event":"e","properties":{"id":9007199254740993}}`,
			func(e *engine.Event) bool { return string(e.Data) == `{"id":9007199254740993}` }},
		{"the version is a number or a string", "segment", `{"type":"track","event":"e","version":2}`,
			func(e *engine.Event) bool { return e.Invalid == "" }},
		{"RudderStack's identify has its traits in the context", "rudderstack", `{"type":"identify","userId":"u","context":{"traits":{"plan":"pro"}}}`,
			func(e *engine.Event) bool {
				return string(e.Traits) == `{"plan":"pro"}` && string(e.Data) == `{"plan":"pro"}`
			}},
		{"the top's traits win, and are filled from the context", "rudderstack", `{"type":"identify","userId":"u","traits":{"plan":"team"},"context":{"traits":{"plan":"pro","seats":2}}}`,
			func(e *engine.Event) bool { return string(e.Traits) == `{"plan":"team","seats":2}` }},
		{"RudderStack's offsets with six decimals", "rudderstack", `{"type":"track","event":"e","originalTimestamp":"2024-05-01T16:30:00.123456+05:30"}`,
			func(e *engine.Event) bool {
				return e.Timestamp.Equal(time.Date(2024, 5, 1, 11, 0, 0, 123456000, time.UTC)) && e.Notes == nil
			}},
		{"message_id from an old SDK", "rudderstack", `{"type":"track","event":"e","message_id":"old"}`,
			func(e *engine.Event) bool { return e.MessageID == "old" }},
		{"string booleans stay what they are", "rudderstack", `{"type":"track","event":"e","properties":{"ok":"true"}}`,
			func(e *engine.Event) bool { return string(e.Data) == `{"ok":"true"}` }},
		{"escapes of < keep their bytes", "rudderstack", `{"type":"track","event":"\u003cb\u003e","properties":{"h":"\u003cb\u003e"}}`,
			func(e *engine.Event) bool { return e.Name == "<b>" && string(e.Data) == `{"h":"\u003cb\u003e"}` }},
		{"Freshpaint's message ids are base64", "freshpaint", `{"type":"track","event":"e","messageId":"aB+/cd=="}`,
			func(e *engine.Event) bool { return e.MessageID == "aB+/cd==" }},
		{"an id of 255 characters", "freshpaint", `{"type":"track","event":"e","messageId":"` + strings.Repeat("x", 255) + `"}`,
			func(e *engine.Event) bool { return len(e.MessageID) == 255 }},
		{"Jitsu's page names are in the properties", "jitsu", `{"type":"page","properties":{"name":"Pricing"}}`,
			func(e *engine.Event) bool { return e.Name == "Pricing" }},
		{"the context of a Go SDK's batch is its events'", "segment", `{"batch":[{"type":"track","event":"e"}],"context":{"library":{"name":"analytics-go"}}}`,
			func(e *engine.Event) bool { return string(e.Context) == `{"library":{"name":"analytics-go"}}` }},
		{"so are its integrations", "segment", `{"batch":[{"type":"track","event":"e","integrations":{"A":false}}],"integrations":{"A":true,"All":true}}`,
			func(e *engine.Event) bool {
				var original struct{ Integrations json.RawMessage }
				return json.Unmarshal(e.Original, &original) == nil && string(original.Integrations) == `{"A":false,"All":true}`
			}},
		{"Census leaves commas behind", "census", `{"event":"a, }","properties":{"tags":[1,2,],},}`,
			func(e *engine.Event) bool { return e.Name == "a, }" && string(e.Data) == `{"tags":[1,2]}` }},
	} {
		t.Run(trap.name, func(t *testing.T) {
			receiver, err := Kinds[trap.kind].Receiver(Settings{})
			if err != nil {
				t.Fatal(err)
			}
			batch, err := receiver.Receive(request("POST", http.Header{}, []byte(trap.body)), noon)
			if err != nil || len(batch.Events) != 1 {
				t.Fatalf("%d events, error %v", len(batch.Events), err)
			}
			if e := batch.Events[0]; !trap.check(e) {
				t.Errorf("%s\nread as %+v\ndata %s traits %s context %s original %s", trap.body, e, e.Data, e.Traits, e.Context, e.Original)
			}
		})
	}
}

// noted reports a note that holds all of these.
func noted(e *engine.Event, texts ...string) bool {
	for _, note := range e.Notes {
		found := 0
		for _, text := range texts {
			if strings.Contains(note, text) {
				found++
			}
		}
		if found == len(texts) {
			return true
		}
	}
	return false
}
