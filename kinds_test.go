package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"switchyard/adapters"
	"switchyard/adapters/rows"
	"switchyard/adapters/verify"
)

// fixture is one request of a vendor with what is to become of it: the golden pairs of the adapters, here sent through
// the real door.
type fixture struct {
	kind, name, source, method string
	header                     http.Header
	body                       []byte
	verify                     verify.Config
	rows                       rows.Config
	want                       struct {
		Unauthorized *struct{ Code string } `json:"unauthorized"`
		BadRequest   *struct{ Code string } `json:"bad_request"`
		Single       bool                   `json:"single"`
		Events       []fixtureEvent         `json:"events"`
		Answer       json.RawMessage        `json:"answer"`
	}
}

type fixtureEvent struct {
	Type      string `json:"type"`
	Name      string `json:"name"`
	UserID    string `json:"user_id"`
	MessageID string `json:"message_id"`
	Invalid   string `json:"invalid"`
}

// fixtureTime is when the fixtures were signed.
var fixtureTime = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

func fixtures(t *testing.T) []*fixture {
	t.Helper()
	var all []*fixture
	for _, kind := range adapters.Names() {
		inputs, err := filepath.Glob("adapters/" + kind + "/testdata/*.in.http")
		if err != nil || len(inputs) == 0 {
			t.Fatalf("%s has no fixtures: %v", kind, err)
		}
		for n, input := range inputs {
			all = append(all, readFixture(t, kind, strings.TrimSuffix(input, ".in.http"), fmt.Sprintf("%s-%d", kind, n)))
		}
	}
	return all
}

func readFixture(t *testing.T, kind, path, source string) *fixture {
	t.Helper()
	f := &fixture{kind: kind, name: filepath.Base(path), source: source}
	text, err := os.ReadFile(path + ".in.http")
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := cutHead(text)
	method, fields, _ := bytes.Cut(head, []byte("\n"))
	header, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(append(fields, "\n\n"...)))).ReadMIMEHeader()
	if err != nil {
		t.Fatal(err)
	}
	f.method, f.header, f.body = string(method), http.Header(header), body
	for file, into := range map[string]any{path + ".out.json": &f.want, path + ".verify.json": &f.verify, path + ".rows.json": &f.rows} {
		doc, err := os.ReadFile(file)
		if os.IsNotExist(err) && into != any(&f.want) {
			continue
		}
		if err == nil {
			err = json.Unmarshal(doc, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// cutHead parts a fixture at the empty line between its headers and its body.
func cutHead(text []byte) (head, body []byte, found bool) { return bytes.Cut(text, []byte("\n\n")) }

// basic is what HTTP Basic sends for a write key.
func basic(key string) string { return base64.StdEncoding.EncodeToString([]byte(key + ":")) }

// asYAML is a section of the configuration as its file would have it, by the names in the struct's tags.
func asYAML(t *testing.T, section any) string {
	t.Helper()
	object, value := map[string]any{}, reflect.ValueOf(section)
	for i := range value.NumField() {
		name, field := value.Type().Field(i).Tag.Get("yaml"), value.Field(i)
		if name == "" || field.IsZero() {
			continue
		}
		object[name] = field.Interface()
		if duration, ok := field.Interface().(time.Duration); ok {
			object[name] = duration.String()
		}
	}
	return mustJSON(t, object) // which is YAML
}

func fixtureConfig(t *testing.T, all []*fixture) string {
	sources, connections := "", ""
	for _, f := range all {
		sources += fmt.Sprintf("  - {key: %s, kind: %s}\n", f.source, f.kind)
		connections += fmt.Sprintf("      %s: {write_keys: [%s-key]", f.source, f.source)
		if !f.verify.IsZero() {
			connections += ", verify: " + asYAML(t, f.verify)
		}
		if !f.rows.IsZero() {
			connections += ", rows: " + asYAML(t, f.rows)
		}
		connections += "}\n"
	}
	return "sources:\n" + sources + "environments:\n  - key: test\n    connections:\n" + connections + "    rules: [rules.yaml]\n"
}

// Every shape and every proof of every kind, through the real door, and once more as the vendor would repeat it.
func TestEveryKind(t *testing.T) {
	all := fixtures(t)
	i := &instance{t: t, dir: t.TempDir(), log: &logBuffer{}, now: func() time.Time { return fixtureTime }}
	i.write("switchyard.yaml", fixtureConfig(t, all))
	i.write("rules.yaml", "rules:\n  - {key: invoice, match: 'type == \"record\" && name == \"invoice\" && data.amount > 1e9', actions: [{identify: {user_id: user_id}}]}\n")
	i.serve("embedded")
	for _, f := range all {
		t.Run(f.kind+"/"+f.name, func(t *testing.T) {
			i.t = t
			first := f.post(i, f.body)
			f.check(t, first)
			logged := f.logged(t, i)
			for name, repeat := range map[string]reply{
				"POST": f.post(i, f.body), "PUT": f.send(i, http.MethodPut, f.body), "PATCH": f.send(i, http.MethodPatch, f.body),
				"POST of gzip": f.post(i, []byte(gzipped(t, string(f.body)))),
			} {
				if repeat.Status != first.Status {
					t.Errorf("the repeat by %s was answered %d %s, the first %d", name, repeat.Status, repeat.Body, first.Status)
				}
			}
			if again := f.logged(t, i); !slices.Equal(again, logged) {
				t.Errorf("the repeats changed the log from\n%q to\n%q", logged, again)
			}
			f.tamper(t, i)
		})
	}
}

func (f *fixture) post(i *instance, body []byte) reply { return f.send(i, f.method, body) }

func (f *fixture) send(i *instance, method string, body []byte) reply {
	headers := []string{}
	for name, values := range f.header {
		headers = append(headers, name, values[0])
	}
	return i.do(method, i.ingest+"/v1/receive/"+f.source+"-key", string(body), headers...)
}

// check holds the answer against the golden file.
func (f *fixture) check(t *testing.T, answer reply) {
	t.Helper()
	status, code := 200, ""
	switch want := f.want; {
	case want.Unauthorized != nil:
		status, code = 401, want.Unauthorized.Code
	case want.BadRequest != nil:
		status, code = 400, want.BadRequest.Code
	case want.Single && len(want.Events) == 1 && want.Events[0].Invalid != "":
		status, code = 400, "invalid_event"
	}
	if answer.Status != status || !strings.Contains(answer.Body, code) {
		t.Fatalf("answered %d %s, want %d %s", answer.Status, answer.Body, status, code)
	}
	if status != 200 {
		return
	}
	if f.want.Answer != nil {
		if got, want := compact(t, []byte(answer.Body)), compact(t, f.want.Answer); got != want {
			t.Errorf("answered %s\nwant %s", got, want)
		}
		return
	}
	invalid := 0
	for _, event := range f.want.Events {
		if event.Invalid != "" {
			invalid++
		}
	}
	want := fmt.Sprintf(`{"success":true,"accepted":%d,"duplicates":0,"invalid":%d}`, len(f.want.Events)-invalid, invalid)
	if answer.Body != want {
		t.Errorf("answered %s, want %s", answer.Body, want)
	}
}

func compact(t *testing.T, doc []byte) string {
	t.Helper()
	var value any
	if err := json.Unmarshal(doc, &value); err != nil {
		t.Fatalf("%s: %v", doc, err)
	}
	return mustJSON(t, value)
}

// logged are the events of the fixture's connection that were neither repeats nor invalid, and have an id to be repeated
// by: what a repeat must not add to.
func (f *fixture) logged(t *testing.T, i *instance) []string {
	t.Helper()
	var page listOf[struct {
		fixtureEvent
		Outcome string
	}]
	eventually(t, "everything is decided", func() bool {
		i.get(testEnvironment+"/events?limit=500&source="+url.QueryEscape(f.source), &page)
		return !slices.ContainsFunc(page.Items, func(e struct {
			fixtureEvent
			Outcome string
		}) bool {
			return e.Outcome == "pending"
		})
	})
	var list []string
	for _, e := range page.Items {
		if e.MessageID != "" && e.Outcome != "duplicate" && e.Outcome != "invalid" {
			list = append(list, strings.Join([]string{e.Type, e.Name, e.UserID, e.MessageID}, " "))
		}
	}
	slices.Sort(list)
	want := 0
	for _, e := range f.want.Events {
		if e.Invalid == "" && e.MessageID != "" {
			want++
			if one := strings.Join([]string{e.Type, e.Name, e.UserID, e.MessageID}, " "); !slices.Contains(list, one) {
				t.Errorf("%s is not on the log: %q", one, list)
			}
		}
	}
	if len(list) != want {
		t.Errorf("%d events on the log, want %d: %q", len(list), want, list)
	}
	return list
}

// signing are the schemes whose proof covers the body.
var signing = []string{verify.Segment, verify.Jitsu, verify.Census, verify.StandardWebhooks, verify.HMAC}

// tamper changes one byte of what was signed.
func (f *fixture) tamper(t *testing.T, i *instance) {
	at := bytes.IndexByte(f.body, '"') + 1
	if !slices.Contains(signing, f.verify.Scheme) || f.want.Unauthorized != nil || at == 0 {
		return
	}
	body := slices.Clone(f.body)
	body[at] ^= 1
	if answer := f.post(i, body); answer.Status != http.StatusUnauthorized {
		t.Errorf("with one byte changed it was answered %d %s", answer.Status, answer.Body)
	}
}

// proofs has one complete way to prove a sender for each scheme, as the sender has it and as we do: with two secrets live,
// the sender's being the second.
var proofs = map[string]struct{ sender, ours verify.Config }{
	verify.Segment: both(verify.Config{Scheme: verify.Segment}),
	verify.Jitsu:   both(verify.Config{Scheme: verify.Jitsu}),
	verify.Census:  both(verify.Config{Scheme: verify.Census}),
	verify.Bearer:  both(verify.Config{Scheme: verify.Bearer}),
	verify.Basic:   both(verify.Config{Scheme: verify.Basic, Username: "ann"}),
	verify.Header:  both(verify.Config{Scheme: verify.Header, Header: "X-Secret"}),
	verify.Query:   both(verify.Config{Scheme: verify.Query, Parameter: "token"}),
	verify.HMAC: both(verify.Config{Scheme: verify.HMAC, Header: "X-Sig", Algorithm: "sha512", Encoding: "base64", Prefix: "v0=",
		Signed: "{ts}.{body}", TimestampHeader: "X-Time", TimestampFormat: "unix_ms"}),
	verify.StandardWebhooks: {
		sender: verify.Config{Scheme: verify.StandardWebhooks, Secrets: []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}},
		ours:   verify.Config{Scheme: verify.StandardWebhooks, Secrets: []string{"whsec_b2xkIHNlY3JldA==", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}},
	},
	"jitsu ed25519": {
		sender: verify.Config{Scheme: verify.Jitsu, Algorithm: "ed25519", Secrets: []string{"whsk_" + rfc8032Seed}},
		ours:   verify.Config{Scheme: verify.Jitsu, Algorithm: "ed25519", Secrets: []string{rfc8032Public}},
	},
	"hmac ed25519": {
		sender: verify.Config{Scheme: verify.HMAC, Algorithm: "ed25519", Header: "X-Signature-Ed25519", Signed: "{ts}{body}",
			TimestampHeader: "X-Signature-Timestamp", Secrets: []string{"whsk_" + rfc8032Seed}},
		ours: verify.Config{Scheme: verify.HMAC, Algorithm: "ed25519", Header: "X-Signature-Ed25519", Signed: "{ts}{body}",
			TimestampHeader: "X-Signature-Timestamp", Secrets: []string{rfc8032Public}},
	},
	"standard-webhooks v1a": {
		sender: verify.Config{Scheme: verify.StandardWebhooks, Secrets: []string{"whsk_" + rfc8032Seed}},
		ours:   verify.Config{Scheme: verify.StandardWebhooks, Secrets: []string{"whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="}},
	},
}

// The first test key of RFC 8032, 7.1.
const (
	rfc8032Public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
	rfc8032Seed   = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
)

func both(cfg verify.Config) (p struct{ sender, ours verify.Config }) {
	p.sender, p.ours = cfg, cfg
	p.sender.Secrets, p.ours.Secrets = []string{"the-second"}, []string{"the-first", "the-second"}
	return p
}

// Every kind proves itself in every way that it can, through the real door: either of two live secrets opens it, and one
// changed byte of the body, of what is signed with it, or of the secret does not.
func TestEveryProof(t *testing.T) {
	type proof struct {
		kind, name, key string
		sender          verify.Config
	}
	var all []proof
	sources, connections := "", ""
	for _, kind := range adapters.Names() {
		for name, p := range proofs {
			if !slices.Contains(adapters.Kinds[kind].Schemes, p.ours.Scheme) {
				continue
			}
			key := fmt.Sprintf("p%d", len(all))
			all = append(all, proof{kind, name, key, p.sender})
			sources += fmt.Sprintf("  - {key: %s, kind: %s}\n", key, kind)
			connections += fmt.Sprintf("      %s: {write_keys: [%s-key], verify: %s}\n", key, key, asYAML(t, p.ours))
		}
	}
	i := start(t, "embedded", map[string]string{"switchyard.yaml": "sources:\n" + sources + "environments:\n  - key: test\n    connections:\n" + connections})
	post := func(p proof, m *adapters.Message) int {
		headers := []string{}
		for name, values := range m.Header {
			headers = append(headers, name, values[0])
		}
		url := i.ingest + "/v1/receive/" + p.key + "-key"
		if len(m.Query) > 0 {
			url += "?" + m.Query.Encode()
		}
		return i.do(m.Method, url, string(m.Body), headers...).Status
	}
	for _, p := range all {
		t.Run(p.kind+"/"+p.name, func(t *testing.T) {
			i.t = t
			event := `{"type":"track","event":"e","userId":"u","messageId":"m","properties":{"n":1}}`
			if p.kind == "polytomic" {
				event = `{"user_id":"u","n":1}`
			}
			message := func(cfg verify.Config) *adapters.Message {
				m, err := adapters.Kinds[p.kind].Request([]byte(event), cfg, time.Now())
				if err != nil {
					t.Fatal(err)
				}
				return m
			}
			if status := post(p, message(p.sender)); status != 200 {
				t.Errorf("its own proof is answered %d", status)
			}
			if first := p.sender; len(first.Secrets) == 1 && first.Secrets[0] == "the-second" {
				first.Secrets = []string{"the-first"}
				if status := post(p, message(first)); status != 200 {
					t.Errorf("the other live secret is answered %d", status)
				}
				first.Secrets = []string{"the-secone"}
				if status := post(p, message(first)); status != 401 {
					t.Errorf("a secret that differs in one letter is answered %d", status)
				}
			}
			none := message(p.sender)
			none.Header, none.Query = http.Header{}, nil
			if status := post(p, none); status != 401 {
				t.Errorf("no proof at all is answered %d", status)
			}
			for name, values := range message(p.sender).Header {
				if name == "Content-Type" {
					continue
				}
				changed := message(p.sender)
				value := []byte(values[0])
				value[len(value)/2] ^= 1
				changed.Header[name] = []string{string(value)}
				if status := post(p, changed); status != 401 {
					t.Errorf("with one byte of %s changed it is answered %d", name, status)
				}
			}
			if slices.Contains(signing, p.sender.Scheme) {
				changed := message(p.sender)
				changed.Body = bytes.Replace(changed.Body, []byte(`"n":1`), []byte(`"n":2`), 1)
				if status := post(p, changed); status != 401 {
					t.Errorf("with one byte of the body changed it is answered %d", status)
				}
			}
		})
	}
}

// The published vectors, through the real door; and each with one byte changed.
func TestPublishedVectors(t *testing.T) {
	const track = `{"type":"track","event":"test_event","messageId":"m1"}`
	for name, v := range map[string]struct {
		kind   string
		verify verify.Config
		body   string
		at     int64
		header map[string]string
		// invalid is for a vector whose body is no event: its proof is good, and it is refused for what it is.
		invalid bool
	}{
		"Standard Webhooks v1": {"http", verify.Config{Scheme: verify.StandardWebhooks, Secrets: []string{"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}, `{"test": 2432232314}`, 1614265330,
			map[string]string{"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330", "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}, true},
		"Standard Webhooks v1a": {"http", verify.Config{Scheme: verify.StandardWebhooks, Secrets: []string{"whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="}}, `{"test": 2432232314}`, 1614265330,
			map[string]string{"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330", "webhook-signature": "v1a,fldxM4gAKugP6nnt1hdz3sgGfZ6d99nzrMFnZOELIxbzEHoVmAb2ADpkJK7zgPePmPsle0zV9jSeGlHFG2NVAw=="}, true},
		"Segment":                    {"segment", verify.Config{Scheme: verify.Segment, Secrets: []string{"abc123"}}, `{"cool":true}`, 0, map[string]string{"X-Signature": "5099cab379b3be52908387457007040cc934ef86"}, true},
		"Segment, the first element": {"segment", verify.Config{Scheme: verify.Segment, Secrets: []string{"abc123"}}, `[{"cool":false},{"cool":true}]`, 0, map[string]string{"X-Signature": "c702b94a2569dd8d2f7185ce0ae951021bef4706"}, false},
		"Segment, the whole batch":   {"segment", verify.Config{Scheme: verify.Segment, Secrets: []string{"abc123"}, BatchSignature: "whole"}, `[{"cool":false},{"cool":true}]`, 0, map[string]string{"X-Signature": "685cf04ec172d3adcac0b8f25c923bb4d56ed1eb"}, false},
		"Jitsu":                      {"jitsu", verify.Config{Scheme: verify.Jitsu, Secrets: []string{"super-secret-key"}}, track, 1000, map[string]string{"Jitsu-Signature": "a31ab5a3eac21f9bda8c96ff188db16ea69a6bb798b1ecab028c562cb3db455a", "Jitsu-Signature-Timestamp": "1000"}, false},
		"Jitsu, without a time":      {"jitsu", verify.Config{Scheme: verify.Jitsu, Secrets: []string{"super-secret-key"}}, track, 0, map[string]string{"Jitsu-Signature": "0b39b546de1181561c2ee43798c100cbd36a9c6b762e096e35cdcda59df5f875"}, false},
		"Jitsu, Ed25519": {"jitsu", verify.Config{Scheme: verify.Jitsu, Algorithm: "ed25519", Secrets: []string{rfc8032Public}}, track, 1000,
			map[string]string{"Jitsu-Signature": "1e710abe9e432087671fab8c611819c1ab334e781a11377d90baaf9c46f8552401c100a4e18a297c9e21d6b6b331286aac3fe711ddf55daf4790b73a8b2edb0a", "Jitsu-Signature-Timestamp": "1000"}, false},
		"Census": {"census", verify.Config{Scheme: verify.Census, Secrets: []string{"census-secret"}}, `{"workspace_id":3167,"sync_id":3167956,"sync_run_id":324399613,"event":"sync.triggered"}`, 0, map[string]string{"X-Signature": "9HOHeVwpWXt8M/2e0UrOH4CFrudO+1MG0XjgCfk5fdw="}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := &instance{t: t, dir: t.TempDir(), log: &logBuffer{}}
			if v.at != 0 {
				i.now = func() time.Time { return time.Unix(v.at, 0) }
			}
			i.write("switchyard.yaml", fmt.Sprintf("sources: [{key: v, kind: %s}]\nenvironments: [{key: test, connections: {v: {write_keys: [key], verify: %s}}}]\n", v.kind, asYAML(t, v.verify)))
			i.serve("embedded")
			post := func(body string, header map[string]string) int {
				headers := []string{}
				for name, value := range header {
					headers = append(headers, name, value)
				}
				return i.do(http.MethodPost, i.ingest+"/v1/receive/key", body, headers...).Status
			}
			want := 200
			if v.invalid {
				want = 400
			}
			if status := post(v.body, v.header); status != want {
				t.Errorf("answered %d, want %d", status, want)
			}
			changed := []byte(v.body)
			changed[3] ^= 1
			if status := post(string(changed), v.header); status != 401 {
				t.Errorf("with one byte of the body changed it is answered %d", status)
			}
			for name, value := range v.header {
				header := maps.Clone(v.header)
				other := []byte(value)
				other[len(other)/2] ^= 1
				header[name] = string(other)
				if status := post(v.body, header); status != 401 {
					t.Errorf("with one byte of %s changed it is answered %d", name, status)
				}
			}
		})
	}
}

// The vendors ask whether anybody is here before they send; nobody is told without the write key.
func TestEveryKindAnswersProbes(t *testing.T) {
	all := fixtures(t)
	i := &instance{t: t, dir: t.TempDir(), log: &logBuffer{}}
	i.write("switchyard.yaml", strings.Replace(fixtureConfig(t, all), "    rules: [rules.yaml]\n", "", 1))
	i.serve("embedded")
	probed := map[string]bool{}
	for _, f := range all {
		if probed[f.kind] {
			continue
		}
		probed[f.kind] = true
		for _, method := range []string{http.MethodHead, http.MethodPost} {
			if answer := i.do(method, i.ingest+"/v1/receive/"+f.source+"-key", ""); answer.Status != 200 {
				t.Errorf("%s %s: %d %s", f.kind, method, answer.Status, answer.Body)
			}
		}
	}
	if len(probed) != 8 {
		t.Errorf("%d kinds, want 8", len(probed))
	}
}
