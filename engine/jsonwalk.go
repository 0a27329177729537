package engine

import (
	"encoding/binary"
	"math/bits"
)

// Walk goes through the members of an object that has been checked before, without checking it again: for the hot path,
// where the parts of an event are looked at that were scanned as it came in. It allocates nothing. On anything but a
// checked object it ends early; it never reads outside of it.
type Walk struct {
	doc []byte
	at  int
}

// WalkObject begins before the first member; what is not an object has none.
func WalkObject(doc []byte) Walk { return walkFrom(doc, '{') }

// WalkArray is WalkObject for an array, whose items NextItem gives.
func WalkArray(doc []byte) Walk { return walkFrom(doc, '[') }

func walkFrom(doc []byte, opening byte) Walk {
	w := Walk{doc: doc}
	w.space()
	if w.at >= len(doc) || doc[w.at] != opening {
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
	if !w.value() || w.at == start {
		w.at = len(w.doc)
		return nil, nil, false
	}
	return name, w.doc[start:w.at:w.at], true
}

// NextItem is the next item of an array.
func (w *Walk) NextItem() (value []byte, ok bool) {
	w.space()
	if w.at < len(w.doc) && w.doc[w.at] == ',' {
		w.at++
		w.space()
	}
	start := w.at
	if start >= len(w.doc) || w.doc[start] == ']' || !w.value() || w.at == start {
		w.at = len(w.doc)
		return nil, false
	}
	return w.doc[start:w.at:w.at], true
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

// text steps over a string, from its opening quote to past its closing one. Most are short, names above all, so that the
// first bytes are looked at in one word before anything is called.
func (w *Walk) text() bool {
	doc, at := w.doc, w.at+1
	for at < len(doc) {
		if at+8 <= len(doc) {
			word := binary.LittleEndian.Uint64(doc[at:])
			quote, slant := word^quotes, word^slants
			found := ((quote-ones)&^quote | (slant-ones)&^slant) & tops
			if found == 0 {
				at += 8
				continue
			}
			at += bits.TrailingZeros64(found) / 8
		}
		switch doc[at] {
		case '"':
			w.at = at + 1
			return true
		case '\\':
			at++
		}
		at++
	}
	w.at = len(doc)
	return false
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
