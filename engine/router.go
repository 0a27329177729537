package engine

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// router decides the events of one partition, in order: claim, decide, commit.
type router struct {
	environment string
	inbox       Inbox
	decider     Decider
	tally       *tally
	metrics     *Metrics
	logger      *slog.Logger
	store       *contact
	now         func() time.Time
	// committed is told when actions were queued.
	committed func()
	// lanes is how the environment's actions wait for each other now.
	lanes func() Lanes
}

const (
	claimMax  = 128
	claimWait = time.Second
)

func (r *router) run(ctx context.Context) {
	defer r.leave()
	for ctx.Err() == nil {
		events, err := r.inbox.Claim(ctx, claimMax, claimWait)
		if err != nil {
			r.store.failed(ctx, "events can not be claimed", err)
			continue
		}
		r.store.worked()
		r.route(ctx, events)
	}
}

// leaveTime bounds what is only a courtesy.
const leaveTime = time.Second

// leave hands the partition on while the calls of destinations that are under way are still waited for.
func (r *router) leave() {
	r.store.gone()
	ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
	defer cancel()
	r.inbox.Leave(ctx)
}

// commitEvery is after how long what is decided of a claim is committed, which prolongs the lease: rules that take their
// time must not cost the partition.
const commitEvery = 500 * time.Millisecond

// route decides and commits what was claimed. It stops where a verdict is not committed: the partition is another's then.
func (r *router) route(ctx context.Context, events []*Event) {
	for len(events) > 0 && ctx.Err() == nil {
		begun, verdicts := time.Now(), []*Verdict{}
		for _, event := range events {
			verdicts = append(verdicts, r.decide(event))
			if time.Since(begun) > commitEvery {
				break
			}
		}
		if !r.commit(ctx, verdicts) {
			return
		}
		events = events[len(verdicts):]
	}
}

func (r *router) decide(event *Event) *Verdict {
	verdict := &Verdict{Event: event, Decision: bounded(r.safely(event)), DecidedAt: r.now()}
	lanes := r.lanes()
	for n, action := range verdict.Decision.Actions {
		action.Lane = lanes.laneOf(event, n)
		action.CreatedAt, action.BudgetSince = verdict.DecidedAt, verdict.DecidedAt
	}
	return verdict
}

// MaxActions is how many actions one event may come to. What no store could take in one step would keep its partition
// for good.
const MaxActions = 10_000

// bounded leaves out the actions that are too many, and says so.
func bounded(decision *Decision) *Decision {
	if more := len(decision.Actions) - MaxActions; more > 0 {
		decision.Actions = decision.Actions[:MaxActions]
		message := fmt.Sprintf("the rules ask for %d actions too many; %d are the most for one event", more, MaxActions)
		decision.Errors = append(decision.Errors, RuleError{Message: message})
	}
	return decision
}

// safely keeps an event that makes a decider panic from stopping its partition for good: it is unmatched, and says why.
func (r *router) safely(event *Event) (decision *Decision) {
	defer func() {
		if caught := recover(); caught != nil {
			r.logger.Error("a decision panicked", "environment", r.environment, "event", event.ID,
				"panic", caught, "stack", string(debug.Stack()))
			message := fmt.Sprintf("internal error: %v", caught)
			decision = &Decision{Outcome: OutcomeUnmatched, Reason: message, Errors: []RuleError{{Message: message}}}
		}
	}()
	return r.decider.Decide(event)
}

// commit tries until it is through or the process stops; then the events are still claimed, and claimed again by
// whoever comes next. Verdicts that got through before an error are not committed twice. It reports whether all were
// committed.
func (r *router) commit(ctx context.Context, verdicts []*Verdict) (all bool) {
	for {
		err := r.inbox.Commit(ctx, verdicts)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return false
		}
		r.store.failed(ctx, "decisions can not be committed", err)
	}
	r.store.worked()
	queued, all := false, true
	for _, verdict := range verdicts {
		if verdict.Committed {
			r.report(verdict)
			queued = queued || len(verdict.Decision.Actions) > 0
		}
		all = all && verdict.Committed
	}
	if queued {
		r.committed()
	}
	return all
}

func (r *router) report(verdict *Verdict) {
	event, decision := verdict.Event, verdict.Decision
	r.metrics.decided(verdict)
	if decision.Outcome == OutcomeMatched || decision.Outcome == OutcomeUnmatched {
		r.tally.add(event)
	}
	for _, action := range decision.Actions {
		if action.Status.Ended() {
			r.metrics.action(action)
		}
	}
	r.logger.Debug("event decided", "environment", event.Environment, "source", event.Source, "event", event.ID,
		"type", event.Type, "name", event.Name, "user", event.UserID, "outcome", decision.Outcome, "reason", decision.Reason,
		"rules", decision.Rules, "actions", len(decision.Actions), "rule_errors", len(decision.Errors),
		"lag", verdict.DecidedAt.Sub(event.ReceivedAt))
}
