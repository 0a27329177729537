// Package schema checks the data of events against JSON Schemas, and says what does not fit in sentences for the people
// who own the events.
package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync/atomic"

	"github.com/santhosh-tekuri/jsonschema/v5"

	"switchyard/engine"
)

// MaxViolations is the most that Check returns; when there are more, the last one says how many.
const MaxViolations = 20

// The bounds of one check. Whoever sends events chooses the data but not the schema, and must not be able to burn CPU
// with it: data beyond a bound is not checked, which is itself a violation. The slowest that we could think of within the
// bounds, on one core of a small server, take 0.2 to 0.3 s: a schema that doubles at each of 63 levels until it is stopped,
// 2,000 errors at a depth of 62, 10,000 items that each fail in ten forms. A usual event takes 15 µs. TestTheWorstData
// logs them.
const (
	// maxValues counts all JSON values of the data.
	maxValues = 10_000
	// maxPaths is the length of the paths to all values together, in bytes. The library builds each of them, so one long
	// name around many values would cost far more memory than its own length.
	maxPaths = 4 << 20
	// maxNesting is the sum of the squares of the depths of all values: what the library does to say where an error is
	// grows like that. At a depth of 28 or less it leaves room for maxValues.
	maxNesting = 8_000_000
	// maxDigits is the most digits, and the largest exponent, of a number. The library computes with exact fractions: a
	// 1e999999 has a million digits, and with a longer exponent it does not count at all, but panics.
	maxDigits = 400
	// maxSteps bounds the work itself; see meter.
	maxSteps = 300_000
	// maxRequest bounds the steps of all events of a request. On one core of a small server the worst bodies of 4 MB that
	// we could think of are then done in 0.4 to 0.7 s, most of it for lists of thousands of items of which each fails;
	// without this bound, a body of 1.4 MB took 4.7 s. 4,000 usual events take 140,000 steps, and 280,000 if each has eight
	// faults.
	// TestTheWorstRequest logs them.
	maxRequest = 500_000
	// stepsOfAFault are those of a sentence, and of what it takes to know it.
	stepsOfAFault = 4
)

// Budget is what the events of one request may ask of their schemas together, so that many events are not as many times
// the work of the worst. It is for one request, and not safe for concurrent use.
type Budget struct{ left int }

// NewBudget is the budget of a new request.
func NewBudget() *Budget { return &Budget{left: maxRequest} }

const spent = "the events of this request ask for too many comparisons"

// Schema is one compiled schema file. It is safe for concurrent use.
type Schema struct {
	source   *source
	keywords keywords
	names    int // see meter
	shape    *engine.Shape
	// Checkers hold a meter each, so that a check runs alone on one; more of them than processors would only wait.
	idle chan *checker
	made atomic.Int32
}

// Load reads and compiles one schema file and the files that it refers to. The draft is 4, 6, 7, 2019-09 or 2020-12, as
// $schema says, and 2020-12 without it. In every draft `format` is asserted: a "format": "email" refuses what is no email
// address; a format that is not known is ignored. contentEncoding and contentMediaType are never asserted.
//
// A $ref may name another file, relative to the file that it is in. Nothing is fetched: a file whose $id is a web address
// may refer to its neighbours by that address, and they are looked for beside the file.
//
// The error is Problems.
func Load(file string) (*Schema, error) {
	src, err := read(file)
	if err != nil {
		return nil, err
	}
	first, err := src.compile()
	if err != nil {
		return nil, src.explain(err)
	}
	if endless := first.keywords.endless(); endless != nil {
		return nil, src.endless(endless.Location)
	}
	src.sealed = true
	s := &Schema{
		source:   src,
		keywords: first.keywords,
		names:    first.meter.names,
		shape:    shapeOf(first.schema),
		idle:     make(chan *checker, runtime.GOMAXPROCS(0)),
	}
	s.made.Store(1)
	s.idle <- first
	return s, nil
}

// Files are the file and every other file that it refers to, to be watched for changes.
func (s *Schema) Files() []string { return s.source.files() }

// Check returns what does not fit, ordered by place; nil when all fits. Data is a checked JSON object; nil, for absent, is
// an empty one. What the check takes is spent from the budget; when there is nothing left, that is the violation.
func (s *Schema) Check(data json.RawMessage, budget *Budget) []engine.Violation {
	if budget.left < 0 {
		return unchecked("", spent)
	}
	if len(data) == 0 {
		data = json.RawMessage("{}")
	}
	limits := engine.JSONLimits{Depth: engine.DefaultJSONLimits.Depth, Values: maxValues}
	if err := engine.CheckJSON(data, limits); err != nil {
		return unchecked("", tooMuch(err))
	}
	value, err := engine.DecodeJSON(data)
	if err != nil {
		return unchecked("", err.Error())
	}
	if pointer, why := measure(value, s.names); why != "" {
		return unchecked(pointer, why)
	}
	err = s.apply(value, budget)
	var invalid *jsonschema.ValidationError
	var loop jsonschema.InfiniteLoopError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &invalid):
		r := &reader{keywords: s.keywords, value: value}
		defer func() { budget.left -= r.steps }()
		return r.violations(invalid)
	case budget.left < 0:
		return unchecked("", spent)
	case errors.Is(err, errTooSlow):
		return unchecked("", "the schema asks for too many comparisons on data like this")
	case errors.As(err, &loop):
		return unchecked("", "the schema refers to itself without end")
	}
	return unchecked("", err.Error())
}

// apply runs a check on a checker of its own.
func (s *Schema) apply(value any, budget *Budget) error {
	c := s.take()
	defer func() { s.idle <- c }()
	steps := min(maxSteps, budget.left)
	left, err := c.check(value, steps)
	budget.left -= steps - max(left, -1) // not what a price would have been that was too high to pay
	return err
}

func unchecked(pointer, why string) []engine.Violation {
	return []engine.Violation{{Pointer: cut(pointer, maxMessage), Message: cut("could not be checked: "+why, maxMessage)}}
}

func tooMuch(err error) string {
	var bad *engine.JSONError
	if errors.As(err, &bad) && bad.Code == "too_many_values" {
		return fmt.Sprintf("it has more than %d JSON values, the most that a schema is applied to", maxValues)
	}
	return err.Error()
}

// take waits for a checker, or makes one while there are fewer than processors. The same texts have compiled before; if
// they should not now, there is at least the first one to wait for.
func (s *Schema) take() *checker {
	select {
	case c := <-s.idle:
		return c
	default:
	}
	if s.made.Load() < int32(cap(s.idle)) && s.made.Add(1) <= int32(cap(s.idle)) {
		if c, err := s.source.compile(); err == nil {
			return c
		}
	}
	return <-s.idle
}

// measure walks the data once, and says what of it is beyond the bounds; program is the size of the expressions that its
// names may be matched against.
func measure(value any, program int) (pointer, why string) {
	m := measurer{}
	pointer, why = m.walk(value, 0, 0)
	if m.paths > maxPaths || matching(m.names, program) > maxSteps {
		return "", "the names in it are too long"
	}
	if m.nesting > maxNesting {
		return "", "it has too many values that are nested too deep"
	}
	return pointer, why
}

type measurer struct{ paths, names, nesting int }

// walk adds a value, whose path has so many names and bytes, and all below it.
func (m *measurer) walk(value any, depth, length int) (pointer, why string) {
	m.nesting += depth * depth
	if m.paths += length; m.paths > maxPaths {
		return "", ""
	}
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			m.names += len(name)
			// The library escapes a name for a URL, which can make three bytes of one.
			if pointer, why = m.walk(member, depth+1, length+1+3*len(name)); why != "" {
				return "/" + escapePointer(name) + pointer, why
			}
		}
	case []any:
		for i, item := range value {
			if pointer, why = m.walk(item, depth+1, length+6); why != "" {
				return "/" + strconv.Itoa(i) + pointer, why
			}
		}
	case json.Number:
		if outsized(value.String()) {
			return "", fmt.Sprintf("the number has more than %d digits", maxDigits)
		}
	}
	return "", ""
}
