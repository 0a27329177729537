package verify

import "time"

// The schemes a connection can be given.
const (
	Segment          = "segment"
	Basic            = "basic"
	Bearer           = "bearer"
	Header           = "header"
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
	Scheme  string   `yaml:"scheme" required:"true" enum:"segment,basic,bearer,header,standard-webhooks,hmac" doc:"How the sender proves who it is."`
	Secrets []string `yaml:"secrets" required:"true" doc:"The shared secrets. Any of them is accepted, so that two are live while one is being replaced; the first one signs."`

	Header          string        `yaml:"header" doc:"The header that holds the secret (scheme header) or the signature (scheme hmac)."`
	Username        string        `yaml:"username" doc:"The user name of scheme basic; the secrets are then passwords. Without it each secret is user:password."`
	Algorithm       string        `yaml:"algorithm" enum:"sha1,sha256,sha512" doc:"The hash of scheme hmac; sha256 by default."`
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
