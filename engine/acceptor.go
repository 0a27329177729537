package engine

import (
	"context"
	"time"
)

// Acceptor makes the events of a request durable; when Accept has returned without an error, none of them is lost.
type Acceptor struct {
	Metrics *Metrics
}

// Receipt counts what became of one request's events. The three are disjoint, and their sum is the number of events.
type Receipt struct {
	Accepted, Duplicates, Invalid int
}

// Accept stamps the events with their connection and appends them. On an error some of a batch may have been stored;
// the sender repeats the batch and what is there already is recognised by its message id.
func (a *Acceptor) Accept(ctx context.Context, log Appender, connection *Connection, events []*Event, now time.Time) (Receipt, error) {
	for _, event := range events {
		event.Environment, event.Source = connection.Environment, connection.Source
		if event.ReceivedAt.IsZero() {
			event.ReceivedAt = now
		}
	}
	err := log.Append(ctx, events)
	var receipt Receipt
	for _, event := range events {
		if event.ID == "" {
			continue
		}
		a.Metrics.received(event)
		switch {
		case event.DuplicateOf != "":
			receipt.Duplicates++
		case event.Invalid != "":
			receipt.Invalid++
		default:
			receipt.Accepted++
		}
	}
	return receipt, err
}
