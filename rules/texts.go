package rules

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	// slug writes any script in ASCII, by unidecode's table, and knows what the languages make of their letters.
	"github.com/gosimple/slug"

	"switchyard/engine"
)

// textFunctions are on a text; a missing one gives nil, and what is no text a plain error.
var textFunctions = []*function{
	onExprText("upper", 1, new(ofText)).paced(16),
	onExprText("lower", 1, new(ofText)).paced(16),
	onExprText("trim", 2, new(ofText), new(ofTexts)).paced(16),
	onExprText("trimPrefix", 2, new(ofText), new(ofTexts)),
	onExprText("trimSuffix", 2, new(ofText), new(ofTexts)),
	define("split", onText("split", 2, splitter("split")), new(two), new(three)).paced(32),
	define("splitAfter", onText("splitAfter", 2, splitter("splitAfter")), new(two), new(three)).paced(32),
	onExprText("hasPrefix", 2, new(two)),
	onExprText("hasSuffix", 2, new(two)),
	onExprText("toBase64", 1, new(ofText)),
	define("fromBase64", onText("fromBase64", 1, fromBase64), new(ofText)),
	define("indexOf", onText("indexOf", 2, indexWith(strings.Index)), new(two)),
	define("lastIndexOf", onText("lastIndexOf", 2, indexWith(strings.LastIndex)), new(two)),
	define("replace", onText("replace", 3, replace), new(three), new(four)),
	define("repeat", onText("repeat", 1, repeat), new(two)),
	define("join", join, new(one), new(two)).going(deeply),
	define("capitalize", onText("capitalize", 1, capitalize), new(ofText)),
	define("truncate", truncate, new(func(string, any) string), new(func(string, any, string) string)).paced(32),
	define("padStart", padder("padStart", true), new(func(any, any) string), new(func(any, any, string) string)).paced(32),
	define("padEnd", padder("padEnd", false), new(func(any, any) string), new(func(any, any, string) string)).paced(32),
	define("slug", onText("slug", 2, slugOf), new(ofText), new(ofTexts)).checked(checkSlugLanguage, 1).costs(8).paced(2),
	{name: "extract", call: func(args ...any) (any, error) { return extract(&budget{left: memoryBudget, steps: stepBudget}, args) },
		signatures: []any{new(ofTexts)}, steps: 4, pace: functionBytes, metered: extract},
}

// The signatures on texts.
type (
	ofText  = func(string) string
	ofTexts = func(string, string) string
)

// onExprText is expr's own function; texts are how many of its arguments are texts.
func onExprText(name string, texts int, signatures ...any) *function {
	return define(name, onText(name, texts, builtinCall(name)), signatures...)
}

// onText sees to it that the first arguments are texts and the others whole numbers, and bounds a text that is made.
func onText(name string, texts int, call func(args ...any) (any, error)) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		if args[0] == nil {
			return nil, nil
		}
		for i, arg := range args {
			_, isText := arg.(string)
			_, isWhole := wholeIndex(arg)
			switch {
			case i < texts && !isText:
				return nil, needs(name, "a string", arg)
			case i >= texts && !isWhole:
				return nil, needsWhole(name, "a whole number", arg)
			}
		}
		result, err := call(args...)
		if text, ok := result.(string); ok && len(text) > maxText {
			return nil, errTooLarge
		}
		return result, err
	}
}

// splitter makes a list that is like any other.
func splitter(name string) func(args ...any) (any, error) {
	split := builtinCall(name)
	return func(args ...any) (any, error) {
		parts, err := split(args...)
		list, _ := asList(parts)
		return list, err
	}
}

// maxText bounds the texts that functions make, in bytes.
const maxText = 1 << 20

func concat(a, b string) (any, error) {
	if len(a)+len(b) > maxText {
		return nil, errTooLarge
	}
	return a + b, nil
}

func repeat(args ...any) (any, error) {
	text := args[0].(string)
	n, _ := wholeIndex(args[1])
	if n < 0 {
		return nil, needsWhole("repeat", "a number of times", args[1])
	}
	if n > maxText || n*len(text) > maxText {
		return nil, errTooLarge
	}
	return strings.Repeat(text, n), nil
}

func replace(args ...any) (any, error) {
	text, old, with := args[0].(string), args[1].(string), args[2].(string)
	n := -1
	if len(args) == 4 {
		n, _ = wholeIndex(args[3])
	}
	times := strings.Count(text, old)
	if n >= 0 {
		times = min(n, times)
	}
	if len(text)+times*(len(with)-len(old)) > maxText {
		return nil, errTooLarge
	}
	return strings.Replace(text, old, with, n), nil
}

// indexWith finds a part of a text, in characters, as slices and len count them; -1 when it is not there.
func indexWith(find func(text, part string) int) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		text := args[0].(string)
		at := find(text, args[1].(string))
		if at > 0 {
			at = utf8.RuneCountInString(text[:at])
		}
		return at, nil
	}
}

// join writes the items of a list as text, with glue between them; missing ones are left out.
func join(args ...any) (any, error) {
	list, err := items("join", args[0])
	if err != nil {
		return nil, err
	}
	glue, err := textArgument("join", "a string between the items", args, 1, "")
	if err != nil {
		return nil, err
	}
	var parts []string
	size := 0
	for _, item := range list {
		if item == nil {
			continue
		}
		part, err := toText(item)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part.(string))
		if size += len(part.(string)) + len(glue); size > maxText {
			return nil, errTooLarge
		}
	}
	return strings.Join(parts, glue), nil
}

// capitalize makes the first letter a capital, and leaves the others.
func capitalize(args ...any) (any, error) {
	text := args[0].(string)
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 || first == utf8.RuneError {
		return text, nil
	}
	return string(unicode.ToTitle(first)) + text[size:], nil
}

// truncate keeps at most so many characters of a text, the mark at its end included.
func truncate(args ...any) (any, error) {
	if args[0] == nil {
		return nil, nil
	}
	text, err := textArgument("truncate", "a string", args, 0, "")
	if err != nil {
		return nil, err
	}
	n, ok := wholeIndex(args[1])
	if !ok || n < 0 {
		return nil, needsWhole("truncate", "a number of characters", args[1])
	}
	mark, err := textArgument("truncate", "a string as mark", args, 2, "…")
	if err != nil || utf8.RuneCountInString(text) <= n {
		return text, err
	}
	characters, end := []rune(text), []rune(mark)
	if len(end) > n {
		end = nil
	}
	return string(characters[:n-len(end)]) + string(end), nil
}

// padder fills a text, or a number's literal, up to a width in characters.
func padder(name string, start bool) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		if args[0] == nil {
			return nil, nil
		}
		text, err := wordOf(name, args[0])
		if err != nil {
			return nil, err
		}
		width, ok := wholeIndex(args[1])
		if !ok || width < 0 {
			return nil, needsWhole(name, "a number of characters", args[1])
		}
		fill, err := textArgument(name, "a string to fill with", args, 2, " ")
		if err != nil {
			return nil, err
		}
		missing := width - utf8.RuneCountInString(text)
		if missing <= 0 || fill == "" {
			return text, nil
		}
		if missing > maxText {
			return nil, errTooLarge
		}
		padding := filling(fill, missing)
		if len(text)+len(padding) > maxText {
			return nil, errTooLarge
		}
		if start {
			return padding + text, nil
		}
		return text + padding, nil
	}
}

// filling is so many characters of a text that is repeated.
func filling(fill string, characters int) string {
	pattern := []rune(fill)
	var padding strings.Builder
	for i := range characters {
		padding.WriteRune(pattern[i%len(pattern)])
	}
	return padding.String()
}

// slugLanguages are those in which letters have spellings of their own, such as ue for ü in German.
var slugLanguages = strings.Fields("bg cs de el en es fi fr hu id it kk nb nl nn pl pt ro sl sv tr")

func checkSlugLanguage(language string) error {
	for _, known := range slugLanguages {
		if language == known {
			return nil
		}
	}
	return fmt.Errorf("slug knows the languages %s, not %q", strings.Join(slugLanguages, ", "), shortened(language))
}

// slugOf is a text in lower-case ASCII letters and digits with dashes between them.
func slugOf(args ...any) (any, error) {
	language := "en"
	if len(args) == 2 {
		language = args[1].(string)
		if err := checkSlugLanguage(language); err != nil {
			return nil, err
		}
	}
	return slug.MakeLang(args[0].(string), language), nil
}

// extract is what the first group of a pattern finds in a text, or all of it without groups; nil when it finds nothing.
func extract(b *budget, args []any) (any, error) {
	if args[0] == nil {
		return nil, nil
	}
	text, err := textArgument("extract", "a string", args, 0, "")
	if err != nil {
		return nil, err
	}
	p, err := b.patternFor("extract", args[1], text)
	if err != nil {
		return nil, err
	}
	found := p.FindStringSubmatch(text)
	if found == nil {
		return nil, nil
	}
	return found[min(1, len(found)-1)], nil
}

// base64Letters makes the alphabet of addresses the usual one, on one line.
var base64Letters = strings.NewReplacer("-", "+", "_", "/", "\n", "", "\r", "")

// fromBase64 reads both alphabets, with or without the padding; what it makes must be a text.
func fromBase64(args ...any) (any, error) {
	encoded := base64Letters.Replace(strings.TrimRight(args[0].(string), "=\r\n"))
	decoded, err := base64.RawStdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, fmt.Errorf("fromBase64 needs base64, not %q", shortened(args[0].(string)))
	}
	if !utf8.Valid(decoded) {
		return nil, errors.New("fromBase64 makes texts, and these bytes are none")
	}
	return string(decoded), nil
}

func fromJSON(args ...any) (any, error) {
	value, err := engine.DecodeJSON([]byte(args[0].(string)))
	if err != nil {
		return nil, fmt.Errorf("fromJSON: %w", err)
	}
	return value, nil
}

// shortened is a text as a message can show it.
func shortened(text string) string {
	const most = 60
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most]) + "…"
}
