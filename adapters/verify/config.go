package verify

import "time"

// The schemes a connection can be given.
const (
	Segment          = "segment"
	Jitsu            = "jitsu"
	Census           = "census"
	Basic            = "basic"
	Bearer           = "bearer"
	Header           = "header"
	Query            = "query"
	StandardWebhooks = "standard-webhooks"
	HMAC             = "hmac"
)

// What is made of a Segment batch, whose signature covers its first element only.
const (
	// BatchFirst takes the batch; the events after the first are partially verified. It is the default.
	BatchFirst = "first"
	// BatchWhole takes a batch only when the signature covers all of it.
	BatchWhole = "whole"
	// BatchReject takes no batch.
	BatchReject = "reject"
)

// DefaultTolerance is how far a signed time may be from ours, both ways; Standard Webhooks has the same five minutes.
const DefaultTolerance = 5 * time.Minute

// Config is the `verify` section of a connection. Every scheme needs secrets; which of the rest it takes is in the table
// of New, and an option that the scheme does not take is an error.
type Config struct {
	Scheme  string   `yaml:"scheme" required:"true" enum:"segment,jitsu,census,basic,bearer,header,query,standard-webhooks,hmac" doc:"How the sender proves who it is."`
	Secrets []string `yaml:"secrets" required:"true" doc:"The shared secrets, or the public keys of algorithm ed25519. Any of them is accepted, so that two are live while one is being replaced; the first one signs."`

	Header          string        `yaml:"header" doc:"The header that holds the secret (scheme header) or the signature (scheme hmac; scheme jitsu, Jitsu-Signature by default)."`
	Parameter       string        `yaml:"parameter" doc:"The query parameter that holds the secret of scheme query."`
	Username        string        `yaml:"username" doc:"The user name of scheme basic; the secrets are then passwords. Without it each secret is user:password."`
	Algorithm       string        `yaml:"algorithm" enum:"sha1,sha256,sha512,ed25519" doc:"What makes the signature of scheme hmac or jitsu: a hash, sha256 by default, with a shared secret; or ed25519, whose secrets are public keys: 64 hex digits, the base64 of 32 bytes, whpk_ and base64, or PEM. Scheme jitsu takes sha256 and ed25519."`
	Encoding        string        `yaml:"encoding" enum:"hex,base64" doc:"How the signature of scheme hmac is written; hex by default."`
	Prefix          string        `yaml:"prefix" doc:"What stands before the signature in its header, such as sha256=."`
	Signed          string        `yaml:"signed" doc:"The signed text of scheme hmac: {body} by default, {ts}.{body} or {id}.{ts}.{body}."`
	TimestampHeader string        `yaml:"timestamp_header" doc:"The header with the time of signing, for {ts}."`
	TimestampFormat string        `yaml:"timestamp_format" enum:"unix,unix_ms,rfc3339" doc:"How that time is written; unix (seconds) by default."`
	IDHeader        string        `yaml:"id_header" doc:"The header with the id of the message, for {id}."`
	Tolerance       time.Duration `yaml:"tolerance" doc:"How far the time of signing may be from ours, both ways; 5m by default."`
	BatchSignature  string        `yaml:"batch_signature" enum:"first,whole,reject" doc:"Segment signs only the first event of a batch. first: take the others as partially verified; whole: the signature must cover the batch; reject: take no batches."`
}

// IsZero reports that nothing is configured: the write key alone is then the credential.
func (c Config) IsZero() bool {
	return c.Scheme == "" && len(c.Secrets) == 0 && len(c.options()) == 0
}

// options names what is set beyond scheme and secrets.
func (c Config) options() []string {
	var set []string
	for _, option := range []struct {
		name string
		set  bool
	}{
		{"header", c.Header != ""},
		{"parameter", c.Parameter != ""},
		{"username", c.Username != ""},
		{"algorithm", c.Algorithm != ""},
		{"encoding", c.Encoding != ""},
		{"prefix", c.Prefix != ""},
		{"signed", c.Signed != ""},
		{"timestamp_header", c.TimestampHeader != ""},
		{"timestamp_format", c.TimestampFormat != ""},
		{"id_header", c.IDHeader != ""},
		{"tolerance", c.Tolerance != 0},
		{"batch_signature", c.BatchSignature != ""},
	} {
		if option.set {
			set = append(set, option.name)
		}
	}
	return set
}
