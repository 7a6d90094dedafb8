package remotetapprocessor

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap/zaptest"

	"github.com/remotetap/remotetapprocessor/internal/metadata"
	"github.com/remotetap/remotetapprocessor/internal/otlp"
	"github.com/remotetap/remotetapprocessor/internal/selection"
)

// rig is a broadcaster with one source of spans, without any server.
type rig struct {
	t           testing.TB
	broadcaster *broadcaster
	source      *source
}

func newRig(t testing.TB, ceilings PerTapConfig) *rig {
	if ceilings.QueueMiB == 0 {
		ceilings.QueueMiB = 1
	}
	r := &rig{
		t:           t,
		broadcaster: newBroadcaster(1000, ceilings, 64, zaptest.NewLogger(t)),
		source:      &source{point: component.NewID(metadata.Type), signal: otlp.Traces},
	}
	r.broadcaster.add(r.source)
	return r
}

// publish does what a pipeline's goroutine does.
func (r *rig) publish(traces ptrace.Traces) {
	if views := r.source.views.Load(); views != nil {
		publish(r.source, *views, traceOps(), traces)
	}
}

func (r *rig) subscribe(sel selection.Selection) *tap {
	r.t.Helper()
	_, t, err := r.broadcaster.subscribe(r.t.Context(), sel, clientInfo{})
	require.NoError(r.t, err)
	return t
}

func (r *rig) leave(t *tap) ledger { return r.broadcaster.unsubscribe(t, endClientClosed) }

// everything is the selection of a client that asks for nothing in particular.
func everything() selection.Selection { return selected("") }

// selected is the selection of a query string.
func selected(query string) selection.Selection {
	sel, err := parseSelection(query, selection.AllSignals())
	if err != nil {
		panic(err)
	}
	return sel
}

// reader takes a tap's messages as a session does.
type reader struct {
	t     testing.TB
	tap   *tap
	spans []string // names of all spans that it was given, in order
}

// take takes one message if there is one, without waiting for longer than the renderer needs.
func (r *reader) take() bool {
	r.t.Helper()
	e := r.tap.take()
	if e == nil {
		synctest.Wait()
		if e = r.tap.take(); e == nil {
			return false
		}
	}
	names := spanNames(r.t, e.message())
	require.Len(r.t, names, e.items, "a message holds as many items as it is counted for")
	r.tap.delivered()
	r.spans = append(r.spans, names...)
	return true
}

func (r *reader) takeAll() {
	r.t.Helper()
	for r.take() {
	}
}

// advance moves the fake clock of a synctest bubble.
func advance(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // inside a bubble this is how fake time passes
}

func spanNames(t testing.TB, message []byte) []string {
	t.Helper()
	var document struct {
		ResourceSpans []struct {
			ScopeSpans []struct {
				Spans []struct{ Name string }
			}
		}
	}
	require.NoError(t, json.Unmarshal(message, &document))
	var names []string
	for _, resource := range document.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			for _, span := range scope.Spans {
				names = append(names, span.Name)
			}
		}
	}
	return names
}

// waiting adds up what waits for a tap, from the view's structures and not from its counters.
// Call with view.mu held.
func waiting(t *tap) (items, bytes int) {
	v := t.view
	bytes = v.scratch
	if t.inFlight != nil {
		items += t.inFlight.items
		bytes += t.inFlight.bytes
	}
	for i, e := range v.log {
		bytes += e.bytes
		if v.first+uint64(i) >= t.position && e.ordinal >= t.from {
			items += e.items
		}
	}
	if v.rendering != nil {
		bytes += v.rendering.size()
		if !v.abandoned && v.rendering.ordinal >= t.from {
			items += v.rendering.items - v.settled
		}
	}
	for _, c := range v.captures {
		bytes += c.size()
		if c.ordinal >= t.from {
			items += c.items
		}
	}
	return items, bytes
}

// checkLedger holds an open tap's account against the promise and against what really waits for
// it, while everything else goes on.
func checkLedger(t testing.TB, tap *tap) ledger {
	t.Helper()
	tap.view.mu.Lock()
	defer tap.view.mu.Unlock()
	if tap.final != nil {
		return *tap.final
	}
	l := tap.account(time.Now())
	require.Equal(t, l.seen, l.skipped+l.unmatched+l.matched, "seen = skipped + unmatched + matched")
	require.Equal(t, l.matched, l.sent+l.pending+l.lost(), "matched = sent + pending + dropped")
	items, bytes := waiting(tap)
	require.Equal(t, uint64(items), l.pending, "pending is what waits")
	require.LessOrEqual(t, bytes, tap.view.queueBytes, "what waits for a client is bounded")
	return l
}

func TestTapGetsWhatPassesWhileItIsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, PerTapConfig{})
		r.publish(spans(3)) // nobody watches
		first := &reader{t: t, tap: r.subscribe(everything())}
		r.publish(spans(2))
		second := &reader{t: t, tap: r.subscribe(everything())}
		r.publish(spans(1))

		first.takeAll()
		second.takeAll()
		assert.Equal(t, []string{"span 0", "span 1", "span 0"}, first.spans)
		assert.Equal(t, []string{"span 0"}, second.spans, "what passed before it joined is not for it")
		assert.Equal(t, "sent 3 of 3 matched", new(r.leave(first.tap)).String())
		assert.Equal(t, "sent 1 of 1 matched", new(r.leave(second.tap)).String())
		assert.Nil(t, r.source.views.Load(), "nobody watches any more")
	})
}

func TestFullQueueDropsTheOldestOfTheSlowTapOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, PerTapConfig{QueueMiB: 1})
		slow := &reader{t: t, tap: r.subscribe(everything())}
		fast := &reader{t: t, tap: r.subscribe(everything())}
		const batches, size = 100, 10
		for range batches {
			r.publish(largeSpans(size))
			fast.takeAll()
			checkLedger(t, slow.tap)
			checkLedger(t, fast.tap)
		}
		assert.Len(t, fast.spans, batches*size, "the fast one gets everything")
		slow.takeAll()
		l := checkLedger(t, slow.tap)
		assert.Positive(t, l.dropped[dropQueueFull])
		assert.Equal(t, l.matched, l.sent+l.dropped[dropQueueFull])
		assert.Equal(t, fast.spans[len(fast.spans)-len(slow.spans):], slow.spans, "the slow one gets the newest")
		r.leave(slow.tap)
		r.leave(fast.tap)
	})
}

func TestNothingIsRenderedForClientsThatDoNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, PerTapConfig{QueueMiB: 1})
		stuck := r.subscribe(everything())
		for range 100 {
			r.publish(largeSpans(10))
			synctest.Wait()
		}
		v := stuck.view
		v.mu.Lock()
		rendered := v.frontier()
		v.mu.Unlock()
		assert.LessOrEqual(t, rendered, uint64(renderAhead))
		checkLedger(t, stuck)
		r.leave(stuck)
	})
}

func TestWhatEveryTapHasTakenIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, PerTapConfig{})
		first := &reader{t: t, tap: r.subscribe(everything())}
		second := &reader{t: t, tap: r.subscribe(everything())}
		for range 10 {
			r.publish(spans(5))
		}
		first.takeAll()
		assert.Positive(t, first.tap.view.bytes, "the second one wants it still")
		second.takeAll()
		assert.Zero(t, first.tap.view.bytes)
		assert.Empty(t, first.tap.view.log)
		r.leave(first.tap)
		r.leave(second.tap)
	})
}

func TestProfilesOverTheRateAreDroppedWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, PerTapConfig{ItemsPerSecond: 4})
		tap := r.subscribe(everything())
		for _, size := range []int{3, 3} {
			publish(r.source, *r.source.views.Load(), profileOps(), samples(size))
		}
		l := checkLedger(t, tap)
		assert.Equal(t, map[string]uint64{"rate_limit": 3}, l.droppedByReason())
		r.leave(tap)
	})
}

func TestLeavingTapCountsWhatItDidNotGet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, PerTapConfig{})
		tap := r.subscribe(everything())
		r.publish(spans(5))
		synctest.Wait()
		require.NotNil(t, tap.take(), "one message is on its way")
		r.publish(spans(7))
		final := r.leave(tap)
		assert.Equal(t, "sent 0 of 12 matched, dropped 12 (tap_ended 12)", final.String())
		assert.Zero(t, final.pending)
		assert.Equal(t, final, r.leave(tap), "leaving twice changes nothing")
		assert.Equal(t, uint64(12), r.source.dropped[dropTapEnded].Load())
	})
}

func TestCeilings(t *testing.T) {
	for name, test := range map[string]struct {
		ceilings  PerTapConfig
		batches   []int
		wantSent  int
		wantLost  map[string]uint64
		wantNames []string
	}{
		"no ceiling": {
			batches: []int{10, 20}, wantSent: 30, wantLost: map[string]uint64{},
		},
		"a batch over the item rate is trimmed evenly": {
			ceilings: PerTapConfig{ItemsPerSecond: 4}, batches: []int{12},
			wantSent: 4, wantLost: map[string]uint64{"rate_limit": 8},
			wantNames: []string{"span 2", "span 5", "span 8", "span 11"},
		},
		"what the first batch used the second does not get": {
			ceilings: PerTapConfig{ItemsPerSecond: 4}, batches: []int{3, 3},
			wantSent: 4, wantLost: map[string]uint64{"rate_limit": 2},
		},
		"a batch over the byte rate is trimmed by its real size": {
			ceilings: PerTapConfig{MiBPerSecond: 0.001}, batches: []int{100, 100},
			wantSent: 16, wantLost: map[string]uint64{"byte_limit": 184},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, test.ceilings)
				reader := &reader{t: t, tap: r.subscribe(everything())}
				for _, size := range test.batches {
					r.publish(spans(size))
				}
				reader.takeAll()
				l := checkLedger(t, reader.tap)
				assert.Len(t, reader.spans, test.wantSent)
				assert.Equal(t, test.wantLost, l.droppedByReason())
				if test.wantNames != nil {
					assert.Equal(t, test.wantNames, reader.spans)
				}
				r.leave(reader.tap)
			})
		})
	}
}

func TestCeilingsRefillWithTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, PerTapConfig{ItemsPerSecond: 10})
		reader := &reader{t: t, tap: r.subscribe(everything())}
		for range 60 {
			r.publish(spans(10))
			advance(time.Second / 2)
		}
		reader.takeAll()
		l := checkLedger(t, reader.tap)
		assert.InDelta(t, 10*30, len(reader.spans), 15)
		assert.Equal(t, uint64(600), l.matched)
		r.leave(reader.tap)
	})
}

func TestBatchLargerThanTheQueueIsTrimmedNotDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, PerTapConfig{QueueMiB: 1})
		reader := &reader{t: t, tap: r.subscribe(everything())}
		r.publish(spans(40_000)) // about 3 MiB of protobuf
		reader.takeAll()
		l := checkLedger(t, reader.tap)
		assert.Greater(t, len(reader.spans), 1000)
		assert.Equal(t, l.matched-uint64(len(reader.spans)), l.dropped[dropQueueFull])
		r.leave(reader.tap)
	})
}

func TestItemLargerThanTheQueueIsLostAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, PerTapConfig{QueueMiB: 1})
		reader := &reader{t: t, tap: r.subscribe(everything())}
		batch := spans(3)
		middle := batch.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(1)
		middle.Attributes().PutStr("huge", string(make([]byte, 300<<10))) // six times that as JSON
		r.publish(batch)
		reader.takeAll()
		l := checkLedger(t, reader.tap)
		assert.Equal(t, []string{"span 0", "span 2"}, reader.spans)
		assert.Equal(t, map[string]uint64{"queue_full": 1}, l.droppedByReason())
		r.leave(reader.tap)
	})
}

func TestFrameOfAMessageThatIsBeingSentHasRoomInTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, PerTapConfig{QueueMiB: 1})
		tap := r.subscribe(everything())
		r.publish(largeSpans(10))
		synctest.Wait()
		e := tap.take()
		require.NotNil(t, e)
		for range 30 { // between taking it and writing it
			r.publish(largeSpans(10))
		}
		checkLedger(t, tap)
		tap.view.grow(e, 2*len(e.line))
		checkLedger(t, tap)
		r.leave(tap)
	})
}

func TestPanicCostsTheTapsAndNotThePipeline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, PerTapConfig{})
		ctx, tap, err := r.broadcaster.subscribe(t.Context(), everything(), clientInfo{})
		require.NoError(t, err)
		ops := traceOps()
		ops.marshal = func(ptrace.Traces) ([]byte, error) { panic("a bug") }
		assert.NotPanics(t, func() { publish(r.source, *r.source.views.Load(), ops, spans(3)) })
		<-ctx.Done()
		final := r.broadcaster.unsubscribe(tap, endInternalError)
		assert.Equal(t, "sent 0 of 3 matched, dropped 3 (internal_error 3)", final.String())

		next := &reader{t: t, tap: r.subscribe(everything())}
		r.publish(spans(1))
		next.takeAll()
		assert.Len(t, next.spans, 1, "the next tap works")
		r.leave(next.tap)
	})
}

func TestBatchThatCannotBeRenderedIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, PerTapConfig{})
		reader := &reader{t: t, tap: r.subscribe(everything())}
		ops := traceOps()
		ops.marshal = func(ptrace.Traces) ([]byte, error) { return []byte{0x0a, 0xff}, nil }
		publish(r.source, *r.source.views.Load(), ops, spans(3))
		r.publish(spans(2))
		reader.takeAll()
		l := checkLedger(t, reader.tap)
		assert.Equal(t, map[string]uint64{"internal_error": 3}, l.droppedByReason())
		assert.Len(t, reader.spans, 2)
		r.leave(reader.tap)
	})
}

// TestLedgerAddsUp drives views with random batches, clients, joins and leaves, and checks every
// account after every step.
func TestLedgerAddsUp(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { randomLedger(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func randomLedger(t *testing.T, random *rand.Rand) {
	t.Helper()
	r := newRig(t, PerTapConfig{
		QueueMiB:       1,
		ItemsPerSecond: []float64{0, 0, 20, 200}[random.IntN(4)],
		MiBPerSecond:   []float64{0, 0.05, 10}[random.IntN(3)],
	})
	selections := []selection.Selection{
		everything(),
		selected("signal=traces&max_message=1024"),
		selected("signal=traces&max_message=16777216"),
		selected("name=span+1"),
		selected("service=checkout&attr.none=x"),
		selected("rate=10"),
		selected("sample=0.3"),
		selected(`where=span.name+==+"span 3"`),
	}
	var open []*reader
	for range 200 {
		switch action := random.IntN(10); {
		case action < 3:
			r.publish(largeSpans(random.IntN(60)))
		case action == 3 && len(open) < 8:
			open = append(open, &reader{t: t, tap: r.subscribe(selections[random.IntN(len(selections))])})
		case action == 4 && len(open) > 0:
			i := random.IntN(len(open))
			checkFinal(t, open[i], r.leave(open[i].tap))
			open = append(open[:i], open[i+1:]...)
		case action == 5:
			advance(time.Duration(random.IntN(1000)) * time.Millisecond)
		case len(open) > 0:
			reader := open[random.IntN(len(open))]
			for range random.IntN(20) {
				reader.take()
			}
		}
		synctest.Wait()
		for _, reader := range open {
			checkLedger(t, reader.tap)
		}
	}
	for _, reader := range open {
		checkFinal(t, reader, r.leave(reader.tap))
	}
}

// largeSpans makes spans of 4 KiB.
func largeSpans(n int) ptrace.Traces {
	traces := spans(n)
	for _, span := range traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
		span.Attributes().PutStr("payload", strings.Repeat("x", 4*kib))
	}
	return traces
}

func checkFinal(t *testing.T, r *reader, final ledger) {
	t.Helper()
	require.Equal(t, uint64(len(r.spans)), final.sent, "sent is what was received")
	require.Zero(t, final.pending)
	require.Equal(t, final.matched, final.sent+final.lost())
}

func TestProtobufOfAWholeBatchIsNotCopied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, PerTapConfig{})
		tap := r.subscribe(selected("format=otlp_proto"))
		defer r.leave(tap)
		r.publish(spans(3))
		synctest.Wait()
		captured, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(spans(3))
		require.NoError(t, err)
		e := tap.take()
		assert.True(t, e.bare)
		assert.Equal(t, captured, e.message())
		assert.Equal(t, 3, e.items)
		tap.delivered()
		assert.Equal(t, uint64(len(captured)), tap.ledger(time.Now()).bytes)
		assert.Zero(t, tap.view.bytes, "nothing waits any more")
	})
}

// Two pipelines select and encode at the same time, and then queue what they have.
func TestCountIsExactHoweverManyPipelinesPassAtOnce(t *testing.T) {
	r := newRig(t, PerTapConfig{})
	tap := r.subscribe(selected("count=7"))
	v := tap.view
	var accounts [3]admission
	var captures [3]capture
	for i := range captures {
		b := batch[ptrace.Traces]{source: r.source, ops: traceOps(), data: spans(5), items: 5, now: time.Now()}
		accounts[i] = admission{seen: b.items}
		work := v.meters.pipeline.begin(&v.pipelineShare, 0)
		proto, claimed := b.capture(v, &accounts[i], &work)
		work.end()
		captures[i] = capture{source: r.source, time: b.now, proto: proto, claimed: claimed, items: accounts[i].admitted()}
	}
	for i, c := range captures {
		v.publish(c, &accounts[i])
	}
	l := checkLedger(t, tap)
	assert.Equal(t, uint64(15), l.matched)
	assert.Equal(t, uint64(7), l.sent+l.pending)
	assert.Equal(t, uint64(8), l.dropped[dropTapEnded])
	v.mu.Lock()
	claimed := v.claimed
	v.mu.Unlock()
	assert.Zero(t, claimed, "what was claimed has been queued")
	r.leave(tap)
}
