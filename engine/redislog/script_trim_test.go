package redislog

// old is a partition with events: 1-1 undecided, 1-2 decided with actions of which one is left, 1-3 with actions that are
// gone, 1-4 decided without actions.
var old = []string{
	"XADD @events 1-1 source s type track user sam anon '' group '' msg m", "XADD @events 1-2 source s type track user sam anon '' group '' msg m", "XADD @events 1-3 source s type track user sam anon '' group '' msg m", "XADD @events 1-4 user '' msg ''",
	"HSET @decided 1-2 'matched 2-1,2-2 {}' 1-3 'matched 2-3,2-4,2-5 {}' 1-4 'unmatched  {}'",
	"HSET @state 2-1 '1 succeeded {}'",
	"ZADD @user:sam 0 ~1-1 0 ~1-2 0 ~1-3",
	"HSET @message:m ids '~1-1 ~1-2 ~1-3 ' s/track/u:sam 100:1-3 s/track/u:ann 100:1-9", "PEXPIRE @message:m 200000",
}

var trimEventsAlone = alone{
	script: trimEventsScript, keys: "@events @decided @state @counts", full: goesOn,
	cases: []aloneCase{
		{
			name:  "nothing is there",
			args:  "- (9-0 100 100 @message: @user: 1000 500",
			reply: "[0 '']",
		},
		{
			name:  "what is undecided or has an action stays, the rest leaves the indexes",
			given: old,
			args:  "- (9-0 100 100 @message: @user: 1000 500",
			reply: "[2 '']",
			changes: []string{"- events [1-3 [source s type track user sam anon '' group '' msg m]]", "- events [1-4 [user '' msg '']]",
				"- decided 1-3 = matched 2-3,2-4,2-5 {}", "- decided 1-4 = unmatched  {}", "- user:sam ~1-3 at 0",
				"- message:m ids = ~1-1 ~1-2 ~1-3 ", "+ message:m ids = ~1-1 ~1-2 ", "- message:m s/track/u:sam = 100:1-3",
				"+ counts removed:matched = 1", "+ counts removed:unmatched = 1"},
		},
		{
			name:  "no further than the end",
			given: old,
			args:  "- (1-3 100 100 @message: @user: 1000 500",
			reply: "[0 '']",
		},
		{
			name:  "a page of what must stay: go on behind it",
			given: old,
			args:  "- (9-0 2 100 @message: @user: 1000 500",
			reply: "[0 (1-2]",
		},
		{
			name: "from there", then: true,
			args:  "(1-2 (9-0 1 100 @message: @user: 1000 500",
			reply: "[1 (1-3]",
			changes: []string{"- events [1-3 [source s type track user sam anon '' group '' msg m]]", "- decided 1-3 = matched 2-3,2-4,2-5 {}", "- user:sam ~1-3 at 0",
				"- message:m ids = ~1-1 ~1-2 ~1-3 ", "+ message:m ids = ~1-1 ~1-2 ", "- message:m s/track/u:sam = 100:1-3", "+ counts removed:matched = 1"},
		},
		{
			name:  "no more than may go, the oldest first; a repeat in the window is still recognised",
			given: old,
			args:  "- (9-0 100 1 @message: @user: 599 500",
			reply: "[1 '']",
			changes: []string{"- events [1-3 [source s type track user sam anon '' group '' msg m]]", "- decided 1-3 = matched 2-3,2-4,2-5 {}", "- user:sam ~1-3 at 0",
				"- message:m ids = ~1-1 ~1-2 ~1-3 ", "+ message:m ids = ~1-1 ~1-2 ", "+ counts removed:matched = 1"},
		},
		{
			name: "the last event of a message id leaves what recognises repeats, for the rest of the window",
			given: []string{"XADD @events 1-1 source s type track user '' anon a group '' msg m", "HSET @decided 1-1 'unmatched  {}'",
				"HSET @message:m ids '~1-1 ' s/track/a:a 1000:1-1", "PEXPIRE @message:m 200000"},
			args:  "- (9-0 100 100 @message: @user: 1000 60000",
			reply: "[1 '']",
			changes: []string{"- events [1-1 [source s type track user '' anon a group '' msg m]]", "- decided 1-1 = unmatched  {}", "- message:m ids = ~1-1 ",
				"+ message:m ids = ", "- message:m expires 200 s", "+ message:m expires 60 s", "+ counts removed:unmatched = 1"},
		},
		{
			name: "and nothing after the window",
			given: []string{"XADD @events 1-1 source s type track user '' anon a group '' msg m", "HSET @decided 1-1 'unmatched  {}'",
				"HSET @message:m ids '~1-1 ' s/track/a:a 1000:1-1", "PEXPIRE @message:m 200000"},
			args:  "- (9-0 100 100 @message: @user: 61000 60000",
			reply: "[1 '']",
			changes: []string{"- events [1-1 [source s type track user '' anon a group '' msg m]]", "- decided 1-1 = unmatched  {}", "- message:m ids = ~1-1 ",
				"- message:m s/track/a:a = 1000:1-1", "- message:m expires 200 s", "+ counts removed:unmatched = 1"},
		},
	},
}

// oldActions are five of which 2-2 and 2-3 have not ended, and 2-5 has no state.
var oldActions = []string{
	"XADD @actions 2-1 lane x", "XADD @actions 2-2 lane x", "XADD @actions 2-3 lane x", "XADD @actions 2-4 lane x", "XADD @actions 2-5 lane x",
	"HSET @state 2-1 '1 succeeded {}' 2-2 '0 waiting {}' 2-3 '1 retrying {}' 2-4 '3 dead {}'", "ZADD @dead 0 ~2-4 0 ~2-9",
}

var trimActionsAlone = alone{
	script: trimActionsScript, keys: "@actions @state @dead @counts", full: goesOn,
	cases: []aloneCase{
		{
			name:  "what has ended goes, what is open stays",
			given: oldActions,
			args:  "- (9-0 100 100",
			reply: "[3 '']",
			changes: []string{"- actions [2-1 [lane x]]", "- actions [2-4 [lane x]]", "- actions [2-5 [lane x]]",
				"- state 2-1 = 1 succeeded {}", "- state 2-4 = 3 dead {}", "- dead ~2-4 at 0",
				"+ counts dropped:succeeded = 1", "+ counts dropped:dead = 1"},
		},
		{
			name:    "no more than may go, the oldest first, and go on behind the page",
			given:   oldActions,
			args:    "- (9-0 5 1",
			reply:   "[1 (2-5]",
			changes: []string{"- actions [2-1 [lane x]]", "- state 2-1 = 1 succeeded {}", "+ counts dropped:succeeded = 1"},
		},
		{
			name: "from a place to the end", then: true,
			args:  "(2-2 (2-4 100 100",
			reply: "[0 '']",
		},
	},
}
