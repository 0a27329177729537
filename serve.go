package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"switchyard/rules"
	"switchyard/rules/document"
)

// serving are the flags of serve.
type serving struct {
	file, redis, level, format string
	// listen and adminListen take the place of the configuration's; "" leaves them.
	listen, adminListen string
	// now is the clock of the ingest door; nil for the real one.
	now func() time.Time
}

func serve(args []string, _, stderr io.Writer) error {
	options := serving{}
	flags := newFlags("serve", "[-c FILE] [--redis URL]", stderr)
	flags.StringVar(&options.file, "c", "switchyard.yaml", "the configuration `file`")
	flags.StringVar(&options.redis, "redis", "", "a `URL` that takes the place of the configuration's redis")
	flags.StringVar(&options.level, "log-level", "info", "debug (one line an event), info, warn or error")
	flags.StringVar(&options.format, "log-format", "text", "text or json")
	if _, err := parse(flags, args); err != nil {
		return err
	}
	logger, err := newLogger(stderr, options.level, options.format)
	if err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	return runServer(ctx, options, logger, nil)
}

// runServer serves until ctx ends. Started, when given, is called once the server answers.
func runServer(ctx context.Context, options serving, logger *slog.Logger, started func(*server)) error {
	compiler := rules.NewCompiler()
	load := func() (*plan, error) {
		p, err := reloadPlan(options.file, os.LookupEnv, compiler.Next())
		if err != nil {
			return nil, err
		}
		compiler = p.compiler
		override(&p.config.Redis.Value, options.redis)
		override(&p.config.Listen.Value, options.listen)
		override(&p.config.AdminListen.Value, options.adminListen)
		return p, nil
	}
	p, err := load()
	if err != nil {
		return err
	}
	s, err := newServer(ctx, p, logger)
	if err != nil {
		return err
	}
	s.now = options.now
	defer s.stop()
	// Asked for before anybody knows that we are up: a SIGHUP that finds nobody ends the process.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	if err := s.begin(ctx, p); err != nil {
		return err
	}
	go s.reloadOnChange(ctx, load, hangup)
	go s.guard.Run(ctx)
	if started != nil {
		go started(s)
	}
	select {
	case <-ctx.Done():
		s.logger.Info("stopping: requests and calls under way are finished first")
		return nil
	case err := <-s.ingest.done:
		return fmt.Errorf("the ingest listener stopped: %w", err)
	case err := <-s.admin.done:
		return fmt.Errorf("the admin listener stopped: %w", err)
	}
}

func override(setting *string, value string) {
	if value != "" {
		*setting = value
	}
}

func (s *server) begin(ctx context.Context, p *plan) error {
	if err := s.insist(ctx, func() error { return s.apply(ctx, p) }); err != nil { // a part of a cluster may be away
		return err
	}
	s.warnings()
	if err := s.listenIngest(); err != nil {
		return err
	}
	rules := 0
	for _, e := range p.environments {
		rules += s.book.Len(e.key)
	}
	s.logger.Info("serving", "ingest", "http://"+s.ingest.address(), "admin", "http://"+s.admin.address(),
		"environments", len(p.environments), "rules", rules, "version", thisBuild().Version)
	return nil
}

func newLogger(out io.Writer, level, format string) (*slog.Logger, error) {
	var parsed slog.Level
	if err := parsed.UnmarshalText([]byte(level)); err != nil {
		return nil, usageError{fmt.Errorf("--log-level must be debug, info, warn or error, not %q", level)}
	}
	options := &slog.HandlerOptions{Level: parsed}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(out, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(out, options)), nil
	}
	return nil, usageError{fmt.Errorf("--log-format must be text or json, not %q", format)}
}

// explained is an error as one log line: every problem with its place.
func explained(err error) string {
	if problems, ok := err.(document.Problems); ok {
		return strings.Join(strings.Split(problems.Error(), "\n"), "; ")
	}
	return err.Error()
}
