package main

import (
	"fmt"
	"sort"

	"switchyard/adapters/deliver/dial"
	"switchyard/adapters/deliver/directory"
	"switchyard/adapters/deliver/webhook"
	"switchyard/engine"
	"switchyard/engine/redislog"
)

// destinations are where the actions of an environment can go: each kind makes one from its settings. The configuration
// accepts what stands here. An error keeps a configuration from becoming live. When one is only checked there is no log.
var destinations = map[destinationKind]func(destinationConfig, *redislog.Log) (engine.Destination, error){
	kindDirectory: func(_ destinationConfig, log *redislog.Log) (engine.Destination, error) {
		return directory.New(log.Directory(), nil), nil
	},
	kindWebhook: func(d destinationConfig, _ *redislog.Log) (engine.Destination, error) {
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
}

// The kinds of the normal program.
const (
	kindDirectory destinationKind = "directory"
	kindWebhook   destinationKind = "webhook"
)

// newDestination makes what the settings ask for.
func newDestination(d destinationConfig, log *redislog.Log) (engine.Destination, error) {
	make, known := destinations[d.Kind]
	if !known {
		return nil, fmt.Errorf("there is no kind %q", d.Kind)
	}
	made, err := make(d, log)
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
