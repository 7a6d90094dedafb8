package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

// library is a client library for the service, as users have it.
type library struct {
	name      string
	transport string // as /v1/points calls it
	tap       func(ctx context.Context, c *collector, request *remotetapv1.TapRequest, header ...string) (responses, error)
	points    func(c *collector, header ...string) (*remotetapv1.ListPointsResponse, error)
}

// responses is a call of Tap as its client sees it.
type responses interface {
	Recv() (*remotetapv1.TapResponse, error)
}

// libraries are all of them; the first is grpc-go.
func libraries() []library {
	web := []connect.ClientOption{connect.WithGRPCWeb()}
	return []library{
		{"grpc-go", "grpc", tapWithGRPC, pointsWithGRPC},
		connectGo("connect-go with gRPC", "grpc", 2, connect.WithGRPC()),
		connectGo("connect-go with gRPC-Web over HTTP 1.1", "grpc_web", 1, web...),
		connectGo("connect-go with gRPC-Web over HTTP 2", "grpc_web", 2, web...),
		connectGo("connect-go with Connect over HTTP 1.1", "connect", 1),
		connectGo("connect-go with Connect over HTTP 2", "connect", 2),
	}
}

// stub connects grpc-go to the tap.
func (c *collector) stub() *grpc.ClientConn {
	c.t.Helper()
	transport := insecure.NewCredentials()
	if c.tls != nil {
		transport = credentials.NewTLS(c.tls.Clone())
	}
	server := c.server()
	conn, err := grpc.NewClient("passthrough:///"+c.address(),
		grpc.WithTransportCredentials(transport),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, server.network, server.address)
		}))
	require.NoError(c.t, err)
	c.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// saying adds a header to the calls of grpc-go.
func saying(ctx context.Context, header []string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, header...)
}

func tapWithGRPC(ctx context.Context, c *collector, request *remotetapv1.TapRequest, header ...string) (responses, error) {
	stream, err := remotetapv1.NewTapServiceClient(c.stub()).Tap(saying(ctx, header), request)
	if err != nil {
		return nil, err
	}
	_, err = stream.Header() // comes at once, when the tap is open
	return stream, err
}

func pointsWithGRPC(c *collector, header ...string) (*remotetapv1.ListPointsResponse, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return remotetapv1.NewTapServiceClient(c.stub()).ListPoints(saying(ctx, header), &remotetapv1.ListPointsRequest{})
}

// connectStream is a call of Tap by connect-go.
type connectStream struct {
	*connect.ServerStreamForClient[remotetapv1.TapResponse]
}

func (s connectStream) Recv() (*remotetapv1.TapResponse, error) {
	if s.Receive() {
		return s.Msg(), nil
	}
	if s.Err() == nil {
		return nil, io.EOF
	}
	return nil, s.Err()
}

func connectGo(name, transport string, version int, options ...connect.ClientOption) library {
	return library{
		name: name, transport: transport,
		tap: func(ctx context.Context, c *collector, request *remotetapv1.TapRequest, header ...string) (responses, error) {
			client := connect.NewClient[remotetapv1.TapRequest, remotetapv1.TapResponse](c.httpClient(version), c.url("http", tapMethod), options...)
			call := connect.NewRequest(request)
			maps.Copy(call.Header(), headerOf(header))
			stream, err := client.CallServerStream(ctx, call)
			if err != nil {
				return nil, err
			}
			c.t.Cleanup(func() { _ = stream.Close() })
			stream.ResponseHeader() // comes at once, when the tap is open
			return connectStream{stream}, nil
		},
		points: func(c *collector, header ...string) (*remotetapv1.ListPointsResponse, error) {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			client := connect.NewClient[remotetapv1.ListPointsRequest, remotetapv1.ListPointsResponse](c.httpClient(version), c.url("http", pointsMethod), options...)
			call := connect.NewRequest(&remotetapv1.ListPointsRequest{})
			maps.Copy(call.Header(), headerOf(header))
			answer, err := client.CallUnary(ctx, call)
			if err != nil {
				return nil, err
			}
			return answer.Msg, nil
		},
	}
}

// patiently is a context for a call of a test.
func patiently(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// receive reads responses until they have held n items of a signal, and returns these.
func receive(t testing.TB, from responses, s signal, n int, who string) []string {
	t.Helper()
	var got []string
	for len(got) < n {
		response, err := from.Recv()
		require.NoError(t, err, who)
		require.Equal(t, "remote_tap", response.GetEnvelope().GetPoint(), who)
		document := response.GetProfiles()
		for _, message := range []proto.Message{response.GetTraces(), response.GetMetrics(), response.GetLogs()} {
			if message.ProtoReflect().IsValid() {
				document, err = proto.Marshal(message)
				require.NoError(t, err, who)
			}
		}
		items, err := s.itemsOfProto(document)
		require.NoError(t, err, who)
		require.NotEmpty(t, items, who)
		if s.name != "profiles" { // a document of which counts its samples
			require.EqualValues(t, len(items), response.GetEnvelope().GetItems(), who)
		}
		got = append(got, items...)
	}
	return got
}

// end reads to the end, which must be an End and then the status, and returns both.
func end(t testing.TB, from responses, who string) (*remotetapv1.End, error) {
	t.Helper()
	var last *remotetapv1.TapResponse
	for {
		response, err := from.Recv()
		if err == nil {
			last = response
			continue
		}
		require.NotNil(t, last.GetEnd(), "%s: the last response is %v, then %v", who, last, err)
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return last.GetEnd(), err
	}
}

// codeOf is the status of a call, whatever the library.
func codeOf(err error) codes.Code {
	if status, ok := errors.AsType[*connect.Error](err); ok {
		return codes.Code(status.Code())
	}
	return grpcstatus.Code(err)
}

// refusalIn is the Refusal among the details of a status; nil if there is none.
func refusalIn(t testing.TB, err error) *remotetapv1.Refusal {
	t.Helper()
	if status, ok := errors.AsType[*connect.Error](err); ok {
		for _, detail := range status.Details() {
			value, err := detail.Value()
			require.NoError(t, err)
			if refused, ok := value.(*remotetapv1.Refusal); ok {
				return refused
			}
		}
		return nil
	}
	for _, detail := range grpcstatus.Convert(err).Details() {
		if refused, ok := detail.(*remotetapv1.Refusal); ok {
			return refused
		}
	}
	return nil
}

// access is a way to protect the tap, and what a client needs for it.
type access struct {
	name  string
	start func(t *testing.T) (c *collector, header []string)
}

func accesses() []access {
	return []access{
		{"in plain text", func(t *testing.T) (*collector, []string) {
			t.Helper()
			return start(t, fourPipelines), nil
		}},
		{"over TLS", func(t *testing.T) (*collector, []string) {
			t.Helper()
			directory, a := t.TempDir(), newAuthority(t)
			a.writeServerFiles(directory)
			c := start(t, fourPipelines, "processors: {remote_tap: {tls: {cert_file: "+directory+"/server.crt, key_file: "+directory+"/server.key}}}")
			c.tls = a.client()
			return c, nil
		}},
		{"over TLS with a client's certificate", func(t *testing.T) (*collector, []string) {
			t.Helper()
			c, a := startTLS(t)
			c.tls = a.client(a.issue("ada", x509.ExtKeyUsageClientAuth))
			return c, nil
		}},
		{"with a name and a password", func(t *testing.T) (*collector, []string) {
			t.Helper()
			c := start(t, fourPipelines, authConfig("basicauth/tap", "{htpasswd: {inline: 'ada:lovelace'}}", ""))
			return c, []string{"Authorization", basicAuth("ada", "lovelace")}
		}},
		{"with a token", func(t *testing.T) (*collector, []string) {
			t.Helper()
			c := start(t, fourPipelines, authConfig("bearertokenauth", "{token: a-long-secret}", ""))
			return c, []string{"Authorization", "Bearer a-long-secret"}
		}},
	}
}

func TestStockClientsGetWhatIsSentItemForItem(t *testing.T) {
	for _, access := range accesses() {
		t.Run(access.name, func(t *testing.T) {
			c, header := access.start(t)
			var open []responses
			for _, l := range libraries() {
				tap, err := l.tap(patiently(t), c, &remotetapv1.TapRequest{}, header...)
				require.NoError(t, err, l.name)
				open = append(open, tap)
			}
			for _, s := range allSignals() {
				batch := s.generate("stock", 5)
				c.export(s, batch)
				want := items(t, s, batch)
				for i, l := range libraries() {
					requireSame(t, want, receive(t, open[i], s, len(want), l.name), l.name+", "+s.name)
				}
			}
			for _, l := range libraries() {
				points, err := l.points(c, header...)
				require.NoError(t, err, l.name)
				require.Len(t, points.GetTaps(), len(libraries()), l.name)
				for i, tap := range points.GetTaps() {
					require.Equal(t, libraries()[i].transport, tap.GetTransport(), l.name)
				}
			}
		})
	}
}

func TestStockClientsWithoutWhatTheyNeedAreTurnedAway(t *testing.T) {
	c, _ := accesses()[3].start(t)
	for _, l := range libraries() {
		tap, err := l.tap(patiently(t), c, &remotetapv1.TapRequest{}, "Authorization", basicAuth("ada", "byron"))
		if err == nil {
			_, err = tap.Recv()
		}
		require.Equal(t, codes.Unauthenticated, codeOf(err), "%s: %v", l.name, err)
		require.Contains(t, refusalIn(t, err).GetHint(), "Basic", l.name)
		_, err = l.points(c)
		require.Equal(t, codes.Unauthenticated, codeOf(err), "%s: %v", l.name, err)
	}
	stream, err := remotetapv1.NewTapServiceClient(c.stub()).Tap(patiently(t), &remotetapv1.TapRequest{})
	require.NoError(t, err)
	header, err := stream.Header()
	require.NoError(t, err)
	require.Equal(t, []string{`Basic realm="remote_tap"`}, header.Get("www-authenticate"))

	secure, _ := startTLS(t)
	secure.tls = &tls.Config{InsecureSkipVerify: true}
	for _, l := range libraries() {
		tap, err := l.tap(patiently(t), secure, &remotetapv1.TapRequest{})
		if err == nil {
			_, err = tap.Recv()
		}
		require.Error(t, err, l.name) // there is no connection; what that is called depends on who notices first
		require.Nil(t, refusalIn(t, err), l.name)
	}
	require.Zero(t, c.countLogged("tap opened")+secure.countLogged("tap opened"))
}

func TestHowCallsOfStockClientsEnd(t *testing.T) {
	c := start(t, fourPipelines)
	batch := plainTraces(4).generate("end", 9)
	ended := 0
	for _, l := range libraries() {
		tap, err := l.tap(patiently(t), c, &remotetapv1.TapRequest{Count: new(uint64(3)), Stats: durationpb.New(time.Hour)})
		require.NoError(t, err, l.name)
		c.export(traces(), batch)
		last, err := end(t, tap, l.name)
		require.NoError(t, err, l.name)
		require.Equal(t, "count_reached", last.GetReason(), l.name)
		require.EqualValues(t, 3, last.GetLedger().GetSent(), l.name)

		_, err = l.tap(patiently(t), c, &remotetapv1.TapRequest{Duration: durationpb.New(time.Millisecond)})
		require.NoError(t, err, l.name)

		ctx, cancel := context.WithCancel(patiently(t))
		tap, err = l.tap(ctx, c, &remotetapv1.TapRequest{})
		require.NoError(t, err, l.name)
		cancel()
		_, err = tap.Recv()
		require.Equal(t, codes.Canceled, codeOf(err), "%s: %v", l.name, err)

		ctx, cancel = context.WithTimeout(context.Background(), 500*time.Millisecond)
		tap, err = l.tap(ctx, c, &remotetapv1.TapRequest{})
		require.NoError(t, err, l.name)
		_, err = tap.Recv()
		cancel()
		require.Equal(t, codes.DeadlineExceeded, codeOf(err), "%s: %v", l.name, err)
		ended += 4
		c.awaitEnded(ended)
	}
	reasons := map[any]int{}
	for _, e := range c.journal.all() {
		if e.Message == "tap ended" {
			reasons[e.fields["reason"]]++
			requireHonest(t, e)
		}
	}
	n := len(libraries())
	require.Equal(t, map[any]int{"count_reached": n, "duration_reached": n, "client_closed": 2 * n}, reasons)

	var open []responses
	for _, l := range libraries() {
		tap, err := l.tap(patiently(t), c, &remotetapv1.TapRequest{})
		require.NoError(t, err, l.name)
		open = append(open, tap)
	}
	c.stop()
	for i, l := range libraries() {
		last, err := end(t, open[i], l.name)
		require.Equal(t, codes.Unavailable, codeOf(err), "%s: %v", l.name, err)
		require.Equal(t, "shutdown", last.GetReason(), l.name)
	}
}

func TestRefusalsReachStockClientsWithTheirDetails(t *testing.T) {
	c := start(t, fourPipelines, "processors: {remote_tap: {limit: 1}}")
	ctx, cancel := context.WithCancel(patiently(t))
	defer cancel()
	holder, err := libraries()[0].tap(ctx, c, &remotetapv1.TapRequest{})
	require.NoError(t, err)
	for _, l := range libraries() {
		for _, want := range []struct {
			request *remotetapv1.TapRequest
			code    codes.Code
			refused string
		}{
			{&remotetapv1.TapRequest{}, codes.ResourceExhausted, "all 1 taps are taken"},
			{&remotetapv1.TapRequest{Severity: "loud"}, codes.InvalidArgument, "severity: "},
			{&remotetapv1.TapRequest{Format: "text"}, codes.InvalidArgument, "gRPC carries otlp_proto and none"},
			{&remotetapv1.TapRequest{Name: []string{strings.Repeat("x", 64<<10)}}, codes.ResourceExhausted, "65536"},
		} {
			tap, err := l.tap(patiently(t), c, want.request)
			if err == nil {
				_, err = tap.Recv()
			}
			require.Equal(t, want.code, codeOf(err), "%s: %v", l.name, err)
			refused := refusalIn(t, err)
			require.Contains(t, refused.GetError(), want.refused, l.name)
			require.NotEmpty(t, refused.GetHint(), l.name)
			if want.refused == "all 1 taps are taken" {
				require.Len(t, refused.GetTaps(), 1, l.name)
				require.Equal(t, c.points().Taps[0].Remote, refused.GetTaps()[0].GetRemote(), l.name)
			}
		}
	}
	cancel()
	_, err = holder.Recv()
	require.Equal(t, codes.Canceled, codeOf(err))
}

// TestBigBatchReachesStockClientsWithTheirDefaults sends as many spans as the batch processor does,
// which are more than grpc-go takes in one message if nobody tells it to.
func TestBigBatchReachesStockClientsWithTheirDefaults(t *testing.T) {
	c := start(t, fourPipelines, "receivers: {otlp: {protocols: {grpc: {max_recv_msg_size_mib: 64}}}}",
		"processors: {remote_tap: {per_tap: {mib_per_second: 0}}}")
	var open []responses
	for _, l := range libraries() {
		tap, err := l.tap(patiently(t), c, &remotetapv1.TapRequest{})
		require.NoError(t, err, l.name)
		open = append(open, tap)
	}
	s := plainTraces(600)
	batch := s.generate("big", 8192)
	require.Greater(t, len(batch), 4<<20)
	c.export(s, batch)
	want := items(t, s, batch)
	got := make([][]string, len(open))
	done := make(chan struct{}, len(open))
	for i, tap := range open {
		go func() {
			defer func() { done <- struct{}{} }()
			for len(got[i]) < len(want) {
				response, err := tap.Recv()
				if !assert.NoError(t, err) {
					return
				}
				items, err := itemsIn(response)
				if !assert.NoError(t, err) {
					return
				}
				got[i] = append(got[i], items...)
			}
		}()
	}
	for range open {
		<-done
	}
	for i, l := range libraries() {
		requireSame(t, want, got[i], l.name)
	}
}

func TestStockReflectionClientSeesTheService(t *testing.T) {
	c := start(t, fourPipelines)
	stream, err := reflectionv1.NewServerReflectionClient(c.stub()).ServerReflectionInfo(patiently(t))
	require.NoError(t, err)
	ask := func(request *reflectionv1.ServerReflectionRequest) *reflectionv1.ServerReflectionResponse {
		require.NoError(t, stream.Send(request))
		answer, err := stream.Recv()
		require.NoError(t, err)
		return answer
	}
	listed := ask(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}})
	require.Len(t, listed.GetListServicesResponse().GetService(), 1)
	require.Equal(t, "remotetap.v1.TapService", listed.GetListServicesResponse().GetService()[0].GetName())
	for _, symbol := range []string{"remotetap.v1.TapService.Tap", "remotetap.v1.TapRequest", "opentelemetry.proto.trace.v1.Span"} {
		described := ask(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: symbol}})
		require.NotEmpty(t, described.GetFileDescriptorResponse().GetFileDescriptorProto(), symbol)
	}
	require.NoError(t, stream.CloseSend())
	_, err = stream.Recv()
	require.ErrorIs(t, err, io.EOF)
}

func TestPageOfAnAllowedSiteMayUseGRPCWeb(t *testing.T) {
	c := start(t, fourPipelines, "processors: {remote_tap: {cors: {allowed_origins: ['https://grafana.example.com']}}}")
	web := libraries()[2]
	tap, err := web.tap(patiently(t), c, &remotetapv1.TapRequest{}, "Origin", "https://grafana.example.com", "Sec-Fetch-Site", "cross-site")
	require.NoError(t, err)
	batch := logs().generate("page", 1)
	c.export(logs(), batch)
	requireSame(t, items(t, logs(), batch), receive(t, tap, logs(), 1, web.name), web.name)
	tap, err = web.tap(patiently(t), c, &remotetapv1.TapRequest{}, "Origin", "https://evil.example.com")
	require.NoError(t, err)
	_, err = tap.Recv()
	require.Equal(t, codes.PermissionDenied, codeOf(err), "%v", err)
	require.Equal(t, http.StatusForbidden, c.request(1, http.MethodOptions, tapMethod, "Origin", "https://evil.example.com").status)
}
