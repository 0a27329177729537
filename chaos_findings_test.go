package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// breach is what a violation breaks.
type breach string

const (
	notAccepted  breach = "a message was not acknowledged, or wrongly"
	notDecided   breach = "an event was lost, or decided wrongly or not once"
	notEnded     breach = "an action is missing, too many, or has not succeeded"
	notApplied   breach = "an effect was not applied"
	appliedTwice breach = "an effect was applied twice"
	notAsked     breach = "something was applied that nobody asked for"
	outOfOrder   breach = "the effects of a user were applied out of order"
	notSettled   breach = "not all came to rest"
	badProcess   breach = "a process did not do as it was told"
	notVerified  breach = "verify found something"
)

// findings gathers violations, each with the ids of what it is about.
type findings struct {
	began time.Time

	mu    sync.Mutex
	found map[breach][]string
}

func newFindings() *findings { return &findings{began: time.Now(), found: map[breach][]string{}} }

// add notes a violation; the time of the storm stands before it.
func (f *findings) add(of breach, format string, values ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := fmt.Sprintf("%7.3fs ", time.Since(f.began).Seconds())
	f.found[of] = append(f.found[of], at+fmt.Sprintf(format, values...))
}

func (f *findings) count(of breach) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.found[of])
}

func (f *findings) total() (total int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, found := range f.found {
		total += len(found)
	}
	return total
}

// counts says how many of each kind there are.
func (f *findings) counts() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var lines []string
	for of, found := range f.found {
		lines = append(lines, fmt.Sprintf("%d × %s", len(found), of))
	}
	slices.Sort(lines)
	return strings.Join(lines, "; ")
}

// report fails the test with the first violations of each kind.
func (f *findings) report(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	const most = 15
	for of, found := range f.found {
		text := strings.Join(found[:min(len(found), most)], "\n  ")
		t.Errorf("%s, %d times:\n  %s", of, len(found), text)
	}
}
