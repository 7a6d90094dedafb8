package guard

import (
	"bufio"
	"crypto/tls"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// request returns one to host with the headers given as name, value, name, ...
func request(host string, headers ...string) *http.Request {
	req := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/v1/tap"}, Host: host, Header: http.Header{}}
	for pair := range slices.Chunk(headers, 2) {
		req.Header.Add(pair[0], pair[1])
	}
	return req
}

// broken returns the rule that req breaks, "" for none.
func broken(r *Rules, req *http.Request) Rule {
	if refusal := r.Check(req); refusal != nil {
		return refusal.Rule
	}
	return ""
}

func TestHost(t *testing.T) {
	tests := []struct{ name, host string }{
		{"localhost with a port", "localhost:12001"},
		{"localhost without a port", "localhost"},
		{"localhost in upper case", "LOCALHOST:12001"},
		{"localhost with a trailing dot", "localhost.:12001"},
		{"a name below localhost", "tap.localhost:12001"},
		{"an IPv4 literal", "127.0.0.1:12001"},
		{"a public IPv4 literal", "203.0.113.9"},
		{"an IPv6 literal with a port", "[::1]:12001"},
		{"an IPv6 literal without a port", "[2001:db8::1]"},
		{"an IPv6 literal without brackets", "::1"},
		{"an IPv6 literal with a zone", "[fe80::1%eth0]:12001"},
		{"an IPv6 literal with an escaped zone", "[fe80::1%25eth0]:12001"},
		{"a name without a dot", "collector:12001"},
		{"a name without a dot that is a top-level domain too", "dev:12001"},
		{"a container's name with an underscore", "otel_collector"},
		{"a Kubernetes service", "otel.observability.svc.cluster.local:12001"},
		{"a short Kubernetes service", "otel.observability.svc"},
		{"a name under an unregistered top-level domain", "collector.corp.internal"},
		{"a name in a home network", "nas.lan"},
		{"no Host at all, as in HTTP/1.0", ""},
		{"a host that is allowed", "tap.example.com:12001"},
		{"a host that is allowed, spelled otherwise", "TAP.Example.Com."},
		{"an allowed host whose entry has capitals and a dot", "second.example.com"},
	}
	rules := &Rules{CheckHost: true, AllowedHosts: []string{"tap.example.com", "Second.Example.COM."}}
	for _, tt := range tests {
		t.Run("accepted: "+tt.name, func(t *testing.T) {
			assert.Empty(t, broken(rules, request(tt.host)))
		})
	}
}

func TestHostRefused(t *testing.T) {
	tests := []struct{ name, host string }{
		{"a registered name", "evil.com"},
		{"a registered name with a port", "evil.com:12001"},
		{"a registered name in upper case", "EVIL.COM:12001"},
		{"a registered name with a trailing dot", "evil.com.:12001"},
		{"a registered name with two trailing dots", "evil.com.."},
		{"a deep name", "a.b.c.evil.co.uk"},
		{"a name that resolves to the address in it", "127.0.0.1.nip.io:12001"},
		{"a name in the private section of the list", "evil.github.io"},
		{"another name in the private section of the list", "evil.blogspot.com"},
		{"a public suffix itself", "github.io"},
		{"a top-level domain with rules for what is below it only", "evil.co.ck"},
		{"such a top-level domain, directly below it", "evil.ck"},
		{"an exception of such a top-level domain", "www.ck"},
		{"a young top-level domain", "evil.dev"},
		{"a top-level domain in punycode", "evil.xn--p1ai"},
		{"a name below an allowed one", "evil.tap.example.com"},
		{"a name that ends like an allowed one", "eviltap.example.com"},
		{"a name that contains localhost", "localhost.evil.com"},
		{"a name that contains an address", "127.0.0.1.evil.com"},
		{"a name with a slash", "evil.com/.local"},
		{"a name with a zero byte", "evil.com\x00.local"},
		{"a name with a wide full stop", "evil\u3002com"},
		{"a port without a host", ":12001"},
		{"an empty label", "evil..local"},
		{"a leading dot", ".localhost"},
		{"a single dot", "."},
		{"two ports", "localhost:1:2"},
		{"a port that is a name", "localhost:evil.com"},
		{"brackets around a registered name", "[evil.com]:12001"},
	}
	rules := &Rules{CheckHost: true, AllowedHosts: []string{"tap.example.com"}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, RuleHost, broken(rules, request(tt.host)))
		})
	}
	t.Run("any host is fine where credentials are asked for", func(t *testing.T) {
		for _, tt := range tests {
			assert.Empty(t, broken(&Rules{}, request(tt.host)), tt.name)
		}
	})
	t.Run("an empty entry allows nothing", func(t *testing.T) {
		assert.Equal(t, RuleHost, broken(&Rules{CheckHost: true, AllowedHosts: []string{"", "."}}, request(":1")))
	})
}

func TestHostOfAbsoluteForm(t *testing.T) {
	raw := "GET http://evil.com/v1/tap HTTP/1.1\r\nHost: localhost:12001\r\n\r\n"
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	require.NoError(t, err)
	assert.Equal(t, RuleHost, broken(&Rules{CheckHost: true}, req), "RFC 9112, 3.2.2: the target's host counts")
}

func TestTwoHosts(t *testing.T) {
	tests := []struct {
		name, host string
		headers    []string
		want       Rule
	}{
		{"the same twice", "localhost:12001", []string{"Host", "localhost:12001"}, ""},
		{"the same twice, in another case", "localhost:12001", []string{"Host", "LocalHost:12001"}, ""},
		{"ours as the authority, another as Host", "localhost:12001", []string{"Host", "evil.com"}, RuleHost},
		{"ours as Host, another as the authority", "evil.com", []string{"Host", "localhost:12001"}, RuleHost},
		{"another as the second Host", "localhost:12001", []string{"Host", "localhost:12001", "Host", "evil.com"}, RuleHost},
		{"two that we answer to", "localhost:12001", []string{"Host", "127.0.0.1:12001"}, RuleHost},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, broken(&Rules{CheckHost: true}, request(tt.host, tt.headers...)))
			if tt.want != "" {
				assert.Equal(t, tt.want, broken(&Rules{}, request(tt.host, tt.headers...)), "also where credentials are asked for")
			}
		})
	}
}

func TestWhatAProxySaysIsNotBelieved(t *testing.T) {
	ours := []string{"X-Forwarded-Host", "localhost:12001", "X-Forwarded-Proto", "https", "X-Original-Host", "localhost", "Forwarded", "host=localhost"}
	rules := &Rules{CheckHost: true}
	assert.Equal(t, RuleHost, broken(rules, request("evil.com", ours...)))
	assert.Equal(t, RuleOrigin, broken(rules, request("localhost:12001", append(ours, "Origin", "http://evil.com")...)))
	theirs := []string{"X-Forwarded-Host", "evil.com", "X-Forwarded-Proto", "https", "Forwarded", "host=evil.com"}
	assert.Equal(t, RuleOrigin, broken(rules, request("localhost:12001", append(theirs, "Origin", "http://evil.com")...)))
	assert.Empty(t, broken(rules, request("localhost:12001", theirs...)))
}

func TestOrigin(t *testing.T) {
	tests := []struct{ name, host, origin string }{
		{"the page's own", "localhost:12001", "http://localhost:12001"},
		{"the page's own over TLS", "tap.example.com:12001", "https://tap.example.com:12001"},
		{"in another case", "LocalHost:12001", "http://LOCALHOST:12001"},
		{"an IPv6 literal", "[::1]:12001", "http://[::1]:12001"},
		{"a default port that Host spells out", "localhost:80", "http://localhost"},
		{"a default port that Origin spells out", "tap.example.com", "https://tap.example.com:443"},
		{"behind a proxy that ends TLS", "tap.example.com", "https://tap.example.com"},
		{"allowed", "localhost:12001", "https://grafana.example.com"},
		{"allowed, in another case", "localhost:12001", "HTTPS://Grafana.Example.Com"},
		{"allowed by a wildcard", "localhost:12001", "http://a.b.dash.example.com:3000"},
		{"allowed by a wildcard for nothing", "localhost:12001", "http://dash.example.net"},
		{"an extension that is allowed", "localhost:12001", "chrome-extension://abcdef"},
	}
	rules := &Rules{CheckHost: true, AllowedHosts: []string{"tap.example.com"}, AllowedOrigins: []string{
		"https://grafana.example.com", "http://*.dash.example.com:3000", "http://dash.example.net*", "chrome-extension://ABCDEF",
	}}
	for _, tt := range tests {
		t.Run("accepted: "+tt.name, func(t *testing.T) {
			assert.Empty(t, broken(rules, request(tt.host, "Origin", tt.origin)))
		})
	}
	t.Run("accepted: none, as from curl", func(t *testing.T) {
		assert.Empty(t, broken(rules, request("localhost:12001")))
	})
	t.Run("accepted: any, if * is allowed", func(t *testing.T) {
		assert.Empty(t, broken(&Rules{AllowedOrigins: []string{"*"}}, request("localhost", "Origin", "https://evil.com")))
	})
	t.Run("accepted: null, if it is allowed by name", func(t *testing.T) {
		assert.Empty(t, broken(&Rules{AllowedOrigins: []string{"null"}}, request("localhost", "Origin", "null")))
	})
}

func TestOriginRefused(t *testing.T) {
	tests := []struct{ name, host, origin string }{
		{"another site", "localhost:12001", "https://evil.com"},
		{"another port of this machine", "localhost:12001", "http://localhost:3000"},
		{"no port where Host has one", "localhost:12001", "http://localhost"},
		{"a port where Host has none", "localhost", "http://localhost:12001"},
		{"the other scheme's port", "localhost:443", "http://localhost"},
		{"another name of this machine", "localhost:12001", "http://127.0.0.1:12001"},
		{"a name that starts with ours", "localhost:12001", "http://localhost:12001.evil.com"},
		{"our name as user", "localhost:12001", "http://localhost:12001@evil.com"},
		{"a user at our name", "localhost:12001", "http://evil.com@localhost:12001"},
		{"a path", "localhost:12001", "http://localhost:12001/"},
		{"a query", "localhost:12001", "http://localhost:12001?"},
		{"a fragment", "localhost:12001", "http://localhost:12001#"},
		{"a file or a sandboxed frame", "localhost:12001", "null"},
		{"another scheme", "localhost:12001", "ftp://localhost:12001"},
		{"no scheme", "localhost:12001", "//localhost:12001"},
		{"only our name", "localhost:12001", "localhost:12001"},
		{"an empty one", "localhost:12001", ""},
		{"an empty one, and no Host", "", ""},
		{"no host, and no Host", "", "http://"},
		{"a port only, and no Host", "", "http://:80"},
		{"two in one line", "localhost:12001", "http://localhost:12001 https://evil.com"},
		{"what does not parse", "localhost:12001", "http://[::1"},
		{"a name that only ends as the wildcard does", "localhost:12001", "http://evildash.example.com"},
		{"a name that only starts as an allowed one", "localhost:12001", "https://grafana.example.com.evil.com"},
		{"an allowed one's other scheme", "localhost:12001", "http://grafana.example.com"},
		{"less than the wildcard's two ends", "localhost:12001", "http://.dash.example.co"},
		{"the wildcard's two ends, overlapping", "localhost:12001", "https://a.example.net"},
	}
	rules := &Rules{AllowedOrigins: []string{"https://grafana.example.com", "http://*.dash.example.com", "https://a*a.example.net"}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, RuleOrigin, broken(rules, request(tt.host, "Origin", tt.origin)))
		})
	}
	t.Run("a second Origin header", func(t *testing.T) {
		req := request("localhost:12001", "Origin", "http://localhost:12001", "Origin", "https://evil.com")
		assert.Equal(t, RuleOrigin, broken(rules, req))
	})
	t.Run("null, though * is allowed", func(t *testing.T) {
		assert.Equal(t, RuleOrigin, broken(&Rules{AllowedOrigins: []string{"*"}}, request("localhost", "Origin", "null")))
	})
	t.Run("its own name, though that was rebound to this machine", func(t *testing.T) {
		req := request("evil.com:12001", "Origin", "http://evil.com:12001")
		assert.Equal(t, RuleHost, broken(&Rules{CheckHost: true}, req))
	})
}

func TestOriginOverTLS(t *testing.T) {
	tests := []struct {
		name, host, origin string
		want               Rule
	}{
		{"the page's own", "tap.example.com:12001", "https://tap.example.com:12001", ""},
		{"the page's own on the default port", "tap.example.com", "https://tap.example.com", ""},
		{"a page of our name that came without TLS", "tap.example.com", "http://tap.example.com", RuleOrigin},
		{"the same on another port", "tap.example.com:12001", "http://tap.example.com:12001", RuleOrigin},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := request(tt.host, "Origin", tt.origin)
			req.TLS = &tls.ConnectionState{}
			assert.Equal(t, tt.want, broken(&Rules{}, req))
		})
	}
}

func TestSite(t *testing.T) {
	const grafana = "https://grafana.example.com"
	tests := []struct {
		name    string
		headers []string
		want    Rule
	}{
		{"typed into the address bar", []string{"Sec-Fetch-Site", "none"}, ""},
		{"from the page itself", []string{"Sec-Fetch-Site", "same-origin"}, ""},
		{"a link to a tap on a sibling host", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, RuleSite},
		{"a form on a sibling host", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Origin", "http://localhost:3000"}, RuleOrigin},
		{"an image on a sibling host", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, RuleSite},
		{"a script that cannot read the answer, on another port", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "empty"}, RuleSite},
		{"a sibling host, and no word of how", []string{"Sec-Fetch-Site", "same-site"}, RuleSite},
		{"a page of a sibling host that is allowed", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors", "Origin", grafana}, ""},
		{"a script on a sibling host that could read the answer", []string{"Sec-Fetch-Site", "same-site", "Origin", "http://localhost:3000"}, RuleOrigin},
		{"an image on another site", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, RuleSite},
		{"a link on another site", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, RuleSite},
		{"another site, in capitals", []string{"Sec-Fetch-Site", "Cross-Site"}, RuleSite},
		{"another site, in a second header", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Site", "cross-site"}, RuleSite},
		{"another site that claims our origin", []string{"Sec-Fetch-Site", "cross-site", "Origin", "http://localhost:12001"}, RuleSite},
		{"another site that is allowed", []string{"Sec-Fetch-Site", "cross-site", "Origin", grafana}, ""},
		{"another site that is allowed, beside our own", []string{"Sec-Fetch-Site", "cross-site", "Origin", grafana, "Origin", "http://localhost:12001"}, RuleSite},
	}
	rules := &Rules{CheckHost: true, AllowedOrigins: []string{grafana}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, broken(rules, request("localhost:12001", tt.headers...)))
		})
	}
}

func TestLinksToTheFrontPage(t *testing.T) {
	tests := []struct {
		name    string
		headers []string
		want    Rule
	}{
		{"on a sibling host", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, ""},
		{"on another site", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, RuleSite},
		{"in a frame", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, RuleSite},
		{"as a download", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "empty"}, RuleSite},
		{"as a script", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "script"}, RuleSite},
		{"guessed by the browser", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Purpose", "prefetch"}, RuleSite},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := request("localhost:12001", tt.headers...)
			req.URL.Path = "/"
			assert.Equal(t, tt.want, broken(&Rules{}, req))
		})
	}
}

func TestRefusalsTeach(t *testing.T) {
	tests := []struct {
		name string
		req  *http.Request
		want string
	}{
		{
			"a foreign Host", request("evil.com"),
			`the Host "evil.com" is not one that this server answers to; add the host name to allowed_hosts in the configuration of remote_tap, or use localhost or an IP address, or configure auth or tls::client_ca_file`,
		},
		{
			"a foreign Origin", request("localhost", "Origin", "https://evil.com"),
			`the Origin "https://evil.com" is not this server's own (the request's Host is "localhost"); add the origin to cors::allowed_origins in the configuration of remote_tap if pages from there may read the data`,
		},
		{
			"another site", request("localhost", "Sec-Fetch-Site", "cross-site"),
			`another web site caused this request (Sec-Fetch-Site: cross-site); type the address into the browser instead of following a link, or add the site to cors::allowed_origins in the configuration of remote_tap if its pages may read the data`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			refusal := (&Rules{CheckHost: true}).Check(tt.req)
			require.NotNil(t, refusal)
			require.EqualError(t, refusal, tt.want)
			assert.Equal(t, http.StatusForbidden, refusal.Status)
		})
	}
	t.Run("a page of another port", func(t *testing.T) {
		refusal := (&Rules{}).Check(request("localhost", "Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors"))
		require.NotNil(t, refusal)
		assert.Contains(t, refusal.Message, "(Sec-Fetch-Site: same-site)")
	})
	t.Run("an Origin of our name that came without TLS", func(t *testing.T) {
		req := request("localhost:12001", "Origin", "http://localhost:12001")
		req.TLS = &tls.ConnectionState{}
		refusal := (&Rules{}).Check(req)
		require.NotNil(t, refusal)
		assert.Equal(t, `the Origin "http://localhost:12001" is not this server's own (the request's Host is "localhost:12001", over https)`, refusal.Message)
	})
	t.Run("two hosts", func(t *testing.T) {
		refusal := (&Rules{}).Check(request("localhost", "Host", "evil.com"))
		require.EqualError(t, refusal, `the request is for two hosts, "localhost" and "evil.com"; send the same Host and :authority, or leave Host out`)
	})
	t.Run("a long header is quoted in part", func(t *testing.T) {
		refusal := (&Rules{CheckHost: true}).Check(request(strings.Repeat("a.", 5000) + "com\r\n"))
		require.NotNil(t, refusal)
		assert.Less(t, len(refusal.Message), 200)
		assert.NotContains(t, refusal.Message, "\n")
	})
}

// FuzzCheck looks for panics, and for a foreign origin or a name under a public
// suffix that passes.
func FuzzCheck(f *testing.F) {
	f.Add("localhost:12001", "http://localhost:12001", "same-origin")
	f.Add("[fe80::1%25eth0]:1", "http://[::1]", "")
	f.Add("evil.com.", "null", "cross-site")
	f.Add("", "http://", "none")
	f.Add("evil.co.ck:80", "https://evil.co.ck:80", "Cross-Site")
	f.Fuzz(func(t *testing.T, host, origin, site string) {
		rules := &Rules{CheckHost: true, AllowedHosts: []string{"tap.example.com"}}
		if refusal := rules.Check(request(host, "Origin", origin, "Sec-Fetch-Site", site)); refusal == nil {
			// What passed names the very host that it was sent to.
			u, err := url.Parse(origin)
			require.NoError(t, err)
			assert.True(t, strings.EqualFold(strings.TrimSuffix(u.Hostname(), "."), strings.TrimSuffix(hostname(host), ".")),
				"origin %q passed for host %q", origin, host)
			assert.False(t, strings.EqualFold(site, "cross-site"))
		}
		foreign := "https://foreign.example.com"
		assert.NotNil(t, rules.Check(request(host, "Origin", foreign, "Sec-Fetch-Site", site)), "foreign origin for host %q", host)
		if name := normalize(host); strings.HasSuffix(name, ".com") && name != "tap.example.com" {
			assert.NotNil(t, rules.Check(request(host)), "host %q", host)
		}
	})
}
