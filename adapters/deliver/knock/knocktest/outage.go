package knocktest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
)

// Outage is what is wrong with the double.
type Outage int

const (
	// Healthy is nothing.
	Healthy Outage = iota
	// Refusing cuts the connection before anything is done.
	Refusing
	// Failing answers 500 before anything is done.
	Failing
	// FailingInHTML answers 502 with a page, as a proxy does.
	FailingInHTML
	// Hanging answers when the outage is over, or not at all when the caller goes first.
	Hanging
	// Losing does what it is told, and cuts the connection before it answers.
	Losing
)

// Switch makes an outage begin, or end with Healthy. It meets this share of the calls, from 0 to 1, by chance.
func (k *Knock) Switch(outage Outage, share float64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.outage, k.odds = outage, share
	close(k.over)
	k.over = make(chan struct{})
}

// What becomes of a call in an outage.
type fate int

const (
	spared fate = iota
	handled
	replyLost
)

// trouble does what the outage does to a call.
func (k *Knock) trouble(w http.ResponseWriter, r *http.Request) fate {
	k.mu.Lock()
	outage, over := k.outage, k.over
	if outage != Healthy && k.chance.Float64() >= k.odds {
		outage = Healthy
	}
	k.mu.Unlock()
	endpoint, _ := route(r)
	switch outage {
	case Refusing:
		k.count(endpoint, 0)
		panic(http.ErrAbortHandler)
	case Failing:
		k.count(endpoint, http.StatusInternalServerError)
		failure(http.StatusInternalServerError, "internal_error", "something went wrong").write(w)
		return handled
	case FailingInHTML:
		k.count(endpoint, http.StatusBadGateway)
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		io.WriteString(w, "<html><body><h1>502 Bad Gateway</h1></body></html>")
		return handled
	case Hanging:
		select {
		case <-over:
		case <-r.Context().Done():
			k.count(endpoint, 0)
			panic(http.ErrAbortHandler)
		}
	case Losing:
		return replyLost
	}
	return spared
}

// Client calls the double without a network, whatever the host.
func (k *Knock) Client() *http.Client {
	return &http.Client{
		Transport:     inProcess{k},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// inProcess is a transport that calls a handler.
type inProcess struct{ handler http.Handler }

// RoundTrip implements http.RoundTripper.
func (t inProcess) RoundTrip(r *http.Request) (response *http.Response, err error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	defer r.Body.Close()
	defer func() {
		caught := recover()
		switch failed, _ := caught.(error); {
		case caught == nil:
		case !errors.Is(failed, http.ErrAbortHandler):
			panic(caught)
		case r.Context().Err() != nil:
			response, err = nil, r.Context().Err()
		default:
			response, err = nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
		}
	}()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := &recorder{header: http.Header{}, status: http.StatusOK}
	t.handler.ServeHTTP(w, r.Clone(r.Context()))
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: w.header,
		Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: r,
	}, nil
}

// recorder keeps a response.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header                { return w.header }
func (w *recorder) WriteHeader(status int)             { w.status = status }
func (w *recorder) Write(part []byte) (n int, e error) { return w.body.Write(part) }
