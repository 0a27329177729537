package masking

import (
	"regexp"
	"slices"
	"strings"
)

// The shortest that are looked for where nothing says that they are data.
const (
	shortestWord   = 3
	shortestSecret = 8
)

// spreads reports a datum that is itself wherever it stands: a city is not in the name of a time zone.
func (p *Personal) spreads() bool {
	switch p.Kind {
	case isMail, isPhone, isIP, isCard:
		return true
	case isName:
		return len(p.Text) >= shortestWord || len(p.Text) > 1 && p.Text != strings.ToLower(p.Text)
	case isStreet:
		return len(p.Text) >= shortestWord
	case isSecret:
		return len(p.Text) >= shortestSecret
	}
	return false
}

// replacer makes what replaces, in a text, the data of which there is a whole word; by their fakes when with is "".
func (m *Masking) replacer() func(text, with string) string {
	if m.embedded == nil {
		m.embedded = m.pattern()
	}
	return func(text, with string) string {
		var made strings.Builder
		from := 0
		for from < len(text) {
			at := m.embedded.FindStringIndex(text[from:])
			if at == nil {
				break
			}
			start, end := from+at[0], from+at[1]
			p := m.byText[datumKey(text[start:end])]
			if p == nil {
				p = m.variants[text[start:end]]
			}
			switch {
			case p == nil || !isWhole(text, start, end):
				_, size := firstRune(text[start:])
				end = start + size
				made.WriteString(text[from:end])
			case with != "":
				made.WriteString(text[from:start] + with)
			default:
				made.WriteString(text[from:start] + p.as(text[start:end]))
			}
			from = end
		}
		return made.String() + text[from:]
	}
}

// pattern finds any datum that is to be masked, the longest first.
func (m *Masking) pattern() *regexp.Regexp {
	var alternatives []string
	m.variants = map[string]*Personal{}
	longest := slices.Clone(m.data)
	slices.SortStableFunc(longest, func(a, b *Personal) int { return len(b.Text) - len(a.Text) })
	for _, p := range longest {
		switch {
		case p.kept || !p.spreads():
			continue
		case p.Kind == isMail:
			quoted := strings.ReplaceAll(regexp.QuoteMeta(datumKey(p.Text)), "@", "(?:@|"+webAt+")")
			alternatives = append(alternatives, "(?i:"+quoted+")")
		default:
			alternatives = append(alternatives, regexp.QuoteMeta(p.Text))
		}
		if p.Kind == isName && len(p.Text) >= shortestWord {
			for _, variant := range m.namesInOtherLetters(p) {
				alternatives = append(alternatives, regexp.QuoteMeta(variant))
			}
		}
	}
	if alternatives == nil {
		return regexp.MustCompile(`$.^`) // nothing
	}
	return regexp.MustCompile(strings.Join(alternatives, "|"))
}

// noNames are words that are more often something else than a person's name in lower case.
var noNames = keySet("test tester user demo admin guest owner member customer client account free pro team basic premium trial plan new may will mark the and for none null true false name email phone")

// namesInOtherLetters adds a name in capitals, and in lower case as in an id, where it is hardly another word.
func (m *Masking) namesInOtherLetters(p *Personal) (variants []string) {
	for _, variant := range []string{strings.ToUpper(p.Text), strings.ToLower(p.Text)} {
		if m.byText[variant] == nil && !noNames[variant] {
			m.variants[variant] = p
			variants = append(variants, variant)
		}
	}
	return variants
}
