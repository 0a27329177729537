//go:build !linux

package redistest

import "testing"

func needsDisk(t testing.TB) {
	t.Helper()
	t.Skip("the disk of another process can be filled on Linux only")
}

const unlimited = ^uint64(0)

func (s *Server) limitFiles(uint64) {}
