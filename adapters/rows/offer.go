package rows

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"unicode"

	"switchyard/engine"
)

// Offer is an object that a vendor's page offers to map.
type Offer struct {
	Name, Label string
	// Fields begin with the identifier.
	Fields []OfferedField
}

// OfferedField is one field of it.
type OfferedField struct {
	engine.Field
	Label      string
	Identifier bool
}

// userFields are the traits with a meaning of their own; others can be added freely.
var userFields = []string{"email", "name", "phone_number", "avatar", "locale", "timezone"}

// isTrait reports a column that says something of a user besides who it is: an id that is an email address is both.
func isTrait(column string) bool {
	return slices.Contains(userFields, column)
}

// Offered are the objects of a connection: users, those that rules use, and those of its configuration.
func (o Options) Offered() []Offer {
	byName := map[string]*Offer{engine.UserObject: o.user()}
	object := func(name string) *Offer {
		if byName[name] == nil {
			byName[name] = o.blank(name)
		}
		return byName[name]
	}
	for name, fields := range o.Objects { // first: what is configured knows the types
		for _, field := range slices.Sorted(maps.Keys(fields)) {
			object(name).add(field, fields[field])
		}
	}
	for _, used := range o.Used {
		for _, field := range used.Fields {
			object(used.Name).add(field.Name, field.Type)
		}
		object(used.Name)
	}
	names := slices.Sorted(maps.Keys(byName))
	objects := []Offer{*byName[engine.UserObject]}
	for _, name := range names {
		if name != engine.UserObject {
			objects = append(objects, *byName[name])
		}
	}
	return objects
}

// user is the object of users, whose identifier is the column that their id is read from.
func (o Options) user() *Offer {
	offer := newOffer(engine.UserObject, cmp.Or(o.IDColumn, "id"), "User ID")
	for _, field := range userFields {
		offer.add(field, engine.FieldString)
	}
	return offer
}

func newOffer(name, identifier, label string) *Offer {
	field := engine.Field{Name: identifier, Type: engine.FieldString}
	return &Offer{Name: name, Label: labelOf(name), Fields: []OfferedField{{Field: field, Label: label, Identifier: true}}}
}

// blank is an object of which nothing is known but how its rows and their users are told apart.
func (o Options) blank(name string) *Offer {
	offer := newOffer(name, "id", "ID")
	offer.add(cmp.Or(o.IDColumn, "user_id"), engine.FieldString)
	return offer
}

// Offer is one of the objects, or a blank one.
func (o Options) Offer(name string) Offer {
	for _, object := range o.Offered() {
		if object.Name == name {
			return object
		}
	}
	return *o.blank(name)
}

func (o *Offer) add(name, typ string) {
	if !slices.ContainsFunc(o.Fields, func(f OfferedField) bool { return f.Name == name }) {
		o.Fields = append(o.Fields, OfferedField{Field: engine.Field{Name: name, Type: typ}, Label: labelOf(name)})
	}
}

// labelOf is a name as people read it.
func labelOf(name string) string {
	words := []rune(strings.TrimSpace(strings.NewReplacer("_", " ", "-", " ").Replace(name)))
	if len(words) == 0 {
		return name
	}
	words[0] = unicode.ToUpper(words[0])
	return strings.ReplaceAll(string(words)+" ", " id ", " ID ")[:len(string(words))]
}
