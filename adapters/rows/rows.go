// Package rows makes events of the rows that reverse-ETLs send (Hightouch, Census, Polytomic, Jitsu): a row becomes a
// record, or says who a user is.
package rows

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"switchyard/adapters/spec"
	"switchyard/engine"
)

// What a row can become.
const (
	AsRecord   = "record"
	AsIdentify = "identify"
)

// DefaultDedupe is how long the hash of a row's content is taken for a repeat where nothing says which row it is. It covers
// the retries of a vendor, and is short, for a value that changes back brings back its hash.
const DefaultDedupe = time.Hour

// Config is the `rows` section of a connection.
type Config struct {
	As       string            `yaml:"as" enum:"record,identify" doc:"What a row becomes: a record event, or an identify of its user. Left out, a row of the object called user is an identify and any other a record. A row that is gone is a delete."`
	IDColumn string            `yaml:"id_column" doc:"The column that holds the user's id. Left out, it is the vendor's own identifier for users, else user_id, userId or id (for records user_id or userId)."`
	Dedupe   time.Duration     `yaml:"dedupe" doc:"How long a row that says the same as before counts as a repeat. Default: retention.dedupe; 1h where nothing tells which row it is, as for records of Polytomic."`
	Objects  map[string]Fields `yaml:"objects" doc:"Objects that the vendor's page offers to map, with their fields, beside those that rules use."`
}

// IsZero reports that nothing is configured.
func (c Config) IsZero() bool {
	return c.As == "" && c.IDColumn == "" && c.Dedupe == 0 && len(c.Objects) == 0
}

// Fields are the columns of an object with their types.
type Fields map[string]string

// Check reports what of a configuration can not be.
func (c Config) Check() error {
	if c.Dedupe < 0 {
		return errors.New("rows: dedupe must be a time, such as 1h")
	}
	for _, object := range slices.Sorted(maps.Keys(c.Objects)) {
		for _, field := range slices.Sorted(maps.Keys(c.Objects[object])) {
			if !slices.Contains(engine.FieldTypes, c.Objects[object][field]) {
				return fmt.Errorf("rows: the type of %s.%s must be one of %s", object, field, strings.Join(engine.FieldTypes, ", "))
			}
		}
	}
	return nil
}

// Options are what the rows of one request are read with.
type Options struct {
	spec.Options
	Config
	// Used are the objects that rules use.
	Used []engine.Object
	// Rate is how many events a second the connection may send; 0 for any number.
	Rate float64
	// Budget is how many bytes the events of the request may come to.
	Budget int
}

// Row is one row as an adapter found it.
type Row struct {
	// Object is what the row is one of, or the sync that sent it.
	Object string
	// Operation is the vendor's word for what happened to the row: upsert, delete, add, change, remove.
	Operation string
	// Identifier is the column that the vendor calls the row's identifier; "" when it does not say.
	Identifier string
	// MessageID is the vendor's own; "" makes it one of the object, the identifier and the content.
	MessageID string
	// Hashed is true when the vendor's MessageID is a hash of the content, and so comes back when a value changes back.
	Hashed bool
	// Timestamp is the zero time when the vendor does not say when.
	Timestamp time.Time
	// Original is the row as sent, a checked JSON value; Fields its columns.
	Original, Fields json.RawMessage
	// Context is what is to be known of the sync. Its key stands in for a user's id that is in no column.
	Context Context
	// Invalid says what is wrong with the row as an adapter found it; "" for nothing.
	Invalid string
}

// Context is what an expression sees of the sync, as context.
type Context struct {
	Object    string          `json:"object,omitempty"`
	Operation string          `json:"operation,omitempty"`
	SyncID    json.RawMessage `json:"sync_id,omitempty"`
	RunID     json.RawMessage `json:"run_id,omitempty"`
	Key       json.RawMessage `json:"key,omitempty"`
	Metadata  json.RawMessage `json:"metadata,omitempty"`
}

// Event makes the event of a row; index is its place in the request. A row that can not be used is an event with Invalid
// set, which keeps what could be read.
func (o Options) Event(row Row, index int) *engine.Event {
	row.bound()
	event := &engine.Event{
		Type: o.typeOf(row), Timestamp: o.Now, ReceivedAt: o.Now, Verification: o.Coverage.Of(index), Original: row.Original,
	}
	row.Context.Object, row.Context.Operation = row.Object, row.Operation
	event.Invalid = row.Invalid
	event.Context = encode(row.Context)
	o.date(event, row)
	event.Name = event.Type
	if !o.isUser(row.Object) && row.Object != "" {
		event.Name = row.Object
	}
	if event.Invalid == "" && engine.KindOf(row.Fields) != '{' {
		event.Invalid = "a row must be an object, not " + spec.TypeName(row.Fields)
	}
	if event.Invalid == "" {
		o.fill(event, row)
	}
	o.setMessageID(event, row)
	spec.Bound(event)
	return event
}

// What the rows of a request share is stored with each of them, and so is short or left out.
const (
	maxName     = 256
	maxMetadata = 4 << 10
)

// bound cuts what a sender could make long once and have stored thousands of times.
func (r *Row) bound() {
	c := &r.Context
	if len(r.Object) > maxName || len(r.Operation) > maxName {
		r.Object, r.Operation = "", ""
		r.Invalid = fmt.Sprintf("the name of the object or of the operation is longer than %d bytes", maxName)
	}
	if len(r.Identifier) > maxName {
		r.Identifier = ""
	}
	for _, id := range []*json.RawMessage{&c.SyncID, &c.RunID, &c.Key} {
		if len(*id) > maxName {
			*id = nil
		}
	}
	if len(c.Metadata) > maxMetadata {
		c.Metadata = nil
	}
}

// typeOf is what the row becomes. One that is gone from the table is a delete: a rule for records must not greet it again,
// and no switch acts upon it.
func (o Options) typeOf(row Row) string {
	switch {
	case row.Operation == "delete" || row.Operation == "remove":
		return engine.TypeDelete
	case o.isUser(row.Object):
		return engine.TypeIdentify
	}
	return engine.TypeRecord
}

// isUser reports whether the rows of an object say who users are.
func (o Options) isUser(object string) bool {
	return o.As == AsIdentify || o.As == "" && object == engine.UserObject
}

func (o Options) date(event *engine.Event, row Row) {
	switch {
	case row.Timestamp.IsZero():
	case o.Ahead(row.Timestamp):
		event.Notes = append(event.Notes, "the time of the sync is more than a day ahead; the time of receipt was used")
	default:
		event.Timestamp = row.Timestamp
	}
}

// fill reads the columns.
func (o Options) fill(event *engine.Event, row Row) {
	columns, user := ColumnsOf(row.Fields), o.isUser(row.Object)
	candidates := o.idColumns(row, user)
	column, id := columns.first(candidates)
	if id == nil && user && o.IDColumn == "" {
		id = row.Context.Key
	}
	if id != nil {
		var ok bool
		if event.UserID, ok = spec.ID(id); !ok {
			event.Invalid = fmt.Sprintf("the user id in the column %s must be a string or a number, not %s", cmp.Or(column, "key"), spec.TypeName(id))
		}
	}
	event.Data = row.Fields
	if !user {
		return
	}
	if event.UserID == "" && event.Invalid == "" {
		event.Invalid = o.withoutID(candidates)
	}
	if event.Type == engine.TypeDelete {
		event.Data = nil
		return
	}
	if column != "" && !isTrait(column) {
		event.Data = columns.without(column)
	}
	event.Traits = event.Data
}

// idColumns are where the user's id is looked for, in order.
func (o Options) idColumns(row Row, user bool) []string {
	var candidates []string
	switch {
	case o.IDColumn != "":
		return []string{o.IDColumn}
	case user && row.Identifier != "":
		candidates = append(candidates, row.Identifier)
	}
	candidates = append(candidates, "user_id", "userId")
	if user && row.Identifier != "id" {
		candidates = append(candidates, "id")
	}
	return candidates
}

// withoutID is what is wrong with a user's row in which none of the columns is.
func (o Options) withoutID(candidates []string) string {
	if o.IDColumn != "" {
		return "the row has no column " + o.IDColumn + ", which rows.id_column names as that of the user's id; map one to it"
	}
	return fmt.Sprintf("the row has no user id: none of its columns is %s; name the one that holds it as rows.id_column",
		strings.Join(candidates, ", "))
}

// setMessageID gives the event its message id: the vendor's, or one of what the row is and holds. A row that is known by
// an identifier tells the state of it.
func (o Options) setMessageID(event *engine.Event, row Row) {
	identifier, _ := spec.ID(ColumnsOf(row.Fields).Value(row.Identifier))
	event.MessageID = row.MessageID
	if row.MessageID == "" {
		hash := sha256.New()
		hash.Write(row.Original)
		hash.Write(row.Fields) // a sync that names the columns anew sends something new
		event.MessageID = row.Object + "/" + identifier + "/" + row.Operation + "/" + hex.EncodeToString(hash.Sum(nil)[:12])
	}
	if len(event.MessageID) > engine.MaxMessageID {
		event.MessageID = "row/" + hashOf(event.MessageID)
	}
	if row.MessageID != "" && !row.Hashed {
		return
	}
	switch {
	case identifier != "":
		event.StateKey = row.Object + "/" + identifier
	case event.UserID != "" && o.isUser(row.Object): // of records one user may have many
		event.StateKey = row.Object + "/user/" + event.UserID
	default:
		event.DedupeFor = cmp.Or(o.Dedupe, DefaultDedupe)
		return
	}
	event.DedupeFor = o.Dedupe
}

func hashOf(text string) string {
	hash := sha256.Sum256([]byte(text))
	return hex.EncodeToString(hash[:])
}

// encode is JSON without the escapes for HTML, which make six bytes of one and are not what was sent.
func encode(value any) json.RawMessage {
	var doc bytes.Buffer
	encoder := json.NewEncoder(&doc)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // of checked JSON and strings nothing can go wrong
	return bytes.TrimSuffix(doc.Bytes(), []byte("\n"))
}
