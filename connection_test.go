package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// connections is a set-up with one of everything that a connection can set.
var connections = map[string]string{
	"switchyard.yaml": `
sources:
  - {key: limited, kind: http}
  - {key: quarantined, kind: http}
  - {key: warned, kind: http}
  - {key: rejecting, kind: http}
  - {key: census, kind: census}
  - {key: sheet, kind: polytomic}
environments:
  - key: test
    connections:
      limited: {write_keys: [limited-key], limits: {rate: 0.5, burst: 3, body: 2000, batch: 5}}
      quarantined: {write_keys: [quarantined-key], schemas: {signed-up: schemas/signed-up.json}}
      warned: {write_keys: [warned-key], schemas: {signed-up: schemas/signed-up.json}, on_invalid: warn}
      rejecting: {write_keys: [rejecting-key], schemas: {signed-up: schemas/signed-up.json}, on_invalid: reject}
      census: {write_keys: [census-key], schemas: {invoice: schemas/signed-up.json}, limits: {rate: 50, batch: 20}}
      sheet: {write_keys: [sheet-key], rows: {dedupe: 1m}}
    rules: [rules.yaml]
`,
	"schemas/signed-up.json": `{"type":"object","required":["plan"],"properties":{"plan":{"enum":["free","pro"]},"seats":{"$ref":"seats.json"}}}`,
	"schemas/seats.json":     `{"type":"integer","minimum":1}`,
	"rules.yaml": `
rules:
  - {key: greet, match: name == "signed-up", actions: [{identify: {user_id: user_id, traits: data}}]}
  - {key: invoice, match: type == "record" && name == "invoice" && data.amount > 100 && data.paid == false, actions: [{identify: {user_id: user_id}}]}
`,
}

func signedUp(id, data string) string {
	return fmt.Sprintf(`{"type":"track","event":"signed-up","userId":"u-%s","messageId":"%s","properties":%s}`, id, id, data)
}

// detail is what the API says of an event with its schema's complaints.
type detail struct {
	Outcome, Reason string
	Violations      []struct{ Pointer, Message string }
	Notes           []string
	MatchedRules    []string `json:"matched_rules"`
}

func (i *instance) detail(messageID string) (d detail) {
	i.t.Helper()
	i.get(testEnvironment+"/events/"+i.settled(messageID).ID, &d)
	return d
}

func TestEventsThatDoNotFitTheirSchema(t *testing.T) {
	onBothStores(t, func(t *testing.T, redis string) {
		i := start(t, redis, connections)

		answer := i.post("quarantined-key", signedUp("q-1", `{"plan":"gold","seats":0}`), 200)
		if want := `{"success":true,"accepted":0,"duplicates":0,"invalid":1}`; answer.Body != want {
			t.Errorf("quarantine answered %s, want %s", answer.Body, want)
		}
		d := i.detail("q-1")
		if d.Outcome != "invalid" || len(d.Violations) != 2 || d.Violations[0].Pointer != "/plan" || d.Violations[1].Pointer != "/seats" ||
			!strings.Contains(d.Violations[0].Message, "gold") || !strings.Contains(d.Reason, "/plan") || len(d.MatchedRules) != 0 {
			t.Errorf("quarantined: %+v", d)
		}
		i.post("quarantined-key", signedUp("q-2", `{"plan":"pro","seats":2}`), 200)
		if d := i.detail("q-2"); d.Outcome != "matched" || d.Violations != nil {
			t.Errorf("what fits: %+v", d)
		}
		i.post("quarantined-key", signedUp("q-1", `{"plan":"free"}`), 200)
		if d := i.detail("q-1"); d.Outcome != "matched" {
			t.Errorf("the corrected event, under its old id: %+v", d)
		}

		i.post("warned-key", signedUp("w-1", `{}`), 200)
		if d := i.detail("w-1"); d.Outcome != "matched" || len(d.Violations) != 1 || d.Violations[0].Pointer != "" || !strings.Contains(d.Violations[0].Message, "plan") {
			t.Errorf("warned: %+v", d)
		}

		refused := i.post("rejecting-key", signedUp("r-1", `{"plan":7}`), 400)
		if !strings.Contains(refused.Body, `"schema_violation"`) || !strings.Contains(refused.Body, "/plan") {
			t.Errorf("reject answered %s", refused.Body)
		}
		i.post("rejecting-key", "["+signedUp("r-2", `{"plan":7}`)+","+signedUp("r-3", `{"plan":"pro"}`)+"]", 200)
		if bad, good := i.detail("r-2"), i.detail("r-3"); bad.Outcome != "invalid" || good.Outcome != "matched" {
			t.Errorf("in a list: %+v, %+v", bad, good)
		}
		var page listOf[eventRecord]
		if i.get(testEnvironment+"/events?message_id=r-1", &page); len(page.Items) != 0 {
			t.Errorf("the refused event is on the log: %+v", page.Items)
		}
	})
}

// A vendor that asks for results is told which rows do not fit.
func TestARowThatDoesNotFitIsReportedToTheVendor(t *testing.T) {
	i := start(t, "embedded", connections)
	answer := i.post("census-key", `{"jsonrpc":"2.0","id":9,"method":"sync_batch","params":{"sync_plan":{"object":{"object_api_name":"invoice"},
		"operation":"upsert","schema":{"id":{"active_identifier":true}}},"records":[{"id":"a","plan":"pro"},{"id":"b","plan":"gold"}]}}`, 200)
	var reply struct {
		ID     int
		Result struct {
			Records []struct {
				Identifier string
				Success    bool
				Message    string `json:"error_message"`
			} `json:"record_results"`
		}
	}
	if err := json.Unmarshal([]byte(answer.Body), &reply); err != nil {
		t.Fatal(err)
	}
	if r := reply.Result.Records; reply.ID != 9 || len(r) != 2 || !r[0].Success || r[0].Identifier != "a" || r[1].Success || !strings.Contains(r[1].Message, "gold") {
		t.Errorf("%s", answer.Body)
	}
}

// What rules use, and the connection's limits, are told to a vendor that asks.
func TestAVendorsPageOffersWhatRulesUse(t *testing.T) {
	i := start(t, "embedded", connections)
	ask := func(method, params string) string {
		return i.post("census-key", `{"jsonrpc":"2.0","id":"x","method":"`+method+`","params":`+params+`}`, 200).Body
	}
	if objects := ask("list_objects", "{}"); !strings.Contains(objects, `"object_api_name":"invoice"`) || !strings.Contains(objects, `"object_api_name":"user"`) {
		t.Errorf("objects: %s", objects)
	}
	fields := ask("list_fields", `{"object":{"object_api_name":"invoice"}}`)
	for _, want := range []string{`"field_api_name":"amount"`, `"type":"float"`, `"field_api_name":"paid"`, `"type":"boolean"`} {
		if !strings.Contains(fields, want) {
			t.Errorf("fields lack %s: %s", want, fields)
		}
	}
	if speed := ask("get_sync_speed", `{}`); !strings.Contains(speed, `"maximum_batch_size":20`) || !strings.Contains(speed, `"maximum_records_per_second":50`) {
		t.Errorf("speed: %s", speed)
	}
}

// The hash of a row's content names it; the log's contract has how long a repeat counts.
func TestARowIsKnownByItsHash(t *testing.T) {
	onBothStores(t, func(t *testing.T, redis string) {
		i := start(t, redis, connections)
		row := func(hash, city string) string {
			return `{"event":"sync.records","object":{"id":"s","name":"People","records":[{"hash":"` + hash + `","fields":{"user_id":"u","city":"` + city + `"}}]}}`
		}
		for n, step := range []struct{ hash, city, want string }{
			{"h1", "Rome", `"accepted":1,"duplicates":0`}, {"h1", "Rome", `"accepted":0,"duplicates":1`}, {"h2", "Oslo", `"accepted":1,"duplicates":0`},
		} {
			if answer := i.post("sheet-key", row(step.hash, step.city), 200); !strings.Contains(answer.Body, step.want) {
				t.Errorf("step %d: %s, want %s", n, answer.Body, step.want)
			}
		}
		if d := i.detail("s/h2"); d.Outcome != "unmatched" {
			t.Errorf("%+v", d)
		}
	})
}

// Several records of one user in a batch are several things: the vendor's repeat of the batch changes nothing.
func TestABatchOfRecordsOfOneUserIsRepeated(t *testing.T) {
	onBothStores(t, func(t *testing.T, redis string) {
		i := start(t, redis, connections)
		batch := `{"event":"sync.records","object":{"id":"s","name":"Orders","records":[
			{"hash":"o1","fields":{"user_id":"u","order":1}},{"hash":"o2","fields":{"user_id":"u","order":2}}]}}`
		for n, want := range []string{`"accepted":2,"duplicates":0`, `"accepted":0,"duplicates":2`, `"accepted":0,"duplicates":2`} {
			if answer := i.post("sheet-key", batch, 200); !strings.Contains(answer.Body, want) {
				t.Errorf("time %d: %s, want %s", n, answer.Body, want)
			}
		}
	})
}

// limited serves with the door's clock standing still, so that the rate is what the test says.
func limited(t *testing.T) *instance {
	t.Helper()
	i := &instance{t: t, dir: t.TempDir(), log: &logBuffer{}, now: func() time.Time { return fixtureTime }}
	for name, text := range connections {
		i.write(name, text)
	}
	i.serve("embedded")
	return i
}

func TestLimits(t *testing.T) {
	i := limited(t)
	for n := range 3 {
		i.post("limited-key", signedUp(fmt.Sprintf("l-%d", n), `{}`), 200)
	}
	slow := i.post("limited-key", signedUp("l-3", `{}`), 429)
	wait, err := strconv.Atoi(slow.Header.Get("Retry-After"))
	if err != nil || wait != 2 || !strings.Contains(slow.Body, `"rate_limited"`) || !strings.Contains(slow.Body, "in 2 s") {
		t.Errorf("Retry-After %q, %s", slow.Header.Get("Retry-After"), slow.Body)
	}
	var page listOf[eventRecord]
	if i.get(testEnvironment+"/events?message_id=l-3", &page); len(page.Items) != 0 {
		t.Errorf("a refused event is on the log")
	}
	if !i.metric(`switchyard_events_rejected_total{environment="test",reason="rate_limited",source="limited"} 1`) {
		t.Error("the refusal is not counted")
	}
	if big := i.post("limited-key", signedUp("l-4", `{"x":"`+strings.Repeat("x", 2000)+`"}`), 413); !strings.Contains(big.Body, "2000 bytes") {
		t.Errorf("%s", big.Body)
	}
	// Others are not held back by it.
	i.post("warned-key", signedUp("l-5", `{"plan":"pro"}`), 200)
	if many := i.post("census-key", "["+strings.Repeat(`{"event":"e"},`, 20)+`{"event":"e"}]`, 400); !strings.Contains(many.Body, "too_many_events") {
		t.Errorf("%s", many.Body)
	}
}

// A batch larger than the burst gets through, and what comes after it waits.
func TestABatchLargerThanTheBurst(t *testing.T) {
	i := limited(t)
	batch := "["
	for n := range 5 {
		batch += signedUp(fmt.Sprintf("b-%d", n), `{}`) + ","
	}
	i.post("limited-key", strings.TrimSuffix(batch, ",")+"]", 200)
	answer := i.post("limited-key", signedUp("b-9", `{}`), 429)
	if wait, _ := strconv.Atoi(answer.Header.Get("Retry-After")); wait != 6 {
		t.Errorf("Retry-After %s after five events at one in two seconds", answer.Header.Get("Retry-After"))
	}
}

// What is refused is on no log; whoever connects a platform sees it with the connection.
func TestRefusalsAreShown(t *testing.T) {
	i := limited(t)
	for range 3 {
		i.do(http.MethodPost, i.ingest+"/v1/receive/warned-key", `{"type":`)
	}
	i.do(http.MethodPost, i.ingest+"/v1/receive/rejecting-key", signedUp("s", `{"plan":"secret-plan"}`))
	i.do(http.MethodPost, i.ingest+"/v1/receive/nobody", `{}`)
	var page listOf[struct {
		Source  string
		Refused *struct {
			Count    int
			LastAt   time.Time `json:"last_at"`
			LastCode string    `json:"last_code"`
		}
	}]
	i.get(testEnvironment+"/connections", &page)
	shown := map[string]string{}
	for _, c := range page.Items {
		if c.Refused != nil {
			shown[c.Source] = fmt.Sprintf("%d %s %s", c.Refused.Count, c.Refused.LastCode, c.Refused.LastAt.Format(time.RFC3339))
		}
	}
	if want := map[string]string{"warned": "3 malformed_json 2024-05-01T12:00:00Z", "rejecting": "1 schema_violation 2024-05-01T12:00:00Z"}; !maps.Equal(shown, want) {
		t.Errorf("shown %v, want %v", shown, want)
	}
	log := i.log.String()
	if n := strings.Count(log, "requests are refused"); n != 3 || !strings.Contains(log, "reason=unknown_write_key") || strings.Contains(log, "secret-plan") {
		t.Errorf("told %d times:\n%s", n, log)
	}
}

// An expression of ours that fails is not the sender's to mend: the event is kept, with what is wrong.
func TestAMapThatFailsKeepsTheEvent(t *testing.T) {
	i := start(t, "embedded", map[string]string{"switchyard.yaml": `
sources: [{key: desk, kind: http}]
environments:
  - key: test
    connections: {desk: {write_keys: [desk-key], map: {name: body.type + ".x", message_id: body.id}}}
`})
	i.post("desk-key", `{"id":"d-1","customer":"ann"}`, 200)
	if d := i.detail("d-1"); d.Outcome != "invalid" || !strings.Contains(d.Reason, "switchyard.yaml:5:") || !strings.Contains(d.Reason, "name: ") {
		t.Errorf("%+v", d)
	}
}

func TestASchemaFileIsWatched(t *testing.T) {
	i := start(t, "embedded", connections)
	i.post("rejecting-key", signedUp("s-1", `{"plan":"pro","seats":0}`), 400)
	i.write("schemas/seats.json", `{"type":"integer"}`)
	eventually(t, "the schema is read again", func() bool {
		return i.do(http.MethodPost, i.ingest+"/v1/receive/rejecting-key", signedUp("s-1", `{"plan":"pro","seats":0}`)).Status == 200
	})
}

func TestConnectionProblems(t *testing.T) {
	withConnection := func(kind, rest string) string {
		return fmt.Sprintf("sources:\n  - {key: web, kind: %s}\nenvironments:\n  - key: test\n    connections:\n      web: {write_keys: [k], %s}\n", kind, rest)
	}
	for name, test := range map[string]struct{ config, want string }{
		"rows of a source without": {withConnection("segment", "rows: {as: record}"), "switchyard.yaml:6:36: connection web: rows: this kind of source sends no rows"},
		"unknown row form":         {withConnection("census", "rows: {as: records}"), `did you mean "record"?`},
		"unknown field type":       {withConnection("census", "rows: {objects: {a: {b: text}}}"), "the type of a.b must be one of string, number"},
		"map of a source without":  {withConnection("segment", "map: {name: body.a}"), "needs no map"},
		"map that does not compile": {withConnection("http", "map: {name: bdy.type}"),
			"switchyard.yaml:6:42: unknown name bdy; did you mean body?"},
		"item without each":          {withConnection("http", "map: {name: item.type}"), "switchyard.yaml:6:42: "},
		"batch above the limit":      {withConnection("http", "limits: {batch: 5000}"), "limits: batch can not be above 4000"},
		"burst without a rate":       {withConnection("http", "limits: {burst: 5}"), "limits: burst needs a rate"},
		"negative":                   {withConnection("http", "limits: {rate: -1}"), "limits: a limit can not be negative"},
		"a schema that is not there": {withConnection("http", "schemas: {a: nowhere.json}"), "switchyard.yaml:6:43: "},
		"on_invalid alone":           {withConnection("http", "on_invalid: warn"), "on_invalid has no effect without schemas"},
		"a colon in Jitsu's header":  {withConnection("jitsu", `verify: {scheme: header, header: X-S, secrets: ["a:b"]}`), "holds a colon"},
	} {
		t.Run(name, func(t *testing.T) { wantProblem(t, test.config, test.want) })
	}
}

// What is wrong in a schema is reported where it is.
func TestAProblemInASchemaHasItsPlace(t *testing.T) {
	i := &instance{t: t, dir: t.TempDir(), log: &logBuffer{}}
	for name, text := range connections {
		i.write(name, text)
	}
	i.write("schemas/seats.json", "{\n  \"type\": \"intger\"\n}")
	_, err := loadPlan(i.dir+"/switchyard.yaml", variables)
	if err == nil || !strings.Contains(err.Error(), "schemas/seats.json:2:11: /type: ") {
		t.Errorf("%v", err)
	}
}

// variables stand in for the environment of a guide's examples.
func variables(name string) (string, bool) {
	if strings.HasSuffix(name, "_SECRET") {
		return "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", true
	}
	return strings.ToLower(name), true
}

// Every complete configuration in the guide for those who connect a platform is one.
func TestTheGuidesConfigurationsLoad(t *testing.T) {
	guide, err := os.ReadFile("adapters/README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(guide), -1)
	for _, part := range regexp.MustCompile("(?s)```yml\n(rows|schemas|limits|each):(.*?)```").FindAllStringSubmatch(string(guide), -1) {
		text := part[1] + ":" + part[2]
		if part[1] == "each" {
			text = "map:\n  name: item.name\n  " + text
		}
		indented := "        " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n        ")
		blocks = append(blocks, []string{"", "sources: [{key: part, kind: census}]\nenvironments:\n  - key: test\n    connections:\n      part:\n        write_keys: [k]\n" + indented + "\n"})
	}
	if len(blocks) < 13 {
		t.Fatalf("%d configurations in the guide", len(blocks))
	}
	for _, block := range blocks {
		i := &instance{t: t, dir: t.TempDir()}
		i.write("switchyard.yaml", block[1])
		i.write("schemas/user-signed-up.json", "{}")
		if _, err := loadPlan(i.dir+"/switchyard.yaml", variables); err != nil {
			t.Errorf("%v\nin\n%s", err, block[1])
		}
	}
}

// The two platforms without an adapter that the guide connects by YAML alone.
func TestTheGuidesMaps(t *testing.T) {
	guide, err := os.ReadFile("adapters/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		source, body  string
		headers       []string
		name, user    string
		message, data string
		at            time.Time
	}{
		{source: "payments", body: `{"id":"evt_1","object":"event","type":"charge.refunded","created":1714564800,"data":{"object":{"id":"ch_1","customer":"cus_9","amount":9007199254740993}}}`,
			name: "charge.refunded", user: "cus_9", message: "evt_1", data: `{"amount":9007199254740993,"customer":"cus_9","id":"ch_1"}`, at: fixtureTime},
		{source: "code", body: `{"action":"opened","issue":{"number":5,"title":"<b>","updated_at":"2024-05-01T12:00:00Z"},"repository":{"full_name":"acme/app"},"sender":{"login":"ann","id":583231}}`,
			headers: []string{"X-GitHub-Event", "issues", "X-GitHub-Delivery", "72d3162e"},
			name:    "issues.opened", user: "583231", message: "72d3162e",
			data: `{"action":"opened","issue":{"number":5,"title":"<b>","updated_at":"2024-05-01T12:00:00Z"},"repository":"acme/app"}`, at: fixtureTime},
	} {
		block := regexp.MustCompile("(?s)```yaml\n(sources:\n  - \\{key: " + test.source + ",.*?)```").FindStringSubmatch(string(guide))
		if block == nil {
			t.Fatalf("the guide does not connect %s", test.source)
		}
		config := strings.NewReplacer("key: production", "key: test").Replace(regexp.MustCompile(`(?s)\n        verify:.*?(\n        map:)`).ReplaceAllString(block[1], "$1"))
		config = regexp.MustCompile(`write_keys: \[.*?\]`).ReplaceAllString(config, "write_keys: [map-key]")
		i := start(t, "embedded", map[string]string{"switchyard.yaml": config})
		answer := i.do(http.MethodPost, i.ingest+"/v1/receive/map-key", test.body, test.headers...)
		if answer.Status != 200 {
			t.Fatalf("%s: %d %s", test.source, answer.Status, answer.Body)
		}
		var event struct {
			Type, Name   string
			UserID       string `json:"user_id"`
			Timestamp    time.Time
			Data, Event  json.RawMessage
			Verification string
		}
		i.get(testEnvironment+"/events/"+i.settled(test.message).ID, &event)
		if event.Type != "track" || event.Name != test.name || event.UserID != test.user || string(event.Data) != test.data ||
			string(event.Event) != test.body || !event.Timestamp.Equal(test.at) {
			t.Errorf("%s: %+v\ndata %s\nevent %s", test.source, event, event.Data, event.Event)
		}
		if again := i.do(http.MethodPost, i.ingest+"/v1/receive/map-key", test.body, test.headers...); !strings.Contains(again.Body, `"duplicates":1`) {
			t.Errorf("%s, once more: %s", test.source, again.Body)
		}
		i.stop()
	}
}
