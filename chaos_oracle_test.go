package main

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// oracle is the destination's other end: it applies effects, fails, stalls and answers late by a seeded choice, honours
// effect keys as a good target does, and remembers what it applied to whom in which order.
type oracle struct {
	url   string
	seed  uint64
	well  bool // nothing fails
	found *findings

	mu      sync.Mutex
	calls   int
	repeats int
	// asked counts the attempts of each effect, on which the choice depends and not on which came first.
	asked map[place]int
	// applied are the effects by their keys, keys the key of each place, and latest the newest of each user.
	applied map[string]application
	keys    map[place]string
	latest  map[string]place
}

// place is where an effect stands: its user, the number of the message and the index of the action.
type place struct {
	user  string
	seq   int64
	index int
}

func (p place) String() string { return fmt.Sprintf("%s-m%d.%d", p.user, p.seq, p.index) }

func (p place) before(other place) bool {
	return p.seq < other.seq || p.seq == other.seq && p.index < other.index
}

// application is the first time that an effect was applied.
type application struct {
	place
	action string
	at     time.Time
}

func startOracle(t *testing.T, seed uint64, well bool, found *findings) *oracle {
	o := &oracle{
		seed: seed, well: well, found: found, asked: map[place]int{}, applied: map[string]application{}, keys: map[place]string{},
		latest: map[string]place{},
	}
	server := httptest.NewServer(http.HandlerFunc(o.serve))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	o.url = server.URL
	return o
}

// told is what the destination sends; see chaos_build.go.
type told struct {
	Key, Action, User string
	Index             int
	Seq               int64
}

func (o *oracle) serve(w http.ResponseWriter, r *http.Request) {
	var e told
	if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
		if r.Context().Err() == nil {
			o.found.add(notAsked, "an effect can not be read: %v", err)
		}
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	switch choice := o.choose(place{e.User, e.Seq, e.Index}); {
	case o.well || choice < 80: // as it should be
		o.apply(e)
	case choice < 87:
		w.WriteHeader(http.StatusInternalServerError)
	case choice < 93: // done, and told otherwise
		o.apply(e)
		w.WriteHeader(http.StatusInternalServerError)
	case choice < 96:
		o.stall(r)
		w.WriteHeader(http.StatusInternalServerError)
	default: // done, and told too late
		o.apply(e)
		o.stall(r)
	}
}

// choose is 0 to 99, by the seed, the effect and how often it was asked for.
func (o *oracle) choose(of place) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls++
	o.asked[of]++
	hash := fnv.New64a()
	fmt.Fprintf(hash, "%s %d", of, o.asked[of])
	return rand.New(rand.NewPCG(o.seed, hash.Sum64())).IntN(100)
}

// stall waits until the caller has given up.
func (o *oracle) stall(r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-time.After(stormPatience * 3 / 2):
	}
}

func (o *oracle) apply(e told) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, repeat := o.applied[e.Key]; repeat {
		o.repeats++
		return
	}
	at := place{e.User, e.Seq, e.Index}
	o.applied[e.Key] = application{place: at, action: e.Action, at: time.Now()}
	if key := o.keys[at]; key != "" {
		o.found.add(appliedTwice, "%s: as %s, and as %s of action %s", at, key, e.Key, e.Action)
		return
	}
	o.keys[at] = e.Key
	if latest := o.latest[e.User]; latest.user != "" && at.before(latest) {
		o.found.add(outOfOrder, "%s (action %s) after %s", at, e.Action, latest)
		return
	}
	o.latest[e.User] = at
}
