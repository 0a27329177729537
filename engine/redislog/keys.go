package redislog

import (
	"net/url"
	"strconv"
)

// slice names the keys of one partition of one environment. They share the hash tag {env:p}. What people choose freely
// (message ids, user ids, lanes) stands last in its key, so no two keys can be the same.
type slice struct {
	prefix string
}

func sliceOf(environment string, partition int) slice {
	return slice{"sy:{" + tagged(environment) + ":" + strconv.Itoa(partition) + "}:"}
}

func slicesOf(environment string, partitions int) []slice {
	all := make([]slice, partitions)
	for p := range all {
		all[p] = sliceOf(environment, p)
	}
	return all
}

func (s slice) events() string           { return s.prefix + "events" }
func (s slice) decided() string          { return s.prefix + "decided" }
func (s slice) message(id string) string { return s.prefix + "message:" + id }
func (s slice) told(hash string) string  { return s.prefix + "told:" + hash }
func (s slice) user(id string) string    { return s.prefix + "user:" + id }
func (s slice) actions() string          { return s.prefix + "actions" }
func (s slice) state() string            { return s.prefix + "state" }
func (s slice) lane(lane string) string  { return s.lanes() + lane }
func (s slice) lanes() string            { return s.prefix + "lane:" }
func (s slice) due() string              { return s.prefix + "due" }
func (s slice) dead() string             { return s.prefix + "dead" }
func (s slice) owner() string            { return s.prefix + "owner" }
func (s slice) counts() string           { return s.prefix + "counts" }

// An environment's own keys.
func metaKey(environment string) string    { return "sy:{" + tagged(environment) + "}:meta" }
func membersKey(environment string) string { return "sy:{" + tagged(environment) + "}:members" }

// The destinations of an environment that are paused.
func pausesKey(environment string) string { return "sy:{" + tagged(environment) + "}:paused" }

// The rules in quarantine of an environment.
func quarantinesKey(environment string) string {
	return "sy:{" + tagged(environment) + "}:quarantines"
}

// The names seen in an environment.
func sourcesKey(environment string) string { return "sy:{" + tagged(environment) + ":names}:sources" }
func namesKey(environment, source string) string {
	return "sy:{" + tagged(environment) + ":names}:of:" + source
}

// One person of the directory.
func profileKey(environment, user string) string { return userPrefix(environment, user) + "profile" }
func userEffectKey(environment, user, effect string) string {
	return userPrefix(environment, user) + "effect:" + effect
}
func userPrefix(environment, user string) string {
	return "sy:{" + tagged(environment) + ":user:" + tagged(user) + "}:"
}

// The workflow runs of an environment.
func runsKey(environment string) string { return "sy:{" + tagged(environment) + ":runs}:stream" }
func runEffectKey(environment, effect string) string {
	return "sy:{" + tagged(environment) + ":runs}:effect:" + effect
}

// tagged escapes what would end a hash tag early, or make two tags the same: } { : and %.
func tagged(text string) string { return url.QueryEscape(text) }
