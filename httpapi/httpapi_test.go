package httpapi

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"

	"switchyard/engine"
)

func TestFailuresAreOnesThatSendersUnderstand(t *testing.T) {
	wrapped := func(err error) error { return fmt.Errorf("while accepting: %w", err) }
	for _, test := range []struct {
		err    error
		status int
		code   string
	}{
		{&engine.BadRequest{Code: "malformed_json", Message: "m"}, 400, "malformed_json"},
		{wrapped(&engine.BadRequest{Code: "too_deep", Message: "m"}), 400, "too_deep"},
		{&engine.Unauthorized{Code: "bad_signature", Message: "m"}, 401, "bad_signature"},
		{wrapped(engine.ErrUnavailable), 503, "unavailable"},
		{engine.ErrNotFound, 404, "not_found"},
		{engine.ErrBadCursor, 400, "bad_cursor"},
		{engine.ErrNotDead, 409, "not_dead"},
		{engine.ErrNotEnded, 409, "not_ended"},
		{engine.ErrNoPayload, 409, "no_payload"},
		{engine.ErrNonceUsed, 409, "nonce_used"},
		{fiber.ErrRequestEntityTooLarge, 413, "too_large"},
		{fiber.ErrUnsupportedMediaType, 400, "bad_request"},
		{fiber.ErrNotImplemented, 400, "bad_request"},
		{fiber.ErrGone, 400, "bad_request"},
		{errors.New("a secret of ours"), 500, "internal"},
	} {
		answer := failureOf(test.err)
		if answer.Status != test.status || answer.Code != test.code || answer.Message == "" {
			t.Errorf("%v: %+v", test.err, answer)
		}
		if slices.Contains([]int{410, 415, 451, 501}, answer.Status) || answer.Status/100 == 3 {
			t.Errorf("%v is answered %d, which real senders misread", test.err, answer.Status)
		}
		if (answer.Status == 503) != (answer.RetryAfter > 0) {
			t.Errorf("%v: Retry-After %d", test.err, answer.RetryAfter)
		}
		if strings.Contains(answer.Message, "secret") {
			t.Errorf("an internal error is told to strangers: %s", answer.Message)
		}
	}
}

func TestStampIsRFC3339WithMillisecondsInUTC(t *testing.T) {
	for at, want := range map[time.Time]string{
		time.Date(2026, 1, 2, 3, 4, 5, 6_700_000, time.FixedZone("", 5*3600+1800)): `"2026-01-01T21:34:05.006Z"`,
		time.Unix(0, 0): `"1970-01-01T00:00:00.000Z"`,
		(time.Time{}):   `null`,
	} {
		if doc, err := json.Marshal(stamp(at)); err != nil || string(doc) != want {
			t.Errorf("%s: %s, %v; want %s", at, doc, err, want)
		}
	}
}

func TestLoopbackHost(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST:8081": true, "127.0.0.1:8081": true, "127.8.9.1": true, "[::1]:80": true, "::1": true,
		"example.com": false, "localhost.example.com": false, "10.0.0.1": false, "": false, "127.0.0.1.example.com": false,
	} {
		if loopbackHost(host) != want {
			t.Errorf("%q: want %v", host, want)
		}
	}
}

func compress(t *testing.T, body []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestGunzipIsBounded(t *testing.T) {
	small := []byte(`{"type":"track"}`)
	body, err := gunzip(compress(t, small))
	if err != nil || !bytes.Equal(body, small) {
		t.Errorf("%q, %v", body, err)
	}
	// Repetitive, but below the size from which the ratio counts.
	if _, err := gunzip(compress(t, bytes.Repeat([]byte("a"), ratioFree))); err != nil {
		t.Errorf("a megabyte of one letter: %v", err)
	}
	for name, raw := range map[string][]byte{
		"past the ratio": compress(t, bytes.Repeat([]byte("a"), ratioFree+1<<20)),
		"past the size":  compress(t, bytes.Repeat([]byte("0123456789abcdef"), MaxBody/16+1)),
	} {
		if _, err := gunzip(raw); err != error(tooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, raw := range [][]byte{{0x1f, 0x8b}, compress(t, small)[:12], append([]byte{0x1f, 0x8b}, small...)} {
		if _, err := gunzip(raw); err != error(badGzip) {
			t.Errorf("%x: %v", raw, err)
		}
	}
}

type remembering struct{ bodies []string }

func (r *remembering) Append(_ context.Context, events []*engine.Event) error {
	for _, event := range events {
		event.ID = "e0-1-1"
	}
	return nil
}

func (r *remembering) receive(request *engine.Request, _ time.Time) (engine.Batch, error) {
	r.bodies = append(r.bodies, string(request.Body))
	return engine.Batch{Events: []*engine.Event{{Type: "track"}}, Single: true}, nil
}

func serveOne(t *testing.T) (*remembering, string) {
	t.Helper()
	log, doors := &remembering{}, &Doors{}
	receiveCall := func(_ string, request *engine.Request, now time.Time) (engine.Batch, error) {
		return log.receive(request, now)
	}
	doors.Swap(map[string]*Door{"key": {Connection: &engine.Connection{Environment: "e", Source: "s"}, Log: log,
		Receive: log.receive, ReceiveCall: receiveCall}})
	metrics := engine.NewMetrics(prometheus.NewRegistry())
	app := NewIngest(IngestOptions{Doors: doors, Acceptor: &engine.Acceptor{Metrics: metrics}, Metrics: metrics,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), WriteKeyOf: func([]byte) string { return "" }})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = app.Listener(listener) }()
	t.Cleanup(func() { _ = app.ShutdownWithTimeout(time.Second) })
	return log, listener.Addr().String()
}

// What a request is refused for must never be read as the beginning of the next one on its connection.
func TestABodyIsNeverTakenForTheNextRequest(t *testing.T) {
	smuggled := "POST /v1/receive/key HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nsmuggled"
	for name, first := range map[string]string{
		"unknown key":    fmt.Sprintf("POST /v1/receive/nobody HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(smuggled), smuggled),
		"unknown path":   fmt.Sprintf("POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(smuggled), smuggled),
		"unknown method": fmt.Sprintf("DELETE /v1/receive/key HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(smuggled), smuggled),
		"chunked":        fmt.Sprintf("POST /v1/receive/nobody HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(smuggled), smuggled),
		"long":           fmt.Sprintf("POST /v1/receive/nobody HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s%s", 20000+len(smuggled), strings.Repeat("x", 20000), smuggled),
		"multipart":      fmt.Sprintf("POST /v1/receive/nobody HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n\r\n%s", len(smuggled), smuggled),
	} {
		t.Run(name, func(t *testing.T) {
			log, address := serveOne(t)
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			honest := "POST /v1/receive/key HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhonest"
			if _, err := io.WriteString(conn, first+honest); err != nil {
				t.Fatal(err)
			}
			in := bufio.NewReader(conn)
			refused, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, refused.Body)
			if refused.StatusCode/100 != 4 {
				t.Errorf("answered %d", refused.StatusCode)
			}
			answer, err := http.ReadResponse(in, nil)
			if err != nil || answer.StatusCode != 200 {
				t.Fatalf("the next request: %v %v", answer, err)
			}
			if !slices.Equal(log.bodies, []string{"honest"}) {
				t.Errorf("received %q", log.bodies)
			}
		})
	}
}

func TestATooLargeBodyIsAnsweredThoughItIsStillBeingSent(t *testing.T) {
	_, address := serveOne(t)
	for name, body := range map[string]io.Reader{
		"with its length": bytes.NewReader(make([]byte, 5<<20)),
		"chunked":         io.LimitReader(neverEnding{}, 5<<20),
		"40 MiB":          bytes.NewReader(make([]byte, 40<<20)),
	} {
		answer, err := http.Post("http://"+address+"/v1/receive/key", "application/json", body)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		answer.Body.Close()
		if answer.StatusCode != 413 {
			t.Errorf("%s: %d", name, answer.StatusCode)
		}
	}
}

type neverEnding struct{}

func (neverEnding) Read(p []byte) (int, error) { return len(p), nil }
