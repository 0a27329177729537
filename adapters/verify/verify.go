// Package verify checks who sent a request: one parametric verifier of signatures, with presets for the published
// schemes, and plain secrets beside it. It reads the raw bytes as they were sent, compares in constant time, tries every
// secret, and never says what would have been right.
package verify

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"switchyard/engine"
)

// Coverage is how far a request was authenticated.
type Coverage struct {
	// First is that of the first event, Rest that of all after it.
	First, Rest engine.Verification
}

// Of is the verification of the event at an index.
func (c Coverage) Of(index int) engine.Verification {
	if index == 0 {
		return c.First
	}
	return c.Rest
}

// Unsure is that of a request whose signature is good, and which was made events by something that is not signed.
var Unsure = Coverage{engine.Partial, engine.Partial}

var (
	nothing   = Coverage{engine.Unverified, engine.Unverified}
	firstOnly = Coverage{engine.Verified, engine.Partial}
	whole     = Coverage{engine.Verified, engine.Verified}
)

// scheme is one way to prove who sent a request, from both sides.
type scheme interface {
	verify(req *engine.Request, now time.Time) (Coverage, error)
	sign(proof Proof, body []byte, id string, now time.Time) error
}

// signer is a scheme whose proof covers the body.
type signer interface {
	// idHeaders are the headers with an id that is signed; empty when none is.
	idHeaders() []string
}

// Verifier checks requests by one scheme. It is safe for concurrent use.
type Verifier struct{ scheme scheme }

// None is the verifier of a connection without a scheme: it takes everything and calls it unverified.
func None() *Verifier { return &Verifier{open{}} }

// SignsBody reports whether the proof covers the body, and nothing else of the request that is not signed with it.
func (v *Verifier) SignsBody() bool {
	_, ok := v.scheme.(signer)
	return ok
}

// IDHeaders are the headers that may name a message, since they are signed with it; nil when any may, since whoever can
// send one header can send them all.
func (v *Verifier) IDHeaders() []string {
	if s, ok := v.scheme.(signer); ok {
		return s.idHeaders()
	}
	return nil
}

// Verify reports how far the request is authenticated, or an *engine.Unauthorized with one of the codes
// missing_signature, bad_signature, stale_timestamp, bad_credentials and batch_not_allowed.
func (v *Verifier) Verify(req *engine.Request, now time.Time) (Coverage, error) {
	return v.scheme.verify(req, now)
}

// schemes is every scheme: the options it takes beyond secrets, those that it must have, and how it is built.
var schemes = map[string]struct {
	takes, needs []string
	build        func(Config) (scheme, error)
}{
	Segment:          {takes: []string{"batch_signature"}, build: newSegment},
	Jitsu:            {takes: []string{"header", "algorithm", "tolerance"}, build: newJitsu},
	Census:           {build: newCensus},
	Basic:            {takes: []string{"username"}, build: newBasic},
	Bearer:           {build: newBearer},
	Header:           {takes: []string{"header"}, needs: []string{"header"}, build: newHeader},
	Query:            {takes: []string{"parameter"}, needs: []string{"parameter"}, build: newQuery},
	StandardWebhooks: {takes: []string{"tolerance"}, build: newStandardWebhooks},
	HMAC: {
		takes: []string{"header", "algorithm", "encoding", "prefix", "signed", "timestamp_header", "timestamp_format",
			"id_header", "tolerance"},
		needs: []string{"header"},
		build: newHMAC,
	},
}

// Schemes are the names of all schemes, sorted.
func Schemes() []string { return slices.Sorted(maps.Keys(schemes)) }

// New builds the verifier that a connection asks for. It fails closed: what is missing, unknown or without effect is an
// error that says what to do and never shows a secret. A private key is refused: whoever verifies has no use for it, and
// should not have it.
func New(cfg Config) (*Verifier, error) {
	built, err := build(cfg)
	if err != nil {
		return nil, err
	}
	if s, signs := built.(*signature); signs {
		for i, key := range s.keys {
			if key.private != nil {
				return nil, fmt.Errorf("verify: scheme %s has a secret at position %d that is a private key; give the public one (whpk_… or PEM)",
					cfg.Scheme, i+1)
			}
		}
	}
	return &Verifier{built}, nil
}

// build does for both sides what New does for the receiver's.
func build(cfg Config) (scheme, error) {
	row, known := schemes[cfg.Scheme]
	if !known {
		return nil, fmt.Errorf("verify: scheme %q is unknown; use %s", cfg.Scheme, choices(schemes))
	}
	if err := cfg.check(row.takes, row.needs); err != nil {
		return nil, fmt.Errorf("verify: scheme %s %w", cfg.Scheme, err)
	}
	built, err := row.build(cfg)
	if err != nil {
		return nil, fmt.Errorf("verify: scheme %s %w", cfg.Scheme, err)
	}
	return built, nil
}

// choose takes an option's value, or its default, out of the table of what is known.
func choose[T any](table map[string]T, option, value, byDefault string) (T, error) {
	chosen, known := table[cmp.Or(value, byDefault)]
	if !known {
		return chosen, fmt.Errorf("has an unknown %s %q; use %s", option, value, choices(table))
	}
	return chosen, nil
}

// choices are the keys of a table, as a sentence has them: a, b or c.
func choices[T any](table map[string]T) string {
	names := slices.Sorted(maps.Keys(table))
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

func (c Config) check(takes, needs []string) error {
	set := c.options()
	for _, name := range set {
		if !slices.Contains(takes, name) {
			return fmt.Errorf("does not take %s; remove it", name)
		}
	}
	for _, name := range needs {
		if !slices.Contains(set, name) {
			return fmt.Errorf("needs %s; set it", name)
		}
	}
	if len(c.Secrets) == 0 {
		return errors.New("needs secrets; set at least one, or remove verify so that the write key alone is the credential")
	}
	for i, secret := range c.Secrets {
		if strings.TrimSpace(secret) == "" {
			return fmt.Errorf("has an empty secret at position %d; set it or remove it", i+1)
		}
	}
	return c.checkNames()
}

func (c Config) checkNames() error {
	for _, header := range []struct{ option, name string }{
		{"header", c.Header}, {"timestamp_header", c.TimestampHeader}, {"id_header", c.IDHeader},
	} {
		if strings.ContainsFunc(header.name, notToken) {
			return fmt.Errorf("has a %s that is not the name of a header: %q", header.option, header.name)
		}
	}
	if strings.ContainsFunc(c.Parameter, notParameter) {
		return fmt.Errorf("has a parameter that is not the name of a query parameter: %q", c.Parameter)
	}
	return nil
}

// notToken tells the characters that a header's name cannot hold (RFC 9110, 5.6.2).
func notToken(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
}

// notParameter tells the characters that a query parameter's name holds in an escaped form at most, so that the name is
// given as it reads.
func notParameter(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"#%&+;<=>?`, r)
}

// Proof is what a sender adds to its request.
type Proof struct {
	Header http.Header
	Query  url.Values
}

// Sign makes what a sender configured as cfg would add to a request with this body, by the first secret; with Ed25519
// that is a private key: whsk_ and the base64 of its seed or of all 64 bytes, or PKCS #8 as PEM or base64. The id is the
// message's, for the schemes that send one. A zero config signs nothing.
func Sign(cfg Config, body []byte, id string, now time.Time) (Proof, error) {
	var signer scheme = open{}
	if !cfg.IsZero() {
		var err error
		if signer, err = build(cfg); err != nil {
			return Proof{}, err
		}
	}
	proof := Proof{Header: http.Header{}, Query: url.Values{}}
	if err := signer.sign(proof, body, id, now); err != nil {
		return Proof{}, fmt.Errorf("sign: %w", err)
	}
	return proof, nil
}

func unauthorized(code, format string, args ...any) error {
	return &engine.Unauthorized{Code: code, Message: fmt.Sprintf(format, args...)}
}

// open is the scheme of a connection that has none.
type open struct{}

func (open) verify(*engine.Request, time.Time) (Coverage, error) { return nothing, nil }

func (open) sign(Proof, []byte, string, time.Time) error { return nil }
