package tapclient_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// authority issues certificates for a test.
type authority struct {
	t           *testing.T
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	certificate, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &authority{t, certificate, key}
}

// issue writes a certificate for a name, and its key, into files.
func (a *authority) issue(name string, usage x509.ExtKeyUsage, certFile, keyFile string) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, a.key)
	require.NoError(a.t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(a.t, err)
	a.write(certFile, "CERTIFICATE", der)
	a.write(keyFile, "PRIVATE KEY", private)
}

func (a *authority) write(file, kind string, der []byte) {
	a.t.Helper()
	require.NoError(a.t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// keyPair issues a certificate without files.
func (a *authority) keyPair(name string, usage x509.ExtKeyUsage) tls.Certificate {
	a.t.Helper()
	directory := a.t.TempDir()
	certFile, keyFile := filepath.Join(directory, "crt"), filepath.Join(directory, "key")
	a.issue(name, usage, certFile, keyFile)
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	require.NoError(a.t, err)
	return pair
}

// serve runs a service on a free port of this machine and returns its address.
func serve(t *testing.T, s *service, options ...grpc.ServerOption) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer(options...)
	remotetapv1.RegisterTapServiceServer(server, s)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		server.Stop()
		<-ended
	})
	return listener.Addr().String()
}

// first is the first event of a stream.
func first(t *testing.T, endpoint string, options ...tapclient.Option) (tapclient.Event, error) {
	t.Helper()
	c, err := tapclient.Dial(t.Context(), endpoint, options...)
	require.NoError(t, err)
	defer c.Close()
	s, err := c.Tap(t.Context(), tapclient.Selection{})
	require.NoError(t, err)
	return s.Next(t.Context())
}

func requireUp(t *testing.T, endpoint string, options ...tapclient.Option) {
	t.Helper()
	event, err := first(t, endpoint, options...)
	require.NoError(t, err)
	if down, ok := event.(*tapclient.Down); ok {
		require.NoError(t, down.Err)
	}
	require.IsType(t, &tapclient.Up{}, event, "%+v", event)
}

// requireDown expects that the first attempt fails, and returns why.
func requireDown(t *testing.T, endpoint string, options ...tapclient.Option) error {
	t.Helper()
	event, err := first(t, endpoint, options...)
	require.NoError(t, err)
	require.IsType(t, &tapclient.Down{}, event, "%+v", event)
	return event.(*tapclient.Down).Err
}

func TestTLSTrustsWhomItIsToldTo(t *testing.T) {
	a := newAuthority(t)
	caFile := filepath.Join(t.TempDir(), "ca.pem")
	a.write(caFile, "CERTIFICATE", a.certificate.Raw)
	address := serve(t, &service{play: greets}, grpc.Creds(credentials.NewServerTLSFromCert(new(a.keyPair("tap.example", x509.ExtKeyUsageServerAuth)))))

	requireUp(t, address, tapclient.WithCAFile(caFile), tapclient.WithServerName("tap.example"))
	requireUp(t, "https://"+address, tapclient.WithTLSConfig(&tls.Config{RootCAs: a.pool(), ServerName: "tap.example"}))
	requireUp(t, address, tapclient.WithInsecureSkipVerify())
	toServer := func(ctx context.Context, network, named string) (net.Conn, error) {
		assert.Equal(t, "tap.example:4317", named)
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	requireUp(t, "https://tap.example:4317", tapclient.WithCAFile(caFile), tapclient.WithDialer(toServer))

	requireUp(t, "dns:///tap.example:4317", tapclient.WithCAFile(caFile), tapclient.WithResolver(fixed{"10.9.8.7"}),
		tapclient.WithDialer(func(ctx context.Context, network, named string) (net.Conn, error) {
			assert.Equal(t, "10.9.8.7:4317", named)
			return (&net.Dialer{}).DialContext(ctx, network, address)
		}))

	var untrusted *tls.CertificateVerificationError
	err := requireDown(t, "https://"+address)
	require.ErrorAs(t, err, &untrusted)
	require.ErrorContains(t, err, "trust the authority that signed it")
	var misnamed x509.HostnameError
	require.ErrorAs(t, requireDown(t, address, tapclient.WithCAFile(caFile), tapclient.WithServerName("other.example")), &misnamed)
	require.ErrorContains(t, requireDown(t, "http://"+address), "write https://")
}

func TestServerWithoutTLSOrHTTP2IsExplained(t *testing.T) {
	require.ErrorContains(t, requireDown(t, "https://"+serve(t, &service{play: greets})), "write http://127.0.0.1:")
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	require.ErrorContains(t, requireDown(t, web.URL), "remote_tap's port?")
	a := newAuthority(t)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{a.keyPair("x", x509.ExtKeyUsageServerAuth)}})
	require.NoError(t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		conn, err := listener.Accept()
		if err == nil {
			_ = conn.(*tls.Conn).Handshake()
			conn.Close()
		}
	}()
	require.ErrorContains(t, requireDown(t, "https://"+listener.Addr().String(), tapclient.WithInsecureSkipVerify()), "is "+listener.Addr().String()+" remote_tap's port?")
	require.NoError(t, listener.Close())
	<-ended
}

func TestClientCertificateIsShownAndReadAnewForEachConnection(t *testing.T) {
	a := newAuthority(t)
	directory := t.TempDir()
	certFile, keyFile := filepath.Join(directory, "crt"), filepath.Join(directory, "key")
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		address := serve(t, &service{play: greets}, grpc.Creds(credentials.NewTLS(&tls.Config{
			Certificates: []tls.Certificate{a.keyPair("tap.example", x509.ExtKeyUsageServerAuth)},
			ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: a.pool(), MaxVersion: version, MinVersion: tls.VersionTLS12,
		})))
		trust := tapclient.WithTLSConfig(&tls.Config{RootCAs: a.pool(), ServerName: "tap.example"})
		require.ErrorContains(t, requireDown(t, address, trust), "certificate")

		newAuthority(t).issue("stranger", x509.ExtKeyUsageClientAuth, certFile, keyFile)
		c, err := tapclient.Dial(t.Context(), address, trust, tapclient.WithClientCertificate(certFile, keyFile), tapclient.WithBackoff(1, 1))
		require.NoError(t, err)
		s, err := c.Tap(t.Context(), tapclient.Selection{})
		require.NoError(t, err)
		r := &reader{t, s}
		require.ErrorContains(t, next[*tapclient.Down](r).Err, "certificate")
		a.issue("ada", x509.ExtKeyUsageClientAuth, certFile, keyFile)
		for up := false; !up; {
			event, err := s.Next(t.Context())
			require.NoError(t, err)
			_, up = event.(*tapclient.Up)
		}
		c.Close()
	}
}

func TestCredentialsAndHeadersAreSentWithEachRequest(t *testing.T) {
	var mu sync.Mutex
	var seen []metadata.MD
	note := func(ctx context.Context) {
		md, _ := metadata.FromIncomingContext(ctx)
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, md)
	}
	address := serve(t, &service{play: greets, list: &remotetapv1.ListPointsResponse{}},
		grpc.UnaryInterceptor(func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			note(ctx)
			return handler(ctx, request)
		}),
		grpc.StreamInterceptor(func(server any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
			note(stream.Context())
			return handler(server, stream)
		}))
	for name, sent := range map[string]struct {
		option tapclient.Option
		header string
		values []string
	}{
		"a bearer token":  {tapclient.WithBearerToken("hunter2"), "authorization", []string{"Bearer hunter2"}},
		"basic":           {tapclient.WithBasicAuth("Aladdin", "open sesame"), "authorization", []string{"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}},
		"any other":       {tapclient.WithAuthorization(func(context.Context) (string, error) { return "Negotiate x", nil }), "authorization", []string{"Negotiate x"}},
		"a header":        {tapclient.WithHeader("X-Tenant", "a"), "x-tenant", []string{"a"}},
		"a binary header": {tapclient.WithHeader("x-tenant-bin", "\x00\xff"), "x-tenant-bin", []string{"\x00\xff"}},
	} {
		t.Run(name, func(t *testing.T) {
			mu.Lock()
			seen = nil
			mu.Unlock()
			requireUp(t, address, sent.option, tapclient.WithUserAgent("doctor"))
			c, err := tapclient.Dial(t.Context(), address, sent.option, tapclient.WithUserAgent("doctor"))
			require.NoError(t, err)
			defer c.Close()
			_, err = c.ListPoints(t.Context())
			require.NoError(t, err)
			mu.Lock()
			defer mu.Unlock()
			require.Len(t, seen, 2)
			for _, md := range seen {
				assert.Equal(t, sent.values, md.Get(sent.header))
				assert.Regexp(t, "^doctor grpc-go/", md.Get("user-agent")[0])
			}
		})
	}
}

func TestTokenFileIsReadAnewForEachConnection(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte("first\n"), 0o600))
	tokens := make(chan string, 2)
	address := serve(t, &service{play: func(tap *served) error {
		md, _ := metadata.FromIncomingContext(tap.stream.Context())
		tokens <- md.Get("authorization")[0]
		if len(tokens) == 1 {
			assert.NoError(t, os.WriteFile(file, []byte("second\n"), 0o600))
			return status.Error(codes.Unavailable, "again")
		}
		return greets(tap)
	}})
	c, err := tapclient.Dial(t.Context(), address, tapclient.WithBearerTokenFile(file), tapclient.WithBackoff(1, 1))
	require.NoError(t, err)
	defer c.Close()
	s, err := c.Tap(t.Context(), tapclient.Selection{})
	require.NoError(t, err)
	r := &reader{t, s}
	next[*tapclient.Down](r)
	next[*tapclient.Up](r)
	assert.Equal(t, "Bearer first", <-tokens)
	assert.Equal(t, "Bearer second", <-tokens)
}

func TestSocketOfThisMachineIsTapped(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "tap.sock")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	server := grpc.NewServer()
	remotetapv1.RegisterTapServiceServer(server, &service{play: greets})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener)
	}()
	requireUp(t, "unix://"+socket)
	server.Stop()
	<-ended
}
