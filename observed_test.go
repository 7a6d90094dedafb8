package remotetapprocessor

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// observed is a collector whose server's log and metrics a test can read, on a network of the
// test's choice.
type observed struct {
	*collector
	s         *server
	logs      *observer.ObservedLogs
	endings   chan struct{} // one for each "tap ended" in the log
	read      int           // endings that were looked at
	telemetry *componenttest.Telemetry
	connect   func(ctx context.Context, network, address string) (net.Conn, error)
	client    *http.Client
}

// onMemory starts a collector on a network in memory. It is for tests in a synctest bubble.
func onMemory(t *testing.T, options ...func(*Config)) *observed {
	t.Helper()
	network := newMemNetwork(64 * kib)
	return startObserved(t, network, network.DialContext, options...)
}

// onLoopback starts a collector on a real socket.
func onLoopback(t *testing.T, options ...func(*Config)) *observed {
	t.Helper()
	listener, err := net.Listen("tcp", "localhost:0")
	require.NoError(t, err)
	return startObserved(t, listener, new(net.Dialer).DialContext, options...)
}

func startObserved(t *testing.T, listener net.Listener, dial func(context.Context, string, string) (net.Conn, error), options ...func(*Config)) *observed {
	t.Helper()
	o := &observed{
		collector: newCollector(t, options...),
		endings:   make(chan struct{}, 10_000),
		telemetry: componenttest.NewTelemetry(),
		connect:   dial,
	}
	settings := o.settings()
	settings.TelemetrySettings = o.telemetry.NewTelemetrySettings()
	settings.BuildInfo.Version = "1.2.3"
	settings.Logger, o.logs = o.newLogger()
	var err error
	o.s, err = newServer(o.config, settings)
	require.NoError(t, err)
	require.NoError(t, o.s.serveOn(t.Context(), listener, authHost{}))
	// The registry finds the server as if a processor had started it.
	o.registry.servers[o.config.serverAddress()] = o.s
	o.start()
	t.Cleanup(o.stop)
	o.client = o.newClient(http1)
	return o
}

func (o *observed) newLogger() (*zap.Logger, *observer.ObservedLogs) {
	core, logs := observer.New(zapcore.DebugLevel)
	return zap.New(zapcore.RegisterHooks(core, func(entry zapcore.Entry) error {
		if entry.Message == "tap ended" {
			o.endings <- struct{}{}
		}
		return nil
	})), logs
}

// ended waits for the end of one more tap and returns what the log says about it.
func (o *observed) ended() map[string]any {
	o.t.Helper()
	select {
	case <-o.endings:
	case <-time.After(5 * time.Minute): // no time at all in a bubble, and never on loopback
		require.Fail(o.t, "no tap has ended")
	}
	o.read++
	return o.logs.FilterMessage("tap ended").All()[o.read-1].ContextMap()
}

// reason waits for the end of one more tap and returns why it ended.
func (o *observed) reason() string {
	o.t.Helper()
	return o.ended()["reason"].(string)
}

// open is the number of open taps.
func (o *observed) open() int { return len(o.s.broadcaster.snapshot().taps) }

// shutdownDuration shuts the collector down and returns how long it took.
func (o *observed) shutdownDuration(ctx context.Context) time.Duration {
	o.t.Helper()
	start := time.Now()
	for _, p := range o.processors() {
		assert.NoError(o.t, p.Shutdown(ctx))
	}
	return time.Since(start)
}

// protocol is a version of HTTP.
type protocol string

const (
	http1 protocol = "HTTP/1.1"
	h2c   protocol = "h2c"
)

// newClient makes an HTTP client with connections of its own.
func (o *observed) newClient(p protocol) *http.Client {
	transport := &http.Transport{
		DialContext:        o.connect,
		DisableCompression: true,
		Protocols:          new(http.Protocols),
		HTTP2:              &http.HTTP2Config{MaxReceiveBufferPerStream: 64 * kib, MaxReceiveBufferPerConnection: 64 * kib},
	}
	transport.Protocols.SetHTTP1(p == http1)
	transport.Protocols.SetUnencryptedHTTP2(p == h2c)
	o.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// reply is a response. Its body is closed with the test.
type reply struct {
	StatusCode int
	Header     http.Header
	Body       io.ReadCloser
}

// do sends a request without a body.
func (o *observed) do(client *http.Client, method, path string, header ...string) reply {
	o.t.Helper()
	request, err := http.NewRequestWithContext(o.t.Context(), method, "http://"+o.s.addr.String()+path, http.NoBody)
	require.NoError(o.t, err)
	setHeader(request.Header, header)
	if host := request.Header.Get("Host"); host != "" {
		request.Host = host
	}
	response, err := client.Do(request)
	require.NoError(o.t, err)
	o.t.Cleanup(func() { _ = response.Body.Close() })
	return reply{response.StatusCode, response.Header, response.Body}
}

func setHeader(header http.Header, pairs []string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		header.Add(pairs[i], pairs[i+1])
	}
}

// answer sends a request and returns the whole answer.
func (o *observed) answer(method, path string, header ...string) (reply, string) {
	o.t.Helper()
	response := o.do(o.client, method, path, header...)
	body, err := io.ReadAll(response.Body)
	require.NoError(o.t, err)
	return response, string(body)
}

// stream opens a stream over HTTP/1.1.
func (o *observed) stream(path string, header ...string) reply {
	o.t.Helper()
	return o.streamOver(http1, path, header...)
}

func (o *observed) streamOver(p protocol, path string, header ...string) reply {
	o.t.Helper()
	response := o.do(o.newClient(p), http.MethodGet, path, header...)
	require.Equal(o.t, http.StatusOK, response.StatusCode)
	return response
}

// webSocket opens a WebSocket.
func (o *observed) webSocket(path string, header ...string) *websocket.Conn {
	o.t.Helper()
	conn, _, err := o.handshake(path, false, header...)
	require.NoError(o.t, err)
	return conn
}

// deflated opens a WebSocket with permessage-deflate.
func (o *observed) deflated(path string) *websocket.Conn {
	o.t.Helper()
	conn, response, err := o.handshake(path, true)
	require.NoError(o.t, err)
	require.Contains(o.t, response.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate")
	return conn
}

func (o *observed) handshake(path string, deflate bool, header ...string) (*websocket.Conn, reply, error) {
	o.t.Helper()
	dialer := websocket.Dialer{NetDialContext: o.connect, EnableCompression: deflate}
	h := http.Header{}
	setHeader(h, header)
	conn, response, err := dialer.DialContext(o.t.Context(), "ws://"+o.s.addr.String()+path, h)
	if err == nil {
		o.t.Cleanup(func() { _ = conn.Close() })
	}
	if response == nil {
		return conn, reply{}, err
	}
	o.t.Cleanup(func() { _ = response.Body.Close() })
	return conn, reply{response.StatusCode, response.Header, response.Body}, err
}

// raw opens a connection, says something and returns it.
func (o *observed) raw(say string) net.Conn {
	o.t.Helper()
	conn, err := o.connect(o.t.Context(), "tcp", o.s.addr.String())
	require.NoError(o.t, err)
	o.t.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn, say)
	require.NoError(o.t, err)
	return conn
}

// handshakeHead is a WebSocket handshake without the empty line at its end.
const handshakeHead = "GET /v1/tap HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"

// rawWebSocket opens a WebSocket and returns the connection below it.
func (o *observed) rawWebSocket(header ...string) (net.Conn, *bufio.Reader) {
	o.t.Helper()
	conn := o.raw(handshakeHead + strings.Join(header, "") + "\r\n")
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	require.NoError(o.t, err)
	require.NoError(o.t, response.Body.Close())
	require.Equal(o.t, http.StatusSwitchingProtocols, response.StatusCode)
	return conn, reader
}

// pass sends spans through the pipeline.
func (o *observed) pass(n int) {
	o.t.Helper()
	require.NoError(o.t, o.traces.ConsumeTraces(context.Background(), spans(n)))
}

// flood sends so much through the pipeline that a client who does not read blocks its session.
func (o *observed) flood() {
	o.t.Helper()
	for range 20 {
		o.pass(1000)
	}
}

// nextSpans reads the next message and returns how many spans it has.
func nextSpans(t testing.TB, conn *websocket.Conn) int {
	t.Helper()
	kind, message, err := conn.ReadMessage()
	require.NoError(t, err)
	require.Equal(t, websocket.TextMessage, kind)
	return len(spanNames(t, message))
}

// closing reads until the server closes the WebSocket and returns how it does.
func closing(t testing.TB, conn *websocket.Conn) *websocket.CloseError {
	t.Helper()
	for {
		if _, _, err := conn.ReadMessage(); err != nil {
			var closed *websocket.CloseError
			require.ErrorAs(t, err, &closed)
			return closed
		}
	}
}

func nopHost() component.Host { return componenttest.NewNopHost() }

// authHost is a host with two extensions that check credentials.
type authHost struct{}

func (authHost) GetExtensions() map[component.ID]component.Component {
	return map[component.ID]component.Component{
		component.MustNewID("basicauth"):                 gate{},
		component.MustNewIDWithName("oidc", "corporate"): gate{},
	}
}

// gate lets requests pass that say who they are: "username ada" or "subject ada".
type gate struct {
	component.StartFunc
	component.ShutdownFunc
}

func (gate) Authenticate(ctx context.Context, headers map[string][]string) (context.Context, error) {
	for _, value := range headers["Authorization"] {
		attribute, who, _ := strings.Cut(value, " ")
		if attribute == "username" || attribute == "subject" {
			info := client.FromContext(ctx)
			info.Auth = visitor{attribute: who}
			return client.NewContext(ctx, info), nil
		}
	}
	return ctx, errors.New("who are you?")
}

// visitor is who the gate has let pass.
type visitor map[string]string

func (v visitor) GetAttribute(name string) any {
	if value, ok := v[name]; ok {
		return value
	}
	return nil
}

func (visitor) GetAttributeNames() []string { return nil }

// reportingHost hears when a component is in trouble.
type reportingHost struct {
	component.Host
	reported chan error
}

func (h *reportingHost) Report(event *componentstatus.Event) { h.reported <- event.Err() }
