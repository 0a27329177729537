package knocktest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Run is a workflow that a trigger started.
type Run struct {
	ID       string
	Workflow string
	// Key is the Idempotency-Key; "" for none.
	Key string
	At  time.Time
	// Notified are the recipients, objects as "collection/id"; Unknown those that nobody had identified.
	Notified, Unknown []string
	// Dropped is that there were too many recipients, so that nothing was processed.
	Dropped bool
	// Request is the body as it was sent.
	Request json.RawMessage
}

// remembered is what is kept for an Idempotency-Key: only 2xx, for 24 hours, [idempotency].
type remembered struct {
	at       time.Time
	workflow string
	request  string
	reply    answer
}

const (
	keyTime = 24 * time.Hour // [idempotency]
	keyMost = 255            // characters, [idempotency]
	// recipientsMost: of a trigger with more nothing is processed, [trigger].
	recipientsMost = 1000
	// dataMost bounds the data of a trigger in bytes, [trigger].
	dataMost = 10 << 20
)

// triggered answers a trigger, from memory when its key is there: with the same answer, marked as a replay. Other parameters
// under the same key are an error, [idempotency]; [assumed] that it is a 400.
func (k *Knock) triggered(key, workflow string, object map[string]any, body []byte, now time.Time) answer {
	if len(key) > keyMost {
		return failure(http.StatusBadRequest, "invalid_idempotency_key", "the idempotency key is too long")
	}
	canonical, _ := json.Marshal(object) // it was just decoded
	if before, ok := k.keys[key]; ok && key != "" && now.Sub(before.at) < keyTime {
		if before.workflow != workflow || before.request != string(canonical) {
			return failure(http.StatusBadRequest, "idempotency_key_reused", "the key was used with other parameters")
		}
		replay := before.reply
		replay.header = http.Header{"Idempotent-Replayed": {"true"}}
		return replay
	}
	reply := k.start(key, workflow, object, body, now)
	if reply.status/100 == 2 && key != "" {
		k.keys[key] = remembered{now, workflow, string(canonical), reply}
	}
	return reply
}

func (k *Knock) start(key, workflow string, object map[string]any, body []byte, now time.Time) answer {
	if k.options.Workflows != nil && !slices.Contains(k.options.Workflows, workflow) {
		return failure(http.StatusNotFound, "resource_missing", "the workflow does not exist")
	}
	recipients, ok := object["recipients"].([]any)
	if !ok || len(recipients) == 0 {
		return invalid("the trigger is not valid", true, "recipients", "is required")
	}
	if refused := k.checkTrigger(recipients, object); refused.status != 0 {
		return refused
	}
	run := Run{ID: k.uuid(), Workflow: workflow, Key: key, At: now, Request: body}
	if len(recipients) > recipientsMost {
		run.Dropped = true
	} else {
		k.notify(&run, recipients, object["actor"], now)
	}
	k.runs = append(k.runs, run)
	return answer{status: http.StatusOK, body: map[string]any{"workflow_run_id": run.ID}}
}

// checkTrigger refuses what is not valid, before anything is done.
func (k *Knock) checkTrigger(recipients []any, object map[string]any) answer {
	if len(recipients) > recipientsMost && k.options.RefuseLarge {
		return invalid("the trigger is not valid", false, "recipients", fmt.Sprintf("has %d items; at most 1000 are allowed", len(recipients)))
	}
	if data, err := json.Marshal(object["data"]); err != nil || len(data) > dataMost {
		return failure(http.StatusRequestEntityTooLarge, "request_too_large", "the data is larger than 10 MB")
	}
	for i, recipient := range recipients {
		if what := k.checkRecipient(recipient); what != "" {
			return invalid("the trigger is not valid", true, fmt.Sprintf("recipients[%d]", i), what)
		}
	}
	actor := object["actor"]
	if actor == nil {
		return answer{}
	}
	if what := k.checkRecipient(actor); what != "" {
		return invalid("the trigger is not valid", false, "actor", what)
	}
	if id, ok := actor.(string); ok && k.users[id] == nil { // an unknown actor is an error, [trigger]
		return invalid("the trigger is not valid", false, "actor", "is not known")
	}
	return answer{}
}

// checkRecipient holds the rules for the three forms: an id, {id, …}, {collection, id, …}, [trigger].
func (k *Knock) checkRecipient(recipient any) string {
	switch r := recipient.(type) {
	case string:
		return checkID(r)
	case map[string]any:
		id, ok := r["id"].(string)
		if !ok {
			return "id must be a string"
		}
		if _, isObject := r["collection"]; isObject {
			return checkID(id)
		}
		if field, what := k.checkUser(id, r); field != "" {
			return field + " " + what
		}
		return ""
	}
	return "must be a string or an object"
}

// notify identifies who comes with traits, an upsert, before anything else; {"id":"x"} alone creates the user too. An id
// that nobody identified gets no notification, and that is no error, [trigger].
func (k *Knock) notify(run *Run, recipients []any, actor any, now time.Time) {
	for _, person := range append(slices.Clip(recipients), actor) {
		if user, ok := person.(map[string]any); ok && user["collection"] == nil {
			k.upsert(user["id"].(string), user, Trigger, now)
		}
	}
	for _, recipient := range recipients {
		switch r := recipient.(type) {
		case string:
			if k.users[r] == nil {
				run.Unknown = append(run.Unknown, r)
				continue
			}
			run.Notified = append(run.Notified, r)
		case map[string]any:
			id := r["id"].(string)
			if collection, ok := r["collection"]; ok {
				id = fmt.Sprint(collection, "/", id)
			}
			run.Notified = append(run.Notified, id)
		}
	}
}
