package document

import (
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// What was probably meant by what is not as it must be.

// dashes follows what is no list, but looks like an item of one.
func dashes(node *yaml.Node) string {
	if node.Kind == yaml.MappingNode && node.Style&yaml.FlowStyle == 0 {
		return `; begin each of its items with "- "`
	}
	return ""
}

// quotes follows a list or object where the text of an expression was expected.
func quotes(target reflect.Type) string {
	if target == textType {
		return "; an expression is one text: put it in quotes"
	}
	return ""
}

// maxListed is how many known keys are listed for an unknown one.
const maxListed = 6

// keyRemedy follows a key that is none of an object's fields: whose it is, which was meant, or which there are.
func keyRemedy(key *yaml.Node, fields []field) string {
	if strings.ContainsAny(key.Value, "()[]'\"") {
		return "; a text with a comma needs quotes inside { }"
	}
	if home, how := homeOf(key.Value, fields); home != "" {
		return fmt.Sprintf("; it stands %s %q: indent it further", how, home)
	}
	if known := keysOf(fields); len(known) > maxListed || nearestIsKnown(key.Value, known) {
		return suggestion(key.Value, known)
	}
	return "; there are " + strings.Join(keysOf(fields), ", ")
}

func nearestIsKnown(name string, known []string) bool {
	_, ok := Nearest(name, known)
	return ok
}

// homeOf is the one field, an object or a list of objects, that a key would stand below; "" for none, and for several.
func homeOf(key string, fields []field) (home, how string) {
	for _, f := range fields {
		below, relation := f.typ, "below"
		if below.Kind() == reflect.Slice {
			below, relation = below.Elem(), "in an item of"
		}
		if below.Kind() == reflect.Pointer {
			below = below.Elem()
		}
		if below.Kind() != reflect.Struct || below == textType || !hasKey(below, key) {
			continue
		}
		if home != "" {
			return "", ""
		}
		home, how = f.key, relation
	}
	return home, how
}

func hasKey(object reflect.Type, key string) bool {
	for _, f := range fieldsOf(object) {
		if f.key == key {
			return true
		}
	}
	return false
}
