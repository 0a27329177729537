package httpapi

import (
	"encoding/base64"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/recover"

	"switchyard/engine"
)

// IngestOptions are what the ingest door works with.
type IngestOptions struct {
	Doors    *Doors
	Acceptor *engine.Acceptor
	Metrics  *engine.Metrics
	Logger   *slog.Logger
	// WriteKeyOf reads the write key that an SDK put into its body; "" for none.
	WriteKeyOf func(body []byte) string
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// NewIngest makes the public app, where senders post.
func NewIngest(options IngestOptions) *fiber.App {
	if options.Now == nil {
		options.Now = time.Now
	}
	in := &ingest{options}
	app := fiber.New(fiber.Config{
		AppName:               "switchyard",
		BodyLimit:             maxBody,
		DisableStartupMessage: true,
		ErrorHandler:          errorHandler(options.Logger),
		// A sender that dribbles its body holds a connection for this long and no longer.
		ReadTimeout:  30 * time.Second,
		WriteTimeout: 30 * time.Second,
		IdleTimeout:  2 * time.Minute,
		// A Server header would tell a stranger what to attack.
		ServerHeader: "",
	})
	app.Use(recover.New())
	app.Head("/v1/receive/:key", in.timed(in.receive))
	app.Add(fiber.MethodPost, "/v1/receive/:key", in.timed(in.receive))
	app.Add(fiber.MethodPut, "/v1/receive/:key", in.timed(in.receive))
	app.Add(fiber.MethodPatch, "/v1/receive/:key", in.timed(in.receive))
	for _, call := range []string{"track", "identify", "page", "screen", "group", "alias", "batch"} {
		app.Post("/v1/"+call, in.timed(in.call(call)))
	}
	return app
}

type ingest struct{ IngestOptions }

// timed observes the time to the answer, and counts requests that were refused.
func (in *ingest) timed(handler func(*fiber.Ctx) (*Door, error)) fiber.Handler {
	return func(c *fiber.Ctx) error {
		started := time.Now()
		door, err := handler(c)
		if err != nil {
			in.reject(door, err)
		}
		in.Metrics.Ingest.Observe(time.Since(started).Seconds())
		return err
	}
}

func (in *ingest) reject(door *Door, err error) {
	environment, source := "", ""
	if door != nil {
		environment, source = door.Connection.Environment, door.Connection.Source
	}
	reason := failureOf(err).Code
	in.Metrics.EventsRejected.WithLabelValues(environment, source, reason).Inc()
	in.Logger.Debug("request refused", "environment", environment, "source", source, "reason", reason, "error", err)
}

var (
	unknownKey = &engine.Unauthorized{Code: "unknown_write_key", Message: "no connection has this write key"}
	noWriteKey = &engine.Unauthorized{Code: "missing_write_key",
		Message: "the write key is missing: send it as the user name of Basic authentication, or as writeKey in the body"}
)

// receive is every vendor's webhook. A HEAD or an empty body is a probe: the vendor asks whether anybody is here.
func (in *ingest) receive(c *fiber.Ctx) (*Door, error) {
	key, err := url.PathUnescape(c.Params("key"))
	if err != nil {
		return nil, unknownKey
	}
	door := in.Doors.find(key)
	if door == nil {
		return nil, unknownKey
	}
	body, err := bodyOf(c)
	if err != nil {
		return door, err
	}
	if c.Method() == fiber.MethodHead || len(body) == 0 {
		return door, c.JSON(receiveReply{Success: true})
	}
	receipt, err := in.accept(c, door, body, door.Receive)
	if err != nil {
		return door, err
	}
	return door, c.JSON(receiveReply{true, receipt.Accepted, receipt.Duplicates, receipt.Invalid})
}

type receiveReply struct {
	Success    bool `json:"success"`
	Accepted   int  `json:"accepted"`
	Duplicates int  `json:"duplicates"`
	Invalid    int  `json:"invalid"`
}

type callReply struct {
	Success bool `json:"success"`
}

// call is one call of a Segment-compatible SDK.
func (in *ingest) call(name string) func(*fiber.Ctx) (*Door, error) {
	return func(c *fiber.Ctx) (*Door, error) {
		body, err := bodyOf(c)
		if err != nil {
			return nil, err
		}
		key := basicUser(c)
		if key == "" {
			key = in.WriteKeyOf(body)
		}
		if key == "" {
			return nil, noWriteKey
		}
		door := in.Doors.find(key)
		if door == nil {
			return nil, unknownKey
		}
		_, err = in.accept(c, door, body, func(request *engine.Request, now time.Time) (engine.Batch, error) {
			return door.ReceiveCall(name, request, now)
		})
		if err != nil {
			return door, err
		}
		return door, c.JSON(callReply{true})
	}
}

// basicUser is the user name of Basic authentication; SDKs leave the password empty.
func basicUser(c *fiber.Ctx) string {
	scheme, encoded, _ := strings.Cut(c.Get(fiber.HeaderAuthorization), " ")
	if !strings.EqualFold(scheme, "Basic") {
		return ""
	}
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return ""
	}
	user, _, _ := strings.Cut(string(decoded), ":")
	return user
}

// accept verifies, decodes and stores. One bad event in a list is stored as invalid and does not fail the others; one
// that came alone is refused.
func (in *ingest) accept(c *fiber.Ctx, door *Door, body []byte, receive func(*engine.Request, time.Time) (engine.Batch, error)) (engine.Receipt, error) {
	now := in.Now()
	batch, err := receive(requestOf(c, body), now)
	if err != nil {
		return engine.Receipt{}, err
	}
	if batch.Single && len(batch.Events) == 1 && batch.Events[0].Invalid != "" {
		return engine.Receipt{}, &engine.BadRequest{Code: "invalid_event", Message: batch.Events[0].Invalid}
	}
	return in.Acceptor.Accept(c.UserContext(), door.Log, door.Connection, batch.Events, now)
}

// requestOf lends the request to an adapter. Headers and parameters are copies, for Fiber reuses its memory and a
// message id may be kept; the body is lent.
func requestOf(c *fiber.Ctx, body []byte) *engine.Request {
	return &engine.Request{
		Method: c.Method(),
		Body:   body,
		Header: func(name string) string { return string(c.Request().Header.Peek(name)) },
		Query:  func(name string) string { return string(c.Request().URI().QueryArgs().Peek(name)) },
	}
}
