package remotetapprocessor

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/client"
)

// unauthorized answers for confighttp where credentials or the request's encoding are wrong.
func (s *server) unauthorized(w http.ResponseWriter, r *http.Request, message string, status int) {
	refused := &refusal{status: status, reason: refusedBadRequest, Message: message}
	if status == http.StatusUnauthorized {
		scheme := s.authScheme()
		refused.reason = refusedUnauthenticated
		refused.header = http.Header{"Www-Authenticate": {scheme + ` realm="remote_tap"`}}
		refused.Message = "the request has no valid credentials"
		refused.Hint = "send them in an Authorization header (" + scheme + ")"
	}
	s.refuse(w, r, refused)
}

// authScheme is the HTTP authentication scheme (RFC 9110 section 11.1) that the configured
// extension speaks.
func (s *server) authScheme() string {
	auth := s.config.Server.Auth.Get()
	if auth != nil && strings.Contains(auth.Config.AuthenticatorID.Type().String(), "basic") {
		return "Basic"
	}
	return "Bearer"
}

// withoutCredentials takes the parameters that carry credentials (auth::request_params) out of the
// query, behind authentication: they select nothing, and a selection is logged and shown.
func (s *server) withoutCredentials(next http.Handler) http.Handler {
	auth := s.config.Server.Auth.Get()
	if auth == nil || len(auth.RequestParameters) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stripped, target := *r, *r.URL
		target.RawQuery = withoutParameters(target.RawQuery, auth.RequestParameters)
		stripped.URL = &target
		next.ServeHTTP(w, &stripped)
	})
}

// withoutParameters takes parameters out of a query string and leaves the others as they are.
func withoutParameters(rawQuery string, names []string) string {
	var kept []string
	for pair := range strings.SplitSeq(rawQuery, "&") {
		name, _, _ := strings.Cut(pair, "=")
		plain, err := url.QueryUnescape(name)
		if err == nil && slices.Contains(names, plain) {
			continue
		}
		kept = append(kept, pair)
	}
	return strings.Join(kept, "&")
}

// subjectOf is who the client has proved to be, "" if nobody.
func subjectOf(r *http.Request) string {
	if auth := client.FromContext(r.Context()).Auth; auth != nil {
		for _, attribute := range []string{"subject", "username"} {
			if name, ok := auth.GetAttribute(attribute).(string); ok && name != "" {
				return name
			}
		}
	}
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		return r.TLS.PeerCertificates[0].Subject.String()
	}
	return ""
}
