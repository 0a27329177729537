package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Problem is something wrong at one place of a schema file.
type Problem struct {
	File string `json:"file"`
	// Line and Col count from 1; Col counts characters, not bytes. They are 0 when the file can not be read.
	Line int `json:"line"`
	Col  int `json:"col"`
	// Pointer is the JSON pointer (RFC 6901) of the place; "" for the whole file, and for one that is not JSON.
	Pointer string `json:"pointer"`
	Message string `json:"message"`
}

// Error is the problem in one line: file:line:col: pointer: message.
func (p Problem) Error() string {
	text := p.File + ": "
	if p.Line > 0 {
		text = fmt.Sprintf("%s:%d:%d: ", p.File, p.Line, p.Col)
	}
	if p.Pointer != "" {
		text += p.Pointer + ": "
	}
	return text + p.Message
}

// Problems are all that is wrong; as an error, one line each.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// problem is one at a pointer of the document.
func (d *document) problem(pointer, format string, args ...any) Problem {
	p := d.problemAt(offsetOf(d.text, pointer), format, args...)
	p.Pointer = pointer
	return p
}

func (d *document) problemAt(offset int, format string, args ...any) Problem {
	before := d.text[:min(offset, len(d.text))]
	line := bytes.LastIndexByte(before, '\n') + 1
	return Problem{
		File:    d.file,
		Line:    bytes.Count(before, []byte("\n")) + 1,
		Col:     utf8.RuneCount(before[line:]) + 1,
		Message: fmt.Sprintf(format, args...),
	}
}

// offsetOf is where the value at a pointer begins in a checked document; of one that is not there, where the nearest
// value around it begins.
func offsetOf(text []byte, pointer string) int {
	decoder := json.NewDecoder(bytes.NewReader(text))
	begin := skipTo(text, 0)
	for _, token := range tokensOf(pointer) {
		if !enter(decoder, token) {
			break
		}
		begin = skipTo(text, int(decoder.InputOffset()))
	}
	return begin
}

// skipTo steps over what may stand before a value.
func skipTo(text []byte, offset int) int {
	for offset < len(text) && strings.IndexByte(" \t\r\n,:", text[offset]) >= 0 {
		offset++
	}
	return offset
}

// enter moves the decoder to the member or item of the value that comes next; false when there is none.
func enter(decoder *json.Decoder, token string) bool {
	open, err := decoder.Token()
	if err != nil || open != json.Delim('{') && open != json.Delim('[') {
		return false
	}
	for i := 0; decoder.More(); i++ {
		name := any(strconv.Itoa(i))
		if open == json.Delim('{') {
			if name, err = decoder.Token(); err != nil {
				return false
			}
		}
		if name == token {
			return true
		}
		var skipped json.RawMessage
		if decoder.Decode(&skipped) != nil {
			return false
		}
	}
	return false
}
