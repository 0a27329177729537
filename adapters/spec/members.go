package spec

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"switchyard/engine"
)

// The members of a message that are read. Everything else it holds stays in Original.
const (
	memberType = iota
	memberEvent
	memberName
	memberUserID
	memberAnonymousID
	memberGroupID
	memberPreviousID
	memberMessageID
	memberOldMessageID // so spelled by an old RudderStack SDK
	memberProperties
	memberTraits
	memberContext
	memberIntegrations
	memberTimestamp
	memberOriginalTimestamp
	memberSentAt
	memberBatch
	memberJSON
	memberCount
)

var memberNames = [memberCount]string{
	"type", "event", "name", "userId", "anonymousId", "groupId", "previousId", "messageId", "message_id", "properties",
	"traits", "context", "integrations", "timestamp", "originalTimestamp", "sentAt", "batch", "json",
}

// memberAt is the position of a member that is read, and -1 for any other. Their names are of few lengths, and each of
// these has few of them: that is quicker than a map.
func memberAt(name []byte) int {
	if len(name) < len(membersOfLength) {
		for _, i := range membersOfLength[len(name)] {
			if memberNames[i] == string(name) {
				return i
			}
		}
	}
	return -1
}

var membersOfLength = func() (byLength [20][]int) {
	for i, name := range memberNames {
		byLength[len(name)] = append(byLength[len(name)], i)
	}
	return byLength
}()

// members are the raw values of one object, nil for absent and null; of repeated ones the last, as encoding/json has it.
type members struct {
	values [memberCount]json.RawMessage
	// count is of all members, the unread ones too.
	count int
	// deepTraits is false when no object inside has traits.
	deepTraits bool
}

// read walks an object once.
func (m *members) read(object json.RawMessage, limits engine.JSONLimits) error {
	*m = members{}
	found := engine.ReadObject(object, limits)
	found.LookFor(memberNames[memberTraits])
	for {
		name, value, ok := found.Next()
		if !ok {
			m.deepTraits = found.Spotted()
			return found.Err()
		}
		m.count++
		if i := memberAt(name); i >= 0 {
			m.values[i] = unlessNull(value)
		}
	}
}

func unlessNull(value json.RawMessage) json.RawMessage {
	if value[0] == 'n' {
		return nil
	}
	return value
}

// lookup is one member of a checked object, nil for absent and null. Most objects do not have it, and are not walked: a
// name is there as it is written, or with an escape.
func lookup(object json.RawMessage, name string) (found json.RawMessage) {
	if !bytes.Contains(object, []byte(name)) && bytes.IndexByte(object, '\\') < 0 {
		return nil
	}
	members := engine.ReadObject(object, engine.DefaultJSONLimits)
	for {
		member, value, ok := members.Next()
		if !ok {
			return found
		}
		if string(member) == name {
			found = unlessNull(value)
		}
	}
}

// fill adds to an object the members of another that it lacks, and goes on below where both have an object, for so many
// levels. What over has, null too, wins. The result shares memory when nothing needs to be added; else it is new bytes,
// in which every value stands as it was sent.
func fill(over, under json.RawMessage, levels int) json.RawMessage {
	if over == nil || under == nil {
		return first(over, under)
	}
	if filled, changed := filled(over, under, levels); changed {
		return filled
	}
	return over
}

func filled(over, under json.RawMessage, levels int) (merged json.RawMessage, changed bool) {
	lacking := contentsOf(under)
	taken := make([]bool, len(lacking.values))
	merged = append(make([]byte, 0, len(over)+len(under)), '{')
	walk(over, func(name string, value json.RawMessage) {
		// A name is filled once, so that one repeated a thousand times does not make the object as much larger.
		if i, both := lacking.at[name]; both && !taken[i] {
			taken[i] = true
			if below := lacking.values[i]; levels > 1 && below[0] == '{' && value[0] == '{' {
				if deeper, added := filled(value, below, levels-1); added {
					value, changed = deeper, true
				}
			}
		}
		merged = appendMember(merged, name, value)
	})
	for i, name := range lacking.names {
		if !taken[i] {
			merged, changed = appendMember(merged, name, lacking.values[i]), true
		}
	}
	return append(merged, '}'), changed
}

// first is the first value that is there.
func first(values ...json.RawMessage) json.RawMessage {
	for _, value := range values {
		if value != nil {
			return value
		}
	}
	return nil
}

// contents are all members of one object, in order; of repeated ones the last.
type contents struct {
	names  []string
	values []json.RawMessage
	at     map[string]int
}

func contentsOf(object json.RawMessage) contents {
	c := contents{at: map[string]int{}}
	walk(object, func(name string, value json.RawMessage) {
		i, again := c.at[name]
		if again {
			c.values[i] = value
			return
		}
		c.at[name] = len(c.names)
		c.names, c.values = append(c.names, name), append(c.values, value)
	})
	return c
}

// walk is MembersOf for an object that has been checked.
func walk(object json.RawMessage, fn func(name string, value json.RawMessage)) {
	_ = engine.MembersOf(object, engine.DefaultJSONLimits, func(name []byte, value json.RawMessage) error {
		fn(string(name), value)
		return nil
	})
}

func appendMember(object []byte, name string, value json.RawMessage) []byte {
	if len(object) > 1 {
		object = append(object, ',')
	}
	if strings.ContainsFunc(name, unlikeName) {
		object = append(object, quote(name)...)
	} else {
		object = append(append(append(object, '"'), name...), '"')
	}
	return append(append(object, ':'), value...)
}

// unlikeName tells the characters that are perhaps not written into JSON as they are.
func unlikeName(r rune) bool { return r < ' ' || r >= 0x7f || r == '"' || r == '\\' }

func quote(text string) json.RawMessage {
	quoted, _ := json.Marshal(text) // a string can always be written
	return quoted
}

// clip is at most size bytes of text, cut between two characters.
func clip(text []byte, size int) string {
	if len(text) <= size {
		return string(text)
	}
	for size > 0 && !utf8.RuneStart(text[size]) {
		size--
	}
	return string(text[:size])
}

// TypeName names the type of a checked JSON value for people, with its article.
func TypeName(value json.RawMessage) string {
	switch engine.KindOf(value) {
	case 0:
		return "nothing"
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}
