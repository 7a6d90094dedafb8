package tapclient_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/remotetap/remotetapprocessor/tapclient"
)

// proxyServer accepts connections, learns where each wants to go, and joins it with a server.
type proxyServer struct {
	t       *testing.T
	target  string // where all connections really go
	asked   chan string
	address string
}

// runProxy starts a proxy whose greet answers a client and returns where it wants to go, or "" to
// hang up.
func runProxy(t *testing.T, target string, config *tls.Config, greet func(conn net.Conn, reader *bufio.Reader) string) *proxyServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	if config != nil {
		listener = tls.NewListener(listener, config)
	}
	p := &proxyServer{t: t, target: target, asked: make(chan string, 8), address: listener.Addr().String()}
	var working sync.WaitGroup
	working.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			working.Go(func() {
				defer conn.Close()
				reader := bufio.NewReader(conn)
				if asked := greet(conn, reader); asked != "" {
					p.asked <- asked
					p.join(conn, reader)
				}
			})
		}
	})
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		working.Wait()
	})
	return p
}

// join copies both ways until one side ends.
func (p *proxyServer) join(conn net.Conn, reader io.Reader) {
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(server, reader)
		server.Close()
	}()
	_, _ = io.Copy(conn, server)
	conn.Close()
	<-ended
}

// connectMethod greets by HTTP. If credentials are given they have to be shown.
func connectMethod(credentials string) func(net.Conn, *bufio.Reader) string {
	return func(conn net.Conn, reader *bufio.Reader) string {
		request, err := http.ReadRequest(reader)
		if err != nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
			return ""
		}
		if request.Method != http.MethodConnect || request.Header.Get("Proxy-Authorization") != credentials {
			_, _ = io.WriteString(conn, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno")
			return ""
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		return request.Host
	}
}

// socks5 greets as RFC 1928 and, if a user is given, RFC 1929 say.
func socks5(user, password string) func(net.Conn, *bufio.Reader) string {
	return func(conn net.Conn, reader *bufio.Reader) string {
		read := func(n int) []byte {
			b := make([]byte, n)
			_, _ = io.ReadFull(reader, b)
			return b
		}
		read(int(read(2)[1])) // the methods that the client offers
		if user == "" {
			_, _ = conn.Write([]byte{5, 0})
		} else {
			_, _ = conn.Write([]byte{5, 2})
			name := string(read(int(read(2)[1])))
			if secret := string(read(int(read(1)[0]))); name != user || secret != password {
				_, _ = conn.Write([]byte{1, 1})
				return ""
			}
			_, _ = conn.Write([]byte{1, 0})
		}
		var host string
		switch read(4)[3] {
		case 1:
			host = net.IP(read(4)).String()
		case 3:
			host = string(read(int(read(1)[0])))
		}
		port := int(binary.BigEndian.Uint16(read(2)))
		_, _ = conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		return net.JoinHostPort(host, strconv.Itoa(port))
	}
}

func TestConnectionsGoThroughTheProxy(t *testing.T) {
	a := newAuthority(t)
	target := serve(t, &service{play: greets})
	encrypted := &tls.Config{Certificates: []tls.Certificate{a.keyPair("localhost", x509.ExtKeyUsageServerAuth)}}
	const ada = "Basic YWRhOmh1bnRlcjI=" // ada:hunter2
	for name, proxy := range map[string]struct {
		scheme string
		user   string
		tls    *tls.Config
		greet  func(net.Conn, *bufio.Reader) string
	}{
		"http":                    {"http", "", nil, connectMethod("")},
		"http with credentials":   {"http", "ada:hunter2@", nil, connectMethod(ada)},
		"https":                   {"https", "", encrypted, connectMethod("")},
		"https with credentials":  {"https", "ada:hunter2@", encrypted, connectMethod(ada)},
		"socks5":                  {"socks5", "", nil, socks5("", "")},
		"socks5 with credentials": {"socks5", "ada:hunter2@", nil, socks5("ada", "hunter2")},
		"socks5h":                 {"socks5h", "", nil, socks5("", "")},
	} {
		t.Run(name, func(t *testing.T) {
			p := runProxy(t, target, proxy.tls, proxy.greet)
			_, port, err := net.SplitHostPort(p.address)
			require.NoError(t, err)
			options := []tapclient.Option{
				tapclient.WithProxy(proxy.scheme + "://" + proxy.user + net.JoinHostPort("localhost", port)),
				tapclient.WithProxyTLSConfig(&tls.Config{RootCAs: a.pool()}),
			}
			requireUp(t, "http://otelcol.example:4000", options...)
			require.Equal(t, "otelcol.example:4000", <-p.asked, "the proxy resolves the name")
			requireUp(t, "dns:///otelcol.example:4000", append(options, tapclient.WithResolver(fixed{"10.9.8.7"}))...)
			require.Equal(t, "10.9.8.7:4000", <-p.asked)
		})
	}
}

// fixed is a resolver with one answer.
type fixed []string

func (f fixed) LookupHost(context.Context, string) ([]string, error) { return f, nil }

func TestProxyThatRefusesIsNamedWithoutItsPassword(t *testing.T) {
	target := serve(t, &service{play: greets})
	for name, proxy := range map[string]struct {
		scheme string
		greet  func(net.Conn, *bufio.Reader) string
		says   string
	}{
		"http":                  {"http", connectMethod("another"), "407 Proxy Authentication Required"},
		"socks5":                {"socks5", socks5("ada", "another"), "authentication"},
		"not a proxy":           {"http", func(conn net.Conn, _ *bufio.Reader) string { _, _ = io.WriteString(conn, "SSH-2.0\r\n"); return "" }, "malformed HTTP"},
		"https to a plain port": {"https", connectMethod(""), "TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			p := runProxy(t, target, nil, proxy.greet)
			err := requireDown(t, "otelcol.example", tapclient.WithProxy(proxy.scheme+"://ada:hunter2@"+p.address))
			require.ErrorContains(t, err, "through the proxy "+proxy.scheme+"://"+p.address)
			require.ErrorContains(t, err, proxy.says)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func TestProxyThatSaysNothingIsGivenUp(t *testing.T) {
	for _, scheme := range []string{"http", "https", "socks5"} {
		silent := make(chan struct{})
		p := runProxy(t, "", nil, func(net.Conn, *bufio.Reader) string { <-silent; return "" })
		err := requireDown(t, "otelcol.example", tapclient.WithProxy(scheme+"://"+p.address), tapclient.WithConnectTimeout(100e6))
		close(silent)
		require.ErrorContains(t, err, "no answer within 100ms", scheme)
	}
}

func TestProxyOfTheEnvironmentIsUsedUnlessToldOtherwise(t *testing.T) {
	target := serve(t, &service{play: greets})
	p := runProxy(t, target, nil, connectMethod(""))
	t.Setenv("HTTPS_PROXY", "http://"+p.address)
	t.Setenv("NO_PROXY", "")
	requireUp(t, "otelcol.example")
	require.Equal(t, "otelcol.example:12001", <-p.asked)
	requireUp(t, target) // this machine is never behind a proxy
	straight := tapclient.WithDialer(func(ctx context.Context, network, address string) (net.Conn, error) {
		require.Equal(t, "otelcol.example:12001", address)
		return (&net.Dialer{}).DialContext(ctx, network, target)
	})
	requireUp(t, "otelcol.example", straight)
	requireUp(t, "otelcol.example", straight, tapclient.WithoutProxy())
	require.Empty(t, p.asked)

	t.Setenv("HTTPS_PROXY", "http://ada:hunter2@proxy:port")
	err := requireDown(t, "otelcol.example")
	require.ErrorContains(t, err, "HTTPS_PROXY")
	require.NotContains(t, err.Error(), "hunter2")
	t.Setenv("NO_PROXY", "otelcol.example")
	require.NotContains(t, requireDown(t, "otelcol.example").Error(), "HTTPS_PROXY")
}
