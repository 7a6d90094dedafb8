package tapclient

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"strconv"
	"strings"
)

// DefaultPort is the port of an endpoint that names none, and neither http nor https.
const DefaultPort = "12001"

// endpoint is one place to tap. It is read-only.
type endpoint struct {
	text    string // as the caller wrote it, without spaces around it
	network string // "tcp" or "unix"
	host    string // a name or an address; for unix the socket's path
	port    string // "" for unix
	tls     bool
	follows bool // each address of host is tapped, and they are followed
}

// authority is what the server sees as :authority, and whose host its certificate has to be for.
func (e *endpoint) authority() string {
	if e.network == "unix" {
		return "localhost"
	}
	return net.JoinHostPort(e.host, e.port)
}

// address is where the endpoint is dialled, if it does not follow a name.
func (e *endpoint) address() string {
	if e.network == "unix" {
		return e.host
	}
	return net.JoinHostPort(e.host, e.port)
}

// isLocal tells whether what is sent there stays on this machine, as far as the text tells.
func (e *endpoint) isLocal() bool { return e.network == "unix" || isLoopback(e.host) }

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}

// parseEndpoints reads a list with commas. Those without a scheme use TLS if the options do.
func parseEndpoints(list string, useTLS bool) ([]*endpoint, error) {
	var endpoints []*endpoint
	given := map[string]bool{}
	for text := range strings.SplitSeq(list, ",") {
		e, err := parseEndpoint(strings.TrimSpace(text), useTLS)
		if err != nil {
			return nil, err
		}
		key := e.network + e.address()
		if given[key] {
			return nil, fmt.Errorf("endpoint %q is given twice: write it once, or all that it sends arrives twice", e.text)
		}
		given[key] = true
		endpoints = append(endpoints, e)
	}
	return endpoints, nil
}

func parseEndpoint(text string, useTLS bool) (*endpoint, error) {
	e := &endpoint{text: text, network: "tcp", tls: useTLS}
	scheme, rest, found := strings.Cut(text, "://")
	if strings.Contains(text, "@") { // its text is not repeated: it may hold a password
		return nil, errors.New("an endpoint holds no credentials: give them with WithBasicAuth or WithBearerToken")
	}
	if !found {
		return e, e.setHost(text, DefaultPort)
	}
	switch strings.ToLower(scheme) {
	case "http":
		e.tls = false
		return e, e.setHost(strings.TrimSuffix(rest, "/"), "80")
	case "https":
		e.tls = true
		return e, e.setHost(strings.TrimSuffix(rest, "/"), "443")
	case "dns":
		name, ok := strings.CutPrefix(rest, "/")
		if !ok {
			return nil, e.wrong("names a DNS server: write dns:///NAME:PORT, and choose the server with WithResolver")
		}
		err := e.setHost(name, DefaultPort)
		_, notIP := netip.ParseAddr(e.host)
		e.follows = notIP != nil
		return e, err
	case "unix":
		return e, e.setSocket(rest)
	case "ws", "wss":
		return nil, e.wrong("is a WebSocket's: write http" + strings.ToLower(scheme)[2:] + "://HOST:PORT, the port is the same")
	default:
		return nil, e.wrong("has an unknown scheme: write HOST:PORT, http://HOST:PORT, https://HOST:PORT, dns:///NAME:PORT or unix:///PATH")
	}
}

// setHost takes host and port, or the host alone.
func (e *endpoint) setHost(text, defaultPort string) error {
	host, port, err := net.SplitHostPort(text)
	if bare := strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"); err != nil {
		_, notIP := netip.ParseAddr(bare)
		if notIP != nil && strings.Contains(text, ":") {
			return e.wrong("is malformed: write HOST:PORT, with brackets around an IPv6 address")
		}
		host, port = bare, defaultPort
	}
	if host == "" {
		return e.wrong("names no host: write localhost:" + DefaultPort)
	}
	if strings.Contains(host, "/") || strings.Contains(port, "/") {
		return e.wrong("has a path, which gRPC has no use for: write HOST:PORT, and http:// or https:// before it")
	}
	if _, err := url.Parse("//" + net.JoinHostPort(host, "1")); err != nil || strings.ContainsAny(host, "?#% \t\r\n") && !strings.Contains(host, ":") {
		return e.wrong("has no host name or address: write HOST:PORT")
	}
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
		return e.wrong("has no port from 1 to 65535 after the colon: write HOST:PORT")
	}
	e.host, e.port = host, port
	return nil
}

// setSocket takes the path of a Unix domain socket.
func (e *endpoint) setSocket(text string) error {
	if !path.IsAbs(text) {
		return e.wrong("has no absolute path: write unix:///PATH")
	}
	e.network, e.host, e.tls = "unix", text, false
	return nil
}

func (e *endpoint) wrong(problem string) error {
	return fmt.Errorf("endpoint %q %s", e.text, problem)
}
