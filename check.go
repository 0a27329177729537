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

// check validates the configuration and all its rules without touching a store. Its results are the problems, on stdout.
func check(args []string, stdout, stderr io.Writer) error {
	flags := newFlags("check", "[-c FILE] [--json] [--schema[=config|=rules]]", stderr)
	file := flags.String("c", "switchyard.yaml", "the configuration `file`")
	asJSON := flags.Bool("json", false, "print problems as JSON")
	var schema schemaFlag
	flags.Var(&schema, "schema", "print the JSON Schema of the files instead: --schema=config, --schema=rules, or --schema for both in one document")
	if _, err := parse(flags, args); err != nil {
		return err
	}
	if schema != "" {
		return printSchema(stdout, string(schema))
	}
	p, err := loadPlan(*file, os.LookupEnv)
	if *asJSON {
		return reportJSON(stdout, err)
	}
	var problems document.Problems
	if errors.As(err, &problems) {
		fmt.Fprintln(stdout, problems.Explain())
		fmt.Fprintf(stderr, "%d problem(s)\n", len(problems))
		return errFound
	}
	if err != nil {
		return err
	}
	for _, e := range p.environments {
		fmt.Fprintf(stdout, "%s: %d connection(s), %d rule(s): good\n", e.key, len(e.connections), p.sets[e.key].Len())
		if unindexed := p.sets[e.key].Unindexed(); len(unindexed) > 0 {
			const most = 10
			fmt.Fprintf(stdout, "%s: %d rule(s) are evaluated on every event, for nothing of their match can be looked up: %s\n",
				e.key, len(unindexed), shortList(unindexed, most))
		}
		if costly := p.sets[e.key].Costly(); len(costly) > 0 {
			const most = 10
			fmt.Fprintf(stdout, "%s: %d rule(s) may go over their budget on long lists: %s\n", e.key, len(costly), shortList(costly, most))
		}
	}
	return nil
}

func reportJSON(stdout io.Writer, err error) error {
	problems := document.Problems{}
	if err != nil && !errors.As(err, &problems) {
		problems = document.Problems{{Message: err.Error()}}
	}
	encoder := json.NewEncoder(stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if failed := encoder.Encode(map[string]any{"ok": len(problems) == 0, "problems": problems}); failed != nil {
		return failed
	}
	if len(problems) > 0 {
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
