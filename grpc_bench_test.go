//go:build unix

package remotetapprocessor

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

const (
	grpcSpans = 185  // of richSpans: about 100 KB
	grpcTurn  = 1024 // messages in one turn, over all clients: about 100 MB
	grpcAck   = 8    // messages that one byte from the clients stands for
	grpcAhead = 32   // messages that are on their way at most: enough to keep all busy
	grpcTurns = 7    // that a median takes at least
)

// BenchmarkGRPC is the CPU time that the server takes for each MB that it sends to gRPC clients, in
// messages of about 100 KB, beside that of connect-go streaming the same bytes with nothing around
// it. The clients are in processes of their own, and read as fast as they can. How much of
// remote_tap is measured depends on where the data comes in:
//
//	from=message   what each client costs: session, transport, socket. The reference does the same.
//	from=capture   and what each view costs: the renderer, which copies a batch into a message.
//	from=pipeline  and what each pipeline costs: the batch is encoded, from pdata.
func BenchmarkGRPC(b *testing.B) {
	reader := buildReader(b)
	batch := newGRPCBatch(b)
	for _, clients := range []int{1, 10} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			reference := startReference(b, reader, clients, batch.response)
			c := newCollector(b, noCeilings, func(config *Config) { config.Limit = clients })
			nop := consumertest.NewNop()
			c.startBefore(nop, nop, nop, nop)
			b.Cleanup(c.stop)
			watching := startReaders(b, reader, c.address(), remotetapv1.TapService_Tap_FullMethodName, clients)
			v, s := c.watched(clients)
			for _, from := range []struct {
				place string
				feed  func() bool
			}{
				{"message", batch.asMessage(v, s)},
				{"capture", batch.asCapture(v, s)},
				{"pipeline", batch.asCall(v, c.traces)},
			} {
				b.Run("from="+from.place, func(b *testing.B) {
					compareCPU(b, reference.turn, func() (bytes int) {
						before := v.sent()
						watching.feed(reference.each, from.feed)
						return v.sent() - before
					})
				})
			}
		})
	}
}

// watched waits for the taps and returns the view that they share, and the source of spans.
func (c *collector) watched(taps int) (*view, *source) {
	c.t.Helper()
	state := c.server().broadcaster.snapshot()
	for len(state.taps) < taps {
		runtime.Gosched()
		state = c.server().broadcaster.snapshot()
	}
	spans := slices.IndexFunc(state.sources, func(s *source) bool { return s.signal == otlp.Traces })
	return state.taps[0].view, state.sources[spans]
}

// sent is how many bytes the view's taps have sent.
func (v *view) sent() (bytes int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, t := range v.taps {
		bytes += int(t.bytes)
	}
	return bytes
}

// compareCPU is compare for the CPU time that this process takes for each MB which a call sends; the
// calls return how many bytes that were. It also reports the quartiles of the ratios of neighbours:
// what else the machine does spreads them.
func compareCPU(b *testing.B, reference, subject func() (bytes int)) {
	b.Helper()
	var references, subjects, ratios []float64
	turn := func() {
		r, s := cpuPerMB(reference), cpuPerMB(subject)
		references, subjects, ratios = append(references, r), append(subjects, s), append(ratios, s/r)
	}
	for b.Loop() {
		turn()
	}
	for len(ratios) < grpcTurns {
		turn()
	}
	r, s := median(references), median(subjects)
	slices.Sort(ratios)
	b.ReportMetric(0, "ns/op") // the loop's own time means nothing here
	b.ReportMetric(r, "cpu-us/MB-reference")
	b.ReportMetric(s, "cpu-us/MB")
	b.ReportMetric(s/r, "x-reference")
	b.ReportMetric(ratios[len(ratios)/4], "x-quartile1")
	b.ReportMetric(ratios[len(ratios)*3/4], "x-quartile3")
}

// cpuPerMB is the CPU time, in microseconds, that this process takes for each MB that a call sends:
// user and system, on all its threads.
func cpuPerMB(call func() (bytes int)) float64 {
	runtime.GC() // no turn clears up after another
	begin := cpuTime()
	bytes := call()
	return (cpuTime() - begin).Seconds() * 1e6 / (float64(bytes) / 1e6)
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// grpcBatch is a batch in each form that it has on its way.
type grpcBatch struct {
	traces   ptrace.Traces
	proto    []byte // as it is captured
	message  []byte // as it is rendered
	response []byte // as a client gets it: a TapResponse
}

func newGRPCBatch(b *testing.B) grpcBatch {
	b.Helper()
	traces := richSpans(grpcSpans)
	encoded, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(traces)
	require.NoError(b, err)
	envelope := &remotetapv1.Envelope{Point: "remote_tap", TimeUnixNano: uint64(time.Now().UnixNano()), Items: grpcSpans}
	response, err := proto.Marshal(&remotetapv1.TapResponse{Envelope: envelope})
	require.NoError(b, err)
	response = protowire.AppendTag(response, 2, protowire.BytesType) // traces
	response = protowire.AppendBytes(response, encoded)
	return grpcBatch{traces: traces, proto: encoded, message: append(slices.Clone(encoded), '\n'), response: response}
}

// asMessage gives the batch to the taps of a view as the renderer does.
func (batch *grpcBatch) asMessage(v *view, s *source) func() bool {
	return func() bool {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.account(s, &admission{seen: grpcSpans})
		v.total.queued += grpcSpans
		v.push(&entry{
			source: s, ordinal: v.ordinal, time: time.Now(), items: grpcSpans,
			line: batch.message, bytes: len(batch.message) + entryOverhead,
		})
		return true
	}
}

// asCapture gives the batch to a view as a pipeline does.
func (batch *grpcBatch) asCapture(v *view, s *source) func() bool {
	return func() bool {
		v.publish(capture{source: s, time: time.Now(), items: grpcSpans, proto: batch.proto}, &admission{seen: grpcSpans})
		return true
	}
}

// asCall gives the batch to the processor. On a busy machine a call may seem to take too long, and
// the view does without.
func (batch *grpcBatch) asCall(v *view, traces consumer.Traces) func() bool {
	queued := func() uint64 {
		v.mu.Lock()
		defer v.mu.Unlock()
		return v.total.queued
	}
	return func() bool {
		before := queued()
		return traces.ConsumeTraces(context.Background(), batch.traces) == nil && queued() > before
	}
}

// grpcReference is a server of connect-go that streams a message over and over.
type grpcReference struct {
	message preEncoded
	each    int             // messages for each client in a turn
	streams chan chan<- int // those of new clients; they send as many messages as they are told
	clients []chan<- int
	readers *readers
}

const referenceMethod = "/reference.v1.Reference/Stream"

// startReference starts a server, and clients that read from it. They end with the benchmark.
func startReference(b *testing.B, reader string, clients int, message []byte) *grpcReference {
	b.Helper()
	r := &grpcReference{message: preEncoded{message}, each: max(grpcTurn/clients/grpcAck, 1) * grpcAck, streams: make(chan chan<- int)}
	mux := http.NewServeMux()
	mux.Handle(referenceMethod, connect.NewServerStreamHandler(referenceMethod, r.serve, connect.WithCodec(preEncodedCodec{})))
	server := &http.Server{Handler: mux, Protocols: new(http.Protocols)}
	server.Protocols.SetUnencryptedHTTP2(true)
	listener, err := net.Listen("tcp", "localhost:0")
	require.NoError(b, err)
	var serving sync.WaitGroup
	serving.Go(func() { assert.ErrorIs(b, server.Serve(listener), http.ErrServerClosed) })
	b.Cleanup(func() {
		assert.NoError(b, server.Close())
		serving.Wait()
	})
	r.readers = startReaders(b, reader, listener.Addr().String(), referenceMethod, clients)
	for range clients {
		r.clients = append(r.clients, <-r.streams)
	}
	return r
}

// serve is the handler of one client.
func (r *grpcReference) serve(ctx context.Context, _ *connect.Request[preEncoded], stream *connect.ServerStream[preEncoded]) error {
	turns := make(chan int)
	for r.streams <- turns; ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case messages := <-turns:
			for range messages {
				if err := stream.Send(&r.message); err != nil {
					return err
				}
			}
		}
	}
}

// turn sends all clients their messages, and returns how many bytes that were when they have read them.
func (r *grpcReference) turn() (bytes int) {
	for _, client := range r.clients {
		client <- r.each
	}
	for read := 0; read < r.each; {
		read += r.readers.wait()
	}
	return len(r.clients) * r.each * len(r.message.bytes)
}

// preEncoded is a message that needs no encoding.
type preEncoded struct{ bytes []byte }

// preEncodedCodec sends messages as they are, and reads none.
type preEncodedCodec struct{}

func (preEncodedCodec) Name() string { return "proto" }

func (preEncodedCodec) Unmarshal([]byte, any) error { return nil }

func (c preEncodedCodec) Marshal(message any) ([]byte, error) { return c.MarshalAppend(nil, message) }

func (preEncodedCodec) MarshalAppend(dst []byte, message any) ([]byte, error) {
	if m, ok := message.(*preEncoded); ok {
		return append(dst, m.bytes...), nil
	}
	return dst, nil // an error's details
}

// readers are gRPC clients in a process of their own.
type readers struct {
	b   *testing.B
	out io.Reader // a byte for each grpcAck messages that all clients have read
}

// buildReader builds their program.
func buildReader(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "grpcreader")
	out, err := exec.CommandContext(b.Context(), "go", "build", "-o", path, "./bench/grpcreader").CombinedOutput()
	require.NoError(b, err, "%s", out)
	return path
}

// startReaders opens streams of a method, which end with the benchmark.
func startReaders(b *testing.B, reader, address, method string, streams int) *readers {
	b.Helper()
	command := exec.Command(reader, "-streams", strconv.Itoa(streams), "-every", strconv.Itoa(grpcAck), address, method)
	var complaints bytes.Buffer
	command.Stderr = &complaints
	in, err := command.StdinPipe()
	require.NoError(b, err)
	out, err := command.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, command.Start())
	b.Cleanup(func() {
		assert.NoError(b, in.Close())
		assert.NoError(b, command.Wait(), "%s", &complaints)
	})
	return &readers{b: b, out: out}
}

// wait blocks until all clients have read some messages more, and returns how many.
func (r *readers) wait() int {
	_, err := io.ReadFull(r.out, make([]byte, 1))
	require.NoError(r.b, err)
	return grpcAck
}

// feed calls next for each message, until it is on its way, and never far ahead of the slowest client.
// It returns when all have read everything.
func (r *readers) feed(messages int, next func() bool) {
	for fed, read := 0, 0; read < messages; {
		switch {
		case fed == messages || fed-read >= grpcAhead:
			read += r.wait()
		case next():
			fed++
		}
	}
}
