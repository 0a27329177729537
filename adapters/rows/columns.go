package rows

import (
	"encoding/json"

	"switchyard/engine"
)

// Columns are the members of one checked object, in order; of repeated ones the last.
type Columns struct {
	names  []string
	values map[string]json.RawMessage
}

// ColumnsOf reads an object; anything else has no columns.
func ColumnsOf(object json.RawMessage) Columns {
	c := Columns{values: map[string]json.RawMessage{}}
	_ = engine.MembersOf(object, engine.DefaultJSONLimits, func(name []byte, value json.RawMessage) error {
		if _, again := c.values[string(name)]; !again {
			c.names = append(c.names, string(name))
		}
		c.values[string(name)] = value
		return nil
	})
	return c
}

// Value is a column's value; nil when it is absent or null.
func (c Columns) Value(name string) json.RawMessage {
	if value := c.values[name]; value != nil && value[0] != 'n' {
		return value
	}
	return nil
}

// Text is a column that is a string; "" when it is not.
func (c Columns) Text(name string) string {
	text, _ := engine.StringOf(c.Value(name))
	return text
}

// first is the first of some columns that has a value.
func (c Columns) first(names []string) (name string, value json.RawMessage) {
	for _, name := range names {
		if value := c.Value(name); value != nil {
			return name, value
		}
	}
	return "", nil
}

// without is the object less one column; every other value stands as it was sent.
func (c Columns) without(column string) json.RawMessage {
	object := []byte{'{'}
	for _, name := range c.names {
		if name != column {
			object = appendColumn(object, name, c.values[name])
		}
	}
	return append(object, '}')
}

func appendColumn(object []byte, name string, value json.RawMessage) []byte {
	if len(object) > 1 {
		object = append(object, ',')
	}
	object = append(append(object, encode(name)...), ':')
	return append(object, value...)
}

// Renamed is an object of some columns under other names; what is absent stays absent. It is nil when it would be longer
// than size: one column can be asked for many times over.
func (c Columns) Renamed(renames []Rename, size int) json.RawMessage {
	object := []byte{'{'}
	for _, rename := range renames {
		value := c.values[rename.From]
		if value == nil {
			continue
		}
		if len(object) > 1 {
			object = append(object, ',')
		}
		object = append(append(append(object, rename.name...), ':'), value...)
		if len(object) > size {
			return nil
		}
	}
	return append(object, '}')
}

// Rename is one column's way from the vendor's table to the event.
type Rename struct {
	From string `json:"from"`
	To   string `json:"to"`

	name json.RawMessage // To, written once
}

// Renames are ready to be used: each name once, the first of it.
func Renames(pairs []Rename) []Rename {
	var ready []Rename
	seen := map[string]bool{}
	for _, pair := range pairs {
		if !seen[pair.To] {
			seen[pair.To] = true
			ready = append(ready, Rename{pair.From, pair.To, encode(pair.To)})
		}
	}
	return ready
}
