package rules

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr/vm/runtime"

	"switchyard/engine"
)

// Numbers are int, uint64, float64 and json.Number, as engine.DecodeJSON has them. expr's own operators turn all but the
// smallest of a mixed pair into float64 or int, which rounds or wraps; these keep every digit of a whole number.

// maxBits bounds the whole numbers that arithmetic makes.
const maxBits = 4096

// maxDigits bounds the numbers that are reckoned with, or compared; longer ones are only passed on.
const maxDigits = maxBits / 3

var errNotFinite = errors.New("the result is not a finite number")

// whole is a number without a fraction, exactly.
func whole(value any) (*big.Int, bool) {
	switch v := value.(type) {
	case int:
		return big.NewInt(int64(v)), true
	case uint64:
		return new(big.Int).SetUint64(v), true
	case json.Number:
		if len(v) > maxDigits {
			return nil, false
		}
		return new(big.Int).SetString(string(v), 10)
	}
	return nil, false
}

// numeric makes the numbers that Go's methods return, such as a time.Month, one of ours; ok is false for what is no
// number.
func numeric(value any) (number any, ok bool) {
	switch value.(type) {
	case int, uint64, float64, json.Number:
		return value, true
	case nil, string, bool, map[string]any, []any, time.Time, time.Duration:
		return nil, false
	}
	switch v := reflect.ValueOf(value); {
	case v.CanInt():
		return int(v.Int()), true
	case v.CanUint():
		return v.Uint(), true
	case v.CanFloat():
		return v.Float(), true
	}
	return nil, false
}

// compareNumbers is -1, 0 or 1, by value; ok is false when one of them is no number.
func compareNumbers(a, b any) (order int, ok bool) {
	if x, ok := a.(int); ok {
		if y, ok := b.(int); ok {
			return cmp.Compare(x, y), true
		}
	}
	if x, ok := small(a); ok {
		if y, ok := small(b); ok {
			return cmp.Compare(x, y), true
		}
	}
	if x, ok := wholeDigits(a); ok {
		if y, ok := wholeDigits(b); ok {
			return compareDigits(x, y), true
		}
	}
	x, okX := exact(a)
	y, okY := exact(b)
	if !okX || !okY {
		return 0, false
	}
	return x.Cmp(y), true
}

// wholeDigits are those of a whole number, so that two of a thousand digits can be compared without reading them.
func wholeDigits(value any) (string, bool) {
	switch v := value.(type) {
	case int:
		return strconv.Itoa(v), true
	case uint64:
		return strconv.FormatUint(v, 10), true
	case json.Number:
		return string(v), len(v) <= maxDigits && !hasFraction(string(v))
	}
	return "", false
}

// hasFraction reports a point or an exponent.
func hasFraction(number string) bool {
	return strings.IndexByte(number, '.') >= 0 || strings.IndexByte(number, 'e') >= 0 || strings.IndexByte(number, 'E') >= 0
}

func compareDigits(x, y string) int {
	x, negative := strings.CutPrefix(x, "-")
	y, other := strings.CutPrefix(y, "-")
	switch {
	case negative && other:
		return -compareDigits(x, y)
	case negative:
		return -1
	case other:
		return 1
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y))
}

// small is a number that a float64 holds exactly.
func small(value any) (float64, bool) {
	switch v := value.(type) {
	case int:
		return float64(v), -1<<53 <= v && v <= 1<<53
	case float64:
		return v, !math.IsNaN(v)
	}
	return 0, false
}

// exact is a number as a big.Float that holds all its digits, up to maxBits.
func exact(value any) (*big.Float, bool) {
	value, ok := numeric(value)
	if !ok {
		return nil, false
	}
	switch v := value.(type) {
	case int:
		return new(big.Float).SetInt64(int64(v)), true
	case uint64:
		return new(big.Float).SetUint64(v), true
	case float64:
		if math.IsNaN(v) {
			return nil, false
		}
		return new(big.Float).SetFloat64(v), true
	}
	text := string(value.(json.Number))
	if len(text) > maxDigits {
		return nil, false
	}
	f, _, err := big.ParseFloat(text, 10, uint(min(64+4*len(text), maxBits)), big.ToNearestEven)
	return f, err == nil
}

func float(value any) (float64, bool) {
	value, ok := numeric(value)
	if !ok {
		return 0, false
	}
	switch v := value.(type) {
	case int:
		return float64(v), true
	case uint64:
		return float64(v), true
	case float64:
		return v, true
	}
	f, err := strconv.ParseFloat(string(value.(json.Number)), 64)
	return f, err == nil
}

// arithmetic is one of + - * / % **.
type arithmetic struct {
	sign string
	// small is whole for numbers of at most 32 bits, of which no result has more than 64; nil as there.
	small func(x, y int) int
	// whole is nil for an operator whose result has a fraction.
	whole func(result, x, y *big.Int)
	float func(x, y float64) float64
	// other is for times, durations and texts; it panics on what it can not do.
	other func(a, b any) any
}

var arithmetics = []arithmetic{
	{"+", func(x, y int) int { return x + y }, func(r, x, y *big.Int) { r.Add(x, y) }, func(x, y float64) float64 { return x + y }, runtime.Add},
	{"-", func(x, y int) int { return x - y }, func(r, x, y *big.Int) { r.Sub(x, y) }, func(x, y float64) float64 { return x - y }, runtime.Subtract},
	{"*", func(x, y int) int { return x * y }, func(r, x, y *big.Int) { r.Mul(x, y) }, func(x, y float64) float64 { return x * y }, runtime.Multiply},
	{"/", nil, nil, func(x, y float64) float64 { return x / y }, nil},
	{"%", func(x, y int) int { return x % y }, func(r, x, y *big.Int) { r.Rem(x, y) }, nil, nil},
	{"**", nil, nil, math.Pow, nil},
}

// apply is the operator's value. Both must be numbers, or what the operator is for otherwise; nil never is.
func (o *arithmetic) apply(a, b any) (any, error) {
	x, okX := numeric(a)
	y, okY := numeric(b)
	switch {
	case okX && okY:
		return o.numbers(x, y)
	case a == nil || b == nil || o.other == nil:
		return nil, o.wrong(a, b)
	}
	if left, ok := a.(string); ok && o.sign == "+" {
		if right, ok := b.(string); ok {
			return concat(left, right)
		}
	}
	return o.temporal(a, b)
}

func (o *arithmetic) numbers(a, b any) (any, error) {
	if o.sign == "/" || o.sign == "%" {
		if zero, _ := compareNumbers(b, 0); zero == 0 {
			return nil, errors.New("division by zero")
		}
	}
	if x, y, ok := bothSmall(a, b); ok && o.small != nil {
		return o.small(x, y), nil
	}
	if o.whole != nil {
		x, okX := whole(a)
		y, okY := whole(b)
		if okX && okY {
			o.whole(x, x, y)
			return shrink(x)
		}
	}
	x, okX := float(a)
	y, okY := float(b)
	if o.float == nil {
		return nil, fmt.Errorf("%s needs whole numbers", o.sign)
	}
	result := o.float(x, y)
	if !okX || !okY || math.IsNaN(result) || math.IsInf(result, 0) {
		return nil, errNotFinite
	}
	return result, nil
}

func bothSmall(a, b any) (x, y int, ok bool) {
	x, okX := a.(int)
	y, okY := b.(int)
	return x, y, okX && okY && x == int(int32(x)) && y == int(int32(y))
}

// temporal leaves times and durations to expr, and makes its panic an error of ours.
func (o *arithmetic) temporal(a, b any) (result any, err error) {
	defer func() {
		if recover() != nil {
			err = o.wrong(a, b)
		}
	}()
	return o.other(a, b), nil
}

func (o *arithmetic) wrong(a, b any) error {
	return fmt.Errorf("%s can not be used on %s and %s", o.sign, typeName(a), typeName(b))
}

func shrink(n *big.Int) (any, error) {
	switch {
	case n.IsInt64():
		return int(n.Int64()), nil
	case n.IsUint64():
		return n.Uint64(), nil
	case n.BitLen() > maxBits:
		return nil, errors.New("the number is too large")
	}
	return json.Number(n.String()), nil
}

// typeName is engine.TypeName for what only expressions have, too.
func typeName(value any) string {
	switch value.(type) {
	case time.Time:
		return "a time"
	case time.Duration:
		return "a duration"
	case *time.Location:
		return "a time zone"
	}
	if _, ok := numeric(value); ok {
		return "a number"
	}
	if value != nil {
		switch reflect.TypeOf(value).Kind() {
		case reflect.Slice, reflect.Array:
			return "a list"
		case reflect.Map:
			return "an object"
		case reflect.Func:
			return "a function"
		}
	}
	return engine.TypeName(value)
}
