package httpapi

import (
	"context"
	"log/slog"
	"net/url"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/gofiber/fiber/v2/middleware/recover"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"switchyard/engine"
)

// EventLog is the event log as people read it.
type EventLog interface {
	Events(ctx context.Context, query engine.EventQuery) (engine.EventPage, error)
	Event(ctx context.Context, environment, id string) (*engine.EventRecord, error)
	EventNames(ctx context.Context, environment string) ([]engine.NameRecord, error)
}

// ActionLog is the action log as people read it.
type ActionLog interface {
	Actions(ctx context.Context, query engine.ActionQuery) (engine.ActionPage, error)
	Action(ctx context.Context, environment, id string) (*engine.Action, error)
	ActionsOf(ctx context.Context, environment string, ids []string) ([]*engine.Action, error)
}

// Retrier begins other rounds of actions; see engine.Action for what each means.
type Retrier interface {
	Retry(ctx context.Context, environment, id string, now time.Time) (*engine.Action, error)
	Repeat(ctx context.Context, environment, id, nonce string, now time.Time) (*engine.Action, error)
	RetryDead(ctx context.Context, query engine.ActionQuery, now time.Time) (engine.Retried, error)
}

// Users is the built-in directory.
type Users interface {
	User(ctx context.Context, environment, id string) (*engine.User, error)
	DeleteUser(ctx context.Context, environment, id string) error
}

// Log is all that people read and change of the logs.
type Log interface {
	EventLog
	ActionLog
	Retrier
	Users
}

// EnvironmentInfo is one environment as configured, without any secret.
type EnvironmentInfo struct {
	Key         string
	Partitions  int
	Destination string
	Connections []ConnectionInfo
}

// Rules are the live rules of the environments.
type Rules interface {
	Len(environment string) int
	Rule(environment, key string) (info engine.RuleInfo, ok bool)
	// RulesAfter are some in their order, from the one after that of a key, or the first for ""; engine.ErrBadCursor
	// when that is gone.
	RulesAfter(environment, key string, limit int) (rules []engine.RuleInfo, more bool, err error)
}

// ConnectionInfo is one connection as configured. WriteKeys show only their ends: a write key is a credential.
type ConnectionInfo struct {
	Source        string   `json:"source"`
	Name          string   `json:"name"`
	Kind          string   `json:"kind"`
	WriteKeys     []string `json:"write_keys"`
	Verified      bool     `json:"verified"`
	Scheme        string   `json:"scheme"`
	IdentifyUsers bool     `json:"identify_users"`
	// Mapped is true when expressions of its own read the bodies.
	Mapped bool `json:"mapped"`
	// Schemas are the names of the events whose data is checked.
	Schemas   []string `json:"schemas"`
	OnInvalid string   `json:"on_invalid,omitempty"`
	// Rate is the events a second that it may send to each process; 0 for any number.
	Rate float64 `json:"rate,omitempty"`
	// Refused is what it was refused since the process started; nil for nothing.
	Refused *RefusalView `json:"refused,omitempty"`
}

// AdminOptions are what the admin listener works with.
type AdminOptions struct {
	// Log is nil until the store has been reached for the first time.
	Log func() Log
	// Environments are those configured now, in the order of the file.
	Environments func() []EnvironmentInfo
	Rules        Rules
	// Explainer answers why rules match or not.
	Explainer Explainer
	// Release takes a rule of an environment out of quarantine; engine.ErrNotFound or ErrNotQuarantined when it can not.
	Release      func(ctx context.Context, environment, rule string) (engine.RuleInfo, error)
	Destinations Destinations
	// Tokens are those that may call the management API; with none the listener is on loopback, and everybody may.
	Tokens func() []Token
	// Refusals are what connections were refused.
	Refusals *Refusals
	// Ready is nil when events can be accepted, else says why not.
	Ready    func(ctx context.Context) error
	Gatherer prometheus.Gatherer
	Logger   *slog.Logger
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// NewAdmin makes the private app: management API, metrics and health.
func NewAdmin(options AdminOptions) *fiber.App {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Refusals == nil {
		options.Refusals = &Refusals{}
	}
	a := &admin{options}
	app := fiber.New(fiber.Config{
		AppName:               "switchyard admin",
		DisableStartupMessage: true,
		JSONEncoder:           plainJSON,
		ErrorHandler:          errorHandler(options.Logger),
		BodyLimit:             maxBody,
		ReadTimeout:           30 * time.Second,
		WriteTimeout:          time.Minute,
		IdleTimeout:           2 * time.Minute,
		// Handlers here pass strings on, to Redis and to logs.
		Immutable: true,
	})
	app.Use(recover.New())
	app.Get("/healthz", func(c *fiber.Ctx) error { return c.JSON(fiber.Map{"status": "ok"}) })
	app.Get("/readyz", a.ready)
	app.Get("/metrics", adaptor.HTTPHandler(promhttp.HandlerFor(options.Gatherer, promhttp.HandlerOpts{EnableOpenMetrics: true})))

	api := app.Group("/api/v1", a.authenticate)
	api.Get("/environments", a.environments)
	api.Post("/environments/:env/explain", a.explain) // needs no log, and changes nothing
	in := api.Group("/environments/:env", a.known, a.opened)
	in.Get("/connections", a.connections)
	in.Get("/destinations", a.destinations)
	in.Post("/destinations/:id/pause", needs(Editor), a.pause)
	in.Post("/destinations/:id/resume", needs(Editor), a.resume)
	in.Get("/events", a.events)
	in.Get("/events/:id", a.event)
	in.Get("/actions", a.actions)
	in.Get("/actions/:id", a.action)
	in.Post("/actions/retry", needs(Editor), a.retryDead)
	in.Post("/actions/:id/retry", needs(Editor), a.retry)
	in.Get("/users/:id", a.user)
	in.Delete("/users/:id", needs(Editor), a.deleteUser)
	in.Get("/event-names", a.names)
	in.Get("/event-schemas", a.eventSchemas)
	in.Get("/rules", a.rules)
	in.Get("/rules/:id", a.rule)
	in.Post("/rules/:id/release", needs(Editor), a.release)
	return app
}

type admin struct{ AdminOptions }

func (a *admin) ready(c *fiber.Ctx) error {
	ctx, cancel := context.WithTimeout(c.UserContext(), 2*time.Second)
	defer cancel()
	if err := a.Ready(ctx); err != nil {
		return c.Status(fiber.StatusServiceUnavailable).JSON(fiber.Map{"status": "not ready", "reason": err.Error()})
	}
	return c.JSON(fiber.Map{"status": "ready"})
}

// known refuses an environment that is not configured, before any handler asks the log.
func (a *admin) known(c *fiber.Ctx) error {
	if _, err := a.environment(c); err != nil {
		return err
	}
	return c.Next()
}

// opened answers 503 until there is a log.
func (a *admin) opened(c *fiber.Ctx) error {
	if a.Log() == nil {
		return engine.ErrUnavailable
	}
	return c.Next()
}

func (a *admin) environment(c *fiber.Ctx) (EnvironmentInfo, error) {
	key := c.Params("env")
	for _, environment := range a.Environments() {
		if environment.Key == key {
			return environment, nil
		}
	}
	return EnvironmentInfo{}, &failure{Status: fiber.StatusNotFound, Code: "unknown_environment", Message: "no environment is called " + key}
}

type environmentView struct {
	Key         string `json:"key"`
	Partitions  int    `json:"partitions"`
	Destination string `json:"destination"`
	Connections int    `json:"connections"`
	Rules       int    `json:"rules"`
}

func (a *admin) environments(c *fiber.Ctx) error {
	return c.JSON(listView[environmentView]{Items: list(a.Environments(), func(e EnvironmentInfo) environmentView {
		return environmentView{e.Key, e.Partitions, e.Destination, len(e.Connections), a.Rules.Len(e.Key)}
	})})
}

func (a *admin) connections(c *fiber.Ctx) error {
	environment, err := a.environment(c)
	if err != nil {
		return err
	}
	return c.JSON(listView[ConnectionInfo]{Items: list(environment.Connections, func(info ConnectionInfo) ConnectionInfo {
		info.Refused = a.Refusals.Of(environment.Key, info.Source)
		return info
	})})
}

func (a *admin) events(c *fiber.Ctx) error {
	query, err := eventQuery(c)
	if err != nil {
		return err
	}
	page, err := a.Log().Events(c.UserContext(), query)
	if err != nil {
		return err
	}
	return c.JSON(listView[eventView]{list(page.Items, viewEvent), page.Next})
}

func (a *admin) event(c *fiber.Ctx) error {
	environment := c.Params("env")
	record, err := a.Log().Event(c.UserContext(), environment, id(c))
	if err != nil {
		return err
	}
	actions, err := a.Log().ActionsOf(c.UserContext(), environment, record.ActionIDs)
	if err != nil {
		return err
	}
	return c.JSON(viewEventDetail(record, actions))
}

func (a *admin) actions(c *fiber.Ctx) error {
	query, err := actionQuery(c)
	if err != nil {
		return err
	}
	page, err := a.Log().Actions(c.UserContext(), query)
	if err != nil {
		return err
	}
	return c.JSON(listView[actionView]{list(page.Items, viewAction), page.Next})
}

func (a *admin) action(c *fiber.Ctx) error {
	action, err := a.Log().Action(c.UserContext(), c.Params("env"), id(c))
	if err != nil {
		return err
	}
	return c.JSON(viewAction(action))
}

func (a *admin) user(c *fiber.Ctx) error {
	user, err := a.Log().User(c.UserContext(), c.Params("env"), id(c))
	if err != nil {
		return err
	}
	return c.JSON(userView{user.ID, user.Traits, stamp(user.CreatedAt), stamp(user.UpdatedAt)})
}

func (a *admin) deleteUser(c *fiber.Ctx) error {
	if err := a.Log().DeleteUser(c.UserContext(), c.Params("env"), id(c)); err != nil {
		return err
	}
	return c.SendStatus(fiber.StatusNoContent)
}

func (a *admin) names(c *fiber.Ctx) error {
	names, err := a.Log().EventNames(c.UserContext(), c.Params("env"))
	if err != nil {
		return err
	}
	return c.JSON(listView[nameView]{Items: list(names, viewName)})
}

func (a *admin) rules(c *fiber.Ctx) error {
	p := readParameters(c, "limit", "cursor")
	limit := p.limit()
	if p.err != nil {
		return p.err
	}
	rules, more, err := a.Rules.RulesAfter(c.Params("env"), p.text("cursor"), limit)
	if err != nil {
		return err
	}
	page := listView[ruleView]{Items: list(rules, viewRule)}
	if more {
		page.NextCursor = rules[len(rules)-1].Key
	}
	return c.JSON(page)
}

func (a *admin) rule(c *fiber.Ctx) error {
	rule, ok := a.Rules.Rule(c.Params("env"), id(c))
	if !ok {
		return engine.ErrNotFound
	}
	return c.JSON(viewRule(rule))
}

func (a *admin) release(c *fiber.Ctx) error {
	rule, err := a.Release(c.UserContext(), c.Params("env"), id(c))
	if err != nil {
		return err
	}
	return c.JSON(viewRule(rule))
}

// id is the last parameter of the path, unescaped: a user's id may hold any character.
func id(c *fiber.Ctx) string {
	raw := c.Params("id")
	if text, err := url.PathUnescape(raw); err == nil {
		return text
	}
	return raw
}
