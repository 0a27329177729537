package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"switchyard/adapters/deliver/dial"
	"switchyard/engine"
)

// secret and other are keys of 24 bytes.
const (
	secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
	other  = "whsec_YWJjZGVmZ2hpamFiY2RlZmdoaWphYmNk"
)

var trigger = &engine.Action{
	Environment: "production", EventID: "e1-2-3", Rule: "welcome", Index: 1, Kind: engine.ActionTrigger,
	Trigger: &engine.Trigger{Workflow: "welcome", Recipients: []engine.Recipient{{ID: "sam"}}, Data: map[string]any{"plan": "pro"}},
}

func destination(t *testing.T, at string, change func(*Settings)) *Destination {
	t.Helper()
	settings := Settings{URL: at, Secrets: []string{secret}, Client: dial.Client(dial.Settings{AllowPrivate: true})}
	if change != nil {
		change(&settings)
	}
	d, err := New(settings)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// signatureOf is written from the specification, beside the code that it checks.
func signatureOf(secret, id, at string, body []byte) string {
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + at + "." + string(body)))
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// The example of the specification's reference libraries.
func TestTheKnownSignature(t *testing.T) {
	d := destination(t, "https://hooks.example/", func(s *Settings) {
		s.Secrets = []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
		s.Now = func() time.Time { return time.Unix(1614265330, 0) }
	})
	header := http.Header{}
	d.sign(header, "msg_p5jXN8AQM9LWM0D4loKWxJek", []byte(`{"test": 2432232314}`))
	if got := header.Get("Webhook-Signature"); got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("%s", got)
	}
}

func TestTheRequest(t *testing.T) {
	var got *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		fmt.Fprint(w, "thank you")
	}))
	defer server.Close()
	d := destination(t, server.URL+"/hook?x=1", func(s *Settings) {
		s.Secrets = []string{other, secret}
		s.Headers = map[string]string{"x-team": "growth"}
	})
	result, err := d.Perform(context.Background(), trigger)
	if err != nil || string(result.Body) != `{"status":200,"response":"thank you"}` {
		t.Fatalf("%s %v", result.Body, err)
	}
	want := `{"id":"` + trigger.EffectKey("") + `","type":"trigger","environment":"production","rule":"welcome","event_id":"e1-2-3",` +
		`"payload":{"workflow":"welcome","recipients":["sam"],"data":{"plan":"pro"}}}`
	if string(body) != want || got.Method != "POST" || got.URL.String() != "/hook?x=1" || got.Header.Get("X-Team") != "growth" || got.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %s %v %s", got.Method, got.URL, got.Header, body)
	}
	id, at := got.Header.Get("Webhook-Id"), got.Header.Get("Webhook-Timestamp")
	signatures := []string{signatureOf(other, id, at, body), signatureOf(secret, id, at, body)}
	if id != trigger.EffectKey("") || !slices.Equal(strings.Fields(got.Header.Get("Webhook-Signature")), signatures) {
		t.Errorf("%v, want %v", got.Header, signatures)
	}
	if _, err := d.Perform(context.Background(), trigger); err != nil || got.Header.Get("Webhook-Id") != id {
		t.Errorf("another attempt has the id %s, not %s: %v", got.Header.Get("Webhook-Id"), id, err)
	}
	identify := &engine.Action{Kind: engine.ActionIdentify, Identify: &engine.Identify{UserID: "sam", Traits: map[string]any{"name": "Sam"}}}
	if _, err := d.Perform(context.Background(), identify); err != nil || !strings.Contains(string(body), `"type":"identify"`) || !strings.Contains(string(body), `"payload":{"user_id":"sam","traits":{"name":"Sam"}}`) {
		t.Errorf("%s %v", body, err)
	}
}

func TestAnswers(t *testing.T) {
	type verdict struct {
		final, closed bool
		wait          time.Duration
	}
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		status int
		after  string
		ok     bool
		want   verdict
	}{
		{status: 200, ok: true}, {status: 204, ok: true}, {status: 299, ok: true},
		{status: 301, want: verdict{final: true}}, {status: 307, want: verdict{final: true}},
		{status: 400, want: verdict{final: true}}, {status: 401, want: verdict{final: true}}, {status: 404, want: verdict{final: true}}, {status: 422, want: verdict{final: true}},
		{status: 408}, {status: 409}, {status: 425}, {status: 500}, {status: 502}, {status: 599},
		{status: 429, after: "30", want: verdict{wait: 30 * time.Second}},
		{status: 503, after: "Thu, 01 Jan 2026 12:02:00 GMT", want: verdict{wait: 2 * time.Minute}},
		{status: 503, after: "Thu, 01 Jan 2026 11:02:00 GMT"}, {status: 503, after: "soon"}, {status: 503, after: "-1"},
		{status: 410, want: verdict{closed: true}},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", test.after)
			w.Header().Set("Location", "http://127.0.0.1/elsewhere")
			w.WriteHeader(test.status)
		}))
		d := destination(t, server.URL, func(s *Settings) { s.Now = func() time.Time { return now } })
		result, err := d.Perform(context.Background(), trigger)
		server.Close()
		if (err == nil) != test.ok || !strings.Contains(string(result.Body), fmt.Sprintf(`"status":%d`, test.status)) {
			t.Errorf("%d: %s %v", test.status, result.Body, err)
			continue
		}
		wait, _ := engine.AskedWait(err)
		if got := (verdict{engine.IsPermanent(err), engine.IsClosed(err), wait}); got != test.want {
			t.Errorf("%d, Retry-After %q: %+v, want %+v", test.status, test.after, got, test.want)
		}
	}
}

// What is secret never comes into the log, and what is long comes in part.
func TestExcerpts(t *testing.T) {
	for answer, want := range map[string]string{
		"plain":                              "plain",
		"your secret is " + secret:           "your secret is [secret]",
		"you sent token-12345678 and no":     "you sent [header] and no",
		"\xff\xfe broken":                    "\uFFFD broken",
		strings.Repeat("é", 600):             strings.Repeat("é", 512) + "…",
		strings.Repeat("x", 3) + "\x00 null": "xxx\x00 null",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, answer) }))
		d := destination(t, server.URL, func(s *Settings) { s.Headers = map[string]string{"Authorization": "token-12345678", "X": "no"} })
		result, err := d.Perform(context.Background(), trigger)
		server.Close()
		var got struct{ Response string }
		if json.Unmarshal(result.Body, &got); err != nil || got.Response != want {
			t.Errorf("%.40q: %.60q %v, want %.60q", answer, got.Response, err, want)
		}
	}
}

// A hostile receiver costs bounded time and memory, and the log says what it did.
func TestHostileReceivers(t *testing.T) {
	for name, serve := range map[string]func(net.Conn){
		"closes at once":   func(c net.Conn) {},
		"slow header":      func(c net.Conn) { trickle(c, "HTTP/1.1 200 OK\r\nX: ") },
		"endless header":   func(c net.Conn) { flood(c, "HTTP/1.1 200 OK\r\n", "X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n") },
		"no HTTP":          func(c net.Conn) { fmt.Fprint(c, "SSH-2.0-OpenSSH_9.6\r\n") },
		"a body too short": func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 500 x\r\nContent-Length: 100\r\n\r\nshort") },
	} {
		at := raw(t, serve)
		ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
		_, err := destination(t, "http://"+at, nil).Perform(ctx, trigger)
		cancel()
		if err == nil || engine.IsPermanent(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	at := raw(t, func(c net.Conn) { flood(c, "HTTP/1.1 200 OK\r\n\r\n", strings.Repeat("z", 1<<10)) })
	result, err := destination(t, "http://"+at, nil).Perform(context.Background(), trigger)
	if err != nil || len(result.Body) > 2*excerptBytes {
		t.Errorf("an endless body: %d bytes are kept, %v", len(result.Body), err)
	}
	at = raw(t, func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 200 OK\r\n\r\n"); trickle(c, "") })
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if _, err := destination(t, "http://"+at, nil).Perform(ctx, trigger); err != nil {
		t.Errorf("a body that does not end, of an answer that is 200: %v", err)
	}
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	if _, err := destination(t, secure.URL, nil).Perform(context.Background(), trigger); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate that nobody has signed: %v", err)
	}
}

// raw listens, reads the beginning of a request from each connection and answers as told.
func raw(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = conn.Read(make([]byte, 4096))
				serve(conn)
			}()
		}
	}()
	return listener.Addr().String()
}

func trickle(c net.Conn, begin string) {
	for _, err := fmt.Fprint(c, begin); err == nil; _, err = c.Write([]byte("x")) {
		time.Sleep(20 * time.Millisecond)
	}
}

func flood(c net.Conn, begin, more string) {
	for _, err := fmt.Fprint(c, begin); err == nil; _, err = fmt.Fprint(c, more) {
	}
}

func TestSettings(t *testing.T) {
	sound := Settings{URL: "https://hooks.example/x", Secrets: []string{secret}}
	for name, test := range map[string]struct {
		change func(*Settings)
		want   string
	}{
		"sound":           {func(*Settings) {}, ""},
		"no url":          {func(s *Settings) { s.URL = "" }, "url must be one of http or https"},
		"another scheme":  {func(s *Settings) { s.URL = "file:///etc/passwd" }, "url must be one of http or https"},
		"a password":      {func(s *Settings) { s.URL = "https://a:b@hooks.example" }, "must not hold a user"},
		"no secret":       {func(s *Settings) { s.Secrets = nil }, "secret is missing"},
		"a plain secret":  {func(s *Settings) { s.Secrets = []string{secret, "hunter2"} }, "secret 2 must begin with whsec_"},
		"no base64":       {func(s *Settings) { s.Secrets = []string{"whsec_!!"} }, "secret 1 must be whsec_ and base64"},
		"a short secret":  {func(s *Settings) { s.Secrets = []string{"whsec_AAAA"} }, "secret 1 has 3 bytes"},
		"own header":      {func(s *Settings) { s.Headers = map[string]string{"webhook-id": "x"} }, "Webhook-Id is the webhook's own"},
		"broken name":     {func(s *Settings) { s.Headers = map[string]string{"a b": "x"} }, "no name of a header"},
		"header injected": {func(s *Settings) { s.Headers = map[string]string{"X": "a\r\nY: b"} }, "control character"},
	} {
		settings := sound
		test.change(&settings)
		_, err := New(settings)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
		if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "MDEy")) {
			t.Errorf("%s: the error has the secret: %v", name, err)
		}
	}
}

func TestNothingToSend(t *testing.T) {
	if _, err := destination(t, "http://127.0.0.1:1", nil).Perform(context.Background(), &engine.Action{Kind: "identify"}); !engine.IsPermanent(err) {
		t.Errorf("%v", err)
	}
}
