package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

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
func (d *document) numbers() (problems Problems) {
	walk(d.value, "", func(value any, pointer string) {
		if number, ok := value.(json.Number); ok && outsized(number.String()) {
			problems = append(problems, d.problem(pointer, "a number may have at most %d digits", maxDigits))
		}
	})
	return problems
}

// walk visits a value and all below it, in the order of their names.
func walk(value any, pointer string, visit func(value any, pointer string)) {
	visit(value, pointer)
	switch value := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			walk(value[name], pointer+"/"+escapePointer(name), visit)
		}
	case []any:
		for i, item := range value {
			walk(item, fmt.Sprintf("%s/%d", pointer, i), visit)
		}
	}
}

func idKey(draft string) string {
	if strings.HasSuffix(draft, "draft-04/schema") {
		return "id"
	}
	return "$id"
}

// ids finds those that are not in the normal form of a URL. The library resolves the references of such a schema against
// it, does not find what comes of it, opens the same document again, and so on until the stack overflows.
func (d *document) ids(value any, base, pointer, key string) (problems Problems) {
	switch value := value.(type) {
	case map[string]any:
		if id, _ := value[key].(string); id != "" {
			address, ok := based(base, id)
			if !ok {
				problems = Problems{d.problem(pointer+"/"+key, "must be a plain URL, with everything escaped that has to be; it is %s", show(id))}
			}
			base = address
		}
		for _, name := range slices.Sorted(maps.Keys(value)) {
			problems = append(problems, d.ids(value[name], base, pointer+"/"+escapePointer(name), key)...)
		}
	case []any:
		for i, item := range value {
			problems = append(problems, d.ids(item, base, fmt.Sprintf("%s/%d", pointer, i), key)...)
		}
	}
	return problems
}

// based is an id as the library makes it absolute; ok when to resolve a fragment against it leaves it as it is.
func based(base, id string) (address string, ok bool) {
	id, _, _ = strings.Cut(id, "#")
	u, err := url.Parse(id)
	switch {
	case err != nil:
		return base, false
	case strings.HasPrefix(id, "urn:"):
		return id, true
	case strings.HasPrefix(base, "urn:"):
		return base + id, true
	case u.IsAbs():
		address = id
	default:
		if address, err = resolve(base, id); err != nil {
			return base, false
		}
	}
	resolved, err := resolve(address, "#x")
	return address, err == nil && resolved == address+"#x"
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

// anchors are the pointers of the schemas that a $dynamicRef may lead to, and that nothing else may.
func (d *document) anchors() (pointers []string) {
	walk(d.value, "", func(value any, pointer string) {
		object, _ := value.(map[string]any)
		if _, ok := object["$dynamicAnchor"].(string); ok {
			pointers = append(pointers, pointer)
		}
	})
	return pointers
}

func escapeFragment(pointer string) string {
	tokens := strings.Split(pointer, "/")
	for i, token := range tokens {
		tokens[i] = url.PathEscape(token)
	}
	return strings.Join(tokens, "/")
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
