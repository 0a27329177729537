package redislog

// known is a partition with the events 1-1 and 1-2 of sam, of which 1-2 is being decided, and 1-3 of ann, which has the
// same message id as 1-1. Of the actions of 1-1, 2-0 was trimmed, 2-1 waits in sam's lane, 2-2 in a lane of its own before one of ann,
// 2-3 in one where it is alone, and 2-4 is dead. 2-5 waits in sam's lane, its event was trimmed.
var known = []string{
	"XADD @events 1-1 source s type track user sam msg m", "XADD @events 1-2 user sam msg ''", "XADD @events 1-3 source s type track user ann msg m",
	"XGROUP CREATE @events router 1-1", "XREADGROUP GROUP router me COUNT 1 STREAMS @events >",
	"ZADD @user:sam 0 ~1-1 0 ~1-2", "ZADD @user:ann 0 ~1-3",
	"HSET @message:m ids '~1-1 ~1-3 ' s/track/u:sam 5:1-1 s/track/u:ann 5:1-3",
	"HSET @decided 1-1 'matched 2-0,2-1,2-2,2-3,2-4 {}'",
	"XADD @actions 2-1 lane u:sam", "XADD @actions 2-2 lane r:x", "XADD @actions 2-3 lane r:y", "XADD @actions 2-4 lane u:sam",
	"XADD @actions 2-5 lane u:sam", "XADD @actions 2-6 lane r:x",
	"HSET @state 2-1 '1 retrying {}' 2-2 '0 waiting {}' 2-3 '0 waiting {}' 2-4 '3 dead {}' 2-5 '0 waiting {}' 2-6 '0 waiting {}'",
	"RPUSH @lane:u:sam 2-1 2-5", "RPUSH @lane:r:x 2-2 2-6", "RPUSH @lane:r:y 2-3", "ZADD @due 7 u:sam 8 r:x 9 r:y",
	"ZADD @dead 0 ~2-4 0 ~2-9", "HSET @counts open 5",
}

var forgetAlone = alone{
	script: forgetScript, keys: "@user:sam @events @decided @actions @state @dead @lane:u:sam @due @counts", full: goesOn,
	cases: []aloneCase{
		{
			name:  "nothing is known of the user",
			given: known[2:4],
			args:  "router u:sam 1 @message: @lane: @user: 100 60000",
			reply: "[0 0]",
		},
		{
			name:  "an event goes with its decision, its actions in all lanes and its places in the indexes",
			given: known,
			args:  "router u:sam 1 @message: @lane: @user: 100 60000",
			reply: "[1 1]",
			changes: []string{"- events [1-1 [source s type track user sam msg m]]", "- decided 1-1 = matched 2-0,2-1,2-2,2-3,2-4 {}", "- user:sam ~1-1 at 0",
				"- message:m ids = ~1-1 ~1-3 ", "+ message:m ids = ~1-3 ", "- message:m s/track/u:sam = 5:1-1",
				"- actions [2-1 [lane u:sam]]", "- actions [2-2 [lane r:x]]", "- actions [2-3 [lane r:y]]", "- actions [2-4 [lane u:sam]]",
				"- state 2-1 = 1 retrying {}", "- state 2-2 = 0 waiting {}", "- state 2-3 = 0 waiting {}", "- state 2-4 = 3 dead {}",
				"- lane:u:sam 2-1 2-5", "+ lane:u:sam 2-5", "- lane:r:x 2-2 2-6", "+ lane:r:x 2-6", "- lane:r:y 2-3", "- due r:y at 9", "- dead ~2-4 at 0",
				"- counts open = 5", "+ counts open = 2", "+ counts removed:matched = 1",
				"+ counts dropped:retrying = 1", "+ counts dropped:waiting = 2", "+ counts dropped:dead = 1"},
		},
		{
			name: "the last one is acknowledged, and the user's lane goes", then: true,
			args:  "router u:sam 1 @message: @lane: @user: 100 60000",
			reply: "[0 1]",
			changes: []string{"- events [1-2 [user sam msg '']]", "- events pending 1-2 of me", "- user:sam ~1-2 at 0",
				"- actions [2-5 [lane u:sam]]", "- state 2-5 = 0 waiting {}", "- lane:u:sam 2-5", "- due u:sam at 7",
				"- counts open = 2", "+ counts open = 1", "+ counts removed:pending = 1", "- counts dropped:waiting = 2", "+ counts dropped:waiting = 3"},
		},
		{
			name:    "the first event of a millisecond, of a user without a lane",
			given:   []string{"XADD @events 5-0 user sam msg m", "ZADD @user:sam 0 ~5-0", "HSET @message:m ids '~5-0 '"},
			args:    "router u:sam 100 @message: @lane: @user: 100 60000",
			reply:   "[0 1]",
			changes: []string{"- events [5-0 [user sam msg m]]", "- user:sam ~5-0 at 0", "- message:m ids = ~5-0 ", "+ counts removed:pending = 1"},
		},
		{
			name:    "an event that was trimmed is only taken out of the index",
			given:   []string{"ZADD @user:sam 0 ~1-1"},
			args:    "router u:sam 100 @message: @lane: @user: 100 60000",
			reply:   "[0 0]",
			changes: []string{"- user:sam ~1-1 at 0"},
		},
	},
}

var forgetSampleAlone = alone{
	script: forgetSampleScript, keys: "@names", full: goesOn, nothing: []string{"0"},
	cases: []aloneCase{
		{
			name:  "the value is another by now",
			given: []string{`HSET @names f '4 10 20 {"user": "sam"}'`},
			args:  `f '3 10 20 {"user": "sam"}'`,
			reply: "0",
		},
		{
			name:  "the name is gone",
			args:  `f '3 10 20 {"user": "sam"}'`,
			reply: "0",
		},
		{
			name:    "the counts stay",
			given:   []string{`HSET @names f '3 10 20 {"user": "sam"}' g '1 1 1 {}'`},
			args:    `f '3 10 20 {"user": "sam"}'`,
			reply:   "1",
			changes: []string{`- names f = 3 10 20 {"user": "sam"}`, "+ names f = 3 10 20 "},
		},
	},
}

var countAlone = alone{
	script: countScript, keys: "@names", full: refuses,
	cases: []aloneCase{
		{
			name:    "names are new",
			args:    "2 other f 3 10 20 {1} g 1 1764000000000 1764000000000 ''",
			reply:   "2",
			changes: []string{"+ names f = 3 10 20 {1}", "+ names g = 1 TIME TIME "},
		},
		{
			name: "what is known is merged, and the sample is the newest", then: true,
			args:    "2 other f 2 5 15 {2}",
			reply:   "0",
			changes: []string{"- names f = 3 10 20 {1}", "+ names f = 5 5 20 {2}"},
		},
		{
			name: "without a sample the one before stays", then: true,
			args:    "2 other f 1 30 30 ''",
			reply:   "0",
			changes: []string{"- names f = 5 5 20 {2}", "+ names f = 6 5 30 {2}"},
		},
		{
			name: "beyond the limit names are the others, with the first sample", then: true,
			args:    "2 other h 2 40 40 {3} i 3 39 41 {4} f 1 1 1 ''",
			reply:   "1",
			changes: []string{"+ names other = 5 39 41 {3}", "- names f = 6 5 30 {2}", "+ names f = 7 1 30 {2}"},
		},
	},
}

var dropAlone = alone{
	script: dropScript, keys: "@profile", full: goesOn,
	cases: []aloneCase{
		{
			name:    "there is one",
			given:   []string{"HSET @profile version 3"},
			reply:   "1",
			changes: []string{"- profile version = 3"},
		},
		{
			name:  "there is none",
			reply: "0",
		},
	},
}
