package rules

import (
	"fmt"
	"strings"
	"testing"

	"switchyard/rules/document"
)

func costOfText(t *testing.T, source string) (*expression, *document.Problem) {
	t.Helper()
	return newLanguage(eventPlace).compile(text(t, source))
}

func TestCost(t *testing.T) {
	for _, test := range []struct {
		source      string
		least, most int
	}{
		{`type == "track"`, 1, 1},
		{`any(data.list, # > 5)`, 10, 30},
		{`any(data.list, any(#.list, # > 5))`, 110, 300},
		{`any(data.list, any(#.list, any(#.list, # > 5)))`, 1_100, 3_000},
		{`data.text matches "^[a-z]+$"`, 2, 10},
		{`data.text matches "(a{1,100}){9}"`, 300, 2_000},
		{`e164(data.phone)`, 10, 40},
		{`data.text == "` + strings.Repeat("x", 60_000) + `"`, 100, 200},
	} {
		e, problem := costOfText(t, test.source)
		if problem != nil {
			t.Errorf("%s: %v", test.source, problem)
			continue
		}
		if int(e.cost) < test.least || int(e.cost) > test.most {
			t.Errorf("%.60s costs %d", test.source, e.cost)
		}
	}
}

func TestCostlyExpressionsAreRefused(t *testing.T) {
	for source, want := range map[string]string{
		nested(maxNesting):     "",
		nested(maxNesting + 1): "more than 4 loops stand inside each other here; take the inner ones into a transform",
		`any(data.list, any(data.list, any(data.list, ` + strings.Repeat("# == 1 || ", 100) + `false)))`: "steps with lists of 10 items, and may take 50000",
		strings.Repeat("(", maxBrackets+1) + "1" + strings.Repeat(")", maxBrackets+1):                    "more than 100 brackets stand inside each other",
		`"` + strings.Repeat("(", maxBrackets+1) + `"`:                                                   "",
		`data.text matches "` + strings.Repeat(`\\pL`, maxPatternClasses+1) + `"`:                        "classes such as",
		`data.text matches "(a{1,1000}){1,1000}"`:                                                        "invalid repeat count",
	} {
		_, problem := costOfText(t, source)
		if want == "" && problem != nil || want != "" && (problem == nil || !strings.Contains(problem.Message, want)) {
			t.Errorf("%.80s: %v", source, problem)
		}
	}
	_, problem := costOfText(t, nested(maxNesting+1))
	if problem == nil || problem.Col < 30 {
		t.Errorf("the place is not that of the innermost loop: %v", problem)
	}
}

func nested(loops int) string {
	return strings.Repeat("any(data.a, ", loops) + "false" + strings.Repeat(")", loops)
}

func TestCostly(t *testing.T) {
	set := compileText(t, "rules:\n  - {key: cheap, match: data.n > 5, actions: [{identify: {user_id: user_id}}]}\n"+
		"  - {key: dear, match: '"+nested(4)+"', actions: [{identify: {user_id: user_id}}]}\n")
	if shares := set.Shares(); shares[0].Costly() || !shares[1].Costly() || shares[1].Cost < 10_000 {
		t.Errorf("%+v", shares)
	}
}

func TestLargeRulesAreRefused(t *testing.T) {
	var all strings.Builder
	for i := range 200 {
		fmt.Fprintf(&all, "      t%d: '%s'\n", i, nested(3))
	}
	for name, transforms := range map[string]string{
		"cost some": all.String(),
		"bytes of expressions, and may have 131072": "      a: '\"" + strings.Repeat("x", 60_000) + "\"'\n      b: '\"" + strings.Repeat("x", 60_000) + "\"'\n      c: '\"" + strings.Repeat("x", 60_000) + "\"'\n",
	} {
		file, err := Parse("r.yaml", []byte("rules:\n  - key: large\n    transform:\n"+transforms+"    actions: [{identify: {user_id: user_id}}]\n"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err = Compile("e", []*File{file}); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "split the rule") {
			t.Errorf("%s: %.200v", name, err)
		}
	}
}
