package knock

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"switchyard/engine"
)

// answerBytes bounds what is read of an answer. The largest that matters is a bulk operation with 1,000 failed users.
const answerBytes = 2 << 20

// call is one request of the API.
type call struct {
	method string
	// path are its segments, not escaped.
	path []string
	body []byte
	// key is the Idempotency-Key; "" for none.
	key string
	// gate is told how the call went.
	gate *gate
}

// answer is that of a call that succeeded.
type answer struct {
	body []byte
	// replayed is that the effect was there already, by an earlier call with the same key.
	replayed bool
}

// client makes calls.
type client struct {
	http *http.Client
	base *url.URL
	key  string
	clock
}

// do makes a call and judges it. 429, 5xx and what goes wrong on the way may be tried again, and a Retry-After is heeded;
// every other status but 2xx is final. The error holds no secret.
func (c *client) do(ctx context.Context, call call) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, call.method, c.base.String(), bytes.NewReader(call.body))
	if err != nil {
		return answer{}, engine.Permanent(err)
	}
	request.URL = c.at(call.path)
	request.Header.Set("Authorization", "Bearer "+c.key)
	request.Header.Set("Accept", "application/json")
	if call.body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if call.key != "" {
		request.Header.Set("Idempotency-Key", call.key)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return answer{}, fmt.Errorf("calling %s: %w", c.base.Host, withoutURL(err))
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, answerBytes))
	if err := c.judge(response, body, call.gate); err != nil {
		return answer{}, err
	}
	if err != nil {
		return answer{}, fmt.Errorf("reading the answer of %s: %w", c.base.Host, err)
	}
	return answer{body, response.Header.Get("Idempotent-Replayed") == "true"}, nil
}

// judge turns a status into an error, nil for success, and tells the gate.
func (c *client) judge(response *http.Response, body []byte, gate *gate) error {
	status := response.StatusCode
	if status/100 == 2 {
		return nil
	}
	var err error = parseFailure(status, []byte(c.redact(body)))
	if status != http.StatusTooManyRequests && status < 500 {
		if status/100 == 3 {
			err = fmt.Errorf("%w, and redirects are not followed: set base_url to where it is now", err)
		}
		return engine.Permanent(err)
	}
	err = engine.AskedToWait(err, response.Header.Get("Retry-After"), c.Now())
	wait, asked := engine.AskedWait(err)
	switch {
	case status == http.StatusTooManyRequests:
		gate.limited(c.Now(), wait)
	case asked:
		gate.close(c.Now(), wait)
	}
	return err
}

// redact is an answer without what is secret.
func (c *client) redact(body []byte) string {
	return string(bytes.ReplaceAll(body, []byte(c.key), []byte("[api_key]")))
}

// at is the URL of a path. Each segment stays one, whatever is in it.
func (c *client) at(segments []string) *url.URL {
	at := *c.base
	path, raw := strings.TrimSuffix(at.Path, "/"), strings.TrimSuffix(at.EscapedPath(), "/")
	for _, segment := range segments {
		path += "/" + segment
		raw += "/" + escape(segment)
	}
	at.Path, at.RawPath = path, raw
	return &at
}

// escape makes one segment of a path. Dots alone would be a step upwards (RFC 3986, 5.2.4), so they are escaped too.
func escape(segment string) string {
	if strings.Trim(segment, ".") == "" {
		return strings.ReplaceAll(segment, ".", "%2E")
	}
	return url.PathEscape(segment)
}

// statusOf is the status of a call that Knock refused; 0 when it did not answer.
func statusOf(err error) int {
	var f *failure
	if errors.As(err, &f) {
		return f.Status
	}
	return 0
}

// withoutURL is the error inside one of the http client, which spells the URL out.
func withoutURL(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// clock is the time, and a way to wait for it.
type clock struct {
	Now   func() time.Time
	After func(time.Duration) <-chan time.Time
}

// sleep waits, or less when ctx ends.
func (c clock) sleep(ctx context.Context, wait time.Duration) error {
	select {
	case <-c.After(wait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
