package schema

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

const (
	maxMessage = 300 // bytes of a message
	maxShown   = 80  // bytes of a value in it
	maxList    = 160 // bytes of a list of values in it
)

// sentence says what is wrong; its subject is the value at the pointer.
func (r *reader) sentence(f fault) string {
	if f.forms > 0 {
		first, place := f.others[0], ""
		if first.pointer != f.pointer {
			place = show(first.pointer) + " "
		}
		return fmt.Sprintf("fits none of the %d forms that are allowed; for one of them, %s%s", f.forms, place, r.sentence(first))
	}
	value, known := r.valueOf(f)
	wants, is := f.says(value)
	for _, other := range f.others {
		if also, _ := other.says(value); !strings.Contains(wants, also) {
			wants += ", or " + also
		}
	}
	if f.ofName {
		wants = "its name " + wants
	}
	if !known {
		return wants
	}
	return wants + is
}

// valueOf is the value that is at fault. The library leaves empty names out of its pointers, so that the value may be
// another than the one it meant; then it is not known.
func (r *reader) valueOf(f fault) (value any, known bool) {
	if f.ofName {
		return pointerUnescapes.Replace(f.pointer[strings.LastIndexByte(f.pointer, '/')+1:]), true
	}
	value, known = at(r.value, f.pointer)
	if object, ok := value.(map[string]any); ok && known {
		_, ambiguous := object[""]
		known = !ambiguous
	}
	return value, known
}

// says is what the schema asks of a value, and what the value is instead.
func (f fault) says(value any) (wants, is string) {
	if len(f.types) > 0 {
		return "must be " + typeNames(f.types), ", not " + typeOf(value)
	}
	if f.schema == nil {
		return f.library, ""
	}
	is = "; it is " + show(value)
	switch s := f.schema; f.keyword {
	case "":
		return f.refused(), ""
	case "type":
		if len(s.Types) == 1 && s.Types[0] == "integer" && typeOf(value) == "a number" {
			return "must be a whole number", is
		}
		return "must be " + typeNames(s.Types), ", not " + typeOf(value)
	case "const":
		return "must be " + show(s.Constant[0]), is
	case "enum":
		if len(s.Enum) == 1 {
			return "must be " + show(s.Enum[0]), is
		}
		return "must be one of " + list(s.Enum), is
	case "format":
		return "must be " + formatName(s.Format), is
	case "required":
		return "lacks the required " + show(f.detail), ""
	case "additionalProperties":
		return fmt.Sprintf("has a property %s, which the schema does not allow", show(f.detail)), ""
	case "dependencies", "dependentRequired":
		return "lacks " + f.detail, ""
	case "uniqueItems":
		return "must have items that all differ", "; " + f.library
	case "oneOf":
		return "must fit exactly one of the forms that are allowed, and fits more than one", ""
	case "not":
		return `must not fit what the schema excludes with "not"`, ""
	}
	if wants, is := f.limit(value); wants != "" {
		return wants, is
	}
	return f.library, ""
}

// refused is the fault of a value where the schema allows none.
func (f fault) refused() string {
	switch f.detail {
	case "unevaluatedProperties":
		return "is a property that the schema does not allow"
	case "items", "additionalItems", "unevaluatedItems":
		return "is an item too many"
	}
	return "is not allowed"
}

// limit is the fault of a value that is too much or too little of something.
func (f fault) limit(value any) (wants, is string) {
	is = "; it is " + show(value)
	s := f.schema
	switch f.keyword {
	case "minimum":
		return "must be at least " + decimal(s.Minimum), is
	case "maximum":
		return "must be at most " + decimal(s.Maximum), is
	case "exclusiveMinimum":
		return "must be more than " + decimal(s.ExclusiveMinimum), is
	case "exclusiveMaximum":
		return "must be less than " + decimal(s.ExclusiveMaximum), is
	case "multipleOf":
		return "must be a multiple of " + decimal(s.MultipleOf), is
	case "pattern":
		return "must match the pattern " + cut(strings.TrimPrefix(f.library, patternFault), maxShown), is
	}
	text, _ := value.(string)
	object, _ := value.(map[string]any)
	array, _ := value.([]any)
	switch f.keyword {
	case "minLength":
		if s.MinLength == 1 {
			return "must not be empty", ""
		}
		return counted("must have at least", s.MinLength, "character", utf8.RuneCountInString(text))
	case "maxLength":
		return counted("must have at most", s.MaxLength, "character", utf8.RuneCountInString(text))
	case "minItems":
		return counted("must have at least", s.MinItems, "item", len(array))
	case "maxItems":
		return counted("must have at most", s.MaxItems, "item", len(array))
	case "additionalItems":
		allowed, _ := s.Items.([]*jsonschema.Schema)
		return counted("must have at most", len(allowed), "item", len(array))
	case "minContains":
		return containing("at least", s.MinContains), ""
	case "maxContains":
		return containing("at most", s.MaxContains), ""
	case "minProperties":
		return counted("must have at least", s.MinProperties, "property", len(object))
	case "maxProperties":
		return counted("must have at most", s.MaxProperties, "property", len(object))
	}
	return "", ""
}

func counted(wants string, limit int, noun string, has int) (string, string) {
	if limit != 1 {
		noun = strings.Replace(noun+"s", "ys", "ies", 1)
	}
	return fmt.Sprintf("%s %d %s", wants, limit, noun), fmt.Sprintf("; it has %d", has)
}

func containing(how string, limit int) string {
	wants, _ := counted("must contain "+how, limit, "item", 0)
	if limit == 1 {
		return wants + ` that fits "contains"`
	}
	return wants + ` that fit "contains"`
}

func typeOf(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "a string"
	case []any:
		return "an array"
	case map[string]any:
		return "an object"
	}
	return "a number"
}

func typeNames(types []string) string {
	names := make([]string, len(types))
	for i, name := range types {
		switch name {
		case "integer":
			names[i] = "a whole number"
		case "array", "object":
			names[i] = "an " + name
		case "null":
			names[i] = name
		default:
			names[i] = "a " + name
		}
	}
	if len(names) == 1 {
		return names[0]
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// formats are the names and examples of the standard ones.
var formats = map[string]string{
	"date-time":             "a date and time such as 2006-01-02T15:04:05Z",
	"date":                  "a date such as 2006-01-02",
	"time":                  "a time with its zone such as 15:04:05Z",
	"duration":              "a duration such as P1DT12H",
	"hostname":              "a host name",
	"email":                 "an email address",
	"ipv4":                  "an IPv4 address",
	"ipv6":                  "an IPv6 address",
	"uri":                   "a URL such as https://example.com/page",
	"iri":                   "a URL such as https://example.com/page",
	"uri-reference":         "a URL, or a part of one",
	"iri-reference":         "a URL, or a part of one",
	"uri-template":          "a URL with places in braces",
	"regex":                 "a regular expression (RE2: without look-around and back-references)",
	"json-pointer":          "a JSON pointer such as /a/0",
	"relative-json-pointer": "a relative JSON pointer such as 1/a",
	"uuid":                  "a UUID such as 3f2b8c1e-7d40-4c55-9a61-0e9f5d2b7a18",
}

func formatName(format string) string {
	if name := formats[format]; name != "" {
		return name
	}
	return "a valid " + show(format)
}

// list shows values, as many as there is room for.
func list(values []any) string {
	var text strings.Builder
	for i, value := range values {
		if i > 0 {
			text.WriteString(", ")
		}
		if text.Len() > maxList-maxShown {
			fmt.Fprintf(&text, "… (%d in all)", len(values))
			break
		}
		text.WriteString(show(value))
	}
	return text.String()
}

// show is a value in a sentence: a scalar as in JSON, a string cut to what can be read; of an array or object only what
// it is.
func show(value any) string {
	switch value := value.(type) {
	case nil:
		return "null"
	case string:
		return quote(value)
	case float64:
		text, err := json.Marshal(value)
		if err != nil {
			return strconv.FormatFloat(value, 'g', -1, 64)
		}
		return string(text)
	case map[string]any, []any:
		return typeOf(value)
	}
	return cut(fmt.Sprint(value), maxShown)
}

// quote is a text in double quotes, cut where it gets too long, never inside of an escape.
func quote(text string) string {
	shown := []byte{'"'}
	for i, r := range text {
		before := len(shown)
		quoted := strconv.Quote(string(r))
		shown = append(shown, quoted[1:len(quoted)-1]...)
		if len(shown) > maxShown && i < len(text)-1 {
			shown = append(shown[:before], "…"...)
			break
		}
	}
	return string(append(shown, '"'))
}

// decimal is a number of a schema. All of them came from decimals, so there is an exact one; see maxDigits.
func decimal(number *big.Rat) string {
	digits, _ := number.FloatPrec()
	return cut(number.FloatString(digits), maxShown)
}

// cut shortens a text to so many bytes, at the border of a rune.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	end := most - len("…")
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}
