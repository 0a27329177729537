package engine

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// StringOf is the text of a checked JSON string; ok is false for any other value.
func StringOf(value json.RawMessage) (text string, ok bool) {
	if len(value) < 2 || value[0] != '"' {
		return "", false
	}
	return unquote(value[1 : len(value)-1]), true
}

// LentString is StringOf without a copy: the text shares the memory of value, unless it has escapes.
func LentString(value json.RawMessage) (text string, ok bool) {
	if len(value) < 2 || value[0] != '"' {
		return "", false
	}
	inside := value[1 : len(value)-1]
	if bytes.IndexByte(inside, '\\') >= 0 {
		return unquote(inside), true
	}
	return unsafe.String(unsafe.SliceData(inside), len(inside)), true
}

// DecodeJSON builds Go values of one document: map[string]any, []any, string, bool, nil, and for numbers int when it
// fits, else uint64, else float64 — or json.Number where a float64 would be infinite or would round a whole number, so
// that no number loses digits unseen. The last of repeated keys wins.
func DecodeJSON(doc []byte) (any, error) {
	s := scanner{doc: doc, limits: DefaultJSONLimits}
	s.space()
	value, err := s.decode(0)
	if err != nil {
		return nil, err
	}
	return value, s.end()
}

func (s *scanner) decode(depth int) (any, error) {
	start := s.at
	switch s.peek() {
	case '{':
		object := map[string]any{}
		err := s.object(depth+1, func(name []byte) (err error) {
			object[unquote(name)], err = s.decode(depth + 1)
			return err
		})
		return object, err
	case '[':
		array := []any{}
		err := s.array(depth+1, func([]byte) error {
			value, err := s.decode(depth + 1)
			array = append(array, value)
			return err
		})
		return array, err
	}
	if err := s.value(depth); err != nil {
		return nil, err
	}
	switch text := s.doc[start:s.at]; text[0] {
	case '"':
		return unquote(text[1 : len(text)-1]), nil
	case 't':
		return true, nil
	case 'f':
		return false, nil
	case 'n':
		return nil, nil
	default:
		return numberOf(string(text)), nil
	}
}

// NumberOf is the value of a checked JSON number, as DecodeJSON has it.
func NumberOf(number []byte) any { return numberOf(string(number)) }

func numberOf(text string) any {
	whole := wholeNumber(text)
	if whole && text != "-0" { // strconv makes an error of anything else, at the price of its text
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return int(n)
		}
		if n, err := strconv.ParseUint(text, 10, 64); err == nil {
			return n
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || whole && math.Abs(f) >= 1<<53 {
		return json.Number(text)
	}
	return f
}

func wholeNumber(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] == '.' || text[i]|0x20 == 'e' {
			return false
		}
	}
	return true
}

// unquote turns the inside of a checked string into text; half of a surrogate pair becomes U+FFFD.
func unquote(inside []byte) string {
	first := 0
	for first < len(inside) && inside[first] != '\\' {
		first++
	}
	if first == len(inside) {
		return string(inside)
	}
	text := make([]byte, first, len(inside))
	copy(text, inside)
	for i := first; i < len(inside); {
		if inside[i] != '\\' {
			text = append(text, inside[i])
			i++
			continue
		}
		switch c := inside[i+1]; c {
		case 'u':
			r := hexRune(inside[i+2:])
			i += 6
			if utf16.IsSurrogate(r) {
				low := rune(utf8.RuneError)
				if i+6 <= len(inside) && inside[i] == '\\' && inside[i+1] == 'u' {
					low = hexRune(inside[i+2:])
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					i += 6
				}
			}
			text = utf8.AppendRune(text, r)
			continue
		case 'b':
			text = append(text, '\b')
		case 'f':
			text = append(text, '\f')
		case 'n':
			text = append(text, '\n')
		case 'r':
			text = append(text, '\r')
		case 't':
			text = append(text, '\t')
		default:
			text = append(text, c)
		}
		i += 2
	}
	return string(text)
}

func hexRune(digits []byte) rune {
	value, err := strconv.ParseUint(string(digits[:4]), 16, 16)
	if err != nil {
		return utf8.RuneError
	}
	return rune(value)
}
