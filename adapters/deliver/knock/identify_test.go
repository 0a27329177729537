package knock

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"switchyard/adapters/deliver/knock/knocktest"
	"switchyard/engine"
)

// attempt is what Perform returned.
type attempt struct {
	result engine.Result
	err    error
}

// together performs actions at the same time, each within a time.
func together(d *Destination, actions []*engine.Action, within time.Duration) []attempt {
	attempts, done := make([]attempt, len(actions)), make(chan bool)
	for i, action := range actions {
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), within)
			defer cancel()
			result, err := d.Perform(ctx, action)
			attempts[i] = attempt{result, err}
			done <- true
		}()
	}
	for range actions {
		<-done
	}
	return attempts
}

// mixed is n identifies of distinct users, each the given one's traits for the user with that number.
func mixed(n int, traits map[int]map[string]any) (actions []*engine.Action) {
	for i := range n {
		t := map[string]any{"v": "v1"}
		if own, ok := traits[i]; ok {
			t = own
		}
		actions = append(actions, identify(fmt.Sprint("e", i), fmt.Sprint("user", i), t))
	}
	return actions
}

func TestBulkRequestAndResults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bulk string
		d, err := New(Settings{APIKey: apiKey, Client: &http.Client{Transport: answering(func(r *http.Request) (int, string, string) {
			if r.Method == http.MethodPost {
				doc := make([]byte, r.ContentLength)
				r.Body.Read(doc)
				bulk = string(doc)
			}
			return 200, "", `{"id":"op-1","status":"completed"}`
		})}})
		if err != nil {
			t.Fatal(err)
		}
		attempts := together(d, mixed(300, map[int]map[string]any{7: {}, 8: nil, 9: {"id": "other", "a": "<>"}}), time.Minute)
		folded := 0
		for i, a := range attempts {
			id := fmt.Sprint("user", i)
			switch string(a.result.Body) {
			case `{"user_id":"` + id + `","bulk_operation":"op-1"}`:
				folded++
			case `{"user_id":"` + id + `"}`:
			default:
				t.Errorf("%s: %s, %v", id, a.result.Body, a.err)
			}
		}
		var read struct{ Users []map[string]any }
		if err := json.Unmarshal([]byte(bulk), &read); err != nil || len(read.Users) != folded || folded < 200 {
			t.Errorf("%d folded, %d users: %v", folded, len(read.Users), err)
		}
	})
}

// A user that Knock lists among the errors of an operation fails alone, with the reason.
func TestOneBadUserOfABulk(t *testing.T) {
	for _, strict := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			double := knocktest.New(knocktest.Options{APIKey: apiKey, BulkTime: 300 * time.Millisecond, StrictBulk: strict})
			y := newYard(over(t, double, Settings{}), 1000)
			bad := map[string]any{"email": json.Number("17")}
			var lanes [][]*engine.Action
			for _, action := range mixed(900, map[int]map[string]any{500: bad, 777: bad}) {
				lanes = append(lanes, []*engine.Action{action})
			}
			y.run(lanes)
			for action, err := range y.dead {
				if id := action.UserID; id != "user500" && id != "user777" || !engine.IsPermanent(err) || !strings.Contains(err.Error(), "email: must be a string") {
					t.Errorf("strict %v, %s: %v", strict, id, err)
				}
			}
			if len(double.Users()) != 898 || len(double.Complaints()) != 0 {
				t.Errorf("strict %v: %d users, %v", strict, len(double.Users()), double.Complaints())
			}
			if len(y.dead) != 2 || y.retried != 0 || y.took > 20*time.Second {
				t.Errorf("strict %v: %d dead, %d retried, after %v", strict, len(y.dead), y.retried, y.took)
			}
			refused := double.Calls()[knocktest.Call{Endpoint: knocktest.BulkIdentify, Status: 422}]
			t.Logf("strict %v: %v, %d postponed: %v", strict, y.took, y.postponed, double.Calls())
			if refused > 8 || strict != (refused > 0) {
				t.Errorf("strict %v: %d bulks were refused", strict, refused)
			}
		})
	}
}

// An operation that outlives the attempts is waited for by the next ones, and nothing is sent again before it has ended:
// a later identify could be overtaken by it.
func TestAnOperationThatTakesLong(t *testing.T) {
	for _, timeout := range []time.Duration{5 * time.Second, 50 * time.Second} { // the attempt's, or longer than an operation is looked at
		synctest.Test(t, func(t *testing.T) {
			double := knocktest.New(knocktest.Options{APIKey: apiKey, BulkTime: 100 * time.Second})
			y := newYard(over(t, double, Settings{}), 2000)
			y.timeout, y.attempts = timeout, 50
			lanes := people(t, 300, 2)
			y.run(lanes)
			checkDelivered(t, double, lanes)
			if len(y.dead) != 0 || y.retried == 0 {
				t.Errorf("%d dead, %d retried", len(y.dead), y.retried)
			}
			for id, user := range double.Users() {
				if n := len(double.User(user).History); n != 2 {
					t.Fatalf("%v was identified %d times", id, n)
				}
			}
		})
	}
}

// An intended repeat of an identify is sent, though an operation is named in its result.
func TestRepeatOfABulkIdentify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		double := knocktest.New(knocktest.Options{APIKey: apiKey})
		d := over(t, double, Settings{})
		actions := mixed(200, nil)
		for i, a := range together(d, actions, time.Minute) {
			actions[i].Result, actions[i].Status = a.result.Body, engine.StatusSucceeded
		}
		at := slices.IndexFunc(actions, func(a *engine.Action) bool { return strings.Contains(string(a.Result), "bulk_operation") })
		if at < 0 {
			t.Fatal("nobody was part of a bulk")
		}
		last := actions[at]
		if err := last.Repeat("again", time.Now()); err != nil {
			t.Fatal(err)
		}
		perform(t, d, last)
		if n := len(double.User(last.UserID).History); n != 2 {
			t.Errorf("identified %d times", n)
		}
	})
}

// Operations can end in other ways.
func TestHowOperationsEnd(t *testing.T) {
	for _, test := range []struct {
		status int
		look   string
		// puts is how many users are identified by calls of their own afterwards; again is that the attempts fail.
		puts  int
		again bool
	}{
		{200, `{"id":"op-1","status":"completed"}`, 2, false}, // the two that went before the bulk
		{200, `{"id":"op-1","status":"completed","error_count":1,"error_items":[{"id":"user50"}]}`, 3, false},
		{200, `{"id":"op-1","status":"completed","error_count":2,"error_items":[{"id":"user50"}]}`, 100, false},
		{200, `{"id":"op-1","status":"failed"}`, 100, false},
		{404, ``, 100, false},
		{403, `{"code":"forbidden"}`, 2, true},
		{500, ``, 2, true},
		{429, ``, 2, true},
		{200, `<html>`, 2, true},
		{200, `{"id":"op-1","status":"queued"}`, 2, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			var called atomic.Int64
			d, err := New(Settings{APIKey: apiKey, Client: &http.Client{Transport: answering(func(r *http.Request) (int, string, string) {
				switch r.Method {
				case http.MethodPut:
					called.Add(1)
				case http.MethodGet:
					return test.status, "", test.look
				}
				return 200, "", `{"id":"op-1"}`
			})}})
			if err != nil {
				t.Fatal(err)
			}
			failed := 0
			for _, a := range together(d, mixed(100, nil), time.Minute) {
				if a.err == nil {
					continue
				}
				failed++
				if _, postponed := engine.PostponedFor(a.err); postponed || engine.IsPermanent(a.err) || !strings.Contains(string(a.result.Body), `"unfinished":"sy_`) {
					t.Errorf("%d %s: %v, %s", test.status, test.look, a.err, a.result.Body)
				}
			}
			puts := int(called.Load())
			if failed > 0 != test.again || puts < test.puts || puts > test.puts+60 && !test.again {
				t.Errorf("%d %s: %d failed, %d users by their own call", test.status, test.look, failed, puts)
			}
		})
	}
}

// Those that leave take nothing with them: the others go on, and the queue is empty afterwards.
func TestLeaving(t *testing.T) {
	for _, within := range []time.Duration{time.Millisecond, 30 * time.Millisecond, 70 * time.Millisecond, 400 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			double := knocktest.New(knocktest.Options{APIKey: apiKey, Latency: 50 * time.Millisecond, BulkTime: 700 * time.Millisecond})
			d := over(t, double, Settings{})
			done := make(chan []attempt)
			actions := mixed(1000, nil)
			go func() { done <- together(d, actions[:500], within) }()
			stay := together(d, actions[500:], time.Minute)
			left := <-done
			for i, a := range stay {
				if a.err != nil {
					t.Errorf("user%d, which stayed: %v", 500+i, a.err)
				}
			}
			for i, a := range left {
				_, postponed := engine.PostponedFor(a.err)
				if a.err != nil && !postponed && !errors.Is(a.err, context.DeadlineExceeded) {
					t.Errorf("user%d, which left: %v", i, a.err)
				}
			}
			checkEmpty(t, d)
			for i, a := range together(d, actions[:50], time.Minute) {
				if a.err != nil {
					t.Errorf("user%d: %v", i, a.err)
				}
			}
		})
	}
}

// A bulk that is refused, or told to wait, goes on without those that left meanwhile.
func TestLeavingARefusedBulk(t *testing.T) {
	for _, status := range []int{422, 429} {
		synctest.Test(t, func(t *testing.T) {
			var refused, puts atomic.Int64
			d, err := New(Settings{APIKey: apiKey, Client: &http.Client{Transport: answering(func(r *http.Request) (int, string, string) {
				if r.Method == http.MethodPut {
					puts.Add(1)
				}
				if r.Method == http.MethodPost && refused.Add(1) == 1 {
					time.Sleep(time.Second)
					return status, "", ""
				}
				return 200, "", `{"id":"op-1","status":"completed"}`
			})}})
			if err != nil {
				t.Fatal(err)
			}
			actions, done := mixed(400, nil), make(chan []attempt)
			go func() { done <- together(d, actions[:200], 500*time.Millisecond) }()
			for i, a := range together(d, actions[200:], time.Minute) {
				if a.err != nil {
					t.Errorf("%d: user%d, which stayed: %v", status, 200+i, a.err)
				}
			}
			left := <-done
			if wait, ok := engine.AskedWait(left[100].err); !ok || wait != uncertainTime || !errors.Is(left[100].err, context.DeadlineExceeded) {
				t.Errorf("%d: %v", status, left[100].err)
			}
			checkEmpty(t, d)
		})
	}
}

// What was learned of a user is not forgotten when its action is postponed, nor when it is cut off.
func TestWhatWasLearnedIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := over(t, knocktest.New(knocktest.Options{APIKey: apiKey}), Settings{})
		d.folder.busy["sam"] = true // so that it is not served
		for _, end := range []func(*person){
			func(p *person) { d.folder.leave(p, context.Canceled) },
			func(p *person) { time.Sleep(patience); d.folder.giveUp(time.Now(), p) },
		} {
			first := &person{id: "sam", company: 7, outcome: make(chan outcome, 1)}
			if err := d.folder.join(time.Now(), first); err != nil {
				t.Fatal(err)
			}
			end(first)
			second := &person{id: "sam", company: bulkMost, outcome: make(chan outcome, 1)}
			if err := d.folder.join(time.Now(), second); err != nil || second.company != 7 || len(d.folder.company) != 0 {
				t.Errorf("%v, %d", err, second.company)
			}
			d.folder.leave(second, context.Canceled)
			clear(d.folder.company)
		}
		d.folder.release("sam")
		checkEmpty(t, d)
	})
}

// checkEmpty looks for what was left behind.
func checkEmpty(t *testing.T, d *Destination) {
	t.Helper()
	synctest.Wait()
	f := d.folder
	f.mu.Lock()
	defer f.mu.Unlock()
	d.watches.mu.Lock()
	defer d.watches.mu.Unlock()
	if len(f.queue) != 0 || len(f.busy) != 0 || f.running || len(d.watches.list) != 0 {
		t.Errorf("%d wait, %d are busy, %d operations are looked at", len(f.queue), len(f.busy), len(d.watches.list))
	}
}

// A bulk that nobody waits for is given up.
func TestEverybodyLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		double := knocktest.New(knocktest.Options{APIKey: apiKey})
		double.Switch(knocktest.Hanging, 1)
		d := over(t, double, Settings{})
		together(d, mixed(500, nil), 5*time.Second)
		checkEmpty(t, d)
	})
}

// An identify that finds too many before it is sent away at once.
func TestIdentifiesArePostponed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		double := knocktest.New(knocktest.Options{APIKey: apiKey, BulkTime: time.Second})
		d := over(t, double, Settings{})
		began, sent, last := time.Now(), 0, time.Duration(0)
		for _, a := range together(d, mixed(6000, nil), time.Minute) {
			wait, postponed := engine.PostponedFor(a.err)
			if a.err != nil && !postponed {
				t.Fatal(a.err)
			}
			if !postponed {
				sent++
			}
			last = max(last, wait)
		}
		if took := time.Since(began); sent < 2000 || sent > 2200 || took > 5*time.Second || last < 3*time.Second || last > 6*time.Second {
			t.Errorf("%d were sent in %v, the last appointment was in %v", sent, took, last)
		}
	})
}
