package rules

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/itchyny/timefmt-go"
)

// date reads a time: date(value), date(text, format), date(text, format, zone), and expr's date(zone, text, format).
// The zone is that of texts that name none, and the one that the result is in.
func date(args ...any) (any, error) {
	location, err := zoneArgument("date", args, 2)
	if given, ok := args[0].(*time.Location); ok && len(args) > 1 {
		location, args = given, args[1:]
	}
	if err != nil || args[0] == nil {
		return nil, err
	}
	if location == nil {
		location = time.UTC
	}
	format := ""
	if len(args) > 1 && args[1] != nil {
		if format, err = textArgument("date", "a format", args, 1, ""); err != nil {
			return nil, err
		}
	}
	text, isText := args[0].(string)
	var at time.Time
	switch {
	case isText && format != "":
		at, err = readTimeAs(text, format, location)
	case isText:
		at, err = readTime(text, location)
	default:
		return dateOfOther(args[0], location)
	}
	if err != nil {
		return nil, fmt.Errorf("date: %w", err)
	}
	return bounded("date", at.In(location))
}

func dateOfOther(value any, location *time.Location) (any, error) {
	at, err := timeOf("date", value)
	if err != nil {
		return nil, err
	}
	return bounded("date", at.In(location))
}

// unixTime tells milliseconds from seconds by size: 1e11 seconds are the year 5138, 1e11 milliseconds are 1973.
func unixTime(number any) (time.Time, error) {
	value, ok := float(number)
	if !ok || math.Abs(value) > 1e15 {
		return time.Time{}, fmt.Errorf("%s is no time in seconds or milliseconds", shortened(textOf(number)))
	}
	if math.Abs(value) < 1e11 {
		value *= 1000
	}
	return time.UnixMilli(int64(math.Round(value))).UTC(), nil
}

// timeLayouts are what people and programs write; fractions of a second are read by all of them.
var timeLayouts = []string{
	time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07", "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02T15:04",
	"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 Z07:00", "2006-01-02 15:04:05Z0700", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05Z07",
	"2006-01-02 15:04:05 MST", "2006-01-02 15:04:05 -0700 MST", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02", "2006-01",
	"20060102T150405Z07:00", "20060102T150405Z0700", "20060102T150405",
	"Mon, 2 Jan 2006 15:04:05 -0700", "Mon, 2 Jan 2006 15:04:05 MST", "2 Jan 2006 15:04:05 -0700", "2 Jan 2006 15:04:05 MST",
	"Mon, 2 Jan 2006 15:04 -0700", "Mon, 2 Jan 2006 15:04 MST", "02 Jan 06 15:04 -0700", "02 Jan 06 15:04 MST", "Monday, 02-Jan-06 15:04:05 MST",
	time.ANSIC, time.UnixDate, time.RubyDate, "Mon Jan 02 2006 15:04:05 GMT-0700",
}

const maxTimeText = 100

// readTime reads the forms that need no format: ISO 8601 and RFC 3339, RFC 1123 and its relatives, and unix times.
func readTime(text string, location *time.Location) (at time.Time, err error) {
	trimmed := strings.TrimSpace(text)
	if len(trimmed) > maxTimeText {
		return at, noTime(text)
	}
	if digits.MatchString(trimmed) {
		return digitsTime(trimmed, location)
	}
	trimmed, _, _ = strings.Cut(trimmed, " (") // the comment of a mail's date: (CEST)
	for _, layout := range timeLayouts {
		// Not time.Parse, which takes abbreviations and offsets for those of the machine's zone.
		if at, err := time.ParseInLocation(layout, trimmed, location); err == nil {
			return abbreviated(at, location)
		}
	}
	return at, noTime(text)
}

func noTime(text string) error {
	return fmt.Errorf("%q can not be read as a time without a format such as %%d.%%m.%%Y", shortened(text))
}

var digits = regexp.MustCompile(`^[0-9]+$`)

// digitsTime is 20240506, or a unix time as text.
func digitsTime(text string, location *time.Location) (time.Time, error) {
	if len(text) == 8 {
		if at, err := time.ParseInLocation("20060102", text, location); err == nil {
			return at, nil
		}
		return time.Time{}, noTime(text)
	}
	if len(text) < 9 || len(text) > 15 {
		return time.Time{}, noTime(text)
	}
	seconds := 0
	for _, digit := range text {
		seconds = 10*seconds + int(digit-'0')
	}
	return unixTime(seconds)
}

// mailZones are the abbreviations that RFC 5322 knows. All others mean different zones to different people.
var mailZones = map[string]int{"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7}

// abbreviated puts right a time whose zone was an abbreviation: package time takes one that it does not know for UTC.
func abbreviated(at time.Time, location *time.Location) (time.Time, error) {
	name, offset := at.Zone()
	if at.Location() == location || at.Location() == time.UTC || offset != 0 || name == "" || name == "GMT" || name == "UT" || name == "Z" {
		return at, nil
	}
	hours, ok := mailZones[name]
	if !ok {
		return at, fmt.Errorf("the time zone %s is not known; write an offset such as +02:00", shortened(name))
	}
	return at.Add(-time.Duration(hours) * time.Hour), nil
}

const maxTimeFormat = 200

// readTimeAs reads a text in a format of strptime, or in one of Go's layouts, which have no %.
func readTimeAs(text, format string, location *time.Location) (at time.Time, err error) {
	if len(text) > maxText>>10 || len(format) > maxTimeFormat {
		return at, errors.New("the text or its format is too long")
	}
	if strings.Contains(format, "%") {
		if err := checkTimeFormat(format); err != nil {
			return at, err
		}
		at, err = timefmt.ParseInLocation(text, format, location)
	} else {
		at, err = time.ParseInLocation(format, text, location)
	}
	if err != nil {
		return at, fmt.Errorf("%q is not written as %s", shortened(text), format)
	}
	return abbreviated(at, location)
}
