package rules

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	// Amounts as CLDR has them, by locale, exact to 39 digits. The currencies of golang.org/x/text stand before the amount
	// in every language, and its numbers have at most 64 bits.
	"github.com/bojanz/currency"
	"github.com/cockroachdb/apd/v3"
	locales "golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"
)

// formatFunctions write numbers for people.
var formatFunctions = []*function{
	define("formatNumber", formatNumber, new(func(any) string), new(func(any, any, ...string) string)).checked(checkStyle, 2, 3).costs(10),
	define("formatPercent", formatPercent, new(func(any) string), new(func(any, any, ...string) string)).checked(checkStyle, 2, 3).costs(16),
	define("formatMoney", formatMoney, new(func(any, string, ...string) string)).
		checked(checkCurrency, 1).checked(checkStyle, 2, 3, 4).costs(10),
}

// maxFormattedDigits is how many digits a number may have, all together.
const maxFormattedDigits = 38

// style is how a number is written: the words that may follow it, in any order.
type style struct {
	locale   string
	rounding string
	display  currency.Display
}

// styleWords are those that are no locale.
var styleWords = map[string]func(s *style){
	roundAway: func(s *style) { s.rounding = roundAway },
	roundEven: func(s *style) { s.rounding = roundEven },
	"symbol":  func(s *style) { s.display = currency.DisplaySymbol },
	"code":    func(s *style) { s.display = currency.DisplayCode },
}

func checkStyle(word string) error {
	if _, ok := styleWords[word]; ok {
		return nil
	}
	if _, err := locales.Parse(word); err != nil || len(word) > 40 || word == "" {
		return fmt.Errorf(`%q is no locale such as de or en-GB, nor "even", "away", "symbol" or "code"`, shortened(word))
	}
	return nil
}

func styleOf(function string, args []any, from int) (style, error) {
	s := style{locale: "en", rounding: roundAway}
	for i := from; i < len(args); i++ {
		if args[i] == nil {
			continue
		}
		word, err := textArgument(function, "a locale such as de", args, i, "")
		if err == nil {
			err = checkStyle(word)
		}
		if err != nil {
			return s, err
		}
		if set := styleWords[word]; set != nil {
			set(&s)
		} else {
			s.locale = word
		}
	}
	return s, nil
}

// digitsArgument is how many digits of the fraction are written; -1 for all that there are.
func digitsArgument(function string, args []any) (int, error) {
	if len(args) < 2 || args[1] == nil {
		return -1, nil
	}
	digits, ok := wholeIndex(args[1])
	if !ok || digits < 0 || digits > maxFormattedDigits {
		return 0, needsWhole(function, fmt.Sprintf("0 to %d digits", maxFormattedDigits), args[1])
	}
	return digits, nil
}

// write writes digits as the locale does, with the currency where it has it.
func (s style) write(function string, d *apd.Decimal, code string, digits int) (string, error) {
	if digits < 0 {
		digits = max(0, -int(d.Exponent))
	}
	if d.NumDigits()+int64(max(0, d.Exponent)) > maxFormattedDigits || digits > maxFormattedDigits {
		return "", fmt.Errorf("%s writes numbers of at most %d digits", function, maxFormattedDigits)
	}
	rounder(digits, roundingMode(s.rounding))(d)
	if d.NumDigits() > maxFormattedDigits {
		return "", fmt.Errorf("%s writes numbers of at most %d digits", function, maxFormattedDigits)
	}
	amount, err := currency.NewAmount(d.Text('f'), code)
	if err != nil {
		return "", err
	}
	formatter := currency.NewFormatter(currency.NewLocale(s.locale))
	formatter.MinDigits, formatter.MaxDigits = uint8(digits), uint8(digits)
	formatter.CurrencyDisplay = s.display
	return formatter.Format(amount), nil
}

// plainNumber is any currency; it is not shown.
const plainNumber = "USD"

func formatNumber(args ...any) (any, error) { return formatted("formatNumber", args, 0) }

// formatPercent writes a part of one as a percentage: 0.256 is 25.6%.
func formatPercent(args ...any) (any, error) {
	written, err := formatted("formatPercent", args, 2)
	if err != nil || written == nil {
		return nil, err
	}
	s, err := styleOf("formatPercent", args, 2)
	if err != nil {
		return nil, err
	}
	// Where the sign stands is all that is asked of this package; it would round the number in binary.
	sample := message.NewPrinter(locales.Make(s.locale)).Sprint(number.Percent(0, number.Scale(0)))
	before, after, ok := cutDigit(sample)
	if !ok {
		return nil, errors.New("formatPercent does not know this locale")
	}
	return before + written.(string) + after, nil
}

// cutDigit cuts a text around the only digit in it.
func cutDigit(text string) (before, after string, ok bool) {
	at := strings.IndexFunc(text, unicode.IsDigit)
	if at < 0 {
		return "", "", false
	}
	_, size := utf8.DecodeRuneInString(text[at:])
	return text[:at], text[at+size:], true
}

// formatted writes a number, by a power of ten larger than it is.
func formatted(function string, args []any, power int32) (any, error) {
	if args[0] == nil {
		return nil, nil
	}
	d, err := decimal(function, args[0])
	if err != nil {
		return nil, err
	}
	d.Exponent += power
	digits, err := digitsArgument(function, args)
	if err != nil {
		return nil, err
	}
	s, err := styleOf(function, args, 2)
	if err != nil {
		return nil, err
	}
	s.display = currency.DisplayNone
	return s.write(function, d, plainNumber, digits)
}

func checkCurrency(code string) error {
	if currency.IsValid(code) {
		return nil
	}
	if upper := strings.ToUpper(code); currency.IsValid(upper) {
		return fmt.Errorf("no currency is called %q; did you mean %s?", shortened(code), upper)
	}
	return fmt.Errorf("no currency is called %q; they have codes such as EUR", shortened(code))
}

// formatMoney writes an amount of a currency, with the digits that the currency has.
func formatMoney(args ...any) (any, error) {
	if args[0] == nil {
		return nil, nil
	}
	d, err := decimal("formatMoney", args[0])
	if err != nil {
		return nil, err
	}
	code, err := textArgument("formatMoney", "the code of a currency", args, 1, "")
	if err == nil {
		err = checkCurrency(code)
	}
	if err != nil {
		return nil, err
	}
	s, err := styleOf("formatMoney", args, 2)
	if err != nil {
		return nil, err
	}
	digits, _ := currency.GetDigits(code)
	return s.write("formatMoney", d, code, int(digits))
}
