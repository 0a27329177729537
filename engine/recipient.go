package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Recipient is who a trigger notifies, in one of three forms: an id (a user who must be known), an object with an id
// (identified inline first, an upsert), or an object of a collection.
type Recipient struct {
	ID string
	// Collection is set for an object such as a project; such a recipient is not a user and is never identified here.
	Collection string
	// Traits are those of an inline recipient, by their canonical names, without the id. Nil for a bare id; empty, not
	// nil, for {"id": …} alone, which identifies the user too.
	Traits map[string]any
}

// Inline reports whether the recipient is identified before the trigger.
func (r Recipient) Inline() bool { return r.Traits != nil && r.Collection == "" }

// MarshalJSON writes a bare id as a string and every other form as an object.
func (r Recipient) MarshalJSON() ([]byte, error) {
	if r.Traits == nil && r.Collection == "" {
		return json.Marshal(r.ID)
	}
	object := maps.Clone(r.Traits)
	if object == nil {
		object = map[string]any{}
	}
	object["id"] = r.ID
	if r.Collection != "" {
		object["collection"] = r.Collection
	}
	return json.Marshal(object)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (r *Recipient) UnmarshalJSON(doc []byte) error {
	value, err := DecodeJSON(doc)
	if err != nil {
		return err
	}
	*r, err = NewRecipient(value)
	return err
}

// NewRecipient reads one recipient from the value of an expression: a string, a number, or an object with an id.
func NewRecipient(value any) (Recipient, error) {
	object, ok := value.(map[string]any)
	if !ok {
		id, err := UserID(value)
		return Recipient{ID: id}, err
	}
	if object["id"] == nil {
		return Recipient{}, errors.New("a recipient object needs an id")
	}
	id, err := UserID(object["id"])
	if err != nil {
		return Recipient{}, err
	}
	recipient := Recipient{ID: id}
	traits := maps.Clone(object)
	delete(traits, "id")
	if collection, ok := traits["collection"].(string); ok && collection != "" {
		recipient.Collection = collection
		delete(traits, "collection")
	}
	recipient.Traits = CanonicalTraits(traits)
	return recipient, nil
}

// NewRecipients reads one recipient or a list of them, and drops repeats of an id, the inline form winning. The error
// names the first recipient that is wrong; an empty list is an error, for a trigger without recipients does nothing.
func NewRecipients(value any) ([]Recipient, error) {
	if value == nil {
		return nil, errors.New("recipients is missing")
	}
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	if len(list) == 0 {
		return nil, errors.New("recipients is empty")
	}
	recipients := make([]Recipient, 0, len(list))
	at := make(map[[2]string]int, len(list))
	for i, item := range list {
		recipient, err := NewRecipient(item)
		if err != nil {
			return nil, fmt.Errorf("recipient %d: %w", i, err)
		}
		key := [2]string{recipient.Collection, recipient.ID}
		if j, seen := at[key]; seen {
			if recipient.Traits != nil {
				recipients[j] = recipient
			}
			continue
		}
		at[key] = len(recipients)
		recipients = append(recipients, recipient)
	}
	return recipients, nil
}

// MaxUserID is the longest user id, in characters (Knock's rule).
const MaxUserID = 256

// UserID reads a user's id from the value of an expression: 1 to 256 characters without / and #. A number becomes its
// literal text. These are Knock's rules; they hold for every destination, so that one can be changed for another.
func UserID(value any) (string, error) {
	id, ok := Text(value)
	switch {
	case value == nil || ok && id == "":
		return "", errors.New("the id is missing")
	case !ok:
		return "", fmt.Errorf("the id must be a string, not %s", TypeName(value))
	case utf8.RuneCountInString(id) > MaxUserID:
		return "", fmt.Errorf("the id has more than %d characters", MaxUserID)
	case strings.ContainsAny(id, "/#"):
		return "", fmt.Errorf("the id %q must not contain / or #", id)
	}
	return id, nil
}

// Text is a string as it is and a number as its literal; ok is false for any other value.
func Text(value any) (text string, ok bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case int:
		return strconv.Itoa(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case uint64:
		return strconv.FormatUint(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return "", false
}

// TypeName names a value's type for people, with its article.
func TypeName(value any) string {
	switch value.(type) {
	case nil:
		return "nothing"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case int, int64, uint64, float64, json.Number:
		return "a number"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return fmt.Sprintf("a %T", value)
}
