package rules

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"switchyard/engine"
)

// What hostile rules may take of the processor, to load as well as on one event, and of memory, all that is allocated.
const (
	mostCPU    = slower * 50 * time.Millisecond
	mostMemory = slower * 64 << 20
)

// hostileEvent has something of all that expressions could go through.
func hostileEvent() *engine.Event {
	object, deep, list := map[string]any{}, any(map[string]any{}), make([]int, 2000)
	for i := range list {
		object[fmt.Sprintf("key%d", i)], list[i] = i, 7
	}
	for range 40 {
		deep = map[string]any{"a": deep, "c": 1}
	}
	doc, err := json.Marshal(map[string]any{
		"list": list, "text": strings.Repeat("ab", 50_000), "uni": strings.Repeat("üб漢", 10_000), "short": strings.Repeat("ab", 500),
		"bools": make([]bool, 2000), "digits": strings.Repeat("1", 250), "object": object, "deep": deep,
		"huge": json.RawMessage(strings.Repeat("9", 100_000)),
	})
	if err != nil {
		panic(err)
	}
	at := time.Unix(1e9, 0)
	return &engine.Event{Type: "track", Name: "e", UserID: "u", Data: doc, Timestamp: at, ReceivedAt: at}
}

// usage is what a function takes: the least processor time of a few runs, since others use the machine too, and the
// memory of the last. A run that is far too long is the only one.
func usage(run func()) (cpu time.Duration, memory int) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cpu = time.Hour
	for range runs {
		allocated, begun := allocatedBytes(), threadCPU()
		run()
		took := threadCPU() - begun
		memory = allocatedBytes() - allocated
		if took > mostCPU/4 {
			took = time.Duration(float64(took) / slowness())
		}
		if cpu = min(cpu, took); cpu < mostCPU/2 || cpu > 4*mostCPU {
			break
		}
	}
	return cpu, memory
}

// slowness is how much longer than alone on a small server a piece of work takes here and now, at least 1: a thread that
// shares its core with others, or a slower machine, must not be taken for a rule that costs too much.
func slowness() float64 {
	const alone = 10 * time.Millisecond
	begun := threadCPU()
	counts := map[int]int{}
	for i := range 1_000_000 {
		counts[i*7919%5000] += i
	}
	return max(1, float64(threadCPU()-begun)/float64(slower*alone))
}

func allocatedBytes() int {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return int(sample[0].Value.Uint64())
}

// withGood is a file with a hostile rule, and one that must go on as if it were alone.
func withGood(hostile string) []byte {
	return []byte("rules:\n" + hostile + `
  - {key: good, match: 'type == "track"', transform: {n: 'len(data)'}, actions: [{trigger: {workflow: w, recipients: user_id}}]}
`)
}

// endure loads a hostile rule and decides events: it is refused quickly, or stopped quickly, and the good rule goes on.
func endure(t *testing.T, rule string) {
	t.Helper()
	file, err := Parse("r.yaml", withGood(rule))
	if err != nil {
		t.Fatalf("%.200v", err)
	}
	var set *Set
	cpu, memory := usage(func() { set, err = Compile("e", []*File{file}) })
	if cpu > mostCPU || memory > mostMemory {
		t.Errorf("loading took %s and %d MB: %.200v", cpu, memory>>20, err)
	}
	if err != nil {
		t.Logf("refused in %s: %.200v", cpu, err)
		return
	}
	event := hostileEvent()
	alone, loaded := usage(func() { _ = set.decideOnly(event, "good") })
	var decision *engine.Decision
	cpu, memory = usage(func() { decision = set.Decide(event) })
	if cpu -= alone; cpu > mostCPU || memory-loaded > mostMemory {
		t.Errorf("an event took %s and %d MB", cpu, (memory-loaded)>>20)
	}
	t.Logf("%s, %d kB: %.200v", cpu, (memory-loaded)>>10, decision.Errors)
	for _, e := range []*engine.Event{event, {Type: "track", UserID: "u", Data: json.RawMessage(`{}`)}} {
		if decision := set.Decide(e); decision == nil || len(decision.Rules) == 0 || decision.Rules[len(decision.Rules)-1] != "good" {
			t.Errorf("the good rule: %+v", decision)
		}
	}
}

// decideOnly evaluates one rule.
func (s *Set) decideOnly(event *engine.Event, key string) (err error) {
	scope := s.look(event)
	defer scope.free()
	for _, r := range s.rules {
		if r.key == key {
			_, _, err = r.decide(scope, r.match.probe(&scope.notes))
		}
	}
	return err
}

// A number of millions of digits is read once, however many rules compare it.
func TestManyRulesAndALongNumber(t *testing.T) {
	for _, condition := range []string{"data.n != 5", "data.n > 5", "data.n in 1..5", "data.n in [1, 5]", "abs(data.n) > 5"} {
		var source strings.Builder
		source.WriteString("rules:\n")
		for i := range 200 {
			fmt.Fprintf(&source, "  - {key: r%d, match: '%s && type == \"page\"', actions: [{identify: {user_id: user_id}}]}\n", i, condition)
		}
		set := compileText(t, source.String())
		for _, number := range []string{strings.Repeat("9", 3<<20), "1." + strings.Repeat("9", 3<<20)} {
			event := &engine.Event{Type: "track", Data: json.RawMessage(`{"n":` + number + `}`)}
			if cpu, _ := usage(func() { set.Decide(event) }); cpu > 4*mostCPU {
				t.Errorf("%s took %s", condition, cpu)
			}
		}
	}
}

func TestHostileExpressions(t *testing.T) {
	for attempt, sources := range hostile {
		t.Run(attempt, func(t *testing.T) {
			for name, source := range sources {
				t.Run(name, func(t *testing.T) {
					endure(t, fmt.Sprintf(`  - {key: hostile, match: 'type == "track"', actions: [{trigger: {workflow: w, recipients: user_id, data: %q}}]}`,
						fmt.Sprintf(`{"x": %s}`, source)))
				})
			}
		})
	}
}

// Each expression alone is within its budget, or just above it; there are hundreds.
func TestHostileRules(t *testing.T) {
	costly := []string{
		`any(1..1000, any(1..20, # == -1))`, `any(1..150, dateDiff("2024-05-06", received_at, "month", "Europe/Berlin") == -1)`,
		`any(1..40, formatPercent(0.5, 2, "de") == "x")`, `any(1..40, round(0.1234567, 100) == 1)`, `len(sort(map(1..2000, string(-#)))) == 0`,
		`any(1..20, e164(data.digits[:99], "DE") == "x")`, `any(1..3, toJSON(data.list) == "")`, `len(split(data.text, "")) == 1`,
		`data.text matches "(a|b|ab)*c"`, `any(1..40, data.short matches ("(a|b|ab)*c" + string(#)))`, `len(map(1..4000, [#])) == 1`,
		`any(1..400, floor(1e24) == 1)`, `fromJSON("[" + repeat("{},", 5000) + "1]") == 1`, `len(uniq(map(1..1000, {"a": #}))) == 1`,
	}
	for _, expression := range costly[:len(costly)/slowerRules] {
		many := func(n int, format string) string {
			var all strings.Builder
			for i := range n {
				fmt.Fprintf(&all, format, i, expression)
			}
			return all.String()
		}
		for name, rule := range map[string]string{
			"clauses": "  - {key: hostile, match: '" + strings.TrimSuffix(strings.Repeat("!("+expression+") && ", 400), " && ") + "', actions: [{identify: {user_id: user_id}}]}",
			"transforms": "  - key: hostile\n    transform:\n" + many(300, "      t%d: '%s'\n") +
				"    actions: [{identify: {user_id: user_id}}]\n",
			"actions": "  - key: hostile\n    actions:\n" + many(300, "      - trigger: {workflow: w%d, recipients: user_id, data: '{\"x\": %s}'}\n"),
		} {
			t.Run(name+" "+expression, func(t *testing.T) { endure(t, rule) })
		}
	}
	for name, value := range map[string]string{
		"payloads of large lists":   `map(1..4000, "x")`,
		"payloads of shared values": `let a = data.list; [a, a, a, a, a, a, a, a]`,
		"payloads of long texts":    `repeat("ab", 200000)`,
	} {
		var all strings.Builder
		for i := range 300 {
			fmt.Fprintf(&all, "      - trigger: {workflow: w%d, recipients: user_id, data: '{\"x\": (%s)}'}\n", i, value)
		}
		t.Run(name, func(t *testing.T) { endure(t, "  - key: hostile\n    actions:\n"+all.String()) })
	}
	t.Run("thousands of transforms", func(t *testing.T) {
		var all strings.Builder
		for i := range 10_000 {
			fmt.Fprintf(&all, "      t%d: '1'\n", i)
		}
		endure(t, "  - key: hostile\n    transform:\n"+all.String()+"    actions: [{identify: {user_id: user_id}}]\n")
	})
	giant := `"` + strings.Repeat("x", 60<<10) + `"`
	t.Run("giant literals", func(t *testing.T) {
		endure(t, "  - key: hostile\n    transform:\n      a: '"+giant+"'\n      b: '"+giant+"'\n      c: '"+giant+"'\n    actions: [{identify: {user_id: user_id}}]\n")
	})
}

// A list may be as long as the JSON of an event can be.
func TestALoopOverAllOfAnEvent(t *testing.T) {
	set := compileText(t, string(withGood(`  - {key: hostile, match: 'any(data.list, let a = #; any(data.list, a + # == -1))', actions: [{identify: {user_id: user_id}}]}`)))
	event := &engine.Event{Type: "track", UserID: "u", Data: json.RawMessage(`{"list":[` + strings.Repeat("7,", 400_000) + `7]}`)}
	alone, _ := usage(func() { _ = set.decideOnly(event, "good") })
	var decision *engine.Decision
	cpu, _ := usage(func() { decision = set.Decide(event) })
	if len(decision.Rules) != 1 || len(decision.Errors) != 1 {
		t.Errorf("%+v", decision)
	}
	if cpu-alone > mostCPU {
		t.Errorf("%s, of which reading the event is %s", cpu, alone)
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

// Data that can not be decoded is found out once, not by every rule.
func TestUnreadableDataCostsOnce(t *testing.T) {
	var source strings.Builder
	source.WriteString("rules:\n")
	for i := range 300 {
		fmt.Fprintf(&source, "  - {key: r%d, match: data.a + %d == 1, actions: [{trigger: {workflow: w, recipients: user_id}}]}\n", i, i)
	}
	set := compileText(t, source.String())
	data := `{"a":[` + strings.Repeat("1,", engine.DefaultJSONLimits.Values) + `1]}`
	event := &engine.Event{Type: "track", Data: json.RawMessage(data)}
	decision := set.Decide(event)
	scope := newScope(event)
	defer scope.free()
	_, one := scope.object(event.Data)
	if _, again := scope.object(event.Data); one == nil || again != one { // reading it again would make another error
		t.Errorf("it is read again: %v, %v", one, again)
	}
	if first := decision.Errors[0]; !strings.Contains(first.Message, "more than 500000 JSON values") {
		t.Errorf("%+v", first)
	}
}

// Rules with hundreds of transforms of their own do not have the compiler keep a language for each.
func TestManyTransformsTakeLittleMemory(t *testing.T) {
	var source strings.Builder
	source.WriteString("rules:\n")
	for r := range 6 {
		fmt.Fprintf(&source, "  - key: r%d\n    transform:\n", r)
		for i := range maxTransforms {
			fmt.Fprintf(&source, "      t%d_%d: data.x\n", r, i)
		}
		source.WriteString("    actions: [{trigger: {workflow: w, recipients: user_id}}]\n")
	}
	file, err := Parse("r.yaml", []byte(source.String()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := NewCompiler()
	if _, err := compiler.Compile("e", []*File{file}); err != nil {
		t.Fatal(err)
	}
	if kept := len(compiler.languages); kept > keptLanguages {
		t.Errorf("%d languages are kept", kept)
	}
}

func TestRefusalsAreShort(t *testing.T) {
	for source, want := range map[string]string{
		strings.Repeat("9", 60_000):                     "the number 99",
		strings.Repeat("1+", 20_000) + "1":              "the expression has more than 10000 parts; give some of them names in transforms",
		`"" matches "` + strings.Repeat("(", 900) + `"`: "error parsing regexp",
		`groupBy(data.items, groupBy(#, #))`:            "a condition must be true or false, not an object",
	} {
		text, _ := json.Marshal(source)
		file, err := Parse("r.yaml", fmt.Appendf(nil, "rules: [{key: a, match: %s, actions: [{trigger: {workflow: w, recipients: user_id}}]}]", text))
		if err != nil {
			t.Fatal(err)
		}
		_, err = Compile("e", []*File{file})
		if err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 1100 {
			t.Errorf("%.20s: %.200v", source, err)
		}
	}
}
