package verify

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"switchyard/engine"
)

type encoding struct {
	encode func([]byte) string
	decode func(string) ([]byte, error)
}

var (
	hexEncoding    = encoding{hex.EncodeToString, hex.DecodeString} // reads digits of either case
	base64Encoding = encoding{base64.StdEncoding.EncodeToString, decodeBase64}
	encodings      = map[string]encoding{"hex": hexEncoding, "base64": base64Encoding}
)

// decodeBase64 takes the one text that encodes some bytes: with its padding, and without the line breaks that even the
// strict decoder skips.
func decodeBase64(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, errors.New("a line break")
	}
	return base64.StdEncoding.Strict().DecodeString(text)
}

// headers are the names that one family of headers has for the parts of a signature.
type headers struct{ signature, timestamp, id string }

// signature is the parametric scheme: keys sign a text made of the body, and perhaps a time and an id, and the result
// stands in a header.
type signature struct {
	// families are tried in order; the first of which there is a header is the one.
	families []headers
	keys     []key
	// list: the header holds several signatures with a space between them, any of which may match.
	list      bool
	encoding  encoding
	text      template
	stamp     stamp
	tolerance time.Duration
	// untimed: the sender may leave out the time, and then signs the body alone.
	untimed bool
}

// maxListed bounds the signatures tried of one header; senders list one for each live key.
const maxListed = 32

func newSignature(cfg Config) (*signature, error) {
	secret, err := choose(algorithms, "algorithm", cfg.Algorithm, "sha256")
	if err != nil {
		return nil, err
	}
	encoding, err := choose(encodings, "encoding", cfg.Encoding, "hex")
	if err != nil {
		return nil, err
	}
	stamp, err := choose(stamps, "timestamp_format", cfg.TimestampFormat, "unix")
	if err != nil {
		return nil, err
	}
	text, err := parseTemplate(cfg.Signed)
	if err != nil {
		return nil, err
	}
	keys, err := keysOf(cfg.Secrets, secret)
	if err != nil {
		return nil, err
	}
	for i := range keys {
		keys[i].prefix = cfg.Prefix
	}
	s := &signature{
		families:  []headers{{signature: cfg.Header, timestamp: cfg.TimestampHeader, id: cfg.IDHeader}},
		keys:      keys,
		encoding:  encoding,
		text:      text,
		stamp:     stamp,
		tolerance: cfg.Tolerance,
	}
	return s, s.check(cfg)
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
	id, ts, text := "", "", s.text
	if s.text.uses(partID) {
		if id = req.Header(names.id); id == "" {
			return Coverage{}, unauthorized("missing_signature", "the %s header is missing", names.id)
		}
	}
	if s.text.uses(partTime) {
		ts = req.Header(names.timestamp)
		if ts == "" && s.untimed && !startsWithTime(req.Body) {
			text = template{partBody}
		} else if err := s.fresh(names.timestamp, ts, now); err != nil {
			return Coverage{}, err
		}
	}
	if !s.matches(sent, text.fill(req.Body, ts, id)) {
		return Coverage{}, unauthorized("bad_signature", "the %s header does not sign this body with a known secret", names.signature)
	}
	return whole, nil
}

// startsWithTime tells a body that can be the text `<time>.<body>` of another request, whose signature would be good for
// it as well. No message starts with a digit.
func startsWithTime(body []byte) bool { return len(body) > 0 && '0' <= body[0] && body[0] <= '9' }

// family finds the names that the sender uses. An id decides too, and not the signature alone: the id of a family is what
// names the message, so one that came without its signature must not stand beside the signature of another family.
func (s *signature) family(req *engine.Request) (names headers, sent string) {
	for _, names := range s.families {
		sent := req.Header(names.signature)
		if sent != "" || (names.id != "" && req.Header(names.id) != "") {
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
	listed, match := s.listed(sent), 0
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

func (s *signature) listed(sent string) (listed []string) {
	if !s.list {
		return []string{sent}
	}
	for candidate := range strings.FieldsSeq(sent) {
		if listed = append(listed, candidate); len(listed) == maxListed {
			break
		}
	}
	return listed
}

func (s *signature) sign(proof Proof, body []byte, id string, now time.Time) error {
	names, key, ts := s.families[0], s.keys[0], ""
	if s.text.uses(partTime) {
		ts = s.stamp.format(now)
		proof.Header.Set(names.timestamp, ts)
	}
	if s.text.uses(partID) {
		if id == "" {
			return errors.New("the scheme sends an id, and none was given")
		}
		proof.Header.Set(names.id, id)
	}
	made, err := key.sign(s.text.fill(body, ts, id))
	if err != nil {
		return err
	}
	proof.Header.Set(names.signature, key.prefix+s.encoding.encode(made))
	return nil
}

func (s *signature) idHeaders() []string {
	names := []string{}
	for _, family := range s.families {
		if s.text.uses(partID) {
			names = append(names, family.id)
		}
	}
	return names
}
