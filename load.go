package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"

	"switchyard/adapters"
	"switchyard/adapters/schema"
	"switchyard/engine"
	"switchyard/engine/redislog"
	"switchyard/httpapi"
	"switchyard/rules"
	"switchyard/rules/document"
)

// plan is a configuration with everything fallible done: parsed, checked, compiled. Making one touches nothing live.
type plan struct {
	config       *config
	compiler     *rules.Compiler
	environments []*plannedEnvironment
	sets         map[string]*rules.Set
	// written are the rule files of each environment, with their tests.
	written map[string][]*rules.File
	// shapes are what the schemas of each environment say of its events; warnings are what is odd by that.
	shapes   map[string]rules.Shapes
	warnings document.Problems
	// files are what it was made of, to be watched: the configuration and the rule files.
	files []string
	// patterns are the rule patterns as absolute paths; a new file that fits one is a change too.
	patterns []string
	// made is the fingerprint of the files when they were read.
	made string
}

type plannedEnvironment struct {
	key         string
	partitions  int
	options     redislog.EnvOptions
	destination destinationConfig
	policy      engine.Policy
	connections []*plannedConnection
}

type plannedConnection struct {
	engine.Connection
	writeKeys []string
	settings  adapters.Settings
	receiver  *adapters.Receiver
}

// loader gathers problems, so that a person sees all of them at once.
type loader struct {
	plan     *plan
	dir      string
	schemas  map[string]*schema.Schema  // by their paths; nil for one that is wrong
	objects  map[string][]engine.Object // what rows the rules of each environment use
	problems document.Problems
}

// loadPlan reads and compiles a configuration file and its rules. The error is document.Problems when the files are
// wrong.
func loadPlan(file string, lookup document.Lookup) (*plan, error) {
	return reloadPlan(file, lookup, rules.NewCompiler())
}

// reloadPlan is loadPlan with a compiler that may know some of the rules.
func reloadPlan(file string, lookup document.Lookup, compiler *rules.Compiler) (*plan, error) {
	defer sparing()()
	source, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("the configuration can not be read: %w", err)
	}
	doc, err := document.Parse(file, source)
	if err != nil {
		return nil, err
	}
	cfg := &config{}
	if err := doc.Decode(cfg, lookup); err != nil {
		return nil, err
	}
	cfg.withDefaults()
	l := &loader{dir: filepath.Dir(file), schemas: map[string]*schema.Schema{}, objects: map[string][]engine.Object{}, plan: &plan{config: cfg, compiler: compiler, sets: map[string]*rules.Set{}, written: map[string][]*rules.File{}, shapes: map[string]rules.Shapes{}, files: []string{file}}}
	l.listeners()
	l.sources()
	l.environments()
	compiler.Settle()
	l.plan.made = l.plan.fingerprint()
	return l.plan, l.problems.Err()
}

func (l *loader) wrong(at document.Place, format string, values ...any) {
	l.problems = append(l.problems, at.Problem(format, values...))
}

func (l *loader) listeners() {
	c := l.plan.config
	for _, address := range []document.Text{c.Listen, c.AdminListen} {
		if _, _, err := net.SplitHostPort(address.Value); err != nil {
			l.wrong(address.Place(), "this is not an address such as 127.0.0.1:8080")
		}
	}
	if len(c.Admin.Tokens) == 0 && !onLoopback(c.AdminListen.Value) {
		l.wrong(c.AdminListen.Place(), "admin_listen is not on loopback, so admin.tokens is needed: without tokens everybody who can reach it could read every event")
	}
	if err := redislog.CheckURL(c.Redis.Value); err != nil {
		l.wrong(c.Redis.Place(), "%v", err)
	}
	if c.Ack.Value == ackReplicated && redislog.IsEmbedded(c.Redis.Value) {
		l.wrong(c.Ack.Place(), "ack: replicated needs a Redis with replicas; the embedded store has none: set redis, or leave ack at local")
	}
	r := c.Retention
	if r.Dedupe > r.Events {
		l.wrong(r.Place, "retention.dedupe (%s) is longer than retention.events (%s): a repeat is recognised by the event it repeats", r.Dedupe, r.Events)
	}
	if r.Events < time.Minute || r.Action < time.Minute || r.Dedupe < 0 {
		l.wrong(r.Place, "retention must be at least a minute")
	}
	if r.Size != 0 && r.Size < leastSize {
		l.wrong(r.Place, "retention.size must be at least 1MB: an empty log takes nearly as much")
	}
}

// leastSize is the least that the logs of an environment can be held to.
const leastSize = 1 << 20

// onLoopback reports whether an address can be reached from this machine only. A name is not looked up.
func onLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// A key is part of Redis keys, metric labels and paths.
var keyPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

func (l *loader) key(at document.Place, what, key string, taken map[string]bool) {
	switch {
	case !keyPattern.MatchString(key):
		l.wrong(at, "the key of %s must be 1 to 63 of a-z 0-9 _ - and begin with a letter or digit, not %q", what, key)
	case taken[key]:
		l.wrong(at, "there are two %ss with the key %q", strings.TrimPrefix(strings.TrimPrefix(what, "an "), "a "), key)
	}
	taken[key] = true
}

func (l *loader) sources() {
	taken := map[string]bool{}
	for _, source := range l.plan.config.Sources {
		l.key(source.Place, "a source", source.Key, taken)
		if _, known := adapters.Kinds[source.Kind.Value]; !known {
			l.wrong(source.Kind.Place(), "there is no source kind %q%s; there are %s", source.Kind.Value,
				nearest(source.Kind.Value, adapters.Names()), strings.Join(adapters.Names(), ", "))
		}
	}
}

func nearest(name string, known []string) string {
	if match, ok := document.Nearest(name, known); ok {
		return fmt.Sprintf(" (did you mean %q?)", match)
	}
	return ""
}

func (l *loader) environments() {
	taken, writeKeys := map[string]bool{}, map[string]bool{}
	for i := range l.plan.config.Environments {
		e := &l.plan.config.Environments[i]
		l.key(e.Place, "an environment", e.Key, taken)
		if e.Partitions < 1 || e.Partitions > 1024 {
			l.wrong(e.Place, "partitions must be 1 to 1024, not %d", e.Partitions)
		}
		retention := l.plan.config.Retention
		planned := &plannedEnvironment{
			key: e.Key, partitions: e.Partitions, destination: e.Destination, policy: l.policy(e.Destination),
			options: redislog.EnvOptions{Events: retention.Events, Actions: retention.Action, Dedupe: retention.Dedupe, Size: int64(retention.Size)},
		}
		l.rules(e) // before the connections, which tell vendors what rows the rules use
		for _, source := range sortedKeys(e.Connections) {
			if connection := l.connection(e, source, writeKeys); connection != nil {
				planned.connections = append(planned.connections, connection)
			}
		}
		l.types(planned, sortedKeys(e.Connections))
		l.plan.environments = append(l.plan.environments, planned)
	}
}

// path is a file as the configuration names it, relative to its own folder.
func (l *loader) path(file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(l.dir, file)
}

func (l *loader) rules(e *environmentConfig) {
	var paths []string
	for _, pattern := range e.Rules {
		absolute := l.path(pattern.Value)
		l.plan.patterns = append(l.plan.patterns, absolute)
		found, err := filepath.Glob(absolute)
		switch {
		case err != nil:
			l.wrong(pattern.Place(), "%q is not a file pattern: %v", pattern.Value, err)
		case len(found) == 0:
			l.wrong(pattern.Place(), "no file fits %q (looked in %s)", pattern.Value, l.dir)
		}
		sort.Strings(found)
		for _, path := range found {
			if !slices.Contains(paths, path) {
				paths = append(paths, path)
			}
		}
	}
	l.plan.files = append(l.plan.files, paths...)
	files, err := l.plan.compiler.Load(paths)
	if err == nil {
		l.plan.written[e.Key] = files
		l.plan.sets[e.Key], err = l.plan.compiler.Compile(e.Key, files)
	}
	l.add(err)
}

func (l *loader) add(err error) {
	problems, ok := err.(document.Problems)
	switch {
	case err == nil:
	case ok:
		l.problems = append(l.problems, problems...)
	default:
		l.problems = append(l.problems, document.Problem{Message: err.Error()})
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

// environment is one by its key; nil when it is not configured.
func (p *plan) environment(key string) *plannedEnvironment {
	for _, e := range p.environments {
		if e.key == key {
			return e
		}
	}
	return nil
}

// connection is that of a source in an environment; nil when there is none.
func (p *plan) connection(environment, source string) *plannedConnection {
	for _, e := range p.environments {
		for _, c := range e.connections {
			if e.key == environment && c.Source == source {
				return c
			}
		}
	}
	return nil
}

// identifies reports whether the identify switch of a connection is set.
func (p *plan) identifies(environment, source string) bool {
	connection := p.connection(environment, source)
	return connection != nil && connection.IdentifyUsers
}

// info is the plan as the management API shows it, without any secret.
func (p *plan) info() []httpapi.EnvironmentInfo {
	infos := make([]httpapi.EnvironmentInfo, len(p.environments))
	for i, environment := range p.environments {
		infos[i] = httpapi.EnvironmentInfo{
			Key: environment.key, Partitions: environment.partitions, Destination: string(environment.destination.Kind),
		}
		for _, c := range environment.connections {
			infos[i].Connections = append(infos[i].Connections, httpapi.ConnectionInfo{
				Source: c.Source, Name: c.Name, Kind: c.Kind, WriteKeys: masked(c.writeKeys),
				Verified: c.Verified, Scheme: c.settings.Verify.Scheme, IdentifyUsers: c.IdentifyUsers,
				Mapped: c.settings.Map != nil, Schemas: sortedKeys(c.settings.Schemas), OnInvalid: c.settings.OnInvalid,
				Rate: c.settings.Limits.Rate,
			})
		}
	}
	return infos
}

// masked keeps the last four characters of long write keys, so that people can tell two apart.
func masked(keys []string) []string {
	shown := make([]string, len(keys))
	for i, key := range keys {
		shown[i] = "…"
		if len(key) >= 12 {
			shown[i] += key[len(key)-4:]
		}
	}
	return shown
}

// door is the connection as senders meet it.
func (c *plannedConnection) door(log engine.Appender) *httpapi.Door {
	return &httpapi.Door{Connection: &c.Connection, Log: log, Receive: c.receiver.Receive, ReceiveCall: c.receiver.ReceiveCall}
}
