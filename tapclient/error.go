package tapclient

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

// ErrClosed is what Next returns after Close, and what a closed Client answers with.
var ErrClosed = errors.New("tapclient: closed")

// RefusedError is the server's answer to a request that it does not serve.
type RefusedError struct {
	// Code is the gRPC status: codes.InvalidArgument, Unauthenticated, PermissionDenied,
	// ResourceExhausted (all taps are taken), Unimplemented (there is no tap), and others.
	Code codes.Code
	// Message says what is wrong.
	Message string
	// Parameter is what it is about: a criterion or option of the selection, by the name of its query
	// parameter, or the key of an attribute; "" if it is about none.
	Parameter string
	// Hint says what to write, or to do, instead; may be "".
	Hint string
	// Taps are those who hold all the taps, if that is why.
	Taps []Holder
}

// Holder is an open tap of another client.
type Holder struct {
	// Remote is the client's address.
	Remote string
	// Since is when the tap opened.
	Since time.Time
}

// Error is the message, the hint, and who holds the taps.
func (e *RefusedError) Error() string {
	var b strings.Builder
	b.WriteString(e.Message)
	if e.Hint != "" {
		b.WriteString("; ")
		b.WriteString(e.Hint)
	}
	for i, holder := range e.Taps {
		if i == 0 {
			b.WriteString("; held by ")
		} else {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s since %s", holder.Remote, holder.Since.Format(time.RFC3339))
	}
	return b.String()
}

// GRPCStatus makes status.Code and status.FromError work on a RefusedError.
func (e *RefusedError) GRPCStatus() *status.Status { return status.New(e.Code, e.Error()) }

// passes tells whether asking again later may help.
func (e *RefusedError) passes() bool {
	switch e.Code {
	case codes.ResourceExhausted:
		return len(e.Taps) > 0 // without a holder it is the request that is too large
	case codes.InvalidArgument, codes.Unauthenticated, codes.PermissionDenied, codes.Unimplemented,
		codes.NotFound, codes.FailedPrecondition, codes.OutOfRange:
		return false
	default:
		return true
	}
}

// EndedError says that the server ended a tap before the client had what it asked for.
type EndedError struct {
	// Reason is why.
	Reason EndReason
}

// Error is the reason, and what it means.
func (e *EndedError) Error() string {
	text := "the server ended the tap: " + string(e.Reason)
	switch e.Reason {
	case EndShutdown:
		return text + ", the collector stops or reloads"
	case EndMaxDuration:
		return text + ", the time that its per_tap::max_duration allows is over"
	case EndWriteTimeout:
		return text + ", this client took too long to read"
	case EndInternalError:
		return text + ", the collector's log has more"
	default:
		return text
	}
}

// is tells whether there is an end for this reason. It may be called on nil.
func (e *EndedError) is(reason EndReason) bool { return e != nil && e.Reason == reason }

// OriginError says which origin an error is about.
type OriginError struct {
	Origin Origin
	Err    error
}

// Error names the origin and then the error.
func (e *OriginError) Error() string { return e.Origin.String() + ": " + e.Err.Error() }

// Unwrap returns what is wrong there.
func (e *OriginError) Unwrap() error { return e.Err }

// refusal makes an error of a status that came instead of a tap or an answer. It returns nil if the
// status is about the connection, and no answer of a server.
func refusal(s *status.Status) *RefusedError {
	e := &RefusedError{Code: s.Code(), Message: s.Message()}
	for _, detail := range s.Details() {
		if r, ok := detail.(*remotetapv1.Refusal); ok {
			e.Message, e.Parameter, e.Hint = r.GetError(), r.GetParameter(), r.GetHint()
			for _, holder := range r.GetTaps() {
				e.Taps = append(e.Taps, Holder{Remote: holder.GetRemote(), Since: holder.GetSince().AsTime()})
			}
			return e
		}
	}
	switch s.Code() {
	case codes.Unauthenticated:
		e.Hint = "give credentials, or check those that are given"
	case codes.PermissionDenied:
		e.Hint = "the credentials, or the name that the server is called by, are not enough"
	case codes.Unimplemented:
		e.Hint = "is this remote_tap's port, and does its version have gRPC? The service is remotetap.v1.TapService"
	case codes.InvalidArgument, codes.NotFound, codes.FailedPrecondition, codes.OutOfRange:
	default:
		return nil
	}
	return e
}

// connectionError is about the connection, not about what was asked.
type connectionError struct {
	text  string
	cause error
}

func (e *connectionError) Error() string { return e.text }

func (e *connectionError) Unwrap() error { return e.cause }
