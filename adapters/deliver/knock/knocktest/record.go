package knocktest

import (
	"fmt"
	"maps"
	"slices"
)

// Call is a kind of call and how it was answered; status 0 is that there was no answer.
type Call struct {
	Endpoint Endpoint
	Status   int
}

// complaintsMost bounds how many are kept.
const complaintsMost = 100

// Calls counts the calls that came through.
func (k *Knock) Calls() map[Call]int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.calls)
}

// User is one user as Knock has it now; nil when there is none.
func (k *Knock) User(id string) *User {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.carryOut(k.options.Now())
	user, ok := k.users[id]
	if !ok {
		return nil
	}
	return &User{user.ID, maps.Clone(user.Traits), slices.Clone(user.History)}
}

// Users are the ids of all users, sorted.
func (k *Knock) Users() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.carryOut(k.options.Now())
	return slices.Sorted(maps.Keys(k.users))
}

// Runs are the workflows started, in order.
func (k *Knock) Runs() []Run {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.runs)
}

// Complaints are what a careful client never does although Knock lets it: two identifies of one user under way at once.
func (k *Knock) Complaints() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.complaints)
}

func (k *Knock) complain(format string, values ...any) {
	if len(k.complaints) < complaintsMost {
		k.complaints = append(k.complaints, fmt.Sprintf(format, values...))
	}
}

func (k *Knock) count(endpoint Endpoint, status int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.calls[Call{endpoint, status}]++
}
