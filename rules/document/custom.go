package document

import (
	"reflect"

	"go.yaml.in/yaml/v3"
)

// Custom is a type, by its pointer, that has several shapes and reads itself. It reports what is wrong to the value.
type Custom interface {
	FromDocument(value *Value)
}

// Shape is one of the shapes of a value.
type Shape int

const (
	Null Shape = iota
	Scalar
	List
	Object
)

// Value is a value on its way into a Custom.
type Value struct {
	decoder *decoder
	node    *yaml.Node
}

// Shape is which of the four it is.
func (v *Value) Shape() Shape {
	switch {
	case isNull(v.node):
		return Null
	case v.node.Kind == yaml.MappingNode:
		return Object
	case v.node.Kind == yaml.SequenceNode:
		return List
	}
	return Scalar
}

// Place is where it begins.
func (v *Value) Place() Place { return v.decoder.doc.place(v.node) }

// Has reports whether it is an object with this key.
func (v *Value) Has(key string) bool { return v.member(key) != nil }

// Text is the text at a key of an object, its variables expanded; "" when it has none. It is for choosing the shape,
// and reports nothing.
func (v *Value) Text(key string) string {
	node := v.member(key)
	if node == nil || node.Kind != yaml.ScalarNode {
		return ""
	}
	if v.decoder.lookup == nil {
		return node.Value
	}
	text, _, _ := expand(node.Value, v.decoder.lookup)
	return text
}

func (v *Value) member(key string) *yaml.Node {
	if v.node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		if v.node.Content[i].Value == key {
			return v.node.Content[i+1]
		}
	}
	return nil
}

// Decode fills what into points to, as Document.Decode does; problems go to the decoder that called.
func (v *Value) Decode(into any) {
	v.decoder.value(v.node, reflect.ValueOf(into).Elem())
}

// Members calls each for every member of an object, in the order of the file; what is not an object is reported.
func (v *Value) Members(each func(name Text, value *Value)) {
	v.decoder.members(v.node, func(key, node *yaml.Node) {
		target, leave := v.decoder.enter(node)
		defer leave()
		if target != nil {
			each(v.decoder.doc.text(key), &Value{decoder: v.decoder, node: target})
		}
	})
}

// Wrong reports a problem at the value.
func (v *Value) Wrong(format string, args ...any) { v.decoder.wrong(v.node, format, args...) }

// Ordered is an object whose members keep the order of the file.
type Ordered[T any] []Member[T]

// Member is one of an Ordered.
type Member[T any] struct {
	Name  Text
	Value T
}

// FromDocument reads an object.
func (o *Ordered[T]) FromDocument(value *Value) {
	if value.Shape() == Null {
		return
	}
	value.Members(func(name Text, below *Value) {
		member := Member[T]{Name: name}
		below.Decode(&member.Value)
		*o = append(*o, member)
	})
}

// DocumentSchema is an object of T.
func (Ordered[T]) DocumentSchema(of func(any) map[string]any) map[string]any {
	var element T
	return map[string]any{"type": "object", "additionalProperties": of(element)}
}
