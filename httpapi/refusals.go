package httpapi

import (
	"sync"
	"time"
)

// Refusals are what each connection was refused, since this process started: nothing of it is on the event log, and
// whoever connects a platform needs to see it.
type Refusals struct {
	mu           sync.Mutex
	byConnection map[connectionKey]*refusal
}

// connectionKey names a connection; its zero value stands for write keys that nobody knows.
type connectionKey struct{ environment, source string }

type refusal struct {
	RefusalView
	toldAt time.Time
}

// RefusalView is what was refused, as the API shows it.
type RefusalView struct {
	Count   uint64 `json:"count"`
	LastAt  stamp  `json:"last_at"`
	Code    string `json:"last_code"`
	Message string `json:"last_message"`
}

// tellEvery is how often the log tells of one connection's refusals.
const tellEvery = time.Minute

// note counts a refusal, and reports whether the log should tell of it: of the first, and then once in a while.
func (r *Refusals) note(key connectionKey, why *failure, now time.Time) (tell bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byConnection == nil {
		r.byConnection = map[connectionKey]*refusal{}
	}
	of := r.byConnection[key]
	if of == nil { // there are as many as the configuration has had connections
		of = &refusal{}
		r.byConnection[key] = of
	}
	of.RefusalView = RefusalView{of.Count + 1, stamp(now), why.Code, why.Message}
	if tell = of.toldAt.IsZero() || now.Sub(of.toldAt).Abs() >= tellEvery; tell {
		of.toldAt = now
	}
	return tell
}

// Of is what a connection was refused; nil for nothing.
func (r *Refusals) Of(environment, source string) *RefusalView {
	r.mu.Lock()
	defer r.mu.Unlock()
	of := r.byConnection[connectionKey{environment, source}]
	if of == nil {
		return nil
	}
	view := of.RefusalView
	return &view
}
