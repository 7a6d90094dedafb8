package collectortest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// WriteCertificates writes PEM files into a directory: NAME.pem and NAME-key.pem for
//
//	ca, other-ca    authorities
//	server          for localhost and 127.0.0.1, by ca
//	elsewhere       for otel.example.com, by ca
//	expired         as server, but it ended an hour ago
//	client          a client's, by ca
//	stranger        a client's, by other-ca
func WriteCertificates(dir string) error {
	authority, err := newCertificate(dir, "ca", nil, func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true })
	if err != nil {
		return err
	}
	other, err := newCertificate(dir, "other-ca", nil, func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true })
	if err != nil {
		return err
	}
	here := func(c *x509.Certificate) {
		c.DNSNames, c.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	for _, leaf := range []struct {
		name   string
		by     *signed
		change func(*x509.Certificate)
	}{
		{"server", authority, here},
		{"elsewhere", authority, func(c *x509.Certificate) { c.DNSNames = []string{"otel.example.com"} }},
		{"expired", authority, func(c *x509.Certificate) {
			here(c)
			c.NotAfter = time.Now().Add(-time.Hour)
		}},
		{"client", authority, func(*x509.Certificate) {}},
		{"stranger", other, func(*x509.Certificate) {}},
	} {
		if _, err := newCertificate(dir, leaf.name, leaf.by, leaf.change); err != nil {
			return err
		}
	}
	return nil
}

// signed is a certificate with its key.
type signed struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// newCertificate makes a certificate and writes it and its key; nil signs itself.
func newCertificate(dir, name string, by *signed, change func(*x509.Certificate)) (*signed, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	change(template)
	if by == nil {
		by = &signed{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.certificate, &key.PublicKey, by.key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	for file, block := range map[string]*pem.Block{
		name + ".pem":     {Type: "CERTIFICATE", Bytes: der},
		name + "-key.pem": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			return nil, err
		}
	}
	certificate, err := x509.ParseCertificate(der)
	return &signed{certificate, key}, err
}
