// Package hightouch reads what Hightouch posts: the calls of its embedded destination (JSON-RPC 2.0), which set up a sync
// and then send rows, and what its HTTP request destination is templated to send, a Segment-style message or a list of
// them.
//
// Where the facts are from: https://hightouch.com/docs/destinations/custom and the examples in
// hightouchio/custom-destinations for the calls; https://hightouch.com/docs/destinations/http-request for the other. The
// form of rejectedRows' elements is documented nowhere that we found; a row with its reason is what people report.
package hightouch

import (
	"encoding/json"
	"net/http"

	"switchyard/adapters/rows"
	"switchyard/adapters/spec"
	"switchyard/adapters/verify"
	"switchyard/engine"
)

// Schemes are what Hightouch can be configured to send: it signs nothing, and adds static headers.
var Schemes = []string{verify.Bearer, verify.Header, verify.Basic, verify.Query}

const (
	// maxBatch is the most rows that Hightouch is asked to send in a call.
	maxBatch = 1000
	// maxMappings is more than a table has columns.
	maxMappings = 500
)

var methods = []rows.Method{
	{Name: "list_objects", Do: listObjects},
	{Name: "list_modes", Do: func(c *rows.Call) (engine.Batch, error) { return c.Say(map[string]any{"modes": modes}) }},
	{Name: "list_fields", Do: listFields},
	{Name: "list_options", Do: func(c *rows.Call) (engine.Batch, error) { return c.Say(map[string]any{"options": nil}) }},
	{Name: "validate", Do: func(c *rows.Call) (engine.Batch, error) { return c.Say(map[string]any{"errors": []string{}}) }},
	{Name: "behavior", Do: behavior},
	{Name: "add", Do: sync},
	{Name: "change", Do: sync},
	{Name: "remove", Do: sync},
}

// Decode reads one request. Its errors are those of spec.Decode.
func Decode(req *engine.Request, opts rows.Options) (engine.Batch, error) {
	opts.EventMeansTrack = true
	if !rows.Mentions(req.Body, "jsonrpc") {
		return spec.Decode(req.Body, opts.Options)
	}
	return spec.Read(req.Body, func(doc json.RawMessage) (engine.Batch, error) {
		members, err := rows.EnvelopeOf(doc, opts.Limits)
		if err != nil {
			return engine.Batch{}, err
		}
		if call := rows.CallOf(members, opts); call != nil {
			return call.Answer(methods)
		}
		return spec.DecodeOwn(doc, opts.Options)
	})
}

func listObjects(c *rows.Call) (engine.Batch, error) {
	type object struct {
		ID    string `json:"id"`
		Label string `json:"label"`
	}
	var list []object
	for _, offered := range c.Offered() {
		list = append(list, object{offered.Name, offered.Label})
	}
	return c.Say(map[string]any{"objects": list})
}

type mode struct {
	ID          string `json:"id"`
	Label       string `json:"label"`
	Description string `json:"description"`
}

// mirror is the mode in which rows that left the table are sent too.
const mirror = "mirror"

var modes = []mode{
	{"upsert", "Upsert", "Sends new rows and rows that changed."},
	{mirror, "Mirror", "Sends new rows, rows that changed, and rows that are gone."},
}

// types are Hightouch's words for ours.
var types = map[string]string{
	engine.FieldString: "STRING", engine.FieldNumber: "NUMBER", engine.FieldInteger: "NUMBER", engine.FieldTime: "DATETIME", engine.FieldBoolean: "UNKNOWN", "": "UNKNOWN",
}

func listFields(c *rows.Call) (engine.Batch, error) {
	type field struct {
		ID         string `json:"id"`
		Label      string `json:"label"`
		Type       string `json:"type"`
		Identifier bool   `json:"identifier"`
	}
	var list []field
	offer := c.Offer(objectOf(c.Params))
	for _, f := range offer.Fields {
		list = append(list, field{f.Name, f.Label, types[f.Type], f.Identifier})
	}
	return c.Say(map[string]any{"fields": list})
}

func behavior(c *rows.Call) (engine.Batch, error) {
	configuration := rows.ColumnsOf(c.Params.Value("configuration"))
	return c.Say(map[string]any{
		"batchSize":      min(c.MaxEvents, maxBatch),
		"operations":     map[string]bool{"add": true, "change": true, "remove": idOrText(configuration.Value("mode")) == mirror},
		"skipInitialRun": false,
	})
}

// objectOf is the object that a call or a sync's configuration names, as its id or as an object that has one.
func objectOf(columns rows.Columns) string { return idOrText(columns.Value("object")) }

func idOrText(value json.RawMessage) string {
	if engine.KindOf(value) == '{' {
		value = rows.ColumnsOf(value).Value("id")
	}
	id, _ := spec.ID(value)
	return id
}

// sync takes rows. The rows are as they are in the model; the sync's configuration says which column is which field.
func sync(c *rows.Call) (engine.Batch, error) {
	list := c.Params.Value("rows")
	if engine.KindOf(list) != '[' {
		return c.Refuse("params.rows must be a list")
	}
	configuration := rows.ColumnsOf(c.Params.Value("configuration"))
	mapping := mappingOf(configuration, c.Params.Text("idColumn"))
	object := objectOf(configuration)
	var sent []json.RawMessage
	left := c.Budget
	events, err := c.Each(list, func(original json.RawMessage) rows.Row {
		sent = append(sent, original)
		row := rows.Row{Object: object, Operation: c.Method, Identifier: mapping.identifier, Original: original}
		if row.Fields = mapping.apply(original, left); row.Fields == nil {
			row.Invalid = "the sync's mappings make more of this call's rows than can be taken"
		}
		left -= len(row.Fields)
		return row
	})
	if err != nil {
		return c.Refuse("%v; behavior names the batchSize", err)
	}
	return c.Result(events, func() any { return map[string]any{"rejectedRows": rejected(events, sent)} }), nil
}

// mapping is how a sync was told to name the columns.
type mapping struct {
	identifier string
	renames    []rows.Rename
}

func mappingOf(configuration rows.Columns, idColumn string) mapping {
	m := mapping{identifier: idColumn}
	var identifier rows.Rename
	if json.Unmarshal(configuration.Value("identifierMapping"), &identifier) == nil && identifier.To != "" {
		m.identifier = identifier.To
		m.renames = append(m.renames, identifier)
	}
	var renames []rows.Rename
	if json.Unmarshal(configuration.Value("mappings"), &renames) == nil {
		m.renames = append(m.renames, renames[:min(len(renames), maxMappings)]...)
	}
	if len(m.renames) > 0 && identifier.To == "" && idColumn != "" {
		m.renames = append(m.renames, rows.Rename{From: idColumn, To: idColumn})
	}
	m.renames = rows.Renames(m.renames)
	return m
}

// apply is the row under the names of the sync; nil when that is longer than size.
func (m mapping) apply(row json.RawMessage, size int) json.RawMessage {
	if len(m.renames) == 0 || engine.KindOf(row) != '{' {
		return row
	}
	return rows.ColumnsOf(row).Renamed(m.renames, size)
}

type rejectedRow struct {
	Row    json.RawMessage `json:"row"`
	Reason string          `json:"reason"`
}

func rejected(events []*engine.Event, sent []json.RawMessage) []rejectedRow {
	list := []rejectedRow{}
	for i, event := range events {
		if reason := rows.Rejected(event); reason != "" {
			list = append(list, rejectedRow{sent[i], reason})
		}
	}
	return list
}

// Encode is what Hightouch posts for a row or a list of rows, an add; a call, and what an HTTP request was templated to
// send, are sent as they are.
func Encode(event []byte) (http.Header, []byte, error) {
	return rows.Encode(event, []string{"jsonrpc", "type", "event"}, func(sample rows.Sample) any {
		return map[string]any{
			"jsonrpc": "2.0", "id": "1", "method": "add",
			"params": map[string]any{"idColumn": "id", "configuration": map[string]string{"object": sample.Object}, "rows": sample.Rows},
		}
	})
}

// Body is the call that sends one row, under the names of the sync.
func Body(row rows.Logged) any {
	return map[string]any{
		"jsonrpc": "2.0", "id": "1", "method": row.Operation,
		"params": map[string]any{"idColumn": row.Identifier, "configuration": map[string]string{"object": row.Object}, "rows": []json.RawMessage{row.Fields}},
	}
}
