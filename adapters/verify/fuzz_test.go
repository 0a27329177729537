package verify

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"switchyard/engine"
)

var hostile = []string{
	"", " ", ",", "whpk_", "whsk_", "-----BEGIN PUBLIC KEY-----", strings.Repeat("00", 64), strings.Repeat("A", 86) + "==", "=", "v1,", "v1", "v1,,", "v1, v1,", "\x00", "é", "null", "v1a," + strings.Repeat("A", 88),
	strings.Repeat("v1,AAAA ", 5000), strings.Repeat("f", 1<<16), "Basic", "Basic ", "Basic Og==", "Basic Ö", "Bearer",
	"Bearer  ", "bearer\t", "sha256=", "-1", "NaN", "1e9", "0x10", "99999999999999999999999",
}

// everyScheme is as its sender has it.
var everyScheme = []Config{
	{Scheme: Segment, Secrets: []string{"one", "two"}},
	{Scheme: Segment, Secrets: []string{"one"}, BatchSignature: BatchReject},
	{Scheme: Basic, Secrets: []string{"ann:x"}},
	{Scheme: Bearer, Secrets: []string{"token"}},
	{Scheme: Header, Header: "X-Signature", Secrets: []string{"token"}},
	{Scheme: Query, Parameter: "key", Secrets: []string{"token"}},
	{Scheme: Census, Secrets: []string{"one", "two"}},
	{Scheme: Jitsu, Secrets: []string{"one", "two"}},
	{Scheme: Jitsu, Algorithm: "ed25519", Header: "X-Signature", Secrets: []string{edPrivate}},
	{Scheme: HMAC, Algorithm: "ed25519", Header: "X-Signature", Encoding: "base64", Secrets: []string{edPrivate}},
	{Scheme: StandardWebhooks, Secrets: []string{edPrivate, "whsec_" + webhookSecret}},
	{Scheme: StandardWebhooks, Secrets: []string{"whsec_" + webhookSecret, webhookPublic}},
	{Scheme: HMAC, Header: "X-Signature", Prefix: "sha256=", Secrets: []string{"one"}},
	{Scheme: HMAC, Header: "X-Signature", Signed: "{id}.{ts}.{body}", TimestampHeader: "Webhook-Timestamp",
		TimestampFormat: "rfc3339", IDHeader: "Webhook-Id", Secrets: []string{"one"}},
}

func TestHostileHeaders(t *testing.T) {
	for _, cfg := range everyScheme {
		verifier := mustNew(t, publicly(cfg))
		for _, value := range hostile {
			for _, body := range []string{"", "[", "{}", `[{"json":`, "[[[", "\xff", `[{"json":{}}]`} {
				for _, ts := range append([]string{"1614265330", "2021-02-25T15:02:10Z"}, hostile...) {
					checkRefused(t, verifier, body, value, ts)
				}
			}
		}
	}
}

func checkRefused(t *testing.T, verifier *Verifier, body, value, ts string) {
	t.Helper()
	header := http.Header{}
	for _, name := range []string{"X-Signature", "Authorization", "Webhook-Signature", "Webhook-Id", "Svix-Signature", "Jitsu-Signature"} {
		header.Set(name, value)
	}
	header.Set("Webhook-Timestamp", ts)
	header.Set("Svix-Timestamp", ts)
	header.Set("Jitsu-Signature-Timestamp", ts)
	header.Set("X-Signature-Timestamp", ts)
	coverage, err := verifier.Verify(proven(body, Proof{Header: header, Query: url.Values{"key": {value}}}), time.Unix(1614265330, 0))
	var refused *engine.Unauthorized
	if !errors.As(err, &refused) || coverage != (Coverage{}) {
		t.Fatalf("%.40q over %.40q: coverage %v, error %v", value, body, coverage, err)
	}
	for _, secret := range []string{"one", "token", "ann:x", webhookSecret} {
		if strings.Contains(refused.Message, secret+" ") {
			t.Fatalf("the refusal shows a secret: %s", refused.Message)
		}
	}
}

// FuzzVerify holds that nothing panics, that nothing forged is taken, and that what Sign makes is.
func FuzzVerify(f *testing.F) {
	for i, value := range hostile {
		f.Add(uint8(i), []byte(`[{"json":{"a":1}},{"b":2}]`), value, "1614265330")
		f.Add(uint8(i), []byte(webhookBody), value, value)
	}
	verifiers := make([]*Verifier, len(everyScheme))
	for i, cfg := range everyScheme {
		verifiers[i] = mustNew(f, publicly(cfg))
	}
	now := time.Unix(1614265330, 0)
	f.Fuzz(func(t *testing.T, pick uint8, body []byte, value, ts string) {
		at := int(pick) % len(verifiers)
		if !strings.Contains(value, "token") {
			checkForged(t, verifiers[at], string(body), value, ts)
		}
		proof, err := Sign(everyScheme[at], body, "id", now)
		if err != nil {
			return // a batch without a first element
		}
		_, err = verifiers[at].Verify(proven(string(body), proof), now)
		rejects := everyScheme[at].BatchSignature == BatchReject && engine.KindOf(body) == '['
		if (err != nil) != rejects {
			t.Fatalf("%q signed as %v: %v", body, proof, err)
		}
	})
}

func checkForged(t *testing.T, verifier *Verifier, body, value, ts string) {
	if strings.Contains(value, "YW5uOng=") { // the fuzzer may find ann:x
		return
	}
	checkRefused(t, verifier, body, value, ts)
}
