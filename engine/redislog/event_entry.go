package redislog

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"switchyard/engine"
)

// eventFields are those of an entry of the event log, always all and always in this order: Redis then keeps the names
// once for many entries. An entry ends with dupField.
//
// The original is in packed; see pack.go.
var eventFields = []string{
	"source", "type", "name", "user", "anon", "group", "prev", "msg", "ts", "rx", "verification",
	"packed", "data", "properties", "traits", "context", "invalid", "notes", "violations",
}

const dupField = "dup"

// appendEvent adds the values of eventFields.
func appendEvent(args []any, event *engine.Event) []any {
	return append(args,
		event.Source, event.Type, event.Name, event.UserID, event.AnonymousID, event.GroupID, event.PreviousID,
		event.MessageID, writeTime(event.Timestamp), writeTime(event.ReceivedAt), string(event.Verification),
		packing(event.Original), writePart(event.Original, event.Data), writeLike(event, event.Properties),
		writeLike(event, event.Traits), writePart(event.Original, event.Context), event.Invalid,
		writeList(event.Notes), writeList(event.Violations))
}

// eventOf reads an entry of the event log. An event whose original can not be read is invalid, and says so: what its
// rules would look at is gone.
func eventOf(environment string, partition int, e entry) *engine.Event {
	event := &engine.Event{ID: EventID(partition, e.id), Environment: environment}
	var data, properties, traits, context string
	var broken error
	for i := 0; i+1 < len(e.fields); i += 2 {
		value := text(e.fields[i+1])
		switch text(e.fields[i]) {
		case "source":
			event.Source = value
		case "type":
			event.Type = value
		case "name":
			event.Name = value
		case "user":
			event.UserID = value
		case "anon":
			event.AnonymousID = value
		case "group":
			event.GroupID = value
		case "prev":
			event.PreviousID = value
		case "msg":
			event.MessageID = value
		case "ts":
			event.Timestamp = readTime(value)
		case "rx":
			event.ReceivedAt = readTime(value)
		case "verification":
			event.Verification = engine.Verification(value)
		case "packed":
			event.Original, broken = unpack(value)
		case "data":
			data = value
		case "properties":
			properties = value
		case "traits":
			traits = value
		case "context":
			context = value
		case "invalid":
			event.Invalid = value
		case "notes":
			event.Notes = readList[string](value)
		case "violations":
			event.Violations = readList[engine.Violation](value)
		case dupField:
			if value != "" {
				event.DuplicateOf = EventID(partition, value)
			}
		}
	}
	if broken != nil {
		event.Invalid = broken.Error()
	}
	event.Data, event.Context = readPart(event.Original, data), readPart(event.Original, context)
	event.Properties, event.Traits = readLike(event, properties), readLike(event, traits)
	return event
}

// partMinimum is the length from which a part is looked for in the original; a shorter one is as short as its place.
const partMinimum = 12

// writePart stores a JSON object that stands in the original, as nearly all do, as its place: "start:length". The same
// bytes anywhere in it will do. Other objects are stored as they are, and start with { or white space.
func writePart(original, part json.RawMessage) any {
	if len(part) >= partMinimum {
		if start := bytes.Index(original, part); start >= 0 {
			return strconv.Itoa(start) + ":" + strconv.Itoa(len(part))
		}
	}
	return []byte(part)
}

// likeData stands for a part that is the data.
const likeData = "="

// writeLike stores properties or traits, which nearly always are the data.
func writeLike(event *engine.Event, part json.RawMessage) any {
	if len(part) > 0 && bytes.Equal(part, event.Data) {
		return likeData
	}
	return writePart(event.Original, part)
}

func readLike(event *engine.Event, stored string) json.RawMessage {
	if stored == likeData {
		return event.Data
	}
	return readPart(event.Original, stored)
}

func readPart(original json.RawMessage, stored string) json.RawMessage {
	if stored == "" {
		return nil
	}
	if stored[0] < '0' || stored[0] > '9' {
		return json.RawMessage(stored)
	}
	from, count, _ := strings.Cut(stored, ":")
	start, err1 := strconv.Atoi(from)
	length, err2 := strconv.Atoi(count)
	if err1 != nil || err2 != nil || length < 0 || start > len(original) || length > len(original)-start {
		return nil
	}
	return original[start : start+length : start+length]
}

// writeTime is milliseconds, which Redis packs well, with six more digits for a time that is finer; "" for no time.
func writeTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	ms := strconv.FormatInt(t.UnixMilli(), 10)
	if rest := t.Nanosecond() % 1e6; rest != 0 {
		return ms + "." + strconv.Itoa(1e6 + rest)[1:]
	}
	return ms
}

func readTime(stored string) time.Time {
	if stored == "" {
		return time.Time{}
	}
	whole, rest, _ := strings.Cut(stored, ".")
	ms, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return time.Time{}
	}
	ns, _ := strconv.Atoi(rest) // "" is 0
	return time.UnixMilli(ms).Add(time.Duration(ns)).UTC()
}

// writeList stores texts, or structs of them, as JSON; none as "".
func writeList[T any](list []T) string {
	if len(list) == 0 {
		return ""
	}
	doc, _ := json.Marshal(list) // texts can always be written
	return string(doc)
}

func readList[T any](stored string) (list []T) {
	if stored != "" {
		_ = json.Unmarshal([]byte(stored), &list) // written by writeList
	}
	return list
}
