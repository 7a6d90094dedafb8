package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zapcore"
	xnet "golang.org/x/net/websocket"
)

// startTLS starts a collector whose tap only clients with a certificate can open.
func startTLS(t *testing.T, documents ...string) (*collector, *authority) {
	t.Helper()
	directory := t.TempDir()
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

func TestClientsWithACertificateWatchOverTLS(t *testing.T) {
	c, a := startTLS(t)
	c.tls = a.client(a.issue("ada", x509.ExtKeyUsageClientAuth))
	var clients []*client
	for _, k := range kinds() {
		clients = append(clients, c.watch(k, "/v1/traces"))
	}
	batch := traces().generate("secret", 3)
	c.export(traces(), batch)
	for _, w := range clients {
		requireSame(t, items(t, traces(), batch), w.collect(traces(), 3), w.kind.name)
	}
	for _, tap := range c.points().Taps {
		require.Equal(t, "CN=ada", tap.Subject)
	}
	// A Host that could be rebound is fine where a certificate is needed anyway.
	require.Equal(t, http.StatusOK, c.request(2, http.MethodGet, "/v1/points", "Host", "evil.example.com").status)
	require.Empty(t, c.journal.at(zapcore.WarnLevel))
}

func TestClientsWithoutAProperCertificateSeeNothing(t *testing.T) {
	c, a := startTLS(t)
	stranger := newAuthority(t)
	for name, config := range map[string]*tls.Config{
		"none":                          a.client(),
		"that of another authority":     a.client(stranger.issue("eve", x509.ExtKeyUsageClientAuth)),
		"one that is for servers":       a.client(a.issue("server", x509.ExtKeyUsageServerAuth)),
		"a proper one, but without TLS": nil,
	} {
		t.Run(name, func(t *testing.T) {
			for _, k := range kinds() {
				c.tls = config
				_, err := k.open(c, "/v1/traces", http.Header{})
				require.Error(t, err, k.name)
			}
		})
	}
	c.tls = a.client(a.issue("ada", x509.ExtKeyUsageClientAuth))
	require.Empty(t, c.points().Taps)
	require.Zero(t, c.countLogged("tap opened"))
}

func TestCredentialsAreNeededWithAnAuthenticator(t *testing.T) {
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("ada:lovelace"))
	wrong := "Basic " + base64.StdEncoding.EncodeToString([]byte("ada:byron"))
	for _, auth := range []struct {
		name, extension, challenge, right, wrong, subject string
	}{
		{"basicauth/tap", "{htpasswd: {inline: 'ada:lovelace'}}", "Basic", basic, wrong, "ada"},
		{"bearertokenauth", "{token: a-long-secret}", "Bearer", "Bearer a-long-secret", "Bearer guess", ""},
	} {
		t.Run(auth.name, func(t *testing.T) {
			c := start(t, fourPipelines, `
extensions: {`+auth.name+`: `+auth.extension+`}
processors: {remote_tap: {auth: {authenticator: `+auth.name+`}}}
service: {extensions: [`+auth.name+`]}
`)
			for name, header := range map[string][]string{
				"none":      nil,
				"wrong":     {"Authorization", auth.wrong},
				"malformed": {"Authorization", "nonsense"},
			} {
				for _, path := range []string{"/", "/v1/tap", "/v1/traces", "/v1/points", "/nowhere"} {
					for _, version := range []int{1, 2} {
						answer := c.request(version, http.MethodGet, path, header...)
						assert.Equal(t, http.StatusUnauthorized, answer.status, name+path)
						assert.Equal(t, auth.challenge+` realm="remote_tap"`, answer.header.Get("WWW-Authenticate"), name+path)
						assert.Contains(t, answer.field(t, "error"), "credentials", name+path)
					}
				}
				for _, k := range kinds() {
					requireRefused(t, c, k, "/v1/tap", http.StatusUnauthorized, header...)
				}
			}

			var clients []*client
			for _, k := range kinds() {
				clients = append(clients, c.watch(k, "/v1/logs", "Authorization", auth.right))
			}
			batch := logs().generate("secret", 2)
			c.export(logs(), batch)
			for _, w := range clients {
				requireSame(t, items(t, logs(), batch), w.collect(logs(), 2), w.kind.name)
			}
			open := c.points("Authorization", auth.right).Taps
			require.Len(t, open, len(clients))
			require.Equal(t, auth.subject, open[0].Subject)
			require.NotContains(t, c.journal.String(), "lovelace")
			require.NotContains(t, c.journal.String(), "a-long-secret")
		})
	}
}

// requireRefused expects an HTTP answer instead of a tap.
func requireRefused(t *testing.T, c *collector, k kind, path string, status int, header ...string) {
	t.Helper()
	_, err := k.open(c, path, headerOf(header))
	if strings.HasPrefix(k.name, "golang.org") { // it does not tell
		require.ErrorIs(t, err, xnet.ErrBadStatus, k.name)
		return
	}
	var answer *refusal
	require.ErrorAs(t, err, &answer, k.name)
	require.Equal(t, status, answer.status, "%s: %s", k.name, answer.body)
}

// field is a text field of the answer's JSON.
func (r *refusal) field(t *testing.T, name string) string {
	t.Helper()
	assert.Contains(t, r.header.Get("Content-Type"), "application/json")
	var fields map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.body), &fields), r.body)
	text, _ := fields[name].(string)
	return text
}

func TestForeignOriginAndReboundHostAre403(t *testing.T) {
	c := start(t, fourPipelines, "processors: {remote_tap: {allowed_hosts: [tap.example.com], cors: {allowed_origins: ['https://grafana.example.com']}}}")
	port := c.address()[len("localhost"):]
	for name, request := range map[string]struct {
		header  []string
		allowed bool
		hint    string
	}{
		"a client that is no browser":          {nil, true, ""},
		"a page of ours":                       {[]string{"Origin", "http://localhost" + port}, true, ""},
		"a page of ours, by address":           {[]string{"Origin", "http://127.0.0.1" + port, "Host", "127.0.0.1" + port}, true, ""},
		"a page of another site":               {[]string{"Origin", "https://evil.example.com"}, false, "cors::allowed_origins"},
		"a page of another port":               {[]string{"Origin", "http://localhost:1"}, false, "cors::allowed_origins"},
		"a page without an origin":             {[]string{"Origin", "null"}, false, "cors::allowed_origins"},
		"a page of an allowed site":            {[]string{"Origin", "https://grafana.example.com"}, true, ""},
		"a page of an allowed site, over http": {[]string{"Origin", "http://grafana.example.com"}, false, "cors::allowed_origins"},
		"a link on another site":               {[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, false, ""},
		"a name that was bound to this machine": {
			[]string{"Host", "evil.example.com" + port, "Origin", "http://evil.example.com" + port}, false, "allowed_hosts",
		},
		"a name that was bound, without an origin": {[]string{"Host", "evil.example.com"}, false, "allowed_hosts"},
		"a name that is allowed": {
			[]string{"Host", "tap.example.com" + port, "Origin", "http://tap.example.com" + port}, true, "",
		},
		"a name inside a cluster": {[]string{"Host", "otelcol.monitoring.svc.cluster.local" + port}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{"/", "/v1/points", "/nowhere"} {
				answer := c.request(1, http.MethodGet, path, request.header...)
				if request.allowed {
					assert.NotEqual(t, http.StatusForbidden, answer.status, path)
					continue
				}
				assert.Equal(t, http.StatusForbidden, answer.status, path)
				assert.NotEmpty(t, answer.field(t, "error"), path)
				assert.Contains(t, answer.field(t, "hint"), request.hint, path)
			}
			for _, k := range kinds() {
				switch {
				case strings.HasPrefix(k.name, "golang.org"), strings.Contains(k.name, "1.0"):
					// The one cannot send another Host, the other has none.
				case request.allowed:
					c.watch(k, "/v1/tap", request.header...).leave()
				default:
					requireRefused(t, c, k, "/v1/tap", http.StatusForbidden, request.header...)
				}
			}
		})
	}
	answer := c.request(2, http.MethodGet, "/v1/points", "Origin", "https://grafana.example.com")
	require.Equal(t, "https://grafana.example.com", answer.header.Get("Access-Control-Allow-Origin"), "the page may read the answer")
	xnetKind := kindNamed(t, "golang.org")
	requireRefused(t, c, xnetKind, "/", http.StatusForbidden, "Origin", "https://evil.example.com")
	c.watch(xnetKind, "/", "Origin", "https://grafana.example.com")
}

func TestExposedServerWarnsOnce(t *testing.T) {
	for name, endpoint := range map[string]struct {
		host  string
		warns bool
	}{
		"every interface":      {"0.0.0.0", true},
		"every interface (v6)": {"'[::]", true},
		"loopback":             {"127.0.0.1", false},
		"localhost":            {"localhost", false},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, fourPipelines, "processors: {remote_tap: {endpoint: "+endpoint.host+":0"+strings.Repeat("'", strings.Count(endpoint.host, "'"))+"}}")
			warnings := c.journal.at(zapcore.WarnLevel)
			if !endpoint.warns {
				require.Empty(t, warnings)
				return
			}
			require.Len(t, warnings, 1)
			require.Contains(t, warnings[0], "can read the telemetry")
			c.watch(kindNamed(t, "coder"), "/") // and it works
		})
	}
}
