package rows

import (
	"maps"
	"slices"
	"strings"
	"unicode"

	"switchyard/engine"
)

// What a field holds, in our words; each vendor has its own.
const (
	String  = "string"
	Number  = "number"
	Integer = "integer"
	Boolean = "boolean"
	Time    = "time"
)

// FieldTypes are the types that a field can be configured with.
var FieldTypes = []string{String, Number, Integer, Boolean, Time}

// Object is what a vendor's page offers to map.
type Object struct {
	Name, Label string
	// Fields begin with the identifier.
	Fields []Field
}

// Field is one field of an object.
type Field struct {
	Name, Label, Type string
	Identifier        bool
}

// userFields are the traits with a meaning of their own; others can be added freely.
var userFields = []Field{
	{Name: "email", Label: "Email", Type: String},
	{Name: "name", Label: "Name", Type: String},
	{Name: "phone_number", Label: "Phone number", Type: String},
	{Name: "avatar", Label: "Avatar URL", Type: String},
	{Name: "locale", Label: "Locale", Type: String},
	{Name: "timezone", Label: "Time zone", Type: String},
}

// isTrait reports a column that says something of a user besides who it is: an id that is an email address is both.
func isTrait(column string) bool {
	return slices.ContainsFunc(userFields, func(f Field) bool { return f.Name == column })
}

// Offered are the objects of a connection: users, those that rules use, and those of its configuration.
func (o Options) Offered() []Object {
	byName := map[string]*Object{UserObject: {Name: UserObject, Label: "User", Fields: append([]Field{
		{Name: "id", Label: "User ID", Type: String, Identifier: true}}, userFields...)}}
	object := func(name string) *Object {
		if byName[name] == nil {
			byName[name] = &Object{Name: name, Label: labelOf(name), Fields: []Field{
				{Name: "id", Label: "ID", Type: String, Identifier: true}, {Name: "user_id", Label: "User ID", Type: String}}}
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
	objects := []Object{*byName[UserObject]}
	for _, name := range names {
		if name != UserObject {
			objects = append(objects, *byName[name])
		}
	}
	return objects
}

// Offer is one of the objects; ok is false for a name that is none of them, which still has an identifier.
func (o Options) Offer(name string) (offer Object, ok bool) {
	for _, object := range o.Offered() {
		if object.Name == name {
			return object, true
		}
	}
	return Object{Name: name, Label: labelOf(name), Fields: []Field{{Name: "id", Label: "ID", Type: String, Identifier: true}}}, false
}

func (o *Object) add(name, typ string) {
	i := slices.IndexFunc(o.Fields, func(f Field) bool { return f.Name == name })
	if i < 0 {
		o.Fields = append(o.Fields, Field{Name: name, Label: labelOf(name), Type: typ})
	}
}

// labelOf is a name as people read it.
func labelOf(name string) string {
	words := []rune(strings.TrimSpace(strings.NewReplacer("_", " ", "-", " ").Replace(name)))
	if len(words) == 0 {
		return name
	}
	words[0] = unicode.ToUpper(words[0])
	return string(words)
}

// DefaultObject is what a row is one of when its sync does not say.
func (o Options) DefaultObject() string {
	if o.As == AsRecord {
		return engine.TypeRecord
	}
	return UserObject
}
