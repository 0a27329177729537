package verify

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// publicly is the receiver's side of a sender's config: the public keys for the private ones.
func publicly(cfg Config) Config {
	secrets := make([]string, len(cfg.Secrets))
	for i, secret := range cfg.Secrets {
		secrets[i] = strings.Replace(secret, edPrivate, webhookPublic, 1)
	}
	cfg.Secrets = secrets
	return cfg
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
		{Scheme: Query, Parameter: "key", Secrets: []string{"a&b=c d"}},
		{Scheme: Jitsu, Secrets: []string{"s"}},
		{Scheme: Jitsu, Algorithm: "ed25519", Secrets: []string{edPrivate}},
		{Scheme: Census, Secrets: []string{"s"}},
		{Scheme: StandardWebhooks, Secrets: []string{"whsec_" + webhookSecret}},
		{Scheme: StandardWebhooks, Secrets: []string{edPrivate, "whsec_" + webhookSecret}},
		// Discord's: https://discord.com/developers/docs/events/webhook-events
		{Scheme: HMAC, Algorithm: "ed25519", Header: "X-Signature-Ed25519", Signed: "{ts}{body}", TimestampHeader: "X-Signature-Timestamp", Secrets: []string{edPrivate}},
		{Scheme: HMAC, Algorithm: "ed25519", Encoding: "base64", Prefix: "ed25519=", Header: "X-Sig", Secrets: []string{edPrivate}},
		{Scheme: HMAC, Header: "X-Sig", Prefix: "sha512=", Algorithm: "sha512", Encoding: "base64", Secrets: []string{"s"}},
		{Scheme: HMAC, Header: "X-Sig", Signed: "v0:{ts}:{body}", TimestampHeader: "X-At", Secrets: []string{"s"}},
		{Scheme: HMAC, Header: "X-Sig", Signed: "{ts}.{body}", TimestampHeader: "X-At", TimestampFormat: "unix_ms", Secrets: []string{"s"}},
		{Scheme: HMAC, Header: "X-Sig", Signed: "{id}.{ts}.{body}", TimestampHeader: "X-At", TimestampFormat: "rfc3339", IDHeader: "X-Id", Secrets: []string{"s"}},
	} {
		for _, body := range []string{`{"a":1}`, `[{"a":1},{"a":2}]`, `[{"json":{"a":1}},{"json":{"a":2}}]`} {
			proof, err := Sign(cfg, []byte(body), "id-1", now)
			if err != nil {
				t.Fatalf("%+v: %v", cfg, err)
			}
			verifier := None()
			if !cfg.IsZero() {
				verifier = mustNew(t, publicly(cfg))
			}
			if _, err := verifier.Verify(proven(body, proof), now.Add(time.Minute)); err != nil {
				t.Errorf("%+v: %s with %v: %v", cfg, body, proof, err)
			}
		}
	}
}

func TestSignRefuses(t *testing.T) {
	for name, sign := range map[string]func() (Proof, error){
		"an empty batch": func() (Proof, error) {
			return Sign(Config{Scheme: Segment, Secrets: []string{"s"}}, []byte(`[]`), "", time.Now())
		},
		"a public key": func() (Proof, error) {
			return Sign(Config{Scheme: StandardWebhooks, Secrets: []string{webhookPublic}}, nil, "x", time.Now())
		},
		"a public key in hex": func() (Proof, error) {
			return Sign(Config{Scheme: Jitsu, Algorithm: "ed25519", Secrets: []string{edPublic}}, nil, "", time.Now())
		},
		"no id": func() (Proof, error) {
			return Sign(Config{Scheme: StandardWebhooks, Secrets: []string{webhookSecret}}, nil, "", time.Now())
		},
		"a bad config": func() (Proof, error) { return Sign(Config{Scheme: Segment}, nil, "x", time.Now()) },
	} {
		if proof, err := sign(); err == nil {
			t.Errorf("%s: signed as %v", name, proof)
		}
	}
}

// What Sign makes is what is published.
func TestSignVectors(t *testing.T) {
	for _, v := range vectors {
		if v.name == "jitsu without a time" || v.name == "segment, whole batch" || v.name == "svix" {
			continue // what their senders can do, and ours does otherwise
		}
		cfg := v.cfg
		if cfg.Algorithm == "ed25519" || cfg.Secrets[0] == webhookPublic {
			cfg.Secrets = []string{edPrivate}
		}
		proof, err := Sign(cfg, []byte(v.body), webhookID, time.Unix(v.now, 0))
		if err != nil || !reflect.DeepEqual(proof.Header, v.header) {
			t.Errorf("%s: %v, error %v; want %v", v.name, proof.Header, err, v.header)
		}
	}
}
