package adapters

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchyard/engine"
)

var update = flag.Bool("update", false, "write the golden files anew")

var noon = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

// outcome is what a golden file shows of a request.
type outcome struct {
	Unauthorized *engine.Unauthorized `json:"unauthorized,omitempty"`
	BadRequest   *engine.BadRequest   `json:"bad_request,omitempty"`
	Single       bool                 `json:"single,omitempty"`
	Events       []view               `json:"events,omitempty"`
	// Answer is the vendor's own reply once all events are stored.
	Answer any `json:"answer,omitempty"`
}

// view is an event as a golden file shows it.
type view struct {
	Type         string              `json:"type,omitempty"`
	Name         string              `json:"name,omitempty"`
	UserID       string              `json:"user_id,omitempty"`
	MessageID    string              `json:"message_id,omitempty"`
	Timestamp    time.Time           `json:"timestamp"`
	Verification engine.Verification `json:"verification"`
	Data         json.RawMessage     `json:"data,omitempty"`
	Traits       json.RawMessage     `json:"traits,omitempty"`
	Context      json.RawMessage     `json:"context,omitempty"`
	Original     json.RawMessage     `json:"original"`
	Invalid      string              `json:"invalid,omitempty"`
	Notes        []string            `json:"notes,omitempty"`
	DedupeFor    string              `json:"dedupe_for,omitempty"`
	StateKey     string              `json:"state_key,omitempty"`
}

// TestGolden posts each kind's fixtures, testdata/NAME.in.http with the verification of NAME.verify.json and the rows of
// NAME.rows.json, and compares what becomes of them with NAME.out.json.
func TestGolden(t *testing.T) {
	for _, kind := range Names() {
		inputs, err := filepath.Glob(kind + "/testdata/*.in.http")
		if err != nil || len(inputs) == 0 {
			t.Errorf("%s has no fixtures: %v", kind, err)
		}
		for _, input := range inputs {
			name := strings.TrimSuffix(input, ".in.http")
			t.Run(kind+"/"+filepath.Base(name), func(t *testing.T) { checkGolden(t, Kinds[kind], name) })
		}
	}
}

func checkGolden(t *testing.T, kind Kind, name string) {
	settings := Settings{Objects: []engine.Object{{Name: "invoice", Fields: []engine.Field{{Name: "amount", Type: "number"}}}}}
	read(t, name+".verify.json", &settings.Verify)
	read(t, name+".rows.json", &settings.Rows)
	receiver, err := kind.Receiver(settings)
	if err != nil {
		t.Fatal(err)
	}
	batch, err := receiver.Receive(requestOf(t, name+".in.http"), noon)
	got := outcomeOf(t, batch, err)
	if *update {
		if err := os.WriteFile(name+".out.json", got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name + ".out.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s reads as\n%s\nwant\n%s", name, got, want)
	}
}

// read fills what into points to from a file, if there is one.
func read(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err == nil {
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		err = decoder.Decode(into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// cutHead parts a fixture at the empty line between its headers and its body.
func cutHead(text []byte) (head, body []byte, found bool) { return bytes.Cut(text, []byte("\n\n")) }

// requestOf reads a fixture: the method, the headers, an empty line, and the body to the end of the file.
func requestOf(t *testing.T, file string) *engine.Request {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := cutHead(text)
	method, fields, _ := bytes.Cut(head, []byte("\n"))
	header, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(append(fields, "\n\n"...)))).ReadMIMEHeader()
	if err != nil {
		t.Fatal(err)
	}
	return request(string(method), http.Header(header), body)
}

func request(method string, header http.Header, body []byte) *engine.Request {
	message := Message{Method: method, Header: header, Body: body}
	return message.Received()
}

func outcomeOf(t *testing.T, batch engine.Batch, err error) []byte {
	t.Helper()
	seen := outcome{Single: batch.Single}
	if err != nil && !errors.As(err, &seen.Unauthorized) && !errors.As(err, &seen.BadRequest) {
		t.Fatalf("error %v is none of ours", err)
	}
	for _, e := range batch.Events {
		one := view{e.Type, e.Name, e.UserID, e.MessageID, e.Timestamp, e.Verification, e.Data,
			e.Traits, e.Context, e.Original, e.Invalid, e.Notes, "", e.StateKey}
		if e.DedupeFor > 0 {
			one.DedupeFor = e.DedupeFor.String()
		}
		seen.Events = append(seen.Events, one)
		e.ID = "stored"
	}
	if batch.Answer != nil {
		seen.Answer = batch.Answer()
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(seen); err != nil {
		t.Fatal(err)
	}
	return text.Bytes()
}

func encodeJSON(t *testing.T, value any) []byte {
	t.Helper()
	doc, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}
