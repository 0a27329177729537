package rules

import (
	"math"
	"math/big"
	"testing"
)

// The short way for small whole numbers comes to what the long one does, up to its edges.
func TestSmallArithmetic(t *testing.T) {
	edges := []int{0, 1, -1, 7, -7, math.MaxInt32, math.MinInt32, math.MaxInt32 + 1, math.MinInt32 - 1}
	for i := range arithmetics {
		o := &arithmetics[i]
		if o.whole == nil {
			continue
		}
		for _, x := range edges {
			for _, y := range edges {
				if o.sign == "%" && y == 0 {
					continue
				}
				long := new(big.Int)
				o.whole(long, big.NewInt(int64(x)), big.NewInt(int64(y)))
				want, err := shrink(long)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := o.numbers(x, y); err != nil || got != want {
					t.Errorf("%d %s %d = %v, %v; want %v", x, o.sign, y, got, err, want)
				}
			}
		}
	}
}
