// Package freshpaint reads what Freshpaint's webhook destination posts: one Segment-style event a request, perhaps
// without a content type, whose message ids are base64.
//
// Where the facts are from: https://documentation.freshpaint.io/integrations/destinations/apps/webhooks. Neither a
// signature nor what is retried is documented there.
package freshpaint

import (
	"net/http"

	"switchyard/adapters/spec"
	"switchyard/adapters/verify"
	"switchyard/engine"
)

// Schemes are what Freshpaint can be configured to send: it signs nothing, and adds static headers.
var Schemes = []string{verify.Bearer, verify.Header, verify.Basic}

// Decode reads one request. Its errors are those of spec.Decode.
func Decode(req *engine.Request, opts spec.Options) (engine.Batch, error) {
	return spec.Decode(req.Body, opts)
}

// Encode is what Freshpaint posts for an event: the bytes as they are, and no content type.
func Encode(event []byte) (http.Header, []byte, error) {
	return http.Header{}, event, nil
}
