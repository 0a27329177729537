// Package jitsu reads what Jitsu posts: its webhook destination one Segment-like event or, in batch mode, a bare array of
// them; its reverse-ETL an envelope of rows,
//
//	{"syncId":"…","runId":"…","sentAt":"…","records":[{"operation":"upsert","key":"…","idempotencyKey":"…","data":{…}}]}
//
// The same connection takes the calls of Jitsu's SDK at /api/s.
//
// Where the facts are from: the code of jitsucom/jitsu (services/rotor and libs/core-functions for the webhook and its
// Jitsu-Signature, libs/jitsu-js for the SDK) and of its reverse-ETL.
package jitsu

import (
	"encoding/json"
	"fmt"
	"strings"

	"switchyard/adapters/rows"
	"switchyard/adapters/spec"
	"switchyard/adapters/verify"
	"switchyard/engine"
)

// Schemes are what Jitsu can prove itself with: its own signature, and custom headers.
var Schemes = []string{verify.Jitsu, verify.Header, verify.Bearer, verify.Basic}

// CheckVerify reports a secret that can not arrive: Jitsu cuts the value of a custom header at its second colon.
func CheckVerify(cfg verify.Config) error {
	if cfg.Scheme != verify.Header && cfg.Scheme != verify.Bearer {
		return nil
	}
	for i, secret := range cfg.Secrets {
		if strings.Contains(secret, ":") {
			return fmt.Errorf("verify: the secret at position %d holds a colon, where Jitsu cuts a custom header; choose one without", i+1)
		}
	}
	return nil
}

// Decode reads one request. Its errors are those of spec.Decode.
func Decode(req *engine.Request, opts rows.Options) (engine.Batch, error) {
	if !rows.Mentions(req.Body, "records") {
		return spec.Decode(req.Body, opts.Options)
	}
	return spec.Read(req.Body, func(doc json.RawMessage) (engine.Batch, error) {
		envelope, err := rows.EnvelopeOf(doc, opts.Limits)
		if err != nil {
			return engine.Batch{}, err
		}
		records := envelope.Value("records")
		if engine.KindOf(records) != '[' || envelope.Value("type") != nil {
			return spec.DecodeOwn(doc, opts.Options)
		}
		return decodeRows(records, envelope, opts)
	})
}

func decodeRows(records json.RawMessage, envelope rows.Columns, opts rows.Options) (engine.Batch, error) {
	sync, _ := spec.ID(envelope.Value("syncId"))
	sentAt, _ := spec.Time(envelope.Value("sentAt")) // without one it is the time of receipt
	events, err := opts.Each(records, func(record json.RawMessage) rows.Row {
		columns := rows.ColumnsOf(record)
		row := rows.Row{
			Object: sync, Operation: columns.Text("operation"), Timestamp: sentAt,
			Original: record, Fields: columns.Value("data"),
			Context: rows.Context{SyncID: envelope.Value("syncId"), RunID: envelope.Value("runId"), Key: columns.Value("key")},
		}
		if key, _ := spec.ID(columns.Value("idempotencyKey")); key != "" {
			row.MessageID = sync + "/" + key
		}
		if row.Fields == nil && row.Operation == "delete" { // what is gone is known by its key
			row.Fields = json.RawMessage("{}")
		}
		return row
	})
	return engine.Batch{Events: events}, err
}

// Body is the envelope of one row.
func Body(row rows.Logged) any {
	return map[string]any{"syncId": row.SyncID, "runId": row.RunID, "records": []json.RawMessage{row.Original}}
}
