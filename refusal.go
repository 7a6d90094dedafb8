package remotetapprocessor

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/remotetap/remotetapprocessor/internal/selection"
)

// refuseReason says why a request for a tap was refused; the metric renders it.
type refuseReason uint8

const (
	refusedBadRequest refuseReason = iota
	refusedUnauthenticated
	refusedForbidden
	refusedLimit
	refusedShutdown

	numRefuseReasons
)

// String returns the name that the metric uses.
func (r refuseReason) String() string {
	return [numRefuseReasons]string{
		"bad_request", "unauthenticated", "forbidden", "limit_reached", "shutting_down",
	}[r]
}

// refusal is a request that was answered with an error, in words that teach.
type refusal struct {
	status int
	reason refuseReason
	header http.Header

	Message   string   `json:"error"`
	Parameter string   `json:"parameter,omitempty"`
	Hint      string   `json:"hint,omitempty"`
	Taps      []holder `json:"taps,omitempty"`
}

// holder is one open tap, as it is named to a client that finds the limit reached.
type holder struct {
	Remote string    `json:"remote"`
	Since  time.Time `json:"since"`
}

// Error returns the message and the hint.
func (r *refusal) Error() string {
	if r.Hint == "" {
		return r.Message
	}
	return r.Message + "; " + r.Hint
}

// write answers with the refusal as JSON, one line.
func (r *refusal) write(w http.ResponseWriter) {
	maps.Copy(w.Header(), r.header)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	body, err := json.Marshal(r)
	if err != nil { // strings and times always encode
		http.Error(w, r.Message, r.status)
		return
	}
	w.WriteHeader(r.status)
	_, _ = w.Write(append(body, '\n')) // a client that has left already needs no answer
}

// badParameter refuses a query parameter: what is wrong with it, and what to write instead.
func badParameter(parameter, problem, hint string) *refusal {
	message := problem
	if parameter != "" && !strings.HasPrefix(problem, parameter) {
		message = parameter + ": " + problem
	}
	return &refusal{status: http.StatusBadRequest, reason: refusedBadRequest, Message: message, Parameter: parameter, Hint: hint}
}

// asRefusal is the refusal for a selection that cannot be served.
func asRefusal(err error) *refusal {
	r := &refusal{status: http.StatusBadRequest, reason: refusedBadRequest, Message: err.Error()}
	if wrong, ok := errors.AsType[*selection.Error](err); ok {
		r.Message, r.Parameter, r.Hint = wrong.Message, wrong.Parameter, wrong.Hint
	}
	return r
}

func limitReached(limit int, taps []holder) *refusal {
	return &refusal{
		status:  http.StatusServiceUnavailable,
		reason:  refusedLimit,
		header:  http.Header{"Retry-After": {"10"}},
		Message: "all " + strconv.Itoa(limit) + " taps are taken",
		Hint:    "wait until one ends, or raise `limit` in the remote_tap configuration",
		Taps:    taps,
	}
}

func shuttingDown() *refusal {
	return &refusal{
		status:  http.StatusServiceUnavailable,
		reason:  refusedShutdown,
		header:  http.Header{"Retry-After": {"10"}},
		Message: "the collector is shutting down",
		Hint:    "connect again when it is back",
	}
}
