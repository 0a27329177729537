package verify

import "fmt"

// newHMAC is the scheme that the connection describes itself.
func newHMAC(cfg Config) (scheme, error) { return newSignature(cfg) }

// newCensus is the X-Signature of Census' lifecycle webhook: the base64 HMAC-SHA256 of the body
// (https://fivetran.com/docs/activations/syncs/sync-monitoring/sync-lifecycle-webhooks). Segment has a header of the same name
// in another form.
func newCensus(cfg Config) (scheme, error) {
	return newSignature(Config{Header: "X-Signature", Encoding: "base64", Secrets: cfg.Secrets})
}

// newJitsu is the signature of Jitsu's webhook destination and of its reverse-ETL (jitsucom/jitsu, webhook-destination.ts):
// hex over `<unix seconds>.<body>`, or over the body alone when that destination is told to include no time. The header
// can be given another name there, and that of the time is always this name and -Timestamp.
//
// A request signed with its time can not be made into one without: see signature.untimed. One that was signed without can
// be sent again, and deduplication is the guard.
func newJitsu(cfg Config) (scheme, error) {
	switch cfg.Algorithm {
	case "", "sha256", "ed25519":
	default:
		return nil, fmt.Errorf("does not take algorithm %q; use sha256 or ed25519", cfg.Algorithm)
	}
	header := cfg.Header
	if header == "" {
		header = "Jitsu-Signature"
	}
	s, err := newSignature(Config{
		Header: header, Algorithm: cfg.Algorithm, Signed: "{ts}.{body}", TimestampHeader: header + "-Timestamp",
		Tolerance: cfg.Tolerance, Secrets: cfg.Secrets,
	})
	if err != nil {
		return nil, err
	}
	s.untimed = true
	return s, nil
}

// newStandardWebhooks is the scheme of https://www.standardwebhooks.com, with Svix's older names of the headers.
func newStandardWebhooks(cfg Config) (scheme, error) {
	keys, err := keysOf(cfg.Secrets, webhookKey)
	if err != nil {
		return nil, err
	}
	text, err := parseTemplate("{id}.{ts}.{body}")
	if err != nil {
		return nil, err
	}
	s := &signature{
		families: []headers{
			{"webhook-signature", "webhook-timestamp", "webhook-id"},
			{"svix-signature", "svix-timestamp", "svix-id"},
		},
		keys:      keys,
		list:      true,
		encoding:  base64Encoding,
		text:      text,
		stamp:     unixStamp,
		tolerance: cfg.Tolerance,
	}
	return s, s.check(Config{TimestampHeader: "webhook-timestamp", IDHeader: "webhook-id"})
}
