package recording

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
	"github.com/remotetap/remotetapprocessor/internal/selection"
	"github.com/remotetap/remotetapprocessor/internal/subset"
)

// signal is how one signal's documents are read.
type signal struct {
	otlp  otlp.Signal
	keys  []string // those that say that a document is of this signal
	parts func(text []byte, p *picker) (proto []byte, items int, err error)
}

// signals are all that a document may hold.
func signals() []signal {
	return []signal{
		{otlp.Traces, []string{"resourceSpans", "resource_spans"}, reading(parts[ptrace.Traces]{
			unmarshal: (&ptrace.JSONUnmarshaler{}).UnmarshalTraces,
			items:     ptrace.Traces.SpanCount,
			match:     (*selection.Matcher).MatchTraces,
			observe:   (*selection.Recorder).ObserveTraces,
			thin:      subset.Traces,
			marshal:   (&ptrace.ProtoMarshaler{}).MarshalTraces,
		})},
		{otlp.Metrics, []string{"resourceMetrics", "resource_metrics"}, reading(parts[pmetric.Metrics]{
			unmarshal: (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics,
			items:     pmetric.Metrics.DataPointCount,
			match:     (*selection.Matcher).MatchMetrics,
			observe:   (*selection.Recorder).ObserveMetrics,
			thin:      subset.Metrics,
			marshal:   (&pmetric.ProtoMarshaler{}).MarshalMetrics,
		})},
		{otlp.Logs, []string{"resourceLogs", "resource_logs"}, reading(parts[plog.Logs]{
			unmarshal: (&plog.JSONUnmarshaler{}).UnmarshalLogs,
			items:     plog.Logs.LogRecordCount,
			match:     (*selection.Matcher).MatchLogs,
			observe:   (*selection.Recorder).ObserveLogs,
			thin:      subset.Logs,
			marshal:   (&plog.ProtoMarshaler{}).MarshalLogs,
		})},
		{otlp.Profiles, []string{"resourceProfiles", "resource_profiles"}, reading(parts[pprofile.Profiles]{
			unmarshal: (&pprofile.JSONUnmarshaler{}).UnmarshalProfiles,
			items:     pprofile.Profiles.SampleCount,
			match:     (*selection.Matcher).MatchProfiles,
			observe:   (*selection.Recorder).ObserveProfiles,
			marshal:   (&pprofile.ProtoMarshaler{}).MarshalProfiles,
		})},
	}
}

// of are the signals that a document holds.
func (d *document) of(all []signal) []signal {
	var found []signal
	for _, s := range all {
		if slices.ContainsFunc(s.keys, func(key string) bool { return slices.Contains(d.keys, key) }) {
			found = append(found, s)
		}
	}
	return found
}

// stranger says what a document is that holds no telemetry; nil for the accounts that remote_tap puts
// on its streams, which are no loss.
func (d *document) stranger() error {
	switch {
	case slices.Equal(d.keys, []string{envelopeKey}):
		return nil
	case slices.Contains(d.keys, "signal"):
		return errors.New("this is an item of format=json; recordings are OTLP JSON (format=otlp_json)")
	default:
		return errors.New("this is no OTLP JSON: it has none of resourceSpans, resourceMetrics, resourceLogs, resourceProfiles")
	}
}

// envelope is where and when a document passed, if it says so.
func (d *document) envelope() (point string, passed time.Time) {
	if d.tap == 0 {
		return "", time.Time{}
	}
	var content struct {
		Point string    `json:"point"`
		Time  time.Time `json:"time"`
	}
	if json.NewDecoder(bytes.NewReader(d.text[d.tap:])).Decode(&content) != nil {
		return "", time.Time{} // somebody else's member
	}
	return content.Point, content.Time
}

// parts are what the signals differ in.
type parts[T any] struct {
	unmarshal func([]byte) (T, error)
	items     func(T) int
	match     func(*selection.Matcher, T, int, *selection.Marks, selection.Budget) error
	observe   func(*selection.Recorder, T, int, selection.Budget) error
	thin      func(T, subset.Keep) T // nil: a document goes whole or not at all
	marshal   func(T) ([]byte, error)
}

// reading makes the function that decodes a document, picks what is selected, and encodes that.
func reading[T any](of parts[T]) func([]byte, *picker) ([]byte, int, error) {
	return func(text []byte, p *picker) ([]byte, int, error) {
		data, err := of.unmarshal(text)
		if err != nil {
			return nil, 0, err
		}
		all := of.items(data)
		if err := of.match(p.matcher, data, all, &p.marks, selection.Budget{}); err != nil {
			return nil, 0, err
		}
		kept := p.pick(of.thin != nil)
		if kept == 0 {
			if why := p.recording.why; why != nil {
				err = of.observe(why, data, all, selection.Budget{})
			}
			return nil, 0, err
		}
		p.recording.why = nil
		if kept < all && of.thin != nil {
			left := kept
			data = of.thin(data, func(position int) bool {
				if left == 0 || !p.marks.Has(position) {
					return false
				}
				left--
				return true
			})
		}
		proto, err := of.marshal(data)
		return proto, kept, err
	}
}
