package format

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// reference is what pdata does with the data of one signal.
type reference struct {
	signal otlp.Signal
	// accepts reports whether pdata can unmarshal protobuf.
	accepts func(proto []byte) bool
	// normal unmarshals protobuf and marshals it again.
	normal func(t testing.TB, proto []byte) []byte
	// json turns protobuf into JSON.
	json func(t testing.TB, proto []byte) []byte
	// fromJSON turns JSON into protobuf.
	fromJSON func(t testing.TB, doc []byte) []byte
	// count counts the items of protobuf.
	count func(t testing.TB, proto []byte) int
}

func references() [otlp.NumSignals]reference {
	return [otlp.NumSignals]reference{
		newReference(otlp.Traces, (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces, (&ptrace.ProtoMarshaler{}).MarshalTraces,
			(&ptrace.JSONUnmarshaler{}).UnmarshalTraces, (&ptrace.JSONMarshaler{}).MarshalTraces, ptrace.Traces.SpanCount),
		newReference(otlp.Metrics, (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics, (&pmetric.ProtoMarshaler{}).MarshalMetrics,
			(&pmetric.JSONUnmarshaler{}).UnmarshalMetrics, (&pmetric.JSONMarshaler{}).MarshalMetrics, pmetric.Metrics.DataPointCount),
		newReference(otlp.Logs, (&plog.ProtoUnmarshaler{}).UnmarshalLogs, (&plog.ProtoMarshaler{}).MarshalLogs,
			(&plog.JSONUnmarshaler{}).UnmarshalLogs, (&plog.JSONMarshaler{}).MarshalLogs, plog.Logs.LogRecordCount),
		newReference(otlp.Profiles, (&pprofile.ProtoUnmarshaler{}).UnmarshalProfiles, (&pprofile.ProtoMarshaler{}).MarshalProfiles,
			(&pprofile.JSONUnmarshaler{}).UnmarshalProfiles, (&pprofile.JSONMarshaler{}).MarshalProfiles, pprofile.Profiles.SampleCount),
	}
}

func newReference[T any](signal otlp.Signal, fromProto func([]byte) (T, error), toProto func(T) ([]byte, error),
	fromJSON func([]byte) (T, error), toJSON func(T) ([]byte, error), count func(T) int,
) reference {
	read := func(t testing.TB, proto []byte) T {
		t.Helper()
		v, err := fromProto(proto)
		require.NoError(t, err)
		return v
	}
	write := func(t testing.TB, marshal func(T) ([]byte, error), v T) []byte {
		t.Helper()
		out, err := marshal(v)
		require.NoError(t, err)
		return out
	}
	return reference{
		signal:  signal,
		accepts: func(proto []byte) bool { _, err := fromProto(proto); return err == nil },
		normal:  func(t testing.TB, proto []byte) []byte { return write(t, toProto, read(t, proto)) },
		json:    func(t testing.TB, proto []byte) []byte { return write(t, toJSON, read(t, proto)) },
		count:   func(t testing.TB, proto []byte) int { return count(read(t, proto)) },
		fromJSON: func(t testing.TB, doc []byte) []byte {
			t.Helper()
			v, err := fromJSON(doc)
			require.NoError(t, err, "%s", doc)
			return write(t, toProto, v)
		},
	}
}

// document is what a Splitter returned.
type document struct {
	text  []byte
	items int
}

// split returns all documents of a batch and the number of items left out.
func split(t testing.TB, signal otlp.Signal, batch []byte, maxMessage, hardLimit int) ([]document, int) {
	t.Helper()
	docs, tooLarge, err := trySplit(signal, batch, maxMessage, hardLimit)
	require.NoError(t, err)
	return docs, tooLarge
}

func trySplit(signal otlp.Signal, batch []byte, maxMessage, hardLimit int) (docs []document, tooLarge int, err error) {
	var s Splitter
	s.Reset(signal, batch, maxMessage, hardLimit)
	for {
		text, items, ok, err := s.Next(nil)
		if err != nil || !ok {
			return docs, s.TooLarge(), err
		}
		docs = append(docs, document{text, items})
	}
}

// whole returns a batch as one document.
func whole(t testing.TB, signal otlp.Signal, batch []byte) document {
	t.Helper()
	docs, _ := split(t, signal, batch, 0, 0)
	require.Len(t, docs, 1)
	return docs[0]
}
