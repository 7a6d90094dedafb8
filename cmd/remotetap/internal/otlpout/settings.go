// Package otlpout sends telemetry to an OTLP receiver, over gRPC or HTTP, and keeps the account of what
// the receiver took. Commands that send share it, with its flags --to, --to-...
package otlpout

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
)

// The protocols of --to-protocol.
const (
	protocolGRPC = "grpc"
	protocolHTTP = "http"
)

// OTLP's own ports.
const (
	portGRPC = "4317"
	portHTTP = "4318"
)

// Settings are the flags about where telemetry goes.
type Settings struct {
	to                 string
	protocol           string
	headers            []string
	caCert, cert, key  string
	serverName         string
	insecureSkipVerify bool
	plaintext          bool
	timeout, retry     time.Duration
}

// Flags adds the flags to a command's.
func Flags(flags *pflag.FlagSet) *Settings {
	s := &Settings{}
	flags.StringVar(&s.to, "to", "", "send to the OTLP receiver at `ENDPOINT`: HOST:PORT (gRPC), or http[s]://HOST[:PORT][/PATH] (OTLP/HTTP)")
	flags.StringVar(&s.protocol, "to-protocol", "", "`grpc|http`, against the default: http for URLs and port 4318, grpc for HOST:PORT and port 4317")
	flags.StringArrayVar(&s.headers, "to-header", nil, "add a header, `'NAME: VALUE'`, or the lines of a file, @FILE; may be repeated")
	flags.StringVar(&s.caCert, "to-cacert", "", "trust the authorities in this PEM `FILE`; implies TLS")
	flags.StringVar(&s.cert, "to-cert", "", "show the receiver the client certificate in this PEM `FILE`; implies TLS")
	flags.StringVar(&s.key, "to-key", "", "its key, a PEM `FILE`")
	flags.StringVar(&s.serverName, "to-server-name", "", "the `NAME` that the receiver's certificate is for, if not the endpoint's host; implies TLS")
	flags.BoolVar(&s.insecureSkipVerify, "to-insecure-skip-verify", false, "accept any certificate of the receiver: whoever is on the way can read everything; implies TLS")
	flags.BoolVar(&s.plaintext, "to-plaintext", false, "send credentials without TLS to another machine: whoever is on the way can read them")
	flags.DurationVar(&s.timeout, "to-timeout", 10*time.Second, "how long the receiver may take for one request")
	flags.DurationVar(&s.retry, "to-retry", time.Minute, "how long to try again where the receiver cannot be reached or asks for it; after that, what it did not take is counted and left out")
	return s
}

// To is the endpoint as the user wrote it.
func (s *Settings) To() string { return s.to }

// target is where requests go.
type target struct {
	protocol string
	address  string   // host and port
	base     *url.URL // of HTTP
	tls      *tls.Config
	headers  map[string][]string // lower case
}

// target reads the flags. The error is about what the user wrote.
func (s *Settings) target() (*target, error) {
	t, err := s.endpoint()
	if err != nil {
		return nil, err
	}
	if t.headers, err = s.header(); err != nil {
		return nil, err
	}
	if err := s.encrypt(t); err != nil {
		return nil, err
	}
	host, _, _ := net.SplitHostPort(t.address)
	if t.tls == nil && !s.plaintext && !isLocal(host) && hasSecrets(t.headers) {
		return nil, app.Usage("--to %s has no TLS, so others could read the credentials on the way: write https://, or give --to-plaintext", s.to)
	}
	return t, nil
}

// endpoint understands --to and --to-protocol.
func (s *Settings) endpoint() (*target, error) {
	switch {
	case s.to == "":
		return nil, app.Usage("--to is missing: where to send, such as --to localhost:4317")
	case s.protocol != "" && s.protocol != protocolGRPC && s.protocol != protocolHTTP:
		return nil, app.Usage("--to-protocol %s: write grpc or http", s.protocol)
	case strings.Contains(s.to, "://"):
		return s.url()
	}
	host, port, err := net.SplitHostPort(s.to)
	if err != nil {
		host, port = strings.Trim(s.to, "[]"), ""
	}
	if host == "" || strings.ContainsAny(host, "/?# ") {
		return nil, app.Usage("--to %s: write HOST:PORT, or a URL such as https://HOST:4318", s.to)
	}
	t := &target{protocol: s.protocol}
	if t.protocol == "" {
		t.protocol = protocolGRPC
		if port == portHTTP {
			t.protocol = protocolHTTP
		}
	}
	if port == "" {
		port = map[string]string{protocolGRPC: portGRPC, protocolHTTP: portHTTP}[t.protocol]
	}
	t.address = net.JoinHostPort(host, port)
	scheme := "http"
	if s.wantsTLS() {
		scheme, t.tls = "https", &tls.Config{MinVersion: tls.VersionTLS12}
	}
	t.base = &url.URL{Scheme: scheme, Host: t.address}
	return t, nil
}

// url understands --to with a scheme.
func (s *Settings) url() (*target, error) {
	u, err := url.Parse(s.to)
	switch {
	case err != nil:
		return nil, app.Usage("--to: this is no URL; write http://HOST:4318, https://HOST/PATH or HOST:4317")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, app.Usage("--to %s://...: write http:// or https://, or HOST:PORT for gRPC", u.Scheme)
	case u.User != nil:
		return nil, app.Usage("--to: leave the user and password out of the URL, where others can read them; give --to-header @FILE with an Authorization header")
	case u.Hostname() == "":
		return nil, app.Usage("--to %s: the host is missing", s.to)
	}
	for _, signal := range []string{"/v1/traces", "/v1/metrics", "/v1/logs"} {
		if strings.HasSuffix(strings.TrimRight(u.Path, "/"), signal) {
			return nil, app.Usage("--to %s: leave %s out, it is added for each signal", s.to, signal)
		}
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	t := &target{protocol: s.protocol, address: net.JoinHostPort(u.Hostname(), port), base: u}
	hasPath := strings.Trim(u.Path, "/") != ""
	switch {
	case t.protocol == "" && port == portGRPC && !hasPath:
		t.protocol = protocolGRPC
	case t.protocol == "":
		t.protocol = protocolHTTP
	case t.protocol == protocolGRPC && hasPath:
		return nil, app.Usage("--to %s: gRPC has no path; leave %s out", s.to, u.Path)
	}
	switch {
	case u.Scheme == "https":
		t.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	case s.wantsTLS():
		return nil, app.Usage("--to %s is without TLS, and flags about TLS are given: write https://", s.to)
	}
	return t, nil
}

func (s *Settings) wantsTLS() bool {
	return s.caCert != "" || s.cert != "" || s.serverName != "" || s.insecureSkipVerify
}

// encrypt reads the files of the flags about TLS.
func (s *Settings) encrypt(t *target) error {
	if (s.cert == "") != (s.key == "") {
		return app.Usage("--to-cert and --to-key belong together: give both")
	}
	if t.tls == nil {
		return nil
	}
	t.tls.ServerName, t.tls.InsecureSkipVerify = s.serverName, s.insecureSkipVerify
	if s.caCert != "" {
		text, err := os.ReadFile(s.caCert)
		if err != nil {
			return app.Usage("--to-cacert: %w", err)
		}
		t.tls.RootCAs = x509.NewCertPool()
		if !t.tls.RootCAs.AppendCertsFromPEM(text) {
			return app.Usage("--to-cacert: %s holds no certificates in PEM", s.caCert)
		}
	}
	if s.cert != "" {
		pair, err := tls.LoadX509KeyPair(s.cert, s.key)
		if err != nil {
			return app.Usage("--to-cert: %w", err)
		}
		t.tls.Certificates = []tls.Certificate{pair}
	}
	return nil
}

// header reads --to-header.
func (s *Settings) header() (map[string][]string, error) {
	headers := map[string][]string{}
	for _, given := range s.headers {
		lines := []string{given}
		if file, ok := strings.CutPrefix(given, "@"); ok {
			text, err := os.ReadFile(file) //nolint:gosec // the user names it
			if err != nil {
				return nil, app.Usage("--to-header: %w", err)
			}
			lines = strings.Split(string(text), "\n")
		}
		for _, line := range lines {
			if line = strings.TrimSpace(line); line == "" {
				continue
			}
			name, value, ok := strings.Cut(line, ":")
			name = strings.ToLower(strings.TrimSpace(name))
			if err := checkHeader(name, ok); err != nil {
				return nil, &app.Error{Code: app.CodeUsage, Err: err}
			}
			headers[name] = append(headers[name], strings.TrimSpace(value))
		}
	}
	return headers, nil
}

// checkHeader says what is wrong with a header. It may hold a secret, so it is not repeated.
func checkHeader(name string, hasColon bool) error {
	if !hasColon || name == "" || strings.ContainsAny(name, " \t\"(),/;<=>?@[\\]{}") {
		return errors.New("--to-header: write it as 'NAME: VALUE'")
	}
	if strings.HasPrefix(name, "grpc-") || name == "content-type" || name == "content-length" || name == "host" || name == "content-encoding" {
		return fmt.Errorf("--to-header: %s belongs to the protocol: leave it out", name)
	}
	return nil
}

// hasSecrets reports whether headers speak of something that others must not read.
func hasSecrets(headers map[string][]string) bool {
	for name := range headers {
		for _, word := range []string{"auth", "cookie", "token", "key", "secret", "password", "credential"} {
			if strings.Contains(name, word) {
				return true
			}
		}
	}
	return false
}

// isLocal reports whether a host is this machine.
func isLocal(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
