package verify

import (
	"encoding/json"
	"errors"
	"time"

	"switchyard/engine"
)

// segment is Segment's X-Signature: the lowercase hex HMAC-SHA1 of the body. Of a batch, a bare array, Segment signs the
// first element alone (segmentio/action-destinations, the webhook destinations); a signature over all of it is proposed
// upstream, and is tried first.
type segment struct {
	signature *signature
	batch     string
}

var batches = map[string]string{BatchFirst: BatchFirst, BatchWhole: BatchWhole, BatchReject: BatchReject}

func newSegment(cfg Config) (scheme, error) {
	batch, err := choose(batches, "batch_signature", cfg.BatchSignature, BatchFirst)
	if err != nil {
		return nil, err
	}
	single, err := newSignature(Config{Header: "X-Signature", Algorithm: "sha1", Secrets: cfg.Secrets})
	if err != nil {
		return nil, err
	}
	return &segment{signature: single, batch: batch}, nil
}

func (s *segment) verify(req *engine.Request, now time.Time) (Coverage, error) {
	coverage, err := s.signature.verify(req, now)
	if engine.KindOf(req.Body) != '[' {
		return coverage, err
	}
	if err != nil && s.batch != BatchWhole && s.signsFirst(req) {
		coverage, err = firstOnly, nil
	}
	if err == nil && s.batch == BatchReject {
		return Coverage{}, unauthorized("batch_not_allowed", "this connection takes no batches; turn batching off at Segment")
	}
	return coverage, err
}

func (s *segment) idHeaders() []string { return s.signature.idHeaders() }

func (s *segment) signsFirst(req *engine.Request) bool {
	sent := req.Header("X-Signature")
	element := firstElement(req.Body)
	if sent == "" || element == nil {
		return false
	}
	if s.signature.matches(sent, [][]byte{element}) {
		return true
	}
	inner := innerJSON(element)
	return inner != nil && s.signature.matches(sent, [][]byte{inner})
}

// sign does as Segment does: the first element of a batch, all of anything else.
func (s *segment) sign(proof Proof, body []byte, id string, now time.Time) error {
	if engine.KindOf(body) == '[' && s.batch != BatchWhole {
		element := firstElement(body)
		if element == nil {
			return errors.New("the batch has no first element to sign")
		}
		if body = element; innerJSON(element) != nil {
			body = innerJSON(element)
		}
	}
	return s.signature.sign(proof, body, id, now)
}

// errSeen stops a walk that has what it came for.
var errSeen = errors.New("seen")

// firstElement is the raw bytes of element 0, nil when there is none. What comes after it is not looked at.
func firstElement(body []byte) (first json.RawMessage) {
	err := engine.ElementsOf(body, engine.DefaultJSONLimits, func(element json.RawMessage) error {
		first = element
		return errSeen
	})
	if !errors.Is(err, errSeen) {
		return nil
	}
	return first
}

// innerJSON is the object in an element {"json": {…}}, the form of Segment's extensible webhook; nil for any other. The
// element must have no other member: whatever else it held would be read and not be signed. Package spec has the same
// rule for what it takes out of a list.
func innerJSON(element json.RawMessage) (inner json.RawMessage) {
	members := 0
	err := engine.MembersOf(element, engine.DefaultJSONLimits, func(name []byte, value json.RawMessage) error {
		if members++; string(name) == "json" {
			inner = value
		}
		return nil
	})
	if err != nil || members != 1 || engine.KindOf(inner) != '{' {
		return nil
	}
	return inner
}
