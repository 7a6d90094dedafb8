package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/pprofile/pprofileotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// signal is what the tests need to know about one signal. Batches go about as OTLP protobuf.
type signal struct {
	name     string
	httpPath string
	// generate makes a batch of n items that all have `label` in them.
	generate func(label string, n int) []byte
	// items takes a batch apart: each item with its resource and scope as JSON of its own.
	itemsOfProto func(proto []byte) ([]string, error)
	itemsOfJSON  func(document []byte) ([]string, error)
	export       func(context.Context, *grpc.ClientConn, []byte) error
}

func traces() signal {
	return signal{
		name: "traces", httpPath: "/v1/traces", generate: generateTraces,
		itemsOfProto: func(proto []byte) ([]string, error) {
			return itemsOf((&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(proto))(spanItems)
		},
		itemsOfJSON: func(document []byte) ([]string, error) {
			return itemsOf((&ptrace.JSONUnmarshaler{}).UnmarshalTraces(document))(spanItems)
		},
		export: func(ctx context.Context, conn *grpc.ClientConn, proto []byte) error {
			request := ptraceotlp.NewExportRequest()
			if err := request.UnmarshalProto(proto); err != nil {
				return err
			}
			_, err := ptraceotlp.NewGRPCClient(conn).Export(ctx, request)
			return err
		},
	}
}

// plainTraces are traces of spans with a route of n bytes and little else, for tests of large
// amounts.
func plainTraces(n int) signal {
	s := traces()
	route := strings.Repeat("/pay", n/4)
	s.generate = func(label string, n int) []byte {
		data := ptrace.NewTraces()
		scope := data.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty()
		for i := range n {
			span := scope.Spans().AppendEmpty()
			traceID, spanID := id(i)
			span.SetTraceID(traceID)
			span.SetSpanID(spanID)
			span.SetName(fmt.Sprintf("%s %d", label, i))
			span.Attributes().PutStr("http.route", route)
		}
		return must((&ptrace.ProtoMarshaler{}).MarshalTraces(data))
	}
	return s
}

func metrics() signal {
	return signal{
		name: "metrics", httpPath: "/v1/metrics", generate: generateMetrics,
		itemsOfProto: func(proto []byte) ([]string, error) {
			return itemsOf((&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(proto))(pointItems)
		},
		itemsOfJSON: func(document []byte) ([]string, error) {
			return itemsOf((&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(document))(pointItems)
		},
		export: func(ctx context.Context, conn *grpc.ClientConn, proto []byte) error {
			request := pmetricotlp.NewExportRequest()
			if err := request.UnmarshalProto(proto); err != nil {
				return err
			}
			_, err := pmetricotlp.NewGRPCClient(conn).Export(ctx, request)
			return err
		},
	}
}

func logs() signal {
	return signal{
		name: "logs", httpPath: "/v1/logs", generate: generateLogs,
		itemsOfProto: func(proto []byte) ([]string, error) {
			return itemsOf((&plog.ProtoUnmarshaler{}).UnmarshalLogs(proto))(recordItems)
		},
		itemsOfJSON: func(document []byte) ([]string, error) {
			return itemsOf((&plog.JSONUnmarshaler{}).UnmarshalLogs(document))(recordItems)
		},
		export: func(ctx context.Context, conn *grpc.ClientConn, proto []byte) error {
			request := plogotlp.NewExportRequest()
			if err := request.UnmarshalProto(proto); err != nil {
				return err
			}
			_, err := plogotlp.NewGRPCClient(conn).Export(ctx, request)
			return err
		},
	}
}

func profiles() signal {
	return signal{
		name: "profiles", httpPath: "/v1development/profiles", generate: generateProfiles,
		itemsOfProto: func(proto []byte) ([]string, error) {
			return itemsOf((&pprofile.ProtoUnmarshaler{}).UnmarshalProfiles(proto))(wholeProfiles)
		},
		itemsOfJSON: func(document []byte) ([]string, error) {
			return itemsOf((&pprofile.JSONUnmarshaler{}).UnmarshalProfiles(document))(wholeProfiles)
		},
		export: func(ctx context.Context, conn *grpc.ClientConn, proto []byte) error {
			request := pprofileotlp.NewExportRequest()
			if err := request.UnmarshalProto(proto); err != nil {
				return err
			}
			_, err := pprofileotlp.NewGRPCClient(conn).Export(ctx, request)
			return err
		},
	}
}

func allSignals() []signal { return []signal{traces(), metrics(), logs(), profiles()} }

// itemsOf makes a decoder's answer usable in one expression.
func itemsOf[T any](data T, err error) func(func(T) ([]string, error)) ([]string, error) {
	return func(items func(T) ([]string, error)) ([]string, error) {
		if err != nil {
			return nil, err
		}
		return items(data)
	}
}

// dialOTLP connects to a collector's OTLP receiver.
func dialOTLP(t testing.TB, address string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	return conn
}

// export sends a batch over OTLP gRPC.
func (c *collector) export(s signal, proto []byte) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(c.t, s.export(ctx, c.grpc, proto))
}

// post sends a batch over OTLP HTTP.
func (c *collector) post(s signal, proto []byte) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	url := "http://" + c.logged("Starting HTTP server", "endpoint") + s.httpPath
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(proto))
	require.NoError(c.t, err)
	request.Header.Set("Content-Type", "application/x-protobuf")
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	require.NoError(c.t, err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	require.NoError(c.t, err)
	require.Equal(c.t, http.StatusOK, response.StatusCode, "%s", answer)
}

// flow is an application that sends one batch after the other, without a pause.
type flow struct {
	c      *collector
	signal signal
	counts feed[int] // one for each batch that the collector has accepted
	over   chan struct{}
	done   chan struct{}
	err    error // why it ended before it was told to; readable when done is closed
}

// flow sends batches of n items until stop.
func (c *collector) flow(s signal, n int) *flow {
	c.t.Helper()
	f := &flow{c: c, signal: s, over: make(chan struct{}), done: make(chan struct{})}
	conn := c.grpc
	go func() {
		defer close(f.done)
		for i := 0; f.err == nil; i++ {
			select {
			case <-f.over:
				return
			default:
			}
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			f.err = s.export(ctx, conn, s.generate(fmt.Sprintf("batch %d", i), n))
			cancel()
			f.counts.add(i)
		}
	}()
	c.t.Cleanup(f.end)
	return f
}

// sent is how many batches the collector has accepted.
func (f *flow) sent() int { return f.counts.len() }

// await waits until the collector has accepted n batches.
func (f *flow) await(n int) {
	f.c.t.Helper()
	f.counts.awaitLen(f.c.t, n, "accepted batches")
}

// end ends the flow, where that has not happened yet.
func (f *flow) end() {
	select {
	case <-f.over:
	default:
		close(f.over)
	}
	<-f.done
}

// stop ends the flow with one more batch, which is the only one with the returned label.
func (f *flow) stop() string {
	f.c.t.Helper()
	f.end()
	require.NoError(f.c.t, f.err)
	const label = "the last one"
	f.c.export(f.signal, f.signal.generate(label, 1))
	return label
}

// must encodes generated data, which always works.
func must(proto []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return proto
}
