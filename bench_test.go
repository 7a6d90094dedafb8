package remotetapprocessor

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// timed is a function to be measured.
type timed struct {
	call   func()
	repeat int    // calls for one reading; 0 for one
	settle func() // runs after each reading, outside the measured time; nil for nothing
}

// compare measures a function beside a reference in one run, turn by turn, so that what else the
// machine does hits both alike. It reports the medians and their ratio.
func compare(b *testing.B, reference, subject timed) {
	b.Helper()
	var references, subjects []float64
	for b.Loop() {
		references = append(references, reference.read())
		subjects = append(subjects, subject.read())
	}
	r, s := median(references), median(subjects)
	b.ReportMetric(0, "ns/op") // the loop's own time means nothing here
	b.ReportMetric(r, "ns/reference")
	b.ReportMetric(s, "ns/call")
	b.ReportMetric(s-r, "ns-over-reference")
	b.ReportMetric(s/r, "x-reference")
}

// read is the time of one call in nanoseconds.
func (f timed) read() float64 {
	repeat := max(f.repeat, 1)
	begin := time.Now()
	for range repeat {
		f.call()
	}
	reading := float64(time.Since(begin)) / float64(repeat)
	if f.settle != nil {
		f.settle()
	}
	return reading
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// passThrough is the least that a processor can be: a struct that calls the next consumer.
type passThrough struct {
	next consumer.Traces
}

func (*passThrough) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (p *passThrough) ConsumeTraces(ctx context.Context, traces ptrace.Traces) error {
	return p.next.ConsumeTraces(ctx, traces)
}

// BenchmarkIdle is a call while nobody watches, beside a plain pass-through: both behind the
// interface that the collector calls them by.
func BenchmarkIdle(b *testing.B) {
	ctx := context.Background()
	nop := consumertest.NewNop()
	c := newCollector(b)
	c.startBefore(nop, nop, nop, nop)
	b.Cleanup(c.stop)
	traces, metrics, logs, profiles := richSpans(1), points(1), records(1), samples(1)
	var plain consumer.Traces = &passThrough{next: nop}
	reference := timed{call: func() { _ = plain.ConsumeTraces(ctx, traces) }, repeat: 10_000}
	for name, call := range map[string]func(){
		"traces":   func() { _ = c.traces.ConsumeTraces(ctx, traces) },
		"metrics":  func() { _ = c.metrics.ConsumeMetrics(ctx, metrics) },
		"logs":     func() { _ = c.logs.ConsumeLogs(ctx, logs) },
		"profiles": func() { _ = c.profiles.ConsumeProfiles(ctx, profiles) },
	} {
		b.Run(name, func(b *testing.B) { compare(b, reference, timed{call: call, repeat: 10_000}) })
	}
}

// BenchmarkWatched is the time that a call of 1000 spans spends on the pipeline's goroutine while
// clients read OTLP/JSON over WebSocket, beside pdata's own marshalers. Between the calls, outside
// the measured time, every client gets everything.
func BenchmarkWatched(b *testing.B) {
	batch := richSpans(1000)
	for _, taps := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("taps=%d/reference=ProtoMarshaler", taps), func(b *testing.B) {
			compareWatched(b, taps, batch, func() { _, _ = (&ptrace.ProtoMarshaler{}).MarshalTraces(batch) })
		})
	}
	b.Run("taps=1/reference=JSONMarshaler", func(b *testing.B) {
		compareWatched(b, 1, batch, func() { _, _ = (&ptrace.JSONMarshaler{}).MarshalTraces(batch) })
	})
}

// BenchmarkTaps is the same call with 100 clients beside that with one.
func BenchmarkTaps(b *testing.B) {
	batch := richSpans(1000)
	one, hundred := watch(b, 1), watch(b, 100)
	compare(b, one.consume(batch), hundred.consume(batch))
}

func compareWatched(b *testing.B, taps int, batch ptrace.Traces, reference func()) {
	b.Helper()
	compare(b, timed{call: reference}, watch(b, taps).consume(batch))
}

// watch starts a collector with clients that read as fast as they can.
func watch(b *testing.B, taps int) *collector {
	b.Helper()
	nop := consumertest.NewNop()
	c := newCollector(b, noCeilings, func(config *Config) { config.Limit = taps })
	c.startBefore(nop, nop, nop, nop)
	b.Cleanup(c.stop)
	var readers sync.WaitGroup
	for range taps {
		conn := c.dial("/v1/traces")
		readers.Go(func() {
			for {
				_, message, err := conn.NextReader()
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, message)
			}
		})
	}
	b.Cleanup(func() {
		c.stop()
		readers.Wait()
	})
	return c
}

// consume is a call of the pipeline, which its clients are given the time to read.
func (c *collector) consume(batch ptrace.Traces) timed {
	return timed{call: func() { _ = c.traces.ConsumeTraces(context.Background(), batch) }, settle: c.settle}
}

// settle waits until every tap has sent everything.
func (c *collector) settle() {
	taps := c.server().broadcaster.snapshot().taps
	for _, tap := range taps {
		for {
			l := tap.ledger(time.Now())
			require.Zero(c.t, l.lost())
			if l.pending == 0 {
				break
			}
			runtime.Gosched() // the sessions need the processor; nothing is timed here
		}
	}
}
