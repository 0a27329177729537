package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// The bytes of a request are read once, by the scanner of this file: it checks the grammar, UTF-8, depth and size as it
// goes and hands out spans, so that the original survives byte for byte (signatures, 64-bit numbers, key order) and no
// map is built for an event that nobody wants. encoding/json neither bounds depth and count nor gives spans cheaply.

// JSONLimits bound what the scanner accepts.
type JSONLimits struct {
	// Depth is the deepest nesting of arrays and objects; a scalar has depth 0.
	Depth int
	// Values is the number of values of all kinds in one document, keys not counted.
	Values int
}

// DefaultJSONLimits are far above what any vendor sends and far below what hurts: 4,000 events of 100 values each.
var DefaultJSONLimits = JSONLimits{Depth: 64, Values: 500_000}

// JSONError is a document that breaks the grammar or the limits.
type JSONError struct {
	// Code is malformed_json, invalid_utf8, too_deep or too_many_values.
	Code    string
	Offset  int
	Message string
}

func (e *JSONError) Error() string { return fmt.Sprintf("%s at byte %d", e.Message, e.Offset) }

// MembersOf calls fn for each member of the object in doc, in order, repeated keys included. Everything up to and
// including value has been checked when fn is called; value is a span of doc, and key, without its escapes, is lent until
// fn returns. It returns a *JSONError, or fn's error.
func MembersOf(doc []byte, limits JSONLimits, fn func(key []byte, value json.RawMessage) error) error {
	s := scanner{doc: doc, limits: limits}
	s.space()
	if s.peek() != '{' {
		return s.fail("malformed_json", "a JSON object was expected")
	}
	err := s.object(1, func(name []byte) error {
		value, err := s.span(1)
		if err != nil {
			return err
		}
		if bytes.IndexByte(name, '\\') >= 0 {
			name = []byte(unquote(name))
		}
		return fn(name, value)
	})
	if err != nil {
		return err
	}
	return s.end()
}

// ElementsOf calls fn for each element of the array in doc, as MembersOf does for an object.
func ElementsOf(doc []byte, limits JSONLimits, fn func(value json.RawMessage) error) error {
	s := scanner{doc: doc, limits: limits}
	s.space()
	if s.peek() != '[' {
		return s.fail("malformed_json", "a JSON array was expected")
	}
	err := s.array(1, func([]byte) error {
		value, err := s.span(1)
		if err != nil {
			return err
		}
		return fn(value)
	})
	if err != nil {
		return err
	}
	return s.end()
}

// CheckJSON reports whether doc is one JSON value within the limits, as a *JSONError when it is not.
func CheckJSON(doc []byte, limits JSONLimits) error {
	s := scanner{doc: doc, limits: limits}
	s.space()
	if err := s.value(0); err != nil {
		return err
	}
	return s.end()
}

// KindOf is the first byte of the value that is not white space: { [ " t f n, a digit or -; 0 for none.
func KindOf(doc []byte) byte {
	s := scanner{doc: doc}
	s.space()
	return s.peek()
}

type scanner struct {
	doc    []byte
	at     int
	values int
	limits JSONLimits
}

func (s *scanner) fail(code, message string) error {
	return &JSONError{Code: code, Offset: s.at, Message: message}
}

func (s *scanner) unexpected(wanted string) error {
	if s.at >= len(s.doc) {
		return s.fail("malformed_json", "the JSON ends early: "+wanted+" was expected")
	}
	return s.fail("malformed_json", wanted+" was expected, not "+strconv.QuoteRune(rune(s.doc[s.at])))
}

func (s *scanner) peek() byte {
	if s.at < len(s.doc) {
		return s.doc[s.at]
	}
	return 0
}

func (s *scanner) space() {
	for s.at < len(s.doc) {
		switch s.doc[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

func (s *scanner) end() error {
	s.space()
	if s.at < len(s.doc) {
		return s.unexpected("the end of the JSON")
	}
	return nil
}

// enter counts one value and, for a container, its depth.
func (s *scanner) enter(depth int) error {
	if s.values++; s.values > s.limits.Values {
		return s.fail("too_many_values", fmt.Sprintf("more than %d JSON values", s.limits.Values))
	}
	if depth > s.limits.Depth {
		return s.fail("too_deep", fmt.Sprintf("JSON nested deeper than %d levels", s.limits.Depth))
	}
	return nil
}

// value checks one value; depth is that of the container around it.
func (s *scanner) value(depth int) error {
	switch s.peek() {
	case '{':
		return s.object(depth+1, nil)
	case '[':
		return s.array(depth+1, nil)
	}
	if err := s.enter(depth); err != nil {
		return err
	}
	switch c := s.peek(); {
	case c == '"':
		return s.str()
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	case c == 't':
		return s.word("true")
	case c == 'f':
		return s.word("false")
	case c == 'n':
		return s.word("null")
	}
	return s.unexpected("a JSON value")
}

// object walks an object from its { to past its }. Each steps over one value; nil only checks it.
func (s *scanner) object(depth int, each func(name []byte) error) error {
	if err := s.enter(depth); err != nil {
		return err
	}
	s.at++
	s.space()
	if s.peek() == '}' {
		s.at++
		return nil
	}
	for {
		if s.peek() != '"' {
			return s.unexpected("a member name in double quotes")
		}
		start := s.at + 1
		if err := s.str(); err != nil {
			return err
		}
		name := s.doc[start : s.at-1]
		s.space()
		if s.peek() != ':' {
			return s.unexpected("a colon")
		}
		s.at++
		s.space()
		if err := s.step(depth, name, each); err != nil {
			return err
		}
		if done, err := s.next('}', "a comma or }"); done || err != nil {
			return err
		}
	}
}

// array walks an array as object does an object; each is called without a name.
func (s *scanner) array(depth int, each func(name []byte) error) error {
	if err := s.enter(depth); err != nil {
		return err
	}
	s.at++
	s.space()
	if s.peek() == ']' {
		s.at++
		return nil
	}
	for {
		if err := s.step(depth, nil, each); err != nil {
			return err
		}
		if done, err := s.next(']', "a comma or ]"); done || err != nil {
			return err
		}
	}
}

func (s *scanner) step(depth int, name []byte, each func([]byte) error) error {
	if each == nil {
		return s.value(depth)
	}
	return each(name)
}

// span checks one value and returns its bytes.
func (s *scanner) span(depth int) (json.RawMessage, error) {
	start := s.at
	if err := s.value(depth); err != nil {
		return nil, err
	}
	return s.doc[start:s.at:s.at], nil
}

// next steps over a comma, or over the closing byte and reports true.
func (s *scanner) next(closing byte, wanted string) (bool, error) {
	s.space()
	switch s.peek() {
	case ',':
		s.at++
		s.space()
		return false, nil
	case closing:
		s.at++
		return true, nil
	}
	return false, s.unexpected(wanted)
}

func (s *scanner) word(word string) error {
	if len(s.doc)-s.at >= len(word) && string(s.doc[s.at:s.at+len(word)]) == word {
		s.at += len(word)
		return nil
	}
	return s.unexpected("a JSON value")
}

func (s *scanner) digits() bool {
	start := s.at
	for s.at < len(s.doc) && s.doc[s.at]-'0' <= 9 {
		s.at++
	}
	return s.at > start
}

func (s *scanner) number() error {
	if s.peek() == '-' {
		s.at++
	}
	if s.peek() == '0' {
		s.at++
	} else if !s.digits() {
		return s.unexpected("a digit")
	}
	if s.peek() == '.' {
		s.at++
		if !s.digits() {
			return s.unexpected("a digit")
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.at++
		if c := s.peek(); c == '+' || c == '-' {
			s.at++
		}
		if !s.digits() {
			return s.unexpected("a digit")
		}
	}
	return nil
}

// plain marks the bytes that a JSON string may hold as they are and that need no second look.
var plain = func() (table [256]bool) {
	for c := 0x20; c < 0x80; c++ {
		table[c] = c != '"' && c != '\\'
	}
	return table
}()

// str checks a string, from its opening quote to past its closing one.
func (s *scanner) str() error {
	s.at++
	for s.at < len(s.doc) {
		c := s.doc[s.at]
		switch {
		case plain[c]:
			s.at++
		case c == '"':
			s.at++
			return nil
		case c == '\\':
			if err := s.escape(); err != nil {
				return err
			}
		case c < 0x20:
			return s.fail("malformed_json", fmt.Sprintf("a control character (0x%02x) in a string must be escaped", c))
		default:
			r, size := utf8.DecodeRune(s.doc[s.at:])
			if r == utf8.RuneError && size == 1 {
				return s.fail("invalid_utf8", "a string is not valid UTF-8")
			}
			s.at += size
		}
	}
	return s.unexpected("a closing quote")
}

func (s *scanner) escape() error {
	s.at++
	switch s.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.at++
		return nil
	case 'u':
		for i := 1; i <= 4; i++ {
			if s.at+i >= len(s.doc) || !isHex(s.doc[s.at+i]) {
				return s.fail("malformed_json", `\u needs four hexadecimal digits`)
			}
		}
		s.at += 5
		return nil
	}
	return s.unexpected("an escape of JSON")
}

func isHex(c byte) bool {
	return c-'0' <= 9 || c|0x20 >= 'a' && c|0x20 <= 'f'
}
