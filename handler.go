package remotetapprocessor

import (
	"errors"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/gorilla/websocket"

	"github.com/remotetap/remotetapprocessor/internal/guard"
	"github.com/remotetap/remotetapprocessor/internal/otlp"
	"github.com/remotetap/remotetapprocessor/internal/selection"
)

// tapPaths are the paths of taps, with the signals that each stands for.
func tapPaths() map[string]selection.Signals {
	return map[string]selection.Signals{
		"/":            selection.AllSignals(),
		"/v1/tap":      selection.AllSignals(),
		"/v1/traces":   selection.SignalsOf(otlp.Traces),
		"/v1/metrics":  selection.SignalsOf(otlp.Metrics),
		"/v1/logs":     selection.SignalsOf(otlp.Logs),
		"/v1/profiles": selection.SignalsOf(otlp.Profiles),
	}
}

// routes is the HTTP surface behind authentication.
func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	for path, signals := range tapPaths() {
		pattern := path
		if path == "/" {
			pattern = "/{$}"
		}
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.serveTapPath(w, r, signals) })
	}
	mux.HandleFunc("/v1/points", s.servePoints)
	s.addService(mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { s.refuse(w, r, unknownPath(r.URL.Path)) })
	return s.withoutCredentials(neverHTML(mux))
}

// neverHTML keeps redirects to a path's clean form from having the page that net/http writes into
// them where there is no Content-Type yet.
func neverHTML(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		next.ServeHTTP(w, r)
	})
}

// serveTapPath serves one of tapPaths.
func (s *server) serveTapPath(w http.ResponseWriter, r *http.Request, signals selection.Signals) {
	upgrade := websocket.IsWebSocketUpgrade(r)
	if err := checkMethod(r); err != nil {
		s.refuse(w, r, err)
		return
	}
	if r.URL.Path == "/" && !upgrade {
		s.serveHelp(w, r)
		return
	}
	if r.ContentLength != 0 {
		s.refuse(w, r, badParameter("", "a tap takes no request body", "put what you want to see into the query string"))
		return
	}
	var sel selection.Selection
	err := s.throttle.think(r, len(r.URL.RawQuery), func() error {
		parsed, err := parseSelection(r.URL.RawQuery, signals)
		if err != nil {
			return asRefusal(err)
		}
		sel = parsed
		return nil
	})
	switch {
	case err != nil:
		s.refuse(w, r, err)
	case upgrade:
		s.serveWebSocket(w, r, sel)
	default:
		s.serveStream(w, r, sel)
	}
}

// parseSelection reads a query string. `offered` are the signals that the path stands for. The
// error is a *selection.Error.
func parseSelection(rawQuery string, offered selection.Signals) (selection.Selection, error) {
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return selection.Selection{}, &selection.Error{
			Message: "the query string is malformed: " + err.Error(),
			Hint:    "escape special characters: %25 for %, %26 for &, %3B for ;",
		}
	}
	return selection.Parse(query, offered)
}

// checkMethod refuses what is neither GET nor HEAD.
func checkMethod(r *http.Request) error {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	return &refusal{
		status:  http.StatusMethodNotAllowed,
		reason:  refusedBadRequest,
		header:  http.Header{"Allow": {"GET, HEAD"}},
		Message: r.Method + " is not allowed here",
		Hint:    "use GET",
	}
}

func unknownPath(path string) *refusal {
	return &refusal{
		status:  http.StatusNotFound,
		reason:  refusedBadRequest,
		Message: "there is nothing at " + path,
		Hint: "the paths are /, /v1/tap, /v1/traces, /v1/metrics, /v1/logs, /v1/profiles and /v1/points; for gRPC " +
			servicePath() + "Tap and ListPoints",
	}
}

// refuse counts a refusal and answers with it.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if refused, ok := errors.AsType[*refusal](err); ok {
		s.broadcaster.countRefusal(refused.reason)
	}
	s.answer(w, r, err)
}

// answer answers with a refusal that has been counted, in the protocol of the request.
func (s *server) answer(w http.ResponseWriter, r *http.Request, err error) {
	refused, ok := errors.AsType[*refusal](err)
	if !ok {
		refused = &refusal{status: http.StatusInternalServerError, Message: err.Error()}
	}
	if s.isRPC(r) {
		// In the header: trailers may hold no challenge (RFC 9110 section 6.5.1), and net/http drops it.
		maps.Copy(w.Header(), refused.header)
		bare := *refused
		bare.header = nil
		_ = s.rpcErrors.Write(w, r, bare.rpcError()) // a client that has left already needs no answer
		return
	}
	refused.write(w)
}

// guarded refuses what a foreign web page may have caused before anything else looks at it, and
// sets the headers that all answers have.
func (s *server) guarded(next http.Handler) http.Handler {
	rules := guard.Rules{
		AllowedHosts: s.config.AllowedHosts,
		CheckHost:    !s.config.authenticated(),
	}
	if cors := s.config.Server.CORS.Get(); cors != nil {
		rules.AllowedOrigins = cors.AllowedOrigins
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.contain()
		protect(w.Header())
		if refused := rules.Check(r); refused != nil {
			s.refuse(w, r, &refusal{status: refused.Status, reason: refusedForbidden, Message: refused.Message, Hint: refused.Hint})
			return
		}
		if err := s.throttle.turn(r); err != nil {
			s.refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// clientOf describes the client of a request.
func clientOf(r *http.Request, transport string) clientInfo {
	return clientInfo{
		remote:    r.RemoteAddr,
		subject:   strings.ToValidUTF8(subjectOf(r), "?"), // what protobuf takes
		userAgent: strings.ToValidUTF8(r.UserAgent()[:min(len(r.UserAgent()), maxUserAgent)], "?"),
		transport: transport,
	}
}

// maxUserAgent bounds what a client can write into the log and /v1/points.
const maxUserAgent = 200

// hostOf is the address that a client has used, for the commands in the help.
func hostOf(r *http.Request) string {
	if r.Host != "" {
		return r.Host
	}
	if address, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		return address.String()
	}
	return defaultEndpoint
}
