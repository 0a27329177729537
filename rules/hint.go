package rules

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"

	"switchyard/rules/document"
)

// hint guesses why a clause is not true: name is the first of the values that it looks at, as written. "" when nothing
// comes to mind.
func (w *clauseWork) hint(p *part, name string, values []any) string {
	for i, value := range values {
		if !isNil(value) {
			continue
		}
		if hint := w.missing(p.operands[i]); hint != "" {
			return hint
		}
	}
	c, actual := p.comparison, values[0]
	if c == nil || len(c.values) == 0 || strings.HasPrefix(c.operator, "not ") || c.operator == "!=" {
		return ""
	}
	wanted := oneOfThem(shownEach(c.values))
	switch value := actual.(type) {
	case string:
		return textHint(c, name, value, wanted)
	case bool:
		if slices.Contains(c.values, any(strconv.FormatBool(value))) {
			return fmt.Sprintf("%s is the boolean %t, the rule compares a string", name, value)
		}
	case map[string]any:
		if key, isText := c.values[0].(string); c.operator == "in" && c.flipped && isText {
			if near, ok := document.Nearest(key, sortedNames(value)); ok {
				return fmt.Sprintf("%s has no %s; it has %s", name, wanted, shownValue(near))
			}
		}
	}
	if list, ok := asList(actual); ok {
		return listHint(c, name, list)
	}
	if number, ok := float(actual); ok {
		return numberHint(c, name, actual, number, wanted)
	}
	return ""
}

// listHint is for a list that is compared with what it holds, or that holds nearly what is looked for.
func listHint(c *comparedWith, name string, list []any) string {
	if !c.flipped && (c.operator == "==" || c.operator == "in") {
		for _, one := range c.values {
			if found, err := in(one, list); found && err == nil {
				return fmt.Sprintf("%s is a list that has it; write %s in %s", name, shownValue(one), name)
			}
		}
	}
	if c.flipped && c.operator == "in" {
		for _, item := range list[:min(len(list), maxLooked)] {
			if hint := itemHint(c.values, item); hint != "" {
				return fmt.Sprintf("%s has the %s, the rule looks for %s", name, hint, oneOfThem(shownEach(c.values)))
			}
		}
	}
	return ""
}

// maxLooked is how many items of a list are looked at for one that is nearly the one wanted.
const maxLooked = 1000

// itemHint is an item of a list, with its type, that is nearly what is looked for; "" for another.
func itemHint(values []any, item any) string {
	wanted := &comparedWith{operator: "==", values: values}
	number, isNumber := float(item)
	text, isText := item.(string)
	switch {
	case isText && textHint(wanted, "", text, "") != "", isNumber && numberHint(wanted, "", item, number, "") != "":
		return operandOf("", item).Type + " " + shownValue(item)
	}
	return ""
}

func shownEach(values []any) []string {
	shown := make([]string, len(values))
	for i, value := range values {
		if shown[i] = shownValue(value); value == nil {
			shown[i] = "nil"
		}
	}
	return shown
}

func textHint(c *comparedWith, name, actual, wanted string) string {
	var texts []string
	for _, value := range c.values {
		switch v := value.(type) {
		case string:
			texts = append(texts, v)
			if !c.flipped && loosely(c.operator, actual, v) {
				return fmt.Sprintf("%s is %s, the rule wants %s", name, shownValue(actual), shownValue(v))
			}
		case int, float64:
			if _, err := strconv.ParseFloat(strings.TrimSpace(actual), 64); err == nil {
				return fmt.Sprintf("%s is the string %s, the rule compares a number", name, shownValue(actual))
			}
		case bool:
			if strings.EqualFold(actual, strconv.FormatBool(v)) {
				return fmt.Sprintf("%s is the string %s, the rule compares a boolean", name, shownValue(actual))
			}
		}
	}
	if c.operator == "==" || c.operator == "in" && !c.flipped {
		if near, ok := document.Nearest(actual, texts); ok {
			return fmt.Sprintf("%s is %s, the rule wants %s", name, shownValue(actual), shownValue(near))
		}
	}
	return ""
}

// loosely reports that a test of texts would hold if case and the white space around them did not count.
func loosely(operator, actual, wanted string) bool {
	actual, wanted = strings.ToLower(strings.TrimSpace(actual)), strings.ToLower(strings.TrimSpace(wanted))
	switch operator {
	case "==", "in":
		return actual == wanted
	case "contains":
		return strings.Contains(actual, wanted)
	case "startsWith":
		return strings.HasPrefix(actual, wanted)
	case "endsWith":
		return strings.HasSuffix(actual, wanted)
	}
	return false
}

// closeBy is how far outside of a range a number may be, as a part of the range's end, to be told of.
const closeBy = 0.1

func numberHint(c *comparedWith, name string, actual any, number float64, wanted string) string {
	for _, value := range c.values {
		if text, ok := value.(string); ok {
			if parsed, err := strconv.ParseFloat(strings.TrimSpace(text), 64); err == nil && parsed == number || c.operator[0] == '<' || c.operator[0] == '>' {
				return fmt.Sprintf("%s is the number %s, the rule compares a string", name, shownValue(actual))
			}
		}
	}
	if c.operator == "in" && !c.flipped {
		return besideHint(c, name, actual, number)
	}
	end, ok := float(c.values[0])
	if !ok || c.operator[0] != '<' && c.operator[0] != '>' {
		return ""
	}
	switch {
	case number == end:
		return fmt.Sprintf("%s is %s, which %s leaves out and %s= would take", name, shownValue(actual), c.upright(), c.upright())
	case math.Abs(number-end) <= max(1, math.Abs(end)*closeBy):
		return fmt.Sprintf("%s is %s, just outside: the rule wants %s %s", name, shownValue(actual), c.upright(), wanted)
	}
	return ""
}

// besideHint is for a number that is one off from one of those that are wanted.
func besideHint(c *comparedWith, name string, actual any, number float64) string {
	for _, value := range c.values {
		if wanted, ok := float(value); ok && math.Abs(number-wanted) <= 1 {
			return fmt.Sprintf("%s is %s, close to %s", name, shownValue(actual), shownValue(value))
		}
	}
	return ""
}

// upright is the operator, as if the literal stood on the right.
func (c *comparedWith) upright() string {
	if c.flipped {
		return map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<="}[c.operator]
	}
	return c.operator
}

// missing looks for a similar name in the event for a value that is not there.
func (w *clauseWork) missing(node ast.Node) string {
	path := newPathBook().pathOf(node)
	if path == nil || !path.isBelow() {
		if paths := pathsIn(node); len(paths) > 0 && paths[0] != node {
			return w.missing(paths[0])
		}
		return ""
	}
	above := &eventPath{root: path.root}
	for i, name := range path.names {
		above.names = path.names[:i]
		value, err := w.valueOf(above)
		object, isObject := value.(map[string]any)
		if err != nil {
			return ""
		}
		if !isObject {
			return fmt.Sprintf("%s is %s, and has no %s", above, typeName(value), name)
		}
		found, has := object[name]
		switch {
		case has && isNil(found):
			return fmt.Sprintf("%s is null", memberText(above.String(), name))
		case has:
			continue
		}
		if near, ok := document.Nearest(name, sortedNames(object)); ok {
			return fmt.Sprintf("%s is missing; the event has %s", path, memberText(above.String(), near))
		}
		return w.elsewhere(path)
	}
	return ""
}

// elsewhere finds the same members below another of the event's objects.
func (w *clauseWork) elsewhere(path *eventPath) string {
	for root := range eventNames {
		other := &eventPath{root: root, names: path.names}
		if root == path.root || eventNames[root].object == nil {
			continue
		}
		if value, err := w.valueOf(other); err == nil && !isNil(value) {
			return fmt.Sprintf("%s is missing; the event has %s", path, other)
		}
	}
	return ""
}
