package httpapi

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"sync"

	"github.com/gofiber/fiber/v2"
)

const (
	// maxBody bounds a request as sent, MaxBody after gunzip.
	maxBody = 4 << 20
	MaxBody = 16 << 20
	// maxRatio bounds how far a body may inflate, once it is past ratioFree: JSON gives 5 to 30, a bomb 1,000.
	maxRatio  = 100
	ratioFree = 1 << 20
)

var (
	tooLarge = &failure{Status: fiber.StatusRequestEntityTooLarge, Code: "too_large",
		Message: "the body is larger than 4 MiB, or than 16 MiB after decompression"}
	badGzip = &failure{Status: fiber.StatusBadRequest, Code: "bad_gzip", Message: "the body is not valid gzip"}
)

// maxDrain is how much of a body that is too large is read and thrown away: a sender that is still writing when the
// connection closes sees a reset instead of the 413.
const maxDrain = 64 << 20

var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// wholeBody reads the body before anything else looks at the request. Fiber would do so by itself, but answers one that
// is too large by closing the connection, and what is left of a stream would be taken for the next request.
func wholeBody(c *fiber.Ctx) error {
	stream := c.Request().BodyStream()
	if stream == nil {
		return c.Next()
	}
	body := bodies.Get().(*bytes.Buffer)
	defer bodies.Put(body)
	body.Reset()
	n, err := io.Copy(body, io.LimitReader(stream, maxBody+1))
	if n > maxBody {
		_, _ = io.CopyN(io.Discard, stream, maxDrain) // whether it ends or not, the answer is the same
		c.Context().SetConnectionClose()
	}
	c.Request().SetBodyRaw(body.Bytes())
	switch {
	case n > maxBody:
		return tooLarge
	case err != nil:
		c.Context().SetConnectionClose()
		return &failure{Status: fiber.StatusBadRequest, Code: "incomplete_body", Message: "the body ended early"}
	}
	return c.Next()
}

// bodyOf is the request's body after decompression. Gzip is recognised by its first bytes, because some SDKs send it
// without saying so; any other content encoding is refused, with 400, for senders give up on 415.
//
// The result is lent: it is Fiber's memory, valid until the handler returns.
func bodyOf(c *fiber.Ctx) ([]byte, error) {
	raw := c.Request().Body() // not c.Body(), which inflates without a bound
	if len(raw) >= 2 && raw[0] == 0x1f && raw[1] == 0x8b {
		return gunzip(raw)
	}
	switch encoding := c.Get(fiber.HeaderContentEncoding); encoding {
	case "", "identity":
		return raw, nil
	case "gzip", "x-gzip":
		if len(raw) == 0 {
			return raw, nil
		}
		return nil, badGzip
	default:
		return nil, &failure{Status: fiber.StatusBadRequest, Code: "unknown_encoding", Message: "the content encoding must be gzip or none"}
	}
}

// An inflater costs 40 KB to make, so they are kept.
var inflaters = sync.Pool{New: func() any { return new(gzip.Reader) }}

func gunzip(raw []byte) ([]byte, error) {
	inflater := inflaters.Get().(*gzip.Reader)
	defer inflaters.Put(inflater)
	if err := inflater.Reset(bytes.NewReader(raw)); err != nil {
		return nil, badGzip
	}
	limit := min(MaxBody, max(ratioFree, len(raw)*maxRatio))
	var body bytes.Buffer
	switch n, err := io.Copy(&body, io.LimitReader(inflater, int64(limit)+1)); {
	case n > int64(limit):
		return nil, tooLarge
	case errors.Is(err, io.ErrUnexpectedEOF), err != nil:
		return nil, badGzip
	}
	return body.Bytes(), nil
}
