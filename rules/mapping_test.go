package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"switchyard/engine"
	"switchyard/rules/document"
)

// mappingText is a mapping as a file has it, from line 1.
func mappingText(t testing.TB, source string) *MappingText {
	t.Helper()
	doc, err := document.Parse("m.yaml", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	written := new(MappingText)
	if err := doc.Decode(written, nil); err != nil {
		t.Fatal(err)
	}
	return written
}

func compileMapping(t testing.TB, source string, hide ...string) *Mapping {
	t.Helper()
	m, err := CompileMapping(mappingText(t, source), hide...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// request has the headers as the door lends them: by their names in lower case.
func request(body string, headers map[string]string) *engine.Request {
	return &engine.Request{
		Method: "POST", Body: []byte(body),
		Header:  func(name string) string { return headers[strings.ToLower(name)] },
		Headers: func() map[string]string { return maps.Clone(headers) },
		Query:   func(string) string { return "" },
	}
}

func messagesOf(t testing.TB, source, body string, headers map[string]string) []engine.Mapped {
	t.Helper()
	messages, err := compileMapping(t, source).Map(request(body, headers), 4000)
	if err != nil {
		t.Fatal(err)
	}
	return messages
}

const stripeEvent = `{
  "id": "evt_1NG8Du2eZvKYlo2CUI79vXWy", "object": "event", "created": 1686089970, "livemode": false,
  "type": "invoice.paid",
  "data": {"object": {"id": "in_1", "customer": "cus_9s6XKzkNRiz8i3", "amount_paid": 9007199254740993, "lines": {"data": [{"price": 2.5}]}}}
}`

const gitHubPush = `{"ref":"refs/heads/main","commits":[
 {"id":"c1", "timestamp":"2024-05-06T07:08:09+02:00", "author":{"username":"ann"}, "message":"a < b & c"},
 {"id":"c2","timestamp":"2024-05-06T08:00:00+02:00","author":{"username":"bob"},"distinct":true}
],"sender":{"login":"ann"}}`

func TestMapping(t *testing.T) {
	tests := map[string]struct {
		mapping, body string
		headers       map[string]string
		want          []engine.Mapped
	}{
		"Stripe": {`
type: '"track"'
name: body.type
user_id: body.data.object.customer
message_id: body.id
timestamp: body.created
data: body.data.object
`, " \n" + stripeEvent + "\r\n", nil, []engine.Mapped{{
			Original: json.RawMessage(stripeEvent),
			Type:     "track", Name: "invoice.paid", UserID: "cus_9s6XKzkNRiz8i3", MessageID: "evt_1NG8Du2eZvKYlo2CUI79vXWy", Timestamp: 1686089970,
			Data: map[string]any{"id": "in_1", "customer": "cus_9s6XKzkNRiz8i3", "amount_paid": 9007199254740993, "lines": map[string]any{"data": []any{map[string]any{"price": 2.5}}}},
		}}},
		"GitHub": {`
each: body.commits
name: headers["X-GitHub-Event"]
user_id: item.author.username
message_id: headers["X-GitHub-Delivery"] + "/" + item.id
timestamp: date(item.timestamp)
data: '{"ref": body.ref, "id": item.id}'
`, gitHubPush, map[string]string{"x-github-event": "push", "x-github-delivery": "d1"}, []engine.Mapped{{
			Original: json.RawMessage(`{"id":"c1", "timestamp":"2024-05-06T07:08:09+02:00", "author":{"username":"ann"}, "message":"a < b & c"}`),
			Name:     "push", UserID: "ann", MessageID: "d1/c1", Timestamp: time.Date(2024, 5, 6, 5, 8, 9, 0, time.UTC), Data: map[string]any{"ref": "refs/heads/main", "id": "c1"},
		}, {
			Original: json.RawMessage(`{"id":"c2","timestamp":"2024-05-06T08:00:00+02:00","author":{"username":"bob"},"distinct":true}`),
			Name:     "push", UserID: "bob", MessageID: "d1/c2", Timestamp: time.Date(2024, 5, 6, 6, 0, 0, 0, time.UTC), Data: map[string]any{"ref": "refs/heads/main", "id": "c2"},
		}}},
		"nothing where it looks": {
			"{type: body.a.b.c, name: 'body[3].x', user_id: headers.none, message_id: 'headers[body.a]', data: body}", `[1]`, nil,
			[]engine.Mapped{{Original: json.RawMessage(`[1]`), Data: []any{1}}},
		},
		"a scalar": {"{name: body}", `"hi"`, nil, []engine.Mapped{{Original: json.RawMessage(`"hi"`), Name: "hi"}}},
		"times are text elsewhere": {`{name: 'date("2024-05-06")', timestamp: 'date("2024-05-06")'}`, `null`, nil, []engine.Mapped{{
			Original: json.RawMessage(`null`), Name: "2024-05-06T00:00:00.000Z", Timestamp: time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC),
		}}},
		"a time that can not be written": {`{timestamp: 'date("2024-05-06").AddDate(9999, 0, 0)'}`, `null`, nil,
			[]engine.Mapped{{Original: json.RawMessage(`null`), Timestamp: "12023-05-06T00:00:00.000Z"}}},
		"the body is the list": {"{each: body, data: item}", ` [ 1 , {"a":1.0} ] `, nil,
			[]engine.Mapped{{Original: json.RawMessage(`1`), Data: 1}, {Original: json.RawMessage(`{"a":1.0}`), Data: map[string]any{"a": 1.0}}}},
		"no messages": {"{each: body.a, data: item}", `{"a":[]}`, nil, []engine.Mapped{}},
		"the last of repeated members": {`{each: 'body["a"]?.b', data: item}`, `{"a":{"b":[1]},"\u0061":{"b":[2],"\u0062":[3, 4]}}`, nil,
			[]engine.Mapped{{Original: json.RawMessage(`3`), Data: 3}, {Original: json.RawMessage(`4`), Data: 4}}},
		"items that are made": {"{each: 'filter(body, .n > 1)', data: item.n}", `[{"n":1}, {"n": 18446744073709551615, "t":"<&>"}, {"n": 9007199254740993}]`, nil, []engine.Mapped{
			{Original: json.RawMessage(`{"n":18446744073709551615,"t":"<&>"}`), Data: uint64(18446744073709551615)},
			{Original: json.RawMessage(`{"n":9007199254740993}`), Data: 9007199254740993},
		}},
		"texts are a list": {`{each: 'split(body, ",")', name: item}`, `"a,b"`, nil,
			[]engine.Mapped{{Original: json.RawMessage(`"a"`), Name: "a"}, {Original: json.RawMessage(`"b"`), Name: "b"}}},
	}
	for name, test := range tests {
		if got := messagesOf(t, test.mapping, test.body, test.headers); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, shown(got), shown(test.want))
		}
	}
}

func shown(messages []engine.Mapped) string {
	var lines []string
	for _, m := range messages {
		original := string(m.Original)
		m.Original = nil
		lines = append(lines, fmt.Sprintf("%s %#v", original, m))
	}
	return strings.Join(lines, "\n")
}

// The body is only lent.
func TestMappingKeepsNothingOfTheBody(t *testing.T) {
	for _, source := range []string{"{data: body}", "{each: body.a, data: item}", "{each: 'filter(body.a, true)', data: item}"} {
		req := request(`{"a":[{"text":"abc","n":123456789012345678901234567890}]}`, nil)
		messages, err := compileMapping(t, source).Map(req, 4000)
		if err != nil || len(messages) != 1 {
			t.Fatal(err)
		}
		before := shown(messages)
		for i := range req.Body {
			req.Body[i] = 'x'
		}
		if after := shown(messages); after != before {
			t.Errorf("%s: it became %s", source, after)
		}
	}
}

func TestMappingHeaders(t *testing.T) {
	headers := map[string]string{
		"x-github-event": "push", "x-kind": "x-GitHub-EVENT", "authorization": "Bearer s3cret", "proxy-authorization": "s3cret", "cookie": "s3cret",
		"x-token": "s3cret",
	}
	tests := map[string]any{
		`headers["X-GitHub-Event"]`:                                          "push",
		`headers?.["x-github-event"]`:                                        "push",
		`headers[headers["X-Kind"]]`:                                         "push",
		`headers["X-" + body.suffix]`:                                        "push",
		`headers[body.missing]`:                                              nil,
		`map(["X-Github-Event"], headers[#])[0]`:                             "push",
		`headers | get("X-GITHUB-EVENT")`:                                    "push",
		`pick(headers, "X-GitHub-Event")`:                                    map[string]any{"x-github-event": "push"},
		`pick(headers, ["X-GitHub-Event"])`:                                  map[string]any{"x-github-event": "push"},
		`omit(headers, "X-Kind", "Date")`:                                    map[string]any{"x-github-event": "push"},
		`rename(headers, "X-GitHub-Event", "Event", "X-Kind", "Kind").Event`: "push",
		`"X-GitHub-Event" in headers`:                                        true,
		`"X-Token" + "" not in headers`:                                      true,
		`keys(headers)`:                                                      []any{"x-github-event", "x-kind"},
		`let h = headers; h["x-github-event"]`:                               "push",
		`headers[lower("Authorization")]`:                                    nil,
		`headers["X-" + "Token"]`:                                            nil,
		`toJSON(headers) contains "s3cret"`:                                  false,
		`{"headers": body.headers}`:                                          map[string]any{"headers": nil},
		`let headers2 = {"X-A": 1}; headers2["X-A"]`:                         1,
	}
	for source, want := range tests {
		quoted, _ := json.Marshal(source)
		messages, err := compileMapping(t, fmt.Sprintf("{data: %s}", quoted), "X-Token").Map(request(`{"suffix":"GitHub-Event"}`, headers), 4000)
		if err != nil || messages[0].Err != nil || !reflect.DeepEqual(messages[0].Data, want) {
			t.Errorf("%s = %#v, %v; want %#v", source, messages[0].Data, messages[0].Err, want)
		}
	}
	if got := messagesOf(t, "{data: body, name: headers.a}", "1", nil); got[0].Name != nil {
		t.Errorf("without headers: %s", shown(got))
	}
}

func TestMappingDoesNotAskForHeadersInVain(t *testing.T) {
	req := request("{}", nil)
	req.Headers = func() map[string]string { t.Error("headers were made"); return nil }
	if _, err := compileMapping(t, "{data: body.headers, name: '\"headers\"'}").Map(req, 4000); err != nil {
		t.Error(err)
	}
}

func TestMappingProblems(t *testing.T) {
	tests := map[string]string{
		"name: boddy.type":                         `m.yaml:1:7: unknown name boddy; did you mean body?`,
		"name: body.type\nuser_id: 'iff(1'":        `m.yaml:2:16: the expression ends too early: a bracket is not closed`,
		"{each: body, name: itm.id}":               `m.yaml:1:20: unknown name itm; did you mean item?`,
		"name: item.id":                            `m.yaml:1:7: item is not available: it is an item of the list that each gives, and there is no each`,
		"{each: item.x, name: item.id}":            `m.yaml:1:8: item is not available: it is an item of the list that each gives; each itself sees the body`,
		"name: data.x":                             `m.yaml:1:7: data is not available: the event is only made here, of body and headers`,
		"name: user_id":                            `m.yaml:1:7: user_id is not available: the event is only made here, of body and headers`,
		"name: body.x == type":                     `m.yaml:1:17: type is not available: the event is only made here, of body and headers; for the type of a value write typeof(value)`,
		"timestamp: now()":                         `m.yaml:1:12: now is not available: a body is read the same way at any time; without a timestamp it is the time of receipt`,
		"type: track":                              `m.yaml:1:7: track is not available: a text has quotes of its own: '"track"'`,
		"name: 'body.x = 1'":                       `m.yaml:1:15: unexpected "="; use == to compare`,
		"name: body.x &&":                          `m.yaml:1:16: the expression ends too early`,
		"name: ''":                                 `m.yaml:1:8: the expression ends too early`,
		"{each: headers, name: item}":              `m.yaml:1:8: each must be a list, not an object`,
		"{each: len(body), name: item, data: itm}": `m.yaml:1:37: unknown name itm; did you mean item?`,
		"{each: body.n > 5, name: item}":           `m.yaml:1:8: each must be a list, not a boolean`,
		"each: body.events":                        `m.yaml:1:1: a mapping needs at least one of type, name, user_id, message_id, timestamp and data`,
		"name: headers.Authorization":              `m.yaml:1:15: the header authorization holds a credential, and can not be read`,
		"name: 'headers[\"X-Token\"]'":             `m.yaml:1:16: the header x-token holds a credential, and can not be read`,
		"name: get(headers, \"cookie\")":           `m.yaml:1:20: the header cookie holds a credential, and can not be read`,
		"name: x1\nuser_id: x2\nmessage_id: x3\ntimestamp: x4\ndata: x5": `m.yaml:1:7: unknown name x1; a text needs quotes: "x1"` + "\nm.yaml:2:10: unknown name x2; a text needs quotes: \"x2\"\nm.yaml:3:13: unknown name x3; a text needs quotes: \"x3\"\n" +
			`m.yaml:4:12: unknown name x4; a text needs quotes: "x4"` + "\nm.yaml:5:7: unknown name x5; a text needs quotes: \"x5\"",
		"name: nmae\ndata: |\n  {\"a\": 1,\n   \"b\": bdy.x}\n": "m.yaml:1:7: unknown name nmae; a text needs quotes: \"nmae\"\nm.yaml:4:9: unknown name bdy; did you mean body?",
	}
	for source, want := range tests {
		_, err := CompileMapping(mappingText(t, source), "X-Token")
		var problems document.Problems
		if !errors.As(err, &problems) || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", source, err, want)
		}
	}
}

// The names of one place are not those of another.
func TestMappingLeavesTheRulesTheirNames(t *testing.T) {
	for _, name := range []string{"body", "headers", "item"} {
		if got, err := evaluate(t, name); err == nil {
			t.Errorf("a rule sees %s as %v", name, got)
		}
	}
	// A name of the event's that an expression gives to a value of its own is not looked up in an event.
	if got := messagesOf(t, "{name: 'let data = body.a; data.b'}", `{"a":{"b":"c"}}`, nil); got[0].Name != "c" || got[0].Err != nil {
		t.Errorf("got %s", shown(got))
	}
}

func TestMappingBadRequests(t *testing.T) {
	tests := map[string]struct{ mapping, body, code, message string }{
		"empty":      {"{data: body}", " \n", "empty_body", "the body is empty"},
		"malformed":  {"{data: body}", ` {"a":}`, "malformed_json", "a JSON value was expected, not '}' at byte 6"},
		"cut":        {"{data: body}", `{"a"`, "malformed_json", "the JSON ends early: a colon was expected at byte 4"},
		"form":       {"{data: body}", `a=1&b=2`, "malformed_json", "a JSON value was expected, not 'a' at byte 0"},
		"UTF-8":      {"{data: body}", "\"\xff\"", "invalid_utf8", "a string is not valid UTF-8 at byte 1"},
		"deep":       {"{data: body}", strings.Repeat("[", 100), "too_deep", "JSON nested deeper than 64 levels at byte 64"},
		"values":     {"{data: body}", "[" + strings.Repeat("1,", 500_000) + "1]", "too_many_values", "more than 500000 JSON values at byte 999999"},
		"missing":    {"{each: body.a.b, data: item}", `{"b":[]}`, "not_a_list", "body.a.b is missing; a list of messages was expected there"},
		"null":       {"{each: body.a, data: item}", `{"a":null}`, "not_a_list", "body.a is missing; a list of messages was expected there"},
		"nil":        {"{each: nil, data: item}", `{}`, "not_a_list", "the list of messages that this connection looks for is missing"},
		"an object":  {"{each: body, data: item}", `{"a":[]}`, "not_a_list", "body is an object; a list of messages was expected there"},
		"no list":    {"{each: 'body.a ?? body.b', data: item}", `{"a":5}`, "not_a_list", "the list of messages that this connection looks for is a number"},
		"too many":   {"{each: body, data: item}", "[" + strings.Repeat("1,", 4000) + "1]", "too_many_events", "more than 4000 events in one request"},
		"multiplied": {"{each: body.a, data: body}", `{"a":[` + strings.Repeat("1,", 2000) + "1]}", "too_large", "the messages that are made of this body come to far more than the body"},
		"multiplied text": {"{each: body.a, name: body.t}", `{"t":"` + strings.Repeat("t", 100_000) + `","a":[` + strings.Repeat("1,", 2000) + "1]}", "too_large",
			"the messages that are made of this body come to far more than the body"},
		"made originals": {"{each: 'let whole = body; map(body, whole)', name: '\"n\"'}", "[" + strings.Repeat(`"abcdefghij",`, 2000) + "1]", "too_large",
			"the messages that are made of this body come to far more than the body"},
	}
	for name, test := range tests {
		messages, err := compileMapping(t, test.mapping).Map(request(test.body, nil), 4000)
		var bad *engine.BadRequest
		if !errors.As(err, &bad) || bad.Code != test.code || bad.Message != test.message || messages != nil {
			t.Errorf("%s: %d messages, %#v", name, len(messages), err)
		}
	}
}

func TestMappingLimit(t *testing.T) {
	m := compileMapping(t, "{each: body, data: item}")
	if messages, err := m.Map(request("["+strings.Repeat("1,", 3999)+"1]", nil), 4000); err != nil || len(messages) != 4000 {
		t.Errorf("the most: %d messages, %v", len(messages), err)
	}
	if messages, err := m.Map(request("[1,2]", nil), 2); err != nil || len(messages) != 2 {
		t.Errorf("two: %d messages, %v", len(messages), err)
	}
	var bad *engine.BadRequest
	if _, err := m.Map(request("[1,2,3]", nil), 2); !errors.As(err, &bad) || bad.Code != "too_many_events" {
		t.Errorf("three: %v", err)
	}
}

// A message that can not be read keeps what could be, and the others are not touched.
func TestMappingFailures(t *testing.T) {
	const source = `
each: body
name: upper(item.name)
user_id: item.id
timestamp: item.at + 1
data: '{"n": item.n * 2}'
`
	got := messagesOf(t, source, `[{"name":"a","id":1,"at":1,"n":1}, {"name":5,"id":2,"at":"x","n":2}, {"name":"c","id":3,"at":3,"n":"x"}]`, nil)
	want := []string{
		"<nil> A 1 2 map[n:2]",
		"m.yaml:3:7: name: upper needs a string, not a number <nil> 2 <nil> map[n:4]",
		`m.yaml:6:21: data: * can not be used on a string and a number C 3 4 <nil>`,
	}
	for i, m := range got {
		if line := fmt.Sprint(m.Err, " ", m.Name, " ", m.UserID, " ", m.Timestamp, " ", m.Data); line != want[i] {
			t.Errorf("message %d:\n got %s\nwant %s", i, line, want[i])
		}
		var problem document.Problem
		if m.Err != nil && !errors.As(m.Err, &problem) {
			t.Errorf("message %d: %T has no place", i, m.Err)
		}
	}

	tests := map[string]struct{ mapping, body, err, original string }{
		"each":         {"{each: 'filter(body, .a > 1)', data: item}", ` [{"a":"x"}] `, `m.yaml:1:25: each: a string and a number can not be compared`, `[{"a":"x"}]`},
		"no list":      {"{each: 'filter(body.a, true)', data: item}", `{"a":{}}`, `m.yaml:1:16: each: a list was expected, not an object`, `{"a":{}}`},
		"an item":      {"{each: '[float(\"NaN\")]', name: '1'}", `1`, `m.yaml:1:9: each: the result is not a finite number`, `null`},
		"not for JSON": {"{data: 'date(\"2024-01-01\").Location()'}", `1`, `m.yaml:1:9: data: a time zone can not be written as JSON`, `1`},
		"depth":        {"{data: body}", strings.Repeat("[", 60) + strings.Repeat("]", 60), `m.yaml:1:8: data: the value is nested too deeply`, strings.Repeat("[", 60) + strings.Repeat("]", 60)},
	}
	for name, test := range tests {
		messages := messagesOf(t, test.mapping, test.body, nil)
		if len(messages) != 1 || fmt.Sprint(messages[0].Err) != test.err || string(messages[0].Original) != test.original {
			t.Errorf("%s: %v %s", name, messages[0].Err, shown(messages))
		}
	}
}

func TestMappingConcurrently(t *testing.T) {
	m := compileMapping(t, "{each: body.a, name: 'headers[\"X-N\"]', data: 'map(item, # + 1)'}")
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for i := range 100 {
				n := worker*1000 + i
				messages, err := m.Map(request(fmt.Sprintf(`{"a":[[%d],[%d]]}`, n, n+1), map[string]string{"x-n": fmt.Sprint(n)}), 4000)
				if err != nil || len(messages) != 2 || messages[0].Name != fmt.Sprint(n) || !reflect.DeepEqual(messages[1].Data, []any{n + 2}) {
					t.Errorf("%d: %s, %v", n, shown(messages), err)
				}
			}
		})
	}
	group.Wait()
}

func TestMappingSchema(t *testing.T) {
	schema, err := document.Schema(MappingText{}, "a mapping")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"each", "type", "name", "user_id", "message_id", "timestamp", "data"} {
		if !bytes.Contains(schema, []byte(`"`+key+`": {`)) {
			t.Errorf("the schema does not have %s", key)
		}
	}
}

func FuzzMapping(f *testing.F) {
	for _, body := range []string{stripeEvent, gitHubPush, `[{"a":1},{"a":[2]}]`, `{"a":[1],"a":{"b":[{"a":"\ud800"}]}}`, `{"a":{"b":[1e999,-0,18446744073709551615]}}`, `"\u0000`, " "} {
		f.Add([]byte(body), `item.a.b ?? body.type`)
		f.Add([]byte(body), `{"n": map(item, #.a), "h": headers[item.a]}`)
	}
	var split []*Mapping
	for _, each := range []string{"body", "body.a", "body.a.b", "body.commits", "filter(body, true)"} {
		split = append(split, compileMapping(f, fmt.Sprintf("{each: %q, data: item}", each)))
	}
	f.Fuzz(func(t *testing.T, body []byte, source string) {
		for _, m := range split {
			fuzzEach(t, m, body)
		}
		if strings.Contains(source, "..") || strings.Count(source, "(") > 20 {
			return // large ranges inside each other take their time
		}
		quoted, _ := json.Marshal(source)
		for _, mapping := range []string{"{data: %s}", "{each: body, name: %s}", "{each: %s, data: item}"} {
			doc, err := document.Parse("m.yaml", fmt.Appendf(nil, mapping, quoted))
			if err != nil {
				return // YAML does not take every character
			}
			written := new(MappingText)
			if err := doc.Decode(written, nil); err != nil {
				t.Fatal(err)
			}
			if m, err := CompileMapping(written); err == nil {
				fuzzMap(t, m, body)
			}
		}
	})
}

// fuzzEach checks that each message's original is the item that its expressions saw.
func fuzzEach(t *testing.T, each *Mapping, body []byte) {
	for _, m := range fuzzMap(t, each, body) {
		if m.Err != nil {
			continue
		}
		original, err := engine.DecodeJSON(m.Original)
		if same, _ := equal(original, m.Data); err != nil || !same {
			t.Errorf("%s of %q: the original is %s, %v, and the item %#v", each.each.text.Value, body, m.Original, err, m.Data)
		}
	}
}

func fuzzMap(t *testing.T, m *Mapping, body []byte) []engine.Mapped {
	messages, err := m.Map(request(string(body), map[string]string{"x-a": "b", "cookie": "s3cret"}), 4000)
	var bad *engine.BadRequest
	if err != nil && !errors.As(err, &bad) {
		t.Errorf("%q: %v is not the sender's fault", body, err)
	}
	for _, message := range messages {
		if err := engine.CheckJSON(message.Original, engine.DefaultJSONLimits); err != nil {
			t.Errorf("%q: the original %q: %v", body, message.Original, err)
		}
		if message.Err != nil && strings.Contains(message.Err.Error(), "this expression failed") {
			t.Errorf("%q: %v", body, message.Err)
		}
		for _, value := range []any{message.Name, message.Data} {
			if doc, err := json.Marshal(value); err != nil || bytes.Contains(doc, []byte("s3cret")) && !bytes.Contains(body, []byte("s3cret")) {
				t.Errorf("%q: %s, %v", body, doc, err)
			}
		}
	}
	return messages
}

func BenchmarkMapping(b *testing.B) {
	m := compileMapping(b, "{each: body.commits, name: 'headers[\"X-GitHub-Event\"]', user_id: item.author.username, data: item}")
	req := request(gitHubPush, map[string]string{"x-github-event": "push"})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Map(req, 4000); err != nil {
			b.Fatal(err)
		}
	}
}
