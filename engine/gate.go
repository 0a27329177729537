package engine

import (
	"context"
	"log/slog"
	"time"
)

// gate follows which destinations of an environment are paused. A store that is away leaves things as they are.
type gate struct {
	environment string
	pauses      Pauses
	target      func() *Target
	logger      *slog.Logger
}

// gateEvery is how late a process sees that somebody has paused or resumed a destination.
const gateEvery = time.Second

func (g *gate) run(ctx context.Context) {
	for ctx.Err() == nil {
		g.look(ctx)
		pause(ctx, gateEvery)
	}
}

func (g *gate) look(ctx context.Context) {
	paused, err := g.pauses.Pauses(ctx, g.environment)
	if err != nil {
		return // counted by the store as a Redis error
	}
	target := g.target()
	was := target.paused.Load()
	now, is := paused[target.Name]
	switch {
	case is && was == nil:
		target.paused.Store(&now)
		g.logger.Warn("a destination is paused", "environment", g.environment, "destination", target.Name, "reason", now.Reason)
	case !is && was != nil && target.paused.CompareAndSwap(was, nil):
		g.logger.Info("a destination is resumed", "environment", g.environment, "destination", target.Name)
	}
}
