package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"switchyard/engine/redislog/redistest"
)

// instance is a server in this process, for one test.
type instance struct {
	t             *testing.T
	server        *server
	dir           string
	ingest, admin string
	log           *logBuffer
	now           func() time.Time // the clock of the ingest door; nil for the real one
	stop          func()
}

type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// start serves a folder of files with switchyard.yaml among them.
func start(t *testing.T, redis string, files map[string]string) *instance {
	t.Helper()
	i := &instance{t: t, dir: t.TempDir(), log: &logBuffer{}}
	for name, text := range files {
		i.write(name, text)
	}
	i.serve(redis)
	return i
}

func (i *instance) write(name, text string) {
	i.t.Helper()
	path := filepath.Join(i.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		i.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		i.t.Fatal(err)
	}
}

func (i *instance) serve(redis string) {
	i.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	options := serving{
		file: filepath.Join(i.dir, "switchyard.yaml"), redis: redis, listen: "127.0.0.1:0", adminListen: "127.0.0.1:0", now: i.now,
	}
	logger := slog.New(slog.NewTextHandler(i.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	up, ended := make(chan *server, 1), make(chan error, 1)
	go func() { ended <- runServer(ctx, options, logger, func(s *server) { up <- s }) }()
	select {
	case i.server = <-up:
	case err := <-ended:
		cancel()
		i.t.Fatalf("the server did not start: %v\n%s", err, i.log)
	case <-time.After(30 * time.Second):
		cancel()
		i.t.Fatalf("the server did not start in time\n%s", i.log)
	}
	i.ingest, i.admin = "http://"+i.server.ingest.address(), "http://"+i.server.admin.address()
	i.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			i.t.Errorf("the server ended with %v", err)
		}
	})
	i.t.Cleanup(i.stop)
}

// reply is an answer with its body read.
type reply struct {
	Status int
	Header http.Header
	Body   string
}

func (i *instance) do(method, url, body string, headers ...string) reply {
	i.t.Helper()
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		i.t.Fatal(err)
	}
	for h := 0; h+1 < len(headers); h += 2 {
		request.Header.Set(headers[h], headers[h+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		i.t.Fatalf("%s %s: %v", method, url, err)
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		i.t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, string(read)}
}

// post sends to a write key and wants a status.
func (i *instance) post(key, body string, status int) reply {
	i.t.Helper()
	answer := i.do(http.MethodPost, i.ingest+"/v1/receive/"+key, body)
	if answer.Status != status {
		i.t.Fatalf("%.200s: answered %d %s, want %d", body, answer.Status, answer.Body, status)
	}
	return answer
}

const testEnvironment = "/api/v1/environments/test"

// get reads the management API into a value and wants 200.
func (i *instance) get(path string, into any) {
	i.t.Helper()
	answer := i.do(http.MethodGet, i.admin+path, "")
	if answer.Status != http.StatusOK {
		i.t.Fatalf("GET %s: %d %s", path, answer.Status, answer.Body)
	}
	if err := json.Unmarshal([]byte(answer.Body), into); err != nil {
		i.t.Fatalf("GET %s: %v", path, err)
	}
}

// settled waits for the newest event with a message id to be decided and done.
func (i *instance) settled(messageID string) eventRecord {
	i.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	record, err := client{base: i.admin}.settled(ctx, "test", messageID)
	if err != nil {
		i.t.Fatalf("%v\n%s", err, i.log)
	}
	return record
}

// eventually waits for a state that nothing announces.
func eventually(t *testing.T, what string, reached func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !reached(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

// onBothStores runs a test on the embedded store and on a real Redis.
func onBothStores(t *testing.T, test func(t *testing.T, redis string)) {
	t.Run("embedded", func(t *testing.T) { test(t, "embedded") })
	t.Run("redis", func(t *testing.T) { test(t, redistest.Start(t).URL()) })
}

// signup is a set-up with one verified and one open connection and a rule that welcomes.
var signup = map[string]string{
	"switchyard.yaml": `
sources:
  - {key: web, kind: segment, name: Website}
  - {key: api, kind: http, name: Anything}
environments:
  - key: test
    partitions: 4
    connections:
      web: {write_keys: [web-key], verify: {scheme: segment, secrets: [web-secret]}, identify_users: true}
      api: {write_keys: [api-key], identify_users: true}
    rules: [rules.yaml]
`,
	"rules.yaml": `
rules:
  - key: welcome
    match: type == "track" && name == "user-signed-up"
    actions:
      - trigger:
          workflow: welcome
          recipients: properties.recipients
          data: omit(properties, "recipients")
`,
}
