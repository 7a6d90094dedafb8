package doctor_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/doctor"
	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

// output collects what a command writes; the doctor writes from several goroutines.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write collects.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

// run runs the doctor and returns what it says, and its exit code.
func run(t *testing.T, environment map[string]string, args ...string) (string, app.Code) {
	t.Helper()
	var out, words output
	a := app.New(app.System{In: strings.NewReader(""), Out: &out, Err: &words, Version: "1.0.0", Getenv: func(name string) string {
		return environment[name]
	}})
	command := doctor.Command(a)
	command.SetArgs(args)
	command.SetContext(t.Context())
	command.SilenceErrors, command.SilenceUsage = true, true
	err := command.Execute()
	if err != nil {
		_, _ = fmt.Fprintln(&words, err)
	}
	t.Log(out.b.String() + words.b.String())
	return out.b.String() + words.b.String(), app.CodeOf(err)
}

// wide is an environment in which nothing is wrapped.
func wide() map[string]string { return map[string]string{"COLUMNS": "1000", "LANG": "en_US.UTF-8"} }

func TestOtherServersAreToldApart(t *testing.T) {
	for name, c := range map[string]struct {
		serve http.HandlerFunc
		says  string
	}{
		"zpages": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/debug/tracez" {
				http.NotFound(w, r)
			}
		}, "it is the zpages extension"},
		"the health check": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/" {
				http.NotFound(w, r)
				return
			}
			_, _ = fmt.Fprint(w, `{"status":"Server available","upSince":"2026-01-02T15:04:05Z"}`)
		}, "it is the health check extension"},
		"metrics for Prometheus": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/metrics" {
				http.NotFound(w, r)
				return
			}
			_, _ = fmt.Fprint(w, "# TYPE otelcol_process_uptime counter\n")
		}, "it is the collector's own metrics"},
		"the processor of contrib": {func(w http.ResponseWriter, r *http.Request) {
			if !websocket.IsWebSocketUpgrade(r) {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			if conn, err := (&websocket.Upgrader{}).Upgrade(w, r, nil); err == nil {
				_ = conn.Close()
			}
		}, "it is the remotetap processor of the contrib distribution"},
		"some server": {func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }, "it is some HTTP server"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, start := range []func(http.Handler) *httptest.Server{httptest.NewServer, httptest.NewTLSServer} {
				server := start(c.serve)
				t.Cleanup(server.Close)
				text, code := run(t, wide(), "--insecure-skip-verify="+strconv.FormatBool(server.TLS != nil), server.URL)
				assert.Contains(t, text, "✗ service   this is no remote_tap: "+c.says)
				assert.Equal(t, app.CodeFailed, code)
			}
		})
	}
}

func TestAServerThatSpeaksSomethingElse(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = fmt.Fprint(conn, "220 mail.example.com ESMTP \x1b[31mPostfix\r\n")
			conn.Close()
		}
	}()
	text, code := run(t, wide(), listener.Addr().String())
	assert.Contains(t, text, "this is no remote_tap: it does not speak HTTP/2, as a tap does")
	assert.NotContains(t, text, "\x1b")
	assert.Equal(t, app.CodeFailed, code)
}

// fakeTap is a tap that answers as a test needs it.
type fakeTap struct {
	remotetapv1.UnimplementedTapServiceServer
	points *remotetapv1.ListPointsResponse
	stats  *remotetapv1.Stats
	ahead  time.Duration // of its clock

	mu       sync.Mutex
	requests []*remotetapv1.TapRequest // guarded by mu
}

// ListPoints answers with the points.
func (f *fakeTap) ListPoints(context.Context, *remotetapv1.ListPointsRequest) (*remotetapv1.ListPointsResponse, error) {
	return f.points, nil
}

// Tap tells its account once.
func (f *fakeTap) Tap(r *remotetapv1.TapRequest, stream grpc.ServerStreamingServer[remotetapv1.TapResponse]) error {
	f.mu.Lock()
	f.requests = append(f.requests, r)
	f.mu.Unlock()
	stats := proto.CloneOf(f.stats)
	now := time.Now().Add(f.ahead)
	stats.Ledger.Since, stats.Ledger.Now = timestamppb.New(now.Add(-1500*time.Millisecond)), timestamppb.New(now)
	err := stream.Send(&remotetapv1.TapResponse{Content: &remotetapv1.TapResponse_Stats{Stats: stats}})
	<-stream.Context().Done()
	return err
}

// serve serves a fake tap and returns its address.
func serve(t *testing.T, tap *fakeTap) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer()
	remotetapv1.RegisterTapServiceServer(server, tap)
	go server.Serve(listener) //nolint:errcheck // it ends with the test
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}
