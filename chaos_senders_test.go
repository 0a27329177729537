package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// sender posts the events of its users, and of nobody else: the next of a user only when the one before was acknowledged,
// so that the order is known.
type sender struct {
	storm       *storm
	environment string
	random      *rand.Rand
	users       []*stormUser

	mu   sync.Mutex
	sent []*message // those that were acknowledged
}

// stormUser is one user with the number of the newest message.
type stormUser struct {
	id  string
	seq int64
}

// message is what a sender has posted.
type message struct {
	id, user string
	seq      int64
	step     bool // the rule matches it
	filler   string
	acked    time.Time
}

const (
	usersOfSender = 5
	// asideEvery: each so-manieth message of a user is one that no rule wants.
	asideEvery = 7
	// giveUp is how long a message may remain without an acknowledgement; faults are over long before.
	giveUp = 2 * time.Minute
)

func newSenders(s *storm) []*sender {
	var senders []*sender
	for n, environment := range []string{"main", "main", "main", "main", "people", "people"} {
		one := &sender{storm: s, environment: environment, random: s.random(uint64(100 + n))}
		users := usersOfSender
		if s.hasty {
			users = 1
		}
		for u := range users {
			one.users = append(one.users, &stormUser{id: fmt.Sprintf("%s-%d-%d", environment, n, u)})
		}
		senders = append(senders, one)
	}
	return senders
}

// run posts until the storm is over; what is under way then is still brought to its acknowledgement.
func (s *sender) run(over <-chan struct{}) {
	for {
		batch := s.compose()
		if !s.deliver(batch) {
			return
		}
		if s.random.IntN(20) == 0 { // a sender that has not noticed the answer
			s.deliver(batch)
		}
		pause := between(s.random, 10*time.Millisecond, 90*time.Millisecond)
		if s.storm.hasty {
			pause /= 50
		}
		select {
		case <-over:
			return
		case <-time.After(pause):
		}
	}
}

// compose makes one request: mostly a single message, sometimes several of different users, and of one in order.
func (s *sender) compose() []*message {
	if s.random.IntN(3) > 0 {
		return []*message{s.users[s.random.IntN(len(s.users))].next()}
	}
	filler := ""
	if s.random.IntN(4) == 0 { // more than a server reads of a connection at once
		filler = strings.Repeat("x", 4<<10)
	}
	var batch []*message
	for _, u := range s.random.Perm(len(s.users))[:1+s.random.IntN(len(s.users))] {
		for range 1 + s.random.IntN(3) {
			m := s.users[u].next()
			m.filler = filler
			batch = append(batch, m)
		}
	}
	return batch
}

func (u *stormUser) next() *message {
	u.seq++
	return &message{id: fmt.Sprintf("%s-m%d", u.id, u.seq), user: u.id, seq: u.seq, step: u.seq%asideEvery != 0}
}

// deliver posts a request to one process after the other until it is acknowledged.
func (s *sender) deliver(batch []*message) bool {
	body := bodyOf(batch)
	for began := time.Now(); ; time.Sleep(between(s.random, 5*time.Millisecond, 50*time.Millisecond)) {
		process := s.storm.processes[s.random.IntN(len(s.storm.processes))]
		if s.post(process.ingest+"/v1/receive/"+s.environment+"-key", body, batch) {
			return true
		}
		if time.Since(began) > giveUp {
			s.storm.found.add(notAccepted, "%s and %d more were not acknowledged in %s", batch[0].id, len(batch)-1, giveUp)
			return false
		}
	}
}

// post sends once and reports whether it was acknowledged, which makes every message of the batch count.
func (s *sender) post(url string, body []byte, batch []*message) bool {
	answer, err := stormClient.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	switch {
	case err != nil || answer.StatusCode == http.StatusServiceUnavailable:
		return false
	case answer.StatusCode != http.StatusOK:
		s.storm.found.add(notAccepted, "%s was answered %d %s", batch[0].id, answer.StatusCode, text)
		return false
	}
	var receipt struct{ Accepted, Duplicates, Invalid int }
	if err := json.Unmarshal(text, &receipt); err != nil || receipt.Accepted+receipt.Duplicates != len(batch) || receipt.Invalid != 0 {
		s.storm.found.add(notAccepted, "%s, one of %d, was answered %s", batch[0].id, len(batch), text)
	}
	s.remember(batch)
	return true
}

func (s *sender) remember(batch []*message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range batch {
		if m.acked.IsZero() {
			m.acked = time.Now()
			s.sent = append(s.sent, m)
		}
	}
}

func bodyOf(batch []*message) []byte {
	type object = map[string]any
	var list []object
	for _, m := range batch {
		name := "step"
		if !m.step {
			name = "aside"
		}
		list = append(list, object{"type": "track", "event": name, "userId": m.user, "messageId": m.id, "properties": object{"seq": m.seq, "filler": m.filler}})
	}
	var value any = list
	if len(list) == 1 {
		value = list[0]
	}
	doc, _ := json.Marshal(value) // texts and numbers can always be written
	return doc
}
