package census

import (
	"bytes"

	"switchyard/engine"
)

// Tidy removes the commas before a closing bracket that Census' templates leave behind, from a body that is not JSON as it
// stands. One that is comes back as it is.
func Tidy(body []byte) []byte {
	if !bytes.Contains(body, []byte(",")) || engine.CheckJSON(body, engine.DefaultJSONLimits) == nil {
		return body
	}
	tidy := make([]byte, 0, len(body))
	inString := false
	for i := 0; i < len(body); i++ {
		c := body[i]
		switch {
		case inString && c == '\\' && i+1 < len(body):
			tidy = append(tidy, c)
			i++
			c = body[i]
		case c == '"':
			inString = !inString
		case !inString && c == ',' && closes(body[i+1:]):
			continue
		}
		tidy = append(tidy, c)
	}
	return tidy
}

// closes reports that a bracket closes next.
func closes(rest []byte) bool {
	rest = bytes.TrimLeft(rest, " \t\r\n")
	return len(rest) > 0 && (rest[0] == '}' || rest[0] == ']')
}
