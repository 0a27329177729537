package verify

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"
)

func segmentHeader(secret, signed string) http.Header {
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(signed))
	return headersOf("X-Signature", hex.EncodeToString(mac.Sum(nil)))
}

func TestSegmentBatches(t *testing.T) {
	first := `{"type":"track","event":"a<b>"}`
	batch := "[ " + first + ` , {"type":"track","event":"b"}]`
	for _, tc := range []struct {
		name, mode, body, signed, code string
		coverage                       Coverage
	}{
		{name: "first", body: batch, signed: first, coverage: firstOnly},
		{name: "first, said so", mode: BatchFirst, body: batch, signed: first, coverage: firstOnly},
		{name: "all of it", body: batch, signed: batch, coverage: whole},
		{name: "first of one", body: "[" + first + "]", signed: first, coverage: firstOnly},
		{name: "first, whole wanted", mode: BatchWhole, body: batch, signed: first, code: "bad_signature"},
		{name: "all, whole wanted", mode: BatchWhole, body: batch, signed: batch, coverage: whole},
		{name: "first, none wanted", mode: BatchReject, body: batch, signed: first, code: "batch_not_allowed"},
		{name: "all, none wanted", mode: BatchReject, body: batch, signed: batch, code: "batch_not_allowed"},
		{name: "forged, none wanted", mode: BatchReject, body: batch, signed: "x", code: "bad_signature"},
		{name: "single, none wanted", mode: BatchReject, body: first, signed: first, coverage: whole},
		{name: "second", body: batch, signed: `{"type":"track","event":"b"}`, code: "bad_signature"},
		{name: "first with its space", body: batch, signed: " " + first + " ", code: "bad_signature"},
		{name: "wrapped", body: `[{"json":` + first + `},{"json":{}}]`, signed: first, coverage: firstOnly},
		{name: "wrapped, as it stands", body: `[{"json":` + first + `}]`, signed: `{"json":` + first + `}`, coverage: firstOnly},
		{name: "wrapped twice", body: `[{"json":` + first + `,"json":{"evil":1}}]`, signed: first, code: "bad_signature"},
		{name: "wrapped with company", body: `[{"json":` + first + `,"type":"track"}]`, signed: first, code: "bad_signature"},
		{name: "wrapped, no object", body: `[{"json":[` + first + `]}]`, signed: "[" + first + "]", code: "bad_signature"},
		{name: "wrapped null", body: `[{"json":null}]`, signed: "null", code: "bad_signature"},
		{name: "inside an object", body: `{"batch":[` + first + `]}`, signed: first, code: "bad_signature"},
		{name: "the rest is broken", body: "[" + first + ",oops", signed: first, coverage: firstOnly},
		{name: "the first is broken", body: "[" + first[1:], signed: first, code: "bad_signature"},
		{name: "empty batch", body: "[]", signed: "", code: "bad_signature"},
		{name: "empty batch, signed", body: "[]", signed: "[]", coverage: whole},
		{name: "not JSON", body: "hello", signed: "", code: "bad_signature"},
		{name: "not JSON, signed", body: "hello", signed: "hello", coverage: whole},
	} {
		t.Run(tc.name, func(t *testing.T) {
			verifier := mustNew(t, Config{Scheme: Segment, Secrets: []string{"s"}, BatchSignature: tc.mode})
			coverage, err := verifier.Verify(request(tc.body, segmentHeader("s", tc.signed)), time.Now())
			if tc.code != "" {
				wantCode(t, err, tc.code)
			} else if err != nil || coverage != tc.coverage {
				t.Errorf("coverage %v, error %v; want %v", coverage, err, tc.coverage)
			}
		})
	}
}

// The escapes of JSON are part of the signed bytes: a body is never parsed and written again before it is verified.
func TestSegmentSignsRawBytes(t *testing.T) {
	verifier := mustNew(t, Config{Scheme: Segment, Secrets: []string{"s"}})
	body := `{"b":"<\u003c>","a":{"10":1,"2":9007199254740993}}`
	if _, err := verifier.Verify(request(body, segmentHeader("s", body)), time.Now()); err != nil {
		t.Error(err)
	}
	_, err := verifier.Verify(request(strings.ReplaceAll(body, `\u003c`, "<"), segmentHeader("s", body)), time.Now())
	wantCode(t, err, "bad_signature")
}
