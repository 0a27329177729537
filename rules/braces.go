package rules

import (
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser/lexer"
)

// In map(list, {"id": #.id}) expr takes the braces for those of a predicate, map(list, {#.id}), and fails at the colon.
// Here an argument that can only be an object is one: it is put into brackets before expr reads it, and the places of
// what expr found are moved back.
type bracketed struct {
	source string
	// added are the characters of source that the expression as written does not have, in order.
	added []int
}

func bracketObjects(source string) bracketed {
	if !strings.Contains(source, "{") {
		return bracketed{source: source}
	}
	tokens := tokensOf(source)
	insert := map[int]string{}
	for i := 1; i < len(tokens); i++ {
		if close := objectEnd(tokens, i); close > 0 {
			insert[tokens[i].From] += "("
			insert[tokens[close].To] = ")" + insert[tokens[close].To]
		}
	}
	if len(insert) == 0 {
		return bracketed{source: source}
	}
	var b bracketed
	var out strings.Builder
	written := 0
	put := func(s string, isAdded bool) {
		for _, r := range s {
			if isAdded {
				b.added = append(b.added, written)
			}
			out.WriteRune(r)
			written++
		}
	}
	characters := []rune(source)
	for i := 0; i <= len(characters); i++ {
		put(insert[i], true)
		if i < len(characters) {
			put(string(characters[i]), false)
		}
	}
	b.source = out.String()
	return b
}

func tokensOf(source string) []lexer.Token {
	l := lexer.New()
	l.Reset(file.NewSource(source))
	var tokens []lexer.Token
	for {
		token, err := l.Next()
		if err != nil || token.Kind == lexer.EOF {
			return tokens // what is wrong is for the parser to say
		}
		tokens = append(tokens, token)
	}
}

// objectEnd is the position of the closing brace of an object that is an argument and begins at token i; 0 when none
// does.
func objectEnd(tokens []lexer.Token, i int) int {
	before := tokens[i-1]
	if !tokens[i].Is(lexer.Bracket, "{") || !before.Is(lexer.Operator, ",") && !before.Is(lexer.Bracket, "(") {
		return 0
	}
	if i+1 >= len(tokens) || !tokens[i+1].Is(lexer.Bracket, "}") && !startsObject(tokens, i+1) {
		return 0
	}
	return closing(tokens, i)
}

// startsObject reports a key and its colon at token i.
func startsObject(tokens []lexer.Token, i int) bool {
	key := tokens[i]
	switch {
	case key.Is(lexer.String), key.Is(lexer.Identifier), key.Is(lexer.Number):
	case key.Is(lexer.Bracket, "("):
		if i = closing(tokens, i); i == 0 {
			return false
		}
	default:
		return false
	}
	return i+1 < len(tokens) && tokens[i+1].Is(lexer.Operator, ":")
}

// closing is the position of the bracket that closes the one at token i; 0 when none does.
func closing(tokens []lexer.Token, i int) int {
	depth := 0
	for ; i < len(tokens); i++ {
		if tokens[i].Kind != lexer.Bracket {
			continue
		}
		if strings.Contains("([{", tokens[i].Value) {
			depth++
		} else if depth--; depth == 0 {
			return i
		}
	}
	return 0
}

// written is the place in the expression as written.
func (b *bracketed) written(character int) int {
	before := 0
	for _, added := range b.added {
		if added < character {
			before++
		}
	}
	return character - before
}

// Visit implements ast.Visitor: it moves a node to its place in the expression as written.
func (b *bracketed) Visit(node *ast.Node) {
	place := (*node).Location()
	(*node).SetLocation(file.Location{From: b.written(place.From), To: b.written(place.To)})
}
