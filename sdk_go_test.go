package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"testing"
	"time"

	rudderstack "github.com/rudderlabs/analytics-go/v4"
	segment "github.com/segmentio/analytics-go/v3"
)

// The SDKs for Go. Both give up what is still to be sent again when they are closed, so that a caller who wants it sent
// waits for the callbacks first.

// promptly is how long they wait before the next attempt.
func promptly(int) time.Duration { return 20 * time.Millisecond }

// outcomes is the callback of a client: an error, or nil, for each message.
type outcomes chan error

func (o outcomes) wait(t *testing.T, calls int) {
	t.Helper()
	for range calls {
		select {
		case err := <-o:
			if err != nil {
				t.Fatalf("a call failed: %v", err)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("the outcome of a call is never told")
		}
	}
}

type segmentOutcomes struct{ outcomes }

func (o segmentOutcomes) Success(segment.Message) { o.outcomes <- nil }
func (o segmentOutcomes) Failure(_ segment.Message, e error) {
	o.outcomes <- fmt.Errorf("failed: %w", e)
}

func segmentGo(t *testing.T, url, key string, calls []call) {
	t.Helper()
	told := make(outcomes, len(calls))
	client, err := segment.NewWithConfig(key, segment.Config{Endpoint: url, BatchSize: len(calls), Callback: segmentOutcomes{told},
		RetryAfter: promptly, Logger: segment.StdLogger(log.New(io.Discard, "", 0))})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range calls {
		if err := client.Enqueue(segmentMessage(c)); err != nil {
			t.Fatal(err)
		}
	}
	told.wait(t, len(calls))
	if err := client.Close(); err != nil {
		t.Error(err)
	}
}

func segmentMessage(c call) segment.Message {
	var context *segment.Context
	if c.Context != nil {
		app := c.Context["app"].(map[string]any)
		context = &segment.Context{IP: net.ParseIP(c.Context["ip"].(string)), Locale: c.Context["locale"].(string),
			App: segment.AppInfo{Name: app["name"].(string), Version: app["version"].(string)}}
	}
	switch c.Type {
	case "identify":
		return segment.Identify{UserId: c.UserID, AnonymousId: c.AnonymousID, Timestamp: c.Timestamp, Traits: c.Traits, Context: context}
	case "track":
		return segment.Track{Event: c.Event, UserId: c.UserID, AnonymousId: c.AnonymousID, Timestamp: c.Timestamp, Properties: c.Properties, Context: context}
	case "page":
		return segment.Page{Name: c.Name, UserId: c.UserID, AnonymousId: c.AnonymousID, Timestamp: c.Timestamp, Properties: c.Properties, Context: context}
	case "screen":
		return segment.Screen{Name: c.Name, UserId: c.UserID, AnonymousId: c.AnonymousID, Timestamp: c.Timestamp, Properties: c.Properties, Context: context}
	case "group":
		return segment.Group{GroupId: c.GroupID, UserId: c.UserID, AnonymousId: c.AnonymousID, Timestamp: c.Timestamp, Traits: c.Traits, Context: context}
	}
	return segment.Alias{UserId: c.UserID, PreviousId: c.PreviousID, Timestamp: c.Timestamp, Context: context}
}

type rudderstackOutcomes struct{ outcomes }

func (o rudderstackOutcomes) Success(rudderstack.Message) { o.outcomes <- nil }
func (o rudderstackOutcomes) Failure(_ rudderstack.Message, e error) {
	o.outcomes <- fmt.Errorf("failed: %w", e)
}

func rudderstackGo(t *testing.T, url, key string, calls []call) {
	t.Helper()
	told := make(outcomes, len(calls))
	client, err := rudderstack.NewWithConfig(key, rudderstack.Config{DataPlaneUrl: url, BatchSize: len(calls), Callback: rudderstackOutcomes{told},
		RetryAfter: promptly, Logger: rudderstack.StdLogger(log.New(io.Discard, "", 0))})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range calls {
		if err := client.Enqueue(rudderstackMessage(c)); err != nil {
			t.Fatal(err)
		}
	}
	told.wait(t, len(calls))
	if err := client.Close(); err != nil {
		t.Error(err)
	}
}

func rudderstackMessage(c call) rudderstack.Message {
	var context *rudderstack.Context
	if c.Context != nil {
		app := c.Context["app"].(map[string]any)
		context = &rudderstack.Context{IP: net.ParseIP(c.Context["ip"].(string)), Locale: c.Context["locale"].(string),
			App: rudderstack.AppInfo{Name: app["name"].(string), Version: app["version"].(string)}}
	}
	switch c.Type {
	case "identify":
		return rudderstack.Identify{UserId: c.UserID, AnonymousId: c.AnonymousID, OriginalTimestamp: c.Timestamp, Traits: c.Traits, Context: context}
	case "track":
		return rudderstack.Track{Event: c.Event, UserId: c.UserID, AnonymousId: c.AnonymousID, OriginalTimestamp: c.Timestamp, Properties: c.Properties, Context: context}
	case "page":
		return rudderstack.Page{Name: c.Name, UserId: c.UserID, AnonymousId: c.AnonymousID, OriginalTimestamp: c.Timestamp, Properties: c.Properties, Context: context}
	case "screen":
		return rudderstack.Screen{Name: c.Name, UserId: c.UserID, AnonymousId: c.AnonymousID, OriginalTimestamp: c.Timestamp, Properties: c.Properties, Context: context}
	case "group":
		return rudderstack.Group{GroupId: c.GroupID, UserId: c.UserID, AnonymousId: c.AnonymousID, OriginalTimestamp: c.Timestamp, Traits: c.Traits, Context: context}
	}
	return rudderstack.Alias{UserId: c.UserID, PreviousId: c.PreviousID, OriginalTimestamp: c.Timestamp, Context: context}
}
