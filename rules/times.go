package rules

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // the zones, for machines and containers that have none

	// strftime and strptime of C, which Python, Ruby and most warehouses share. This has both, and nothing else.
	"github.com/itchyny/timefmt-go"
)

// timeFunctions are on times. These may be given as times, as texts in the forms that date reads, or as unix seconds or
// milliseconds. None of them looks at a clock, or at the time zone of the machine: a time is in UTC until a zone is named.
var timeFunctions = []*function{
	define("date", date, new(func(any) time.Time), new(func(any, any) time.Time), new(func(any, any, any) time.Time)).
		checked(checkZone, 2).costs(8).paced(2),
	define("formatDate", formatDate, new(func(any, string) string), new(func(any, string, string) string)).
		checked(checkTimeFormat, 1).checked(checkZone, 2).costs(4).paced(2),
	define("dateAdd", dateAdd, new(func(any, any, string) time.Time), new(func(any, any, string, string) time.Time)).
		checked(checkUnit, 2).checked(checkZone, 3).costs(6),
	define("dateDiff", dateDiff, new(func(any, any, string) int), new(func(any, any, string, string) int)).
		checked(checkUnit, 2).checked(checkZone, 3).costs(6),
	define("startOf", startOf, new(func(any, string) time.Time), new(func(any, string, string) time.Time)).
		checked(checkUnit, 1).checked(checkZone, 2).costs(6),
	define("inZone", inZone, new(func(any, string) time.Time)).checked(checkZone, 1).costs(6),
	define("timezone", timezone, new(func(string) *time.Location)).
		checked(checkZone, 0),
	define("duration", onText("duration", 1, duration), new(func(any) time.Duration)).costs(1).paced(8),
}

func duration(args ...any) (any, error) {
	d, err := time.ParseDuration(args[0].(string))
	if err != nil {
		return nil, fmt.Errorf("duration needs hours, minutes and seconds such as 1h30m, not %q", shortened(args[0].(string)))
	}
	return d, nil
}

// zones are those asked for so far; only zones that exist, so that there are some hundreds at the most.
var zones sync.Map // name to *time.Location

var zoneName = regexp.MustCompile(`^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$`)

func zoneOf(name string) (*time.Location, error) {
	if found, ok := zones.Load(name); ok {
		return found.(*time.Location), nil
	}
	wrong := fmt.Errorf("no time zone is called %q; they have names such as Europe/Berlin", shortened(name))
	if len(name) > 64 || !zoneName.MatchString(name) || name == "Local" {
		return nil, wrong
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, wrong
	}
	zones.Store(name, zone)
	return zone, nil
}

func timezone(args ...any) (any, error) {
	if args[0] == nil {
		return nil, nil
	}
	return zoneArgument("timezone", args, 0)
}

func checkZone(name string) error {
	_, err := zoneOf(name)
	return err
}

// zoneArgument is nil when it is left out.
func zoneArgument(function string, args []any, position int) (*time.Location, error) {
	if position >= len(args) {
		return nil, nil
	}
	name, err := textArgument(function, "the name of a time zone", args, position, "")
	if err != nil {
		return nil, err
	}
	zone, err := zoneOf(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", function, err)
	}
	return zone, nil
}

// timeArgument is an argument as a time, in the zone of another argument if that is given.
func timeArgument(function string, args []any, position, zone int) (time.Time, error) {
	at, err := timeOf(function, args[position])
	if err != nil {
		return at, err
	}
	location, err := zoneArgument(function, args, zone)
	if err != nil || location == nil {
		return at, err
	}
	return at.In(location), nil
}

func timeOf(function string, value any) (at time.Time, err error) {
	switch v := value.(type) {
	case time.Time:
		return v, nil
	case string:
		at, err = readTime(v, time.UTC)
	default:
		if _, ok := numeric(value); !ok {
			return at, needs(function, "a time", value)
		}
		at, err = unixTime(value)
	}
	if err != nil {
		return at, fmt.Errorf("%s: %w", function, err)
	}
	return at, nil
}

// bounded refuses years that can not be written with four digits.
func bounded(function string, at time.Time) (any, error) {
	if year := at.Year(); year < 0 || year > 9999 {
		return nil, fmt.Errorf("%s: the time is outside the years 0 to 9999", function)
	}
	return at, nil
}

// timeFormat is a text with conversions of strftime; widths are left out, and what differs between its versions.
var timeFormat = regexp.MustCompile(`^([^%]|%([-_^]?[aAbBCdDeFgGhHIjklmMnpPrRsStTuUvVwWxXyYZzcf]|:z|%))*$`)

func checkTimeFormat(format string) error {
	if !strings.Contains(format, "%") {
		return fmt.Errorf("a format has parts such as %%Y-%%m-%%d, and %q has none", shortened(format))
	}
	if len(format) > maxTimeFormat {
		return fmt.Errorf("a format may have %d bytes", maxTimeFormat)
	}
	if !timeFormat.MatchString(format) {
		return fmt.Errorf("%q is no format; its parts are %%Y, %%m, %%d, %%H, %%M, %%S and the others of strftime", shortened(format))
	}
	return nil
}

func formatDate(args ...any) (any, error) {
	if args[0] == nil {
		return nil, nil
	}
	at, err := timeArgument("formatDate", args, 0, 2)
	if err != nil {
		return nil, err
	}
	format, err := textArgument("formatDate", "a format", args, 1, "")
	if err == nil {
		err = checkTimeFormat(format)
	}
	if err != nil {
		return nil, err
	}
	return timefmt.Format(at, format), nil
}

// inZone is the same time on the clocks of a zone: for its parts, and for startOf and dateAdd.
func inZone(args ...any) (any, error) {
	if args[0] == nil {
		return nil, nil
	}
	at, err := timeArgument("inZone", args, 0, 1)
	if err != nil {
		return nil, err
	}
	return at, nil
}
