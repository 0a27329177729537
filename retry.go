package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"time"
)

// retrying is what one call of the command runs again: actions by their ids, or the dead ones that a filter chooses.
type retrying struct {
	server      *client
	environment string
	ids         []string
	nonce       string
	filter      retryFilter
	json        bool
}

// retryFilter is the body of a request to run dead actions again.
type retryFilter struct {
	Rule    string `json:"rule,omitempty"`
	Action  string `json:"action,omitempty"`
	UserID  string `json:"user_id,omitempty"`
	EventID string `json:"event_id,omitempty"`
	From    string `json:"from,omitempty"`
	To      string `json:"to,omitempty"`
	All     bool   `json:"all,omitempty"`
	Cursor  string `json:"cursor,omitempty"`
}

// retryActions runs dead actions again, by a server's management API.
func retryActions(args []string, stdout, stderr io.Writer) error {
	r, err := readRetrying(args, stderr)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var retried, refused int
	if len(r.ids) > 0 {
		retried, refused = r.each(ctx, stderr)
	} else {
		retried, err = r.filtered(ctx, progressOn(stderr))
	}
	r.print(stdout, retried, refused)
	if err == nil && refused > 0 {
		err = errFound
	}
	return err
}

func readRetrying(args []string, stderr io.Writer) (*retrying, error) {
	flags := newFlags("retry", "--server URL [--token T] --env ENV [--rule K] [--action A] [--user U] [--event ID] [--from T] [--to T] [--all] [ACTION-ID…]", stderr)
	r := &retrying{server: clientFlags(flags)}
	flags.StringVar(&r.environment, "env", "", "the `environment` of the actions")
	flags.StringVar(&r.nonce, "nonce", "", "repeat the actions, whatever they ended as, once for this `word`")
	flags.BoolVar(&r.json, "json", false, "print the result as JSON")
	r.filter.flags(flags)
	var err error
	if r.ids, err = parseAny(flags, args); err != nil {
		return nil, err
	}
	return r, r.check()
}

func (f *retryFilter) flags(flags *flag.FlagSet) {
	flags.StringVar(&f.Rule, "rule", "", "those of this `rule`")
	flags.StringVar(&f.Action, "action", "", "those of this `kind`: identify or trigger")
	flags.StringVar(&f.UserID, "user", "", "those of this `user`")
	flags.StringVar(&f.EventID, "event", "", "those of this `event`, by its id")
	flags.StringVar(&f.From, "from", "", "those decided at this `time` or later, such as 2026-01-31T08:00:00Z")
	flags.StringVar(&f.To, "to", "", "those decided before this `time`")
	flags.BoolVar(&f.All, "all", false, "all that are dead")
}

// check refuses a command line that would run other actions again than were meant.
func (r *retrying) check() error {
	wrong := func(format string, values ...any) error { return usageError{fmt.Errorf(format, values...)} }
	chosen, filtered := r.filter != retryFilter{}, r.filter != retryFilter{} && r.filter != retryFilter{All: true}
	switch {
	case r.server.base == "" || r.environment == "":
		return wrong("--server and --env are needed")
	case len(r.ids) > 0 && chosen:
		return wrong("actions are chosen by their ids or by flags, not by both")
	case len(r.ids) == 0 && !chosen:
		return wrong("say which: ids of actions, --rule, --action, --user, --event, --from, --to or --all")
	case filtered && r.filter.All:
		return wrong("--all does not go with another choice")
	case r.nonce != "" && len(r.ids) == 0:
		return wrong("--nonce needs the ids of the actions to repeat")
	}
	for name, text := range map[string]string{"from": r.filter.From, "to": r.filter.To} {
		if _, err := time.Parse(time.RFC3339, text); text != "" && err != nil {
			return wrong("--%s must be a time such as 2026-01-31T08:00:00Z, not %q", name, text)
		}
	}
	return nil
}

func (r *retrying) path() string {
	return "/api/v1/environments/" + url.PathEscape(r.environment) + "/actions/"
}

// each runs the actions again that are named, and goes on when one is refused.
func (r *retrying) each(ctx context.Context, stderr io.Writer) (retried, refused int) {
	var body []byte
	if r.nonce != "" {
		body, _ = json.Marshal(map[string]string{"nonce": r.nonce}) // a string can always be written
	}
	for _, id := range r.ids {
		if err := r.server.send(ctx, http.MethodPost, r.path()+url.PathEscape(id)+"/retry", body, nil); err != nil {
			fmt.Fprintf(stderr, "%s: %v\n", id, err)
			refused++
			continue
		}
		retried++
	}
	return retried, refused
}

// filtered asks until the server has looked at all that are dead.
func (r *retrying) filtered(ctx context.Context, progress func(string, ...any)) (retried int, err error) {
	filter := r.filter
	for {
		body, err := json.Marshal(filter)
		if err != nil {
			return retried, err
		}
		var answer struct {
			Retried    int    `json:"retried"`
			NextCursor string `json:"next_cursor"`
		}
		if err := r.server.send(ctx, http.MethodPost, r.path()+"retry", body, &answer); err != nil {
			return retried, err
		}
		retried += answer.Retried
		if answer.NextCursor == "" {
			progress("")
			return retried, nil
		}
		if answer.NextCursor == filter.Cursor {
			return retried, errors.New("the server does not come further")
		}
		filter.Cursor = answer.NextCursor
		progress("%d so far", retried)
	}
}

func (r *retrying) print(stdout io.Writer, retried, refused int) {
	if r.json {
		_ = json.NewEncoder(stdout).Encode(map[string]int{"retried": retried, "refused": refused}) // numbers can always be written
		return
	}
	noun := "actions"
	if retried == 1 {
		noun = "action"
	}
	fmt.Fprintf(stdout, "%d %s queued again in %s\n", retried, noun, r.environment)
}
