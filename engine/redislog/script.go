package redislog

import (
	"context"
	"crypto/sha1"
	"encoding/hex"

	"github.com/redis/go-redis/v9"
)

// script is a Lua script; its keys are all of one hash tag, and those that it makes itself from a prefix as well.
type script struct {
	source, hash string
}

func newScript(source string) *script {
	sum := sha1.Sum([]byte(source))
	return &script{source: source, hash: hex.EncodeToString(sum[:])}
}

// call is one run of a script; Reply and Err are its outcome.
type call struct {
	script *script
	keys   []string
	args   []any

	reply any
	err   error
}

// run runs the calls in one pipeline, in their order, and stores each outcome. A server that restarted, or was told to,
// has forgotten the scripts: then the pipeline's EVALSHA fail, and unlike a single one nobody falls back for them; here
// the calls that failed run once more with their source, which the server then remembers. It returns the first error.
func (l *Log) run(ctx context.Context, op string, calls ...*call) error {
	return l.runBy(ctx, l.pipeline, op, calls)
}

// queueCall puts a call into a pipeline.
type queueCall func(pipe redis.Pipeliner, c *call) *redis.Cmd

// runBy is run by a way to run calls once, which returns those whose script the server does not have.
func (l *Log) runBy(ctx context.Context, once func(context.Context, []*call, queueCall) (forgotten []*call), op string, calls []*call) error {
	if len(calls) == 0 {
		return nil
	}
	forgotten := once(ctx, calls, func(pipe redis.Pipeliner, c *call) *redis.Cmd {
		return pipe.EvalSha(ctx, c.script.hash, c.keys, c.args...)
	})
	if len(forgotten) > 0 {
		once(ctx, forgotten, func(pipe redis.Pipeliner, c *call) *redis.Cmd {
			return pipe.Eval(ctx, c.script.source, c.keys, c.args...)
		})
	}
	var first error
	for _, c := range calls {
		if first == nil && c.err != nil {
			first = l.failed(op, c.err) // counted once a pipeline
		}
		c.err = named(op, c.err)
	}
	return first
}

// pipeline runs the calls once and returns those whose script the server does not have.
func (l *Log) pipeline(ctx context.Context, calls []*call, queue queueCall) (forgotten []*call) {
	replies := make([]*redis.Cmd, len(calls))
	_, _ = l.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, c := range calls {
			replies[i] = queue(pipe, c)
		}
		return nil
	}) // each reply has its own error, and all have the connection's
	for i, c := range calls {
		if c.take(replies[i]); c.forgotten() {
			forgotten = append(forgotten, c)
		}
	}
	return forgotten
}

// take stores the outcome; nil is a reply like others.
func (c *call) take(reply *redis.Cmd) {
	if c.reply, c.err = reply.Result(); gone(c.err) {
		c.err = nil
	}
}

// forgotten reports that the server does not have the script.
func (c *call) forgotten() bool { return redis.HasErrorPrefix(c.err, "NOSCRIPT") }

// number is an integer reply, 0 for any other.
func (c *call) number() int64 {
	n, _ := c.reply.(int64)
	return n
}

// list is an array reply, nil for any other.
func (c *call) list() []any {
	list, _ := c.reply.([]any)
	return list
}

// text is a string in a reply; "" for nil and anything else.
func text(reply any) string {
	s, _ := reply.(string)
	return s
}

// texts are the strings of an array in a reply.
func texts(reply any) []string {
	list, _ := reply.([]any)
	out := make([]string, len(list))
	for i := range list {
		out[i] = text(list[i])
	}
	return out
}

// entry is one entry of a stream: fields and their values in turn. Fields is nil for an entry that was deleted while it
// was pending.
type entry struct {
	id     string
	fields []any
}

// entries reads an array of stream entries from a reply.
func entries(reply any) []entry {
	list, _ := reply.([]any)
	out := make([]entry, 0, len(list))
	for _, item := range list {
		pair, _ := item.([]any)
		if len(pair) != 2 {
			continue
		}
		fields, _ := pair[1].([]any)
		out = append(out, entry{id: text(pair[0]), fields: fields})
	}
	return out
}
