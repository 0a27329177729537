package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

// checker is a compiled schema with its own meter. One check at a time runs on it.
type checker struct {
	schema   *jsonschema.Schema
	keywords keywords
	meter    *meter
}

var errTooSlow = errors.New("too many steps")

// check returns what the library says, or errTooSlow when it took more than the steps, and the steps that are left, which
// are then less than 0.
//
// It is the one place that recovers: the library panics where it meets what its author did not foresee, as it did on a
// number with a long exponent. The sender of an event chooses what it meets, and must not stop the router, with all other
// events in it, by one that happens to do that; that event is then not checked, and says so. Nothing is left half done by
// it: a compiled schema does not change while it is applied, and the meter is set again each time.
func (c *checker) check(value any, steps int) (left int, err error) {
	c.meter.left, c.meter.tolls = steps, 0
	defer func() {
		left = c.meter.left
		switch r := recover(); {
		case r != nil:
			err = fmt.Errorf("the check failed: %v", r)
		case left < 0:
			err = errTooSlow
		}
	}()
	return 0, c.schema.Validate(value)
}

// meter counts the steps of one check, each about a microsecond. A schema that refers to itself twice, in two branches
// of an anyOf say, doubles the work at every level of nesting; the sender chooses how deep that goes. And a string that is
// matched against a pattern such as [a-z]{1,1000}! costs microseconds a byte.
//
// The library has no way to stop, but it calls an extension at each node of the schema, and returns its own error for an
// endless loop when that is raised there.
type meter struct {
	left  int
	tolls int
	// Names is the largest size of the programs that the names of one object are matched against. The library does that
	// before the toll is paid, so it is bounded beforehand.
	names int
}

// meterName is what the library knows it by.
const meterName = "meter"

func (m *meter) spend(steps int) {
	if m.left -= steps; m.left < 0 {
		panic(jsonschema.InfiniteLoopError(errTooSlow.Error()))
	}
}

// Compile makes a node's toll, and takes its pattern over.
func (m *meter) Compile(_ jsonschema.CompilerContext, keywords map[string]any) (jsonschema.ExtSchema, error) {
	t := &toll{meter: m, base: 1}
	for keyword, value := range keywords {
		switch value := value.(type) {
		case []any:
			t.base += len(value)
			if keyword == "anyOf" || keyword == "oneOf" || keyword == "allOf" {
				t.forms += len(value)
			}
		case bool:
			if keyword == "uniqueItems" {
				t.unique = value
			}
		case map[string]any:
			t.base += len(value) / 4
			if keyword == "patternProperties" {
				for pattern := range value {
					t.names += programSize(pattern)
				}
			}
		case string:
			if keyword == "pattern" {
				t.pattern, t.size = regexp.MustCompile(value), programSize(value)
			}
		}
	}
	m.names = max(m.names, t.names)
	if _, ok := keywords["regexProperties"]; ok {
		return nil, errors.New(`"regexProperties" is no keyword; use "propertyNames": {"format": "regex"}`)
	}
	return t, nil
}

// patternFault begins the error of a pattern; what follows is the pattern.
const patternFault = "does not match pattern "

// toll is what one node of a schema costs.
type toll struct {
	meter *meter
	base  int
	// Pattern is checked here, not by the library, so that its price is paid before; size is that of its program.
	pattern *regexp.Regexp
	size    int
	// Names is the size of the programs that each name of an object is matched against.
	names int
	// Forms are the schemas that apply to the same value. The library makes a set of its members or items for each of them.
	forms int
	// Unique is checked here, as the library hashes items in a way that a sender can make all of them collide.
	unique bool
}

func (t *toll) Validate(ctx jsonschema.ValidationContext, value any) error {
	steps := t.base
	if t.meter.tolls++; t.meter.tolls%sample == 0 {
		steps += sample * t.base * placing(ctx)
	}
	if below := size(value); below > 0 {
		// Those that want another type pay no toll themselves.
		steps += below * (4 + t.forms) / 4
		if below > sample {
			steps += below * placing(ctx)
		}
	}
	switch value := value.(type) {
	case map[string]any:
		if t.names > 0 {
			for name := range value {
				steps += matching(len(name), t.names)
			}
		}
	case []any:
		t.meter.spend(steps)
		if i, j := t.twins(value); j > 0 {
			return ctx.Error("uniqueItems", "items at index %d and %d are equal", i, j)
		}
		return nil
	case string:
		steps += len(value) / 64
		if t.pattern == nil {
			break
		}
		t.meter.spend(steps + matching(len(value), t.size))
		if !t.pattern.MatchString(value) {
			return ctx.Error("pattern", "%s%s", patternFault, t.pattern)
		}
		return nil
	case float64:
		if size := math.Abs(value); size > 1e30 || size < 1e-30 {
			steps *= 8
		}
	case json.Number:
		steps *= 8 // a long one: ten microseconds for each comparison
	}
	t.meter.spend(steps)
	return nil
}

// twins are the first two items that are equal, when they must not be; 0 and 0 without.
func (t *toll) twins(items []any) (i, j int) {
	if !t.unique {
		return 0, 0
	}
	seen := make(map[string]int, len(items))
	for j, item := range items {
		key := string(appendKey(nil, item))
		t.meter.spend(1 + len(key)/32)
		if i, twice := seen[key]; twice {
			return i, j
		}
		seen[key] = j
	}
	return 0, 0
}

// appendKey writes a value so that equal ones, and only those, are written alike.
func appendKey(key []byte, value any) []byte {
	switch value := value.(type) {
	case map[string]any:
		key = append(key, '{')
		for _, name := range slices.Sorted(maps.Keys(value)) {
			key = append(strconv.AppendQuote(key, name), ':')
			key = append(appendKey(key, value[name]), ',')
		}
		return append(key, '}')
	case []any:
		key = append(key, '[')
		for _, item := range value {
			key = append(appendKey(key, item), ',')
		}
		return append(key, ']')
	case string:
		return strconv.AppendQuote(key, value)
	case float64, json.Number:
		number, _ := new(big.Rat).SetString(fmt.Sprint(value))
		return append(key, number.RatString()...)
	}
	return fmt.Append(key, value)
}

// sample is how many tolls are paid until the next also pays for the depth of all of them, as to know it costs as much.
const sample = 16

// placing is the steps of an error at the location of keywords that a check has come to. The library puts it together name
// by name, and copies what it has each time, even for an error that another form of an anyOf makes up for.
func placing(ctx jsonschema.ValidationContext) int {
	location := ctx.Error("", "").KeywordLocation
	return strings.Count(location, "/") * len(location) / 4000
}

// size is the number of members or items.
func size(value any) int {
	switch value := value.(type) {
	case map[string]any:
		return len(value)
	case []any:
		return len(value)
	}
	return 0
}

// matching is the steps of matching a text: RE2 is linear, at up to 60 ns for each byte and instruction.
func matching(length, program int) int { return length * program / 16 }

// programSize is the number of instructions of an expression.
func programSize(pattern string) int {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return 0
	}
	return len(program.Inst)
}

// newCompiler is the library's, with our rules: formats are asserted, contents are not.
func newCompiler(m *meter) *jsonschema.Compiler {
	c := jsonschema.NewCompiler()
	c.AssertFormat = true
	// A content's own JSON would be beyond the bounds of the data, and only draft 7 asserts it at all.
	c.MediaTypes["application/json"] = nil
	c.Decoders["base64"] = nil
	// The library's compiles the expression, which a short text can make very large; to parse it is enough.
	c.Formats["regex"] = func(value any) bool {
		text, ok := value.(string)
		if !ok {
			return true
		}
		_, err := syntax.Parse(text, syntax.Perl)
		return err == nil
	}
	c.RegisterExtension(meterName, nil, m)
	return c
}

// outsized is true of the text of a number that is too long to compute with.
func outsized(number string) bool {
	if len(number) > maxDigits {
		return true
	}
	at := strings.IndexAny(number, "eE")
	if at < 0 {
		return false
	}
	exponent, err := strconv.Atoi(strings.TrimLeft(number[at+1:], "+-"))
	return err != nil || exponent > maxDigits
}
