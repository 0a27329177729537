package rules

import (
	"slices"
	"strings"

	"switchyard/engine"
	"switchyard/rules/document"
)

// Strays are warnings of rules that ask for a type that no event has, or a source that there is not: such a clause is
// never true, and most likely misspelt.
func (s *Set) Strays(sources []string) (warnings document.Problems) {
	known := map[string][]string{"type": append(slices.Clone(messageTypes), engine.TypeRecord), "source": sources}
	for _, r := range s.rules {
		for i := range r.match.parts {
			root, texts, ok := wanted(r.match.parts[i].probe)
			if !ok || known[eventNames[root].name] == nil {
				continue
			}
			name := eventNames[root].name
			for _, text := range texts {
				if !slices.Contains(known[name], text) {
					warnings = append(warnings, stray(r.match.text, name, text, known[name]))
				}
			}
		}
	}
	return warnings
}

// stray is the warning of one literal of a match, at its place when it is found there as it is.
func stray(match document.Text, name, literal string, known []string) document.Problem {
	at := 0
	for _, quote := range []string{`"`, "'", "`"} {
		at = max(at, strings.Index(match.Value, quote+literal+quote))
	}
	return match.At(at).Problem("%s is never %s%s", name, shownValue(literal), nearestOf(anyOf(known), literal))
}

func anyOf(texts []string) []any {
	all := make([]any, len(texts))
	for i, text := range texts {
		all[i] = text
	}
	return all
}
