package adapters

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"switchyard/adapters/verify"
	"switchyard/engine"
)

// examples has one complete config for each scheme.
var examples = map[string]verify.Config{
	verify.Segment:          {Scheme: verify.Segment, Secrets: []string{"s"}},
	verify.Jitsu:            {Scheme: verify.Jitsu, Secrets: []string{"s"}},
	verify.Census:           {Scheme: verify.Census, Secrets: []string{"s"}},
	verify.Basic:            {Scheme: verify.Basic, Username: "ann", Secrets: []string{"s"}},
	verify.Bearer:           {Scheme: verify.Bearer, Secrets: []string{"s"}},
	verify.Header:           {Scheme: verify.Header, Header: "X-Key", Secrets: []string{"s"}},
	verify.Query:            {Scheme: verify.Query, Parameter: "key", Secrets: []string{"s"}},
	verify.StandardWebhooks: {Scheme: verify.StandardWebhooks, Secrets: []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}},
	verify.HMAC:             {Scheme: verify.HMAC, Header: "X-Sig", Secrets: []string{"s"}},
}

// problem is why a kind can not have a verification; "" when it can.
func problem(kind Kind, cfg verify.Config) string {
	if _, err := kind.Receiver(Settings{Verify: cfg}); err != nil {
		return err.Error()
	}
	return ""
}

func TestVerificationOfEachKind(t *testing.T) {
	for name, kind := range Kinds {
		if wrong := problem(kind, verify.Config{}); wrong != "" {
			t.Errorf("%s without verification: %s", name, wrong)
		}
		for scheme, cfg := range examples {
			wrong := problem(kind, cfg)
			switch sends := slices.Contains(kind.Schemes, scheme); {
			case sends && wrong != "":
				t.Errorf("%s with %s: %s", name, scheme, wrong)
			case !sends && !strings.Contains(wrong, "does not send scheme "+scheme+"; use "):
				t.Errorf("%s with %s: %q", name, scheme, wrong)
			}
			cfg.Secrets = nil
			if problem(kind, cfg) == "" {
				t.Errorf("%s with %s and no secret is taken", name, scheme)
			}
		}
	}
}

// What Request makes is what Receive takes, and an attacker's change to it is not.
func TestRequestIsReceived(t *testing.T) {
	for name, kind := range Kinds {
		event := []byte(`{"type":"track","event":"e","userId":"u","properties":{"a":"<1>"}}`)
		if name == "polytomic" {
			event = []byte(`{"user_id":"u","a":"<1>"}`) // it sends nothing but rows
		}
		for _, scheme := range kind.Schemes {
			receiver, err := kind.Receiver(Settings{Verify: examples[scheme]})
			if err != nil {
				t.Fatal(err)
			}
			message, err := kind.Request(event, examples[scheme], noon)
			if err != nil {
				t.Fatal(err)
			}
			batch, err := receiver.Receive(message.Received(), noon.Add(time.Minute))
			if err != nil || len(batch.Events) != 1 || batch.Events[0].UserID != "u" || batch.Events[0].Verification != engine.Verified {
				t.Errorf("%s with %s: error %v", name, scheme, err)
			}
			if _, err := receiver.Receive(request(message.Method, http.Header{}, message.Body), noon); err == nil {
				t.Errorf("%s with %s: taken without its headers", name, scheme)
			}
		}
		message, err := kind.Request(event, verify.Config{}, noon)
		if err != nil || message.Method != "POST" || len(message.Body) == 0 {
			t.Errorf("%s unsigned: %+v, error %v", name, message, err)
		}
		if _, err := kind.Request(event, verify.Config{Scheme: "nope"}, noon); err == nil {
			t.Errorf("%s is sent with an unknown scheme", name)
		}
	}
}

func TestRequestIDsDiffer(t *testing.T) {
	event, cfg := []byte(`{"event":"e"}`), examples[verify.StandardWebhooks]
	one, _ := Kinds["http"].Request(event, cfg, noon)
	same, _ := Kinds["http"].Request(event, cfg, noon)
	later, _ := Kinds["http"].Request(event, cfg, noon.Add(1))
	if id := one.Header.Get("webhook-id"); id != same.Header.Get("webhook-id") || id == later.Header.Get("webhook-id") {
		t.Errorf("ids %s, %s, %s", id, same.Header.Get("webhook-id"), later.Header.Get("webhook-id"))
	}
}

func TestReceiveCall(t *testing.T) {
	receiver, err := Kinds["segment"].Receiver(Settings{Verify: verify.Config{}})
	if err != nil {
		t.Fatal(err)
	}
	for call, want := range map[string]string{"identify": engine.TypeIdentify, "page": engine.TypePage, "batch": ""} {
		batch, err := receiver.ReceiveCall(call, request("POST", nil, []byte(`{"userId":"u"}`)), noon)
		if err != nil || batch.Events[0].Type != want || (want == "") != (batch.Events[0].Invalid != "") {
			t.Errorf("%s: %+v, error %v", call, batch.Events[0], err)
		}
	}
}

// The guide must name every kind.
func TestGuideIsComplete(t *testing.T) {
	guide, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range Names() {
		if !strings.Contains(string(guide), "kind: "+kind) {
			t.Errorf("README.md does not show a source of kind %s", kind)
		}
	}
}

// FuzzSegmentCoverage signs a part of the body, and holds that an event that is called verified lies in that part: the
// verifier and the decoder must never disagree on which bytes are the first event.
func FuzzSegmentCoverage(f *testing.F) {
	for _, body := range []string{
		`{"type":"alias"}`, `[{"type":"alias"},{"type":"page"}]`, `[{"json":{"type":"alias"}},{"json":{"type":"page"}}]`,
		`[{"json":{"type":"alias"},"json":{"type":"page"}}]`, `[{"js\u006fn":{"type":"alias"},"type":"page"}]`,
		`[{"json":null,"type":"page"}]`, `[{"json":[{"type":"page"}]}]`, `{"batch":[{"type":"alias"}]}`, `[[{"type":"alias"}]]`,
	} {
		for from := range body {
			if body[from] == '{' || body[from] == '[' {
				f.Add([]byte(body), uint(from), uint(strings.IndexByte(body[from:], '}')+1))
				f.Add([]byte(body), uint(from), uint(len(body)-from-1))
			}
		}
	}
	receiver, err := Kinds["segment"].Receiver(Settings{Verify: examples[verify.Segment]})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte, from, size uint) {
		from = min(from, uint(len(body)))
		signed := body[from : from+min(size, uint(len(body))-from)]
		mac := hmac.New(sha1.New, []byte("s"))
		mac.Write(signed)
		header := http.Header{"X-Signature": {hex.EncodeToString(mac.Sum(nil))}}
		batch, err := receiver.Receive(request("POST", header, body), noon)
		if err != nil {
			return
		}
		for i, event := range batch.Events {
			integrated := strings.Contains(string(body), "integrations") || strings.Contains(string(body), `\u`) // added to originals
			if event.Verification == engine.Verified && !integrated && !strings.Contains(string(signed), string(event.Original)) {
				t.Fatalf("event %d of %s is called verified; only %s was signed", i, body, signed)
			}
		}
	})
}
