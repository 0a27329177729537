package knocktest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// reply is an answer, read.
type reply struct {
	status   int
	replayed bool
	after    string
	doc      map[string]any
}

// ask makes one call; header is name and value in turn.
func ask(t *testing.T, client *http.Client, method, path, body string, header ...string) reply {
	t.Helper()
	r, err := http.NewRequest(method, "http://knock.test"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+DefaultAPIKey)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	read := reply{status: response.StatusCode, replayed: response.Header.Get("Idempotent-Replayed") == "true", after: response.Header.Get("Retry-After")}
	json.NewDecoder(response.Body).Decode(&read.doc)
	return read
}

func TestStatuses(t *testing.T) {
	long := strings.Repeat("x", customMost)
	ids := strings.Repeat(`"u",`, 1000) + `"u"`
	for _, test := range []struct {
		method, path, body string
		header             []string
		status             int
		says               string
	}{
		{"PUT", "/v1/users/sam", `{"name":"Sam"}`, nil, 200, `"id":"sam"`},
		{"PUT", "/v1/users/sam", `{}`, []string{"Authorization", "Bearer sk_other"}, 401, `"code":"invalid_api_key"`},
		{"PUT", "/v1/users/sam", `{`, nil, 400, `"status":400`},
		{"PUT", "/v1/users/sam", `[]`, nil, 400, ``},
		{"PUT", "/v1/users/a%2Fb", `{}`, nil, 422, `"errors":[{"field":"id"`},
		{"PUT", "/v1/users/a%23b", `{}`, nil, 422, ``},
		{"PUT", "/v1/users/" + strings.Repeat("x", 257), `{}`, nil, 422, ``},
		{"PUT", "/v1/users/" + strings.Repeat("x", 256), `{}`, nil, 200, ``},
		{"PUT", "/v1/users/sam", `{"email":1}`, nil, 422, `"field":"email"`},
		{"PUT", "/v1/users/sam", `{"x":"` + long + `"}`, nil, 422, `256 kB`},
		{"GET", "/v1/users/nobody", ``, nil, 404, ``},
		{"DELETE", "/v1/users/nobody", ``, nil, 204, ``},
		{"GET", "/v1/nothing", ``, nil, 404, ``},
		{"POST", "/v1/users/bulk/identify", `{"users":[]}`, nil, 422, `"errors":{"field":"users"`},
		{"POST", "/v1/users/bulk/identify", `{"users":[{"name":"x"}]}`, nil, 422, ``},
		{"POST", "/v1/users/bulk/identify", `{"users":[` + strings.Repeat(`{"id":"a"},`, 1000) + `{"id":"a"}]}`, nil, 422, ``},
		{"GET", "/v1/bulk_operations/none", ``, nil, 404, ``},
		{"POST", "/v1/workflows/w/trigger", `{}`, nil, 422, `"field":"recipients"`},
		{"POST", "/v1/workflows/w/trigger", `{"recipients":["u"],"actor":"nobody"}`, nil, 422, `"errors":{"field":"actor"`},
		{"POST", "/v1/workflows/w/trigger", `{"recipients":["u"],"actor":{"id":"boss"}}`, nil, 200, ``},
		{"POST", "/v1/workflows/w/trigger", `{"recipients":[{"name":"x"}]}`, nil, 422, ``},
		{"POST", "/v1/workflows/w/trigger", `{"recipients":[17]}`, nil, 422, ``},
		{"POST", "/v1/workflows/none/trigger", `{"recipients":["u"]}`, nil, 404, ``},
		{"POST", "/v1/workflows/w/trigger", `{"recipients":["u"]}`, []string{"Idempotency-Key", strings.Repeat("k", 256)}, 400, ``},
		{"POST", "/v1/workflows/w/trigger", `{"recipients":["u"],"data":{"x":"` + strings.Repeat("x", dataMost) + `"}}`, nil, 413, ``},
		{"POST", "/v1/workflows/w/trigger", `{"recipients":[` + ids + `]}`, nil, 200, `workflow_run_id`},
	} {
		k := New(Options{Workflows: []string{"w"}})
		got := ask(t, k.Client(), test.method, test.path, test.body, test.header...)
		doc, _ := json.Marshal(got.doc)
		if got.status != test.status || !strings.Contains(string(doc), test.says) {
			t.Errorf("%s %.60s %.60s: %d %.200s", test.method, test.path, test.body, got.status, doc)
		}
	}
}

func TestLargeTriggers(t *testing.T) {
	body := `{"recipients":[` + strings.Repeat(`{"id":"u"},`, 1000) + `"v"]}`
	k := New(Options{})
	if got := ask(t, k.Client(), "POST", "/v1/workflows/w/trigger", body); got.status != 200 || !k.Runs()[0].Dropped || len(k.Users()) != 0 {
		t.Errorf("%v %v", got, k.Users())
	}
	k = New(Options{RefuseLarge: true})
	if got := ask(t, k.Client(), "POST", "/v1/workflows/w/trigger", body); got.status != 422 || len(k.Runs()) != 0 {
		t.Errorf("%v", got)
	}
}

func TestDeepMerge(t *testing.T) {
	k := New(Options{})
	for _, body := range []string{`{"a":{"x":1,"y":[1,2]},"name":"Sam","n":12345678901234567890}`, `{"a":{"y":[3],"z":null},"name":null}`} {
		ask(t, k.Client(), "PUT", "/v1/users/sam", body)
	}
	ask(t, k.Client(), "POST", "/v1/workflows/w/trigger", `{"recipients":[{"id":"sam","a":{"w":true}}]}`)
	doc, _ := json.Marshal(k.User("sam").Traits)
	if want := `{"a":{"w":true,"x":1,"y":[3],"z":null},"n":12345678901234567890,"name":null}`; string(doc) != want {
		t.Errorf("%s, want %s", doc, want)
	}
	if history := k.User("sam").History; len(history) != 3 || history[2].By != Trigger {
		t.Errorf("%v", history)
	}
}

func TestRecipients(t *testing.T) {
	k := New(Options{})
	ask(t, k.Client(), "POST", "/v1/workflows/w/trigger", `{"recipients":["x",{"id":"y"},{"collection":"projects","id":"p"},"y"]}`)
	run := k.Runs()[0]
	if fmt.Sprint(run.Notified, run.Unknown, k.Users()) != "[y projects/p y] [x] [y]" {
		t.Errorf("%v %v %v", run.Notified, run.Unknown, k.Users())
	}
}

func TestIdempotencyKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := New(Options{})
		send := func(workflow, body string) reply {
			return ask(t, k.Client(), "POST", "/v1/workflows/"+workflow+"/trigger", body, "Idempotency-Key", "k")
		}
		if got := send("w", `{"recipients":[]}`); got.status != 422 { // not remembered
			t.Errorf("%v", got)
		}
		first := send("w", `{"recipients":["u"],"data":{"a":1,"b":2}}`)
		if again := send("w", `{"data":{"b":2,"a":1},"recipients":["u"]}`); first.replayed || !again.replayed || again.doc["workflow_run_id"] != first.doc["workflow_run_id"] {
			t.Errorf("%v %v", first, again)
		}
		for _, other := range []reply{send("w", `{"recipients":["v"]}`), send("x", `{"recipients":["u"],"data":{"a":1,"b":2}}`)} {
			if other.status != 400 {
				t.Errorf("%v", other)
			}
		}
		time.Sleep(24 * time.Hour)
		if later := send("w", `{"recipients":["v"]}`); later.status != 200 || later.replayed || len(k.Runs()) != 2 {
			t.Errorf("%v", later)
		}
	})
}

func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := New(Options{})
		put := func() reply { return ask(t, k.Client(), "PUT", "/v1/users/sam", `{}`) }
		for i := range 60 {
			if got := put(); got.status != 200 {
				t.Fatalf("call %d: %v", i, got)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if got := put(); got.status != 429 || got.after != "1" {
			t.Errorf("%v", got)
		}
		if got := ask(t, k.Client(), "GET", "/v1/users/sam", ``); got.status != 200 {
			t.Errorf("another endpoint: %v", got)
		}
		time.Sleep(400 * time.Millisecond) // the first of the 60 is a second old now
		if first, second := put(), put(); first.status != 200 || second.status != 429 {
			t.Errorf("%v %v", first, second)
		}
		if n := k.Calls()[Call{PutUser, 429}]; n != 2 {
			t.Errorf("%d", n)
		}
	})
}

func TestBulkOperations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := New(Options{BulkTime: 10 * time.Second})
		op := ask(t, k.Client(), "POST", "/v1/users/bulk/identify", `{"users":[{"id":"a","v":1},{"id":"b","email":1},{"id":"a","v":2}]}`)
		look := func() map[string]any {
			return ask(t, k.Client(), "GET", fmt.Sprint("/v1/bulk_operations/", op.doc["id"]), ``).doc
		}
		if op.doc["status"] != "queued" || k.User("a") != nil || len(k.Complaints()) != 1 {
			t.Errorf("%v %v", op, k.Complaints())
		}
		ask(t, k.Client(), "PUT", "/v1/users/a", `{"v":0}`)
		time.Sleep(6 * time.Second)
		if look()["status"] != "processing" || len(k.Complaints()) != 2 {
			t.Errorf("%v", look())
		}
		time.Sleep(5 * time.Second)
		done := look()
		items, _ := json.Marshal(done["error_items"])
		if done["status"] != "completed" || string(items) != `[{"collection":null,"id":"b"}]` || done["error_count"] != 1.0 {
			t.Errorf("%v", done)
		}
		if got := k.User("a"); fmt.Sprint(got.Traits["v"]) != "2" || len(got.History) != 3 || fmt.Sprint(k.Users()) != "[a]" {
			t.Errorf("%v", got)
		}
	})
}

func TestOutages(t *testing.T) {
	k := New(Options{})
	server := httptest.NewServer(k)
	defer server.Close()
	put := func(client *http.Client, url string) (int, error) {
		r, _ := http.NewRequest("PUT", url+"/v1/users/sam", strings.NewReader(`{}`))
		r.Header.Set("Authorization", "Bearer "+DefaultAPIKey)
		response, err := client.Do(r)
		if err != nil {
			return 0, err
		}
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
		return response.StatusCode, nil
	}
	for outage, want := range map[Outage]int{Healthy: 200, Refusing: 0, Failing: 500, FailingInHTML: 502, Losing: 0} {
		k.Switch(outage, 1)
		for name, client := range map[string]*http.Client{"in process": k.Client(), "network": server.Client()} {
			if status, err := put(client, server.URL); status != want || (err == nil) != (want != 0) {
				t.Errorf("outage %d, %s: %d %v", outage, name, status, err)
			}
		}
	}
	if n := len(k.User("sam").History); n != 4 { // healthy, and with the replies lost
		t.Errorf("%d changes", n)
	}
	k.Switch(Hanging, 1)
	time.AfterFunc(20*time.Millisecond, func() { k.Switch(Healthy, 0) })
	if status, err := put(k.Client(), server.URL); status != 200 {
		t.Errorf("after it hung: %d %v", status, err)
	}
}

func TestChanceIsSeeded(t *testing.T) {
	ids := func(seed uint64) (list []string) {
		k := New(Options{Seed: seed})
		k.Switch(Refusing, 0.5)
		for range 30 {
			r, _ := http.NewRequest("PUT", "http://knock.test/v1/users/sam", strings.NewReader(`{}`))
			response, err := k.Client().Do(r)
			list = append(list, fmt.Sprint(response != nil, err == nil))
		}
		return list
	}
	if a, b, c := fmt.Sprint(ids(1)), fmt.Sprint(ids(1)), fmt.Sprint(ids(2)); a != b || a == c {
		t.Errorf("%s\n%s\n%s", a, b, c)
	}
}
