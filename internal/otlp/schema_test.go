package otlp_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	collogs "go.opentelemetry.io/proto/otlp/logs/v1"
	colmetrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	coltrace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// kinds gives the kinds that each protobuf type may have in the tables.
var kinds = map[protoreflect.Kind][]otlp.Kind{
	protoreflect.StringKind:   {otlp.KindString},
	protoreflect.BytesKind:    {otlp.KindBytes, otlp.KindID16, otlp.KindID8},
	protoreflect.MessageKind:  {otlp.KindMessage},
	protoreflect.BoolKind:     {otlp.KindBool},
	protoreflect.Uint32Kind:   {otlp.KindUint32},
	protoreflect.Int32Kind:    {otlp.KindInt32},
	protoreflect.Sint32Kind:   {otlp.KindSint32},
	protoreflect.EnumKind:     {otlp.KindEnum},
	protoreflect.Uint64Kind:   {otlp.KindUint64},
	protoreflect.Int64Kind:    {otlp.KindInt64},
	protoreflect.Fixed32Kind:  {otlp.KindFixed32},
	protoreflect.Fixed64Kind:  {otlp.KindFixed64},
	protoreflect.Sfixed64Kind: {otlp.KindSfixed64},
	protoreflect.DoubleKind:   {otlp.KindDouble},
}

// TestTablesAgreeWithTheOfficialDescriptors walks from the top messages of traces, metrics and logs to every message
// that they use, and compares every field. Profiles have no official Go module; package format tests them against
// pprofile.
func TestTablesAgreeWithTheOfficialDescriptors(t *testing.T) {
	seen := map[protoreflect.FullName]bool{}
	compareMessage(t, otlp.Traces.Message(), (&coltrace.TracesData{}).ProtoReflect().Descriptor(), seen)
	compareMessage(t, otlp.Metrics.Message(), (&colmetrics.MetricsData{}).ProtoReflect().Descriptor(), seen)
	compareMessage(t, otlp.Logs.Message(), (&collogs.LogsData{}).ProtoReflect().Descriptor(), seen)

	for _, m := range otlp.Messages() {
		if m.ID < otlp.ProfilesData {
			assert.True(t, seen[protoreflect.FullName(m.Name)], "%s is in the tables and nothing uses it", m.Name)
		}
	}
}

func compareMessage(t *testing.T, m *otlp.Message, want protoreflect.MessageDescriptor, seen map[protoreflect.FullName]bool) {
	t.Helper()
	if seen[want.FullName()] {
		return
	}
	seen[want.FullName()] = true
	require.Equal(t, string(want.FullName()), m.Name)
	assert.Len(t, m.Fields, want.Fields().Len(), "fields of %s", m.Name)
	for i := range want.Fields().Len() {
		d := want.Fields().Get(i)
		f := m.FieldByNumber(uint32(d.Number()))
		if !assert.NotNil(t, f, "%s is missing", d.FullName()) {
			continue
		}
		compareField(t, f, d)
		if d.Message() != nil {
			compareMessage(t, f.Message, d.Message(), seen)
		}
	}
}

func compareField(t *testing.T, f *otlp.Field, want protoreflect.FieldDescriptor) {
	t.Helper()
	name := want.FullName()
	assert.Equal(t, want.JSONName(), f.Name, "JSON name of %s", name)
	assert.Equal(t, `,"`+want.JSONName()+`":`, f.Key, "key of %s", name)
	assert.Contains(t, kinds[want.Kind()], f.Kind, "kind of %s", name)
	assert.Equal(t, want.IsList(), f.Repeated, "cardinality of %s", name)
	oneof := want.ContainingOneof()
	assert.Equal(t, oneof != nil && !oneof.IsSynthetic(), f.Oneof, "%s in a oneof", name)
	assert.Equal(t, want.HasPresence() && want.Kind() != protoreflect.MessageKind || f.Oneof, f.Presence, "presence of %s", name)
	required := want.Kind() == protoreflect.MessageKind && !want.IsList() && oneof == nil
	assert.Equal(t, required, f.Required, "%s always there", name)
	if want.Kind() == protoreflect.BytesKind {
		assert.Equal(t, idKind(string(want.Name())), f.Kind, "form of %s", name)
	}
}

// idKind returns the kind that OTLP/JSON gives a bytes field by its name: ids are hex, all else is base64.
func idKind(name string) otlp.Kind {
	switch name {
	case "trace_id":
		return otlp.KindID16
	case "span_id", "parent_span_id":
		return otlp.KindID8
	default:
		return otlp.KindBytes
	}
}

func TestEveryMessageIsDefinedAndFitsASet(t *testing.T) {
	for i, m := range otlp.Messages() {
		require.Equal(t, otlp.MessageID(i), m.ID, "message %d is not defined", i)
		require.NotEmpty(t, m.Name)
		assert.LessOrEqual(t, len(m.Fields), 32, m.Name)
		for j := range m.Fields {
			f := &m.Fields[j]
			assert.Equal(t, uint32(1)<<j, f.Bit(), f.Name)
			assert.Same(t, f, m.FieldByNumber(f.Number), "number %d twice in %s", f.Number, m.Name)
			assert.Same(t, f, m.FieldByName(f.Name), "name %s twice in %s", f.Name, m.Name)
			assert.Equal(t, f.Kind == otlp.KindMessage, f.Message != nil, f.Name)
		}
	}
	assert.Nil(t, otlp.Span.Message().FieldByNumber(999))
	assert.Nil(t, otlp.Span.Message().FieldByName("nothing"))
}

func TestPathsLeadToTheItemsOfEachSignal(t *testing.T) {
	want := map[otlp.Signal][]string{
		otlp.Traces: {"resourceSpans.scopeSpans.spans"},
		otlp.Logs:   {"resourceLogs.scopeLogs.logRecords"},
		otlp.Metrics: {
			"resourceMetrics.scopeMetrics.metrics.gauge.dataPoints",
			"resourceMetrics.scopeMetrics.metrics.sum.dataPoints",
			"resourceMetrics.scopeMetrics.metrics.histogram.dataPoints",
			"resourceMetrics.scopeMetrics.metrics.exponentialHistogram.dataPoints",
			"resourceMetrics.scopeMetrics.metrics.summary.dataPoints",
		},
		otlp.Profiles: {"resourceProfiles.scopeProfiles.profiles.samples"},
	}
	for signal, paths := range want {
		assert.Equal(t, paths, pathsFrom(signal.Message(), ""), signal.String())
	}
}

// pathsFrom lists the paths from a message down to items.
func pathsFrom(m *otlp.Message, prefix string) []string {
	var out []string
	for i := range m.Fields {
		f := &m.Fields[i]
		switch f.Role { //nolint:exhaustive // the other fields lead nowhere
		case otlp.RoleItem:
			out = append(out, prefix+f.Name)
		case otlp.RolePath:
			out = append(out, pathsFrom(f.Message, prefix+f.Name+".")...)
		}
	}
	return out
}

func TestSignalNames(t *testing.T) {
	names := []string{"traces", "metrics", "logs", "profiles"}
	require.Len(t, names, otlp.NumSignals)
	for i, name := range names {
		assert.Equal(t, name, otlp.Signal(i).String())
		assert.Equal(t, name != "profiles", otlp.Signal(i).Splits())
	}
	assert.Equal(t, "unknown", otlp.Signal(otlp.NumSignals).String())
}

func TestFieldsAreFoundByTheirTags(t *testing.T) {
	for _, m := range otlp.Messages() {
		for tag := range 256 {
			f := m.FieldByTag(byte(tag))
			if tag >= 0x80 {
				assert.Nil(t, f)
				continue
			}
			want, wire := m.FieldByNumber(uint32(tag>>3)), otlp.WireType(tag&7)
			if want != nil && wire != want.Kind.WireType() && (wire != otlp.WireLen || !want.Repeated) {
				want = nil
			}
			assert.Same(t, want, f, "tag %d of %s", tag, m.Name)
		}
	}
}
