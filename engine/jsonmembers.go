package engine

import (
	"bytes"
	"encoding/json"
)

// What of a document is handed out while the scanner checks it: the members of an object, the elements of an array.

// Members goes through the members of an object while it is checked. It allocates nothing, except for names with escapes.
type Members struct {
	s scanner
	// inside is true after a member.
	inside, done bool
	err          error
}

// ReadObject begins before the first member of the object in doc.
func ReadObject(doc []byte, limits JSONLimits) Members {
	m := Members{s: scanner{doc: doc, limits: limits}}
	m.s.space()
	if m.s.peek() != '{' {
		m.err = m.s.fail("malformed_json", "a JSON object was expected")
	} else if m.err = m.s.enter(1); m.err == nil {
		m.s.at++
		m.s.space()
		m.done = m.s.closes('}')
	}
	m.end()
	return m
}

// Next is the next member, in order, repeated names included: its name without escapes, and its value as a span of doc.
// Everything up to and including the value has been checked.
func (m *Members) Next() (name []byte, value json.RawMessage, ok bool) {
	if m.inside && m.err == nil {
		m.done, m.err = m.s.next('}', "a comma or }")
		m.end()
	}
	if m.done || m.err != nil {
		return nil, nil, false
	}
	m.inside = true
	name, value, m.err = m.s.member()
	if m.s.escaped && bytes.IndexByte(name, '\\') >= 0 {
		name = []byte(unquote(name))
	}
	return name, value, m.err == nil
}

// LookFor has Spotted tell of a name; it is called before the first Next.
func (m *Members) LookFor(name string) { m.s.sought = name }

// Spotted reports whether an object inside the object may have a member of the name that was looked for: looking out for
// it costs less than looking for it afterwards.
func (m *Members) Spotted() bool { return m.s.spotted || m.s.escaped }

// end looks at what comes after the object.
func (m *Members) end() {
	if m.done && m.err == nil {
		m.err = m.s.end()
		m.inside = false
	}
}

// Err is a *JSONError once Next has come upon one.
func (m *Members) Err() error { return m.err }

// member checks a member's name and value.
func (s *scanner) member() (name []byte, value json.RawMessage, err error) {
	if name, err = s.name(); err == nil {
		value, err = s.span(1)
	}
	return name, value, err
}

// MembersOf calls fn for each member of the object in doc, as Members has them. It returns a *JSONError, or fn's error.
func MembersOf(doc []byte, limits JSONLimits, fn func(name []byte, value json.RawMessage) error) error {
	members := ReadObject(doc, limits)
	for {
		name, value, ok := members.Next()
		if !ok {
			return members.Err()
		}
		if err := fn(name, value); err != nil {
			return err
		}
	}
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
