package directory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"switchyard/engine"
)

// The status of a recipient in a run's result.
const (
	notified           = "notified"
	identifiedNotified = "identified and notified"
	skipped            = "skipped"
	unknownUser        = "unknown user"
)

// runResult is what a trigger amounts to.
type runResult struct {
	WorkflowRunID string             `json:"workflow_run_id,omitempty"`
	Recipients    []recipientOutcome `json:"recipients"`
}

type recipientOutcome struct {
	ID         string `json:"id"`
	Collection string `json:"collection,omitempty"`
	Status     string `json:"status"`
	Reason     string `json:"reason,omitempty"`
}

// trigger identifies whoever is inline, then finds out who of the others is known, and starts the workflow for those. A
// skip for want of recipients comes before an error of the actor: nothing would have been sent anyway.
func (d *Destination) trigger(ctx context.Context, action *engine.Action) (engine.Result, error) {
	trigger := action.Trigger
	if err := d.identifyInline(ctx, action); err != nil {
		return engine.Result{}, err
	}
	known, err := d.known(ctx, action)
	if err != nil {
		return engine.Result{}, err
	}
	reached, outcomes, unknown := divide(trigger.Recipients, known)
	if len(reached) == 0 {
		result, err := body(runResult{Recipients: outcomes})
		result.Skipped = unknownUser + ": " + shortList(unknown)
		return result, err
	}
	if actor := trigger.Actor; actor != nil && bare(*actor) && !known[actor.ID] {
		return engine.Result{}, engine.Permanent(fmt.Errorf("unknown actor %q", actor.ID))
	}
	return d.start(ctx, action, reached, outcomes)
}

// start appends the run, with ids instead of the traits that were just stored.
func (d *Destination) start(ctx context.Context, action *engine.Action, reached []engine.Recipient, outcomes []recipientOutcome) (engine.Result, error) {
	trigger, effect := action.Trigger, action.EffectKey("")
	run := engine.Run{
		ID: runID(effect), Workflow: trigger.Workflow, Recipients: reached, Data: trigger.Data, Tenant: trigger.Tenant,
		CancellationKey: trigger.CancellationKey, Rule: action.Rule, EventID: action.EventID, At: d.now(),
	}
	if trigger.Actor != nil {
		actor := reference(*trigger.Actor)
		run.Actor = &actor
	}
	result, err := body(runResult{WorkflowRunID: run.ID, Recipients: outcomes})
	if err != nil {
		return engine.Result{}, err
	}
	stored, err := d.store.AppendRun(ctx, action.Environment, effect, run, result.Body)
	if err != nil {
		return engine.Result{}, fmt.Errorf("starting workflow %q: %w", trigger.Workflow, err)
	}
	return engine.Result{Body: stored}, nil
}

// identifyInline stores the recipients, and the actor, that come with their traits. Each has its own effect key, so a
// crash between two of them repeats neither.
func (d *Destination) identifyInline(ctx context.Context, action *engine.Action) error {
	people := action.Trigger.Recipients
	if actor := action.Trigger.Actor; actor != nil {
		people = append(people[:len(people):len(people)], *actor)
	}
	for _, person := range people {
		if !person.Inline() {
			continue
		}
		traits := engine.DropReserved(person.Traits)
		if _, err := d.upsert(ctx, action, person.ID, traits); err != nil {
			return err
		}
	}
	return nil
}

// known asks for all bare ids of a trigger at once.
func (d *Destination) known(ctx context.Context, action *engine.Action) (map[string]bool, error) {
	var ids []string
	for _, recipient := range action.Trigger.Recipients {
		if bare(recipient) {
			ids = append(ids, recipient.ID)
		}
	}
	if actor := action.Trigger.Actor; actor != nil && bare(*actor) {
		ids = append(ids, actor.ID)
	}
	answers, err := d.store.Known(ctx, action.Environment, ids)
	if err != nil {
		return nil, fmt.Errorf("looking for the recipients: %w", err)
	}
	known := make(map[string]bool, len(ids))
	for i, id := range ids {
		known[id] = answers[i]
	}
	return known, nil
}

// bare reports whether a recipient is an id alone.
func bare(r engine.Recipient) bool { return !r.Inline() && r.Collection == "" }

// divide tells who is reached, what becomes of each, and who is not known.
func divide(recipients []engine.Recipient, known map[string]bool) (reached []engine.Recipient, outcomes []recipientOutcome, unknown []string) {
	for _, recipient := range recipients {
		outcome := recipientOutcome{ID: recipient.ID, Collection: recipient.Collection, Status: notified}
		switch {
		case bare(recipient) && !known[recipient.ID]:
			outcome.Status, outcome.Reason = skipped, unknownUser
			unknown = append(unknown, recipient.ID)
		case recipient.Inline():
			outcome.Status = identifiedNotified
		}
		if outcome.Status != skipped {
			reached = append(reached, reference(recipient))
		}
		outcomes = append(outcomes, outcome)
	}
	return reached, outcomes, unknown
}

// reference is a recipient as a worker needs it: a user's id, whose traits are in the directory, or an object as it is.
func reference(r engine.Recipient) engine.Recipient {
	if r.Inline() {
		return engine.Recipient{ID: r.ID}
	}
	return r
}

// listMost is how many names a reason spells out.
const listMost = 10

func shortList(names []string) string {
	if len(names) <= listMost {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:listMost], ", "), len(names)-listMost)
}

// runID is a UUID (version 8, RFC 9562) made of an effect key.
func runID(effect string) string {
	sum := sha256.Sum256([]byte("run:" + effect))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	text := hex.EncodeToString(sum[:16])
	return strings.Join([]string{text[:8], text[8:12], text[12:16], text[16:20], text[20:]}, "-")
}
