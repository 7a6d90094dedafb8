package remotetapprocessor

import (
	"encoding/binary"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/testdata"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/remotetap/remotetapprocessor/internal/format"
	"github.com/remotetap/remotetapprocessor/internal/otlp"
	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

// batchOf is a batch of one signal that a test lets pass.
type batchOf struct {
	signal string
	items  int
	pass   func(o *observed)
	proto  func() ([]byte, error)                                // pdata's own encoding of it
	read   func(t *testing.T, r *remotetapv1.TapResponse) []byte // what a response has of the signal, encoded by pdata
}

// everySignal has a batch with all kinds of fields of each signal.
func everySignal() []batchOf {
	traces, metrics, logs, profiles := testdata.GenerateTraces(7), testdata.GenerateMetrics(9), testdata.GenerateLogs(5), testdata.GenerateProfiles(3)
	return []batchOf{
		{
			"traces", traces.SpanCount(),
			func(o *observed) { require.NoError(o.t, o.traces.ConsumeTraces(o.t.Context(), traces)) },
			func() ([]byte, error) { return (&ptrace.ProtoMarshaler{}).MarshalTraces(traces) },
			func(t *testing.T, r *remotetapv1.TapResponse) []byte {
				t.Helper()
				data, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(encoded(t, r.GetTraces()))
				require.NoError(t, err)
				return bytesOf(t)((&ptrace.ProtoMarshaler{}).MarshalTraces(data))
			},
		},
		{
			"metrics", metrics.DataPointCount(),
			func(o *observed) { require.NoError(o.t, o.metrics.ConsumeMetrics(o.t.Context(), metrics)) },
			func() ([]byte, error) { return (&pmetric.ProtoMarshaler{}).MarshalMetrics(metrics) },
			func(t *testing.T, r *remotetapv1.TapResponse) []byte {
				t.Helper()
				data, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(encoded(t, r.GetMetrics()))
				require.NoError(t, err)
				return bytesOf(t)((&pmetric.ProtoMarshaler{}).MarshalMetrics(data))
			},
		},
		{
			"logs", logs.LogRecordCount(),
			func(o *observed) { require.NoError(o.t, o.collector.logs.ConsumeLogs(o.t.Context(), logs)) },
			func() ([]byte, error) { return (&plog.ProtoMarshaler{}).MarshalLogs(logs) },
			func(t *testing.T, r *remotetapv1.TapResponse) []byte {
				t.Helper()
				data, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(encoded(t, r.GetLogs()))
				require.NoError(t, err)
				return bytesOf(t)((&plog.ProtoMarshaler{}).MarshalLogs(data))
			},
		},
		{
			"profiles", profiles.SampleCount(),
			func(o *observed) { require.NoError(o.t, o.profiles.ConsumeProfiles(o.t.Context(), profiles)) },
			func() ([]byte, error) { return (&pprofile.ProtoMarshaler{}).MarshalProfiles(profiles) },
			func(t *testing.T, r *remotetapv1.TapResponse) []byte {
				t.Helper()
				require.NotEmpty(t, r.GetProfiles())
				data, err := (&pprofile.ProtoUnmarshaler{}).UnmarshalProfiles(r.GetProfiles())
				require.NoError(t, err)
				return bytesOf(t)((&pprofile.ProtoMarshaler{}).MarshalProfiles(data))
			},
		},
	}
}

// encoded encodes a message, which must be there.
func encoded(t *testing.T, message proto.Message) []byte {
	t.Helper()
	require.True(t, message.ProtoReflect().IsValid(), "the response is one of another kind")
	return bytesOf(t)(proto.Marshal(message))
}

// bytesOf makes an encoder's answer usable in one expression.
func bytesOf(t *testing.T) func([]byte, error) []byte {
	t.Helper()
	return func(encoded []byte, err error) []byte {
		t.Helper()
		require.NoError(t, err)
		return encoded
	}
}

func TestCallDeliversWhatPassedInItsEnvelope(t *testing.T) {
	for _, k := range rpcKinds() {
		t.Run(k.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				stream := o.rpcTap(k, &remotetapv1.TapRequest{})
				for _, batch := range everySignal() {
					<-time.After(time.Second + time.Nanosecond)
					at := time.Now()
					batch.pass(o)
					<-time.After(time.Second)
					response := stream.next()
					assert.Equal(t, bytesOf(t)(batch.proto()), batch.read(t, response), batch.signal)
					envelope := response.GetEnvelope()
					assert.Equal(t, "remote_tap", envelope.GetPoint(), batch.signal)
					assert.EqualValues(t, at.UnixNano(), envelope.GetTimeUnixNano(), batch.signal)
					assert.EqualValues(t, batch.items, envelope.GetItems(), batch.signal)
				}
				assertNothingPending(t, o)
			})
		})
	}
}

func TestHeaderOfACallComesAtOnceAndNothingIsCompressed(t *testing.T) {
	kinds := map[string]string{"grpc": "application/grpc", "grpc_web": "application/grpc-web+proto", "connect": "application/connect+proto"}
	for _, k := range rpcKinds() {
		t.Run(k.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				asked := rawMessageOf(t, &remotetapv1.TapRequest{Stats: durationpb.New(time.Hour)}).bytes
				request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+o.s.addr.String()+tapMethod, strings.NewReader(enveloped(asked)))
				require.NoError(t, err)
				setHeader(request.Header, []string{"Content-Type", kinds[k.transport], "Grpc-Accept-Encoding", "gzip", "Connect-Accept-Encoding", "gzip", "Accept-Encoding", "gzip"})
				start := time.Now()
				response, err := o.newClient(k.over).Do(request)
				require.NoError(t, err)
				defer response.Body.Close()
				assert.Zero(t, time.Since(start))
				assert.Equal(t, 1, o.open(), "what passes from now on counts")
				assert.Equal(t, http.StatusOK, response.StatusCode)
				assert.Equal(t, kinds[k.transport], response.Header.Get("Content-Type"))
				assert.Empty(t, response.Header.Get("Content-Encoding"))
				next := func() *remotetapv1.TapResponse {
					var head [5]byte
					_, err := io.ReadFull(response.Body, head[:])
					require.NoError(t, err)
					assert.Zero(t, head[0], "the message is not compressed")
					message := make([]byte, binary.BigEndian.Uint32(head[1:]))
					_, err = io.ReadFull(response.Body, message)
					require.NoError(t, err)
					decoded := new(remotetapv1.TapResponse)
					require.NoError(t, proto.Unmarshal(message, decoded))
					return decoded
				}
				assert.NotNil(t, next().GetStats())
				o.pass(100)
				assert.Len(t, spansOf(t, next()), 100)
			})
		})
	}
}

func TestDocumentIsTheRenderersOutputByteForByte(t *testing.T) {
	for name, request := range map[string]*remotetapv1.TapRequest{
		"whole batches":            {},
		"with the envelope inside": {Envelope: new(true)},
		"in small documents":       {MaxMessage: new(uint64(1024))},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				stream := o.rawTap(plainGRPC(), request)
				for i, batch := range everySignal() {
					at := time.Now()
					batch.pass(o)
					for _, want := range rendered(t, otlp.Signal(i), bytesOf(t)(batch.proto()), at, request) {
						assert.Equal(t, want, documentIn(t, otlp.Signal(i), stream.next().bytes), batch.signal)
					}
				}
				assertNothingPending(t, o)
			})
		})
	}
}

// rendered is what the renderer makes of a batch for a request.
func rendered(t *testing.T, signal otlp.Signal, batch []byte, at time.Time, request *remotetapv1.TapRequest) [][]byte {
	t.Helper()
	size := rpcMaxMessage
	if request.MaxMessage != nil {
		size = int(request.GetMaxMessage())
	}
	renderer := format.New(format.OTLPProto, format.Options{
		MaxMessage: size - len("data: \n"), HardLimit: 4 * mib, Envelope: request.GetEnvelope(),
	})
	renderer.Reset(format.Batch{Signal: signal, Proto: batch, Point: "remote_tap", Time: at})
	var documents [][]byte
	for {
		document, _, ok, err := renderer.Next(nil)
		require.NoError(t, err)
		if !ok {
			return documents
		}
		documents = append(documents, document)
	}
}

// documentIn is the OTLP document in an encoded response: its fields are the envelope and, last,
// that of the signal.
func documentIn(t *testing.T, signal otlp.Signal, response []byte) []byte {
	t.Helper()
	number, kind, n := protowire.ConsumeTag(response)
	require.Equal(t, []any{protowire.Number(1), protowire.BytesType}, []any{number, kind})
	response = response[n:]
	_, n = protowire.ConsumeBytes(response)
	require.Positive(t, n)
	response = response[n:]
	number, kind, n = protowire.ConsumeTag(response)
	require.Equal(t, []any{documentField(signal), protowire.BytesType}, []any{number, kind})
	document, length := protowire.ConsumeBytes(response[n:])
	require.Len(t, response[n:], length)
	return document
}

func TestLargeBatchesAreSplitBetweenItems(t *testing.T) {
	for _, tt := range []struct {
		name    string
		request *remotetapv1.TapRequest
		most    int
	}{
		{"at what is asked for", &remotetapv1.TapRequest{MaxMessage: new(uint64(16 * kib))}, 16 * kib},
		{"at 1 MiB by default", &remotetapv1.TapRequest{}, mib},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t, noCeilings)
				stream, bytes := o.rpcTap(plainGRPC(), tt.request), o.rawTap(plainGRPC(), tt.request)
				const n = 20_000 // more than 1 MiB
				o.pass(n)
				var got []string
				for len(got) < n {
					response := stream.next()
					names := spansOf(t, response)
					assert.EqualValues(t, len(names), response.GetEnvelope().GetItems())
					got = append(got, names...)
					size := len(documentIn(t, otlp.Traces, bytes.next().bytes))
					assert.LessOrEqual(t, size, tt.most)
					if len(got) < n {
						assert.Greater(t, size, tt.most*9/10, "it is used")
					}
				}
				assert.Equal(t, "span 0", got[0])
				assert.Equal(t, "span 19999", got[n-1])
				assertNothingPending(t, o)
			})
		})
	}
}

func TestBrokenTextArrivesRepaired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		// This client refuses strings that are not valid UTF-8.
		stream := o.rpcTap(plainGRPC(), &remotetapv1.TapRequest{})
		batch := spans(1)
		span := batch.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
		span.SetName("caf\xe9")
		span.Attributes().PutStr("k\xffey", "\xc3\x28")
		o.passTraces(batch)
		names := spansOf(t, stream.next())
		assert.Equal(t, []string{"caf?"}, names)
		assert.Equal(t, "caf\xe9", o.next.traces.AllTraces()[0].ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Name(),
			"the pipeline's data is as it was")
	})
}

func TestStatsOfACallComeFirstEveryPeriodAndLast(t *testing.T) {
	for _, k := range rpcKinds() {
		t.Run(k.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t, func(c *Config) { c.Limit, c.PerTap.MaxDuration = 2, time.Hour })
				opened := time.Now()
				stream := o.rpcTap(k, &remotetapv1.TapRequest{
					Stats: durationpb.New(time.Second), Duration: durationpb.New(2500 * time.Millisecond), Name: []string{"span 1"},
				})
				first := stream.next().GetStats()
				assert.Zero(t, first.GetLedger().GetSeen())
				assert.Equal(t, []string{"remote_tap"}, first.GetPoints())
				assert.Empty(t, first.GetHints())
				assert.True(t, proto.Equal(&remotetapv1.Limits{
					Limit: 2, MibPerSecond: 10, QueueMib: 16, MaxDuration: durationpb.New(time.Hour), MaxOverhead: 0.1,
				}, first.GetLimits()), "%v", first.GetLimits())

				o.pass(5)
				assert.Equal(t, []string{"span 1"}, spansOf(t, stream.next()))
				for second := range 2 {
					ledger := stream.next().GetStats().GetLedger()
					assert.Equal(t, opened.UTC(), ledger.GetSince().AsTime())
					assert.Equal(t, opened.Add(time.Duration(second+1)*time.Second).UTC(), ledger.GetNow().AsTime())
					assert.Equal(t, []uint64{5, 4, 1, 1}, []uint64{ledger.GetSeen(), ledger.GetUnmatched(), ledger.GetMatched(), ledger.GetSent()})
					assert.Positive(t, ledger.GetBytes())
				}
				rest, err := stream.rest()
				require.NoError(t, err)
				require.Len(t, rest, 2)
				last, end := rest[0].GetStats().GetLedger(), ending(t, rest)
				assert.Equal(t, opened.Add(2500*time.Millisecond).UTC(), last.GetNow().AsTime())
				assert.True(t, proto.Equal(last, end.GetLedger()), "the last word: %v, %v", last, end)
				assert.Nil(t, rest[1].GetEnvelope())
			})
		})
	}
}

func TestFormatNoneOverACallCountsWithoutData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		stream := o.rpcTap(plainGRPC(), &remotetapv1.TapRequest{
			Format: "none", Stats: durationpb.New(time.Second), Duration: durationpb.New(1500 * time.Millisecond),
		})
		stream.next()
		o.pass(12)
		responses, err := stream.rest()
		require.NoError(t, err)
		require.Len(t, responses, 3, "two stats and the end")
		for _, response := range responses[:2] {
			ledger := response.GetStats().GetLedger()
			assert.Equal(t, []uint64{12, 12, 0, 0}, []uint64{ledger.GetMatched(), ledger.GetSent(), ledger.GetPending(), ledger.GetBytes()})
		}
		assert.EqualValues(t, 12, ending(t, responses).GetLedger().GetSent())
	})
}

func TestCountOfACallIsExact(t *testing.T) {
	for _, k := range rpcKinds() {
		t.Run(k.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				stream := o.rpcTap(k, &remotetapv1.TapRequest{Count: new(uint64(7))})
				for range 4 {
					o.pass(5)
				}
				responses, err := stream.rest()
				require.NoError(t, err)
				received := 0
				for _, response := range responses[:len(responses)-1] {
					received += len(spansOf(t, response))
				}
				assert.Equal(t, 7, received)
				end := ending(t, responses)
				assert.Equal(t, "count_reached", end.GetReason())
				assert.EqualValues(t, 7, end.GetLedger().GetSent())
			})
		})
	}
}

func TestHintsWithBrokenTextDoNotEndTheTap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		stream := o.rpcTap(plainGRPC(), &remotetapv1.TapRequest{Service: []string{"chekout"}, Stats: durationpb.New(time.Second)})
		batch := spans(3)
		batch.ResourceSpans().At(0).Resource().Attributes().PutStr("service.name", "check\xffout")
		for second := 0; ; second++ {
			require.Less(t, second, 20)
			hints := stream.next().GetStats().GetHints()
			if len(hints) > 0 {
				assert.Contains(t, hints[0], `service=chekout was not seen; seen: "check\xffout" (`)
				break
			}
			o.passTraces(batch)
		}
	})
}
