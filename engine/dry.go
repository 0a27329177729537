package engine

import "context"

// DryRun is a destination that does nothing: the log shows what would have been sent.
type DryRun struct{}

var _ Destination = DryRun{}

// Perform implements Destination.
func (DryRun) Perform(context.Context, *Action) (Result, error) {
	return Result{Skipped: "dry run: nothing was sent"}, nil
}
