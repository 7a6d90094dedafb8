package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/term"

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
	port    string
}

// ConnectionFlags adds them to a command's flags.
func (a *App) ConnectionFlags(flags *pflag.FlagSet) {
	c := &a.connection
	flags.StringVar(&c.config, "config", "", "the `FILE` with contexts (default ~/.config/remotetap/config.yaml)")
	flags.StringVar(&c.context, "context", "", "use the context of this `NAME` (default its current one, or $REMOTETAP_CONTEXT)")
	flags.StringVar(&c.Kube, "kube", "", "tap the pods of `[NAMESPACE/]TARGET`: a label selector, or deploy/NAME, daemonset/NAME, pod/NAME ...")
	flags.StringVar(&c.Kubeconfig, "kubeconfig", "", "the `FILE` to find the cluster by (default $KUBECONFIG or ~/.kube/config)")
	flags.StringVar(&c.KubeContext, "kube-context", "", "the `NAME` of the kubeconfig's context")
	flags.StringVar(&c.port, "kube-port", tapclient.DefaultPort, "the tap's `PORT` in the pods")
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
	// context. Secrets are not among them.
	Settings contexts.Context
}

// Connect finds the collectors: arguments, else --kube, else $REMOTETAP_ENDPOINT, else the context's,
// else localhost:12001. It reads the files that this needs, and may ask for a password. For --kube it
// talks to the cluster, until ctx is done.
func (a *App) Connect(ctx context.Context, endpoints []string) (Connection, error) {
	settings, err := a.settings()
	if err != nil {
		return Connection{}, &Error{Code: CodeUsage, Err: err}
	}
	connection := Connection{Endpoints: endpoints, Settings: settings}
	if connection.Options, err = a.options(settings); err != nil {
		return Connection{}, &Error{Code: CodeUsage, Err: err}
	}
	switch {
	case len(endpoints) > 0 && a.connection.Kube != "":
		return Connection{}, Usage("--kube finds the endpoints: leave out %s", strings.Join(endpoints, " "))
	case len(endpoints) > 0:
	case a.connection.Kube != "":
		return connection, a.toPods(ctx, &connection)
	case a.Getenv("REMOTETAP_ENDPOINT") != "" && a.connection.context == "":
		connection.Endpoints = splitEndpoints(a.Getenv("REMOTETAP_ENDPOINT"))
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
	endpoint, options, err := kube.Connect(ctx, kube.Settings{
		Target: s.Kube, Kubeconfig: s.Kubeconfig, Context: s.KubeContext, Port: a.connection.port,
	})
	if err != nil {
		return err
	}
	connection.Endpoints = []string{endpoint}
	connection.Options = append(connection.Options, options...)
	return nil
}

func splitEndpoints(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

// Dial connects and makes a client. The caller closes it.
func (a *App) Dial(ctx context.Context, endpoints []string, more ...tapclient.Option) (*tapclient.Client, error) {
	connection, err := a.Connect(ctx, endpoints)
	if err != nil {
		return nil, err
	}
	client, err := tapclient.Dial(ctx, strings.Join(connection.Endpoints, ","), append(connection.Options, more...)...)
	if err != nil {
		return nil, &Error{Code: CodeUsage, Err: err}
	}
	return client, nil
}

// settings are the flags, over what the context says.
func (a *App) settings() (contexts.Context, error) {
	path, must := a.connection.config, true
	if path == "" {
		path, must = contexts.Path(a.Getenv), a.Getenv("REMOTETAP_CONFIG") != ""
	}
	file, err := contexts.Read(path, must)
	if err != nil {
		return contexts.Context{}, err
	}
	name := a.connection.context
	if name == "" {
		name = a.Getenv("REMOTETAP_CONTEXT")
	}
	found, err := file.Find(name)
	if err != nil {
		return contexts.Context{}, err
	}
	over(&found, a.connection.Context)
	return found, nil
}

// over puts what is given in flags over what a context says.
func over(c *contexts.Context, flags contexts.Context) {
	for _, s := range []struct {
		to   *string
		from string
	}{
		{&c.Kube, flags.Kube},
		{&c.Kubeconfig, flags.Kubeconfig},
		{&c.KubeContext, flags.KubeContext},
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
	c.InsecureSkipVerify = c.InsecureSkipVerify || flags.InsecureSkipVerify
	c.Plaintext = c.Plaintext || flags.Plaintext
}

// options turns settings into those of tapclient.
func (a *App) options(s contexts.Context) ([]tapclient.Option, error) {
	options := []tapclient.Option{tapclient.WithUserAgent("remotetap/" + a.Version)}
	if s.Plaintext && (s.CACert != "" || s.Cert != "" || s.ServerName != "" || s.InsecureSkipVerify) {
		return nil, errors.New("--plaintext is without TLS, and --cacert, --cert, --server-name and --insecure-skip-verify are about TLS: leave one of them out")
	}
	if s.CACert != "" {
		options = append(options, tapclient.WithCAFile(s.CACert))
	}
	if (s.Cert == "") != (s.Key == "") {
		return nil, errors.New("--cert and --key belong together: give both")
	}
	if s.Cert != "" {
		options = append(options, tapclient.WithClientCertificate(s.Cert, s.Key))
	}
	if s.ServerName != "" {
		options = append(options, tapclient.WithServerName(s.ServerName))
	}
	if s.InsecureSkipVerify {
		options = append(options, tapclient.WithInsecureSkipVerify())
	}
	if s.Plaintext || s.Kube != "" { // a port-forward is encrypted
		options = append(options, tapclient.WithAllowPlaintextCredentials())
	}
	credentials, err := a.credentials(s)
	if err != nil {
		return nil, err
	}
	headers, err := a.headers(s)
	return append(append(options, credentials...), headers...), err
}

// credentials are those of the Authorization header.
func (a *App) credentials(s contexts.Context) ([]tapclient.Option, error) {
	token := a.Getenv("REMOTETAP_TOKEN")
	switch {
	case s.User != "" && s.TokenFile != "":
		return nil, errors.New("--user and --token-file are two ways to say who you are: keep one of them")
	case s.TokenFile != "":
		return []tapclient.Option{tapclient.WithBearerTokenFile(s.TokenFile)}, nil
	case s.User != "":
		user, password, err := a.password(s)
		return []tapclient.Option{tapclient.WithBasicAuth(user, password)}, err
	case token != "":
		return []tapclient.Option{tapclient.WithBearerToken(token)}, nil
	}
	return nil, nil
}

// password finds the password of a user, who may be given as NAME:PASSWORD like curl's.
func (a *App) password(s contexts.Context) (user, password string, err error) {
	if user, password, ok := strings.Cut(s.User, ":"); ok {
		return user, password, nil
	}
	if s.PasswordFile != "" {
		text, err := os.ReadFile(s.PasswordFile)
		return s.User, strings.TrimRight(string(text), "\r\n"), err
	}
	if password := a.Getenv("REMOTETAP_PASSWORD"); password != "" {
		return s.User, password, nil
	}
	in, ok := a.In.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return "", "", fmt.Errorf("--user %s: there is no password; give --password-file or REMOTETAP_PASSWORD", s.User)
	}
	fmt.Fprintf(a.Err, "Password of %s: ", s.User)
	text, err := term.ReadPassword(int(in.Fd()))
	fmt.Fprintln(a.Err)
	return s.User, string(text), err
}

// headers are those of --header and of the context.
func (a *App) headers(s contexts.Context) ([]tapclient.Option, error) {
	var options []tapclient.Option
	for name, value := range s.Headers {
		options = append(options, tapclient.WithHeader(name, value))
	}
	for _, header := range a.connection.headers {
		lines := []string{header}
		if file, ok := strings.CutPrefix(header, "@"); ok {
			var err error
			if lines, err = linesOf(file); err != nil {
				return nil, fmt.Errorf("--header: %w", err)
			}
		}
		for _, line := range lines {
			name, value, ok := strings.Cut(line, ":")
			if !ok { // it may hold a secret, so it is not repeated
				return nil, errors.New("--header: a header has no colon; write it as 'NAME: VALUE'")
			}
			options = append(options, tapclient.WithHeader(strings.TrimSpace(name), strings.TrimSpace(value)))
		}
	}
	return options, nil
}

// linesOf reads the lines of a file that are not empty.
func linesOf(path string) ([]string, error) {
	file, err := os.Open(path) //nolint:gosec // the user names it
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var lines []string
	for scanner := bufio.NewScanner(file); ; {
		if !scanner.Scan() {
			return lines, scanner.Err()
		}
		if line := strings.TrimSpace(scanner.Text()); line != "" {
			lines = append(lines, line)
		}
	}
}
