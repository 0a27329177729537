package redislog_test

import (
	"reflect"
	"testing"
	"time"

	"switchyard/engine"
)

var quarantineContract = []contract{
	{"a quarantine is remembered until it is released", func(t *testing.T, f *fixture) {
		at := time.Date(2026, 1, 2, 3, 4, 5, 6000000, time.UTC)
		first := engine.Quarantine{Version: "v1", Reason: engine.QuarantineBudget, At: at, LastError: "rules/a.yaml:3:4: too much"}
		second := engine.Quarantine{Version: "v2", Reason: engine.QuarantineErrors, At: at.Add(time.Second), LastError: "é \x00"}
		put := func(environment, rule string, q engine.Quarantine) {
			t.Helper()
			if err := f.log.Quarantine(f.ctx, environment, rule, q); err != nil {
				t.Fatal(err)
			}
		}
		want := func(environment string, want map[string][]engine.Quarantine) {
			t.Helper()
			got, err := f.log.Quarantined(f.ctx, environment)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %+v %v", environment, got, err)
			}
		}
		want(f.name, map[string][]engine.Quarantine{})
		put(f.name, "bad", first)
		put(f.name, "bad-2", second)
		put(f.name+"}x", "bad", second)
		again := first
		again.LastError = "later"
		put(f.name, "bad", again)
		want(f.name, map[string][]engine.Quarantine{"bad": {first}, "bad-2": {second}})
		if err := f.log.Release(f.ctx, f.name, "bad"); err != nil {
			t.Fatal(err)
		}
		want(f.name, map[string][]engine.Quarantine{"bad-2": {second}})
		want(f.name+"}x", map[string][]engine.Quarantine{"bad": {second}})
		if err := f.log.Release(f.ctx, f.name, "bad"); err != nil {
			t.Errorf("a second release: %v", err)
		}
	}},
	{"a release is of all versions of a rule", func(t *testing.T, f *fixture) {
		for _, version := range []string{"v1", "v2"} {
			if err := f.log.Quarantine(f.ctx, f.name, "bad", engine.Quarantine{Version: version}); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := f.log.Quarantined(f.ctx, f.name); err != nil || len(got["bad"]) != 2 {
			t.Errorf("%+v %v", got, err)
		}
		if err := f.log.Release(f.ctx, f.name, "bad"); err != nil {
			t.Fatal(err)
		}
		if got, err := f.log.Quarantined(f.ctx, f.name); err != nil || len(got) != 0 {
			t.Errorf("%+v %v", got, err)
		}
	}},
	{"changes of quarantines are told apart, and from a loss", func(t *testing.T, f *fixture) {
		changes := func() engine.QuarantineChanges {
			t.Helper()
			changes, err := f.log.QuarantineChanges(f.ctx, f.name)
			if err != nil {
				t.Fatal(err)
			}
			return changes
		}
		none := changes()
		if none != (engine.QuarantineChanges{}) {
			t.Errorf("%+v", none)
		}
		if err := f.log.Quarantine(f.ctx, f.name, "bad", engine.Quarantine{Version: "v1"}); err != nil {
			t.Fatal(err)
		}
		first := changes()
		if first == none || first != changes() || first.Lost(none) {
			t.Errorf("%+v", first)
		}
		if err := f.log.Release(f.ctx, f.name, "bad"); err != nil {
			t.Fatal(err)
		}
		if released := changes(); released == first || released.Lost(first) || !first.Lost(released) || !none.Lost(first) {
			t.Errorf("%+v", released)
		}
	}},
}
