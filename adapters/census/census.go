// Package census reads what Census (Fivetran Activations) posts: the calls of its custom destination API (JSON-RPC 2.0),
// which set up a sync and then send records; its lifecycle webhook, one event about a sync,
//
//	{"workspace_id":1,"sync_id":2,"sync_run_id":3,"event":"sync.completed","status":"…"}
//
// and what its HTTP request destination is templated to send, a Segment-style message or a list of them, often with
// trailing commas.
//
// Where the facts are from: sutrolabs/census-docs, basics/developers/custom-api.md, for the calls, whose results must
// name each record, for one that is not reported as a success is sent again. That a mirror's deletions come as batches
// with the operation delete is told there, too.
package census

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"switchyard/adapters/rows"
	"switchyard/adapters/spec"
	"switchyard/adapters/verify"
	"switchyard/engine"
)

// Schemes are what Census can prove itself with: a token for the custom API and the HTTP request, its signature for the
// lifecycle webhook.
var Schemes = []string{verify.Bearer, verify.Query, verify.Header, verify.Basic, verify.Census}

// What Census is told of how to send: its own limits are 50 calls at a time, and any number of records.
const (
	maxBatch    = 1000
	maxParallel = 8
	maxRate     = 50_000
)

var methods = []rows.Method{
	{Name: "test_connection", Do: func(c *rows.Call) (engine.Batch, error) { return c.Say(map[string]any{"success": true}) }},
	{Name: "list_objects", Do: listObjects},
	{Name: "list_fields", Do: listFields},
	{Name: "supported_operations", Do: supportedOperations},
	{Name: "get_sync_speed", Do: syncSpeed},
	{Name: "sync_batch", Do: sync},
}

// Decode reads one request. Its errors are those of spec.Decode.
func Decode(req *engine.Request, opts rows.Options) (engine.Batch, error) {
	return spec.Read(req.Body, func(doc json.RawMessage) (engine.Batch, error) {
		envelope, err := rows.EnvelopeOf(doc, opts.Limits)
		if err != nil {
			return engine.Batch{}, err
		}
		if call := rows.CallOf(envelope, opts); call != nil {
			return call.Answer(methods)
		}
		if envelope.Value("workspace_id") != nil && envelope.Value("sync_run_id") != nil && envelope.Text("event") != "" {
			return lifecycle(doc, envelope, opts), nil
		}
		opts.EventMeansTrack = true
		return spec.DecodeOwn(doc, opts.Options)
	})
}

// lifecycle makes a track of an event about a sync; its whole content is the data.
func lifecycle(doc json.RawMessage, envelope rows.Columns, opts rows.Options) engine.Batch {
	run, _ := spec.ID(envelope.Value("sync_run_id"))
	name := envelope.Text("event")
	return engine.Batch{Single: true, Events: []*engine.Event{{
		Type: engine.TypeTrack, Name: name, MessageID: run + "/" + name + "/" + envelope.Text("status"),
		Timestamp: opts.Now, ReceivedAt: opts.Now, Verification: opts.Coverage.Of(0),
		Data: doc, Properties: doc, Original: doc,
	}}}
}

func supportedOperations(c *rows.Call) (engine.Batch, error) {
	return c.Say(map[string]any{"operations": []string{"upsert", "mirror"}})
}

func listObjects(c *rows.Call) (engine.Batch, error) {
	type object struct {
		Name      string `json:"object_api_name"`
		Label     string `json:"label"`
		CanCreate string `json:"can_create_fields"`
	}
	var list []object
	for _, offered := range c.Offered() {
		list = append(list, object{offered.Name, offered.Label, "on_write"})
	}
	return c.Say(map[string]any{"objects": list})
}

// types are Census' words for ours. It formats values by them; what rules compare as a number must not come as text, and
// what nobody knows is text.
var types = map[string]string{
	engine.FieldString: "string", engine.FieldNumber: "float", engine.FieldInteger: "integer", engine.FieldTime: "date_time", engine.FieldBoolean: "boolean", "": "string",
}

func listFields(c *rows.Call) (engine.Batch, error) {
	type field struct {
		Name       string `json:"field_api_name"`
		Label      string `json:"label"`
		Identifier bool   `json:"identifier"`
		Required   bool   `json:"required"`
		Createable bool   `json:"createable"`
		Updateable bool   `json:"updateable"`
		Type       string `json:"type"`
		Array      bool   `json:"array"`
	}
	var list []field
	offer := c.Offer(objectOf(c.Params))
	for _, f := range offer.Fields {
		list = append(list, field{f.Name, f.Label, f.Identifier, f.Identifier, true, true, types[f.Type], false})
	}
	return c.Say(map[string]any{"fields": list})
}

func syncSpeed(c *rows.Call) (engine.Batch, error) {
	rate := maxRate
	if c.Rate > 0 {
		rate = max(1, int(c.Rate))
	}
	return c.Say(map[string]any{
		"maximum_batch_size":         min(c.MaxEvents, maxBatch),
		"maximum_parallel_batches":   maxParallel,
		"maximum_records_per_second": rate,
	})
}

func objectOf(columns rows.Columns) string {
	return rows.ColumnsOf(columns.Value("object")).Text("object_api_name")
}

// sync takes the records of one batch.
func sync(c *rows.Call) (engine.Batch, error) {
	plan, list := rows.ColumnsOf(c.Params.Value("sync_plan")), c.Params.Value("records")
	if engine.KindOf(list) != '[' {
		return c.Refuse("params.records must be a list")
	}
	object, identifier := objectOf(plan), activeIdentifier(plan.Value("schema"))
	var identifiers []json.RawMessage
	events, err := c.Each(list, func(record json.RawMessage) rows.Row {
		identifiers = append(identifiers, rows.ColumnsOf(record).Value(identifier))
		return rows.Row{
			Object: object, Operation: plan.Text("operation"), Identifier: identifier, Original: record, Fields: record,
			Context: rows.Context{SyncID: plan.Value("sync_id"), RunID: plan.Value("sync_run_id")},
		}
	})
	if err != nil {
		return c.Refuse("%v; get_sync_speed names the maximum_batch_size", err)
	}
	return c.Result(events, func() any { return map[string]any{"record_results": results(events, identifiers)} }), nil
}

// activeIdentifier is the field by which this sync matches records.
func activeIdentifier(schema json.RawMessage) string {
	var fields map[string]struct {
		Active bool `json:"active_identifier"`
	}
	if json.Unmarshal(schema, &fields) != nil {
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if fields[name].Active {
			return name
		}
	}
	return ""
}

type recordResult struct {
	Identifier json.RawMessage `json:"identifier"` // nil is written as null
	Success    bool            `json:"success"`
	Error      string          `json:"error_message,omitempty"`
}

func results(events []*engine.Event, identifiers []json.RawMessage) []recordResult {
	list := make([]recordResult, len(events))
	for i, event := range events {
		reason := rows.Rejected(event)
		list[i] = recordResult{identifiers[i], reason == "", reason}
	}
	return list
}

// Encode is what Census posts for a row or a list of rows, a batch of upserts; a call, a lifecycle event, and what an
// HTTP request was templated to send, are sent as they are.
func Encode(event []byte) (http.Header, []byte, error) {
	return rows.Encode(event, []string{"jsonrpc", "type", "event"}, func(sample rows.Sample) any {
		plan := map[string]any{
			"object": map[string]string{"object_api_name": sample.Object, "label": sample.Object}, "operation": "upsert",
			"schema": map[string]any{"id": map[string]any{"active_identifier": true}},
		}
		return map[string]any{
			"jsonrpc": "2.0", "id": "1", "method": "sync_batch",
			"params": map[string]any{"sync_plan": plan, "records": sample.Rows},
		}
	})
}

// Body is the call that sends one row.
func Body(row rows.Logged) any {
	plan := map[string]any{
		"object": map[string]string{"object_api_name": row.Object, "label": row.Object}, "operation": row.Operation,
		"schema":  map[string]any{row.Identifier: map[string]any{"active_identifier": true}},
		"sync_id": row.SyncID, "sync_run_id": row.RunID,
	}
	return map[string]any{
		"jsonrpc": "2.0", "id": "1", "method": "sync_batch",
		"params": map[string]any{"sync_plan": plan, "records": []json.RawMessage{row.Original}},
	}
}
