package document

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Text is a scalar that remembers where it stands, to the character. It takes a number or a boolean too, as written:
// an expression may be 5 or true.
type Text struct {
	Value string

	// There are a million of these in large sets, so they are small: 40 bytes.
	doc       *Document
	line, col int32
	style     yaml.Style
	// expanded is true when Value is not what the file says: only the beginning has a place then.
	expanded bool
}

func (d *Document) text(node *yaml.Node) Text {
	return Text{Value: node.Value, doc: d, line: int32(node.Line), col: int32(node.Column), style: node.Style} // of at most MaxBytes
}

// At is the place of a byte of Value. It is exact for plain, quoted and block scalars, whatever their folding,
// indentation and escapes.
func (t Text) At(offset int) Place {
	if t.doc == nil || t.expanded {
		return t.Place()
	}
	at := t.doc.offset(int(t.line), int(t.col))
	at += properties(t.doc.src[at:])
	w := walk{src: t.doc.src, at: at, value: t.Value}
	line, col := t.doc.position(w.to(t.style, min(max(offset, 0), len(t.Value))))
	return Place{Line: line, Col: col, doc: t.doc}
}

// IsZero reports that the file has no such scalar.
func (t Text) IsZero() bool { return t.doc == nil }

// Place is where the scalar begins.
func (t Text) Place() Place { return Place{Line: int(t.line), Col: int(t.col), doc: t.doc} }

// CutByComment reports that the scalar ends where a # after a space began a comment, which in an expression is seldom
// meant.
func (t Text) CutByComment() bool {
	if t.doc == nil || t.style != 0 {
		return false
	}
	end := t.At(len(t.Value))
	rest := t.doc.src[t.doc.offset(end.Line, end.Col):]
	trimmed := bytes.TrimLeft(rest, " \t")
	return len(trimmed) < len(rest) && bytes.HasPrefix(trimmed, []byte("#"))
}

// properties measures the anchor and the tag in front of a value: the place of a node is theirs.
func properties(src []byte) int {
	at := 0
	for {
		word := len(src) - len(bytes.TrimLeft(src[at:], " \t\r\n"))
		if word >= len(src) || src[word] != '&' && src[word] != '!' {
			break
		}
		end := bytes.IndexAny(src[word:], " \t\r\n")
		if end < 0 {
			break
		}
		at = word + end
	}
	if at == 0 {
		return 0
	}
	return len(src) - len(bytes.TrimLeft(src[at:], " \t\r\n"))
}

// walk steps through a scalar's source and its value side by side. What is not white space stands in both, in the same
// order, however the lines are folded and indented; so no style needs its rules of folding here.
type walk struct {
	src   []byte
	at    int // in src
	value string
	quote byte // ' or ", or 0
}

// to is the byte of src at which the byte offset of value stands. White space at the end has the place where it begins.
func (w *walk) to(style yaml.Style, offset int) int {
	offset = min(offset, len(strings.TrimRight(w.value, " \t\r\n")))
	switch {
	case style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		if end := bytes.IndexByte(w.src[w.at:], '\n'); end >= 0 { // the header: |2- # comment
			w.at += end + 1
		}
	case style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 && w.at < len(w.src):
		w.quote = w.src[w.at]
		w.at++
	}
	for i := 0; i < len(w.value); {
		width, size := w.piece(w.value[i])
		if offset < i+width || w.at >= len(w.src) {
			break
		}
		i += width
		w.at += size
	}
	return min(w.at, len(w.src))
}

// piece moves to the source of the piece of value that begins with c, and measures both: width in value, size in src.
func (w *walk) piece(c byte) (width, size int) {
	if isSpace(c) {
		if text, n := w.escape(); text == string(c) {
			return 1, n
		}
		if w.at < len(w.src) && w.src[w.at] == c {
			return 1, 1
		}
		return 1, 0 // folded: what stands there is a line break
	}
	for w.at < len(w.src) && w.blank() {
		w.at++
	}
	if text, n := w.escape(); n > 0 {
		return max(1, len(text)), n
	}
	if w.quote == '\'' && bytes.HasPrefix(w.src[w.at:], []byte("''")) {
		return 1, 2
	}
	_, n := utf8.DecodeRune(w.src[w.at:])
	return max(1, n), n
}

// blank reports white space, or the backslash that joins two lines.
func (w *walk) blank() bool {
	if isSpace(w.src[w.at]) {
		return true
	}
	joins := w.at+1 < len(w.src) && (w.src[w.at+1] == '\n' || w.src[w.at+1] == '\r')
	return w.quote == '"' && w.src[w.at] == '\\' && joins
}

// escapes are YAML's of one letter that are not that letter itself.
var escapes = map[byte]string{
	'0': "\x00", 'a': "\a", 'b': "\b", 't': "\t", 'n': "\n", 'v': "\v", 'f': "\f", 'r': "\r", 'e': "\x1b",
	'N': "\u0085", '_': "\u00a0", 'L': "\u2028", 'P': "\u2029",
}

// escape reads the escape of a double-quoted scalar that stands here; size is 0 when none does.
func (w *walk) escape() (text string, size int) {
	if w.quote != '"' || w.at+1 >= len(w.src) || w.src[w.at] != '\\' {
		return "", 0
	}
	letter := w.src[w.at+1]
	if digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[letter]; digits > 0 {
		end := min(w.at+2+digits, len(w.src))
		code, _ := strconv.ParseUint(string(w.src[w.at+2:end]), 16, 32)
		return string(rune(code)), end - w.at
	}
	if text, ok := escapes[letter]; ok {
		return text, 2
	}
	return string(letter), 2
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
