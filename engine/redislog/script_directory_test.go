package redislog

var changeAlone = alone{
	script: changeScript, keys: "@profile @effect:k", full: goesOn, nothing: []string{"-1"},
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

// changedAlone and runAgainAlone are of an effect that was applied before.
var changedAlone = alone{
	script: changeScript, keys: "@profile @effect:k", full: goesOn,
	cases: []aloneCase{
		{
			name:    "the effect was applied, whatever was read",
			given:   []string{"HSET @profile version 1 traits {1}", "SET @effect:k 1 PX 60000"},
			args:    "7 8 {2} 10 90000",
			reply:   "0",
			changes: []string{"- effect:k expires 60 s", "+ effect:k expires 90 s"},
		},
	},
}

var runAgainAlone = alone{
	script: runScript, keys: "@stream @effect:k", full: goesOn,
	cases: []aloneCase{
		{
			name:    "the same effect again appends nothing",
			given:   []string{"SET @effect:k {1} PX 60000"},
			args:    "{2} 90000 v w [] a {} t c r e at",
			reply:   "{1}",
			changes: []string{"- effect:k expires 60 s", "+ effect:k expires 90 s"},
		},
	},
}

var runsAlone = alone{
	script: runScript, keys: "@stream @effect:k", full: goesOn,
	cases: []aloneCase{
		{
			name:  "a run is appended and its result remembered",
			args:  "{1} 60000 u w [] a {} t c r e at",
			reply: "{1}",
			changes: []string{"+ stream [NEW1 [id u workflow w recipients [] actor a data {} tenant t cancellation_key c rule r event_id e at at]]",
				"+ effect:k {1}", "+ effect:k expires 60 s"},
		},
	},
}

var touchAlone = alone{
	script: touchScript, keys: "@effect:k", full: goesOn,
	cases: []aloneCase{
		{
			name:    "an effect is remembered for longer",
			given:   []string{"SET @effect:k 1 PX 60000"},
			args:    "90000",
			reply:   "1",
			changes: []string{"- effect:k expires 60 s", "+ effect:k expires 90 s"},
		},
		{
			name:  "an effect that is not known",
			args:  "90000",
			reply: "0",
		},
	},
}
