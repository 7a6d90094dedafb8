package otlpout

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

func settingsOf(t *testing.T, args ...string) *Settings {
	t.Helper()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	s := Flags(flags)
	require.NoError(t, flags.Parse(args))
	return s
}

func TestEndpointsAreUnderstood(t *testing.T) {
	for _, test := range []struct {
		name     string
		args     []string
		protocol string
		address  string
		tls      bool
		traces   string
	}{
		{"a host and port is gRPC", []string{"--to", "localhost:4317"}, "grpc", "localhost:4317", false, ""},
		{"a host alone is gRPC at its port", []string{"--to", "jaeger"}, "grpc", "jaeger:4317", false, ""},
		{"the port of OTLP/HTTP is HTTP", []string{"--to", "localhost:4318"}, "http", "localhost:4318", false, "http://localhost:4318/v1/traces"},
		{"a host alone may be HTTP", []string{"--to", "jaeger", "--to-protocol", "http"}, "http", "jaeger:4318", false, "http://jaeger:4318/v1/traces"},
		{"IPv6", []string{"--to", "[::1]:4317"}, "grpc", "[::1]:4317", false, ""},
		{"IPv6 alone", []string{"--to", "[::1]"}, "grpc", "[::1]:4317", false, ""},
		{"a URL is HTTP", []string{"--to", "http://localhost:4318"}, "http", "localhost:4318", false, "http://localhost:4318/v1/traces"},
		{"a URL may have a path", []string{"--to", "https://example.com/otlp/?tenant=a"}, "http", "example.com:443", true, "https://example.com/otlp/v1/traces?tenant=a"},
		{"a URL with the port of gRPC is gRPC", []string{"--to", "http://localhost:4317"}, "grpc", "localhost:4317", false, ""},
		{"https may be gRPC", []string{"--to", "https://example.com:443", "--to-protocol", "grpc"}, "grpc", "example.com:443", true, ""},
		{"flags about TLS imply it", []string{"--to", "example.com:4317", "--to-server-name", "x"}, "grpc", "example.com:4317", true, ""},
		{"also for HTTP", []string{"--to", "example.com:4318", "--to-insecure-skip-verify"}, "http", "example.com:4318", true, "https://example.com:4318/v1/traces"},
	} {
		t.Run(test.name, func(t *testing.T) {
			target, err := settingsOf(t, test.args...).target()
			require.NoError(t, err)
			assert.Equal(t, test.protocol, target.protocol)
			assert.Equal(t, test.address, target.address)
			assert.Equal(t, test.tls, target.tls != nil)
			if test.traces != "" {
				assert.Equal(t, test.traces, target.base.JoinPath(path(otlp.Traces)).String())
			}
		})
	}
}

func TestWrongSettingsSayWhatToWrite(t *testing.T) {
	secrets := filepath.Join(t.TempDir(), "headers")
	require.NoError(t, os.WriteFile(secrets, []byte("Authorization: Bearer hunter2\n\nX-Tenant: a\n"), 0o600))
	noPEM := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(noPEM, []byte("hello"), 0o600))
	for _, test := range []struct {
		name string
		args []string
		says string
	}{
		{"nowhere", nil, "--to is missing"},
		{"another protocol", []string{"--to", "x", "--to-protocol", "thrift"}, "write grpc or http"},
		{"another scheme", []string{"--to", "grpc://x:4317"}, "write http:// or https://, or HOST:PORT for gRPC"},
		{"a path without a scheme", []string{"--to", "x/otlp"}, "a URL such as https://"},
		{"the signal's path", []string{"--to", "http://x/otlp/v1/traces/"}, "leave /v1/traces out"},
		{"a path for gRPC", []string{"--to", "http://x:1/otlp", "--to-protocol", "grpc"}, "gRPC has no path"},
		{"a password in the URL", []string{"--to", "http://me:hunter2@x"}, "leave the user and password out"},
		{"no host", []string{"--to", "http://"}, "the host is missing"},
		{"TLS and none", []string{"--to", "http://x", "--to-cacert", "ca.pem"}, "write https://"},
		{"half a certificate", []string{"--to", "x", "--to-cert", "a.pem"}, "belong together"},
		{"authorities that are none", []string{"--to", "x", "--to-cacert", noPEM}, "holds no certificates in PEM"},
		{"a header without a colon", []string{"--to", "x", "--to-header", "hunter2"}, "write it as 'NAME: VALUE'"},
		{"a header of the protocol", []string{"--to", "x", "--to-header", "content-type: x"}, "belongs to the protocol"},
		{"a file of headers that is not there", []string{"--to", "x", "--to-header", "@/nothing"}, "no such file"},
		{"credentials in the open", []string{"--to", "example.com:4317", "--to-header", "@" + secrets}, "has no TLS"},
		{"no time at all", []string{"--to", "x", "--to-timeout", "0s"}, "--to-timeout 0s"},
		{"less than no time", []string{"--to", "x", "--to-retry", "-1s"}, "--to-retry -1s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := settingsOf(t, test.args...).New("test", nil)
			require.ErrorContains(t, err, test.says)
			assert.Equal(t, app.CodeUsage, app.CodeOf(err))
			assert.NotContains(t, err.Error(), "hunter2")
		})
	}
	for _, args := range [][]string{
		{"--to", "localhost:4317", "--to-header", "@" + secrets},
		{"--to", "https://example.com", "--to-header", "@" + secrets},
		{"--to", "example.com", "--to-plaintext", "--to-header", "@" + secrets},
	} {
		target, err := settingsOf(t, args...).target()
		require.NoError(t, err)
		assert.Equal(t, map[string][]string{"authorization": {"Bearer hunter2"}, "x-tenant": {"a"}}, target.headers)
	}
}
