package redislog

var claimAlone = alone{
	script: claimScript, keys: "@events @decided @owner", full: goesOn, nothing: []string{"[-1]"},
	cases: []aloneCase{
		{
			name:  "another process owns the partition",
			given: []string{"SET @owner U PX 60000", "XADD @events 1-1 a 1"},
			args:  "T 90000 router me 10",
			reply: "[-1]",
		},
		{
			name:  "nobody owns the partition",
			given: []string{"XADD @events 1-1 a 1"},
			args:  "T 90000 router me 10",
			reply: "[-1]",
		},
		{
			name:    "without a log a group is made and the lease prolonged",
			given:   []string{"SET @owner T PX 60000"},
			args:    "T 90000 router me 10",
			reply:   "[1 [] 0 0-0]",
			changes: []string{"- owner expires 60 s", "+ owner expires 90 s", "+ events group router at 0-0"},
		},
		{
			name:    "a vanished group is made from the beginning, and what is decided is passed over",
			given:   []string{"SET @owner T PX 60000", "XADD @events 1-1 a 1", "XADD @events 1-2 a 2", "XADD @events 1-3 a 3", "HSET @decided 1-1 'unmatched  {}'"},
			args:    "T 60000 router me 2",
			reply:   "[1 [[1-2 [a 2]]] 1 0-0]",
			changes: []string{"+ events group router at 1-2", "+ events pending 1-2 of me"},
		},
		{
			name: "what is pending comes before anything new, whoever claimed it", then: true,
			args:    "T 60000 router you 10",
			reply:   "[1 [[1-2 [a 2]]] 0 0-0]",
			changes: []string{"- events pending 1-2 of me", "+ events pending 1-2 of you"},
		},
		{
			name: "what is new comes when nothing is pending", then: true,
			given:   []string{"XACK @events router 1-2"},
			args:    "T 60000 router you 10",
			reply:   "[1 [[1-3 [a 3]]] 0 0-0]",
			changes: []string{"- events group router at 1-2", "+ events group router at 1-3", "+ events pending 1-3 of you"},
		},
		{
			name: "what is decided and pending is acknowledged", then: true,
			given:   []string{"HSET @decided 1-3 'unmatched  {}'"},
			args:    "T 60000 router you 10",
			reply:   "[1 [] 1 1-3]",
			changes: []string{"- events pending 1-3 of you"},
		},
		{
			name: "nothing is there behind the newest", then: true,
			args:  "T 60000 router you 10",
			reply: "[1 [] 0 1-3]",
		},
		{
			name:  "no more than asked for, and in order",
			given: claimedEvents,
			args:  "T 60000 router me 2",
			reply: "[1 [[1-1 [user sam]] [1-2 [user sam]]] 0 0-0]",
		},
		{
			name: "an entry that was deleted while pending is acknowledged", real: true,
			given:   append(claimedEvents[:len(claimedEvents):len(claimedEvents)], "XDEL @events 1-1"),
			args:    "T 60000 router me 10",
			reply:   "[1 [[1-2 [user sam]] [1-3 [user ann]]] 0 0-0]",
			changes: []string{"- events pending 1-1 of me"},
		},
		{
			name: "when all that is pending was deleted there may be more", real: true,
			given:   append(claimedEvents[:len(claimedEvents):len(claimedEvents)], "XDEL @events 1-1 1-2 1-3", "XADD @events 1-4 a 4"),
			args:    "T 60000 router me 10",
			reply:   "[1 [] 1 1-4]",
			changes: []string{"- events pending 1-1 of me", "- events pending 1-2 of me", "- events pending 1-3 of me"},
		},
	},
}

var sweepAlone = alone{
	script: sweepScript, keys: "@events", full: goesOn, consumers: true,
	cases: []aloneCase{
		{
			name: "young consumers stay",
			given: []string{"XGROUP CREATE @events router 0 MKSTREAM", "XADD @events 1-1 a 1", "XREADGROUP GROUP router busy STREAMS @events >",
				"XGROUP CREATECONSUMER @events router me", "XGROUP CREATECONSUMER @events router gone"},
			args:  "router 3600000 me",
			reply: "0",
		},
		{
			name: "an idle one goes; one with claims and the consumer itself stay", then: true,
			args:    "router -2 me",
			reply:   "1",
			changes: []string{"- events consumer gone"},
		},
	},
}
