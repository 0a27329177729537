// Package webhook is the destination that posts each action to a URL, signed as Standard Webhooks says.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"switchyard/engine"
)

// Settings are where a webhook goes.
type Settings struct {
	// URL is http or https, with a host.
	URL string
	// Secrets are whsec_ and base64, of 24 to 64 bytes. The body is signed with each, so that a receiver that knows any of
	// them accepts it: put a new one first, and take the old one away when every receiver has the new one.
	Secrets []string
	// Headers go with each request. Those of the signature, and those that the transfer needs, can not be set.
	Headers map[string]string
	// Client makes the calls; it should follow no redirects.
	Client *http.Client
	// Now is the clock of the signature; time.Now when nil.
	Now func() time.Time
}

// Destination posts actions.
type Destination struct {
	settings Settings
	keys     [][]byte
}

var _ engine.Destination = (*Destination)(nil)

// reserved are the headers that are the destination's own.
var reserved = []string{
	"Webhook-Id", "Webhook-Timestamp", "Webhook-Signature", "Content-Type", "Content-Length", "Transfer-Encoding", "Host",
	"Connection", "Upgrade", "Te", "Trailer", "Accept-Encoding", "Expect",
}

// New makes the destination. The error says which setting is wrong, and holds no secret.
func New(settings Settings) (*Destination, error) {
	at, err := url.Parse(settings.URL)
	switch {
	case err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https":
		return nil, errors.New("url must be one of http or https, with a host")
	case at.User != nil:
		return nil, errors.New("url must not hold a user or password; use headers")
	case len(settings.Secrets) == 0:
		return nil, errors.New("secret is missing")
	}
	d := &Destination{settings: settings}
	for n, secret := range settings.Secrets {
		key, err := readSecret(secret)
		if err != nil {
			return nil, fmt.Errorf("secret %d %w", n+1, err)
		}
		d.keys = append(d.keys, key)
	}
	for name, value := range settings.Headers {
		if err := checkHeader(name, value); err != nil {
			return nil, err
		}
	}
	if d.settings.Now == nil {
		d.settings.Now = time.Now
	}
	return d, nil
}

// readSecret is the key in a secret. Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
func readSecret(secret string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(secret, "whsec_")
	if !ok {
		return nil, errors.New("must begin with whsec_")
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	switch {
	case err != nil:
		return nil, errors.New("must be whsec_ and base64")
	case len(key) < 24 || len(key) > 64:
		return nil, fmt.Errorf("has %d bytes; 24 to 64 are secure", len(key))
	}
	return key, nil
}

func checkHeader(name, value string) error {
	canonical := http.CanonicalHeaderKey(name)
	for _, own := range reserved {
		if canonical == own {
			return fmt.Errorf("the header %s is the webhook's own", canonical)
		}
	}
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !isTokenRune(r) }) {
		return fmt.Errorf("%q is no name of a header", name)
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return fmt.Errorf("the value of the header %s has a control character", canonical)
	}
	return nil
}

func isTokenRune(r rune) bool {
	return r < utf8.RuneSelf && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r))
}

// message is the body of a request.
type message struct {
	ID          string          `json:"id"`
	Type        string          `json:"type"`
	Environment string          `json:"environment"`
	Rule        string          `json:"rule"`
	EventID     string          `json:"event_id"`
	Payload     json.RawMessage `json:"payload"`
}

// Perform implements engine.Destination: one POST. The body of its result is
//
//	{"status":200,"response":"the beginning of the answer"}
//
// 2xx is done; 408, 409, 425, 429, 5xx and whatever goes wrong on the way may be tried again, and a Retry-After is heeded;
// 410 closes the destination; everything else is final.
func (d *Destination) Perform(ctx context.Context, action *engine.Action) (engine.Result, error) {
	payload := action.Payload()
	if payload == nil {
		return engine.Result{}, engine.Permanent(fmt.Errorf("an action of kind %q has no payload", action.Kind))
	}
	id := action.EffectKey("")
	body, err := json.Marshal(message{id, action.Kind, action.Environment, action.Rule, action.EventID, payload})
	if err != nil {
		return engine.Result{}, engine.Permanent(fmt.Errorf("the payload can not be written: %w", err))
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.settings.URL, bytes.NewReader(body))
	if err != nil {
		return engine.Result{}, engine.Permanent(err)
	}
	for name, value := range d.settings.Headers {
		request.Header.Set(name, value)
	}
	request.Header.Set("Content-Type", "application/json")
	d.sign(request.Header, id, body)
	response, err := d.settings.Client.Do(request)
	if err != nil {
		return engine.Result{}, fmt.Errorf("calling %s: %w", request.URL.Host, withoutURL(err))
	}
	defer response.Body.Close()
	return d.judge(response)
}

// sign sets the three headers. The signature is of the id, the time and the body, and the id is the same at each attempt.
func (d *Destination) sign(header http.Header, id string, body []byte) {
	at := strconv.FormatInt(d.settings.Now().Unix(), 10)
	var signatures []string
	for _, key := range d.keys {
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.", id, at)
		mac.Write(body)
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	header.Set("Webhook-Id", id)
	header.Set("Webhook-Timestamp", at)
	header.Set("Webhook-Signature", strings.Join(signatures, " "))
}

// answer is what is kept of a response.
type answer struct {
	Status   int    `json:"status"`
	Response string `json:"response"`
}

func (d *Destination) judge(response *http.Response) (engine.Result, error) {
	doc, err := json.Marshal(answer{response.StatusCode, d.excerpt(response.Body)})
	if err != nil {
		return engine.Result{}, engine.Permanent(err)
	}
	result := engine.Result{Body: doc}
	failure := fmt.Errorf("the webhook answered %s", response.Status)
	switch code := response.StatusCode; {
	case code/100 == 2:
		return result, nil
	case code == http.StatusGone:
		return result, engine.Closed(failure)
	case code == http.StatusRequestTimeout, code == http.StatusConflict, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500:
		return result, engine.AskedToWait(failure, response.Header.Get("Retry-After"), d.settings.Now())
	case code/100 == 3:
		return result, engine.Permanent(fmt.Errorf("%w, and redirects are not followed: set url to where it is now", failure))
	}
	return result, engine.Permanent(failure)
}

const (
	// excerptBytes of an answer are kept, and readBytes are read so that the connection can be used again.
	excerptBytes = 1 << 10
	readBytes    = 64 << 10
)

// excerpt is the beginning of an answer as text, without what is secret. An answer that breaks off is still one.
func (d *Destination) excerpt(body io.Reader) string {
	read, _ := io.ReadAll(io.LimitReader(body, readBytes))
	text := string(read)
	for _, secret := range d.settings.Secrets {
		text = strings.ReplaceAll(text, secret, "[secret]")
	}
	for _, value := range d.settings.Headers {
		if len(value) >= 8 { // shorter ones are no secrets, and would tear words apart
			text = strings.ReplaceAll(text, value, "[header]")
		}
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) > excerptBytes {
		cut := excerptBytes
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + "…"
	}
	return text
}

// withoutURL is the error inside one of the http client, which spells the URL out.
func withoutURL(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}
