package redislog

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"strings"

	"switchyard/engine"
)

// position is where an entry stands: its partition and its stream id.
type position struct {
	ms, seq   uint64
	partition int
}

// top is above every entry.
var top = position{ms: math.MaxUint64, seq: math.MaxUint64}

// stream is the entry's id as Redis has it.
func (p position) stream() string {
	return strconv.FormatUint(p.ms, 10) + "-" + strconv.FormatUint(p.seq, 10)
}

// padded is the entry's id such that text sorts as ids do: 13 digits of milliseconds last until the year 2286. The
// scripts that pad have the same format.
func (p position) padded() string { return fmt.Sprintf("%013d-%06d", p.ms, p.seq) }

// EventID is the id of the event at an entry of a partition's stream, "e<partition>-<ms>-<seq>".
func EventID(partition int, entry string) string { return "e" + strconv.Itoa(partition) + "-" + entry }

// ActionID is the id of the action at an entry of a partition's stream, "a<partition>-<ms>-<seq>".
func ActionID(partition int, entry string) string { return "a" + strconv.Itoa(partition) + "-" + entry }

// parseID reads an id of the kind 'e' or 'a'; ok is false for everything that EventID and ActionID would not write.
func parseID(kind byte, id string, partitions int) (at position, ok bool) {
	if len(id) < 2 || len(id) > 64 || id[0] != kind {
		return position{}, false
	}
	partition, entry, _ := strings.Cut(id[1:], "-")
	number, err := strconv.Atoi(partition)
	if err != nil || number < 0 || number >= partitions {
		return position{}, false
	}
	at, ok = parseEntry(entry)
	at.partition = number
	return at, ok && id == string(kind)+strconv.Itoa(number)+"-"+at.stream()
}

// parseEntry reads a stream id, padded or not.
func parseEntry(entry string) (at position, ok bool) {
	ms, seq, found := strings.Cut(entry, "-")
	var err1, err2 error
	at.ms, err1 = strconv.ParseUint(ms, 10, 64)
	at.seq, err2 = strconv.ParseUint(seq, 10, 64)
	return at, found && err1 == nil && err2 == nil
}

// newer reports whether p stands before q when the newest comes first. Entries of one moment in several partitions are
// told apart by the partition.
func (p position) newer(q position) bool {
	switch {
	case p.ms != q.ms:
		return p.ms > q.ms
	case p.seq != q.seq:
		return p.seq > q.seq
	}
	return p.partition > q.partition
}

// below is the bound, exclusive, from which a partition goes on behind p.
func (p position) below(partition int) position {
	if partition < p.partition && p.seq < math.MaxUint64 {
		p.seq++
	}
	p.partition = partition
	return p
}

// cursor makes a position opaque for readers.
func (p position) cursor() string {
	return base64.RawURLEncoding.EncodeToString([]byte(p.stream() + "-" + strconv.Itoa(p.partition)))
}

// parseCursor reads a cursor, engine.ErrBadCursor when it is none. "" is the top.
func parseCursor(cursor string, partitions int) (position, error) {
	if cursor == "" {
		return top, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	cut := strings.LastIndexByte(string(text), '-')
	if err != nil || len(cursor) > 128 || cut < 0 {
		return position{}, engine.ErrBadCursor
	}
	at, ok := parseEntry(string(text[:cut]))
	at.partition, err = strconv.Atoi(string(text[cut+1:]))
	if !ok || err != nil || at.partition < 0 || at.partition >= partitions || at.cursor() != cursor {
		return position{}, engine.ErrBadCursor
	}
	return at, nil
}
