package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"text/tabwriter"

	"switchyard/engine"
	"switchyard/engine/redislog"
)

// verified is what an environment's logs come to.
type verified struct {
	Environment string              `json:"environment"`
	Partitions  int                 `json:"partitions"`
	Events      engine.EventTotals  `json:"events"`
	Actions     engine.ActionTotals `json:"actions"`
	Findings    []redislog.Finding  `json:"findings"`
	parts       []engine.Conservation
}

// verifyLogs checks the logs in a Redis: that every event accepted was decided or is pending, that every action planned has
// ended or is open, and that whatever is open is where it will be found. Servers may be at work meanwhile.
func verifyLogs(args []string, stdout, stderr io.Writer) error {
	flags := newFlags("verify", "--redis URL [--env ENV] [--json]", stderr)
	address := flags.String("redis", "", "the `URL` of the Redis, as in the configuration")
	only := flags.String("env", "", "look at this `environment` only")
	asJSON := flags.Bool("json", false, "print the result as JSON")
	if _, err := parse(flags, args); err != nil {
		return err
	}
	switch err := redislog.CheckURL(*address); {
	case *address == "" || *address == "embedded":
		return usageError{errors.New("--redis is needed: the URL of a server; an embedded store can be seen by its own process only, in the metric switchyard_conservation_broken")}
	case err != nil:
		return usageError{err}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log, err := redislog.Open(ctx, redislog.Options{URL: *address})
	if err != nil {
		return err
	}
	defer log.Close()
	all, err := verifyAll(ctx, log, *only, progressOn(stderr))
	if err != nil {
		return err
	}
	if *asJSON {
		err = json.NewEncoder(stdout).Encode(map[string]any{"environments": all})
	} else {
		err = printVerified(stdout, all)
	}
	if bad := slices.ContainsFunc(all, func(v verified) bool { return len(v.Findings) > 0 }); err == nil && bad {
		return errFound
	}
	return err
}

func verifyAll(ctx context.Context, log *redislog.Log, only string, progress func(string, ...any)) ([]verified, error) {
	environments, err := log.Environments(ctx)
	if err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(environments))
	if only != "" {
		if environments[only] == 0 {
			return nil, fmt.Errorf("this Redis has no environment %q; it has %v", only, names)
		}
		names = []string{only}
	}
	if len(names) == 0 {
		return nil, errors.New("this Redis has no environment: no server has used it, or everything was lost")
	}
	all := []verified{}
	for _, name := range names {
		pages := 0
		v := verified{Environment: name, Partitions: environments[name]}
		v.parts, v.Findings, err = log.Verify(ctx, name, v.Partitions, func() {
			pages++
			progress("%s: %d steps", name, pages)
		})
		if err != nil {
			return nil, err
		}
		for _, part := range v.parts {
			v.Events, v.Actions = v.Events.Plus(part.Events), v.Actions.Plus(part.Actions)
		}
		v.Findings = slices.Concat([]redislog.Finding{}, v.Findings)
		all = append(all, v)
	}
	progress("")
	return all, nil
}

func printVerified(stdout io.Writer, all []verified) error {
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	for _, v := range all {
		e, a := v.Events, v.Actions
		fmt.Fprintf(table, "%s\tevents\t%d accepted\t= %d matched + %d unmatched + %d duplicate + %d invalid + %d pending\n",
			v.Environment, e.Accepted, e.Matched, e.Unmatched, e.Duplicate, e.Invalid, e.Pending)
		fmt.Fprintf(table, "\tactions\t%d planned\t= %d succeeded + %d skipped + %d dead + %d open\n",
			a.Planned, a.Succeeded, a.Skipped, a.Dead, a.Open)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	found := 0
	for _, v := range all {
		for _, f := range v.Findings {
			found++
			fmt.Fprintf(stdout, "%s partition %d: %s %s: %s\n", f.Environment, f.Partition, f.Code, f.ID, f.Text)
		}
	}
	if found == 0 {
		_, err := fmt.Fprintln(stdout, "nothing is missing, nothing is too many")
		return err
	}
	_, err := fmt.Fprintf(stdout, "%d findings\n", found)
	return err
}
