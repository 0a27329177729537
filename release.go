package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// releaseRule takes a rule out of quarantine, by a server's management API.
func releaseRule(args []string, stdout, stderr io.Writer) error {
	flags := newFlags("release", "--server URL [--token T] --env ENV RULE", stderr)
	c := clientFlags(flags)
	environment := flags.String("env", "", "the `environment` of the rule")
	found, err := parse(flags, args, "RULE")
	if err != nil {
		return err
	}
	if c.base == "" || *environment == "" {
		return usageError{errors.New("--server and --env are needed")}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	path := "/api/v1/environments/" + url.PathEscape(*environment) + "/rules/" + url.PathEscape(found[0]) + "/release"
	if err := c.call(ctx, http.MethodPost, path, nil); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s is released in %s, and is evaluated again\n", found[0], *environment)
	return nil
}
