package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

const threeForms = `{"properties":{"items":{"items":{"anyOf":[
	{"type":"object","required":["sku","price"],"properties":{"sku":{"type":"string"},"price":{"type":"number"}}},
	{"type":"object","required":["id"],"properties":{"id":{"type":"integer"}}},
	{"type":"object","required":["name"],"properties":{"name":{"type":"string"}}}]}}}}`

var listOfThousands = json.RawMessage(`{"items":[` + strings.Repeat("{},", 3000) + `{}]}`)

// A request full of the heaviest data takes no more than its budget, and what its last event goes beyond it: after that an
// event costs next to nothing. How long it takes is logged.
func TestTheWorstRequest(t *testing.T) {
	const body = 4 << 20
	tests := append(worst(),
		pair{"lists in three forms", threeForms, string(listOfThousands)},
		pair{"a wide object in a hundred forms", `{"anyOf":[` + strings.Repeat(`{"type":"string"},`, 99) + `{"type":"null"}]}`, wideObject(9_900)},
		pair{"long texts in forms", `{"properties":{"a":{"anyOf":[{"format":"uri"},{"format":"email"},{"pattern":"^a$"}]}}}`, `{"a":"` + strings.Repeat("ä", 400_000) + `"}`},
	)
	for _, test := range tests {
		s := loaded(t, "s.json", test.schema)
		data := json.RawMessage(test.data)
		events := min(4_000, 1+body/len(data))
		budget, whole := NewBudget(), 0
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		begin := time.Now()
		for range events {
			got := s.Check(data, budget)
			if len(got) != 1 || got[0].Message != "could not be checked: "+spent {
				whole++
			}
		}
		took := time.Since(begin)
		runtime.ReadMemStats(&after)
		allocated := (after.TotalAlloc - before.TotalAlloc) >> 20
		t.Logf("%-34s %4d of %4d events, %7.1f ms, %4d MB", test.name, whole, events, float64(took.Microseconds())/1000, allocated)
		if allocated > 1_500 {
			t.Errorf("%s: %d MB", test.name, allocated)
		}
		if budget.left < 0 && testing.AllocsPerRun(10, func() { s.Check(data, budget) }) > 5 {
			t.Errorf("%s: an event costs something when the budget is spent", test.name)
		}
	}
}

func wideObject(members int) string {
	all := make([]string, members)
	for i := range all {
		all[i] = fmt.Sprintf(`"n%d":1`, i)
	}
	return "{" + strings.Join(all, ",") + "}"
}

// The largest batch of usual events is checked to the last, also when none of them fits.
func TestAUsualBatchIsCheckedWhole(t *testing.T) {
	s := loaded(t, "s.json", typical)
	for data, want := range map[string]int{
		`{"plan":"pro","email":"sam@example.com","seats":5,"company":{"name":"Acme","domain":"acme.example"},"tags":["a","b","c"]}`: 0,
		`{"plan":"gold","seats":0,"company":{"domain":"ACME"},"tags":["a","a",3],"extra":1}`:                                        8,
	} {
		budget := NewBudget()
		for i := range 4_000 {
			if got := s.Check(json.RawMessage(data), budget); len(got) != want {
				t.Fatalf("%d: %v", i, got)
			}
		}
		t.Logf("%d of %d steps", maxRequest-budget.left, maxRequest)
		if budget.left < maxRequest/3 {
			t.Errorf("only %d steps are left", budget.left)
		}
	}
}

// The budget is one for all schemas, and nothing of it is left to the next request.
func TestABudgetIsForARequest(t *testing.T) {
	first, second := loaded(t, "s.json", threeForms), loaded(t, "s.json", typical)
	budget := NewBudget()
	for range 150 {
		first.Check(listOfThousands, budget)
	}
	for _, s := range []*Schema{first, second} {
		got := lines(s.Check(json.RawMessage(`{}`), budget))
		if len(got) != 1 || got[0] != " could not be checked: the events of this request ask for too many comparisons" {
			t.Errorf("%q", got)
		}
	}
	if got := first.Check(json.RawMessage(`{}`), NewBudget()); got != nil {
		t.Errorf("another request: %v", got)
	}
}

// What is not shown is not put into sentences: a hundred times the faults are only counted.
func TestOnlyWhatIsShownIsSaid(t *testing.T) {
	s := loaded(t, "s.json", threeForms)
	steps := func(items int) int {
		c := <-s.idle
		defer func() { s.idle <- c }()
		value := map[string]any{"items": slices.Repeat([]any{map[string]any{}}, items)}
		var invalid *jsonschema.ValidationError
		if _, err := c.check(value, maxSteps); !errors.As(err, &invalid) {
			t.Fatal(err)
		}
		r := &reader{keywords: s.keywords, value: value}
		got := r.violations(invalid)
		if more := fmt.Sprintf("and %d more places do not fit", items-MaxViolations+1); len(got) != MaxViolations || got[MaxViolations-1].Message != more {
			t.Errorf("%d: %v", len(got), got)
		}
		return r.steps
	}
	few, many := steps(30), steps(3_000)
	if many-few > 3_000 {
		t.Errorf("%d steps for 30 faults, %d for 3,000", few, many)
	}
}

// The library's panic is the fault of one event, and takes no checker away: as many as there are would otherwise end all
// checks for good.
func TestAPanicIsOneViolation(t *testing.T) {
	s := loaded(t, "s.json", `{"type":"object"}`)
	c := <-s.idle
	sound := c.schema.Extensions
	c.schema.Extensions = map[string]jsonschema.ExtSchema{"broken": broken{}}
	s.idle <- c
	for range 3 * runtime.GOMAXPROCS(0) {
		got := lines(s.Check(json.RawMessage(`{}`), NewBudget()))
		if len(got) != 1 || got[0] != " could not be checked: the check failed: no such luck" {
			t.Fatalf("%q", got)
		}
	}
	c.schema.Extensions = sound
	if got := s.Check(json.RawMessage(`{}`), NewBudget()); got != nil {
		t.Errorf("after it, %v", got)
	}
}

type broken struct{}

func (broken) Validate(jsonschema.ValidationContext, any) error { panic("no such luck") }
