package otlpout

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
)

// failure is a request that failed, by the rules of
// https://opentelemetry.io/docs/specs/otlp/#failures.
type failure struct {
	err         error
	again       bool          // it may be sent again
	after       time.Duration // not before this time has passed, if the receiver says so
	ends        app.Code      // there is no use in going on, and this is the command's exit code
	unsupported bool          // it does not take the signal
}

// Error says what went wrong.
func (f *failure) Error() string { return f.err.Error() }

// Unwrap returns what went wrong.
func (f *failure) Unwrap() error { return f.err }

// ofGRPC is the failure that a gRPC status stands for; nil for none.
func ofGRPC(err error) *failure {
	if err == nil {
		return nil
	}
	s := status.Convert(err)
	f := &failure{err: errors.New(s.Message() + " (" + s.Code().String() + ")")}
	asked := false
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			asked, f.after = true, info.GetRetryDelay().AsDuration()
		}
	}
	switch s.Code() { //nolint:exhaustive // the others are not retried
	case codes.Unavailable:
		if strings.Contains(s.Message(), "looked like an HTTP/1.1 header") {
			return &failure{err: errors.New("this port speaks HTTP, not gRPC: write http://HOST:PORT, or give --to-protocol http"), ends: app.CodeUsage}
		}
		f.again = true
	case codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.OutOfRange, codes.DataLoss:
		f.again = true
	case codes.ResourceExhausted:
		f.again = asked
	case codes.Unauthenticated, codes.PermissionDenied:
		return refused(f.err)
	case codes.Unimplemented:
		f.unsupported = true
	}
	return f
}

// ofHTTP is the failure that an HTTP response stands for; nil for none. message is what its body says.
func ofHTTP(response *http.Response, message string, now time.Time) *failure {
	code := response.StatusCode
	if code/100 == 2 {
		return nil
	}
	text := "HTTP " + response.Status
	if message != "" {
		text += ": " + message
	}
	f := &failure{err: errors.New(text)}
	switch code {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		f.again, f.after = true, retryAfter(response.Header.Get("Retry-After"), now)
	case http.StatusUnauthorized, http.StatusForbidden:
		return refused(f.err)
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		f.unsupported = true
	}
	return f
}

// refused is the failure of a receiver that wants other credentials.
func refused(err error) *failure {
	return &failure{err: fmt.Errorf("%w; give credentials with --to-header @FILE", err), ends: app.CodeRefused}
}

// retryAfter reads a Retry-After header: seconds or a date (RFC 9110, section 10.2.3).
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// ofConnection is the failure of a connection.
func ofConnection(err error) *failure {
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.New("no answer within --to-timeout")
	}
	if strings.Contains(err.Error(), "malformed HTTP response") {
		return &failure{err: errors.New("this port does not speak HTTP; if it speaks gRPC, write HOST:PORT, or give --to-protocol grpc"), ends: app.CodeUsage}
	}
	return &failure{err: err, again: true}
}
