package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"switchyard/engine/redislog/redistest"
)

// fleet is several processes on one Redis, and what its senders have met.
type fleet struct {
	t         *testing.T
	processes []*process
	// refused are tries that another process, or another try, had to take over.
	refused, acknowledged atomic.Int64
	over                  chan struct{}
	redis                 func(words ...any) any
}

// signupOf is an event that starts one workflow.
func signupOf(user, messageID string) string {
	return fmt.Sprintf(`{"type":"track","event":"user-signed-up","userId":%q,"messageId":%q,"properties":{"recipients":[{"id":%q}]}}`, user, messageID, user)
}

var fleetClient = &http.Client{Timeout: 10 * time.Second}

// send posts the events of one user, one after the other, each until it is acknowledged.
func (f *fleet) send(user string) {
	for n := 0; ; n++ {
		body := signupOf(user, fmt.Sprint(user, "-", n))
		for try := n; !f.post(f.processes[try%len(f.processes)], body); try++ {
			f.refused.Add(1)
		}
		f.acknowledged.Add(1)
		select {
		case <-f.over:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// post reports whether an event was acknowledged. A process that is not there, or is about to leave, is no error to a
// sender; any other answer is.
func (f *fleet) post(p *process, body string) bool {
	answer, err := fleetClient.Post(p.ingest+"/v1/receive/api-key", "application/json", strings.NewReader(body))
	if err != nil {
		// The last is of a connection that was kept open and is closed in good order.
		if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "server closed idle connection") {
			f.t.Errorf("a sender sees %v", err)
		}
		return false
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	if answer.StatusCode == http.StatusServiceUnavailable && answer.Header.Get("Retry-After") != "" {
		return false
	}
	if answer.StatusCode != http.StatusOK {
		f.t.Errorf("a sender is answered %d %s", answer.StatusCode, text)
	}
	return true
}

// restart has one process drain and begin another life, with a request under way that takes its time.
func (f *fleet) restart(p *process) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.ingest, "http://"))
	if err != nil {
		f.t.Fatal(err)
	}
	defer conn.Close()
	body := signupOf("slow", fmt.Sprint("slow-", p.cmd.Process.Pid))
	fmt.Fprintf(conn, "POST /v1/receive/api-key HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(body))
	answers := bufio.NewReader(conn)
	if answer, err := http.ReadResponse(answers, nil); err != nil || answer.StatusCode != http.StatusContinue {
		f.t.Fatalf("the request is not begun: %+v, %v", answer, err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		f.t.Fatal(err)
	}
	eventually(f.t, "it says that it is not ready", func() bool {
		return p.do(http.MethodGet, p.admin+"/readyz", "").Status == http.StatusServiceUnavailable
	})
	if _, err := io.WriteString(conn, body); err != nil {
		f.t.Error(err)
	}
	answer, err := http.ReadResponse(answers, nil)
	if err != nil || answer.StatusCode != http.StatusOK {
		f.t.Errorf("the request under way is answered %+v, %v", answer, err)
	} else {
		f.acknowledged.Add(1)
	}
	pid, began := p.cmd.Process.Pid, time.Now()
	if err := p.cmd.Wait(); err != nil || time.Since(began) > drainTime {
		f.t.Errorf("its end: %v after %v\n%s", err, time.Since(began), p.log)
	}
	f.left(pid)
	p.relaunch()
}

// left checks that a process which has ended keeps no partition and is no member.
func (f *fleet) left(pid int) {
	me := fmt.Sprintf("-%d-", pid)
	for partition := range 4 {
		if token := fmt.Sprint(f.redis("MGET", fmt.Sprintf("sy:{test:%d}:owner", partition))); strings.Contains(token, me) {
			f.t.Errorf("partition %d is still of %s, which has ended", partition, token)
		}
	}
	if members := fmt.Sprint(f.redis("ZRANGE", "sy:{test}:members", 0, -1)); strings.Contains(members, me) {
		f.t.Errorf("process %d has ended and is a member: %s", pid, members)
	}
}

// relaunch begins another life on the same addresses.
func (p *process) relaunch() {
	p.t.Helper()
	p.cmd = exec.Command(p.cmd.Path, p.cmd.Args[1:]...)
	p.cmd.Stderr = p.log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.awaitReady()
}

// settle waits until nothing is pending, waits or is tried again.
func (f *fleet) settle() {
	f.t.Helper()
	eventually(f.t, "all is decided and done", func() bool {
		open := 0
		for _, list := range []string{"events?outcome=pending", "actions?status=waiting", "actions?status=retrying"} {
			pages(f.t, f.processes[0], list, func(struct{}) { open++ })
		}
		return open == 0
	})
}

// delays are how many events were matched and how many effects they had, and how long an event waited at most until it was
// decided, and until it was done.
func (f *fleet) delays() (events, effects int, decided, done time.Duration) {
	f.t.Helper()
	received := map[string]time.Time{}
	pages(f.t, f.processes[0], "events?", func(e delayedEvent) {
		received[e.ID] = e.ReceivedAt
		decided = max(decided, e.DecidedAt.Sub(e.ReceivedAt))
		switch e.Outcome {
		case "matched":
			events++
		case "duplicate": // of a try whose answer did not come
		default:
			f.t.Errorf("event %s is %s", e.ID, e.Outcome)
		}
	})
	pages(f.t, f.processes[0], "actions?", func(a delayedAction) {
		if len(a.Attempts) == 0 || a.Status != "succeeded" {
			f.t.Errorf("action %s is %s after %d attempts", a.ID, a.Status, len(a.Attempts))
			return
		}
		effects++
		last := a.Attempts[len(a.Attempts)-1]
		done = max(done, last.At.Add(time.Duration(last.Seconds*float64(time.Second))).Sub(received[a.EventID]))
	})
	return events, effects, decided, done
}

type delayedEvent struct {
	ID, Outcome string
	ReceivedAt  time.Time `json:"received_at"`
	DecidedAt   time.Time `json:"decided_at"`
}

type delayedAction struct {
	ID, Status string
	EventID    string `json:"event_id"`
	Attempts   []struct {
		At      time.Time
		Seconds float64
	}
}

// pages reads a whole list of the management API.
func pages[T any](t *testing.T, p *process, list string, each func(T)) {
	t.Helper()
	for cursor := ""; ; {
		var page listOf[T]
		p.get(testEnvironment+"/"+list+"&limit=200"+cursor, &page)
		for _, item := range page.Items {
			each(item)
		}
		if page.NextCursor == "" {
			return
		}
		cursor = "&cursor=" + page.NextCursor
	}
}

// Three processes are restarted one after the other under load: whoever sends again elsewhere notices nothing, and every
// event is decided and done about as soon as ever.
func TestRollingRestart(t *testing.T) {
	store, binary := redistest.Start(t, "--appendfsync", "no"), buildBinary(t)
	f := &fleet{t: t, over: make(chan struct{}), redis: func(words ...any) any { return redisDo(t, store, words...) }}
	for range 3 {
		f.processes = append(f.processes, launch(t, binary, store.URL()))
	}
	var senders sync.WaitGroup
	for n := range 6 {
		senders.Go(func() { f.send(fmt.Sprint("user", n)) })
	}
	for _, p := range f.processes {
		before := f.acknowledged.Load()
		eventually(t, "the load goes on", func() bool { return f.acknowledged.Load() > before+200 })
		f.restart(p)
	}
	before := f.acknowledged.Load()
	eventually(t, "the load goes on", func() bool { return f.acknowledged.Load() > before+200 })
	close(f.over)
	senders.Wait()
	f.settle()
	events, effects, decided, done := f.delays()
	if want := int(f.acknowledged.Load()); events != want || effects != want {
		t.Errorf("%d events and %d effects of %d that were acknowledged", events, effects, want)
	}
	t.Logf("%d events, %d tries refused; at most %v until decided, %v until done", events, f.refused.Load(), decided, done)
	if most := 5 * time.Second; decided > most || done > most {
		t.Errorf("an event waited %v until decided, one %v until done", decided, done)
	}
}
