package redislog

import (
	"testing"

	"github.com/redis/go-redis/v9"
)

// Client lets tests do to Redis what nobody should.
func (l *Log) Client() redis.UniversalClient { return l.client }

// Prefix is what the keys of a partition start with.
func Prefix(environment string, partition int) string { return sliceOf(environment, partition).prefix }

// Dictionary is the one that is written with.
var Dictionary = dictionary1

// Pack is an original as Redis gets it.
func Pack(t testing.TB, original []byte) []byte {
	doc, err := packing(original).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// Unpack is an original from its stored form.
func Unpack(stored string) ([]byte, error) { return unpack(stored) }

// MembersKey is where the live processes of an environment are.
func MembersKey(environment string) string { return membersKey(environment) }

// ScriptHash is what a script is called by.
func ScriptHash(name string) string {
	return map[string]*script{
		"append": appendScript, "claim": claimScript, "commit": commitScript, "due": dueScript, "record": recordScript,
		"beat": beatScript, "own": ownScript,
	}[name].hash
}
