package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"switchyard/adapters/deliver/knock/knocktest"
)

const webhookSecret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"

// webhookFiles are a configuration whose actions go to a webhook.
func webhookFiles(settings string) map[string]string {
	files := map[string]string{}
	for name, text := range signup {
		files[name] = text
	}
	files["switchyard.yaml"] = strings.Replace(files["switchyard.yaml"], "key: test\n", "key: test\n    destination: {kind: webhook, "+settings+"}\n", 1)
	return files
}

// receiver is somebody's endpoint.
type receiver struct {
	*httptest.Server
	status atomic.Int64
	mu     sync.Mutex
	bodies []string
	ids    []string
}

func startReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.status.Store(200)
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body)
		r.mu.Lock()
		r.bodies, r.ids = append(r.bodies, string(body)), append(r.ids, request.Header.Get("Webhook-Id"))
		r.mu.Unlock()
		w.WriteHeader(int(r.status.Load()))
		fmt.Fprint(w, "received")
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.bodies)
}

func TestActionsGoToAWebhook(t *testing.T) {
	target := startReceiver(t)
	i := start(t, "embedded", webhookFiles(`url: "`+target.URL+`/hook", secret: "`+webhookSecret+`", allow_private: true`))
	i.post("api-key", fmt.Sprintf(inlineSignup, "w-1"), 200)
	record := i.settled("w-1")
	if len(record.Actions) != 1 || record.Actions[0].Status != "succeeded" || target.count() != 1 || !strings.Contains(target.bodies[0], `"environment":"test"`) {
		t.Fatalf("%+v, %v", record, target.bodies)
	}
	if metrics, _ := fetchText(i.admin + "/metrics"); strings.Contains(metrics, webhookSecret) {
		t.Error("the secret is in the metrics")
	}
}

// What may not be called is dead at once, and says why.
func TestAWebhookInsideIsRefused(t *testing.T) {
	target := startReceiver(t)
	i := start(t, "embedded", webhookFiles(`url: "`+target.URL+`", secret: "`+webhookSecret+`"`))
	i.post("api-key", fmt.Sprintf(inlineSignup, "w-2"), 200)
	record := i.settled("w-2")
	if len(record.Actions) != 1 || record.Actions[0].Status != "dead" || !strings.Contains(record.Actions[0].Reason, "127.0.0.1 is a loopback address") || target.count() != 0 {
		t.Errorf("%+v, %d calls", record, target.count())
	}
}

func TestADryRunSendsNothing(t *testing.T) {
	target := startReceiver(t)
	i := start(t, "embedded", webhookFiles(`url: "`+target.URL+`", secret: "`+webhookSecret+`", allow_private: true, dry_run: true`))
	i.post("api-key", fmt.Sprintf(inlineSignup, "w-3"), 200)
	record := i.settled("w-3")
	if len(record.Actions) != 1 || record.Actions[0].Status != "skipped" || record.Actions[0].Reason != "dry run: nothing was sent" || target.count() != 0 {
		t.Errorf("%+v, %d calls", record, target.count())
	}
}

// A webhook that is gone pauses its destination, in which nothing is lost, until somebody resumes it.
func TestAWebhookThatIsGonePauses(t *testing.T) {
	target := startReceiver(t)
	target.status.Store(410)
	i := start(t, "embedded", webhookFiles(`url: "`+target.URL+`", secret: "`+webhookSecret+`", allow_private: true, retry: {min: 10ms, max: 20ms}`))
	i.post("api-key", fmt.Sprintf(inlineSignup, "w-4"), 200)
	state := func() (d destinationRecord) {
		t.Helper()
		var answer struct{ Items []destinationRecord }
		i.get(testEnvironment+"/destinations", &answer)
		if len(answer.Items) != 1 {
			t.Fatalf("%+v", answer)
		}
		return answer.Items[0]
	}
	eventually(t, "it is paused", func() bool { return state().State == "paused" })
	if d := state(); d.Name != "webhook" || d.Kind != "webhook" || !strings.Contains(d.Reason, "410") || d.PausedSince == "" {
		t.Errorf("%+v", d)
	}
	calls := target.count()
	i.post("api-key", fmt.Sprintf(inlineSignup, "w-5"), 200)
	target.status.Store(200)
	if reply := i.do("POST", i.admin+testEnvironment+"/destinations/nowhere/resume", ""); reply.Status != 404 {
		t.Errorf("another destination: %+v", reply)
	}
	if got := target.count(); got != calls {
		t.Errorf("%d calls while it is paused", got-calls)
	}
	if reply := i.do("POST", i.admin+testEnvironment+"/destinations/webhook/resume", ""); reply.Status != 200 {
		t.Fatalf("%+v", reply)
	}
	for _, message := range []string{"w-4", "w-5"} {
		if record := i.settled(message); record.Actions[0].Status != "succeeded" {
			t.Errorf("%s: %+v", message, record)
		}
	}
	if d := state(); d.State != "ok" {
		t.Errorf("%+v", d)
	}
	if reply := i.do("POST", i.admin+testEnvironment+"/destinations/webhook/pause", `{"reason":"the receiver moves house"}`); reply.Status != 200 {
		t.Fatalf("%+v", reply)
	}
	eventually(t, "it is paused by hand", func() bool { return state().Reason == "the receiver moves house" })
}

type destinationRecord struct {
	Name, Kind, State, Reason string
	PausedSince               string `json:"paused_since"`
}

func TestActionsGoToKnock(t *testing.T) {
	double := knocktest.New(knocktest.Options{APIKey: "sk_test_12345"})
	target := httptest.NewServer(double)
	defer target.Close()
	files := webhookFiles("")
	files["switchyard.yaml"] = strings.Replace(files["switchyard.yaml"], "{kind: webhook, }", `{kind: knock, api_key: sk_test_12345, base_url: "`+target.URL+`", allow_private: true}`, 1)
	i := start(t, "embedded", files)
	i.post("api-key", fmt.Sprintf(inlineSignup, "k-1"), 200)
	record := i.settled("k-1")
	if len(record.Actions) != 1 || record.Actions[0].Status != "succeeded" || len(double.Runs()) != 1 || len(double.Complaints()) != 0 {
		t.Fatalf("%+v, %v, %v", record, double.Runs(), double.Complaints())
	}
	if text := i.log.String(); strings.Contains(text, "sk_test_12345") {
		t.Error("the API key is in the log")
	}
}
