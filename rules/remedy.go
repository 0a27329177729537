package rules

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/parser/lexer"

	"switchyard/rules/document"
)

// What is probably meant by what people write who know another language, or forget the quotes of a text.

// between is the remedy for a test of texts that is written as a function.
const between = `it stands between two texts, as in name startsWith "a"`

// meant is what to write instead of a token that stands where none can.
var meant = map[string]string{
	",": "a list stands in [ ]", "=": "use == to compare", "=~": "use matches to fit a pattern", "<>": "use != to compare", "is": "use == to compare",
	"AND": "write and in small letters", "OR": "write or in small letters", "NOT": "write not in small letters", "IN": "write in in small letters",
	"like": "use contains, startsWith, endsWith or matches", "LIKE": "use contains, startsWith, endsWith or matches",
	"then": "write condition ? one : another", "startsWith": between, "endsWith": between, "contains": between, "matches": between,
}

// otherNames are what other languages call nil, true and false.
var otherNames = map[string]string{
	"null": "nil", "NULL": "nil", "Null": "nil", "None": "nil", "undefined": "nil", "True": "true", "TRUE": "true", "False": "false", "FALSE": "false",
}

// nameRemedy follows a name that nobody knows.
func (l *language) nameRemedy(name string) string {
	if here := otherNames[name]; here != "" {
		return fmt.Sprintf("; did you mean %s?", here)
	}
	if nearest, ok := document.Nearest(name, l.known()); ok {
		return fmt.Sprintf("; did you mean %s?", nearest)
	}
	return fmt.Sprintf("; a text needs quotes: %q", name)
}

// unexpected is the sentence for a token at a character of an expression where none like it can stand.
func unexpected(source string, character int, token string) string {
	rest := string([]rune(source)[min(character, len([]rune(source))):])
	switch {
	case token == "=" && strings.HasPrefix(rest, "=~"):
		token = "=~"
	case token == ">" && character > 0 && strings.HasSuffix(source[:len(source)-len(rest)], "<"):
		token = "<>"
	}
	if instead := meant[token]; instead != "" {
		return fmt.Sprintf("unexpected %q; %s", token, instead)
	}
	return fmt.Sprintf("unexpected %q", token)
}

// endsEarly is the sentence for an expression of which the end is missing.
func endsEarly(source string) string {
	open := 0
	for _, token := range tokensOf(source) {
		if token.Kind == lexer.Bracket {
			open -= bracketStep(token)
		}
	}
	if open > 0 {
		return "the expression ends too early: a bracket is not closed"
	}
	return "the expression ends too early"
}

var (
	mismatched = regexp.MustCompile(`^invalid operation: (\S+) \(mismatched types (.+) and (.+)\)$`)
	noMethod   = regexp.MustCompile(`^type (.+) has no (method|field) (\w+)$`)
	noToken    = regexp.MustCompile(`^unrecognized character: U\+\w+ '(.)'$`)
)

// typeRemedy is a sentence of the types that were told of, or the message as it is.
func typeRemedy(message string) string {
	if parts := mismatched.FindStringSubmatch(message); parts != nil {
		return fmt.Sprintf("%s can not be used on %s and %s%s", parts[1], ofType(parts[2]), ofType(parts[3]), mismatchRemedy(parts[1], parts[2], parts[3]))
	}
	if parts := noMethod.FindStringSubmatch(message); parts != nil {
		return fmt.Sprintf("%s has no %s %s%s", ofType(parts[1]), parts[2], parts[3], methodRemedy(parts[3]))
	}
	if parts := noToken.FindStringSubmatch(message); parts != nil && strings.Contains("“”„‘’", parts[1]) {
		return fmt.Sprintf("unexpected %s; the quotes of a text are straight: \"", parts[1])
	} else if parts != nil {
		return fmt.Sprintf("unexpected %q; a text needs quotes, inside those of YAML", parts[1])
	}
	if message == "literal not terminated" {
		return "a text is not closed: a quote is missing"
	}
	return message
}

// ofType is a type with its article.
func ofType(name string) string {
	if name == "any value" || name == "nothing" {
		return name
	}
	return withArticle(name)
}

func mismatchRemedy(operator, left, right string) string {
	types := [2]string{left, right}
	switch {
	case logical(operator) != "":
		return "; each side needs a comparison of its own, or write name in [\"a\", \"b\"]"
	case types == [2]string{"time", "string"} || types == [2]string{"string", "time"}:
		return `; date("2024-05-06") makes a time of a text`
	case types == [2]string{"number", "string"} || types == [2]string{"string", "number"}:
		return "; string(…) makes a text of a number, int(…) or float(…) a number of a text"
	}
	return ""
}

func methodRemedy(name string) string {
	if test, ok := document.Nearest(name, []string{"startsWith", "endsWith", "contains", "matches"}); ok {
		return fmt.Sprintf("; write: text %s \"part\"", test)
	}
	if nearest, ok := document.Nearest(name, slices.Sorted(maps.Keys(functions))); ok {
		return fmt.Sprintf("; did you mean %s(…)?", nearest)
	}
	return ""
}
