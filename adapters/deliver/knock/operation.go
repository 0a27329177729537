package knock

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
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

// An operation is looked at after lookFirst, then after waits of a quarter of the time that it has taken, up to lookMost, for
// lookAltogether.
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

// watches are the operations that are looked at now. Many actions may wait for the same one; it is looked at once for all.
type watches struct {
	mu   sync.Mutex
	list map[string]*watch
}

// watch is one operation that is looked at.
type watch struct {
	cancel  context.CancelFunc
	waiters int
	// done is closed when how and err are set.
	done chan struct{}
	how  ending
	err  error
}

// await waits until an operation has ended. One that Knock does not know has ended without success. The error may be
// tried again.
func (d *Destination) await(ctx context.Context, id string) (ending, error) {
	w := d.join(id)
	defer d.leave(id, w)
	select {
	case <-w.done:
		return w.how, w.err
	case <-ctx.Done():
		return ending{}, notEnded(id, ctx.Err())
	}
}

// join finds the watch of an operation, or begins one.
func (d *Destination) join(id string) *watch {
	d.watches.mu.Lock()
	defer d.watches.mu.Unlock()
	if w, ok := d.watches.list[id]; ok {
		w.waiters++
		return w
	}
	ctx, cancel := context.WithCancel(context.Background()) // it ends with the last that waits
	w := &watch{cancel: cancel, waiters: 1, done: make(chan struct{})}
	d.watches.list[id] = w
	go func() {
		defer close(w.done)
		w.how, w.err = d.watch(ctx, id)
	}()
	return w
}

// leave ends a watch that nobody waits for.
func (d *Destination) leave(id string, w *watch) {
	d.watches.mu.Lock()
	defer d.watches.mu.Unlock()
	if w.waiters--; w.waiters == 0 {
		w.cancel()
		delete(d.watches.list, id)
	}
}

// watch looks at an operation until it has ended, or for too long.
func (d *Destination) watch(ctx context.Context, id string) (ending, error) {
	var last error
	began := d.client.Now()
	for taken := time.Duration(0); taken < lookAltogether; taken = d.client.Now().Sub(began) {
		wait := min(max(lookFirst, taken/4), lookMost)
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
