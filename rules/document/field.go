package document

import (
	"reflect"
	"strings"
	"sync"
)

// field is one key of a struct. Decoder and schema both read it, so that they can not differ.
type field struct {
	key      string
	index    []int
	typ      reflect.Type
	required bool
	// tagged are the values of an enum tag.
	tagged []string
	doc    string
}

// enum are the values that the field may have, nil for any. Those of a Choices are asked for each time: its table may grow.
func (f field) enum() []string {
	if choices, ok := reflect.Zero(f.typ).Interface().(Choices); ok {
		return choices.Choices()
	}
	return f.tagged
}

// Choices is a type of text that is one of a list, where the list is not known to a tag: a table of the program.
type Choices interface {
	Choices() []string
}

var fieldCache sync.Map // reflect.Type -> []field

// fieldsOf are the keys of a struct, those of embedded structs included, in order.
func fieldsOf(object reflect.Type) []field {
	if known, ok := fieldCache.Load(object); ok {
		return known.([]field)
	}
	var fields []field
	for _, f := range reflect.VisibleFields(object) {
		key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if key == "" || key == "-" || !f.IsExported() {
			continue
		}
		one := field{key: key, index: f.Index, typ: f.Type, required: f.Tag.Get("required") == "true", doc: f.Tag.Get("doc")}
		if enum := f.Tag.Get("enum"); enum != "" {
			one.tagged = strings.Split(enum, ",")
		}
		fields = append(fields, one)
	}
	fieldCache.Store(object, fields)
	return fields
}

func keysOf(fields []field) []string {
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.key
	}
	return keys
}
