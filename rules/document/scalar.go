package document

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

func isScalar(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	}
	return false
}

func (d *decoder) scalar(node *yaml.Node, target reflect.Value) {
	if node.Kind != yaml.ScalarNode {
		d.wrong(node, "%s was expected, not %s%s", expectation(target.Type()), kindOf(node), quotes(target.Type()))
		return
	}
	if tag := node.Tag; len(tag) > 1 && tag[0] == '!' && tag[1] != '!' {
		d.wrong(node, "%s begins a tag of YAML, for it begins with !; put it all in quotes", tag)
		return
	}
	text, expanded, ok := d.expanded(node)
	if !ok {
		return
	}
	if target.Type() == textType {
		value := d.doc.text(node)
		value.Value, value.expanded = text, expanded
		target.Set(reflect.ValueOf(value))
		return
	}
	// A number in quotes is a text; one that came out of a variable is what it looks like.
	if target.Kind() == reflect.String && node.ShortTag() != "!!str" && node.ShortTag() != "!!timestamp" {
		d.wrong(node, "%s was expected, not %s; put it in quotes", expectation(target.Type()), kindOf(node))
		return
	}
	quoted := node.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0
	needsPlain := target.Kind() != reflect.String && target.Type() != durationType
	if quoted && needsPlain && !expanded {
		d.wrong(node, "%s was expected, not a string in quotes", expectation(target.Type()))
		return
	}
	if err := setScalar(text, target); err != nil {
		d.wrong(node, "%s was expected%s", expectation(target.Type()), err)
	}
}

// expanded is the text of a scalar with its variables; changed is true when it had some.
func (d *decoder) expanded(node *yaml.Node) (text string, changed, ok bool) {
	if d.lookup == nil || !strings.Contains(node.Value, "${") {
		return node.Value, false, true
	}
	text, at, wrong := expand(node.Value, d.lookup)
	if wrong != "" {
		d.report(d.doc.text(node).At(at).Problem("%s", wrong))
		return "", true, false
	}
	return text, true, true
}

func expectation(t reflect.Type) string {
	switch {
	case t == durationType:
		return "a duration such as 30s, 24h or 30d"
	case t.Kind() == reflect.String || t == textType:
		return "a string"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Float32 || t.Kind() == reflect.Float64:
		return "a number"
	}
	return "a whole number"
}

// remark is what setScalar adds to the expectation; it never repeats the text, which may be a secret.
type remark string

func (r remark) Error() string { return string(r) }

func setScalar(text string, target reflect.Value) error {
	switch kind := target.Kind(); {
	case target.Type() == durationType:
		duration, err := ParseDuration(text)
		target.SetInt(int64(duration))
		return err
	case kind == reflect.String:
		target.SetString(text)
	case kind == reflect.Bool:
		if text != "true" && text != "false" {
			return remark("")
		}
		target.SetBool(text == "true")
	case target.CanFloat():
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			return remark("")
		}
		target.SetFloat(f)
	case target.CanInt():
		n, err := strconv.ParseInt(text, 10, target.Type().Bits())
		target.SetInt(n)
		return numberRemark(err)
	default:
		n, err := strconv.ParseUint(text, 10, target.Type().Bits())
		target.SetUint(n)
		return numberRemark(err)
	}
	return nil
}

func numberRemark(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, strconv.ErrRange):
		return remark(", and this one is too large")
	}
	return remark("")
}

// ParseDuration reads 30s, 1h30m and the like, and days: 30d, 1d12h. It is never negative. The error does not repeat
// the text.
func ParseDuration(text string) (time.Duration, error) {
	rest := text
	var total time.Duration
	if days, after, found := strings.Cut(text, "d"); found {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, remark("")
		}
		total, rest = time.Duration(n)*24*time.Hour, after
		if rest == "" {
			return total, nil
		}
	}
	more, err := time.ParseDuration(rest)
	switch {
	case err != nil && len(rest) > 0 && strings.Trim(rest, "0123456789") == "":
		return 0, remark(", with its unit")
	case err != nil:
		return 0, remark("")
	case more < 0 || total > math.MaxInt64-more:
		return 0, remark(", not below zero")
	}
	return total + more, nil
}

// any builds plain values, numbers as engine.DecodeJSON has them; a date stays the text it is.
func (d *decoder) any(node *yaml.Node) any {
	switch node.Kind {
	case yaml.SequenceNode:
		list := make([]any, len(node.Content))
		d.list(node, reflect.ValueOf(&list).Elem())
		return list
	case yaml.MappingNode:
		object := map[string]any{}
		d.members(node, func(key, value *yaml.Node) {
			var member any
			d.value(value, reflect.ValueOf(&member).Elem())
			object[key.Value] = member
		})
		return object
	}
	text, expanded, ok := d.expanded(node)
	switch tag := node.ShortTag(); {
	case !ok || tag == "!!null":
		return nil
	case expanded || tag == "!!str" || tag == "!!timestamp":
		return text
	case tag == "!!bool":
		return strings.EqualFold(text, "true")
	case tag == "!!int", tag == "!!float" && strings.Trim(text, "-0123456789") == "":
		return wholeNumber(text)
	case tag == "!!float":
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			d.wrong(node, "a number of JSON was expected; there is no such number in it")
			return nil
		}
		return f
	}
	d.wrong(node, "a value of tag %s is not supported", node.ShortTag())
	return nil
}

func wholeNumber(text string) any {
	if n, err := strconv.ParseInt(text, 0, 64); err == nil {
		return int(n)
	}
	if n, err := strconv.ParseUint(text, 0, 64); err == nil {
		return n
	}
	return json.Number(text)
}
