package knock

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"switchyard/adapters/deliver/dial"
	"switchyard/adapters/deliver/knock/knocktest"
	"switchyard/engine"
)

const apiKey = "sk_test_0123456789"

// request is what arrived.
type request struct{ method, uri, key, authorization, body string }

// listen serves one handler and returns what it was asked, and a destination that calls it over the network.
func listen(t *testing.T, handle http.HandlerFunc) (*Destination, *[]request) {
	t.Helper()
	var seen []request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen = append(seen, request{r.Method, r.RequestURI, r.Header.Get("Idempotency-Key"), r.Header.Get("Authorization"), string(body)})
		r.Body = io.NopCloser(bytes.NewReader(body))
		handle(w, r)
	}))
	t.Cleanup(server.Close)
	d, err := New(Settings{APIKey: apiKey, BaseURL: server.URL, Client: dial.Client(dial.Settings{AllowPrivate: true})})
	if err != nil {
		t.Fatal(err)
	}
	return d, &seen
}

func identify(event, id string, traits map[string]any) *engine.Action {
	return &engine.Action{Environment: "production", EventID: event, Rule: "people", Kind: engine.ActionIdentify,
		UserID: id, Identify: &engine.Identify{UserID: id, Traits: traits}}
}

// trigger reads its recipients as a rule does.
func trigger(t *testing.T, event string, values engine.TriggerValues) *engine.Action {
	t.Helper()
	payload, err := engine.NewTrigger("welcome", values)
	if err != nil {
		t.Fatal(err)
	}
	return &engine.Action{Environment: "production", EventID: event, Rule: "welcome", Index: 1, Kind: engine.ActionTrigger, Trigger: payload}
}

func perform(t *testing.T, d *Destination, action *engine.Action) engine.Result {
	t.Helper()
	result, err := d.Perform(t.Context(), action)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestIdentifyRequest(t *testing.T) {
	d, seen := listen(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"id":"sam10"}`) })
	result := perform(t, d, identify("e1", "sam10", map[string]any{
		"name": "Sam", "phone_number": "+1", "id": "someone-else", "score": json.Number("12345678901234567890"), "gone": nil,
	}))
	want := request{"PUT", "/v1/users/sam10", "", "Bearer " + apiKey, `{"gone":null,"name":"Sam","phone_number":"+1","score":12345678901234567890}`}
	if (*seen)[0] != want {
		t.Errorf("got  %v\nwant %v", (*seen)[0], want)
	}
	if string(result.Body) != `{"user_id":"sam10"}` {
		t.Errorf("%s", result.Body)
	}
}

func TestTriggerRequest(t *testing.T) {
	d, seen := listen(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"workflow_run_id":"r-1"}`) })
	action := trigger(t, "e1", engine.TriggerValues{
		Recipients: []any{
			"sam10", json.Number("17"), map[string]any{"id": "ann"},
			map[string]any{"id": "bob", "phone": "+2", "preferences": map[string]any{}, "channel_data": map[string]any{}, "collection": json.Number("1")},
			map[string]any{"id": "p1", "collection": "projects", "name": "Apollo"},
		},
		Actor: map[string]any{"id": "boss", "preferences": "x"}, Data: map[string]any{"plan": "pro", "n": json.Number("1.50")},
		Tenant: json.Number("7"), CancellationKey: "welcome-sam10",
	})
	result := perform(t, d, action)
	want := request{"POST", "/v1/workflows/welcome/trigger", action.EffectKey(""), "Bearer " + apiKey,
		`{"recipients":["sam10","17",{"id":"ann"},{"id":"bob","phone_number":"+2"},{"collection":"projects","id":"p1","name":"Apollo"}],` +
			`"actor":{"id":"boss"},"data":{"n":1.50,"plan":"pro"},"tenant":"7","cancellation_key":"welcome-sam10"}`}
	if (*seen)[0] != want {
		t.Errorf("got  %v\nwant %v", (*seen)[0], want)
	}
	if string(result.Body) != `{"workflow_run_id":"r-1","replayed":false}` {
		t.Errorf("%s", result.Body)
	}
	perform(t, d, action)
	if (*seen)[1] != want {
		t.Errorf("the repeat differs: %v", (*seen)[1])
	}
}

func TestSmallestTrigger(t *testing.T) {
	d, seen := listen(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("idempotent-replayed", "true")
		fmt.Fprint(w, `{"workflow_run_id":"r-1"}`)
	})
	result := perform(t, d, trigger(t, "e1", engine.TriggerValues{Recipients: "sam10"}))
	if got := (*seen)[0].body; got != `{"recipients":["sam10"]}` {
		t.Error(got)
	}
	if string(result.Body) != `{"workflow_run_id":"r-1","replayed":true}` {
		t.Errorf("%s", result.Body)
	}
}

// An id never becomes another path, and arrives as it was.
func TestIDsStayOneSegment(t *testing.T) {
	for id, uri := range map[string]string{
		"a?b": "a%3Fb", "a%2Fb": "a%252Fb", "..": "%2E%2E", ".": "%2E", "a b": "a%20b", "ü": "%C3%BC", "a;b": "a%3Bb",
		"bulk": "bulk", "...": "%2E%2E%2E", "a..b": "a..b", "\n": "%0A", "sam@example.com": "sam@example.com", "%": "%25",
	} {
		double := knocktest.New(knocktest.Options{APIKey: apiKey})
		d, seen := listen(t, double.ServeHTTP)
		action := identify("e1", id, map[string]any{"name": "x"})
		perform(t, d, action)
		if got := (*seen)[0].uri; got != "/v1/users/"+uri {
			t.Errorf("%q went to %s", id, got)
		}
	}
	for _, id := range []string{"", "a/b", "a#b", strings.Repeat("x", 257)} {
		d, seen := listen(t, func(http.ResponseWriter, *http.Request) {})
		if _, err := d.Perform(t.Context(), identify("e1", id, nil)); !engine.IsPermanent(err) || len(*seen) != 0 {
			t.Errorf("%q: %v after %d calls", id, err, len(*seen))
		}
	}
}

func TestIDsInTheDouble(t *testing.T) {
	for _, id := range []string{"a?b", "a%2Fb", "..", ".", "a b", "ü", "bulk", strings.Repeat("ü", 256)} {
		double := knocktest.New(knocktest.Options{APIKey: apiKey})
		d := over(t, double, Settings{})
		perform(t, d, identify("e1", id, map[string]any{"name": "x"}))
		if users := double.Users(); len(users) != 1 || users[0] != id {
			t.Errorf("%q became %q", id, users)
		}
	}
}

// over is a destination that calls a double without a network.
func over(t testing.TB, double *knocktest.Knock, settings Settings) *Destination {
	t.Helper()
	settings.APIKey, settings.Client = apiKey, double.Client()
	d, err := New(settings)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestBaseURL(t *testing.T) {
	for base, uri := range map[string]string{"/": "/v1/users/a%3Fb", "/eu%20west/": "/eu%20west/v1/users/a%3Fb", "/x": "/x/v1/users/a%3Fb"} {
		var got string
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RequestURI }))
		d, err := New(Settings{APIKey: apiKey, BaseURL: server.URL + base, Client: server.Client()})
		if err != nil {
			t.Fatal(err)
		}
		perform(t, d, identify("e1", "a?b", nil))
		if got != uri {
			t.Errorf("%s went to %s", base, got)
		}
		server.Close()
	}
}

func TestWrongSettings(t *testing.T) {
	for want, settings := range map[string]Settings{
		"api_key is missing":        {Client: http.DefaultClient},
		"another character":         {Client: http.DefaultClient, APIKey: "sk_secret\n"},
		"the client is missing":     {APIKey: "sk_secret"},
		"base_url must be one of":   {Client: http.DefaultClient, APIKey: "sk_secret", BaseURL: "api.knock.app"},
		"base_url must not hold":    {Client: http.DefaultClient, APIKey: "sk_secret", BaseURL: "https://me:sk_secret@api.knock.app"},
		"base_url must end with":    {Client: http.DefaultClient, APIKey: "sk_secret", BaseURL: "https://api.knock.app?x=1"},
		"base_url must be one of h": {Client: http.DefaultClient, APIKey: "sk_secret", BaseURL: "ftp://sk_secret"},
	} {
		_, err := New(settings)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "sk_secret") {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestNoPayload(t *testing.T) {
	d := over(t, knocktest.New(knocktest.Options{}), Settings{})
	if _, err := d.Perform(t.Context(), &engine.Action{Kind: "identify"}); !engine.IsPermanent(err) {
		t.Errorf("%v", err)
	}
}

func TestWhatIsTooLargeIsNotSent(t *testing.T) {
	double := knocktest.New(knocktest.Options{APIKey: apiKey})
	d := over(t, double, Settings{})
	long := strings.Repeat("x", engine.MaxTraitsBytes)
	actions := []*engine.Action{
		identify("e1", "sam", map[string]any{"notes": long}),
		trigger(t, "e2", engine.TriggerValues{Recipients: "sam", Data: map[string]any{"text": strings.Repeat("x", dataMost)}}),
	}
	for _, action := range actions {
		if _, err := d.Perform(t.Context(), action); !engine.IsPermanent(err) {
			t.Errorf("%s: %v", action.Kind, err)
		}
	}
	if len(double.Calls()) != 0 {
		t.Errorf("%v", double.Calls())
	}
	// What Knock knows by name does not count.
	perform(t, d, identify("e3", "sam", map[string]any{"avatar": long}))
}

// Every answer is judged, whatever its form, and none brings the key into the log.
func TestAnswers(t *testing.T) {
	for _, test := range []struct {
		status      int
		header      string
		body        string
		again       bool
		wait        time.Duration
		text, never string
	}{
		{400, "", `{"code":"invalid","message":"no","status":400,"type":"invalid_request_error"}`, false, 0, "Knock answered 400 Bad Request: invalid: no", ""},
		{401, "", `{"code":"invalid_api_key","message":"` + apiKey + ` is not valid"}`, false, 0, "invalid_api_key: [api_key] is not valid", apiKey},
		{403, "", ``, false, 0, "Knock answered 403 Forbidden", ""},
		{404, "", `{"message":"no such workflow"}`, false, 0, "404 Not Found: no such workflow", ""},
		{404, "", `{"errors":{"detail":"404 Not Found"}}`, false, 0, `404 Not Found: {"errors":{"detail":"404 Not Found"}}`, ""},
		{409, "", `{}`, false, 0, "409 Conflict: {}", ""},
		{422, "", `{"code":"invalid_params","message":"bad","errors":{"type":"invalid","field":"email","message":"is no address"}}`, false, 0, "422 Unprocessable Entity: invalid_params: bad (email: is no address)", ""},
		{422, "", `{"code":"invalid_params","errors":[{"field":"a","message":"x"},{"field":"b","type":"missing"},{}]}`, false, 0, "invalid_params (a: x; b: missing)", ""},
		{429, "7", `{"code":"rate_limit","message":"slow down"}`, true, 7 * time.Second, "429 Too Many Requests: rate_limit: slow down", ""},
		{429, "", ``, true, 0, "429", ""},
		{500, "", `<html>` + apiKey + `</html>`, true, 0, "500 Internal Server Error: <html>[api_key]</html>", apiKey},
		{502, "", strings.Repeat("x\n", 1<<20), true, 0, "502 Bad Gateway: x x", ""},
		{503, "3", "\x00\xff", true, 3 * time.Second, "503", ""},
		{301, "", ``, false, 0, "redirects are not followed", ""},
		{599, "", `null`, true, 0, "Knock answered 599", ""},
		{200, "", `<html>` + apiKey, true, 0, "names no workflow run: <html>[api_key]", apiKey},
	} {
		d, _ := listen(t, func(w http.ResponseWriter, _ *http.Request) {
			if test.header != "" {
				w.Header().Set("Retry-After", test.header)
			}
			w.WriteHeader(test.status)
			io.WriteString(w, test.body)
		})
		_, err := d.Perform(t.Context(), trigger(t, "e1", engine.TriggerValues{Recipients: "sam"}))
		if err == nil {
			t.Errorf("%d: no error", test.status)
			continue
		}
		wait, _ := engine.AskedWait(err)
		text := err.Error()
		if engine.IsPermanent(err) == test.again || wait != test.wait || !strings.Contains(text, test.text) {
			t.Errorf("%d: permanent %v, wait %v, %s", test.status, engine.IsPermanent(err), wait, text)
		}
		if test.never != "" && strings.Contains(text, test.never) || len(text) > 4*excerptBytes || strings.Contains(text, "\n") {
			t.Errorf("%d: %s", test.status, text)
		}
	}
}

func TestNetworkTrouble(t *testing.T) {
	double := knocktest.New(knocktest.Options{APIKey: apiKey})
	d := over(t, double, Settings{})
	for _, outage := range []knocktest.Outage{knocktest.Refusing, knocktest.Failing, knocktest.FailingInHTML, knocktest.Hanging} {
		double.Switch(outage, 1)
		for _, action := range []*engine.Action{identify("e1", "sam", nil), trigger(t, "e2", engine.TriggerValues{Recipients: "sam"})} {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			_, err := d.Perform(ctx, action)
			cancel()
			if err == nil || engine.IsPermanent(err) || strings.Contains(err.Error(), apiKey) {
				t.Errorf("outage %d, %s: %v", outage, action.Kind, err)
			}
			if _, postponed := engine.PostponedFor(err); postponed {
				t.Errorf("outage %d: an attempt was made, and is not counted", outage)
			}
		}
	}
	double.Switch(knocktest.Healthy, 0)
	perform(t, d, identify("e1", "sam", nil))
	perform(t, d, trigger(t, "e2", engine.TriggerValues{Recipients: "sam"}))
}

// The same over real connections and by the real clock, for a short time.
func TestOverTheNetwork(t *testing.T) {
	double := knocktest.New(knocktest.Options{APIKey: apiKey, BulkTime: 100 * time.Millisecond})
	server := httptest.NewServer(double)
	defer server.Close()
	d, err := New(Settings{APIKey: apiKey, BaseURL: server.URL, Client: dial.Client(dial.Settings{AllowPrivate: true})})
	if err != nil {
		t.Fatal(err)
	}
	y := newYard(d, 1000)
	lanes := people(t, 300, 2)
	y.run(lanes)
	checkDelivered(t, double, lanes)
	if len(y.dead) != 0 || y.took > 10*time.Second {
		t.Errorf("%d dead after %v: %v", len(y.dead), y.took, double.Calls())
	}
}

func TestRefusedAddressesAreFinal(t *testing.T) {
	d, err := New(Settings{APIKey: apiKey, BaseURL: "http://127.0.0.1:1", Client: dial.Client(dial.Settings{})})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Perform(t.Context(), identify("e1", "sam", nil)); !engine.IsPermanent(err) {
		t.Errorf("%v", err)
	}
}

func TestCancelledBeforeItBegan(t *testing.T) {
	double := knocktest.New(knocktest.Options{APIKey: apiKey})
	d := over(t, double, Settings{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, action := range []*engine.Action{identify("e1", "sam", nil), trigger(t, "e2", engine.TriggerValues{Recipients: "sam"})} {
		if _, err := d.Perform(ctx, action); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", action.Kind, err)
		}
	}
	perform(t, d, identify("e1", "sam", nil)) // nothing was left behind
}

func FuzzParseFailure(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `null`, `[]`, `"x"`, `{"code":1,"message":{"a":[]},"errors":null}`, `{"errors":{"field":["a"],"message":null}}`,
		`{"errors":[1,2]}`, `{"errors":[{"type":"t"},null]}`, `{"errors":"x"}`, "\xff\xfe", strings.Repeat("é", excerptBytes), `{"message":"a\u0000\nb"}`,
	} {
		f.Add(422, []byte(seed))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		text := parseFailure(status, body).Error()
		if len(text) > 64+(2+2*fieldsMost)*(excerptBytes+8) || strings.ContainsAny(text, "\n\r\x00") || strings.ToValidUTF8(text, "") != text {
			t.Fatalf("%q of %q", text, body)
		}
	})
}
