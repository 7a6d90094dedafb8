package remotetapprocessor

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/remotetap/remotetapprocessor/internal/selection"
	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

// refuseReason says why a request for a tap was refused; the metric renders it.
type refuseReason uint8

const (
	refusedBadRequest refuseReason = iota
	refusedUnauthenticated
	refusedForbidden
	refusedLimit
	refusedShutdown
	refusedConnection
	refusedRequests

	numRefuseReasons
)

// String returns the name that the metric uses.
func (r refuseReason) String() string {
	return [numRefuseReasons]string{
		"bad_request", "unauthenticated", "forbidden", "limit_reached", "shutting_down", "too_many_connections", "too_many_requests",
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
	body, err := json.Marshal(r)
	if err != nil { // strings and times always encode
		http.Error(w, r.Message, r.status)
		return
	}
	w.WriteHeader(r.status)
	_, _ = w.Write(append(body, '\n')) // a client that has left already needs no answer
}

// rpcError is the refusal as the status of a call.
func (r *refusal) rpcError() *connect.Error { return r.rpcErrorWith(r.code()) }

// rpcErrorWith is a status with a code of its own, and a remotetap.v1.Refusal among its details.
func (r *refusal) rpcErrorWith(code connect.Code) *connect.Error {
	status := connect.NewError(code, errors.New(validText(r.Error())))
	message := &remotetapv1.Refusal{Error: validText(r.Message), Parameter: validText(fieldOf(r.Parameter)), Hint: validText(r.Hint)}
	for _, holder := range r.Taps {
		message.Taps = append(message.Taps, &remotetapv1.Holder{Remote: holder.Remote, Since: timestamppb.New(holder.Since)})
	}
	if detail, err := connect.NewErrorDetail(message); err == nil { // such a message always encodes
		status.AddDetail(detail)
	}
	maps.Copy(status.Meta(), r.header)
	return status
}

// validText is a text as JSON has it, too: protobuf takes valid UTF-8 only, and a path may be anything.
func validText(text string) string { return strings.ToValidUTF8(text, "\ufffd") }

// code is the gRPC status of the refusal.
func (r *refusal) code() connect.Code {
	switch r.status {
	case http.StatusBadRequest:
		return connect.CodeInvalidArgument
	case http.StatusUnauthorized:
		return connect.CodeUnauthenticated
	case http.StatusForbidden:
		return connect.CodePermissionDenied
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType:
		return connect.CodeUnimplemented
	case http.StatusServiceUnavailable:
		if r.reason == refusedLimit {
			return connect.CodeResourceExhausted
		}
		return connect.CodeUnavailable
	default:
		return connect.CodeInternal
	}
}

// rpcError is an error as the status of a call.
func rpcError(err error) *connect.Error {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.rpcError()
	}
	return connect.NewError(connect.CodeInternal, err)
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
