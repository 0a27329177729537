package knock

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"switchyard/engine"
)

// operationDoc is a bulk operation. Source: Knock's OpenAPI document, BulkOperation.
type operationDoc struct {
	ID string `json:"id"`
	// Status is queued, processing, completed or failed.
	Status     string `json:"status"`
	ErrorCount int    `json:"error_count"`
	ErrorItems []struct {
		ID string `json:"id"`
	} `json:"error_items"`
}

const (
	operationCompleted = "completed"
	operationFailed    = "failed"
)

// An operation is looked at after lookFirst, then after waits that double up to lookMost, for lookAltogether at most.
const (
	lookFirst      = 250 * time.Millisecond
	lookMost       = 2 * time.Second
	lookAltogether = 30 * time.Second
)

// ending is how an operation ended.
type ending struct {
	// complete is that it was carried out, but for the users in failed.
	complete bool
	failed   map[string]bool
}

// succeeded reports whether a user is known to be identified.
func (e ending) succeeded(id string) bool { return e.complete && !e.failed[id] }

// ending is that of an operation that has ended. When not all failed users are named, anybody may have failed.
func (o operationDoc) ending() ending {
	failed := make(map[string]bool, len(o.ErrorItems))
	for _, item := range o.ErrorItems {
		failed[item.ID] = true
	}
	return ending{o.Status == operationCompleted && o.ErrorCount <= len(failed), failed}
}

// await looks at an operation until it has ended. One that Knock does not know has ended without success. The error may
// be tried again.
func (d *Destination) await(ctx context.Context, id string) (ending, error) {
	var last error
	began := d.client.Now()
	for wait := lookFirst; d.client.Now().Sub(began) < lookAltogether; wait = min(2*wait, lookMost) {
		if err := d.client.sleep(ctx, wait); err != nil {
			return ending{}, notEnded(id, err)
		}
		operation, err := d.look(ctx, id)
		switch {
		case statusOf(err) == http.StatusNotFound:
			return ending{}, nil
		case ctx.Err() != nil:
			return ending{}, notEnded(id, ctx.Err())
		case engine.IsPermanent(err):
			return ending{}, notEnded(id, errText(err))
		case err == nil && (operation.Status == operationCompleted || operation.Status == operationFailed):
			return operation.ending(), nil
		}
		last = err
	}
	if last == nil {
		last = fmt.Errorf("it is still under way after %v", lookAltogether)
	}
	return ending{}, notEnded(id, errText(last))
}

// look makes one call, in its turn.
func (d *Destination) look(ctx context.Context, id string) (operation operationDoc, err error) {
	if err := d.lookups.enter(ctx, d.client.clock, patience); err != nil {
		return operation, err
	}
	answer, err := d.client.do(ctx, call{method: http.MethodGet, path: []string{"v1", "bulk_operations", id}, gate: d.lookups})
	if err != nil {
		return operation, err
	}
	if err := json.Unmarshal(answer.body, &operation); err != nil {
		return operation, fmt.Errorf("a bulk operation can not be read: %w", err)
	}
	return operation, nil
}

func notEnded(id string, err error) error {
	return fmt.Errorf("the end of bulk operation %s is not known: %w", id, err)
}

// errText is an error without its marks: what is final for a look is not final for the identify.
func errText(err error) error { return fmt.Errorf("%s", err) }
