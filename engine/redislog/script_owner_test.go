package redislog

var beatAlone = alone{
	script: beatScript, keys: "@members @meta", full: goesOn,
	cases: []aloneCase{
		{
			name:    "the first member, where all was lost",
			args:    "a 60000 4 2",
			reply:   "[TIME 4 [a]]",
			changes: []string{"+ members a at TIME", "+ meta partitions = 4", "+ meta format = 2"},
		},
		{
			name:    "the dead are forgotten, a life is prolonged, and one that a clock ahead had given is cut down",
			given:   []string{"HSET @meta partitions 4", "ZADD @members 5 dead 9999999999998 b 9999999999999 a"},
			args:    "a 60000 4 2",
			reply:   "[TIME 4 [a b]]",
			changes: []string{"- members dead at 5", "- members a at 9999999999999", "+ members a at TIME", "- members b at 9999999999998", "+ members b at TIME"},
		},
		{
			name: "a membership is ended", then: true,
			args:    "a 0 4 2",
			reply:   "[TIME 4 [b]]",
			changes: []string{"- members a at TIME"},
		},
		{
			name: "one that has another number of partitions is no member", then: true,
			args:    "b 60000 8 2",
			reply:   "[TIME 4 []]",
			changes: []string{"- members b at TIME"},
		},
	},
}

var ownAlone = alone{
	script: ownScript, keys: "@owner", full: goesOn, nothing: []string{"''"},
	cases: []aloneCase{
		{
			name:    "a partition that nobody owns is taken",
			args:    "a 60000",
			reply:   "a TIME",
			changes: []string{"+ owner a TIME", "+ owner expires 60 s"},
		},
		{
			name:  "another's is not",
			given: []string{"SET @owner 'a 7' PX 60000"},
			args:  "b 90000",
			reply: "''",
		},
		{
			name: "nor given up", then: true,
			args:  "b 0",
			reply: "''",
		},
		{
			name:    "the token is told again and the lease prolonged",
			given:   []string{"SET @owner 'a b 7' PX 60000"},
			args:    "'a b' 90000",
			reply:   "a b 7",
			changes: []string{"- owner expires 60 s", "+ owner expires 90 s"},
		},
		{
			name:  "a name that another begins with is another",
			given: []string{"SET @owner 'a b 7' PX 60000"},
			args:  "a 90000",
			reply: "''",
		},
	},
}

// giveUpAlone is apart, for the reply is that of a partition that is another's and left alone.
var giveUpAlone = alone{
	script: ownScript, keys: "@owner", full: goesOn,
	cases: []aloneCase{
		{
			name:    "a lease that is longer than any is cut down",
			given:   []string{"SET @owner 'a 7' PX 90000"},
			args:    "b 60000",
			reply:   "''",
			changes: []string{"- owner expires 90 s", "+ owner expires 60 s"},
		},
		{
			name:    "a partition is given up",
			given:   []string{"SET @owner 'a 7' PX 60000"},
			args:    "a 0",
			reply:   "''",
			changes: []string{"- owner a 7", "- owner expires 60 s"},
		},
		{
			name: "and again", then: true,
			args:  "a 0",
			reply: "''",
		},
	},
}

var openAlone = alone{
	script: openScript, keys: "@meta", full: refuses,
	cases: []aloneCase{
		{
			name:    "an environment is first used",
			args:    "4 2",
			reply:   "[4 2]",
			changes: []string{"+ meta partitions = 4", "+ meta format = 2"},
		},
		{
			name: "with another number afterwards", then: true,
			args:  "8 2",
			reply: "[4 2]",
		},
		{
			name:  "one of a version that knew no format",
			given: []string{"HSET @meta partitions 4"},
			args:  "4 2",
			reply: "[4 '']",
		},
	},
}
