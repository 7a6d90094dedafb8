package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	"github.com/stretchr/testify/require"
)

// kind is one way to watch.
type kind struct {
	name      string
	transport string // as /v1/points calls it
	open      func(c *collector, path string, header http.Header) (connection, error)
}

// kinds are all ways to watch.
func kinds() []kind {
	return append(webSocketKinds(), streamKinds()...)
}

func webSocketKinds() []kind {
	return []kind{
		{"golang.org/x/net/websocket", "websocket", openXNet},
		{"coder/websocket without compression", "websocket", openCoder(coder.CompressionDisabled)},
		{"coder/websocket with compression", "websocket", openCoder(coder.CompressionContextTakeover)},
		{"coder/websocket with compression without context", "websocket", openCoder(coder.CompressionNoContextTakeover)},
	}
}

func streamKinds() []kind {
	return []kind{
		{"lines over HTTP 1.1", "ndjson", openStream(1, "")},
		{"lines over HTTP 2", "ndjson", openStream(2, "")},
		{"lines over HTTP 1.0", "ndjson", openHTTP10},
		{"server-sent events over HTTP 1.1", "sse", openStream(1, "text/event-stream")},
		{"server-sent events over HTTP 2", "sse", openStream(2, "text/event-stream")},
	}
}

// plainKinds are those that do not compress, and so have a socket full sooner.
func plainKinds() []kind {
	return slices.DeleteFunc(kinds(), func(k kind) bool { return strings.Contains(k.name, "with compression") })
}

// kindNamed finds the first kind whose name has a prefix.
func kindNamed(t testing.TB, prefix string) kind {
	t.Helper()
	for _, k := range kinds() {
		if strings.HasPrefix(k.name, prefix) {
			return k
		}
	}
	t.Fatalf("there is no kind of client named %q", prefix)
	return kind{}
}

// connection is an open tap as a client sees it. read blocks until the next message; close, from
// any goroutine, makes it return.
type connection interface {
	read() ([]byte, error)
	close()
}

// refusal is an HTTP answer instead of a tap.
type refusal struct {
	status int
	header http.Header
	body   string
}

func (r *refusal) Error() string { return fmt.Sprintf("refused with %d: %s", r.status, r.body) }

func refusalOf(response *http.Response) *refusal {
	body, err := io.ReadAll(response.Body)
	if err != nil {
		body = []byte("unreadable: " + err.Error())
	}
	return &refusal{status: response.StatusCode, header: response.Header, body: string(body)}
}

// client is an open tap that is being read.
type client struct {
	t        testing.TB
	kind     kind
	agent    string      // its User-Agent, where the test has set one
	messages chan []byte // closed at the end of the tap
	end      error       // why it ended; readable when messages is closed
	leave    func()      // closes the connection and waits for its goroutine
}

// watch opens a tap and reads it until the test ends.
func (c *collector) watch(k kind, path string, header ...string) *client {
	c.t.Helper()
	conn, err := k.open(c, path, headerOf(header))
	require.NoError(c.t, err, k.name)
	w := &client{t: c.t, kind: k, agent: headerOf(header).Get("User-Agent"), messages: make(chan []byte, 64)}
	left := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(w.messages)
		for {
			message, err := conn.read()
			if err != nil {
				w.end = err
				conn.close()
				return
			}
			select {
			case w.messages <- message:
			case <-left:
				return
			}
		}
	}()
	w.leave = sync.OnceFunc(func() {
		close(left)
		conn.close()
		<-done
	})
	c.t.Cleanup(w.leave)
	return w
}

func headerOf(pairs []string) http.Header {
	header := http.Header{}
	for i := 0; i+1 < len(pairs); i += 2 {
		header.Set(pairs[i], pairs[i+1])
	}
	return header
}

// next returns the next message.
func (w *client) next() []byte {
	w.t.Helper()
	select {
	case message, ok := <-w.messages:
		if !ok {
			w.t.Fatalf("%s: ended with %.500v", w.kind.name, w.end)
		}
		return message
	case <-time.After(patience):
		w.t.Fatalf("%s: waited %s in vain for a message", w.kind.name, patience)
		return nil
	}
}

// collect reads complete documents until they have held n items, and returns these. Each document
// must hold a whole number of items.
func (w *client) collect(s signal, n int) []string {
	w.t.Helper()
	var items []string
	for len(items) < n {
		items = append(items, w.document(s, w.next())...)
	}
	return items
}

// readTo reads messages until one holds the text, and returns them all. Unlike the other methods
// it may be called from any goroutine: a failure shows in that it returns less.
func (w *client) readTo(text string) [][]byte {
	late := time.After(patience)
	var messages [][]byte
	for {
		select {
		case message, ok := <-w.messages:
			if !ok {
				w.t.Errorf("%s: ended after %d messages with %.500v", w.kind.name, len(messages), w.end)
				return messages
			}
			messages = append(messages, message)
			if bytes.Contains(message, []byte(text)) {
				return messages
			}
		case <-late:
			w.t.Errorf("%s: waited %s in vain after %d messages", w.kind.name, patience, len(messages))
			return messages
		}
	}
}

// document takes a message apart, which must be one complete OTLP/JSON document of the signal.
func (w *client) document(s signal, message []byte) []string {
	w.t.Helper()
	items, err := s.itemsOfJSON(message)
	require.NoError(w.t, err, "%s: %.500s", w.kind.name, message)
	require.NotEmpty(w.t, items, "%s: a message without an item: %.500s", w.kind.name, message)
	require.False(w.t, bytes.ContainsRune(message, '\n'), "%s: a newline in %.500s", w.kind.name, message)
	return items
}

// rest reads to the end of the tap, and returns what came before it and how it ended.
func (w *client) rest() ([][]byte, error) {
	w.t.Helper()
	late := time.After(patience)
	var messages [][]byte
	for {
		select {
		case message, ok := <-w.messages:
			if !ok {
				return messages, w.end
			}
			messages = append(messages, message)
		case <-late:
			w.t.Fatalf("%s: waited %s in vain for the end", w.kind.name, patience)
		}
	}
}

// dial connects to the tap's port, with TLS if it has that. Where the clients are to be slow, the
// connection has a small buffer (not too small: loopback sends 64 KiB at a time).
func (c *collector) dial(ctx context.Context, protocol string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	server := c.server()
	conn, err := new(net.Dialer).DialContext(ctx, server.network, server.address)
	if err != nil {
		return nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok && c.slow {
		if err := tcp.SetReadBuffer(256 << 10); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	if c.wrap != nil {
		conn = c.wrap(conn)
	}
	if c.tls == nil {
		return conn, nil
	}
	config := c.tls.Clone()
	config.NextProtos = []string{protocol}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secure, nil
}

// httpClient makes a client that speaks one major version of HTTP only, and has connections of
// its own.
func (c *collector) httpClient(version int) *http.Client {
	transport := &http.Transport{Protocols: new(http.Protocols), DisableCompression: true, ResponseHeaderTimeout: patience}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return c.dial(ctx, map[int]string{1: "http/1.1", 2: "h2"}[version])
	}
	transport.DialContext, transport.DialTLSContext = dial, dial
	if c.slow {
		transport.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10, MaxReceiveBufferPerConnection: 64 << 10}
	}
	switch {
	case version == 1:
		transport.Protocols.SetHTTP1(true)
	case c.tls != nil:
		transport.Protocols.SetHTTP2(true)
	default:
		transport.Protocols.SetUnencryptedHTTP2(true)
	}
	// Go's server waits a second for idle connections of HTTP/2 when it shuts down.
	transport.DisableKeepAlives = version == 2
	c.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// request sends a request to the tap and returns the whole answer.
func (c *collector) request(version int, method, path string, header ...string) *refusal {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, c.url("http", path), http.NoBody)
	require.NoError(c.t, err)
	request.Close = true // the server counts connections
	request.Header = headerOf(header)
	if host := request.Header.Get("Host"); host != "" {
		request.Host = host
	}
	response, err := c.httpClient(version).Do(request)
	require.NoError(c.t, err)
	defer response.Body.Close()
	return refusalOf(response)
}
