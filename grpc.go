package remotetapprocessor

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpcreflect"
	"google.golang.org/protobuf/proto"

	"github.com/remotetap/remotetapprocessor/internal/selection"
	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

const (
	// maxRequest is the largest request message, in bytes, before and after decompression.
	maxRequest = 64 * kib
	// maxBody is the largest body of a request, in bytes, after Content-Encoding: a message, with what
	// protocols put around it, or all that a client asks of gRPC reflection.
	maxBody = 2 * maxRequest
	// requestTimeout is how long a client may take for the message of its request.
	requestTimeout = 10 * time.Second
	// reflectionTimeout is how long a client may hold a stream of gRPC reflection.
	reflectionTimeout = time.Minute
)

// servicePath is what the paths of the service's methods begin with.
func servicePath() string { return "/" + remotetapv1.TapService_ServiceDesc.ServiceName + "/" }

// addService adds TapService to the routes, for gRPC, gRPC-Web and Connect, and gRPC reflection.
func (s *server) addService(mux *http.ServeMux) {
	options := []connect.HandlerOption{
		connect.WithReadMaxBytes(maxRequest),
		// Compressing would be done anew for each client, out of reach of max_overhead.
		connect.WithCompressMinBytes(math.MaxInt),
		connect.WithCompression("gzip", newGzipReader, func() connect.Compressor { return gzip.NewWriter(io.Discard) }),
	}
	wire := append([]connect.HandlerOption{connect.WithCodec(wireCodec{})}, options...)
	mux.Handle(remotetapv1.TapService_Tap_FullMethodName,
		s.rpc(connect.NewServerStreamHandler(remotetapv1.TapService_Tap_FullMethodName, s.tapRPC,
			append(wire, connect.WithInterceptors(explaining{s}))...)))
	mux.Handle(remotetapv1.TapService_ListPoints_FullMethodName,
		s.rpc(connect.NewUnaryHandler(remotetapv1.TapService_ListPoints_FullMethodName, s.listPointsRPC, wire...)))
	reflector := grpcreflect.NewStaticReflector(remotetapv1.TapService_ServiceDesc.ServiceName)
	mux.Handle(reflected(grpcreflect.NewHandlerV1(reflector, options...)))
	mux.Handle(reflected(grpcreflect.NewHandlerV1Alpha(reflector, options...)))
}

// gzipReader decompresses no more than connect needs in order to see that a message is too large.
// connect itself would go on to its end, to say how large.
type gzipReader struct {
	gzip.Reader
	left int
}

func newGzipReader() connect.Decompressor { return &gzipReader{} }

// Reset begins a new message.
func (r *gzipReader) Reset(from io.Reader) error {
	r.left = maxRequest + 1
	return r.Reader.Reset(from)
}

// Read decompresses.
func (r *gzipReader) Read(b []byte) (int, error) {
	if r.left == 0 {
		return 0, errors.New("it is more than 64 KiB")
	}
	n, err := r.Reader.Read(b[:min(len(b), r.left)])
	r.left -= n
	return n, err
}

// reflected bounds how long a client may hold a stream of gRPC reflection.
func reflected(path string, next http.Handler) (string, http.Handler) {
	return path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), reflectionTimeout)
		defer cancel()
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(reflectionTimeout))
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// exchange is the HTTP request and response below a call of the service.
type exchange struct {
	w http.ResponseWriter
	r *http.Request
}

// exchangeKey is where the context of a call has its exchange.
type exchangeKey struct{}

// rpc refuses what is no call in words that teach, and hands the calls on. The request's message
// must be there within the requestTimeout; an open tap outlives it.
func (s *server) rpc(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := checkRPC(r); err != nil {
			s.refuse(w, r, err)
			return
		}
		// Where there is no deadline to set, as on a test's recorder, there is none to fear.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(requestTimeout))
		ctx := context.WithValue(r.Context(), exchangeKey{}, exchange{w: w, r: r})
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// checkRPC finds what is wrong with a call before its message is read.
func checkRPC(r *http.Request) error {
	const hint = "call it with a client of gRPC, gRPC-Web or Connect, or GET /v1/tap or /v1/points"
	kind := r.Header.Get("Content-Type")
	streams := r.URL.Path == remotetapv1.TapService_Tap_FullMethodName
	switch {
	case r.Method != http.MethodPost:
		return &refusal{
			status:  http.StatusMethodNotAllowed,
			reason:  refusedBadRequest,
			header:  http.Header{"Allow": {http.MethodPost}},
			Message: r.Method + " is not allowed here: this is a method of a gRPC service",
			Hint:    hint,
		}
	case streams && strings.Contains(kind, "json"):
		return notSpoken("Tap streams protobuf, and the Content-Type is "+quoted(kind), "use the client's protobuf encoding, or GET /v1/tap for JSON")
	case !speaks(kind, streams):
		return notSpoken("the Content-Type "+quoted(kind)+" is none that this method speaks", hint)
	default:
		return nil
	}
}

func notSpoken(message, hint string) error {
	return &refusal{status: http.StatusUnsupportedMediaType, reason: refusedBadRequest, Message: message, Hint: hint}
}

// speaks tells whether a content type is one of gRPC, gRPC-Web or Connect.
func speaks(contentType string, streams bool) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "application/grpc", "application/grpc+proto", "application/grpc-web", "application/grpc-web+proto":
		return true
	case "application/connect+proto":
		return streams
	case "application/proto", "application/json", "application/grpc+json", "application/grpc-web+json":
		return !streams
	default:
		return false
	}
}

// isRPC tells whether a client expects the answer in the form of gRPC, gRPC-Web or Connect.
func (s *server) isRPC(r *http.Request) bool {
	kind := r.Header.Get("Content-Type")
	return s.rpcErrors.IsSupported(r) && r.Method == http.MethodPost &&
		(strings.HasPrefix(r.URL.Path, servicePath()) && (speaks(kind, false) || speaks(kind, true)) ||
			strings.HasPrefix(kind, "application/grpc") || strings.HasPrefix(kind, "application/connect+"))
}

// quoted is a header's value, which a stranger chose, for a message.
func quoted(value string) string { return strconv.Quote(value[:min(len(value), maxUserAgent)]) }

// selectionOf is what a call of Tap asks for. The error is a *refusal, or that the client has left.
func (s *server) selectionOf(r *http.Request, call *tapCall) (sel selection.Selection, err error) {
	err = s.throttle.think(r, proto.Size(&call.request), func() error {
		parsed, err := call.selection()
		if err != nil {
			return asRefusal(err)
		}
		sel = parsed
		return nil
	})
	return sel, err
}

// tapRPC serves a call of Tap. It blocks for the life of the tap.
func (s *server) tapRPC(ctx context.Context, call *connect.Request[tapCall], stream *connect.ServerStream[remotetapv1.TapResponse]) error {
	below, _ := ctx.Value(exchangeKey{}).(exchange)
	sel, err := s.selectionOf(below.r, call.Msg)
	if err != nil {
		if refused, ok := errors.AsType[*refusal](err); ok {
			s.broadcaster.countRefusal(refused.reason)
		}
		return rpcError(err)
	}
	ctx, t, err := s.broadcaster.subscribe(ctx, sel, clientOf(below.r, protocolOf(call.Peer())))
	if err != nil {
		return rpcError(err)
	}
	defer s.broadcaster.sessions.Done()
	defer s.broadcaster.unsubscribe(t, endInternalError) // in case of a panic; else it has ended before
	c := &grpcClient{response: newResponse(below.w), stream: stream}
	c.drain(below.r, t.cancel)
	if below.r.ProtoMajor == 1 {
		below.w.Header().Set("Connection", "close") // a stream is the last on its connection
	}
	_ = c.within(writeDeadline(0), c.open) // if that fails the session will see it
	reason := s.serve(ctx, t, c)
	if reason == endClientClosed {
		return context.Cause(ctx) // its own deadline, perhaps
	}
	return reason.rpcError()
}

// explaining counts what connect refuses by itself, messages that it cannot read, and puts a Refusal
// to it.
type explaining struct{ *server }

// WrapStreamingHandler wraps a call of Tap.
func (s explaining) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		err := next(ctx, conn)
		status, ok := errors.AsType[*connect.Error](err)
		if !ok || len(status.Details()) > 0 || ctx.Err() != nil {
			return err
		}
		if _, ended := errors.AsType[endReason](err); ended || status.Code() == connect.CodeDeadlineExceeded {
			return err
		}
		s.broadcaster.countRefusal(refusedBadRequest)
		refused := &refusal{Message: status.Message(), Hint: "send one TapRequest of at most 64 KiB, as it is or compressed with gzip"}
		return refused.rpcErrorWith(status.Code())
	}
}

// WrapUnary wraps nothing: Tap is no such call.
func (explaining) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc { return next }

// WrapStreamingClient wraps nothing: this is a server.
func (explaining) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// protocolOf names the protocol of a call as the log and /v1/points do.
func protocolOf(peer connect.Peer) string {
	if peer.Protocol == connect.ProtocolGRPCWeb {
		return "grpc_web"
	}
	return peer.Protocol // "grpc" or "connect"
}

// listPointsRPC serves a call of ListPoints.
func (s *server) listPointsRPC(context.Context, *connect.Request[remotetapv1.ListPointsRequest]) (*connect.Response[remotetapv1.ListPointsResponse], error) {
	return connect.NewResponse(s.listPoints(time.Now())), nil
}

// grpcClient sends a tap's messages as the responses of a call.
type grpcClient struct {
	*response // set at construction
	stream    *connect.ServerStream[remotetapv1.TapResponse]

	// owned by the session's goroutine
	head []byte // of the last document
}

// open sends the response's headers.
func (c *grpcClient) open() error {
	if err := c.stream.Send(nil); err != nil {
		return err
	}
	return c.flush()
}

// send writes a document beneath connect, which would copy it into a buffer of its own for each
// client, and keep that in a pool. The response's header is out.
func (c *grpcClient) send(e *entry) error {
	c.head = appendHead(c.head[:0], e)
	return c.within(writeDeadline(len(e.line)), func() error {
		return c.writeParts([][]byte{c.head, e.message()})
	})
}

func (c *grpcClient) sendStats(r report) error {
	stats := &remotetapv1.TapResponse{Content: &remotetapv1.TapResponse_Stats{Stats: r.proto()}}
	return c.within(writeDeadline(0), func() error { return c.write(stats) })
}

// write writes a message by way of connect.
func (c *grpcClient) write(message *remotetapv1.TapResponse) error {
	if err := c.stream.Send(message); err != nil {
		return err
	}
	return c.flush()
}

// keepAlive has nothing to do: HTTP/2's pings do it.
func (c *grpcClient) keepAlive() error { return nil }

func (c *grpcClient) period() time.Duration { return streamPeriod }

// end sends the End; the status, which follows, is the handler's to return.
func (c *grpcClient) end(reason endReason, final ledger) {
	if reason.listens() {
		c.interrupt()
		_ = c.write(&remotetapv1.TapResponse{Content: &remotetapv1.TapResponse_End{
			End: &remotetapv1.End{Reason: reason.String(), Ledger: final.proto()},
		}})
	}
	c.leave()
}
