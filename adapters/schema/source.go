package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
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
const maxFile = 4 << 20

// schemaLimits are wider than those of data: each level of the data takes two or three in its schema.
var schemaLimits = engine.JSONLimits{Depth: 256, Values: 500_000}

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

// document is one file as it was read.
type document struct {
	url   string
	file  string // for people
	path  string
	text  []byte
	value any
	// Base is what its references are relative to: its $id, else its URL.
	base string
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
	if problems := d.numbers(d.value, ""); len(problems) > 0 {
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

// drafts are the URLs that $schema may be, and those of the schemas for schemas.
var drafts = map[string]string{
	"json-schema.org/draft-04/schema":      "http://json-schema.org/draft-04/schema",
	"json-schema.org/draft-06/schema":      "http://json-schema.org/draft-06/schema",
	"json-schema.org/draft-07/schema":      "http://json-schema.org/draft-07/schema",
	"json-schema.org/draft/2019-09/schema": "https://json-schema.org/draft/2019-09/schema",
	"json-schema.org/draft/2020-12/schema": "https://json-schema.org/draft/2020-12/schema",
	"json-schema.org/schema":               "https://json-schema.org/draft/2020-12/schema",
}

const newestDraft = "https://json-schema.org/draft/2020-12/schema"

// draft is the URL of the schema for this schema.
func (d *document) draft() (string, *Problem) {
	object, _ := d.value.(map[string]any)
	named, ok := object["$schema"]
	if !ok {
		return newestDraft, nil
	}
	text, _ := named.(string)
	text = strings.TrimPrefix(strings.TrimPrefix(text, "http://"), "https://")
	if draft := drafts[strings.TrimSuffix(strings.TrimSuffix(text, "/"), "#")]; draft != "" {
		return draft, nil
	}
	p := d.problem("/$schema", `must be the URL of a draft from 4 to 2020-12, such as %q; it is %s`, newestDraft, show(named))
	return "", &p
}

// numbers finds those that nothing can be compared with.
func (d *document) numbers(value any, pointer string) (problems Problems) {
	switch value := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			problems = append(problems, d.numbers(value[name], pointer+"/"+escapePointer(name))...)
		}
	case []any:
		for i, item := range value {
			problems = append(problems, d.numbers(item, fmt.Sprintf("%s/%d", pointer, i))...)
		}
	case json.Number:
		if outsized(value.String()) {
			problems = Problems{d.problem(pointer, "a number may have at most %d digits", maxDigits)}
		}
	}
	return problems
}

// fits checks the document against the schema of its draft. The library does that too, and does not say in which file.
func (d *document) fits(draft string) error {
	meta, err := jsonschema.Compile(draft) // built in
	if err != nil {
		return Problems{d.problemAt(0, "%s", err)}
	}
	var invalid *jsonschema.ValidationError
	if errors.As(meta.Validate(d.value), &invalid) {
		return d.invalid(invalid, meta)
	}
	return nil
}

func (d *document) invalid(e *jsonschema.ValidationError, meta *jsonschema.Schema) Problems {
	known := keywords{}
	known.add(meta)
	var problems Problems
	for _, v := range (&reader{keywords: known, value: d.value}).violations(e) {
		problems = append(problems, d.problem(v.Pointer, "%s", v.Message))
	}
	return problems
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
		for _, pointer := range d.anchors(d.value, "") {
			if anchored, err := compiler.Compile(d.url + "#" + escapeFragment(pointer)); err == nil {
				c.keywords.add(anchored)
			}
		}
	}
	for _, node := range c.keywords {
		node.Pattern = nil // see toll
	}
	return c, nil
}

// anchors are the pointers of the schemas that a $dynamicRef may lead to, and that nothing else may.
func (d *document) anchors(value any, pointer string) (pointers []string) {
	switch value := value.(type) {
	case map[string]any:
		if _, ok := value["$dynamicAnchor"].(string); ok {
			pointers = append(pointers, pointer)
		}
		for name, member := range value {
			pointers = append(pointers, d.anchors(member, pointer+"/"+escapePointer(name))...)
		}
	case []any:
		for i, item := range value {
			pointers = append(pointers, d.anchors(item, fmt.Sprintf("%s/%d", pointer, i))...)
		}
	}
	return pointers
}

func escapeFragment(pointer string) string {
	tokens := strings.Split(pointer, "/")
	for i, token := range tokens {
		tokens[i] = url.PathEscape(token)
	}
	return strings.Join(tokens, "/")
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

// existing is the longest part of a pointer that leads to something.
func (d *document) existing(pointer string) string {
	for {
		if _, ok := at(d.value, pointer); ok {
			return pointer
		}
		pointer = pointer[:strings.LastIndexByte(pointer, '/')]
	}
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

func (d *document) reference(value any, base, pointer, address string) (string, bool) {
	switch value := value.(type) {
	case map[string]any:
		if id, err := resolve(base, idOf(value)); err == nil {
			base = id
		}
		for _, name := range slices.Sorted(maps.Keys(value)) {
			below := pointer + "/" + escapePointer(name)
			if text, ok := value[name].(string); ok && strings.HasSuffix(strings.ToLower(name), "ref") {
				target, err := resolve(base, text)
				if document, _, _ := strings.Cut(target, "#"); err == nil && (target == address || document == address) {
					return below, true
				}
				continue
			}
			if found, ok := d.reference(value[name], base, below, address); ok {
				return found, true
			}
		}
	case []any:
		for i, item := range value {
			if found, ok := d.reference(item, base, fmt.Sprintf("%s/%d", pointer, i), address); ok {
				return found, true
			}
		}
	}
	return "", false
}

// idOf is the $id of a schema, id in draft 4; "" without.
func idOf(schema any) string {
	object, _ := schema.(map[string]any)
	for _, name := range []string{"$id", "id"} {
		if id, ok := object[name].(string); ok {
			return id
		}
	}
	return ""
}

func resolve(base, reference string) (string, error) {
	from, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	to, err := from.Parse(reference)
	if err != nil {
		return "", err
	}
	return to.String(), nil
}
