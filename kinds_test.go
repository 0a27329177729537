package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
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
			repeat := f.post(i, f.body)
			if repeat.Status != first.Status {
				t.Errorf("the repeat was answered %d %s, the first %d", repeat.Status, repeat.Body, first.Status)
			}
			if again := f.logged(t, i); !slices.Equal(again, logged) {
				t.Errorf("the repeat changed the log from\n%q to\n%q", logged, again)
			}
			f.tamper(t, i)
		})
	}
}

func (f *fixture) post(i *instance, body []byte) reply {
	headers := []string{}
	for name, values := range f.header {
		headers = append(headers, name, values[0])
	}
	return i.do(f.method, i.ingest+"/v1/receive/"+f.source+"-key", string(body), headers...)
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
