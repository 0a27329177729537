package rules

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"switchyard/engine"
)

// shelf is a store of quarantines that can be away.
type shelf struct {
	mu    sync.Mutex
	away  bool
	kept  map[string]map[string][]engine.Quarantine
	epoch int
	// changes and reads count what was changed, and how often all were read.
	changes int64
	calls   int
	reads   int
}

func (s *shelf) QuarantineChanges(context.Context, string) (changes engine.QuarantineChanges, err error) {
	unlock, err := s.locked()
	defer unlock()
	if s.changes > 0 {
		changes = engine.QuarantineChanges{Epoch: fmt.Sprint("e", s.epoch), Count: s.changes}
	}
	return changes, err
}

// lose empties it.
func (s *shelf) lose() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept, s.changes = nil, 0
	s.epoch++
}

func (s *shelf) locked() (unlock func(), err error) {
	s.mu.Lock()
	s.calls++
	if s.away {
		err = engine.ErrUnavailable
	}
	if s.kept == nil {
		s.kept = map[string]map[string][]engine.Quarantine{}
	}
	return s.mu.Unlock, err
}

func (s *shelf) Quarantine(_ context.Context, environment, rule string, q engine.Quarantine) error {
	unlock, err := s.locked()
	defer unlock()
	if err == nil && find(s.kept[environment][rule], q.Version) == nil {
		if s.kept[environment] == nil {
			s.kept[environment] = map[string][]engine.Quarantine{}
		}
		s.kept[environment][rule] = append(s.kept[environment][rule], q)
		s.changes++
	}
	return err
}

func (s *shelf) Quarantined(_ context.Context, environment string) (map[string][]engine.Quarantine, error) {
	unlock, err := s.locked()
	defer unlock()
	s.reads++
	all := map[string][]engine.Quarantine{}
	for rule, kept := range s.kept[environment] {
		all[rule] = kept
	}
	return all, err
}

func (s *shelf) Release(_ context.Context, environment, rule string) error {
	unlock, err := s.locked()
	defer unlock()
	if err == nil {
		delete(s.kept[environment], rule)
		s.changes++
	}
	return err
}

func (s *shelf) setAway(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

// process is one that shares a store with others.
type process struct {
	t     *testing.T
	book  Book
	guard *Guard
	log   bytes.Buffer
}

func newProcess(t *testing.T, store Quarantines, source string) *process {
	p := &process{t: t}
	p.guard = Guarded(&p.book, store, slog.New(slog.NewTextHandler(&p.log, nil)))
	p.load(source)
	return p
}

func (p *process) load(source string) {
	p.t.Helper()
	p.book.Swap(map[string]*Set{"production": compileText(p.t, source)})
	p.sync()
}

func (p *process) sync() { p.guard.Sync(context.Background()) }

// decide decides some events with a value of data.n.
func (p *process) decide(times int, n string) (last *engine.Decision) {
	for range times {
		last = p.book.Decide(&engine.Event{Environment: "production", Type: "track", UserID: "u", Data: json.RawMessage(`{"n":` + n + `}`)})
	}
	return last
}

func (p *process) info(key string) engine.RuleInfo {
	p.t.Helper()
	for _, info := range p.book.Rules("production") {
		if info.Key == key {
			return info
		}
	}
	p.t.Fatalf("no rule %s", key)
	return engine.RuleInfo{}
}

func (p *process) held(key string) bool { return p.info(key).Quarantined != nil }

const shaky = `
rules:
  - key: shaky
    match: data.n > 5 || any(1..data.n, any(1..data.n, false))
    actions: [{identify: {user_id: user_id}}]
  - key: steady
    match: type == "track"
    actions: [{identify: {user_id: user_id}}]
`

func TestTally(t *testing.T) {
	tally := tallied(0)
	for range 1000 {
		tally = tally.next(false, false)
	}
	if tally != 0 {
		t.Errorf("successes before any failure are tallied: %x", uint64(tally))
	}
	tests := []struct {
		name   string
		events int
		failed func(i int) bool
		over   func(i int) bool
		reason string
	}{
		{"all fail, too few to tell", 99, func(int) bool { return true }, nil, ""},
		{"all fail", 100, func(int) bool { return true }, nil, engine.QuarantineErrors},
		{"half fail", 10_000, func(i int) bool { return i%2 == 0 }, nil, ""},
		{"more than half fail", 300, func(i int) bool { return i%5 < 3 }, nil, engine.QuarantineErrors},
		{"good for long, then bad", 10_000, func(i int) bool { return i == 0 || i > 9_700 }, nil, engine.QuarantineErrors},
		{"over the budget four times", 100, nil, func(i int) bool { return i < 4 }, ""},
		{"over the budget five times", 100, nil, func(i int) bool { return i%20 == 0 }, engine.QuarantineBudget},
		{"over the budget now and then", 100_000, nil, func(i int) bool { return i%150 == 0 }, ""},
	}
	never := func(int) bool { return false }
	for _, test := range tests {
		tally, reason := tallied(0), ""
		for i := range test.events {
			failed, over := test.failed, test.over
			if failed == nil {
				failed = never
			}
			if over == nil {
				over = never
			}
			if tally = tally.next(failed(i), over(i)); reason == "" {
				reason = tally.reason()
			}
		}
		if reason != test.reason {
			t.Errorf("%s: %q", test.name, reason)
		}
	}
}

func TestQuarantineOfFailures(t *testing.T) {
	p := newProcess(t, &shelf{}, shaky)
	p.decide(99, `"text"`)
	if p.held("shaky") {
		t.Fatal("too early")
	}
	p.decide(1, `"text"`)
	q := p.info("shaky").Quarantined
	if q == nil || q.Reason != engine.QuarantineErrors || !strings.Contains(q.LastError, "r.yaml:4:19: a string and a number") || time.Since(q.At) > time.Minute {
		t.Fatalf("%+v", q)
	}
	errors := p.info("shaky").Stats.Errors
	decision := p.decide(50, "6")
	if len(decision.Rules) != 1 || decision.Rules[0] != "steady" || len(decision.Errors) != 1 || decision.Errors[0].Rule != "shaky" ||
		!strings.Contains(decision.Errors[0].Message, "quarantined since 20") || !strings.Contains(decision.Errors[0].Message, "switchyard release --server URL --env production shaky") {
		t.Errorf("%+v", decision)
	}
	if stats := p.info("shaky").Stats; stats.Errors != errors || stats.Evaluations != 100 || stats.Survivors != 150 || stats.Quarantines != 1 {
		t.Errorf("%+v", stats)
	}
	for _, said := range []string{"level=WARN", "rule=shaky", "switchyard release --server URL --env production shaky", "it failed on most events"} {
		if !strings.Contains(p.log.String(), said) {
			t.Errorf("the log does not say %q: %s", said, p.log.String())
		}
	}
	info, err := p.guard.Release(context.Background(), "production", "shaky")
	if err != nil || info.Key != "shaky" || info.Quarantined != nil {
		t.Fatalf("%+v %v", info, err)
	}
	if decision := p.decide(1, "6"); len(decision.Rules) != 2 || len(decision.Errors) != 0 {
		t.Errorf("after the release: %+v", decision)
	}
	if p.decide(99, `"text"`); p.held("shaky") {
		t.Error("what was before the release counts")
	}
}

// A preview decides as the book does, says who is in quarantine, and is not counted.
func TestPreviewOfAQuarantine(t *testing.T) {
	p := newProcess(t, &shelf{}, shaky)
	p.decide(100, `"text"`)
	before := p.info("shaky").Stats
	preview, event := p.book.Preview("production"), &engine.Event{Environment: "production", Type: "track", UserID: "u", Data: json.RawMessage(`{"n":6}`)}
	if decision := preview.Decide(event); len(decision.Rules) != 1 || len(decision.Errors) != 1 || !strings.Contains(decision.Errors[0].Message, "the rule is quarantined since") {
		t.Errorf("%+v", decision)
	}
	report := preview.Explain(event, 10)
	if report.Matched != 1 || report.Failed != 1 || report.Rules[0].Quarantined != nil {
		t.Errorf("%+v", report)
	}
	one := report.Rules[1]
	if one.Key != "shaky" || one.Fate != Failed || one.Quarantined == nil || one.Quarantined.Reason != engine.QuarantineErrors ||
		!strings.Contains(one.Error, "bring it back with") || one.Clauses[0].Verdict != True || one.Actions != nil {
		t.Errorf("%+v", one)
	}
	if after := p.info("shaky").Stats; after != before {
		t.Errorf("%+v, before %+v", after, before)
	}
	if p.book.Preview("nowhere") != nil {
		t.Error("there are rules nowhere")
	}
}

func TestQuarantineOfOverruns(t *testing.T) {
	p := newProcess(t, &shelf{}, strings.ReplaceAll(shaky, "data.n > 5 ||", "data.n < 1000 ||"))
	p.decide(4, "2000")
	p.decide(50, "3")
	if p.held("shaky") {
		t.Fatal("too early")
	}
	p.decide(1, "2000")
	if q := p.info("shaky").Quarantined; q == nil || q.Reason != engine.QuarantineBudget || !strings.Contains(q.LastError, "too many steps") {
		t.Fatalf("%+v", q)
	}
	// A condition that is false hides the error of another, not what it costs.
	p = newProcess(t, &shelf{}, strings.ReplaceAll(shaky, "data.n > 5 || any", "data.n != 0 && any(1..2000, any(1..2000, false)) && data.n + 0 < 0 && any"))
	p.decide(5, "2000")
	if !p.held("shaky") {
		t.Errorf("%+v", p.info("shaky"))
	}
}

// Who sends large events makes a rule go over its budget on them, and on no others.
func TestLargeEventsQuarantineNothing(t *testing.T) {
	p := newProcess(t, &shelf{}, "rules: [{key: shaky, match: 'any(data.list, any(data.list, # == -1))', actions: [{identify: {user_id: user_id}}]}]")
	large := &engine.Event{Environment: "production", Type: "track", UserID: "u", Data: json.RawMessage(`{"list":[` + strings.Repeat("7,", largeEvent/2) + `7]}`)}
	for range 300 {
		if decision := p.book.Decide(large); decision == nil || len(decision.Errors) != 1 {
			t.Fatalf("%+v", decision)
		}
	}
	if p.held("shaky") {
		t.Fatal("large events count")
	}
	small := *large
	small.Data = json.RawMessage(`{"list":[` + strings.Repeat("7,", 2000) + `7]}`)
	for range maxOverruns {
		p.book.Decide(&small)
	}
	if !p.held("shaky") {
		t.Error("small events do not count")
	}
}

func TestQuarantineEndsWithANewVersion(t *testing.T) {
	store := &shelf{}
	p := newProcess(t, store, shaky)
	before := p.info("shaky").Version
	p.decide(100, `"text"`)
	p.sync()
	p.load(shaky + "# only a comment\n")
	if !p.held("shaky") || p.info("shaky").Version != before {
		t.Error("a reload of the same rule released it")
	}
	changed := strings.Replace(shaky, "data.n > 5", "data.n > 6", 1)
	p.load(changed)
	if p.held("shaky") || p.info("shaky").Version == before || len(before) != 12 {
		t.Error("a new version is quarantined")
	}
	p.load(shaky)
	if !p.held("shaky") {
		t.Error("the text that was quarantined is back, and is not")
	}
}

func TestQuarantineIsShared(t *testing.T) {
	store := &shelf{}
	one, two := newProcess(t, store, shaky), newProcess(t, store, shaky)
	one.decide(100, `"text"`)
	two.sync()
	if two.held("shaky") {
		t.Fatal("before it was told")
	}
	one.sync()
	two.sync()
	if !two.held("shaky") || !strings.Contains(two.log.String(), "another process") {
		t.Fatalf("the other process does not know: %s", &two.log)
	}
	if later := newProcess(t, store, shaky); !later.held("shaky") {
		t.Error("a restart released it")
	}
	late := newProcess(t, &shelf{}, shaky)
	late.guard.store = store
	if _, err := late.guard.Release(context.Background(), "production", "shaky"); err != nil {
		t.Errorf("a process that has not looked yet: %v", err)
	}
	one.sync()
	two.sync()
	one.decide(100, `"text"`)
	one.sync()
	two.sync()
	newer := newProcess(t, store, strings.Replace(shaky, "data.n > 5", "data.n > 6", 1))
	if newer.held("shaky") {
		t.Error("another version is quarantined")
	}
	if _, err := two.guard.Release(context.Background(), "production", "shaky"); err != nil {
		t.Fatal(err)
	}
	one.sync()
	newer.sync()
	if one.held("shaky") || two.held("shaky") || newer.held("shaky") {
		t.Error("the release is not known everywhere")
	}
	for rule, want := range map[string]error{"shaky": engine.ErrNotQuarantined, "none": engine.ErrNotFound} {
		if _, err := two.guard.Release(context.Background(), "production", rule); !errors.Is(err, want) {
			t.Errorf("%s: %v", rule, err)
		}
	}
}

func TestQuarantineWithoutTheStore(t *testing.T) {
	store := &shelf{}
	one, two := newProcess(t, store, shaky), newProcess(t, store, shaky)
	store.setAway(true)
	one.decide(100, `"text"`)
	for range 3 {
		one.sync()
	}
	if !one.held("shaky") || strings.Count(one.log.String(), "can not be shared") != 1 {
		t.Errorf("%s", &one.log)
	}
	if _, err := one.guard.Release(context.Background(), "production", "shaky"); !errors.Is(err, engine.ErrUnavailable) || !one.held("shaky") {
		t.Errorf("released though nobody else can know: %v", err)
	}
	store.setAway(false)
	one.sync()
	two.sync()
	if !one.held("shaky") || !two.held("shaky") || !strings.Contains(one.log.String(), "shared again") {
		t.Errorf("%s", &one.log)
	}
}

// Many decide while rules trip, are released and reloaded.
func TestQuarantineConcurrently(t *testing.T) {
	p := newProcess(t, &shelf{}, shaky)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() { p.decide(400, `"text"`) })
	}
	group.Go(func() {
		for i := range 50 {
			p.sync()
			_, _ = p.guard.Release(context.Background(), "production", "shaky")
			p.book.Swap(map[string]*Set{"production": compileText(t, shaky+fmt.Sprintf("# %d\n", i))})
			p.book.Rules("production")
		}
	})
	group.Wait()
	p.decide(200, `"text"`)
	if !p.held("shaky") {
		t.Error("not quarantined in the end")
	}
}

// Hundreds of rules that go wrong at once flood neither the log nor the event log.
func TestManyQuarantinesAtOnce(t *testing.T) {
	var source strings.Builder
	source.WriteString("rules:\n")
	const rules = 300
	for i := range rules {
		fmt.Fprintf(&source, "  - {key: r%d, match: data.n - %d > 1, actions: [{trigger: {workflow: w, recipients: user_id}}]}\n", i, i)
	}
	store := &shelf{}
	p, other := newProcess(t, store, source.String()), newProcess(t, store, source.String())
	for _, decision := range []*engine.Decision{p.decide(1, `"text"`), p.decide(fewestJudged, `"text"`)} {
		last := decision.Errors[len(decision.Errors)-1]
		if len(decision.Errors) != mostErrors+1 || last.Message != "200 more rules failed, or are quarantined" || decision.Errors[mostErrors-1].Message == "" {
			t.Errorf("%d errors, the last: %+v", len(decision.Errors), last)
		}
	}
	p.sync()
	other.sync()
	for name, log := range map[string]string{"the process that saw it": p.log.String(), "the other": other.log.String()} {
		if lines := strings.Count(log, "\n"); lines != mostLines+1 || !strings.Contains(log, "rules=280") {
			t.Errorf("%s logs %d lines:\n%s", name, lines, log)
		}
	}
	if !other.held("r0") || !other.held("r299") {
		t.Error("the other process does not hold them")
	}
}

// Rules that go through long lists must stop taking more time; those that do little go on, and none is blamed.
func TestAllRulesTogetherAreBounded(t *testing.T) {
	var source strings.Builder
	source.WriteString("rules:\n")
	for i := range 300 {
		fmt.Fprintf(&source, "  - {key: greedy-%d, match: 'any(data.list, # == -%d)', actions: [{identify: {user_id: user_id}}]}\n", i, i)
	}
	source.WriteString("  - {key: generous, match: type == \"track\", actions: [{trigger: {workflow: all, recipients: user_id, data: data}}]}\n" +
		"  - {key: plain, match: type == \"track\", transform: {loud: upper(user_id)}, actions: [{identify: {user_id: loud, traits: 'pick(data, \"plan\")'}}]}\n")
	p := newProcess(t, &shelf{}, source.String())
	event := &engine.Event{Environment: "production", Type: "track", UserID: "u", Data: json.RawMessage(`{"plan":"pro","list":[` + strings.Repeat("7,", 7000) + `7]}`)}
	for range 2 * maxOverruns {
		decision := p.book.Decide(event)
		if len(decision.Actions) != 1 || decision.Actions[0].Rule != "plain" || decision.Actions[0].Identify.UserID != "U" {
			t.Fatalf("%+v", decision.Actions)
		}
		if first := decision.Errors[0]; first.Rule == "greedy-0" || !strings.Contains(first.Message, "beside what the rules before it have taken") {
			t.Fatalf("%+v", first)
		}
	}
	if p.info("greedy-0").Stats.Errors != 0 || p.info("greedy-299").Stats.Errors == 0 || p.info("generous").Stats.Errors == 0 {
		t.Errorf("%+v %+v", p.info("greedy-0"), p.info("generous"))
	}
	for _, key := range []string{"greedy-0", "greedy-299", "generous", "plain"} {
		if p.held(key) {
			t.Errorf("%s is quarantined for what others take", key)
		}
	}
}

var greedy = strings.Replace(shaky, "data.n > 5 || ", "", 1)

func TestQuarantinesAreReadWhenTheyHaveChanged(t *testing.T) {
	store := &shelf{}
	one, other := newProcess(t, store, greedy), newProcess(t, store, greedy)
	one.decide(maxOverruns, "2000")
	for range 3 {
		one.sync()
		other.sync()
	}
	if !one.held("shaky") || !other.held("shaky") {
		t.Fatal("it is not shared")
	}
	reads := store.reads
	for range 10 {
		one.sync()
		other.sync()
	}
	if store.reads != reads {
		t.Errorf("read %d times though nothing has changed", store.reads-reads)
	}
	other.load(greedy) // as a reload does: what it says of the new rules must be looked at
	if !other.held("shaky") || store.reads != reads+1 {
		t.Errorf("after a reload: held %v, %d reads", other.held("shaky"), store.reads-reads)
	}
}

func TestAStoreThatLostQuarantinesIsToldAgain(t *testing.T) {
	store := &shelf{}
	one, other := newProcess(t, store, greedy), newProcess(t, store, greedy)
	one.decide(maxOverruns, "2000")
	one.sync()
	other.sync()
	store.lose()
	for range 2 {
		one.sync()
		other.sync()
	}
	if !one.held("shaky") || !other.held("shaky") || len(store.kept["production"]["shaky"]) != 1 {
		t.Fatalf("held %v and %v, kept %v", one.held("shaky"), other.held("shaky"), store.kept)
	}
	if third := newProcess(t, store, greedy); !third.held("shaky") {
		t.Error("a new process does not know")
	}
	if _, err := other.guard.Release(t.Context(), "production", "shaky"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		one.sync()
		other.sync()
	}
	if one.held("shaky") || other.held("shaky") || len(store.kept["production"]) != 0 {
		t.Errorf("after the release: held %v and %v, kept %v", one.held("shaky"), other.held("shaky"), store.kept)
	}
}
