// Package otlp describes the OpenTelemetry protocol (OTLP) to code that works on its protobuf bytes:
// tables of all messages and their fields, and the primitives of the protobuf wire format.
//
// The tables are data; what is done with them (JSON, text, splitting, redaction) lives with the callers, and is
// written once for all four signals. Nothing here knows pdata or a generated protobuf type, and nothing allocates.
//
// Source: opentelemetry-proto 1.11 for traces, metrics and logs, its development profiles as in pprofile v0.160.0,
// with the JSON names and forms of https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding.
// Everything in this package is immutable once the program runs, and so safe for concurrent use.
package otlp

// Signal is one kind of telemetry. Its values start at 0 and have no gaps, so arrays of NumSignals can be indexed.
type Signal uint8

// The signals of OTLP.
const (
	Traces Signal = iota
	Metrics
	Logs
	Profiles

	// NumSignals is the number of signals.
	NumSignals = iota
)

// String returns the name that a Collector configuration uses: "traces", "metrics", "logs" or "profiles".
func (s Signal) String() string {
	names := [NumSignals]string{"traces", "metrics", "logs", "profiles"}
	if int(s) >= len(names) {
		return "unknown"
	}
	return names[s]
}

// Message returns the top message of the signal: TracesData, MetricsData, LogsData or ProfilesData, which have the
// same bytes as their Export*ServiceRequest. It panics on a value that is no signal.
func (s Signal) Message() *Message {
	return [NumSignals]MessageID{TracesData, MetricsData, LogsData, ProfilesData}[s].Message()
}

// Splits reports whether a document of the signal can be cut into several. Profiles cannot: their items mean
// nothing without the dictionary that all of them share.
func (s Signal) Splits() bool { return s != Profiles }
