package redislog

import "fmt"

// claimedEvents make a partition with the events 1-1, 1-2 and 1-3, all claimed, of an owner with the token T.
var claimedEvents = []string{
	"SET @owner T PX 60000", "XGROUP CREATE @events router 0 MKSTREAM",
	"XADD @events 1-1 user sam", "XADD @events 1-2 user sam", "XADD @events 1-3 user ann",
	"XREADGROUP GROUP router me STREAMS @events >",
}

// actionWords are the arguments of one action: those before actionFields, and their values.
func actionWords(lane int, state, perform, event, name string) string {
	return fmt.Sprintf("%d '%s' %s %s rule 0 identify %s sam {} {} 9", lane, state, perform, event, name)
}

func actionLine(id, event, lane string) string {
	return fmt.Sprintf("actions [%s [event %s rule rule index 0 kind identify lane %s user sam parameters {} payload {} created 9]]", id, event, lane)
}

var commitAlone = alone{
	script: commitScript, keys: "@events @decided @actions @state @due @owner @counts", full: goesOn, nothing: []string{"[-1]"},
	cases: []aloneCase{
		{
			name:  "another process owns the partition",
			given: claimedEvents,
			args:  "U 90000 router 1-1 unmatched {} 5 0",
			reply: "[-1]",
		},
		{
			name:  "nobody owns the partition",
			given: append(claimedEvents[1:len(claimedEvents):len(claimedEvents)], "DEL @owner"),
			args:  "T 90000 router 1-1 unmatched {} 5 0",
			reply: "[-1]",
		},
		{
			name:    "without verdicts the lease is prolonged",
			given:   claimedEvents,
			args:    "T 90000 router",
			reply:   "[1]",
			changes: []string{"- owner expires 60 s", "+ owner expires 90 s"},
		},
		{
			name:  "a verdict without actions",
			given: claimedEvents,
			args:  "T 60000 router 1-1 unmatched {} 5 0",
			reply: "[1 []]",
			changes: []string{"- events pending 1-1 of me", "+ decided 1-1 = unmatched  {}",
				"+ counts unmatched = 1"},
		},
		{
			name: "an event that is decided already is left alone", then: true,
			args:  "T 60000 router 1-1 matched {} 5 1 " + actionWords(8, "0 waiting {}", "1", "1-1", "u:sam"),
			keys:  "@lane:u:sam",
			reply: "[1 0]",
		},
		{
			name:    "an event that is decided and pending is only acknowledged",
			given:   append(claimedEvents[:len(claimedEvents):len(claimedEvents)], "HSET @decided 1-1 'unmatched  {}'"),
			args:    "T 60000 router 1-1 matched {} 5 1 " + actionWords(8, "0 waiting {}", "1", "1-1", "u:sam"),
			keys:    "@lane:u:sam",
			reply:   "[1 0]",
			changes: []string{"- events pending 1-1 of me"},
		},
		{
			name:  "an event that is not pending is not decided",
			given: append(claimedEvents[:len(claimedEvents):len(claimedEvents)], "XACK @events router 1-1", "XDEL @events 1-1"),
			args:  "T 60000 router 1-1 matched {} 5 1 " + actionWords(8, "0 waiting {}", "1", "1-1", "u:sam"),
			keys:  "@lane:u:sam",
			reply: "[1 0]",
		},
		{
			name:  "several verdicts in their order, with lanes of their own and an action that has ended",
			given: append(claimedEvents[:len(claimedEvents):len(claimedEvents)], "RPUSH @lane:u:sam 0-5", "ZADD @due 3 u:sam"),
			keys:  "@lane:u:sam @lane:r:x",
			args: "T 60000 router" +
				" 1-1 matched {} 5 2 " + actionWords(8, "0 waiting {}", "1", "1-1", "u:sam") + " " + actionWords(9, "0 waiting {}", "1", "1-1", "r:x") +
				" 1-2 duplicate {2} 6 0" +
				" 1-3 matched {3} 7 2 " + actionWords(9, "0 waiting {}", "1", "1-3", "r:x") + " " + actionWords(8, "0 skipped {}", "0", "1-3", "u:sam"),
			reply: "[1 [NEW1 NEW2] [] [NEW3 NEW4]]",
			changes: []string{
				"- events pending 1-1 of me", "- events pending 1-2 of me", "- events pending 1-3 of me",
				"+ decided 1-1 = matched NEW1,NEW2 {}", "+ decided 1-2 = duplicate  {2}", "+ decided 1-3 = matched NEW3,NEW4 {3}",
				"+ " + actionLine("NEW1", "1-1", "u:sam"), "+ " + actionLine("NEW2", "1-1", "r:x"),
				"+ " + actionLine("NEW3", "1-3", "r:x"), "+ " + actionLine("NEW4", "1-3", "u:sam"),
				"+ state NEW1 = 0 waiting {}", "+ state NEW2 = 0 waiting {}", "+ state NEW3 = 0 waiting {}", "+ state NEW4 = 0 skipped {}",
				"- lane:u:sam 0-5", "+ lane:u:sam 0-5 NEW1", "+ lane:r:x NEW2 NEW3", "+ due r:x at 5",
				"+ counts matched = 2", "+ counts duplicate = 1", "+ counts planned = 4", "+ counts open = 3", "+ counts skipped = 1",
			},
		},
		{
			name:  "of a batch the middle one is decided already",
			given: append(claimedEvents[:len(claimedEvents):len(claimedEvents)], "HSET @decided 1-2 'invalid  {}'"),
			keys:  "@lane:u:sam",
			args: "T 60000 router" +
				" 1-1 matched {} 5 1 " + actionWords(8, "0 waiting {}", "1", "1-1", "u:sam") +
				" 1-2 matched {} 6 1 " + actionWords(8, "0 waiting {}", "1", "1-2", "u:sam") +
				" 1-3 matched {} 7 1 " + actionWords(8, "0 waiting {}", "1", "1-3", "u:sam"),
			reply: "[1 [NEW1] 0 [NEW2]]",
			changes: []string{
				"- events pending 1-1 of me", "- events pending 1-2 of me", "- events pending 1-3 of me",
				"+ decided 1-1 = matched NEW1 {}", "+ decided 1-3 = matched NEW2 {}",
				"+ " + actionLine("NEW1", "1-1", "u:sam"), "+ " + actionLine("NEW2", "1-3", "u:sam"),
				"+ state NEW1 = 0 waiting {}", "+ state NEW2 = 0 waiting {}", "+ lane:u:sam NEW1 NEW2", "+ due u:sam at 5",
				"+ counts matched = 2", "+ counts planned = 2", "+ counts open = 2",
			},
		},
	},
}
