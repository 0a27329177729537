package rules

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
)

// The functions on lists and on the members of objects; nil counts as an empty one.

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

func items(value any) ([]any, error) {
	value, err := listOf(value)
	list, _ := asList(value)
	return list, err
}

func take(value, count any) (any, error) {
	list, err := items(value)
	if err != nil {
		return nil, err
	}
	n, ok := wholeIndex(count)
	if !ok || n < 0 {
		return nil, fmt.Errorf("take needs a number of items, not %s", typeName(count))
	}
	return list[:min(n, len(list))], nil
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
	list, err := items(args[0])
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
	if len(args) == 3 && args[2] != "asc" {
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

// sum adds the items of a list; of none it is 0.
func sum(args ...any) (any, error) {
	list, err := items(args[0])
	if err != nil {
		return nil, err
	}
	var total any = 0
	for i, item := range list {
		if i == 0 {
			if _, ok := numeric(item); !ok && item != nil {
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

// uniq leaves out repeats, by value.
func uniq(args ...any) (any, error) {
	list, err := items(args[0])
	if err != nil {
		return nil, err
	}
	kept, others, seen := []any{}, []any{}, make(map[any]bool, len(list))
	for _, item := range list {
		key, simple := plainKey(item)
		found := seen[key]
		if !simple {
			if found, err = contains(others, item); err != nil {
				return nil, err
			}
		}
		switch {
		case found:
			continue
		case simple:
			seen[key] = true
		default:
			others = append(others, item)
		}
		kept = append(kept, item)
	}
	return kept, nil
}

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

func contains(list []any, value any) (bool, error) {
	for _, item := range list {
		if same, err := equal(item, value); same || err != nil {
			return same, err
		}
	}
	return false, nil
}
