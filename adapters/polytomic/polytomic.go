// Package polytomic reads what Polytomic's webhook destination posts: an envelope of rows, perhaps gzip,
//
//	{"event":"sync.records","object":{"id":"…","name":"…","records":[{"hash":"…","fields":{…}}],"metadata":{…}}}
//
// Other events than sync.records are taken and ignored, as Polytomic asks.
//
// Where the facts are from: https://apidocs.polytomic.com/guides/configuring-your-connections/syncing-to-custom-webhooks.
// The secret is a static bearer token, and Polytomic-Signature-Timestamp is a time, not a signature. Any answer but 200
// fails the whole sync.
package polytomic

import (
	"encoding/json"
	"net/http"

	"switchyard/adapters/rows"
	"switchyard/adapters/spec"
	"switchyard/adapters/verify"
	"switchyard/engine"
)

// Schemes are what Polytomic can prove itself with.
var Schemes = []string{verify.Bearer}

const syncRecords = "sync.records"

// Decode reads one request. Its errors are those of spec.Decode, and wrong_shape for JSON that is not an envelope.
func Decode(req *engine.Request, opts rows.Options) (engine.Batch, error) {
	return spec.Read(req.Body, func(doc json.RawMessage) (engine.Batch, error) {
		envelope, err := rows.EnvelopeOf(doc, opts.Limits)
		if err != nil {
			return engine.Batch{}, err
		}
		event, object := envelope.Text("event"), rows.ColumnsOf(envelope.Value("object"))
		switch records := object.Value("records"); {
		case event == "":
			return engine.Batch{}, &engine.BadRequest{Code: "wrong_shape", Message: `this is not Polytomic's envelope: it has no "event"`}
		case event != syncRecords:
			return engine.Batch{}, nil
		case engine.KindOf(records) != '[':
			return engine.Batch{}, &engine.BadRequest{Code: "wrong_shape", Message: `this is not Polytomic's envelope: object.records must be a list`}
		default:
			return decodeRows(records, object, opts)
		}
	})
}

func decodeRows(records json.RawMessage, object rows.Columns, opts rows.Options) (engine.Batch, error) {
	id, _ := spec.ID(object.Value("id"))
	name := object.Text("name")
	if name == "" {
		name = id
	}
	events, err := opts.Each(records, func(record json.RawMessage) rows.Row {
		columns := rows.ColumnsOf(record)
		row := rows.Row{
			Object: name, Original: record, Fields: columns.Value("fields"),
			Context: rows.Context{SyncID: object.Value("id"), Metadata: object.Value("metadata")},
		}
		if hash, _ := spec.ID(columns.Value("hash")); hash != "" {
			row.MessageID, row.Hashed = id+"/"+hash, true
		}
		return row
	})
	return engine.Batch{Events: events}, err
}

// Encode is what Polytomic posts for a row or a list of rows; an envelope is sent as it is.
func Encode(event []byte) (http.Header, []byte, error) {
	return rows.Encode(event, []string{"event"}, func(sample rows.Sample) any {
		type record struct {
			Hash   string          `json:"hash"`
			Fields json.RawMessage `json:"fields"`
		}
		var records []record
		for _, row := range sample.Rows {
			records = append(records, record{rows.HashOf(row), row})
		}
		object := map[string]any{"id": "sync-" + sample.Object, "name": sample.Object, "records": records}
		return map[string]any{"event": syncRecords, "object": object}
	})
}

// Body is the envelope of one row.
func Body(row rows.Logged) any {
	object := map[string]any{"id": row.SyncID, "name": row.Object, "records": []json.RawMessage{row.Original}, "metadata": row.Metadata}
	return map[string]any{"event": syncRecords, "object": object}
}
