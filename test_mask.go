package main

import (
	"fmt"
	"slices"
	"strings"

	"switchyard/engine"
	"switchyard/rules/masking"
)

// masking finds the personal data of an event and of other values. What the command line keeps is kept already.
func (f *fromLog) masking(event any, others ...any) *masking.Masking {
	mask := masking.New(event, others...)
	used := map[string]bool{}
	for _, datum := range mask.Data() {
		keep := f.noMask
		for _, path := range f.keep {
			if slices.ContainsFunc(datum.Paths, func(at string) bool { return at == path || strings.HasPrefix(at, path+".") }) {
				keep, used[path] = true, true
			}
		}
		mask.Keep(datum, keep)
	}
	for _, path := range f.keep {
		if !used[path] {
			fmt.Fprintf(f.stderr, "--keep %s: no personal data was found there\n", path)
		}
	}
	return mask
}

// maxTries is how many data are tried one by one.
const maxTries = 500

// maskFor sees to it that the rules decide the masked event as they do the event itself: the same rules match and fail,
// and ask for the same actions. Each datum by which that would be another is kept. It returns these, and the decisions on
// the masked event.
func (f *fromLog) maskFor(mask *masking.Masking, event any) (kept []*masking.Personal, decided []*engine.Decision, err error) {
	_, original, err := f.decide(event)
	if err != nil {
		return nil, nil, err
	}
	try := func() bool {
		_, decided, err = f.decide(mask.Mask(event))
		return err == nil && course(decided) == course(original)
	}
	if try() {
		return nil, decided, nil
	}
	var open []*masking.Personal
	for _, datum := range mask.Data() {
		if !datum.Kept() {
			open = append(open, datum)
			mask.Keep(datum, true)
		}
	}
	for i, datum := range open {
		if i < maxTries {
			mask.Keep(datum, false)
			if try() {
				continue
			}
			mask.Keep(datum, true)
		}
		kept = append(kept, datum)
	}
	_, decided, err = f.decide(mask.Mask(event))
	return kept, decided, err
}

// course is how decisions came about, without the values in them.
func course(decisions []*engine.Decision) string {
	var parts []string
	for _, d := range decisions {
		parts = append(parts, string(d.Outcome), strings.Join(d.Rules, ","))
		for _, failed := range d.Errors {
			parts = append(parts, "failed "+failed.Rule)
		}
		for _, a := range d.Actions {
			parts = append(parts, fmt.Sprint(a.Rule, a.Index, a.Kind, a.Status))
		}
	}
	return strings.Join(parts, "\n")
}

// tell says what was masked and what was not, by where it stands: the data themselves are nobody's business.
func (f *fromLog) tell(mask *masking.Masking, kept []*masking.Personal) {
	if f.noMask {
		return
	}
	var lines []string
	for _, datum := range mask.Data() {
		line := fmt.Sprintf("%s at %s", datum.Kind, strings.Join(datum.Paths, ", "))
		switch {
		case slices.Contains(kept, datum):
			line = "kept: " + line + ", for masked the rules would decide otherwise"
		case datum.Kept():
			line = "kept: " + line
		default:
			line = "masked: " + line
		}
		if !slices.Contains(lines, line) { // each word of a name is a datum
			lines = append(lines, line)
		}
	}
	if lines == nil {
		lines = []string{"no personal data was found"}
	}
	fmt.Fprintln(f.stderr, strings.Join(lines, "\n"))
}

// tellDifferences says where the rules of the configuration decide otherwise than those that the server had, and which of
// them fail.
func (f *fromLog) tellDifferences(decided []*engine.Decision) {
	var matched []string
	for _, d := range decided {
		matched = append(matched, d.Rules...)
		for _, failed := range d.Errors {
			fmt.Fprintf(f.stderr, "the rule %s fails on this event, and so does the test: %s\n", failed.Rule, failed.Message)
		}
	}
	if f.event.Outcome != engine.OutcomePending && !slices.Equal(matched, f.event.Rules) {
		fmt.Fprintf(f.stderr, "on the log the rules that matched are %s, and of the configuration %s: the test expects the latter\n",
			orNone(f.event.Rules), orNone(matched))
	}
}

func orNone(keys []string) string {
	if len(keys) == 0 {
		return "none"
	}
	return strings.Join(keys, ", ")
}
