package rules

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

func TestDate(t *testing.T) {
	const noon = "2024-05-06T12:00:00.000Z"
	tests := evaluations{
		{`date(1714996800)`, noon}, {`date(1714996800000)`, noon}, {`date(1714996800.0)`, noon}, {`date("1714996800")`, noon}, {`date("1714996800000")`, noon},
		{`date("2024-05-06")`, "2024-05-06T00:00:00.000Z"}, {`date("20240506")`, "2024-05-06T00:00:00.000Z"}, {`date("2024-05")`, "2024-05-01T00:00:00.000Z"},
		{`date("2024-05-06", nil, "Europe/Berlin")`, "2024-05-05T22:00:00.000Z"}, {`date("2024-05-06T12:00Z", nil, "Europe/Berlin")`, noon},
		{`date("06.05.2024 14:00", "%d.%m.%Y %H:%M", "Europe/Berlin")`, noon}, {`date("05/06/24", "%m/%d/%y")`, "2024-05-06T00:00:00.000Z"},
		{`date("6 May 2024", "2 Jan 2006")`, "2024-05-06T00:00:00.000Z"}, {`date(timezone("Europe/Berlin"), "2024-05-06 14:00:00")`, noon},
		{`date("12:00 +0200 2024-05-06", "%H:%M %z %Y-%m-%d")`, "2024-05-06T10:00:00.000Z"},
		{`date(timestamp)`, "2024-05-06T07:08:09.123Z"}, {`date(nil)`, nil}, {`date(data.a, "%Y")`, nil}, {`date(data.a, nil, "Europe/Berlin")`, nil},
		{`date("2024-05-06") == date("2024-05-06T02:00:00+02:00")`, true}, {`date("2024-05-06").Year()`, 2024}, {`typeof(date("2024-05-06"))`, "time"},
		{`date("99999999999999999")`, wrong(`1:9: date: "99999999999999999" can not be read as a time without a format such as %d.%m.%Y`)},
		{`date("20241350")`, wrong(`1:9: date: "20241350" can not be read as a time without a format such as %d.%m.%Y`)},
		{`date("05/06/2024")`, wrong(`1:9: date: "05/06/2024" can not be read as a time without a format such as %d.%m.%Y`)},
		{`date("2024-05-06 12:00:00 CEST")`, wrong("1:9: date: the time zone CEST is not known; write an offset such as +02:00")},
		{`date("06.05.2024 CEST", "%d.%m.%Y %Z")`, wrong("1:9: date: the time zone CEST is not known; write an offset such as +02:00")},
		{`date("x", "%d.%m.%Y")`, wrong(`1:9: date: "x" is not written as %d.%m.%Y`)}, {`date("x", "%Q")`, wrong(`1:9: date: "%Q" is no format; its parts are %Y, %m, %d, %H, %M, %S and the others of strftime`)},
		{`date(true)`, wrong("1:9: date needs a time, not a boolean")}, {`date(1e18)`, wrong("1:9: date: 1000000000000000000 is no time in seconds or milliseconds")},
		{`date("2024-05-06", nil, "Europe/Berln")`, wrong(`1:33: no time zone is called "Europe/Berln"; they have names such as Europe/Berlin`)},
		{`date("2024-05-06", nil, "Local")`, wrong(`1:33: no time zone is called "Local"; they have names such as Europe/Berlin`)},
		{`timezone("../etc/passwd")`, wrong(`1:18: no time zone is called "../etc/passwd"; they have names such as Europe/Berlin`)},
		{`timestamp.Local()`, wrong(`1:19: the local time of a machine is not available; write inZone(time, "Europe/Berlin")`)},
		{`duration("90m")`, "1h30m0s"}, {`duration(data.a)`, nil}, {`duration("1d")`, wrong(`1:9: duration needs hours, minutes and seconds such as 1h30m, not "1d"`)},
	}
	for _, written := range []string{
		"2024-05-06T12:00:00Z", "2024-05-06T14:00:00+02:00", "2024-05-06T14:00:00+0200", "2024-05-06T14:00:00+02", "2024-05-06T12:00:00", "2024-05-06T12:00",
		"2024-05-06T12:00:00.000000000Z", "2024-05-06T12:00:00,000Z", "2024-05-06 12:00:00", "2024-05-06 12:00:00 UTC", "2024-05-06 14:00:00 +02:00",
		"2024-05-06 14:00:00 +0200", "2024-05-06 14:00:00 +0200 CEST", " 2024-05-06 12:00 ", "20240506T120000Z", "Mon, 06 May 2024 12:00:00 GMT",
		"Mon, 6 May 2024 14:00:00 +0200", "Mon, 06 May 2024 08:00:00 EDT", "6 May 2024 12:00:00 UTC", "Mon, 6 May 2024 14:00:00 +0200 (CEST)", "06 May 24 12:00 UTC",
		"Monday, 06-May-24 12:00:00 UTC", "Mon May  6 12:00:00 2024", "Mon May  6 12:00:00 UTC 2024", "Mon May 06 14:00:00 +0200 2024",
		"Mon May 06 2024 14:00:00 GMT+0200 (Central European Summer Time)",
	} {
		tests = append(tests, evaluations{{fmt.Sprintf("date(%q)", written), noon}}...)
	}
	tests.run(t)
}

func TestTimeFunctions(t *testing.T) {
	evaluations{
		{`formatDate(timestamp, "%Y-%m-%d %H:%M:%S %A %-d %B %j %%")`, "2024-05-06 07:08:09 Monday 6 May 127 %"}, {`formatDate("2024-05-06", "%d/%m/%y")`, "06/05/24"},
		{`formatDate(timestamp, "%H:%M %Z %z", "America/New_York")`, "03:08 EDT -0400"}, {`formatDate(inZone(timestamp, "Asia/Kolkata"), "%H:%M")`, "12:38"},
		{`formatDate(data.a, "%Y")`, nil}, {`formatDate(1714996800, "%FT%T")`, "2024-05-06T12:00:00"},
		{`formatDate(timestamp, "YYYY-MM-DD")`, wrong(`1:31: a format has parts such as %Y-%m-%d, and "YYYY-MM-DD" has none`)},
		{`formatDate(timestamp, "%999999Y")`, wrong(`1:31: "%999999Y" is no format; its parts are %Y, %m, %d, %H, %M, %S and the others of strftime`)},
		{`formatDate(timestamp, data.n)`, wrong("1:9: formatDate needs a format, not a number")}, {`formatDate(data.tags, "%Y")`, wrong("1:9: formatDate needs a time, not a list")},
		{`formatDate(timestamp, repeat("%Y", 101))`, wrong("1:9: a format may have 200 bytes")},

		// months end where they end
		{`dateAdd("2024-01-31", 1, "month")`, "2024-02-29T00:00:00.000Z"}, {`dateAdd("2023-01-31", 1, "months")`, "2023-02-28T00:00:00.000Z"},
		{`dateAdd("2024-03-31", -1, "month")`, "2024-02-29T00:00:00.000Z"}, {`dateAdd("2024-02-29", 1, "year")`, "2025-02-28T00:00:00.000Z"},
		{`dateAdd("2024-02-29", -4, "years")`, "2020-02-29T00:00:00.000Z"}, {`dateAdd("2024-11-30", 1, "quarter")`, "2025-02-28T00:00:00.000Z"},
		{`dateAdd("2024-01-15", -13, "month")`, "2022-12-15T00:00:00.000Z"}, {`dateAdd("2024-12-31", 1, "d")`, "2025-01-01T00:00:00.000Z"},
		{`dateAdd("2024-05-06", 2, "w")`, "2024-05-20T00:00:00.000Z"}, {`dateAdd("2024-05-06", 90, "m")`, "2024-05-06T01:30:00.000Z"},
		{`dateAdd("2024-05-06", -1, "s")`, "2024-05-05T23:59:59.000Z"}, {`dateAdd("2024-05-06", -1500, "ms")`, "2024-05-05T23:59:58.500Z"}, {`dateAdd(data.a, 1, "d")`, nil},
		{`dateAdd("2024-05-06", 2.0, "hours")`, "2024-05-06T02:00:00.000Z"}, {`dateAdd("2024-05-06", 1.5, "d")`, wrong("1:9: dateAdd needs a whole number, not 1.5")},
		{`dateAdd("2024-05-06", 1, "dais")`, wrong(`1:34: no unit of time is called "dais"; did you mean days?`)},
		{`dateAdd("2024-05-06", 1, data.plan)`, wrong(`1:9: no unit of time is called "pro"; they are ms, s, m, h, d, w, month, quarter and year`)},
		{`dateAdd("2024-05-06", 9000, "year")`, wrong("1:9: dateAdd: the time is outside the years 0 to 9999")},
		{`dateAdd("2024-05-06", 9007199254740992, "h")`, wrong("1:9: dateAdd: the time is outside the years 0 to 9999")},
		{`dateAdd("2024-05-06", -9223372036854775807, "d")`, wrong("1:9: dateAdd: the time is outside the years 0 to 9999")},
		{`dateAdd(data.plan, 1, "d")`, wrong(`1:9: dateAdd: "pro" can not be read as a time without a format such as %d.%m.%Y`)},

		// a day is what the calendar of a zone says, an hour is sixty minutes
		{`dateAdd("2024-03-30T12:00:00+01:00", 1, "d", "Europe/Berlin")`, "2024-03-31T10:00:00.000Z"},
		{`dateAdd("2024-03-30T12:00:00+01:00", 24, "h", "Europe/Berlin")`, "2024-03-31T11:00:00.000Z"},
		{`dateAdd("2024-03-30T02:30:00+01:00", 1, "d", "Europe/Berlin")`, "2024-03-31T01:30:00.000Z"},    // 02:30 is leapt over: 03:30
		{`dateAdd("2024-03-09T02:30:00-05:00", 1, "d", "America/New_York")`, "2024-03-10T07:30:00.000Z"}, // west of UTC, too
		{`dateAdd("2024-10-26T02:30:00+02:00", 1, "d", "Europe/Berlin")`, "2024-10-27T00:30:00.000Z"},    // 02:30 comes twice: the first
		{`dateAdd("2024-11-02T01:30:00-04:00", 1, "d", "America/New_York")`, "2024-11-03T05:30:00.000Z"},
		{`startOf("2018-11-04T12:00:00-02:00", "day", "America/Sao_Paulo")`, "2018-11-04T03:00:00.000Z"}, // there was no midnight
		{`startOf("2024-11-03T12:00:00-05:00", "day", "America/Havana")`, "2024-11-03T04:00:00.000Z"},    // there were two
		{`startOf("2024-10-27T01:30:00Z", "hour", "Europe/Berlin")`, "2024-10-27T01:00:00.000Z"},
		{`startOf(timestamp, "hour", "Asia/Kolkata")`, "2024-05-06T06:30:00.000Z"},

		{`startOf(timestamp, "week")`, "2024-05-06T00:00:00.000Z"}, {`startOf("2024-05-05", "w")`, "2024-04-29T00:00:00.000Z"}, {`startOf(timestamp, "month")`, "2024-05-01T00:00:00.000Z"},
		{`startOf(timestamp, "quarter")`, "2024-04-01T00:00:00.000Z"}, {`startOf(timestamp, "year")`, "2024-01-01T00:00:00.000Z"}, {`startOf(timestamp, "day")`, "2024-05-06T00:00:00.000Z"},
		{`startOf(timestamp, "day", "Asia/Kolkata")`, "2024-05-05T18:30:00.000Z"}, {`startOf(timestamp, "m")`, "2024-05-06T07:08:00.000Z"}, {`startOf(timestamp, "s")`, "2024-05-06T07:08:09.000Z"},
		{`startOf(data.a, "day")`, nil}, {`startOf(timestamp, "dai")`, wrong(`1:28: no unit of time is called "dai"; did you mean day?`)},
		{`inZone(timestamp, "Europe/Berlin").Hour()`, 9}, {`inZone(data.a, "Europe/Berlin")`, nil}, {`inZone(timestamp, data.a)`, wrong("1:9: inZone needs the name of a time zone, not nothing")},

		{`dateDiff("2024-01-31", "2024-02-29", "month")`, 1}, {`dateDiff("2024-01-31", "2024-02-28", "month")`, 0}, {`dateDiff("2024-02-29", "2025-02-28", "year")`, 1},
		{`dateDiff("2000-05-07", "2024-05-06", "year")`, 23}, {`dateDiff("2024-05-06", "2000-05-07", "year")`, -23}, {`dateDiff("2024-05-06", "2024-05-06", "d")`, 0},
		{`dateDiff("2024-01-01", "2024-12-31", "w")`, 52}, {`dateDiff("2024-01-01", "2024-12-31", "quarter")`, 3}, {`dateDiff(timestamp, received_at, "m")`, 51},
		{`dateDiff("2024-05-06T00:00:00.9Z", "2024-05-06T00:00:01.8Z", "s")`, 0}, {`dateDiff("0001-01-01", "9999-12-31", "d")`, 3652058},
		{`dateDiff("2024-03-30T12:00:00+01:00", "2024-03-31T12:00:00+02:00", "d", "Europe/Berlin")`, 1}, {`dateDiff("2024-03-30T12:00:00+01:00", "2024-03-31T12:00:00+02:00", "d")`, 0},
		{`dateDiff(data.a, timestamp, "d")`, nil}, {`dateDiff(timestamp, data.a, "d")`, nil}, {`dateDiff(timestamp, "x", "d")`, wrong(`1:9: dateDiff: "x" can not be read as a time without a format such as %d.%m.%Y`)},
		{`dateDiff(data.a, timestamp, "d") > 3`, false}, {`dateAdd(data.a, 1, "d") < timestamp`, false},
	}.run(t)
}

// Times do not depend on where a machine stands.
func TestTimesKnowNoMachine(t *testing.T) {
	before := time.Local
	defer func() { time.Local = before }()
	for _, name := range []string{"UTC", "America/New_York", "Australia/Eucla"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		time.Local = zone
		event := sampleEvent()
		event.Timestamp, event.ReceivedAt = event.Timestamp.Local(), event.ReceivedAt.Local()
		scope := newScope(event)
		for _, name := range []string{"timestamp", "received_at"} {
			i, _ := eventNameAt(name)
			if value, err := scope.value(&eventNames[i]); err != nil || value.(time.Time).Location() != time.UTC {
				t.Errorf("%s is %v, %v", name, value, err)
			}
		}
		scope.free()
		evaluations{
			{`date("Mon, 06 May 2024 07:08:09 EST")`, "2024-05-06T12:08:09.000Z"}, {`date("2024-05-06 10:00")`, "2024-05-06T10:00:00.000Z"},
			{`date("2024-03-09T12:00:00-05:00").AddDate(0, 0, 1)`, "2024-03-10T17:00:00.000Z"}, {`date(1714996800).Hour()`, 12},
			{`date("12:00 EST", "%H:%M %Z").Hour()`, 17}, {`date("2024-05-06 12:00 EST", "2006-01-02 15:04 MST").Hour()`, 17}, {`startOf(1714996800, "day").Hour()`, 0},
		}.run(t)
	}
}

// dateDiff is the most units that dateAdd can add without passing the other time.
func TestDateDiffIsTheNaiveOne(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		zone, err := zoneOf([]string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo"}[random.IntN(5)])
		if err != nil {
			t.Fatal(err)
		}
		from := time.Unix(random.Int64N(1_700_000_000), 0).In(zone)
		to := from.Add(time.Duration(random.Int64N(int64(1000 * time.Hour))))
		for name, unit := range units {
			if unit.millis > 0 && unit.millis < 1000 {
				continue
			}
			want := 0
			if unit.millis > 0 {
				want = int(to.Sub(from) / (time.Duration(unit.millis) * time.Millisecond))
			} else {
				for !unit.add(from, want+1).After(to) {
					want++
				}
			}
			if got := unit.between(from, to); got != want {
				t.Fatalf("%v to %v: %d %s, not %d", from, to, want, name, got)
			}
		}
	}
}
