package app

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/contexts"
)

// contextsFile is the file of contexts in these tests.
const contextsFile = `
current: current
contexts:
  current: {endpoints: [current:1], cacert: current.pem, user: current, password-file: password}
  other: {endpoints: [other:1, other:2], headers: {X-Team: other, Authorization: Bearer other}}
  plain: {endpoints: [plain:1], plaintext: true}
  pods: {kube: deploy/otel, user: pods, password-file: password}
`

// connecting is the connection for a command line.
func connecting(t *testing.T, environment map[string]string, line string) (Connection, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"config.yaml": contextsFile, "password": "hush\n", "token": "hush\n", "current.pem": "", "other.pem": ""} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	var out bytes.Buffer
	a := New(System{In: strings.NewReader(""), Out: &out, Err: &out, Version: "1.0.0", Getenv: func(name string) string {
		if name == "REMOTETAP_CONFIG" {
			return filepath.Join(dir, "config.yaml")
		}
		return strings.ReplaceAll(environment[name], "DIR", dir)
	}})
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	a.ConnectionFlags(flags)
	a.ConnectionFlags(pflag.NewFlagSet("another command", pflag.ContinueOnError))
	require.NoError(t, flags.Parse(strings.Fields(strings.ReplaceAll(line, "DIR", dir))))
	connection, err := a.Connect(t.Context(), flags.Args())
	s := &connection.Settings
	for _, path := range []*string{&s.CACert, &s.TokenFile, &s.PasswordFile} {
		*path = strings.TrimPrefix(*path, dir+"/")
	}
	connection.Credentials = strings.ReplaceAll(connection.Credentials, dir+"/", "")
	return connection, err
}

func TestFlagsGoBeforeTheEnvironmentBeforeContextsBeforeDefaults(t *testing.T) {
	none := map[string]string(nil)
	for name, c := range map[string]struct {
		environment map[string]string
		line        string
		endpoints   string
		settings    contexts.Context
		credentials string
	}{
		"the current context": {
			none, "", "current:1",
			contexts.Context{CACert: "current.pem", User: "current", PasswordFile: "password"},
			"user current",
		},
		"another, by flag": {
			none, "--context other", "other:1 other:2",
			contexts.Context{Headers: map[string]string{"X-Team": "", "Authorization": ""}},
			"an Authorization header",
		},
		"another, by the environment": {
			map[string]string{"REMOTETAP_CONTEXT": "plain"},
			"", "plain:1",
			contexts.Context{Plaintext: true},
			"",
		},
		"the flag before the environment": {
			map[string]string{"REMOTETAP_CONTEXT": "other", "REMOTETAP_ENDPOINT": "env:1"},
			"--context plain", "plain:1",
			contexts.Context{Plaintext: true},
			"",
		},
		"arguments, to which the current context does not belong": {
			none, "arg:1", "arg:1", contexts.Context{}, "",
		},
		"the environment's endpoints, to which it does not belong either": {
			map[string]string{"REMOTETAP_ENDPOINT": "env:1, env:2"}, "", "env:1 env:2", contexts.Context{}, "",
		},
		"arguments before the environment": {
			map[string]string{"REMOTETAP_ENDPOINT": "env:1"}, "arg:1", "arg:1", contexts.Context{}, "",
		},
		"arguments with a context that was named": {
			none, "--context plain arg:1", "arg:1", contexts.Context{Plaintext: true}, "",
		},
		"arguments with a context of pods are not encrypted by its port-forwards": {
			none, "--context pods localhost:1", "localhost:1",
			contexts.Context{User: "pods", PasswordFile: "password"},
			"user pods",
		},
		"a flag about TLS before plaintext": {
			none, "--context plain --cacert DIR/other.pem", "plain:1", contexts.Context{CACert: "other.pem"}, "",
		},
		"plaintext before the context's TLS": {
			none, "--plaintext --context current", "current:1",
			contexts.Context{Plaintext: true, User: "current", PasswordFile: "password"},
			"user current",
		},
		"a flag that takes back what a context says": {
			none, "--context plain --plaintext=false", "plain:1", contexts.Context{}, "",
		},
		"another user than the context's, whose password it is not": {
			map[string]string{"REMOTETAP_PASSWORD": "hush"},
			"--user bob", "current:1",
			contexts.Context{CACert: "current.pem", User: "bob"},
			"user bob",
		},
		"a token file before the context's user": {
			none, "--token-file DIR/token", "current:1",
			contexts.Context{CACert: "current.pem", TokenFile: "token"},
			"the token in token",
		},
		"a user before the context's header": {
			none, "--context other --user bob --password-file DIR/password", "other:1 other:2",
			contexts.Context{User: "bob", PasswordFile: "password", Headers: map[string]string{"X-Team": ""}},
			"user bob",
		},
		"the environment's token before the context's user": {
			map[string]string{"REMOTETAP_TOKEN": "hush"},
			"", "current:1",
			contexts.Context{CACert: "current.pem"},
			"the token in REMOTETAP_TOKEN",
		},
		"a flag before the environment's token": {
			map[string]string{"REMOTETAP_TOKEN": "hush"},
			"--user bob --password-file DIR/password", "current:1",
			contexts.Context{CACert: "current.pem", User: "bob", PasswordFile: "password"},
			"user bob",
		},
		"a password in the flag is not kept": {
			none, "--user bob:hush", "current:1", contexts.Context{CACert: "current.pem", User: "bob"}, "user bob",
		},
		"a header with credentials": {
			none, "--header Authorization:hush arg:1", "arg:1", contexts.Context{}, "an Authorization header",
		},
	} {
		t.Run(name, func(t *testing.T) {
			connection, err := connecting(t, c.environment, c.line)
			require.NoError(t, err)
			assert.Equal(t, strings.Fields(c.endpoints), connection.Endpoints)
			c.settings.Endpoints = connection.Settings.Endpoints
			assert.Equal(t, c.settings, connection.Settings)
			assert.Equal(t, c.credentials, connection.Credentials)
		})
	}
}
