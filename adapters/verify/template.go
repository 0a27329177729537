package verify

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The places of a template.
const (
	partBody = "{body}"
	partTime = "{ts}"
	partID   = "{id}"
)

// template is the signed text: places, and literal text between them.
type template []string

// parseTemplate reads {id}.{ts}.{body} and the like; "" is {body}. Each place stands at most once, and {body} must.
func parseTemplate(text string) (template, error) {
	if text == "" {
		return template{partBody}, nil
	}
	var parts template
	for rest := text; rest != ""; {
		part, after := rest, ""
		if open := strings.IndexByte(rest, '{'); open > 0 {
			part, after = rest[:open], rest[open:]
		} else if open == 0 {
			end := strings.IndexByte(rest, '}') + 1
			part, after = rest[:end], rest[end:]
			if part != partBody && part != partTime && part != partID {
				return nil, fmt.Errorf("has signed %q; its places are {body}, {ts} and {id}", text)
			}
			if parts.uses(part) {
				return nil, fmt.Errorf("has signed %q, with %s twice", text, part)
			}
		}
		parts, rest = append(parts, part), after
	}
	if !parts.uses(partBody) {
		return nil, errors.New("must sign {body}")
	}
	return parts, nil
}

func (t template) uses(part string) bool { return slices.Contains(t, part) }

func (t template) fill(body []byte, ts, id string) [][]byte {
	text := make([][]byte, 0, len(t))
	for _, part := range t {
		switch part {
		case partBody:
			text = append(text, body)
		case partTime:
			text = append(text, []byte(ts))
		case partID:
			text = append(text, []byte(id))
		default:
			text = append(text, []byte(part))
		}
	}
	return text
}

// stamp is one way to write the time of signing.
type stamp struct {
	name   string
	parse  func(text string) (time.Time, error)
	format func(at time.Time) string
}

var (
	unixStamp = stamp{
		name: "unix",
		parse: func(text string) (time.Time, error) {
			seconds, err := digits(text)
			return time.Unix(seconds, 0), err
		},
		format: func(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) },
	}
	unixMilliStamp = stamp{
		name: "unix_ms",
		parse: func(text string) (time.Time, error) {
			millis, err := digits(text)
			return time.UnixMilli(millis), err
		},
		format: func(at time.Time) string { return strconv.FormatInt(at.UnixMilli(), 10) },
	}
	rfc3339Stamp = stamp{
		name:   "rfc3339",
		parse:  func(text string) (time.Time, error) { return time.Parse(time.RFC3339, text) },
		format: func(at time.Time) string { return at.UTC().Format(time.RFC3339) },
	}
	stamps = map[string]stamp{"unix": unixStamp, "unix_ms": unixMilliStamp, "rfc3339": rfc3339Stamp}
)

// digits reads a number the one way that a sender writes it: no sign, and no leading zeros.
func digits(text string) (int64, error) {
	number, err := strconv.ParseUint(text, 10, 63)
	if err == nil && strconv.FormatUint(number, 10) != text {
		err = strconv.ErrSyntax
	}
	return int64(number), err
}
