package redislog

import (
	"errors"
	"io"
	"testing"

	"switchyard/engine"
)

// reply is an error that a server answers with.
type reply string

func (r reply) Error() string { return string(r) }
func (r reply) RedisError()   {}

func TestWhatMeansNotNow(t *testing.T) {
	for err, notNow := range map[error]bool{
		io.EOF: true,
		reply("MISCONF Errors writing to the AOF file: No space left on device"):                                                               true,
		reply("NOREPLICAS Not enough good replicas to write. script: 1a2b, on @user_script:4."):                                                true,
		reply("ERR Error running script (call to f_1a2b): @user_script:4: @user_script: 4: -MISCONF Errors writing to the AOF file: no space"): true,
		reply("ERR Error running script (call to f_1a2b): @user_script:4: @user_script: 4: -READONLY You can't write"):                         true,
		reply("OOM command not allowed when used memory > 'maxmemory'."):                                                                       true,
		reply("ERR Error running script: @user_script:4: -OOM command not allowed when used memory > 'maxmemory'."):                            true,
		reply("WRONGTYPE Operation against a key holding the wrong kind of value"):                                                             false,
		reply("ERR unknown command"): false,
	} {
		if got := errors.Is(named("append", err), engine.ErrUnavailable); got != notNow {
			t.Errorf("%v: not now %v, want %v", err, got, notNow)
		}
	}
}
