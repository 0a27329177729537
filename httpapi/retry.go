package httpapi

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"switchyard/engine"
)

const (
	// retryDefault and retryMost are how many actions one request runs again.
	retryDefault = 500
	retryMost    = 5000
)

// retry runs one action again: a dead one, or with a nonce any that has ended.
func (a *admin) retry(c *fiber.Ctx) error {
	var asked struct {
		Nonce *string `json:"nonce"`
	}
	if body := c.Request().Body(); len(bytes.TrimSpace(body)) > 0 {
		if err := readJSON(body, &asked); err != nil {
			return err
		}
	}
	action, err := a.again(c, asked.Nonce)
	if err != nil {
		return err
	}
	return c.JSON(viewAction(action))
}

func (a *admin) again(c *fiber.Ctx, nonce *string) (*engine.Action, error) {
	environment := c.Params("env")
	switch {
	case nonce == nil:
		return a.Log().Retry(c.UserContext(), environment, id(c), a.Now())
	case !engine.IsNonce(*nonce):
		return nil, invalidParameter("nonce must be 1 to 64 of A-Z a-z 0-9 _ -")
	}
	return a.Log().Repeat(c.UserContext(), environment, id(c), *nonce, a.Now())
}

// deadFilter is which dead actions are to be run again.
type deadFilter struct {
	Rule    string    `json:"rule"`
	Action  string    `json:"action"`
	UserID  string    `json:"user_id"`
	EventID string    `json:"event_id"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	// All stands for no filter: what is left out by mistake must not run everything again.
	All    bool   `json:"all"`
	Limit  *int   `json:"limit"`
	Cursor string `json:"cursor"`
}

type retriedView struct {
	Retried    int    `json:"retried"`
	NextCursor string `json:"next_cursor,omitempty"`
}

// retryDead runs the dead actions again that a filter chooses, a bounded number of them.
func (a *admin) retryDead(c *fiber.Ctx) error {
	var filter deadFilter
	if err := readJSON(c.Request().Body(), &filter); err != nil {
		return err
	}
	query, err := filter.query(c.Params("env"))
	if err != nil {
		return err
	}
	done, err := a.Log().RetryDead(c.UserContext(), query, a.Now())
	if err != nil {
		return err
	}
	return c.JSON(retriedView{done.Count, done.Next})
}

func (f deadFilter) query(environment string) (engine.ActionQuery, error) {
	query := engine.ActionQuery{
		Environment: environment, Rule: f.Rule, Kind: f.Action, UserID: f.UserID, EventID: f.EventID,
		From: f.From, To: f.To, Limit: retryDefault, Cursor: f.Cursor,
	}
	if f.Limit != nil {
		query.Limit = *f.Limit
	}
	kinds := []string{"", engine.ActionIdentify, engine.ActionTrigger}
	filtered := f.Rule+f.Action+f.UserID+f.EventID != "" || !f.From.IsZero() || !f.To.IsZero()
	switch {
	case !slices.Contains(kinds, f.Action):
		return query, invalidParameter("action must be one of %s", strings.Join(kinds[1:], ", "))
	case query.Limit < 1 || query.Limit > retryMost:
		return query, invalidParameter("limit must be a number from 1 to %d", retryMost)
	case filtered && f.All:
		return query, invalidParameter("all does not go with a filter")
	case !filtered && !f.All:
		return query, &failure{Status: fiber.StatusBadRequest, Code: "missing_filter",
			Message: `say which dead actions to run again: rule, action, user_id, event_id, from or to; or "all": true`}
	}
	return query, nil
}
