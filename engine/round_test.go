package engine

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAnotherRound(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name   string
		status Status
		bare   bool // without a payload
		used   []string
		nonce  string // "" for a retry
		want   error
		nonces []string
	}{
		{name: "a dead one", status: StatusDead},
		{name: "a dead one keeps its nonce", status: StatusDead, used: []string{"a"}, nonces: []string{"a"}},
		{name: "one that succeeded", status: StatusSucceeded, want: ErrNotDead},
		{name: "one that waits", status: StatusWaiting, want: ErrNotDead},
		{name: "a repeat of one that succeeded", status: StatusSucceeded, nonce: "a", nonces: []string{"a"}},
		{name: "a repeat of one that was skipped", status: StatusSkipped, nonce: "a", nonces: []string{"a"}},
		{name: "a repeat of a dead one", status: StatusDead, nonce: "a", nonces: []string{"a"}},
		{name: "another repeat", status: StatusSucceeded, used: []string{"a"}, nonce: "b", nonces: []string{"a", "b"}},
		{name: "a repeat that was asked for already", status: StatusSucceeded, used: []string{"a"}, nonce: "a", want: ErrNonceUsed},
		{name: "a repeat that was asked for already, and waits", status: StatusWaiting, used: []string{"a"}, nonce: "a", want: ErrNonceUsed},
		{name: "an older repeat", status: StatusDead, used: []string{"a", "b"}, nonce: "a", want: ErrNonceUsed},
		{name: "a dead repeat, again", status: StatusDead, used: []string{"a"}, nonce: "a", nonces: []string{"a"}},
		{name: "a repeat of one that is under way", status: StatusRetrying, nonce: "a", want: ErrNotEnded},
		{name: "a repeat of nothing", status: StatusSkipped, bare: true, nonce: "a", want: ErrNoPayload},
	} {
		t.Run(test.name, func(t *testing.T) {
			action := &Action{EventID: "e", Status: test.status, Attempts: make([]Attempt, 2), Nonces: test.used, Identify: &Identify{UserID: "sam"}}
			if test.bare {
				action.Identify = nil
			}
			before := action.EffectKey("")
			var err error
			if test.nonce == "" {
				err = action.Retry(now)
			} else {
				err = action.Repeat(test.nonce, now)
			}
			if !errors.Is(err, test.want) {
				t.Fatalf("error %v, want %v", err, test.want)
			}
			if err != nil {
				if action.Status != test.status || !slices.Equal(action.Nonces, test.used) {
					t.Errorf("a refusal changed it: %+v", action)
				}
				return
			}
			if action.Status != StatusWaiting || action.BudgetFrom != 2 || action.BudgetSince != now || len(action.Attempts) != 2 || !slices.Equal(action.Nonces, test.nonces) {
				t.Errorf("%+v", action)
			}
			if again := len(test.nonces) == len(test.used); (action.EffectKey("") == before) != again {
				t.Errorf("the key before is %s, after %s", before, action.EffectKey(""))
			}
		})
	}
}

func TestNonces(t *testing.T) {
	for text, want := range map[string]bool{"a": true, "Again-2026_01": true, strings.Repeat("x", 64): true,
		"": false, strings.Repeat("x", 65): false, "a b": false, "é": false, "a\n": false, "a/b": false} {
		if IsNonce(text) != want {
			t.Errorf("%q: want %v", text, want)
		}
	}
}
