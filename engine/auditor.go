package engine

import (
	"context"
	"log/slog"
	"time"
)

// Ledger tells what the partitions of an environment come to.
type Ledger interface {
	Conservation(ctx context.Context, environment string) ([]Conservation, error)
}

// auditor checks the equations of one environment every few seconds, and tells when one breaks and when it holds again.
type auditor struct {
	environment string
	ledger      Ledger
	logger      *slog.Logger
	broken      map[imbalance]bool
}

// imbalance is where an equation does not hold.
type imbalance struct {
	partition int
	equation  string
}

const auditEvery = 15 * time.Second

func (a *auditor) run(ctx context.Context) {
	for ctx.Err() == nil {
		pause(ctx, auditEvery)
		if ctx.Err() == nil {
			a.audit(ctx)
		}
	}
}

// audit looks once. A store that is away is told of by those who need it.
func (a *auditor) audit(ctx context.Context) {
	partitions, err := a.ledger.Conservation(ctx, a.environment)
	if err != nil {
		return
	}
	for _, partition := range partitions {
		for _, equation := range partition.Equations {
			a.compare(imbalance{partition.Partition, equation.Name}, equation)
		}
	}
}

func (a *auditor) compare(at imbalance, equation Equation) {
	if equation.Holds() != a.broken[at] {
		return // as it was
	}
	log := a.logger.With("environment", a.environment, "partition", at.partition, "equation", equation.Name,
		"meaning", equation.Text, "left", equation.Left, "right", equation.Right)
	if equation.Holds() {
		delete(a.broken, at)
		log.Info("an equation of conservation holds again")
		return
	}
	a.broken[at] = true
	log.Error("AN EQUATION OF CONSERVATION IS BROKEN: events or actions were lost, or came from nowhere; switchyard verify tells which")
}
