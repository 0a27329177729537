package redislog

var changeAlone = alone{
	script: changeScript, keys: "@profile @effect:k", full: refuses, nothing: []string{"0", "-1"},
	cases: []aloneCase{
		{
			name:  "a new profile was expected and one is there",
			given: []string{"HSET @profile version 3 traits {} created 5 updated 6"},
			args:  "'' 1 {1} 9 60000",
			reply: "-1",
		},
		{
			name:  "a profile was expected and none is there",
			args:  "3 4 {1} 9 60000",
			reply: "-1",
		},
		{
			name:  "a new profile",
			args:  "'' 1 {1} 9 60000",
			reply: "1",
			changes: []string{"+ profile traits = {1}", "+ profile version = 1", "+ profile created = 9", "+ profile updated = 9",
				"+ effect:k 1", "+ effect:k expires 60 s"},
		},
		{
			name: "the effect was applied, whatever was read", then: true,
			args:  "1 2 {2} 10 90000",
			reply: "0",
		},
		{
			name: "another effect changes it", then: true,
			given: []string{"DEL @effect:k"},
			args:  "1 2 {2} 10 90000",
			reply: "1",
			changes: []string{"- profile traits = {1}", "+ profile traits = {2}", "- profile version = 1", "+ profile version = 2",
				"- profile updated = 9", "+ profile updated = 10", "+ effect:k 1", "+ effect:k expires 90 s"},
		},
		{
			name: "the version is another by now", then: true,
			given: []string{"DEL @effect:k"},
			args:  "1 2 {3} 11 90000",
			reply: "-1",
		},
	},
}

var runsAlone = alone{
	script: runScript, keys: "@stream @effect:k", full: refuses,
	cases: []aloneCase{
		{
			name:  "a run is appended and its result remembered",
			args:  "{1} 60000 u w [] a {} t c r e at",
			reply: "{1}",
			changes: []string{"+ stream [NEW1 [id u workflow w recipients [] actor a data {} tenant t cancellation_key c rule r event_id e at at]]",
				"+ effect:k {1}", "+ effect:k expires 60 s"},
		},
		{
			name: "the same effect again appends nothing", then: true,
			args:  "{2} 90000 v w [] a {} t c r e at",
			reply: "{1}",
		},
	},
}
