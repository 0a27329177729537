package http

import (
	"net/http"
	"testing"
	"time"

	"switchyard/adapters/spec"
	"switchyard/engine"
)

func decode(t *testing.T, body string, header http.Header) engine.Batch {
	t.Helper()
	req := &engine.Request{Method: "POST", Body: []byte(body), Header: header.Get}
	batch, err := Decode(req, spec.Options{Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

func TestMessageIDs(t *testing.T) {
	all := http.Header{"Webhook-Id": {"w"}, "Svix-Id": {"s"}, "Idempotency-Key": {"i"}}
	for _, tc := range []struct {
		body   string
		header http.Header
		want   []string
	}{
		{`{"event":"e"}`, nil, []string{""}},
		{`{"event":"e"}`, all, []string{"w"}},
		{`{"event":"e"}`, http.Header{"Svix-Id": {"s"}, "Idempotency-Key": {"i"}}, []string{"s"}},
		{`{"event":"e"}`, http.Header{"Idempotency-Key": {"i"}}, []string{"i"}},
		{`{"event":"e","messageId":"mine"}`, all, []string{"mine"}},
		{`{"event":"e","messageId":""}`, all, []string{"w"}},
		{`{"event":"e","messageId":[]}`, all, []string{"w"}},
		{`[{"event":"e"}]`, all, []string{"w#0"}},
		{`[{"event":"e"},{"event":"e","messageId":"mine"},5,{"event":"e"}]`, all, []string{"w#0", "mine", "w#2", "w#3"}},
		{`{"batch":[{"event":"e"},{"event":"e"}]}`, all, []string{"w#0", "w#1"}},
	} {
		batch := decode(t, tc.body, tc.header)
		for i, event := range batch.Events {
			if event.MessageID != tc.want[i] {
				t.Errorf("%s: message id %d is %q, want %q", tc.body, i, event.MessageID, tc.want[i])
			}
		}
	}
}

func TestTypes(t *testing.T) {
	for body, want := range map[string]string{
		`{"event":"e"}`:                   engine.TypeTrack,
		`{"type":"track","event":"e"}`:    engine.TypeTrack,
		`{"type":"identify","event":"e"}`: engine.TypeIdentify,
		`{"type":null,"event":"e"}`:       engine.TypeTrack,
		`{"event":null}`:                  "",
		`{"body":1}`:                      "",
	} {
		event := decode(t, body, nil).Events[0]
		if event.Type != want || (want == "") != (event.Invalid != "") {
			t.Errorf("%s: type %q, invalid %q", body, event.Type, event.Invalid)
		}
	}
}
