package rules

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"math/big"
	"reflect"
	"slices"
)

// listFunctions are on lists; nil counts as an empty one.
var listFunctions = []*function{
	define("get", func(args ...any) (any, error) { return member(args[0], args[1]), nil }, new(two)).going(nothing),
	define("first", func(args ...any) (any, error) { return member(args[0], 0), nil }, new(one)).going(nothing),
	define("last", func(args ...any) (any, error) { return member(args[0], -1), nil }, new(one)).going(nothing),
	define("take", take, new(two)).going(nothing),
	define("min", func(args ...any) (any, error) { return extreme(-1, args) }, new(oneMore)).going(deeply),
	define("max", func(args ...any) (any, error) { return extreme(1, args) }, new(oneMore)).going(deeply),
	define("mean", mean, new(oneMore)).going(deeply).costs(1),
	define("median", median, new(oneMore)).going(sorting).costs(1),
	define("sort", sorted, new(one), new(two)).going(sorting),
	define("uniq", uniq, new(one)).going(deeply),
	define("flatten", flatten, new(one)).going(deeply),
	define("reverse", reverse, new(one)),
	define("concat", concatenated, new(oneMore)),
}

// listOf is the list that a function goes through; nil counts as an empty one.
func listOf(value any) (any, error) {
	if isNil(value) {
		return []any{}, nil
	}
	if kind := reflect.TypeOf(value).Kind(); kind != reflect.Slice && kind != reflect.Array {
		return nil, fmt.Errorf("a list was expected, not %s", typeName(value))
	}
	return value, nil
}

// items is the list that a function takes.
func items(function string, value any) ([]any, error) {
	if isNil(value) {
		return []any{}, nil
	}
	list, ok := asList(value)
	if !ok {
		return nil, needs(function, "a list", value)
	}
	return list, nil
}

func take(args ...any) (any, error) {
	list, err := items("take", args[0])
	if err != nil {
		return nil, err
	}
	n, ok := wholeIndex(args[1])
	if !ok || n < 0 {
		return nil, needsWhole("take", "a number of items", args[1])
	}
	return list[:min(n, len(list))], nil
}

// reverse is a list from its end to its beginning.
func reverse(args ...any) (any, error) {
	list, err := items("reverse", args[0])
	if err != nil {
		return nil, err
	}
	reversed := slices.Clone(list)
	slices.Reverse(reversed)
	return reversed, nil
}

// concatenated is one list of the items of all, in their order.
func concatenated(args ...any) (any, error) {
	lists, size := make([][]any, len(args)), 0
	for i, arg := range args {
		list, err := items("concat", arg)
		if err != nil {
			return nil, err
		}
		if lists[i], size = list, size+len(list); size > memoryBudget {
			return nil, errTooLarge
		}
	}
	return slices.Concat(append(lists, []any{})...), nil
}

// entries calls each for the members of an object, by name; what groupBy made counts as one.
func entries(value any, each func(name string, value any) any) (any, error) {
	members := map[string]any{}
	switch v := reflect.ValueOf(value); {
	case value == nil:
	case v.Kind() == reflect.Map:
		for all := v.MapRange(); all.Next(); {
			members[textOf(all.Key().Interface())] = all.Value().Interface()
		}
	default:
		return nil, fmt.Errorf("an object was expected, not %s", typeName(value))
	}
	all := make([]any, 0, len(members))
	for _, name := range sortedNames(members) {
		all = append(all, each(name, members[name]))
	}
	return all, nil
}

func sortedNames(members map[string]any) []string {
	all := make([]string, 0, len(members))
	for name := range members {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// extreme is the least (sign -1) or greatest (1) of numbers, texts or times, given one by one or in lists; missing ones
// are left out, and of none it is nil.
func extreme(sign int, args []any) (any, error) {
	var best any
	for _, arg := range args {
		list, isList := asList(arg)
		if !isList {
			list = []any{arg}
		}
		for _, item := range list {
			result, ordered, err := order(item, best)
			if err != nil {
				return nil, err
			}
			if best == nil || ordered && result == sign {
				best = item
			}
		}
	}
	return best, nil
}

// sorted orders a list of numbers, texts or times, "asc" or "desc", missing ones last.
func sorted(args ...any) (any, error) {
	list, err := items("sort", args[0])
	if err != nil {
		return nil, err
	}
	return sortBy(append([]any{list, list}, args[1:]...)...)
}

// sortBy orders a list by a list of keys, "asc" or "desc"; items without a key come last. The order is stable.
func sortBy(args ...any) (any, error) {
	list, _ := asList(args[0])
	keys, _ := asList(args[1])
	sign := 1
	if len(args) == 3 && !isNil(args[2]) && args[2] != "asc" {
		if sign = -1; args[2] != "desc" {
			return nil, errors.New(`the order must be "asc" or "desc"`)
		}
	}
	positions := make([]int, len(list))
	for i := range positions {
		positions[i] = i
	}
	var failed error
	slices.SortStableFunc(positions, func(i, j int) int {
		result, ordered, err := order(keys[i], keys[j])
		switch {
		case err != nil:
			failed = err
		case ordered:
			return sign * result
		case keys[i] == nil && keys[j] != nil:
			return 1
		case keys[j] == nil && keys[i] != nil:
			return -1
		}
		return 0
	})
	result := make([]any, len(list))
	for i, position := range positions {
		result[i] = list[position]
	}
	return result, failed
}

// sum adds the items of a list, without those that are missing; of none it is 0.
func sum(args ...any) (any, error) {
	list, err := items("sum", args[0])
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(slices.Clone(list), isNil)
	wholes, n := wholeSum(list)
	total, err := shrink(wholes)
	if err != nil {
		return nil, err
	}
	for i, item := range list[n:] {
		i += n
		if i == 0 {
			if _, ok := numeric(item); !ok {
				total = item // of texts or durations
				continue
			}
		}
		if total, err = arithmetics[0].apply(total, item); err != nil {
			return nil, err
		}
	}
	return total, nil
}

// wholeSum adds the whole numbers that a list begins with, and counts them. So a sum of a thousand digits is not written
// out and read again for each.
func wholeSum(list []any) (total *big.Int, count int) {
	total = new(big.Int)
	for _, item := range list {
		n, ok := whole(item)
		if !ok {
			break
		}
		total.Add(total, n)
		count++
	}
	return total, count
}

// uniq leaves out repeats, by value.
func uniq(args ...any) (any, error) {
	list, err := items("uniq", args[0])
	if err != nil {
		return nil, err
	}
	compared, looked := maxSteps, 10*maxSteps
	kept, others, seen := []any{}, map[uint64][]any{}, make(map[any]bool, len(list))
	for _, item := range list {
		key, simple := plainKey(item)
		if simple {
			if !seen[key] {
				seen[key] = true
				kept = append(kept, item)
			}
			continue
		}
		like := likeness(item, depthAlike, &looked)
		if !slices.ContainsFunc(others[like], func(other any) bool { return equalDeep(other, item, &compared) }) {
			others[like] = append(others[like], item)
			kept = append(kept, item)
		}
		if compared <= 0 || looked < 0 {
			return nil, errTooLarge
		}
	}
	return kept, nil
}

// likeness is the same for values that are equal and not plain, and seldom for others: it sums up hashes of the plain
// values in them, in any order, so far as these have a key of their own.
func likeness(value any, depth int, steps *int) (sum uint64) {
	*steps--
	if key, simple := plainKey(value); simple {
		return maphash.Comparable(likenessSeed, key)
	}
	if depth == 0 || *steps < 0 {
		return 0
	}
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			sum += maphash.Comparable(likenessSeed, alike{name, likeness(member, depth-1, steps)})
		}
		return sum
	}
	list, _ := asList(value)
	for i, item := range list {
		sum += maphash.Comparable(likenessSeed, alike{i, likeness(item, depth-1, steps)})
	}
	return sum
}

// alike is a part of a value at its name or position.
type alike struct {
	at   any
	hash uint64
}

// depthAlike is how deep a likeness looks.
const depthAlike = 4

var likenessSeed = maphash.MakeSeed()

// plainKey is the same for plain values that are equal, so that a long list of them is not compared each with each. Whole
// numbers too large for a float to tell apart are left to the comparison.
func plainKey(item any) (key any, simple bool) {
	const exact = 1 << 53
	switch v := item.(type) {
	case string, bool:
		return v, true
	case int:
		return v, -exact < v && v < exact
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < exact {
			return int(v), true
		}
		return v, math.Abs(v) < exact
	}
	return nil, false
}

// flatten puts the items of lists in a list in their place, at every depth.
func flatten(args ...any) (any, error) {
	list, err := items("flatten", args[0])
	if err != nil {
		return nil, err
	}
	flat, steps := []any{}, maxPlainValues
	err = flattenInto(&flat, list, 0, &steps)
	return flat, err
}

// flattenInto bounds what it goes through: a list can hold another many times over.
func flattenInto(flat *[]any, list []any, depth int, steps *int) error {
	if depth > maxPlainDepth {
		return errTooLarge
	}
	for _, item := range list {
		if *steps--; *steps < 0 {
			return errTooLarge
		}
		inner, isList := asList(item)
		if !isList {
			*flat = append(*flat, item)
			continue
		}
		if err := flattenInto(flat, inner, depth+1, steps); err != nil {
			return err
		}
	}
	return nil
}

// numbersIn are numbers given one by one or in lists, without the missing ones.
func numbersIn(function string, args []any) ([]any, error) {
	var all []any
	for _, arg := range args {
		list, isList := asList(arg)
		if !isList {
			list = []any{arg}
		}
		for _, item := range list {
			if item == nil {
				continue
			}
			number, ok := numeric(item)
			if !ok {
				return nil, needs(function, "numbers", item)
			}
			all = append(all, number)
		}
	}
	return all, nil
}

// mean is the average of numbers, nil of none.
func mean(args ...any) (any, error) {
	all, err := numbersIn("mean", args)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	total, err := sum(all)
	if err != nil {
		return nil, err
	}
	return average(total, len(all))
}

// median is the middle of numbers, the average of the two in the middle, nil of none.
func median(args ...any) (any, error) {
	all, err := numbersIn("median", args)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	ordered, err := sorted(all)
	if err != nil {
		return nil, err
	}
	all = ordered.([]any)
	middle := len(all) / 2
	if len(all)%2 == 1 {
		return all[middle], nil
	}
	total, err := sum(all[middle-1 : middle+1])
	if err != nil {
		return nil, err
	}
	return average(total, 2)
}

func average(total any, count int) (any, error) {
	return (&arithmetic{sign: "/", float: func(x, y float64) float64 { return x / y }}).numbers(total, count)
}
