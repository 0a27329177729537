package knock

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"

	"switchyard/engine"
)

const (
	// recipientsMost is how many recipients Knock takes in one trigger; one with more is not processed, and an error is
	// logged there. Source: https://docs.knock.app/send-notifications/triggering-workflows/api
	recipientsMost = 1000
	// dataMost bounds the data of a trigger, in bytes (Knock's limit).
	dataMost = 10 << 20
)

// triggerDoc is the body of a trigger. The order of its fields, and that of the names in every object, is fixed: Knock
// refuses a key that it has seen with other parameters.
type triggerDoc struct {
	Recipients      []engine.Recipient `json:"recipients"`
	Actor           *engine.Recipient  `json:"actor,omitempty"`
	Data            json.RawMessage    `json:"data,omitempty"`
	Tenant          string             `json:"tenant,omitempty"`
	CancellationKey string             `json:"cancellation_key,omitempty"`
}

// run is the result of a trigger.
type run struct {
	WorkflowRunID string `json:"workflow_run_id"`
	Replayed      bool   `json:"replayed"`
}

// part is the result of one of the triggers into which a large one is split.
type part struct {
	Part       int `json:"part"`
	Recipients int `json:"recipients"`
	run
	// Key tells the parts of an intended repeat from those that it repeats.
	Key string `json:"key"`
}

func (d *Destination) trigger(ctx context.Context, action *engine.Action) (engine.Result, error) {
	trigger := action.Trigger
	doc := triggerDoc{Tenant: trigger.Tenant, CancellationKey: trigger.CancellationKey}
	if trigger.Actor != nil {
		actor := guarded(*trigger.Actor)
		doc.Actor = &actor
	}
	if trigger.Data != nil {
		data, err := json.Marshal(trigger.Data)
		if err != nil {
			return engine.Result{}, engine.Permanent(fmt.Errorf("the data can not be written: %w", err))
		}
		if len(data) > dataMost {
			return engine.Result{}, engine.Permanent(fmt.Errorf("the data has %d bytes, and Knock takes %d", len(data), dataMost))
		}
		doc.Data = data
	}
	recipients := make([]engine.Recipient, len(trigger.Recipients))
	for i, recipient := range trigger.Recipients {
		recipients[i] = guarded(recipient)
	}
	if len(recipients) > recipientsMost {
		return d.split(ctx, action, doc, recipients)
	}
	doc.Recipients = recipients
	run, err := d.start(ctx, trigger.Workflow, action.EffectKey(""), doc)
	if err != nil {
		return engine.Result{}, err
	}
	return body(run), nil
}

// split starts a workflow for so many recipients at a time. Parts that an earlier attempt has done are not sent again;
// and if one were, its key would make it harmless.
func (d *Destination) split(ctx context.Context, action *engine.Action, doc triggerDoc, recipients []engine.Recipient) (engine.Result, error) {
	earlier := earlierParts(action.Result)
	done := []part{}
	for n := 1; len(recipients) > 0; n++ {
		key := action.EffectKey(fmt.Sprintf("part:%d", n))
		doc.Recipients = recipients[:min(recipientsMost, len(recipients))]
		recipients = recipients[len(doc.Recipients):]
		if before, ok := earlier[key]; ok {
			done = append(done, before)
			continue
		}
		run, err := d.start(ctx, action.Trigger.Workflow, key, doc)
		if wait, ok := engine.PostponedFor(err); ok {
			return body(done), engine.Postponed(fmt.Sprintf("part %d: %v", n, err), wait)
		}
		if err != nil {
			return body(done), fmt.Errorf("part %d: %w", n, err)
		}
		done = append(done, part{n, len(doc.Recipients), run, key})
	}
	return body(done), nil
}

// earlierParts are those in the result of an earlier attempt, by their keys.
func earlierParts(result json.RawMessage) map[string]part {
	var list []part
	if json.Unmarshal(result, &list) != nil {
		return nil
	}
	parts := make(map[string]part, len(list))
	for _, part := range list {
		if part.WorkflowRunID != "" {
			parts[part.Key] = part
		}
	}
	return parts
}

// start sends one trigger.
func (d *Destination) start(ctx context.Context, workflow, key string, doc triggerDoc) (run, error) {
	request, err := json.Marshal(doc)
	if err != nil {
		return run{}, engine.Permanent(fmt.Errorf("the trigger can not be written: %w", err))
	}
	if err := d.triggers.enter(ctx, d.client.clock, patience); err != nil {
		return run{}, err
	}
	answer, err := d.client.do(ctx, call{
		method: http.MethodPost, path: []string{"v1", "workflows", workflow, "trigger"}, body: request, key: key, gate: d.triggers,
	})
	if err != nil {
		return run{}, err
	}
	started := run{Replayed: answer.replayed}
	var read struct {
		WorkflowRunID string `json:"workflow_run_id"`
	}
	if err := json.Unmarshal(answer.body, &read); err != nil || read.WorkflowRunID == "" {
		return run{}, fmt.Errorf("the answer of Knock names no workflow run: %s", line(d.client.redact(answer.body)))
	}
	started.WorkflowRunID = read.WorkflowRunID
	return started, nil
}

// guarded is a recipient without the traits that mean something special. Those that a recipient may set on purpose do not
// come this way.
func guarded(recipient engine.Recipient) engine.Recipient {
	if !recipient.Inline() {
		return recipient
	}
	traits := maps.Clone(engine.DropReserved(recipient.Traits))
	delete(traits, "collection") // a user with one would be read as an object
	recipient.Traits = traits
	return recipient
}
