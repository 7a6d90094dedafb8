package remotetapprocessor

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

// The service's methods.
const (
	tapMethod    = remotetapv1.TapService_Tap_FullMethodName
	pointsMethod = remotetapv1.TapService_ListPoints_FullMethodName
)

// rpcKind is one way to call the service.
type rpcKind struct {
	name      string
	transport string // as the log calls it
	over      protocol
	options   []connect.ClientOption
}

// rpcKinds are all ways to call the service; the first is plain gRPC.
func rpcKinds() []rpcKind {
	grpc, web := []connect.ClientOption{connect.WithGRPC()}, []connect.ClientOption{connect.WithGRPCWeb()}
	return []rpcKind{
		{"gRPC", "grpc", h2c, grpc},
		{"gRPC-Web over HTTP/1.1", "grpc_web", http1, web},
		{"gRPC-Web over HTTP/2", "grpc_web", h2c, web},
		{"Connect over HTTP/1.1", "connect", http1, nil},
		{"Connect over HTTP/2", "connect", h2c, nil},
	}
}

// plainGRPC is what most clients speak.
func plainGRPC() rpcKind { return rpcKinds()[0] }

// with is the kind with further options of the client.
func (k rpcKind) with(options ...connect.ClientOption) rpcKind {
	k.options = append(append([]connect.ClientOption{}, k.options...), options...)
	return k
}

// rpcClient makes a client for one method, with connections of its own.
func rpcClient[Req, Res any](o *observed, k rpcKind, method string) *connect.Client[Req, Res] {
	return connect.NewClient[Req, Res](o.newClient(k.over), "http://"+o.s.addr.String()+method, k.options...)
}

// newRequest is the request of a call, with a header; Host among it is the name that the client
// connects to.
func newRequest[T any](message *T, header []string) *connect.Request[T] {
	request := connect.NewRequest(message)
	setHeader(request.Header(), header)
	return request
}

// rpcStream is a call of Tap as its client sees it.
type rpcStream[Res any] struct {
	t      testing.TB
	stream *connect.ServerStreamForClient[Res]
	leave  context.CancelFunc
}

// calls begins a call of Tap and does not wait for the answer. It ends with the test.
func calls[Req, Res any](o *observed, k rpcKind, message *Req, header ...string) *rpcStream[Res] {
	o.t.Helper()
	ctx, cancel := context.WithCancel(o.t.Context())
	stream, err := rpcClient[Req, Res](o, k, tapMethod).CallServerStream(ctx, newRequest(message, header))
	if err != nil {
		cancel()
		require.NoError(o.t, err)
	}
	o.t.Cleanup(func() {
		cancel() // first, or closing would read on
		_ = stream.Close()
	})
	return &rpcStream[Res]{t: o.t, stream: stream, leave: cancel}
}

// rpcTap opens a tap: it waits for the response's header.
func (o *observed) rpcTap(k rpcKind, request *remotetapv1.TapRequest, header ...string) *rpcStream[remotetapv1.TapResponse] {
	o.t.Helper()
	s := calls[remotetapv1.TapRequest, remotetapv1.TapResponse](o, k, request, header...)
	require.NotEmpty(o.t, s.stream.ResponseHeader().Get("Content-Type"))
	return s
}

// rawTap opens a tap whose responses are bytes.
func (o *observed) rawTap(k rpcKind, request *remotetapv1.TapRequest) *rpcStream[rawMessage] {
	o.t.Helper()
	s := calls[rawMessage, rawMessage](o, k.with(connect.WithCodec(rawCodec{})), rawMessageOf(o.t, request))
	require.NotEmpty(o.t, s.stream.ResponseHeader().Get("Content-Type"))
	return s
}

// next reads the next response.
func (s *rpcStream[Res]) next() *Res {
	s.t.Helper()
	require.True(s.t, s.stream.Receive(), "the tap has ended: %v", s.stream.Err())
	return s.stream.Msg()
}

// rest reads to the end, and returns what came before it and how it ended: nil for OK.
func (s *rpcStream[Res]) rest() (responses []*Res, end error) {
	for s.stream.Receive() {
		responses = append(responses, s.stream.Msg())
	}
	return responses, s.stream.Err()
}

// refused expects that nothing comes but an error, and returns it with its Refusal.
func (s *rpcStream[Res]) refused() (*connect.Error, *remotetapv1.Refusal) {
	s.t.Helper()
	responses, err := s.rest()
	require.Empty(s.t, responses)
	return refusalOf(s.t, err)
}

// refusalOf is the error of a call and the Refusal among its details; nil if there is none.
func refusalOf(t testing.TB, err error) (*connect.Error, *remotetapv1.Refusal) {
	t.Helper()
	var status *connect.Error
	require.ErrorAs(t, err, &status)
	for _, detail := range status.Details() {
		value, err := detail.Value()
		require.NoError(t, err)
		if refused, ok := value.(*remotetapv1.Refusal); ok {
			return status, refused
		}
	}
	return status, nil
}

// rawMessage is a message as it is on the wire.
type rawMessage struct{ bytes []byte }

func rawMessageOf(t testing.TB, message proto.Message) *rawMessage {
	t.Helper()
	encoded, err := proto.Marshal(message)
	require.NoError(t, err)
	return &rawMessage{encoded}
}

// rawCodec hands rawMessages through. The errors of calls are encoded as always.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(message any) ([]byte, error) {
	switch m := message.(type) {
	case *rawMessage:
		return bytes.Clone(m.bytes), nil
	case proto.Message:
		return proto.Marshal(m)
	default:
		return nil, fmt.Errorf("%T is no message", message)
	}
}

func (rawCodec) Unmarshal(data []byte, message any) error {
	switch m := message.(type) {
	case *rawMessage:
		m.bytes = bytes.Clone(data)
		return nil
	case proto.Message:
		return proto.Unmarshal(data, m)
	default:
		return fmt.Errorf("%T is no message", message)
	}
}

// spansOf is the names of the spans in a response; it must be one with spans.
func spansOf(t testing.TB, response *remotetapv1.TapResponse) []string {
	t.Helper()
	require.NotNil(t, response.GetTraces(), "%v", response)
	var names []string
	for _, resource := range response.GetTraces().GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				names = append(names, span.GetName())
			}
		}
	}
	return names
}

// spanCounter returns a function that counts the spans of the next response.
func spanCounter(s *rpcStream[remotetapv1.TapResponse]) func() int {
	return func() int { return len(spansOf(s.t, s.next())) }
}

// ending expects that the last response is an End and returns it.
func ending(t testing.TB, responses []*remotetapv1.TapResponse) *remotetapv1.End {
	t.Helper()
	require.NotEmpty(t, responses)
	for _, response := range responses[:len(responses)-1] {
		require.Nil(t, response.GetEnd(), "nothing follows the End")
	}
	end := responses[len(responses)-1].GetEnd()
	require.NotNil(t, end, "the last response is an End")
	return end
}

// requireHonest checks an account that a client was given, and returns what was dropped.
func requireHonest(t testing.TB, l *remotetapv1.Ledger) (dropped uint64) {
	t.Helper()
	for reason, n := range l.GetDropped() {
		require.NotZero(t, n, reason)
		dropped += n
	}
	require.Equal(t, l.GetSeen(), l.GetSkipped()+l.GetUnmatched()+l.GetMatched(), "seen = skipped + unmatched + matched")
	require.Equal(t, l.GetMatched(), l.GetSent()+l.GetPending()+dropped, "matched = sent + pending + dropped")
	return dropped
}

// assertCode checks the status of a call.
func assertCode(t testing.TB, want connect.Code, err error) {
	t.Helper()
	var status *connect.Error
	if assert.ErrorAs(t, err, &status) {
		assert.Equal(t, want.String(), status.Code().String(), "%v", err)
	}
}

// post sends a body as curl does and returns the answer.
func (o *observed) post(p protocol, path, body string, header ...string) (reply, string) {
	o.t.Helper()
	return o.send(p, http.MethodPost, path, body, header...)
}

// send is post with another method.
func (o *observed) send(p protocol, method, path, body string, header ...string) (reply, string) {
	o.t.Helper()
	request, err := http.NewRequestWithContext(o.t.Context(), method, "http://"+o.s.addr.String()+path, strings.NewReader(body))
	require.NoError(o.t, err)
	setHeader(request.Header, header)
	response, err := o.newClient(p).Do(request)
	require.NoError(o.t, err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	require.NoError(o.t, err)
	return reply{response.StatusCode, response.Header, response.Body}, string(answer)
}
