package rules

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// Whatever they are given, functions do not panic, do not change it, stay within the bounds, and answer the same twice.
func FuzzFunctions(f *testing.F) {
	for i := range 20 {
		f.Add(uint64(i), "text %Y-%m", 1.5)
	}
	f.Add(uint64(1), "2024-02-30T25:61:61Z", math.Inf(1))
	f.Add(uint64(2), "%Y%m%d%H%M%S%Z%z%j%U%G%V", -1e300)
	f.Add(uint64(3), "+49 (0)30 1234567 ext. 5", 1e15)
	f.Add(uint64(4), "http://a:b@[::1]:80/?%zz=%ff#\xff", math.NaN())
	f.Add(uint64(5), `{"a":[1,{"b":null}],"c":"\ud800"}`, 0.1)
	names := slices.Sorted(maps.Keys(functions))
	f.Fuzz(func(t *testing.T, seed uint64, text string, number float64) {
		for i, name := range names {
			args, again := randomArgs(functions[name], seed+uint64(i), text, number), randomArgs(functions[name], seed+uint64(i), text, number)
			first, err := callWithin(t, functions[name], args)
			second, errAgain := callWithin(t, functions[name], args)
			if (err == nil) != (errAgain == nil) || err == nil && !same(first, second) {
				t.Fatalf("%s(%.300v) = %.300v, %v and then %.300v, %v", name, args, first, err, second, errAgain)
			}
			if !same(args, again) {
				t.Fatalf("%s has changed %.300v to %.300v", name, again, args)
			}
		}
	})
}

func callWithin(t *testing.T, f *function, args []any) (any, error) {
	result, err := metered(append([]any{&budget{left: memoryBudget, steps: stepBudget}, f}, args...)...)
	if err != nil {
		return nil, err
	}
	size, most := lengthOf(result), memoryBudget
	if made, ok := result.(string); ok {
		size, most = len(made), maxText
	}
	if size > most && !slices.ContainsFunc(args, func(arg any) bool { return same(arg, result) }) {
		t.Fatalf("%s(%.300v) has a size of %d", f.name, args, size)
	}
	return result, nil
}

// same is equality in which a NaN is itself.
func same(a, b any) bool {
	return reflect.DeepEqual(a, b) || fmt.Sprintf("%#v", a) == fmt.Sprintf("%#v", b)
}

func randomArgs(f *function, seed uint64, text string, number float64) []any {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	random := rand.New(rand.NewChaCha8(key))
	signature := reflect.TypeOf(f.signatures[random.IntN(len(f.signatures))]).Elem()
	count := signature.NumIn()
	if signature.IsVariadic() {
		count += random.IntN(4) - 1
	}
	args := make([]any, count)
	for i := range args {
		args[i] = randomValue(random, text, number, 3)
	}
	return args
}

var fuzzWords = []string{
	"", "a", "é影\U0001f600", "%Y-%m-%d", "%d.%m.%Y %H:%M %Z", "2006-01-02", "Europe/Berlin", "America/Sao_Paulo", "Local", "d", "month", "year", "h", "ms", "w", "de", "en-IN", "ar", "zh-Hant",
	"even", "code", "EUR", "JPY", "DE", "US", "+49301234567", "sam@example.com", "2024-02-29", "2024-03-31T02:30:00", "1714996800", "dns", "https://a.de/?x=1", "aGk=", `{"a": 1}`, "(a|b)*", `\pL{1000}`, "asc", "desc", "-1",
}

func randomValue(random *rand.Rand, text string, number float64, depth int) any {
	kinds := 16
	if depth == 0 {
		kinds = 12
	}
	switch random.IntN(kinds) {
	case 0:
		return nil
	case 1:
		return text
	case 2, 3, 4:
		return fuzzWords[random.IntN(len(fuzzWords))]
	case 5:
		return number
	case 6:
		return random.IntN(200) - 100
	case 7:
		return int(random.Uint64())
	case 8:
		return random.Uint64()
	case 9:
		return json.Number([]string{"123456789012345678901234567890", "-1e400", "1e-400", "99999999999999999999.5", "1e999999999"}[random.IntN(5)])
	case 10:
		return time.Unix(random.Int64N(4e11)-1e11, random.Int64N(1e9)).In([]*time.Location{time.UTC, mustZone("Asia/Kolkata"), mustZone("America/New_York")}[random.IntN(3)])
	case 11:
		return []any{true, time.Duration(random.Int64()), mustZone("Europe/Berlin"), strings.Repeat(text+"a", 1+random.IntN(1000)), []string{text, "b"}, []int{1, 2}}[random.IntN(6)]
	case 12:
		object := map[string]any{}
		for range random.IntN(4) {
			object[[]string{"id", "email", "a", text}[random.IntN(4)]] = randomValue(random, text, number, depth-1)
		}
		return object
	case 13: // one value, many times over
		shared := randomValue(random, text, number, depth-1)
		for range random.IntN(12) {
			shared = []any{shared, shared}
		}
		return shared
	}
	list := make([]any, random.IntN(5))
	for i := range list {
		list[i] = randomValue(random, text, number, depth-1)
	}
	return list
}

func mustZone(name string) *time.Location {
	zone, err := zoneOf(name)
	if err != nil {
		panic(err)
	}
	return zone
}
