package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"

	"google.golang.org/grpc/codes"

	"github.com/remotetap/remotetapprocessor/internal/selection"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// Code is what the command tells the shell when it ends.
type Code int

// The exit codes, as docs/cli.md has them.
const (
	CodeDone     Code = 0 // it did what it was asked for, or was interrupted
	CodeFailed   Code = 1 // a connection, a file or a server failed
	CodeUsage    Code = 2 // wrong arguments or flags, or a selection that means nothing
	CodeRefused  Code = 3 // a server refuses: credentials, all taps taken, no such point
	CodeUnproved Code = 4 // a condition that was asked for did not hold (--exit-code)
)

// Error is an error with the code that the command ends with. Its message is for people: what is
// wrong, and what to write or do instead.
type Error struct {
	Code Code
	Err  error
}

// Error is the message of what went wrong.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns what went wrong.
func (e *Error) Unwrap() error { return e.Err }

// Usage is an error about what the user wrote.
func Usage(format string, args ...any) error {
	return &Error{Code: CodeUsage, Err: fmt.Errorf(format, args...)}
}

// Unproved is the error of a condition that did not hold.
func Unproved(format string, args ...any) error {
	return &Error{Code: CodeUnproved, Err: fmt.Errorf(format, args...)}
}

// CodeOf is the exit code for an error.
func CodeOf(err error) Code {
	var coded *Error
	var refused *tapclient.RefusedError
	var malformed *selection.Error
	switch {
	case err == nil, isQuiet(err):
		return CodeDone
	case errors.As(err, &coded):
		return coded.Code
	case errors.As(err, &malformed):
		return CodeUsage
	case errors.As(err, &refused):
		if refused.Code == codes.InvalidArgument {
			return CodeUsage
		}
		return CodeRefused
	default:
		return CodeFailed
	}
}

// isQuiet reports whether the command just ends on an error: whoever read from it has left, or the
// user has interrupted it.
func isQuiet(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, context.Canceled)
}
