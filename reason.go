package remotetapprocessor

import (
	"fmt"

	"connectrpc.com/connect"
	"github.com/gorilla/websocket"
)

// dropReason says why an item that matched a tap was not delivered to it.
// The metric, the log line, the close frame and the ledger all render the same value.
type dropReason uint8

const (
	// dropRateLimit: the view's items per second were used up; trimmed on the pipeline's goroutine.
	dropRateLimit dropReason = iota
	// dropByteLimit: the view's MiB per second were used up; trimmed on the pipeline's goroutine.
	dropByteLimit
	// dropQueueFull: the client was slower than its queue is large; the oldest went first.
	dropQueueFull
	// dropOverhead: max_overhead's time to encode or to render was used up.
	dropOverhead
	// dropTapEnded: the item still waited when the tap ended.
	dropTapEnded
	// dropInternalError: encoding or rendering failed, which is a bug.
	dropInternalError

	numDropReasons
)

// String returns the name that the ledger, the metric and the log line use.
func (r dropReason) String() string {
	return [numDropReasons]string{
		"rate_limit", "byte_limit", "queue_full", "overhead", "tap_ended", "internal_error",
	}[r]
}

// endReason says why a tap ended. It is an error so that it can be the cause of a context.
type endReason uint8

const (
	// endClientClosed: the client left, or no longer answers.
	endClientClosed endReason = iota
	// endCountReached: the client has the number of items that it asked for.
	endCountReached
	// endDurationReached: the time that the client asked for is over.
	endDurationReached
	// endShutdown: the collector shuts down or reloads.
	endShutdown
	// endProtocolError: the client broke RFC 6455 or sent too much.
	endProtocolError
	// endMaxDuration: per_tap::max_duration is over.
	endMaxDuration
	// endWriteTimeout: the client accepted no bytes for too long.
	endWriteTimeout
	// endInternalError: the tap failed, which is a bug.
	endInternalError

	numEndReasons
)

// ending is how each end looks on the transports: its name, the WebSocket close code
// (RFC 6455 section 7.4.1), and whether an HTTP stream is cut instead of finished.
func (r endReason) ending() (name string, closeCode int, aborts bool) {
	switch r {
	case endClientClosed:
		return "client_closed", websocket.CloseNormalClosure, false
	case endCountReached:
		return "count_reached", websocket.CloseNormalClosure, false
	case endDurationReached:
		return "duration_reached", websocket.CloseNormalClosure, false
	case endShutdown:
		return "shutdown", websocket.CloseGoingAway, false
	case endProtocolError:
		return "protocol_error", websocket.CloseProtocolError, false
	case endMaxDuration:
		return "max_duration", websocket.ClosePolicyViolation, false
	case endWriteTimeout:
		return "write_timeout", websocket.ClosePolicyViolation, true
	default:
		return "internal_error", websocket.CloseInternalServerErr, true
	}
}

// listens tells whether the client may still read when a tap ends so.
func (r endReason) listens() bool {
	return r != endClientClosed && r != endProtocolError && r != endWriteTimeout
}

// rpcError is the status of a call whose tap ended so; nil for OK.
func (r endReason) rpcError() error {
	code, explanation := connect.CodeInternal, "a bug in remote_tap; the collector's log has more"
	switch r {
	case endClientClosed, endCountReached, endDurationReached:
		return nil
	case endShutdown:
		code, explanation = connect.CodeUnavailable, "the collector is shutting down; connect again when it is back"
	case endMaxDuration:
		code, explanation = connect.CodeDeadlineExceeded, "per_tap::max_duration is over; connect again"
	case endWriteTimeout:
		code, explanation = connect.CodeDeadlineExceeded, "the client took too long to read a message; read faster, or ask for less"
	default: // endInternalError, and endProtocolError, of which the client hears nothing
	}
	return connect.NewError(code, fmt.Errorf("%w: %s", r, explanation))
}

// String returns the name that the close frame, the metric and the log line use.
func (r endReason) String() string {
	name, _, _ := r.ending()
	return name
}

// Error makes an endReason usable as the cause of a cancelled context.
func (r endReason) Error() string { return "tap ended: " + r.String() }
