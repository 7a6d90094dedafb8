// Package guard decides whether a request may have been forged by a web page
// that the user happens to visit. It knows the headers that browsers set and
// pages cannot forge, Origin, Sec-Fetch-Site and Host, and nothing about who
// the client is: that is authentication's business.
//
// Clients that are no browsers (curl, websocat, gRPC) send neither Origin nor
// Sec-Fetch-Site, and pass. The same rules serve every transport. What a proxy says
// about the request (X-Forwarded-Host, Forwarded) is not looked at: a page can say it
// too.
package guard

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Rules is what the configuration says about browsers. It is read-only; Check
// may be called from any goroutine.
type Rules struct {
	// AllowedOrigins are the origins of foreign pages that may connect, as in
	// cors::allowed_origins: compared without regard to case, with one "*" for
	// any characters, which is how confighttp's CORS handler reads them too.
	// "null" is matched by an entry "null" only.
	AllowedOrigins []string

	// AllowedHosts are further host names to answer to, without port, in any
	// case.
	AllowedHosts []string

	// CheckHost turns the rule about Host on. It guards against DNS rebinding
	// and is needed only where neither credentials nor client certificates
	// keep a browser's page out.
	CheckHost bool
}

// Rule names the rule that a request broke.
type Rule string

// The rules, in the order in which they are checked.
const (
	RuleHost   Rule = "host"       // Host is a name that we do not answer to
	RuleOrigin Rule = "origin"     // Origin is neither ours nor allowed
	RuleSite   Rule = "cross_site" // another site's page caused the request
)

// Refusal says why a request is refused and what to do about it.
type Refusal struct {
	Rule    Rule
	Status  int    // the HTTP status, always 403
	Message string // what is wrong, quoting at most a part of the header
	Hint    string // what to do, naming the configuration's key
}

// Error makes a Refusal an error.
func (r *Refusal) Error() string { return r.Message + "; " + r.Hint }

// Check returns nil if the request may go on, or else why it may not. It never
// blocks. It reads the Host (over HTTP/2: the :authority), Origin, Sec-Fetch-*,
// Sec-Purpose, path and TLS of req and nothing else.
func (r *Rules) Check(req *http.Request) *Refusal {
	if refusal := checkOneHost(req); refusal != nil {
		return refusal
	}
	if refusal := r.checkHost(req.Host); refusal != nil {
		return refusal
	}
	origins := req.Header.Values("Origin")
	for _, origin := range origins {
		if refusal := r.checkOrigin(origin, req); refusal != nil {
			return refusal
		}
	}
	return r.checkSite(req, origins)
}

// checkOneHost refuses a Host header beside another :authority, which HTTP/2 leaves
// room for (RFC 9113, 8.3.1), and so several of them: what one part of the way
// believes must be what the next one checks. For HTTP/1 net/http does it.
func checkOneHost(req *http.Request) *Refusal {
	for _, host := range req.Header.Values("Host") {
		if !strings.EqualFold(host, req.Host) {
			return &Refusal{
				Rule:    RuleHost,
				Status:  http.StatusForbidden,
				Message: fmt.Sprintf("the request is for two hosts, %s and %s", quote(req.Host), quote(host)),
				Hint:    "send the same Host and :authority, or leave Host out",
			}
		}
	}
	return nil
}

// checkHost applies the rule against DNS rebinding: a page of evil.example whose
// name is made to resolve to this machine is same-origin to the browser, but the
// browser still sends evil.example as Host. What cannot be bought from a
// registrar cannot be rebound by a stranger.
func (r *Rules) checkHost(hostport string) *Refusal {
	if !r.CheckHost || isPrivate(hostport) {
		return nil
	}
	host := normalize(hostname(hostport))
	allowed := slices.ContainsFunc(r.AllowedHosts, func(name string) bool { return normalize(name) == host })
	if allowed && host != "" {
		return nil
	}
	return &Refusal{
		Rule:    RuleHost,
		Status:  http.StatusForbidden,
		Message: fmt.Sprintf("the Host %s is not one that this server answers to", quote(hostport)),
		Hint:    "add the host name to allowed_hosts in the configuration of remote_tap, or use localhost or an IP address, or configure auth or tls::client_ca_file",
	}
}

// checkOrigin lets a page of our own origin through, and those that the
// configuration allows.
func (r *Rules) checkOrigin(origin string, req *http.Request) *Refusal {
	if sameOrigin(origin, req.Host, req.TLS != nil) || r.allowsOrigin(origin) {
		return nil
	}
	own := "Host is " + quote(req.Host)
	if req.TLS != nil {
		own += ", over https"
	}
	return &Refusal{
		Rule:    RuleOrigin,
		Status:  http.StatusForbidden,
		Message: fmt.Sprintf("the Origin %s is not this server's own (the request's %s)", quote(origin), own),
		Hint:    "add the origin to cors::allowed_origins in the configuration of remote_tap if pages from there may read the data",
	}
}

// checkSite refuses what another site's page caused, also where browsers send no
// Origin: links, images, scripts. From a page of a sibling host ("same-site", which
// is also another port of this machine) only a link to our front page may pass: what
// such a page could read has an Origin, and what it could not would only take a
// tap's place.
func (r *Rules) checkSite(req *http.Request, origins []string) *Refusal {
	site := "cross-site"
	switch sites := req.Header.Values("Sec-Fetch-Site"); {
	case caused(sites, site):
		if len(origins) > 0 && !slices.ContainsFunc(origins, func(o string) bool { return !r.allowsOrigin(o) }) {
			return nil
		}
	case caused(sites, "same-site") && len(origins) == 0 && !isLink(req):
		site = "same-site"
	default:
		return nil
	}
	return &Refusal{
		Rule:    RuleSite,
		Status:  http.StatusForbidden,
		Message: fmt.Sprintf("another web site caused this request (Sec-Fetch-Site: %s)", site),
		Hint:    "type the address into the browser instead of following a link, or add the site to cors::allowed_origins in the configuration of remote_tap if its pages may read the data",
	}
}

// caused reports whether any Sec-Fetch-Site says so.
func caused(sites []string, by string) bool {
	return slices.ContainsFunc(sites, func(site string) bool { return strings.Contains(strings.ToLower(site), by) })
}

// isLink reports whether the browser shows our front page in a tab of its own: no
// script, image, frame, download or speculation asked for it.
func isLink(req *http.Request) bool {
	return req.URL.Path == "/" && req.Header.Get("Sec-Fetch-Mode") == "navigate" &&
		req.Header.Get("Sec-Fetch-Dest") == "document" && req.Header.Get("Sec-Purpose") == ""
}

// allowsOrigin reports whether AllowedOrigins has a match for origin.
func (r *Rules) allowsOrigin(origin string) bool {
	origin = strings.ToLower(origin)
	return slices.ContainsFunc(r.AllowedOrigins, func(pattern string) bool {
		pattern = strings.ToLower(pattern)
		prefix, suffix, wildcard := strings.Cut(pattern, "*")
		switch {
		case !wildcard || origin == "null":
			return origin == pattern
		default:
			return len(origin) >= len(prefix)+len(suffix) &&
				strings.HasPrefix(origin, prefix) && strings.HasSuffix(origin, suffix)
		}
	})
}

// quote renders a header's value, which a stranger chose, for a message.
func quote(value string) string {
	const most = 100
	if len(value) > most {
		value = value[:most] + "..."
	}
	return fmt.Sprintf("%q", value)
}
