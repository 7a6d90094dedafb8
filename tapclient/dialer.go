package tapclient

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/proxy"
)

// direct makes connections without a proxy.
func (o *options) direct() DialFunc {
	if o.dial != nil {
		return o.dial
	}
	return (&net.Dialer{}).DialContext
}

// dialTarget connects to an address of an endpoint, through a proxy if there is one for it. It blocks
// until it has, at most until ctx is done.
func (o *options) dialTarget(ctx context.Context, e *endpoint, address string) (net.Conn, error) {
	through, err := o.proxyFor(e)
	if err != nil {
		return nil, err
	}
	if through == nil {
		return o.direct()(ctx, e.network, address)
	}
	conn, err := o.dialThrough(ctx, through, address)
	if err != nil {
		return nil, fmt.Errorf("through the proxy %s://%s: %w", through.Scheme, through.Host, err)
	}
	return conn, nil
}

// proxyFor is the proxy for an endpoint; nil if there is none. Like other gRPC clients it takes that
// for https, whatever the endpoint's scheme: it has to tunnel.
func (o *options) proxyFor(e *endpoint) (*url.URL, error) {
	if o.proxy == nil || e.network != "tcp" {
		return nil, nil
	}
	through, err := o.proxy(&url.URL{Scheme: "https", Host: e.authority()})
	if through != nil && err == nil {
		err = checkProxy(through)
	}
	if err != nil { // its text may have a password
		return nil, errors.New("HTTPS_PROXY of the environment is no URL of a proxy: write http://HOST:PORT")
	}
	return through, nil
}

// staysHere tells whether what is sent to an endpoint does not leave this machine.
func (o *options) staysHere(e *endpoint) bool {
	through, err := o.proxyFor(e)
	return e.isLocal() && err == nil && (through == nil || isLoopback(through.Hostname()))
}

// parseProxy reads the URL of a proxy. Its errors do not repeat it, since it may hold a password.
func parseProxy(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errNoProxy
	}
	return u, checkProxy(u)
}

var errNoProxy = errors.New("this is no URL of a proxy: write http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT")

func checkProxy(u *url.URL) error {
	switch u.Scheme {
	case "http", "https", "socks5", "socks5h":
	default:
		return errNoProxy
	}
	if u.Hostname() == "" || strings.Trim(u.Path, "/") != "" {
		return errNoProxy
	}
	return nil
}

// dialThrough connects to an address through a proxy.
func (o *options) dialThrough(ctx context.Context, through *url.URL, address string) (net.Conn, error) {
	if through.Scheme == "socks5" || through.Scheme == "socks5h" {
		dialer, err := proxy.FromURL(through, forward(o.direct()))
		if err != nil {
			return nil, err
		}
		if withContext, ok := dialer.(proxy.ContextDialer); ok {
			return withContext.DialContext(ctx, "tcp", address)
		}
		return dialer.Dial("tcp", address)
	}
	port := through.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[through.Scheme]
	}
	conn, err := o.direct()(ctx, "tcp", net.JoinHostPort(through.Hostname(), port))
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // makes the tunnelling return
	tunnel, err := o.openTunnel(ctx, conn, through, address)
	if err == nil && !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		stop()
		conn.Close()
		return nil, err
	}
	return tunnel, nil
}

// openTunnel asks a proxy to connect to an address (RFC 9110, section 9.3.6), and returns the
// connection as it is from then on.
func (o *options) openTunnel(ctx context.Context, conn net.Conn, through *url.URL, address string) (net.Conn, error) {
	if through.Scheme == "https" {
		config := &tls.Config{MinVersion: tls.VersionTLS12}
		if o.proxyTLS != nil {
			config = o.proxyTLS.Clone()
		}
		if config.ServerName == "" {
			config.ServerName = through.Hostname()
		}
		encrypted := tls.Client(conn, config)
		if err := encrypted.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		conn = encrypted
	}
	request := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{}}
	if user := through.User; user != nil {
		password, _ := user.Password()
		request.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)))
	}
	if err := request.Write(conn); err != nil {
		return nil, err
	}
	reader := bufio.NewReader(conn)
	answer, err := http.ReadResponse(reader, request)
	if err != nil {
		return nil, err
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answered CONNECT %s with %q", address, answer.Status)
	}
	if reader.Buffered() > 0 {
		return &tunnel{conn, reader}, nil
	}
	return conn, nil
}

// tunnel is a connection of which a part was read before its time.
type tunnel struct {
	net.Conn
	reader *bufio.Reader
}

// Read reads that part first.
func (t *tunnel) Read(b []byte) (int, error) { return t.reader.Read(b) }

// forward lets SOCKS5 dial its proxy by a DialFunc.
type forward DialFunc

// Dial is what the interface asks for; SOCKS5 prefers DialContext.
func (f forward) Dial(network, address string) (net.Conn, error) {
	return f(context.Background(), network, address)
}

// DialContext dials.
func (f forward) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return f(ctx, network, address)
}
