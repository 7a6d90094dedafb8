package tapclient_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/remotetap/remotetapprocessor/tapclient"
)

func TestWrongOptionsAreRefusedByDialWithWhatToWrite(t *testing.T) {
	directory := t.TempDir()
	empty := filepath.Join(directory, "empty")
	require.NoError(t, os.WriteFile(empty, []byte(" \n"), 0o600))
	missing := filepath.Join(directory, "missing")
	const secret = "hunter2"
	for name, wrong := range map[string]struct {
		endpoint string
		options  []tapclient.Option
		hint     string
	}{
		"credentials in the clear":                  {"otelcol:1", []tapclient.Option{tapclient.WithBearerToken(secret)}, "https://"},
		"a password in the clear":                   {"http://otelcol:1", []tapclient.Option{tapclient.WithBasicAuth("ada", secret)}, "WithAllowPlaintextCredentials"},
		"a header that is a credential":             {"otelcol:1", []tapclient.Option{tapclient.WithHeader("X-Api-Key", secret)}, "https://"},
		"credentials in the clear to one of two":    {"https://a:1,http://b:1", []tapclient.Option{tapclient.WithBearerToken(secret)}, `"http://b:1"`},
		"credentials in the clear through a proxy":  {"localhost:1", []tapclient.Option{tapclient.WithBearerToken(secret), tapclient.WithProxy("http://proxy:3128")}, "https://"},
		"two kinds of credentials":                  {"localhost", []tapclient.Option{tapclient.WithBearerToken(secret), tapclient.WithBasicAuth("ada", secret)}, "give one kind"},
		"a header beside credentials":               {"localhost", []tapclient.Option{tapclient.WithBearerToken(secret), tapclient.WithHeader("Authorization", secret)}, "one of the two"},
		"an empty token":                            {"localhost", []tapclient.Option{tapclient.WithBearerToken("")}, "WithBearerToken: the token is empty"},
		"a token with a newline":                    {"localhost", []tapclient.Option{tapclient.WithBearerToken(secret + "\n")}, "printable"},
		"a token file that is not there":            {"localhost", []tapclient.Option{tapclient.WithBearerTokenFile(missing)}, missing},
		"a token file that is empty":                {"localhost", []tapclient.Option{tapclient.WithBearerTokenFile(empty)}, "there is no token in " + empty},
		"a user with a colon":                       {"localhost", []tapclient.Option{tapclient.WithBasicAuth("a:b", secret)}, "colon"},
		"an authorization that fails":               {"localhost", []tapclient.Option{tapclient.WithAuthorization(func(context.Context) (string, error) { return secret, errors.New("no login") })}, "no login"},
		"an authorization that is not printable":    {"localhost", []tapclient.Option{tapclient.WithAuthorization(func(context.Context) (string, error) { return secret + "\x00", nil })}, "printable"},
		"no authorization":                          {"localhost", []tapclient.Option{tapclient.WithAuthorization(nil)}, "no function"},
		"a header without a name":                   {"localhost", []tapclient.Option{tapclient.WithHeader("a b", secret)}, `"a b"`},
		"a header of gRPC":                          {"localhost", []tapclient.Option{tapclient.WithHeader("User-Agent", secret)}, "WithUserAgent"},
		"a header that cannot be sent":              {"localhost", []tapclient.Option{tapclient.WithHeader("x-tenant", secret+"é")}, "x-tenant"},
		"a user agent that cannot be sent":          {"localhost", []tapclient.Option{tapclient.WithUserAgent("\n")}, "printable"},
		"a proxy that is no URL":                    {"localhost", []tapclient.Option{tapclient.WithProxy("http://ada:" + secret + "@proxy:port")}, "http://HOST:PORT"},
		"a proxy without a scheme":                  {"localhost", []tapclient.Option{tapclient.WithProxy("proxy:3128")}, "http://HOST:PORT"},
		"a proxy of another kind":                   {"localhost", []tapclient.Option{tapclient.WithProxy("socks4://ada:" + secret + "@proxy:1")}, "socks5"},
		"a file of authorities that is not there":   {"localhost", []tapclient.Option{tapclient.WithCAFile(missing)}, missing},
		"a file of authorities without any":         {"localhost", []tapclient.Option{tapclient.WithCAFile(empty)}, "PEM"},
		"a client certificate that is not there":    {"localhost", []tapclient.Option{tapclient.WithClientCertificate(missing, missing)}, missing},
		"a client certificate without its key":      {"localhost", []tapclient.Option{tapclient.WithClientCertificate(empty, "")}, "client certificate"},
		"options about TLS, and no endpoint has it": {"http://localhost", []tapclient.Option{tapclient.WithInsecureSkipVerify()}, "https://"},
		"no configuration for TLS":                  {"localhost", []tapclient.Option{tapclient.WithTLSConfig(nil)}, "WithTLSConfig"},
		"no configuration for a proxy's TLS":        {"localhost", []tapclient.Option{tapclient.WithProxyTLSConfig(nil)}, "WithProxyTLSConfig"},
		"no dialer":                                 {"localhost", []tapclient.Option{tapclient.WithDialer(nil)}, "WithDialer"},
		"no resolver":                               {"localhost", []tapclient.Option{tapclient.WithResolver(nil)}, "WithResolver"},
		"a period of nothing":                       {"localhost", []tapclient.Option{tapclient.WithResolvePeriod(0)}, "WithResolvePeriod: 0s is not above 0"},
		"a timeout in the past":                     {"localhost", []tapclient.Option{tapclient.WithConnectTimeout(-1)}, "WithConnectTimeout"},
		"messages of nothing":                       {"localhost", []tapclient.Option{tapclient.WithMaxMessageSize(0)}, "WithMaxMessageSize"},
		"a back-off that shrinks":                   {"localhost", []tapclient.Option{tapclient.WithBackoff(2, 1)}, "the shorter first"},
		"a back-off of nothing":                     {"localhost", []tapclient.Option{tapclient.WithBackoff(0, 1)}, "WithBackoff"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tapclient.Dial(t.Context(), wrong.endpoint, wrong.options...)
			require.Error(t, err)
			assert.Contains(t, err.Error(), wrong.hint)
			assert.NotContains(t, err.Error(), secret)
		})
	}
}

func TestCredentialsMayGoWhereNobodyElseReadsThem(t *testing.T) {
	for name, right := range map[string]struct {
		endpoint string
		options  []tapclient.Option
	}{
		"this machine, by name":    {"localhost:1", nil},
		"this machine, by address": {"127.0.0.1,[::1]:1", nil},
		"a socket":                 {"unix:///run/tap.sock", nil},
		"TLS":                      {"https://otelcol", nil},
		"TLS by an option":         {"otelcol:1,dns:///others", []tapclient.Option{tapclient.WithTLS()}},
		"a proxy on this machine":  {"localhost:1", []tapclient.Option{tapclient.WithProxy("socks5://127.0.0.1:1080")}},
		"wherever one insists":     {"otelcol:1", []tapclient.Option{tapclient.WithAllowPlaintextCredentials()}},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := tapclient.Dial(t.Context(), right.endpoint, append(right.options, tapclient.WithBearerToken("hunter2"))...)
			require.NoError(t, err)
			c.Close()
		})
	}
	_, err := tapclient.Dial(t.Context(), "otelcol:1", tapclient.WithHeader("x-tenant", "a"))
	require.NoError(t, err, "a header that is no credential")
}

func TestDialDoesNotConnectAndObeysItsContext(t *testing.T) {
	dial := tapclient.WithDialer(func(context.Context, string, string) (net.Conn, error) {
		t.Error("Dial connects")
		return nil, errors.ErrUnsupported
	})
	c, err := tapclient.Dial(t.Context(), "localhost:1", dial)
	require.NoError(t, err)
	c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = tapclient.Dial(ctx, "localhost:1", dial)
	require.ErrorIs(t, err, context.Canceled)
}
