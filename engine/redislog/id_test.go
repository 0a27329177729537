package redislog

import (
	"strings"
	"testing"
	"time"

	"switchyard/engine"
)

func FuzzIDs(f *testing.F) {
	for _, seed := range []string{"e0-1-1", "a3-1700000000000-0", "e-1", "MTctMC0w", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, kind := range []byte{'e', 'a'} {
			if at, ok := parseID(kind, text, 4); ok && string(kind)+string(rune('0'+at.partition))+"-"+at.stream() != text {
				t.Errorf("%q was read as %+v", text, at)
			}
		}
		if at, err := parseCursor(text, 4); err == nil && text != "" && at.cursor() != text {
			t.Errorf("cursor %q was read as %+v", text, at)
		}
		readPart([]byte("0123456789"), text)
		readTime(text)
		readDecision(&engine.EventRecord{}, 0, text)
		readState(&engine.Action{}, text)
		nameRecord("web", text, text)
	})
}

func TestPositionsOrder(t *testing.T) {
	at := position{ms: 5, seq: 7, partition: 2}
	for partition, inclusive := range []bool{true, true, false, false} {
		bound := at.below(partition)
		same := position{ms: 5, seq: 7, partition: partition}
		if below := same.ms < bound.ms || same.ms == bound.ms && same.seq < bound.seq; below != inclusive {
			t.Errorf("partition %d: below %v", partition, below)
		}
		if partition != 2 && at.newer(same) != inclusive {
			t.Errorf("partition %d is in another order than the bound", partition)
		}
	}
	if top.below(0) != (position{ms: top.ms, seq: top.seq}) {
		t.Error("the top has overflowed")
	}
}

func TestTimesSurvive(t *testing.T) {
	for _, want := range []time.Time{{}, time.UnixMilli(0), time.UnixMilli(1700000000123), time.Unix(1700000000, 123456789),
		time.Unix(-5, 1), time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC), time.Date(1, 1, 2, 0, 0, 0, 1, time.UTC)} {
		if got := readTime(writeTime(want)); !got.Equal(want) {
			t.Errorf("%v came back as %v", want, got)
		}
	}
}

func TestPartsAreStoredAsPlaces(t *testing.T) {
	original := []byte(`{"event":"x","properties":{"plan":"pro","n":1}}`)
	for _, c := range []struct{ part, stored string }{
		{`{"plan":"pro","n":1}`, "26:20"}, {`{}`, `{}`}, {`{"plan":"free"}`, `{"plan":"free"}`}, {"", ""},
	} {
		stored, ok := writePart(original, []byte(c.part)).(string)
		if !ok {
			stored = string(writePart(original, []byte(c.part)).([]byte))
		}
		if stored != c.stored || string(readPart(original, stored)) != c.part {
			t.Errorf("%s is stored as %s", c.part, stored)
		}
	}
	if readPart(original, "40:20") != nil || readPart(original, "99999999999999999999:1") != nil || readPart(original, "9223372036854775807:9223372036854775807") != nil {
		t.Error("a place outside the original was read")
	}
}

// Keys of one partition, or of one user, share a hash tag whatever people put into them.
func TestHashTags(t *testing.T) {
	tag := func(key string) string {
		start := strings.IndexByte(key, '{')
		end := strings.IndexByte(key[start+1:], '}')
		return key[start+1 : start+1+end]
	}
	for _, odd := range []string{"x", "{", "}", "{}", "a}b{c", "a:b", "%7D", "\x00", ""} {
		s := sliceOf(odd, 3)
		for _, key := range []string{s.events(), s.decided(), s.message(odd), s.user(odd), s.actions(), s.state(), s.lane(odd), s.due(), s.dead(), s.owner()} {
			if tag(key) != tag(s.events()) || tag(key) == "" {
				t.Errorf("%q has another tag than %q", key, s.events())
			}
		}
		if tag(profileKey("e", odd)) != tag(userEffectKey("e", odd, odd)) || tag(runsKey(odd)) != tag(runEffectKey(odd, odd)) ||
			tag(sourcesKey(odd)) != tag(namesKey(odd, odd)) || tag(metaKey(odd)) != tag(membersKey(odd)) {
			t.Errorf("tags of %q differ", odd)
		}
	}
	if sliceOf("a:1", 2).events() == sliceOf("a", 12).events() || profileKey("e", "a}:effect:x") == userEffectKey("e", "a", "x}:profile") {
		t.Error("two keys are the same")
	}
}
