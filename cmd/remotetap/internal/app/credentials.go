package app

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/term"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/contexts"
	"github.com/remotetap/remotetapprocessor/internal/format"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// options turns settings into those of tapclient, and says which credentials are among them.
func (a *App) options(s contexts.Context) (who string, options []tapclient.Option, err error) {
	options, err = a.transport(s)
	if err != nil {
		return "", nil, err
	}
	who, credentials, err := a.credentials(s)
	if err != nil {
		return "", nil, err
	}
	headers, err := a.headers(s)
	if err != nil {
		return "", nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		for _, value := range headers[name] {
			options = append(options, tapclient.WithHeader(name, value))
		}
		if name == "authorization" {
			who = cmp.Or(who, "an Authorization header")
		}
	}
	return who, append(options, credentials...), nil
}

// transport is how connections are made.
func (a *App) transport(s contexts.Context) ([]tapclient.Option, error) {
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
	return options, nil
}

// credentials are those of the Authorization header, and what they are in words.
func (a *App) credentials(s contexts.Context) (string, []tapclient.Option, error) {
	token := a.Getenv("REMOTETAP_TOKEN")
	switch {
	case s.User != "" && s.TokenFile != "":
		return "", nil, errors.New("--user and --token-file are two ways to say who you are: keep one of them")
	case s.PasswordFile != "" && s.User == "":
		return "", nil, errors.New("--password-file: whose password is it? Give --user NAME")
	case s.TokenFile != "":
		return "the token in " + s.TokenFile, []tapclient.Option{tapclient.WithBearerTokenFile(s.TokenFile)}, nil
	case s.User != "":
		user, password, err := a.password(s)
		if err != nil {
			return "", nil, err
		}
		return "user " + user, []tapclient.Option{tapclient.WithBasicAuth(user, password)}, nil
	case token != "":
		return "the token in REMOTETAP_TOKEN", []tapclient.Option{tapclient.WithBearerToken(token)}, nil
	}
	return "", nil, nil
}

// password finds the password of a user, who may be given as NAME:PASSWORD like curl's. One that is
// found is kept: it is asked for once.
func (a *App) password(s contexts.Context) (user, password string, err error) {
	if user, password, ok := strings.Cut(s.User, ":"); ok {
		return user, password, nil
	}
	if s.PasswordFile != "" {
		text, err := os.ReadFile(s.PasswordFile)
		if err != nil {
			return "", "", fmt.Errorf("--password-file: %w", err)
		}
		return s.User, strings.TrimRight(string(text), "\r\n"), nil
	}
	if password := cmp.Or(a.Getenv("REMOTETAP_PASSWORD"), a.connection.typed); password != "" {
		return s.User, password, nil
	}
	in, ok := a.In.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return "", "", fmt.Errorf("--user %s: there is no password; give --password-file or REMOTETAP_PASSWORD", s.User)
	}
	text, err := a.ask(in, fmt.Sprintf("Password of %s: ", format.Visible(s.User)))
	a.connection.typed = text
	return s.User, text, err
}

// ask asks for a secret on the terminal. It does not show what is typed, from before the question on.
func (a *App) ask(in *os.File, question string) (string, error) {
	before, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return "", err
	}
	defer func() { _ = term.Restore(int(in.Fd()), before) }()
	text, err := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{in, a.Err}, "").ReadPassword(question)
	if errors.Is(err, io.EOF) { // Ctrl-C, or Ctrl-D
		return "", errors.New("no password was given")
	}
	return text, err
}

// headers are those of --header, over those of the context with the same names, which are lower case.
// Errors repeat nothing that may hold a secret.
func (a *App) headers(s contexts.Context) (map[string][]string, error) {
	given := map[string][]string{}
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
			name = strings.ToLower(strings.TrimSpace(name))
			if !ok || !httpguts.ValidHeaderFieldName(name) {
				return nil, errors.New("--header: a header has no name with a colon behind it; write it as 'NAME: VALUE'")
			}
			given[name] = append(given[name], strings.TrimSpace(value))
		}
	}
	for name, value := range s.Headers {
		if name = strings.ToLower(name); len(given[name]) == 0 {
			given[name] = []string{value}
		}
	}
	if len(given["authorization"]) > 0 && (s.User != "" || s.TokenFile != "" || a.Getenv("REMOTETAP_TOKEN") != "") {
		return nil, errors.New("the header Authorization, and --user, --token-file or REMOTETAP_TOKEN are two ways to say who you are: keep one of them")
	}
	return given, nil
}

// linesOf reads the lines of a file that are not empty.
func linesOf(path string) ([]string, error) {
	file, err := os.Open(path) //nolint:gosec // the user names it
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
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
