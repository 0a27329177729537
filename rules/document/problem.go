package document

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Problem is something wrong at one place of a file.
type Problem struct {
	File string `json:"file"`
	// Line and Col count from 1; Col counts characters, not bytes.
	Line    int    `json:"line"`
	Col     int    `json:"col"`
	Message string `json:"message"`
	// Excerpt is the source line, or of a long one what is around the place; "" when the place is not in a file that was
	// read, or far along its line.
	Excerpt string `json:"excerpt,omitempty"`
	// skipped is how many characters of the line are not in the excerpt, at its beginning.
	skipped int
}

const (
	// longLine is the length in characters from which a line is cut, and each side is what is left of it around the place.
	longLine, eachSide = 400, 120
	// farAlong is the column from which a line, which is then no line for people, is not shown.
	farAlong = 10_000
)

// excerpt is what is shown of a line for a problem at a column, and how many characters are cut off before it.
func excerpt(line []byte, col int) (shown string, skipped int) {
	if len(line) <= longLine {
		return string(line), 0
	}
	if col > farAlong {
		return "", 0
	}
	from := max(0, col-1-eachSide)
	begin := width(line, from)
	end := begin + width(line[begin:], col-1+eachSide-from)
	if begin == end {
		return "", 0
	}
	shown = string(line[begin:end])
	if end < len(line) {
		shown += "…"
	}
	if from > 0 {
		return "…" + shown, from - 1
	}
	return shown, 0
}

// width is how many bytes the first characters of a text take.
func width(text []byte, characters int) (bytes int) {
	for ; characters > 0 && bytes < len(text); characters-- {
		_, size := utf8.DecodeRune(text[bytes:])
		bytes += size
	}
	return bytes
}

// Error is the problem in one line: file:line:col: message.
func (p Problem) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Col, p.Message)
}

// Explain is Error, and below it the source line with a caret under the place.
func (p Problem) Explain() string {
	if strings.TrimSpace(p.Excerpt) == "" {
		return p.Error()
	}
	number := fmt.Sprintf("%5d", p.Line)
	return fmt.Sprintf("%s\n%s | %s\n%s | %s^", p.Error(), number, p.Excerpt, strings.Repeat(" ", len(number)), p.indent())
}

// indent is as wide as the excerpt before the place. Tabs stay tabs, so that the caret stands right wherever they are
// shown.
func (p Problem) indent() string {
	var indent strings.Builder
	rest := p.Excerpt
	for range p.Col - 1 - p.skipped {
		r, size := utf8.DecodeRuneInString(rest)
		if rest = rest[size:]; r == '\t' {
			indent.WriteByte('\t')
		} else {
			indent.WriteByte(' ')
		}
	}
	return indent.String()
}

// Problems are all that is wrong, by file and place; as an error, one line each.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// Explain is every problem with its source line and caret.
func (p Problems) Explain() string {
	blocks := make([]string, len(p))
	for i, problem := range p {
		blocks[i] = problem.Explain()
	}
	return strings.Join(blocks, "\n")
}

// Marked are the problems with a word before each message, such as "warning".
func (p Problems) Marked(word string) Problems {
	marked := slices.Clone(p)
	for i := range marked {
		marked[i].Message = word + ": " + marked[i].Message
	}
	return marked
}

// Err sorts the problems and returns them as an error; nil when there are none.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, a.Col-b.Col)
	})
	return p
}

// maxMessage is the longest message, in bytes. Some quote what is wrong, which may be a whole file.
const maxMessage = 1000

func clip(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessage], "") + "…"
}
