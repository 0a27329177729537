package rules

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"switchyard/engine"
)

// objectsText is what Objects gives, a line each: name: fields.
func objectsText(t *testing.T, source string) string {
	t.Helper()
	var lines []string
	for _, object := range compileText(t, source).Objects() {
		lines = append(lines, strings.TrimSpace(object.Name+": "+strings.Join(fieldsText(object), " ")))
	}
	return strings.Join(lines, "\n")
}

// fieldsText is each field's name, and its type where there is one: n:number.
func fieldsText(object engine.Object) (fields []string) {
	for _, field := range object.Fields {
		fields = append(fields, strings.TrimSuffix(field.Name+":"+field.Type, ":"))
	}
	return fields
}

func TestObjects(t *testing.T) {
	const source = `
rules:
  - key: churned
    match: type == "record" && name == "accounts" && data.plan in ["pro", "team"] && "mrr" in data
    transform:
      row: data
      contact: row.contact.email
      picked: pick(row, "seats", ["owner", "plan"])
      rest: omit(data, "secret")
    actions:
      - trigger:
          workflow: churned
          recipients: 'map(data["owners"], {"id": #.id, "name": data[#.field]})'
          tenant: data?.account_id
          data: 'let d = row; {"n": d.name.first, "x": get(d, "x"), "r": rename(data, "old", "new")}'
  - key: more
    match: type in ["track", "record"] && name in ["accounts", "workspaces"]
    actions: [{identify: {user_id: user_id, traits: '{"plan": data.plan, "z": data.z, "t": traits.t}'}}]
  - key: users
    match: type == "identify" && traits.plan == "pro"
    actions: [{identify: {user_id: user_id, traits: 'merge(pick(data, "email"), {"city": traits.address.city})'}}]
  - key: "off"
    enabled: false
    match: type == "record" && name == "off"
    actions: [{identify: {user_id: data.id}}]
  - key: everything
    actions: [{identify: {user_id: data.everything}}]
`
	want := `accounts: account_id contact mrr name old owner owners plan:string seats x z
user: address email plan:string
workspaces: plan z`
	if got := objectsText(t, source); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestObjectsOfOneMatch(t *testing.T) {
	tests := map[string]string{
		`type == "record" && name == "a"`:                         "a: id",
		`"record" == type && name in ["b", "a"]`:                  "a: id\nb: id",
		`type == "record"`:                                        "",
		`type == "record" && name contains "a"`:                   "",
		`type == "track" && name == "a"`:                          "",
		`type in ["track", "page"] && name == "a"`:                "",
		`type in ["record"] && type == "track" && name == "a"`:    "",
		`type == "record" && name in ["a", "b"] && name == "b"`:   "b: id",
		`type == "record" || name == "a"`:                         "",
		`type == "record" && name == "identify"`:                  "identify: id",
		`type == "identify"`:                                      "user: id",
		`type in ["identify", "record"] && name == "a"`:           "a: id",
		`type in ["identify", "record"] && name in ["a"] || true`: "",
		`type in ["identify", "record"]`:                          "user: id",
		`type == "identify" && name == "identify"`:                "user: id",
		`type == "identify" && name == "other"`:                   "",

		// no comparison of type
		`name == "a"`: "a: id",
		`name == "a" && data.n > 1 && source == "x"`: "a: id n:number",
		`name in ["identify", "a"]`:                  "a: id",
		`name == "a" && type != "track"`:             "",
		`name == "a" && properties.n > 1`:            "",
		`name == "a" && traits.n > 1`:                "",
		`name == "a" && anonymous_id != ""`:          "",
		`true`:                                       "",
	}
	for match, want := range tests {
		source := fmt.Sprintf("rules:\n  - key: a\n    match: '%s'\n    actions: [{identify: {user_id: data.id, traits: '{\"of\": type}'}}]\n", match)
		if got := objectsText(t, source); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", match, got, want)
		}
	}
}

func TestFieldsOfObjects(t *testing.T) {
	tests := map[string][]string{
		`data`:                                        nil,
		`data.a > 1 && data.b == true`:                {"a:number", "b:boolean"},
		`-1.5 <= data.a || data.b in ["x"]`:           {"a:number", "b:string"},
		`data["a b"] != "x"`:                          {"a b:string"},
		`data.a.b > 1`:                                {"a"},
		`data.a == data.b`:                            {"a", "b"},
		`let d = data; d.a == 1`:                      {"a:number"},
		`data.a.b.c`:                                  {"a"},
		`data["a b"]`:                                 {"a b"},
		`data?.a?.b`:                                  {"a"},
		`data[name]`:                                  nil,
		`data | pick("b", "a") | omit("c")`:           {"a", "b"},
		`omit(data, "a").b`:                           nil,
		`"a" not in data`:                             {"a"},
		`user_id in ["a"]`:                            nil,
		`coalesce(data.a, data.b)`:                    {"a", "b"},
		`map(data.list, #.id + data.a)`:               {"a", "list"},
		`let d = data; let e = d; e.a`:                {"a"},
		`let d = {"a": 1}; d.a`:                       nil,
		`(let d = data; d.a) ?? (let d = event; d.b)`: {"a"},
		`event.a`:                                     nil,
		`merge(data, {"a": 1})`:                       nil,
	}
	for source, want := range tests {
		set := compileText(t, fmt.Sprintf("rules:\n  - key: a\n    match: type == \"record\" && name == \"o\"\n    actions: [{identify: {user_id: user_id, traits: '%s'}}]\n", source))
		if got := set.Objects(); len(got) != 1 || got[0].Name != "o" || !slices.Equal(fieldsText(got[0]), want) {
			t.Errorf("%s: got %v, want %v", source, got, want)
		}
	}
	if got := compileText(t, "rules: []").Objects(); len(got) != 0 {
		t.Errorf("no rules: %v", got)
	}
}
