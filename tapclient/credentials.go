package tapclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"

	"google.golang.org/grpc/metadata"
)

// tlsOptions is what a Client was told about TLS.
type tlsOptions struct {
	wanted            bool
	base              *tls.Config // nil for the defaults
	caFile            string
	certFile, keyFile string
	serverName        string
	skipVerify        bool
}

// load reads the files and makes the configuration of one connection.
func (o *tlsOptions) load() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.base != nil {
		config = o.base.Clone()
	}
	if o.caFile != "" {
		pem, err := os.ReadFile(o.caFile)
		if err != nil {
			return nil, fmt.Errorf("cannot read the authorities: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("there is no certificate in %s: it has to be a PEM file", o.caFile)
		}
	}
	if o.certFile != "" || o.keyFile != "" {
		certificate, err := tls.LoadX509KeyPair(o.certFile, o.keyFile)
		if err != nil {
			return nil, fmt.Errorf("cannot load the client certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	if o.serverName != "" {
		config.ServerName = o.serverName
	}
	if o.skipVerify {
		config.InsecureSkipVerify = true
	}
	return config, nil
}

// WithBearerToken sends "Authorization: Bearer TOKEN". See WithAllowPlaintextCredentials.
func WithBearerToken(token string) Option {
	return withAuthorization("WithBearerToken", func(context.Context) (string, error) {
		if token == "" || !isPrintable(token) {
			return "", errors.New("the token is empty, or not printable ASCII")
		}
		return "Bearer " + token, nil
	})
}

// WithBearerTokenFile is WithBearerToken with the contents of a file, without spaces around it. It is
// read anew for each connection, so that a token may be replaced while a stream goes on.
func WithBearerTokenFile(file string) Option {
	return withAuthorization("WithBearerTokenFile", func(context.Context) (string, error) {
		contents, err := os.ReadFile(file) //nolint:gosec // The caller of WithBearerTokenFile names it.
		if err != nil {
			return "", fmt.Errorf("cannot read the token: %w", err)
		}
		token := strings.TrimSpace(string(contents))
		if token == "" || !isPrintable(token) {
			return "", fmt.Errorf("there is no token in %s: it has to hold one line of printable ASCII", file)
		}
		return "Bearer " + token, nil
	})
}

// WithBasicAuth sends user and password by HTTP's basic authentication. See
// WithAllowPlaintextCredentials.
func WithBasicAuth(user, password string) Option {
	return withAuthorization("WithBasicAuth", func(context.Context) (string, error) {
		if strings.Contains(user, ":") {
			return "", errors.New("the user has a colon, which basic authentication (RFC 7617) cannot send")
		}
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password)), nil
	})
}

// WithAuthorization asks a function for the value of the Authorization header, such as "Bearer ...",
// for each connection, and once for Dial. It may block until ctx is done, and is called from several
// goroutines at once. Its error becomes that of Dial, Down or End, so it should not hold the secret.
func WithAuthorization(value func(ctx context.Context) (string, error)) Option {
	if value == nil {
		return func(*options) error { return errors.New("WithAuthorization: there is no function") }
	}
	return withAuthorization("WithAuthorization", func(ctx context.Context) (string, error) {
		text, err := value(ctx)
		if err == nil && !isPrintable(text) {
			return "", errors.New("the value is not printable ASCII")
		}
		return text, err
	})
}

func withAuthorization(option string, value func(context.Context) (string, error)) Option {
	return func(o *options) error {
		if o.authorize != nil {
			return errors.New(option + ": other credentials are given already: give one kind")
		}
		o.authorize = func(ctx context.Context) (string, error) {
			text, err := value(ctx)
			if err != nil {
				err = fmt.Errorf("%s: %w", option, err)
			}
			return text, err
		}
		return nil
	}
}

// WithAllowPlaintextCredentials sends credentials without TLS to other machines too, where whoever is
// on the way can read them. Without it Dial refuses to, for the credentials above and for headers
// whose name speaks of some. Port-forwards that encrypt are a reason to give it.
func WithAllowPlaintextCredentials() Option {
	return func(o *options) error {
		o.plainSecrets = true
		return nil
	}
}

// check tries the files and functions of the options, and finds what does not go together.
func (o *options) check(ctx context.Context, endpoints []*endpoint) error {
	encrypted := false
	for _, e := range endpoints {
		encrypted = encrypted || e.tls
		if !e.tls && !o.plainSecrets && o.hasSecrets() && !o.staysHere(e) {
			return fmt.Errorf("endpoint %q has no TLS, so others could read the credentials on the way: write https://, or give WithAllowPlaintextCredentials", e.text)
		}
	}
	if o.authorize != nil && len(o.header.Get("authorization")) > 0 {
		return errors.New("WithHeader: authorization is given by another option already: give one of the two")
	}
	if o.tls.wanted && !encrypted {
		return errors.New("options about TLS are given, but no endpoint uses it: write https:// instead of http://")
	}
	if encrypted {
		if _, err := o.tls.load(); err != nil {
			return err
		}
	}
	_, err := o.metadata(ctx)
	return err
}

// hasSecrets tells whether requests carry something that others must not read.
func (o *options) hasSecrets() bool {
	if o.authorize != nil {
		return true
	}
	for name := range o.header {
		for _, word := range []string{"auth", "cookie", "token", "key", "secret", "password", "credential"} {
			if strings.Contains(name, word) {
				return true
			}
		}
	}
	return false
}

// metadata is what each request carries.
func (o *options) metadata(ctx context.Context) (metadata.MD, error) {
	md := o.header.Copy()
	if o.authorize != nil {
		value, err := o.authorize(ctx)
		if err != nil {
			return nil, err
		}
		md.Set("authorization", value)
	}
	return md, nil
}
