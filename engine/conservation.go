package engine

// Conservation is what one partition's log comes to, at one moment: all events and all actions are somewhere, and the
// equations say where.
type Conservation struct {
	Partition int
	Events    EventTotals
	Actions   ActionTotals
	Equations []Equation
}

// EventTotals are the events ever accepted, by what became of them. Those that were deleted before they were decided, with
// their user, count for nothing.
type EventTotals struct {
	Accepted  int64 `json:"accepted"`
	Matched   int64 `json:"matched"`
	Unmatched int64 `json:"unmatched"`
	Duplicate int64 `json:"duplicate"`
	Invalid   int64 `json:"invalid"`
	// Pending are not decided yet.
	Pending int64 `json:"pending"`
}

// ActionTotals are the actions ever planned, by where they stand. Those that were deleted before they ended, with their
// user, count for nothing.
type ActionTotals struct {
	Planned   int64 `json:"planned"`
	Succeeded int64 `json:"succeeded"`
	Skipped   int64 `json:"skipped"`
	// Dead were not run again.
	Dead int64 `json:"dead"`
	// Open have not ended.
	Open int64 `json:"open"`
}

// Equation is one sum that must come out. Name is a stable code, Text says it for people.
type Equation struct {
	Name  string `json:"name"`
	Text  string `json:"text"`
	Left  int64  `json:"left"`
	Right int64  `json:"right"`
}

// Holds reports whether it comes out.
func (e Equation) Holds() bool { return e.Left == e.Right }

// Plus adds what another partition has.
func (t EventTotals) Plus(o EventTotals) EventTotals {
	return EventTotals{t.Accepted + o.Accepted, t.Matched + o.Matched, t.Unmatched + o.Unmatched, t.Duplicate + o.Duplicate,
		t.Invalid + o.Invalid, t.Pending + o.Pending}
}

// Plus adds what another partition has.
func (t ActionTotals) Plus(o ActionTotals) ActionTotals {
	return ActionTotals{t.Planned + o.Planned, t.Succeeded + o.Succeeded, t.Skipped + o.Skipped, t.Dead + o.Dead, t.Open + o.Open}
}
