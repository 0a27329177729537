package directory

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"switchyard/engine"
)

// memory is a Store in maps, to the letter of the interface. The one on Redis has its own suite.
type memory struct {
	users   map[string]map[string]any
	effects map[string]json.RawMessage
	runs    []engine.Run
	// fail is returned by the call of this number, before anything is done.
	calls, failAt int
	fail          error
}

func newMemory() *memory {
	return &memory{users: map[string]map[string]any{}, effects: map[string]json.RawMessage{}}
}

func (m *memory) call() error {
	if m.calls++; m.calls == m.failAt {
		return m.fail
	}
	return nil
}

func (m *memory) Change(_ context.Context, environment, userID, effect string, change func(map[string]any) (map[string]any, error)) (bool, error) {
	if err := m.call(); err != nil {
		return false, err
	}
	if _, seen := m.effects[effect]; seen {
		return false, nil
	}
	traits, err := change(m.users[environment+"/"+userID])
	if err == nil {
		m.users[environment+"/"+userID], m.effects[effect] = traits, nil
	}
	return err == nil, err
}

func (m *memory) Known(_ context.Context, environment string, ids []string) ([]bool, error) {
	known := make([]bool, len(ids))
	for i, id := range ids {
		_, known[i] = m.users[environment+"/"+id]
	}
	return known, m.call()
}

func (m *memory) AppendRun(_ context.Context, _, effect string, run engine.Run, result json.RawMessage) (json.RawMessage, error) {
	if err := m.call(); err != nil {
		return nil, err
	}
	if stored, seen := m.effects[effect]; seen {
		return stored, nil
	}
	m.runs, m.effects[effect] = append(m.runs, run), result
	return result, nil
}

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func destination(store Store) *Destination {
	return New(store, func() time.Time { return noon })
}

// trigger is an action that starts the workflow "welcome"; recipients and actor as an expression would give them.
func trigger(t *testing.T, event string, recipients, actor any) *engine.Action {
	t.Helper()
	resolved, err := engine.NewTrigger("welcome", engine.TriggerValues{Recipients: recipients, Actor: actor,
		Data: map[string]any{"n": 1}, Tenant: "acme", CancellationKey: "c"})
	if err != nil {
		t.Fatal(err)
	}
	return &engine.Action{Environment: "test", EventID: event, Rule: "r", Kind: engine.ActionTrigger, Trigger: resolved}
}

func identify(event, user string, traits map[string]any) *engine.Action {
	return &engine.Action{Environment: "test", EventID: event, Rule: "r", Kind: engine.ActionIdentify,
		Identify: &engine.Identify{UserID: user, Traits: traits}}
}

func perform(t *testing.T, d *Destination, action *engine.Action) engine.Result {
	t.Helper()
	result, err := d.Perform(t.Context(), action)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestIdentifyMerges(t *testing.T) {
	store := newMemory()
	d := destination(store)
	perform(t, d, identify("e1", "sam", map[string]any{"plan": map[string]any{"a": 1, "b": 2}, "tags": []any{1, 2}, "name": "Sam"}))
	result := perform(t, d, identify("e2", "sam", map[string]any{"plan": map[string]any{"b": nil}, "tags": []any{3}}))
	if string(result.Body) != `{"user_id":"sam","applied":true}` {
		t.Errorf("result %s", result.Body)
	}
	got, _ := json.Marshal(store.users["test/sam"])
	if string(got) != `{"name":"Sam","plan":{"a":1,"b":null},"tags":[3]}` {
		t.Errorf("traits %s", got)
	}
	again := perform(t, d, identify("e1", "sam", map[string]any{"name": "old"}))
	if string(again.Body) != `{"user_id":"sam","applied":false}` || store.users["test/sam"]["name"] != "Sam" {
		t.Errorf("an action performed again: %s, %v", again.Body, store.users["test/sam"])
	}
}

func TestTraitsAreBounded(t *testing.T) {
	store := newMemory()
	half := strings.Repeat("x", engine.MaxTraitsBytes/2)
	perform(t, destination(store), identify("e1", "sam", map[string]any{"a": half}))
	_, err := destination(store).Perform(t.Context(), identify("e2", "sam", map[string]any{"b": half}))
	if !engine.IsPermanent(err) || len(store.users["test/sam"]) != 1 {
		t.Errorf("error %v, traits of %d names", err, len(store.users["test/sam"]))
	}
}

func TestTrigger(t *testing.T) {
	project := map[string]any{"id": "p1", "collection": "projects", "name": "P"}
	inline := map[string]any{"id": "new", "email": "n@example.com", "preferences": map[string]any{"x": 1}}
	for _, c := range []struct {
		name              string
		recipients, actor any
		body, runTo       string
		skipped, fails    string
	}{
		{name: "a known user", recipients: "sam", runTo: `["sam"]`, body: `[{"id":"sam","status":"notified"}]`},
		{name: "an unknown user", recipients: "nobody", skipped: "unknown user: nobody",
			body: `[{"id":"nobody","status":"skipped","reason":"unknown user"}]`},
		{name: "one of two is known", recipients: []any{"nobody", "sam"}, runTo: `["sam"]`,
			body: `[{"id":"nobody","status":"skipped","reason":"unknown user"},{"id":"sam","status":"notified"}]`},
		{name: "inline", recipients: inline, runTo: `["new"]`, body: `[{"id":"new","status":"identified and notified"}]`},
		{name: "only an id inline", recipients: map[string]any{"id": "new"}, runTo: `["new"]`, body: `[{"id":"new","status":"identified and notified"}]`},
		{name: "a collection", recipients: []any{project, "nobody"}, runTo: `[{"collection":"projects","id":"p1","name":"P"}]`,
			body: `[{"id":"p1","collection":"projects","status":"notified"},{"id":"nobody","status":"skipped","reason":"unknown user"}]`},
		{name: "an inline actor who is a recipient too", recipients: "new", actor: inline, runTo: `["new"]`, body: `[{"id":"new","status":"notified"}]`},
		{name: "an unknown actor", recipients: "sam", actor: "x", fails: `unknown actor "x"`},
		{name: "nobody and an unknown actor", recipients: "nobody", actor: "x", skipped: "unknown user: nobody",
			body: `[{"id":"nobody","status":"skipped","reason":"unknown user"}]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := newMemory()
			store.users["test/sam"] = map[string]any{}
			result, err := destination(store).Perform(t.Context(), trigger(t, "e1", c.recipients, c.actor))
			if c.fails != "" {
				if !engine.IsPermanent(err) || err.Error() != c.fails || len(store.runs) > 0 {
					t.Errorf("error %v, %d runs", err, len(store.runs))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var body struct {
				ID         string          `json:"workflow_run_id"`
				Recipients json.RawMessage `json:"recipients"`
			}
			if err := json.Unmarshal(result.Body, &body); err != nil || string(body.Recipients) != c.body || result.Skipped != c.skipped {
				t.Errorf("body %s, skipped %q, %v", result.Body, result.Skipped, err)
			}
			if c.runTo == "" {
				if len(store.runs) > 0 || body.ID != "" {
					t.Errorf("a skip started %v", store.runs)
				}
				return
			}
			run := store.runs[0]
			if to, _ := json.Marshal(run.Recipients); string(to) != c.runTo || run.ID != body.ID || run.Workflow != "welcome" || run.At != noon {
				t.Errorf("run %+v to %s", run, to)
			}
			if _, reserved := store.users["test/new"]["preferences"]; reserved {
				t.Error("reserved traits were kept")
			}
		})
	}
}

func TestTriggerDoneTwiceHasOneRun(t *testing.T) {
	store := newMemory()
	action := trigger(t, "e1", []any{map[string]any{"id": "new", "n": 1}, "later"}, "new")
	first := perform(t, destination(store), action)
	perform(t, destination(store), identify("e2", "later", nil))
	second := perform(t, destination(store), action)
	if len(store.runs) != 1 || string(first.Body) != string(second.Body) {
		t.Errorf("%d runs; %s, then %s", len(store.runs), first.Body, second.Body)
	}
	other := perform(t, destination(store), trigger(t, "e3", "new", nil))
	if len(store.runs) != 2 || store.runs[0].ID == store.runs[1].ID || string(other.Body) == string(first.Body) {
		t.Error("another event's run is the same")
	}
	if parts := strings.Split(store.runs[0].ID, "-"); len(store.runs[0].ID) != 36 || len(parts) != 5 || parts[2][0] != '8' {
		t.Errorf("run id %q", store.runs[0].ID)
	}
}

// A store that fails at any point leaves something that another attempt completes, with the effects of one.
func TestTriggerAfterAFailureAnywhere(t *testing.T) {
	recipients := []any{map[string]any{"id": "a"}, map[string]any{"id": "b"}, "sam"}
	for failAt := 1; failAt <= 5; failAt++ {
		store := newMemory()
		store.users["test/sam"] = map[string]any{}
		store.failAt, store.fail = failAt, fmt.Errorf("redis: %w", engine.ErrUnavailable)
		action := trigger(t, "e1", recipients, map[string]any{"id": "boss"})
		_, err := destination(store).Perform(t.Context(), action)
		if _, postponed := engine.PostponedFor(err); !postponed || !strings.Contains(err.Error(), "the store is unavailable") {
			t.Errorf("failure %d: %v", failAt, err)
		}
		perform(t, destination(store), action)
		users := slices.Sorted(maps.Keys(store.users))
		if len(store.runs) != 1 || fmt.Sprint(users) != "[test/a test/b test/boss test/sam]" {
			t.Errorf("failure %d: %d runs, %v", failAt, len(store.runs), users)
		}
	}
}

func TestManyUnknownAreNotAllSpelledOut(t *testing.T) {
	var recipients []any
	for i := range 500 {
		recipients = append(recipients, fmt.Sprint("user", i))
	}
	result := perform(t, destination(newMemory()), trigger(t, "e1", recipients, nil))
	if !strings.HasSuffix(result.Skipped, "user9 and 490 more") {
		t.Errorf("skipped %q", result.Skipped)
	}
}

func TestNoPayload(t *testing.T) {
	if _, err := destination(newMemory()).Perform(t.Context(), &engine.Action{Kind: "identify"}); !engine.IsPermanent(err) {
		t.Errorf("error %v", err)
	}
}
