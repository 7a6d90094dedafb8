package tapclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http/httpproxy"
	"google.golang.org/grpc/metadata"
)

// Option changes what Dial does. An option that is wrong makes Dial fail.
type Option func(*options) error

// options is what a Client was told. Only Dial changes it.
type options struct {
	tls            tlsOptions
	authorize      func(context.Context) (string, error) // the value of the Authorization header; nil for none
	header         metadata.MD
	plainSecrets   bool
	dial           DialFunc
	proxy          func(*url.URL) (*url.URL, error) // for the address that a URL has
	proxyTLS       *tls.Config                      // nil for the defaults
	resolver       Resolver
	resolvePeriod  time.Duration
	connectTimeout time.Duration
	maxMessage     int // bytes
	userAgent      string
	reconnect      bool
	backoffFirst   time.Duration
	backoffMost    time.Duration
}

func newOptions(given []Option) (*options, error) {
	o := &options{
		header:         metadata.MD{},
		resolver:       net.DefaultResolver,
		resolvePeriod:  5 * time.Second,
		connectTimeout: 10 * time.Second,
		maxMessage:     64 << 20,
		userAgent:      "remotetap-tapclient",
		reconnect:      true,
		backoffFirst:   250 * time.Millisecond,
		backoffMost:    10 * time.Second,
	}
	for _, option := range given {
		if err := option(o); err != nil {
			return nil, err
		}
	}
	if o.proxy == nil && o.dial == nil {
		o.proxy = httpproxy.FromEnvironment().ProxyFunc()
	}
	return o, nil
}

// DialFunc makes a connection, as net.Dialer.DialContext does: network is "tcp" or "unix", address is
// host and port, or a socket's path. It returns soon after ctx is done.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// WithDialer makes connections by a function, for instance through a port-forward or in memory. It
// gets the endpoint's host and port (for dns:/// an address of the name with the port), or the
// proxy's if WithProxy is given; proxies of the environment are not used. What it returns carries
// the gRPC connection, with TLS inside if the endpoint has TLS.
func WithDialer(dial DialFunc) Option {
	return func(o *options) error {
		if dial == nil {
			return errors.New("WithDialer: there is no function")
		}
		o.dial = dial
		return nil
	}
}

// WithProxy connects through a proxy: http://HOST:PORT and https://HOST:PORT by the CONNECT method,
// socks5://HOST:PORT by SOCKS5 (RFC 1928), each with USER:PASSWORD@ before the host if the proxy
// asks for them. The proxy resolves host names, except those of dns:///. Without it HTTPS_PROXY and
// NO_PROXY of the environment hold, as in other gRPC clients.
func WithProxy(proxy string) Option {
	return func(o *options) error {
		u, err := parseProxy(proxy)
		if err != nil {
			return fmt.Errorf("WithProxy: %w", err)
		}
		o.proxy = func(*url.URL) (*url.URL, error) { return u, nil }
		return nil
	}
}

// WithProxyTLSConfig uses this configuration, which is copied, with proxies whose URL has https. The
// options about TLS are about the server and do not hold for its proxy.
func WithProxyTLSConfig(config *tls.Config) Option {
	return func(o *options) error {
		if config == nil {
			return errors.New("WithProxyTLSConfig: there is no configuration")
		}
		o.proxyTLS = config.Clone()
		return nil
	}
}

// WithoutProxy connects directly, whatever the environment says.
func WithoutProxy() Option {
	return func(o *options) error {
		o.proxy = func(*url.URL) (*url.URL, error) { return nil, nil }
		return nil
	}
}

// WithHeader adds a header (gRPC metadata) to each request. Given again with the same name, it adds
// another value.
func WithHeader(name, value string) Option {
	return func(o *options) error {
		name := strings.ToLower(name)
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			return fmt.Errorf("WithHeader: %q is no name of a header", name)
		case strings.HasPrefix(name, "grpc-") || name == "content-type" || name == "te" || name == "host" || name == "user-agent":
			return fmt.Errorf("WithHeader: %s is gRPC's own; there is WithUserAgent", name)
		case !strings.HasSuffix(name, "-bin") && !isPrintable(value):
			return fmt.Errorf("WithHeader: the value of %s has characters that are not printable ASCII", name)
		}
		o.header.Append(name, value)
		return nil
	}
}

// isPrintable tells whether gRPC can send a text as metadata.
func isPrintable(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// WithUserAgent is what the client calls itself; the server shows it to others who list the taps.
func WithUserAgent(name string) Option {
	return func(o *options) error {
		if name == "" || !isPrintable(name) {
			return errors.New("WithUserAgent: write a name in printable ASCII")
		}
		o.userAgent = name
		return nil
	}
}

// Resolver finds the addresses of the names of dns:/// endpoints. *net.Resolver is one. What it
// returns is dialled with the endpoint's port, so with WithDialer they need not be IP addresses: the
// names of pods will do. An error that is a *net.DNSError with IsNotFound says that the name has no
// addresses now.
type Resolver interface {
	LookupHost(ctx context.Context, host string) ([]string, error)
}

// WithResolver looks the names of dns:/// endpoints up by this resolver instead of the system's.
func WithResolver(resolver Resolver) Option {
	return func(o *options) error {
		if resolver == nil {
			return errors.New("WithResolver: there is no resolver")
		}
		o.resolver = resolver
		return nil
	}
}

// WithResolvePeriod is how often the names of dns:/// endpoints are looked up; 5 seconds by default.
// They are also looked up when a connection fails.
func WithResolvePeriod(period time.Duration) Option {
	return func(o *options) error { return positive(&o.resolvePeriod, "WithResolvePeriod", period) }
}

// WithConnectTimeout is how long an attempt may take until the tap is open; 10 seconds by default.
func WithConnectTimeout(timeout time.Duration) Option {
	return func(o *options) error { return positive(&o.connectTimeout, "WithConnectTimeout", timeout) }
}

// WithMaxMessageSize is the largest message to accept, in bytes; 64 MiB by default. A larger one
// breaks the connection.
func WithMaxMessageSize(bytes int) Option {
	return func(o *options) error { return positive(&o.maxMessage, "WithMaxMessageSize", bytes) }
}

// WithBackoff is how long to wait before the next attempt: about `first` at first, then 1.6 times as
// long each time, about `most` in the end. Each is changed at random by up to a fifth, lest many
// clients come back at once. The default is 250 ms and 10 s. It begins anew when a tap has been open
// for as long as `most`.
func WithBackoff(first, most time.Duration) Option {
	return func(o *options) error {
		if most < first {
			return fmt.Errorf("WithBackoff: %s is less than %s: write the shorter first", most, first)
		}
		return errors.Join(positive(&o.backoffFirst, "WithBackoff", first), positive(&o.backoffMost, "WithBackoff", most))
	}
}

// WithoutReconnect ends an origin when its connection fails or its server ends the tap early.
func WithoutReconnect() Option {
	return func(o *options) error {
		o.reconnect = false
		return nil
	}
}

func positive[T time.Duration | int](field *T, option string, value T) error {
	if value <= 0 {
		return fmt.Errorf("%s: %v is not above 0", option, value)
	}
	*field = value
	return nil
}

// WithTLSConfig uses TLS with this configuration, which is copied, for endpoints without a scheme
// and those with https. The other options about TLS add to it.
func WithTLSConfig(config *tls.Config) Option {
	return func(o *options) error {
		if config == nil {
			return errors.New("WithTLSConfig: there is no configuration")
		}
		o.tls.wanted, o.tls.base = true, config.Clone()
		return nil
	}
}

// WithTLS uses TLS, with the system's authorities, for endpoints without a scheme.
func WithTLS() Option { return withTLS(func(*tlsOptions) {}) }

// WithCAFile trusts the authorities in a PEM file, instead of the system's. It implies WithTLS. The
// file is read anew for each connection.
func WithCAFile(file string) Option { return withTLS(func(o *tlsOptions) { o.caFile = file }) }

// WithClientCertificate shows a client certificate (mTLS), from PEM files that are read anew for each
// connection. It implies WithTLS.
func WithClientCertificate(certFile, keyFile string) Option {
	return withTLS(func(o *tlsOptions) { o.certFile, o.keyFile = certFile, keyFile })
}

// WithServerName is the name that the server's certificate has to be for, if it is not the
// endpoint's host. It implies WithTLS.
func WithServerName(name string) Option { return withTLS(func(o *tlsOptions) { o.serverName = name }) }

// WithInsecureSkipVerify accepts any certificate: whoever is on the way can read the telemetry and
// the credentials. It implies WithTLS.
func WithInsecureSkipVerify() Option { return withTLS(func(o *tlsOptions) { o.skipVerify = true }) }

func withTLS(change func(*tlsOptions)) Option {
	return func(o *options) error {
		o.tls.wanted = true
		change(&o.tls)
		return nil
	}
}
