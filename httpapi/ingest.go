package httpapi

import (
	"context"
	"encoding/base64"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/cors"
	"github.com/gofiber/fiber/v2/middleware/recover"

	"switchyard/engine"
)

// IngestOptions are what the ingest door works with.
type IngestOptions struct {
	Doors    *Doors
	Acceptor *engine.Acceptor
	Metrics  *engine.Metrics
	// Refusals are told what is not stored.
	Refusals *Refusals
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
	if options.Refusals == nil {
		options.Refusals = &Refusals{}
	}
	in := &ingest{options}
	app := fiber.New(fiber.Config{
		AppName:               "switchyard",
		BodyLimit:             maxBody,
		StreamRequestBody:     true, // read by wholeBody
		DisableStartupMessage: true,
		// A multipart body would be written to temporary files, whatever its size.
		DisablePreParseMultipartForm: true,
		JSONEncoder:                  plainJSON,
		ErrorHandler:                 errorHandler(options.Logger),
		// A sender that dribbles its body holds a connection for this long and no longer.
		ReadTimeout:  30 * time.Second,
		WriteTimeout: 30 * time.Second,
		IdleTimeout:  2 * time.Minute,
		// A Server header would tell a stranger what to attack.
		ServerHeader: "",
	})
	app.Use(in.observe, recover.New(), wholeBody)
	for _, method := range []string{fiber.MethodHead, fiber.MethodPost, fiber.MethodPut, fiber.MethodPatch} {
		app.Add(method, "/v1/receive/:key", in.receive)
	}
	fromPages := allowPages()
	serve := func(path string, call fiber.Handler) {
		app.Options(path, fromPages)
		app.Post(path, fromPages, call)
	}
	for _, call := range calls {
		for _, path := range []string{"/v1/" + call, "/v1/" + call[:1]} { // analytics.js posts to the first letter
			serve(path, in.call(call, in.segmentKey, func(jitsuReply) any { return callReply{true} }))
		}
		for _, path := range []string{"/api/s/", "/api/s/s2s/"} {
			serve(path+call, in.call(call, in.jitsuKey, func(r jitsuReply) any { return r }))
		}
	}
	return app
}

// allowPages lets SDKs call from web pages, of any origin: a write key in a page is public anyway, and nothing here goes
// by a cookie. Without it a browser hides the answer from an SDK that sent text/plain, which then sends again, and does
// not send JSON at all.
func allowPages() fiber.Handler {
	return cors.New(cors.Config{
		AllowOrigins: "*",
		AllowMethods: "POST,OPTIONS",
		// Beside the usual ones: AnonymousId is RudderStack's, those with an X are Jitsu's.
		AllowHeaders:  "Authorization,Content-Type,AnonymousId,X-Write-Key,X-Enable-Debug,X-IP-Policy",
		ExposeHeaders: fiber.HeaderRetryAfter,
		MaxAge:        int((24 * time.Hour).Seconds()),
	})
}

type ingest struct{ IngestOptions }

// observe times every request and counts the refused ones, by the connection that they reached.
func (in *ingest) observe(c *fiber.Ctx) error {
	started := time.Now()
	err := c.Next()
	if err != nil {
		door, _ := c.Locals(localDoor).(*Door)
		in.reject(door, err)
	}
	in.Metrics.Ingest.Observe(time.Since(started).Seconds())
	return err
}

const localDoor = "door"

// find is the door of a write key, remembered for observe.
func (in *ingest) find(c *fiber.Ctx, writeKey string) (*Door, error) {
	door := in.Doors.find(writeKey)
	if door == nil {
		return nil, unknownKey
	}
	c.Locals(localDoor, door)
	return door, nil
}

func (in *ingest) reject(door *Door, err error) {
	var key connectionKey
	if door != nil {
		key = connectionKey{door.Connection.Environment, door.Connection.Source}
	}
	why := failureOf(err)
	in.Metrics.EventsRejected.WithLabelValues(key.environment, key.source, why.Code).Inc()
	level, message := slog.LevelDebug, "request refused"
	if in.Refusals.note(key, why, in.Now()) {
		// The code only: a message may quote what was sent.
		level, message = slog.LevelWarn, "requests are refused; the API shows the last one of each connection"
	}
	in.Logger.Log(context.Background(), level, message, "environment", key.environment, "source", key.source, "reason", why.Code)
}

var (
	unknownKey = &engine.Unauthorized{Code: "unknown_write_key", Message: "no connection has this write key"}
	noWriteKey = &engine.Unauthorized{Code: "missing_write_key",
		Message: "the write key is missing: send it as the user name of Basic authentication, as writeKey in the body, or, to /api/s, as X-Write-Key"}
)

// receive is every vendor's webhook. A HEAD or an empty body is a probe: the vendor asks whether anybody is here.
func (in *ingest) receive(c *fiber.Ctx) error {
	key, err := url.PathUnescape(c.Params("key"))
	if err != nil {
		return unknownKey
	}
	door, err := in.find(c, key)
	if err != nil {
		return err
	}
	body, err := bodyOf(c)
	if err != nil {
		return err
	}
	if c.Method() == fiber.MethodHead || len(body) == 0 {
		return c.JSON(receiveReply{Success: true})
	}
	batch, receipt, err := in.accept(c, door, body, door.Receive)
	if err != nil {
		return err
	}
	if batch.Answer != nil {
		return c.JSON(batch.Answer())
	}
	return c.JSON(receiveReply{true, receipt.Accepted, receipt.Duplicates, receipt.Invalid})
}

type receiveReply struct {
	Success    bool `json:"success"`
	Accepted   int  `json:"accepted"`
	Duplicates int  `json:"duplicates"`
	Invalid    int  `json:"invalid"`
}

// calls are those of Segment-compatible SDKs, each a path: a type of message, or a batch of them.
var calls = []string{"track", "identify", "page", "screen", "group", "alias", "batch"}

// callReply is what Segment's API answers, jitsuReply what Jitsu's does.
type callReply struct {
	Success bool `json:"success"`
}

type jitsuReply struct {
	OK             bool     `json:"ok"`
	ReceivedEvents int      `json:"receivedEvents"`
	OKEvents       int      `json:"okEvents"`
	Errors         []string `json:"errors"`
}

// call is one call of an SDK: keyOf is where it puts the write key, and reply what it wants to hear.
func (in *ingest) call(name string, keyOf func(*fiber.Ctx, []byte) string, reply func(jitsuReply) any) fiber.Handler {
	return func(c *fiber.Ctx) error {
		body, err := bodyOf(c)
		if err != nil {
			return err
		}
		key := keyOf(c, body)
		if key == "" {
			return noWriteKey
		}
		door, err := in.find(c, key)
		if err != nil {
			return err
		}
		batch, receipt, err := in.accept(c, door, body, func(request *engine.Request, now time.Time) (engine.Batch, error) {
			return door.ReceiveCall(name, request, now)
		})
		if err != nil {
			return err
		}
		return c.JSON(reply(jitsuReply{true, len(batch.Events), len(batch.Events) - receipt.Invalid, reasons(batch.Events)}))
	}
}

// reasons say what is wrong with the invalid ones of a batch, the first few of them.
func reasons(events []*engine.Event) []string {
	const most = 20
	list := []string{}
	for _, event := range events {
		if event.Invalid != "" && len(list) < most {
			list = append(list, event.Invalid)
		}
	}
	return list
}

// segmentKey is the user name of Basic authentication, or writeKey in the body.
func (in *ingest) segmentKey(c *fiber.Ctx, body []byte) string {
	if key := basicUser(c); key != "" {
		return key
	}
	return in.WriteKeyOf(body)
}

// jitsuKey is the header that Jitsu's SDK sends, or what Segment's would send.
func (in *ingest) jitsuKey(c *fiber.Ctx, body []byte) string {
	if key := c.Get("X-Write-Key"); key != "" {
		return key
	}
	return in.segmentKey(c, body)
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
// that came alone is refused, unless it is to be kept.
func (in *ingest) accept(c *fiber.Ctx, door *Door, body []byte, receive func(*engine.Request, time.Time) (engine.Batch, error)) (engine.Batch, engine.Receipt, error) {
	now := in.Now()
	batch, err := receive(requestOf(c, body), now)
	if err != nil {
		return batch, engine.Receipt{}, err
	}
	if batch.Single && !batch.Keep && len(batch.Events) == 1 && batch.Events[0].Invalid != "" {
		return batch, engine.Receipt{}, &engine.BadRequest{Code: "invalid_event", Message: batch.Events[0].Invalid}
	}
	receipt, err := in.Acceptor.Accept(c.UserContext(), door.Log, door.Connection, batch.Events, now)
	if batch.Answer != nil && receipt != (engine.Receipt{}) {
		err = nil // the answer tells the vendor which rows to send again
	}
	return batch, receipt, err
}

// requestOf lends the request to an adapter. Headers and parameters are copies, for Fiber reuses its memory and a
// message id may be kept; the body is lent.
func requestOf(c *fiber.Ctx, body []byte) *engine.Request {
	return &engine.Request{
		Method: c.Method(),
		Body:   body,
		Header: func(name string) string { return string(c.Request().Header.Peek(name)) },
		Headers: func() map[string]string {
			headers := map[string]string{}
			c.Request().Header.VisitAll(func(name, value []byte) {
				if name := strings.ToLower(string(name)); headers[name] == "" {
					headers[name] = string(value)
				}
			})
			return headers
		},
		Query: func(name string) string { return string(c.Request().URI().QueryArgs().Peek(name)) },
	}
}
