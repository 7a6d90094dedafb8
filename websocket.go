package remotetapprocessor

import (
	"context"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/remotetap/remotetapprocessor/internal/selection"
)

const (
	// maxClientMessage is the largest message that a client may send. A tap reads none, but
	// websocat sends what is typed.
	maxClientMessage = 64 * kib
	// maxCloseReason is what a close frame has room for (RFC 6455 section 5.5).
	maxCloseReason = 123
	// maxClientFrames is how many messages, pings and pongs a client may send in a framePeriod: an
	// answer costs more than a question.
	maxClientFrames = 1000
	framePeriod     = 10 * time.Second
	// maxPrepared is the share of a queue, as a divisor, up to which a compressed frame is kept for
	// all clients. What is larger is compressed for each, since the frame triples what waits.
	maxPrepared = 32
)

// serveWebSocket upgrades the request and runs the tap on it. The tap is open before the client
// hears so: what passes from then on reaches it.
func (s *server) serveWebSocket(w http.ResponseWriter, r *http.Request, sel selection.Selection) {
	if err := checkHandshake(r); err != nil {
		s.refuse(w, r, err)
		return
	}
	// A hijacked request's context does not end with its connection: the reader tells.
	ctx, t, err := s.broadcaster.subscribe(context.WithoutCancel(r.Context()), sel, clientOf(r, "websocket"))
	if err != nil {
		s.answer(w, r, err)
		return
	}
	defer s.broadcaster.sessions.Done()
	defer s.broadcaster.unsubscribe(t, endInternalError) // in case of a panic; else it has ended before
	upgrader := websocket.Upgrader{
		HandshakeTimeout:  writeTimeout,
		ReadBufferSize:    kib,
		WriteBufferSize:   4 * kib,
		EnableCompression: true,
		CheckOrigin:       func(*http.Request) bool { return true }, // the guard has checked it
	}
	if hijacked, ok := r.Context().Value(connectionKey{}).(net.Conn); ok {
		defer s.connections.remove(hijacked)
	}
	compressed := agreeOnDeflate(r.Header)
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		s.broadcaster.unsubscribe(t, endClientClosed)
		return
	}
	kind := websocket.TextMessage
	if t.view.format().Binary() {
		kind = websocket.BinaryMessage
	}
	c := newWebSocketClient(conn, t, kind, compressed)
	_ = s.serve(ctx, t, c) // the close frame says how it ended
}

// checkHandshake finds what is wrong with a handshake before a tap is opened for it.
func checkHandshake(r *http.Request) error {
	key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-Websocket-Key"))
	switch {
	case r.ProtoMajor != 1:
		return badParameter("", "WebSocket needs HTTP/1.1", "connect without HTTP/2, or read the stream with a plain GET")
	case r.Method != http.MethodGet:
		return badParameter("", "a WebSocket begins with a GET", "use GET")
	case r.Header.Get("Sec-Websocket-Version") != "13":
		return badParameter("", "WebSocket version 13 is the only one (RFC 6455)", "send Sec-WebSocket-Version: 13")
	case err != nil || len(key) != 16:
		return badParameter("", "Sec-WebSocket-Key is not 16 bytes in base64 (RFC 6455)", "send a new one with each handshake")
	default:
		return nil
	}
}

// agreeOnDeflate tells whether the client offers permessage-deflate as we can do it: without
// context, and with a window of 32 KiB. It leaves the upgrader, which agrees to any offer, that one
// or none (RFC 7692 sections 5.1 and 7.1).
func agreeOnDeflate(header http.Header) bool {
	const key = "Sec-Websocket-Extensions"
	for _, line := range header.Values(key) {
		for offer := range strings.SplitSeq(line, ",") {
			if acceptableOffer(offer) {
				header.Set(key, "permessage-deflate")
				return true
			}
		}
	}
	header.Del(key)
	return false
}

// acceptableOffer checks an offer's parameters: each is known, there once, and asks for nothing that
// we do not do.
func acceptableOffer(offer string) bool {
	parameters := strings.Split(offer, ";")
	if strings.TrimSpace(parameters[0]) != "permessage-deflate" {
		return false
	}
	seen := map[string]bool{}
	for _, parameter := range parameters[1:] {
		name, value, hasValue := strings.Cut(strings.TrimSpace(parameter), "=")
		switch {
		case seen[name]:
			return false
		case name == "client_no_context_takeover" && !hasValue, name == "server_no_context_takeover" && !hasValue:
		case name == "client_max_window_bits" && (!hasValue || windowBits(value)):
		default: // server_max_window_bits among them: we would have to answer it, and gorilla does not
			return false
		}
		seen[name] = true
	}
	return true
}

// windowBits tells whether a value is the size of a window: 8 to 15.
func windowBits(value string) bool {
	bits, err := strconv.Atoi(strings.Trim(value, `"`))
	return err == nil && bits >= 8 && bits <= 15
}

// prepared is a message as a compressed frame, made once for all clients that want it.
type prepared struct {
	once    sync.Once
	message *websocket.PreparedMessage
	err     error
}

// webSocketClient sends a tap's messages over a WebSocket (RFC 6455).
type webSocketClient struct {
	// set at construction
	conn       *websocket.Conn
	view       *view
	kind       int           // of messages: text, or binary for protobuf
	compressed bool          // permessage-deflate (RFC 7692) was agreed
	gone       chan struct{} // closed when the reader has ended

	code atomic.Int32 // to close with, if the client has broken the protocol; else 0
}

func newWebSocketClient(conn *websocket.Conn, t *tap, kind int, compressed bool) *webSocketClient {
	c := &webSocketClient{
		conn:       conn,
		view:       t.view,
		kind:       kind,
		compressed: compressed,
		gone:       make(chan struct{}),
	}
	go c.read(t.cancel)
	return c
}

// read answers control frames and ends the tap when the client leaves. It runs on a goroutine of
// its own until the connection ends; end waits for it. (Upgrade refuses a client that has said
// something before it was answered, so there is nothing behind gorilla's back.)
func (c *webSocketClient) read(cancel context.CancelCauseFunc) {
	defer close(c.gone)
	frames := newFrameReader(c.conn.NetConn(), c.compressed)
	err := c.readAll(frames)
	if broken, ok := errors.AsType[*violation](err); ok {
		c.code.Store(int32(broken.code))
	}
	reason := reasonOfRead(err)
	cancel(reason)
	if reason == endProtocolError {
		frames.drain(c.conn.NetConn())
	}
}

// readAll reads frames until the client leaves or breaks the protocol, and returns why.
func (c *webSocketClient) readAll(frames *frameReader) error {
	count := allowance{most: maxClientFrames, period: framePeriod}
	for {
		if err := c.conn.SetReadDeadline(time.Now().Add(silenceLimit)); err != nil {
			return err
		}
		opcode, payload, err := frames.next()
		switch {
		case err != nil:
			return err
		case opcode == websocket.CloseMessage:
			return errClientCloses // end answers, with the account
		case !count.take(time.Now()):
			return errFlood
		case opcode == websocket.PingMessage:
			// It may take longer than gorilla's own answer may: a client may be slow. The session will
			// meet the error, if there is one.
			_ = c.conn.WriteControl(websocket.PongMessage, payload, time.Now().Add(writeTimeout))
		}
	}
}

// errFlood ends a client that sends more frames than any honest one.
var errFlood = errors.New("the client sends too many frames")

// allowance counts how often something happens in a period.
type allowance struct {
	most   int
	period time.Duration
	began  time.Time
	taken  int
}

// take tells whether it may happen once more.
func (a *allowance) take(now time.Time) bool {
	if now.Sub(a.began) >= a.period {
		a.began, a.taken = now, 0
	}
	a.taken++
	return a.taken <= a.most
}

// reasonOfRead tells a client that left from one that broke the protocol.
func reasonOfRead(err error) endReason {
	var broken *violation
	if errors.As(err, &broken) || errors.Is(err, errFlood) {
		return endProtocolError
	}
	return endClientClosed
}

func (c *webSocketClient) send(e *entry) error {
	deadline := writeDeadline(len(e.line))
	if err := c.conn.SetWriteDeadline(deadline); err != nil {
		return err
	}
	if !c.compressed || len(e.line) > c.view.queueBytes/maxPrepared {
		return c.conn.WriteMessage(c.kind, e.message())
	}
	e.prepared.once.Do(func() {
		// The frame is kept with the message: plain, compressed, and the copy in between.
		c.view.grow(e, 2*len(e.line))
		e.prepared.message, e.prepared.err = websocket.NewPreparedMessage(c.kind, e.message())
	})
	if e.prepared.err != nil {
		return e.prepared.err
	}
	return c.conn.WritePreparedMessage(e.prepared.message)
}

// sendStats writes the account as a text message, whatever the format.
func (c *webSocketClient) sendStats(r report) error {
	message := r.line()
	if err := c.conn.SetWriteDeadline(writeDeadline(len(message))); err != nil {
		return err
	}
	return c.conn.WriteMessage(websocket.TextMessage, message)
}

func (c *webSocketClient) keepAlive() error {
	return c.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeTimeout))
}

func (c *webSocketClient) period() time.Duration { return pingPeriod }

// interrupt cuts the connection if it has not ended in an orderly way soon. (A deadline alone
// would not do: the next write sets its own.)
func (c *webSocketClient) interrupt() {
	select {
	case <-c.gone:
	case <-time.After(farewell):
		cut(c.conn.NetConn())
	}
}

// end sends the close frame, waits for the client's own for a moment, and closes the connection.
func (c *webSocketClient) end(reason endReason, final ledger) {
	_, code, _ := reason.ending()
	if broken := c.code.Load(); reason == endProtocolError && broken != 0 {
		code = int(broken)
	}
	text := reason.String() + ": " + final.String()
	frame := websocket.FormatCloseMessage(code, text[:min(len(text), maxCloseReason)])
	if c.conn.WriteControl(websocket.CloseMessage, frame, time.Now().Add(farewell)) == nil {
		if half, ok := c.conn.NetConn().(interface{ CloseWrite() error }); ok && reason == endProtocolError {
			_ = half.CloseWrite() // it need not answer; the reader goes on for a moment
		}
		select {
		case <-c.gone:
			_ = c.conn.Close()
			return
		case <-time.After(farewell):
		}
	}
	cut(c.conn.NetConn())
	<-c.gone
}
