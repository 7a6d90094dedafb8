package e2e

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// authCase is a collector whose tap asks for credentials.
type authCase struct {
	config    string // of the extension, and of the processor
	challenge string // the scheme that a 401 names
	right     string // an Authorization header
	subject   string // whose it is, as the audit log says
	wrong     map[string]string
	secrets   []string // what must never be in the log
}

// authConfig configures an extension and the processor that uses it; auth is what else the
// processor's section says.
func authConfig(name, extension, auth string) string {
	return fmt.Sprintf(`
extensions: {%[1]s: %[2]s}
processors: {remote_tap: {auth: {authenticator: %[1]s%[3]s}}}
service: {extensions: [%[1]s]}
`, name, extension, auth)
}

func basicAuth(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func TestCredentialsAreNeededWithBasicAuth(t *testing.T) {
	requireCredentials(t, authCase{
		config:    authConfig("basicauth/tap", "{htpasswd: {inline: 'ada:lovelace'}}", ""),
		challenge: "Basic",
		right:     basicAuth("ada", "lovelace"),
		subject:   "ada",
		wrong: map[string]string{
			"another password":               basicAuth("ada", "byron"),
			"another user":                   basicAuth("eve", "lovelace"),
			"no password":                    basicAuth("ada", ""),
			"another scheme":                 "Bearer lovelace",
			"not base64":                     "Basic ada:lovelace",
			"nothing":                        "",
			"the right ones in a wrong case": basicAuth("ADA", "lovelace"),
		},
		secrets: []string{"lovelace", "byron", basicAuth("ada", "lovelace")[6:], basicAuth("ada", "byron")[6:]},
	})
}

func TestCredentialsAreNeededWithABearerToken(t *testing.T) {
	requireCredentials(t, authCase{
		config:    authConfig("bearertokenauth", "{tokens: [a-long-secret, another-one]}", ""),
		challenge: "Bearer",
		right:     "Bearer another-one",
		subject:   "", // a token is nobody in particular
		wrong: map[string]string{
			"another token":   "Bearer a-bad-guess",
			"half of one":     "Bearer a-long",
			"only the scheme": "Bearer ",
			"another scheme":  basicAuth("a-long-secret", "a-long-secret"),
			"both at once":    "Bearer a-long-secret another-one",
		},
		secrets: []string{"a-long-secret", "another-one", "a-bad-guess"},
	})
}

// requireCredentials proves that nothing but right credentials gets anything, on any transport.
func requireCredentials(t *testing.T, auth authCase) {
	t.Helper()
	c := start(t, fourPipelines, auth.config)
	t.Run("none", func(t *testing.T) { requireUnauthorized(t, c, auth) })
	for name, wrong := range auth.wrong {
		t.Run(name, func(t *testing.T) { requireUnauthorized(t, c, auth, "Authorization", wrong) })
	}
	require.Zero(t, c.countLogged("tap opened"))
	t.Run("right", func(t *testing.T) { requireAuthorized(t, c, auth) })
	for _, secret := range append(auth.secrets, strings.TrimPrefix(auth.right, auth.challenge+" ")) {
		require.NotContains(t, c.journal.String(), secret)
	}
}

// requireUnauthorized expects the same refusal of everything.
func requireUnauthorized(t *testing.T, c *collector, auth authCase, header ...string) {
	t.Helper()
	challenge := auth.challenge + ` realm="remote_tap"`
	for _, path := range []string{"/", "/v1/tap", "/v1/traces", "/v1/points", "/nowhere", tapMethod, "//v1/tap"} {
		for _, version := range []int{1, 2} {
			for _, method := range []string{http.MethodGet, http.MethodOptions, http.MethodHead} {
				answer := c.request(version, method, path, header...)
				assert.Equal(t, http.StatusUnauthorized, answer.status, path)
				assert.Equal(t, challenge, answer.header.Get("WWW-Authenticate"), path)
				if method != http.MethodHead {
					assert.Contains(t, answer.field(t, "error"), "credentials", path)
					assert.Contains(t, answer.field(t, "hint"), auth.challenge, path)
				}
			}
		}
	}
	for _, k := range kinds() {
		requireRefused(t, c, k, "/v1/tap", http.StatusUnauthorized, header...)
	}
	for _, p := range protocols() {
		for _, method := range []string{tapMethod, reflection, oldReflection, "/remotetap.v1.TapService/Nothing", "/other.Service/Tap"} {
			refused := requireCallRefused(t, c, p, method, "unauthenticated", header...)
			assert.Equal(t, challenge, refused.metadata.Get("WWW-Authenticate"), p.name+method)
		}
	}
	answer := c.postJSON(1, pointsMethod, header...)
	assert.Equal(t, http.StatusUnauthorized, answer.status)
	assert.Equal(t, "unauthenticated", answer.field(t, "code"))
	assert.Equal(t, challenge, answer.header.Get("WWW-Authenticate"))
}

// requireAuthorized watches on every transport, and finds the subject in the audit log.
func requireAuthorized(t *testing.T, c *collector, auth authCase) {
	t.Helper()
	var clients []*client
	for _, k := range everyKind() {
		clients = append(clients, c.watch(k, "/v1/logs", "Authorization", auth.right))
	}
	batch := logs().generate("for those who may", 2)
	c.export(logs(), batch)
	for _, w := range clients {
		requireSame(t, items(t, logs(), batch), w.collect(logs(), 2), w.kind.name)
	}
	open := c.points("Authorization", auth.right).Taps
	require.Len(t, open, len(clients))
	for i, tap := range open {
		assert.Equal(t, auth.subject, tap.Subject, tap.Transport)
		assert.Equal(t, clients[i].kind.transport, tap.Transport)
	}
	for _, w := range clients {
		w.leave()
	}
	c.awaitEnded(len(clients))
	c.requireSubject(auth.subject)
	for _, path := range []string{reflection, oldReflection} {
		listed, err := c.servicesListed(protocols()[0], path, "Authorization", auth.right)
		require.NoError(t, err)
		assert.Contains(t, listed, "remotetap.v1.TapService")
	}
	assert.Equal(t, http.StatusOK, c.postJSON(2, pointsMethod, "Authorization", auth.right).status)
	// Where credentials are asked for, a Host that could be rebound is fine.
	assert.Equal(t, http.StatusOK, c.request(1, http.MethodGet, "/v1/points", "Authorization", auth.right, "Host", "tap.example.com").status)
}

// requireSubject expects the same subject in each line of the audit log; "" for none.
func (c *collector) requireSubject(subject string) {
	c.t.Helper()
	lines := 0
	entries, _ := c.journal.from(c.generation)
	for _, e := range entries {
		if e.Message != "tap opened" && e.Message != "tap ended" {
			continue
		}
		lines++
		name, there := e.fields["subject"]
		require.Equal(c.t, subject != "", there, "%v", e.fields)
		if there {
			require.Equal(c.t, subject, name)
		}
	}
	require.NotZero(c.t, lines)
}

func TestCredentialsInTheQueryStringAreNotPartOfTheSelection(t *testing.T) {
	// As browsers need them for WebSocket and EventSource, which cannot send an Authorization header.
	c := start(t, fourPipelines, authConfig("bearertokenauth", "{header: x.token, scheme: '', token: s3cret}", ", request_params: [x.token]"))
	for _, k := range kinds() {
		c.watch(k, "/v1/logs?x.token=s3cret&service=checkout").leave()
		requireRefused(t, c, k, "/v1/logs?service=checkout", http.StatusUnauthorized)
		requireRefused(t, c, k, "/v1/logs?service=checkout&x.token=wrong", http.StatusUnauthorized)
	}
	c.awaitEnded(len(kinds()))
	for _, e := range c.journal.all() {
		if e.Message == "tap opened" {
			require.Equal(t, "signal=logs&service=checkout", e.fields["selection"])
		}
	}
	for _, path := range []string{"/", "/v1/points"} {
		answer := c.request(1, http.MethodGet, path+"?x.token=s3cret")
		require.Equal(t, http.StatusOK, answer.status, answer.body)
		require.NotContains(t, answer.body, "s3cret")
	}
	require.NotContains(t, c.journal.String(), "s3cret")
}

func TestAuthorizationInTheQueryStringIsThatOfTheHeader(t *testing.T) {
	i := newIssuer(t)
	for name, auth := range map[string]struct{ config, right, wrong string }{
		"basicauth": {
			authConfig("basicauth", "{htpasswd: {inline: 'ada:lovelace'}}", ", request_params: [authorization]"),
			basicAuth("ada", "lovelace"), basicAuth("ada", "byron"),
		},
		"bearertokenauth": {
			authConfig("bearertokenauth", "{token: s3cret}", ", request_params: [authorization]"),
			"Bearer s3cret", "Bearer guess",
		},
		"oidcauth": {
			authConfig("oidc/corporate", "{providers: [{issuer_url: '"+i.url+"', audience: remote_tap}]}", ", request_params: [authorization]"),
			"Bearer " + i.token(i.key, i.claims(nil)), "Bearer guess",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, fourPipelines, auth.config)
			for _, k := range kinds() {
				c.watch(k, "/v1/logs?authorization="+url.QueryEscape(auth.right)).leave()
				c.watch(k, "/v1/logs", "Authorization", auth.right).leave()
				requireRefused(t, c, k, "/v1/logs?authorization="+url.QueryEscape(auth.wrong), http.StatusUnauthorized)
			}
			_, secret, _ := strings.Cut(auth.right, " ")
			require.NotContains(t, c.journal.String(), secret)
		})
	}
}
