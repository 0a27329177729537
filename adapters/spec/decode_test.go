package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"switchyard/engine"
)

func decodeOne(t *testing.T, body string, opts Options) *engine.Event {
	t.Helper()
	batch, err := Decode([]byte(body), opts)
	if err != nil || len(batch.Events) != 1 {
		t.Fatalf("%s: %d events, error %v", body, len(batch.Events), err)
	}
	return batch.Events[0]
}

func wantBadRequest(t *testing.T, err error, code string) {
	t.Helper()
	var refused *engine.BadRequest
	if !errors.As(err, &refused) || refused.Code != code {
		t.Errorf("error %v, want an *engine.BadRequest with code %s", err, code)
	}
}

func TestOriginalSurvives(t *testing.T) {
	message := `{ "type":"track" , "event":"e", "properties": {"n":1.10,"n":2,"html":"<\u003c>","big":90071992547409930000, "10":1,"2":2} }`
	for _, body := range []string{message, "\n " + message + "\t", "[ " + message + "]", `{"batch":[` + message + `]}`, `[{"json": ` + message + "}]"} {
		event := decodeOne(t, body, options)
		if string(event.Original) != message {
			t.Errorf("the original of %s is %s", body, event.Original)
		}
		if !bytes.Contains([]byte(message), event.Data) || event.Invalid != "" {
			t.Errorf("the data of %s is %s, %s", body, event.Data, event.Invalid)
		}
	}
}

func TestBodyIsLent(t *testing.T) {
	body := []byte(`[{"type":"track","event":"e","userId":"u","properties":{"a":1},"context":{"traits":{"b":2}}}]`)
	batch, err := Decode(body, options)
	if err != nil {
		t.Fatal(err)
	}
	for i := range body {
		body[i] = 'x'
	}
	e := batch.Events[0]
	got := fmt.Sprintf("%s %s %s %s %s", e.Original[:15], e.UserID, e.Name, e.Properties, e.Traits)
	if want := `{"type":"track" u e {"a":1} {"b":2}`; got != want {
		t.Errorf("after the body was reused: %s, want %s", got, want)
	}
}

func TestDefaultType(t *testing.T) {
	path := options
	path.DefaultType = engine.TypeIdentify
	if e := decodeOne(t, `{"userId":"u","traits":{"a":1}}`, path); e.Type != "identify" || string(e.Data) != `{"a":1}` {
		t.Errorf("%+v", e)
	}
	if e := decodeOne(t, `{"type":"page","name":"n"}`, path); e.Type != "page" {
		t.Errorf("the path's type wins over the message's: %s", e.Type)
	}
	guess := options
	guess.EventMeansTrack = true
	if e := decodeOne(t, `{"event":"e"}`, guess); e.Type != "track" || e.Name != "e" || e.Invalid != "" {
		t.Errorf("%+v", e)
	}
	if e := decodeOne(t, `{"name":"e"}`, guess); !strings.Contains(e.Invalid, "neither a type nor an event") {
		t.Errorf("invalid is %q", e.Invalid)
	}
}

func TestUnverifiedUnlessToldOtherwise(t *testing.T) {
	if e := decodeOne(t, `{"type":"alias"}`, Options{Now: noon}); e.Verification != engine.Unverified {
		t.Errorf("verification %q", e.Verification)
	}
}

func TestLimits(t *testing.T) {
	event := `{"type":"alias"}`
	most := "[" + strings.Repeat(event+",", DefaultMaxEvents-1) + event + "]"
	if batch, err := Decode([]byte(most), options); err != nil || len(batch.Events) != DefaultMaxEvents {
		t.Errorf("%d events, error %v", len(batch.Events), err)
	}
	_, err := Decode([]byte("["+event+","+most[1:]), options)
	wantBadRequest(t, err, "too_many_events")
	_, err = Decode([]byte(`{"batch":[`+event+","+most[1:]+"}"), options)
	wantBadRequest(t, err, "too_many_events")

	small := options
	small.Limits = engine.JSONLimits{Depth: 3, Values: 5}
	_, err = Decode([]byte(`[{"type":"alias","a":1,"b":2,"c":3}]`), small)
	wantBadRequest(t, err, "too_many_values")
	_, err = Decode([]byte(`[{"a":[[]]}]`), small)
	wantBadRequest(t, err, "too_deep")
}

func TestInvalidIsCut(t *testing.T) {
	for _, filler := range []string{strings.Repeat("é", MaxInvalidBytes), strings.Repeat("<", MaxInvalidBytes)} {
		event := decodeOne(t, `{"type":"nope","userId":"u","messageId":"m","properties":{"a":"`+filler+`"}}`, options)
		text, ok := engine.StringOf(event.Original)
		if !ok || len(text) > MaxInvalidBytes || len(text) < MaxInvalidBytes-4 || !strings.HasPrefix(text, `{"type":"nope"`) {
			t.Errorf("the original is %d bytes: %.40s", len(event.Original), event.Original)
		}
		if event.UserID != "u" || event.MessageID != "m" || event.Properties != nil || len(event.Notes) != 1 {
			t.Errorf("user %s, message %s, properties %.10s, notes %s", event.UserID, event.MessageID, event.Properties, event.Notes)
		}
		whole := decodeOne(t, `{"type":"track","event":"e","properties":{"a":"`+filler+`"}}`, options)
		if len(whole.Original) < MaxInvalidBytes || whole.Notes != nil {
			t.Error("a valid event is cut")
		}
	}
}

func TestLongAndOddIDsAreKept(t *testing.T) {
	id := strings.Repeat("ü/#?", 200)
	event := decodeOne(t, `{"type":"track","event":"e","userId":"`+id+`","messageId":"`+id+`"}`, options)
	if event.UserID != id || event.MessageID != id || event.Invalid != "" || event.Notes != nil {
		t.Errorf("user %s, message %s, invalid %q, notes %q", event.UserID, event.MessageID, event.Invalid, event.Notes)
	}
}

// A large context times many events must not become a much larger batch.
func TestSharedContextIsBounded(t *testing.T) {
	context := `{"a":"` + strings.Repeat("x", 64<<10) + `"}`
	events := strings.TrimSuffix(strings.Repeat(`{"type":"alias","context":{"b":1}},`, 300), ",")
	batch, err := Decode([]byte(`{"context":`+context+`,"batch":[`+events+`]}`), options)
	if err != nil {
		t.Fatal(err)
	}
	for _, event := range batch.Events {
		if string(event.Context) != `{"b":1}` || len(event.Notes) != 1 || !strings.Contains(event.Notes[0], "left out") {
			t.Fatalf("context %.40s, notes %q", event.Context, event.Notes)
		}
	}
}

func TestFill(t *testing.T) {
	for _, tc := range []struct {
		over, under, want string
		levels            int
	}{
		{`{"a":1}`, `{"a":2,"b":3}`, `{"a":1,"b":3}`, 1},
		{`{}`, `{"b":3}`, `{"b":3}`, 1},
		{`{ "a" : 1 }`, `{}`, `{ "a" : 1 }`, 1},
		{`{ "a" : 1 }`, `{"a":2}`, `{ "a" : 1 }`, 4},
		{`{"a":{"x":1}}`, `{"a":{"y":2}}`, `{"a":{"x":1}}`, 1},
		{`{"a":{"x":1}}`, `{"a":{"y":2}}`, `{"a":{"x":1,"y":2}}`, 2},
		{`{"a":{ "x" : 1 }}`, `{"a":{"y":2}}`, `{"a":{"x":1,"y":2}}`, 2},
		{`{"a":{"x":{"p":1}}}`, `{"a":{"x":{"q":1}}}`, `{"a":{"x":{"p":1}}}`, 2},
		{`{"a":null}`, `{"a":{"y":2}}`, `{"a":null}`, 4},
		{`{"a":[1]}`, `{"a":{"y":2}}`, `{"a":[1]}`, 4},
		{`{"a":{},"a":{"z":1}}`, `{"a":{"y":2}}`, `{"a":{"y":2},"a":{"z":1}}`, 4},
		{`{"a":1}`, `{"b":1,"b":2,"c\n<":3.10,"<":4}`, `{"a":1,"b":2,"c\n\u003c":3.10,"<":4}`, 4},
		{`{"\u0061":1}`, `{"a":2}`, `{"\u0061":1}`, 4},
	} {
		if got := fill(json.RawMessage(tc.over), json.RawMessage(tc.under), tc.levels); string(got) != tc.want {
			t.Errorf("%s over %s, %d levels: %s, want %s", tc.over, tc.under, tc.levels, got, tc.want)
		}
	}
}

func TestTimeOf(t *testing.T) {
	at := time.Date(2021, 2, 25, 15, 2, 10, 0, time.UTC)
	for raw, want := range map[string]time.Time{
		`"2021-02-25T15:02:10Z"`:                 at,
		`"2021-02-25T15:02:10.123456789Z"`:       at.Add(123456789),
		`"2021-02-25T15:02:10.1234567891Z"`:      at.Add(123456789),
		`"2021-02-25T20:32:10.123456+05:30"`:     at.Add(123456000),
		`"2021-02-25T15:02:10\u005a"`:            at,
		`1614265330`:                             at,
		`1614265330000`:                          at,
		`1.61426533e9`:                           at,
		`1614265330.001`:                         at.Add(time.Millisecond),
		`"9999-12-31T23:59:59Z"`:                 time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		`"9999-12-31T23:59:59-01:00"`:            {},
		`"0000-01-01T00:00:00+05:00"`:            {},
		`"1969-12-31T23:59:59Z"`:                 {},
		`"2015-2-02T00:30:08.276Z"`:              {},
		`"2021-02-30T00:00:00Z"`:                 {},
		`"` + strings.Repeat("2021-", 100) + `"`: {},
		`-5`:                                     {},
		`0`:                                      {},
		`1e400`:                                  {},
		`1e18`:                                   {},
		`true`:                                   {},
		`[]`:                                     {},
		`""`:                                     {},
	} {
		got, ok := Time(json.RawMessage(raw))
		if ok != !want.IsZero() || ok && !got.Equal(want) {
			t.Errorf("%s is %s, %t; want %s", raw, got, ok, want)
		}
	}
}

func TestWriteKeyOf(t *testing.T) {
	for body, want := range map[string]string{
		`{"batch":[],"writeKey":"abc"}`:                      "abc",
		`{"writeKey":"a\u0062c","batch":[`:                   "abc",
		`{"batch":[{"writeKey":"inner"}]}`:                   "",
		`{"batch":[{"writeKey":"inner"}],"writeKey":"mine"}`: "mine",
		`{"writeKey":5}`:                                     "",
		`{"writeKey":null}`:                                  "",
		`["writeKey"]`:                                       "",
		`{"a":tru,"writeKey":"x"}`:                           "",
		`"writeKey"`:                                         "",
		``:                                                   "",
	} {
		if got := WriteKeyOf([]byte(body)); got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}

func TestEncode(t *testing.T) {
	event := []byte(`{"b":1,"a":"<"}`)
	header, body, err := Encode(event)
	if err != nil || string(body) != string(event) || header.Get("Content-Type") != "application/json" {
		t.Errorf("%v %s, error %v", header, body, err)
	}
}
