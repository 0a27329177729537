package rules

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/types"

	"switchyard/rules/document"
)

// place is where expressions stand.
type place struct {
	// names are what expressions see there.
	names types.Map
	// instead says what to write for a name that they do not see, and that somebody could look for.
	instead map[string]string
}

// language is what the expressions of one place may use: the names of the place, those of the transforms above, and the
// functions.
type language struct {
	place      *place
	config     *conf.Config
	transforms []string
}

// What one expression may cost to compile. The parser recurses over brackets, so its length is bounded too.
const (
	maxExpressionBytes = 64 << 10
	maxExpressionNodes = 10_000
)

var tooManyParts = fmt.Sprintf("the expression has more than %d parts; give some of them names in transforms", maxExpressionNodes)

// without are expr's functions that are not offered. The name type is the event's.
var without = []string{"type", "now"}

func newLanguage(place *place, transforms ...string) *language {
	config := conf.CreateNew()
	environment := maps.Clone(place.names)
	for _, name := range transforms {
		environment[name] = types.Any
	}
	config.WithEnv(environment)
	config.Optimize = false // its rewrites assume expr's own operators
	config.MaxNodes = maxExpressionNodes
	for _, name := range without {
		config.Disabled[name] = true
		delete(config.Builtins, name)
	}
	for name, f := range functionTable {
		config.Functions[name] = f
	}
	return &language{place: place, config: config, transforms: transforms}
}

var functionTable = func() map[string]*builtin.Function {
	table := map[string]*builtin.Function{}
	for _, f := range slices.AppendSeq(operatorFunctions(), maps.Values(functions)) {
		one := &builtin.Function{Name: f.name, Func: f.call, Validate: f.validate}
		for _, signature := range f.signatures {
			one.Types = append(one.Types, reflect.TypeOf(signature).Elem())
		}
		table[f.name] = one
	}
	return table
}()

// known are the names that an expression can use here.
func (l *language) known() []string {
	known := slices.Clone(l.transforms)
	for name := range l.place.names {
		known = append(known, name)
	}
	for name := range l.config.Builtins {
		known = append(known, name)
	}
	known = slices.AppendSeq(known, maps.Keys(functions))
	slices.Sort(known) // the nearest of two equally near must be the same every time
	return slices.Compact(known)
}

// offers reports a function that expressions can call here.
func (l *language) offers(name string) bool {
	return l.config.Builtins[name] != nil || functions[name] != nil
}

// parse reads and checks an expression.
func (l *language) parse(text document.Text) (node ast.Node, problem *document.Problem) {
	defer func() {
		if r := recover(); r != nil {
			problem = at(text, 0, "this expression can not be compiled: %v", r)
		}
	}()
	if len(text.Value) > maxExpressionBytes {
		return nil, at(text, 0, "the expression is longer than %d kB", maxExpressionBytes>>10)
	}
	if problem := tooDeep(text); problem != nil {
		return nil, problem
	}
	brackets := bracketObjects(text.Value)
	tree, err := parser.ParseWithConfig(brackets.source, l.config)
	if err != nil {
		return nil, l.problem(text, err, &brackets)
	}
	if visits(tree.Node, map[ast.Node]int{}) > 2*maxExpressionNodes {
		return nil, at(text, 0, "chained comparisons such as 1 < x < 3 stand inside each other here, too deep; join them with &&")
	}
	if len(brackets.added) > 0 {
		ast.Walk(&tree.Node, &brackets)
	}
	names := nameUse{callees: map[ast.Node]bool{}}
	ast.Walk(&tree.Node, &names)
	if names.env != nil {
		return nil, at(text, names.env.Location().From, "$env is not available; write the name itself")
	}
	patterns := patterns{literals: literals{text: text}}
	if ast.Walk(&tree.Node, &patterns); patterns.problem != nil {
		return nil, patterns.problem
	}
	if _, err := checker.Check(tree, l.config); err != nil {
		return nil, l.problem(text, err, &bracketed{})
	}
	literals := literals{text: text}
	if ast.Walk(&tree.Node, &literals); literals.problem != nil {
		return nil, literals.problem
	}
	if function := names.uncalled(); function != nil {
		return nil, at(text, function.Location().From, "%[1]s is a function; call it: %[1]s(…)", function.Value)
	}
	return tree.Node, nil
}

// nameUse finds names that stand where they may not, though expr lets them.
type nameUse struct {
	env     ast.Node
	names   []*ast.IdentifierNode
	callees map[ast.Node]bool
}

// Visit implements ast.Visitor.
func (u *nameUse) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		if u.names = append(u.names, n); n.Value == "$env" {
			u.env = n
		}
	case *ast.CallNode:
		u.callees[n.Callee] = true
	}
}

// uncalled is a function's name without a call; expr would look for a value of that name.
func (u *nameUse) uncalled() *ast.IdentifierNode {
	for _, name := range u.names {
		if name.Type().Kind() == reflect.Func && !u.callees[name] {
			return name
		}
	}
	return nil
}

// literals finds literals that can not be what they stand for, so that they need not wait for an event to be found.
type literals struct {
	text    document.Text
	problem *document.Problem
}

// Visit implements ast.Visitor.
func (l *literals) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.CallNode:
		callee, ok := n.Callee.(*ast.IdentifierNode)
		if !ok || functions[callee.Value] == nil {
			return
		}
		for i, argument := range n.Arguments {
			if check := functions[callee.Value].checks[i]; check != nil {
				l.check(argument, check)
			}
		}
	case *ast.MemberNode:
		name, ok := n.Property.(*ast.StringNode)
		if ok && name.Value == "Local" && n.Node.Type() == timeType.Nature().Type {
			l.report(name, errors.New(`the local time of a machine is not available; write inZone(time, "Europe/Berlin")`))
		}
	}
}

func (l *literals) check(node ast.Node, check func(text string) error) {
	if literal, ok := node.(*ast.StringNode); ok && l.problem == nil {
		l.report(literal, check(literal.Value))
	}
}

func (l *literals) report(node ast.Node, err error) {
	if err != nil && l.problem == nil {
		l.problem = at(l.text, node.Location().From, "%s", err.Error())
	}
}

// at is a problem at a character of an expression, which is how expr counts.
func at(text document.Text, character int, format string, args ...any) *document.Problem {
	offset := len(text.Value)
	for i := range text.Value {
		if character--; character < 0 {
			offset = i
			break
		}
	}
	problem := text.At(offset).Problem(format, args...)
	return &problem
}

// problem places a compile error; brackets are those that the places of the error count.
func (l *language) problem(text document.Text, err error, brackets *bracketed) *document.Problem {
	var located *file.Error
	if !errors.As(err, &located) {
		return at(text, 0, "%s", plainly(err.Error()))
	}
	located.From = brackets.written(located.From)
	if strings.HasPrefix(located.Message, "unexpected token EOF") {
		located.From = len(text.Value)
		if text.CutByComment() {
			return at(text, located.From, "the expression ends too early: # after a space begins a comment in YAML; put the expression in quotes")
		}
	}
	if number := tooLarge.FindStringSubmatch(located.Message); number != nil {
		located.From = max(0, utf8.RuneCountInString(text.Value[:max(0, strings.Index(text.Value, number[1]))]))
		located.Message = "the number " + oneLine(number[1], maxShown) + " is too large"
	}
	if strings.Contains(located.Message, "exceeds maximum allowed nodes") {
		located.From, located.Message = 0, tooManyParts
	}
	return at(text, located.From, "%s", l.sentence(text.Value, located))
}

var (
	tooLarge    = regexp.MustCompile(`^invalid .* literal: .* parsing "(.*)": value out of range`)
	unknownName = regexp.MustCompile(`^unknown name (\S+)$`)
	notCallable = regexp.MustCompile(`^(.*) is not callable$`)
)

// sentence is one plain sentence for a compile error, with the nearest name for one that nobody knows.
func (l *language) sentence(source string, err *file.Error) string {
	name := wordAt(source, err.From)
	if parts := unknownName.FindStringSubmatch(err.Message); parts != nil {
		if instead := l.place.instead[parts[1]]; instead != "" {
			return fmt.Sprintf("%s is not available: %s", parts[1], instead)
		}
		return "unknown name " + parts[1] + l.nameRemedy(parts[1])
	}
	if parts := unexpectedToken.FindStringSubmatch(err.Message); parts != nil && parts[1] == "EOF" {
		return endsEarly(source)
	} else if parts != nil && parts[2] != "" {
		return unexpected(source, err.From, parts[2])
	}
	if notCallable.MatchString(err.Message) && name != "" {
		if instead := l.place.instead[name]; instead != "" {
			return fmt.Sprintf("%s is not a function: %s", name, instead)
		}
		return name + " is not a function"
	}
	return plainly(err.Message)
}

var word = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*`)

func wordAt(source string, character int) string {
	characters := []rune(source)
	if character < 0 || character > len(characters) {
		return ""
	}
	return word.FindString(string(characters[character:]))
}

var unexpectedToken = regexp.MustCompile(`unexpected token (\w+)(?:\("(.*)"\))?`)

// goTypes are expr's words for types, which are Go's, in the order in which they must be replaced.
var goTypes = strings.NewReplacer(
	"map[interface {}][]interface {}", "object", "map[string]interface {}", "object", "map[interface {}]interface {}", "object", "[]interface {}", "list",
	"map[string]any", "object", "[]any", "list", "interface {}", "any value", "<nil>", "nothing",
	"time.Time", "time", "time.Duration", "duration", "float64", "number", "uint64", "number", "json.Number", "number",
	"[]string", "list", "[]int", "list", "[]number", "list", "bool)", "boolean)", "bool ", "boolean ",
	"of empty array with no", "of an empty list without an", "int)", "number)", "int ", "number ", "(got int", "(got number", "int,", "number,",
)

var wrongType = regexp.MustCompile(`^interface conversion: interface \{\} is (\S+), not (\S+)$`)

// plainly puts a message of expr into words that need no Go.
func plainly(message string) string {
	if parts := wrongType.FindStringSubmatch(message); parts != nil {
		return fmt.Sprintf("a %s was expected, not a %s", bare(parts[2]), bare(parts[1]))
	}
	if strings.HasPrefix(message, "invalid operation: cannot call") {
		return "this is not a function"
	}
	message = strings.TrimPrefix(message, "compilation failed: ")
	return typeRemedy(strings.TrimSpace(strings.TrimSuffix(goTypes.Replace(message+" "), " ")))
}

func bare(goType string) string {
	switch goType {
	case "nil":
		return "missing value"
	case "int", "int64", "float64", "uint64", "json.Number":
		return "number"
	case "bool":
		return "boolean"
	}
	return strings.TrimSpace(goTypes.Replace(goType))
}

func withArticle(name string) string {
	name = strings.TrimSpace(name)
	if strings.IndexByte("aeiou", name[0]) >= 0 {
		return "an " + name
	}
	return "a " + name
}
