package knock

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"
)

// failure is an answer of Knock that is no success. Its text is one line, and bounded.
type failure struct {
	// Status is the one of the response, which counts; the one in the body is only repeated there.
	Status  int
	Code    string
	Type    string
	Message string
	Fields  []fieldFailure
}

// fieldFailure is what is wrong with one parameter.
type fieldFailure struct {
	Type    loose `json:"type"`
	Field   loose `json:"field"`
	Message loose `json:"message"`
}

const (
	// excerptBytes of an answer, or of one of its texts, are kept.
	excerptBytes = 1 << 10
	// fieldsMost is how many parameters are spelled out.
	fieldsMost = 5
)

// loose is a text that may come as any other JSON value, which is then kept as it is written.
type loose string

// UnmarshalJSON implements json.Unmarshaler; it never fails.
func (l *loose) UnmarshalJSON(doc []byte) error {
	var text string
	switch {
	case string(doc) == "null":
	case json.Unmarshal(doc, &text) == nil:
		*l = loose(text)
	default:
		*l = loose(doc)
	}
	return nil
}

// parseFailure reads the body of a failed call, {"code","message","status","type"} and for some 422 "errors", which is one
// object or an array of {type, field, message}. A body of any other form is the message itself, such as that of a path that
// is not routed: {"errors":{"detail":"404 Not Found"}}.
// Source: https://docs.knock.app/api-reference/overview/errors and Knock's OpenAPI document.
func parseFailure(status int, body []byte) *failure {
	f := &failure{Status: status}
	var answer struct {
		Code    loose           `json:"code"`
		Type    loose           `json:"type"`
		Message loose           `json:"message"`
		Errors  json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(body, &answer) != nil {
		f.Message = line(string(body))
		return f
	}
	f.Code, f.Type, f.Message = line(string(answer.Code)), line(string(answer.Type)), line(string(answer.Message))
	f.Fields = parseFields(answer.Errors)
	if f.Code == "" && f.Message == "" && len(f.Fields) == 0 {
		f.Message = line(string(body))
	}
	return f
}

func parseFields(doc json.RawMessage) (fields []fieldFailure) {
	doc = bytes.TrimSpace(doc)
	if len(doc) > 0 && doc[0] == '{' {
		doc = append(append([]byte{'['}, doc...), ']')
	}
	if len(doc) == 0 || json.Unmarshal(doc, &fields) != nil {
		return nil
	}
	kept := fields[:0]
	for _, field := range fields {
		if field != (fieldFailure{}) {
			kept = append(kept, field)
		}
	}
	return kept
}

// Error implements error:
//
//	Knock answered 422 Unprocessable Entity: invalid_params: the request is not valid (recipients: is required)
func (f *failure) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "Knock answered %d", f.Status)
	if name := http.StatusText(f.Status); name != "" {
		text.WriteString(" " + name)
	}
	for _, part := range []string{f.Code, f.Message} {
		if part != "" {
			text.WriteString(": " + part)
		}
	}
	if len(f.Fields) > 0 {
		text.WriteString(" (" + f.fields() + ")")
	}
	return text.String()
}

func (f *failure) fields() string {
	var list []string
	for i, field := range f.Fields {
		if i == fieldsMost {
			list = append(list, fmt.Sprintf("and %d more", len(f.Fields)-fieldsMost))
			break
		}
		what := line(string(field.Message))
		if what == "" {
			what = line(string(field.Type))
		}
		if name := line(string(field.Field)); name != "" {
			what = name + ": " + what
		}
		list = append(list, what)
	}
	return strings.Join(list, "; ")
}

// line makes one line of a text, valid and bounded.
func line(text string) string {
	if len(text) > 2*excerptBytes {
		text = text[:2*excerptBytes] // enough for what is kept, and a bound on the work
	}
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "\uFFFD"), func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
	if len(text) <= excerptBytes {
		return text
	}
	cut := excerptBytes
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}
