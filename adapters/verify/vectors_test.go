package verify

import (
	"net/http"
	"testing"
	"time"
)

const (
	webhookSecret = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	webhookID     = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	webhookTime   = "1614265330"
	webhookBody   = `{"test": 2432232314}`
	webhookV1     = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	webhookPublic = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
	webhookV1a    = "v1a,fldxM4gAKugP6nnt1hdz3sgGfZ6d99nzrMFnZOELIxbzEHoVmAb2ADpkJK7zgPePmPsle0zV9jSeGlHFG2NVAw=="
	// Test key 1 of RFC 8032, 7.1.
	edPublic  = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
	edPrivate = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
	jitsuBody = `{"type":"track","event":"test_event","messageId":"m1"}`
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
		name: "jitsu", cfg: Config{Scheme: Jitsu, Secrets: []string{"super-secret-key"}},
		body: jitsuBody, signed: "Jitsu-Signature", now: 1000,
		header: headersOf("Jitsu-Signature", "a31ab5a3eac21f9bda8c96ff188db16ea69a6bb798b1ecab028c562cb3db455a",
			"Jitsu-Signature-Timestamp", "1000"),
		coverage: whole,
	},
	{
		name: "jitsu without a time", cfg: Config{Scheme: Jitsu, Secrets: []string{"super-secret-key"}},
		body: jitsuBody, signed: "Jitsu-Signature",
		header:   headersOf("Jitsu-Signature", "0b39b546de1181561c2ee43798c100cbd36a9c6b762e096e35cdcda59df5f875"),
		coverage: whole,
	},
	{
		name: "jitsu, ed25519", cfg: Config{Scheme: Jitsu, Algorithm: "ed25519", Secrets: []string{edPublic}},
		body: jitsuBody, signed: "Jitsu-Signature", now: 1000,
		header: headersOf("Jitsu-Signature", "1e710abe9e432087671fab8c611819c1ab334e781a11377d90baaf9c46f8552401c100a4e18a297c9e21d6b6b331286aac3fe711ddf55daf4790b73a8b2edb0a",
			"Jitsu-Signature-Timestamp", "1000"),
		coverage: whole,
	},
	{
		name: "jitsu, under another name", cfg: Config{Scheme: Jitsu, Header: "X-My-Sig", Secrets: []string{"super-secret-key"}},
		body: jitsuBody, signed: "X-My-Sig", now: 1000,
		header: headersOf("X-My-Sig", "a31ab5a3eac21f9bda8c96ff188db16ea69a6bb798b1ecab028c562cb3db455a",
			"X-My-Sig-Timestamp", "1000"),
		coverage: whole,
	},
	{
		name: "jitsu, spelled out", cfg: Config{Scheme: HMAC, Secrets: []string{"super-secret-key"}, Header: "Jitsu-Signature",
			Signed: "{ts}.{body}", TimestampHeader: "Jitsu-Signature-Timestamp"},
		body: jitsuBody, signed: "Jitsu-Signature", now: 1000,
		header: headersOf("Jitsu-Signature", "a31ab5a3eac21f9bda8c96ff188db16ea69a6bb798b1ecab028c562cb3db455a",
			"Jitsu-Signature-Timestamp", "1000"),
		coverage: whole,
	},
	{
		name: "jitsu, ed25519, spelled out", cfg: Config{Scheme: HMAC, Algorithm: "ed25519", Secrets: []string{edPublic},
			Header: "Jitsu-Signature", Signed: "{ts}.{body}", TimestampHeader: "Jitsu-Signature-Timestamp"},
		body: jitsuBody, signed: "Jitsu-Signature", now: 1000,
		header: headersOf("Jitsu-Signature", "1e710abe9e432087671fab8c611819c1ab334e781a11377d90baaf9c46f8552401c100a4e18a297c9e21d6b6b331286aac3fe711ddf55daf4790b73a8b2edb0a",
			"Jitsu-Signature-Timestamp", "1000"),
		coverage: whole,
	},
	{
		name: "census lifecycle", cfg: Config{Scheme: Census, Secrets: []string{"census-secret"}},
		body: `{"workspace_id":3167,"sync_id":3167956,"sync_run_id":324399613,"event":"sync.triggered"}`, signed: "X-Signature",
		header:   headersOf("X-Signature", "9HOHeVwpWXt8M/2e0UrOH4CFrudO+1MG0XjgCfk5fdw="),
		coverage: whole,
	},
	{
		name: "census lifecycle, spelled out",
		cfg:  Config{Scheme: HMAC, Secrets: []string{"census-secret"}, Header: "X-Signature", Encoding: "base64"},
		body: `{"workspace_id":3167,"sync_id":3167956,"sync_run_id":324399613,"event":"sync.triggered"}`, signed: "X-Signature",
		header:   headersOf("X-Signature", "9HOHeVwpWXt8M/2e0UrOH4CFrudO+1MG0XjgCfk5fdw="),
		coverage: whole,
	},
}

// others are two keys of the kind that a vector's is, and not it.
func (v vector) others() (string, string) {
	if v.cfg.Algorithm == "ed25519" { // test keys 2 and 3 of RFC 8032
		return "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"
	}
	return "whsec_bmV3", "whsec_b2xk"
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
			next, last := v.others()
			rotated.Secrets = []string{next, v.cfg.Secrets[0], last}
			if coverage, err := mustNew(t, rotated).Verify(request(v.body, v.header), now); err != nil || coverage != v.coverage {
				t.Errorf("beside two others: coverage %v, error %v", coverage, err)
			}
			rotated.Secrets = []string{next, last}
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
			for name := range v.header {
				if name != v.signed {
					checkHeaderNeighbours(t, verifier, v, name)
				}
			}
			header := v.header.Clone()
			header.Del(v.signed)
			_, err := verifier.Verify(request(v.body, header), now)
			wantCode(t, err, "missing_signature")
		})
	}
}

// checkHeaderNeighbours changes the signed time or id, whose neighbour may be as fresh.
func checkHeaderNeighbours(t *testing.T, verifier *Verifier, v vector, name string) {
	t.Helper()
	good := v.header.Get(name)
	for i := range good {
		header := v.header.Clone()
		header.Set(name, good[:i]+string(good[i]^1)+good[i+1:])
		if _, err := verifier.Verify(request(v.body, header), time.Unix(v.now, 0)); err == nil {
			t.Errorf("%s: %s is taken", name, header.Get(name))
		}
	}
	header := v.header.Clone()
	header.Del(name)
	if _, err := verifier.Verify(request(v.body, header), time.Unix(v.now, 0)); err == nil {
		t.Errorf("taken without %s", name)
	}
}
