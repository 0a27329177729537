package spec

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unsafe"

	"switchyard/engine"
)

// types are those of Segment's spec, and delete from Segment's classic webhook.
var types = []string{
	engine.TypeTrack, engine.TypeIdentify, engine.TypePage, engine.TypeScreen, engine.TypeGroup, engine.TypeAlias,
	engine.TypeDelete,
}

// contextLevels is how deep the batch's context goes into a message's own: app, device or library may be told in part by
// each. Traits are not mixed below their top: half of one address and half of another is nobody's address.
const (
	contextLevels     = 4
	traitLevels       = 1
	integrationLevels = 2
)

// reading is one message while it is made an event.
type reading struct {
	*decoder
	*members
	event *engine.Event
}

// read fills the event. What is wrong with one member does not keep the others from being read.
func (r *reading) read() {
	e := r.event
	e.Type = r.readType()
	e.UserID = r.id(memberUserID)
	e.AnonymousID = r.id(memberAnonymousID)
	e.GroupID = r.id(memberGroupID)
	e.PreviousID = r.id(memberPreviousID)
	e.MessageID = r.messageID()
	e.Properties = r.section(memberProperties)
	e.Context = r.readContext()
	e.Traits = r.readTraits()
	e.Data = r.data()
	e.Name = r.name()
	r.readTimestamp()
}

// fail marks the event as invalid; the first reason stands.
func (r *reading) fail(format string, args ...any) {
	if r.event.Invalid == "" {
		r.event.Invalid = fmt.Sprintf(format, args...)
	}
}

func (r *reading) note(format string, args ...any) {
	r.event.Notes = append(r.event.Notes, fmt.Sprintf(format, args...))
}

// readType is one of types, or "" when the message has none of them: types are labels of metrics, and stay bounded.
func (r *reading) readType() string {
	raw := r.values[memberType]
	switch {
	case raw == nil && r.DefaultType != "":
		return r.DefaultType
	case raw == nil && r.EventMeansTrack && r.values[memberEvent] != nil:
		return engine.TypeTrack
	case raw == nil && r.EventMeansTrack:
		r.fail(`the message has neither a type nor an event; send {"type":"track","event":"…","properties":{…}}`)
		return ""
	case raw == nil:
		r.fail("the message has no type; it must be one of %s", strings.Join(types, ", "))
		return ""
	case raw[0] != '"':
		r.fail("type must be a string, not %s", TypeName(raw))
		return ""
	}
	for _, known := range types {
		if string(raw[1:len(raw)-1]) == known {
			return known
		}
	}
	return r.otherType(raw)
}

// TypeOf is a type of message, in whatever case it is written.
func TypeOf(text string) (known string, ok bool) {
	i := slices.Index(types, strings.ToLower(text))
	if i < 0 {
		return "", false
	}
	return types[i], true
}

// otherType takes a type in another case or with escapes.
func (r *reading) otherType(raw json.RawMessage) string {
	text, _ := engine.StringOf(raw)
	known, ok := TypeOf(text)
	if !ok {
		r.fail("type %s is not one of %s", Shown(raw), strings.Join(types, ", "))
		return ""
	}
	if text != known {
		r.note("type %s was read as %s", Shown(raw), known)
	}
	return known
}

// id is an opaque text; a number keeps its digits as they were sent.
func (r *reading) id(member int) string {
	raw := r.values[member]
	if raw == nil {
		return ""
	}
	id, ok := ID(raw)
	if !ok {
		r.fail("%s must be a string or a number, not %s", memberNames[member], TypeName(raw))
	}
	return id
}

// messageID is not worth an event: without one, or with one of a wrong type, the event is only not deduplicated.
func (r *reading) messageID() string {
	raw := first(r.values[memberMessageID], r.values[memberOldMessageID])
	if raw == nil {
		return ""
	}
	id, ok := ID(raw)
	if !ok {
		r.note("messageId must be a string, not %s, and was left out", TypeName(raw))
	}
	return id
}

// ID is an opaque id: the text of a checked JSON string, or a number's digits as they were sent; ok is false
// for anything else, and for nil. It shares the memory of raw where it can, as all of an event shares that of its request.
func ID(raw json.RawMessage) (id string, ok bool) {
	if c := engine.KindOf(raw); c == '-' || c >= '0' && c <= '9' {
		return unsafe.String(unsafe.SliceData(raw), len(raw)), true
	}
	return engine.LentString(raw)
}

// section is a member that is an object.
func (r *reading) section(member int) json.RawMessage {
	raw := r.values[member]
	if raw != nil && raw[0] != '{' {
		r.fail("%s must be an object, not %s", memberNames[member], TypeName(raw))
		return nil
	}
	return raw
}

// readContext is the message's own, filled from the batch's; analytics-go for one sends it only there.
func (r *reading) readContext() json.RawMessage {
	if r.withheld != "" {
		r.note("%s", r.withheld)
	}
	return fill(r.section(memberContext), r.context, contextLevels)
}

// readTraits is the message's own, filled from context.traits: RudderStack's identify has them only there. The traits of
// a group are the group's, and those in the context are of its user, so they stay apart.
func (r *reading) readTraits() json.RawMessage {
	own := r.section(memberTraits)
	if r.event.Type == engine.TypeGroup || r.event.Context == nil || !r.deepTraits && r.context == nil {
		return own
	}
	below := lookup(r.event.Context, "traits")
	if below == nil || below[0] != '{' {
		return own
	}
	return fill(own, below, traitLevels)
}

// data is the primary content of the message.
func (r *reading) data() json.RawMessage {
	switch r.event.Type {
	case engine.TypeTrack, engine.TypePage, engine.TypeScreen:
		return r.event.Properties
	case engine.TypeIdentify, engine.TypeGroup:
		return r.event.Traits
	}
	return nil
}

// name is the event of a track and the name of a page or screen; Jitsu puts the latter into the properties. Everything
// else, and a page without a name, is called by its type.
func (r *reading) name() string {
	switch r.event.Type {
	case engine.TypeTrack:
		return r.trackName()
	case engine.TypePage, engine.TypeScreen:
		if name := r.pageName(); name != "" {
			return name
		}
	}
	return r.event.Type
}

func (r *reading) trackName() string {
	raw := r.values[memberEvent]
	if raw != nil && raw[0] != '"' {
		r.fail("event must be a string, not %s", TypeName(raw))
		return r.event.Type
	}
	name, _ := engine.LentString(raw)
	if name == "" {
		r.fail("a track must have the name of its event, as event")
		return r.event.Type
	}
	return name
}

func (r *reading) pageName() string {
	raw := r.values[memberName]
	if raw != nil && raw[0] != '"' {
		r.fail("name must be a string, not %s", TypeName(raw))
		return ""
	}
	if name, _ := engine.LentString(raw); name != "" {
		return name
	}
	name, _ := engine.LentString(lookup(r.event.Properties, "name"))
	return name
}

// Shown is a value as it was sent, short enough for a sentence.
func Shown(raw json.RawMessage) string {
	const most = 80
	if len(raw) <= most {
		return string(raw)
	}
	return clip(raw, most) + "…"
}
