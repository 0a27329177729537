package verify

import (
	"errors"
	"net/http"
	"strings"
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

const (
	webhookSecret = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	webhookID     = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	webhookTime   = "1614265330"
	webhookBody   = `{"test": 2432232314}`
	webhookV1     = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	webhookPublic = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
	webhookV1a    = "v1a,fldxM4gAKugP6nnt1hdz3sgGfZ6d99nzrMFnZOELIxbzEHoVmAb2ADpkJK7zgPePmPsle0zV9jSeGlHFG2NVAw=="
	jitsuBody     = `{"type":"track","event":"test_event","messageId":"m1"}`
)

// vector is one published example: what was signed, with which headers, at which time.
type vector struct {
	name     string
	cfg      Config
	body     string
	header   http.Header
	signed   string // the header with the signature
	now      int64
	coverage Coverage
}

var vectors = []vector{
	{
		name: "segment", cfg: Config{Scheme: Segment, Secrets: []string{"abc123"}},
		body: `{"cool":true}`, signed: "X-Signature",
		header:   headersOf("X-Signature", "5099cab379b3be52908387457007040cc934ef86"),
		coverage: whole,
	},
	{
		name: "segment, first of a batch", cfg: Config{Scheme: Segment, Secrets: []string{"abc123"}},
		body: `[{"cool":false},{"cool":true}]`, signed: "X-Signature",
		header:   headersOf("X-Signature", "c702b94a2569dd8d2f7185ce0ae951021bef4706"),
		coverage: firstOnly,
	},
	{
		name: "segment, whole batch", cfg: Config{Scheme: Segment, Secrets: []string{"abc123"}},
		body: `[{"cool":false},{"cool":true}]`, signed: "X-Signature",
		header:   headersOf("X-Signature", "685cf04ec172d3adcac0b8f25c923bb4d56ed1eb"),
		coverage: whole,
	},
	{
		name: "standard webhooks v1", cfg: Config{Scheme: StandardWebhooks, Secrets: []string{"whsec_" + webhookSecret}},
		body: webhookBody, signed: "Webhook-Signature", now: 1614265330,
		header:   headersOf("Webhook-Id", webhookID, "Webhook-Timestamp", webhookTime, "Webhook-Signature", webhookV1),
		coverage: whole,
	},
	{
		name: "standard webhooks v1a", cfg: Config{Scheme: StandardWebhooks, Secrets: []string{webhookPublic}},
		body: webhookBody, signed: "Webhook-Signature", now: 1614265330,
		header:   headersOf("Webhook-Id", webhookID, "Webhook-Timestamp", webhookTime, "Webhook-Signature", webhookV1a),
		coverage: whole,
	},
	{
		name: "svix", cfg: Config{Scheme: StandardWebhooks, Secrets: []string{webhookSecret}},
		body: webhookBody, signed: "Svix-Signature", now: 1614265330,
		header:   headersOf("Svix-Id", webhookID, "Svix-Timestamp", webhookTime, "Svix-Signature", webhookV1),
		coverage: whole,
	},
	{
		name: "jitsu", cfg: Config{Scheme: HMAC, Secrets: []string{"super-secret-key"}, Header: "Jitsu-Signature",
			Signed: "{ts}.{body}", TimestampHeader: "Jitsu-Signature-Timestamp"},
		body: jitsuBody, signed: "Jitsu-Signature", now: 1000,
		header: headersOf("Jitsu-Signature", "a31ab5a3eac21f9bda8c96ff188db16ea69a6bb798b1ecab028c562cb3db455a",
			"Jitsu-Signature-Timestamp", "1000"),
		coverage: whole,
	},
	{
		name: "jitsu without a time",
		cfg:  Config{Scheme: HMAC, Secrets: []string{"super-secret-key"}, Header: "Jitsu-Signature"},
		body: jitsuBody, signed: "Jitsu-Signature",
		header:   headersOf("Jitsu-Signature", "0b39b546de1181561c2ee43798c100cbd36a9c6b762e096e35cdcda59df5f875"),
		coverage: whole,
	},
	{
		name: "census lifecycle",
		cfg:  Config{Scheme: HMAC, Secrets: []string{"census-secret"}, Header: "X-Signature", Encoding: "base64"},
		body: `{"workspace_id":3167,"sync_id":3167956,"sync_run_id":324399613,"event":"sync.triggered"}`, signed: "X-Signature",
		header:   headersOf("X-Signature", "9HOHeVwpWXt8M/2e0UrOH4CFrudO+1MG0XjgCfk5fdw="),
		coverage: whole,
	},
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			now := time.Unix(v.now, 0)
			coverage, err := mustNew(t, v.cfg).Verify(request(v.body, v.header), now)
			if err != nil || coverage != v.coverage {
				t.Fatalf("coverage %v, error %v; want %v", coverage, err, v.coverage)
			}
			rotated := v.cfg
			rotated.Secrets = []string{"whsec_bmV3", v.cfg.Secrets[0], "whsec_b2xk"}
			if coverage, err := mustNew(t, rotated).Verify(request(v.body, v.header), now); err != nil || coverage != v.coverage {
				t.Errorf("beside two others: coverage %v, error %v", coverage, err)
			}
			rotated.Secrets = []string{"whsec_bmV3"}
			_, err = mustNew(t, rotated).Verify(request(v.body, v.header), now)
			wantCode(t, err, "bad_signature")
		})
	}
}

// TestNeighbours changes one byte at a time, of the signed bytes and of the signature: each change must be refused.
func TestNeighbours(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			verifier := mustNew(t, v.cfg)
			now := time.Unix(v.now, 0)
			signed := v.body
			if v.coverage == firstOnly {
				signed = `[{"cool":false}`
			}
			for i := range signed {
				body := v.body[:i] + string(v.body[i]^1) + v.body[i+1:]
				if _, err := verifier.Verify(request(body, v.header), now); err == nil {
					t.Errorf("the body with byte %d changed is taken: %s", i, body)
				}
			}
			good := v.header.Get(v.signed)
			for i := range good {
				header := v.header.Clone()
				header.Set(v.signed, good[:i]+string(good[i]^1)+good[i+1:])
				if _, err := verifier.Verify(request(v.body, header), now); err == nil {
					t.Errorf("the signature with byte %d changed is taken: %s", i, header.Get(v.signed))
				}
			}
			header := v.header.Clone()
			header.Del(v.signed)
			_, err := verifier.Verify(request(v.body, header), now)
			wantCode(t, err, "missing_signature")
		})
	}
}

func TestSignedPartsAreCovered(t *testing.T) {
	verifier := mustNew(t, Config{Scheme: StandardWebhooks, Secrets: []string{webhookSecret}})
	good := headersOf("Webhook-Id", webhookID, "Webhook-Timestamp", webhookTime, "Webhook-Signature", webhookV1)
	now := time.Unix(1614265330, 0)
	for _, tc := range []struct{ name, value, code string }{
		{"Webhook-Id", "msg_other", "bad_signature"},
		{"Webhook-Id", "", "missing_signature"},
		{"Webhook-Timestamp", "1614265331", "bad_signature"},
		{"Webhook-Timestamp", "", "missing_signature"},
		{"Webhook-Timestamp", "1614265330.0", "stale_timestamp"},
		{"Webhook-Timestamp", "2021-02-25T15:02:10Z", "stale_timestamp"},
		{"Webhook-Timestamp", "99999999999999999999", "stale_timestamp"},
		{"Webhook-Timestamp", "9223372036854775807", "stale_timestamp"},
		{"Webhook-Timestamp", "-9223372036854775808", "stale_timestamp"},
	} {
		header := good.Clone()
		header.Set(tc.name, tc.value)
		_, err := verifier.Verify(request(webhookBody, header), now)
		t.Run(tc.name+"="+tc.value, func(t *testing.T) { wantCode(t, err, tc.code) })
	}
}

func TestTolerance(t *testing.T) {
	header := headersOf("Webhook-Id", webhookID, "Webhook-Timestamp", webhookTime, "Webhook-Signature", webhookV1)
	at := time.Unix(1614265330, 0)
	for _, tc := range []struct {
		tolerance, away time.Duration
		fresh           bool
	}{
		{0, 5 * time.Minute, true}, {0, -5 * time.Minute, true},
		{0, 5*time.Minute + time.Second, false}, {0, -5*time.Minute - time.Second, false},
		{time.Hour, 59 * time.Minute, true}, {time.Second, 2 * time.Second, false},
	} {
		verifier := mustNew(t, Config{Scheme: StandardWebhooks, Secrets: []string{webhookSecret}, Tolerance: tc.tolerance})
		_, err := verifier.Verify(request(webhookBody, header), at.Add(tc.away))
		if tc.fresh && err != nil {
			t.Errorf("tolerance %s, %s away: %v", tc.tolerance, tc.away, err)
		} else if !tc.fresh {
			wantCode(t, err, "stale_timestamp")
		}
	}
}

func TestSignatureLists(t *testing.T) {
	verifier := mustNew(t, Config{Scheme: StandardWebhooks, Secrets: []string{webhookSecret, webhookPublic}})
	now := time.Unix(1614265330, 0)
	for list, good := range map[string]bool{
		"v1,AAAA " + webhookV1:                            true,
		webhookV1 + " v1,AAAA":                            true,
		"v9,what " + webhookV1a + " v1,x":                 true,
		"  " + webhookV1 + "  ":                           true,
		"v1,AAAA v2,AAAA":                                 false,
		strings.Replace(webhookV1, "v1,", "v1a,", 1):      false,
		strings.Replace(webhookV1, "v1,", "v2,", 1):       false,
		strings.TrimPrefix(webhookV1, "v1,"):              false,
		strings.Repeat("v1,AAAA ", maxListed) + webhookV1: false,
		" ": false,
	} {
		header := headersOf("Webhook-Id", webhookID, "Webhook-Timestamp", webhookTime, "Webhook-Signature", list)
		if _, err := verifier.Verify(request(webhookBody, header), now); (err == nil) != good {
			t.Errorf("%q: error %v, want good %v", list, err, good)
		}
	}
}

func TestCredentials(t *testing.T) {
	basic := Config{Scheme: Basic, Secrets: []string{"ann:pass:word"}}
	named := Config{Scheme: Basic, Username: "ann", Secrets: []string{"old", "pass:word"}}
	bearer := Config{Scheme: Bearer, Secrets: []string{"token-1", "token-2"}}
	plain := Config{Scheme: Header, Header: "X-Api-Key", Secrets: []string{"key-1", "key-2"}}
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
		{basic, "Authorization", "Bearer YW5uOnBhc3M6d29yZA==", false},
		{basic, "Authorization", "", false},
		{bearer, "Authorization", "Bearer token-1", true},
		{bearer, "Authorization", "bearer  token-2", true},
		{bearer, "Authorization", "BEARER token-2", true},
		{bearer, "Authorization", "token-1", false},
		{bearer, "Authorization", "Bearer token-", false},
		{bearer, "Authorization", "Bearer token-11", false},
		{bearer, "Authorization", "Bearer ", false},
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

func TestNone(t *testing.T) {
	coverage, err := None().Verify(request("", nil), time.Now())
	if err != nil || coverage.Of(0) != engine.Unverified || coverage.Of(1) != engine.Unverified {
		t.Errorf("coverage %v, error %v", coverage, err)
	}
}

func TestSignReadsBack(t *testing.T) {
	now := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	for _, cfg := range []Config{
		{},
		{Scheme: Segment, Secrets: []string{"s"}},
		{Scheme: Segment, Secrets: []string{"s"}, BatchSignature: BatchWhole},
		{Scheme: Basic, Secrets: []string{"ann:x"}},
		{Scheme: Basic, Username: "ann", Secrets: []string{"x:y"}},
		{Scheme: Bearer, Secrets: []string{"t"}},
		{Scheme: Header, Header: "X-Key", Secrets: []string{"t"}},
		{Scheme: StandardWebhooks, Secrets: []string{"whsec_" + webhookSecret}},
		{Scheme: HMAC, Header: "X-Sig", Prefix: "sha512=", Algorithm: "sha512", Encoding: "base64", Secrets: []string{"s"}},
		{Scheme: HMAC, Header: "X-Sig", Signed: "v0:{ts}:{body}", TimestampHeader: "X-At", Secrets: []string{"s"}},
		{Scheme: HMAC, Header: "X-Sig", Signed: "{ts}.{body}", TimestampHeader: "X-At", TimestampFormat: "unix_ms", Secrets: []string{"s"}},
		{Scheme: HMAC, Header: "X-Sig", Signed: "{id}.{ts}.{body}", TimestampHeader: "X-At", TimestampFormat: "rfc3339", IDHeader: "X-Id", Secrets: []string{"s"}},
	} {
		for _, body := range []string{`{"a":1}`, `[{"a":1},{"a":2}]`, `[{"json":{"a":1}},{"json":{"a":2}}]`} {
			header, err := Sign(cfg, []byte(body), "id-1", now)
			if err != nil {
				t.Fatalf("%+v: %v", cfg, err)
			}
			verifier := None()
			if !cfg.IsZero() {
				verifier = mustNew(t, cfg)
			}
			if _, err := verifier.Verify(request(body, header), now.Add(time.Minute)); err != nil {
				t.Errorf("%+v: %s with %v: %v", cfg, body, header, err)
			}
		}
	}
}

func TestSignRefuses(t *testing.T) {
	for name, sign := range map[string]func() (http.Header, error){
		"an empty batch": func() (http.Header, error) {
			return Sign(Config{Scheme: Segment, Secrets: []string{"s"}}, []byte(`[]`), "", time.Now())
		},
		"a public key": func() (http.Header, error) {
			return Sign(Config{Scheme: StandardWebhooks, Secrets: []string{webhookPublic}}, nil, "x", time.Now())
		},
		"no id": func() (http.Header, error) {
			return Sign(Config{Scheme: StandardWebhooks, Secrets: []string{webhookSecret}}, nil, "", time.Now())
		},
		"a bad config": func() (http.Header, error) { return Sign(Config{Scheme: Segment}, nil, "x", time.Now()) },
	} {
		if header, err := sign(); err == nil {
			t.Errorf("%s: signed as %v", name, header)
		}
	}
}
