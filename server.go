package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"switchyard/adapters/spec"
	"switchyard/engine"
	"switchyard/engine/redislog"
	"switchyard/httpapi"
	"switchyard/rules"
)

// server is the running program: main introduces the rooms to each other here, and nowhere else.
type server struct {
	logger   *slog.Logger
	registry *prometheus.Registry
	metrics  *engine.Metrics

	log *redislog.Log
	// opened is log once it is there, for the admin listener, which is up before.
	opened atomic.Pointer[redislog.Log]
	book   *rules.Book
	guard  *rules.Guard
	doors  *httpapi.Doors
	// refusals outlive reloads.
	refusals *httpapi.Refusals
	engine   *engine.Engine
	plan     atomic.Pointer[plan]

	ingest, admin listening
	draining      atomic.Bool
	now           func() time.Time // of the ingest door; nil for the real one
}

// newServer opens the store and makes everything that does not depend on the plan. It waits for a Redis that is away,
// and says so, until ctx ends.
func newServer(ctx context.Context, p *plan, logger *slog.Logger) (*server, error) {
	s := &server{logger: logger, registry: prometheus.NewRegistry(), book: &rules.Book{}, doors: &httpapi.Doors{}, refusals: &httpapi.Refusals{}}
	s.metrics = engine.NewMetrics(s.registry)
	s.plan.Store(p)
	if err := s.listenAdmin(p); err != nil {
		return nil, err
	}
	var err error
	if s.log, err = s.openLog(ctx, p.config); err != nil {
		return nil, errors.Join(err, s.admin.stop(time.Second))
	}
	s.guard = rules.Guarded(s.book, s.log, logger)
	s.engine = engine.New(engine.Options{
		Consumer: consumerName(), Decider: s.decider(), Names: s.log, Trimmer: s.log, Ledger: s.log, Pauses: s.log, Metrics: s.metrics, Logger: logger,
		Now: s.log.Now, // which all processes share: what is due, and old enough to go, is so for each of them
	})
	s.opened.Store(s.log) // from here on the admin listener, which is up, may ask for the log and the engine
	s.collect()
	return s, nil
}

// consumerName tells this process from the others that share the log, and from its own earlier lives.
func consumerName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s-%d-%d", host, os.Getpid(), time.Now().UnixNano())
}

func (s *server) decider() engine.Decider {
	return engine.Pipeline(engine.IdentifySwitch(s.identifies), s.book)
}

func (s *server) identifies(environment, source string) bool {
	return s.plan.Load().identifies(environment, source)
}

// logOptions are how the store is opened; the build for the chaos test has shorter leases.
var logOptions = func(c *config) redislog.Options {
	return redislog.Options{URL: c.Redis.Value, Replicated: c.Ack.Value == ackReplicated}
}

func (s *server) openLog(ctx context.Context, c *config) (log *redislog.Log, err error) {
	options := logOptions(c)
	options.OnError = func(op string) { s.metrics.RedisErrors.WithLabelValues(op).Inc() }
	options.OnRewind = func(environment, event string) {
		s.logger.Error("an event that was claimed is gone: Redis is back at an earlier state, as after a failover that lost writes; acknowledged events may be lost, and decisions are made again",
			"environment", environment, "event", event)
	}
	err = s.insist(ctx, func() error {
		log, err = redislog.Open(ctx, options)
		return err
	})
	return log, err
}

// insist does something again while the store is away, and says so, until ctx ends.
func (s *server) insist(ctx context.Context, do func() error) error {
	for {
		err := do()
		if !errors.Is(err, engine.ErrUnavailable) {
			return err
		}
		s.logger.Warn("Redis does not answer; trying again", "error", err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Second):
		}
	}
}

func (s *server) collect() {
	b := thisBuild()
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "switchyard_build_info", Help: "What this process is; always 1.",
		ConstLabels: prometheus.Labels{"version": b.Version, "commit": b.Commit, "goversion": b.Go},
	})
	info.Set(1)
	s.registry.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		engine.BacklogCollector(s.environmentKeys, s.backlog), engine.ConservationCollector(s.environmentKeys, s.log), engine.DestinationCollector(s.environmentKeys, s.Destinations), engine.RuleCollector(s.environmentKeys, s.book.All))
}

func (s *server) environmentKeys() []string {
	var keys []string
	for _, e := range s.plan.Load().environments {
		keys = append(keys, e.key)
	}
	return keys
}

func (s *server) backlog(ctx context.Context, environment string) (engine.Backlog, error) {
	stats, err := s.log.Stats(ctx, environment)
	return engine.Backlog{Pending: stats.Pending, LanesWaiting: stats.LanesWaiting, Dead: stats.Dead}, err
}

// apply makes a plan the live one. What can fail, the meeting with the store, comes first; then pointers are swapped.
func (s *server) apply(ctx context.Context, p *plan) error {
	stores := make(map[string]*redislog.Environment, len(p.environments))
	targets := make(map[string]*engine.Target, len(p.environments))
	for _, e := range p.environments {
		store, err := s.log.Environment(ctx, e.key, e.partitions, e.options)
		if err != nil {
			return fmt.Errorf("environment %s: %w", e.key, err)
		}
		stores[e.key] = store
		if targets[e.key], err = s.target(e, store); err != nil {
			return fmt.Errorf("environment %s: %w", e.key, err)
		}
	}
	doors, live := map[string]*httpapi.Door{}, s.plan.Load()
	for _, e := range p.environments {
		for _, c := range e.connections {
			if before := live.connection(e.key, c.Source); before != nil && before != c {
				c.receiver.Inherit(before.receiver)
			}
			for _, key := range c.writeKeys {
				doors[key] = c.door(stores[e.key])
			}
		}
	}
	before := s.plan.Swap(p)
	s.book.Swap(p.sets)
	s.guard.Sync(ctx) // before the first event: a restart releases nothing
	for _, e := range p.environments {
		stores[e.key].Keep(e.options)
		s.engine.Run(e.key, e.partitions, stores[e.key], targets[e.key])
	}
	s.doors.Swap(doors)
	for _, e := range before.environments {
		if stores[e.key] == nil {
			s.engine.Drop(e.key)
		}
	}
	return nil
}

// target makes the destination of an environment. One whose settings a reload has left alone stays: it knows how fast it may
// call, and what is under way.
func (s *server) target(e *plannedEnvironment, store *redislog.Environment) (*engine.Target, error) {
	if live := s.engine.Target(e.key); live != nil {
		if before := s.plan.Load().environment(e.key); before != nil && before.destination.settings() == e.destination.settings() {
			return engine.NewTarget(live.Name, live.Destination, e.policy), nil
		}
	}
	destination, err := newDestination(e.destination, site{s.log, store.Processes})
	if err != nil {
		return nil, fmt.Errorf("the destination can not be made: %w", err)
	}
	return engine.NewTarget(string(e.destination.Kind), destination, e.policy), nil
}

// Destination implements httpapi.Destinations.
func (s *server) Destination(environment, name string) (engine.DestinationInfo, error) {
	if target := s.engine.Target(environment); target != nil && target.Name == name {
		return target.Info(), nil
	}
	return engine.DestinationInfo{}, engine.ErrNotFound
}

// Destinations implements httpapi.Destinations.
func (s *server) Destinations(environment string) (all []engine.DestinationInfo) {
	if target := s.engine.Target(environment); target != nil {
		all = append(all, target.Info())
	}
	return all
}

// Pause implements httpapi.Destinations.
func (s *server) Pause(ctx context.Context, environment, name, reason string) error {
	pause := engine.Pause{Since: s.clock(), Reason: reason}
	if err := s.log.Pause(ctx, environment, name, pause); err != nil {
		return err
	}
	if target := s.engine.Target(environment); target != nil && target.Paused() == nil { // the first reason stays, as in the log
		target.SetPaused(&pause)
	}
	return nil
}

// Resume implements httpapi.Destinations.
func (s *server) Resume(ctx context.Context, environment, name string) error {
	if _, err := s.log.Resume(ctx, environment, name); err != nil {
		return err
	}
	if target := s.engine.Target(environment); target != nil {
		target.SetPaused(nil)
	}
	return nil
}

func (s *server) listenAdmin(p *plan) error {
	app := httpapi.NewAdmin(httpapi.AdminOptions{
		Log:          s.readable,
		Environments: func() []httpapi.EnvironmentInfo { return s.plan.Load().info() },
		Rules:        s.book,
		Explainer:    s,
		Release: func(ctx context.Context, environment, rule string) (engine.RuleInfo, error) {
			return s.guard.Release(ctx, environment, rule)
		},
		Destinations: s,
		Tokens:       func() []httpapi.Token { return s.plan.Load().config.tokens() },
		Refusals:     s.refusals,
		Ready:        s.ready,
		Now:          s.clock,
		Gatherer:     s.registry,
		Logger:       s.logger,
	})
	return s.admin.start(p.config.AdminListen.Value, app)
}

// clock is that of the log, by which actions are due; this machine's until the log is open.
func (s *server) clock() time.Time {
	if log := s.opened.Load(); log != nil {
		return log.Now()
	}
	return time.Now()
}

// readable is the log for readers; a nil interface until it is open.
func (s *server) readable() httpapi.Log {
	if log := s.opened.Load(); log != nil {
		return log
	}
	return nil
}

func (s *server) listenIngest() error {
	now := s.now
	if now == nil {
		now = s.log.Now // by which it is decided, too: the lag of an event is between two readings of one clock
	}
	return s.ingest.start(s.plan.Load().config.Listen.Value, httpapi.NewIngest(httpapi.IngestOptions{
		Doors: s.doors, Acceptor: &engine.Acceptor{Metrics: s.metrics}, Metrics: s.metrics, Refusals: s.refusals, Logger: s.logger,
		WriteKeyOf: spec.WriteKeyOf, Now: now,
	}))
}

// ready is whether senders should be sent here.
func (s *server) ready(ctx context.Context) error {
	switch {
	case s.draining.Load():
		return errors.New("shutting down")
	case s.ingest.address() == "":
		return errors.New("starting: Redis has not answered yet")
	}
	return s.opened.Load().Ping(ctx)
}

const (
	// drainTime is how long calls under way may take to finish when the server stops.
	drainTime = 25 * time.Second
	// answerTime is how long requests being answered may take; a connection on which nothing comes is cut off then.
	answerTime = 5 * time.Second
)

// stop drains: no new requests, no new claims, what is under way is finished, then the connections are closed.
func (s *server) stop() {
	s.draining.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	answered := make(chan error, 1)
	go func() { answered <- s.ingest.stop(answerTime) }()
	s.engine.Stop(ctx)
	if err := <-answered; err != nil {
		s.logger.Info("connections that said nothing were cut off", "error", err)
	}
	if err := errors.Join(s.log.Close(), s.admin.stop(time.Second)); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		s.logger.Warn("the stop was not clean", "error", err)
	}
}

// app is a Fiber app as far as main needs to know it.
type app interface {
	Listener(net.Listener) error
	ShutdownWithTimeout(time.Duration) error
}

// listening is one listener with its app.
type listening struct {
	app  app
	addr atomic.Pointer[string]
	done chan error
}

func (l *listening) start(address string, app app) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("can not listen on %s: %w", address, err)
	}
	l.app, l.done = app, make(chan error, 1)
	actual := listener.Addr().String()
	l.addr.Store(&actual)
	go func() { l.done <- app.Listener(listener) }()
	return nil
}

// address is where it listens; "" before the start.
func (l *listening) address() string {
	if actual := l.addr.Load(); actual != nil {
		return *actual
	}
	return ""
}

func (l *listening) stop(timeout time.Duration) error {
	if l.app == nil {
		return nil
	}
	return l.app.ShutdownWithTimeout(timeout)
}

func (c *config) tokens() []httpapi.Token {
	tokens := make([]httpapi.Token, len(c.Admin.Tokens))
	for i, token := range c.Admin.Tokens {
		tokens[i] = httpapi.Token{Name: token.Name, Role: httpapi.Role(token.Role), Secret: token.Token}
	}
	return tokens
}

// warnings are what an operator must know about the way this server runs.
func (s *server) warnings() {
	s.plan.Load().warn(s.logger)
	if s.log.Embedded() {
		s.logger.Warn(strings.Join([]string{
			"THE EMBEDDED STORE KEEPS NOTHING: events, users and logs are gone when this process ends.",
			"Set redis: redis://… in the configuration, or --redis, for anything but a trial.",
		}, " "))
	}
	for _, e := range s.plan.Load().environments {
		for _, c := range e.connections {
			if !c.Verified {
				s.logger.Warn("a connection is not verified: whoever knows its write key can send", "environment", e.key, "source", c.Source)
			}
		}
	}
}
