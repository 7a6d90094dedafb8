package remotetapprocessor

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"

	"go.uber.org/zap"
)

// problemOf describes a panic for the log, without its value: that may be made of telemetry, which
// the log never holds. The runtime's own errors speak of types and lengths only. The stack, which
// has no values either, says where it was.
func problemOf(problem any) zap.Field {
	if err, ok := problem.(runtime.Error); ok {
		return zap.String("problem", err.Error())
	}
	return zap.String("problem", fmt.Sprintf("a panic with %T", problem))
}

// contain is deferred around each request. A panic is a bug and ends the request's connection, or
// stream; it is logged here because net/http would log its value.
func (s *server) contain() {
	problem := recover()
	if problem == nil {
		return
	}
	if err, ok := problem.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
		s.logger.Error("remote_tap has a bug: the request that met it was cut off", problemOf(problem), zap.Stack("stack"))
	}
	panic(http.ErrAbortHandler)
}
