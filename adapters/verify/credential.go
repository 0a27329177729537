package verify

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"switchyard/engine"
)

// credential is a secret sent as it is: HTTP Basic, a bearer token, or a header of any name.
type credential struct {
	header string
	// scheme is the word before the credential, matched in any case; "" for none.
	scheme string
	// accepted are the header's values after the scheme word; the first one signs.
	accepted []string
}

// newBasic expects `Authorization: Basic base64(user:password)`, RFC 7617.
func newBasic(cfg Config) (scheme, error) {
	accepted := make([]string, 0, len(cfg.Secrets))
	for _, secret := range cfg.Secrets {
		switch {
		case cfg.Username != "":
			secret = cfg.Username + ":" + secret
		case !strings.Contains(secret, ":"):
			return nil, errors.New("needs username, or secrets of the form user:password")
		}
		accepted = append(accepted, secret)
	}
	if strings.Contains(cfg.Username, ":") {
		return nil, errors.New("cannot send a username that contains a colon")
	}
	return &credential{header: "Authorization", scheme: "Basic", accepted: accepted}, nil
}

// newBearer expects `Authorization: Bearer secret`, RFC 6750.
func newBearer(cfg Config) (scheme, error) {
	return &credential{header: "Authorization", scheme: "Bearer", accepted: cfg.Secrets}, nil
}

func newHeader(cfg Config) (scheme, error) {
	return &credential{header: cfg.Header, accepted: cfg.Secrets}, nil
}

func (c *credential) verify(req *engine.Request, _ time.Time) (Coverage, error) {
	sent := req.Header(c.header)
	if sent == "" {
		return Coverage{}, unauthorized("bad_credentials", "the %s header is missing", c.header)
	}
	given, ok := c.read(sent)
	if !ok {
		return Coverage{}, unauthorized("bad_credentials", "the %s header is not %s", c.header, c.scheme)
	}
	match := 0
	for _, accepted := range c.accepted {
		match |= equal(given, accepted)
	}
	if match != 1 {
		return Coverage{}, unauthorized("bad_credentials", "the %s header does not hold a known secret", c.header)
	}
	return whole, nil
}

// read takes the credential out of the header's value.
func (c *credential) read(sent string) (given string, ok bool) {
	if c.scheme == "" {
		return sent, true
	}
	word, given, _ := strings.Cut(sent, " ")
	if !strings.EqualFold(word, c.scheme) {
		return "", false
	}
	given = strings.TrimSpace(given)
	if c.scheme != "Basic" {
		return given, true
	}
	pair, err := base64.StdEncoding.DecodeString(given)
	return string(pair), err == nil
}

func (c *credential) sign(header http.Header, _ []byte, _ string, _ time.Time) error {
	value := c.accepted[0]
	if c.scheme == "Basic" {
		value = base64.StdEncoding.EncodeToString([]byte(value))
	}
	if c.scheme != "" {
		value = c.scheme + " " + value
	}
	header.Set(c.header, value)
	return nil
}

// equal is 1 when both texts are the same. It compares hashes, so that the time tells nothing of the length either.
func equal(a, b string) int {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:])
}
