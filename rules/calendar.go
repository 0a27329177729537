package rules

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"switchyard/rules/document"
)

// unit is one that times are counted in: of a fixed length, or of the calendar.
type unit struct {
	name         string
	millis       int
	days, months int
}

var units = func() map[string]unit {
	table := map[string]unit{}
	for _, one := range []struct {
		unit  unit
		names string
	}{
		{unit{name: "ms", millis: 1}, "ms millisecond milliseconds"},
		{unit{name: "s", millis: 1000}, "s second seconds"},
		{unit{name: "m", millis: 60_000}, "m minute minutes"},
		{unit{name: "h", millis: 3_600_000}, "h hour hours"},
		{unit{name: "d", days: 1}, "d day days"},
		{unit{name: "w", days: 7}, "w week weeks"},
		{unit{name: "month", months: 1}, "month months"},
		{unit{name: "quarter", months: 3}, "quarter quarters"},
		{unit{name: "year", months: 12}, "y year years"},
	} {
		for _, name := range strings.Fields(one.names) {
			table[name] = one.unit
		}
	}
	return table
}()

func checkUnit(name string) error {
	if _, ok := units[name]; ok {
		return nil
	}
	if nearest, ok := document.Nearest(name, slices.Sorted(maps.Keys(units))); ok {
		return fmt.Errorf("no unit of time is called %q; did you mean %s?", shortened(name), nearest)
	}
	return fmt.Errorf("no unit of time is called %q; they are ms, s, m, h, d, w, month, quarter and year", shortened(name))
}

func unitArgument(function string, args []any, position int) (unit, error) {
	name, err := textArgument(function, "a unit such as d", args, position, "")
	if err == nil {
		err = checkUnit(name)
	}
	return units[name], err
}

// dateAdd adds so many units to a time, or takes them away. Days and longer ones are those of the calendar: the clock
// shows the same before and after, and a month's end stays inside the month.
func dateAdd(args ...any) (any, error) {
	if args[0] == nil {
		return nil, nil
	}
	at, err := timeArgument("dateAdd", args, 0, 3)
	if err != nil {
		return nil, err
	}
	n, ok := wholeIndex(args[1])
	if !ok {
		return nil, needsWhole("dateAdd", "a whole number", args[1])
	}
	unit, err := unitArgument("dateAdd", args, 2)
	if err != nil {
		return nil, err
	}
	if n < -1e15 || n > 1e15 || max(unit.days, unit.months) > 0 && (n < -1e7 || n > 1e7) {
		return nil, errors.New("dateAdd: the time is outside the years 0 to 9999")
	}
	return bounded("dateAdd", unit.add(at, n))
}

func (u unit) add(at time.Time, n int) time.Time {
	year, month, day := at.Date()
	switch {
	case n == 0:
		return at
	case u.months > 0:
		total := 12*year + int(month) - 1 + n*u.months
		year, month = floorDiv(total, 12), time.Month(total-12*floorDiv(total, 12)+1)
		return clockOf(at, year, month, min(day, daysIn(year, month)))
	case u.days > 0:
		return clockOf(at, year, month, day+n*u.days)
	}
	seconds := floorDiv(n, 1000) * u.millis
	rest := (n - 1000*floorDiv(n, 1000)) * u.millis
	return time.Unix(at.Unix()+int64(seconds), int64(at.Nanosecond())).Add(time.Duration(rest) * time.Millisecond).In(at.Location())
}

func floorDiv(a, b int) int {
	if a < 0 {
		return -((b - 1 - a) / b)
	}
	return a / b
}

func daysIn(year int, month time.Month) int {
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// clockOf is the time on a day at which a clock shows what it shows at another time.
func clockOf(at time.Time, year int, month time.Month, day int) time.Time {
	hour, minute, second := at.Clock()
	return civil(time.Date(year, month, day, hour, minute, second, at.Nanosecond(), time.UTC), at.Location())
}

// civil is the time at which clocks in a zone show what they do in UTC at another. Of a time that they show twice, it is
// the first; one that they leap over is as much later as they leap. (time.Date promises neither.)
func civil(wall time.Time, location *time.Location) time.Time {
	at := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), wall.Nanosecond(), location)
	if behind := wall.Sub(shownBy(at)); behind > 0 {
		at = at.Add(behind)
	}
	if start, _ := at.ZoneBounds(); !start.IsZero() {
		_, offset := at.Zone()
		_, before := start.Add(-1).Zone()
		first := at.Add(time.Duration(offset-before) * time.Second)
		if first.Before(start) && shownBy(first).Equal(wall) {
			return first
		}
	}
	return at
}

// shownBy is what clocks show at a time, as a time in UTC.
func shownBy(at time.Time) time.Time {
	_, offset := at.Zone()
	return at.UTC().Add(time.Duration(offset) * time.Second)
}

// dateDiff is how many whole units lie between two times, negative when the second is earlier.
func dateDiff(args ...any) (any, error) {
	if args[0] == nil || args[1] == nil {
		return nil, nil
	}
	from, err := timeArgument("dateDiff", args, 0, 3)
	if err != nil {
		return nil, err
	}
	to, err := timeArgument("dateDiff", args, 1, 3)
	if err != nil {
		return nil, err
	}
	unit, err := unitArgument("dateDiff", args, 2)
	if err != nil {
		return nil, err
	}
	if to.Before(from) {
		return -unit.between(to.In(from.Location()), from), nil
	}
	return unit.between(from, to.In(from.Location())), nil
}

// between counts from a time to one that is not earlier.
func (u unit) between(from, to time.Time) int {
	if u.millis > 0 {
		seconds, nanos := to.Unix()-from.Unix(), to.Nanosecond()-from.Nanosecond()
		return int(seconds*1000+floorMillis(nanos)) / u.millis
	}
	n := int(shownBy(to).Unix()-shownBy(from).Unix())/86400/max(u.days, 1) + 1
	if u.months > 0 {
		n = (12*(to.Year()-from.Year())+int(to.Month()-from.Month()))/u.months + 1
	}
	for n > 0 && u.add(from, n).After(to) {
		n--
	}
	return n
}

func floorMillis(nanos int) int64 { return int64(floorDiv(nanos, 1_000_000)) }

// startOf is the beginning of the unit that a time is in. Weeks begin on Monday.
func startOf(args ...any) (any, error) {
	if args[0] == nil {
		return nil, nil
	}
	at, err := timeArgument("startOf", args, 0, 2)
	if err != nil {
		return nil, err
	}
	unit, err := unitArgument("startOf", args, 1)
	if err != nil {
		return nil, err
	}
	year, month, day := at.Date()
	if unit.millis > 0 { // by what the clock shows, for zones that are not whole hours from UTC
		_, minute, second := at.Clock()
		past := time.Duration(minute)*time.Minute + time.Duration(second)*time.Second + time.Duration(at.Nanosecond())
		return bounded("startOf", at.Add(-(past % (time.Duration(unit.millis) * time.Millisecond))))
	}
	switch unit.name {
	case "w":
		day -= (int(at.Weekday()) + 6) % 7
	case "month", "quarter", "year":
		month, day = time.Month((int(month)-1)/unit.months*unit.months+1), 1
	}
	return bounded("startOf", civil(time.Date(year, month, day, 0, 0, 0, 0, time.UTC), at.Location()))
}
