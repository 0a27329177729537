package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"switchyard/rules"
	"switchyard/rules/document"
)

const checkSynopsis = "[-c FILE] [--strict] [--learned FILE | --server URL [--token T]] [--json] [--schema[=config|=rules]]"

// checking are the flags of check.
type checking struct {
	file, learned  string
	strict, asJSON bool
	server         *client
}

// check validates the configuration and all its rules without touching a store. Its results are the problems, on stdout.
func check(args []string, stdout, stderr io.Writer) error {
	var c checking
	flags := newFlags("check", checkSynopsis, stderr)
	flags.StringVar(&c.file, "c", "switchyard.yaml", "the configuration `file`")
	flags.BoolVar(&c.asJSON, "json", false, "print problems and warnings as JSON")
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
	if c.asJSON {
		problems, bad := problemsOf(err), err != nil || c.strict && len(warnings) > 0
		return printFound(stdout, map[string]any{"ok": !bad, "problems": problems, "warnings": append(document.Problems{}, warnings...)}, bad)
	}
	var problems document.Problems
	if err != nil && !errors.As(err, &problems) {
		return err
	}
	if err := c.report(problems, warnings, stdout, stderr); err != nil {
		return err
	}
	p.summarize(stdout)
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
		fmt.Fprintf(stderr, "%d problem(s), %d warning(s)\n", len(problems), len(warnings))
	}
	if len(problems) > 0 || c.strict && len(warnings) > 0 {
		return errFound
	}
	return nil
}

// summarize says what is there of each environment.
func (p *plan) summarize(stdout io.Writer) {
	for _, e := range p.environments {
		fmt.Fprintf(stdout, "%s: %d connection(s), %d rule(s): good\n", e.key, len(e.connections), p.sets[e.key].Len())
		if unindexed := p.sets[e.key].Unindexed(); len(unindexed) > 0 {
			const most = 10
			fmt.Fprintf(stdout, "%s: %d rule(s) are evaluated on every event, for nothing of their match can be looked up: %s\n",
				e.key, len(unindexed), shortList(unindexed, most))
		}
	}
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

// shortList is the first few of a list.
func shortList(items []string, most int) string {
	if len(items) <= most {
		return strings.Join(items, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(items[:most], ", "), len(items)-most)
}
