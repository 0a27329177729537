package redislog

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

var ledgerAlone = alone{
	script: ledgerScript, keys: "@events @decided @actions @state @due @dead @counts", full: goesOn,
	cases: []aloneCase{
		{
			name:  "nothing is there",
			args:  "@lane: 10",
			reply: "[0 0 0 0 0 0 []]",
		},
		{
			name: "everything is counted, the actions in all lanes",
			given: also(laned, "RPUSH @lane:y 1-4", "ZADD @due 5 y", "ZADD @dead 0 ~1-9", "DEL @counts", "HSET @counts open 4",
				"XADD @events 1-1 a 1", "XADD @events 1-2 a 2", "HSET @decided 1-1 'unmatched  {}'"),
			args:  "@lane: 2",
			reply: "[2 1 3 3 1 4 [open 4]]",
		},
		{
			name: "but not in too many", then: true,
			args:  "@lane: 1",
			reply: "[2 1 3 3 1 -1 [open 4]]",
		},
	},
}

var verifyEventsAlone = alone{
	script: verifyEventsScript, keys: "@events @decided", full: goesOn,
	cases: []aloneCase{
		{
			name:  "nothing is there",
			args:  "router - 10",
			reply: "['']",
		},
		{
			name:  "given out, neither claimed nor decided",
			given: also(claimedEvents, "XACK @events router 1-1 1-2", "HSET @decided 1-1 'unmatched  {}'", "XADD @events 1-4 a 4"),
			args:  "router - 10",
			reply: "['' event_lost 1-2]",
		},
		{
			name: "a page", then: true,
			args:  "router (1-1 1",
			reply: "[(1-2 event_lost 1-2]",
		},
	},
}

var verifyDecisionsAlone = alone{
	script: verifyDecisionsScript, keys: "@events @decided", full: goesOn,
	cases: []aloneCase{{
		name:  "decided and not on the log",
		given: []string{"XADD @events 1-1 a 1", "HSET @decided 1-1 'unmatched  {}' 1-2 'unmatched  {}'"},
		args:  "0 10",
		reply: "['' decision_orphaned 1-2]",
	}},
}

var verifyStatesAlone = alone{
	script: verifyStatesScript, keys: "@actions @state @due @dead", full: goesOn,
	cases: []aloneCase{
		{
			name:  "all is sound",
			given: also(laned, "XADD @actions 1-4 lane x", "HSET @state 1-4 '3 dead {}'", "ZADD @dead 0 ~1-4"),
			args:  "0 10 @lane:",
			reply: "['']",
		},
		{
			name: "not in its lane", then: true,
			given: []string{"LREM @lane:x 1 1-2"},
			args:  "0 10 @lane:",
			reply: "['' action_lost 1-2]",
		},
		{
			name: "dead and not listed", then: true,
			given: []string{"RPUSH @lane:x 1-2", "DEL @dead"},
			args:  "0 10 @lane:",
			reply: "['' dead_unlisted 1-4]",
		},
		{
			name:  "never due",
			given: also(laned[3:], "XADD @actions 1-2 lane x", "HDEL @state 1-1 1-3", "DEL @due"),
			args:  "0 10 @lane:",
			reply: "['' lane_unwatched x]",
		},
		{
			name:  "no entry",
			given: []string{"HSET @state 1-1 '0 waiting {}'"},
			args:  "0 10 @lane:",
			reply: "['' action_blank 1-1]",
		},
	},
}

var verifyActionsAlone = alone{
	script: verifyActionsScript, keys: "@actions @state", full: goesOn,
	cases: []aloneCase{
		{
			name:  "no state",
			given: also(laned, "HDEL @state 1-2"),
			args:  "- 10",
			reply: "['' action_forgotten 1-2]",
		},
		{
			name: "a page", then: true,
			args:  "- 2",
			reply: "[(1-2 action_forgotten 1-2]",
		},
	},
}

var verifyLanesAlone = alone{
	script: verifyLanesScript, keys: "@state @due", full: goesOn,
	cases: []aloneCase{
		{
			name:  "empty",
			given: also(laned, "ZADD @due 5 y"),
			args:  "0 10 @lane:",
			reply: "['' lane_empty y]",
		},
		{
			name:  "ended and still in it; what has no state is passed over",
			given: also(laned, "HSET @state 1-2 '1 succeeded {}'", "RPUSH @lane:x 1-9"),
			args:  "0 10 @lane:",
			reply: "['' lane_done 1-2]",
		},
	},
}

var verifyDeadAlone = alone{
	script: verifyDeadScript, keys: "@state @dead", full: goesOn,
	cases: []aloneCase{{
		name:  "listed and not dead",
		given: []string{"HSET @state 1-0 '3 dead {}' 1-1 '3 dead {}' 1-2 '1 succeeded {}'", "ZADD @dead 0 ~1-0 0 ~1-1 0 ~1-2"},
		args:  "0 10",
		reply: "['' dead_mislisted 1-2]",
	}},
}

// A page of two visits everything, however much there is and whatever it is stored as.
func TestVerifyPagesVisitEverything(t *testing.T) {
	const many = 300 // beyond what a server keeps in one piece
	withLogs(t, func(t *testing.T, l *Log) {
		for _, test := range []struct {
			script *script
			keys   string
			wrong  string // makes what is wrong with %d
			from   string
			args   string // %s is where to go on
		}{
			{verifyEventsScript, "@events @decided", "XADD @events 1-%d a 1", "-", "router %s 2"},
			{verifyDecisionsScript, "@events @decided", "HSET @decided 1-%d 'unmatched  {}'", "0", "%s 2"},
			{verifyStatesScript, "@actions @state @due @dead", "HSET @state 1-%d '0 waiting {}'", "0", "%s 2 @lane:"},
			{verifyActionsScript, "@actions @state", "XADD @actions 1-%d lane x", "-", "%s 2"},
			{verifyLanesScript, "@state @due", "ZADD @due 5 1-%d", "0", "%s 2 @lane:"},
			{verifyDeadScript, "@state @dead", "ZADD @dead 0 ~1-%d", "0", "%s 2"},
		} {
			r := newRawSlice(l.client, !l.Embedded())
			r.t = t
			for i := 1; i <= many; i++ {
				r.do(fmt.Sprintf(test.wrong, i))
			}
			if test.script == verifyEventsScript {
				r.do("XGROUP CREATE @events router $")
			}
			found := map[string]bool{}
			for from := test.from; from != ""; {
				reply, err := r.eval(alone{script: test.script, keys: test.keys}, aloneCase{args: fmt.Sprintf(test.args, from)})
				if err != nil {
					t.Fatal(err)
				}
				page := texts(reply)
				for id := range slices.Chunk(page[1:], 2) {
					found[id[1]] = true
				}
				from = page[0]
			}
			if len(found) != many {
				t.Errorf("%s: %d of %d were found", strings.Fields(test.wrong)[1], len(found), many)
			}
		}
	})
}
