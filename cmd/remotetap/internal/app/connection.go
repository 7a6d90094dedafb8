package app

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/pflag"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/contexts"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/kube"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// DefaultEndpoint is where a collector is looked for if nothing else is said.
const DefaultEndpoint = "localhost:" + tapclient.DefaultPort

// connectionFlags are the flags about how collectors are reached; all commands that connect have them.
type connectionFlags struct {
	config  string
	context string
	contexts.Context
	headers []string
	typed   string           // a password that was asked for
	sets    []*pflag.FlagSet // of all commands that have them; one has been parsed
}

// changed reports whether a flag was given, with its default value too.
func (c *connectionFlags) changed(name string) bool {
	return slices.ContainsFunc(c.sets, func(set *pflag.FlagSet) bool { return set.Changed(name) })
}

// ConnectionFlags adds them to a command's flags.
func (a *App) ConnectionFlags(flags *pflag.FlagSet) {
	c := &a.connection
	c.sets = append(c.sets, flags)
	flags.StringVar(&c.config, "config", "", "the `FILE` with contexts (default ~/.config/remotetap/config.yaml)")
	flags.StringVar(&c.context, "context", "", "use the context of this `NAME` (default its current one, or $REMOTETAP_CONTEXT)")
	flags.StringVar(&c.Kube, "kube", "", "tap the pods of `[NAMESPACE/]TARGET`: a label selector, or deploy/NAME, daemonset/NAME, pod/NAME ...")
	flags.StringVar(&c.Kubeconfig, "kubeconfig", "", "the `FILE` to find the cluster by (default $KUBECONFIG or ~/.kube/config)")
	flags.StringVar(&c.KubeContext, "kube-context", "", "the `NAME` of the kubeconfig's context")
	flags.StringVar(&c.KubePort, "kube-port", "", "the tap's `PORT` in the pods (default "+tapclient.DefaultPort+")")
	flags.StringVar(&c.CACert, "cacert", "", "trust the authorities in this PEM `FILE`; implies TLS")
	flags.StringVar(&c.Cert, "cert", "", "show the client certificate in this PEM `FILE`; implies TLS")
	flags.StringVar(&c.Key, "key", "", "its key, a PEM `FILE`")
	flags.StringVar(&c.ServerName, "server-name", "", "the `NAME` that the server's certificate is for, if not the endpoint's host")
	flags.BoolVar(&c.InsecureSkipVerify, "insecure-skip-verify", false, "accept any certificate: whoever is on the way can read everything")
	flags.BoolVar(&c.Plaintext, "plaintext", false, "connect without TLS, and send credentials all the same: whoever is on the way can read them")
	flags.StringArrayVar(&c.headers, "header", nil, "add a header, `'NAME: VALUE'`, or the lines of a file, @FILE; may be repeated")
	flags.StringVar(&c.TokenFile, "token-file", "", "send the bearer token in this `FILE` (or $REMOTETAP_TOKEN)")
	flags.StringVar(&c.User, "user", "", "basic authentication as `NAME`; the password comes from --password-file, $REMOTETAP_PASSWORD or the terminal")
	flags.StringVar(&c.PasswordFile, "password-file", "", "the `FILE` with the password")
}

// Connection is how a run of the command reaches its collectors.
type Connection struct {
	// Endpoints are what to dial.
	Endpoints []string
	// Options are those of tapclient.Dial.
	Options []tapclient.Option
	// Settings are what the options were made from, for who explains them: flags over environment over
	// context. Secrets are not among them: values of headers are empty, and User is the name.
	Settings contexts.Context
	// Credentials says which credentials are sent, in words without secrets; "" for none.
	Credentials string
	// Pods are those of --kube, which find and make the connections; else nil.
	Pods *kube.Pods
}

// Connect finds the collectors: arguments, else --kube, else $REMOTETAP_ENDPOINT, else the context's,
// else localhost:12001. It reads the files that this needs, and may ask for a password. For --kube it
// talks to the cluster, until ctx is done.
//
// The file's current context is about its own collectors: if others are named by arguments, --kube or
// the environment, none of it holds. One that is named by --context or $REMOTETAP_CONTEXT holds for
// them too.
func (a *App) Connect(ctx context.Context, endpoints []string) (Connection, error) {
	if len(endpoints) > 0 && a.connection.Kube != "" {
		return Connection{}, Usage("--kube finds the endpoints: leave out %s", strings.Join(endpoints, " "))
	}
	if len(endpoints) == 0 && a.connection.Kube == "" && a.connection.context == "" {
		endpoints = splitEndpoints(a.Getenv("REMOTETAP_ENDPOINT"))
	}
	settings, err := a.settings(len(endpoints) > 0)
	if err != nil {
		return Connection{}, &Error{Code: CodeUsage, Err: err}
	}
	connection := Connection{Endpoints: endpoints, Settings: settings}
	if len(endpoints) > 0 {
		connection.Settings.Kube = "" // a context's pods are not what was asked for
	}
	if connection.Credentials, connection.Options, err = a.options(connection.Settings); err != nil {
		return Connection{}, &Error{Code: CodeUsage, Err: err}
	}
	connection.Settings = connection.Settings.WithoutSecrets()
	switch {
	case len(endpoints) > 0:
	case settings.Kube != "":
		return connection, a.toPods(ctx, &connection)
	case len(settings.Endpoints) > 0:
		connection.Endpoints = settings.Endpoints
	default:
		connection.Endpoints = []string{DefaultEndpoint}
	}
	return connection, nil
}

// toPods has a connection go to the pods of --kube.
func (a *App) toPods(ctx context.Context, connection *Connection) error {
	s := connection.Settings
	pods, err := kube.Connect(ctx, kube.Settings{
		Target: s.Kube, Kubeconfig: s.Kubeconfig, Context: s.KubeContext, Port: cmp.Or(s.KubePort, tapclient.DefaultPort),
		Warn: func(text string) { a.Say("%s", text) },
	})
	switch {
	case errors.As(err, new(*kube.TargetError)):
		return &Error{Code: CodeUsage, Err: err}
	case errors.As(err, new(*kube.ForbiddenError)):
		return &Error{Code: CodeRefused, Err: err}
	case err != nil:
		return err
	}
	connection.Pods = pods
	connection.Endpoints = []string{pods.Endpoint()}
	connection.Options = append(connection.Options, pods.Options()...)
	return nil
}

func splitEndpoints(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
}

// Dial connects and makes a client. The caller closes it.
func (a *App) Dial(ctx context.Context, endpoints []string, more ...tapclient.Option) (*tapclient.Client, error) {
	connection, err := a.Connect(ctx, endpoints)
	if err != nil {
		return nil, err
	}
	return connection.Dial(ctx, connection.Endpoints, more...)
}

// Dial makes a client of some endpoints, with the connection's options and more. The caller closes it.
func (c Connection) Dial(ctx context.Context, endpoints []string, more ...tapclient.Option) (*tapclient.Client, error) {
	client, err := tapclient.Dial(ctx, strings.Join(endpoints, ","), slices.Concat(c.Options, more)...)
	if err != nil {
		return nil, &Error{Code: CodeUsage, Err: inFlags(err)}
	}
	return client, nil
}

// inFlags puts the names of flags in the place of tapclient's options, which users do not know.
func inFlags(err error) error {
	text := strings.NewReplacer(
		"tapclient: ", "",
		"WithAllowPlaintextCredentials", "--plaintext",
		"WithBearerTokenFile", "--token-file",
		"WithBearerToken", "REMOTETAP_TOKEN",
		"WithBasicAuth", "--user",
		"WithHeader", "--header",
	).Replace(err.Error())
	return &worded{text, err}
}

// worded is an error in other words.
type worded struct {
	text string
	err  error
}

// Error is the words.
func (e *worded) Error() string { return e.text }

// Unwrap returns the error.
func (e *worded) Unwrap() error { return e.err }

// settings are the flags, over the environment, over what the context says. If the endpoints come from
// elsewhere, only a context that was named counts.
func (a *App) settings(elsewhere bool) (contexts.Context, error) {
	path, must := a.connection.config, true
	if path == "" {
		path, must = contexts.Path(a.Getenv), a.Getenv("REMOTETAP_CONFIG") != ""
	}
	file, err := contexts.Read(path, must)
	if err != nil {
		return contexts.Context{}, err
	}
	name := cmp.Or(a.connection.context, a.Getenv("REMOTETAP_CONTEXT"))
	var found contexts.Context
	if name != "" || !elsewhere && a.connection.Kube == "" {
		if found, err = file.Find(name); err != nil {
			return contexts.Context{}, err
		}
	}
	a.environment(&found)
	a.overlay(&found)
	return found, nil
}

// environment puts what the environment says over what a context says.
func (a *App) environment(c *contexts.Context) {
	if token := a.Getenv("REMOTETAP_TOKEN"); token != "" {
		c.WithoutCredentials()
	}
	if a.Getenv("REMOTETAP_PASSWORD") != "" {
		c.PasswordFile = ""
	}
}

// overlay puts what is given in flags over what a context says.
func (a *App) overlay(c *contexts.Context) {
	flags := &a.connection
	// Flags that exclude what a context may say.
	if flags.TokenFile != "" || flags.User != "" && flags.User != c.User {
		c.WithoutCredentials()
	}
	if flags.Plaintext {
		c.CACert, c.Cert, c.Key, c.ServerName, c.InsecureSkipVerify = "", "", "", "", false
	}
	if flags.CACert != "" || flags.Cert != "" || flags.ServerName != "" || flags.InsecureSkipVerify {
		c.Plaintext = false
	}
	if flags.Kube != "" {
		c.Endpoints = nil
	}
	for _, s := range []struct {
		to   *string
		from string
	}{
		{&c.Kube, flags.Kube},
		{&c.Kubeconfig, flags.Kubeconfig},
		{&c.KubeContext, flags.KubeContext},
		{&c.KubePort, flags.KubePort},
		{&c.CACert, flags.CACert},
		{&c.Cert, flags.Cert},
		{&c.Key, flags.Key},
		{&c.ServerName, flags.ServerName},
		{&c.TokenFile, flags.TokenFile},
		{&c.User, flags.User},
		{&c.PasswordFile, flags.PasswordFile},
	} {
		if s.from != "" {
			*s.to = s.from
		}
	}
	if flags.changed("insecure-skip-verify") {
		c.InsecureSkipVerify = flags.InsecureSkipVerify
	}
	if flags.changed("plaintext") {
		c.Plaintext = flags.Plaintext
	}
}
