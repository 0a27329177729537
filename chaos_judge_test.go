package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// storedEvent and storedAction are as much of the logs as is judged.
type storedEvent struct {
	ID          string `json:"id"`
	MessageID   string `json:"message_id"`
	Outcome     string `json:"outcome"`
	DuplicateOf string `json:"duplicate_of"`
}

type storedAction struct {
	ID        string `json:"id"`
	EventID   string `json:"event_id"`
	Action    string `json:"action"`
	Status    string `json:"status"`
	Reason    string `json:"reason"`
	EffectKey string `json:"effect_key"`
}

// judge holds the logs, the destination and the directory against what was acknowledged.
func (s *storm) judge() {
	for _, environment := range []string{"main", "people"} {
		messages := s.sent(environment)
		events := everyItem[storedEvent](s, environment, "events")
		actions := everyItem[storedAction](s, environment, "actions")
		s.events, s.actions = s.events+len(events), s.actions+len(actions)
		originals := s.judgeEvents(messages, events)
		performed := s.judgeActions(messages, originals, actions)
		if environment == "main" {
			s.judgeEffects(messages, performed)
		}
	}
	s.judgeRuns(s.sent("people"))
	s.judgeProfiles(s.sent("people"))
}

// sent are the messages of an environment that were acknowledged, by their ids.
func (s *storm) sent(environment string) map[string]*message {
	messages := map[string]*message{}
	for _, sender := range s.senders {
		if sender.environment == environment {
			for _, m := range sender.sent {
				messages[m.id] = m
			}
		}
	}
	return messages
}

func (s *storm) acknowledged() int { return len(s.sent("main")) + len(s.sent("people")) }

// everyItem reads a whole log through the management API.
func everyItem[T any](s *storm, environment, log string) []T {
	var all []T
	for cursor := ""; ; {
		var page struct {
			Items      []T    `json:"items"`
			NextCursor string `json:"next_cursor"`
		}
		path := fmt.Sprintf("/api/v1/environments/%s/%s?limit=500&cursor=%s", environment, log, url.QueryEscape(cursor))
		if err := (client{base: s.processes[0].admin}).get(context.Background(), path, &page); err != nil {
			s.found.add(badProcess, "the log of %s can not be read: %v", log, err)
			return all
		}
		all = append(all, page.Items...)
		if cursor = page.NextCursor; cursor == "" {
			return all
		}
	}
}

// judgeEvents wants each message on the log once for itself, decided as the rules say, and any other time as a duplicate
// of that. It returns the message of each event that is no duplicate.
func (s *storm) judgeEvents(messages map[string]*message, events []storedEvent) map[string]*message {
	copies, originals := map[string][]storedEvent{}, map[string]*message{}
	for _, e := range events {
		copies[e.MessageID] = append(copies[e.MessageID], e)
		if messages[e.MessageID] == nil {
			s.found.add(notAsked, "event %s has the message id %q, which nobody sent", e.ID, e.MessageID)
		}
	}
	for id, m := range messages {
		all := copies[id]
		at := slices.IndexFunc(all, func(e storedEvent) bool { return e.DuplicateOf == "" })
		if at < 0 {
			s.found.add(notDecided, "%s is not on the log, but for %d duplicates", id, len(all))
			continue
		}
		originals[all[at].ID] = m
		for n, e := range all {
			want, of := "duplicate", all[at].ID
			if n == at {
				want, of = m.outcome(), ""
			}
			if e.Outcome != want || e.DuplicateOf != of {
				s.found.add(notDecided, "%s, event %s: %s (of %q), not %s (of %q)", id, e.ID, e.Outcome, e.DuplicateOf, want, of)
			}
		}
	}
	return originals
}

func (m *message) outcome() string {
	if m.step {
		return "matched"
	}
	return "unmatched"
}

// judgeActions wants the two actions of each step once, and at their good end. It returns them by their effect keys.
func (s *storm) judgeActions(messages, originals map[string]*message, actions []storedAction) map[string]storedAction {
	kinds, performed := map[*message][]string{}, map[string]storedAction{}
	for _, a := range actions {
		m := originals[a.EventID]
		if m == nil {
			s.found.add(notAsked, "action %s is of event %s, which is none or a duplicate", a.ID, a.EventID)
			continue
		}
		kinds[m], performed[a.EffectKey] = append(kinds[m], a.Action), a
		if a.Status != "succeeded" {
			s.found.add(notEnded, "%s of %s (%s) is %s: %s", a.ID, m.id, a.Action, a.Status, a.Reason)
		}
	}
	for id, m := range messages {
		want := ""
		if m.step {
			want = "identify trigger"
		}
		slices.Sort(kinds[m])
		if got := strings.Join(kinds[m], " "); got != want {
			s.found.add(notEnded, "%s has the actions [%s], not [%s]", id, got, want)
		}
	}
	return performed
}

// judgeEffects wants of the oracle what the action log has, and nothing else. Order and repeats it has judged itself.
func (s *storm) judgeEffects(messages map[string]*message, performed map[string]storedAction) {
	s.oracle.mu.Lock()
	defer s.oracle.mu.Unlock()
	for key, a := range performed {
		if _, done := s.oracle.applied[key]; !done {
			s.found.add(notApplied, "%s of event %s (%s), key %s", a.ID, a.EventID, a.Action, key)
		}
	}
	for key, e := range s.oracle.applied {
		// The action that is known is another after a failover that lost a decision: it was made again, with the same keys.
		if a, known := performed[key]; !known || a.ID != e.action && s.cluster == nil {
			s.found.add(notAsked, "%s was applied with key %s by action %s; the log has that key for action %q", e.place, key, e.action, a.ID)
		}
	}
	for id, m := range messages {
		for index := range 2 {
			if m.step && s.oracle.keys[place{m.user, m.seq, index}] == "" {
				s.found.add(notApplied, "action %d of %s", index, id)
			}
		}
	}
}

// judgeRuns wants one workflow run of each step, those of a user in their order.
func (s *storm) judgeRuns(messages map[string]*message) {
	entries, _ := s.redisDo("XRANGE", "sy:{people:runs}:stream", "-", "+").([]any)
	seen, latest := map[string]bool{}, map[string]int64{}
	for _, entry := range entries {
		run := fieldsOfEntry(entry)
		var recipients []string
		var data struct{ Seq int64 }
		_ = json.Unmarshal([]byte(run["recipients"]), &recipients)
		_ = json.Unmarshal([]byte(run["data"]), &data)
		user := strings.Join(recipients, ",")
		id := fmt.Sprintf("%s-m%d", user, data.Seq)
		switch m := messages[id]; {
		case m == nil || !m.step:
			s.found.add(notAsked, "a run for %s", id)
		case seen[id]:
			s.found.add(appliedTwice, "the run for %s", id)
		case data.Seq < latest[user]:
			s.found.add(outOfOrder, "the run for %s after that for m%d", id, latest[user])
		}
		seen[id], latest[user] = true, max(latest[user], data.Seq)
	}
	for id, m := range messages {
		if m.step && !seen[id] {
			s.found.add(notApplied, "the run for %s", id)
		}
	}
}

// fieldsOfEntry are the fields of a stream entry as Redis gives it.
func fieldsOfEntry(entry any) map[string]string {
	fields := map[string]string{}
	if pair, ok := entry.([]any); ok && len(pair) == 2 {
		list, _ := pair[1].([]any)
		for i := 0; i+1 < len(list); i += 2 {
			fields[fmt.Sprint(list[i])] = fmt.Sprint(list[i+1])
		}
	}
	return fields
}

// judgeProfiles wants each user of the directory to be what the last step made of them, after as many changes as steps.
func (s *storm) judgeProfiles(messages map[string]*message) {
	last, steps := map[string]int64{}, map[string]int{}
	for _, m := range messages {
		if m.step {
			last[m.user] = max(last[m.user], m.seq)
			steps[m.user]++
		}
	}
	for user, seq := range last {
		fields, _ := s.redisDo("HMGET", "sy:{people:user:"+user+"}:profile", "traits", "version").([]any)
		var traits struct{ Seq int64 }
		_ = json.Unmarshal([]byte(fmt.Sprint(fields[0])), &traits)
		if traits.Seq != seq {
			s.found.add(outOfOrder, "user %s has the traits of m%d, not m%d", user, traits.Seq, seq)
		}
		if changes := fmt.Sprint(fields[1]); changes != fmt.Sprint(steps[user]) {
			s.found.add(appliedTwice, "user %s was changed %s times by %d steps", user, changes, steps[user])
		}
	}
}

// verify has the program look for itself.
func (s *storm) verify() {
	if out, err := exec.Command(s.binary, "verify", "--redis", s.url()).CombinedOutput(); err != nil {
		s.found.add(notVerified, "%v: %s", err, out)
	}
}

// slowestRecovery is the longest time from the end of a fault until everything that was acknowledged before that end was
// applied. The faults that came meanwhile count against it.
func (s *storm) slowestRecovery() (slowest time.Duration) {
	type effect struct{ acked, applied time.Time }
	var effects []effect
	for _, m := range s.sent("main") {
		for index := range 2 {
			if done, ok := s.oracle.applied[s.oracle.keys[place{m.user, m.seq, index}]]; ok {
				effects = append(effects, effect{m.acked, done.at})
			}
		}
	}
	slices.SortFunc(effects, func(a, b effect) int { return a.acked.Compare(b.acked) })
	var latest time.Time
	next := 0
	for _, over := range s.weather.over {
		for ; next < len(effects) && effects[next].acked.Before(over); next++ {
			if effects[next].applied.After(latest) {
				latest = effects[next].applied
			}
		}
		slowest = max(slowest, latest.Sub(over))
	}
	return slowest
}
