package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fastjson"

	"switchyard/adapters"
	"switchyard/adapters/deliver/directory"
	"switchyard/adapters/spec"
	"switchyard/adapters/verify"
	"switchyard/engine"
	"switchyard/engine/redislog"
	"switchyard/engine/redislog/redistest"
	"switchyard/httpapi"
	"switchyard/rules"
)

// segmentTrack is a track as Segment's web library sends it, 1.3 KB.
var segmentTrack = func() string {
	doc := `{"type":"track","event":"user-signed-up","userId":"user-%d","anonymousId":"507f191e810c19729de860ea","messageId":"ajs-next-1705312800000-%d",` +
		`"timestamp":"2026-01-15T10:00:00.123Z","originalTimestamp":"2026-01-15T10:00:00.120Z","sentAt":"2026-01-15T10:00:00.500Z","channel":"browser","version":2,` +
		`"properties":{"plan":"pro","account_id":"acme-4711","seats":25,"total":1299.5,"currency":"EUR","coupon":null,"trial":false,"recipients":[{"id":"user-%d","name":"Sam Seely","email":"sam@example.com"}],"items":[{"sku":"A-1","qty":2},{"sku":"B-2","qty":1}]},` +
		`"context":{"ip":"203.0.113.7","locale":"en-US","timezone":"Europe/Berlin","userAgent":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",` +
		`"library":{"name":"analytics.js","version":"next-1.64.0"},"page":{"path":"/signup","referrer":"https://www.example.com/pricing","search":"?utm_source=newsletter&utm_campaign=winter","title":"Sign up","url":"https://app.example.com/signup?utm_source=newsletter&utm_campaign=winter"},` +
		`"campaign":{"source":"newsletter","name":"winter"},"screen":{"width":1920,"height":1080,"density":2},"os":{"name":"Mac OS X","version":"10.15.7"},"userAgentData":{"mobile":false,"platform":"macOS"},"app":{"build":"4711","version":"2.14.0"}},"integrations":{"All":true}}`
	return doc
}()

func track(n int) []byte { return fmt.Appendf(nil, segmentTrack, n, n, n) }

// TestBenchTable prints the figures of one run side by side: `make bench`. Every request figure stands beside a no-op
// handler given the same bytes by the same client on the same cores, for only their ratio means anything elsewhere.
func TestBenchTable(t *testing.T) {
	if os.Getenv("SWITCHYARD_BENCH") == "" {
		t.Skip("a benchmark: make bench runs it")
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "\nper event of %d bytes\tns\tof a parse\tallocations\tbytes\t\n", len(track(1)))
	parse := quickest(benchFastjson, 3) // the measure for the others
	for _, row := range []struct {
		name string
		run  func(*testing.B)
		most float64 // times a parse by fastjson; 0 for no limit
	}{
		{"one parse by fastjson, for comparison", benchFastjson, 0},
		{"decode and verify its HMAC, segment", benchDecode, 5},
		{"match, no rule wants it (100 rules)", benchMatch("nobody-wants-this"), 0},
		{"match, one of 100 rules and its payload", benchMatch("user-signed-up"), 0},
		{"act (trigger with inline recipient, Redis)", benchAct, 0},
	} {
		r := testing.Benchmark(row.run)
		if row.most > 0 {
			if times := quickest(row.run, 3) / parse; times > row.most {
				t.Errorf("%s takes %.1f times a parse by fastjson, want at most %.0f", row.name, times, row.most)
			}
		}
		fmt.Fprintf(table, "%s\t%d\t%.1f\t%d\t%d\t\n", row.name, r.NsPerOp(), float64(r.NsPerOp())/parse, r.AllocsPerOp(), r.AllocedBytesPerOp())
	}
	fmt.Fprint(table, "\ningest over HTTP, 64 connections\trequests/s\tof no-op\tp50 ms\tp99 ms\t\n")
	noop := load(t, serveNoop(t), "")
	for _, row := range []struct {
		name   string
		result loadResult
	}{
		{"no-op Fiber handler, the same bytes", noop},
		{"ingest, embedded store", load(t, serveIngest(t, "embedded"), "/v1/receive/bench-key")},
		{"ingest, Redis, AOF every second", load(t, serveIngest(t, redistest.Start(t, "--appendfsync", "everysec").URL()), "/v1/receive/bench-key")},
	} {
		fmt.Fprintf(table, "%s\t%.0f\t%.0f%%\t%.2f\t%.2f\t\n", row.name, row.result.rate, 100*row.result.rate/noop.rate,
			row.result.p50.Seconds()*1e3, row.result.p99.Seconds()*1e3)
	}
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
}

// quickest is the least that something took in a few measurements, in ns: what else the machine does only adds to it.
func quickest(run func(*testing.B), times int) float64 {
	least := math.Inf(1)
	for range times {
		least = min(least, float64(testing.Benchmark(run).NsPerOp()))
	}
	return least
}

// benchFastjson is the cost of looking at every byte once, by a parser known to be fast.
func benchFastjson(b *testing.B) {
	body := track(1)
	var parser fastjson.Parser
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parser.ParseBytes(body); err != nil {
			b.Fatal(err)
		}
	}
}

func benchDecode(b *testing.B) {
	cfg := verify.Config{Scheme: verify.Segment, Secrets: []string{"secret"}}
	body := track(1)
	proof, err := verify.Sign(cfg, body, "", time.Now())
	if err != nil {
		b.Fatal(err)
	}
	receiver, err := adapters.Kinds["segment"].Receiver(adapters.Settings{Verify: cfg})
	if err != nil {
		b.Fatal(err)
	}
	request := &engine.Request{Method: "POST", Body: body, Header: proof.Header.Get, Query: func(string) string { return "" }}
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if batch, err := receiver.Receive(request, now); err != nil || batch.Events[0].Invalid != "" {
			b.Fatal(err)
		}
	}
}

func hundredRules(b testing.TB) *rules.Set {
	var text strings.Builder
	text.WriteString("rules:\n")
	for n := range 100 {
		name := fmt.Sprintf("event-%d", n)
		if n == 50 {
			name = "user-signed-up"
		}
		fmt.Fprintf(&text, "  - key: r%d\n    match: type == \"track\" && name == %q && data.plan in [\"pro\", \"team\"]\n"+
			"    actions: [{trigger: {workflow: welcome, recipients: properties.recipients, data: 'pick(data, \"plan\", \"seats\")'}}]\n", n, name)
	}
	file, err := rules.Parse("bench.yaml", []byte(text.String()))
	if err != nil {
		b.Fatal(err)
	}
	set, err := rules.Compile("bench", []*rules.File{file})
	if err != nil {
		b.Fatal(err)
	}
	return set
}

func decodeTrack(b testing.TB, n int) *engine.Event {
	batch, err := spec.Decode(track(n), spec.Options{Now: time.Now()})
	if err != nil {
		b.Fatal(err)
	}
	return batch.Events[0]
}

func benchMatch(name string) func(*testing.B) {
	return func(b *testing.B) {
		set, event := hundredRules(b), decodeTrack(b, 1)
		event.Environment, event.Name = "bench", name
		b.ReportAllocs()
		for b.Loop() {
			if decision := set.Decide(event); (decision != nil) != (name == "user-signed-up") {
				b.Fatal("the wrong rules matched")
			}
		}
	}
}

func benchAct(b *testing.B) {
	log, err := redislog.Open(b.Context(), redislog.Options{URL: redistest.Start(b, "--appendfsync", "everysec").URL()})
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	set, destination := hundredRules(b), directory.New(log.Directory(), nil)
	var n atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			event := decodeTrack(b, int(n.Add(1)))
			event.Environment, event.ID = "bench", fmt.Sprintf("e0-1-%s", event.MessageID)
			if _, err := destination.Perform(context.Background(), set.Decide(event).Actions[0]); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func serveNoop(t *testing.T) string {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Post("/", func(c *fiber.Ctx) error { return c.SendString(`{"success":true}`) })
	return listenFor(t, app)
}

func serveIngest(t *testing.T, url string) string {
	log, err := redislog.Open(t.Context(), redislog.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	environment, err := log.Environment(t.Context(), "bench", 8, redislog.EnvOptions{Events: time.Hour, Actions: time.Hour, Dedupe: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	receiver, err := adapters.Kinds["segment"].Receiver(adapters.Settings{Verify: verify.Config{}})
	if err != nil {
		t.Fatal(err)
	}
	doors, metrics := &httpapi.Doors{}, engine.NewMetrics(prometheus.NewRegistry())
	doors.Swap(map[string]*httpapi.Door{"bench-key": {
		Connection: &engine.Connection{Environment: "bench", Source: "web"}, Log: environment,
		Receive: receiver.Receive, ReceiveCall: receiver.ReceiveCall,
	}})
	return listenFor(t, httpapi.NewIngest(httpapi.IngestOptions{
		Doors: doors, Acceptor: &engine.Acceptor{Metrics: metrics}, Metrics: metrics,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), WriteKeyOf: spec.WriteKeyOf,
	}))
}

func listenFor(t *testing.T, app *fiber.App) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = app.Listener(listener) }()
	t.Cleanup(func() { _ = app.ShutdownWithTimeout(time.Second) })
	return listener.Addr().String()
}

type loadResult struct {
	requests int
	rate     float64 // a second
	p50, p99 time.Duration
}

// load posts events for three seconds after one of warming up.
func load(t *testing.T, address, path string) loadResult {
	var n atomic.Int64
	body := func() []byte { return track(int(n.Add(1))) }
	urls := []string{"http://" + address + path}
	bombard(t, urls, time.Second, body)
	return bombard(t, urls, 3*time.Second, body)
}

// bombard posts bodies with 64 connections, to one URL beside the other.
func bombard(t *testing.T, urls []string, period time.Duration, body func() []byte) loadResult {
	t.Helper()
	client := &fasthttp.Client{MaxConnsPerHost: 64}
	var mu sync.Mutex
	var all []time.Duration
	var group sync.WaitGroup
	deadline := time.Now().Add(period)
	for worker := range 64 {
		group.Go(func() {
			var mine []time.Duration
			request, response := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
			request.SetRequestURI(urls[worker%len(urls)])
			request.Header.SetMethod("POST")
			for time.Now().Before(deadline) {
				request.SetBody(body())
				started := time.Now()
				if err := client.Do(request, response); err != nil || response.StatusCode() != 200 {
					t.Errorf("%d %v %s", response.StatusCode(), err, response.Body())
					return
				}
				mine = append(mine, time.Since(started))
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, mine...)
		})
	}
	group.Wait()
	if len(all) == 0 {
		t.Fatal("no request came through")
	}
	return loadResult{len(all), float64(len(all)) / period.Seconds(), percentile(all, 50), percentile(all, 99)}
}

func percentile(all []time.Duration, percent int) time.Duration {
	slices.Sort(all)
	return all[(len(all)-1)*percent/100]
}
