package engine

import (
	"bytes"
	"encoding/json"
	"testing"
)

// FuzzWalk holds that Walk finds what MembersOf finds in a checked object, and that it ends on any bytes.
func FuzzWalk(f *testing.F) {
	for _, doc := range []string{
		`{}`, ` { } `, `{"a":1}`, `{"a":1,"b":[1,{"c":"}"}],"d":{"e":null}}`, `{"a" : "x\"y\\" , "b" : -1.5e3 }`, `{"\u0061":true,"a":false}`,
		`{"a":"\\"}`, `{"a":{"b":"]"},"c":[[],{}]}`, `[1]`, `{"a"`, `{"a":`, `{"a":"`, `{"a":[`, `"`, ``, `{"a":}`, `{,"a":1}`,
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
		if CheckJSON(doc, DefaultJSONLimits) != nil || KindOf(doc) != '{' {
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
