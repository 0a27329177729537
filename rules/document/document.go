// Package document reads YAML in which every value knows its place: a strict decoder that reports all that is wrong at
// once, each with file, line, column and what would be right; and the JSON Schema of what it accepts, made from the same
// struct tags.
package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	// The YAML organisation's successor of gopkg.in/yaml.v3, which is no longer maintained. Its nodes carry line and
	// column, which the other libraries' decoders drop.
	"go.yaml.in/yaml/v3"
)

// MaxBytes is the longest document that is read.
const MaxBytes = 16 << 20

// maxMarks is how much punctuation it may have. Every value but the first has some beside it, and takes a hundred times
// its own size in the tree; files that people write come nowhere near this.
const maxMarks = 2_000_000

// Document is one parsed YAML document.
type Document struct {
	// File is its name, as problems show it.
	File string

	src   []byte
	lines []int      // the byte at which each line starts
	root  *yaml.Node // nil for an empty document
}

// Parse reads the one document of a file. The error is Problems. A file that is empty, or has only comments, is a
// document without a value: decoding it changes nothing, except that its required keys are missing.
func Parse(file string, src []byte) (*Document, error) {
	doc := &Document{File: file, src: bytes.TrimPrefix(src, []byte("\ufeff"))}
	doc.lines = lineStarts(doc.src)
	if len(src) > MaxBytes {
		return nil, Problems{doc.problem(1, 1, "the file is larger than %d MB", MaxBytes>>20)}
	}
	if marks(doc.src) > maxMarks {
		return nil, Problems{doc.problem(1, 1, "the file has more than %d commas, colons, dashes and brackets, which is too much for one; make several of it", maxMarks)}
	}
	if at := invalidUTF8(doc.src); at >= 0 {
		line, col := doc.position(at)
		return nil, Problems{doc.problem(line, col, "the file is not UTF-8 text")}
	}
	if err := doc.parse(); err != nil {
		return nil, err
	}
	return doc, nil
}

func (d *Document) parse() error {
	decoder := yaml.NewDecoder(bytes.NewReader(d.src))
	first, err := next(decoder)
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return Problems{d.syntax(err)}
	}
	switch second, err := next(decoder); {
	case err == nil:
		return Problems{d.problem(second.Line, second.Column, "a second YAML document starts here; a file holds one")}
	case !errors.Is(err, io.EOF):
		return Problems{d.syntax(err)}
	}
	if len(first.Content) > 0 && !isNull(first.Content[0]) {
		d.root = first.Content[0]
	}
	return nil
}

// marks counts what stands beside the values of a document; there are hardly more values than that.
func marks(src []byte) (count int) {
	for _, mark := range []string{",", ":", "-", "[", "{"} {
		count += bytes.Count(src, []byte(mark))
	}
	return count
}

// next reads one document. A panic of the parser is an error like any other: a file must not be able to stop the router.
func next(decoder *yaml.Decoder) (node *yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: this can not be read: %v", r)
		}
	}()
	node = new(yaml.Node)
	return node, decoder.Decode(node)
}

var (
	syntaxLine    = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)
	unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
)

// syntax finds the place of a YAML syntax error. The library gives a line, and no column; we point at the first
// character of that line.
func (d *Document) syntax(err error) Problem {
	parts := syntaxLine.FindStringSubmatch(err.Error())
	if parts == nil {
		return d.problem(1, 1, "%s", err.Error())
	}
	message := parts[2]
	if anchor := unknownAnchor.FindStringSubmatch(message); anchor != nil {
		line, col := d.position(max(0, bytes.Index(d.src, []byte("*"+anchor[1]))))
		return d.problem(line, col, "no anchor &%s stands above this alias", anchor[1])
	}
	line := 1
	if n, err := strconv.Atoi(parts[1]); err == nil {
		line = n
		// The library counts the lines of its parser's complaints from 0, and those of its scanner from 1.
		if strings.HasPrefix(message, "did not find expected") {
			line++
		}
	}
	line = min(line, len(d.lines))
	text := d.line(line)
	col := 1 + len(text) - len(bytes.TrimLeft(text, " \t"))
	return d.problem(line, col, "this is not YAML: %s%s", message, hint(message))
}

func hint(message string) string {
	switch {
	case strings.HasPrefix(message, "mapping values are not allowed"):
		return " (a text that holds \": \" needs quotes)"
	case strings.HasPrefix(message, "found character that cannot start any token"):
		return " (indent with spaces, not tabs, and quote a text that starts with @ or `)"
	case strings.HasPrefix(message, "did not find expected ','"):
		return " (inside { } and [ ] a text with a comma, a bracket or a quote needs quotes around all of it)"
	}
	return ""
}

func (d *Document) problem(line, col int, format string, args ...any) Problem {
	problem := Problem{File: d.File, Line: line, Col: col, Message: clip(fmt.Sprintf(format, args...))}
	problem.Excerpt, problem.skipped = excerpt(d.line(line), col)
	return problem
}

// line is the text of a line, without its break; nothing when there is no such line.
func (d *Document) line(n int) []byte {
	if n < 1 || n > len(d.lines) {
		return nil
	}
	end := len(d.src)
	if n < len(d.lines) {
		end = d.lines[n]
	}
	return bytes.TrimRight(d.src[d.lines[n-1]:end], "\r\n\u0085\u2028\u2029")
}

// position is the line and column of a byte.
func (d *Document) position(at int) (line, col int) {
	at = min(at, len(d.src))
	line = sort.Search(len(d.lines), func(i int) bool { return d.lines[i] > at })
	return line, 1 + utf8.RuneCount(d.src[d.lines[line-1]:at])
}

// offset is the byte at a line and column.
func (d *Document) offset(line, col int) int {
	if line < 1 || line > len(d.lines) {
		return len(d.src)
	}
	at := d.lines[line-1]
	return at + width(d.src[at:], col-1)
}

// lineStarts breaks lines where YAML does: \n, \r\n, \r and the three breaks of Unicode.
func lineStarts(src []byte) []int {
	starts := []int{0}
	for i := 0; i < len(src); {
		r, size := utf8.DecodeRune(src[i:])
		i += size
		switch r {
		case '\r':
			if i < len(src) && src[i] == '\n' {
				i++
			}
			starts = append(starts, i)
		case '\n', '\u0085', '\u2028', '\u2029':
			starts = append(starts, i)
		}
	}
	return starts
}

// invalidUTF8 is the byte at which src stops being UTF-8, or -1.
func invalidUTF8(src []byte) int {
	if utf8.Valid(src) {
		return -1
	}
	for i := 0; i < len(src); {
		r, size := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

func isNull(node *yaml.Node) bool {
	return node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null"
}

// Place is where a value stands. The zero Place is nowhere.
type Place struct {
	Line, Col int
	doc       *Document
}

// File is the file's name; "" for nowhere.
func (p Place) File() string {
	if p.doc == nil {
		return ""
	}
	return p.doc.File
}

// Problem is something wrong here.
func (p Place) Problem(format string, args ...any) Problem {
	if p.doc == nil {
		return Problem{Message: fmt.Sprintf(format, args...)}
	}
	return p.doc.problem(p.Line, p.Col, format, args...)
}
