package engine

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
)

// FuzzWalk holds that Walk finds what MembersOf finds in a checked object, and that it ends on any bytes.
func FuzzWalk(f *testing.F) {
	for _, doc := range []string{
		`{}`, ` { } `, `{"a":1}`, `{"a":1,"b":[1,{"c":"}"}],"d":{"e":null}}`, `{"a" : "x\"y\\" , "b" : -1.5e3 }`, `{"\u0061":true,"a":false}`,
		`{"a":"\\"}`, `{"a":{"b":"]"},"c":[[],{}]}`, `[1]`, `[[1, "]"] , {"a":[","]},null , "\\\"" ]`, `[ ]`, `[1,]`, `{"a":[{"traits":1}]}`, `{"a":{"tra\u0069ts":1}}`, `{"a"`, `{"a":`, `{"a":"`, `{"a":[`, `"`, ``, `{"a":}`, `{,"a":1}`,
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		var names, values [][]byte
		walk := WalkObject(doc)
		for {
			name, value, ok := walk.Next()
			if !ok {
				break
			}
			if len(names) > len(doc) {
				t.Fatalf("no end in %q", doc)
			}
			names, values = append(names, name), append(values, value)
		}
		items := walkedItems(t, doc)
		if CheckJSON(doc, DefaultJSONLimits) != nil {
			return
		}
		checkItems(t, doc, items)
		checkSpotted(t, doc)
		if KindOf(doc) != '{' {
			return
		}
		n := 0
		err := MembersOf(doc, DefaultJSONLimits, func(name []byte, value json.RawMessage) error {
			if n >= len(names) || unquote(names[n]) != string(name) || !bytes.Equal(values[n], value) {
				t.Fatalf("member %d of %q: %q %q, want %q %q", n, doc, names[min(n, len(names)-1)], values[min(n, len(values)-1)], name, value)
			}
			n++
			return nil
		})
		if err != nil || n != len(names) {
			t.Fatalf("%d members of %q, want %d", len(names), doc, n)
		}
	})
}

func walkedItems(t *testing.T, doc []byte) (items [][]byte) {
	walk := WalkArray(doc)
	for {
		item, ok := walk.NextItem()
		if !ok {
			return items
		}
		if items = append(items, item); len(items) > len(doc) {
			t.Fatalf("no end in %q", doc)
		}
	}
}

// checkItems holds that the items of an array are those that ElementsOf finds, and that nothing else has any.
func checkItems(t *testing.T, doc []byte, items [][]byte) {
	var want [][]byte
	if KindOf(doc) == '[' {
		_ = ElementsOf(doc, DefaultJSONLimits, func(item json.RawMessage) error { want = append(want, item); return nil })
	}
	if !slices.EqualFunc(items, want, bytes.Equal) {
		t.Fatalf("the items of %q are %q, want %q", doc, items, want)
	}
}

// checkSpotted holds that a name below the outermost object is never overlooked.
func checkSpotted(t *testing.T, doc []byte) {
	const name = "traits"
	members := ReadObject(doc, DefaultJSONLimits)
	members.LookFor(name)
	there := false
	for {
		_, value, ok := members.Next()
		if !ok {
			break
		}
		inside, err := DecodeJSON(value)
		if err != nil {
			t.Fatalf("%q of %q: %v", value, doc, err)
		}
		there = there || hasMember(inside, name)
	}
	if there && !members.Spotted() {
		t.Fatalf("%s is overlooked in %q", name, doc)
	}
}

func hasMember(value any, name string) bool {
	switch v := value.(type) {
	case map[string]any:
		for key, below := range v {
			if key == name || hasMember(below, name) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, func(item any) bool { return hasMember(item, name) })
	}
	return false
}

// Strings are read in words of eight bytes: any byte at any place of a word, and at any distance from the end, must be
// seen for what it is.
func TestEveryByteOfAWord(t *testing.T) {
	const plain = "abcdefghijklmnopqrstuvw"
	for c := range 256 {
		for at := range 18 {
			for _, tail := range []string{"", `"`, `\\`, `u0041`, `n1234567`, "12345678", "\x80", "\xbf\xbf", `"12345678`} {
				text := plain[:at] + string([]byte{byte(c)}) + tail
				for _, doc := range []string{`"` + text + `"`, `"` + text, `{"` + text + `":"` + text + `"}`, `["` + text + `"]`} {
					if different := differ([]byte(doc)); different != "" {
						t.Fatalf("%q: %s", doc, different)
					}
					if CheckJSON([]byte(doc), DefaultJSONLimits) == nil {
						checkItems(t, []byte(doc), walkedItems(t, []byte(doc)))
						checkMembers(t, []byte(doc))
					}
				}
			}
		}
	}
}

// checkMembers holds that the members of an object are walked as they are read.
func checkMembers(t *testing.T, doc []byte) {
	members, walk := ReadObject(doc, DefaultJSONLimits), WalkObject(doc)
	for {
		name, value, ok := members.Next()
		walkedName, walkedValue, walked := walk.Next()
		if ok != walked || ok && unquote(walkedName) != string(name) || !bytes.Equal(walkedValue, value) {
			t.Fatalf("%q: walked %q %q, want %q %q", doc, walkedName, walkedValue, name, value)
		}
		if !ok {
			return
		}
	}
}
