//go:build chaos

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"time"

	"switchyard/engine"
	"switchyard/engine/redislog"
)

// The build for the chaos test: a destination that the test's oracle answers for, leases short enough to be lost often,
// and switches that break what the test must notice. The normal binary has none of it.

// chaosLease is long enough for a slow machine to renew it in time, mostly.
const chaosLease = time.Second

func init() {
	sound := logOptions
	logOptions = func(c *config) redislog.Options {
		options := sound(c)
		options.Lease = chaosLease
		return options
	}
	destinations["chaos"] = func(destinationConfig, site) (engine.Destination, error) {
		url := os.Getenv("CHAOS_URL")
		if url == "" {
			return nil, errors.New("CHAOS_URL is not set")
		}
		return &oracleDestination{url: url}, nil
	}
	if os.Getenv("CHAOS_SABOTAGE") == "ledger" {
		for kind, make := range destinations {
			destinations[kind] = forgetfully(make)
		}
	}
}

// effect is what the oracle is told of an action.
type effect struct {
	Key    string `json:"key"`
	Action string `json:"action"`
	Event  string `json:"event"`
	User   string `json:"user"`
	Rule   string `json:"rule"`
	Index  int    `json:"index"`
	Kind   string `json:"kind"`
	Seq    any    `json:"seq"`
}

// oracleDestination posts each effect to the oracle: 200 is done, 4xx is final, anything else may be tried again.
type oracleDestination struct{ url string }

var _ engine.Destination = (*oracleDestination)(nil)

func (d *oracleDestination) Perform(ctx context.Context, action *engine.Action) (engine.Result, error) {
	doc, err := json.Marshal(effect{
		Key: action.EffectKey(""), Action: action.ID, Event: action.EventID, User: action.UserID,
		Rule: action.Rule, Index: action.Index, Kind: action.Kind, Seq: sequenceOf(action),
	})
	if err != nil {
		return engine.Result{}, engine.Permanent(err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url, bytes.NewReader(doc))
	if err != nil {
		return engine.Result{}, engine.Permanent(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return engine.Result{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return engine.Result{}, err
	case response.StatusCode == http.StatusOK:
		return engine.Result{Body: body}, nil
	case response.StatusCode/100 == 4:
		return engine.Result{}, engine.Permanent(fmt.Errorf("the oracle refused: %s", body))
	}
	return engine.Result{}, fmt.Errorf("the oracle answered %s", response.Status)
}

// sequenceOf is the number that the rules of the test put into each payload.
func sequenceOf(action *engine.Action) any {
	switch {
	case action.Identify != nil:
		return action.Identify.Traits["seq"]
	case action.Trigger != nil:
		return action.Trigger.Data["seq"]
	}
	return nil
}

// forgetfully makes a destination that performs every attempt as if it were another action, so that no effect key comes
// twice and nothing remembers what was done.
func forgetfully(make func(destinationConfig, site) (engine.Destination, error)) func(destinationConfig, site) (engine.Destination, error) {
	return func(settings destinationConfig, at site) (engine.Destination, error) {
		destination, err := make(settings, at)
		return forgetful{destination}, err
	}
}

type forgetful struct{ engine.Destination }

func (f forgetful) Perform(ctx context.Context, action *engine.Action) (engine.Result, error) {
	other := *action
	other.Rule = fmt.Sprintf("%s-%d", action.Rule, rand.Uint64())
	return f.Destination.Perform(ctx, &other)
}
