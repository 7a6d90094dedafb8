package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zapcore"
	xnet "golang.org/x/net/websocket"
)

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
		"a name inside a cluster":                  {[]string{"Host", "otelcol.monitoring.svc.cluster.local" + port}, true, ""},
		"an image on another port of this machine": {[]string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors"}, false, "address"},
		"a name that was bound, behind a proxy that says otherwise": {
			[]string{"Host", "evil.example.com", "X-Forwarded-Host", "localhost", "Forwarded", "host=localhost"}, false, "allowed_hosts",
		},
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
			for _, p := range protocols() {
				if request.allowed {
					c.watch(kind{p.name, p.transport, p.open}, "/v1/tap", request.header...).leave()
					continue
				}
				for _, method := range []string{tapMethod, reflection, "/remotetap.v1.TapService/Nothing"} {
					refused := requireCallRefused(t, c, p, method, "permission_denied", request.header...)
					assert.Contains(t, refused.message, request.hint, p.name)
				}
			}
			answer := c.postJSON(1, pointsMethod, request.header...)
			assert.Equal(t, request.allowed, answer.status == http.StatusOK, answer.body)
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
