// Switchyard is an event router: customer-data platforms post events, rules written in an expression language pick
// events and shape fields, matched rules identify users and trigger notification workflows, and every event and every
// action is on a log that people can read.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"switchyard/rules/document"
)

// Exit codes: 0 good, 1 found problems, 2 usage.
const (
	exitGood     = 0
	exitProblems = 1
	exitUsage    = 2
)

// command is one sub-command. Run parses its own arguments; results go to stdout, messages for people to stderr.
type command struct {
	name    string
	summary string
	run     func(args []string, stdout, stderr io.Writer) error
}

// commands in the order of the help.
var commands = []command{
	{"serve", "run the server", serve},
	{"demo", "run the server with sample events, on the embedded store", demo},
	{"check", "validate the configuration and the rules", check},
	{"test", "run the tests that stand beside the rules", testRules},
	{"explain", "say why rules match an event or not, clause by clause", explain},
	{"send", "post an event the way a vendor would, signed", send},
	{"release", "take a rule out of quarantine on a running server", releaseRule},
	{"retry", "run dead actions again on a running server", retryActions},
	{"verify", "check that nothing in the logs of a Redis was lost or doubled", verifyLogs},
	{"version", "print the version", version},
}

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	name := ""
	if len(args) > 0 {
		name = args[0]
	}
	for _, command := range commands {
		if command.name == name {
			return exitCode(command.run(args[1:], stdout, stderr), name, stderr)
		}
	}
	if name == "help" || name == "-h" || name == "--help" {
		usage(stdout)
		return exitGood
	}
	if name != "" {
		fmt.Fprintf(stderr, "switchyard: there is no command %q%s\n\n", name, didYouMean(name))
	}
	usage(stderr)
	return exitUsage
}

// usageError is a command line that can not be understood.
type usageError struct{ error }

// errFound ends a command that has already printed what it found.
var errFound = errors.New("problems found")

func exitCode(err error, name string, stderr io.Writer) int {
	var wrongUsage usageError
	var problems document.Problems
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitGood
	case errors.As(err, &wrongUsage):
		fmt.Fprintf(stderr, "switchyard %s: %v\n", name, err)
		return exitUsage
	case errors.Is(err, errFound):
	case errors.As(err, &problems):
		fmt.Fprintln(stderr, problems.Explain())
	default:
		fmt.Fprintf(stderr, "switchyard %s: %v\n", name, err)
	}
	return exitProblems
}

func usage(out io.Writer) {
	fmt.Fprint(out, "Switchyard routes customer events to users and notification workflows.\n\nUsage: switchyard <command> [flags]\n\n")
	for _, command := range commands {
		fmt.Fprintf(out, "  %-8s  %s\n", command.name, command.summary)
	}
	fmt.Fprint(out, "\nswitchyard <command> -h lists a command's flags.\n")
}

func didYouMean(name string) string {
	names := make([]string, len(commands))
	for i, command := range commands {
		names[i] = command.name
	}
	if nearest, ok := document.Nearest(name, names); ok {
		return fmt.Sprintf("; did you mean %q?", nearest)
	}
	return ""
}

// newFlags is a flag set that reports its errors as usage errors, and wants exactly the positional arguments named.
func newFlags(name, synopsis string, stderr io.Writer) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintf(stderr, "Usage: switchyard %s %s\n\n", name, synopsis)
		flags.PrintDefaults()
	}
	return flags
}

// parse reads the flags and exactly the positional arguments named.
func parse(flags *flag.FlagSet, args []string, positional ...string) ([]string, error) {
	found, err := parseAny(flags, args)
	if err != nil {
		return nil, err
	}
	if len(found) > len(positional) {
		return nil, usageError{fmt.Errorf("unexpected argument %q", found[len(positional)])}
	}
	if len(found) < len(positional) {
		return nil, usageError{fmt.Errorf("%s is missing", strings.Join(positional[len(found):], " "))}
	}
	return found, nil
}

// parseAny reads the flags, which may stand before and after the positional arguments, and returns the latter.
func parseAny(flags *flag.FlagSet, args []string) ([]string, error) {
	var found []string
	for {
		if err := flags.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, usageError{err}
		}
		if flags.NArg() == 0 {
			return found, nil
		}
		found = append(found, flags.Arg(0))
		args = flags.Args()[1:]
	}
}
