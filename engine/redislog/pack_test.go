package redislog

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// Message is an original as a vendor sends it.
type Message struct {
	Name     string
	Original json.RawMessage
}

// FixtureMessages are the originals of every fixture of every vendor. They are short.
func FixtureMessages(t testing.TB) (messages []Message) {
	files, err := filepath.Glob("../../adapters/*/testdata/*.out.json")
	if err != nil || len(files) < 50 {
		t.Fatalf("%d fixtures: %v", len(files), err)
	}
	seen := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var golden struct {
			Events []struct{ Original json.RawMessage }
		}
		if json.Unmarshal(text, &golden) != nil {
			continue // another kind of fixture
		}
		for n, event := range golden.Events {
			var original bytes.Buffer
			if err := json.Compact(&original, event.Original); err != nil || seen[original.String()] {
				continue
			}
			seen[original.String()] = true
			messages = append(messages, Message{fmt.Sprint(file, " ", n), original.Bytes()})
		}
	}
	return messages
}

// FullMessages are as long as what web pages, apps and servers send in earnest.
func FullMessages(t testing.TB) (messages []Message) {
	text, err := os.ReadFile("testdata/messages.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for n, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
		messages = append(messages, Message{fmt.Sprint("message ", n), line})
	}
	return messages
}

// OddMessages are those at the edges of what is packed and of what can be.
func OddMessages() (messages []Message) {
	noise := make([]byte, 300<<10)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(noise) // never fails
	add := func(name string, original []byte) { messages = append(messages, Message{name, original}) }
	add("one byte", []byte("1"))
	add("a tab first", []byte("\t{}"))
	for form := range firstText {
		add(fmt.Sprintf("byte %d first, short", form), []byte{byte(form)})
		add(fmt.Sprintf("byte %d first, long", form), append([]byte{byte(form)}, strings.Repeat("abcd", 50)...))
		add(fmt.Sprintf("byte %d first, noise", form), append([]byte{byte(form)}, noise[:200]...))
	}
	add("noise", noise)
	for _, size := range []int{packMinimum - 1, packMinimum, 64<<10 - 1, 64 << 10, 64<<10 + 1, 70_000, packMaximum, packMaximum + 1, 3 << 20} {
		add(fmt.Sprint(size, " bytes"), []byte(fmt.Sprintf(`{"list":%q}`, strings.Repeat("ab-", size))[:size]))
	}
	mixed := bytes.Repeat(append([]byte(`{"type":"track","event":"`), noise[:5000]...), 40)
	add("noise and text", mixed)
	return messages
}

func AllMessages(t testing.TB) []Message {
	return append(append(FixtureMessages(t), FullMessages(t)...), OddMessages()...)
}

// stored is a message as Redis gets it.
func stored(t testing.TB, original []byte) string {
	t.Helper()
	doc, err := packing(original).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return string(doc)
}

func TestPackedComesBack(t *testing.T) {
	for _, m := range AllMessages(t) {
		doc := stored(t, m.Original)
		original, err := unpack(doc)
		if err != nil || !bytes.Equal(original, m.Original) {
			t.Errorf("%s: %.60q %v, want %.60q", m.Name, original, err, m.Original)
		}
		if len(doc) > len(m.Original)+1 {
			t.Errorf("%s: %d bytes are stored as %d", m.Name, len(m.Original), len(doc))
		}
	}
}

// The rule: tried from 64 bytes to 256 KB, kept where an eighth is saved.
func TestPackedWhereItPays(t *testing.T) {
	for _, m := range AllMessages(t) {
		doc := stored(t, m.Original)
		packed := doc != string(m.Original) && doc != "\x00"+string(m.Original)
		if packed && (len(m.Original) < packMinimum || len(doc) > len(m.Original)*7/8) {
			t.Errorf("%s: %d bytes are packed into %d", m.Name, len(m.Original), len(doc))
		}
	}
	for _, m := range FullMessages(t) {
		if doc := stored(t, m.Original); len(doc) > len(m.Original)*6/10 {
			t.Errorf("%s: %d bytes are stored as %d", m.Name, len(m.Original), len(doc))
		}
	}
	if doc := stored(t, bytes.Repeat([]byte(" "), packMaximum)); len(doc) > packMaximum/100 {
		t.Errorf("the longest original that is packed takes %d bytes", len(doc))
	}
	if doc := stored(t, bytes.Repeat([]byte(" "), packMaximum+1)); len(doc) != packMaximum+1 {
		t.Errorf("an original that is too long to be unpacked was packed, into %d bytes", len(doc))
	}
}

// What stands in Redis is read with the dictionary it was written with. To change one is to lose what it wrote: add
// another instead.
func TestDictionariesNeverChange(t *testing.T) {
	for n, want := range map[int]string{1: "34b9593fe65064e023c723051a1046e9c990dd798fee4db0f9beefb89d00c205"} {
		text, err := os.ReadFile(fmt.Sprintf("dictionary%d.txt", n))
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(text)); got != want {
			t.Errorf("dictionary %d has changed: %s", n, got)
		}
	}
}

// packedOnce is the last of testdata/messages.jsonl as it was stored when packing began.
const packedOnce = "AZwDFQARLGludm9pY2UucGFpZC51ACBhY2N0X2MzRGw6fgBMZXZ0X1h2ZFhRTzRweEhMeUJEOWNakgAcMjBUMDg6MTUVAAwReKQiOiJpbl80dllvQ1Za" +
	"aDBwS2NoNEE1IiwiYW1vdW50X2R1ZSI6MTI5MDAyuBgkdXNkIiwibGluZYmaNGlkIjoiaWxfMSIsImRlFp8JXGlvbiI6IlRlYW0gcGxhbiwgMyBzZWF0" +
	"cxVdHCI6OTkwMH0sGT8AMhUACSRFeHRyYSBzdG9yyZcJlyAiOjMwMDB9XX0yCQNqAQMOAxAVAAwQNCJ9fX0="

func TestWhatWasPackedOnceIsRead(t *testing.T) {
	doc, err := base64.StdEncoding.DecodeString(packedOnce)
	if err != nil {
		t.Fatal(err)
	}
	messages := FullMessages(t)
	if original, err := unpack(string(doc)); err != nil || !bytes.Equal(original, messages[len(messages)-1].Original) {
		t.Errorf("%s %v", original, err)
	}
}

func TestBrokenOriginals(t *testing.T) {
	claims := func(length uint64, rest string) string {
		return "\x01" + string(binary.AppendUvarint(nil, length)) + rest
	}
	good := stored(t, FullMessages(t)[0].Original)
	for name, doc := range map[string]string{
		"nothing behind the form":  "\x01",
		"a form of the future":     "\x08abc",
		"cut":                      good[:len(good)/2],
		"4 GB":                     claims(1<<32-1, "abc"),
		"more than an uint32":      claims(1<<40, "abc"),
		"one more than the most":   claims(packMaximum+1, "abc"),
		"the most, and not there":  claims(packMaximum, "abc"),
		"a copy from before it":    claims(100, "\x02\xff\xff\x02\xff\xff"),
		"a length without an end":  "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
		"longer than it says":      claims(3, "\x3cabcdefghijklmnop"),
		"shorter than it says":     claims(300, "\x08abc"),
		"a literal without an end": claims(1000, "\xf4\xff\xffabc"),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		original, err := unpack(doc)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, errPacked) || original != nil {
			t.Errorf("%s: %.40q %v", name, original, err)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > packMaximum+1<<20 {
			t.Errorf("%s: %d bytes were allocated", name, grown)
		}
		event := eventOf("e", 0, entry{"1-1", []any{"type", "track", "packed", doc, "data", "3:20", "properties", "=", "invalid", ""}})
		if !strings.Contains(event.Invalid, errPacked.Error()) || event.Original != nil || event.Data != nil {
			t.Errorf("%s: the event is %+v", name, event)
		}
	}
}

func TestPackingTogether(t *testing.T) {
	messages := AllMessages(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for _, m := range messages {
				if original, err := unpack(stored(t, m.Original)); err != nil || !bytes.Equal(original, m.Original) {
					t.Errorf("%s: %.60q %v", m.Name, original, err)
				}
			}
		})
	}
	group.Wait()
}

// FuzzUnpack reads whatever may stand in Redis.
func FuzzUnpack(f *testing.F) {
	for _, m := range append(FixtureMessages(f), FullMessages(f)...) {
		f.Add(stored(f, m.Original), "0:12")
	}
	f.Add("\x00\x01", "")
	f.Add("\x01\xff\xff\xff\xff\x0f", "9:9")
	f.Add("\x02", "{}")
	f.Fuzz(func(t *testing.T, doc, part string) {
		original, err := unpack(doc)
		if err != nil && (!errors.Is(err, errPacked) || original != nil) {
			t.Fatalf("%q %v", original, err)
		}
		if len(original) > max(packMaximum, len(doc)) {
			t.Fatalf("%d bytes", len(original))
		}
		event := eventOf("e", 0, entry{"1-1", []any{"packed", doc, "data", part, "traits", "="}})
		if err != nil && event.Invalid == "" {
			t.Fatal("the event does not say that its original is broken")
		}
	})
}

// FuzzPack stores whatever may be sent.
func FuzzPack(f *testing.F) {
	for _, m := range append(FixtureMessages(f), FullMessages(f)...) {
		f.Add([]byte(m.Original))
	}
	f.Add([]byte("\x01\x02\x03"))
	f.Add(bytes.Repeat([]byte{0}, 100))
	f.Fuzz(func(t *testing.T, sent []byte) {
		if original, err := unpack(stored(t, sent)); err != nil || !bytes.Equal(original, sent) {
			t.Fatalf("%q %v, want %q", original, err, sent)
		}
	})
}
