package main

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"switchyard/adapters/deliver/dial"
	"switchyard/engine"
	"switchyard/rules/document"
)

// destinationConfig is where the actions of an environment go.
type destinationConfig struct {
	Kind        destinationKind `yaml:"kind" doc:"directory (the default): the built-in users and workflow runs. knock: users and workflows at Knock. webhook: each action is posted to a URL."`
	DryRun      bool            `yaml:"dry_run" doc:"Nothing is sent: every action is skipped, and the log shows what would have been sent."`
	Concurrency int             `yaml:"concurrency" doc:"The most calls at once. Default 16; 4096 of knock, where most wait for their turn."`
	Rate        float64         `yaml:"rate" doc:"The most calls a second, by all processes together. No bound by default."`
	Timeout     time.Duration   `yaml:"timeout" doc:"For one attempt. Default 10s; 45s of knock, where a bulk of users takes its time."`
	Retry       retryConfig     `yaml:"retry" doc:"When a failed action is tried again."`
	Breaker     breakerConfig   `yaml:"breaker" doc:"When a destination that fails is left alone for a while. Not for the directory, whose store is that of the actions."`
	Order       string          `yaml:"order" enum:"strict,relaxed" doc:"strict (the default): the actions of one user are done one after the other, and wait while one of them is tried again. relaxed: none waits for another, and their order is not kept."`
	Lane        laneConfig      `yaml:"lane" doc:"How far an action that is tried again may hold up the later ones of its user."`

	URL       document.Text            `yaml:"url" doc:"webhook: where each action is posted."`
	Secret    document.Text            `yaml:"secret" doc:"webhook: signs each request as Standard Webhooks says: whsec_ and base64."`
	OldSecret document.Text            `yaml:"old_secret" doc:"webhook: signs too, while receivers change over to secret."`
	Headers   map[string]document.Text `yaml:"headers" doc:"webhook: sent with each request."`

	APIKey  document.Text `yaml:"api_key" doc:"knock: the secret key of one environment there."`
	BaseURL document.Text `yaml:"base_url" doc:"knock: where it is. Default https://api.knock.app."`

	Connect      time.Duration   `yaml:"connect_timeout" doc:"For a connection, TLS included. Default 5s."`
	Proxy        document.Text   `yaml:"proxy" doc:"The URL of a proxy for all calls. Those of the process environment are not heeded."`
	AllowPrivate bool            `yaml:"allow_private" doc:"Allows targets on loopback, private and link-local addresses."`
	Allow        []document.Text `yaml:"allow" doc:"Networks such as 10.1.0.0/16 whose addresses are allowed although they are private."`
	Place        document.Place
}

// breakerConfig is when a destination is left alone.
type breakerConfig struct {
	Failures int           `yaml:"failures" doc:"After so many failures in a row it is left alone; one call then tries it. Default 20; -1 for never."`
	Open     time.Duration `yaml:"open" doc:"For how long. Default 15s."`
	Place    document.Place
}

// laneConfig bounds what waits behind a failing action.
type laneConfig struct {
	Waiting int           `yaml:"waiting" doc:"The most actions that may wait behind it. When more do, it ends dead, to be run again by hand, and they go on. Default 1000."`
	Age     time.Duration `yaml:"age" doc:"The longest time since its first attempt for which it may hold up others; then it ends dead, as above. Default 24h."`
	Place   document.Place
}

type retryConfig struct {
	Attempts int           `yaml:"attempts" doc:"The most attempts before an action is dead. Default 13, in about an hour."`
	MaxAge   time.Duration `yaml:"max_age" doc:"The longest time after the first attempt in which another may start. Default 24h."`
	Min      time.Duration `yaml:"min" doc:"The first wait, and the shortest; it doubles. Default 1s."`
	Max      time.Duration `yaml:"max" doc:"The longest wait, also when the destination asks for a longer one. Default 15m."`
}

// The orders of a destination.
const (
	orderStrict  = "strict"
	orderRelaxed = "relaxed"
)

func (d *destinationConfig) withDefaults() {
	fill(&d.Kind, kindDirectory)
	if d.Kind == kindKnock {
		fill(&d.Concurrency, 4096)
		fill(&d.Timeout, 45*time.Second)
	}
	fill(&d.Concurrency, engine.DefaultPolicy.Concurrency)
	fill(&d.Timeout, engine.DefaultPolicy.Timeout)
	fill(&d.Retry.Attempts, engine.DefaultPolicy.Retry.Attempts)
	fill(&d.Retry.MaxAge, engine.DefaultPolicy.Retry.MaxAge)
	fill(&d.Retry.Min, engine.DefaultPolicy.Retry.Min)
	fill(&d.Retry.Max, engine.DefaultPolicy.Retry.Max)
	fill(&d.Order, orderStrict)
	fill(&d.Lane.Waiting, engine.DefaultPolicy.Lanes.Waiting)
	fill(&d.Lane.Age, engine.DefaultPolicy.Lanes.Age)
	if d.Kind != kindDirectory {
		fill(&d.Breaker.Failures, 20)
		fill(&d.Breaker.Open, 15*time.Second)
	}
}

// policy is how the destination is called.
func (l *loader) policy(d destinationConfig) engine.Policy {
	if d.Concurrency < 1 || d.Timeout <= 0 || d.Retry.Attempts < 1 || d.Retry.Min <= 0 || d.Retry.Max < d.Retry.Min {
		l.wrong(d.Place, "a destination needs a concurrency and attempts of at least 1, a time-out above 0, and retry.min not above retry.max")
	}
	if d.Lane.Waiting < 1 {
		l.wrong(d.Lane.Place, "lane.waiting must be at least 1, not %d; with order: relaxed no action waits for another", d.Lane.Waiting)
	}
	if d.Rate < 0 {
		l.wrong(d.Place, "rate must be above 0, not %v; leave it out for no bound", d.Rate)
	}
	for _, key := range d.misplaced() {
		l.wrong(d.Place, "%s is not for a destination of the kind %s", key, d.Kind)
	}
	if _, known := destinations[d.Kind]; known { // else it was said already
		if _, err := newDestination(d, site{}); err != nil {
			l.wrong(d.Place, "the destination can not be made: %v", err)
		}
	}
	return engine.Policy{
		Concurrency: d.Concurrency, Rate: d.Rate, Timeout: d.Timeout,
		Retry:   engine.Retry{Attempts: d.Retry.Attempts, MaxAge: d.Retry.MaxAge, Min: d.Retry.Min, Max: d.Retry.Max},
		Breaker: engine.Breaker{Failures: max(d.Breaker.Failures, 0), Open: d.Breaker.Open},
		Lanes:   engine.Lanes{Relaxed: d.Order == orderRelaxed, Waiting: d.Lane.Waiting, Age: d.Lane.Age},
	}
}

// misplaced are the keys that are set and that the kind knows nothing of.
func (d destinationConfig) misplaced() (keys []string) {
	type setting struct {
		key   string
		is    bool
		kinds []destinationKind
	}
	calling := []destinationKind{kindWebhook, kindKnock}
	for _, s := range []setting{
		{"url", d.URL.Value != "", []destinationKind{kindWebhook}},
		{"secret", d.Secret.Value != "", []destinationKind{kindWebhook}},
		{"old_secret", d.OldSecret.Value != "", []destinationKind{kindWebhook}},
		{"headers", len(d.Headers) > 0, []destinationKind{kindWebhook}},
		{"api_key", d.APIKey.Value != "", []destinationKind{kindKnock}},
		{"base_url", d.BaseURL.Value != "", []destinationKind{kindKnock}},
		{"connect_timeout", d.Connect != 0, calling},
		{"proxy", d.Proxy.Value != "", calling},
		{"allow_private", d.AllowPrivate, calling},
		{"allow", len(d.Allow) > 0, calling},
		{"breaker", d.Breaker.Failures != 0 || d.Breaker.Open != 0, calling},
	} {
		if s.is && slices.Contains(shipped, d.Kind) && !slices.Contains(s.kinds, d.Kind) {
			keys = append(keys, s.key)
		}
	}
	return keys
}

// mostConnections bounds those to one host, however many calls wait for their turn.
const mostConnections = 256

// shipped are the kinds of the normal program.
var shipped = []destinationKind{kindDirectory, kindKnock, kindWebhook}

// settings are all that the destination is made of, to tell whether a reload has changed it.
func (d destinationConfig) settings() string {
	plain := func(texts []document.Text) (values []string) {
		for _, text := range texts {
			values = append(values, text.Value)
		}
		return values
	}
	headers := map[string]string{}
	for name, value := range d.Headers {
		headers[name] = value.Value
	}
	return fmt.Sprintf("%q", []any{d.Kind, d.DryRun, d.URL.Value, d.Secret.Value, d.OldSecret.Value, headers, d.APIKey.Value, d.BaseURL.Value,
		d.Connect, d.Concurrency, d.Proxy.Value, d.AllowPrivate, plain(d.Allow)})
}

// dialing is how the hosts of the destination are reached.
func (d destinationConfig) dialing() (dial.Settings, error) {
	settings := dial.Settings{AllowPrivate: d.AllowPrivate, Connect: d.Connect, Connections: min(d.Concurrency, mostConnections)}
	for _, text := range d.Allow {
		network, err := netip.ParsePrefix(text.Value)
		if err != nil {
			return settings, fmt.Errorf("allow must be networks such as 10.1.0.0/16, not %q", text.Value)
		}
		settings.Allow = append(settings.Allow, network.Masked())
	}
	if d.Proxy.Value != "" {
		at, err := url.Parse(d.Proxy.Value)
		if err != nil || at.Host == "" {
			return settings, fmt.Errorf("proxy must be a URL such as http://10.0.0.1:3128")
		}
		settings.Proxy = at
	}
	return settings, nil
}
