package httpapi

import (
	"bytes"
	"context"

	"github.com/gofiber/fiber/v2"

	"switchyard/engine"
)

// Destinations are where the actions of the environments go.
type Destinations interface {
	// Destination is that of an environment; engine.ErrNotFound when the name is another's.
	Destination(environment, name string) (engine.DestinationInfo, error)
	Destinations(environment string) []engine.DestinationInfo
	// Pause and Resume are seen by every process within a second or two.
	Pause(ctx context.Context, environment, name, reason string) error
	Resume(ctx context.Context, environment, name string) error
}

type destinationView struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
	// State is ok, paused, or what its circuit breaker is in this process when that is not closed: open, half-open.
	State       string `json:"state"`
	PausedSince any    `json:"paused_since"`
	Reason      string `json:"reason"`
	DryRun      bool   `json:"dry_run"`
}

func viewDestination(d engine.DestinationInfo) destinationView {
	view := destinationView{Name: d.Name, Kind: d.Kind, State: "ok", DryRun: d.DryRun}
	switch {
	case d.Paused != nil:
		view.State, view.PausedSince, view.Reason = "paused", stamp(d.Paused.Since), d.Paused.Reason
	case d.Breaker != engine.BreakerClosed:
		view.State = string(d.Breaker)
	}
	return view
}

func (a *admin) destinations(c *fiber.Ctx) error {
	return c.JSON(listView[destinationView]{Items: list(a.Destinations.Destinations(c.Params("env")), viewDestination)})
}

// longestReason bounds what somebody writes to a pause.
const longestReason = 1000

// pause has no process call a destination until somebody resumes it. What is under way is finished.
func (a *admin) pause(c *fiber.Ctx) error {
	asked := struct {
		Reason string `json:"reason"`
	}{Reason: "paused by hand"}
	if body := c.Request().Body(); len(bytes.TrimSpace(body)) > 0 {
		if err := readJSON(body, &asked); err != nil {
			return err
		}
	}
	if len(asked.Reason) > longestReason {
		return invalidParameter("reason must have at most %d bytes", longestReason)
	}
	return a.change(c, func(ctx context.Context, environment, name string) error {
		return a.Destinations.Pause(ctx, environment, name, asked.Reason)
	})
}

func (a *admin) resume(c *fiber.Ctx) error { return a.change(c, a.Destinations.Resume) }

func (a *admin) change(c *fiber.Ctx, make func(ctx context.Context, environment, name string) error) error {
	environment, name := c.Params("env"), id(c)
	if _, err := a.Destinations.Destination(environment, name); err != nil {
		return err
	}
	if err := make(c.UserContext(), environment, name); err != nil {
		return err
	}
	destination, err := a.Destinations.Destination(environment, name)
	if err != nil {
		return err
	}
	return c.JSON(viewDestination(destination))
}
