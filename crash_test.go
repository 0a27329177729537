package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/engine/redislog/redistest"
)

// process is the real binary, so that it can be killed.
type process struct {
	*instance
	cmd *exec.Cmd
}

// buildBinary builds the program, with flags of go build.
func buildBinary(t *testing.T, flags ...string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "switchyard")
	if out, err := exec.Command("go", slices.Concat([]string{"build", "-o", binary}, flags, []string{"."})...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func launch(t *testing.T, binary, redis string) *process {
	t.Helper()
	return launchWith(t, binary, redis, signup["rules.yaml"])
}

// launchWith serves the connections of signup with rules of one's own, a file each.
func launchWith(t *testing.T, binary, redis string, rules ...string) *process {
	t.Helper()
	i := &instance{t: t, dir: t.TempDir(), log: &logBuffer{}}
	ingest, admin := freeAddress(t), freeAddress(t)
	i.write("switchyard.yaml", fmt.Sprintf("listen: %s\nadmin_listen: %s\n%s", ingest, admin,
		strings.Replace(signup["switchyard.yaml"], "[rules.yaml]", `["rules*.yaml"]`, 1)))
	for n, text := range rules {
		i.write(fmt.Sprintf("rules%d.yaml", n), text)
	}
	i.ingest, i.admin = "http://"+ingest, "http://"+admin
	p := &process{instance: i, cmd: exec.Command(binary, "serve", "-c", filepath.Join(i.dir, "switchyard.yaml"), "--redis", redis)}
	p.cmd.Stderr = i.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.kill() })
	p.awaitReady()
	return p
}

func (p *process) awaitReady() {
	p.t.Helper()
	eventually(p.t, "ready", func() bool {
		answer, err := http.Get(p.admin + "/readyz")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == 200
	})
}

// redisDo speaks to the server beside the program under test.
func redisDo(t *testing.T, server *redistest.Server, words ...any) any {
	t.Helper()
	options, err := redis.ParseURL(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	defer client.Close()
	reply, err := client.Do(t.Context(), words...).Result()
	if err != nil {
		t.Fatalf("%v: %v", words, err)
	}
	return reply
}

func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Signal(syscall.SIGKILL)
		_ = p.cmd.Wait()
	}
}

func TestKilledAfterThe200(t *testing.T) {
	store, binary := redistest.Start(t), buildBinary(t)
	for round := range 3 {
		p := launch(t, binary, store.URL())
		id := fmt.Sprintf("k-%d", round)
		p.post("api-key", fmt.Sprintf(inlineSignup, id), 200)
		p.kill() // at once: the event is acknowledged, and hardly decided yet

		again := launch(t, binary, store.URL())
		if record := again.settled(id); record.Outcome != "matched" || len(record.Actions) != 1 || record.Actions[0].Status != "succeeded" {
			t.Errorf("after the restart: %+v", record)
		}
		var actions struct{ Items []actionRecord }
		again.get(testEnvironment+"/actions?status=succeeded&limit=500", &actions)
		if len(actions.Items) != round+1 {
			t.Errorf("%d actions were done for %d events", len(actions.Items), round+1)
		}
		again.kill()
	}
	if runs := redisDo(t, store, "XLEN", "sy:{test:runs}:stream"); runs != int64(3) {
		t.Errorf("%v workflow runs for 3 events", runs)
	}
}

func TestSIGTERMDrains(t *testing.T) {
	store, binary := redistest.Start(t), buildBinary(t)
	p := launch(t, binary, store.URL())
	p.post("api-key", fmt.Sprintf(inlineSignup, "drain"), 200)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the end was not clean: %v\n%s", err, p.log)
	}
}

func TestRedisStopsAndComesBack(t *testing.T) {
	store := redistest.Start(t)
	i := start(t, store.URL(), signup)
	i.post("api-key", fmt.Sprintf(inlineSignup, "away-1"), 200)
	i.settled("away-1")

	store.Stop()
	answer := i.do(http.MethodPost, i.ingest+"/v1/receive/api-key", fmt.Sprintf(inlineSignup, "away-2"))
	if answer.Status != 503 || answer.Header.Get("Retry-After") == "" || !strings.Contains(answer.Body, `"unavailable"`) {
		t.Errorf("Redis away: %d %v %s", answer.Status, answer.Header, answer.Body)
	}
	if ready := i.do(http.MethodGet, i.admin+"/readyz", ""); ready.Status != 503 {
		t.Errorf("readyz says %d while Redis is away", ready.Status)
	}
	if healthy := i.do(http.MethodGet, i.admin+"/healthz", ""); healthy.Status != 200 {
		t.Errorf("healthz says %d; a restart would not help", healthy.Status)
	}

	store.Restart()
	eventually(t, "ready again", func() bool { return i.do(http.MethodGet, i.admin+"/readyz", "").Status == 200 })
	i.post("api-key", fmt.Sprintf(inlineSignup, "away-2"), 200)
	if record := i.settled("away-2"); record.Outcome != "matched" {
		t.Errorf("after the return: %+v", record)
	}

	// A consumer group that is gone, as after a restore of an old snapshot, is made again.
	for partition := range 4 {
		redisDo(t, store, "XGROUP", "DESTROY", fmt.Sprintf("sy:{test:%d}:events", partition), "router")
	}
	i.post("api-key", fmt.Sprintf(inlineSignup, "away-3"), 200)
	if record := i.settled("away-3"); record.Outcome != "matched" || record.Actions[0].Status != "succeeded" {
		t.Errorf("after the group was gone: %+v", record)
	}

	// So is everything when Redis was flushed.
	redisDo(t, store, "FLUSHALL")
	i.post("api-key", fmt.Sprintf(inlineSignup, "away-4"), 200)
	if record := i.settled("away-4"); record.Outcome != "matched" {
		t.Errorf("after a flush: %+v", record)
	}
}

func TestStartWaitsForRedis(t *testing.T) {
	store := redistest.Start(t)
	store.Stop()
	files := t.TempDir()
	for name, text := range signup {
		if err := os.WriteFile(filepath.Join(files, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	logger, err := newLogger(&logBuffer{}, "info", "text")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	up, ended := make(chan *server, 1), make(chan error, 1)
	go func() {
		options := serving{file: filepath.Join(files, "switchyard.yaml"), redis: store.URL(), listen: "127.0.0.1:0", adminListen: "127.0.0.1:0"}
		ended <- runServer(ctx, options, logger, func(s *server) { up <- s })
	}()
	store.Restart()
	select {
	case <-up:
	case err := <-ended:
		t.Fatalf("the start gave up: %v", err)
	}
	cancel()
	<-ended
}

// The store of an environment may be away while other nodes answer.
func TestStartWaitsForAPartOfACluster(t *testing.T) {
	cluster := redistest.StartReplicated(t)
	cluster.MasterOf("sy:{test}:meta").Kill()
	i := start(t, cluster.URL(), signup)
	i.post("api-key", fmt.Sprintf(inlineSignup, "late"), 200)
	if record := i.settled("late"); record.Outcome != "matched" {
		t.Errorf("after the failover: %+v", record)
	}
	if !strings.Contains(i.log.String(), "Redis does not answer; trying again") {
		t.Errorf("the log does not say why it took so long:\n%s", i.log)
	}
}

// A stranger's idle connection must not take the time that calls under way have.
func TestAnIdleConnectionDoesNotHoldUpTheStop(t *testing.T) {
	i := start(t, "embedded", signup)
	conn, err := net.Dial("tcp", strings.TrimPrefix(i.ingest, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("POST /v1/receive/api-key HTTP/1.1\r\n")); err != nil {
		t.Fatal(err)
	}
	stopped := make(chan struct{})
	go func() {
		i.stop()
		close(stopped)
	}()
	select {
	case <-stopped:
	case <-time.After(drainTime - 5*time.Second):
		t.Error("the stop waits for a connection that says nothing")
	}
}
