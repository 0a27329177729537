package rules

import (
	"errors"
	"fmt"
	"maps"

	"switchyard/engine"
)

// memberFunctions are on objects.
var memberFunctions = []*function{
	define("pick", pick, new(oneMore)).going(sorting),
	define("omit", omit, new(oneMore)).going(sorting),
	define("merge", merge, new(any0)).going(deeply),
	define("rename", rename, new(oneMore)).going(sorting),
	define("compact", compact, new(one)).going(sorting),
	define("keys", func(args ...any) (any, error) { return entries(args[0], func(name string, _ any) any { return name }) }, new(one)).going(sorting),
	define("values", func(args ...any) (any, error) {
		return entries(args[0], func(_ string, value any) any { return value })
	}, new(one)).going(sorting),
	define("toPairs", func(args ...any) (any, error) {
		return entries(args[0], func(name string, value any) any { return []any{name, value} })
	}, new(one)).going(sorting),
	define("fromPairs", fromPairs, new(one)).going(sorting),
}

// object is the first argument of the functions on objects; nil counts as an empty one.
func object(name string, value any) (map[string]any, error) {
	switch v := value.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return v, nil
	}
	return nil, fmt.Errorf("%s needs an object, not %s", name, typeName(value))
}

// names are the other arguments: texts, or lists of them.
func names(function string, args []any) ([]string, error) {
	var all []string
	for _, arg := range args {
		list, isList := asList(arg)
		if !isList {
			list = []any{arg}
		}
		for _, item := range list {
			name, ok := item.(string)
			if !ok {
				return nil, fmt.Errorf("%s needs names, not %s", function, typeName(item))
			}
			all = append(all, name)
		}
	}
	return all, nil
}

// takesNames are the functions whose other arguments name members of the first, and how far apart these stand.
var takesNames = map[string]int{"get": 1, "pick": 1, "omit": 1, "rename": 2}

// pick is an object with only the members named, as far as it has them.
func pick(args ...any) (any, error) {
	from, err := object("pick", args[0])
	if err != nil {
		return nil, err
	}
	wanted, err := names("pick", args[1:])
	picked := make(map[string]any, len(wanted))
	for _, name := range wanted {
		if value, ok := from[name]; ok {
			picked[name] = value
		}
	}
	return picked, err
}

// omit is an object without the members named.
func omit(args ...any) (any, error) {
	from, err := object("omit", args[0])
	if err != nil {
		return nil, err
	}
	unwanted, err := names("omit", args[1:])
	rest := maps.Clone(from)
	if rest == nil {
		rest = map[string]any{}
	}
	for _, name := range unwanted {
		delete(rest, name)
	}
	return rest, err
}

// merge lays each object over those before it, at every depth.
func merge(args ...any) (any, error) {
	merged := map[string]any{}
	for _, arg := range args {
		over, err := object("merge", arg)
		if err != nil {
			return nil, err
		}
		merged = engine.MergeTraits(merged, over)
	}
	return merged, nil
}

// rename gives members other names, all at once, so that two can be swapped; what the object lacks is left out.
func rename(args ...any) (any, error) {
	from, err := object("rename", args[0])
	if err != nil {
		return nil, err
	}
	pairs, err := names("rename", args[1:])
	if err != nil {
		return nil, err
	}
	if len(pairs)%2 != 0 {
		return nil, errors.New("rename needs pairs of names: the old one, the new one")
	}
	renamed := make(map[string]any, len(from))
	maps.Copy(renamed, from)
	for i := 0; i < len(pairs); i += 2 {
		delete(renamed, pairs[i])
	}
	for i := 0; i < len(pairs); i += 2 {
		if value, ok := from[pairs[i]]; ok {
			renamed[pairs[i+1]] = value
		}
	}
	return renamed, nil
}

// fromPairs is an object of its members as toPairs gives them: lists of a name and a value.
func fromPairs(args ...any) (any, error) {
	list, err := items("fromPairs", args[0])
	if err != nil {
		return nil, err
	}
	object := make(map[string]any, len(list))
	for _, item := range list {
		pair, ok := asList(item)
		if !ok || len(pair) != 2 {
			return nil, needs("fromPairs", "lists of a name and a value", item)
		}
		name, err := wordOf("fromPairs", pair[0])
		if err != nil {
			return nil, err
		}
		object[name] = pair[1]
	}
	return object, nil
}

// compact is an object or a list without what is nil or "" in it; so that an identify does not overwrite what is known
// with nothing.
func compact(args ...any) (any, error) {
	if object, ok := args[0].(map[string]any); ok {
		kept := make(map[string]any, len(object))
		for name, value := range object {
			if !isNil(value) && value != "" {
				kept[name] = value
			}
		}
		return kept, nil
	}
	list, ok := asList(args[0])
	if !ok && args[0] != nil {
		return nil, needs("compact", "an object or a list", args[0])
	}
	if !ok {
		return nil, nil
	}
	kept := []any{}
	for _, value := range list {
		if !isNil(value) && value != "" {
			kept = append(kept, value)
		}
	}
	return kept, nil
}
