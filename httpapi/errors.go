// Package httpapi is the HTTP side of Switchyard: the ingest door for senders, and the management API, metrics and
// health for people and programs.
package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"switchyard/engine"
)

// failure is an answer that is not a success: a status, a code that never changes for programs, a sentence for people.
type failure struct {
	Status     int
	Code       string
	Message    string
	RetryAfter int // seconds; 0 for none
}

func (f *failure) Error() string { return f.Message }

// failureOf is the one table from an error to its answer. What it does not know is ours: 500, and on the log.
//
// Senders misread some statuses: Segment's SDK takes 3xx for success, RudderStack's recurses on 451, and 410 and 501
// stop or lose events. None of them is ever sent.
func failureOf(err error) *failure {
	var (
		known        *failure
		badRequest   *engine.BadRequest
		unauthorized *engine.Unauthorized
		throttled    *engine.Throttled
		oversized    *engine.TooLarge
		fiberError   *fiber.Error
	)
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &badRequest):
		return &failure{Status: fiber.StatusBadRequest, Code: badRequest.Code, Message: badRequest.Message}
	case errors.As(err, &unauthorized):
		return &failure{Status: fiber.StatusUnauthorized, Code: unauthorized.Code, Message: unauthorized.Message}
	case errors.As(err, &throttled):
		return &failure{Status: fiber.StatusTooManyRequests, Code: "rate_limited", Message: throttled.Error(),
			RetryAfter: throttled.Seconds()}
	case errors.As(err, &oversized):
		return &failure{Status: fiber.StatusRequestEntityTooLarge, Code: "too_large", Message: oversized.Error()}
	case errors.Is(err, engine.ErrUnavailable):
		return &failure{Status: fiber.StatusServiceUnavailable, Code: "unavailable",
			Message: "the event log is unavailable; send this again", RetryAfter: 5}
	case errors.Is(err, engine.ErrNotFound):
		return &failure{Status: fiber.StatusNotFound, Code: "not_found", Message: "there is no such thing here"}
	case errors.Is(err, engine.ErrBadCursor):
		return &failure{Status: fiber.StatusBadRequest, Code: "bad_cursor", Message: err.Error()}
	case errors.Is(err, engine.ErrNotDead):
		return &failure{Status: fiber.StatusConflict, Code: "not_dead", Message: err.Error()}
	case errors.Is(err, engine.ErrNotEnded):
		return &failure{Status: fiber.StatusConflict, Code: "not_ended", Message: err.Error()}
	case errors.Is(err, engine.ErrNoPayload):
		return &failure{Status: fiber.StatusConflict, Code: "no_payload", Message: err.Error()}
	case errors.Is(err, engine.ErrNonceUsed):
		return &failure{Status: fiber.StatusConflict, Code: "nonce_used", Message: err.Error()}
	case errors.Is(err, engine.ErrNotQuarantined):
		return &failure{Status: fiber.StatusConflict, Code: "not_quarantined", Message: err.Error()}
	case errors.As(err, &fiberError):
		return fiberFailure(fiberError)
	}
	return &failure{Status: fiber.StatusInternalServerError, Code: "internal", Message: "an internal error; the server's log says more"}
}

func fiberFailure(err *fiber.Error) *failure {
	switch err.Code {
	case fiber.StatusRequestEntityTooLarge:
		return tooLarge
	case fiber.StatusNotFound:
		return &failure{Status: err.Code, Code: "no_route", Message: "there is no such path here"}
	case fiber.StatusMethodNotAllowed:
		return &failure{Status: err.Code, Code: "method_not_allowed", Message: "this path does not take that method"}
	}
	// The library's own message may quote the request, with its credentials.
	return &failure{Status: fiber.StatusBadRequest, Code: "bad_request", Message: "the request is not HTTP that can be understood"}
}

// plainJSON is JSON as people read it: rules are full of && and <, which encoding/json escapes for HTML by default.
func plainJSON(value any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

type errorBody struct {
	Error errorDetail `json:"error"`
}

type errorDetail struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// errorHandler answers every error of an app, and logs those that are ours.
func errorHandler(logger *slog.Logger) fiber.ErrorHandler {
	return func(c *fiber.Ctx, err error) error {
		answer := failureOf(err)
		if answer.Status == fiber.StatusInternalServerError {
			logger.Error("a request failed", "method", c.Method(), "route", c.Route().Path, "error", err)
		}
		if answer.RetryAfter > 0 {
			c.Set(fiber.HeaderRetryAfter, strconv.Itoa(answer.RetryAfter))
		}
		return c.Status(answer.Status).JSON(errorBody{errorDetail{answer.Code, answer.Message}})
	}
}
