package spec

import "switchyard/engine"

// A small request must not be stored as a large one: what the events of a request share (a batch's context, the sync of
// rows) and what is made of them (renamed columns, mapped data) could be thousands of times its size. A request is
// therefore given a budget by its own size.

// ErrBudget is what a request that comes to more is refused with.
var ErrBudget = &engine.BadRequest{Code: "too_large", Message: "what this request comes to is far more than its body; send fewer events at a time"}

const (
	budgetFree  = 2 << 20
	budgetTimes = 4
)

// Budget is how many bytes the events of a body of this size may come to.
func Budget(body int) int { return budgetFree + budgetTimes*body }

// perEvent is roughly what storing an event costs beside its contents.
const perEvent = 200

// Size is about how many bytes an event is stored in. Parts that stand in its original cost nothing more, but it would
// take longer to find that out than to count them.
func Size(e *engine.Event) int {
	size := perEvent + len(e.Original) + len(e.Name) + len(e.UserID) + len(e.AnonymousID) + len(e.GroupID) + len(e.PreviousID) +
		len(e.MessageID) + len(e.Invalid) + len(e.Data) + len(e.Context)
	for _, violation := range e.Violations {
		size += len(violation.Pointer) + len(violation.Message)
	}
	for _, note := range e.Notes {
		size += len(note)
	}
	return size
}
