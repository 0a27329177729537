package rules

import (
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	// Arithmetic on decimal digits with the roundings of accountants; it is what currency counts with.
	"github.com/cockroachdb/apd/v3"

	"switchyard/engine"
)

// numberFunctions are on numbers, of any size; they work on the digits that a number is written with, so that 1.005 is
// a little more than one, and not a little less, as it is in binary.
var numberFunctions = []*function{
	define("abs", onNumber("abs", func(d *apd.Decimal) { d.Abs(d) }), new(one)).costs(12).paced(8),
	define("ceil", onNumber("ceil", rounder(0, apd.RoundCeiling)), new(one)).costs(12).paced(8),
	define("floor", onNumber("floor", rounder(0, apd.RoundFloor)), new(one)).costs(12).paced(8),
	define("round", round, new(one), new(two), new(func(any, any, string) any)).checked(checkRounding, 2).costs(12).paced(8),
	define("int", toInt, new(one)).costs(2).paced(8),
	define("float", toFloat, new(one)).costs(2).paced(8),
}

// bitFunctions are expr's own, on the bits of whole numbers.
var bitFunctions = []*function{
	onBits("bitand", new(two)), onBits("bitor", new(two)), onBits("bitxor", new(two)), onBits("bitnand", new(two)),
	onBits("bitshl", new(two)), onBits("bitshr", new(two)), onBits("bitushr", new(two)), onBits("bitnot", new(one)),
}

// onBits is nil of a missing number.
func onBits(name string, signature any) *function {
	call := builtinCall(name)
	return define(name, func(args ...any) (any, error) {
		numbers := make([]any, len(args))
		for i, arg := range args {
			n, ok := wholeIndex(arg)
			switch {
			case arg == nil:
				return nil, nil
			case !ok:
				return nil, needsWhole(name, "a whole number", arg)
			case i == 1 && n < 0 && strings.Contains(name, "sh"):
				return nil, needsWhole(name, "a number of bits", arg)
			}
			numbers[i] = n
		}
		return call(numbers...)
	}, signature)
}

// maxRoundedDigits is how many digits, of the fraction or of the whole number, round can be given.
const maxRoundedDigits = 100

// decimal is a number's digits, exactly.
func decimal(function string, value any) (*apd.Decimal, error) {
	number, ok := numeric(value)
	if !ok {
		return nil, needs(function, "a number", value)
	}
	text, _ := engine.Text(number)
	if len(text) > maxBits/3 {
		return nil, errTooLarge
	}
	d, _, err := apd.NewFromString(text)
	if err != nil || d.Form != apd.Finite {
		return nil, errNotFinite
	}
	if d.Exponent < -maxBits/3 || d.Exponent > maxBits/3 {
		return nil, errTooLarge
	}
	return d, nil
}

// rounder rounds to so many digits of the fraction; fewer than none are those before the point.
func rounder(digits int, mode apd.Rounder) func(d *apd.Decimal) {
	return func(d *apd.Decimal) {
		context := apd.BaseContext.WithPrecision(uint32(maxBits + maxRoundedDigits))
		context.Rounding = mode
		_, _ = context.Quantize(d, d, int32(-digits)) // what can go wrong, decimal has excluded
		if d.IsZero() {
			d.Negative = false
		}
	}
}

// numberOf is the digits as a number, whole where there is no fraction.
func numberOf(d *apd.Decimal) (any, error) {
	reduced, _ := new(apd.Decimal).Reduce(d)
	return engine.DecodeJSON([]byte(reduced.Text('f')))
}

func onNumber(name string, change func(d *apd.Decimal)) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		if args[0] == nil {
			return nil, nil
		}
		d, err := decimal(name, args[0])
		if err != nil {
			return nil, err
		}
		change(d)
		return numberOf(d)
	}
}

// The names of the roundings of halves.
const (
	roundAway = "away"
	roundEven = "even"
)

func checkRounding(word string) error {
	if word != roundAway && word != roundEven {
		return fmt.Errorf(`a half is rounded "away" from zero or to the "even" digit, not %q`, shortened(word))
	}
	return nil
}

func roundingMode(word string) apd.Rounder {
	if word == roundEven {
		return apd.RoundHalfEven
	}
	return apd.RoundHalfUp
}

// round is a number with so many digits of the fraction; halves are rounded away from zero, or to the even digit.
func round(args ...any) (any, error) {
	if args[0] == nil {
		return nil, nil
	}
	digits, mode := 0, roundAway
	if len(args) > 1 {
		var ok bool
		if digits, ok = wholeIndex(args[1]); !ok || digits < -maxRoundedDigits || digits > maxRoundedDigits {
			return nil, needsWhole("round", "a number of digits", args[1])
		}
	}
	mode, err := textArgument("round", `"away" or "even"`, args, 2, mode)
	if err == nil {
		err = checkRounding(mode)
	}
	if err != nil {
		return nil, err
	}
	return onNumber("round", rounder(digits, roundingMode(mode)))(args[0])
}

var wholeText = regexp.MustCompile(`^[+-]?[0-9]+$`)

// toInt is a whole number: of a text, or of a number without its fraction.
func toInt(args ...any) (any, error) {
	switch v := args[0].(type) {
	case nil, int, uint64:
		return v, nil
	case string:
		if !wholeText.MatchString(v) || len(v) > maxBits/3 {
			return nil, fmt.Errorf("int needs a whole number, not %q", shortened(v))
		}
		n, _ := new(big.Int).SetString(v, 10)
		return shrink(n)
	}
	return onNumber("int", rounder(0, apd.RoundDown))(args[0])
}

// toFloat is the number that a text shows.
func toFloat(args ...any) (any, error) {
	if args[0] == nil {
		return nil, nil
	}
	value, ok := float(args[0])
	if text, isText := args[0].(string); isText {
		var err error
		value, err = strconv.ParseFloat(text, 64)
		if ok = err == nil; !ok {
			return nil, fmt.Errorf("float needs a number, not %q", shortened(text))
		}
	}
	if !ok {
		return nil, needs("float", "a number or a string", args[0])
	}
	return value, nil
}
