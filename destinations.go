package main

import (
	"fmt"
	"sort"

	"switchyard/adapters/deliver/dial"
	"switchyard/adapters/deliver/directory"
	"switchyard/adapters/deliver/knock"
	"switchyard/adapters/deliver/webhook"
	"switchyard/engine"
	"switchyard/engine/redislog"
)

// destinations are where the actions of an environment can go: each kind makes one from its settings. The configuration
// accepts what stands here. An error keeps a configuration from becoming live.
var destinations = map[destinationKind]func(destinationConfig, site) (engine.Destination, error){
	kindDirectory: func(_ destinationConfig, at site) (engine.Destination, error) {
		return directory.New(at.log.Directory(), nil), nil
	},
	kindWebhook: func(d destinationConfig, _ site) (engine.Destination, error) {
		dialing, err := d.dialing()
		if err != nil {
			return nil, err
		}
		settings := webhook.Settings{URL: d.URL.Value, Headers: map[string]string{}, Client: dial.Client(dialing)}
		for _, secret := range []string{d.Secret.Value, d.OldSecret.Value} {
			if secret != "" {
				settings.Secrets = append(settings.Secrets, secret)
			}
		}
		for name, value := range d.Headers {
			settings.Headers[name] = value.Value
		}
		return webhook.New(settings)
	},
	kindKnock: func(d destinationConfig, at site) (engine.Destination, error) {
		dialing, err := d.dialing()
		if err != nil {
			return nil, err
		}
		return knock.New(knock.Settings{APIKey: d.APIKey.Value, BaseURL: d.BaseURL.Value, Client: dial.Client(dialing), Share: at.processes})
	},
}

// site is where a destination is made: the log that its actions are in, and how many processes call it. Both are nil when a
// configuration is only checked.
type site struct {
	log       *redislog.Log
	processes func() int
}

// The kinds of the normal program.
const (
	kindDirectory destinationKind = "directory"
	kindKnock     destinationKind = "knock"
	kindWebhook   destinationKind = "webhook"
)

// newDestination makes what the settings ask for.
func newDestination(d destinationConfig, at site) (engine.Destination, error) {
	make, known := destinations[d.Kind]
	if !known {
		return nil, fmt.Errorf("there is no kind %q", d.Kind)
	}
	made, err := make(d, at)
	if err == nil && d.DryRun {
		return engine.DryRun{}, nil
	}
	return made, err
}

// destinationKind is a key of destinations.
type destinationKind string

// Choices are the kinds that there are.
func (destinationKind) Choices() []string {
	kinds := make([]string, 0, len(destinations))
	for kind := range destinations {
		kinds = append(kinds, string(kind))
	}
	sort.Strings(kinds)
	return kinds
}
