package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// authority issues certificates for a test.
type authority struct {
	t           testing.TB
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{t: t}
	template := a.template("e2e authority")
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign
	a.certificate, a.key = template, newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	require.NoError(t, err)
	a.certificate, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	return a
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

func (a *authority) template(name string) *x509.Certificate {
	a.t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	require.NoError(a.t, err)
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
}

// issue makes a certificate for one use.
func (a *authority) issue(name string, usage x509.ExtKeyUsage) tls.Certificate {
	a.t.Helper()
	return a.issueUntil(name, usage, time.Now().Add(time.Hour))
}

// issueUntil makes a certificate that ends at a time.
func (a *authority) issueUntil(name string, usage x509.ExtKeyUsage, end time.Time) tls.Certificate {
	a.t.Helper()
	template, key := a.template(name), newKey(a.t)
	template.NotAfter = end
	template.ExtKeyUsage = []x509.ExtKeyUsage{usage}
	template.DNSNames = []string{"localhost"}
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	require.NoError(a.t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// writeServerFiles writes what the server's configuration names: ca.crt, server.crt, server.key.
func (a *authority) writeServerFiles(directory string) {
	a.t.Helper()
	server := a.issue("server", x509.ExtKeyUsageServerAuth)
	key, err := x509.MarshalPKCS8PrivateKey(server.PrivateKey)
	require.NoError(a.t, err)
	a.write(directory, "ca.crt", "CERTIFICATE", a.certificate.Raw)
	a.write(directory, "server.crt", "CERTIFICATE", server.Certificate[0])
	a.write(directory, "server.key", "PRIVATE KEY", key)
}

func (a *authority) write(directory, name, kind string, der []byte) {
	a.t.Helper()
	block := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	require.NoError(a.t, os.WriteFile(filepath.Join(directory, name), block, 0o600))
}

// client is the configuration of a client that trusts the authority; certificates are its own.
func (a *authority) client(certificates ...tls.Certificate) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(a.certificate)
	return &tls.Config{RootCAs: roots, ServerName: "localhost", Certificates: certificates}
}
