package remotetapprocessor

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/remotetap/remotetapprocessor/internal/metadatatest"
	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

// assertRefused checks how often requests were refused, for one reason.
func assertRefused(t *testing.T, o *observed, reason string, times int64) {
	t.Helper()
	metadatatest.AssertEqualProcessorRemoteTapRefusedTaps(t, o.telemetry,
		reasons(numRefuseReasons, map[string]int64{reason: times}), metricdatatest.IgnoreTimestamp())
}

func TestRefusedCalls(t *testing.T) {
	tests := []struct {
		name      string
		request   *remotetapv1.TapRequest
		change    func(*Config)
		before    func(o *observed)
		header    []string
		code      connect.Code
		message   string
		hint      string
		parameter string
		reason    string
	}{
		{
			name: "a bad selection", request: &remotetapv1.TapRequest{TraceId: []string{"xyz"}},
			code: connect.CodeInvalidArgument, message: "trace_id: ", hint: "32", parameter: "trace_id", reason: "bad_request",
		},
		{
			name: "JSON as the format", request: &remotetapv1.TapRequest{Format: "json"},
			code: connect.CodeInvalidArgument, message: "gRPC carries otlp_proto and none, not json", hint: "GET /v1/tap?format=json", parameter: "format", reason: "bad_request",
		},
		{
			name: "a point that there is not", request: &remotetapv1.TapRequest{Point: []string{"remote_tapp"}},
			code: connect.CodeInvalidArgument, message: "no tap point fits point=remote_tapp", hint: "did you mean remote_tap?", parameter: "point", reason: "bad_request",
		},
		{
			name: "a count of nothing", request: &remotetapv1.TapRequest{Format: "none", Stats: durationpb.New(time.Second), Count: new(uint64(1))},
			code: connect.CodeInvalidArgument, message: "format=none delivers no items to count", hint: "leave one of the two out", parameter: "count", reason: "bad_request",
		},
		{
			name: "a foreign page", header: []string{"Origin", "https://evil.com"},
			code: connect.CodePermissionDenied, message: `the Origin "https://evil.com"`, hint: "cors::allowed_origins", reason: "forbidden",
		},
		{
			name: "another site", header: []string{"Sec-Fetch-Site", "cross-site"},
			code: connect.CodePermissionDenied, message: "another web site", hint: "cors::allowed_origins", reason: "forbidden",
		},
		{
			name: "a name that was rebound to this machine", header: []string{"Host", "rebound.example.com"},
			code: connect.CodePermissionDenied, message: `the Host "rebound.example.com"`, hint: "allowed_hosts", reason: "forbidden",
		},
		{
			name: "no credentials", change: withAuth("basicauth"),
			code: connect.CodeUnauthenticated, message: "the request has no valid credentials", hint: "Basic", reason: "unauthenticated",
		},
		{
			name: "wrong credentials", change: withAuth("oidc/corporate"), header: []string{"Authorization", "Bearer guess"},
			code: connect.CodeUnauthenticated, message: "the request has no valid credentials", hint: "Bearer", reason: "unauthenticated",
		},
		{
			name: "a foreign page, before credentials", change: withAuth("basicauth"), header: []string{"Origin", "https://evil.com"},
			code: connect.CodePermissionDenied, message: `the Origin "https://evil.com"`, hint: "cors::allowed_origins", reason: "forbidden",
		},
		{
			name: "all taps are taken", change: func(c *Config) { c.Limit = 1 }, before: func(o *observed) { o.webSocket("/v1/tap") },
			code: connect.CodeResourceExhausted, message: "all 1 taps are taken", hint: "raise `limit`", reason: "limit_reached",
		},
		{
			name: "the collector shuts down", before: func(o *observed) { o.s.broadcaster.close() },
			code: connect.CodeUnavailable, message: "the collector is shutting down", hint: "connect again", reason: "shutting_down",
		},
	}
	for _, tt := range tests {
		for _, k := range rpcKinds() {
			t.Run(tt.name+" over "+k.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var changes []func(*Config)
					if tt.change != nil {
						changes = append(changes, tt.change)
					}
					o := onMemory(t, changes...)
					if tt.before != nil {
						tt.before(o)
					}
					request := tt.request
					if request == nil {
						request = &remotetapv1.TapRequest{}
					}
					status, refused := calls[remotetapv1.TapRequest, remotetapv1.TapResponse](o, k, request, tt.header...).refused()
					assert.Equal(t, tt.code.String(), status.Code().String())
					require.NotNil(t, refused, "%v", status)
					assert.Contains(t, refused.GetError(), tt.message)
					assert.Contains(t, refused.GetHint(), tt.hint)
					assert.Equal(t, tt.parameter, refused.GetParameter())
					assert.Equal(t, refused.GetError()+"; "+refused.GetHint(), status.Message(), "clients that look at the message only see it all")
					assertRefused(t, o, tt.reason, 1)
				})
			})
		}
	}
}

func TestRefusalSaysWhoHoldsTheTapsAndWhenToComeBack(t *testing.T) {
	for _, k := range rpcKinds() {
		t.Run(k.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t, func(c *Config) { c.Limit = 2 })
				opened := time.Now()
				first := o.rpcTap(k, &remotetapv1.TapRequest{})
				<-time.After(30 * time.Second)
				o.stream("/v1/traces")
				status, refused := calls[remotetapv1.TapRequest, remotetapv1.TapResponse](o, k, &remotetapv1.TapRequest{}).refused()
				assert.Equal(t, []string{"10"}, status.Meta().Values("Retry-After"))
				require.Len(t, refused.GetTaps(), 2)
				assert.Equal(t, "127.0.0.1:50001", refused.GetTaps()[0].GetRemote())
				assert.Equal(t, opened.UTC(), refused.GetTaps()[0].GetSince().AsTime())
				assert.Equal(t, "127.0.0.1:50002", refused.GetTaps()[1].GetRemote())
				assert.Equal(t, opened.Add(30*time.Second).UTC(), refused.GetTaps()[1].GetSince().AsTime())

				_, err := o.listPoints(k)
				require.NoError(t, err, "what is no tap is served at the limit")
				first.leave()
				assert.Equal(t, "client_closed", o.reason())
				o.rpcTap(k, &remotetapv1.TapRequest{})
				assert.Equal(t, 2, o.open(), "there is room again")
			})
		})
	}
}

func TestEveryMethodNeedsCredentialsAndAProperOrigin(t *testing.T) {
	for _, k := range rpcKinds() {
		t.Run(k.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t, withAuth("basicauth"))
				_, err := o.listPoints(k)
				status, refused := refusalOf(t, err)
				assert.Equal(t, connect.CodeUnauthenticated, status.Code())
				assert.Equal(t, []string{`Basic realm="remote_tap"`}, status.Meta().Values("Www-Authenticate"))
				assert.NotNil(t, refused)

				_, err = o.listPoints(k, "Authorization", "username ada", "Origin", "https://evil.com")
				assertCode(t, connect.CodePermissionDenied, err)

				_, err = o.listPoints(k, "Authorization", "username ada", "Host", "any.example.com")
				require.NoError(t, err, "with credentials any Host will do")
				o.rpcTap(k, &remotetapv1.TapRequest{}, "Authorization", "username ada")
				synctest.Wait() // the line comes after the response's headers
				assert.Equal(t, "ada", o.logs.FilterMessage("tap opened").All()[0].ContextMap()["subject"])
			})
		})
	}
}

func TestPageThatIsAllowedMayCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t, allowGrafana)
		for _, k := range rpcKinds() {
			o.rpcTap(k, &remotetapv1.TapRequest{}, "Origin", "https://grafana.example.com", "Sec-Fetch-Site", "cross-site")
		}
		assert.Equal(t, len(rpcKinds()), o.open())
	})
}

func TestMethodThatThereIsNot(t *testing.T) {
	for _, k := range rpcKinds() {
		for _, path := range []string{servicePath() + "Record", servicePath() + "Tap/", servicePath() + "caf%E9", "/other.v1.Service/Tap", "/v1/tap"} {
			t.Run(path+" over "+k.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o := onMemory(t)
					client := rpcClient[remotetapv1.TapRequest, remotetapv1.TapResponse](o, k, path)
					stream, err := client.CallServerStream(t.Context(), connect.NewRequest(&remotetapv1.TapRequest{}))
					require.NoError(t, err)
					defer func() { _ = stream.Close() }()
					require.False(t, stream.Receive())
					status, refused := refusalOf(t, stream.Err())
					assert.Equal(t, connect.CodeUnimplemented, status.Code(), "%v", status)
					require.NotNil(t, refused)
					assert.NotEmpty(t, refused.GetHint())
					assertRefused(t, o, "bad_request", 1)
				})
			})
		}
	}
}

func TestTapIsNotServedAsJSON(t *testing.T) {
	for _, k := range rpcKinds() {
		t.Run(k.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				stream := calls[remotetapv1.TapRequest, remotetapv1.TapResponse](o, k.with(connect.WithProtoJSON()), &remotetapv1.TapRequest{})
				status, refused := stream.refused()
				assert.Equal(t, connect.CodeUnimplemented, status.Code(), "%v", status)
				assert.Contains(t, refused.GetError(), "Tap streams protobuf")
				assert.Contains(t, refused.GetHint(), "GET /v1/tap for JSON")
				assertRefused(t, o, "bad_request", 1)
			})
		})
	}
}

func TestWhatIsNoCallIsAnsweredAsJSON(t *testing.T) {
	const form = "application/x-www-form-urlencoded" // curl -d
	const client = `"hint":"call it with a client of gRPC, gRPC-Web or Connect, or GET /v1/tap or /v1/points"}`
	tests := []struct {
		name   string
		method string
		path   string
		kind   string
		status int
		allow  string
		want   string
	}{
		{"GET of a method", http.MethodGet, tapMethod, "", 405, "POST", `{"error":"GET is not allowed here: this is a method of a gRPC service",` + client},
		{"GET of a method with a client's content type", http.MethodGet, tapMethod, "application/grpc", 405, "POST", `{"error":"GET is not allowed here: this is a method of a gRPC service",` + client},
		{"GET of the points' method", http.MethodGet, pointsMethod + "?connect=v1&encoding=json&message=%7B%7D", "", 405, "POST", `{"error":"GET is not allowed here: this is a method of a gRPC service",` + client},
		{"PUT", http.MethodPut, pointsMethod, "application/proto", 405, "POST", `{"error":"PUT is not allowed here: this is a method of a gRPC service",` + client},
		{"a form for a method", http.MethodPost, tapMethod, form, 415, "", `{"error":"the Content-Type \"application/x-www-form-urlencoded\" is none that this method speaks",` + client},
		{"a form for the points", http.MethodPost, pointsMethod, form, 415, "", `{"error":"the Content-Type \"application/x-www-form-urlencoded\" is none that this method speaks",` + client},
		{"nothing at all for a method", http.MethodPost, tapMethod, "", 415, "", `{"error":"the Content-Type \"\" is none that this method speaks",` + client},
		{"a form for the tap", http.MethodPost, "/v1/tap", form, 405, "GET, HEAD", `{"error":"POST is not allowed here","hint":"use GET"}`},
		{"JSON for the tap", http.MethodPost, "/v1/tap", "application/json", 405, "GET, HEAD", `{"error":"POST is not allowed here","hint":"use GET"}`},
	}
	for _, tt := range tests {
		for _, p := range []protocol{http1, h2c} {
			t.Run(tt.name+" over "+string(p), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o := onMemory(t)
					response, body := o.send(p, tt.method, tt.path, `{"service":["checkout"]}`, "Content-Type", tt.kind)
					assert.Equal(t, tt.status, response.StatusCode)
					assert.Equal(t, "application/json; charset=utf-8", response.Header.Get("Content-Type"))
					assert.Equal(t, tt.allow, response.Header.Get("Allow"))
					assert.JSONEq(t, tt.want, body)
					assertRefused(t, o, "bad_request", 1)
					assertNoTap(t, o)
				})
			})
		}
	}
}

func TestContentTypeOfAStrangerIsNotRepeatedAtLength(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		_, body := o.post(http1, tapMethod, "", "Content-Type", strings.Repeat("x", 5000))
		assert.Less(t, len(body), 500)
	})
}

// enveloped is messages as streams of gRPC and Connect have them: each behind its length.
func enveloped(messages ...[]byte) string {
	var b bytes.Buffer
	for _, message := range messages {
		b.WriteByte(0)
		b.Write(binary.BigEndian.AppendUint32(nil, uint32(len(message))))
		b.Write(message)
	}
	return b.String()
}

// otherBody sends another body than the client's own.
type otherBody struct {
	*http.Client
	body string
}

func (o otherBody) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(o.body)), int64(len(o.body))
	return o.Client.Do(r)
}

// zipped is a message as a compressed one.
func zipped(message []byte) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(message)
	_ = w.Close()
	return "\x01" + enveloped(b.Bytes())[1:]
}

func TestCallWithAMalformedBodyIsRefused(t *testing.T) {
	fine := rawMessageOf(t, &remotetapv1.TapRequest{Service: []string{"checkout"}}).bytes
	bomb := zipped(make([]byte, 4*mib))
	require.Less(t, len(bomb), 64*kib)
	gzipped := []string{"Grpc-Encoding", "gzip", "Connect-Content-Encoding", "gzip"}
	tests := []struct {
		name    string
		body    string
		header  []string
		code    connect.Code
		message string
		bare    bool // what is wrong is the protocol, not the request
	}{
		{"no message", "", nil, connect.CodeUnimplemented, "zero messages", false},
		{"two messages", enveloped(fine, fine), nil, connect.CodeUnimplemented, "multiple messages", false},
		{"two messages, the first of which is wrong", enveloped([]byte("x"), fine), nil, connect.CodeUnimplemented, "multiple messages", false},
		{"a message that is none of ours", enveloped([]byte("hello")), nil, connect.CodeInvalidArgument, "the request is no remotetap.v1.TapRequest", false},
		{"a message over 64 KiB", enveloped(make([]byte, 64*kib+1)), nil, connect.CodeResourceExhausted, "65537 is larger than configured max 65536", false},
		{"a message that announces 4 GiB", "\x00\xff\xff\xff\xff", nil, connect.CodeResourceExhausted, "larger than configured max 65536", false},
		{"a message that ends early", enveloped(fine)[:8], nil, connect.CodeInternal, "protocol error", false},
		{"a head that ends early", "\x00\x00", nil, connect.CodeInternal, "protocol error", false},
		{"a message that grows to 4 MiB", bomb, gzipped, connect.CodeResourceExhausted, "larger than configured max 65536", false},
		{"a message that says it is compressed", zipped(fine), nil, connect.CodeInternal, "without compression support", false},
		{"a message that is compressed badly", "\x01" + enveloped([]byte("hello"))[1:], gzipped, connect.CodeInvalidArgument, "decompress", false},
		{"a compression that nobody knows", enveloped(fine), []string{"Grpc-Encoding", "brotli", "Connect-Content-Encoding", "brotli"}, connect.CodeUnimplemented, "brotli", true},
		{"a deadline that is none", enveloped(fine), []string{"Grpc-Timeout", "soon", "Connect-Timeout-Ms", "soon"}, connect.CodeInvalidArgument, "soon", true},
	}
	for _, tt := range tests {
		for _, k := range rpcKinds() {
			t.Run(tt.name+" over "+k.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o := onMemory(t)
					client := connect.NewClient[remotetapv1.TapRequest, remotetapv1.TapResponse](
						otherBody{o.newClient(k.over), tt.body}, "http://"+o.s.addr.String()+tapMethod, k.options...)
					stream, err := client.CallServerStream(t.Context(), newRequest(&remotetapv1.TapRequest{}, tt.header))
					require.NoError(t, err)
					defer func() { _ = stream.Close() }()
					require.False(t, stream.Receive())
					status, refused := refusalOf(t, stream.Err())
					assert.Equal(t, tt.code.String(), status.Code().String(), "%v", status)
					assert.Contains(t, status.Message(), tt.message)
					assertNoTap(t, o)
					if tt.bare {
						return
					}
					assertRefused(t, o, "bad_request", 1)
					if assert.NotNil(t, refused) {
						assert.NotEmpty(t, refused.GetHint())
						assert.Equal(t, refused.GetError()+"; "+refused.GetHint(), status.Message())
					}
				})
			})
		}
	}
}

func TestMessageThatDoesNotComeIsNotWaitedFor(t *testing.T) {
	for _, k := range rpcKinds() {
		t.Run(k.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				for _, method := range []string{tapMethod, pointsMethod} {
					body, silent := io.Pipe()
					defer func() { _ = silent.Close() }()
					request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+o.s.addr.String()+method, body)
					require.NoError(t, err)
					kind := map[string]string{"grpc": "application/grpc", "grpc_web": "application/grpc-web", "connect": "application/connect+proto"}[k.transport]
					if kind == "application/connect+proto" && method == pointsMethod {
						kind = "application/proto"
					}
					request.Header.Set("Content-Type", kind)
					start := time.Now()
					response, err := o.newClient(k.over).Do(request)
					require.NoError(t, err)
					assert.Equal(t, 10*time.Second, time.Since(start))
					require.NoError(t, response.Body.Close())
					assertNoTap(t, o)
				}
			})
		})
	}
}

func TestCompressedRequestIsFine(t *testing.T) {
	for _, k := range rpcKinds() {
		t.Run(k.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				stream := o.rpcTap(k.with(connect.WithSendGzip()), &remotetapv1.TapRequest{Name: []string{"span 1"}})
				o.pass(3)
				assert.Equal(t, []string{"span 1"}, spansOf(t, stream.next()))
				_, err := o.listPoints(k.with(connect.WithSendGzip()))
				require.NoError(t, err)
			})
		})
	}
}

func TestLargestRequestIsFine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		request := &remotetapv1.TapRequest{}
		for len(request.GetName()) < 15 {
			request.Name = append(request.Name, strings.Repeat("x", 4096))
		}
		request.Name = append(request.Name, strings.Repeat("y", 64*kib-proto.Size(request)-4))
		require.Equal(t, 64*kib, proto.Size(request)+1, "one byte less than what is too much")
		o.rpcTap(plainGRPC(), request)
	})
}
