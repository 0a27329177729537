package engine

import "bytes"

// Walk goes through the members of an object that has been checked before, without checking it again: for the hot path,
// where the parts of an event are looked at that were scanned as it came in. It allocates nothing. On anything but a
// checked object it ends early; it never reads outside of it.
type Walk struct {
	doc []byte
	at  int
}

// WalkObject begins before the first member; what is not an object has none.
func WalkObject(doc []byte) Walk {
	w := Walk{doc: doc}
	w.space()
	if w.at >= len(doc) || doc[w.at] != '{' {
		w.at = len(doc)
		return w
	}
	w.at++
	return w
}

// Next is the next member: its name as written between the quotes, escapes and all, and its value.
func (w *Walk) Next() (name, value []byte, ok bool) {
	w.space()
	if w.at < len(w.doc) && w.doc[w.at] == ',' {
		w.at++
		w.space()
	}
	if w.at >= len(w.doc) || w.doc[w.at] != '"' {
		w.at = len(w.doc)
		return nil, nil, false
	}
	start := w.at + 1
	if !w.text() {
		return nil, nil, false
	}
	name = w.doc[start : w.at-1]
	w.space()
	w.at++ // the colon
	w.space()
	start = w.at
	if !w.value() {
		return nil, nil, false
	}
	return name, w.doc[start:w.at:w.at], true
}

func (w *Walk) space() {
	for w.at < len(w.doc) {
		switch w.doc[w.at] {
		case ' ', '\t', '\n', '\r':
			w.at++
		default:
			return
		}
	}
}

// text steps over a string, from its opening quote to past its closing one.
func (w *Walk) text() bool {
	for w.at++; ; {
		if w.at > len(w.doc) {
			w.at = len(w.doc)
			return false
		}
		quote := bytes.IndexByte(w.doc[w.at:], '"')
		if quote < 0 {
			w.at = len(w.doc)
			return false
		}
		end := w.at + quote
		slashes := 0
		for end-slashes > w.at && w.doc[end-slashes-1] == '\\' {
			slashes++
		}
		w.at = end + 1
		if slashes%2 == 0 {
			return true
		}
	}
}

// value steps over a value.
func (w *Walk) value() bool {
	depth := 0
	for w.at < len(w.doc) {
		switch w.doc[w.at] {
		case '"':
			if !w.text() {
				return false
			}
		case '{', '[':
			depth++
			w.at++
			continue
		case '}', ']':
			if depth == 0 {
				return true // of the object around a scalar
			}
			depth--
			w.at++
		case ',', ':', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return true
			}
			w.at++
			continue
		default:
			for w.at < len(w.doc) && !delimiter[w.doc[w.at]] {
				w.at++
			}
		}
		if depth == 0 {
			return true
		}
	}
	return false
}

// delimiter marks the bytes that end a number, true, false or null.
var delimiter = [256]bool{',': true, ']': true, '}': true, ' ': true, '\t': true, '\n': true, '\r': true, ':': true, '"': true, '{': true, '[': true}
