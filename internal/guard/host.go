package guard

import (
	"cmp"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// isPrivate reports whether nobody can have bought the name in a Host header: an
// IP literal, localhost and names below it (RFC 6761), a name without a dot, or
// one under no public suffix of the ICANN section of publicsuffix.org, such as
// .svc.cluster.local. An absent Host is private too; no browser leaves it out.
//
// A top-level domain that is younger than the linked list counts as private.
func isPrivate(hostport string) bool {
	if hostport == "" {
		return true
	}
	host := hostname(hostport)
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	host = normalize(host)
	if !isName(host) {
		return false
	}
	dot := strings.LastIndexByte(host, '.')
	return dot < 0 || !isPublicTLD(host[dot+1:])
}

// isPublicTLD reports whether the list's ICANN section has rules for a top-level
// domain. Only that label matters: whatever is registered below it, also in the
// list's private section (github.io), belongs to somebody. The question is about
// a name below, and one that no list has, as some top-level domains have rules
// for what is below them only (*.ck).
func isPublicTLD(label string) bool {
	_, icann := publicsuffix.PublicSuffix("_." + label)
	return icann
}

// isName reports whether host, normalized, is a DNS name in ASCII; browsers send
// no other.
func isName(host string) bool {
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

// hostname returns the host of "host", "host:port", "[v6]" or "[v6]:port".
func hostname(hostport string) string {
	host, _ := split(hostport)
	return host
}

// split takes the port off a Host; port is "" if there is none. What follows the
// colon is only a port if it is a number, else it stays with the host.
func split(hostport string) (host, port string) {
	if host, port, err := net.SplitHostPort(hostport); err == nil && strings.Trim(port, "0123456789") == "" {
		return host, port
	}
	if strings.HasPrefix(hostport, "[") && strings.HasSuffix(hostport, "]") {
		return hostport[1 : len(hostport)-1], ""
	}
	return hostport, ""
}

// normalize returns the spelling of a host name in which equal ones are equal.
func normalize(host string) string {
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

// sameOrigin reports whether origin, as RFC 6454 serializes it, is the host and
// port that the request was sent to. Where we do not speak TLS ourselves its scheme
// may be either: behind a proxy that ends TLS a page of https://tap.example.com is
// ours. Where we do (secure), a page that came without is another's, who sat in
// between. Where the Host names no port it is the default one of the page's scheme.
func sameOrigin(origin, hostport string, secure bool) bool {
	u, err := url.Parse(origin)
	if err != nil || u.User != nil || u.Path != "" || strings.ContainsAny(origin, "?#") {
		return false
	}
	var standard string
	switch {
	case u.Scheme == "http" && !secure:
		standard = "80"
	case u.Scheme == "https":
		standard = "443"
	default:
		return false
	}
	theirHost, theirPort := split(u.Host)
	ourHost, ourPort := split(hostport)
	return ourHost != "" && normalize(theirHost) == normalize(ourHost) &&
		cmp.Or(theirPort, standard) == cmp.Or(ourPort, standard)
}
