package rules

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"switchyard/engine"
)

// hostile are expressions that would take for ever, or all memory: each is refused when it is compiled, or stopped when
// it is run, and the next event is served as before.
var hostile = map[string]string{
	"loops inside each other":          `let x = 1..10000; any(x, any(x, false))`,
	"three loops":                      `any(data.list, let a = #; any(data.list, let b = #; any(data.list, # + a + b == -1)))`,
	"a loop of look-ups in a list":     `any(data.list, # + 1000 in data.list)`,
	"lists compared in a loop":         `any(1..10000, data.list != data.list)`,
	"long texts compared in a loop":    `any(1..10000, data.text != data.text + "")`,
	"a long text searched in a loop":   `any(1..10000, data.text contains "nowhere")`,
	"a pattern on a long text, looped": `any(1..10000, data.text matches "(a|b|ab)*c")`,
	"a list of lists":                  `map(1..1000, 1..1000)`,
	"a long range":                     `len(1..1000000000)`,
	"texts added up":                   `reduce(1..10000, #acc + data.text, "")`,
	"a text repeated":                  `repeat("abc", 1000000000)`,
	"a text repeated in a loop":        `map(1..10000, repeat("abc", 100000))`,
	"replace that grows":               `replace(replace(data.text, "a", data.text), "a", data.text)`,
	"sorted again and again":           `map(1..10000, sortBy(data.list, -#))`,
	"grouped again and again":          `map(1..10000, groupBy(data.list, #))`,
	"numbers that grow":                `reduce(1..100, #acc * #acc, 99)`,
	"powers":                           `9 ** 9 ** 9`,
	"a huge pattern":                   `data.text matches "` + strings.Repeat("(a{1,100}){1,9}", 40) + `"`,
	"joined in a loop":                 `map(1..10000, join(map(data.list, string(#)), ","))`,
	"shared and shared again":          `let a = data.list; let b = [a,a,a,a,a,a,a,a]; let c = [b,b,b,b,b,b,b,b]; let d = [c,c,c,c,c,c,c,c]; let e = [d,d,d,d,d,d,d,d]; e == [d,d,d,d,d,d,d,d]`,
	"JSON of shared parts":             `let a = data.list; let b = [a,a,a,a,a,a,a,a]; let c = [b,b,b,b,b,b,b,b]; let d = [c,c,c,c,c,c,c,c]; toJSON([d,d,d,d,d,d,d,d])`,
	"counts":                           `count(1..10000, count(1..10000, # > 5) > 5)`,
	"deep brackets":                    strings.Repeat("(", 20000) + "1" + strings.Repeat(")", 20000) + "1",
	"a deep list":                      strings.Repeat("[", 2000) + strings.Repeat("]", 2000),
	"a giant literal":                  `"` + strings.Repeat("x", 70<<10) + `"`,
	"a giant list":                     "[" + strings.Repeat("1,", 20000) + "1]",
	"types mixed up":                   `data.list + data.text - data`,
}

func TestHostileExpressions(t *testing.T) {
	list := "[" + strings.Repeat("7,", 2000) + "8]"
	event := func() *engine.Event {
		return &engine.Event{Type: "track", Name: "e", UserID: "u", Data: json.RawMessage(`{"list":` + list + `,"text":"` + strings.Repeat("ab", 50_000) + `"}`)}
	}
	for name, source := range hostile {
		t.Run(name, func(t *testing.T) {
			quoted, _ := json.Marshal(source)
			file, err := Parse("r.yaml", fmt.Appendf(nil, `rules:
  - {key: hostile, match: 'type == "track"', actions: [{trigger: {workflow: w, recipients: user_id, data: %q}}]}
  - {key: good, match: 'type == "track"', actions: [{trigger: {workflow: w, recipients: user_id}}]}
`, fmt.Sprintf(`{"x": %s}`, source)))
			if err != nil {
				t.Fatalf("%s: %v", quoted[:min(len(quoted), 80)], err)
			}
			set, err := Compile("e", []*File{file})
			if err != nil {
				t.Logf("refused: %.160v", err)
				return
			}
			begun := time.Now()
			decision := set.Decide(event())
			t.Logf("%8.1f ms: %.200v", float64(time.Since(begun).Microseconds())/1000, decision.Errors)
			if len(decision.Rules) != 1 || decision.Rules[0] != "good" || len(decision.Errors) != 1 {
				t.Errorf("rules %v, errors %v", decision.Rules, decision.Errors)
			}
		})
	}
}

// What people write in earnest is far below the bounds.
func TestEarnestLoops(t *testing.T) {
	items := strings.TrimSuffix(strings.Repeat(`{"sku":"a-1","qty":2,"tags":["x","y"]},`, 1000), ",")
	set := compileText(t, `
rules:
  - key: earnest
    match: any(data.items, .sku startsWith "a" && "x" in .tags) && count(data.items, .qty > 1) == 1000 && sum(data.items, .qty) == 2000
    transform:
      skus: uniq(map(data.items, .sku))
      found: filter(data.items, .sku in skus)
    actions: [{trigger: {workflow: w, recipients: user_id, data: '{"n": len(found), "by": len(groupBy(data.items, .sku)), "s": sortBy(data.items, .qty)[0].sku}'}}]
`)
	decision := set.Decide(&engine.Event{UserID: "u", Data: json.RawMessage(`{"items":[` + items + `]}`)})
	if decision == nil || len(decision.Rules) != 1 || string(decision.Actions[0].Payload()) == "" {
		t.Errorf("%+v", decision)
	}
}
