package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"switchyard/rules"
	"switchyard/rules/document"
)

const checkSynopsis = "[-c FILE] [--rules] [--strict] [--learned FILE | --server URL [--token T]] [--json] [--schema[=config|=rules]]"

// checking are the flags of check.
type checking struct {
	file, learned  string
	strict, asJSON bool
	rules          bool
	server         *client
}

// check validates the configuration and all its rules without touching a store. Its results are the problems, on stdout.
func check(args []string, stdout, stderr io.Writer) error {
	var c checking
	flags := newFlags("check", checkSynopsis, stderr)
	flags.StringVar(&c.file, "c", "switchyard.yaml", "the configuration `file`")
	flags.BoolVar(&c.asJSON, "json", false, "print problems and warnings as JSON")
	flags.BoolVar(&c.rules, "rules", false, "tell of every rule how it is found, also where there are many")
	flags.BoolVar(&c.strict, "strict", false, "take warnings for problems")
	flags.StringVar(&c.learned, "learned", "", "hold the rules against the fields that events had, too: a `file` with what /event-schemas of an environment answered")
	c.server = clientFlags(flags)
	var schema schemaFlag
	flags.Var(&schema, "schema", "print the JSON Schema of the files instead: --schema=config, --schema=rules, or --schema for both in one document")
	if _, err := parse(flags, args); err != nil {
		return err
	}
	if schema != "" {
		return printSchema(stdout, string(schema))
	}
	if c.learned != "" && c.server.base != "" {
		return usageError{errors.New("--learned and --server are two ways to say the same; choose one")}
	}
	p, err := loadPlan(c.file, os.LookupEnv)
	if p == nil {
		p = &plan{} // of a file that can not be read there is no more to say
	}
	warnings, failed := c.warnings(p)
	if failed != nil {
		return failed
	}
	warnings = appendNew(warnings, p.strays())
	_ = warnings.Err() // which sorts
	if c.asJSON {
		problems, bad := problemsOf(err), err != nil || c.strict && len(warnings) > 0
		found := map[string]any{"ok": !bad, "problems": problems, "warnings": append(document.Problems{}, warnings...)}
		if err == nil {
			found["rules"] = p.shares()
		}
		return printFound(stdout, found, bad)
	}
	var problems document.Problems
	if err != nil && !errors.As(err, &problems) {
		return err
	}
	if err := c.report(problems, warnings, stdout, stderr); err != nil {
		return err
	}
	c.summarize(p, stdout)
	return nil
}

// report prints what was found; errFound is for what makes the check fail.
func (c *checking) report(problems, warnings document.Problems, stdout, stderr io.Writer) error {
	for _, found := range []document.Problems{problems, warnings.Marked("warning")} {
		if len(found) > 0 {
			fmt.Fprintln(stdout, found.Explain())
		}
	}
	if len(problems)+len(warnings) > 0 {
		fmt.Fprintf(stderr, "%s, %s\n", counted(len(problems), "problem"), counted(len(warnings), "warning"))
	}
	if len(problems) > 0 || c.strict && len(warnings) > 0 {
		return errFound
	}
	return nil
}

// mostRules is how many rules of an environment are told of without --rules; of more, only those that the index does not
// find.
const mostRules = 30

// summarize says what is there of each environment, and how its rules are found.
func (c *checking) summarize(p *plan, stdout io.Writer) {
	for _, e := range p.environments {
		shares := p.sets[e.key].Shares()
		fmt.Fprintf(stdout, "%s: %s, %s: good\n", e.key, counted(len(e.connections), "connection"), counted(len(shares), "rule"))
		all := c.rules || len(shares) <= mostRules
		table, told, unindexed := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0), 0, 0
		for _, share := range shares {
			if !share.Indexed() {
				unindexed++
			}
			if (all || !share.Indexed() || share.Costly()) && (c.rules || told < mostRules) {
				told++
				fmt.Fprintf(table, "  %s\t%s\n", share.Rule, howFound(share))
			}
		}
		_ = table.Flush() // stdout has no other way to complain either
		if !all {
			fmt.Fprintf(stdout, "  %s found by the index, %d looked at on every event; --rules tells of all\n", counted(len(shares)-unindexed, "rule"), unindexed)
		}
	}
}

// counted is a number of things in words.
func counted(number int, thing string) string {
	if number == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", number, thing)
}

// strays are warnings of what rules ask for that no event of the configuration has.
func (p *plan) strays() (warnings document.Problems) {
	var sources []string
	if p.config != nil {
		for _, source := range p.config.Sources {
			sources = append(sources, source.Key)
		}
	}
	for _, e := range p.environments {
		if set := p.sets[e.key]; set != nil {
			warnings = appendNew(warnings, set.Strays(sources))
		}
	}
	return warnings
}

// howFound says how a rule is found, and how much of it is evaluated then.
func howFound(s rules.Share) string {
	how := "looked at on every event, for no clause says which value it must have"
	if s.Indexed() {
		how = "found by " + s.Under
	}
	if s.Clauses == 0 {
		how = "takes every event"
	} else {
		how += fmt.Sprintf("; clauses: %d looked up, %d evaluated", s.Probed, s.Clauses-s.Probed)
	}
	if s.Costly() {
		how += fmt.Sprintf("; costs %d steps on lists of a few items, and may go over its budget on long ones", s.Cost)
	}
	return how
}

// ruleShare is a rule's share for programs.
type ruleShare struct {
	Environment string `json:"environment"`
	Rule        string `json:"rule"`
	Indexed     bool   `json:"indexed"`
	FoundBy     string `json:"found_by,omitempty"`
	Clauses     int    `json:"clauses"`
	Evaluated   int    `json:"clauses_evaluated"`
	Cost        int    `json:"cost"`
}

func (p *plan) shares() []ruleShare {
	all := []ruleShare{}
	for _, e := range p.environments {
		for _, s := range p.sets[e.key].Shares() {
			all = append(all, ruleShare{e.key, s.Rule, s.Indexed(), s.Under, s.Clauses, s.Clauses - s.Probed, s.Cost})
		}
	}
	return all
}

// reportJSON prints what is wrong with files for programs; errFound is for what makes the command fail.
func reportJSON(stdout io.Writer, err error) error {
	problems := problemsOf(err)
	return printFound(stdout, map[string]any{"ok": len(problems) == 0, "problems": problems}, len(problems) > 0)
}

// problemsOf are those of an error, or the error as one of no place.
func problemsOf(err error) document.Problems {
	problems := document.Problems{}
	if err != nil && !errors.As(err, &problems) {
		problems = document.Problems{{Message: err.Error()}}
	}
	return problems
}

func printFound(stdout io.Writer, found map[string]any, failed bool) error {
	encoder := json.NewEncoder(stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(found); err != nil {
		return err
	}
	if failed {
		return errFound
	}
	return nil
}

// schemaFlag is --schema alone, for both, or --schema=config or --schema=rules.
type schemaFlag string

func (s *schemaFlag) String() string   { return string(*s) }
func (s *schemaFlag) IsBoolFlag() bool { return true }
func (s *schemaFlag) Set(value string) error {
	switch value {
	case "true":
		*s = "both"
	case "config", "rules":
		*s = schemaFlag(value)
	default:
		return errors.New("it is config or rules")
	}
	return nil
}

func printSchema(stdout io.Writer, which string) error {
	configSchema, err := document.Schema(config{}, "Switchyard configuration")
	if err != nil {
		return err
	}
	rulesSchema, err := rules.Schema()
	if err != nil {
		return err
	}
	switch which {
	case "config":
		_, err = fmt.Fprintln(stdout, string(configSchema))
	case "rules":
		_, err = fmt.Fprintln(stdout, string(rulesSchema))
	default:
		encoder := json.NewEncoder(stdout)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(map[string]json.RawMessage{"config": configSchema, "rules": rulesSchema})
	}
	return err
}
