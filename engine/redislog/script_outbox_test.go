package redislog

import "slices"

// laned is a partition with the lane x of the actions 1-1, 1-2 and 1-3, due at 10, of which 1-1 has been tried once.
var laned = []string{
	"XADD @actions 1-1 lane x", "XADD @actions 1-2 lane x", "XADD @actions 1-3 lane x",
	"HSET @state 1-1 '1 retrying {}' 1-2 '0 waiting {}' 1-3 '0 waiting {}'",
	"RPUSH @lane:x 1-1 1-2 1-3", "ZADD @due 10 x", "HSET @counts planned 3 open 3",
}

// also is a partition with more commands.
func also(given []string, more ...string) []string { return slices.Concat(given, more) }

var dueAlone = alone{
	script: dueScript, keys: "@due @actions @state", full: goesOn,
	cases: []aloneCase{
		{
			name:  "nothing is scheduled",
			args:  "10 99 5 @lane:",
			reply: "['']",
		},
		{
			name:  "not due yet: when it will be",
			given: laned,
			args:  "9 99 5 @lane:",
			reply: "[10]",
		},
		{
			name: "which is in milliseconds of today", real: true, // the embedded server says 1.764e+12
			given: []string{"RPUSH @lane:x 1-1", "ZADD @due 1764000000000 x"},
			args:  "1763999999999 1764000060000 5 @lane:",
			reply: "[TIME]",
		},
		{
			name:    "the head of a lane is taken and the lane hidden for the lease",
			given:   laned,
			args:    "10 99 5 @lane:",
			reply:   "[99 [[1-1 [lane x]] 1 retrying {}]]",
			changes: []string{"- due x at 10", "+ due x at 99"},
		},
		{
			name: "until the lease has ended", then: true,
			args:  "98 199 5 @lane:",
			reply: "[99]",
		},
		{
			name: "then it is taken again", then: true,
			args:    "99 199 5 @lane:",
			reply:   "[199 [[1-1 [lane x]] 1 retrying {}]]",
			changes: []string{"- due x at 99", "+ due x at 199"},
		},
		{
			name:    "an empty lane leaves the schedule",
			given:   also(laned, "ZADD @due 5 empty"),
			args:    "9 99 5 @lane:",
			reply:   "[10]",
			changes: []string{"- due empty at 5"},
		},
		{
			name:    "an action without an entry leaves its lane",
			given:   also(laned, "XDEL @actions 1-1"),
			args:    "10 99 5 @lane:",
			reply:   "[99 [[1-2 [lane x]] 0 waiting {}]]",
			changes: []string{"- due x at 10", "+ due x at 99", "- state 1-1 = 1 retrying {}", "- lane:x 1-1 1-2 1-3", "+ lane:x 1-2 1-3"},
		},
		{
			name:  "a lane of which no action has an entry goes as a whole",
			given: also(laned, "XDEL @actions 1-1 1-2 1-3"),
			args:  "10 99 5 @lane:",
			reply: "['']",
			changes: []string{"- due x at 10", "- lane:x 1-1 1-2 1-3",
				"- state 1-1 = 1 retrying {}", "- state 1-2 = 0 waiting {}", "- state 1-3 = 0 waiting {}"},
		},
		{
			name:    "no more lanes than asked for, the most overdue first; an action without a state is blank",
			given:   also(laned, "XADD @actions 1-4 lane y", "RPUSH @lane:y 1-4", "ZADD @due 4 y"),
			args:    "10 99 1 @lane:",
			reply:   "[10 [[1-4 [lane y]] '']]",
			changes: []string{"- due y at 4", "+ due y at 99"},
		},
	},
}

var recordAlone = alone{
	script: recordScript, keys: "@state @lane:x @due @dead @counts", full: goesOn, nothing: []string{"0"},
	cases: []aloneCase{
		{
			name:  "the action is gone",
			given: laned,
			args:  "1-9 x 1 '2 succeeded {}' ended 50 ~1-9",
			reply: "0",
		},
		{
			name:  "another number of attempts",
			given: laned,
			args:  "1-1 x 0 '1 succeeded {}' ended 50 ~1-1",
			reply: "0",
		},
		{
			name:  "it has ended",
			given: also(laned, "HSET @state 1-1 '1 succeeded {}'"),
			args:  "1-1 x 1 '2 succeeded {}' ended 50 ~1-1",
			reply: "0",
		},
		{
			name:    "a retry stays the head of its lane",
			given:   laned,
			args:    "1-1 x 1 '2 retrying {}' retry 50 ~1-1",
			reply:   "1",
			changes: []string{"- state 1-1 = 1 retrying {}", "+ state 1-1 = 2 retrying {}", "- due x at 10", "+ due x at 50"},
		},
		{
			name: "when it has ended the next action is due", then: true,
			args:  "1-1 x 2 '3 succeeded {}' ended 60 ~1-1",
			reply: "1",
			changes: []string{"- state 1-1 = 2 retrying {}", "+ state 1-1 = 3 succeeded {}", "- due x at 50", "+ due x at 60",
				"- lane:x 1-1 1-2 1-3", "+ lane:x 1-2 1-3", "- counts open = 3", "+ counts open = 2", "+ counts succeeded = 1"},
		},
		{
			name: "a dead one is listed", then: true,
			args:  "1-2 x 0 '1 dead {}' dead 70 ~1-2",
			reply: "1",
			changes: []string{"- state 1-2 = 0 waiting {}", "+ state 1-2 = 1 dead {}", "- due x at 60", "+ due x at 70",
				"- lane:x 1-2 1-3", "+ lane:x 1-3", "- counts open = 2", "+ counts open = 1", "+ counts dead = 1", "+ dead ~1-2 at 0"},
		},
		{
			name: "the last one takes its lane off the schedule", then: true,
			args:  "1-3 x 0 '1 skipped {}' ended 80 ~1-3",
			reply: "1",
			changes: []string{"- state 1-3 = 0 waiting {}", "+ state 1-3 = 1 skipped {}", "- due x at 70",
				"- lane:x 1-3", "- counts open = 1", "+ counts open = 0", "+ counts skipped = 1"},
		},
		{
			name:  "one that is not the head leaves the schedule as it is",
			given: laned,
			args:  "1-2 x 0 '1 succeeded {}' ended 50 ~1-2",
			reply: "1",
			changes: []string{"- state 1-2 = 0 waiting {}", "+ state 1-2 = 1 succeeded {}", "- lane:x 1-1 1-2 1-3", "+ lane:x 1-1 1-3",
				"- counts open = 3", "+ counts open = 2", "+ counts succeeded = 1"},
		},
		{
			name:    "so does a retry of one that is not the head",
			given:   laned,
			args:    "1-2 x 0 '1 retrying {}' retry 50 ~1-2",
			reply:   "1",
			changes: []string{"- state 1-2 = 0 waiting {}", "+ state 1-2 = 1 retrying {}"},
		},
		{
			name:    "with no more behind it than may wait it does not give way",
			given:   laned,
			args:    "1-1 x 1 '2 retrying {}' retry 50 ~1-1 2 20 '2 dead {gave way to ' '}'",
			reply:   "1",
			changes: []string{"- state 1-1 = 1 retrying {}", "+ state 1-1 = 2 retrying {}", "- due x at 10", "+ due x at 50"},
		},
		{
			name:  "with more it dies of them",
			given: laned,
			args:  "1-1 x 1 '2 retrying {}' retry 50 ~1-1 1 20 '2 dead {gave way to ' '}'",
			reply: "3",
			changes: []string{"- state 1-1 = 1 retrying {}", "+ state 1-1 = 2 dead {gave way to 2 actions}", "- due x at 10", "+ due x at 20",
				"- lane:x 1-1 1-2 1-3", "+ lane:x 1-2 1-3", "- counts open = 3", "+ counts open = 2", "+ counts dead = 1", "+ dead ~1-1 at 0"},
		},
		{
			name:    "those before it are not behind it",
			given:   laned,
			args:    "1-2 x 0 '1 retrying {}' retry 50 ~1-2 1 20 '1 dead {gave way to ' '}'",
			reply:   "1",
			changes: []string{"- state 1-2 = 0 waiting {}", "+ state 1-2 = 1 retrying {}"},
		},
		{
			name:  "it gives way to those behind it only",
			given: laned,
			args:  "1-2 x 0 '1 retrying {}' retry 50 ~1-2 0 20 '1 dead {gave way to ' '}'",
			reply: "2",
			changes: []string{"- state 1-2 = 0 waiting {}", "+ state 1-2 = 1 dead {gave way to 1 action}", "- lane:x 1-1 1-2 1-3", "+ lane:x 1-1 1-3",
				"- counts open = 3", "+ counts open = 2", "+ counts dead = 1", "+ dead ~1-2 at 0"},
		},
		{
			name:    "one that is in no lane has nothing behind it",
			given:   also(laned, "LREM @lane:x 1 1-2"),
			args:    "1-2 x 0 '1 retrying {}' retry 50 ~1-2 0 20 '1 dead {gave way to ' '}'",
			reply:   "1",
			changes: []string{"- state 1-2 = 0 waiting {}", "+ state 1-2 = 1 retrying {}"},
		},
		{
			name:  "of a single one too",
			given: also(laned, "LREM @lane:x 1 1-3"),
			args:  "1-1 x 1 '2 retrying {}' retry 50 ~1-1 0 20 '2 dead {gave way to ' '}'",
			reply: "2",
			changes: []string{"- state 1-1 = 1 retrying {}", "+ state 1-1 = 2 dead {gave way to 1 action}", "- due x at 10", "+ due x at 20",
				"- lane:x 1-1 1-2", "+ lane:x 1-2", "- counts open = 3", "+ counts open = 2", "+ counts dead = 1", "+ dead ~1-1 at 0"},
		},
	},
}

var retryAlone = alone{
	script: retryScript, keys: "@state @lane:x @due @dead @counts", full: refuses, nothing: []string{"0"},
	cases: []aloneCase{
		{
			name:  "the action is gone",
			given: laned,
			args:  "1-9 x '1 dead ' '1 waiting {}' 50 ~1-9",
			reply: "0",
		},
		{
			name:  "its state is another",
			given: also(laned, "HSET @state 1-9 '11 dead {}'", "ZADD @dead 0 ~1-9"),
			args:  "1-9 x '1 dead ' '1 waiting {}' 50 ~1-9",
			reply: "0",
		},
		{
			name:  "a dead one goes behind what waits in its lane",
			given: also(laned, "HSET @state 1-9 '1 dead {}'", "ZADD @dead 0 ~1-9 0 ~1-8", "HSET @counts dead 2"),
			args:  "1-9 x '1 dead ' '1 waiting {}' 50 ~1-9",
			reply: "1",
			changes: []string{"- state 1-9 = 1 dead {}", "+ state 1-9 = 1 waiting {}", "- dead ~1-9 at 0", "- lane:x 1-1 1-2 1-3", "+ lane:x 1-1 1-2 1-3 1-9",
				"- counts open = 3", "+ counts open = 4", "- counts dead = 2", "+ counts dead = 1"},
		},
		{
			name: "a second time it is another by now", then: true,
			args:  "1-9 x '1 dead ' '1 waiting {}' 60 ~1-9",
			reply: "0",
		},
		{
			name:  "an empty lane is scheduled; one that was not dead was not listed",
			given: []string{"HSET @state 1-9 '1 succeeded {}'", "HSET @counts succeeded 1"},
			args:  "1-9 x '1 succeeded ' '1 waiting {}' 50 ~1-9",
			reply: "1",
			changes: []string{"- state 1-9 = 1 succeeded {}", "+ state 1-9 = 1 waiting {}", "+ lane:x 1-9", "+ due x at 50",
				"+ counts open = 1", "- counts succeeded = 1", "+ counts succeeded = 0"},
		},
	},
}

var postponeAlone = alone{
	script: postponeScript, keys: "@lane:u:sam @due", full: goesOn, nothing: []string{"0"},
	cases: []aloneCase{
		{
			name:    "the lane is due again at a time",
			given:   []string{"RPUSH @lane:u:sam 1-1 1-2", "ZADD @due 5 u:sam 6 u:ann"},
			args:    "1-1 u:sam 9",
			reply:   "1",
			changes: []string{"- due u:sam at 5", "+ due u:sam at 9"},
		},
		{
			name: "another is the first", then: true,
			args:  "1-2 u:sam 10",
			reply: "0",
		},
		{
			name:  "there is none",
			given: []string{"ZADD @due 5 u:sam"},
			args:  "1-1 u:sam 9",
			reply: "0",
		},
	},
}
