package redact

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// reference is what pdata does with the data of one signal.
type reference struct {
	signal otlp.Signal
	// normal reads protobuf and writes it again; ok is false if pdata cannot read it.
	normal func(proto []byte) (again []byte, ok bool)
	// redacted reads protobuf, redacts a copy of what it read, and writes that.
	redacted func(t testing.TB, r *Redactor, proto []byte) []byte
	// json and fromJSON turn protobuf into JSON and back.
	json     func(t testing.TB, proto []byte) string
	fromJSON func(t testing.TB, doc string) []byte
}

func references() [otlp.NumSignals]reference {
	return [otlp.NumSignals]reference{
		newReference(otlp.Traces, (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces, (&ptrace.ProtoMarshaler{}).MarshalTraces,
			(&ptrace.JSONUnmarshaler{}).UnmarshalTraces, (&ptrace.JSONMarshaler{}).MarshalTraces,
			func(r *Redactor, td ptrace.Traces) error { r.Traces(td); return nil }),
		newReference(otlp.Metrics, (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics, (&pmetric.ProtoMarshaler{}).MarshalMetrics,
			(&pmetric.JSONUnmarshaler{}).UnmarshalMetrics, (&pmetric.JSONMarshaler{}).MarshalMetrics,
			func(r *Redactor, md pmetric.Metrics) error { r.Metrics(md); return nil }),
		newReference(otlp.Logs, (&plog.ProtoUnmarshaler{}).UnmarshalLogs, (&plog.ProtoMarshaler{}).MarshalLogs,
			(&plog.JSONUnmarshaler{}).UnmarshalLogs, (&plog.JSONMarshaler{}).MarshalLogs,
			func(r *Redactor, ld plog.Logs) error { r.Logs(ld); return nil }),
		newReference(otlp.Profiles, (&pprofile.ProtoUnmarshaler{}).UnmarshalProfiles, (&pprofile.ProtoMarshaler{}).MarshalProfiles,
			(&pprofile.JSONUnmarshaler{}).UnmarshalProfiles, (&pprofile.JSONMarshaler{}).MarshalProfiles,
			(*Redactor).Profiles),
	}
}

func newReference[T any](signal otlp.Signal, fromProto func([]byte) (T, error), toProto func(T) ([]byte, error),
	fromJSON func([]byte) (T, error), toJSON func(T) ([]byte, error), redact func(*Redactor, T) error,
) reference {
	return reference{
		signal: signal,
		normal: func(proto []byte) ([]byte, bool) {
			v, err := fromProto(proto)
			if err != nil {
				return nil, false
			}
			again, err := toProto(v)
			return again, err == nil
		},
		redacted: func(t testing.TB, r *Redactor, proto []byte) []byte {
			t.Helper()
			v, err := fromProto(proto)
			require.NoError(t, err)
			require.NoError(t, redact(r, v))
			again, err := toProto(v)
			require.NoError(t, err)
			return again
		},
		json: func(t testing.TB, proto []byte) string {
			t.Helper()
			v, err := fromProto(proto)
			require.NoError(t, err)
			doc, err := toJSON(v)
			require.NoError(t, err)
			return string(doc)
		},
		fromJSON: func(t testing.TB, doc string) []byte {
			t.Helper()
			v, err := fromJSON([]byte(doc))
			require.NoError(t, err, doc)
			proto, err := toProto(v)
			require.NoError(t, err)
			return proto
		},
	}
}

func (ref reference) mustNormal(t testing.TB, proto []byte) []byte {
	t.Helper()
	again, ok := ref.normal(proto)
	require.True(t, ok, "pdata cannot read it: %x", proto)
	return again
}

// withoutDoubles leaves out all entries of maps but the first of each key: pdata cannot make two that are the same, which
// renaming keys may.
func withoutDoubles(m *otlp.Message, data []byte) []byte {
	var out []byte
	seen := map[string]bool{}
	eachField(m, data, func(f *otlp.Field, raw, content []byte) {
		if f == nil || f.Kind != otlp.KindMessage {
			out = append(out, raw...)
			return
		}
		if f.Message.ID == otlp.KeyValue {
			key := ""
			eachField(f.Message, content, func(f *otlp.Field, _, content []byte) {
				if f.Kind == otlp.KindString {
					key = string(content)
				}
			})
			if seen[f.Name+key] && m.ID < otlp.ProfilesData {
				return
			}
			seen[f.Name+key] = true
		}
		out = appendField(out, protowire.Number(f.Number), withoutDoubles(f.Message, content))
	})
	return out
}

// eachField visits the fields of a message; content is nil for those that are numbers.
func eachField(m *otlp.Message, data []byte, visit func(f *otlp.Field, raw, content []byte)) {
	for len(data) > 0 {
		number, wire, n := protowire.ConsumeTag(data)
		size := protowire.ConsumeFieldValue(number, wire, data[max(n, 0):])
		if n < 0 || size < 0 {
			panic("a redacted document is malformed")
		}
		var content []byte
		if wire == protowire.BytesType {
			content, _ = protowire.ConsumeBytes(data[n:])
		}
		visit(m.FieldByNumber(uint32(number)), data[:n+size], content)
		data = data[n+size:]
	}
}
