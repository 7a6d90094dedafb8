//go:build linux

package torture

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/remotetap/remotetapprocessor/tapclient"
)

// viewerPrefix leads the User-Agent of those whose final accounts the collector's process keeps.
const viewerPrefix = "viewer "

// part is one message of a tap, as the accounts need it.
type part struct {
	items  uint64
	stats  *ledger // the account, if the message is one
	reason string  // why the tap ends, if the message says so
	opened bool    // a new connection of a client that makes several
	down   error   // why one was lost
	missed *tapclient.Missed
}

// tapStream is an open tap of some transport.
type tapStream struct {
	read   func() (part, error) // io.EOF after a proper end
	hangUp func()               // leaves without a word
}

// visit is how somebody comes.
type visit struct {
	kind    string
	address string // of the collector or a proxy
	agent   string // unlike everybody else's
	query   string // the selection
	from    net.IP // where from; nil: wherever
	slow    bool   // with small buffers, and a pause after each message
}

func (v visit) dialer() *net.Dialer {
	d := &net.Dialer{Timeout: patience}
	if v.from != nil {
		d.LocalAddr = &net.TCPAddr{IP: v.from}
	}
	return d
}

func (v visit) dial(ctx context.Context, _, address string) (net.Conn, error) {
	conn, err := v.dialer().DialContext(ctx, "tcp", address)
	if err == nil && v.slow {
		_ = conn.(*net.TCPConn).SetReadBuffer(64 << 10)
	}
	return conn, err
}

// transports are all ways to watch, by name.
func transports() map[string]func(context.Context, visit) (tapStream, error) {
	return map[string]func(context.Context, visit) (tapStream, error){
		"WebSocket": func(ctx context.Context, v visit) (tapStream, error) {
			return v.webSocket(ctx, coder.CompressionDisabled)
		},
		"compressed WebSocket": func(ctx context.Context, v visit) (tapStream, error) {
			return v.webSocket(ctx, coder.CompressionNoContextTakeover)
		},
		"NDJSON over HTTP/1.1": func(ctx context.Context, v visit) (tapStream, error) { return v.lines(ctx, false, "") },
		"NDJSON over h2":       func(ctx context.Context, v visit) (tapStream, error) { return v.lines(ctx, true, "") },
		"SSE": func(ctx context.Context, v visit) (tapStream, error) {
			return v.lines(ctx, false, "text/event-stream")
		},
		"gRPC": func(ctx context.Context, v visit) (tapStream, error) { return v.grpc(ctx) },
	}
}

// transportNames are their names, in order.
func transportNames() []string {
	var names []string
	for name := range transports() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (v visit) webSocket(ctx context.Context, compression coder.CompressionMode) (tapStream, error) {
	dialing, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	//nolint:bodyclose // "You never need to close resp.Body yourself."
	conn, _, err := coder.Dial(dialing, "ws://"+v.address+"/v1/traces?"+v.query, &coder.DialOptions{
		HTTPClient:      &http.Client{Transport: &http.Transport{DialContext: v.dial}},
		HTTPHeader:      http.Header{"User-Agent": {v.agent}},
		CompressionMode: compression,
	})
	if err != nil {
		return tapStream{}, err
	}
	conn.SetReadLimit(-1)
	return tapStream{
		read: func() (part, error) {
			_, message, err := conn.Read(ctx)
			if closed, ok := errors.AsType[coder.CloseError](err); ok {
				reason, _, _ := strings.Cut(closed.Reason, ":")
				return part{reason: reason}, io.EOF
			}
			return partOfJSON(message), err
		},
		hangUp: func() { _ = conn.CloseNow() },
	}, nil
}

func (v visit) lines(ctx context.Context, h2 bool, accept string) (tapStream, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+v.address+"/v1/traces?"+v.query, http.NoBody)
	if err != nil {
		return tapStream{}, err
	}
	request.Header.Set("User-Agent", v.agent)
	request.Header.Set("Accept", accept)
	var conn net.Conn
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		var err error
		conn, err = v.dial(ctx, network, address)
		return conn, err
	}
	transport := &http.Transport{DialContext: dial, ResponseHeaderTimeout: patience, Protocols: new(http.Protocols), HTTP2: &http.HTTP2Config{}}
	transport.Protocols.SetHTTP1(!h2)
	transport.Protocols.SetUnencryptedHTTP2(h2)
	transport.HTTP2.MaxReceiveBufferPerStream, transport.HTTP2.MaxReceiveBufferPerConnection = 256<<10, 256<<10
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return tapStream{}, err
	}
	hangUp := func() {
		_ = response.Body.Close()
		_ = conn.Close() // over HTTP/2 it would be kept for the next request
	}
	if response.StatusCode != http.StatusOK {
		hangUp()
		return tapStream{}, errors.New(response.Status)
	}
	lines := bufio.NewReaderSize(response.Body, 64<<10)
	return tapStream{hangUp: hangUp, read: func() (part, error) {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return part{}, err // what there is of a line is nothing
		}
		if accept != "" {
			line, _ = bytes.CutPrefix(line, []byte("data: "))
		}
		return partOfJSON(line), nil
	}}, nil
}

// partOfJSON tells an account, the end and telemetry apart. A span of telemetry has one spanId, and
// nothing else has.
func partOfJSON(message []byte) part {
	switch {
	case bytes.HasPrefix(message, []byte(`{"remoteTap":{"stats":`)):
		var m struct{ RemoteTap struct{ Stats ledger } }
		if json.Unmarshal(message, &m) != nil {
			return part{}
		}
		return part{stats: &m.RemoteTap.Stats}
	case bytes.HasPrefix(message, []byte(`{"reason":`)):
		var end struct{ Reason string }
		_ = json.Unmarshal(message, &end)
		return part{reason: end.Reason}
	default:
		return part{items: uint64(bytes.Count(message, []byte(`"spanId"`)))}
	}
}

// grpc watches with tapclient, which makes another connection when one is lost.
func (v visit) grpc(ctx context.Context) (tapStream, error) {
	selection, err := selectionOf(v.query)
	if err != nil {
		return tapStream{}, err
	}
	client, err := tapclient.Dial(ctx, v.address, tapclient.WithUserAgent(v.agent), tapclient.WithDialer(v.dial),
		tapclient.WithConnectTimeout(patience), tapclient.WithBackoff(10*time.Millisecond, 100*time.Millisecond))
	if err != nil {
		return tapStream{}, err
	}
	stream, err := client.Tap(ctx, selection)
	if err != nil {
		client.Close()
		return tapStream{}, err
	}
	read := func() (part, error) {
		event, err := stream.Next(ctx)
		if err != nil {
			return part{}, err
		}
		return partOfEvent(event), nil
	}
	for { // until the tap is open, as with the other transports
		p, err := read()
		if err != nil {
			client.Close()
			return tapStream{}, err
		}
		if p.opened {
			return tapStream{read: read, hangUp: client.Close}, nil
		}
	}
}

func partOfEvent(event tapclient.Event) part {
	switch e := event.(type) {
	case *tapclient.Batch:
		return part{items: e.Items}
	case *tapclient.Stats:
		return part{stats: ledgerOf(e.Ledger)}
	case *tapclient.Up:
		return part{opened: true}
	case *tapclient.Down:
		p := part{down: e.Err}
		if e.Ledger != nil {
			p.stats = ledgerOf(*e.Ledger)
		}
		return p
	case *tapclient.Missed:
		return part{missed: e}
	case *tapclient.End:
		return part{reason: string(e.Reason)}
	default:
		return part{}
	}
}

func ledgerOf(l tapclient.Ledger) *ledger {
	return &ledger{
		Seen: l.Seen, Skipped: l.Skipped, Unmatched: l.Unmatched, Matched: l.Matched,
		Sent: l.Sent, Pending: l.Pending, Dropped: l.Dropped,
	}
}

// selectionOf is what a query string asks for, as far as the visits here go.
func selectionOf(query string) (tapclient.Selection, error) {
	s := tapclient.Selection{Signal: []tapclient.Signal{tapclient.Traces}}
	values, err := url.ParseQuery(query)
	if err != nil {
		return s, err
	}
	for name, value := range values {
		switch name {
		case "service":
			s.Service = value
		case "stats":
			s.Stats, err = time.ParseDuration(value[0])
		case "duration":
			s.Duration, err = time.ParseDuration(value[0])
		case "count":
			_, err = fmt.Sscan(value[0], &s.Count)
		default:
			err = fmt.Errorf("what is %q", name)
		}
		if err != nil {
			return s, err
		}
	}
	return s, nil
}

// viewer is somebody who watches and keeps the books.
type viewer struct {
	visit visit
	leave func() // ends the tap and waits for the viewer's goroutine
	done  chan struct{}

	mu   sync.Mutex
	book book // guarded by mu
}

// book is what a viewer knows.
type book struct {
	connections int    // that were open, of a client that makes several; 1 for all others
	got         uint64 // items on the present connection
	all         uint64 // items on all connections
	largest     uint64 // items of the largest message
	accounts    int    // that were told
	last        *ledger
	lost        []lostConnection
	missed      []*tapclient.Missed
	wrong       []string
	reason      string // why the tap ended, by the transport's own word
	end         error
}

// lostConnection is what a client that makes several says about one that broke.
type lostConnection struct {
	err   error
	final ledger
}

// view opens a tap and reads it. It ends with the test, at the latest.
func view(t testing.TB, v visit) *viewer {
	t.Helper()
	w, err := enter(v)
	require.NoError(t, err, v.agent)
	t.Cleanup(w.leave)
	return w
}

// enter opens a tap and reads it until leave.
func enter(v visit) (*viewer, error) {
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := transports()[v.kind](ctx, v)
	if err != nil {
		cancel()
		return nil, err
	}
	w := &viewer{visit: v, done: make(chan struct{}), book: book{connections: 1}}
	go func() {
		defer close(w.done)
		defer stream.hangUp()
		for w.note(stream.read()) {
			if v.slow {
				pause(ctx, 5*time.Millisecond)
			}
		}
	}()
	w.leave = sync.OnceFunc(func() {
		cancel()
		stream.hangUp() // where a read does not know the context
		<-w.done
	})
	return w, nil
}

func (w *viewer) note(p part, err error) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.book.note(p, err)
}

// look returns what a viewer knows.
func (w *viewer) look() book {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.book
	b.lost, b.missed, b.wrong = slices.Clone(b.lost), slices.Clone(b.missed), slices.Clone(b.wrong)
	return b
}

// await waits until a viewer knows something, and returns all that it knows then.
func (w *viewer) await(t testing.TB, what string, good func(book) bool) book {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	for {
		known := w.look()
		if good(known) {
			return known
		}
		require.True(t, pause(ctx, glance), "%s waits in vain for %s: %s", w.visit.agent, what, known)
	}
}

// note takes a message down, and tells whether there is more.
func (b *book) note(p part, err error) bool {
	if p.opened {
		b.connections++
		b.got, b.last = 0, nil
	}
	b.got += p.items
	b.all += p.items
	b.largest = max(b.largest, p.items)
	if p.reason != "" {
		b.reason = p.reason
	}
	if p.stats != nil {
		b.audit(*p.stats)
	}
	if p.down != nil && p.stats != nil { // without an account it is about an attempt that failed
		b.lost = append(b.lost, lostConnection{p.down, *p.stats})
	}
	if p.missed != nil {
		b.missed = append(b.missed, p.missed)
	}
	b.end = err
	return err == nil
}

// audit checks an account that has just come: it adds up, nothing in it has become less, and what it
// says was sent is exactly what has come before it.
func (b *book) audit(l ledger) {
	b.accounts++
	if !l.addsUp() {
		b.wrong = append(b.wrong, fmt.Sprintf("does not add up: %+v", l))
	}
	if l.Sent != b.got {
		b.wrong = append(b.wrong, fmt.Sprintf("%d items have come: %+v", b.got, l))
	}
	if b.last != nil && (l.Seen < b.last.Seen || l.Matched < b.last.Matched || l.Sent < b.last.Sent) {
		b.wrong = append(b.wrong, fmt.Sprintf("goes back: %+v, then %+v", *b.last, l))
	}
	b.last = &l
}

// String is for the messages of tests.
func (b book) String() string {
	return fmt.Sprintf("%d items, %d of them on the last of %d connections, %d accounts, the last %+v; lost %v; missed %v; wrong %q; ended by %q (%v)",
		b.all, b.got, b.connections, b.accounts, b.last, b.lost, b.missed, b.wrong, b.reason, b.end)
}
