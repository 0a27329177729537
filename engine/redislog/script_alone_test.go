package redislog

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"switchyard/engine/redislog/redistest"
)

// Each script is tested alone, on keys made by hand from its documentation: what it returns, and all that it changes. Each
// case runs on the embedded server, on a real one, and on a real one at its memory limit.
//
// Keys, arguments and commands are words, in ' where they have spaces or are empty. In them @x is the key x of the
// partition, ~1-1 the padded id of the entry 1-1, and NEW1 the first id that the server made in this partition; likewise in
// what is expected, where TIME is the server's clock.

// alone is how one script is tested.
type alone struct {
	script *script
	keys   string
	full   atLimit
	// nothing are the replies that say that nothing was changed.
	nothing []string
	// consumers: those of the groups are compared too. Servers make them at different times.
	consumers bool
	cases     []aloneCase
}

// atLimit is what a script that would change something does on a server at its memory limit.
type atLimit string

const (
	goesOn  atLimit = "goes on"
	refuses atLimit = "refuses" // as a whole
)

type aloneCase struct {
	name string
	// then: it goes on in the partition that the case before has left.
	then bool
	// real: the embedded server can not come to what is given.
	real  bool
	given []string // commands
	keys  string   // those beyond, or instead of, the keys of all cases
	args  string
	reply string
	// changes are the lines of the partition that went, "-", and came, "+".
	changes []string
}

// scriptsAlone names each script of the package.
var scriptsAlone = map[string][]alone{
	"appendScript":          {appendAlone},
	"beatScript":            {beatAlone},
	"changeScript":          {changeAlone, changedAlone},
	"claimScript":           {claimAlone},
	"commitScript":          {commitAlone},
	"countScript":           {countAlone},
	"dropScript":            {dropAlone},
	"dueScript":             {dueAlone},
	"forgetScript":          {forgetAlone},
	"forgetSampleScript":    {forgetSampleAlone},
	"ledgerScript":          {ledgerAlone},
	"openScript":            {openAlone},
	"ownScript":             {ownAlone, giveUpAlone},
	"postponeScript":        {postponeAlone},
	"recordScript":          {recordAlone},
	"retryScript":           {retryAlone},
	"runScript":             {runsAlone, runAgainAlone},
	"sweepScript":           {sweepAlone},
	"touchScript":           {touchAlone},
	"trimActionsScript":     {trimActionsAlone},
	"trimEventsScript":      {trimEventsAlone},
	"verifyActionsScript":   {verifyActionsAlone},
	"verifyDeadScript":      {verifyDeadAlone},
	"verifyDecisionsScript": {verifyDecisionsAlone},
	"verifyEventsScript":    {verifyEventsAlone},
	"verifyLanesScript":     {verifyLanesAlone},
	"verifyStatesScript":    {verifyStatesAlone},
}

func TestEveryScriptIsTestedAlone(t *testing.T) {
	var names []string
	for _, s := range documentedScripts(t) {
		names = append(names, s.name)
		var nothing []string
		for _, a := range scriptsAlone[s.name] {
			nothing = append(nothing, a.nothing...)
		}
		says := strings.Contains(strings.ReplaceAll(section(s.doc, "Returns"), "  ", " "), "nothing was changed")
		if says != (len(nothing) > 0) {
			t.Errorf("%s: that nothing was changed is documented: %v, and tested with the replies %v", s.name, says, nothing)
		}
	}
	slices.Sort(names)
	if tested := slices.Sorted(maps.Keys(scriptsAlone)); !slices.Equal(tested, names) {
		t.Errorf("tested alone are %v\nof %v", tested, names)
	}
}

func TestScriptsAlone(t *testing.T) {
	t.Run("embedded", func(t *testing.T) { runAlone(t, "embedded", false) })
	t.Run("redis", func(t *testing.T) { runAlone(t, redistest.Start(t, "--appendfsync", "no").URL(), false) })
	t.Run("full", func(t *testing.T) { runAlone(t, redistest.Start(t, "--appendfsync", "no").URL(), true) })
}

func runAlone(t *testing.T, url string, full bool) {
	l, err := Open(context.Background(), Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, name := range slices.Sorted(maps.Keys(scriptsAlone)) {
		for _, a := range scriptsAlone[name] {
			t.Run(name, func(t *testing.T) { a.run(t, l, full) })
		}
	}
}

func (a alone) run(t *testing.T, l *Log, full bool) {
	for _, nothing := range a.nothing {
		if !slices.ContainsFunc(a.cases, func(c aloneCase) bool { return c.reply == nothing }) {
			t.Errorf("no case has the reply %s", nothing)
		}
	}
	var r *rawSlice
	for _, c := range a.cases {
		t.Run(c.name, func(t *testing.T) {
			if c.real && l.Embedded() {
				t.Skip("only a real server comes to this")
			}
			if !c.then {
				r = newRawSlice(l.client, !l.Embedded())
			} else if r == nil {
				t.Skip("it goes on from the case before it, which has not run")
			}
			r.t, r.consumers = t, a.consumers
			for _, command := range c.given {
				r.do(command)
			}
			if full {
				r.checkFull(a, c)
			} else {
				r.check(a, c)
			}
		})
	}
}

// check runs a case and compares the reply and the changes.
func (r *rawSlice) check(a alone, c aloneCase) {
	r.t.Helper()
	before, bytes := r.lines(), r.bytes()
	result, err := r.eval(a, c)
	if err != nil {
		r.t.Fatal(err)
	}
	changes := difference(before, r.lines())
	if got := r.named(shown(result)); got != c.reply {
		r.t.Errorf("it returns %s\nwant       %s", got, c.reply)
	}
	want := slices.Sorted(slices.Values(c.changes))
	if !slices.Equal(changes, want) {
		r.t.Errorf("it changes\n%s\nwant\n%s", strings.Join(changes, "\n"), strings.Join(want, "\n"))
	}
	if slices.Contains(a.nothing, c.reply) && !maps.Equal(bytes, r.bytes()) {
		r.t.Error("something was changed")
	}
}

// checkFull runs a case at the memory limit. A script that refuses must have changed nothing, and does its work as soon
// as there is room.
func (r *rawSlice) checkFull(a alone, c aloneCase) {
	r.t.Helper()
	r.limit(1)
	defer r.limit(0)
	if a.full == refuses && len(c.changes) > 0 {
		before := r.bytes()
		if _, err := r.eval(a, c); err == nil || !strings.Contains(err.Error(), "OOM") {
			r.t.Errorf("it does not refuse: %v", err)
		}
		if !maps.Equal(before, r.bytes()) {
			r.t.Error("it refused, and something was changed")
		}
		r.limit(0)
	}
	r.check(a, c)
}
