package rows

import (
	"encoding/json"
	"fmt"
	"strings"

	"switchyard/adapters/spec"
	"switchyard/engine"
)

// Codes of JSON-RPC 2.0 (https://www.jsonrpc.org/specification, 5.1).
const (
	codeInvalidCall   = -32600
	codeNoMethod      = -32601
	codeInvalidParams = -32602
)

// Call is one call of JSON-RPC 2.0, as Hightouch and Census make them, while it is answered.
type Call struct {
	Options
	ID     json.RawMessage
	Method string
	Params Columns

	version string
}

// Method is one method that a vendor calls.
type Method struct {
	Name string
	Do   func(call *Call) (engine.Batch, error)
}

// CallOf reads a call of the members of a body; nil for a body that is none.
func CallOf(members Columns, opts Options) *Call {
	if members.Value("jsonrpc") == nil {
		return nil
	}
	return &Call{opts, members.Value("id"), members.Text("method"), ColumnsOf(members.Value("params")), members.Text("jsonrpc")}
}

// Answer has the call's method do its work.
func (c *Call) Answer(methods []Method) (engine.Batch, error) {
	if version := c.version; version != "2.0" || len(c.ID) > maxName || strings.IndexByte("{[", engine.KindOf(c.ID)) >= 0 {
		c.ID = nil
		return c.failure(codeInvalidCall, "this is not a call of JSON-RPC 2.0 with an id that is a string or a number"), nil
	}
	names := make([]string, len(methods))
	for i, method := range methods {
		if names[i] = method.Name; method.Name == c.Method {
			return method.Do(c)
		}
	}
	return c.failure(codeNoMethod, "there is no method "+spec.Shown(encode(c.Method))+" here; there are "+strings.Join(names, ", ")), nil
}

type reply struct {
	JSONRPC string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  any             `json:"result,omitempty"`
	Error   *callError      `json:"error,omitempty"`
}

type callError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Result answers the call once its events are stored.
func (c *Call) Result(events []*engine.Event, result func() any) engine.Batch {
	return engine.Batch{Events: events, Answer: func() any { return reply{JSONRPC: "2.0", ID: c.id(), Result: result()} }}
}

// Say answers a call that only asks.
func (c *Call) Say(result any) (engine.Batch, error) {
	return c.Result(nil, func() any { return result }), nil
}

// Refuse answers a call whose parameters can not be used.
func (c *Call) Refuse(format string, args ...any) (engine.Batch, error) {
	return c.failure(codeInvalidParams, fmt.Sprintf(format, args...)), nil
}

func (c *Call) failure(code int, message string) engine.Batch {
	answer := reply{JSONRPC: "2.0", ID: c.id(), Error: &callError{code, message}}
	return engine.Batch{Answer: func() any { return answer }}
}

// id is null for a call that has none.
func (c *Call) id() json.RawMessage {
	if c.ID == nil {
		return json.RawMessage("null")
	}
	return c.ID
}

// Rejected says why a row was not taken; "" for one that was. An event without an id could not be stored.
func Rejected(event *engine.Event) string {
	switch {
	case event.Invalid != "":
		return event.Invalid
	case event.ID == "":
		return "it could not be stored; send it again"
	}
	return ""
}
