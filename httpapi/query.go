package httpapi

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"switchyard/engine"
)

const (
	defaultLimit = 50
	maxLimit     = 500
)

// parameters reads the query string of a list; the first thing wrong is kept, so that readers need no error checks.
type parameters struct {
	c   *fiber.Ctx
	err error
}

func invalidParameter(format string, values ...any) *failure {
	return &failure{Status: fiber.StatusBadRequest, Code: "invalid_parameter", Message: fmt.Sprintf(format, values...)}
}

// readParameters refuses a name that the list does not take: a misspelt filter would answer with everything.
func readParameters(c *fiber.Ctx, known ...string) *parameters {
	p := &parameters{c: c}
	c.Context().QueryArgs().VisitAll(func(name, _ []byte) {
		if !slices.Contains(known, string(name)) {
			p.fail("there is no filter %q here; there are %s", name, strings.Join(known, ", "))
		}
	})
	return p
}

func (p *parameters) fail(format string, values ...any) {
	if p.err == nil {
		p.err = invalidParameter(format, values...)
	}
}

func (p *parameters) text(name string) string { return p.c.Query(name) }

func (p *parameters) oneOf(name string, known ...string) string {
	value := p.c.Query(name)
	if value != "" && !slices.Contains(known, value) {
		p.fail("%s must be one of %s", name, strings.Join(known, ", "))
	}
	return value
}

func (p *parameters) time(name string) time.Time {
	value := p.c.Query(name)
	if value == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, value)
	if err != nil {
		p.fail("%s must be a time such as 2026-01-31T08:00:00Z (a + in it is written %%2B)", name)
	}
	return at
}

func (p *parameters) limit() int { return p.limitOr(defaultLimit) }

func (p *parameters) limitOr(otherwise int) int { return p.count("limit", otherwise, maxLimit) }

// count is a number from 1 to the most that is allowed.
func (p *parameters) count(name string, otherwise, most int) int {
	value := p.c.Query(name)
	if value == "" {
		return otherwise
	}
	count, err := strconv.Atoi(value)
	if err != nil || count < 1 || count > most {
		p.fail("%s must be a number from 1 to %d", name, most)
	}
	return count
}

func eventQuery(c *fiber.Ctx) (engine.EventQuery, error) {
	p := readParameters(c, "source", "type", "name", "user_id", "message_id", "outcome", "from", "to", "limit", "cursor")
	query := engine.EventQuery{
		Environment: c.Params("env"), Source: p.text("source"), Type: p.text("type"), Name: p.text("name"),
		UserID: p.text("user_id"), MessageID: p.text("message_id"),
		Outcome: engine.Outcome(p.oneOf("outcome", "matched", "unmatched", "duplicate", "invalid", "pending")),
		From:    p.time("from"), To: p.time("to"), Limit: p.limit(), Cursor: p.text("cursor"),
	}
	return query, p.err
}

func actionQuery(c *fiber.Ctx) (engine.ActionQuery, error) {
	p := readParameters(c, "rule", "action", "status", "user_id", "event_id", "from", "to", "limit", "cursor")
	query := engine.ActionQuery{
		Environment: c.Params("env"), Rule: p.text("rule"), Kind: p.oneOf("action", "identify", "trigger"),
		UserID: p.text("user_id"), EventID: p.text("event_id"),
		Status: engine.Status(p.oneOf("status", "succeeded", "skipped", "retrying", "waiting", "dead")),
		From:   p.time("from"), To: p.time("to"), Limit: p.limit(), Cursor: p.text("cursor"),
	}
	return query, p.err
}
