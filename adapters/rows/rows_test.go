package rows

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"switchyard/adapters/spec"
	"switchyard/adapters/verify"
	"switchyard/engine"
)

var noon = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

func options(cfg Config) Options {
	common := spec.Options{Now: noon, Coverage: verify.Coverage{First: engine.Verified, Rest: engine.Verified}}
	return Options{Options: common.WithDefaults(), Config: cfg}
}

func row(object, fields string) Row {
	return Row{Object: object, Operation: "upsert", Original: json.RawMessage(fields), Fields: json.RawMessage(fields)}
}

func TestWhatARowBecomes(t *testing.T) {
	for _, test := range []struct {
		name        string
		cfg         Config
		row         Row
		typ, event  string
		user, data  string
		invalid     string
		identifier  string
		operation   string
		wantsTraits bool
	}{
		{name: "a record", row: row("invoice", `{"id":"in_1","user_id":"u"}`), typ: "record", event: "invoice", user: "u", data: `{"id":"in_1","user_id":"u"}`},
		{name: "a record of nobody", row: row("invoice", `{"id":"in_1"}`), typ: "record", event: "invoice", data: `{"id":"in_1"}`},
		{name: "a record without an object", row: row("", `{}`), typ: "record", event: "record", data: `{}`},
		{name: "a user", row: row("user", `{"id":7,"plan":"pro"}`), typ: "identify", event: "identify", user: "7", data: `{"plan":"pro"}`, wantsTraits: true},
		{name: "a user as a record", cfg: Config{As: AsRecord}, row: row("user", `{"id":7}`), typ: "record", event: "user", data: `{"id":7}`},
		{name: "a row as a user", cfg: Config{As: AsIdentify}, row: row("people", `{"userId":"u"}`), typ: "identify", event: "identify", user: "u", data: `{}`, wantsTraits: true},
		{name: "the vendor's identifier first", row: row("user", `{"id":"a","key":"b"}`), identifier: "key", typ: "identify", event: "identify", user: "b", data: `{"id":"a"}`, wantsTraits: true},
		{name: "a column of our own choice before all", cfg: Config{IDColumn: "email"}, row: row("user", `{"id":"a","email":"b@c"}`), identifier: "id",
			typ: "identify", event: "identify", user: "b@c", data: `{"id":"a","email":"b@c"}`, wantsTraits: true},
		{name: "a user that is gone", row: row("user", `{"id":"a"}`), operation: "remove", typ: "delete", event: "delete", user: "a"},
		{name: "a record that is gone", row: row("invoice", `{"id":"a"}`), operation: "delete", typ: "delete", event: "invoice", data: `{"id":"a"}`},
		{name: "repeated columns, the last wins", row: row("user", `{"id":"a","id":"b","x":1,"x":2}`), typ: "identify", event: "identify", user: "b", data: `{"x":2}`, wantsTraits: true},

		{name: "no id", row: row("user", `{"plan":"pro"}`), typ: "identify", event: "identify", invalid: "none of its columns is user_id, userId, id;"},
		{name: "another column", cfg: Config{IDColumn: "mail"}, row: row("user", `{"id":"a"}`), typ: "identify", event: "identify", invalid: "no column mail, which rows.id_column names"},
		{name: "an empty id", row: row("user", `{"id":""}`), typ: "identify", event: "identify", invalid: "no user id"},
		{name: "an id that is null", row: row("user", `{"id":null}`), typ: "identify", event: "identify", invalid: "no user id"},
		{name: "an id that is a list", row: row("invoice", `{"user_id":[1]}`), typ: "record", event: "invoice", invalid: "must be a string or a number, not a list"},
		{name: "no object", row: row("invoice", `[1]`), typ: "record", event: "invoice", invalid: "a row must be an object, not a list"},
		{name: "nothing", row: Row{Object: "invoice", Original: json.RawMessage("null")}, typ: "record", event: "invoice", invalid: "not nothing"},
		{name: "a name that is too long", row: row(strings.Repeat("x", 300), `{}`), typ: "record", event: "record", invalid: "longer than 256 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.row.Identifier = test.identifier
			if test.operation != "" {
				test.row.Operation = test.operation
			}
			e := options(test.cfg).Event(test.row, 0)
			if e.Type != test.typ || e.Name != test.event || e.UserID != test.user || (e.Invalid != "") != (test.invalid != "") || !strings.Contains(e.Invalid, test.invalid) {
				t.Errorf("%+v", e)
			}
			if test.invalid == "" && string(e.Data) != test.data {
				t.Errorf("data %s, want %s", e.Data, test.data)
			}
			if test.wantsTraits && string(e.Traits) != test.data {
				t.Errorf("traits %s", e.Traits)
			}
			if e.Verification != engine.Verified || e.MessageID == "" || len(e.MessageID) > engine.MaxMessageID || !e.Timestamp.Equal(noon) {
				t.Errorf("%+v", e)
			}
		})
	}
}

// The same content has the same message id, another has another, and so has another object or operation.
func TestMessageIDsOfRows(t *testing.T) {
	o := options(Config{Dedupe: time.Minute})
	id := func(r Row) string {
		r.Identifier = "id"
		e := o.Event(r, 0)
		if e.DedupeFor != time.Minute || e.StateKey == "" {
			t.Errorf("a repeat of %q counts for %s", e.StateKey, e.DedupeFor)
		}
		return e.MessageID
	}
	first := row("invoice", `{"id":"a","n":1}`)
	gone := first
	gone.Operation = "delete"
	hashed := first
	hashed.MessageID, hashed.Hashed = "sync/hash", true
	ids := map[string]bool{}
	for _, r := range []Row{first, gone, row("order", `{"id":"a","n":1}`), row("invoice", `{"id":"a","n":2}`), row("invoice", `{"id":"`+strings.Repeat("y", 300)+`"}`), hashed} {
		if again := id(r); again != id(r) || ids[again] {
			t.Errorf("%s is not the id of one row", again)
		}
		ids[id(r)] = true
	}
	unnamed := Row{Object: "list", Original: json.RawMessage(`{"n":1}`), Fields: json.RawMessage(`{"n":1}`)}
	if e := options(Config{}).Event(unnamed, 0); e.StateKey != "" || e.DedupeFor != DefaultDedupe {
		t.Errorf("a row that nothing names: %+v", e)
	}
	ofUser := func(object, content string) *engine.Event {
		r := row(object, content)
		r.MessageID, r.Hashed = "sync/"+content, true
		return options(Config{}).Event(r, 0)
	}
	if e := ofUser("order", `{"user_id":"u","n":1}`); e.StateKey != "" || e.DedupeFor != DefaultDedupe {
		t.Errorf("a record is told from others by its user: %+v", e)
	}
	if e := ofUser("user", `{"user_id":"u","n":1}`); e.StateKey == "" {
		t.Errorf("a user's row is not known by the user: %+v", e)
	}
	renamed := first
	renamed.Fields = json.RawMessage(`{"id":"a","m":1}`)
	if id(renamed) == id(first) {
		t.Error("the same row under other names has the same id")
	}
	own := first
	own.MessageID = "idempotency-1"
	if e := o.Event(own, 0); e.MessageID != "idempotency-1" || e.DedupeFor != 0 {
		t.Errorf("the vendor's own id: %s for %s", e.MessageID, e.DedupeFor)
	}
}

func TestTheTimeOfASync(t *testing.T) {
	r := row("invoice", `{}`)
	r.Timestamp = noon.Add(-time.Hour)
	if e := options(Config{}).Event(r, 0); !e.Timestamp.Equal(noon.Add(-time.Hour)) || e.Notes != nil {
		t.Errorf("%+v", e)
	}
	r.Timestamp = noon.AddDate(1, 0, 0)
	if e := options(Config{}).Event(r, 0); !e.Timestamp.Equal(noon) || len(e.Notes) != 1 {
		t.Errorf("a year ahead: %+v", e)
	}
}

// What the rows of a request share must not be stored with each of them at any length.
func TestWhatRowsShareIsBounded(t *testing.T) {
	long := json.RawMessage(`"` + strings.Repeat("m", 10<<10) + `"`)
	r := row("invoice", `{}`)
	r.Context = Context{SyncID: long, RunID: long, Key: long, Metadata: long}
	r.Identifier = string(long)
	e := options(Config{}).Event(r, 0)
	if len(e.Context) > 100 || len(e.MessageID) > engine.MaxMessageID || e.Invalid != "" {
		t.Errorf("context %s, id %s, %s", e.Context, e.MessageID, e.Invalid)
	}
	if got := ColumnsOf(json.RawMessage(`{"a":"xxxxxxxxxx"}`)).Renamed(Renames([]Rename{{From: "a", To: "b"}, {From: "a", To: "c"}}), 30); got != nil {
		t.Errorf("renamed to %s", got)
	}
}

func TestOffered(t *testing.T) {
	o := options(Config{Objects: map[string]Fields{"invoice": {"amount": engine.FieldNumber, "due": engine.FieldTime}, "user": {"plan": engine.FieldString}}})
	o.Used = []engine.Object{{Name: "invoice", Fields: []engine.Field{{Name: "amount", Type: engine.FieldString}, {Name: "paid", Type: engine.FieldBoolean}}}, {Name: "order_line"}}
	var list []string
	for _, object := range o.Offered() {
		names := ""
		for _, field := range object.Fields {
			names += fmt.Sprintf(" %s:%s", field.Name, field.Type)
		}
		list = append(list, object.Name+" ("+object.Label+")"+names)
	}
	want := []string{
		"user (User) id:string email:string name:string phone_number:string avatar:string locale:string timezone:string plan:string",
		"invoice (Invoice) id:string user_id:string amount:number due:time paid:boolean",
		"order_line (Order line) id:string user_id:string",
	}
	if strings.Join(list, "\n") != strings.Join(want, "\n") {
		t.Errorf("offered\n%s\nwant\n%s", strings.Join(list, "\n"), strings.Join(want, "\n"))
	}
	if unknown := o.Offer("nobody"); len(unknown.Fields) != 2 || !unknown.Fields[0].Identifier {
		t.Errorf("an unknown object: %+v", unknown)
	}
	o.IDColumn = "account"
	if user := o.Offer("user"); user.Fields[0].Name != "account" || !user.Fields[0].Identifier {
		t.Errorf("users by another column: %+v", user)
	}
	if invoice := o.Offer("invoice"); invoice.Fields[0].Name != "id" || invoice.Fields[1].Name != "account" || invoice.Fields[1].Identifier {
		t.Errorf("records whose user is in another column: %+v", invoice)
	}
}

func TestSamples(t *testing.T) {
	for doc, want := range map[string]string{
		`{"id":"a"}`: "user 1", `[{"id":"a"},{"id":"b"}]`: "user 2", `{"object":"invoice","rows":[{"id":1}]}`: "invoice 1",
		`{"jsonrpc":"2.0"}`: "ready", `7`: "error", `{`: "error",
	} {
		sample, err := sampleOf([]byte(doc), []string{"jsonrpc"})
		got := fmt.Sprintf("%s %d", sample.Object, len(sample.Rows))
		if sample.ready {
			got = "ready"
		}
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%s is %s (%v), want %s", doc, got, err, want)
		}
	}
}
