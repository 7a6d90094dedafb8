package remotetapprocessor

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// response is an HTTP response that goes on until its tap ends. It outlives the server's timeouts;
// each write has a deadline of its own. The session's goroutine calls its methods, and interrupt
// may come from another.
type response struct {
	// set at construction
	w       http.ResponseWriter
	control *http.ResponseController

	conn    net.Conn      // of HTTP/1, from which drain reads; else nil
	drained chan struct{} // closed when drain has ended

	mu      sync.Mutex
	leaving bool // guarded by mu: the deadline is final
	left    bool // guarded by mu: the response is not ours any more
}

func newResponse(w http.ResponseWriter) *response {
	r := &response{w: w, control: http.NewResponseController(w)}
	_ = r.control.SetReadDeadline(time.Time{})
	return r
}

// drain reads and forgets what the client of a stream over HTTP/1 sends behind its request, on a
// goroutine of its own, until leave. net/http looks out for the end of the connection itself, but
// stops at the first byte, and then would not notice a client that leaves. Nothing is served
// after a stream, so nothing is lost. It does nothing on HTTP/2, where requests have streams.
func (r *response) drain(request *http.Request, cancel context.CancelCauseFunc) {
	conn, ok := request.Context().Value(connectionKey{}).(net.Conn)
	if !ok || request.ProtoMajor != 1 {
		return
	}
	r.conn, r.drained = conn, make(chan struct{})
	go func() {
		defer close(r.drained)
		if _, err := io.CopyN(io.Discard, conn, maxClientMessage+1); err == nil {
			cancel(endProtocolError)
			return
		}
		cancel(endClientClosed)
	}()
}

// within runs a write under a deadline. Between writes there is none: HTTP/2 would reset the
// stream when it passes.
func (r *response) within(deadline time.Time, write func() error) error {
	r.allow(deadline)
	err := write()
	if err != nil && !time.Now().Before(deadline) {
		return os.ErrDeadlineExceeded // HTTP/2 says only that the stream is gone
	}
	r.allow(time.Time{})
	return err
}

// writeParts writes some bytes and sends them to the client.
func (r *response) writeParts(parts [][]byte) error {
	for _, part := range parts {
		if _, err := r.w.Write(part); err != nil {
			return err
		}
	}
	return r.flush()
}

// flush sends what has been written to the client.
func (r *response) flush() error {
	if err := r.control.Flush(); err != nil {
		return err
	}
	// otelhttp's Flush, which we have just called, keeps the error to itself. net/http's own has
	// nothing left to do now but to repeat it.
	if inner, ok := innermost(r.w).(interface{ FlushError() error }); ok {
		return inner.FlushError()
	}
	return nil
}

// innermost is the response that others have wrapped.
func innermost(w http.ResponseWriter) http.ResponseWriter {
	for {
		outer, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = outer.Unwrap()
	}
}

// allow sets the deadline of the next write; zero for none.
func (r *response) allow(deadline time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.leaving {
		r.setDeadline(deadline)
	}
}

// setDeadline is called with mu held. Where there is no deadline to set, as on a test's recorder,
// there is none to fear.
func (r *response) setDeadline(deadline time.Time) {
	_ = r.control.SetWriteDeadline(deadline)
}

// interrupt gives the write under way, and those to come, a moment to end.
func (r *response) interrupt() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.leaving || r.left {
		return
	}
	r.leaving = true
	r.setDeadline(time.Now().Add(farewell))
}

// leave is the last call: the response and the connection belong to net/http again.
func (r *response) leave() {
	if r.drained != nil {
		_ = r.conn.SetReadDeadline(time.Unix(1, 0)) // long ago
		<-r.drained
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left = true
}
