package contexts_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/contexts"
)

// write writes a file and returns its path.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o640))
	return path
}

func TestThePathFollowsTheEnvironment(t *testing.T) {
	for name, c := range map[string]struct {
		environment map[string]string
		path        string
	}{
		"its own variable first":   {map[string]string{"REMOTETAP_CONFIG": "/a.yaml", "XDG_CONFIG_HOME": "/x", "HOME": "/h"}, "/a.yaml"},
		"the directory of the XDG": {map[string]string{"XDG_CONFIG_HOME": "/x", "HOME": "/h"}, "/x/remotetap/config.yaml"},
		"the home":                 {map[string]string{"HOME": "/h"}, "/h/.config/remotetap/config.yaml"},
		"nowhere":                  {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.path, contexts.Path(func(name string) string { return c.environment[name] }))
		})
	}
}

func TestPathsAreRelativeToTheFile(t *testing.T) {
	path := write(t, "contexts: {a: {cacert: ca.pem, token-file: /etc/token, kubeconfig: ../kube}}")
	file, err := contexts.Read(path, true)
	require.NoError(t, err)
	a, err := file.Find("a")
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(filepath.Dir(path), "ca.pem"), a.CACert)
	assert.Equal(t, "/etc/token", a.TokenFile)
	assert.Equal(t, filepath.Join(filepath.Dir(filepath.Dir(path)), "kube"), a.Kubeconfig)
}

func TestWrongFilesAreRefusedInWordsThatTeach(t *testing.T) {
	for name, c := range map[string]struct{ text, says string }{
		"a key with a typo":           {"contexts:\n  a: {cacrt: x}", `line 2: there is no key "cacrt"; did you mean cacert?`},
		"a key at the top":            {"currant: a", `line 1: there is no key "currant"; did you mean current?`},
		"a key that is far off":       {"contexts: {a: {secret-thing: x}}", `there is no key "secret-thing"; there are endpoints, kube,`},
		"a list that is a text":       {"contexts: {a: {endpoints: hush}}", "line 1: this is a text, and it has to be a list"},
		"a truth that is a text":      {"contexts: {a: {plaintext: hush}}", "line 1: this is a text, and it has to be true or false"},
		"a map that is a list":        {"contexts: [hush]", "line 1: this is a list, and it has to be a map of keys and values"},
		"a text that is a map":        {"contexts: {a: {user: {hush: hush}}}", "line 1: this is a map of keys and values, and it has to be a text"},
		"endpoints and kube":          {"contexts: {a: {endpoints: [x], kube: y}}", "contexts: a has endpoints and kube: keep one of them"},
		"an empty endpoint":           {"contexts: {a: {endpoints: ['']}}", "a has an empty endpoint: write HOST:PORT"},
		"two kinds of credentials":    {"contexts: {a: {user: x, token-file: y}}", "a has user and token-file"},
		"a password":                  {"contexts: {a: {user: 'x:hush'}}", "a has a password in user: put it into a file"},
		"a certificate without a key": {"contexts: {a: {cert: x}}", "a needs both of cert and key"},
		"plaintext and TLS":           {"contexts: {a: {plaintext: true, cacert: x}}", "a has plaintext, which is without TLS"},
		"no YAML":                     {"contexts: {", "yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, c.text)
			_, err := contexts.Read(path, true)
			require.ErrorContains(t, err, c.says)
			assert.ErrorContains(t, err, path)
			assert.NotContains(t, err.Error(), "hush", "values may be secrets")
		})
	}
}

func TestAFileThatIsNotThereIsEmptyUnlessItMustBe(t *testing.T) {
	file, err := contexts.Read(filepath.Join(t.TempDir(), "none"), false)
	require.NoError(t, err)
	found, err := file.Find("")
	require.NoError(t, err)
	assert.Zero(t, found)
	_, err = file.Find("a")
	require.ErrorContains(t, err, `there is no context "a": the file with contexts has none, or is not there`)
	_, err = contexts.Read(filepath.Join(t.TempDir(), "none"), true)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestSecretsAreLeftOut(t *testing.T) {
	c := contexts.Context{User: "alice:hush", Headers: map[string]string{"X-Key": "hush"}, TokenFile: "token"}
	shown := c.WithoutSecrets()
	assert.Equal(t, contexts.Context{User: "alice", Headers: map[string]string{"X-Key": ""}, TokenFile: "token"}, shown)
	assert.Equal(t, "hush", c.Headers["X-Key"], "the context itself keeps them")
}

func TestUseChangesNothingButTheCurrentOne(t *testing.T) {
	for name, c := range map[string]struct{ before, after string }{
		"in its place": {
			"# Mine.\ncurrent: a # home\ncontexts:\n  a: {endpoints: [x]} # one\n  b: {}\n",
			"# Mine.\ncurrent: b # home\ncontexts:\n  a: {endpoints: [x]} # one\n  b: {}\n",
		},
		"added": {
			"contexts:\n  b: {}\n",
			"current: b\ncontexts:\n  b: {}\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, c.before)
			link := filepath.Join(t.TempDir(), "link.yaml")
			require.NoError(t, os.Symlink(path, link))
			require.NoError(t, contexts.Use(link, "b"))
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, c.after, string(text))
			info, err := os.Stat(path)
			require.NoError(t, err)
			assert.Equal(t, os.FileMode(0o640), info.Mode().Perm())
			info, err = os.Lstat(link)
			require.NoError(t, err)
			assert.NotZero(t, info.Mode()&os.ModeSymlink, "a link stays a link")
			names, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
			require.NoError(t, err)
			assert.Equal(t, []string{path}, names, "nothing is left beside it")
		})
	}
}
