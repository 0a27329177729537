package verify

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"strings"
	"time"

	"switchyard/engine"
)

var algorithms = map[string]func() hash.Hash{"": sha256.New, "sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New}

type encoding struct {
	encode func([]byte) string
	decode func(string) ([]byte, error)
}

var (
	hexEncoding    = encoding{hex.EncodeToString, hex.DecodeString}
	base64Encoding = encoding{base64.StdEncoding.EncodeToString, base64.StdEncoding.Strict().DecodeString}
	encodings      = map[string]encoding{"": hexEncoding, "hex": hexEncoding, "base64": base64Encoding}
)

// headers are the names that one family of headers has for the parts of a signature.
type headers struct{ signature, timestamp, id string }

// signature is the parametric scheme: keys sign a text made of the body, and perhaps a time and an id, and the result
// stands in a header.
type signature struct {
	// families are tried in order; the first whose signature header is there is the one.
	families []headers
	keys     []key
	// list: the header holds several signatures with a space between them, any of which may match.
	list      bool
	encoding  encoding
	text      template
	stamp     stamp
	tolerance time.Duration
}

// maxListed bounds the signatures tried of one header; senders list one for each live key.
const maxListed = 32

// newHMAC is the scheme that the connection describes itself.
func newHMAC(cfg Config) (scheme, error) {
	algorithm, known := algorithms[cfg.Algorithm]
	if !known {
		return nil, fmt.Errorf("has an unknown algorithm %q; use sha1, sha256 or sha512", cfg.Algorithm)
	}
	encoding, known := encodings[cfg.Encoding]
	if !known {
		return nil, fmt.Errorf("has an unknown encoding %q; use hex or base64", cfg.Encoding)
	}
	stamp, known := stamps[cfg.TimestampFormat]
	if !known {
		return nil, fmt.Errorf("has an unknown timestamp_format %q; use unix, unix_ms or rfc3339", cfg.TimestampFormat)
	}
	text, err := parseTemplate(cfg.Signed)
	if err != nil {
		return nil, err
	}
	s := &signature{
		families:  []headers{{signature: cfg.Header, timestamp: cfg.TimestampHeader, id: cfg.IDHeader}},
		encoding:  encoding,
		text:      text,
		stamp:     stamp,
		tolerance: cfg.Tolerance,
	}
	for _, secret := range cfg.Secrets {
		s.keys = append(s.keys, hmacKey(cfg.Prefix, algorithm, []byte(secret)))
	}
	return s, s.check(cfg)
}

// newStandardWebhooks is the scheme of https://www.standardwebhooks.com, with Svix's older names of the headers.
func newStandardWebhooks(cfg Config) (scheme, error) {
	text, err := parseTemplate("{id}.{ts}.{body}")
	if err != nil {
		return nil, err
	}
	s := &signature{
		families: []headers{
			{"webhook-signature", "webhook-timestamp", "webhook-id"},
			{"svix-signature", "svix-timestamp", "svix-id"},
		},
		list:      true,
		encoding:  base64Encoding,
		text:      text,
		stamp:     stamps["unix"],
		tolerance: cfg.Tolerance,
	}
	for i, secret := range cfg.Secrets {
		key, err := webhookKey(sha256.New, secret)
		if err != nil {
			return nil, fmt.Errorf("has a secret at position %d that %w", i+1, err)
		}
		s.keys = append(s.keys, key)
	}
	return s, s.check(Config{TimestampHeader: "webhook-timestamp", IDHeader: "webhook-id"})
}

// check refuses a time or id that is configured and not signed, or signed and not configured, and sets the tolerance.
func (s *signature) check(cfg Config) error {
	switch {
	case s.text.uses(partTime) && cfg.TimestampHeader == "":
		return errors.New("signs {ts}, and so needs timestamp_header")
	case s.text.uses(partID) && cfg.IDHeader == "":
		return errors.New("signs {id}, and so needs id_header")
	case !s.text.uses(partTime) && (cfg.TimestampHeader != "" || cfg.TimestampFormat != "" || cfg.Tolerance != 0):
		return errors.New("does not sign {ts}; add it to signed, or remove the options of the timestamp")
	case !s.text.uses(partID) && cfg.IDHeader != "":
		return errors.New("does not sign {id}; add it to signed, or remove id_header")
	case s.tolerance < 0:
		return errors.New("needs a positive tolerance")
	case s.tolerance == 0:
		s.tolerance = DefaultTolerance
	}
	return nil
}

func (s *signature) verify(req *engine.Request, now time.Time) (Coverage, error) {
	names, sent := s.family(req)
	if sent == "" {
		return Coverage{}, unauthorized("missing_signature", "the %s header is missing", names.signature)
	}
	id, ts := "", ""
	if s.text.uses(partID) {
		if id = req.Header(names.id); id == "" {
			return Coverage{}, unauthorized("missing_signature", "the %s header is missing", names.id)
		}
	}
	if s.text.uses(partTime) {
		ts = req.Header(names.timestamp)
		if err := s.fresh(names.timestamp, ts, now); err != nil {
			return Coverage{}, err
		}
	}
	if !s.matches(sent, s.text.fill(req.Body, ts, id)) {
		return Coverage{}, unauthorized("bad_signature", "the %s header does not sign this body with a known secret", names.signature)
	}
	return whole, nil
}

func (s *signature) family(req *engine.Request) (names headers, sent string) {
	for _, names := range s.families {
		if sent := req.Header(names.signature); sent != "" {
			return names, sent
		}
	}
	return s.families[0], ""
}

// fresh holds the signed time against ours. It runs before the signature is known to be good, which tells a stranger
// nothing but the time.
func (s *signature) fresh(name, ts string, now time.Time) error {
	if ts == "" {
		return unauthorized("missing_signature", "the %s header is missing", name)
	}
	at, err := s.stamp.parse(ts)
	if err != nil {
		return unauthorized("stale_timestamp", "the %s header is not a time in the form %s", name, s.stamp.name)
	}
	if now.Sub(at).Abs() > s.tolerance {
		return unauthorized("stale_timestamp", "the %s header is more than %s away from our time", name, s.tolerance)
	}
	return nil
}

// matches tries every key on every signature sent, without an early exit.
func (s *signature) matches(sent string, text [][]byte) bool {
	listed := []string{sent}
	if s.list {
		listed = strings.Fields(sent)
		listed = listed[:min(len(listed), maxListed)]
	}
	match := 0
	for _, key := range s.keys {
		check := key.checker(text)
		for _, candidate := range listed {
			encoded, ours := strings.CutPrefix(candidate, key.prefix)
			if !ours {
				continue
			}
			if raw, err := s.encoding.decode(encoded); err == nil {
				match |= check(raw)
			}
		}
	}
	return match == 1
}

func (s *signature) sign(header http.Header, body []byte, id string, now time.Time) error {
	names, key := s.families[0], s.keys[0]
	if key.mac == nil {
		return errors.New("a whpk_ key can verify, not sign; give a whsec_ secret")
	}
	ts := ""
	if s.text.uses(partTime) {
		ts = s.stamp.format(now)
		header.Set(names.timestamp, ts)
	}
	if s.text.uses(partID) {
		if id == "" {
			return errors.New("the scheme sends an id, and none was given")
		}
		header.Set(names.id, id)
	}
	header.Set(names.signature, key.prefix+s.encoding.encode(key.sum(s.text.fill(body, ts, id))))
	return nil
}
