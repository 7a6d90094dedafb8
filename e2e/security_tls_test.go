package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zapcore"
)

// startTLS starts a collector whose tap only clients with a certificate can open.
func startTLS(t *testing.T, documents ...string) (*collector, *authority) {
	t.Helper()
	return startTLSIn(t, t.TempDir(), documents...)
}

// startTLSIn is startTLS with the certificates in a directory.
func startTLSIn(t *testing.T, directory string, documents ...string) (*collector, *authority) {
	t.Helper()
	a := newAuthority(t)
	a.writeServerFiles(directory)
	c := start(t, append([]string{fourPipelines, `
processors:
  remote_tap:
    tls:
      cert_file: ` + directory + `/server.crt
      key_file: ` + directory + `/server.key
      client_ca_file: ` + directory + `/ca.crt
`}, documents...)...)
	return c, a
}

// ada is a client with a certificate of an authority, who trusts another.
func ada(trusted, own *authority) *tls.Config {
	return trusted.client(own.issue("ada", x509.ExtKeyUsageClientAuth))
}

// watchAll opens a tap of every kind.
func (c *collector) watchAll(path string, header ...string) []*client {
	c.t.Helper()
	var clients []*client
	for _, k := range everyKind() {
		clients = append(clients, c.watch(k, path, header...))
	}
	return clients
}

// requireAllGet sends a batch and expects it at every client.
func requireAllGet(t *testing.T, c *collector, label string, clients []*client) {
	t.Helper()
	batch := traces().generate(label, 3)
	c.export(traces(), batch)
	for _, w := range clients {
		requireSame(t, items(t, traces(), batch), w.collect(traces(), 3), w.kind.name)
	}
}

// requireShutOut expects that no kind of client gets as far as an answer.
func requireShutOut(t *testing.T, c *collector, config *tls.Config) {
	t.Helper()
	before := c.tls
	defer func() { c.tls = before }()
	c.tls = config
	for _, k := range everyKind() {
		_, err := k.open(c, "/v1/traces", http.Header{})
		require.Error(t, err, k.name)
	}
}

func TestClientsWithACertificateWatchOverTLS(t *testing.T) {
	c, a := startTLS(t)
	c.tls = ada(a, a)
	clients := c.watchAll("/v1/traces")
	requireAllGet(t, c, "secret", clients)
	taps := c.points().Taps
	require.Len(t, taps, len(clients))
	for _, tap := range taps {
		require.Equal(t, "CN=ada", tap.Subject)
	}
	c.requireSubject("CN=ada")
	// A Host that could be rebound is fine where a certificate is needed anyway.
	require.Equal(t, http.StatusOK, c.request(2, http.MethodGet, "/v1/points", "Host", "evil.example.com").status)
	require.Empty(t, c.journal.at(zapcore.WarnLevel))
}

func TestTLSWithoutClientCertificatesServesEverybody(t *testing.T) {
	c, a := startTLS(t, "processors: {remote_tap: {tls: {client_ca_file: ''}}}")
	c.tls = a.client()
	requireAllGet(t, c, "for everybody", c.watchAll("/v1/traces"))
	c.requireSubject("")
	// Then a Host that could be rebound is refused: a page needs no certificate either.
	require.Equal(t, http.StatusForbidden, c.request(2, http.MethodGet, "/v1/points", "Host", "evil.example.com").status)
}

func TestClientsWithoutAProperCertificateSeeNothing(t *testing.T) {
	c, a := startTLS(t)
	stranger := newAuthority(t)
	for name, config := range map[string]*tls.Config{
		"none":                          a.client(),
		"that of another authority":     ada(a, stranger),
		"one that is for servers":       a.client(a.issue("server", x509.ExtKeyUsageServerAuth)),
		"one that has expired":          a.client(a.issueUntil("ada", x509.ExtKeyUsageClientAuth, time.Now().Add(-time.Minute))),
		"a proper one, but without TLS": nil,
	} {
		t.Run(name, func(t *testing.T) { requireShutOut(t, c, config) })
	}
	c.tls = ada(a, a)
	require.Empty(t, c.points().Taps)
	require.Zero(t, c.countLogged("tap opened"))
}

func TestReplacedCertificateIsShownToNewConnectionsAndOpenTapsGoOn(t *testing.T) {
	directory := t.TempDir()
	c, a := startTLSIn(t, directory, "processors: {remote_tap: {tls: {reload_interval: 1ns}}}")
	c.tls = ada(a, a)
	old := c.watchAll("/v1/traces")
	requireAllGet(t, c, "before", old)

	b := newAuthority(t)
	b.writeServerFiles(directory) // a new ca.crt too, but client_ca_file_reload is off
	c.tls = ada(b, a)
	young := c.watchAll("/v1/traces")
	requireShutOut(t, c, ada(a, a)) // who trusts the old one only does not believe the server any more
	requireShutOut(t, c, ada(b, b)) // the authority of clients is still the old one
	requireAllGet(t, c, "after", append(old, young...))
}

// TestHalfReplacedCertificateShutsNewClientsOut: until key and certificate fit together again no
// new client gets in; open taps do not notice. Whoever replaces both at once, as Kubernetes does,
// never sees it.
func TestHalfReplacedCertificateShutsNewClientsOut(t *testing.T) {
	directory := t.TempDir()
	c, a := startTLSIn(t, directory, "processors: {remote_tap: {tls: {reload_interval: 1ns}}}")
	c.tls = ada(a, a)
	old := c.watchAll("/v1/traces")
	server := a.issue("server", x509.ExtKeyUsageServerAuth)
	a.write(directory, "server.crt", "CERTIFICATE", server.Certificate[0])
	requireShutOut(t, c, c.tls)
	require.Contains(t, c.logged("remote_tap cannot load its certificate, its key or its authorities: nobody gets in until the files fit together again", "problem"), "private key does not match")
	requireAllGet(t, c, "meanwhile", old)
	a.write(directory, "server.key", "PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(server.PrivateKey)))
	requireAllGet(t, c, "after", append(old, c.watchAll("/v1/traces")...))
}

func TestReplacedClientAuthorityDecidesAboutNewConnectionsAndOpenTapsGoOn(t *testing.T) {
	directory := t.TempDir()
	c, a := startTLSIn(t, directory, "processors: {remote_tap: {tls: {client_ca_file_reload: true}}}")
	c.tls = ada(a, a)
	c.tls.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	old := c.watchAll("/v1/traces")
	requireAllGet(t, c, "before", old)

	b := newAuthority(t)
	b.write(directory, "ca.crt", "CERTIFICATE", b.certificate.Raw)
	resumes := c.tls
	c.tls = ada(a, b)
	require.Eventually(t, func() bool { // configtls looks once a second
		conn, err := kindNamed(t, "lines").open(c, "/v1/traces", http.Header{})
		if err == nil {
			conn.close()
		}
		return err == nil
	}, patience, 100*time.Millisecond)
	requireShutOut(t, c, ada(a, a))
	requireShutOut(t, c, resumes) // nor does a session from before let anybody in
	requireAllGet(t, c, "after", append(old, c.watchAll("/v1/traces")...))
}

// TestNameInTheCertificateIsLoggedWhateverTheClientSaysOfItsConnection: over HTTP/2 the client
// says itself whether it came over TLS, in :scheme.
func TestNameInTheCertificateIsLoggedWhateverTheClientSaysOfItsConnection(t *testing.T) {
	c, a := startTLS(t)
	c.tls = ada(a, a)
	for i, scheme := range []string{"https", "http"} {
		h := c.rawHTTP2()
		answer := h.ask(":method", "GET", ":scheme", scheme, ":path", "/v1/tap", ":authority", "localhost")
		require.Equal(t, "200", answer[":status"])
		assert.Equal(t, "CN=ada", c.points().Taps[0].Subject)
		h.close()
		c.awaitEnded(i + 1)
	}
	c.requireSubject("CN=ada")
}
