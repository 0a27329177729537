package redislog

import (
	_ "embed"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/s2"
)

// An original is stored in one of these forms, told apart by the first byte:
//
//	from 9 up      the original as it is; so begins every JSON text, at the earliest with a tab, which is 9
//	0              the original as it is, behind this byte; for what is not JSON and begins with less than 9
//	1 to 8         s2, behind this byte, with the dictionary of this number
//
// Why s2 and a dictionary: a message of a kilobyte says most things once, so that without one little is saved. Over the
// same messages zstd with the same dictionary is smaller by a tenth to a fifth, and takes eight times as long to write
// and six times as long to read: more than everything else that is done with an event on its way in. `make bench` has
// the figures. s2 also keeps nothing between two calls: there is no state to share, and nothing runs beside it.
const (
	formPlain = 0
	firstText = 9

	// packMinimum is the length from which an original is worth the try: what is shorter saves a few bytes at best.
	packMinimum = 64
	// packGain is the share of an original that must be saved, one in so many bytes; else it is stored as it is, which
	// spares every reader the work.
	packGain = 8
	// packMaximum is the longest original that is packed, and so the most that unpacking one allocates, whatever stands
	// in Redis. Hardly any sender has longer ones: the large vendors take 32 KB themselves. Were they packed, a flood of large
	// bodies that say one thing many times would take little of Redis, and all of a process that reads many at once.
	packMaximum = 256 << 10
	// scratchMost is the largest buffer that is kept for the next original.
	scratchMost = 64 << 10
)

// dictionary1 is what messages have in common: the names of the fields that the senders' public formats have, and
// values that many messages share. What stands in Redis can be read only with the dictionary that it was written with:
// one never changes. A better one is a further file, and the next number below.
//
//go:embed dictionary1.txt
var dictionary1 []byte

// dictionaries by their number; the last one is written with.
var dictionaries = []*s2.Dict{1: s2.MakeDictManual(dictionary1, 0)}

var errPacked = errors.New("the stored original can not be read")

// packing is an original on its way into Redis. It is packed where it is written, by the loops of the appender, for s2
// needs 64 KB of stack: theirs are two, and those of the callers are as many as there are connections.
type packing json.RawMessage

var _ encoding.BinaryMarshaler = packing(nil) // as go-redis takes an argument

// MarshalBinary is the stored form.
func (p packing) MarshalBinary() ([]byte, error) {
	if packed := p.pack(); packed != nil {
		return packed, nil
	}
	if len(p) > 0 && p[0] < firstText {
		return append([]byte{formPlain}, p...), nil
	}
	return p, nil
}

var scratches = sync.Pool{New: func() any { return new([]byte) }}

// giveBack keeps a buffer, that has perhaps grown, for the next original.
func giveBack(scratch *[]byte, grown []byte) {
	if cap(grown) <= scratchMost {
		*scratch = grown[:0]
	}
	scratches.Put(scratch)
}

// pack is the original by the newest dictionary, or nil where that does not pay.
func (p packing) pack() []byte {
	if len(p) < packMinimum || len(p) > packMaximum {
		return nil
	}
	scratch := scratches.Get().(*[]byte)
	form := len(dictionaries) - 1
	packed := dictionaries[form].Encode(*scratch, p)
	defer giveBack(scratch, packed)
	if 1+len(packed) > len(p)-len(p)/packGain {
		return nil
	}
	return append(append(make([]byte, 0, 1+len(packed)), byte(form)), packed...)
}

// unpack is the original in its stored form. The error wraps errPacked; it means that the entry is broken, or of a later
// version of Switchyard.
func unpack(stored string) (json.RawMessage, error) {
	if stored == "" || stored[0] >= firstText {
		return json.RawMessage(stored), nil
	}
	form := int(stored[0])
	if form == formPlain {
		return json.RawMessage(stored[1:]), nil
	}
	if form >= len(dictionaries) {
		return nil, fmt.Errorf("%w: its form is %d, which this version does not know", errPacked, form)
	}
	scratch := scratches.Get().(*[]byte)
	body := append(*scratch, stored[1:]...)
	defer giveBack(scratch, body)
	length, err := s2.DecodedLen(body)
	if err == nil && length > packMaximum {
		return nil, fmt.Errorf("%w: it says that it has %d bytes, more than %d", errPacked, length, packMaximum)
	}
	original, err := dictionaries[form].Decode(nil, body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errPacked, err)
	}
	return original, nil
}
