// Package redistest starts real redis-servers for a test, alone, as a cluster or behind a sentinel, which may stop them, kill
// them and start them again.
package redistest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Server is a redis-server of one test, on a free port of the loopback interface, with an append-only file that is
// synced at every write: what it answered it still has after Kill and Restart.
type Server struct {
	t       testing.TB
	dir     string
	port    int
	args    []string
	command *exec.Cmd
	output  bytes.Buffer
	// bounded: what does not fit on its disk is an error to it, and not its end; see StartOnDisk.
	bounded bool
}

// Start starts a server with further arguments of redis-server, such as "--maxmemory", "1mb", and ends it with the test.
// Without a redis-server the test is skipped, or fails when CI=true.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return startOn(t, FreePort(t), args...)
}

func startOn(t testing.TB, port int, args ...string) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("redis-server is not installed")
		}
		t.Skip("redis-server is not installed")
	}
	s := &Server{t: t, dir: t.TempDir(), port: port, args: args}
	s.Restart()
	t.Cleanup(s.Kill)
	return s
}

// StartCluster starts a server that is a whole cluster by itself: it refuses a script whose keys are of several slots,
// as any cluster does.
func StartCluster(t testing.TB) *Server {
	t.Helper()
	s := startOn(t, portWithBus(t), "--cluster-enabled", "yes")
	s.say("CLUSTER ADDSLOTSRANGE 0 16383")
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(s.say("CLUSTER INFO"), "cluster_state:ok"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the cluster does not come up")
		}
	}
	return s
}

// StartReplica starts a server that follows another, and waits until it is in step.
func StartReplica(t testing.TB, master *Server, args ...string) *Server {
	t.Helper()
	s := Start(t, append([]string{"--replicaof", "127.0.0.1", strconv.Itoa(master.port), "--repl-diskless-sync-delay", "0"}, args...)...)
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(s.say("INFO replication"), "master_link_status:up"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the replica does not come up")
		}
	}
	return s
}

// StartSentinel starts a sentinel that watches one server under the name "main", and returns its port. When the server is
// away for a second, a replica that it had takes over.
func StartSentinel(t testing.TB, master *Server) int {
	t.Helper()
	port, dir := FreePort(t), t.TempDir()
	config := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %s\nsentinel monitor main 127.0.0.1 %d 1\n"+
		"sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 10000\n", port, dir, master.port)
	file := filepath.Join(dir, "sentinel.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &Server{t: t, dir: dir, port: port, command: exec.Command("redis-server", file, "--sentinel")}
	if err := s.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	s.wait()
	return port
}

// StartOnDisk starts a server whose disk can be filled. It syncs its file every second, for one that does so at every write
// ends when it can not.
func StartOnDisk(t testing.TB, args ...string) *Server {
	t.Helper()
	needsDisk(t)
	s := Start(t, args...)
	s.Kill()
	s.bounded, s.args = true, append([]string{"--appendfsync", "everysec"}, args...)
	s.Restart()
	return s
}

// FillDisk leaves no room for what is written from now on, FreeDisk makes room again.
func (s *Server) FillDisk() {
	s.t.Helper()
	files, _ := filepath.Glob(filepath.Join(s.dir, "appendonlydir", "*.incr.aof"))
	if len(files) != 1 {
		s.t.Fatalf("the append-only file is not one of %v", files)
	}
	info, err := os.Stat(files[0])
	if err != nil {
		s.t.Fatal(err)
	}
	s.limitFiles(uint64(info.Size()))
}

// FreeDisk undoes FillDisk.
func (s *Server) FreeDisk() {
	s.t.Helper()
	s.limitFiles(unlimited)
}

// URL is where it listens.
func (s *Server) URL() string { return "redis://127.0.0.1:" + strconv.Itoa(s.port) }

// Port is the port that it listens on.
func (s *Server) Port() int { return s.port }

// Restart starts it, again on the same port with the same files, and waits until it answers.
func (s *Server) Restart() {
	s.t.Helper()
	args := append([]string{
		"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", s.dir, "--save", "",
		"--appendonly", "yes", "--appendfsync", "always", "--logfile", filepath.Join(s.dir, "redis.log"),
	}, s.args...)
	s.command = exec.Command("redis-server", args...)
	if s.bounded { // the signal that comes with the error would end it
		s.command = exec.Command("sh", append([]string{"-c", `trap "" XFSZ; exec redis-server "$@"`, "redis-server"}, args...)...)
	}
	s.command.Stdout, s.command.Stderr = &s.output, &s.output
	if err := s.command.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.wait()
}

func (s *Server) wait() {
	s.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if answer := s.say("PING"); strings.HasPrefix(answer, "+PONG") || strings.HasPrefix(answer, "-NOAUTH") {
			return
		}
	}
	log, _ := os.ReadFile(filepath.Join(s.dir, "redis.log"))
	s.t.Fatalf("redis-server does not answer\n%s%s", s.output.Bytes(), log)
}

// say sends one command and returns the beginning of the reply, "" when there is none. A server that is loading answers
// with an error.
func (s *Server) say(command string) string {
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", s.port), time.Second)
	if err != nil {
		return ""
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte(command + "\r\n")); err != nil {
		return ""
	}
	reply := make([]byte, 4096)
	n, _ := conn.Read(reply)
	return string(reply[:n])
}

// Stop ends it in good order.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

// Kill ends it without a warning, as a crash does.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Freeze stops it from answering without closing a connection, until Thaw.
func (s *Server) Freeze() { _ = s.command.Process.Signal(syscall.SIGSTOP) }

// Thaw lets it go on.
func (s *Server) Thaw() { _ = s.command.Process.Signal(syscall.SIGCONT) }

func (s *Server) end(signal syscall.Signal) {
	if s.command == nil {
		return
	}
	_ = s.command.Process.Signal(signal)
	_ = s.command.Wait()
	s.command = nil
}

// FreePort is a port of the loopback interface for a server that goes away and comes back: it is below those that systems
// give to outgoing connections, of which one would have it when the server wants it again.
func FreePort(t testing.TB) int {
	t.Helper()
	const lowest, above = 20_000, 32_000
	for range 100 {
		if port := lowest + rand.IntN(above-lowest); isFree(port) {
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// DropReplicas cuts the connections of those that follow the server; they come again at once, if they can.
func (s *Server) DropReplicas() { s.say("CLIENT KILL TYPE replica") }

// Commands is how many commands the server has run since it was started, those of scripts included.
func (s *Server) Commands() (number int) {
	_, rest, _ := strings.Cut(s.say("INFO stats"), "total_commands_processed:")
	_, _ = fmt.Sscanf(rest, "%d", &number) // 0 when there is none
	return number
}
