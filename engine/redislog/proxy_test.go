package redislog_test

import (
	"bytes"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"switchyard/engine"
	"switchyard/engine/redislog"
	"switchyard/engine/redislog/redistest"
)

// proxy stands between a process and its Redis. It can be slow, and it can let replies vanish: what was asked for is
// done, and the connection ends before anybody hears of it.
type proxy struct {
	t        *testing.T
	listener net.Listener
	target   string
	// delay is of each reply, in nanoseconds.
	delay atomic.Int64

	mu        sync.Mutex
	vanishing string // the text of the requests whose replies vanish
	least     int    // how long these are
	left      int    // how many still do
	vanished  int    // how many have
}

func newProxy(t *testing.T, server *redistest.Server) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, listener: listener, target: "127.0.0.1:" + strconv.Itoa(server.Port())}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(conn)
		}
	}()
	return p
}

func (p *proxy) url() string { return "redis://" + p.listener.Addr().String() }

func (p *proxy) slow(delay time.Duration) { p.delay.Store(int64(delay)) }

// vanish lets so many replies vanish of those to requests with a text that are of some length at least.
func (p *proxy) vanish(text string, least, times int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.vanishing, p.least, p.left = text, least, times
}

// gone is how many replies have vanished.
func (p *proxy) gone() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.vanished
}

// takes reports whether a reply is to vanish.
func (p *proxy) takes(request, reply []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left == 0 || len(reply) < p.least || !bytes.Contains(request, []byte(p.vanishing)) {
		return false
	}
	p.left--
	p.vanished++
	return true
}

// serve carries one connection. Its client asks one thing after the other, so the next reply is that to the last request.
func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	redis, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer redis.Close()
	var last atomic.Pointer[[]byte]
	last.Store(&[]byte{})
	go carry(redis, client, func(request []byte) bool {
		request = bytes.Clone(request)
		last.Store(&request)
		return true
	})
	carry(client, redis, func(reply []byte) bool {
		time.Sleep(time.Duration(p.delay.Load()))
		return !p.takes(*last.Load(), reply)
	})
}

// carry copies until one side ends, or what is seen says so; then both end.
func carry(to, from net.Conn, goes func(data []byte) bool) {
	defer to.Close()
	defer from.Close()
	data := make([]byte, 64<<10)
	for {
		n, err := from.Read(data)
		if n > 0 && !goes(data[:n]) {
			return
		}
		if _, failed := to.Write(data[:n]); err != nil || failed != nil {
			return
		}
	}
}

// A slow Redis makes everything slow, and nothing else.
func TestRedisIsSlow(t *testing.T) {
	const environments, events = 2, 12
	between := newProxy(t, redistest.Start(t, "--appendfsync", "no"))
	p := newPlant(t, redislog.Options{URL: between.url()}, environments, 4)
	quick := p.senders(0, events)
	quick.senders.Wait()
	p.settled(environments * events)
	between.slow(300 * time.Millisecond)
	slow := p.senders(events, 2*events)
	slow.senders.Wait()
	p.settled(environments * 2 * events)
	between.slow(0)
	again := p.senders(2*events, 3*events)
	again.senders.Wait()
	p.settled(environments * 3 * events)
	p.inOrder(quick, slow, again)
	if _, repeated := p.ledger.count(); repeated > 0 || p.events() != environments*3*events {
		t.Errorf("%d effects were asked for again, %d events in the log", repeated, p.events())
	}
	if n := p.errors.Load(); n > 0 || p.said.lines("level=WARN") > 0 {
		t.Errorf("%d errors; slow is not away:\n%s", n, p.said.text.String())
	}
}

// What was asked for is done, and the reply is lost: whoever asks again is told so, and nothing is done twice.
func TestRepliesAreLost(t *testing.T) {
	const something = 200 // bytes of a reply that has an event or an action
	for script, least := range map[string]int{"append": 0, "claim": something, "commit": 0, "due": something, "record": 0, "beat": 0, "own": 0} {
		t.Run(script, func(t *testing.T) {
			const environments, events, lost = 2, 40, 6
			server := redistest.Start(t, "--appendfsync", "no")
			first := newPlant(t, redislog.Options{URL: server.URL()}, 1, 4) // so that the server knows the scripts
			first.insist(0, 0)
			first.settled(1)
			first.stop()

			between := newProxy(t, server)
			between.vanish(redislog.ScriptHash(script), least, lost)
			p := newPlant(t, redislog.Options{URL: between.url(), Lease: testLease}, environments, 4)
			sent := p.senders(1, 1+events)
			sent.senders.Wait()
			p.settled(environments * events)
			p.inOrder(sent)
			repeats := 0
			if script == "append" {
				repeats = lost
			}
			if n := p.events(); n != 1+environments*events+repeats {
				t.Errorf("%d events in the log for %d that were sent and %d that were sent again", n, environments*events, repeats)
			}
			if _, again := p.ledger.count(); again > 0 {
				t.Errorf("%d effects were asked for again", again)
			}
			p.attemptedOnce(1 + environments*events)
			if between.gone() != lost || p.errors.Load() == 0 {
				t.Errorf("%d replies were lost, %d errors counted", between.gone(), p.errors.Load())
			}
		})
	}
}

// attemptedOnce checks that there are so many actions in the logs, each with the one attempt that did it.
func (p *plant) attemptedOnce(want int) {
	p.t.Helper()
	n := 0
	for _, name := range p.names {
		page, err := p.log.Actions(p.ctx, engine.ActionQuery{Environment: name, Limit: 500})
		if err != nil {
			p.t.Fatal(err)
		}
		for _, action := range page.Items {
			if n++; action.Status != engine.StatusSucceeded || len(action.Attempts) != 1 {
				p.t.Errorf("%s is %s after %d attempts", action.ID, action.Status, len(action.Attempts))
			}
		}
	}
	if n != want {
		p.t.Errorf("%d actions for %d events", n, want)
	}
}
