package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
)

// What a batch meets on its way, one attempt after the other; the attempts after these reach the server and are answered
// by it. The last two are the nasty ones: the server has the events, and the sender is told otherwise.
var troubles = []trouble{throttled, unavailable, stored, cut}

type trouble int

const (
	throttled   trouble = iota // 429 with a Retry-After
	unavailable                // 503
	stored                     // the server stores it; answered 503
	cut                        // the server stores it; the connection breaks before the answer
	none
)

// troubled stands between an SDK and the server.
type troubled struct {
	t        *testing.T
	server   *httputil.ReverseProxy
	mu       sync.Mutex
	attempts map[string]int // by the first message id of the batch
}

func troubledRoad(t *testing.T, server string) (*troubled, string) {
	t.Helper()
	target, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	road := &troubled{t: t, server: httputil.NewSingleHostReverseProxy(target), attempts: map[string]int{}}
	listening := httptest.NewServer(road)
	t.Cleanup(listening.Close)
	return road, listening.URL
}

func (p *troubled) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		p.t.Errorf("reading what an SDK sent: %v", err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	switch p.next(body) {
	case throttled:
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	case unavailable:
		w.WriteHeader(http.StatusServiceUnavailable)
	case stored:
		p.forward(r)
		w.WriteHeader(http.StatusServiceUnavailable)
	case cut:
		p.forward(r)
		panic(http.ErrAbortHandler)
	case none:
		p.server.ServeHTTP(w, r)
	}
}

// forward keeps the answer to itself.
func (p *troubled) forward(r *http.Request) {
	answer := httptest.NewRecorder()
	p.server.ServeHTTP(answer, r)
	if answer.Code != http.StatusOK {
		p.t.Errorf("the server answered %d %s", answer.Code, answer.Body)
	}
}

// next is what happens to this attempt of a batch.
func (p *troubled) next(body []byte) trouble {
	p.mu.Lock()
	defer p.mu.Unlock()
	id := firstMessageID(p.t, body)
	attempt := p.attempts[id]
	p.attempts[id]++
	if attempt < len(troubles) {
		return troubles[attempt]
	}
	return none
}

func firstMessageID(t *testing.T, body []byte) string {
	if bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		inflater, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			t.Errorf("an SDK's gzip: %v", err)
			return ""
		}
		if body, err = io.ReadAll(inflater); err != nil {
			t.Errorf("an SDK's gzip: %v", err)
		}
	}
	var sent struct {
		Batch []struct {
			MessageID string `json:"messageId"`
		} `json:"batch"`
	}
	if err := json.Unmarshal(body, &sent); err != nil || len(sent.Batch) == 0 {
		t.Errorf("an SDK sent no batch: %v %.300s", err, body)
		return ""
	}
	return sent.Batch[0].MessageID
}

// Whatever a batch meets on its way, its events are there in the end: all of them, once, in order.
func TestSDKsUnderTrouble(t *testing.T) {
	for _, s := range sdks {
		if !s.retries {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			i, calls := s.serve(t), s.calls(t)
			road, url := troubledRoad(t, i.ingest)
			s.run(t, url, s.key, calls)
			events, duplicates := i.arrived(len(calls))
			// Each batch is stored at the third attempt, and repeated by the fourth and the fifth.
			if want := 2 * len(calls); duplicates != want {
				t.Errorf("%d repeats were recognised, want %d", duplicates, want)
			}
			for id, attempts := range road.attempts {
				if attempts != len(troubles)+1 {
					t.Errorf("the batch of %s was sent %d times, want %d", id, attempts, len(troubles)+1)
				}
			}
			s.compare(t, events, calls)
		})
	}
}
