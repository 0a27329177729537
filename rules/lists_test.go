package rules

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
)

// uniq must keep exactly what comparing each with each keeps, numbers of every kind among them.
func TestUniqIsTheNaiveOne(t *testing.T) {
	pool := []any{
		"a", "5", "", true, false, nil, 5, 5.0, 5.5, math.Copysign(0, -1), 0, 1 << 53, float64(1 << 53), 1<<53 + 1, 9.007199254740993e15,
		uint64(1 << 63), float64(1 << 63), json.Number("18446744073709551616"), []any{1, 2}, []any{1.0, 2}, map[string]any{"a": 1},
		map[string]any{"a": 1.0}, map[string]any{},
	}
	for range 5000 {
		list := make([]any, rand.IntN(8))
		for i := range list {
			list[i] = pool[rand.IntN(len(pool))]
		}
		var want []any
		for _, item := range list {
			found, err := contains(want, item)
			if err != nil {
				t.Fatal(err)
			}
			if !found {
				want = append(want, item)
			}
		}
		got, err := uniq(list)
		if err != nil || len(got.([]any)) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, any(want)) {
			t.Fatalf("uniq(%v) = %v, %v; want %v", list, got, err, want)
		}
	}
}

func BenchmarkUniq(b *testing.B) {
	list := make([]any, 20_000)
	for i := range list {
		list[i] = i
	}
	for b.Loop() {
		if _, err := uniq(list); err != nil {
			b.Fatal(err)
		}
	}
}

// contains is the naive look-up that uniq is held against.
func contains(list []any, value any) (bool, error) {
	for _, item := range list {
		if same, err := equal(item, value); same || err != nil {
			return same, err
		}
	}
	return false, nil
}
