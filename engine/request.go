package engine

// Request is what the door lends to an adapter: the raw body after decompression, and the rest by name. It is valid
// only until the call returns; an adapter that keeps bytes keeps a copy.
type Request struct {
	Method string
	Body   []byte
	// Header returns the first value of a header, "" when absent; the name's case does not matter.
	Header func(name string) string
	// Query returns the first value of a query parameter, "" when absent.
	Query func(name string) string
}

// Batch is what an adapter made of one request.
type Batch struct {
	// Events in the order sent. Those that can not be routed have Invalid set.
	Events []*Event
	// Single is true when the body was one message and not a list; a single invalid event is answered with 400.
	Single bool
}

// BadRequest is an error of the sender: the body can not be understood at all, and nothing of it was stored.
type BadRequest struct {
	// Code is stable, for programs: malformed_json, too_deep, too_many_elements, empty_batch…
	Code    string
	Message string
}

func (e *BadRequest) Error() string { return e.Message }

// Unauthorized is a signature or secret that is missing or wrong. Its message never says what would have been right.
type Unauthorized struct {
	Code    string // missing_signature, bad_signature, stale_timestamp, bad_credentials…
	Message string
}

func (e *Unauthorized) Error() string { return e.Message }
