// Package contexts reads the file with named collectors, ~/.config/remotetap/config.yaml.
package contexts

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/remotetap/remotetapprocessor/internal/nearest"
)

// File is what the file holds.
type File struct {
	// Current is the context that is used when none is named; "" for none.
	Current string `yaml:"current"`
	// Contexts are the named ones.
	Contexts map[string]Context `yaml:"contexts"`
}

// Context is how some collectors are reached. Each key is a flag of the same name.
type Context struct {
	Endpoints          []string          `yaml:"endpoints,omitempty"`
	Kube               string            `yaml:"kube,omitempty"`
	Kubeconfig         string            `yaml:"kubeconfig,omitempty"`
	KubeContext        string            `yaml:"kube-context,omitempty"`
	KubePort           string            `yaml:"kube-port,omitempty"`
	CACert             string            `yaml:"cacert,omitempty"`
	Cert               string            `yaml:"cert,omitempty"`
	Key                string            `yaml:"key,omitempty"`
	ServerName         string            `yaml:"server-name,omitempty"`
	InsecureSkipVerify bool              `yaml:"insecure-skip-verify,omitempty"`
	Plaintext          bool              `yaml:"plaintext,omitempty"`
	TokenFile          string            `yaml:"token-file,omitempty"`
	User               string            `yaml:"user,omitempty"`
	PasswordFile       string            `yaml:"password-file,omitempty"`
	Headers            map[string]string `yaml:"headers,omitempty"`
}

// WithoutCredentials takes out who the context says that one is, for who says it in another way.
func (c *Context) WithoutCredentials() {
	c.User, c.PasswordFile, c.TokenFile = "", "", ""
	c.Headers = maps.Clone(c.Headers)
	maps.DeleteFunc(c.Headers, func(name, _ string) bool { return strings.EqualFold(name, "authorization") })
}

// WithoutSecrets is the context as it can be shown: the values of headers are empty, and so is a
// password in User.
func (c Context) WithoutSecrets() Context {
	c.User, _, _ = strings.Cut(c.User, ":")
	c.Headers = maps.Clone(c.Headers)
	for name := range c.Headers {
		c.Headers[name] = ""
	}
	return c
}

// Path is where the file is: $REMOTETAP_CONFIG, else remotetap/config.yaml in $XDG_CONFIG_HOME or
// ~/.config. It is "" if there is no home.
func Path(getenv func(string) string) string {
	if path := getenv("REMOTETAP_CONFIG"); path != "" {
		return path
	}
	if dir := getenv("XDG_CONFIG_HOME"); dir != "" {
		return filepath.Join(dir, "remotetap", "config.yaml")
	}
	if home := getenv("HOME"); home != "" {
		return filepath.Join(home, ".config", "remotetap", "config.yaml")
	}
	return ""
}

// Read reads the file. One that is not there is empty, unless it must be.
func Read(path string, must bool) (File, error) {
	var file File
	if path == "" {
		return file, nil
	}
	text, err := os.ReadFile(path) //nolint:gosec // the user names it
	if errors.Is(err, fs.ErrNotExist) && !must {
		return file, nil
	}
	if err != nil {
		return file, err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return File{}, fmt.Errorf("%s: %w", path, explain(err))
	}
	for _, name := range slices.Sorted(maps.Keys(file.Contexts)) {
		c := file.Contexts[name]
		if problem := c.problem(); problem != "" {
			return File{}, fmt.Errorf("%s: contexts: %s %s", path, name, problem)
		}
		for _, at := range []*string{&c.Kubeconfig, &c.CACert, &c.Cert, &c.Key, &c.TokenFile, &c.PasswordFile} {
			*at = beside(path, *at)
		}
		file.Contexts[name] = c
	}
	return file, nil
}

// problem is what does not go together; "" if all does.
func (c Context) problem() string {
	switch {
	case len(c.Endpoints) > 0 && c.Kube != "":
		return "has endpoints and kube: keep one of them"
	case slices.Contains(c.Endpoints, ""):
		return "has an empty endpoint: write HOST:PORT"
	case c.User != "" && c.TokenFile != "":
		return "has user and token-file, which are two ways to say who you are: keep one of them"
	case strings.Contains(c.User, ":"):
		return "has a password in user: put it into a file, and name that with password-file"
	case (c.Cert == "") != (c.Key == ""):
		return "needs both of cert and key, or neither"
	case c.Plaintext && (c.CACert != "" || c.Cert != "" || c.ServerName != "" || c.InsecureSkipVerify):
		return "has plaintext, which is without TLS, and keys about TLS: keep one of them"
	default:
		return ""
	}
}

// beside is a path that may be relative to the directory of the file that names it.
func beside(file, path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(file), path)
}

// Find returns the context with a name, or the current one for "", which may be none.
func (f File) Find(name string) (Context, error) {
	if name == "" && f.Current == "" {
		return Context{}, nil
	}
	if name == "" {
		name = f.Current
	}
	if c, ok := f.Contexts[name]; ok {
		return c, nil
	}
	names := slices.Sorted(maps.Keys(f.Contexts))
	switch near := nearest.Name(name, names); {
	case near != "":
		return Context{}, fmt.Errorf("there is no context %q; did you mean %s?", name, near)
	case len(names) > 0:
		return Context{}, fmt.Errorf("there is no context %q; there are %s", name, strings.Join(names, ", "))
	default:
		return Context{}, fmt.Errorf("there is no context %q: the file with contexts has none, or is not there", name)
	}
}
