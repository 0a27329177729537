package verify

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"switchyard/engine"
)

// credential is a secret sent as it is: HTTP Basic, a bearer token, a header or a query parameter of any name.
type credential struct {
	// One of both names where it stands.
	header, parameter string
	// scheme is the word before the credential in its header, matched in any case; "" for none.
	scheme string
	// accepted are the hashes of the values after the scheme word: what is compared has one length, whatever the secrets'
	// lengths are, so that the time tells nothing of those either.
	accepted [][sha256.Size]byte
	// signs is the value that a sender sends.
	signs string
}

// accepting adds what is accepted.
func (c credential) accepting(secrets []string) *credential {
	for _, secret := range secrets {
		c.accepted = append(c.accepted, sha256.Sum256([]byte(secret)))
	}
	c.signs = secrets[0]
	return &c
}

// newBasic expects `Authorization: Basic base64(user:password)`, RFC 7617.
func newBasic(cfg Config) (scheme, error) {
	if strings.Contains(cfg.Username, ":") {
		return nil, errors.New("cannot send a username that contains a colon")
	}
	pairs := make([]string, 0, len(cfg.Secrets))
	for i, secret := range cfg.Secrets {
		if cfg.Username != "" {
			secret = cfg.Username + ":" + secret
		}
		switch _, password, isPair := strings.Cut(secret, ":"); {
		case !isPair:
			return nil, errors.New("needs username, or secrets of the form user:password")
		case strings.TrimSpace(password) == "":
			return nil, fmt.Errorf("has an empty password at position %d; set it or remove it", i+1)
		}
		pairs = append(pairs, secret)
	}
	return credential{header: "Authorization", scheme: "Basic"}.accepting(pairs), nil
}

// newBearer expects `Authorization: Bearer secret`, RFC 6750.
func newBearer(cfg Config) (scheme, error) {
	return credential{header: "Authorization", scheme: "Bearer"}.accepting(cfg.Secrets), cfg.checkCarried()
}

func newHeader(cfg Config) (scheme, error) {
	return credential{header: cfg.Header}.accepting(cfg.Secrets), cfg.checkCarried()
}

// newQuery expects ?parameter=secret, for senders that can be given a URL and nothing else.
func newQuery(cfg Config) (scheme, error) {
	return credential{parameter: cfg.Parameter}.accepting(cfg.Secrets), nil
}

// checkCarried refuses secrets that never arrive as they are, for a header's value has no control characters and no white
// space around it (RFC 9110, 5.5).
func (c Config) checkCarried() error {
	for i, secret := range c.Secrets {
		control := func(r rune) bool { return r < ' ' || r == 0x7f }
		if strings.Trim(secret, " \t") != secret || strings.ContainsFunc(secret, control) {
			return fmt.Errorf("has a secret at position %d that a header can not carry; remove the white space around it", i+1)
		}
	}
	return nil
}

func (c *credential) verify(req *engine.Request, _ time.Time) (Coverage, error) {
	sent := c.sent(req)
	if sent == "" {
		return Coverage{}, unauthorized("bad_credentials", "the %s is missing", c)
	}
	given, ok := c.read(sent)
	if !ok {
		return Coverage{}, unauthorized("bad_credentials", "the %s is not %s", c, c.scheme)
	}
	hash, match := sha256.Sum256([]byte(given)), 0
	for _, accepted := range c.accepted {
		match |= subtle.ConstantTimeCompare(hash[:], accepted[:])
	}
	if match != 1 {
		return Coverage{}, unauthorized("bad_credentials", "the %s does not hold a known secret", c)
	}
	return whole, nil
}

// String names the place in words: "X-Api-Key header".
func (c *credential) String() string {
	if c.parameter != "" {
		return "query parameter " + c.parameter
	}
	return c.header + " header"
}

func (c *credential) sent(req *engine.Request) string {
	if c.parameter != "" {
		return req.Query(c.parameter)
	}
	return req.Header(c.header)
}

// read takes the credential out of the value sent.
func (c *credential) read(sent string) (given string, ok bool) {
	if c.scheme == "" {
		return sent, true
	}
	word, given, _ := strings.Cut(sent, " ")
	if !strings.EqualFold(word, c.scheme) {
		return "", false
	}
	given = strings.Trim(given, " \t")
	if c.scheme != "Basic" {
		return given, true
	}
	pair, err := decodeBase64(given)
	return string(pair), err == nil
}

func (c *credential) sign(proof Proof, _ []byte, _ string, _ time.Time) error {
	value := c.signs
	if c.scheme == "Basic" {
		value = base64.StdEncoding.EncodeToString([]byte(value))
	}
	switch {
	case c.parameter != "":
		proof.Query.Set(c.parameter, value)
	case c.scheme != "":
		proof.Header.Set(c.header, c.scheme+" "+value)
	default:
		proof.Header.Set(c.header, value)
	}
	return nil
}
