package redislog_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"switchyard/engine"
	"switchyard/engine/redislog"
	"switchyard/engine/redislog/redistest"
)

// A server that is there and refuses to write: its disk is full, or it has too few replicas.

// refuses has senders at work while the server begins to refuse, refuses for a while, and takes everything again.
func refuses(t *testing.T, server *redistest.Server, code string, begin, end func(p *plant)) *plant {
	const environments, events = 2, 60
	p := newPlant(t, redislog.Options{URL: server.URL()}, environments, 4)
	before := p.senders(0, events)
	before.senders.Wait()
	p.settled(environments * events)

	under := p.senders(events, 2*events)
	begin(p)
	refused, bystanders := p.refused(code)
	p.eventually("claims and lanes have met the refusal", func() bool {
		return p.said.lines("events can not be claimed") > 0 && p.said.lines("actions can not be claimed") > 0
	})
	asked, all := commands(t, p.log.Client())
	began := time.Now()
	p.eventually("it has lasted for a few seconds", func() bool { return time.Since(began) > 3*time.Second })
	askedThen, allThen := commands(t, p.log.Client())
	each := time.Since(began).Seconds() * environments * 4
	t.Logf("refused, a second and partition: asked %.1f times, %.1f commands in all", float64(askedThen-asked)/each, float64(allThen-all)/each)
	// The two senders insist fifty times a second each.
	if most := 3*each + 2*50*time.Since(began).Seconds(); float64(askedThen-asked) > most {
		t.Errorf("the server was asked %d times while it refused, want at most %.0f", askedThen-asked, most)
	}
	if p.errors.Load() == 0 {
		t.Error("no error was counted")
	}
	end(p)

	under.senders.Wait()
	p.settled(environments * 2 * events)
	p.inOrder(before, under)
	for _, event := range append(under.stored[0], p.repeated(refused)) {
		if event.DuplicateOf != "" {
			t.Errorf("%s repeats %s: a refused event was stored by half", event.MessageID, event.DuplicateOf)
		}
	}
	if n, acknowledged := p.events(), environments*2*events+bystanders+1; n != acknowledged {
		t.Errorf("%d events in the log, %d were acknowledged", n, acknowledged)
	}
	if lines := p.said.lines("level=WARN"); lines > 6 {
		t.Errorf("%d lines in the log:\n%s", lines, p.said.text.String())
	}
	if lines := p.said.lines("does its work again"); lines != 1 {
		t.Errorf("the log says %d times that all is well again:\n%s", lines, p.said.text.String())
	}
	_, again := p.ledger.count()
	t.Logf("%d effects were asked for again, under their keys", again)
	return p
}

// refused sends events of nobody until one is refused, and returns that one and how many were not.
func (p *plant) refused(code string) (event *engine.Event, accepted int) {
	p.t.Helper()
	var err error
	p.eventually("an event is refused", func() bool {
		event = &engine.Event{Environment: p.names[0], Source: "web", Type: engine.TypeTrack, MessageID: fmt.Sprint("bystander", accepted)}
		if err = p.envs[0].Append(p.ctx, []*engine.Event{event}); err == nil {
			accepted++
		}
		return err != nil
	})
	if !errors.Is(err, engine.ErrUnavailable) || !strings.Contains(err.Error(), code) || event.ID != "" {
		p.t.Errorf("%v, id %q", err, event.ID)
	}
	return event, accepted
}

// repeated sends an event once more, and now it is acknowledged.
func (p *plant) repeated(event *engine.Event) *engine.Event {
	p.t.Helper()
	if err := p.envs[0].Append(p.ctx, []*engine.Event{event}); err != nil {
		p.t.Error(err)
	}
	return event
}

func TestTheDiskOfRedisIsFull(t *testing.T) {
	server := redistest.StartOnDisk(t)
	p := refuses(t, server, "MISCONF", func(*plant) { server.FillDisk() }, func(*plant) { server.FreeDisk() })
	events := p.events()
	p.stop()
	server.Kill()
	server.Restart()
	if n := newPlant(t, redislog.Options{URL: server.URL()}, 2, 4).events(); n != events {
		t.Errorf("%d events are left of %d when the server has crashed", n, events)
	}
}

func TestRedisHasTooFewReplicas(t *testing.T) {
	server := redistest.Start(t, "--appendfsync", "no")
	need := func(replicas string) func(*plant) {
		return func(p *plant) {
			if err := p.log.Client().ConfigSet(p.ctx, "min-replicas-to-write", replicas).Err(); err != nil {
				t.Error(err)
			}
		}
	}
	refuses(t, server, "NOREPLICAS", need("1"), need("0"))
}
