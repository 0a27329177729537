package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Bodies that are meant to hurt, again and again: the process takes no more memory in the fifth round than in the first,
// and never much.
func TestMemoryStaysFlatUnderHostileBodies(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("this system does not tell the memory of a process in /proc")
	}
	p := launch(t, buildBinary(t), "embedded")
	bodies := [][]byte{
		[]byte(`{"type":"track","event":"` + strings.Repeat("x", 5<<20) + `"}`),
		[]byte(gzipped(t, strings.Repeat(" ", 64<<20))),
		[]byte(gzipped(t, `{"type":"track","event":"x","properties":{"a":[`+strings.Repeat("1,", 600_000)+`1]}}`)),
		[]byte(`{"type":"track","event":"x","properties":{"a":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}}`),
		[]byte(`{"type":"track","event":"x","properties":` + strings.Repeat(`{"a":`, 100_000)),
		[]byte("[" + strings.Repeat(`{"type":"page"},`, 4001) + `{"type":"page"}]`),
	}
	var peaks []int
	for range 5 {
		resetPeak(t, p.cmd.Process.Pid)
		slow := p.dribble(t, 100)
		p.bombard(t, bodies, 12)
		for _, conn := range slow {
			conn.Close()
		}
		peaks = append(peaks, peak(t, p.cmd.Process.Pid))
	}
	t.Logf("peak of resident memory in each round: %v MiB", peaks)
	if first, last := peaks[0], peaks[len(peaks)-1]; last > first+first/2+32 {
		t.Errorf("the memory grows: %v MiB", peaks)
	}
	if most := 400; peaks[0] > most {
		t.Errorf("%d MiB at the peak, want at most %d", peaks[0], most)
	}
	p.post("api-key", `{"type":"track","event":"x","userId":"u","messageId":"after"}`, 200)
	p.settled("after")
}

// dribble opens connections whose bodies never come to an end.
func (p *process) dribble(t *testing.T, count int) []net.Conn {
	t.Helper()
	var open []net.Conn
	for range count {
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.ingest, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		fmt.Fprintf(conn, "POST /v1/receive/api-key HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n{", 4<<20)
		open = append(open, conn)
	}
	return open
}

// bombard posts every body several times, some at once.
func (p *process) bombard(t *testing.T, bodies [][]byte, times int) {
	var group sync.WaitGroup
	slots := make(chan struct{}, 8)
	for range times {
		for n, body := range bodies {
			slots <- struct{}{}
			group.Go(func() {
				defer func() { <-slots }()
				response, err := http.Post(p.ingest+"/v1/receive/api-key", "application/json", bytes.NewReader(body))
				if err != nil {
					t.Errorf("body %d: %v", n, err)
					return
				}
				defer response.Body.Close()
				_, _ = io.Copy(io.Discard, response.Body)
				if response.StatusCode != 400 && response.StatusCode != 413 {
					t.Errorf("body %d was answered %d", n, response.StatusCode)
				}
			})
		}
	}
	group.Wait()
}

// resetPeak has the kernel measure the peak anew.
func resetPeak(t *testing.T, pid int) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
}

// peak is the most resident memory since, in MiB.
func peak(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib >> 10
}
