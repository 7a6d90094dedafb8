package e2e

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// protections are the headers that all answers have.
func protections() map[string]string {
	return map[string]string{
		"Content-Security-Policy":      "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox",
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY",
		"Referrer-Policy":              "no-referrer",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Cache-Control":                "no-store",
	}
}

// requireProtected expects each of them once.
func requireProtected(t *testing.T, header http.Header, what string) {
	t.Helper()
	for name, value := range protections() {
		assert.Equal(t, []string{value}, header.Values(name), "%s: %s", what, name)
	}
	assert.Empty(t, header.Values("Set-Cookie"), what)
}

func TestEveryAnswerIsProtected(t *testing.T) {
	const grafana = "https://grafana.example.com"
	c := start(t, fourPipelines, "processors: {remote_tap: {cors: {allowed_origins: ['"+grafana+"']}}}")
	preflight := []string{"Origin", grafana, "Access-Control-Request-Method", "GET"}
	for name, request := range map[string]struct {
		method, path string
		header       []string
		status       int
	}{
		"the help":                    {http.MethodGet, "/", nil, 200},
		"the points":                  {http.MethodGet, "/v1/points", nil, 200},
		"the points, for a page":      {http.MethodGet, "/v1/points", []string{"Origin", grafana}, 200},
		"the head of a stream":        {http.MethodHead, "/v1/tap", nil, 200},
		"the head of events":          {http.MethodHead, "/v1/tap", []string{"Accept", "text/event-stream"}, 200},
		"a short stream":              {http.MethodGet, "/v1/tap?duration=1ms&stats=1s", nil, 200},
		"a short stream of events":    {http.MethodGet, "/v1/tap?duration=1ms", []string{"Accept", "text/event-stream"}, 200},
		"a short stream of protobuf":  {http.MethodGet, "/v1/tap?duration=1ms&format=otlp_proto", nil, 200},
		"a preflight":                 {http.MethodOptions, "/v1/tap", preflight, 204},
		"a bad selection":             {http.MethodGet, "/v1/tap?formt=text", nil, 400},
		"a foreign page":              {http.MethodGet, "/v1/tap", []string{"Origin", "https://evil.example.com"}, 403},
		"a rebound name":              {http.MethodGet, "/v1/tap", []string{"Host", "evil.example.com"}, 403},
		"an unknown path":             {http.MethodGet, "/nowhere", nil, 404},
		"a path that is cleaned up":   {http.MethodGet, "/v1/../v1//points", nil, 200}, // after a redirect
		"another method":              {http.MethodDelete, "/v1/tap", nil, 405},
		"a method of the service":     {http.MethodGet, tapMethod, nil, 405},
		"a body that is not readable": {http.MethodGet, "/v1/tap", []string{"Content-Encoding", "rot13"}, 400},
		"another media type":          {http.MethodPost, tapMethod, []string{"Content-Type", "text/plain"}, 415},
	} {
		t.Run(name, func(t *testing.T) {
			for _, version := range []int{1, 2} {
				answer := c.request(version, request.method, request.path, request.header...)
				assert.Equal(t, request.status, answer.status, answer.body)
				requireProtected(t, answer.header, name)
			}
		})
	}
	for _, p := range protocols() {
		for _, method := range []string{tapMethod, reflection, "/remotetap.v1.TapService/Nothing"} {
			call, err := c.call(p, method, nil, http.Header{})
			require.NoError(t, err)
			requireProtected(t, call.response.Header, p.name+method)
			call.hangUp()
		}
	}
	requireProtected(t, c.postJSON(1, pointsMethod).header, "ListPoints as JSON")
	for _, text := range []string{"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET //v1/points HTTP/1.1\r\nHost: localhost\r\n\r\n"} {
		r, err := c.ask(text)
		require.NoError(t, err)
		requireProtected(t, r.answer.Header, text)
	}
}

func TestRefusalsForLackOfCredentialsOrPlaceAreProtected(t *testing.T) {
	c := start(t, fourPipelines, authConfig("bearertokenauth", "{token: s3cret}", ""), "processors: {remote_tap: {limit: 1}}")
	requireProtected(t, c.request(1, http.MethodGet, "/v1/tap").header, "401")
	c.watch(kindNamed(t, "lines"), "/v1/tap", "Authorization", "Bearer s3cret")
	answer := c.request(2, http.MethodGet, "/v1/tap", "Authorization", "Bearer s3cret")
	require.Equal(t, http.StatusServiceUnavailable, answer.status)
	requireProtected(t, answer.header, "503")
}

func TestConfiguredResponseHeadersComeOnTop(t *testing.T) {
	c := start(t, fourPipelines, "processors: {remote_tap: {response_headers: {X-Frame-Options: SAMEORIGIN, X-Mine: yes}}}")
	answer := c.request(1, http.MethodGet, "/v1/points")
	require.Equal(t, []string{"SAMEORIGIN"}, answer.header.Values("X-Frame-Options"))
	require.Equal(t, "yes", answer.header.Get("X-Mine"))
	require.Equal(t, "nosniff", answer.header.Get("X-Content-Type-Options"))
}
