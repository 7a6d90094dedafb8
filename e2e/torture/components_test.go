//go:build linux

package torture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/memorylimiterprocessor"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"

	"github.com/remotetap/remotetapprocessor"
)

const (
	// loadSpans is how many spans a batch of the load has.
	loadSpans = 1000
	// canarySpans is how many spans a batch of the canaries has, and canaryPeriod how often one comes.
	canarySpans  = 5
	canaryPeriod = 20 * time.Millisecond
)

// rig is what the components of a collector share, over all its reloads.
type rig struct {
	load     *gate // the load passes while it is open
	canaries *gate // the canaries do
	next     atomic.Pointer[behaviour]

	// atomic
	thread   atomic.Int64 // the load's, whose clocks measure it
	calls    atomic.Int64 // of the load
	canary   atomic.Int64 // the number of the next canary
	sent     atomic.Int64 // spans that receivers gave away and the pipeline took
	arrived  atomic.Int64 // spans that arrived at the exporter and were taken
	failures atomic.Int64 // calls that gave an error
	offered  atomic.Int64 // spans that receivers gave away, taken or not
	blocked  atomic.Int64 // calls that the exporter blocks now
	panics   atomic.Int64 // calls that panicked
	mistaken atomic.Int64 // calls that gave another error, or panicked with another value, than the exporter
}

func newRig() *rig {
	r := &rig{load: newGate(), canaries: newGate()}
	r.next.Store(&behaviour{})
	return r
}

// behaviour is what the exporter does with what it gets; the zero value takes it.
type behaviour struct {
	err     error         // gives it back
	panics  bool          // panics
	blocked chan struct{} // waits until this is closed
}

// become changes what the exporter does. Whoever is blocked goes on.
func (r *rig) become(b *behaviour) {
	if old := r.next.Swap(b); old.blocked != nil {
		close(old.blocked)
	}
}

// gate lets pass, or makes wait, whoever comes.
type gate struct {
	mu     sync.Mutex
	isOpen bool          // guarded by mu
	inside bool          // guarded by mu: the one who comes has passed, and not left yet
	opened chan struct{} // guarded by mu: closed while the gate is open
}

func newGate() *gate { return &gate{opened: make(chan struct{})} }

func (g *gate) passage() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.opened
}

func (g *gate) set(open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case open == g.isOpen:
	case open:
		close(g.opened)
	default:
		g.opened = make(chan struct{})
	}
	g.isOpen = open
}

// pass waits until the gate is open; it tells whether the context was not done first. Whoever passes
// is to leave.
func (g *gate) pass(ctx context.Context) bool {
	for {
		select {
		case <-ctx.Done():
			return false
		case <-g.passage():
		}
		if ctx.Err() != nil {
			return false
		}
		if g.enter() {
			return true
		}
	}
}

// enter tells whether the gate is still open.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside = g.isOpen
	return g.inside
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside = false
}

// flows tells whether somebody passes, or may.
func (g *gate) flows() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.isOpen || g.inside
}

// source is a receiver: the load, as fast as the pipeline takes it, and the canaries, a trickle of
// spans with consecutive numbers, which the healthy clients watch for.
type source struct {
	rig    *rig
	next   consumer.Traces
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// Start starts a goroutine for the load and one for the canaries.
func (s *source) Start(context.Context, component.Host) error {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.done.Go(func() { s.load(ctx) })
	s.done.Go(func() { s.canaries(ctx) })
	return nil
}

// Shutdown ends both. A collector shuts its receivers down first, which must not wait for ever.
func (s *source) Shutdown(context.Context) error {
	s.cancel()
	s.rig.become(&behaviour{})
	s.done.Wait()
	return nil
}

// load keeps its thread, so that the kernel's account of that thread is the load's.
func (s *source) load(ctx context.Context) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s.rig.thread.Store(int64(syscall.Gettid()))
	batch := spansOf("load", loadSpans, func(i int) string { return "load " + strconv.Itoa(i) })
	for s.rig.load.pass(ctx) {
		s.consume(ctx, batch)
		s.rig.calls.Add(1)
		s.rig.load.leave()
	}
}

func (s *source) canaries(ctx context.Context) {
	ticker := time.NewTicker(canaryPeriod)
	defer ticker.Stop()
	for s.rig.canaries.pass(ctx) {
		first := s.rig.canary.Add(canarySpans) - canarySpans
		s.consume(ctx, spansOf("canary", canarySpans, func(i int) string { return fmt.Sprintf("canary %d.", int(first)+i) }))
		s.rig.canaries.leave()
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

// consume hands a batch on, and checks that the exporter's answer comes back unchanged.
func (s *source) consume(ctx context.Context, batch ptrace.Traces) {
	spans := int64(batch.SpanCount())
	s.rig.offered.Add(spans)
	defer func() {
		if problem := recover(); problem != nil {
			s.rig.panics.Add(1)
			if problem != any(errBug) {
				s.rig.mistaken.Add(1)
			}
		}
	}()
	switch err := s.next.ConsumeTraces(ctx, batch); err {
	case nil:
		s.rig.sent.Add(spans)
	case errExporter: //nolint:errorlint // it is to come back as it is, not wrapped
		s.rig.failures.Add(1)
	default:
		s.rig.failures.Add(1)
		s.rig.mistaken.Add(1)
	}
}

// spansOf makes a batch of one service.
func spansOf(service string, n int, name func(int) string) ptrace.Traces {
	data := ptrace.NewTraces()
	resource := data.ResourceSpans().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", service)
	resource.Resource().Attributes().PutStr("host.name", "node-1")
	scope := resource.ScopeSpans().AppendEmpty()
	for i := range n {
		span := scope.Spans().AppendEmpty()
		span.SetName(name(i))
		span.SetTraceID([16]byte{1, byte(i >> 8), byte(i)})
		span.SetSpanID([8]byte{2, byte(i >> 8), byte(i)})
		span.SetStartTimestamp(1e18)
		span.SetEndTimestamp(1e18 + 1e6)
		span.Attributes().PutStr("http.route", "/pay/{id}")
		span.Attributes().PutStr("http.request.method", "POST")
		span.Attributes().PutInt("http.response.status_code", 200)
		span.Attributes().PutStr("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64)")
	}
	return data
}

// sink is an exporter that takes about as long over what it gets as it takes to encode it. It
// makes no garbage: what the collector needs to collect it would hide what attacks cost.
type sink struct {
	component.StartFunc
	component.ShutdownFunc
	rig *rig
}

var (
	errExporter = errors.New("the backend is down")
	errBug      = errors.New("the exporter has a bug")
)

// Capabilities says that it only reads.
func (*sink) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

// ConsumeTraces does what the rig's behaviour says.
func (s *sink) ConsumeTraces(_ context.Context, data ptrace.Traces) error {
	b := s.rig.next.Load()
	switch {
	case b.panics:
		panic(errBug)
	case b.blocked != nil:
		s.rig.blocked.Add(1)
		<-b.blocked
		s.rig.blocked.Add(-1)
	case b.err != nil:
		return b.err
	}
	for range 4 {
		if (&ptrace.ProtoMarshaler{}).TracesSize(data) == 0 {
			return errExporter
		}
	}
	s.rig.arrived.Add(int64(data.SpanCount()))
	return nil
}

func noConfig() component.Config { return &struct{}{} }

// factories makes the components of a collector, anew at every load.
func (r *rig) factories() (otelcol.Factories, error) {
	made := otelcol.Factories{Telemetry: otelconftelemetry.NewFactory()}
	var err error
	made.Receivers, err = otelcol.MakeFactoryMap[receiver.Factory](otlpreceiver.NewFactory(), receiver.NewFactory(component.MustNewType("source"), noConfig,
		receiver.WithTraces(func(_ context.Context, _ receiver.Settings, _ component.Config, next consumer.Traces) (receiver.Traces, error) {
			return &source{rig: r, next: next}, nil
		}, component.StabilityLevelDevelopment)))
	if err != nil {
		return made, err
	}
	if made.Processors, err = otelcol.MakeFactoryMap[processor.Factory](
		remotetapprocessor.NewFactory(), memorylimiterprocessor.NewFactory()); err != nil {
		return made, err
	}
	made.Exporters, err = otelcol.MakeFactoryMap(exporter.NewFactory(component.MustNewType("sink"), noConfig,
		exporter.WithTraces(func(context.Context, exporter.Settings, component.Config) (exporter.Traces, error) {
			return &sink{rig: r}, nil
		}, component.StabilityLevelDevelopment)))
	return made, err
}

// threadClock is how long a thread has run, and how long it was ready to run while another had
// the processor, by the kernel's account.
func threadClock(thread int64) (ran, waited time.Duration) {
	text, err := os.ReadFile("/proc/self/task/" + strconv.FormatInt(thread, 10) + "/schedstat")
	fields := bytes.Fields(text)
	if err != nil || len(fields) < 2 {
		return 0, 0
	}
	number := func(field []byte) time.Duration {
		n, _ := strconv.ParseInt(string(field), 10, 64)
		return time.Duration(n)
	}
	return number(fields[0]), number(fields[1])
}
