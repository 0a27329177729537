package rules

import (
	"strings"
	"sync"
	"testing"

	"switchyard/engine"
)

const counted = `
rules:
  - key: good
    name: Good
    match: type == "track"
    transform: {b: '"<1>"', a: '2'}
    actions: [{identify: {user_id: user_id}}]
  - key: bad
    match: name == "user-signed-up" && data.plan > 5
    actions: [{identify: {user_id: user_id}}]
  - key: never
    match: data.no
    actions: [{identify: {user_id: user_id}}]
  - key: page
    match: type == "page"
    actions: [{identify: {user_id: user_id}}]
`

func TestBook(t *testing.T) {
	var book Book
	if book.Decide(sampleEvent()) != nil || book.Rules("production") != nil {
		t.Error("an empty book knows something")
	}
	book.Swap(map[string]*Set{"production": compileText(t, counted)})
	for range 3 {
		decision := book.Decide(sampleEvent())
		if decision == nil || len(decision.Rules) != 1 || len(decision.Errors) != 1 {
			t.Fatalf("decision = %+v", decision)
		}
	}
	other := sampleEvent()
	other.Environment = "staging"
	if decision := book.Decide(other); decision != nil {
		t.Errorf("another environment: %+v", decision)
	}
	check := func(key string, evaluations, matches, errors uint64) {
		t.Helper()
		for environment, info := range book.All() {
			if stats := info.Stats; info.Key == key && environment == "production" {
				if stats.Evaluations != evaluations || stats.Matches != matches || stats.Errors != errors || evaluations > 0 && stats.Spent <= 0 {
					t.Errorf("%s: %+v", key, stats)
				}
				if (stats.LastError != "") != (errors > 0) || stats.LastErrorAt.IsZero() != (errors == 0) || stats.LastMatchAt.IsZero() != (matches == 0) {
					t.Errorf("%s: %+v", key, stats)
				}
				return
			}
		}
		t.Errorf("no rule %s", key)
	}
	check("good", 3, 3, 0)
	check("bad", 3, 0, 3)
	check("never", 0, 0, 0)
	check("page", 0, 0, 0)

	// A reload keeps the counts of what it keeps.
	book.Swap(map[string]*Set{"production": compileText(t, strings.Replace(counted, "key: bad", "key: new", 1))})
	book.Decide(sampleEvent())
	check("good", 4, 4, 0)
	check("new", 1, 0, 1)
	book.Swap(nil)
	if book.Decide(sampleEvent()) != nil {
		t.Error("a set that was taken away decides")
	}
}

func TestRuleInfo(t *testing.T) {
	var book Book
	book.Swap(map[string]*Set{"production": compileText(t, counted)})
	infos := book.Rules("production")
	if len(infos) != 4 {
		t.Fatalf("rules = %+v", infos)
	}
	good := infos[0]
	if good.Key != "good" || good.Name != "Good" || good.Match != `type == "track"` || good.File != "r.yaml" || good.Line != 3 || !good.Indexed {
		t.Errorf("info = %+v", good)
	}
	if string(good.Transform) != `{"b":"\"<1>\"","a":"2"}` || string(good.Actions) != `[{"identify":{"user_id":"user_id"}}]` {
		t.Errorf("info = %s, %s", good.Transform, good.Actions)
	}
	for _, info := range infos {
		if !info.Indexed {
			t.Errorf("%s is not indexed", info.Match)
		}
	}
	book.Swap(map[string]*Set{"production": compileText(t, "rules: [{key: a, match: 'lower(name + \"\") == \"a\"', actions: [{identify: {user_id: user_id}}]}]")})
	if info := book.Rules("production")[0]; info.Indexed {
		t.Errorf("%s is called indexed", info.Match)
	}
}

func TestBookIsSafeForManyGoroutines(t *testing.T) {
	var book Book
	set := compileText(t, counted)
	book.Swap(map[string]*Set{"production": set})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 200 {
				if decision := book.Decide(sampleEvent()); decision == nil || decision.Actions[0].Kind != engine.ActionIdentify {
					t.Error("a decision is wrong")
				}
			}
		})
	}
	for range 20 {
		book.Swap(map[string]*Set{"production": set})
		_ = book.Rules("production")
	}
	group.Wait()
	if got := book.Rules("production")[0].Stats.Matches; got != 800 {
		t.Errorf("%d matches were counted, of 800", got)
	}
}
