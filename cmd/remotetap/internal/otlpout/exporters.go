package otlpout

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// maxAnswer is how much of an answer is read, in bytes.
const maxAnswer = 64 << 10

// answer is what a receiver says about a request that it took.
type answer struct {
	rejected int64 // items that it left out
	message  string
}

// exporter sends one request, once. It blocks until there is an answer or ctx is done.
type exporter interface {
	export(ctx context.Context, signal otlp.Signal, body []byte) (answer, *failure)
	close() error
}

// read reads an answer: the Export...ServiceResponse of all signals has the same form.
func read(body []byte) (answer, *failure) {
	response := ptraceotlp.NewExportResponse()
	if err := response.UnmarshalProto(body); err != nil {
		return answer{}, &failure{err: fmt.Errorf("the answer is not OTLP: %w", err)}
	}
	partial := response.PartialSuccess()
	return answer{rejected: partial.RejectedSpans(), message: partial.ErrorMessage()}, nil
}

// overGRPC is OTLP/gRPC.
type overGRPC struct {
	conn *grpc.ClientConn
	md   metadata.MD
}

func newGRPC(t *target, userAgent string) (*overGRPC, error) {
	security := insecure.NewCredentials()
	if t.tls != nil {
		security = credentials.NewTLS(t.tls)
	}
	// The waits between requests are the sender's: the connection's own are short.
	conn, err := grpc.NewClient(t.address,
		grpc.WithTransportCredentials(security),
		grpc.WithUserAgent(userAgent),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.5, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: 5 * time.Second,
		}))
	return &overGRPC{conn: conn, md: t.headers}, err
}

// service is the path of a signal's method.
func service(signal otlp.Signal) string {
	return [otlp.NumSignals]string{
		otlp.Traces:   "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
		otlp.Metrics:  "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
		otlp.Logs:     "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
		otlp.Profiles: "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export",
	}[signal]
}

func (g *overGRPC) export(ctx context.Context, signal otlp.Signal, body []byte) (answer, *failure) {
	var response []byte
	err := g.conn.Invoke(metadata.NewOutgoingContext(ctx, g.md), service(signal), body, &response, grpc.ForceCodecV2(encoded{}))
	if err != nil {
		return answer{}, ofGRPC(err)
	}
	return read(response)
}

func (g *overGRPC) close() error { return g.conn.Close() }

// encoded is a codec for messages that are encoded already.
type encoded struct{}

// Marshal takes a []byte.
func (encoded) Marshal(v any) (mem.BufferSlice, error) {
	message, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("cannot send a %T", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(message)}, nil
}

// Unmarshal gives a *[]byte.
func (encoded) Unmarshal(data mem.BufferSlice, v any) error {
	message, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("cannot receive a %T", v)
	}
	*message = data.Materialize()
	return nil
}

// Name is that of the encoding.
func (encoded) Name() string { return "proto" }

// overHTTP is OTLP/HTTP with protobuf.
type overHTTP struct {
	client    *http.Client
	base      *url.URL
	headers   map[string][]string
	userAgent string
}

func newHTTP(t *target, userAgent string) *overHTTP {
	transport := &http.Transport{
		Proxy:             http.ProxyFromEnvironment,
		TLSClientConfig:   t.tls,
		ForceAttemptHTTP2: true,
		IdleConnTimeout:   time.Minute,
	}
	return &overHTTP{
		client: &http.Client{
			Transport: transport,
			// Telemetry and credentials go where the user says, and nowhere else.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		base: t.base, headers: t.headers, userAgent: userAgent,
	}
}

// path is what a signal adds to the URL.
func path(signal otlp.Signal) string {
	return [otlp.NumSignals]string{
		otlp.Traces:   "v1/traces",
		otlp.Metrics:  "v1/metrics",
		otlp.Logs:     "v1/logs",
		otlp.Profiles: "v1development/profiles",
	}[signal]
}

func (h *overHTTP) export(ctx context.Context, signal otlp.Signal, body []byte) (answer, *failure) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, h.base.JoinPath(path(signal)).String(), bytes.NewReader(body))
	if err != nil {
		return answer{}, &failure{err: err}
	}
	for name, values := range h.headers {
		request.Header[http.CanonicalHeaderKey(name)] = values
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	request.Header.Set("User-Agent", h.userAgent)
	response, err := h.client.Do(request)
	if err != nil {
		return answer{}, ofConnection(plain(err))
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return answer{}, ofConnection(err)
	}
	if f := ofHTTP(response, said(response, content), time.Now()); f != nil {
		return answer{}, f
	}
	if !isProtobuf(response) {
		return answer{}, nil // it took the request, and says so in another language
	}
	return read(content)
}

func (h *overHTTP) close() error {
	h.client.CloseIdleConnections()
	return nil
}

func isProtobuf(response *http.Response) bool {
	return strings.HasPrefix(response.Header.Get("Content-Type"), "application/x-protobuf")
}

// said is the message of an answer: a google.rpc.Status, or a short text.
func said(response *http.Response, content []byte) string {
	if isProtobuf(response) {
		var s spb.Status
		if proto.Unmarshal(content, &s) == nil {
			return s.GetMessage()
		}
		return ""
	}
	text, _, _ := strings.Cut(strings.TrimSpace(string(content)), "\n")
	if len(text) > 200 || strings.HasPrefix(text, "<") {
		return ""
	}
	return text
}

// plain is an error without the URL, which is the same in each.
func plain(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return errors.New("the receiver speaks no TLS here; write http://, or leave the flags about TLS out")
	}
	return err
}
