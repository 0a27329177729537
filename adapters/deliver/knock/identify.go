package knock

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"

	"switchyard/engine"
)

// properties are the traits that Knock knows; all others are custom ones. Source: its
// OpenAPI document.
var properties = map[string]bool{
	"name": true, "email": true, "avatar": true, "phone_number": true, "locale": true, "timezone": true, "created_at": true,
}

// identified is the result of an identify.
type identified struct {
	UserID        string `json:"user_id"`
	BulkOperation string `json:"bulk_operation,omitempty"`
	// Unfinished is the effect key when it is not known yet how the operation ended: another attempt looks at it first.
	Unfinished string `json:"unfinished,omitempty"`
}

func (d *Destination) identify(ctx context.Context, action *engine.Action) (engine.Result, error) {
	p, err := newPerson(action)
	if err != nil {
		return engine.Result{}, engine.Permanent(err)
	}
	if operation := unfinished(action); operation != "" {
		how, err := d.await(ctx, operation)
		switch {
		case err != nil:
			return p.unfinished(operation), err
		case how.succeeded(p.id):
			return body(identified{UserID: p.id, BulkOperation: operation}), nil
		}
		p.company = 1 // its own call says what is wrong
	}
	return d.folder.perform(ctx, p)
}

// unfinished is the bulk operation that an earlier attempt was part of, when nobody has seen its end. Until then the
// identify is not sent again: the operation might be carried out after a later identify of the same user.
func unfinished(action *engine.Action) string {
	var result identified
	if json.Unmarshal(action.Result, &result) != nil || result.Unfinished != action.EffectKey("") {
		return ""
	}
	return result.BulkOperation
}

// newPerson writes the request of an identify.
func newPerson(action *engine.Action) (*person, error) {
	id, traits := action.Identify.UserID, action.Identify.Traits
	if _, err := engine.UserID(id); err != nil {
		return nil, fmt.Errorf("user_id: %w", err)
	}
	if _, taken := traits["id"]; taken { // it would be another user's in a bulk identify
		traits = maps.Clone(traits)
		delete(traits, "id")
	}
	if traits == nil {
		traits = map[string]any{}
	}
	doc, err := json.Marshal(traits)
	if err != nil {
		return nil, fmt.Errorf("the traits can not be written: %w", err)
	}
	if len(doc) > engine.MaxTraitsBytes {
		if err := checkCustom(id, traits); err != nil {
			return nil, err
		}
	}
	return &person{id: id, traits: doc, effect: action.EffectKey(""), company: bulkMost, outcome: make(chan outcome, 1)}, nil
}

func checkCustom(id string, traits map[string]any) error {
	custom := maps.Clone(traits)
	maps.DeleteFunc(custom, func(name string, _ any) bool { return properties[name] })
	doc, err := json.Marshal(custom)
	if err == nil && len(doc) > engine.MaxTraitsBytes {
		return fmt.Errorf("the custom traits of %q have %d bytes, and Knock keeps %d", id, len(doc), engine.MaxTraitsBytes)
	}
	return err
}

// put identifies one user.
func (d *Destination) put(ctx context.Context, p *person) (engine.Result, error) {
	_, err := d.client.do(ctx, call{method: http.MethodPut, path: []string{"v1", "users", p.id}, body: p.traits, gate: d.folder.single})
	if err != nil {
		return engine.Result{}, err
	}
	return body(identified{UserID: p.id}), nil
}

// putMany asks for a bulk identify, and returns the operation's id.
func (d *Destination) putMany(ctx context.Context, people []*person) (operation string, err error) {
	request := []byte(`{"users":[`)
	for i, p := range people {
		if i > 0 {
			request = append(request, ',')
		}
		request = p.appendUser(request)
	}
	request = append(request, "]}"...)
	answer, err := d.client.do(ctx, call{method: http.MethodPost, path: []string{"v1", "users", "bulk", "identify"}, body: request, gate: d.folder.bulk})
	if err != nil {
		return "", err
	}
	var started operationDoc
	if err := json.Unmarshal(answer.body, &started); err != nil || started.ID == "" {
		return "", fmt.Errorf("the answer of Knock names no bulk operation: %s", line(d.client.redact(answer.body)))
	}
	return started.ID, nil
}

// appendUser writes the traits with the id among them.
func (p *person) appendUser(doc []byte) []byte {
	id, _ := json.Marshal(p.id) // a string can always be written
	doc = append(append(doc, `{"id":`...), id...)
	if len(p.traits) > len(`{}`) {
		doc = append(doc, ',')
	}
	return append(doc, p.traits[1:]...)
}

// unfinished is the result of an attempt that ended before its operation.
func (p *person) unfinished(operation string) engine.Result {
	return body(identified{UserID: p.id, BulkOperation: operation, Unfinished: p.effect})
}
