package doctor

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// greeting is what an HTTP/2 client says first: the preface and empty settings (RFC 9113, section 3.4).
const greeting = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"

// frameHeader is the size of the header of an HTTP/2 frame, in bytes.
const frameHeader = 9

// speaksHTTP2 says hello. Since TLS 1.3 servers look at client certificates only after the handshake.
func (e *examination) speaksHTTP2(ctx context.Context) bool {
	if e.proxy != "" {
		return true
	}
	conn, shown, err := e.secure(ctx)
	if err != nil {
		e.problem("HTTP/2", "", "%v", err)
		return false
	}
	defer conn.Close()
	const otherwise = "it does not speak HTTP/2, as a tap does"
	if e.tls && shown.state.NegotiatedProtocol != "h2" {
		e.notATap(ctx, otherwise)
		return false
	}
	answer := make([]byte, frameHeader)
	_ = conn.SetDeadline(time.Now().Add(connectTimeout)) // where there are none, the server ends it
	_, err = io.WriteString(conn, greeting)
	if err == nil {
		_, err = io.ReadFull(conn, answer)
	}
	const settingsFrame = 4
	switch {
	case err == nil && answer[3] == settingsFrame && answer[0] == 0:
		return true // the next step says more
	case e.tls && isAlert(err):
		e.problem("TLS", e.certificateRemedy(shown), "the server does not accept this client: %v", errors.Unwrap(err))
	case !e.tls && e.wantsTLS(ctx):
		e.problem("TLS", "write https://"+e.address, "the server speaks TLS")
	default:
		e.notATap(ctx, otherwise)
	}
	return false
}

// wantsTLS reports whether a server speaks TLS. Nothing is sent but the handshake, so it does not matter
// who it is.
func (e *examination) wantsTLS(ctx context.Context) bool {
	conn, err := e.open(ctx)
	if err != nil {
		return false
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	encrypted := tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // nothing is sent
	err = encrypted.HandshakeContext(ctx)
	return err == nil || isAlert(err)
}

// notATap says that the site is something else, and what.
func (e *examination) notATap(ctx context.Context, otherwise string) {
	what := e.identify(ctx)
	if what == "" {
		what = otherwise
	}
	e.problem("service", "is this the port of remote_tap's endpoint? It is 12001 unless configured; the collector's log says \"remote_tap is listening\" with the address",
		"this is no remote_tap: %s", what)
}

// identify finds out what a server is, by asking what others are asked; "" if it cannot tell. No
// credentials are sent.
func (e *examination) identify(ctx context.Context) string {
	for _, guess := range []struct {
		what string
		is   func(context.Context) bool
	}{
		{"it is an OTLP receiver for gRPC, which takes telemetry (usually on port 4317)", e.isOTLP},
		{"it is an OTLP receiver for HTTP, which takes telemetry (usually on port 4318)", e.answers("/v1/traces", http.StatusMethodNotAllowed, "")},
		{"it is the zpages extension", e.answers("/debug/tracez", http.StatusOK, "")},
		{"it is the health check extension", e.answers("/", http.StatusOK, "Server available")},
		{"it is the collector's own metrics, for Prometheus", e.answers("/metrics", http.StatusOK, "# TYPE")},
		{"it is the remotetap processor of the contrib distribution, or another that sends over WebSocket only", e.isWebSocket},
		{"it is some HTTP server", e.answers("/", 0, "")},
	} {
		if guess.is(ctx) {
			return guess.what
		}
	}
	return ""
}

// request sends a request to the site and returns the answer's status, header, and some of its body.
func (e *examination) request(ctx context.Context, r *http.Request, http2 bool) (*http.Response, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	transport := &http.Transport{
		DisableKeepAlives: true,
		Protocols:         new(http.Protocols),
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return e.dial(ctx, e.network, e.address)
		},
	}
	transport.Protocols.SetHTTP1(!http2)
	transport.Protocols.SetHTTP2(http2)
	transport.Protocols.SetUnencryptedHTTP2(http2)
	if e.tls {
		config, err := e.config(&handshake{})
		if err != nil {
			return nil, nil, err
		}
		config.NextProtos = nil
		transport.TLSClientConfig = config
	}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(r.WithContext(ctx))
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	const enough = 64 << 10
	if response.StatusCode == http.StatusSwitchingProtocols {
		return response, nil, nil
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, enough))
	return response, body, err
}

// url is that of a path of the site.
func (e *examination) url(path string) string {
	host := e.address
	if e.network == "unix" {
		host = "localhost"
	}
	if e.tls {
		return "https://" + host + path
	}
	return "http://" + host + path
}

// answers reports whether a GET is answered with a status, 0 for any, and a text.
func (e *examination) answers(path string, status int, text string) func(context.Context) bool {
	return func(ctx context.Context) bool {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url(path), http.NoBody)
		if err != nil {
			return false
		}
		response, body, err := e.request(ctx, r, false) //nolint:bodyclose // request closes it
		return err == nil && (status == 0 || response.StatusCode == status) && bytes.Contains(body, []byte(text))
	}
}

// isWebSocket reports whether a WebSocket opens at /.
func (e *examination) isWebSocket(ctx context.Context) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url("/"), http.NoBody)
	if err != nil {
		return false
	}
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Origin": e.url(""),
		"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "cmVtb3RldGFwIGRvY3Rvcg==",
	} {
		r.Header.Set(name, value)
	}
	response, _, err := e.request(ctx, r, false) //nolint:bodyclose // request closes it
	return err == nil && response.StatusCode == http.StatusSwitchingProtocols
}

// isOTLP reports whether an export of nothing is taken, which does nothing.
func (e *examination) isOTLP(ctx context.Context) bool {
	const empty = "\x00\x00\x00\x00\x00" // a gRPC message without a byte
	r, err := http.NewRequestWithContext(ctx, http.MethodPost,
		e.url("/opentelemetry.proto.collector.trace.v1.TraceService/Export"), strings.NewReader(empty))
	if err != nil {
		return false
	}
	r.Header.Set("Content-Type", "application/grpc")
	r.Header.Set("TE", "trailers")
	response, _, err := e.request(ctx, r, true) //nolint:bodyclose // request closes it
	if err != nil {
		return false
	}
	status := response.Header.Get("Grpc-Status") + response.Trailer.Get("Grpc-Status")
	const unimplemented = "12"
	return status != "" && status != unimplemented
}
