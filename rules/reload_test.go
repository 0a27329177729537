package rules

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"switchyard/adapters/spec"
	"switchyard/engine"
)

// edited are some rule files that are changed at random.
type edited struct {
	grammar
	t     testing.TB
	files []editedFile
	made  int
}

type editedFile struct {
	path  string
	rules []string // YAML
	// before is what stands above the rules: all places move with it.
	before string
}

func newEdited(t testing.TB, g grammar, files int) *edited {
	s := &edited{grammar: g, t: t}
	dir := t.TempDir()
	for i := range files {
		s.files = append(s.files, editedFile{path: filepath.Join(dir, fmt.Sprint("f", i, ".yaml"))})
		for range 6 {
			s.edit(i, 0)
		}
		s.write(i)
	}
	return s
}

func (s *edited) newKey() string {
	s.made++
	return fmt.Sprint("k", s.made)
}

// edit changes a file in one of six ways.
func (s *edited) edit(i, way int) {
	f := &s.files[i]
	some := s.IntN(len(f.rules) + 1)
	there := some < len(f.rules)
	switch {
	case way == 0:
		f.rules = slices.Insert(f.rules, some, s.rule(s.newKey()))
	case way == 1 && there:
		f.rules[some] = s.rule(s.newKey())
	case way == 2 && there && len(f.rules) > 1:
		f.rules = slices.Delete(f.rules, some, some+1)
	case way == 3 && there:
		f.rules[some] = toggled(f.rules[some])
	case way == 4:
		f.before += s.of("\n", "# é\n")
	case way == 5 && there: // the key stays
		key, _, _ := strings.Cut(strings.TrimPrefix(f.rules[some], "  - {key: "), ",")
		f.rules[some] = s.rule(key)
	}
}

func toggled(rule string) string {
	if on := strings.Replace(rule, "enabled: false, ", "", 1); on != rule {
		return on
	}
	return strings.Replace(rule, "match: ", "enabled: false, match: ", 1)
}

func (s *edited) write(i int) {
	source := s.files[i].before + "rules:\n" + strings.Join(s.files[i].rules, "")
	if err := os.WriteFile(s.files[i].path, []byte(source), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// change edits some files.
func (s *edited) change() {
	for range 1 + s.IntN(3) {
		i := s.IntN(len(s.files))
		s.edit(i, s.IntN(6))
		s.write(i)
	}
	if s.oneIn(4) {
		s.Shuffle(len(s.files), func(i, j int) { s.files[i], s.files[j] = s.files[j], s.files[i] })
	}
}

func (s *edited) paths() (paths []string) {
	for _, f := range s.files {
		paths = append(paths, f.path)
	}
	return paths
}

// compileBoth makes the sets of two environments, of which one lacks the first file.
func compileBoth(c *Compiler, paths []string) (map[string]*Set, error) {
	sets := map[string]*Set{}
	for environment, paths := range map[string][]string{"e": paths, "f": paths[1:]} {
		files, err := c.Load(paths)
		if err != nil {
			return nil, err
		}
		if sets[environment], err = c.Compile(environment, files); err != nil {
			return nil, err
		}
	}
	c.Settle()
	return sets, nil
}

// checkReloads holds that a chain of compilers decides as one that knows nothing before does.
func checkReloads(t testing.TB, seed uint64, steps int) {
	t.Helper()
	s := newEdited(t, newGrammar(seed, 11), 4)
	compiler := NewCompiler()
	for step := range steps {
		if step > 0 {
			s.change()
		}
		if step == steps/2 { // so many paths of rules that are gone that the next one begins again
			for i := range 20_000 {
				compiler.book.path(12, fmt.Sprint("gone", i))
			}
		}
		if s.oneIn(4) {
			s.spoil(compiler)
		}
		compiler = compiler.Next()
		got, err := compileBoth(compiler, s.paths())
		want, wantErr := compileBoth(NewCompiler(), s.paths())
		if err != nil || wantErr != nil {
			t.Fatalf("seed %d, step %d: %v, %v", seed, step, err, wantErr)
		}
		for range 3 {
			for _, event := range s.events(t) {
				for environment := range want {
					event.Environment = environment
					g, w := got[environment].Decide(event), want[environment].Decide(event)
					if looped, _ := loopOf(t, got[environment]).decide(event); !reflect.DeepEqual(g, w) || !reflect.DeepEqual(g, looped) {
						t.Fatalf("seed %d, step %d: %s\nthe loop\n%s\nevent %s", seed, step, difference(got[environment], g, w), difference(got[environment], g, looped), shownEvent(event))
					}
				}
			}
		}
	}
}

// spoil has the next compiler read a file that is wrong, and then has the one after it, which takes the place of that.
func (s *edited) spoil(compiler *Compiler) {
	last := s.files[len(s.files)-1]
	defer s.write(len(s.files) - 1)
	wrong := "  - {key: wrong, match: data.x in 5, actions: [{identify: {user_id: user_id}}]}\n"
	source := "rules:\n" + strings.Join(last.rules, "") + wrong
	if err := os.WriteFile(last.path, []byte(source), 0o600); err != nil {
		s.t.Fatal(err)
	}
	next := compiler.Next()
	for range 2 {
		files, err := next.Load(s.paths())
		if err != nil {
			s.t.Fatal(err)
		}
		if _, err := next.Compile("e", files); err == nil {
			s.t.Fatal("a rule that is wrong compiles the second time")
		}
		next.Settle()
		next = next.Next()
	}
}

func TestReloadsDecideAlike(t *testing.T) {
	for seed := range uint64(max(1, 2/slower)) {
		checkReloads(t, seed, 8)
	}
}

// Events are decided while rules are loaded: each by all rules of one version.
func TestDecidingWhileReloading(t *testing.T) {
	const versions, deciders = 6, 8
	s := newEdited(t, newGrammar(5, 12), 3)
	var events []*engine.Event
	for range 5 {
		events = append(events, s.events(t)...)
	}
	for _, event := range events {
		event.Environment = "e"
	}
	book := new(Book)
	compiler := NewCompiler()
	var allowed [][]*engine.Decision // by versions and events
	var sets []map[string]*Set
	for range versions {
		compiler = compiler.Next()
		made, err := compileBoth(compiler, s.paths())
		if err != nil {
			t.Fatal(err)
		}
		fresh, err := compileBoth(NewCompiler(), s.paths())
		if err != nil {
			t.Fatal(err)
		}
		decisions := make([]*engine.Decision, len(events))
		for i, event := range events {
			decisions[i], _ = loopOf(t, fresh["e"]).decide(event)
		}
		sets, allowed = append(sets, made), append(allowed, decisions)
		s.change()
	}
	book.Swap(sets[0])
	var done atomic.Bool
	var running sync.WaitGroup
	for n := range deciders {
		running.Go(func() {
			for i := n; !done.Load(); i++ {
				event, got := i%len(events), book.Decide(events[i%len(events)])
				if !slices.ContainsFunc(allowed, func(version []*engine.Decision) bool { return reflect.DeepEqual(version[event], got) }) {
					t.Errorf("decided as no version does: %+v\nevent %s", got, shownEvent(events[event]))
					return
				}
			}
		})
	}
	for end, n := time.Now().Add(300*time.Millisecond), 1; time.Now().Before(end); n++ {
		compiler = compiler.Next()
		if _, err := compileBoth(compiler, s.paths()); err != nil { // shares its paths with the sets that decide
			t.Error(err)
		}
		s.change()
		book.Swap(sets[n%versions])
	}
	done.Store(true)
	running.Wait()
}

// What is decided of an event must stand when the bytes that the event was read from are used for the next.
func TestDecisionsKeepNothingLent(t *testing.T) {
	set := compileText(t, `
rules:
  - key: a
    match: data.a + 5 == "" || data.a in name
    actions: [{identify: {user_id: user_id}}]
  - key: b
    transform: {everything: '[name, message_id, data, {"n": name}]'}
    actions:
      - identify: {user_id: anonymous_id, traits: '{"all": everything, "type": type}'}
      - trigger: {workflow: w, recipients: '[user_id, {"id": group_id}]', actor: data.a, data: traits, tenant: name, cancellation_key: name}
`)
	message := []byte(`{"type":"track","event":"some name","userId":"ann","anonymousId":"anonymous","messageId":7,"groupId":"gg","properties":{"a":"bb"},"traits":{"c":["dd"]}}`)
	decide := func(buffer []byte) *engine.Decision {
		var event engine.Event
		if err := spec.DecodeOne(buffer, eqOptions, &event); err != nil {
			t.Fatal(err)
		}
		return set.Decide(&event)
	}
	want, buffer := decide(message), slices.Clone(message)
	got := decide(buffer)
	for i := range buffer {
		buffer[i] = '#'
	}
	if !reflect.DeepEqual(got, want) || len(got.Actions) != 2 || len(got.Errors) != 1 {
		t.Errorf("%+v\nwant %+v", got, want)
	}
}
