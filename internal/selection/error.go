package selection

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/remotetap/remotetapprocessor/internal/nearest"
)

// Error is a request that cannot be served as it was written, in words that teach. It is what a client gets as
// {"error": Message, "parameter": Parameter, "hint": Hint}.
type Error struct {
	Parameter string // as the client wrote it; "" if it is about no single one
	Message   string // what is wrong
	Hint      string // what to write instead
}

// Error returns the message and the hint.
func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + "; " + e.Hint
}

// wrong is an error about a parameter's value or use.
func wrong(parameter, hint, problem string, args ...any) *Error {
	return &Error{Parameter: parameter, Message: parameter + ": " + fmt.Sprintf(problem, args...), Hint: hint}
}

// unknownParameter teaches the nearest name, or all of them.
func unknownParameter(name string) *Error {
	e := &Error{Parameter: name, Message: "unknown parameter " + strconv.Quote(name)}
	names := slices.Concat(criterionNames(), optionNames())
	if near := nearest.Name(name, names); near != "" {
		e.Hint = "did you mean " + near + "?"
		return e
	}
	e.Hint = "the parameters are " + strings.Join(names, ", ") +
		"; an attribute is a key with a dot, such as http.route=/pay, or attr.KEY=VALUE"
	return e
}
