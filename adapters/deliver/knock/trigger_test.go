package knock

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"switchyard/adapters/deliver/knock/knocktest"
	"switchyard/engine"
)

// crowd is n recipients, inline so that each is notified.
func crowd(n int) (list []any) {
	for i := range n {
		list = append(list, map[string]any{"id": fmt.Sprint("user", i), "n": i})
	}
	return list
}

func parts(t *testing.T, result engine.Result) (list []part) {
	t.Helper()
	if err := json.Unmarshal(result.Body, &list); err != nil {
		t.Fatalf("%s: %v", result.Body, err)
	}
	return list
}

func TestTheSameActionRunsOnce(t *testing.T) {
	double := knocktest.New(knocktest.Options{APIKey: apiKey})
	action := trigger(t, "e1", engine.TriggerValues{Recipients: crowd(1), Data: map[string]any{"z": 1, "a": []any{2}}})
	first := perform(t, over(t, double, Settings{}), action)
	second := perform(t, over(t, double, Settings{}), action) // by the next process, for the first died before it noted the result
	if len(double.Runs()) != 1 || double.Runs()[0].Key != action.EffectKey("") {
		t.Errorf("%v", double.Runs())
	}
	if want := strings.Replace(string(first.Body), `"replayed":false`, `"replayed":true`, 1); string(second.Body) != want {
		t.Errorf("%s, want %s", second.Body, want)
	}
	if err := action.Repeat("again", time.Now()); err == nil {
		t.Error("an action that has not ended was repeated")
	}
	action.Status, action.Result = engine.StatusSucceeded, second.Body
	if err := action.Repeat("again", time.Now()); err != nil {
		t.Fatal(err)
	}
	perform(t, over(t, double, Settings{}), action)
	if len(double.Runs()) != 2 {
		t.Errorf("an intended repeat made %d runs", len(double.Runs()))
	}
}

// A reply that is lost does not start a workflow twice.
func TestLostReply(t *testing.T) {
	double := knocktest.New(knocktest.Options{APIKey: apiKey})
	d := over(t, double, Settings{})
	action := trigger(t, "e1", engine.TriggerValues{Recipients: crowd(1)})
	double.Switch(knocktest.Losing, 1)
	if _, err := d.Perform(t.Context(), action); err == nil || engine.IsPermanent(err) {
		t.Errorf("%v", err)
	}
	double.Switch(knocktest.Healthy, 0)
	result := perform(t, d, action)
	if len(double.Runs()) != 1 || !strings.Contains(string(result.Body), `"replayed":true`) {
		t.Errorf("%s after %d runs", result.Body, len(double.Runs()))
	}
}

func TestSplit(t *testing.T) {
	for n, want := range map[int]int{1000: 0, 1001: 2, 2000: 2, 2500: 3} {
		double := knocktest.New(knocktest.Options{APIKey: apiKey})
		action := trigger(t, "e1", engine.TriggerValues{Recipients: crowd(n), CancellationKey: "c"})
		result := perform(t, over(t, double, Settings{}), action)
		notified, keys := map[string]bool{}, map[string]bool{}
		for _, run := range double.Runs() {
			for _, id := range run.Notified {
				notified[id] = true
			}
			keys[run.Key] = true
			if run.Dropped || !strings.Contains(string(run.Request), `"cancellation_key":"c"`) {
				t.Errorf("%d: %.100s", n, run.Request)
			}
		}
		if len(notified) != n || len(keys) != max(want, 1) || len(double.Runs()) != max(want, 1) {
			t.Errorf("%d recipients: %d notified by %d runs with %d keys", n, len(notified), len(double.Runs()), len(keys))
		}
		if want == 0 {
			continue
		}
		list := parts(t, result)
		last := list[len(list)-1]
		if len(list) != want || last.Part != want || last.Recipients != n-1000*(want-1) || last.WorkflowRunID == "" || last.Key != action.EffectKey(fmt.Sprint("part:", want)) {
			t.Errorf("%d: %+v", n, list)
		}
	}
}

// failing makes the nth call fail.
type failing struct {
	calls, at int
	next      http.RoundTripper
}

func (f *failing) RoundTrip(r *http.Request) (*http.Response, error) {
	if f.calls++; f.calls == f.at {
		return nil, http.ErrServerClosed
	}
	return f.next.RoundTrip(r)
}

// A split that fails goes on where it failed, whether or not the result of the failed attempt was recorded.
func TestSplitGoesOn(t *testing.T) {
	for _, recorded := range []bool{true, false} {
		for at := 1; at <= 3; at++ {
			double := knocktest.New(knocktest.Options{APIKey: apiKey})
			flaky := &failing{at: at, next: double.Client().Transport}
			d, err := New(Settings{APIKey: apiKey, Client: &http.Client{Transport: flaky}})
			if err != nil {
				t.Fatal(err)
			}
			action := trigger(t, "e1", engine.TriggerValues{Recipients: crowd(2500)})
			result, err := d.Perform(t.Context(), action)
			if err == nil || engine.IsPermanent(err) || !strings.HasPrefix(err.Error(), fmt.Sprintf("part %d: ", at)) || len(parts(t, result)) != at-1 {
				t.Errorf("call %d: %v, %s", at, err, result.Body)
			}
			if recorded {
				action.Result = result.Body
			}
			result = perform(t, d, action)
			want := 3 + 1 // the failed call too
			if !recorded {
				want += at - 1
			}
			if len(parts(t, result)) != 3 || len(double.Runs()) != 3 || flaky.calls != want {
				t.Errorf("call %d, recorded %v: %d runs by %d calls, want %d: %s", at, recorded, len(double.Runs()), flaky.calls, want, result.Body)
			}
			// An intended repeat does not take the parts of the first for its own.
			action.Status, action.Result = engine.StatusSucceeded, result.Body
			if err := action.Repeat("again", time.Now()); err != nil {
				t.Fatal(err)
			}
			perform(t, d, action)
			if len(double.Runs()) != 6 {
				t.Errorf("the repeat made %d runs", len(double.Runs())-3)
			}
		}
	}
}

func TestStrangeEarlierResults(t *testing.T) {
	action := trigger(t, "e1", engine.TriggerValues{Recipients: crowd(1001)})
	for _, result := range []string{``, `null`, `{}`, `[1]`, `[{"part":1}]`, `[{"key":"` + action.EffectKey("part:1") + `"}]`, `{"workflow_run_id":"x"}`} {
		double := knocktest.New(knocktest.Options{APIKey: apiKey})
		action.Result = json.RawMessage(result)
		perform(t, over(t, double, Settings{}), action)
		if len(double.Runs()) != 2 {
			t.Errorf("%s: %d runs", result, len(double.Runs()))
		}
	}
}

// What can not be sent soon is not waited for, and appointments follow each other.
func TestTriggersArePostponed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		double := knocktest.New(knocktest.Options{APIKey: apiKey})
		d := over(t, double, Settings{Share: func() int { return 950 }}) // one in a second
		began, waits := time.Now(), make(chan time.Duration, 20)
		for i := range 20 {
			action := trigger(t, fmt.Sprint("e", i), engine.TriggerValues{Recipients: crowd(1)})
			go func() {
				_, err := d.Perform(t.Context(), action)
				wait, _ := engine.PostponedFor(err)
				waits <- wait
			}()
		}
		sent, last := 0, time.Duration(0)
		for range 20 {
			if wait := <-waits; wait == 0 {
				sent++
			} else {
				last = max(last, wait)
			}
		}
		if took := time.Since(began); sent != 3 || took > patience || last < 15*time.Second || last > appointmentMost {
			t.Errorf("%d were sent in %v, the last appointment is in %v", sent, took, last)
		}
	})
}

// A Retry-After closes the endpoint for all, and only that endpoint.
func TestRetryAfterStopsTheEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		client := &http.Client{Transport: answering(func(r *http.Request) (int, string, string) {
			if calls++; strings.HasSuffix(r.URL.Path, "/trigger") && calls == 1 {
				return 429, "60", `{"code":"rate_limit"}`
			}
			return 200, "", `{"workflow_run_id":"r"}`
		})}
		d, err := New(Settings{APIKey: apiKey, Client: client})
		if err != nil {
			t.Fatal(err)
		}
		action := trigger(t, "e1", engine.TriggerValues{Recipients: "sam"})
		_, err = d.Perform(t.Context(), action)
		if wait, ok := engine.AskedWait(err); !ok || wait != time.Minute {
			t.Errorf("%v", err)
		}
		_, err = d.Perform(t.Context(), action)
		if wait, ok := engine.PostponedFor(err); !ok || wait < appointmentMost/2 || calls != 1 {
			t.Errorf("%v after %d calls", err, calls)
		}
		perform(t, d, identify("e2", "sam", nil))
		time.Sleep(90 * time.Second)
		perform(t, d, action)
		if calls != 3 {
			t.Errorf("%d calls", calls)
		}
	})
}

// answering is a transport of a function: status, Retry-After and body.
type answering func(*http.Request) (int, string, string)

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	status, after, body := a(r)
	header := http.Header{}
	if after != "" {
		header.Set("Retry-After", after)
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}
