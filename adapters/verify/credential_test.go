package verify

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestCredentials(t *testing.T) {
	basic := Config{Scheme: Basic, Secrets: []string{"ann:pass:word"}}
	named := Config{Scheme: Basic, Username: "ann", Secrets: []string{"old", "pass:word"}}
	bearer := Config{Scheme: Bearer, Secrets: []string{"token-1", "token-2"}}
	plain := Config{Scheme: Header, Header: "X-Api-Key", Secrets: []string{"key-1", "key-2"}}
	nameless := Config{Scheme: Basic, Secrets: []string{":x"}}
	for _, tc := range []struct {
		cfg           Config
		header, value string
		good          bool
	}{
		{basic, "Authorization", "Basic YW5uOnBhc3M6d29yZA==", true},
		{named, "authorization", "basic YW5uOnBhc3M6d29yZA==", true},
		{named, "Authorization", "Basic YW5uOm9sZA==", true},
		{named, "Authorization", "Basic Ym9iOm9sZA==", false},
		{basic, "Authorization", "Basic YW5uOm9sZA==", false},
		{basic, "Authorization", "Basic !!!", false},
		{basic, "Authorization", "Basic", false},
		{basic, "Authorization", "Basic YW5u", false},             // ann
		{basic, "Authorization", "Basic YW5uOg==", false},         // ann:
		{basic, "Authorization", "Basic OnBhc3M6d29yZA==", false}, // :pass:word
		{basic, "Authorization", "Basic YW5uOnBhc3M6d29yZA", false},
		{named, "Authorization", "Basic YW5uOm9sZA== ", true},
		{named, "Authorization", "Basic YW5uOm9sZA==, Basic YW5uOm9sZA==", false},
		{named, "Authorization", "Basic YW5uOm9s\nZA==", false},
		{nameless, "Authorization", "Basic Ong=", true},  // :x
		{nameless, "Authorization", "Basic eA==", false}, // x
		{basic, "Authorization", "Bearer YW5uOnBhc3M6d29yZA==", false},
		{basic, "Authorization", "", false},
		{bearer, "Authorization", "Bearer token-1", true},
		{bearer, "Authorization", "bearer  token-2", true},
		{bearer, "Authorization", "BEARER token-2", true},
		{bearer, "Authorization", "token-1", false},
		{bearer, "Authorization", "Bearer token-", false},
		{bearer, "Authorization", "Bearer token-11", false},
		{bearer, "Authorization", "Bearer ", false},
		{bearer, "Authorization", "Bearer " + strings.Repeat("token-1", 10000), false},
		{bearer, "Authorization", "Bearer\ttoken-1", false},
		{bearer, "X-Api-Key", "Bearer token-1", false},
		{plain, "x-api-key", "key-1", true},
		{plain, "X-Api-Key", "key-2", true},
		{plain, "X-Api-Key", "Key-2", false},
		{plain, "X-Api-Key", "Bearer key-2", false},
		{plain, "X-Api-Keys", "key-2", false},
	} {
		coverage, err := mustNew(t, tc.cfg).Verify(request(`not json`, headersOf(tc.header, tc.value)), time.Now())
		if tc.good && (err != nil || coverage != whole) {
			t.Errorf("%s, %s: %s: coverage %v, error %v", tc.cfg.Scheme, tc.header, tc.value, coverage, err)
		} else if !tc.good {
			wantCode(t, err, "bad_credentials")
		}
	}
}

func TestQueryCredential(t *testing.T) {
	verifier := mustNew(t, Config{Scheme: Query, Parameter: "api-key", Secrets: []string{"old", "a+b&c"}})
	for query, good := range map[string]bool{
		"api-key=old":             true,
		"api-key=a%2Bb%26c":       true,
		"x=1&api-key=old":         true,
		"api-key=a+b%26c":         false, // a space
		"api-key=Old":             false,
		"api-key=":                false,
		"API-KEY=old":             false,
		"":                        false,
		"api-key=new&api-key=old": false, // the first one counts, as everywhere
		"api-key=old&api-key=new": true,
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		req := proven("{}", Proof{Query: values})
		coverage, err := verifier.Verify(req, time.Now())
		if good && (err != nil || coverage != whole) {
			t.Errorf("%s: coverage %v, error %v", query, coverage, err)
		} else if !good {
			wantCode(t, err, "bad_credentials")
		}
	}
	header := headersOf("Api-Key", "old")
	_, err := verifier.Verify(request("{}", header), time.Now())
	wantCode(t, err, "bad_credentials")
}
