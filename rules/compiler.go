package rules

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"switchyard/rules/document"
)

// Compiler reads rule files and compiles them, and keeps what it made: the next Compiler does the work of what has
// changed only. It is for one goroutine; the sets that it makes are for any number.
type Compiler struct {
	book *pathBook
	// used is how many paths the sets look at.
	used int
	// kept is how many programs of texts are kept.
	kept   int
	before *Compiler // nil for the first, and once settled

	files     map[string]*File
	compiled  map[compiledFor][]*rule
	checked   map[checkedFor]findings
	codes     map[codeKey]*code
	languages map[string]*language
}

// compiledFor is a file in one environment. One that has not changed is the same File.
type compiledFor struct {
	environment string
	file        *File
}

// checkedFor is a file whose types were checked, with the digest of the shapes.
type checkedFor struct {
	file   *File
	shapes string
}

// codeKey is an expression with the names of the transforms that it sees.
type codeKey struct{ transforms, text string }

// NewCompiler is one that knows nothing yet.
func NewCompiler() *Compiler {
	return &Compiler{
		book: newPathBook(), files: map[string]*File{}, compiled: map[compiledFor][]*rule{}, codes: map[codeKey]*code{},
		languages: map[string]*language{}, checked: map[checkedFor]findings{},
	}
}

// Next is a Compiler for the next time: it takes over what it is asked for again. What it is not asked for is let go by
// Settle.
func (c *Compiler) Next() *Compiler {
	next := NewCompiler()
	const spare, depth = 10_000, 8
	if c.book.len() > spare+depth*c.used {
		return next // most of the paths are of rules that are gone: begin again
	}
	next.book, next.kept, next.before = c.book, c.kept, c
	return next
}

// Settle is called when everything has been compiled.
func (c *Compiler) Settle() { c.before, c.languages = nil, map[string]*language{} }

// Load reads rule files, all of them, before it reports what is wrong, as document.Problems.
func (c *Compiler) Load(paths []string) ([]*File, error) {
	var files []*File
	var problems document.Problems
	for _, path := range paths {
		file, err := c.load(path)
		if found, ok := err.(document.Problems); ok {
			problems = append(problems, found...)
			continue
		}
		files = append(files, file)
	}
	return files, problems.Err()
}

func (c *Compiler) load(path string) (*File, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, document.Problems{{File: path, Line: 1, Col: 1, Message: fmt.Sprintf("can not be read: %v", err)}}
	}
	file := c.known(path)
	if file == nil || !bytes.Equal(file.src, src) {
		if file, err = Parse(path, src); err != nil {
			return nil, err
		}
	}
	c.files[path] = file
	return file, nil
}

func (c *Compiler) known(path string) *File {
	if file := c.files[path]; file != nil || c.before == nil { // another environment may have it
		return file
	}
	return c.before.files[path]
}

// keptLanguages is how many are kept for other rules: each takes tens of kB, and a rule can have hundreds of its own.
const keptLanguages = 500

// language is that of expressions below some transforms.
func (c *Compiler) language(transforms ...string) *language {
	key := strings.Join(transforms, " ")
	if c.languages[key] == nil {
		if len(c.languages) >= keptLanguages {
			clear(c.languages)
		}
		c.languages[key] = newLanguage(eventPlace, transforms...)
	}
	return c.languages[key]
}

// expression compiles one, or takes the code of one that reads the same.
func (c *Compiler) expression(l *language, text *document.Text) (*expression, *document.Problem) {
	key := codeKey{strings.Join(l.transforms, " "), text.Value}
	known := c.codes[key]
	if known == nil && c.before != nil {
		known = c.before.codes[key]
	}
	if known == nil {
		made, problem := l.compile(*text)
		if problem != nil {
			return nil, problem
		}
		known = made.code
		c.spare(known, *text)
	}
	c.codes[key] = known
	return &expression{text, known}, nil
}

// A hundred thousand programs that are seldom run would take most of the memory: beyond keptPrograms those of short texts
// are made when an event first wants them. One of a longText would take too long while the event waits.
const (
	keptPrograms = 20_000
	longText     = 1 << 10
)

// spare lets go of a program that is made again when it is wanted.
func (c *Compiler) spare(made *code, text document.Text) {
	if c.kept >= keptPrograms && len(text.Value) < longText {
		made.program = nil
		return
	}
	c.kept++
}

// findings are those of a file whose types have been checked before.
func (c *Compiler) findings(key checkedFor) (found findings, known bool) {
	if found, known = c.checked[key]; !known && c.before != nil {
		found, known = c.before.checked[key]
	}
	return found, known
}

// recall are the rules of a file that has been compiled before; nil for another.
func (c *Compiler) recall(key compiledFor) []*rule {
	if c.before == nil {
		return nil
	}
	return c.before.compiled[key]
}
