package schema

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// pair is a schema and data for it.
type pair struct{ name, schema, data string }

// worst are the heaviest pairs within the bounds that we know of.
func worst() []pair {
	many := func(n int, item func(i int) string) string {
		items := make([]string, n)
		for i := range items {
			items[i] = item(i)
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	number := func(i int) string { return fmt.Sprint(i) }
	nested := func(depth int, open, close string) string {
		return strings.Repeat(open, depth) + "1" + strings.Repeat(close, depth)
	}
	// All trees of empty arrays with as many nodes have the same hash in the library.
	var trees func(n int) []string
	trees = func(n int) []string { // lists of trees with n nodes together
		if n == 0 {
			return []string{""}
		}
		var all []string
		for first := 1; first <= n; first++ {
			for _, head := range trees(first - 1) {
				for _, tail := range trees(n - first) {
					all = append(all, "["+head+"]"+map[bool]string{true: ",", false: ""}[tail != ""]+tail)
				}
			}
		}
		return all
	}
	equalHashes := trees(8)[:1100]
	return []pair{
		{"uniqueItems of numbers", `{"properties":{"a":{"uniqueItems":true}}}`, `{"a":` + many(9_990, number) + `}`},
		{"uniqueItems of equal hashes", `{"properties":{"a":{"uniqueItems":true}}}`, `{"a":` + many(1_100, func(i int) string { return "[" + equalHashes[i] + "]" }) + `}`},
		// So have arrays of three such strings of the same length together.
		{"uniqueItems of split strings", `{"properties":{"a":{"uniqueItems":true}}}`, `{"a":` + many(2_490, func(i int) string {
			return `["` + strings.Repeat(`\u0003`, i%60) + `","` + strings.Repeat(`\u0003`, i/60) + `","` + strings.Repeat(`\u0003`, 120-i%60-i/60) + `"]`
		}) + `}`},
		{"a wide array that all fails", `{"properties":{"a":{"items":{"type":"string"}}}}`, `{"a":` + many(9_990, number) + `}`},
		{"a wide array in ten forms", `{"properties":{"a":{"items":{"anyOf":[` + strings.Repeat(`{"minimum":100000},`, 9) + `{"type":"null"}]}}}}`, `{"a":` + many(9_990, number) + `}`},
		{"a large enum", `{"properties":{"a":{"items":{"enum":` + many(500, func(i int) string { return fmt.Sprint(i + 100_000) }) + `}}}}`, `{"a":` + many(9_990, number) + `}`},
		{"an enum of large numbers", `{"properties":{"a":{"items":{"enum":` + many(100, func(i int) string { return fmt.Sprintf("1%02de390", i) }) + `}}}}`, `{"a":` + many(9_990, func(int) string { return "1e400" }) + `}`},
		{"doubling recursion", `{"$ref":"#/$defs/n","$defs":{"n":{"properties":{"a":{"anyOf":[{"$ref":"#/$defs/n"},{"$ref":"#/$defs/n"}]}}}}}`, nested(63, `{"a":`, `}`)},
		{"doubling recursion that fails", `{"$ref":"#/$defs/n","$defs":{"n":{"type":"object","properties":{"a":{"anyOf":[{"$ref":"#/$defs/n"},{"$ref":"#/$defs/n"}]}}}}}`, nested(63, `{"a":`, `}`)},
		{"many values far below", `{"$ref":"#/$defs/n","$defs":{"n":{"type":"object","additionalProperties":{"anyOf":[{"$ref":"#/$defs/n"},{"items":{"type":"string"}}]}}}}`, strings.Replace(nested(62, `{"a":`, `}`), "1", many(1_900, number), 1)},
		{"more values far below", `{"additionalProperties":{"$ref":"#"}}`, strings.Replace(nested(62, `{"a":`, `}`), "1", many(9_900, number), 1)},
		{"doubling recursion of three", `{"$ref":"#/$defs/n","$defs":{"n":{"type":"object","properties":{"a":{"anyOf":[{"$ref":"#/$defs/n"},{"$ref":"#/$defs/n"}]}}}}}`, nested(9, `{"a":`, `}`)},
		{"deep recursion", `{"additionalProperties":{"$ref":"#"}}`, nested(63, `{"a":`, `}`)},
		{"a slow pattern", `{"properties":{"a":{"pattern":"[a-z]{1,1000}!"}}}`, `{"a":"` + strings.Repeat("a", 1<<20) + `"}`},
		{"a slow pattern, within the steps", `{"properties":{"a":{"pattern":"[a-z]{1,1000}!"}}}`, `{"a":"` + strings.Repeat("a", 2_300) + `"}`},
		{"a slow pattern of names", `{"patternProperties":{"[a-z]{1,1000}!":{}}}`, `{"` + strings.Repeat("a", 1<<20) + `":1}`},
		{"long paths", `{"additionalProperties":{"items":{"type":"string"}}}`, `{"` + strings.Repeat("%", 1<<17) + `":` + many(9_990, number) + `}`},
		{"long paths, within the bound", `{"additionalProperties":{"items":{"type":"string"}}}`, `{"` + strings.Repeat("%", 130) + `":` + many(9_990, number) + `}`},
		{"regular expressions", `{"properties":{"a":{"items":{"format":"regex"}}}}`, `{"a":` + many(2_000, func(int) string { return `"` + strings.Repeat("x{1000}", 100) + `"` }) + `}`},
		{"many names not allowed", `{"properties":{"a":{}},"additionalProperties":false}`, wideObject(9_990)},
	}
}

// Nothing that a sender chooses takes long, or much memory. The limits are generous, for slow machines; the figures are
// logged.
func TestTheWorstData(t *testing.T) {
	for _, test := range worst() {
		s := loaded(t, "s.json", test.schema)
		if !json.Valid([]byte(test.data)) {
			t.Fatalf("%s: the data are no JSON", test.name)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		begin := time.Now()
		got := s.Check(json.RawMessage(test.data), NewBudget())
		took := time.Since(begin)
		runtime.ReadMemStats(&after)
		allocated := (after.TotalAlloc - before.TotalAlloc) >> 20
		first := "nothing"
		if len(got) > 0 {
			first = cut(got[0].Pointer+" "+got[0].Message, 100)
		}
		t.Logf("%-32s %8.1f ms %4d MB: %d, %s", test.name, float64(took.Microseconds())/1000, allocated, len(got), first)
		if allocated > 2_000 { // what runs away allocates; how long it takes is the machine's affair
			t.Errorf("%s: %d MB", test.name, allocated)
		}
	}
}
