// Package receivertest is an OTLP receiver for tests, over gRPC and HTTP: it keeps what it takes, and
// answers what the test says.
package receivertest

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/pprofile/pprofileotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Receiver is an OTLP receiver. Set its fields before the first request.
type Receiver struct {
	// Answer decides about each request by its number from 0: an error, such as status.Error makes,
	// refuses it; else so many items are rejected, with a message. nil takes everything.
	Answer func(request int) (rejected int64, message string, err error)
	// OnRequest, if not nil, is called before each answer.
	OnRequest func()
	// GRPC and URL are where it listens.
	GRPC, URL string

	mu       sync.Mutex
	requests int
	headers  []metadata.MD // of the requests, in lower case
	traces   ptrace.Traces
	metrics  pmetric.Metrics
	logs     plog.Logs
	samples  int
}

// Test is what is needed of a testing.TB.
type Test interface {
	Helper()
	Fatal(args ...any)
	Cleanup(f func())
}

// Start starts a receiver, which ends with the test.
func Start(t Test) *Receiver {
	t.Helper()
	r := &Receiver{traces: ptrace.NewTraces(), metrics: pmetric.NewMetrics(), logs: plog.NewLogs()}
	var lc net.ListenConfig
	listener, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.GRPC = listener.Addr().String()
	server := grpc.NewServer(grpc.MaxRecvMsgSize(64 << 20))
	ptraceotlp.RegisterGRPCServer(server, &tracesServer{receiver: r})
	pmetricotlp.RegisterGRPCServer(server, &metricsServer{receiver: r})
	plogotlp.RegisterGRPCServer(server, &logsServer{receiver: r})
	pprofileotlp.RegisterGRPCServer(server, &profilesServer{receiver: r})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // it ends with Stop; else requests fail
	}()
	web := httptest.NewServer(r.handler())
	r.URL = web.URL
	t.Cleanup(func() {
		web.Close()
		server.Stop()
		<-done
	})
	return r
}

// Traces is what it has taken so far.
func (r *Receiver) Traces() ptrace.Traces {
	r.mu.Lock()
	defer r.mu.Unlock()
	td := ptrace.NewTraces()
	r.traces.CopyTo(td)
	return td
}

// Metrics is what it has taken so far.
func (r *Receiver) Metrics() pmetric.Metrics {
	r.mu.Lock()
	defer r.mu.Unlock()
	md := pmetric.NewMetrics()
	r.metrics.CopyTo(md)
	return md
}

// Logs is what it has taken so far.
func (r *Receiver) Logs() plog.Logs {
	r.mu.Lock()
	defer r.mu.Unlock()
	ld := plog.NewLogs()
	r.logs.CopyTo(ld)
	return ld
}

// Items is the number of items in the requests that it has taken, whether rejected or not.
func (r *Receiver) Items() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.traces.SpanCount() + r.metrics.DataPointCount() + r.logs.LogRecordCount() + r.samples
}

// Requests is how many there were.
func (r *Receiver) Requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests
}

// Headers are those of each request, by their names in lower case.
func (r *Receiver) Headers() []metadata.MD {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.headers
}

// decide answers a request; keep keeps what it holds.
func (r *Receiver) decide(md metadata.MD, keep func()) (rejected int64, message string, err error) {
	if r.OnRequest != nil {
		r.OnRequest()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	number := r.requests
	r.requests++
	r.headers = append(r.headers, md)
	if r.Answer != nil {
		rejected, message, err = r.Answer(number)
	}
	if err == nil {
		keep()
	}
	return rejected, message, err
}

func (r *Receiver) takeTraces(md metadata.MD, request ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	response := ptraceotlp.NewExportResponse()
	rejected, message, err := r.decide(md, func() { request.Traces().ResourceSpans().MoveAndAppendTo(r.traces.ResourceSpans()) })
	response.PartialSuccess().SetRejectedSpans(rejected)
	response.PartialSuccess().SetErrorMessage(message)
	return response, err
}

// handler is OTLP/HTTP; it takes traces only. The code of a refusal is that of HTTP.
func (r *Receiver) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", func(w http.ResponseWriter, hr *http.Request) {
		body, err := io.ReadAll(hr.Body)
		request := ptraceotlp.NewExportRequest()
		if err != nil || request.UnmarshalProto(body) != nil {
			http.Error(w, "malformed", http.StatusBadRequest)
			return
		}
		md := metadata.MD{}
		for name, values := range hr.Header {
			md.Append(name, values...)
		}
		response, err := r.takeTraces(md, request)
		if err != nil {
			w.Header().Set("Retry-After", "0")
			http.Error(w, status.Convert(err).Message(), int(status.Code(err)))
			return
		}
		content, err := response.MarshalProto()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
		_, _ = w.Write(content) // the client may have left
	})
	return mux
}

func incoming(ctx context.Context) metadata.MD {
	md, _ := metadata.FromIncomingContext(ctx)
	return md
}

type tracesServer struct {
	ptraceotlp.UnimplementedGRPCServer
	receiver *Receiver
}

// Export takes spans.
func (s *tracesServer) Export(ctx context.Context, request ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	return s.receiver.takeTraces(incoming(ctx), request)
}

type metricsServer struct {
	pmetricotlp.UnimplementedGRPCServer
	receiver *Receiver
}

// Export takes data points.
func (s *metricsServer) Export(ctx context.Context, request pmetricotlp.ExportRequest) (pmetricotlp.ExportResponse, error) {
	response := pmetricotlp.NewExportResponse()
	rejected, message, err := s.receiver.decide(incoming(ctx), func() {
		request.Metrics().ResourceMetrics().MoveAndAppendTo(s.receiver.metrics.ResourceMetrics())
	})
	response.PartialSuccess().SetRejectedDataPoints(rejected)
	response.PartialSuccess().SetErrorMessage(message)
	return response, err
}

type logsServer struct {
	plogotlp.UnimplementedGRPCServer
	receiver *Receiver
}

// Export takes log records.
func (s *logsServer) Export(ctx context.Context, request plogotlp.ExportRequest) (plogotlp.ExportResponse, error) {
	response := plogotlp.NewExportResponse()
	rejected, message, err := s.receiver.decide(incoming(ctx), func() {
		request.Logs().ResourceLogs().MoveAndAppendTo(s.receiver.logs.ResourceLogs())
	})
	response.PartialSuccess().SetRejectedLogRecords(rejected)
	response.PartialSuccess().SetErrorMessage(message)
	return response, err
}

type profilesServer struct {
	pprofileotlp.UnimplementedGRPCServer
	receiver *Receiver
}

// Export takes profile samples.
func (s *profilesServer) Export(ctx context.Context, request pprofileotlp.ExportRequest) (pprofileotlp.ExportResponse, error) {
	_, _, err := s.receiver.decide(incoming(ctx), func() { s.receiver.samples += request.Profiles().SampleCount() })
	return pprofileotlp.NewExportResponse(), err
}
