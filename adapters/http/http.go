// Package http reads what anybody posts who has no adapter of their own: the track-shaped message that Knock's HTTP
// source takes (https://docs.knock.app/integrations/sources/http), or a list of such,
//
//	{"type":"track","event":"…","properties":{…},"userId":"…","messageId":"…","timestamp":"…"}
//
// in which the type may be left out, and any other message of Segment's spec with its type.
package http

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"switchyard/adapters/spec"
	"switchyard/adapters/verify"
	"switchyard/engine"
)

// Schemes are all but the vendors' own: a sender that we do not know may do any of them.
var Schemes = []string{verify.StandardWebhooks, verify.HMAC, verify.Bearer, verify.Basic, verify.Header, verify.Query}

// idHeaders name the message for a sender that does not do so in the body, the nearest to a standard first: Standard
// Webhooks, Svix's name for the same, and the draft of the IETF (draft-ietf-httpapi-idempotency-key-header).
var idHeaders = []string{"webhook-id", "svix-id", "Idempotency-Key"}

// Decode reads one request. A message without a type is a track when it has an event; one without a messageId has that
// of the request's headers, with #index added in a list. Its errors are those of spec.Decode.
func Decode(req *engine.Request, opts spec.Options) (engine.Batch, error) {
	opts.EventMeansTrack = true
	batch, err := spec.Decode(req.Body, opts)
	if err != nil {
		return engine.Batch{}, err
	}
	NameByHeaders(req, batch, opts)
	return batch, nil
}

// requestID is the first of the headers that has one. Where something is signed, only a header that is signed with it is
// believed: with another, a captured request could be sent again as news.
func requestID(req *engine.Request, opts spec.Options) string {
	headers := idHeaders
	if opts.IDHeaders != nil {
		headers = opts.IDHeaders
	}
	for _, header := range headers {
		if id := req.Header(header); id != "" {
			return id
		}
	}
	return ""
}

// maxID leaves room for #3999.
const maxID = engine.MaxMessageID - 5

// NameByHeaders gives the events of a request the id in its headers, where they have none of their own.
func NameByHeaders(req *engine.Request, batch engine.Batch, opts spec.Options) {
	id := requestID(req, opts)
	if len(id) > maxID { // with the index it would be too long to be looked at
		hash := sha256.Sum256([]byte(id))
		id = hex.EncodeToString(hash[:])
	}
	for i, event := range batch.Events {
		switch {
		case event.MessageID != "" || id == "":
		case batch.Single:
			event.MessageID = id
		default:
			event.MessageID = id + "#" + strconv.Itoa(i)
		}
	}
}
