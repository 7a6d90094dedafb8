package remotetapprocessor

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

func TestCodecEncodesMessagesOnly(t *testing.T) {
	encoded, err := wireCodec{}.MarshalAppend([]byte("before"), &remotetapv1.End{Reason: "shutdown"})
	require.NoError(t, err)
	assert.True(t, bytes.HasPrefix(encoded, []byte("before")), "what is in the buffer stays")
	_, err = wireCodec{}.Marshal("text")
	assert.Error(t, err)
	assert.Error(t, wireCodec{}.Unmarshal(nil, new(string)))
}

func TestHeadAndDocumentAreAMessage(t *testing.T) {
	var head []byte
	for round := range 3 { // the head is used again
		point := strings.Repeat("long", round*50)
		e := &entry{source: newRig(t, PerTapConfig{}).source, items: 1 << (10 * round), line: []byte("\n")}
		require.NoError(t, e.source.point.UnmarshalText([]byte("remote_tap/x"+point)))
		head = appendHead(head[:0], e)
		encoded := append(bytes.Clone(head), e.message()...)
		assert.Zero(t, encoded[0], "not compressed")
		assert.EqualValues(t, len(encoded)-5, binary.BigEndian.Uint32(encoded[1:]))
		response := new(remotetapv1.TapResponse)
		require.NoError(t, proto.Unmarshal(encoded[5:], response))
		assert.Equal(t, "remote_tap/x"+point, response.GetEnvelope().GetPoint())
		assert.EqualValues(t, e.items, response.GetEnvelope().GetItems())
		assert.EqualValues(t, e.time.UnixNano(), response.GetEnvelope().GetTimeUnixNano())
		assert.NotNil(t, response.GetTraces())
	}
}

// TestClientsOfOneViewGetTheVerySameBytes lets ten clients read one view, at different paces, while
// other calls use the buffers that come back from those who are faster.
func TestClientsOfOneViewGetTheVerySameBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t, noCeilings, func(c *Config) { c.Limit = 10 })
		const clients, batches = 10, 40
		var streams []*rpcStream[rawMessage]
		for i := range clients {
			streams = append(streams, o.rawTap(rpcKinds()[i%len(rpcKinds())], &remotetapv1.TapRequest{}))
		}
		require.Len(t, viewOf(o).taps, clients, "they share it")
		want := make(chan []byte, batches)
		got := make([][][]byte, clients)
		var reading sync.WaitGroup
		for i, stream := range streams {
			reading.Go(func() {
				for range batches {
					if !assert.True(t, stream.stream.Receive(), "%v", stream.stream.Err()) {
						return
					}
					got[i] = append(got[i], stream.stream.Msg().bytes)
				}
			})
		}
		// These requests are refused. Their bytes go where the pool's buffers are.
		noise := rpcClient[rawMessage, remotetapv1.TapResponse](o, plainGRPC().with(connect.WithCodec(rawCodec{})), tapMethod)
		random := rand.New(rand.NewPCG(1, 2))
		for n := range batches {
			batch := spans(1)
			span := batch.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
			span.Attributes().PutStr("payload", strings.Repeat(strconv.Itoa(n%10), 30*kib+random.IntN(60*kib)))
			want <- bytesOf(t)(traceOps().marshal(batch))
			o.passTraces(batch)
			for range 3 {
				stream, err := noise.CallServerStream(t.Context(), connect.NewRequest(&rawMessage{bytes.Repeat([]byte("noise"), 10*kib)}))
				require.NoError(t, err)
				assert.False(t, stream.Receive())
				_ = stream.Close()
			}
		}
		reading.Wait()
		for n := range batches {
			document := <-want
			for i := range clients {
				require.Len(t, got[i], batches)
				require.True(t, bytes.Equal(got[0][n], got[i][n]), "client %d has the same message %d", i, n)
				require.True(t, bytes.Equal(document, documentIn(t, otlp.Traces, got[i][n])), "client %d has what passed as message %d", i, n)
			}
		}
	})
}
