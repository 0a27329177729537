package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"switchyard/adapters"
)

// client calls the management API of a server.
type client struct{ base, token string }

// clientFlags are the flags of a command that calls a server: --server and --token.
func clientFlags(flags *flag.FlagSet) *client {
	c := &client{}
	flags.StringVar(&c.base, "server", "", "the `URL` of a server's management API, such as http://127.0.0.1:8081")
	flags.StringVar(&c.token, "token", os.Getenv("SWITCHYARD_TOKEN"), "a `token` of the management API (or SWITCHYARD_TOKEN, which other users of this machine can not see)")
	return c
}

// eventRecord and actionRecord are as much of the API's answers as is read here.
type eventRecord struct {
	ID      string         `json:"id"`
	Type    string         `json:"type"`
	Name    string         `json:"name"`
	Outcome string         `json:"outcome"`
	Reason  string         `json:"reason"`
	Actions []actionRecord `json:"actions"`
}

type actionRecord struct {
	actionSummary
	ID       string `json:"id"`
	Attempts []any  `json:"attempts"`
}

func (c client) get(ctx context.Context, path string, into any) error {
	return c.call(ctx, http.MethodGet, path, into)
}

// What a server may take: it need not be one of ours.
const (
	callTime      = time.Minute
	longestAnswer = 64 << 20
)

// call makes a request without a body, and reads the answer into what is not nil. An answer that is no success is an
// error with the server's own sentence.
func (c client) call(ctx context.Context, method, path string, into any) error {
	return c.send(ctx, method, path, nil, into)
}

// send is call with a body of JSON; nil is none.
func (c client) send(ctx context.Context, method, path string, body []byte, into any) error {
	if base, err := url.Parse(c.base); err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return usageError{fmt.Errorf("--server must be a URL such as http://127.0.0.1:8081, not %q", c.base)}
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.base, "/")+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("the server %s does not answer: %w", c.base, withoutURL(err))
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, longestAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("%s %s: the answer broke off: %w", method, path, err)
	case len(answer) > longestAnswer:
		return fmt.Errorf("%s %s: the answer is longer than %d MB", method, path, longestAnswer>>20)
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, refusal(response.StatusCode, answer))
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("%s %s: %s does not answer as a management API does; is it the admin_listen of a server? %w", method, path, c.base, err)
	}
	return nil
}

// refusal is the sentence of an answer that is no success.
func refusal(status int, body []byte) string {
	var answer struct {
		Error struct{ Message string } `json:"error"`
	}
	switch {
	case status == http.StatusUnauthorized:
		return "it wants a token of its admin.tokens, by --token or SWITCHYARD_TOKEN"
	case json.Unmarshal(body, &answer) == nil && answer.Error.Message != "":
		return answer.Error.Message
	}
	const shown = 500
	return strings.ToValidUTF8(string(bytes.TrimSpace(body[:min(len(body), shown)])), "")
}

// settled waits until the newest event with a message id is decided and its actions have ended.
func (c client) settled(ctx context.Context, environment, messageID string) (eventRecord, error) {
	list := "/api/v1/environments/" + environment + "/events"
	for {
		var page struct {
			Items []eventRecord `json:"items"`
		}
		if err := c.get(ctx, list+"?limit=1&message_id="+url.QueryEscape(messageID), &page); err != nil {
			return eventRecord{}, err
		}
		if len(page.Items) == 1 {
			var record eventRecord
			if err := c.get(ctx, list+"/"+page.Items[0].ID, &record); err != nil {
				return eventRecord{}, err
			}
			if record.ended() {
				return record, nil
			}
		}
		select {
		case <-ctx.Done():
			return eventRecord{}, fmt.Errorf("message %s was not decided and done in time: %w", messageID, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (r eventRecord) ended() bool {
	for _, action := range r.Actions {
		if action.Status == "waiting" || action.Status == "retrying" {
			return false
		}
	}
	return r.Outcome != "pending"
}

// post sends a message to the ingest door and returns the answer's body; a status other than 2xx is an error.
func post(ctx context.Context, to string, message *adapters.Message) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, message.Method, to, bytes.NewReader(message.Body))
	if err != nil {
		return nil, withoutURL(err)
	}
	for name, values := range message.Header {
		request.Header[name] = values
	}
	if len(message.Query) > 0 {
		query := request.URL.Query()
		for name, values := range message.Query {
			query[name] = values
		}
		request.URL.RawQuery = query.Encode()
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, withoutURL(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if response.StatusCode/100 != 2 {
		return body, fmt.Errorf("the server answered %s: %s", response.Status, strings.TrimSpace(string(body)))
	}
	return body, nil
}

// withoutURL drops the address from an error of net/http: it holds the write key.
func withoutURL(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}
