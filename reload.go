package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// watchEvery is how often the files are looked at. Their sizes and times are compared rather than the kernel asked for
// events: that costs a few stat calls and also works on network mounts, behind the symbolic links of a Kubernetes
// volume, and for editors that replace a file.
const watchEvery = time.Second

// reloadOnChange makes a plan anew on SIGHUP and whenever a file has changed, and applies it when it is good.
func (s *server) reloadOnChange(ctx context.Context, load func() (*plan, error), hangup <-chan os.Signal) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	seen := s.plan.Load().made
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			seen = s.plan.Load().fingerprint()
			s.reload(ctx, load, "SIGHUP")
		case <-ticker.C:
			before := s.plan.Load()
			now := before.fingerprint()
			if now == seen {
				continue
			}
			seen = now
			s.reload(ctx, load, "a file changed")
			if after := s.plan.Load(); after != before {
				seen = after.made // which may be of other files
			}
		}
	}
}

// reload leaves everything as it is unless all of the new plan is good.
func (s *server) reload(ctx context.Context, load func() (*plan, error), why string) {
	began := time.Now()
	p, err := load()
	if err == nil {
		err = s.unchangeable(p)
	}
	if err == nil {
		err = s.apply(ctx, p)
	}
	if err != nil {
		s.metrics.Reloads.WithLabelValues("failure").Inc()
		s.logger.Error("the reload failed; everything stays as it was", "why", why, "error", explained(err))
		return
	}
	s.metrics.Reloads.WithLabelValues("success").Inc()
	p.warn(s.logger)
	s.logger.Info("reloaded", "why", why, "environments", len(p.environments), "files", len(p.files), "took", time.Since(began).Round(time.Millisecond))
}

// unchangeable refuses what only a restart can change.
func (s *server) unchangeable(p *plan) error {
	live := s.plan.Load()
	for _, setting := range []struct{ name, was, is string }{
		{"listen", live.config.Listen.Value, p.config.Listen.Value},
		{"admin_listen", live.config.AdminListen.Value, p.config.AdminListen.Value},
		{"redis", live.config.Redis.Value, p.config.Redis.Value},
		{"ack", live.config.Ack.Value, p.config.Ack.Value},
	} {
		if setting.was != setting.is {
			return fmt.Errorf("%s changed; that needs a restart", setting.name)
		}
	}
	for _, e := range p.environments {
		i := slices.IndexFunc(live.environments, func(l *plannedEnvironment) bool { return l.key == e.key })
		if i >= 0 && live.environments[i].partitions != e.partitions {
			return fmt.Errorf("the partitions of %s changed from %d to %d; they are fixed for the environment's life", e.key, live.environments[i].partitions, e.partitions)
		}
	}
	return nil
}

// fingerprint changes when a file of the plan changes, appears or goes.
func (p *plan) fingerprint() string {
	files := slices.Clone(p.files)
	for _, pattern := range p.patterns {
		if found, err := filepath.Glob(pattern); err == nil {
			files = append(files, found...)
		}
	}
	slices.Sort(files)
	var print strings.Builder
	for _, file := range slices.Compact(files) {
		if info, err := os.Stat(file); err == nil {
			fmt.Fprintf(&print, "%s %d %d\n", file, info.Size(), info.ModTime().UnixNano())
		}
	}
	return print.String()
}
