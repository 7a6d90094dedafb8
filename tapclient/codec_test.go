package tapclient

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	logsv1 "go.opentelemetry.io/proto/otlp/logs/v1"
	metricsv1 "go.opentelemetry.io/proto/otlp/metrics/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"

	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

func encoded(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	require.NoError(t, err)
	return b
}

// responses are TapResponses of every kind.
func responses() []*remotetapv1.TapResponse {
	envelope := &remotetapv1.Envelope{Point: "remote_tap", TimeUnixNano: 7, Items: 1}
	return []*remotetapv1.TapResponse{
		{},
		{Envelope: envelope},
		{Envelope: envelope, Content: &remotetapv1.TapResponse_Traces{Traces: &tracev1.TracesData{ResourceSpans: []*tracev1.ResourceSpans{{SchemaUrl: "a"}}}}},
		{Envelope: envelope, Content: &remotetapv1.TapResponse_Metrics{Metrics: &metricsv1.MetricsData{ResourceMetrics: []*metricsv1.ResourceMetrics{{SchemaUrl: "b"}}}}},
		{Envelope: envelope, Content: &remotetapv1.TapResponse_Logs{Logs: &logsv1.LogsData{ResourceLogs: []*logsv1.ResourceLogs{{SchemaUrl: "c"}}}}},
		{Envelope: envelope, Content: &remotetapv1.TapResponse_Profiles{Profiles: []byte{1, 2, 3}}},
		{Content: &remotetapv1.TapResponse_Stats{Stats: &remotetapv1.Stats{Ledger: &remotetapv1.Ledger{Seen: 9}, Points: []string{"p"}}}},
		{Content: &remotetapv1.TapResponse_End{End: &remotetapv1.End{Reason: "shutdown"}}},
	}
}

// requireSameMeaning compares a parsed response with what protobuf makes of the same bytes.
func requireSameMeaning(t *testing.T, expected *remotetapv1.TapResponse, got *response) {
	t.Helper()
	require.True(t, proto.Equal(expected.GetEnvelope(), got.envelope) || expected.Envelope == nil && got.envelope == nil)
	document := func(into proto.Message) proto.Message {
		require.NoError(t, proto.Unmarshal(got.document, into))
		return into
	}
	switch content := expected.GetContent().(type) {
	case *remotetapv1.TapResponse_Traces:
		require.Equal(t, Traces, got.signal())
		require.True(t, proto.Equal(content.Traces, document(&tracev1.TracesData{})))
	case *remotetapv1.TapResponse_Metrics:
		require.Equal(t, Metrics, got.signal())
		require.True(t, proto.Equal(content.Metrics, document(&metricsv1.MetricsData{})))
	case *remotetapv1.TapResponse_Logs:
		require.Equal(t, Logs, got.signal())
		require.True(t, proto.Equal(content.Logs, document(&logsv1.LogsData{})))
	case *remotetapv1.TapResponse_Profiles:
		require.Equal(t, Profiles, got.signal())
		require.Equal(t, string(content.Profiles), string(got.document))
	case *remotetapv1.TapResponse_Stats:
		require.True(t, proto.Equal(content.Stats, got.stats))
	case *remotetapv1.TapResponse_End:
		require.True(t, proto.Equal(content.End, got.end))
	default:
		require.Zero(t, got.content)
		require.Empty(t, got.signal())
	}
}

func TestResponseOfEachKindIsParsedWithoutDecodingItsDocument(t *testing.T) {
	for _, expected := range responses() {
		var got response
		require.NoError(t, got.parse(encoded(t, expected)))
		requireSameMeaning(t, expected, &got)
	}
}

func FuzzResponseMeansWhatProtobufMeans(f *testing.F) {
	for _, a := range responses() {
		f.Add(encoded(f, a))
		for _, b := range responses() { // parts of one message: protobuf merges them
			f.Add(append(encoded(f, a), encoded(f, b)...))
		}
	}
	f.Add(protowire.AppendVarint(protowire.AppendTag(nil, fieldTraces, protowire.VarintType), 7))
	f.Add(protowire.AppendString(protowire.AppendTag(nil, 1000, protowire.BytesType), "later"))
	f.Add([]byte{0x12})
	f.Fuzz(func(t *testing.T, message []byte) {
		expected := &remotetapv1.TapResponse{}
		if proto.Unmarshal(message, expected) != nil {
			var got response
			_ = got.parse(message) // no panic: a broken document is found by who decodes it
			return
		}
		var got response
		require.NoError(t, got.parse(message))
		requireSameMeaning(t, expected, &got)
	})
}

func TestMalformedResponseIsAnError(t *testing.T) {
	for name, message := range map[string][]byte{
		"a tag that is cut off":     {0x80},
		"a length that is too long": {0x12, 5, 1},
		"an envelope that is none":  {0x0a, 2, 0xff, 0xff},
		"stats that are none":       {0x32, 2, 0xff, 0xff},
		"a varint that is cut off":  {0x10, 0x80},
	} {
		t.Run(name, func(t *testing.T) {
			require.Error(t, (&response{}).parse(message))
		})
	}
}

func TestResponseDoesNotLiveInTheBuffersOfGRPC(t *testing.T) {
	message := encoded(t, responses()[2])
	buffer := append([]byte(nil), message...)
	var got response
	require.NoError(t, codec{}.Unmarshal(mem.BufferSlice{mem.SliceBuffer(buffer)}, &got))
	clear(buffer)
	requireSameMeaning(t, responses()[2], &got)
}

func TestCodecRefusesWhatItDoesNotKnow(t *testing.T) {
	_, err := codec{}.Marshal(7)
	assert.Error(t, err)
	assert.Error(t, codec{}.Unmarshal(nil, 7))
}
