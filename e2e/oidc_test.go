package e2e

import (
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// issuer is an OpenID Connect provider, as far as a server that checks tokens needs one: discovery
// and keys.
type issuer struct {
	t   *testing.T
	url string
	key *ecdsa.PrivateKey
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{t: t, key: newKey(t)}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	i.url = server.URL
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		i.answer(w, map[string]any{
			"issuer": i.url, "jwks_uri": i.url + "/keys", "id_token_signing_alg_values_supported": []string{"ES256"},
			"authorization_endpoint": i.url + "/auth", "token_endpoint": i.url + "/token",
			"response_types_supported": []string{"id_token"}, "subject_types_supported": []string{"public"},
		})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		i.answer(w, map[string]any{"keys": []any{i.publicKey()}})
	})
	return i
}

func (i *issuer) answer(w http.ResponseWriter, document any) {
	w.Header().Set("Content-Type", "application/json")
	assert.NoError(i.t, json.NewEncoder(w).Encode(document))
}

// publicKey is the issuer's key as a JSON Web Key (RFC 7517).
func (i *issuer) publicKey() map[string]any {
	point, err := i.key.PublicKey.Bytes() // 4, x, y
	assert.NoError(i.t, err)
	return map[string]any{
		"kty": "EC", "crv": "P-256", "kid": "first", "use": "sig", "alg": "ES256",
		"x": base64.RawURLEncoding.EncodeToString(point[1:33]), "y": base64.RawURLEncoding.EncodeToString(point[33:]),
	}
}

// claims are those of a token that lets grace in; changes replace some.
func (i *issuer) claims(changes map[string]any) map[string]any {
	now := time.Now()
	claims := map[string]any{
		"iss": i.url, "aud": "remote_tap", "sub": "grace", "email": "grace@example.com",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	maps.Copy(claims, changes)
	return claims
}

// unsigned is a JSON Web Token (RFC 7519) up to its signature.
func (i *issuer) unsigned(algorithm string, claims map[string]any) string {
	part := func(value any) string {
		text, err := json.Marshal(value)
		require.NoError(i.t, err)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	return part(map[string]any{"alg": algorithm, "kid": "first", "typ": "JWT"}) + "." + part(claims)
}

// token signs claims with a key.
func (i *issuer) token(key *ecdsa.PrivateKey, claims map[string]any) string {
	i.t.Helper()
	unsigned := i.unsigned("ES256", claims)
	digest := sha256.Sum256([]byte(unsigned))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	require.NoError(i.t, err)
	signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	return unsigned + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// symmetric signs claims with the issuer's public key, as if it were a shared secret.
func (i *issuer) symmetric(claims map[string]any) string {
	i.t.Helper()
	unsigned := i.unsigned("HS256", claims)
	key, err := i.key.PublicKey.Bytes()
	require.NoError(i.t, err)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(unsigned))
	return unsigned + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// config makes a collector ask for the issuer's tokens.
func (i *issuer) config(more string) string {
	return authConfig("oidc/corporate", "{providers: [{issuer_url: '"+i.url+"', audience: remote_tap"+more+"}]}", "")
}

func TestCredentialsAreNeededWithOIDC(t *testing.T) {
	i := newIssuer(t)
	stranger := newIssuer(t)
	hourAgo, inAnHour := time.Now().Add(-time.Hour).Unix(), time.Now().Add(time.Hour).Unix()
	right := i.token(i.key, i.claims(nil))
	head, payload, _ := strings.Cut(right, ".")
	_, signature, _ := strings.Cut(payload, ".")
	tokens := map[string]string{
		"an expired token":                   i.token(i.key, i.claims(map[string]any{"exp": hourAgo})),
		"a token of tomorrow":                i.token(i.key, i.claims(map[string]any{"nbf": inAnHour})),
		"a token without an end":             i.token(i.key, i.claims(map[string]any{"exp": nil})),
		"a token for somebody else":          i.token(i.key, i.claims(map[string]any{"aud": "grafana"})),
		"a token of another issuer":          stranger.token(stranger.key, stranger.claims(nil)),
		"a token that another one made":      i.token(stranger.key, i.claims(nil)),
		"a token without a signature":        i.unsigned("none", i.claims(nil)) + ".",
		"a token signed with what is public": i.symmetric(i.claims(nil)),
		"a changed token":                    i.unsigned("ES256", i.claims(map[string]any{"sub": "root"})) + "." + signature,
		"half a token":                       head + "." + strings.TrimSuffix(payload, signature),
		"no token at all":                    "nonsense",
	}
	auth := authCase{
		config: i.config(""), challenge: "Bearer", right: "Bearer " + right, subject: "grace",
		wrong: map[string]string{"two in one": "Bearer " + right + " " + right, "no scheme": right},
	}
	for name, token := range tokens {
		auth.wrong[name] = "Bearer " + token
		auth.secrets = append(auth.secrets, token)
	}
	auth.secrets = append(auth.secrets, payload, signature)
	requireCredentials(t, auth)
}

func TestSubjectIsTheClaimThatTheConfigurationNames(t *testing.T) {
	i := newIssuer(t)
	c := start(t, fourPipelines, i.config(", username_claim: email"))
	bearer := "Bearer " + i.token(i.key, i.claims(nil))
	for _, k := range everyKind() {
		c.watch(k, "/v1/logs", "Authorization", bearer).leave()
	}
	c.awaitEnded(len(everyKind()))
	c.requireSubject("grace@example.com")
}

// TestTapOutlivesItsCredentials: they are asked for when a tap opens. What bounds an open one is
// per_tap::max_duration.
func TestTapOutlivesItsCredentials(t *testing.T) {
	i := newIssuer(t)
	c := start(t, fourPipelines, i.config(""))
	bearer := "Bearer " + i.token(i.key, i.claims(map[string]any{"exp": time.Now().Add(2 * time.Second).Unix()}))
	var open []*client
	for _, k := range everyKind() {
		open = append(open, c.watch(k, "/v1/logs", "Authorization", bearer))
	}
	require.Eventually(t, func() bool {
		return c.request(1, http.MethodGet, "/v1/points", "Authorization", bearer).status == http.StatusUnauthorized
	}, patience, 100*time.Millisecond, "the token expires")
	batch := logs().generate("later", 2)
	c.export(logs(), batch)
	for _, w := range open {
		requireSame(t, items(t, logs(), batch), w.collect(logs(), 2), w.kind.name)
	}
}
