package tapclient_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"

	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script plays a server's part in one call of Tap. The headers are sent by its first send, or by
// tap.open.
type script func(tap *served) error

// service is a TapService that plays scripts.
type service struct {
	remotetapv1.UnimplementedTapServiceServer
	play script
	list *remotetapv1.ListPointsResponse
}

func (s *service) Tap(request *remotetapv1.TapRequest, stream grpc.ServerStreamingServer[remotetapv1.TapResponse]) error {
	return s.play(&served{request: request, stream: stream})
}

func (s *service) ListPoints(context.Context, *remotetapv1.ListPointsRequest) (*remotetapv1.ListPointsResponse, error) {
	if s.list == nil {
		return nil, refusal(codes.Unavailable, &remotetapv1.Refusal{Error: "the collector is shutting down", Hint: "connect again when it is back"})
	}
	return s.list, nil
}

// served is one call of Tap.
type served struct {
	request *remotetapv1.TapRequest
	stream  grpc.ServerStreamingServer[remotetapv1.TapResponse]
}

func (c *served) open() error { return c.stream.SendHeader(nil) }

// spans sends a batch of spans with these names.
func (c *served) spans(names ...string) error {
	return c.stream.Send(&remotetapv1.TapResponse{
		Envelope: &remotetapv1.Envelope{Point: "remote_tap", TimeUnixNano: 1_700_000_000_000_000_005, Items: uint64(len(names))},
		Content:  &remotetapv1.TapResponse_Traces{Traces: tracesData(names...)},
	})
}

func (c *served) stats(ledger *remotetapv1.Ledger) error {
	return c.stream.Send(&remotetapv1.TapResponse{Content: &remotetapv1.TapResponse_Stats{Stats: &remotetapv1.Stats{Ledger: ledger, Points: []string{"remote_tap"}}}})
}

// end sends the End and returns the status that follows it.
func (c *served) end(reason string, ledger *remotetapv1.Ledger) error {
	err := c.stream.Send(&remotetapv1.TapResponse{Content: &remotetapv1.TapResponse_End{End: &remotetapv1.End{Reason: reason, Ledger: ledger}}})
	if err != nil {
		return err
	}
	switch reason {
	case "count_reached", "duration_reached":
		return nil
	case "shutdown":
		return status.Error(codes.Unavailable, reason)
	case "internal_error":
		return status.Error(codes.Internal, reason)
	default:
		return status.Error(codes.DeadlineExceeded, reason)
	}
}

// untilGone waits for the client to leave.
func (c *served) untilGone() error {
	<-c.stream.Context().Done()
	return nil
}

// refusal is a status with a Refusal among its details.
func refusal(code codes.Code, r *remotetapv1.Refusal) error {
	s, err := status.New(code, r.GetError()).WithDetails(r)
	if err != nil {
		return err
	}
	return s.Err()
}

// account is a ledger whose sums are right.
func account(sent, pending uint64, dropped map[string]uint64) *remotetapv1.Ledger {
	l := &remotetapv1.Ledger{
		Since: timestamppb.New(time.Unix(1_700_000_000, 0)), Now: timestamppb.New(time.Unix(1_700_000_009, 0)),
		Sent: sent, Pending: pending, Dropped: dropped, Unmatched: 5, Matched: sent + pending, Bytes: 10 * sent,
	}
	for _, n := range dropped {
		l.Matched += n
	}
	l.Seen = l.Matched + l.Unmatched
	return l
}

// tracesOf is a batch of spans with these names.
func tracesOf(names ...string) ptrace.Traces {
	traces := ptrace.NewTraces()
	resource := traces.ResourceSpans().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", "checkout")
	spans := resource.ScopeSpans().AppendEmpty().Spans()
	for _, name := range names {
		spans.AppendEmpty().SetName(name)
	}
	return traces
}

func tracesData(names ...string) *tracev1.TracesData {
	encoded, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(tracesOf(names...))
	if err != nil {
		panic(err)
	}
	data := &tracev1.TracesData{}
	if err := proto.Unmarshal(encoded, data); err != nil {
		panic(err)
	}
	return data
}

// internet is a network in memory, with servers that come and go.
type internet struct {
	t         *testing.T
	mu        sync.Mutex
	listeners map[string]*bufconn.Listener
	servers   map[string]*grpc.Server
	dialled   []string
}

func newInternet(t *testing.T) *internet {
	t.Helper()
	n := &internet{t: t, listeners: map[string]*bufconn.Listener{}, servers: map[string]*grpc.Server{}}
	t.Cleanup(func() {
		for address := range n.servers {
			n.stop(address)
		}
	})
	return n
}

// start runs a server at an address.
func (n *internet) start(address string, s *service) {
	listener := bufconn.Listen(64 << 10)
	server := grpc.NewServer(grpc.WaitForHandlers(true),
		// The server of a collector, net/http's, does not mind pings; grpc-go's would.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second}))
	remotetapv1.RegisterTapServiceServer(server, s)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listeners[address], n.servers[address] = listener, server
	go func() { _ = server.Serve(listener) }()
}

// listen accepts connections at an address and never says anything.
func (n *internet) listen(address string) {
	listener := bufconn.Listen(64 << 10)
	n.mu.Lock()
	n.listeners[address] = listener
	n.mu.Unlock()
	n.t.Cleanup(func() { _ = listener.Close() })
}

// stop ends a server and cuts its connections.
func (n *internet) stop(address string) {
	n.mu.Lock()
	server := n.servers[address]
	delete(n.listeners, address)
	delete(n.servers, address)
	n.mu.Unlock()
	if server != nil {
		server.Stop()
	}
}

func (n *internet) dial(ctx context.Context, network, address string) (net.Conn, error) {
	n.mu.Lock()
	listener := n.listeners[address]
	n.dialled = append(n.dialled, address)
	n.mu.Unlock()
	if listener == nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: fmt.Errorf("connect to %s: %w", address, syscall.ECONNREFUSED)}
	}
	return listener.DialContext(ctx)
}

// attempts is how often an address was dialled.
func (n *internet) attempts(address string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	count := 0
	for _, dialled := range n.dialled {
		if dialled == address {
			count++
		}
	}
	return count
}

// client dials endpoints on the network.
func (n *internet) client(endpoint string, options ...tapclient.Option) *tapclient.Client {
	n.t.Helper()
	c, err := tapclient.Dial(n.t.Context(), endpoint, append([]tapclient.Option{tapclient.WithDialer(n.dial)}, options...)...)
	require.NoError(n.t, err)
	n.t.Cleanup(c.Close)
	return c
}

// tap opens a stream.
func (n *internet) tap(endpoint string, selection tapclient.Selection, options ...tapclient.Option) *reader {
	n.t.Helper()
	s, err := n.client(endpoint, options...).Tap(n.t.Context(), selection)
	require.NoError(n.t, err)
	return &reader{n.t, s}
}

// reader reads a stream in a test.
type reader struct {
	t *testing.T
	*tapclient.Stream
}

// next is the next event, which has to be of a type.
func next[E tapclient.Event](r *reader) E {
	r.t.Helper()
	event, err := r.Next(r.t.Context())
	require.NoError(r.t, err)
	expected, ok := event.(E)
	if !ok {
		require.Failf(r.t, "another event than expected", "it is a %T: %+v", event, event)
	}
	return expected
}

// names are the span names of the next event, which has to be a batch.
func (r *reader) names() []string {
	r.t.Helper()
	return spanNames(r.t, next[*tapclient.Batch](r))
}

func spanNames(t *testing.T, b *tapclient.Batch) []string {
	t.Helper()
	traces, err := b.Traces()
	require.NoError(t, err)
	var names []string
	for _, resource := range traces.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				names = append(names, span.Name())
			}
		}
	}
	require.Len(t, names, int(b.Items))
	return names
}

// over expects the end of the stream, and returns the error.
func (r *reader) over() error {
	r.t.Helper()
	event, err := r.Next(r.t.Context())
	require.Error(r.t, err, "%T: %+v", event, event)
	return err
}
