package tapclient

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

const (
	// window is how many bytes of a stream may be on their way to us unread, besides the message
	// that is being read. It is fixed: a window that grows with the line would hide that the reader
	// is slow from the server, which counts what that costs.
	window = 1 << 20
	// pingPeriod and pingTimeout are how soon a connection that died without a word is noticed.
	pingPeriod  = 30 * time.Second
	pingTimeout = 10 * time.Second
)

// wire is one connection to a server. gRPC gives up on it at the first failure: when to try again is
// decided above it, where it can be said.
type wire struct {
	// set at construction
	endpoint *endpoint
	conn     *grpc.ClientConn
	dialling sync.WaitGroup

	mu      sync.Mutex
	failure error // guarded by mu: why dialling, or the handshake, failed
	closed  bool  // guarded by mu; then dialling gets no more
}

// connect makes a connection, which is dialled when it is first used. The files of the options are
// read anew. It does not block but for that.
func (c *Client) connect(e *endpoint, address string) (*wire, error) {
	w := &wire{endpoint: e}
	transport := insecure.NewCredentials()
	if e.tls {
		config, err := c.options.tls.load()
		if err != nil {
			return nil, err
		}
		name := config.ServerName
		config.ServerName = ""
		transport = witness{credentials.NewTLS(config), w, name}
	}
	var err error
	w.conn, err = grpc.NewClient("passthrough:///"+e.authority(),
		grpc.WithTransportCredentials(transport),
		grpc.WithAuthority(e.authority()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			if !w.begin() {
				return nil, ErrClosed
			}
			defer w.dialling.Done()
			conn, err := c.options.dialTarget(ctx, e, address)
			w.saw(err)
			return conn, err
		}),
		grpc.WithUserAgent(c.options.userAgent),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingPeriod, Timeout: pingTimeout}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: time.Hour, Multiplier: 1, MaxDelay: time.Hour},
			MinConnectTimeout: c.options.connectTimeout,
		}),
		grpc.WithStaticStreamWindowSize(window),
		grpc.WithStaticConnWindowSize(window),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(c.options.maxMessage)),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
	)
	if err != nil {
		return nil, err
	}
	return w, nil
}

// begin counts a call of the dialler, unless the wire is closed.
func (w *wire) begin() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.dialling.Add(1)
	}
	return !w.closed
}

// close ends the connection and its goroutines.
func (w *wire) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	_ = w.conn.Close() // it only says that it was closed before
	w.dialling.Wait()
}

// saw remembers why there is no connection. gRPC has only its text.
func (w *wire) saw(err error) {
	if err == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failure = err
}

// explain makes an error of what gRPC says about a call: a *RefusedError if the server answered,
// else what is wrong with the connection.
func (w *wire) explain(err error) error {
	if errors.Is(err, io.EOF) {
		return &connectionError{"the connection ended without a word", io.ErrUnexpectedEOF}
	}
	s := status.Convert(err)
	if r := refusal(s); r != nil {
		return r
	}
	w.mu.Lock()
	failure := w.failure
	w.mu.Unlock()
	if failure != nil {
		return &connectionError{"cannot connect: " + failure.Error() + w.remedy(failure), failure}
	}
	text := s.Message()
	switch {
	case s.Code() == codes.ResourceExhausted && strings.Contains(text, "larger than max"):
		text += ": raise WithMaxMessageSize, or lower Selection.MaxMessage"
	case strings.Contains(text, "HTTP/1.1 header"):
		text += ": is " + w.endpoint.authority() + " remote_tap's port?"
	case !w.endpoint.tls && strings.Contains(text, "error reading server preface") &&
		(strings.Contains(text, "EOF") || strings.Contains(text, "connection reset")): // a dialer may have said why
		text += ": the server may want TLS; write https://"
	}
	return &connectionError{text, err}
}

// remedy says what to do about a failure to connect, if that is known.
func (w *wire) remedy(failure error) string {
	var certificate *tls.CertificateVerificationError
	text := failure.Error()
	switch {
	case errors.As(failure, &tls.RecordHeaderError{}):
		return ": the server does not speak TLS; write http://" + w.endpoint.authority()
	case errors.As(failure, &certificate):
		return ": trust the authority that signed it, and call the server by a name that it is for"
	case isAlert(failure):
		return ": the server may want another client certificate"
	case strings.Contains(text, "ALPN"), strings.Contains(text, "no application protocol"):
		return ": the server speaks no HTTP/2; is " + w.endpoint.authority() + " remote_tap's port?"
	default:
		return ""
	}
}
