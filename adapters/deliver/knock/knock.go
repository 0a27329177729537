// Package knock is the destination that identifies users and triggers workflows at Knock (https://knock.app). It keeps
// below the limits that Knock publishes, folds bursts of identifies into bulk ones, and sends each trigger under a key
// that is the same at every attempt.
package knock

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"switchyard/engine"
)

// DefaultBaseURL is where Knock is.
const DefaultBaseURL = "https://api.knock.app"

// patience is how long an action waits for its turn before it is postponed.
const patience = 2 * time.Second

// Settings are how Knock is reached.
type Settings struct {
	// APIKey is the secret key of one environment there.
	APIKey string
	// BaseURL is http or https, with a host; DefaultBaseURL when "".
	BaseURL string
	// Client makes the calls; it should follow no redirects. It needs no time-out: the context of an action bounds its calls.
	Client *http.Client
	// Share is how many processes use the limits of this environment now; each keeps to its part. Nil for this one alone.
	Share func() int
	// Now and After are the clock; time.Now and time.After when nil.
	Now   func() time.Time
	After func(time.Duration) <-chan time.Time
}

// Destination performs actions at Knock. Its pacing is its own: make one for each environment and keep it over reloads.
type Destination struct {
	client   *client
	folder   *folder
	watches  watches
	triggers *gate
	lookups  *gate
}

var _ engine.Destination = (*Destination)(nil)

// New makes the destination. The error says which setting is wrong, and holds no secret.
func New(settings Settings) (*Destination, error) {
	if settings.BaseURL == "" {
		settings.BaseURL = DefaultBaseURL
	}
	base, err := readBaseURL(settings.BaseURL)
	switch {
	case err != nil:
		return nil, err
	case settings.APIKey == "":
		return nil, errors.New("api_key is missing")
	case strings.ContainsFunc(settings.APIKey, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, errors.New("api_key has a space or another character that no key has")
	case settings.Client == nil:
		return nil, errors.New("the client is missing")
	}
	if settings.Share == nil {
		settings.Share = func() int { return 1 }
	}
	clock := clock{settings.Now, settings.After}
	if clock.Now == nil {
		clock.Now = time.Now
	}
	if clock.After == nil {
		clock.After = time.After
	}
	d := &Destination{
		watches:  watches{list: map[string]*watch{}},
		client:   &client{http: settings.Client, base: base, key: settings.APIKey, clock: clock},
		triggers: newGate("triggers", triggerLimit, settings.Share),
		lookups:  newGate("bulk operation look-ups", lookLimit, settings.Share),
	}
	bulk := newGate("bulk identifies", bulkLimit, settings.Share)
	bulk.rare = true
	d.folder = newFolder(d, newGate("identifies", identifyLimit, settings.Share), bulk)
	return d, nil
}

func readBaseURL(text string) (*url.URL, error) {
	base, err := url.Parse(text)
	switch {
	case err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https":
		return nil, errors.New("base_url must be one of http or https, with a host")
	case base.User != nil:
		return nil, errors.New("base_url must not hold a user or password")
	case base.RawQuery != "" || base.Fragment != "" || base.ForceQuery:
		return nil, errors.New("base_url must end with its path")
	}
	return base, nil
}

// Perform implements engine.Destination. The bodies of its results are
//
//	{"user_id":"sam10"}                                    one call
//	{"user_id":"sam10","bulk_operation":"…"}               part of a bulk identify, which is completed
//	{"workflow_run_id":"…","replayed":false}               replayed: an earlier call with this key had started it
//	[{"part":1,"recipients":1000,"workflow_run_id":"…","replayed":false,"key":"sy_…"}, …]
//
// the last for a trigger with more recipients than Knock takes at once. An error may come with a result: what was done
// before it, from which the next attempt goes on. An action that finds the rate used up is engine.Postponed.
func (d *Destination) Perform(ctx context.Context, action *engine.Action) (engine.Result, error) {
	switch {
	case action.Identify != nil:
		return d.identify(ctx, action)
	case action.Trigger != nil:
		return d.trigger(ctx, action)
	}
	return engine.Result{}, engine.Permanent(fmt.Errorf("an action of kind %q has no payload", action.Kind))
}

// body is a result of one JSON value.
func body(value any) engine.Result {
	doc, err := json.Marshal(value)
	if err != nil {
		return engine.Result{} // results hold only strings, numbers and truth values
	}
	return engine.Result{Body: doc}
}
