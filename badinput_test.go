package main

import (
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

func gzipped(t *testing.T, body string) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(body)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func segmentSignature(secret, body string) string {
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}

// Every bad input has a clear 4xx, and afterwards nothing of it is on the log.
func TestBadInputIsRefusedWhole(t *testing.T) {
	i := start(t, "embedded", signup)
	good := `{"type":"track","event":"x","userId":"u","messageId":"bad"}`
	open, signed := "/v1/receive/api-key", "/v1/receive/web-key"
	for _, test := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		code                     string
	}{
		{name: "truncated", path: open, body: good[:30], status: 400, code: "malformed_json"},
		{name: "not JSON", path: open, body: "hello", status: 400, code: "malformed_json"},
		{name: "trailing bytes", path: open, body: good + "x", status: 400, code: "malformed_json"},
		{name: "a scalar", path: open, body: `"track"`, status: 400, code: "invalid_event"},
		{name: "wrong signature", path: signed, body: good, headers: []string{"X-Signature", segmentSignature("other", good)}, status: 401, code: "bad_signature"},
		{name: "no signature", path: signed, body: good, status: 401, code: "missing_signature"},
		{name: "a signature of other bytes", path: signed, body: good + " ", headers: []string{"X-Signature", segmentSignature("web-secret", good)}, status: 401, code: "bad_signature"},
		{name: "unknown key", path: "/v1/receive/nobody", body: good, status: 401, code: "unknown_write_key"},
		{name: "5 MiB", path: open, body: `{"type":"track","event":"` + strings.Repeat("x", 5<<20) + `"}`, status: 413, code: "too_large"},
		{name: "gzip bomb", path: open, body: gzipped(t, strings.Repeat(" ", 64<<20)), headers: []string{"Content-Encoding", "gzip"}, status: 413, code: "too_large"},
		{name: "gzip bomb without the header", path: open, body: gzipped(t, strings.Repeat(" ", 64<<20)), status: 413, code: "too_large"},
		{name: "cut gzip", path: open, body: gzipped(t, good)[:20], headers: []string{"Content-Encoding", "gzip"}, status: 400, code: "bad_gzip"},
		{name: "not gzip", path: open, body: good, headers: []string{"Content-Encoding", "gzip"}, status: 400, code: "bad_gzip"},
		{name: "another encoding", path: open, body: good, headers: []string{"Content-Encoding", "br"}, status: 400, code: "unknown_encoding"},
		{name: "10,000 levels", path: open, body: `{"type":"track","event":"x","properties":{"a":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + `}}`, status: 400, code: "too_deep"},
		{name: "too many values", path: open, body: `{"type":"track","event":"x","properties":{"a":[` + strings.Repeat("1,", 600_000) + `1]}}`, status: 400, code: "too_many_values"},
		{name: "too many events", path: open, body: "[" + strings.Repeat(`{"type":"page"},`, 4000) + `{"type":"page"}]`, status: 400, code: "too_many_events"},
		{name: "empty batch", path: open, body: `{"batch":[]}`, status: 400, code: "empty_batch"},
		{name: "empty array", path: open, body: `[]`, status: 400, code: "empty_batch"},
		{name: "NUL bytes", path: open, body: "{\"type\":\"track\",\"event\":\"a\x00b\"}", status: 400, code: "malformed_json"},
		{name: "only NUL bytes", path: open, body: "\x00\x00\x00", status: 400, code: "malformed_json"},
		{name: "invalid UTF-8", path: open, body: "{\"type\":\"track\",\"event\":\"a\xff\"}", status: 400, code: "invalid_utf8"},
		{name: "unknown type", path: open, body: `{"type":"trakc","event":"x"}`, status: 400, code: "invalid_event"},
		{name: "a track without a name", path: open, body: `{"type":"track","userId":"u"}`, status: 400, code: "invalid_event"},
		{name: "an object as an id", path: open, body: `{"type":"track","event":"x","userId":{"a":1}}`, status: 400, code: "invalid_event"},
		{name: "no such path", path: "/v1/nothing", body: good, status: 404, code: "no_route"},
		{name: "wrong method", method: http.MethodDelete, path: open, body: good, status: 405, code: "method_not_allowed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			method := test.method
			if method == "" {
				method = http.MethodPost
			}
			answer := i.do(method, i.ingest+test.path, test.body, test.headers...)
			var body struct {
				Error struct{ Code, Message string }
			}
			if err := json.Unmarshal([]byte(answer.Body), &body); err != nil {
				t.Fatalf("%d %q is not JSON: %v", answer.Status, answer.Body, err)
			}
			if answer.Status != test.status || body.Error.Code != test.code || body.Error.Message == "" {
				t.Errorf("%d %s, want %d %s", answer.Status, answer.Body, test.status, test.code)
			}
		})
	}
	var page struct{ Items []eventRecord }
	if i.get(testEnvironment+"/events", &page); len(page.Items) != 0 {
		t.Errorf("of what was refused this is on the log: %+v", page.Items)
	}
	// The server is as well as before.
	i.post("api-key", good, 200)
	if record := i.settled("bad"); record.Outcome != "unmatched" || record.Reason != "no rule matched" {
		t.Errorf("%+v", record)
	}
}

func TestOneBadEventDoesNotFailItsBatch(t *testing.T) {
	i := start(t, "embedded", signup)
	answer := i.post("api-key", `[
		{"type":"track","event":"a","userId":"u","messageId":"b-1"},
		{"type":"trakc","event":"b","userId":"u","messageId":"b-2"},
		{"type":"track","event":"c","userId":"u","messageId":"b-3"}]`, 200)
	if want := `{"success":true,"accepted":2,"duplicates":0,"invalid":1}`; answer.Body != want {
		t.Errorf("answered %s, want %s", answer.Body, want)
	}
	for id, outcome := range map[string]string{"b-1": "unmatched", "b-2": "invalid", "b-3": "unmatched"} {
		if record := i.settled(id); record.Outcome != outcome || record.Reason == "" {
			t.Errorf("%s: %+v, want %s with a reason", id, record, outcome)
		}
	}
}

func TestProbes(t *testing.T) {
	i := start(t, "embedded", signup)
	for _, test := range []struct {
		method, key string
		status      int
	}{
		{http.MethodHead, "web-key", 200}, {http.MethodPost, "web-key", 200}, {http.MethodPut, "api-key", 200},
		{http.MethodHead, "nobody", 401}, {http.MethodPost, "nobody", 401},
	} {
		if answer := i.do(test.method, i.ingest+"/v1/receive/"+test.key, ""); answer.Status != test.status {
			t.Errorf("%s %s: %d, want %d", test.method, test.key, answer.Status, test.status)
		}
	}
}

func TestSegmentSignatures(t *testing.T) {
	i := start(t, "embedded", signup)
	first := `{"type":"track","event":"x","userId":"u","messageId":"g-1","properties":{"html":"<&>"}}`
	batch := `[` + first + `,{"type":"track","event":"y","userId":"u","messageId":"g-2"}]`
	for name, test := range map[string]struct{ body, signature string }{
		"single":              {first, segmentSignature("web-secret", first)},
		"batch, first signed": {batch, segmentSignature("web-secret", first)},
	} {
		for body, form := range map[string]string{test.body: "plain", gzipped(t, test.body): "gzip"} {
			if answer := i.do(http.MethodPost, i.ingest+"/v1/receive/web-key", body, "X-Signature", test.signature); answer.Status != 200 {
				t.Errorf("%s, %s: %d %s", name, form, answer.Status, answer.Body)
			}
		}
	}
	for id, want := range map[string]string{"g-1": "verified", "g-2": "partial"} {
		i.settled(id)
		var page struct {
			Items []struct{ Verification string }
		}
		i.get(testEnvironment+"/events?limit=1&message_id="+id, &page)
		if page.Items[0].Verification != want {
			t.Errorf("%s is %s, want %s", id, page.Items[0].Verification, want)
		}
	}
}
