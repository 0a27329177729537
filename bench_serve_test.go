package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestBenchTableServe is what a hundred thousand rules come to in the real process, in ten files of which one changes, and
// holds what is promised of it: `make bench`.
func TestBenchTableServe(t *testing.T) {
	if os.Getenv("SWITCHYARD_BENCH") == "" {
		t.Skip("a benchmark: make bench runs it")
	}
	var files []string
	for n := range 10 {
		var text strings.Builder
		text.WriteString("rules:\n")
		for i := range 10_000 {
			number := 10_000*n + i
			fmt.Fprintf(&text, "  - key: r%d\n    match: type == \"track\" && name == \"event-%d\" && data.plan in [\"pro\", \"team\"]\n"+
				"    actions: [{trigger: {workflow: welcome, recipients: user_id, data: 'pick(data, \"plan\", \"seats\")'}}]\n", number, number)
		}
		files = append(files, text.String())
	}
	binary, began := buildBinary(t), time.Now()
	p := launchWith(t, binary, "embedded", files...)
	started, atStart := time.Since(began), peak(t, p.cmd.Process.Pid)
	const reloads = 10
	var slowest time.Duration
	for n := range reloads {
		p.write("rules5.yaml", strings.Replace(files[5], `"team"`, fmt.Sprintf(`"team-%d"`, n), 1))
		began := time.Now()
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the reload", func() bool { return strings.Count(p.log.String(), "msg=reloaded") > n })
		slowest = max(slowest, time.Since(began))
	}
	most := peak(t, p.cmd.Process.Pid)
	fmt.Printf("\nserve with 100,000 rules in ten files: up after %.1f s with %d MiB; one rule changed, %d times: at most %.2f s, peak %d MiB\n",
		started.Seconds(), atStart, reloads, slowest.Seconds(), most)
	if started > 15*time.Second || slowest > time.Second || most > 600 {
		t.Error("want at most 15 s, 1 s and 600 MiB")
	}
}
