package remotetapprocessor

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/remotetap/remotetapprocessor/internal/format"
	"github.com/remotetap/remotetapprocessor/internal/selection"
)

// serveStream runs a tap as a plain HTTP response that does not end: lines of JSON, or server-sent
// events if the client accepts those. It works on HTTP/1.0, HTTP/1.1 and HTTP/2.
func (s *server) serveStream(w http.ResponseWriter, r *http.Request, sel selection.Selection) {
	events := strings.Contains(r.Header.Get("Accept"), "text/event-stream")
	transport := "ndjson"
	if events {
		transport = "sse"
	}
	binary := sel.Delivery.Format == selection.FormatOTLPProto
	if events && binary {
		s.refuse(w, r, badParameter("format", "server-sent events are text, otlp_proto is not",
			"leave the Accept header out, or choose another format"))
		return
	}
	contentType := contentTypeOf(sel.Delivery.Format, events)
	if r.Method == http.MethodHead {
		writeStreamHeader(w, contentType)
		return
	}
	ctx, t, err := s.broadcaster.subscribe(r.Context(), sel, clientOf(r, transport))
	if err != nil {
		s.answer(w, r, err)
		return
	}
	defer s.broadcaster.sessions.Done()
	defer s.broadcaster.unsubscribe(t, endInternalError) // in case of a panic; else it has ended before
	c := &streamClient{response: newResponse(w), events: events, binary: binary}
	if r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close") // a stream is the last on its connection
	}
	c.drain(r, t.cancel)
	writeStreamHeader(w, contentType)
	_ = c.write(writeDeadline(0)) // the header, at once; if that fails the session will see it
	if _, _, aborts := s.serve(ctx, t, c).ending(); aborts {
		panic(http.ErrAbortHandler) // so that the client sees a broken stream, not a finished one
	}
}

// contentTypeOf is the media type of a stream.
func contentTypeOf(f selection.Format, events bool) string {
	switch {
	case events:
		return "text/event-stream"
	case f == selection.FormatOTLPProto:
		return "application/x-protobuf-delimited"
	case f == selection.FormatText:
		return "text/plain; charset=utf-8"
	default:
		return "application/x-ndjson"
	}
}

func writeStreamHeader(w http.ResponseWriter, contentType string) {
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("X-Accel-Buffering", "no") // nginx would hold the stream back
	w.WriteHeader(http.StatusOK)
}

// streamClient sends a tap's messages as an HTTP response body.
type streamClient struct {
	*response      // set at construction
	events    bool // server-sent events
	binary    bool // protobuf, each message behind its length
}

func (c *streamClient) send(e *entry) error {
	if c.binary {
		length := format.AppendLength(nil, e.message())
		return c.write(writeDeadline(len(e.line)), length, e.message())
	}
	if !c.events {
		return c.write(writeDeadline(len(e.line)), e.line)
	}
	return c.write(writeDeadline(len(e.line)), []byte("data: "), e.line, []byte("\n"))
}

// sendStats writes the account: a line, a stats event, or, among protobuf, a document that holds
// nothing but an unknown field (1001) with the same JSON.
func (c *streamClient) sendStats(r report) error {
	message := r.line()
	deadline := writeDeadline(len(message))
	switch {
	case c.binary:
		document := format.AppendStats(nil, message)
		return c.write(deadline, format.AppendLength(nil, document), document)
	case c.events:
		return c.write(deadline, []byte("event: stats\ndata: "), message, []byte("\n\n"))
	default:
		return c.write(deadline, message, []byte("\n"))
	}
}

// write writes and flushes within a deadline.
func (c *streamClient) write(deadline time.Time, parts ...[]byte) error {
	return c.within(deadline, func() error { return c.writeParts(parts) })
}

// keepAlive sends an SSE comment. Lines of JSON have no room for one: TCP's keep-alive and
// HTTP/2's pings do it there.
func (c *streamClient) keepAlive() error {
	if !c.events {
		return nil
	}
	return c.write(writeDeadline(0), []byte(": keep-alive\n\n"))
}

func (c *streamClient) period() time.Duration { return streamPeriod }

// end sends the end event; lines of JSON simply end.
func (c *streamClient) end(reason endReason, final ledger) {
	if c.events && reason != endClientClosed {
		c.interrupt()
		_ = c.writeParts([][]byte{[]byte("event: end\ndata: "), endEvent(reason, final), []byte("\n\n")})
	}
	c.leave()
}

// endEvent is the data of the SSE end event.
func endEvent(reason endReason, final ledger) []byte {
	data, err := json.Marshal(map[string]string{"reason": reason.String(), "totals": final.String()})
	if err != nil { // strings always encode
		return nil
	}
	return data
}
