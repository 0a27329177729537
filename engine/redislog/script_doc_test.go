package redislog

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// documented is a script as its source declares it.
type documented struct {
	name, doc string
	lua       string // what is spelled out of it: its string literals
}

// documentedScripts finds the package-level scripts.
func documentedScripts(t *testing.T) (found []documented) {
	t.Helper()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file.Name(), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			if vars, ok := decl.(*ast.GenDecl); ok && vars.Tok == token.VAR {
				found = append(found, scriptsOf(vars)...)
			}
		}
	}
	return found
}

func scriptsOf(vars *ast.GenDecl) (found []documented) {
	for _, spec := range vars.Specs {
		spec := spec.(*ast.ValueSpec)
		doc := spec.Doc.Text()
		if doc == "" && len(vars.Specs) == 1 {
			doc = vars.Doc.Text()
		}
		for i, value := range spec.Values {
			if call, ok := value.(*ast.CallExpr); ok && isNewScript(call) {
				found = append(found, documented{spec.Names[i].Name, doc, literals(call)})
			}
		}
	}
	return found
}

func isNewScript(call *ast.CallExpr) bool {
	name, ok := call.Fun.(*ast.Ident)
	return ok && name.Name == "newScript"
}

func literals(call *ast.CallExpr) string {
	var all strings.Builder
	ast.Inspect(call, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			text, _ := strconv.Unquote(lit.Value) // it has been parsed
			all.WriteString(text)
		}
		return true
	})
	return all.String()
}

// section is a paragraph of a doc comment.
func section(doc, title string) string {
	_, rest, found := strings.Cut("\n"+doc, "\n"+title+": ")
	if !found {
		return ""
	}
	text, _, _ := strings.Cut(rest, "\n\n")
	return strings.ReplaceAll(text, "\n", " ")
}

var (
	ordinal = regexp.MustCompile(`(?:^|[ ;,(])(\d+)(…?) `)
	indexed = regexp.MustCompile(`\b(KEYS|ARGV)\[(\d+)\]`)
)

// numbered are the places that a paragraph numbers; those from open on as well, when it is not 0.
func numbered(paragraph string) (places []int, open int) {
	for _, m := range ordinal.FindAllStringSubmatch(paragraph, -1) {
		n, _ := strconv.Atoi(m[1])
		if places = append(places, n); m[2] != "" {
			open = n
		}
	}
	return places, open
}

// undocumented lists what is missing in the documentation of a script.
func undocumented(s documented) (missing []string) {
	for _, title := range []string{"KEYS", "ARGV", "Returns"} {
		if section(s.doc, title) == "" {
			missing = append(missing, title+":")
		}
	}
	used := map[string]bool{}
	for _, m := range indexed.FindAllStringSubmatch(s.lua, -1) {
		n, _ := strconv.Atoi(m[2])
		places, open := numbered(section(s.doc, m[1]))
		if !slices.Contains(places, n) && (open == 0 || n < open) {
			missing = append(missing, m[0])
		}
		used[m[0]] = true
	}
	keys, open := numbered(section(s.doc, "KEYS"))
	for _, n := range keys {
		if n != open && !used["KEYS["+strconv.Itoa(n)+"]"] {
			missing = append(missing, "a use of KEYS "+strconv.Itoa(n))
		}
	}
	slices.Sort(missing)
	return slices.Compact(missing)
}

func TestScriptsAreDocumented(t *testing.T) {
	scripts := documentedScripts(t)
	if len(scripts) < 20 {
		t.Errorf("only %d scripts were found", len(scripts))
	}
	for _, s := range scripts {
		if missing := undocumented(s); len(missing) > 0 {
			t.Errorf("%s: its comment lacks %s", s.name, strings.Join(missing, ", "))
		}
	}
}

func TestUndocumentedIsNoticed(t *testing.T) {
	const doc = "x does.\n\nKEYS: 1 one,\n2 two, 4… more\n\nARGV: 1 a time, ms\n\nReturns: 1\n"
	for _, test := range []struct{ doc, lua, want string }{
		{doc, "KEYS[1] KEYS[2] KEYS[5] ARGV[1]", ""},
		{doc, "KEYS[1] KEYS[2] KEYS[3] ARGV[2]", "ARGV[2] KEYS[3]"},
		{doc, "KEYS[1]", "a use of KEYS 2"},
		{"x does.\n\nKEYS: 1 one", "KEYS[1]", "ARGV: Returns:"},
		{"", "", "ARGV: KEYS: Returns:"},
	} {
		if got := strings.Join(undocumented(documented{doc: test.doc, lua: test.lua}), " "); got != test.want {
			t.Errorf("%q, %q: %q is missing, want %q", test.doc, test.lua, got, test.want)
		}
	}
}
