package main

import (
	"sort"

	"switchyard/adapters/deliver/directory"
	"switchyard/engine"
	"switchyard/engine/redislog"
)

// destinations are where the actions of an environment can go: each kind makes one from its settings. The configuration
// accepts what stands here. An error keeps a reload from becoming live; nothing was changed then.
var destinations = map[destinationKind]func(destinationConfig, *redislog.Log) (engine.Destination, error){
	"directory": func(_ destinationConfig, log *redislog.Log) (engine.Destination, error) {
		return directory.New(log.Directory(), nil), nil
	},
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
