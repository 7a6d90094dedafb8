package tapclient

import (
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

// Signal is a kind of telemetry.
type Signal string

// The signals.
const (
	Traces   Signal = "traces"
	Metrics  Signal = "metrics"
	Logs     Signal = "logs"
	Profiles Signal = "profiles"
)

// Format is the form in which what matches is delivered.
type Format string

// The formats that gRPC has.
const (
	FormatOTLPProto Format = "otlp_proto" // batches of OTLP; the default
	FormatNone      Format = "none"       // nothing but the account, which needs Selection.Stats: counting without encoding
)

// Selection says what to show and how. Its zero value asks for all telemetry of all points.
//
// The fields have the names and the syntax of the query parameters of remote_tap's WebSocket and
// HTTP interfaces. Different criteria are AND, the values of one OR; each value of a Not field
// excludes. The zero value of a field stands for not given. Values are checked by the server: what
// is wrong comes back as a RefusedError that names the parameter and says what to write.
//
// A criterion that cannot apply to a signal leaves that signal out: MinDuration leaves spans only.
type Selection struct {
	// Point holds tap points by the id in the collector's configuration, such as
	// "remote_tap/after_sampling". A glob: `*` is any run of characters, `?` one character.
	Point []string
	// NotPoint holds tap points to leave out. A glob.
	NotPoint []string
	// Signal holds the signals to show; none stands for all.
	Signal []Signal
	// Service holds resources by `service.name`. A glob; case matters.
	Service []string
	// NotService holds resources to leave out by `service.name`. A glob; "*" leaves those without a
	// name.
	NotService []string
	// Name holds texts that the span name, metric name, log body or event name contains, whatever
	// the case.
	Name []string
	// NotName holds texts that none of them contains.
	NotName []string
	// MinDuration keeps spans at least this long.
	MinDuration time.Duration
	// Error keeps, if it points to true, spans with status Error and log records of severity Error
	// or above; if to false, the others. Write new(true).
	Error *bool
	// Severity keeps log records at least this severe: "trace", "debug", "info", "warn", "error",
	// "fatal", steps such as "warn2", or a number from 1 to 24.
	Severity string
	// TraceID keeps spans and log records of these traces: 32 hexadecimal digits each.
	TraceID []string
	// NotTraceID keeps spans and log records of other traces.
	NotTraceID []string
	// OtelStatusCode keeps spans with one of these statuses: "ERROR", "OK" or "UNSET".
	OtelStatusCode []string
	// NotOtelStatusCode keeps spans with another status.
	NotOtelStatusCode []string
	// Attributes are about attributes of the item, its scope or its resource. Those with one key are
	// OR, those with different keys AND.
	Attributes []Attribute
	// Sample keeps a share of the original traffic, above 0 and at most 1: the same traces on every
	// collector and in every signal (OpenTelemetry consistent probability sampling).
	Sample float64
	// Where holds OTTL conditions whose paths begin with their context, such as
	// `span.attributes["http.route"] == "/pay" and resource.attributes["k8s.pod.name"] != nil`.
	Where []string

	// Rate trims to so many items a second, at each endpoint: errors stay first, then slow spans and
	// severe log records, then an even choice over the rest.
	Rate float64
	// Count ends the stream after this many items, over all endpoints and reconnections together.
	// Where there are several endpoints the last batch is cut to what is still wanted (profiles,
	// which cannot be cut, are delivered whole). Servers refuse it together with FormatNone.
	Count uint64
	// Duration ends the stream after this time, counted from the call of Client.Tap, whether
	// connected or not. At least 1 ms.
	Duration time.Duration
	// Since begins with what passed before the tap opened. Servers do not have it yet, and refuse it.
	Since time.Duration
	// Format is FormatOTLPProto if it is "".
	Format Format
	// Envelope also puts the point, time and number of items into each OTLP document, as its field
	// 1000, for those who store Batch.Proto. Batch has them in any case.
	Envelope bool
	// Stats asks for the account: first, every period, and last. At least 100 ms. Without it there
	// is only the final account, in End and Down, and none where a connection breaks.
	Stats time.Duration
	// MaxMessage is the size of a batch in bytes, from 1,024 to 16,777,216; larger ones are split
	// between items. One item larger than that is sent whole. The server's default is 1 MiB.
	MaxMessage uint64
}

// Attribute is a criterion about an attribute of an item, its scope or its resource.
type Attribute struct {
	// Key is the attribute's key, such as "http.response.status_code".
	Key string
	// Value is what it equals, compared as text: `500`, `true`, `0.5`, base64 for bytes, JSON for
	// maps and lists.
	Value string
	// Not keeps what has no such attribute with this value, instead of what has one.
	Not bool
}

// check finds what the client itself cannot work with; all else is the server's to refuse.
func (s *Selection) check() error {
	for _, given := range []struct {
		parameter string
		value     time.Duration
	}{{"min_duration", s.MinDuration}, {"duration", s.Duration}, {"since", s.Since}, {"stats", s.Stats}} {
		if given.value < 0 {
			return &RefusedError{
				Code: codes.InvalidArgument, Parameter: given.parameter,
				Message: given.parameter + ": " + given.value.String() + " is negative",
				Hint:    "write a time above 0, or leave it out",
			}
		}
	}
	return nil
}

// request is the selection on the wire. It shares the selection's slices of strings.
func (s *Selection) request() *remotetapv1.TapRequest {
	request := &remotetapv1.TapRequest{
		Point:             s.Point,
		NotPoint:          s.NotPoint,
		Service:           s.Service,
		NotService:        s.NotService,
		Name:              s.Name,
		NotName:           s.NotName,
		MinDuration:       durationOrNil(s.MinDuration),
		Error:             s.Error,
		Severity:          s.Severity,
		TraceId:           s.TraceID,
		NotTraceId:        s.NotTraceID,
		OtelStatusCode:    s.OtelStatusCode,
		NotOtelStatusCode: s.NotOtelStatusCode,
		Sample:            orNil(s.Sample),
		Where:             s.Where,
		Rate:              orNil(s.Rate),
		Count:             orNil(s.Count),
		Duration:          durationOrNil(s.Duration),
		Since:             durationOrNil(s.Since),
		Format:            string(s.Format),
		Envelope:          orNil(s.Envelope),
		Stats:             durationOrNil(s.Stats),
		MaxMessage:        orNil(s.MaxMessage),
	}
	for _, signal := range s.Signal {
		request.Signal = append(request.Signal, string(signal))
	}
	for _, a := range s.Attributes {
		request.Attributes = append(request.Attributes, &remotetapv1.AttributeCriterion{Key: a.Key, Value: a.Value, Not: a.Not})
	}
	return request
}

// orNil is nil for a field that is not given.
func orNil[T comparable](value T) *T {
	var zero T
	if value == zero {
		return nil
	}
	return &value
}

func durationOrNil(value time.Duration) *durationpb.Duration {
	if value == 0 {
		return nil
	}
	return durationpb.New(value)
}
