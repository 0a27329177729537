// Package segment reads what Segment's webhook destinations post: one event, a bare array of them when batching is on, or
// an array of {"json": event} from the extensible webhook. The same connection takes the calls of Segment's SDKs, whose
// batches are {"batch": […]}.
//
// Where the facts are from: the message is https://segment.com/docs/connections/spec; the webhooks and their X-Signature
// are https://segment.com/docs/connections/destinations/catalog/actions-webhook and the code of
// segmentio/action-destinations (webhook, webhook-extensible), which signs the first event of a batch only.
package segment

import (
	"switchyard/adapters/spec"
	"switchyard/adapters/verify"
	"switchyard/engine"
)

// Schemes are what Segment can prove itself with: its X-Signature, and the bearer token that the extensible webhook sends
// beside it.
var Schemes = []string{verify.Segment, verify.Bearer}

// Decode reads one request. Its errors are those of spec.Decode.
func Decode(req *engine.Request, opts spec.Options) (engine.Batch, error) {
	return spec.Decode(req.Body, opts)
}
