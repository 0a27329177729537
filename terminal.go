package main

import (
	"fmt"
	"io"
	"os"
)

// progressOn writes over one line of a terminal, and nothing elsewhere; "" wipes it.
func progressOn(stderr io.Writer) func(string, ...any) {
	if !onTerminal(stderr) {
		return func(string, ...any) {}
	}
	return func(format string, values ...any) { fmt.Fprintf(stderr, "\r\x1b[K"+format, values...) }
}

// onTerminal reports whether a person watches what is written.
func onTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
