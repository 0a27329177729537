package redistest

import (
	"syscall"
	"testing"
	"unsafe"
)

func needsDisk(testing.TB) {}

// unlimited is no limit.
const unlimited = ^uint64(0)

// limitFiles bounds the size of the files that the server writes.
func (s *Server) limitFiles(size uint64) {
	s.t.Helper()
	limit := syscall.Rlimit{Cur: size, Max: unlimited}
	_, _, failed := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(s.command.Process.Pid), syscall.RLIMIT_FSIZE, uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
	if failed != 0 {
		s.t.Fatalf("the size of files can not be limited: %v", failed)
	}
}
