package remotetapprocessor

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpcreflect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// reflection opens a stream of gRPC reflection. It ends with the test.
func (o *observed) reflection(header ...string) *grpcreflect.ClientStream {
	o.t.Helper()
	h := http.Header{}
	setHeader(h, header)
	stream := grpcreflect.NewClient(o.newClient(h2c), "http://"+o.s.addr.String(), connect.WithGRPC()).
		NewStream(o.t.Context(), grpcreflect.WithRequestHeaders(h))
	o.t.Cleanup(func() { _, _ = stream.Close() })
	return stream
}

func TestReflectionListsTheService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		services, err := o.reflection().ListServices()
		require.NoError(t, err)
		assert.Equal(t, []protoreflect.FullName{"remotetap.v1.TapService"}, services)
	})
}

func TestReflectionServesOlderClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		client := rpcClient[rawMessage, rawMessage](o, plainGRPC().with(connect.WithCodec(rawCodec{})), "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
		stream := client.CallBidiStream(t.Context())
		require.NoError(t, stream.Send(&rawMessage{field(7, []byte("*"))})) // list_services
		answer, err := stream.Receive()
		require.NoError(t, err)
		assert.Contains(t, string(answer.bytes), "remotetap.v1.TapService")
		require.NoError(t, stream.CloseRequest())
		require.NoError(t, stream.CloseResponse())
	})
}

// described is all that reflection says about the service.
func described(t *testing.T, o *observed) *protoregistry.Files {
	t.Helper()
	files, err := o.reflection().FileContainingSymbol("remotetap.v1.TapService")
	require.NoError(t, err)
	registry, err := protodesc.NewFiles(&descriptorpb.FileDescriptorSet{File: files})
	require.NoError(t, err, "with all that it imports")
	return registry
}

func TestReflectionDescribesTheServiceWithAllItsTypes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		registry := described(t, o)
		found, err := registry.FindDescriptorByName("remotetap.v1.TapService")
		require.NoError(t, err)
		methods := found.(protoreflect.ServiceDescriptor).Methods()
		require.Equal(t, 2, methods.Len())
		tap, points := methods.ByName("Tap"), methods.ByName("ListPoints")
		assert.Equal(t, []bool{false, true}, []bool{tap.IsStreamingClient(), tap.IsStreamingServer()})
		assert.Equal(t, []bool{false, false}, []bool{points.IsStreamingClient(), points.IsStreamingServer()})
		for _, name := range []protoreflect.FullName{
			"remotetap.v1.TapRequest", "remotetap.v1.AttributeCriterion", "remotetap.v1.TapResponse", "remotetap.v1.Refusal", "remotetap.v1.ListPointsResponse",
			"opentelemetry.proto.trace.v1.TracesData", "opentelemetry.proto.metrics.v1.MetricsData", "opentelemetry.proto.logs.v1.LogsData",
			"opentelemetry.proto.common.v1.KeyValue", "google.protobuf.Duration", "google.protobuf.Timestamp",
		} {
			message, err := registry.FindDescriptorByName(name)
			require.NoError(t, err)
			files, err := o.reflection().FileContainingSymbol(name)
			require.NoError(t, err)
			assert.Equal(t, message.ParentFile().Path(), files[0].GetName(), "each can be asked for by itself")
		}
	})
}

// TestClientWithNothingButReflectionCanTap does what grpcurl does.
func TestClientWithNothingButReflectionCanTap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		registry := described(t, o)
		message := func(name protoreflect.FullName) *dynamicpb.Message {
			found, err := registry.FindDescriptorByName(name)
			require.NoError(t, err)
			return dynamicpb.NewMessage(found.(protoreflect.MessageDescriptor))
		}
		request := message("remotetap.v1.TapRequest")
		require.NoError(t, protojson.Unmarshal([]byte(`{"name": ["span 1"], "minDuration": "0.5s", "count": 1}`), request))
		stream := calls[rawMessage, rawMessage](o, plainGRPC().with(connect.WithCodec(rawCodec{})), rawMessageOf(t, request))
		stream.stream.ResponseHeader()
		batch := spans(3)
		for _, span := range batch.ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
			span.SetEndTimestamp(1e9)
		}
		o.passTraces(batch)
		response := message("remotetap.v1.TapResponse")
		require.NoError(t, proto.Unmarshal(stream.next().bytes, response))
		assert.Contains(t, protojson.Format(response), `"span 1"`)
	})
}

func TestReflectionIsGuardedAsAllElse(t *testing.T) {
	tests := []struct {
		name   string
		header []string
		code   connect.Code
	}{
		{"no credentials", nil, connect.CodeUnauthenticated},
		{"a foreign page", []string{"Authorization", "username ada", "Origin", "https://evil.com"}, connect.CodePermissionDenied},
		{"another site", []string{"Authorization", "username ada", "Sec-Fetch-Site", "cross-site"}, connect.CodePermissionDenied},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t, withAuth("basicauth"))
				_, err := o.reflection(tt.header...).ListServices()
				assertCode(t, tt.code, err)
			})
		})
	}
	t.Run("credentials", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			o := onMemory(t, withAuth("basicauth"))
			_, err := o.reflection("Authorization", "username ada").ListServices()
			assert.NoError(t, err)
		})
	})
	t.Run("a name that was rebound to this machine", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			o := onMemory(t)
			_, err := o.reflection("Host", "rebound.example.com").ListServices()
			assertCode(t, connect.CodePermissionDenied, err)
		})
	})
}

func TestReflectionDoesNotHoldUpAShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		stream := o.reflection()
		_, err := stream.ListServices()
		require.NoError(t, err)
		assert.LessOrEqual(t, o.shutdownDuration(t.Context()), 2*farewell)
	})
}

func TestReflectionIsNotHeldForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		stream := o.reflection()
		_, err := stream.ListServices()
		require.NoError(t, err)
		<-time.After(reflectionTimeout + time.Second)
		_, err = stream.FileByFilename("remotetap/v1/tap.proto")
		assert.True(t, grpcreflect.IsReflectionStreamBroken(err), "the stream has ended")
	})
}
