package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"
)

// The vendors' own SDKs against a server: what they send must arrive, and what they are answered must please them.

// sdkFolder holds a script for each SDK of Node, the calls to make, and the exact versions.
const sdkFolder = "testdata/sdk"

// sdk is a client that people point at a server.
type sdk struct {
	name string
	// kind is of the source that it sends to.
	kind string
	key  string
	// run makes the calls and fails the test unless the SDK reports every one as a success.
	run func(t *testing.T, url, key string, calls []call)
	// library is what it calls itself in the context.
	library string
	// lacks are the types of call that it does not have.
	lacks []string
	// retries is false for one that gives up at the first failure.
	retries bool
	// inventsAnonymousID and remembers tell what it puts into calls that did not say so: a new anonymous id, or the ids
	// of earlier calls.
	inventsAnonymousID, remembers bool
	// ownTime is for one that takes no time from the caller.
	ownTime bool
	// adds are the members that it puts into the data of a page.
	adds []string
	// wholeIntegers is for one that can send those above 2^53.
	wholeIntegers bool
}

var sdks = []sdk{
	{name: "@segment/analytics-node", kind: "segment", key: "sdk-key", run: inNode("segment.cjs"),
		library: "@segment/analytics-node", retries: true},
	{name: "analytics-node", kind: "segment", key: "sdk-key", run: inNode("segment-classic.cjs"),
		library: "analytics-node", retries: true},
	{name: "@rudderstack/rudder-sdk-node", kind: "rudderstack", key: "sdk-key", run: inNode("rudderstack.cjs"),
		library: "analytics-node", retries: true},
	{name: "@jitsu/js", kind: "jitsu", key: "sdk:key", run: inNode("jitsu.cjs"),
		library: "@jitsu/js", lacks: []string{"screen", "alias"}, remembers: true, ownTime: true, adds: []string{"name", "path"}},
	{name: "@jitsu/js s2s", kind: "jitsu", key: "sdk:key", run: inNode("jitsu.cjs", "s2s"),
		library: "@jitsu/js", lacks: []string{"screen", "alias"}, remembers: true, ownTime: true, adds: []string{"name", "path"}},
	{name: "segmentio analytics-go", kind: "segment", key: "sdk-key", run: segmentGo,
		library: "analytics-go", retries: true, wholeIntegers: true},
	{name: "rudderlabs analytics-go", kind: "rudderstack", key: "sdk-key", run: rudderstackGo,
		library: "analytics-go", retries: true, wholeIntegers: true, inventsAnonymousID: true},
}

// call is one call of an SDK, as testdata/sdk/calls.json has it.
type call struct {
	Type        string         `json:"type"`
	Event       string         `json:"event,omitempty"`
	Name        string         `json:"name,omitempty"`
	UserID      string         `json:"userId,omitempty"`
	AnonymousID string         `json:"anonymousId,omitempty"`
	GroupID     string         `json:"groupId,omitempty"`
	PreviousID  string         `json:"previousId,omitempty"`
	Timestamp   time.Time      `json:"timestamp,omitzero"`
	Properties  map[string]any `json:"properties,omitempty"`
	Traits      map[string]any `json:"traits,omitempty"`
	Context     map[string]any `json:"context,omitempty"`
}

// calls are those that an SDK has, in order.
func (s sdk) calls(t *testing.T) []call {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(sdkFolder, "calls.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []call
	decode(t, text, &all)
	all = slices.DeleteFunc(all, func(c call) bool { return slices.Contains(s.lacks, c.Type) })
	if s.wholeIntegers {
		for _, c := range all {
			if c.Type == "identify" {
				c.Traits["logins"] = json.Number("9223372036854775807")
			}
		}
	}
	return all
}

// decode keeps the digits of numbers.
func decode(t *testing.T, text []byte, into any) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		t.Fatalf("%v in %.300s", err, text)
	}
}

// serve starts a server whose one rule answers every event, and shows what a rule sees of its context and traits.
func (s sdk) serve(t *testing.T) *instance {
	t.Helper()
	return start(t, "embedded", map[string]string{
		"switchyard.yaml": fmt.Sprintf(`
sources: [{key: app, kind: %s}]
environments:
  - key: test
    partitions: 4
    connections: {app: {write_keys: ["%s"]}}
    rules: [rules.yaml]
`, s.kind, s.key),
		"rules.yaml": `
rules:
  - key: seen
    match: 'true'
    actions: [{trigger: {workflow: seen, recipients: '{"id": "watcher"}', data: '{"context": context, "traits": traits}'}}]
`})
}

func TestSDKs(t *testing.T) {
	for _, s := range sdks {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			i, calls := s.serve(t), s.calls(t)
			s.run(t, i.ingest, s.key, calls)
			events, duplicates := i.arrived(len(calls))
			if duplicates != 0 {
				t.Errorf("%d events came twice, though nothing failed", duplicates)
			}
			s.compare(t, events, calls)
		})
	}
}

// arrival is an event as the management API shows it, with the payload of its action.
type arrival struct {
	ID           string
	Type, Name   string
	UserID       string `json:"user_id"`
	AnonymousID  string `json:"anonymous_id"`
	GroupID      string `json:"group_id"`
	PreviousID   string `json:"previous_id"`
	MessageID    string `json:"message_id"`
	Outcome      string
	Verification string
	Timestamp    time.Time
	ReceivedAt   time.Time `json:"received_at"`
	Notes        []string
	Data, Event  map[string]any
	Actions      []struct {
		Status  string
		Payload struct {
			Data struct{ Context, Traits map[string]any }
		}
	}
}

// arrived waits until so many events are decided and done, and returns them, oldest first, and how many others are
// repeats of them.
func (i *instance) arrived(want int) (events []arrival, duplicates int) {
	i.t.Helper()
	eventually(i.t, fmt.Sprintf("%d events are decided and done", want), func() bool {
		events, duplicates = nil, 0
		var page listOf[arrival]
		i.get(testEnvironment+"/events?limit=500", &page)
		slices.Reverse(page.Items)
		for _, item := range page.Items {
			switch item.Outcome {
			case "pending":
				return false
			case "duplicate":
				duplicates++
				continue
			}
			var full arrival
			decode(i.t, []byte(i.do("GET", i.admin+testEnvironment+"/events/"+item.ID, "").Body), &full)
			if len(full.Actions) != 1 || full.Actions[0].Status != "succeeded" {
				return false
			}
			events = append(events, full)
		}
		return len(events) >= want
	})
	return events, duplicates
}

// lane is whose sequence it belongs to; only within one is there an order to keep.
func (a arrival) lane() string { return firstOf(a.UserID, a.AnonymousID) }
func (c call) lane() string    { return firstOf(c.UserID, c.AnonymousID) }

func firstOf(values ...string) string {
	for _, value := range values {
		if value != "" {
			return value
		}
	}
	return ""
}

// compare wants exactly the calls, each person's in the order made.
func (s sdk) compare(t *testing.T, events []arrival, calls []call) {
	t.Helper()
	if len(events) != len(calls) {
		t.Errorf("%d calls became %d events", len(calls), len(events))
	}
	waiting, ids := map[string][]call{}, map[string]bool{}
	for _, c := range calls {
		waiting[c.lane()] = append(waiting[c.lane()], c)
	}
	for _, event := range events {
		if event.MessageID == "" || ids[event.MessageID] {
			t.Errorf("%s %q: the message id %q is missing or not new", event.Type, event.Name, event.MessageID)
		}
		ids[event.MessageID] = true
		next := waiting[event.lane()]
		if len(next) == 0 {
			t.Errorf("nobody called for %+v", event)
			continue
		}
		s.compareOne(t, event, next[0])
		waiting[event.lane()] = next[1:]
	}
	for _, lost := range waiting {
		for _, c := range lost {
			t.Errorf("lost: %s %s", c.Type, firstOf(c.Event, c.Name))
		}
	}
}

func (s sdk) compareOne(t *testing.T, event arrival, c call) {
	t.Helper()
	want := arrival{Type: c.Type, Name: firstOf(c.Event, c.Name, c.Type), UserID: c.UserID, AnonymousID: c.AnonymousID,
		GroupID: c.GroupID, PreviousID: c.PreviousID}
	if s.remembers {
		want.AnonymousID, want.GroupID = firstOf(want.AnonymousID, event.AnonymousID), firstOf(want.GroupID, event.GroupID)
	}
	if s.inventsAnonymousID && c.AnonymousID == "" && c.Type != "identify" && c.Type != "alias" {
		if event.AnonymousID == "" {
			t.Errorf("%s %q has no anonymous id", c.Type, want.Name)
		}
		want.AnonymousID = event.AnonymousID
	}
	got := arrival{Type: event.Type, Name: event.Name, UserID: event.UserID, AnonymousID: event.AnonymousID,
		GroupID: event.GroupID, PreviousID: event.PreviousID}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("called %+v\ngot %+v", want, got)
	}
	if event.Outcome != "matched" || event.Verification != "unverified" || len(event.Notes) > 0 || event.Event["messageId"] != event.MessageID {
		t.Errorf("%s %q: %+v", c.Type, c.Name, event)
	}
	s.compareContents(t, event, c)
	if at := event.Timestamp; !s.ownTime && !c.Timestamp.IsZero() && !at.Equal(c.Timestamp) {
		t.Errorf("%s %q is of %s, want %s", c.Type, want.Name, at, c.Timestamp)
	} else if (s.ownTime || c.Timestamp.IsZero()) && event.ReceivedAt.Sub(at).Abs() > time.Minute {
		t.Errorf("%s %q is of %s, received at %s", c.Type, want.Name, at, event.ReceivedAt)
	}
}

// compareContents compares the data wholly, the context and the traits by what the caller gave.
func (s sdk) compareContents(t *testing.T, event arrival, c call) {
	t.Helper()
	want := c.Properties
	if c.Type == "identify" || c.Type == "group" {
		want = c.Traits
	}
	if want == nil {
		want = map[string]any{}
	}
	for _, name := range s.adds {
		if _, called := want[name]; c.Type == "page" && !called {
			delete(event.Data, name)
		}
	}
	if !reflect.DeepEqual(event.Data, want) {
		t.Errorf("%s %q has the data\n%s\nwant\n%s", c.Type, event.Name, mustJSON(t, event.Data), mustJSON(t, want))
	}
	seen := event.Actions[0].Payload.Data
	library, _ := seen.Context["library"].(map[string]any)
	if library["name"] != s.library || library["version"] == nil {
		t.Errorf("%s %q is of the library %v, want %s", c.Type, event.Name, library, s.library)
	}
	for name, value := range c.Context {
		if !reflect.DeepEqual(seen.Context[name], value) {
			t.Errorf("%s %q: context.%s is %v, want %v", c.Type, event.Name, name, seen.Context[name], value)
		}
	}
	for name, value := range c.Traits {
		if !reflect.DeepEqual(seen.Traits[name], value) {
			t.Errorf("%s %q: traits.%s is %v, want %v", c.Type, event.Name, name, seen.Traits[name], value)
		}
	}
}

// inNode runs one of the scripts, which prints what its SDK reported.
func inNode(script string, args ...string) func(t *testing.T, url, key string, calls []call) {
	return func(t *testing.T, url, key string, calls []call) {
		t.Helper()
		modules := nodeModules(t)
		file := filepath.Join(t.TempDir(), "calls.json")
		if err := os.WriteFile(file, []byte(mustJSON(t, calls)), 0o600); err != nil {
			t.Fatal(err)
		}
		node := exec.CommandContext(t.Context(), "node", append([]string{filepath.Join(sdkFolder, script), url, key, file}, args...)...)
		node.Env = append(os.Environ(), "NODE_PATH="+modules)
		var stdout, stderr bytes.Buffer
		node.Stdout, node.Stderr = &stdout, &stderr
		err := node.Run()
		var report struct {
			Succeeded int
			Failures  []string
		}
		if failed := json.Unmarshal(stdout.Bytes(), &report); failed != nil || err != nil || report.Succeeded != len(calls) || len(report.Failures) > 0 {
			t.Fatalf("%s: %v, reported\n%s\n%s", script, err, &stdout, &stderr)
		}
	}
}

// nodeModules is the folder with the SDKs of Node, installed once for each state of the lock file.
func nodeModules(t *testing.T) string {
	t.Helper()
	modules, err := installNodeModules()
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip(err)
	}
	return modules
}

var installNodeModules = sync.OnceValues(func() (string, error) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", fmt.Errorf("the SDKs of Node can not be run: %w", err)
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil { // no home
		cache = os.TempDir()
	}
	files, hash := map[string][]byte{}, sha256.New()
	for _, name := range []string{"package.json", "package-lock.json"} {
		if files[name], err = os.ReadFile(filepath.Join(sdkFolder, name)); err != nil {
			return "", err
		}
		hash.Write(files[name])
	}
	folder := filepath.Join(cache, fmt.Sprintf("switchyard-sdk-%x", hash.Sum(nil)[:8]))
	if _, err := os.Stat(folder); err == nil {
		return filepath.Join(folder, "node_modules"), nil
	}
	// Installed beside it and renamed when whole: another run may be doing the same.
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	unfinished, err := os.MkdirTemp(cache, "switchyard-sdk-unfinished-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(unfinished)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(unfinished, name), text, 0o644); err != nil {
			return "", err
		}
	}
	install := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = unfinished
	if out, err := install.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	if err := os.Rename(unfinished, folder); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return filepath.Join(folder, "node_modules"), nil
})
