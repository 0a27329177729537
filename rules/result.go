package rules

import (
	"encoding/json"
	"math"
	"strconv"

	"switchyard/engine"
)

// Functions of one value are looked up by their results: lower(data.plan) == "pro" is filed under the text "pro" at
// lower(data.plan), and each event has it told once, whatever the number of rules. What the function is not called for
// here, and what it fails on, is left to the expression.

// lookedThrough are the functions whose results are looked up: cheap, and of one value.
var lookedThrough = func() map[string]*function {
	all := map[string]*function{}
	for _, name := range []string{"lower", "upper", "trim", "capitalize", "string", "len", "int", "float", "abs", "floor", "ceil", "round"} {
		all[name] = functions[name]
	}
	return all
}()

// maxResultText is the longest text that such a function is called with.
const maxResultText = 4 << 10

// result is what a function makes of the value at another path, noted once.
func (n *notes) result(path *eventPath) *value {
	noted := &n.values[path.number]
	if noted.kind == absent {
		*noted = resultOf(path.via, n.at(path.of))
		n.seen = append(n.seen, path.number)
	}
	return noted
}

func resultOf(via *function, of *value) (result value) {
	defer func() {
		if recover() != nil { // the expression will fail in the same way, and its rule only
			result = value{kind: untold}
		}
	}()
	if of.kind == '[' && via == lookedThrough["len"] {
		return value{kind: isNumber, raw: strconv.AppendInt(nil, int64(itemsIn(of.raw)), 10)}
	}
	argument, ok := of.scalar()
	if !ok {
		return value{kind: untold}
	}
	made, err := via.call(argument)
	if err != nil {
		return value{kind: untold}
	}
	switch v := made.(type) {
	case nil:
		return value{kind: 'n'}
	case string:
		return textValue(v)
	case bool:
		return value{kind: strconv.AppendBool(nil, v)[0]}
	case int:
		return value{kind: isNumber, raw: strconv.AppendInt(nil, int64(v), 10)}
	case uint64:
		return value{kind: isNumber, raw: strconv.AppendUint(nil, v, 10)}
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return value{kind: untold}
		}
		return value{kind: isNumber, raw: strconv.AppendFloat(nil, v, 'g', -1, 64)}
	case json.Number:
		return value{kind: isNumber, raw: []byte(v)}
	}
	return value{kind: untold}
}

func itemsIn(list []byte) (count int) {
	for items := engine.WalkArray(list); ; count++ {
		if _, ok := items.NextItem(); !ok {
			return count
		}
	}
}

// scalar is the value as expressions have it; ok is false for lists and objects, and for a very long text.
func (v *value) scalar() (scalar any, ok bool) {
	switch v.kind {
	case absent, 'n':
		return nil, true
	case '"':
		return lent(v.raw), len(v.raw) <= maxResultText
	case isNumber:
		if len(v.raw) > maxProbedNumber {
			return nil, false
		}
		return engine.NumberOf(v.raw), true
	case 't', 'f':
		return v.kind == 't', true
	}
	return nil, false
}
