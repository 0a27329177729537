package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"switchyard/engine/redislog/redistest"
)

// stormProcess is one of the processes of a storm, in all its lives: its addresses stay.
type stormProcess struct {
	storm         *storm
	n             int
	config        string
	ingest, admin string

	cmd *exec.Cmd
	// ended is closed when this life is over; ending says that we saw to it.
	ended  chan struct{}
	ending *atomic.Bool
}

func (s *storm) newProcess(n int) *stormProcess {
	s.t.Helper()
	ingest, admin := redistest.FreePort(s.t), redistest.FreePort(s.t)
	p := &stormProcess{
		storm: s, n: n, config: filepath.Join(s.dir, fmt.Sprintf("switchyard%d.yaml", n)),
		ingest: fmt.Sprintf("http://127.0.0.1:%d", ingest), admin: fmt.Sprintf("http://127.0.0.1:%d", admin),
	}
	text := s.storeConfig() + fmt.Sprintf(stormConfig, ingest, admin, stormPartitions, stormPatience)
	if err := os.WriteFile(p.config, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(p.kill)
	return p
}

// start begins another life, and does not wait until it is ready.
func (p *stormProcess) start() {
	log, err := os.OpenFile(p.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.storm.t.Fatal(err)
	}
	defer log.Close()
	level := "warn"
	if os.Getenv("SWITCHYARD_CHAOS_DIR") != "" {
		level = "debug"
	}
	cmd := exec.Command(p.storm.binary, "serve", "-c", p.config, "--redis", p.storm.url(), "--log-level", level)
	cmd.Env = append(os.Environ(), "CHAOS_URL="+p.storm.oracle.url, "CHAOS_SABOTAGE="+p.storm.sabotage)
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		p.storm.t.Fatal(err)
	}
	ended, ending := make(chan struct{}), &atomic.Bool{}
	p.cmd, p.ended, p.ending = cmd, ended, ending
	go func() {
		err := cmd.Wait()
		if !ending.Load() {
			p.storm.found.add(badProcess, "process %d ended by itself: %v; the end of its log:\n%s", p.n, err, p.tail())
		}
		close(ended)
	}()
}

func (p *stormProcess) log() string {
	return filepath.Join(p.storm.dir, fmt.Sprintf("process%d.log", p.n))
}

func (p *stormProcess) tail() string {
	text, _ := os.ReadFile(p.log())
	return string(text[max(0, len(text)-2000):])
}

func (p *stormProcess) signal(signal syscall.Signal) { _ = p.cmd.Process.Signal(signal) }

// kill ends it without a warning.
func (p *stormProcess) kill() {
	if p.cmd == nil {
		return
	}
	p.ending.Store(true)
	p.signal(syscall.SIGKILL)
	<-p.ended
}

// drain ends it in good order, which may take as long as calls under way may.
func (p *stormProcess) drain() {
	p.ending.Store(true)
	p.signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			p.storm.found.add(badProcess, "process %d exits with %d when it is told to stop; the end of its log:\n%s", p.n, code, p.tail())
		}
	case <-time.After(drainTime + 5*time.Second):
		p.storm.found.add(badProcess, "process %d does not end when it is told to stop", p.n)
		p.kill()
	}
}

func (p *stormProcess) isReady() bool {
	_, err := fetchText(p.admin + "/readyz")
	return err == nil
}

// awaitReady waits until senders may come.
func (p *stormProcess) awaitReady(most time.Duration) {
	for deadline := time.Now().Add(most); ; time.Sleep(20 * time.Millisecond) {
		if p.isReady() {
			return
		}
		if time.Now().After(deadline) {
			p.storm.found.add(badProcess, "process %d is not ready after %s; the end of its log:\n%s", p.n, most, p.tail())
			return
		}
	}
}

// stormClient gives up before a stopped process has held a sender for long.
var stormClient = &http.Client{Timeout: 1500 * time.Millisecond}

// fetchText gets a page; another status than 200 is an error.
func fetchText(url string) (string, error) {
	answer, err := stormClient.Get(url)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = errors.New(answer.Status)
	}
	return string(text), err
}
