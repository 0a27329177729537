package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"switchyard/engine"
)

// What a payload may hold. An expression can share one part of a value many times over, so its written size is bounded
// here; and a payload must be read back by engine.DecodeJSON, which bounds depth.
const (
	maxPlainValues = 100_000
	maxPlainBytes  = 8 << 20
	maxPlainDepth  = 56
)

// timeLayout is RFC 3339 with milliseconds.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// plain makes the value of an expression one of JSON: objects, lists, texts, numbers, booleans and nil, nothing shared
// with the event. A time becomes RFC 3339 text in UTC, a duration text such as 1h30m0s.
func plain(value any) (any, error) {
	p := newPlainer()
	return p.value(value, 0)
}

// plainer counts what it makes, up to the most that it may.
type plainer struct {
	values, bytes         int
	mostValues, mostBytes int
}

func newPlainer() plainer { return plainer{mostValues: maxPlainValues, mostBytes: maxPlainBytes} }

func (p *plainer) value(value any, depth int) (any, error) {
	if p.values++; p.values > p.mostValues || p.bytes > p.mostBytes {
		return nil, errTooLarge
	}
	if depth > maxPlainDepth {
		return nil, errors.New("the value is nested too deeply")
	}
	switch v := value.(type) {
	case nil, bool, int, uint64:
		return v, nil
	case string:
		p.bytes += len(v)
		return v, nil
	case map[string]any:
		object := make(map[string]any, len(v))
		for name, member := range v {
			if err := p.member(object, name, member, depth); err != nil {
				return nil, err
			}
		}
		return object, nil
	case time.Time:
		return v.UTC().Format(timeLayout), nil
	case time.Duration:
		return v.String(), nil
	}
	return p.other(value, depth)
}

func (p *plainer) member(object map[string]any, name string, value any, depth int) (err error) {
	p.bytes += len(name)
	object[name], err = p.value(value, depth+1)
	return err
}

func (p *plainer) other(value any, depth int) (any, error) {
	if number, ok := numeric(value); ok {
		if f, isFloat := number.(float64); isFloat && (math.IsNaN(f) || math.IsInf(f, 0)) {
			return nil, errNotFinite
		}
		return number, nil
	}
	if list, ok := asList(value); ok {
		plainList := make([]any, len(list))
		for i, item := range list {
			var err error
			if plainList[i], err = p.value(item, depth+1); err != nil {
				return nil, err
			}
		}
		return plainList, nil
	}
	v := reflect.ValueOf(value)
	if v.Kind() != reflect.Map {
		return nil, fmt.Errorf("%s can not be written as JSON", typeName(value))
	}
	object := make(map[string]any, v.Len())
	for members := v.MapRange(); members.Next(); {
		name := textOf(members.Key().Interface())
		if err := p.member(object, name, members.Value().Interface(), depth); err != nil {
			return nil, err
		}
	}
	return object, nil
}

// encodeJSON writes a plain value as it is: expressions, and what people send, are full of < and &.
func encodeJSON(value any) (json.RawMessage, error) {
	var doc bytes.Buffer
	encoder := json.NewEncoder(&doc)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSpace(doc.Bytes()), err
}

// textOf is a scalar as people write it: a number as its literal, a time in RFC 3339, nil as "".
func textOf(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case bool:
		return map[bool]string{true: "true", false: "false"}[v]
	case time.Time:
		return v.UTC().Format(timeLayout)
	case time.Duration:
		return v.String()
	}
	if number, ok := numeric(value); ok {
		value = number
	}
	if text, ok := engine.Text(value); ok {
		return text
	}
	return strings.TrimSpace(fmt.Sprint(value))
}
