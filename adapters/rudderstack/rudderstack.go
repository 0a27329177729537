// Package rudderstack reads what RudderStack's webhook destination posts: one event, or, from its HTTP webhook, a bare
// array when batching is on. The same connection takes the calls of RudderStack's SDKs, whose batches are {"batch": […]}
// and are gzip without saying so.
//
// Where the facts are from: the messages and the missing signature are
// https://www.rudderstack.com/docs/destinations/streaming-destinations/webhooks and the code of
// rudderlabs/rudder-transformer (src/v0/destinations/webhook, src/v0/destinations/http); the retries, which keep each
// user's order, are rudderlabs/rudder-server (router). An identify has its traits in context.traits.
package rudderstack

import (
	"switchyard/adapters/spec"
	"switchyard/adapters/verify"
	"switchyard/engine"
)

// Schemes are what RudderStack can be configured to send: it signs nothing, and adds a static header.
var Schemes = []string{verify.Header, verify.Bearer, verify.Basic}

// Decode reads one request. Its errors are those of spec.Decode.
func Decode(req *engine.Request, opts spec.Options) (engine.Batch, error) {
	return spec.Decode(req.Body, opts)
}
