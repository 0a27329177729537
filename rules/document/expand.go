package document

import (
	"fmt"
	"regexp"
	"strings"
)

// Lookup finds the value of a variable, as os.LookupEnv does.
type Lookup func(name string) (value string, ok bool)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// expand replaces ${NAME} and ${NAME:-default}; the default stands for a variable that is unset or empty. $${ is a
// literal ${, and every other $ is itself. When a variable is missing, at is the byte of its $ and wrong says so.
func expand(text string, lookup Lookup) (expanded string, at int, wrong string) {
	var out strings.Builder
	for i := 0; i < len(text); {
		switch rest := text[i:]; {
		case strings.HasPrefix(rest, "$${"):
			out.WriteString("${")
			i += 3
		case strings.HasPrefix(rest, "${"):
			inside, _, closed := strings.Cut(rest[2:], "}")
			if !closed {
				return "", i, "this ${ is not closed; write $${ for a literal ${"
			}
			value, wrong := variable(inside, lookup)
			if wrong != "" {
				return "", i, wrong
			}
			out.WriteString(value)
			i += len("${") + len(inside) + len("}")
		default:
			out.WriteByte(text[i])
			i++
		}
	}
	return out.String(), 0, ""
}

func variable(inside string, lookup Lookup) (value, wrong string) {
	name, fallback, hasFallback := strings.Cut(inside, ":-")
	if !variableName.MatchString(name) {
		return "", "a variable is written ${NAME} or ${NAME:-default}; write $${ for a literal ${"
	}
	value, found := lookup(name)
	switch {
	case hasFallback && value == "":
		return fallback, ""
	case !found && !hasFallback:
		return "", fmt.Sprintf("the environment variable %s is not set, and has no default", name)
	}
	return value, ""
}
