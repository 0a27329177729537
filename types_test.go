package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"switchyard/httpapi"
)

// orders is a set-up whose one source declares what an order's data has.
var orders = map[string]string{
	"switchyard.yaml": `sources:
  - {key: api, kind: http}
environments:
  - key: test
    partitions: 4
    connections:
      api: {write_keys: [api-key], schemas: {order: order.json}}
    rules: [rules.yaml]
`,
	"order.json": `{"type": "object", "properties": {
  "total": {"type": "number"}, "currency": {"enum": ["EUR", "USD"]},
  "items": {"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string"}}, "additionalProperties": false}}
}}`,
	"rules.yaml": `rules:
  - key: big
    match: name == "order" && data.total > 100
    actions: [{identify: {user_id: user_id, traits: 'pick(data, "total")'}}]
`,
}

// checkFiles runs check on a set-up, with some files changed.
func checkFiles(t *testing.T, changed map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	i := &instance{t: t, dir: t.TempDir()}
	for name, text := range orders {
		i.write(name, text)
	}
	for name, text := range changed {
		i.write(name, text)
	}
	for n, arg := range args {
		args[n] = strings.ReplaceAll(arg, "DIR", i.dir)
	}
	var out, err bytes.Buffer
	code = run(append([]string{"check", "-c", filepath.Join(i.dir, "switchyard.yaml")}, args...), &out, &err)
	return code, strings.ReplaceAll(out.String(), i.dir+"/", ""), err.String()
}

func ordersThat(part string) map[string]string {
	return map[string]string{"rules.yaml": strings.Replace(orders["rules.yaml"], "data.total > 100", part, 1)}
}

func TestCheckTellsOfDeclaredTypes(t *testing.T) {
	if code, stdout, _ := checkFiles(t, nil); code != exitGood || strings.Contains(stdout, "warning") {
		t.Errorf("exit %d\n%s", code, stdout)
	}
	for part, want := range map[string]string{
		`data.totl > 100`: `rules.yaml:3:36: unknown field data.totl: the schema of "order" does not name it; did you mean total?
    3 |     match: name == "order" && data.totl > 100
      |                                    ^
`,
		`data.total > "100"`:            `rules.yaml:3:44: data.total is a number; it can not be compared with a string`,
		`data.currency == "EURO"`:       `rules.yaml:3:48: data.currency is never "EURO"; did you mean "EUR"?`,
		`any(data.items, .skuu == "")`:  `rules.yaml:3:48: unknown field data.items[].skuu: the schema of "order" does not allow it; did you mean sku?`,
		`data.items contains "x"`:       `rules.yaml:3:31: data.items is a list; contains needs a string (for a list write: value in list)`,
		`any(data.total, .x == "x")`:    `rules.yaml:3:35: data.total is a number; any needs a list`,
		`data.missing.deeper[3].x == 1`: `rules.yaml:3:36: warning: unknown field data.missing: the schema of "order" does not name it`,
	} {
		code, stdout, stderr := checkFiles(t, ordersThat(part))
		isWarning := strings.Contains(want, "warning")
		if !strings.HasPrefix(stdout, want) || isWarning != (code == exitGood) || isWarning != strings.Contains(stdout, ": good") || strings.Contains(stderr, "0 problem") != isWarning {
			t.Errorf("%s: exit %d\n%s%s", part, code, stdout, stderr)
		}
		if code, _, _ := checkFiles(t, ordersThat(part), "--strict"); code != exitProblems {
			t.Errorf("%s: exit %d of --strict", part, code)
		}
	}
}

func TestCheckTellsOfTypesAsJSON(t *testing.T) {
	for part, want := range map[string]string{
		`data.total > 5`:   `true 0 0`,
		`data.coupon == 5`: `true 0 1`,
		`data.totl > 5`:    `false 1 0`,
	} {
		_, stdout, _ := checkFiles(t, ordersThat(part), "--json")
		var found struct {
			OK                 bool
			Problems, Warnings []struct {
				File, Message, Excerpt string
				Line, Col              int
			}
		}
		if err := json.Unmarshal([]byte(stdout), &found); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(found.OK, len(found.Problems), len(found.Warnings)); got != want || found.Problems == nil || found.Warnings == nil {
			t.Errorf("%s: %s\n%s", part, got, stdout)
		}
	}
}

// Another source may send the name without a schema, and "warn" lets events come that do not fit.
func TestWhatMayStillComeIsAWarning(t *testing.T) {
	other := strings.Replace(strings.Replace(orders["switchyard.yaml"], "environments:", "  - {key: web, kind: http}\nenvironments:", 1), "    rules:", "      web: {write_keys: [web-key]}\n    rules:", 1)
	loose := strings.Replace(orders["switchyard.yaml"], "order.json}}", "order.json}, on_invalid: warn}", 1)
	for part, want := range map[string]struct{ other, loose int }{
		`data.totl > 5`:                    {exitGood, exitGood},
		`source == "api" && data.totl > 5`: {exitProblems, exitGood},
	} {
		files := ordersThat(part)
		files["switchyard.yaml"] = other
		if code, stdout, _ := checkFiles(t, files); code != want.other || !strings.Contains(stdout, "data.totl") {
			t.Errorf("%s: exit %d\n%s", part, code, stdout)
		}
		files["switchyard.yaml"] = loose
		if code, stdout, _ := checkFiles(t, files); code != want.loose || !strings.Contains(stdout, "data.totl") {
			t.Errorf("%s, warn: exit %d\n%s", part, code, stdout)
		}
	}
}

func TestWhatDoesNotFitASchemaIsNotReloaded(t *testing.T) {
	i := start(t, "embedded", orders)
	i.write("rules.yaml", ordersThat(`data.total == "5"`)["rules.yaml"])
	eventually(t, "the rule is reported", func() bool { return i.metric(`switchyard_config_reloads_total{result="failure"} 1`) })
	if !strings.Contains(i.log.String(), "data.total is a number") {
		t.Errorf("the log does not say what is wrong:\n%s", i.log)
	}
	i.post("api-key", `{"type":"track","event":"order","userId":"u","messageId":"1","properties":{"total":200}}`, 200)
	if got := i.settled("1").Outcome; got != "matched" {
		t.Errorf("the running rules must stay: %s", got)
	}
	i.write("rules.yaml", ordersThat(`data.coupon == "5"`)["rules.yaml"])
	eventually(t, "the odd rule is live", func() bool { return i.metric(`switchyard_config_reloads_total{result="success"} 1`) })
	if !strings.Contains(i.log.String(), "unknown field data.coupon") {
		t.Errorf("the log does not say what is odd:\n%s", i.log)
	}
}

func TestEventSchemas(t *testing.T) {
	onBothStores(t, func(t *testing.T, redis string) {
		i := start(t, redis, signup)
		for n := range 40 {
			coupon := ""
			if n == 7 {
				coupon = `"coupon":"A","address":{"zip":null},`
			}
			i.post("api-key", fmt.Sprintf(`{"type":"track","event":"order","userId":"u%d","messageId":"o-%d","properties":{%s"total":%d,"items":[{"sku":"s"},{"sku":1}]}}`, n%5, n, coupon, n), 200)
		}
		i.post("api-key", `{"type":"track","event":"order","userId":"u7","messageId":"o-7","properties":{"repeat":true}}`, 200) // counted nowhere, unless in another partition
		i.post("api-key", `{"type":"identify","userId":"u1","messageId":"i-1","traits":{"email":"a@example.com"}}`, 200)
		var all listOf[*httpapi.EventSchema]
		i.get(testEnvironment+"/event-schemas", &all)
		if len(all.Items) != 2 || all.Items[0].Name != "identify" || all.Items[1].Name != "order" {
			t.Fatal(mustJSON(t, all))
		}
		order := all.Items[1]
		if order.Environment != "test" || order.Source != "api" || order.Type != "track" || order.Events < 40 {
			t.Errorf("%s", mustJSON(t, order))
		}
		for path, want := range map[string]string{
			"coupon":  `{"seen":1,"presence":0.0\d+,"types":{"string":1},"example":"A"}`,
			"address": `{"seen":1,"presence":0.0\d+,"types":{"object":1},"fields":{"zip":{"seen":1,"presence":1,"types":{"null":1}}}}`,
			"items":   `{"seen":40,"presence":[01][.0-9]*,"types":{"list":1},"items":{"seen":80,"types":{"object":1},"fields":{"sku":{"seen":80,"presence":1,"types":{"number":0.5,"string":0.5},"example":("s"|1)}}}}`,
		} {
			if got := mustJSON(t, order.Fields[path]); !regexp.MustCompile("^" + want + "$").MatchString(got) {
				t.Errorf("%s is %s", path, got)
			}
		}
		for query, want := range map[string]string{
			"source=api&name=order":   "1",
			"type=identify":           "1",
			"name=nothing":            "0",
			"events=10&type=track":    "1 10",
			"events=2000&source=none": "0",
		} {
			var some listOf[*httpapi.EventSchema]
			i.get(testEnvironment+"/event-schemas?"+query, &some)
			got := fmt.Sprint(len(some.Items))
			if strings.Contains(query, "events=10&") {
				got += fmt.Sprint(" ", some.Items[0].Events)
			}
			if got != want {
				t.Errorf("%s: %s", query, mustJSON(t, some))
			}
		}
		for query, want := range map[string]int{"events=0": 400, "events=2001": 400, "evnts=5": 400} {
			if answer := i.do(http.MethodGet, i.admin+testEnvironment+"/event-schemas?"+query, ""); answer.Status != want {
				t.Errorf("%s: %d %s", query, answer.Status, answer.Body)
			}
		}
		checkLearned(t, i)
	})
}

// checkLearned has a rule checked against what a server learned, asked for and saved.
func checkLearned(t *testing.T, i *instance) {
	t.Helper()
	answer := i.do(http.MethodGet, i.admin+testEnvironment+"/event-schemas", "")
	i.write("learned.json", answer.Body)
	i.write("rules.yaml", `rules:
  - key: a
    match: name == "order" && data.totl > 5 && data.total == "5" && data.coupon == "A"
    actions: [{identify: {user_id: user_id}}]
`)
	for _, args := range [][]string{{"--server", i.admin}, {"--learned", filepath.Join(i.dir, "learned.json")}} {
		var stdout, stderr bytes.Buffer
		if code := run(append([]string{"check", "-c", filepath.Join(i.dir, "switchyard.yaml")}, args...), &stdout, &stderr); code != exitGood {
			t.Errorf("exit %d: %s%s", code, &stdout, &stderr)
		}
		for _, want := range []string{
			`rules.yaml:3:36: warning: data.totl was in none of 4\d events "order"; did you mean total\?`,
			`rules.yaml:3:62: warning: data.total was always a number \(seen 40 times\); it is compared with a string and can never be equal`,
			`rules.yaml:3:74: warning: data.coupon was in only 1 of 4\d events "order"`,
		} {
			if !regexp.MustCompile(want).MatchString(stdout.String()) {
				t.Errorf("%v does not say %s:\n%s", args, want, &stdout)
			}
		}
	}
}

func TestCheckOfWhatWasNotLearned(t *testing.T) {
	for name, want := range map[string]string{
		`{"items": [{"environment": "staging", "name": "order"}]}`: "an environment that is not configured; there are test",
		`[1]`:               "no items",
		`{"items": [null]}`: "not configured",
		`{`:                 "malformed",
		`{"items": []}`:     "",
	} {
		code, stdout, stderr := checkFiles(t, map[string]string{"learned.json": name}, "--learned", "DIR/learned.json")
		if (code == exitGood) != (want == "") || !strings.Contains(stderr, want) && want != "malformed" {
			t.Errorf("%s: exit %d\n%s%s", name, code, stdout, stderr)
		}
	}
	if code, _, stderr := checkFiles(t, nil, "--learned", "x", "--server", "y"); code != exitUsage {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if code, _, stderr := checkFiles(t, nil, "--learned", "DIR/nowhere.json"); code != exitProblems || !strings.Contains(stderr, "nowhere.json") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if code, _, stderr := checkFiles(t, nil, "--server", "http://127.0.0.1:1"); code != exitProblems || stderr == "" {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

// The guide's own example, exactly as it stands there.
func TestTheRulesGuidesTypes(t *testing.T) {
	guide, err := os.ReadFile("rules/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(guide), "\n## Types\n")
	block := func(language string) string {
		found := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindStringSubmatch(section)
		if found == nil {
			t.Fatalf("the guide shows no %s", language)
		}
		return found[1]
	}
	code, stdout, _ := checkFiles(t, map[string]string{"order.json": block("json typed"), "rules/orders.yaml": block("yaml typed"),
		"switchyard.yaml": strings.Replace(orders["switchyard.yaml"], "[rules.yaml]", "[rules/orders.yaml]", 1)})
	if want := block("console"); code != exitProblems || stdout != want {
		t.Errorf("exit %d\n%s\nwant\n%s", code, stdout, want)
	}
}
