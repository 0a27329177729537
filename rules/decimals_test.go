package rules

import (
	"encoding/json"
	"math"
	"testing"
)

func TestNumberFunctions(t *testing.T) {
	evaluations{
		{`round(2.5)`, 3}, {`round(-2.5)`, -3}, {`round(2.5, 0, "even")`, 2}, {`round(3.5, 0, "even")`, 4}, {`round(1.005, 2)`, 1.01}, {`round(1234, -2)`, 1200}, {`round(-0.4)`, 0},
		{`round(data.huge, -3)`, json.Number("123456789012345678901234568000")}, {`round(data.big)`, uint64(math.MaxUint64)}, {`round(5)`, 5}, {`round(nil)`, nil}, {`round(data.a, 2)`, nil},
		{`round("x")`, wrong("1:9: round needs a number, not a string")}, {`round(1, 2000)`, wrong("1:9: round needs a number of digits, not 2000")},
		{`round(1, 1, "up")`, wrong(`1:21: a half is rounded "away" from zero or to the "even" digit, not "up"`)},
		{`ceil(1.2)`, 2}, {`ceil(data.id)`, 9007199254740993}, {`floor(-1.2)`, -2}, {`floor(nil)`, nil}, {`abs(-5.5)`, 5.5}, {`abs(-data.huge)`, json.Number("123456789012345678901234567890")},
		{`abs(data.a)`, nil}, {`abs(data.plan)`, wrong("1:9: abs needs a number, not a string")},
		{`int("7")`, 7}, {`int("-7")`, -7}, {`int("+7")`, 7}, {`int(data.big)`, uint64(math.MaxUint64)}, {`int(-5.9)`, -5}, {`int("123456789012345678901234567890")`, json.Number("123456789012345678901234567890")},
		{`int(nil)`, nil}, {`int("7.5")`, wrong(`1:9: int needs a whole number, not "7.5"`)}, {`int("")`, wrong(`1:9: int needs a whole number, not ""`)}, {`int(true)`, wrong("1:9: int needs a number, not a boolean")},
		{`int("++7")`, wrong(`1:9: int needs a whole number, not "++7"`)}, {`int("print me")`, wrong(`1:9: int needs a whole number, not "print me"`)},
		{`float("5.5")`, 5.5}, {`float(data.n)`, 5.0}, {`float(nil)`, nil}, {`float("x")`, wrong(`1:9: float needs a number, not "x"`)},
		{`mean([1, 2, nil])`, 1.5}, {`mean(data.missing)`, nil}, {`mean(1, [2, 6])`, 3.0}, {`mean(["a"])`, wrong("1:9: mean needs numbers, not a string")},
		{`median([3, 1, 2, 10])`, 2.5}, {`median([3, 1, data.big])`, 3}, {`median(data.a)`, nil},

		{`formatNumber(1234567.891)`, "1,234,567.891"}, {`formatNumber(1234567.891, 2, "de")`, "1.234.567,89"}, {`formatNumber(12345678, 0, "en-IN")`, "1,23,45,678"},
		{`formatNumber(1234567.5, 1, "fr")`, "1\u202f234\u202f567,5"}, {`formatNumber(data.huge)`, "123,456,789,012,345,678,901,234,567,890"}, {`formatNumber(5, 2)`, "5.00"},
		{`formatNumber(-0.001, 2)`, "0.00"}, {`formatNumber(2.5, 0, "even")`, "2"}, {`formatNumber(2.5, 0)`, "3"}, {`formatNumber(-1234.5)`, "-1,234.5"}, {`formatNumber(data.a)`, nil},
		{`formatNumber(1e300)`, wrong("1:9: formatNumber writes numbers of at most 38 digits")}, {`formatNumber("x")`, wrong("1:9: formatNumber needs a number, not a string")},
		{`formatNumber(data.id)`, "9,007,199,254,740,993"}, {`formatNumber(0.1 + 0.2)`, "0.30000000000000004"}, {`formatNumber(1, -1)`, wrong("1:9: formatNumber needs 0 to 38 digits, not -1")},
		{`formatNumber(1, 0, "german")`, wrong(`1:28: "german" is no locale such as de or en-GB, nor "even", "away", "symbol" or "code"`)},
		{`formatPercent(0.256)`, "25.6%"}, {`formatPercent(0.2567, 1, "de")`, "25,7\u00a0%"}, {`formatPercent(0.2567, 1, "tr")`, "%25,7"}, {`formatPercent(1, 0)`, "100%"}, {`formatPercent(-0.5)`, "-50%"},
		{`formatPercent(0.00125, 2, "even")`, "0.12%"}, {`formatPercent(nil, 1)`, nil}, {`formatPercent(true)`, wrong("1:9: formatPercent needs a number, not a boolean")},
		{`formatMoney(1234.5, "EUR")`, "€1,234.50"}, {`formatMoney(1234.5, "EUR", "de")`, "1.234,50\u00a0€"}, {`formatMoney(-1234.565, "USD", "even")`, "-$1,234.56"}, {`formatMoney(-1234.565, "USD")`, "-$1,234.57"},
		{`formatMoney(1234.5, "JPY", "code")`, "JPY\u00a01,235"}, {`formatMoney(1.2345, "KWD", "en", "code")`, "KWD\u00a01.235"}, {`formatMoney(data.a, "USD")`, nil}, {`formatMoney(0.1 + 0.2, "USD")`, "$0.30"},
		{`formatMoney(data.huge, "USD")`, "$123,456,789,012,345,678,901,234,567,890.00"}, {`formatMoney(1, "eur")`, wrong(`1:24: no currency is called "eur"; did you mean EUR?`)},
		{`formatMoney(1, data.plan)`, wrong(`1:9: no currency is called "pro"; they have codes such as EUR`)}, {`formatMoney(1, data.a)`, wrong("1:9: formatMoney needs the code of a currency, not nothing")},
		{`formatMoney("1", "EUR")`, wrong("1:9: formatMoney needs a number, not a string")},
	}.run(t)
}
