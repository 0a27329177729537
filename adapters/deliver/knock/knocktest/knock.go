// Package knocktest is a double of Knock's API for tests and demonstrations. It enforces the rules that Knock publishes,
// keeps its users in memory, notifies nobody, and records what happened. Its clock and its chance can be given.
//
// Where a rule comes from is said beside it, by the page of https://docs.knock.app: [errors], [limits] and [idempotency] are
// /api-reference/overview/errors, …/rate-limits and …/idempotent-requests, [openapi] is the OpenAPI document, [trigger] is
// /send-notifications/triggering-workflows/api, [identify] is /managing-recipients/identifying-recipients. What is marked
// [assumed] is not published; the double does what is hardest for a client.
package knocktest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// DefaultAPIKey is the only key that is let in, unless the options name another.
const DefaultAPIKey = "sk_test_switchyard"

// Options are how the double behaves; the zero value is Knock as it is published, which answers at once.
type Options struct {
	APIKey string
	// Limits are calls in a second of each endpoint; PublishedLimits when nil. One that is not listed has none.
	Limits map[Endpoint]int
	// Latency of each call, and the most that chance adds to it.
	Latency, Jitter time.Duration
	// BulkTime is how long after its call a bulk operation is carried out, and BulkJitter the most that chance adds.
	BulkTime, BulkJitter time.Duration
	// StrictBulk refuses a bulk with a user that is not valid as a whole, instead of listing the user among the errors of
	// the operation. [assumed]: which of the two Knock does is not published.
	StrictBulk bool
	// RefuseLarge answers 422 to a trigger of more than 1,000 recipients, instead of 200 without processing it. [assumed]:
	// published is only that it is not processed and that an error is logged.
	RefuseLarge bool
	// Workflows are the keys that exist; nil for any.
	Workflows []string
	// Now and After are the clock; time.Now and time.After when nil.
	Now   func() time.Time
	After func(time.Duration) <-chan time.Time
	// Seed of chance.
	Seed uint64
}

// Endpoint is a kind of call.
type Endpoint string

// The endpoints.
const (
	PutUser       Endpoint = "PUT /v1/users/{id}"
	GetUser       Endpoint = "GET /v1/users/{id}"
	DeleteUser    Endpoint = "DELETE /v1/users/{id}"
	BulkIdentify  Endpoint = "POST /v1/users/bulk/identify"
	BulkOperation Endpoint = "GET /v1/bulk_operations/{id}"
	Trigger       Endpoint = "POST /v1/workflows/{key}/trigger"
)

// PublishedLimits are those of [limits], for one environment; the tiers of the endpoints are those of [openapi].
func PublishedLimits() map[Endpoint]int {
	return map[Endpoint]int{PutUser: 60, GetUser: 200, DeleteUser: 5, BulkIdentify: 1, BulkOperation: 200, Trigger: 1000}
}

// Knock is the double: an http.Handler.
type Knock struct {
	options Options

	mu         sync.Mutex
	chance     *rand.Rand
	windows    map[Endpoint][]time.Time
	users      map[string]*User
	operations map[string]*operation
	pending    []*operation
	keys       map[string]remembered
	runs       []Run
	calls      map[Call]int
	complaints []string
	outage     Outage
	odds       float64
	// over is closed when an outage ends, so that what hangs goes on.
	over chan struct{}
}

var _ http.Handler = (*Knock)(nil)

// New makes a double without users.
func New(options Options) *Knock {
	if options.APIKey == "" {
		options.APIKey = DefaultAPIKey
	}
	if options.Limits == nil {
		options.Limits = PublishedLimits()
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.After == nil {
		options.After = time.After
	}
	return &Knock{
		options: options, chance: rand.New(rand.NewPCG(options.Seed, 1)), windows: map[Endpoint][]time.Time{},
		users: map[string]*User{}, operations: map[string]*operation{}, keys: map[string]remembered{},
		calls: map[Call]int{}, over: make(chan struct{}),
	}
}

// bodyMost bounds what is read of a request, in bytes; [assumed], above the 10 MB that a trigger's data may have.
const bodyMost = 24 << 20

// ServeHTTP implements http.Handler. A call that an outage cuts off panics with http.ErrAbortHandler, as handlers do.
func (k *Knock) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, bodyMost+1))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	before, after := k.delays()
	k.wait(r, before)
	cut := k.trouble(w, r)
	if cut == handled {
		return
	}
	answer := k.answer(r, body)
	if cut == replyLost {
		k.count(answer.endpoint, 0)
		panic(http.ErrAbortHandler)
	}
	k.count(answer.endpoint, answer.status)
	k.wait(r, after)
	answer.write(w)
}

// wait lets time pass; a caller that has gone is not answered.
func (k *Knock) wait(r *http.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-k.options.After(d):
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	}
}

func (k *Knock) delays() (before, after time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.options.Latency/2 + k.upTo(k.options.Jitter/2), k.options.Latency/2 + k.upTo(k.options.Jitter/2)
}

func (k *Knock) upTo(most time.Duration) time.Duration {
	if most <= 0 {
		return 0
	}
	return time.Duration(k.chance.Int64N(int64(most)))
}

// answer is a response.
type answer struct {
	endpoint Endpoint
	status   int
	header   http.Header
	body     any
}

func (a answer) write(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	if a.body != nil {
		json.NewEncoder(w).Encode(a.body)
	}
}

// failure is an error as [errors] has it: {"code","message","status","type"}.
func failure(status int, code, message string) answer {
	return answer{status: status, body: map[string]any{
		"code": code, "message": message, "status": status, "type": typeOf(status),
	}}
}

func typeOf(status int) string {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "authentication_error"
	case http.StatusTooManyRequests:
		return "rate_limit_error"
	}
	if status >= 500 {
		return "api_error"
	}
	return "invalid_request_error"
}

// invalid is a 422 with errors in one of the two forms that occur, one object or an array: [openapi] has both.
func invalid(message string, asArray bool, field, what string) answer {
	a := failure(http.StatusUnprocessableEntity, "invalid_params", message)
	one := map[string]any{"type": "invalid", "field": field, "message": what}
	if asArray {
		a.body.(map[string]any)["errors"] = []any{one}
	} else {
		a.body.(map[string]any)["errors"] = one
	}
	return a
}

// answer decides on one call, all at once.
func (k *Knock) answer(r *http.Request, body []byte) answer {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.options.Now()
	k.carryOut(now)
	endpoint, name := route(r)
	a := k.admit(r, endpoint, now)
	if a.status == 0 {
		a = k.dispatch(r, endpoint, name, body, now)
	}
	a.endpoint = endpoint
	return a
}

// admit refuses a wrong key (401, [errors]), an unknown path (in a form of its own, [errors]), and what is above the limit (429, [limits]); status is 0 else.
func (k *Knock) admit(r *http.Request, endpoint Endpoint, now time.Time) answer {
	switch {
	case r.Header.Get("Authorization") != "Bearer "+k.options.APIKey:
		return failure(http.StatusUnauthorized, "invalid_api_key", "the API key is not valid")
	case endpoint == "":
		return answer{status: http.StatusNotFound, body: map[string]any{"errors": map[string]any{"detail": "404 Not Found"}}}
	case !k.within(endpoint, now):
		a := failure(http.StatusTooManyRequests, "rate_limit_exceeded", "too many requests")
		a.header = http.Header{"Retry-After": {"1"}} // whole seconds, RFC 9110, 10.2.3
		return a
	}
	return answer{}
}

// within counts a call against its limit. Any second counts, not only those of the clock: [assumed], the strictest way.
// A refused call does not count.
func (k *Knock) within(endpoint Endpoint, now time.Time) bool {
	limit, limited := k.options.Limits[endpoint]
	if !limited {
		return true
	}
	window := k.windows[endpoint]
	for len(window) > 0 && now.Sub(window[0]) >= time.Second {
		window = window[1:]
	}
	if len(window) >= limit {
		k.windows[endpoint] = window
		return false
	}
	k.windows[endpoint] = append(window, now)
	return true
}

// route names a call, and the id or key in its path. A segment is taken as it was sent and unescaped once.
func route(r *http.Request) (endpoint Endpoint, name string) {
	segments := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	for i, segment := range segments {
		if plain, err := url.PathUnescape(segment); err == nil {
			segments[i] = plain
		}
	}
	at := func(method string, pattern ...string) bool {
		if r.Method != method || len(segments) != len(pattern) {
			return false
		}
		for i, want := range pattern {
			if want == "*" {
				name = segments[i]
			} else if want != segments[i] {
				return false
			}
		}
		return true
	}
	switch {
	case at(http.MethodPost, "v1", "users", "bulk", "identify"):
		return BulkIdentify, ""
	case at(http.MethodPut, "v1", "users", "*"):
		return PutUser, name
	case at(http.MethodGet, "v1", "users", "*"):
		return GetUser, name
	case at(http.MethodDelete, "v1", "users", "*"):
		return DeleteUser, name
	case at(http.MethodGet, "v1", "bulk_operations", "*"):
		return BulkOperation, name
	case at(http.MethodPost, "v1", "workflows", "*", "trigger"):
		return Trigger, name
	}
	return "", ""
}

func (k *Knock) dispatch(r *http.Request, endpoint Endpoint, name string, body []byte, now time.Time) answer {
	var object map[string]any
	if r.Method == http.MethodPut || r.Method == http.MethodPost {
		if len(body) > bodyMost {
			return failure(http.StatusRequestEntityTooLarge, "request_too_large", "the request is too large")
		}
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.UseNumber()
		if err := decoder.Decode(&object); err != nil || object == nil {
			return failure(http.StatusBadRequest, "invalid_json", "the body must be a JSON object")
		}
	}
	switch endpoint {
	case PutUser:
		return k.putUser(name, object, now)
	case GetUser:
		return k.getUser(name)
	case DeleteUser:
		delete(k.users, name)
		return answer{status: http.StatusNoContent}
	case BulkIdentify:
		return k.bulkIdentify(object, now)
	case BulkOperation:
		return k.bulkOperation(name, now)
	}
	return k.triggered(r.Header.Get("Idempotency-Key"), name, object, body, now)
}

// uuid is a new one, the same in every run with the same seed.
func (k *Knock) uuid() string {
	a, b := k.chance.Uint64(), k.chance.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", uint32(a>>32), uint16(a>>16), a&0xfff, b>>52, b&0xffffffffffff)
}
