package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Item is a value, as engine.DecodeJSON has it, as an item of a YAML list: "- name: …" and the lines below it. The members
// of an object that are among first come in this order, then the others by their names. What is short stands on one line.
func Item(value any, first []string) ([]byte, error) {
	w := writer{first: first}
	list := &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{w.node(value)}}
	list.Content[0].Style = 0
	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	if err := errors.Join(encoder.Encode(list), encoder.Close()); err != nil {
		return nil, err
	}
	var read []any
	if err := decodeWhole("", text.Bytes(), &read); err != nil || len(read) != 1 || !sameJSON(read[0], value) {
		return nil, errors.New("the value can not be written as YAML so that it is read as the same")
	}
	return text.Bytes(), nil
}

// maxOneLine is how many characters an object or a list has, about, that stands on one line.
const maxOneLine = 90

type writer struct{ first []string }

func (w writer) node(value any) *yaml.Node {
	switch v := value.(type) {
	case map[string]any:
		node := &yaml.Node{Kind: yaml.MappingNode}
		for _, name := range w.names(v) {
			node.Content = append(node.Content, scalarNode(name), w.node(v[name]))
		}
		return short(node, v)
	case []any:
		node := &yaml.Node{Kind: yaml.SequenceNode}
		for _, item := range v {
			node.Content = append(node.Content, w.node(item))
		}
		return short(node, v)
	}
	return scalarNode(value)
}

func (w writer) names(object map[string]any) []string {
	names := make([]string, 0, len(object))
	for name := range object {
		names = append(names, name)
	}
	rank := func(name string) int {
		if i := slices.Index(w.first, name); i >= 0 {
			return i
		}
		return len(w.first)
	}
	slices.SortFunc(names, func(a, b string) int {
		if order := rank(a) - rank(b); order != 0 {
			return order
		}
		return strings.Compare(a, b)
	})
	return names
}

func short(node *yaml.Node, value any) *yaml.Node {
	if doc, err := json.Marshal(value); err == nil && utf8.RuneCount(doc) <= maxOneLine {
		node.Style = yaml.FlowStyle
	}
	return node
}

// otherBooleans are texts here, and booleans to readers of older YAML.
var otherBooleans = []string{"yes", "no", "on", "off"}

func scalarNode(value any) *yaml.Node {
	text, isText := value.(string)
	if !isText {
		doc, _ := json.Marshal(value) // a scalar of JSON
		return &yaml.Node{Kind: yaml.ScalarNode, Value: string(doc)}
	}
	node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
	isControl := func(r rune) bool { return r < ' ' || r == utf8.RuneError }
	if strings.ContainsFunc(text, isControl) || slices.Contains(otherBooleans, strings.ToLower(text)) {
		node.Style = yaml.DoubleQuotedStyle
	}
	return node
}

// Append adds an item to the list that a file has at a key of its top level, or adds the list when it has none. All else
// stays as it is, to the byte. The error is Problems, or says why it can not be done, as for a list in brackets.
func Append(file string, src []byte, key string, value any, first []string) ([]byte, error) {
	item, err := Item(value, first)
	if err != nil {
		return nil, err
	}
	doc, err := Parse(file, src)
	if err != nil {
		return nil, err
	}
	at, indent, head, err := doc.endOfList(key)
	if err != nil {
		return nil, err
	}
	at += len(src) - len(doc.src) // a byte order mark
	newline := "\n"
	if bytes.Contains(src, []byte("\r\n")) {
		newline = "\r\n"
	}
	added := head + indentLines(string(item), strings.Repeat(" ", indent))
	if at > 0 && src[at-1] != '\n' {
		added = "\n" + added
	}
	appended := slices.Concat(src[:at], []byte(strings.ReplaceAll(added, "\n", newline)), src[at:])
	return appended, doc.checkAppended(appended, key, value)
}

func indentLines(text, by string) string {
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines {
		if strings.TrimSpace(line) != "" {
			lines[i] = by + line
		}
	}
	return strings.Join(lines, "")
}

// endOfList is the byte after the last line of a list, by how much its items are indented, and what must stand before
// the first one.
func (d *Document) endOfList(key string) (at, indent int, head string, err error) {
	if d.root == nil {
		return len(d.src), 2, key + ":\n", nil
	}
	if d.root.Kind != yaml.MappingNode || d.root.Style&yaml.FlowStyle != 0 {
		return 0, 0, "", fmt.Errorf("%s is no file with %s: at its top level", d.File, key)
	}
	for i := 0; i+1 < len(d.root.Content); i += 2 {
		name, list := d.root.Content[i], d.root.Content[i+1]
		if name.Value != key {
			continue
		}
		end := len(d.src)
		if i+2 < len(d.root.Content) {
			end = d.lines[d.root.Content[i+2].Line-1]
		}
		switch {
		case isNull(list) && list.Value == "":
			return d.lastContent(name.Line, end), 2, "", nil
		case list.Kind != yaml.SequenceNode || list.Style&yaml.FlowStyle != 0:
			return 0, 0, "", fmt.Errorf("%s:%d: %s is no list with a - before each item, to which something could be added", d.File, name.Line, key)
		}
		return d.lastContent(list.Line, end), list.Column - 1, "", nil
	}
	return len(d.src), 2, key + ":\n", nil
}

// lastContent is the byte after the last line before end that is neither empty nor a comment at the margin; it is below
// a line.
func (d *Document) lastContent(line, end int) int {
	last, _ := d.position(end)
	if end > d.lines[last-1] {
		last++ // the last line has no break
	}
	for last--; last > line; last-- {
		if text := d.line(last); len(bytes.TrimSpace(text)) > 0 && text[0] != '#' {
			break
		}
	}
	if last < len(d.lines) {
		return min(d.lines[last], end)
	}
	return end
}

// checkAppended reports a file that does not read as what it was, and one item more.
func (d *Document) checkAppended(appended []byte, key string, value any) error {
	var before, after map[string]any
	if err := d.Decode(&before, nil); err != nil {
		return err
	}
	if err := decodeWhole(d.File, appended, &after); err != nil {
		return err
	}
	old, _ := before[key].([]any)
	list, _ := after[key].([]any)
	delete(before, key)
	delete(after, key)
	if len(list) != len(old)+1 || !reflect.DeepEqual(list[:len(old)], append([]any{}, old...)) || !sameJSON(list[len(old)], value) || !reflect.DeepEqual(before, after) && len(before)+len(after) > 0 {
		return fmt.Errorf("%s can not be added to in a way that changes nothing else of it", d.File)
	}
	return nil
}

func decodeWhole(file string, src []byte, into any) error {
	doc, err := Parse(file, src)
	if err != nil {
		return err
	}
	return doc.Decode(into, nil)
}

func sameJSON(a, b any) bool {
	x, err := json.Marshal(a)
	y, otherErr := json.Marshal(b)
	return err == nil && otherErr == nil && bytes.Equal(x, y)
}
