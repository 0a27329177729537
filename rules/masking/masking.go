// Package masking replaces the personal data of events by made-up data of the same shape, so that an event can be kept
// as a test.
package masking

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"switchyard/engine"
)

// Masking replaces the personal data in values of JSON by made-up data of the same shape: a mail address by another, a
// valid phone number by another, an IP address by one of those for documentation. The same datum becomes the same
// everywhere, also inside a longer text. It depends on nothing but the values that it is made for.
type Masking struct {
	data     []*Personal
	byText   map[string]*Personal // by datumKey
	variants map[string]*Personal // names in other letters, while they are masked
	embedded *regexp.Regexp       // of what is masked inside of texts; nil to be made anew
}

// Personal is one personal datum.
type Personal struct {
	// Kind says what it is, for people: a mail address, a phone number…
	Kind string
	// Text is the datum, and Fake what stands for it; of a number, its literal.
	Text, Fake string
	// Paths are where it was found, such as properties.recipients.email: lists add nothing to a path.
	Paths []string

	kept bool
}

// The kinds of personal data.
const (
	isMail     = "a mail address"
	isPhone    = "a phone number"
	isName     = "a name"
	isStreet   = "an address"
	isCity     = "a city"
	isPostcode = "a postcode"
	isBirthday = "a birthday"
	isPosition = "a position"
	isIP       = "an IP address"
	isAgent    = "a browser"
	isCard     = "a card number"
	isSecret   = "a secret"
)

// New finds the personal data of an event as its source sent it, and of other values, such as what the event
// asked for. All are as engine.DecodeJSON has them.
func New(event any, others ...any) *Masking {
	m := &Masking{byText: map[string]*Personal{}}
	values := append([]any{event}, others...)
	for _, value := range values {
		m.walk(value, spot{value: value}, m.learn)
	}
	known := m.replacer() // a datum that stands alone somewhere is the datum, wherever else it stands
	for _, value := range values {
		m.walk(value, spot{value: value}, func(text string, at spot) { m.learnInside(known(text, "\x00"), at) })
	}
	m.embedded = nil
	m.invent()
	return m
}

// Data are what was found, in the order of the values.
func (m *Masking) Data() []*Personal { return m.data }

// Keep leaves a datum as it is, or no longer.
func (m *Masking) Keep(p *Personal, keep bool) { p.kept, m.embedded = keep, nil }

// Kept reports what is left as it is.
func (p *Personal) Kept() bool { return p.kept }

// datumKey is the same for mail addresses that differ in their case, or are written as in an address of the web.
func datumKey(text string) string {
	if hasMail(text) {
		return strings.ToLower(strings.ReplaceAll(text, webAt, "@"))
	}
	return text
}

// webAt is how an address of the web writes @.
const webAt = "%40"

// as is the fake in the form of a text that is the datum.
func (p *Personal) as(text string) string {
	switch {
	case p.Kind == isMail && strings.Contains(text, webAt):
		return strings.Replace(p.Fake, "@", webAt, 1)
	case p.Kind == isName && text != p.Text && text == strings.ToUpper(text):
		return strings.ToUpper(p.Fake)
	case p.Kind == isName && text != p.Text && text == strings.ToLower(text):
		return strings.ToLower(p.Fake)
	}
	return p.Fake
}

func (m *Masking) add(kind, text string, at spot) {
	p := m.byText[datumKey(text)]
	if p == nil {
		p = &Personal{Kind: kind, Text: text}
		m.byText[datumKey(text)] = p
		m.data = append(m.data, p)
	}
	if path := strings.Join(at.path, "."); !slices.Contains(p.Paths, path) {
		p.Paths = append(p.Paths, path)
	}
}

// spot is where a text or a number stands.
type spot struct {
	// value is all of the value, and path the names of the members down to here.
	value any
	path  []string
	// owner is the object that has the value as a member.
	owner map[string]any
	// isNumber is true for a number, and isMember for the name of a member.
	isNumber, isMember bool
}

func (s spot) below(owner map[string]any, name string) spot {
	return spot{value: s.value, path: append(slices.Clip(s.path), name), owner: owner}
}
func (s spot) ofNumber() spot { s.isNumber = true; return s }
func (s spot) ofMember() spot { s.isMember = true; return s }

// walk calls each for every text and number, and for the names of members, in the same order every time.
func (m *Masking) walk(value any, at spot, each func(text string, at spot)) {
	switch v := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			each(name, at.ofMember())
			m.walk(v[name], at.below(v, name), each)
		}
	case []any:
		for _, item := range v {
			m.walk(item, at, each)
		}
	case string:
		each(v, at)
	case nil, bool:
	default:
		literal, _ := engine.Text(value) // a number
		each(literal, at.ofNumber())
	}
}

// learn notes a text that is a datum as a whole.
func (m *Masking) learn(text string, at spot) {
	switch kind := at.kind(text); kind {
	case "":
	case isName:
		for _, one := range nameWord.FindAllString(text, -1) {
			m.add(isName, one, at)
		}
	default:
		m.add(kind, text, at)
	}
}

// nameWord is a part of a person's name.
var nameWord = regexp.MustCompile(`[\p{L}\p{N}][\p{L}\p{M}\p{N}'’_]*`)

// learnInside notes the data inside a text.
func (m *Masking) learnInside(text string, at spot) {
	for _, one := range inside {
		for _, found := range one.pattern.FindAllString(text, -1) {
			if one.is(found) && !(one.kind == isIP && at.isVersion()) {
				m.add(one.kind, found, at)
			}
		}
		text = one.pattern.ReplaceAllString(text, "\x00")
	}
}

// Mask is a copy of a value with its personal data masked.
func (m *Masking) Mask(value any) any {
	replace := m.replacer()
	return m.mask(value, spot{value: value}, replace)
}

func (m *Masking) mask(value any, at spot, replace func(text, with string) string) any {
	switch v := value.(type) {
	case map[string]any:
		object := make(map[string]any, len(v))
		for name, member := range v {
			object[m.text(name, at.ofMember(), replace)] = m.mask(member, at.below(v, name), replace)
		}
		return object
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = m.mask(item, at, replace)
		}
		return list
	case string:
		return m.text(v, at, replace)
	case nil, bool:
		return v
	}
	literal, _ := engine.Text(value) // a number
	if p := m.byText[literal]; p != nil && !p.kept && at.ofNumber().kind(literal) != "" {
		if masked, err := engine.DecodeJSON([]byte(p.Fake)); err == nil {
			return masked
		}
	}
	return value
}

func (m *Masking) text(text string, at spot, replace func(text, with string) string) string {
	p := m.byText[datumKey(text)]
	kind := at.kind(text)
	switch {
	case at.isMember && !hasMail(text):
		return text
	case kind == isName:
		return m.withoutMail(nameWord.ReplaceAllStringFunc(text, func(one string) string {
			if p := m.byText[one]; p != nil && !p.kept {
				return p.Fake
			}
			return one
		}))
	case p != nil && p.kept:
		return text
	case p != nil && (kind != "" || p.Kind == isMail):
		return p.as(text)
	case at.isLiteral() && !hasMail(text):
		return text
	}
	return m.withoutMail(replace(text, ""))
}

func hasMail(text string) bool {
	return strings.ContainsRune(text, '@') || strings.Contains(text, webAt)
}

// withoutMail gives up a text in which, with what stands around it, a fake makes a mail address that is to be masked.
func (m *Masking) withoutMail(text string) string {
	key := datumKey(text)
	for _, p := range m.data {
		if p.Kind == isMail && !p.kept && strings.Contains(key, datumKey(p.Text)) {
			return "masked"
		}
	}
	return text
}
