//go:build linux

package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/otelcol"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/remotetap/remotetapprocessor/internal/logcore"
)

// items sums the accounts of taps.
type items struct{ Seen, Skipped, Unmatched, Matched, Sent, Dropped uint64 }

// process is the collector's process, seen from inside.
type process struct {
	began     time.Time
	rig       *rig
	journal   *journal
	config    *configSource
	collector *otelcol.Collector
	over      chan struct{} // closed when Run has returned
	err       error         // readable when over is closed
	baseline  goleak.Option
	ballast   []byte
}

// beCollector is the main function of the collector's process. It returns the exit status.
func beCollector(orders io.Reader, reports io.Writer) int {
	p := &process{began: time.Now(), rig: newRig(), journal: newJournal(), config: &configSource{}}
	return obeyAll(orders, reports, func(o order, r *report) error {
		defer p.describe(r)
		return p.obey(o, r)
	})
}

func (p *process) obey(o order, r *report) error {
	switch o.Do {
	case "start":
		return p.start(o.Config)
	case "reload":
		ready := p.journal.readiness()
		p.config.change(o.Config)
		return p.await(ready)
	case "flow":
		p.rig.load.set(o.Load)
		p.rig.canaries.set(o.Canaries)
	case "become":
		return p.rig.becomeNamed(o.Next)
	case "state":
	case "accounts":
		r.Accounts = p.journal.takeAccounts(o.Agent)
	case "ballast": // memory that is held, for memory_limiter to see
		p.ballast = make([]byte, o.Ballast<<20)
	case "live": // all that is not garbage
		runtime.GC()
		held := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
		metrics.Read(held)
		r.Live = int64(held[0].Value.Uint64() + held[1].Value.Uint64())
	case "baseline":
		p.baseline = goleak.IgnoreCurrent()
	case "leaks":
		if err := goleak.Find(p.baseline); err != nil {
			r.Leaks = err.Error()
		}
	case "stop":
		return p.stop(r)
	default:
		return fmt.Errorf("what is %q", o.Do)
	}
	return nil
}

func (r *rig) becomeNamed(name string) error {
	switch name {
	case "pass":
		r.become(&behaviour{})
	case "fail":
		r.become(&behaviour{err: errExporter})
	case "panic":
		r.become(&behaviour{panics: true})
	case "block":
		r.become(&behaviour{blocked: make(chan struct{})})
	default:
		return fmt.Errorf("the exporter cannot %q", name)
	}
	return nil
}

// start runs a collector and waits until it is ready.
func (p *process) start(config string) error {
	p.config.document = config
	var err error
	p.collector, err = otelcol.NewCollector(otelcol.CollectorSettings{
		BuildInfo:               component.BuildInfo{Command: "torture", Version: "1.2.3"},
		Factories:               p.rig.factories,
		DisableGracefulShutdown: true,
		SkipSettingGRPCLogger:   true,
		LoggingOptions: []zap.Option{zap.WrapCore(func(zapcore.Core) zapcore.Core {
			return logcore.New(zapcore.InfoLevel, p.journal.add)
		})},
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
			URIs: []string{"torture:"},
			ProviderFactories: []confmap.ProviderFactory{
				confmap.NewProviderFactory(func(confmap.ProviderSettings) confmap.Provider { return p.config }),
			},
		}},
	})
	if err != nil {
		return err
	}
	ready := p.journal.readiness()
	p.over = make(chan struct{})
	go func() {
		defer close(p.over)
		p.err = p.collector.Run(context.Background())
	}()
	return p.await(ready)
}

func (p *process) await(ready <-chan struct{}) error {
	select {
	case <-ready:
		return nil
	case <-p.over:
		return fmt.Errorf("the collector has ended: %w", p.err)
	case <-time.After(patience):
		return errors.New("the collector does not get ready")
	}
}

// stop ends the collector and looks for what it leaves behind.
func (p *process) stop(r *report) error {
	go p.collector.Shutdown()
	select {
	case <-p.over:
	case <-time.After(patience):
		return errors.New("the collector does not stop")
	}
	if err := goleak.Find(); err != nil {
		r.Leaks = err.Error()
	}
	return p.err
}

// describe fills in what every report says.
func (p *process) describe(r *report) {
	g := p.rig
	r.Calls, r.Canary, r.Sent, r.Arrived = g.calls.Load(), g.canary.Load(), g.sent.Load(), g.arrived.Load()
	r.Failures, r.Panics, r.Mistaken = g.failures.Load(), g.panics.Load(), g.mistaken.Load()
	r.Flows = g.load.flows() || g.canaries.flows() // before what it has sent
	r.Offered, r.Blocked = g.offered.Load(), g.blocked.Load()
	r.At = time.Since(p.began)
	r.Ran, r.Waited = threadClock(g.thread.Load())
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err == nil {
		r.CPU = time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	r.Goroutines = runtime.NumGoroutine()
	if files, err := os.ReadDir("/proc/self/fd"); err == nil {
		r.Files = len(files)
	}
	p.journal.describe(r)
}

// journal reads the collector's log as it is written.
type journal struct {
	mu sync.Mutex
	// guarded by mu
	ready      chan struct{} // closed when the latest start is complete
	addresses  map[string]string
	opened     int
	ended      map[string]int
	items      items
	dishonest  []string
	complaints []string
	accounts   map[string][]account // of those whose User-Agent begins with viewerPrefix, by that
}

// account is what the log says about a tap that has ended.
type account struct {
	Reason string
	Ledger ledger
}

func newJournal() *journal {
	return &journal{ready: make(chan struct{}), addresses: map[string]string{}, ended: map[string]int{}, accounts: map[string][]account{}}
}

// takeAccounts returns the final accounts of a client's taps, and forgets them.
func (j *journal) takeAccounts(agent string) []account {
	j.mu.Lock()
	defer j.mu.Unlock()
	defer delete(j.accounts, agent)
	return j.accounts[agent]
}

// readiness is a channel that is closed when the next start is complete.
func (j *journal) readiness() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ready = make(chan struct{})
	return j.ready
}

func (j *journal) describe(r *report) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r.Addresses, r.Opened, r.Ended, r.Items = j.addresses, j.opened, j.ended, j.items
	r.Dishonest, r.Complaints = slices.Clone(j.dishonest), slices.Clone(j.complaints)
	r.Addresses, r.Ended = maps.Clone(j.addresses), maps.Clone(j.ended)
}

// maxComplaints bounds what the journal keeps word for word.
const maxComplaints = 50

// add reads an entry of the log.
func (j *journal) add(e zapcore.Entry, fields map[string]any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case strings.HasPrefix(e.Message, "Everything is ready"):
		close(j.ready)
	case e.Message == "remote_tap is listening":
		j.listens(fmt.Sprint(fields["address"]))
	case e.Message == "Starting GRPC server": // an OTLP receiver
		j.listens(fmt.Sprint(fields["endpoint"]))
	case e.Message == "tap opened":
		j.opened++
	case e.Message == "tap ended":
		j.end(fields)
	}
	if e.Level >= zapcore.WarnLevel && len(j.complaints) < maxComplaints {
		j.complaints = append(j.complaints, fmt.Sprintf("%s: %s %v", e.Level, e.Message, fields))
	}
}

// listens takes down where somebody listens. Call with mu held.
func (j *journal) listens(address string) {
	j.addresses[address[:strings.LastIndex(address, ":")]] = address
}

// end checks the account of a tap that has ended. Call with mu held.
func (j *journal) end(fields map[string]any) {
	j.ended[fmt.Sprint(fields["reason"])]++
	count := func(name string) uint64 { n, _ := fields[name].(uint64); return n }
	dropped := uint64(0)
	reasons, _ := fields["dropped"].(map[string]uint64)
	for _, n := range reasons {
		dropped += n
	}
	l := items{count("seen"), count("skipped"), count("unmatched"), count("matched"), count("sent"), dropped}
	if l.Seen != l.Skipped+l.Unmatched+l.Matched || l.Matched != l.Sent+l.Dropped {
		j.dishonest = append(j.dishonest, fmt.Sprint(fields))
	}
	if agent, _, _ := strings.Cut(fmt.Sprint(fields["user_agent"]), " grpc-go/"); strings.HasPrefix(agent, viewerPrefix) {
		j.accounts[agent] = append(j.accounts[agent], account{fmt.Sprint(fields["reason"]), ledger{
			Seen: l.Seen, Skipped: l.Skipped, Unmatched: l.Unmatched, Matched: l.Matched, Sent: l.Sent, Dropped: reasons,
		}})
	}
	j.items.Seen += l.Seen
	j.items.Skipped += l.Skipped
	j.items.Unmatched += l.Unmatched
	j.items.Matched += l.Matched
	j.items.Sent += l.Sent
	j.items.Dropped += l.Dropped
}

// configSource is a confmap provider with one document, which can change.
type configSource struct {
	mu       sync.Mutex
	document string              // guarded by mu
	watcher  confmap.WatcherFunc // guarded by mu
}

// Retrieve returns the document.
func (s *configSource) Retrieve(_ context.Context, _ string, watcher confmap.WatcherFunc) (*confmap.Retrieved, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watcher = watcher
	return confmap.NewRetrievedFromYAML([]byte(s.document))
}

// Scheme returns the scheme of the provider's URIs.
func (*configSource) Scheme() string { return "torture" }

// Shutdown has nothing to do.
func (*configSource) Shutdown(context.Context) error { return nil }

// change replaces the document, or keeps it if the new one is empty, and makes the collector reload.
func (s *configSource) change(document string) {
	s.mu.Lock()
	if document != "" {
		s.document = document
	}
	watcher := s.watcher
	s.mu.Unlock()
	watcher(&confmap.ChangeEvent{})
}

// configuration is that of a collector under test: one tap point in plain text on 127.0.0.1, and
// one with TLS on 127.0.0.5, with small queues.
type configuration struct {
	certificate *certificate
	maxOverhead float64
	limiterMiB  int // memory_limiter, in front of the tap points, if not 0
}

func (c configuration) yaml() string {
	first, limiter := "", ""
	if c.limiterMiB > 0 {
		first = "memory_limiter, "
		limiter = fmt.Sprintf("\n  memory_limiter: {check_interval: 10ms, limit_mib: %d, spike_limit_mib: 0}", c.limiterMiB)
	}
	return fmt.Sprintf(`
receivers:
  source:
exporters:
  sink:
processors:%s
  remote_tap: &tap
    endpoint: 127.0.0.1:0
    limit: %d
    max_overhead: %g
    per_tap: {queue_mib: %d}
  remote_tap/tls:
    <<: *tap
    endpoint: 127.0.0.5:0
    tls: {cert_file: %q, key_file: %q}
service:
  telemetry:
    metrics: {level: none}
    logs: {sampling: {enabled: false}}
  pipelines:
    traces: {receivers: [source], processors: [%sremote_tap, remote_tap/tls], exporters: [sink]}
`, limiter, tapLimit, c.maxOverhead, queueMiB, c.certificate.certFile, c.certificate.keyFile, first)
}

const (
	// tapLimit is how many taps may be open.
	tapLimit = 8
	// queueMiB is how much may wait for each.
	queueMiB = 2
)
