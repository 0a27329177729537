package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v5"

	"switchyard/engine"
)

// maxFile is the most bytes of a schema file.
const maxFile = 1 << 20

// schemaLimits are wider than those of data: each level of the data takes two or three in its schema.
var schemaLimits = engine.JSONLimits{Depth: 256, Values: 100_000}

// source is the text of a schema file and of all files that it refers to. It compiles more than once, each time from the
// same bytes.
type source struct {
	url string
	// Shown is the folder of the file as it was named; folder is the same, absolute.
	shown, folder string
	documents     map[string]*document // by the URL that they were asked for
	order         []*document
	sealed        bool // nothing is read any more
}

// read reads the file itself; others are read while it is compiled.
func read(file string) (*source, error) {
	absolute, err := filepath.Abs(file)
	if err != nil {
		return nil, Problems{{File: file, Message: err.Error()}}
	}
	s := &source{
		url:       (&url.URL{Scheme: "file", Path: filepath.ToSlash(absolute)}).String(),
		shown:     filepath.Dir(file),
		folder:    filepath.Dir(absolute),
		documents: map[string]*document{},
	}
	text, why := readFile(absolute)
	if why != "" {
		return nil, Problems{{File: file, Message: why}}
	}
	return s, s.add(s.url, absolute, text)
}

func (s *source) files() []string {
	var files []string
	for _, d := range s.order {
		if !slices.Contains(files, d.file) {
			files = append(files, d.file)
		}
	}
	return files
}

// fileName is a path as the first file's was written: relative if that was.
func (s *source) fileName(absolute string) string {
	if relative, err := filepath.Rel(s.folder, absolute); err == nil {
		return filepath.Join(s.shown, relative)
	}
	return absolute
}

// readFile returns the text of a schema file, or why there is none.
func readFile(path string) (text []byte, why string) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, "there is no such file; schema files are looked for relative to the file that names them"
	case err != nil:
		return nil, "can not be read: " + reason(err)
	case info.IsDir():
		return nil, "is a folder; name a schema file in it"
	case !info.Mode().IsRegular():
		return nil, "is not a regular file"
	case info.Size() > maxFile:
		return nil, fmt.Sprintf("is larger than %d MB", maxFile>>20)
	}
	if text, err = os.ReadFile(path); err != nil {
		return nil, "can not be read: " + reason(err)
	}
	return bytes.TrimPrefix(text, []byte("\ufeff")), ""
}

func reason(err error) string {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// add checks a text and keeps it. What it refuses is what the library would panic on, or say less clearly.
func (s *source) add(address, path string, text []byte) error {
	d := &document{url: address, file: s.fileName(path), path: path, text: text, base: address}
	if err := engine.CheckJSON(text, schemaLimits); err != nil {
		var bad *engine.JSONError
		if errors.As(err, &bad) {
			return Problems{d.problemAt(bad.Offset, "%s; a schema is a JSON document", bad.Message)}
		}
		return Problems{d.problemAt(0, "%s", err)}
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&d.value); err != nil {
		return Problems{d.problemAt(0, "%s", err)}
	}
	draft, problem := d.draft()
	if problem != nil {
		return Problems{*problem}
	}
	if problems := d.numbers(); len(problems) > 0 {
		return problems
	}
	if _, ok := based("", address); !ok {
		return Problems{d.problemAt(0, "the name of the file can not be referred to; rename it")}
	}
	if problems := d.ids(d.value, address, "", idKey(draft)); len(problems) > 0 {
		return problems
	}
	if err := d.fits(draft); err != nil {
		return err
	}
	if id, err := resolve(address, idOf(d.value)); err == nil {
		d.base = id
	}
	s.documents[address] = d
	s.order = append(s.order, d)
	return nil
}

// compile makes a new checker.
func (s *source) compile() (c *checker, err error) {
	m := &meter{}
	compiler := newCompiler(m)
	compiler.LoadURL = s.load
	// The texts have been checked as far as we know the library; a schema must not stop the router if there is more.
	defer func() {
		if r := recover(); r != nil {
			c, err = nil, fmt.Errorf("%v", r)
		}
	}()
	compiled, err := compiler.Compile(s.url)
	if err != nil {
		return nil, err
	}
	c = &checker{schema: compiled, keywords: keywords{}, meter: m}
	c.keywords.add(compiled)
	for _, d := range s.order {
		for _, pointer := range d.anchors() {
			if anchored, err := compiler.Compile(d.url + "#" + escapeFragment(pointer)); err == nil {
				c.keywords.add(anchored)
			}
		}
	}
	for _, node := range c.keywords {
		if node.Extensions[meterName] != nil { // not in the drafts' own schemas, which all share
			node.Pattern, node.UniqueItems = nil, false // see toll
		}
	}
	return c, nil
}

// load is the library's way to a document that is referred to. Its error is Problems.
func (s *source) load(address string) (io.ReadCloser, error) {
	if s.documents[address] == nil {
		if s.sealed {
			return nil, fmt.Errorf("%s was not read", address)
		}
		path, why := s.pathOf(address)
		var text []byte
		if why == "" {
			text, why = readFile(path)
			if why != "" {
				why = s.fileName(path) + ": " + why
			}
		}
		if why != "" {
			return nil, Problems{s.referring(address, "refers to "+show(address)+", but "+why)}
		}
		if err := s.add(address, path, text); err != nil {
			return nil, err
		}
	}
	return io.NopCloser(bytes.NewReader(s.documents[address].text)), nil
}

// pathOf is where the file of a URL is, or why there is none.
func (s *source) pathOf(address string) (path, why string) {
	u, err := url.Parse(address)
	if err != nil {
		return "", "that is no URL"
	}
	switch u.Scheme {
	case "file":
		if u.Host != "" && u.Host != "localhost" {
			return "", "schemas are not fetched from other machines; save it here and refer to it by its file name"
		}
		return filepath.FromSlash(u.Path), ""
	case "http", "https":
		if path := s.neighbour(u); path != "" {
			return path, ""
		}
		return "", "schemas are never fetched; save it beside this file and refer to it by its file name"
	}
	return "", "only files can be referred to, by a name relative to this file"
}

// neighbour is the file at a web address, if a document that is here says with its $id where on that server it is.
func (s *source) neighbour(u *url.URL) string {
	for _, d := range s.order {
		id, err := url.Parse(d.base)
		if err != nil || id.Scheme != u.Scheme || id.Host != u.Host || u.RawQuery != "" {
			continue
		}
		relative, err := filepath.Rel(filepath.FromSlash(path.Dir("/"+id.Path)), filepath.FromSlash("/"+u.Path))
		if err == nil {
			return filepath.Join(filepath.Dir(d.path), relative)
		}
	}
	return ""
}

// explain makes Problems of an error of the compiler.
func (s *source) explain(err error) error {
	var problems Problems
	if errors.As(err, &problems) {
		return problems
	}
	var invalid *jsonschema.ValidationError
	if errors.As(err, &invalid) {
		return s.misplaced(invalid)
	}
	var loop jsonschema.InfiniteLoopError
	if errors.As(err, &loop) {
		return s.endless(strings.TrimPrefix(loop.Error(), "jsonschema: infinite loop "))
	}
	text := err.Error()
	var wrapped *jsonschema.SchemaError
	if errors.As(err, &wrapped) && wrapped.Err != nil {
		text = wrapped.Err.Error()
	}
	text = strings.TrimPrefix(text, "jsonschema: ")
	if target, ok := strings.CutSuffix(text, " not found"); ok {
		_, fragment, _ := strings.Cut(target, "#")
		return Problems{s.referring(target, "refers to "+show("#"+pointerOf(fragment))+", which is not there; is the name under $defs or definitions right?")}
	}
	return Problems{s.order[0].problemAt(0, "%s", cut(text, maxMessage))}
}

// endless is the problem of a schema that leads back to itself.
func (s *source) endless(location string) Problems {
	address, pointer, _ := strings.Cut(location, "#")
	at := s.order[0]
	for _, d := range s.order {
		if d.url == address || d.base == address {
			at = d
			break
		}
	}
	return Problems{at.problem(at.existing(pointerOf(pointer)), "refers to itself without end: nothing can ever fit")}
}

// misplaced are the problems of a schema that stands where none was looked for, until a $ref led there.
func (s *source) misplaced(e *jsonschema.ValidationError) error {
	for _, d := range s.order {
		draft, problem := d.draft()
		if _, ok := at(d.value, pointerOf(e.InstanceLocation)); !ok || problem != nil {
			continue
		}
		if meta, err := jsonschema.Compile(draft); err == nil {
			return d.invalid(e, meta)
		}
	}
	return Problems{s.order[0].problemAt(0, "%s", e.Message)}
}

// referring is the problem at the $ref that leads to an address; at the begin of the file when it is not found.
func (s *source) referring(address, message string) Problem {
	for _, d := range s.order {
		if pointer, ok := d.reference(d.value, d.url, "", address); ok {
			return d.problem(pointer, "%s", message)
		}
	}
	return s.order[0].problemAt(0, "%s", message)
}
