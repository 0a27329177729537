package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"switchyard/engine"
	"switchyard/rules"
)

// testReport is what the tests came to, for people and for programs. It tells no times, so that the same files give the
// same report.
type testReport struct {
	suites       []*testSuite
	environments []string
	// selected is true when only some tests were run, and nothing can be said of those that were not.
	selected bool
	coverage testCoverage
	wanted   *wantedCoverage
}

// testSuite is the tests of one rule file in one environment; "" for a file that none loads.
type testSuite struct {
	file        *rules.File
	environment string
	outcomes    []rules.Outcome
}

func (s *testSuite) counts() (passed, failed int) {
	for _, outcome := range s.outcomes {
		if len(outcome.Failures) == 0 {
			passed++
		} else {
			failed++
		}
	}
	return passed, failed
}

func (s *testSuite) failed() bool {
	_, failed := s.counts()
	return failed > 0
}

func (r *testReport) counts() (passed, failed int) {
	for _, suite := range r.suites {
		p, f := suite.counts()
		passed, failed = passed+p, failed+f
	}
	return passed, failed
}

// name is the file, and the environment where there are several.
func (r *testReport) name(s *testSuite) string {
	different := func(environment string) bool { return environment != s.environment }
	switch {
	case !slices.ContainsFunc(r.environments, different):
		return s.file.Path
	case s.environment == "":
		return s.file.Path + " (in no environment)"
	}
	return fmt.Sprintf("%s (%s)", s.file.Path, s.environment)
}

// untested are the rules that no test matched in any environment, by their keys.
func (r *testReport) untested() []string {
	type rule struct{ environment, key string }
	matched := map[rule]bool{}
	for _, suite := range r.suites {
		for _, outcome := range suite.outcomes {
			for _, key := range outcome.Matched() {
				matched[rule{suite.environment, key}] = true
			}
		}
	}
	type place struct {
		path string
		line int
	}
	tested := map[place]bool{} // the same rule in every environment
	for _, suite := range r.suites {
		for _, one := range suite.file.Rules {
			if matched[rule{suite.environment, one.Key.Value}] {
				tested[place{suite.file.Path, one.Place.Line}] = true
			}
		}
	}
	keys, listed := []string{}, map[string]bool{}
	for _, suite := range r.suites {
		for _, one := range suite.file.Rules {
			off := one.Enabled != nil && !*one.Enabled
			if !off && !tested[place{suite.file.Path, one.Place.Line}] && !listed[one.Key.Value] {
				listed[one.Key.Value] = true
				keys = append(keys, one.Key.Value)
			}
		}
	}
	return keys
}

// print is the report for people.
func (r *testReport) print(out io.Writer) error {
	var text strings.Builder
	passed, failed := r.counts()
	switch {
	case passed+failed == 0 && r.selected:
		text.WriteString("no test has such a name\n")
	case passed+failed == 0:
		text.WriteString("no tests found\n")
	default:
		for i, suite := range r.suites {
			if i > 0 && r.suites[i-1].failed() {
				text.WriteByte('\n')
			}
			r.printSuite(&text, suite)
		}
		fmt.Fprintf(&text, "\n%s\n", tally(passed, failed))
		if untested := r.untested(); !r.selected && len(untested) > 0 {
			fmt.Fprintf(&text, "hint: %s matched by no test: %s\n", count(len(untested), "rule is", "rules are"), firstFew(untested))
		}
		if r.wanted.list {
			r.coverage.print(&text)
		} else if !r.selected {
			r.coverage.printTotal(&text)
		}
	}
	_, err := io.WriteString(out, text.String())
	return err
}

func (r *testReport) printSuite(text *strings.Builder, suite *testSuite) {
	passed, failed := suite.counts()
	switch {
	case passed+failed > 0:
		fmt.Fprintf(text, "%s: %s\n", r.name(suite), tally(passed, failed))
	case !r.selected:
		fmt.Fprintf(text, "%s: no tests\n", r.name(suite))
	}
	for _, outcome := range suite.outcomes {
		if len(outcome.Failures) > 0 {
			place := outcome.Test.Place
			fmt.Fprintf(text, "\n  %s:%d:%d: %s\n%s\n", place.File(), place.Line, place.Col, outcome.Test.Name, indented("    ", failureText(&outcome)))
		}
	}
}

func tally(passed, failed int) string {
	if failed == 0 {
		return fmt.Sprintf("%d passed", passed)
	}
	return fmt.Sprintf("%d passed, %d failed", passed, failed)
}

func count(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// failureText is everything that failed in a test, with what was expected and what came.
func failureText(outcome *rules.Outcome) string {
	var parts []string
	for _, failure := range outcome.Failures {
		problem := failure.Place.Problem("%s", failure.Message)
		switch failure.Kind {
		case rules.FailedTest:
			parts = append(parts, problem.Explain())
		case rules.FailedEvent, rules.FailedRule, rules.MovedAction:
			parts = append(parts, problem.Error())
		default:
			problem.Message += legend[failure.Kind]
			parts = append(parts, problem.Error()+"\n"+indented("  ", diff(failure.Expected, failure.Got)))
		}
	}
	for _, decision := range outcome.Decisions {
		if len(decision.Actions) == 0 && decision.Outcome == engine.OutcomeUnmatched {
			parts = append(parts, "nothing was asked for: "+decision.Reason)
		}
	}
	return strings.Join(parts, "\n")
}

var legend = map[rules.FailureKind]string{rules.DifferentAction: " (- expected, + got)"}

// diff shows two values as JSON, line by line; nil is no lines at all.
func diff(expected, got any) string {
	a, b := jsonLines(expected), jsonLines(got)
	bare := func(line string) string { return strings.TrimSuffix(line, ",") }
	// same[i][j] is how many lines a[i:] and b[j:] share at most, in order.
	same := make([][]int, len(a)+1)
	for i := len(a); i >= 0; i-- {
		same[i] = make([]int, len(b)+1)
		for j := len(b) - 1; i < len(a) && j >= 0; j-- {
			same[i][j] = max(same[i+1][j], same[i][j+1])
			if bare(a[i]) == bare(b[j]) {
				same[i][j] = 1 + same[i+1][j+1]
			}
		}
	}
	var lines []string
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && bare(a[i]) == bare(b[j]):
			lines = append(lines, "  "+b[j])
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && same[i+1][j] >= same[i][j+1]:
			lines = append(lines, "- "+a[i])
			i++
		default:
			lines = append(lines, "+ "+b[j])
			j++
		}
	}
	return strings.Join(lines, "\n")
}

// maxDiffLines bounds the work of a diff; what is longer is cut.
const maxDiffLines = 2000

// emptyObject is one at the end of a line: its indentation, what stands before it, and what after. A text ends with a quote.
var emptyObject = regexp.MustCompile(`(?m)^( *)(.*)\{\}(,?)$`)

func jsonLines(value any) []string {
	if value == nil {
		return nil
	}
	var doc bytes.Buffer
	encoder := json.NewEncoder(&doc)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return []string{err.Error()}
	}
	// An object that is left without members is written as one that has some, so that its braces are found in the other.
	opened := emptyObject.ReplaceAllString(strings.TrimSuffix(doc.String(), "\n"), "$1$2{\n$1}$3")
	lines := strings.Split(opened, "\n")
	if more := len(lines) - maxDiffLines; more > 0 {
		lines = append(lines[:maxDiffLines], fmt.Sprintf("… and %d lines more", more))
	}
	return lines
}

func indented(by, text string) string { return by + strings.ReplaceAll(text, "\n", "\n"+by) }

// The report for programs.

type reportDocument struct {
	OK       bool            `json:"ok"`
	Passed   int             `json:"passed"`
	Failed   int             `json:"failed"`
	Files    []suiteDocument `json:"files"`
	Untested []string        `json:"untested_rules,omitempty"`
	// Coverage is absent when only some tests were run, and it is not asked for.
	Coverage *coverageDocument `json:"coverage,omitempty"`
}

type suiteDocument struct {
	File        string         `json:"file"`
	Environment string         `json:"environment,omitempty"`
	Passed      int            `json:"passed"`
	Failed      int            `json:"failed"`
	Tests       []testDocument `json:"tests"`
}

type testDocument struct {
	Name   string `json:"name"`
	Line   int    `json:"line"`
	Col    int    `json:"col"`
	Source string `json:"source,omitempty"`
	OK     bool   `json:"ok"`
	// Events are what became of the test's; Actions what they asked for, in the form of expectations.
	Events   []eventDocument   `json:"events"`
	Actions  []map[string]any  `json:"actions"`
	Failures []failureDocument `json:"failures,omitempty"`
}

type eventDocument struct {
	Outcome engine.Outcome     `json:"outcome"`
	Reason  string             `json:"reason,omitempty"`
	Rules   []string           `json:"matched_rules,omitempty"`
	Errors  []engine.RuleError `json:"errors,omitempty"`
}

type failureDocument struct {
	Kind     rules.FailureKind `json:"kind"`
	File     string            `json:"file"`
	Line     int               `json:"line"`
	Col      int               `json:"col"`
	Message  string            `json:"message"`
	Expected any               `json:"expected,omitempty"`
	Got      any               `json:"got,omitempty"`
}

func (r *testReport) printJSON(out io.Writer) error {
	doc := reportDocument{Files: []suiteDocument{}}
	doc.Passed, doc.Failed = r.counts()
	doc.OK = doc.Failed == 0
	for _, suite := range r.suites {
		one := suiteDocument{File: suite.file.Path, Environment: suite.environment, Tests: []testDocument{}}
		one.Passed, one.Failed = suite.counts()
		for _, outcome := range suite.outcomes {
			one.Tests = append(one.Tests, documentOf(&outcome))
		}
		doc.Files = append(doc.Files, one)
	}
	if !r.selected {
		doc.Untested = r.untested()
	}
	if !r.selected || r.wanted.list {
		doc.Coverage = r.coverage.document()
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(doc)
}

func documentOf(outcome *rules.Outcome) testDocument {
	test := outcome.Test
	doc := testDocument{
		Name: test.Name, Line: test.Place.Line, Col: test.Place.Col, Source: test.Source.Value,
		OK: len(outcome.Failures) == 0, Events: []eventDocument{}, Actions: outcome.Actions(),
	}
	for _, decision := range outcome.Decisions {
		doc.Events = append(doc.Events, eventDocument{decision.Outcome, decision.Reason, decision.Rules, decision.Errors})
	}
	for _, f := range outcome.Failures {
		doc.Failures = append(doc.Failures, failureDocument{f.Kind, f.Place.File(), f.Place.Line, f.Place.Col, f.Message, f.Expected, f.Got})
	}
	return doc
}

// JUnit XML, as the readers of it agree on: a suite for each rule file (in each environment), without times.

type junitReport struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	File    string        `xml:"file,attr"`
	Line    int           `xml:"line,attr"`
	Failure *junitFailure `xml:"failure"`
}

type junitFailure struct {
	Type    string `xml:"type,attr"`
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

func (r *testReport) writeJUnit(file string) error {
	passed, failed := r.counts()
	report := junitReport{Name: "switchyard test", Tests: passed + failed, Failures: failed}
	for _, suite := range r.suites {
		passed, failed := suite.counts()
		one := junitSuite{Name: r.name(suite), Tests: passed + failed, Failures: failed}
		for _, outcome := range suite.outcomes {
			test := junitCase{Class: one.Name, Name: outcome.Test.Name, File: suite.file.Path, Line: outcome.Test.Place.Line}
			if len(outcome.Failures) > 0 {
				first := outcome.Failures[0]
				test.Failure = &junitFailure{string(first.Kind), first.Message, failureText(&outcome)}
			}
			one.Cases = append(one.Cases, test)
		}
		report.Suites = append(report.Suites, one)
	}
	doc, err := xml.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte(xml.Header+string(doc)+"\n"), 0o644); err != nil {
		return fmt.Errorf("the JUnit report can not be written: %w", err)
	}
	return nil
}

// firstFew are some names, and how many more there are.
func firstFew(names []string) string {
	const few = 20
	if more := len(names) - few; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), more)
	}
	return strings.Join(names, ", ")
}
