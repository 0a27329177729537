package redislog

import (
	"fmt"
	"strings"
)

// eventWords are the values of eventFields of a small event.
func eventWords(user, message string) string {
	return fmt.Sprintf("s track name '%s' '' '' '' '%s' 1 2 ok {} '' '' '' '' '' '' ''", user, message)
}

// eventLine is how its entry is stored.
func eventLine(id, user, message, dup string) string {
	empty := func(s string) string {
		if s == "" {
			return "''"
		}
		return s
	}
	return fmt.Sprintf("events [%s [source s type track name name user %s anon '' group '' prev '' msg %s ts 1 rx 2 verification ok "+
		"packed {} data '' properties '' traits '' context '' invalid '' notes '' violations '' dup %s]]", id, empty(user), empty(message), empty(dup))
}

var appendAlone = alone{
	script: appendScript, keys: "@events @counts @message:m @user:sam @told:h", full: refuses,
	cases: []aloneCase{
		{
			name:  "a fresh event",
			args:  "1000 500 s/track/u:sam 1 1 '' " + eventWords("sam", "m"),
			reply: "[NEW1 '']",
			changes: []string{"+ " + eventLine("NEW1", "sam", "m", ""), "+ counts accepted = 1",
				"+ message:m ids = ~NEW1 ", "+ message:m s/track/u:sam = 1000:NEW1",
				"+ user:sam ~NEW1 at 0"},
		},
		{
			name: "a repeat in the window does not prolong it", then: true,
			args:  "1499 500 s/track/u:sam 1 1 '' " + eventWords("sam", "m"),
			reply: "[NEW2 NEW1]",
			changes: []string{"+ " + eventLine("NEW2", "sam", "m", "NEW1"), "- counts accepted = 1", "+ counts accepted = 2",
				"- message:m ids = ~NEW1 ", "+ message:m ids = ~NEW1 ~NEW2 ", "+ user:sam ~NEW2 at 0"},
		},
		{
			name: "a repeat after the window begins another", then: true,
			args:  "1500 500 s/track/u:sam 1 1 '' " + eventWords("sam", "m"),
			reply: "[NEW3 '']",
			changes: []string{"+ " + eventLine("NEW3", "sam", "m", ""), "- counts accepted = 2", "+ counts accepted = 3",
				"- message:m ids = ~NEW1 ~NEW2 ", "+ message:m ids = ~NEW1 ~NEW2 ~NEW3 ",
				"- message:m s/track/u:sam = 1000:NEW1", "+ message:m s/track/u:sam = 1500:NEW3", "+ user:sam ~NEW3 at 0"},
		},
		{
			name: "another scope has a window of its own", then: true,
			args:  "1500 500 s/page/u:sam 1 1 '' " + eventWords("sam", "m"),
			reply: "[NEW4 '']",
			changes: []string{"+ " + eventLine("NEW4", "sam", "m", ""), "- counts accepted = 3", "+ counts accepted = 4",
				"- message:m ids = ~NEW1 ~NEW2 ~NEW3 ", "+ message:m ids = ~NEW1 ~NEW2 ~NEW3 ~NEW4 ",
				"+ message:m s/page/u:sam = 1500:NEW4", "+ user:sam ~NEW4 at 0"},
		},
		{
			name:    "a clock that went back is in the window too",
			given:   []string{"HSET @message:m s/track/ 1000:1-1 ids '~1-1 '"},
			args:    "501 500 s/track/ 1 '' '' " + eventWords("", "m"),
			reply:   "[NEW1 1-1]",
			changes: []string{"+ " + eventLine("NEW1", "", "m", "1-1"), "+ counts accepted = 1", "- message:m ids = ~1-1 ", "+ message:m ids = ~1-1 ~NEW1 "},
		},
		{
			name:    "without a scope nothing is looked for and no window begins",
			given:   []string{"HSET @message:m s/track/ 1000:1-1 ids '~1-1 '"},
			args:    "1000 500 '' 1 '' '' " + eventWords("", "m"),
			reply:   "[NEW1 '']",
			changes: []string{"+ " + eventLine("NEW1", "", "m", ""), "+ counts accepted = 1", "- message:m ids = ~1-1 ", "+ message:m ids = ~1-1 ~NEW1 "},
		},
		{
			name:    "without a message key or a user key none is looked at",
			given:   []string{"HSET @message:m s/track/ 1000:1-1 ids '~1-1 '", "ZADD @user:sam 0 ~1-1"},
			args:    "1000 500 s/track/ '' '' '' " + eventWords("", ""),
			reply:   "[NEW1 '']",
			changes: []string{"+ " + eventLine("NEW1", "", "", ""), "+ counts accepted = 1"},
		},
		{
			name:  "a state is told",
			args:  "1000 60000 '' 1 '' m " + eventWords("", "m"),
			reply: "[NEW1 '']",
			changes: []string{"+ " + eventLine("NEW1", "", "m", ""), "+ counts accepted = 1", "+ message:m ids = ~NEW1 ",
				"+ told:h 1000:NEW1 m", "+ told:h expires 60 s"},
		},
		{
			name: "the state that was told last is a repeat", then: true,
			args:  "2000 60000 '' 1 '' m " + eventWords("", "m"),
			reply: "[NEW2 NEW1]",
			changes: []string{"+ " + eventLine("NEW2", "", "m", "NEW1"), "- counts accepted = 1", "+ counts accepted = 2",
				"- message:m ids = ~NEW1 ", "+ message:m ids = ~NEW1 ~NEW2 "},
		},
		{
			name: "another state takes its place", then: true,
			args:  "3000 60000 '' '' '' n " + eventWords("", "n"),
			reply: "[NEW3 '']",
			changes: []string{"+ " + eventLine("NEW3", "", "n", ""), "- counts accepted = 2", "+ counts accepted = 3",
				"- told:h 1000:NEW1 m", "+ told:h 3000:NEW3 n"},
		},
		{
			name: "and the first one is told anew after it", then: true,
			args:  "3000 60000 '' '' '' m " + eventWords("", "m"),
			reply: "[NEW4 '']",
			changes: []string{"+ " + eventLine("NEW4", "", "m", ""), "- counts accepted = 3", "+ counts accepted = 4",
				"- told:h 3000:NEW3 n", "+ told:h 3000:NEW4 m"},
		},
		{
			name:    "a message id whose events are gone is kept for longer than what recognises its repeats",
			given:   []string{"HSET @message:m s/track/ 1000:1-1 ids ''", "PEXPIRE @message:m 60000"},
			args:    "1100 500 s/track/ 1 '' '' " + eventWords("", "m"),
			reply:   "[NEW1 1-1]",
			changes: []string{"+ " + eventLine("NEW1", "", "m", "1-1"), "+ counts accepted = 1", "- message:m ids = ", "+ message:m ids = ~NEW1 ", "- message:m expires 60 s"},
		},
		{
			name:  "the index of a message id names the newest 64",
			given: []string{"HSET @message:m ids '~1-1 " + strings.Repeat("~1-2 ", messageEvents-1) + "'"},
			args:  "1000 500 '' 1 '' '' " + eventWords("", "m"),
			reply: "[NEW1 '']",
			changes: []string{"+ " + eventLine("NEW1", "", "m", ""), "+ counts accepted = 1",
				"- message:m ids = ~1-1 " + strings.Repeat("~1-2 ", messageEvents-1),
				"+ message:m ids = " + strings.Repeat("~1-2 ", messageEvents-1) + "~NEW1 "},
		},
		{
			name:  "events of one request are stored in their order, and the second repeats the first",
			keys:  "@message:m @user:sam @told:h",
			args:  "1000 500 s/track/u:sam 1 1 '' " + eventWords("sam", "m") + " 500 s/track/u:sam 1 1 '' " + eventWords("sam", "m"),
			reply: "[NEW1 '' NEW2 NEW1]",
			changes: []string{"+ " + eventLine("NEW1", "sam", "m", ""), "+ " + eventLine("NEW2", "sam", "m", "NEW1"), "+ counts accepted = 2",
				"+ message:m ids = ~NEW1 ~NEW2 ", "+ message:m s/track/u:sam = 1000:NEW1", "+ user:sam ~NEW1 at 0", "+ user:sam ~NEW2 at 0"},
		},
	},
}
