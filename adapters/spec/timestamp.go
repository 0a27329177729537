package spec

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"switchyard/engine"
)

// maxAhead is how far a clock may be ahead of ours before its time is not believed.
const maxAhead = 24 * time.Hour

// Ahead reports a time that is too far in the future to be believed; the time of receipt then stands in for it.
func (opts Options) Ahead(at time.Time) bool { return at.After(opts.Now.Add(maxAhead)) }

// readTimestamp takes the first time that parses. Segment's correction for a wrong clock (receivedAt less the distance
// from originalTimestamp to sentAt) is its own to make: its timestamp has it already. An event is never dropped for a
// bad time: Segment's own documentation shows 2015-2-02T00:30:08.276Z.
func (r *reading) readTimestamp() {
	var bad []string
	used := "the time of receipt"
	for _, member := range []int{memberTimestamp, memberOriginalTimestamp, memberSentAt} {
		raw := r.values[member]
		if member == memberSentAt {
			raw = first(raw, r.sentAt)
		}
		if raw == nil {
			continue
		}
		at, ok := Time(raw)
		if !ok {
			bad = append(bad, memberNames[member]+" "+Shown(raw)+" is not a time")
			continue
		}
		if r.Ahead(at) {
			bad = append(bad, memberNames[member]+" "+Shown(raw)+" is more than a day ahead")
		} else {
			r.event.Timestamp, used = at, memberNames[member]
		}
		break
	}
	if bad != nil {
		r.note("%s; %s was used", strings.Join(bad, ", "), used)
	}
}

// Time reads a checked JSON value as a time between 1970 and 9999, the span that every store and reader has: RFC 3339 and its near relatives
// as strings, unix seconds or milliseconds as numbers.
func Time(raw json.RawMessage) (time.Time, bool) {
	at, ok := time.Time{}, false
	if c := engine.KindOf(raw); c == '"' {
		at, ok = textTime(raw)
	} else if c == '-' || c >= '0' && c <= '9' {
		at, ok = unixTime(string(raw))
	}
	at = at.UTC()
	return at, ok && at.Unix() > 0 && at.Year() <= 9999
}

// layouts are what senders write beside RFC 3339; without a zone a time is UTC. Fractions are read by all of them.
var layouts = []string{
	time.RFC3339,
	"2006-01-02T15:04:05Z0700",
	"2006-01-02T15:04:05",
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05",
	"2006-01-02",
}

func textTime(raw json.RawMessage) (at time.Time, ok bool) {
	if at.UnmarshalText(raw[1:len(raw)-1]) == nil { // nearly always, and without an allocation
		return at, true
	}
	text, _ := engine.StringOf(raw)
	if len(text) > 64 {
		return at, false
	}
	for _, layout := range layouts {
		if at, err := time.Parse(layout, text); err == nil {
			return at, true
		}
	}
	return at, false
}

// unixTime tells milliseconds from seconds by size: 1e11 seconds are the year 5138, 1e11 milliseconds are 1973.
func unixTime(number string) (time.Time, bool) {
	value, err := strconv.ParseFloat(number, 64)
	if err != nil || math.Abs(value) > 1e15 {
		return time.Time{}, false
	}
	if math.Abs(value) < 1e11 {
		value *= 1000
	}
	return time.UnixMilli(int64(math.Round(value))), true
}
