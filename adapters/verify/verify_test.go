package verify

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"switchyard/engine"
)

func request(body string, header http.Header) *engine.Request {
	return &engine.Request{
		Method: "POST",
		Body:   []byte(body),
		Header: header.Get,
		Query:  func(string) string { return "" },
	}
}

// proven is the request that a sender makes with what Sign gave it.
func proven(body string, proof Proof) *engine.Request {
	req := request(body, proof.Header)
	req.Query = proof.Query.Get
	return req
}

func headersOf(pairs ...string) http.Header {
	header := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		header.Set(pairs[i], pairs[i+1])
	}
	return header
}

func mustNew(t testing.TB, cfg Config) *Verifier {
	t.Helper()
	verifier, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return verifier
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var refused *engine.Unauthorized
	switch {
	case !errors.As(err, &refused):
		t.Errorf("error %v, want an *engine.Unauthorized with code %s", err, code)
	case refused.Code != code:
		t.Errorf("code %s (%s), want %s", refused.Code, refused.Message, code)
	}
}

func TestNone(t *testing.T) {
	coverage, err := None().Verify(request("", nil), time.Now())
	if err != nil || coverage.Of(0) != engine.Unverified || coverage.Of(1) != engine.Unverified {
		t.Errorf("coverage %v, error %v", coverage, err)
	}
}
