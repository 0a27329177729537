package document

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// What an alias can cost: a file of a few lines may stand for billions of nodes.
const (
	maxAliased = 200_000 // nodes read through aliases in one Decode
	maxDepth   = 100
	// maxProblems is more than anybody reads.
	maxProblems = 1000
)

// Decode fills what into points to, and reports everything that does not fit, as Problems. Keys that no struct field
// has are wrong, and repeated ones, and values of another type; null is the same as leaving the key out.
//
// The keys of a struct are those of its `yaml:"key"` tags; fields of an embedded struct count as its own, and fields
// without a tag are left alone. `required:"true"` wants the key, and something in its text or list; `enum:"a,b"` lists
// the values of a text, and so does a type that is a Choices. A field of type Place without a tag is given the place of
// the struct.
//
// Values may be structs, maps with text keys, slices, pointers, strings, booleans, numbers, time.Duration (30s, 24h,
// 30d), Text, Ordered, any (as engine.DecodeJSON has JSON values), and types that are a Custom.
//
// With a lookup, ${NAME} and ${NAME:-default} are expanded in every text, also where a number, boolean or duration is
// wanted; nil leaves them alone. What a variable holds never appears in a problem.
//
// A document is decoded once.
func (d *Document) Decode(into any, lookup Lookup) error {
	dec := &decoder{doc: d, lookup: lookup}
	target := reflect.ValueOf(into).Elem()
	if d.root == nil {
		dec.missing(target.Type(), nil, Place{Line: 1, Col: 1, doc: d})
	} else {
		dec.value(d.root, target)
	}
	d.root = nil // every Text keeps the document, and the tree is many times its size
	return dec.problems.Err()
}

type decoder struct {
	doc      *Document
	lookup   Lookup
	problems Problems

	depth   int
	within  int // how many aliases we are in
	aliased int
}

// place is where the node itself stands, which for an aliased value is at its anchor.
func (d *Document) place(node *yaml.Node) Place {
	return Place{Line: node.Line, Col: node.Column, doc: d}
}

func (d *decoder) wrong(node *yaml.Node, format string, args ...any) {
	if len(d.problems) >= maxProblems {
		return
	}
	d.report(d.doc.place(node).Problem(format, args...))
}

func (d *decoder) report(problem Problem) {
	if len(d.problems) < maxProblems {
		d.problems = append(d.problems, problem)
	}
}

// enter steps into a node, and through an alias to what it stands for; nil when that would cost too much, which is
// reported once. leave undoes it.
func (d *decoder) enter(node *yaml.Node) (target *yaml.Node, leave func()) {
	within := d.within
	leave = func() { d.depth--; d.within = within }
	d.depth++
	for node.Kind == yaml.AliasNode {
		d.within++
		node = node.Alias
	}
	if d.within > 0 {
		d.aliased++
	}
	switch {
	case d.depth > maxDepth:
		d.wrong(node, "this is nested deeper than %d levels", maxDepth)
		return nil, leave
	case d.aliased > maxAliased:
		if d.aliased == maxAliased+1 {
			d.wrong(node, "the aliases of this file stand for more than %d values", maxAliased)
		}
		return nil, leave
	}
	return node, leave
}

var (
	placeType    = reflect.TypeFor[Place]()
	textType     = reflect.TypeFor[Text]()
	durationType = reflect.TypeFor[time.Duration]()
	customType   = reflect.TypeFor[Custom]()
)

func (d *decoder) value(node *yaml.Node, target reflect.Value) {
	node, leave := d.enter(node)
	defer leave()
	if node == nil {
		return
	}
	if target.CanAddr() && target.Addr().Type().Implements(customType) {
		target.Addr().Interface().(Custom).FromDocument(&Value{decoder: d, node: node})
		return
	}
	if isNull(node) {
		return
	}
	switch kind := target.Kind(); {
	case target.Type() == textType || isScalar(target.Type()):
		d.scalar(node, target)
	case kind == reflect.Pointer:
		target.Set(reflect.New(target.Type().Elem()))
		d.value(node, target.Elem())
	case kind == reflect.Struct:
		d.object(node, target)
	case kind == reflect.Map:
		d.table(node, target)
	case kind == reflect.Slice:
		d.list(node, target)
	case kind == reflect.Interface:
		if value := d.any(node); value != nil {
			target.Set(reflect.ValueOf(value))
		}
	default:
		panic(fmt.Sprintf("document: can not decode into %s", target.Type()))
	}
}

func (d *decoder) list(node *yaml.Node, target reflect.Value) {
	if node.Kind != yaml.SequenceNode {
		d.wrong(node, "a list was expected, not %s%s", kindOf(node), dashes(node))
		return
	}
	list := reflect.MakeSlice(target.Type(), len(node.Content), len(node.Content))
	for i, item := range node.Content {
		d.value(item, list.Index(i))
	}
	target.Set(list)
}

func (d *decoder) table(node *yaml.Node, target reflect.Value) {
	table := reflect.MakeMap(target.Type())
	d.members(node, func(key, value *yaml.Node) {
		element := reflect.New(target.Type().Elem()).Elem()
		d.value(value, element)
		table.SetMapIndex(reflect.ValueOf(key.Value).Convert(target.Type().Key()), element)
	})
	target.Set(table)
}

// members calls each for every member of a mapping, and reports what is not a mapping, a repeated key, and a key that is
// not a text.
func (d *decoder) members(node *yaml.Node, each func(key, value *yaml.Node)) {
	if node.Kind != yaml.MappingNode {
		d.wrong(node, "an object (key: value) was expected, not %s", kindOf(node))
		return
	}
	first := make(map[string]int, len(node.Content)/2)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		for key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		switch line, repeated := first[key.Value]; {
		case key.Kind != yaml.ScalarNode:
			d.wrong(key, "a key must be a string, not %s", kindOf(key))
		case key.ShortTag() == "!!merge":
			d.wrong(key, "merge keys (<<) are not supported; an alias can stand for a whole value only")
		case repeated:
			d.wrong(key, "the key %q is here twice; the first is on line %d", key.Value, line)
		default:
			first[key.Value] = key.Line
			each(key, node.Content[i+1])
		}
	}
}

func (d *decoder) object(node *yaml.Node, target reflect.Value) {
	fields := fieldsOf(target.Type())
	given := map[string]*yaml.Node{}
	d.members(node, func(key, value *yaml.Node) {
		at := slices.IndexFunc(fields, func(f field) bool { return f.key == key.Value })
		if at < 0 {
			d.wrong(key, "unknown key %q%s", key.Value, keyRemedy(key, fields))
			return
		}
		given[key.Value] = value
		d.field(fields[at], value, target.FieldByIndex(fields[at].index))
	})
	if node.Kind == yaml.MappingNode {
		d.missing(target.Type(), given, d.doc.place(node))
	}
	for i := range target.NumField() {
		if f := target.Type().Field(i); f.Type == placeType && f.Tag.Get("yaml") == "" && f.IsExported() {
			target.Field(i).Set(reflect.ValueOf(d.doc.place(node)))
		}
	}
}

func (d *decoder) field(f field, node *yaml.Node, target reflect.Value) {
	before := len(d.problems)
	d.value(node, target)
	if len(d.problems) > before {
		return
	}
	if len(f.enum()) > 0 {
		d.enum(f, node, target)
	}
	if f.required && target.Kind() == reflect.Slice && target.Len() == 0 && !isNull(node) {
		d.wrong(node, "%q must not be empty", f.key)
	}
	if text, ok := textOf(target); f.required && ok && text == "" && !isNull(node) {
		d.wrong(node, "%q must not be empty", f.key)
	}
}

// enum checks a value against its list. A value that came from a variable is not shown.
func (d *decoder) enum(f field, node *yaml.Node, target reflect.Value) {
	text, ok := textOf(target)
	if !ok || slices.Contains(f.enum(), text) || isNull(node) {
		return
	}
	choices := strings.Join(f.enum(), ", ")
	if d.lookup != nil && strings.Contains(node.Value, "${") {
		d.wrong(node, "%q must be one of %s", f.key, choices)
		return
	}
	d.wrong(node, "%q must be one of %s, not %q%s", f.key, choices, text, suggestion(text, f.enum()))
}

// missing reports the required keys that an object does not have.
func (d *decoder) missing(object reflect.Type, given map[string]*yaml.Node, at Place) {
	if object.Kind() != reflect.Struct || reflect.PointerTo(object).Implements(customType) {
		return
	}
	for _, f := range fieldsOf(object) {
		if value := given[f.key]; f.required && (value == nil || isNull(value)) {
			d.report(at.Problem("%q is required%s", f.key, list(" (one of ", f.enum(), ")")))
		}
	}
}

func list(before string, items []string, after string) string {
	if len(items) == 0 {
		return ""
	}
	return before + strings.Join(items, ", ") + after
}

func textOf(value reflect.Value) (text string, ok bool) {
	if value.Type() == textType {
		return value.Interface().(Text).Value, true
	}
	return value.String(), value.Kind() == reflect.String
}

// kindOf names what a node is, for people; never its value, which may be a secret.
func kindOf(node *yaml.Node) string {
	switch node.Kind {
	case yaml.MappingNode:
		return "an object"
	case yaml.SequenceNode:
		return "a list"
	}
	switch node.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!bool":
		return "a boolean"
	case "!!int", "!!float":
		return "a number"
	}
	return "a string"
}
