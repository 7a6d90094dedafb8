package e2e

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/featuregate"
	"go.opentelemetry.io/collector/otelcol"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"google.golang.org/grpc"

	"github.com/remotetap/remotetapprocessor/internal/logcore"
)

func TestMain(m *testing.M) {
	if err := featuregate.GlobalRegistry().Set("service.profilesSupport", true); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// surroundings is what every collector here has around the processor: an OTLP receiver on free
// ports, an exporter that records, no port for its own metrics, and no log on the terminal, as the
// journal has it (without sampling, which would leave out every message after its tenth time).
const surroundings = `
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: localhost:0
      http:
        endpoint: localhost:0
exporters:
  recorder:
service:
  telemetry:
    logs:
      output_paths: []
      error_output_paths: []
      sampling:
        enabled: false
    metrics:
      level: none
`

// collector is a running collector.
type collector struct {
	// set at construction
	t        testing.TB
	otelcol  *otelcol.Collector
	config   *configSource
	journal  *journal
	exported *exports
	over     chan struct{} // closed when Run has returned
	wrong    bool          // it must not come up

	// set by Run, readable when over is closed
	err error

	// set when the collector is ready; owned by the test's goroutine
	generation int // where the journal of the latest start begins
	grpc       *grpc.ClientConn
	tls        *tls.Config             // of clients of the tap; nil where it speaks plain text
	dialTo     listening               // where clients connect to; the first server if not set
	slow       bool                    // clients that connect from now on have small buffers
	wrap       func(net.Conn) net.Conn // put around the connections of clients, if set
}

// start runs a collector whose configuration is the surroundings and then the given documents,
// merged in order, and waits until it is ready. It ends with the test.
func start(t testing.TB, documents ...string) *collector {
	t.Helper()
	c := newCollector(t, nil, append([]string{surroundings}, documents...)...)
	c.run()
	c.awaitReady(0)
	return c
}

// startWrong runs a collector that must not come up, and returns its error.
func startWrong(t testing.TB, documents ...string) error {
	t.Helper()
	c := newCollector(t, nil, append([]string{surroundings}, documents...)...)
	c.wrong = true
	c.run()
	select {
	case <-c.over:
		require.Error(t, c.err)
		return c.err
	case <-time.After(patience):
		t.Fatal("the collector came up, or hangs")
		return nil
	}
}

// newCollector makes a collector that loads files and then documents.
func newCollector(t testing.TB, files []string, documents ...string) *collector {
	t.Helper()
	c := &collector{
		t:        t,
		config:   &configSource{documents: documents},
		journal:  &journal{},
		exported: &exports{},
		over:     make(chan struct{}),
	}
	var uris []string
	for _, file := range files {
		absolute, err := filepath.Abs(file)
		require.NoError(t, err)
		uris = append(uris, "file:"+absolute)
	}
	for i := range documents {
		uris = append(uris, "test:"+strconv.Itoa(i))
	}
	var err error
	c.otelcol, err = otelcol.NewCollector(otelcol.CollectorSettings{
		BuildInfo:               component.BuildInfo{Command: "e2e", Version: "1.2.3"},
		Factories:               func() (otelcol.Factories, error) { return factories(c.exported) },
		DisableGracefulShutdown: true,
		SkipSettingGRPCLogger:   true,
		LoggingOptions: []zap.Option{zap.WrapCore(func(core zapcore.Core) zapcore.Core {
			return zapcore.NewTee(core, logcore.New(zapcore.DebugLevel, func(e zapcore.Entry, fields map[string]any) {
				c.journal.add(entry{Entry: e, fields: fields})
			}))
		})},
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
			URIs: uris,
			ProviderFactories: []confmap.ProviderFactory{
				fileprovider.NewFactory(),
				confmap.NewProviderFactory(func(confmap.ProviderSettings) confmap.Provider { return c.config }),
			},
		}},
	})
	require.NoError(t, err)
	return c
}

// run starts the collector's goroutine; stop ends it.
func (c *collector) run() {
	c.t.Helper()
	go func() {
		defer close(c.over)
		c.err = c.otelcol.Run(context.Background())
	}()
	c.t.Cleanup(func() {
		c.stop()
		if c.t.Failed() {
			c.t.Log("the collector's journal:\n" + c.journal.String())
		}
	})
}

// awaitReady waits until a (re)start that begins at an index of the journal is complete.
func (c *collector) awaitReady(generation int) {
	c.t.Helper()
	ready := func(e entry) bool { return strings.HasPrefix(e.Message, "Everything is ready") }
	c.journal.await(c.t, generation, c.over, "a collector that is ready", ready)
	c.generation = generation
	if c.grpc != nil {
		c.closeGRPC()
	}
	c.grpc = dialOTLP(c.t, c.logged("Starting GRPC server", "endpoint"))
}

func (c *collector) closeGRPC() {
	if c.grpc != nil {
		require.NoError(c.t, c.grpc.Close())
		c.grpc = nil
	}
}

// reload gives the collector other documents, or the same, and makes it reload.
func (c *collector) reload(documents ...string) {
	c.t.Helper()
	before := c.journal.len()
	c.config.change(documents)
	c.awaitReady(before)
}

// stop ends the collector and waits for it; a second call does nothing.
func (c *collector) stop() {
	c.t.Helper()
	c.closeGRPC()
	c.stopWithin(patience)
	if !c.wrong && !c.t.Failed() {
		require.NoError(c.t, c.err)
	}
}

// stopWithin ends the collector and fails if that takes too long. It returns how long it took.
func (c *collector) stopWithin(limit time.Duration) time.Duration {
	c.t.Helper()
	begin := time.Now()
	go c.otelcol.Shutdown()
	select {
	case <-c.over:
	case <-time.After(limit):
		busy := strings.Join(stacksWith("remotetapprocessor.("), "\n\n")
		c.t.Fatalf("the collector has not stopped within %s; what still runs of remote_tap:\n%s", limit, busy)
	}
	return time.Since(begin)
}

// logged returns a field of the latest start's first journal entry with this message.
func (c *collector) logged(message, field string) string {
	c.t.Helper()
	e := c.journal.await(c.t, c.generation, c.over, strconv.Quote(message), func(e entry) bool { return e.Message == message })
	return fmt.Sprint(e.fields[field])
}

// countLogged counts the journal entries of the latest start with this message.
func (c *collector) countLogged(message string) int {
	n := 0
	entries, _ := c.journal.from(c.generation)
	for _, e := range entries {
		if e.Message == message {
			n++
		}
	}
	return n
}

// listening is where a server listens.
type listening struct{ network, address string }

// listeningOn returns where the latest start's server listens whose address has a prefix.
func (c *collector) listeningOn(prefix string) listening {
	c.t.Helper()
	e := c.journal.await(c.t, c.generation, c.over, "a server on "+prefix, func(e entry) bool {
		return e.Message == "remote_tap is listening" && strings.HasPrefix(fmt.Sprint(e.fields["address"]), prefix)
	})
	address := fmt.Sprint(e.fields["address"])
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return listening{"unix", address}
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		address = net.JoinHostPort("127.0.0.1", port)
	}
	return listening{"tcp", address}
}

// server is where clients connect to.
func (c *collector) server() listening {
	c.t.Helper()
	if c.dialTo != (listening{}) {
		return c.dialTo
	}
	return c.listeningOn("")
}

// address is the tap's host and port, as a client on this machine writes it.
func (c *collector) address() string {
	c.t.Helper()
	server := c.server()
	if server.network == "unix" {
		return "localhost"
	}
	_, port, err := net.SplitHostPort(server.address)
	require.NoError(c.t, err)
	return net.JoinHostPort("localhost", port)
}

// url is a path's on the tap; scheme is http or ws, and becomes https or wss where there is TLS.
func (c *collector) url(scheme, path string) string {
	c.t.Helper()
	if c.tls != nil {
		scheme += "s"
	}
	return scheme + "://" + c.address() + path
}

// configSource is a confmap provider (scheme test) whose documents a test can change while the
// collector runs.
type configSource struct {
	mu        sync.Mutex
	documents []string            // guarded by mu
	watcher   confmap.WatcherFunc // guarded by mu
}

func (s *configSource) Retrieve(_ context.Context, uri string, watcher confmap.WatcherFunc) (*confmap.Retrieved, error) {
	i, err := strconv.Atoi(strings.TrimPrefix(uri, "test:"))
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i >= len(s.documents) {
		return nil, errors.New("there is no such document")
	}
	s.watcher = watcher
	return confmap.NewRetrievedFromYAML([]byte(s.documents[i]))
}

func (*configSource) Scheme() string { return "test" }

func (*configSource) Shutdown(context.Context) error { return nil }

// change replaces the documents behind the surroundings and tells the collector.
func (s *configSource) change(documents []string) {
	s.mu.Lock()
	s.documents = append([]string{surroundings}, documents...)
	watcher := s.watcher
	s.mu.Unlock()
	watcher(&confmap.ChangeEvent{})
}
