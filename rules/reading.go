package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"switchyard/engine"
	"switchyard/rules/document"
)

// What the messages of one request may come to, all together: more than the parts of any body that is read, but each of
// thousands of messages could be mapped to all of the body.
const (
	maxMappedValues = 1_000_000
	maxMappedBytes  = 32 << 20
)

// jsonSpace is what JSON calls white space; package bytes calls more so.
const jsonSpace = " \t\r\n"

// Map reads the messages of one request, as many as most. A message for which an expression fails has Err, and what the
// others gave; when each itself fails, that is one message with all of the body.
//
// The error is an *engine.BadRequest with the code empty_body, malformed_json, invalid_utf8, too_deep, too_many_values,
// not_a_list (what each gives is none), too_many_events or too_large (the messages come to far more than the body). An
// empty list gives no message, and no error. The body is lent; the originals of a list may share one copy of it.
func (m *Mapping) Map(req *engine.Request, most int) ([]engine.Mapped, error) {
	body, err := decodeBody(req.Body)
	if err != nil {
		return nil, err
	}
	r := reading{Mapping: m, scope: newScope(nil), most: most}
	defer r.scope.free()
	r.scope.values["body"] = body
	if m.readHeaders {
		r.scope.values["headers"] = m.headersOf(req)
	}
	if m.each != nil {
		return r.list(req.Body)
	}
	message := engine.Mapped{Original: wholeOf(req.Body)}
	if err := r.read(&message); err != nil {
		return nil, err
	}
	return []engine.Mapped{message}, nil
}

func decodeBody(body []byte) (any, error) {
	if len(bytes.Trim(body, jsonSpace)) == 0 {
		return nil, &engine.BadRequest{Code: "empty_body", Message: "the body is empty"}
	}
	value, err := engine.DecodeJSON(body)
	if broken := (*engine.JSONError)(nil); errors.As(err, &broken) {
		err = &engine.BadRequest{Code: broken.Code, Message: broken.Error()}
	}
	return value, err
}

func wholeOf(body []byte) json.RawMessage { return bytes.Clone(bytes.Trim(body, jsonSpace)) }

// reading is the work on one request.
type reading struct {
	*Mapping
	scope *scope
	most  int
	// made is what the messages have come to so far.
	made struct{ values, bytes int }
}

// list reads a message of each item.
func (r *reading) list(body []byte) ([]engine.Mapped, error) {
	value, err := r.each.run(r.scope)
	if err != nil {
		return []engine.Mapped{{Original: wholeOf(body), Err: failed("each", err)}}, nil
	}
	list, ok := asList(value)
	switch {
	case !ok:
		return nil, &engine.BadRequest{Code: "not_a_list", Message: r.notList(value)}
	case len(list) > r.most:
		return nil, &engine.BadRequest{Code: "too_many_events", Message: fmt.Sprintf("more than %d events in one request", r.most)}
	}
	var sent []json.RawMessage
	if r.path != nil {
		sent = itemsAt(body, r.path)
	}
	messages := make([]engine.Mapped, len(list))
	for i, item := range list {
		r.scope.values["item"] = item
		if len(sent) == len(list) {
			messages[i].Original = sent[i]
		} else {
			r.original(&messages[i], item)
		}
		if err := r.read(&messages[i]); err != nil {
			return nil, err
		}
	}
	return messages, nil
}

// notList tells the sender, who may know nothing of expressions, except where a plain path says it best.
func (r *reading) notList(value any) string {
	given := "is " + typeName(value)
	if isNil(value) {
		given = "is missing"
	}
	if r.path == nil {
		return "the list of messages that this connection looks for " + given
	}
	return fmt.Sprintf("%s %s; a list of messages was expected there", r.each.text.Value, given)
}

// original is an item that does not stand in the body as it is.
func (r *reading) original(message *engine.Mapped, item any) {
	value, err := r.plain(item)
	if err == nil {
		message.Original, err = encodeJSON(value)
	}
	if err != nil {
		message.Original, message.Err = json.RawMessage("null"), failed("each", *at(*r.each.text, 0, "%s", err.Error()))
	}
	r.made.bytes += len(message.Original)
}

// read evaluates the parts of one message. The error is that all together have become too large.
func (r *reading) read(message *engine.Mapped) error {
	for i := range r.parts {
		part := &r.parts[i]
		value, err := r.value(part)
		if err != nil && message.Err == nil {
			message.Err = failed(part.name, err)
		}
		*part.of(message) = value
	}
	if r.made.values > maxMappedValues || r.made.bytes > maxMappedBytes {
		return &engine.BadRequest{Code: "too_large", Message: "the messages that are made of this body come to far more than the body"}
	}
	return nil
}

// value is that of one part, plain; only a timestamp may be a time.
func (r *reading) value(part *mappedPart) (any, error) {
	value, err := part.value.run(r.scope)
	if err != nil {
		return nil, err
	}
	if instant, ok := value.(time.Time); ok && part.name == "timestamp" && isWritable(instant) {
		return instant.UTC(), nil
	}
	if value, err = r.plain(value); err != nil {
		return nil, *at(*part.value.text, 0, "%s", err.Error())
	}
	return value, nil
}

// isWritable reports whether a time can be written in RFC 3339, which ends with the year 9999.
func isWritable(instant time.Time) bool {
	year := instant.UTC().Year()
	return year >= 0 && year <= 9999
}

// plain is plain, counted.
func (r *reading) plain(value any) (any, error) {
	p := newPlainer()
	value, err := p.value(value, 0)
	r.made.values += p.values
	r.made.bytes += p.bytes
	return value, err
}

// failed is the error of an expression with the key that it stands at, since it is shown without the file.
func failed(key string, err error) error {
	var problem document.Problem
	if !errors.As(err, &problem) {
		return fmt.Errorf("%s: %w", key, err)
	}
	problem.Message = key + ": " + problem.Message
	return problem
}

// itemsAt are the items of the list at a path of members in a checked body, as sent.
func itemsAt(body []byte, path []string) (items []json.RawMessage) {
	for _, name := range path {
		body = memberAt(body, name)
	}
	// The body was checked when it was decoded, so these can not fail.
	_ = engine.ElementsOf(bytes.Clone(body), engine.DefaultJSONLimits, func(item json.RawMessage) error {
		items = append(items, item)
		return nil
	})
	return items
}

// memberAt is the member that counts: the last of its name.
func memberAt(object []byte, name string) (member json.RawMessage) {
	_ = engine.MembersOf(object, engine.DefaultJSONLimits, func(key []byte, value json.RawMessage) error {
		if string(key) == name {
			member = value
		}
		return nil
	})
	return member
}
