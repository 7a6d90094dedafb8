package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHostOverHTTP2IsTheAuthorityAndTheOnlyOne(t *testing.T) {
	c := start(t, fourPipelines)
	for name, request := range map[string]struct {
		fields []string
		status string // "" for an error of the protocol
	}{
		"ours":                               {[]string{":authority", "localhost"}, "200"},
		"an address":                         {[]string{":authority", "192.0.2.7:12001"}, "200"},
		"ours, as Host":                      {[]string{"host", "localhost"}, "200"},
		"ours, in both":                      {[]string{":authority", "localhost", "host", "localhost"}, "200"},
		"none":                               {nil, "200"}, // no browser leaves it out
		"one that was bound to this machine": {[]string{":authority", "evil.example.com"}, "403"},
		"such a one, as Host":                {[]string{"host", "evil.example.com"}, "403"},
		"such a one, beside ours":            {[]string{":authority", "localhost", "host", "evil.example.com"}, "403"},
		"such a one, before ours":            {[]string{":authority", "evil.example.com", "host", "localhost"}, "403"},
		"such a one, as the second Host":     {[]string{"host", "localhost", "host", "evil.example.com"}, "403"},
		"with a user's name":                 {[]string{":authority", "localhost@evil.example.com"}, ""},
		"two authorities":                    {[]string{":authority", "localhost", ":authority", "evil.example.com"}, ""},
		"an authority behind the headers":    {[]string{"accept", "*/*", ":authority", "localhost"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			answer := c.rawHTTP2().ask(append([]string{":method", "GET", ":scheme", "http", ":path", "/v1/points"}, request.fields...)...)
			assert.Equal(t, request.status, answer[":status"])
			assert.Equal(t, request.status == "", answer["reset"] != "")

			call := c.rawHTTP2().ask(append([]string{":method", "POST", ":scheme", "http", ":path", tapMethod}, append(request.fields, "content-type", "application/grpc")...)...)
			if request.status == "403" {
				assert.Equal(t, "7", call["grpc-status"], "PERMISSION_DENIED")
			}
		})
	}
	require.Zero(t, c.countLogged("tap opened"))
}

func TestHostOverHTTP1IsTheTargetsAndTheOnlyOne(t *testing.T) {
	c := start(t, fourPipelines)
	for name, request := range map[string]struct {
		text   string
		status int
	}{
		"ours":                     {"GET /v1/points HTTP/1.1\r\nHost: localhost\r\n\r\n", 200},
		"two":                      {"GET /v1/points HTTP/1.1\r\nHost: localhost\r\nHost: evil.example.com\r\n\r\n", 400},
		"none":                     {"GET /v1/points HTTP/1.1\r\n\r\n", 400},
		"none, in HTTP/1.0":        {"GET /v1/points HTTP/1.0\r\n\r\n", 200},
		"another in the target":    {"GET http://evil.example.com/v1/points HTTP/1.1\r\nHost: localhost\r\n\r\n", 403},
		"ours in the target":       {"GET http://localhost/v1/points HTTP/1.1\r\nHost: evil.example.com\r\n\r\n", 200},
		"another, folded":          {"GET /v1/points HTTP/1.1\r\nHost: localhost\r\n evil.example.com\r\n\r\n", 400},
		"another with a space":     {"GET /v1/points HTTP/1.1\r\nHost : evil.example.com\r\n\r\n", 400},
		"another in OPTIONS *":     {"OPTIONS * HTTP/1.1\r\nHost: evil.example.com\r\n\r\n", 403},
		"another in CONNECT":       {"CONNECT evil.example.com:443 HTTP/1.1\r\nHost: evil.example.com\r\n\r\n", 403},
		"another before a cleanup": {"GET //v1/points HTTP/1.1\r\nHost: evil.example.com\r\n\r\n", 403},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := c.ask(request.text)
			require.NoError(t, err)
			require.Equal(t, request.status, r.answer.StatusCode)
		})
	}
}

// TestPreflights: who may ask with more than a page can do anyway. An answer that is no permission
// stops the browser; a permission is for pages of allowed origins only.
func TestPreflights(t *testing.T) {
	const grafana, evil = "https://grafana.example.com", "https://evil.example.com"
	const rpcHeaders = "authorization,connect-protocol-version,connect-timeout-ms,content-type,grpc-timeout,x-grpc-web,x-user-agent" // sorted, as browsers do
	const cors = "cors: {allowed_origins: ['https://grafana.example.com']"
	for name, preflight := range map[string]struct {
		config  string
		origin  string
		path    string
		method  string
		headers string
		status  int
		allowed bool
	}{
		"an allowed page reads":                        {cors + "}", grafana, "/v1/tap", "GET", "authorization", 204, true},
		"an allowed page calls":                        {cors + "}", grafana, tapMethod, "POST", rpcHeaders, 204, true},
		"an allowed page lists by reflection":          {cors + "}", grafana, reflection, "POST", rpcHeaders, 204, true},
		"an allowed page with a header that is not":    {cors + "}", grafana, tapMethod, "POST", "x-other", 204, false},
		"an allowed page, only what is listed":         {cors + ", allowed_headers: [x-other]}", grafana, tapMethod, "POST", "x-grpc-web", 204, false},
		"an allowed page, what is listed":              {cors + ", allowed_headers: [x-other]}", grafana, tapMethod, "POST", "x-other", 204, true},
		"an allowed page deletes":                      {cors + "}", grafana, "/v1/tap", "DELETE", "", 204, false},
		"another page":                                 {cors + "}", evil, tapMethod, "POST", rpcHeaders, 403, false},
		"another page, where none is allowed":          {"", evil, tapMethod, "POST", rpcHeaders, 403, false},
		"a page without an origin":                     {cors + "}", "null", tapMethod, "POST", rpcHeaders, 403, false},
		"a page without an origin, where all may":      {"cors: {allowed_origins: ['*']}", "null", tapMethod, "POST", rpcHeaders, 403, false},
		"our own page, which needs to ask nobody":      {"", "", tapMethod, "POST", rpcHeaders, 405, false},
		"our own page, which needs to ask nobody (2)":  {"", "", "/v1/tap", "GET", "authorization", 405, false},
		"an allowed page from outside of this network": {cors + "}", grafana, "/v1/tap", "GET", "", 204, true},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, fourPipelines, "processors: {remote_tap: {"+preflight.config+"}}")
			if preflight.origin == "" {
				preflight.origin = c.url("http", "")
			}
			for _, version := range []int{1, 2} {
				answer := c.request(version, http.MethodOptions, preflight.path,
					"Origin", preflight.origin, "Access-Control-Request-Method", preflight.method,
					"Access-Control-Request-Headers", preflight.headers, "Access-Control-Request-Private-Network", "true")
				assert.Equal(t, preflight.status, answer.status, answer.body)
				allowed := answer.header.Get("Access-Control-Allow-Origin")
				assert.Equal(t, preflight.allowed, allowed == preflight.origin, allowed)
				if !preflight.allowed {
					assert.Empty(t, allowed)
				}
				assert.Empty(t, answer.header.Get("Access-Control-Allow-Private-Network"))
			}
			require.Zero(t, c.countLogged("tap opened"))
		})
	}
}

// TestPreflightsNeedNoCredentials, which browsers do not send with them, but what they are for does.
func TestPreflightsNeedNoCredentials(t *testing.T) {
	const grafana = "https://grafana.example.com"
	c := start(t, fourPipelines, authConfig("bearertokenauth", "{token: s3cret}", ""),
		"processors: {remote_tap: {cors: {allowed_origins: ['"+grafana+"']}}}")
	answer := c.request(1, http.MethodOptions, "/v1/tap", "Origin", grafana,
		"Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "authorization")
	require.Equal(t, http.StatusNoContent, answer.status)
	require.Equal(t, grafana, answer.header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "authorization", answer.header.Get("Access-Control-Allow-Headers"))

	answer = c.request(1, http.MethodGet, "/v1/points", "Origin", grafana)
	require.Equal(t, http.StatusUnauthorized, answer.status)
	require.Equal(t, grafana, answer.header.Get("Access-Control-Allow-Origin"), "an allowed page may know why")
	require.Contains(t, answer.header.Get("Access-Control-Expose-Headers"), "Www-Authenticate")
	require.Equal(t, http.StatusOK, c.request(1, http.MethodGet, "/v1/points", "Origin", grafana, "Authorization", "Bearer s3cret").status)
}

// TestWhatProxiesSayIsNotBelieved: the audit log has the address of the connection, and the name
// that was proved.
func TestWhatProxiesSayIsNotBelieved(t *testing.T) {
	c := start(t, fourPipelines)
	header := []string{
		"X-Forwarded-For", "203.0.113.9", "X-Real-Ip", "203.0.113.9", "Forwarded", "for=203.0.113.9;host=root",
		"X-Forwarded-User", "root", "X-Remote-User", "root", "X-Forwarded-Client-Cert", "Subject=\"CN=root\"",
	}
	clients := c.watchAll("/v1/logs", header...)
	for _, tap := range c.points().Taps {
		assert.True(t, strings.HasPrefix(tap.Remote, "127.0.0.1:"), tap.Remote)
		assert.Empty(t, tap.Subject)
	}
	for _, w := range clients {
		w.leave()
	}
	c.awaitEnded(len(clients))
	c.requireSubject("")
	require.NotContains(t, c.journal.String(), "203.0.113.9")
	require.NotContains(t, c.journal.String(), "root")
}
