package engine

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestEffectKeyIsDeterministicAndItsOwn(t *testing.T) {
	base := Action{Environment: "production", EventID: "e1-2-3", Rule: "welcome", Index: 1}
	// A stored key must never change its form, or a crash over an upgrade would do effects twice.
	if got, want := base.EffectKey("user:sam"), "sy_4db7b8c7c9f3523abe81963932e0b211"; got != want {
		t.Errorf("key %q, want %q", got, want)
	}
	seen := map[string]string{}
	for name, action := range map[string]Action{
		"base":        base,
		"environment": {Environment: "staging", EventID: "e1-2-3", Rule: "welcome", Index: 1},
		"event":       {Environment: "production", EventID: "e1-2-4", Rule: "welcome", Index: 1},
		"rule":        {Environment: "production", EventID: "e1-2-3", Rule: "welcom", Index: 1},
		"index":       {Environment: "production", EventID: "e1-2-3", Rule: "welcome", Index: 2},
		"shifted":     {Environment: "production", EventID: "e1-2-3w", Rule: "elcome", Index: 1},
		"repeated":    {Environment: "production", EventID: "e1-2-3", Rule: "welcome", Index: 1, Nonces: []string{"again"}},
		"once more":   {Environment: "production", EventID: "e1-2-3", Rule: "welcome", Index: 1, Nonces: []string{"again", "more"}},
	} {
		for _, target := range []string{"", "user:sam"} {
			key := action.EffectKey(target)
			if key != action.EffectKey(target) {
				t.Errorf("%s: the key changes", name)
			}
			if other, taken := seen[key]; taken {
				t.Errorf("%s and %s share a key", name+target, other)
			}
			seen[key] = name + target
		}
	}
}

func decode(t *testing.T, doc string) any {
	t.Helper()
	value, err := DecodeJSON([]byte(doc))
	if err != nil {
		t.Fatalf("%s: %v", doc, err)
	}
	return value
}

func TestNewRecipients(t *testing.T) {
	for _, test := range []struct{ value, want, wrong string }{
		{value: `"sam"`, want: `["sam"]`},
		{value: `["sam","kim"]`, want: `["sam","kim"]`},
		{value: `42`, want: `["42"]`},
		{value: `[9007199254740993]`, want: `["9007199254740993"]`},
		{value: `{"id":"sam"}`, want: `[{"id":"sam"}]`},
		{value: `[{"id":7,"email":"a@b.c"}]`, want: `[{"email":"a@b.c","id":"7"}]`},
		{value: `[{"id":"sam","phone":"+1"}]`, want: `[{"id":"sam","phone_number":"+1"}]`},
		{value: `["sam",{"id":"sam","name":"Sam"},"sam"]`, want: `[{"id":"sam","name":"Sam"}]`},
		{value: `[{"id":"p1","collection":"projects"},"p1"]`, want: `[{"collection":"projects","id":"p1"},"p1"]`},
		{value: `null`, wrong: "missing"},
		{value: `[]`, wrong: "empty"},
		{value: `""`, wrong: "recipient 0: the id is missing"},
		{value: `["a",null]`, wrong: "recipient 1: the id is missing"},
		{value: `[{"name":"Sam"}]`, wrong: "needs an id"},
		{value: `["a/b"]`, wrong: "must not contain / or #"},
		{value: `["a#b"]`, wrong: "must not contain / or #"},
		{value: `[true]`, wrong: "a boolean"},
		{value: `[["a"]]`, wrong: "a list"},
		{value: `["` + strings.Repeat("x", 257) + `"]`, wrong: "more than 256"},
		{value: `["` + strings.Repeat("é", 256) + `"]`, want: `["` + strings.Repeat("é", 256) + `"]`},
	} {
		recipients, err := NewRecipients(decode(t, test.value))
		if test.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), test.wrong) {
				t.Errorf("%s: error %v, want %q", test.value, err, test.wrong)
			}
			continue
		}
		doc, marshalErr := json.Marshal(recipients)
		if err != nil || marshalErr != nil || string(doc) != test.want {
			t.Errorf("%s: %s, %v; want %s", test.value, doc, err, test.want)
		}
	}
}

func TestAPayloadSurvivesTheLog(t *testing.T) {
	trigger, err := NewTrigger("welcome", TriggerValues{
		Recipients: decode(t, `["sam",{"id":"kim","logins":9007199254740993,"phone":"+1"},{"collection":"projects","id":"p"}]`),
		Actor:      "sam", Data: decode(t, `{"n":18446744073709551615,"big":123456789012345678901234567890,"f":1.5}`),
		Tenant: 12, CancellationKey: "k",
	})
	if err != nil {
		t.Fatal(err)
	}
	action := &Action{Trigger: trigger}
	read := &Trigger{}
	if err := json.Unmarshal(action.Payload(), read); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(read, trigger) {
		t.Errorf("read back\n%+v\nwant\n%+v", read, trigger)
	}
	for _, digits := range []string{"9007199254740993", "18446744073709551615", "123456789012345678901234567890", `"tenant":"12"`} {
		if !strings.Contains(string(action.Payload()), digits) {
			t.Errorf("%s is gone from %s", digits, action.Payload())
		}
	}
}

func TestNewIdentify(t *testing.T) {
	for _, test := range []struct{ id, traits, want, wrong string }{
		{id: `"sam"`, traits: `{"phone":"+1","name":"Sam"}`, want: `{"user_id":"sam","traits":{"name":"Sam","phone_number":"+1"}}`},
		{id: `"sam"`, traits: `{"phone":"+1","phone_number":"+2"}`, want: `{"user_id":"sam","traits":{"phone":"+1","phone_number":"+2"}}`},
		{id: `7`, traits: `null`, want: `{"user_id":"7","traits":{}}`},
		{id: `"sam"`, traits: `{"preferences":{"a":1},"channel_data":{},"plan":"pro"}`, want: `{"user_id":"sam","traits":{"plan":"pro"}}`},
		{id: `null`, traits: `{}`, wrong: "user_id: the id is missing"},
		{id: `"sam"`, traits: `[]`, wrong: "traits must be an object, not a list"},
	} {
		identify, err := NewIdentify(decode(t, test.id), decode(t, test.traits))
		if test.wrong != "" {
			if err == nil || err.Error() != test.wrong {
				t.Errorf("%s %s: error %v, want %q", test.id, test.traits, err, test.wrong)
			}
			continue
		}
		doc, marshalErr := json.Marshal(identify)
		if err != nil || marshalErr != nil || string(doc) != test.want {
			t.Errorf("%s %s: %s, %v; want %s", test.id, test.traits, doc, err, test.want)
		}
	}
	kept, err := NewIdentify("sam", decode(t, `{"preferences":{"a":1},"channel_data":{}}`), "preferences")
	if err != nil || len(kept.Traits) != 1 || kept.Traits["preferences"] == nil {
		t.Errorf("a reserved trait named on purpose is kept, the other is not: %+v, %v", kept, err)
	}
}

func TestMergeTraits(t *testing.T) {
	for _, test := range []struct{ before, update, want string }{
		{`{}`, `{"a":1}`, `{"a":1}`},
		{`{"a":1,"b":2}`, `{"b":3}`, `{"a":1,"b":3}`},
		{`{"a":{"x":1,"y":2}}`, `{"a":{"y":3}}`, `{"a":{"x":1,"y":3}}`},
		{`{"a":{"x":{"p":1}}}`, `{"a":{"x":{"q":2}}}`, `{"a":{"x":{"p":1,"q":2}}}`},
		{`{"a":1}`, `{"a":null}`, `{"a":null}`},
		{`{"a":[1,2]}`, `{"a":[3]}`, `{"a":[3]}`},
		{`{"a":{"x":1}}`, `{"a":5}`, `{"a":5}`},
		{`{"a":5}`, `{"a":{"x":1}}`, `{"a":{"x":1}}`},
		{`{"a":1}`, `{}`, `{"a":1}`},
	} {
		before, update := decode(t, test.before).(map[string]any), decode(t, test.update).(map[string]any)
		merged := MergeTraits(before, update)
		if want := decode(t, test.want); !reflect.DeepEqual(any(merged), want) {
			t.Errorf("%s + %s = %v, want %s", test.before, test.update, merged, test.want)
		}
		if !reflect.DeepEqual(any(before), decode(t, test.before)) || !reflect.DeepEqual(any(update), decode(t, test.update)) {
			t.Errorf("%s + %s changed an argument", test.before, test.update)
		}
	}
}

func TestPartitionIsStable(t *testing.T) {
	// The hash is part of the stored format: a change would part users from their lanes.
	for lane, want := range map[string]int{"": 5, "u:sam10": 4, "u:kim": 5, "a:507f191e": 2, "u:é": 2} {
		if got := Partition(lane, 8); got != want {
			t.Errorf("Partition(%q, 8) = %d, want %d", lane, got, want)
		}
	}
}
