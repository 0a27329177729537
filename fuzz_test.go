package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"

	"switchyard/adapters"
	"switchyard/adapters/rows"
	"switchyard/adapters/spec"
	"switchyard/engine"
	"switchyard/httpapi"
)

// everything is an event log that takes all there is.
type everything struct{}

func (everything) Append(_ context.Context, events []*engine.Event) error {
	for n, event := range events {
		event.ID = fmt.Sprintf("e0-1-%d", n)
	}
	return nil
}

// fuzzedDoors are two connections of each kind, one of them with its own say on rows, and their addresses.
func fuzzedDoors(f *testing.F) (doors *httpapi.Doors, paths []string) {
	byKey := map[string]*httpapi.Door{}
	for _, kind := range adapters.Names() {
		for n, settings := range []adapters.Settings{{}, {Rows: rows.Config{As: rows.AsIdentify, IDColumn: "id"}}} {
			if n == 1 && !adapters.Kinds[kind].Rows {
				continue
			}
			receiver, err := adapters.Kinds[kind].Receiver(settings)
			if err != nil {
				f.Fatal(err)
			}
			key := fmt.Sprintf("%s-%d", kind, n)
			byKey[key] = &httpapi.Door{
				Connection: &engine.Connection{Environment: "fuzz", Source: kind}, Log: everything{},
				Receive: receiver.Receive, ReceiveCall: receiver.ReceiveCall,
			}
			paths = append(paths, "/v1/receive/"+key)
			if n == 0 {
				paths = append(paths, "/v1/batch?key="+key, "/api/s/track?key="+key)
			}
		}
	}
	doors = &httpapi.Doors{}
	doors.Swap(byKey)
	return doors, paths
}

// FuzzDoor posts any bytes to any kind, through the real door: nothing panics, nothing is a fault of ours, every answer
// is JSON with a status that real senders understand, and every event that is taken can be stored.
func FuzzDoor(f *testing.F) {
	doors, paths := fuzzedDoors(f)
	metrics := engine.NewMetrics(prometheus.NewRegistry())
	handle := httpapi.NewIngest(httpapi.IngestOptions{
		Doors: doors, Acceptor: &engine.Acceptor{Metrics: metrics}, Metrics: metrics, WriteKeyOf: spec.WriteKeyOf,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: func() time.Time { return fixtureTime },
	}).Handler()
	for _, pattern := range []string{"adapters/*/testdata/*.in.http", "adapters/spec/testdata/*.in.json"} {
		inputs, err := filepath.Glob(pattern)
		if err != nil || len(inputs) == 0 {
			f.Fatalf("no seeds in %s: %v", pattern, err)
		}
		for n, input := range inputs {
			text, err := os.ReadFile(input)
			if err != nil {
				f.Fatal(err)
			}
			_, body, found := cutHead(text)
			if !found {
				body = text
			}
			f.Add(uint8(n), body)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		path := paths[int(which)%len(paths)]
		var ctx fasthttp.RequestCtx
		ctx.Request.Header.SetMethod(http.MethodPost)
		ctx.Request.SetRequestURI(path)
		ctx.Request.Header.Set("X-Write-Key", string(ctx.Request.URI().QueryArgs().Peek("key")))
		ctx.Request.Header.Set("Authorization", "Basic "+basic(string(ctx.Request.URI().QueryArgs().Peek("key"))))
		ctx.Request.SetBody(body)
		handle(&ctx)
		status := ctx.Response.StatusCode()
		if status != 200 && status != 400 && status != 413 {
			t.Fatalf("%s: %q was answered %d %s", path, body, status, ctx.Response.Body())
		}
		if !json.Valid(ctx.Response.Body()) {
			t.Fatalf("%s: the answer %q is not JSON", path, ctx.Response.Body())
		}
	})
}
