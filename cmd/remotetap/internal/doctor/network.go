package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
)

const (
	// connectTimeout is how long a connection, a handshake or an answer may take.
	connectTimeout = 5 * time.Second
	// expiresSoon is how long before its end a certificate is worth a word.
	expiresSoon = 14 * 24 * time.Hour
)

// connects opens a connection, and closes it again.
func (e *examination) connects(ctx context.Context) bool {
	if e.proxy != "" {
		return true
	}
	begin := time.Now()
	conn, err := e.open(ctx)
	if err == nil {
		e.ok("connects", "to %s, in %s", e.address, time.Since(begin).Round(100*time.Microsecond))
		conn.Close()
		return true
	}
	e.problem("connects", connectRemedy(err), "%s", connectWords(e.address, err))
	return false
}

// open dials the site.
func (e *examination) open(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return e.dial(ctx, e.network, e.address)
}

func connectWords(address string, err error) string {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens at " + address
	case isTimeout(err):
		return address + " has not answered within " + connectTimeout.String()
	case errors.Is(err, syscall.ENOENT):
		return "there is no socket " + address
	default:
		return err.Error()
	}
}

func connectRemedy(err error) string {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "is the collector running, with remote_tap in a pipeline, and is this its port? Its endpoint is localhost:12001 unless configured, which other machines and pods cannot reach: use a port-forward, or --kube"
	case isTimeout(err):
		return "a firewall, a network policy or a wrong address may be in between"
	default:
		return ""
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// handshake is what a TLS handshake showed.
type handshake struct {
	state tls.ConnectionState
	asked bool // the server asked for a client certificate
}

// config is how connections of a tap are encrypted; but other servers than taps are spoken to as well.
// The files have been read before, and are here again.
func (e *examination) config(shown *handshake) (*tls.Config, error) {
	s := e.connection.Settings
	config := &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, ServerName: e.host,
		InsecureSkipVerify: s.InsecureSkipVerify, //nolint:gosec // the user's flag
	}
	if s.ServerName != "" {
		config.ServerName = s.ServerName
	}
	if s.CACert != "" {
		text, err := os.ReadFile(s.CACert)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM(text)
	}
	certificate := &tls.Certificate{}
	if s.Cert != "" {
		loaded, err := tls.LoadX509KeyPair(s.Cert, s.Key)
		if err != nil {
			return nil, err
		}
		certificate = &loaded
	}
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		shown.asked = true
		return certificate, nil
	}
	return config, nil
}

// secure opens a connection as a tap would.
func (e *examination) secure(ctx context.Context) (net.Conn, *handshake, error) {
	shown := &handshake{}
	conn, err := e.open(ctx)
	if err != nil || !e.tls {
		return conn, shown, err
	}
	config, err := e.config(shown)
	if err != nil {
		conn.Close()
		return nil, shown, err
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	encrypted := tls.Client(conn, config)
	if err := encrypted.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, shown, err
	}
	shown.state = encrypted.ConnectionState()
	return encrypted, shown, nil
}

// speaksTLS looks at the handshake.
func (e *examination) speaksTLS(ctx context.Context) bool {
	switch {
	case e.proxy != "":
		return true
	case e.connection.Pods != nil && !e.tls:
		e.ok("TLS", "not used; the port-forward is encrypted by the cluster")
		return true
	case !e.tls && (e.network == "unix" || isLoopback(e.host)):
		e.ok("TLS", "not used; the connection stays on this machine")
		return true
	case !e.tls:
		e.note("TLS", "", "not used: whoever is on the way can read the telemetry")
		return true
	}
	conn, shown, err := e.secure(ctx)
	if err != nil {
		text, remedy := e.tlsWords(err, shown)
		e.problem("TLS", remedy, "%s", text)
		return false
	}
	conn.Close()
	if len(shown.state.PeerCertificates) == 0 {
		e.ok("TLS", "%s", tls.VersionName(shown.state.Version))
		return true
	}
	certificate := shown.state.PeerCertificates[0]
	left := time.Until(certificate.NotAfter)
	switch {
	case e.connection.Settings.InsecureSkipVerify:
		e.note("TLS", "use --cacert instead of --insecure-skip-verify", "%s; the certificate is not checked, so anybody may be in between", tls.VersionName(shown.state.Version))
	case left < expiresSoon:
		e.note("TLS", "renew it", "the certificate ends on %s, %s", certificate.NotAfter.Format(time.DateOnly), humanize.Time(certificate.NotAfter))
	default:
		e.ok("TLS", "%s; the certificate is for %s and lasts until %s", tls.VersionName(shown.state.Version), namesOf(certificate), certificate.NotAfter.Format(time.DateOnly))
	}
	return true
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// namesOf are the names that a certificate is for.
func namesOf(c *x509.Certificate) string {
	names := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return "no name (its subject is " + c.Subject.String() + ")"
	}
	return some(names)
}

// tlsWords says why a handshake failed, and what to do.
func (e *examination) tlsWords(err error, shown *handshake) (text, remedy string) {
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	switch {
	case errors.As(err, &tls.RecordHeaderError{}):
		return "the server does not speak TLS", "write http://" + e.address + ", and leave out the flags about TLS"
	case errors.As(err, &unknown):
		text = "the server's certificate is not signed by an authority that is trusted here"
		if unknown.Cert != nil {
			text += ": " + unknown.Cert.Issuer.String()
		}
		return text, "get that authority's certificate, and give it with --cacert FILE"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && time.Now().Before(invalid.Cert.NotBefore):
		return "the server's certificate begins on " + invalid.Cert.NotBefore.Format(time.RFC3339), "is the clock of this machine right?"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the server's certificate ended on " + invalid.Cert.NotAfter.Format(time.RFC3339), "renew it at the collector, or set the clock of this machine"
	case errors.As(err, &name):
		return "the server's certificate is for " + namesOf(name.Certificate) + ", and not for " + name.Host,
			"call the server by that name, or give it with --server-name"
	case isAlert(err):
		return "the server has ended the handshake: " + err.Error(), e.certificateRemedy(shown)
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return "the server has closed the connection during the handshake", "does it speak TLS? Without, write http://" + e.address
	default:
		return err.Error(), ""
	}
}

// isAlert reports whether an error is what the other side of a TLS connection said.
func isAlert(err error) bool {
	var said *net.OpError
	return errors.As(err, &said) && said.Op == "remote error"
}

// certificateRemedy is what to do where a server wants a client certificate.
func (e *examination) certificateRemedy(shown *handshake) string {
	switch {
	case !shown.asked:
		return ""
	case e.connection.Settings.Cert == "":
		return "the server wants a client certificate: give --cert and --key"
	default:
		return "the server wants another client certificate than " + e.connection.Settings.Cert + ": one of an authority in its client_ca_file"
	}
}

// number is a count for people.
func number(n uint64) string { return app.Number(n) }
