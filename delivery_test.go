package remotetapprocessor

import (
	"bufio"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remotetap/remotetapprocessor/internal/selection"
)

// passTraces lets a pipeline pass a batch.
func (o *observed) passTraces(batch ptrace.Traces) {
	o.t.Helper()
	require.NoError(o.t, o.traces.ConsumeTraces(o.t.Context(), batch))
}

// lines reads the lines of a stream until there are n.
func linesOf(t *testing.T, body io.Reader, n int) []string {
	t.Helper()
	var lines []string
	reader := bufio.NewReader(body)
	for len(lines) < n {
		line, err := reader.ReadString('\n')
		require.NoError(t, err)
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
	return lines
}

// statsOf reads a stats message.
func statsOf(t *testing.T, message []byte) map[string]any {
	t.Helper()
	var stats struct {
		RemoteTap struct{ Stats map[string]any }
	}
	require.NoError(t, json.Unmarshal(message, &stats))
	require.NotNil(t, stats.RemoteTap.Stats, "%s", message)
	return stats.RemoteTap.Stats
}

func TestOnlyWhatMatchesIsDelivered(t *testing.T) {
	for query, want := range map[string][]string{
		"name=span+1":             {"span 1", "span 10", "span 11"},
		"service=checkout&name=9": {"span 9"},
		"attr.missing=x":          nil,
		"http.route=/pay&name=0":  {"span 0", "span 10"},
		"service!=checkout":       nil,
	} {
		t.Run(query, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, PerTapConfig{})
				reader := &reader{t: t, tap: r.subscribe(selected(query))}
				r.publish(spans(12))
				reader.takeAll()
				l := checkLedger(t, reader.tap)
				assert.Equal(t, want, reader.spans)
				assert.Equal(t, uint64(12-len(want)), l.unmatched)
				r.leave(reader.tap)
			})
		})
	}
}

func TestErrorComesThroughAFloodAtOneItemASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, PerTapConfig{})
		reader := &reader{t: t, tap: r.subscribe(selected("rate=1"))}
		for range 20 {
			r.publish(spans(1000))
		}
		batch := spans(1000)
		failed := batch.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(500)
		failed.SetName("the error")
		failed.Status().SetCode(ptrace.StatusCodeError)
		r.publish(batch)
		reader.takeAll()
		l := checkLedger(t, reader.tap)
		assert.Contains(t, reader.spans, "the error")
		assert.LessOrEqual(t, len(reader.spans), 2)
		assert.Equal(t, l.matched-l.sent, l.dropped[dropRateLimit])
		r.leave(reader.tap)
	})
}

func TestCountEndsTheTapWithExactlySoMany(t *testing.T) {
	for name, query := range map[string]string{
		"documents of many items": "count=7",
		"a line for each item":    "count=7&format=json",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				conn := o.webSocket("/v1/traces?" + query)
				for range 4 {
					o.passTraces(spans(5))
				}
				closed := closing(t, conn)
				assert.Equal(t, websocket.CloseNormalClosure, closed.Code)
				assert.Contains(t, closed.Text, "count_reached: sent 7 of ")
				assert.Equal(t, "count_reached", o.reason())
			})
		})
	}
}

func TestDurationEndsTheTap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		begin := time.Now()
		conn := o.webSocket("/v1/traces?duration=90s")
		closed := closing(t, conn)
		assert.Equal(t, 90*time.Second, time.Since(begin))
		assert.Equal(t, "duration_reached: sent 0 of 0 matched", closed.Text)
	})
}

func TestStatsComeFirstEveryPeriodAndLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		conn := o.webSocket("/v1/traces?stats=1s&duration=2500ms&name=span+1")
		next := func() map[string]any {
			_, message, err := conn.ReadMessage()
			require.NoError(t, err)
			return statsOf(t, message)
		}
		first := next()
		assert.EqualValues(t, 0, first["seen"])
		assert.Equal(t, []any{"remote_tap"}, first["points"])
		assert.InDelta(t, 0.1, first["limits"].(map[string]any)["max_overhead"], 0)
		assert.Empty(t, first["hints"])
		o.passTraces(spans(5))
		_, _, err := conn.ReadMessage()
		require.NoError(t, err)
		for range 2 {
			stats := next()
			assert.EqualValues(t, 5, stats["seen"])
			assert.EqualValues(t, 4, stats["unmatched"])
			assert.EqualValues(t, 1, stats["sent"])
		}
		assert.EqualValues(t, 1, next()["sent"], "the last word")
		assert.Contains(t, closing(t, conn).Text, "duration_reached")
	})
}

func TestFormatNoneCountsWithoutData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		conn := o.webSocket("/v1/traces?format=none&stats=1s&name=span+1")
		_, _, err := conn.ReadMessage()
		require.NoError(t, err)
		o.passTraces(spans(12))
		_, message, err := conn.ReadMessage()
		require.NoError(t, err)
		stats := statsOf(t, message)
		assert.EqualValues(t, 3, stats["matched"])
		assert.EqualValues(t, 3, stats["sent"])
		assert.EqualValues(t, 0, stats["bytes"])
		assert.EqualValues(t, 0, stats["pending"])
		checkLedger(t, o.s.broadcaster.snapshot().taps[0])
	})
}

func TestHintsSayWhyNothingMatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		conn := o.webSocket("/v1/traces?service=chekout&stats=1s")
		go func() {
			for range 8 {
				advance(time.Second)
				o.passTraces(spans(10))
			}
		}()
		for second := 0; ; second++ {
			_, message, err := conn.ReadMessage()
			require.NoError(t, err)
			hints := statsOf(t, message)["hints"].([]any)
			if len(hints) == 0 {
				require.Less(t, second, 8)
				continue
			}
			assert.GreaterOrEqual(t, second, 5)
			assert.Contains(t, hints[0], "service=chekout was not seen; seen: checkout (")
			break
		}
		advance(5 * time.Second) // the pipeline ends
	})
}

func TestLastReportHasTheHintsOfAShortTap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		conn := o.webSocket("/v1/traces?service=chekout&stats=10s&duration=4s")
		for range 3 {
			advance(1100 * time.Millisecond)
			o.passTraces(spans(10))
		}
		advance(time.Second)
		var last []any
		for {
			_, message, err := conn.ReadMessage()
			if err != nil {
				break
			}
			last = statsOf(t, message)["hints"].([]any)
		}
		require.NotEmpty(t, last)
		assert.Contains(t, last[0], "service=chekout was not seen; seen: checkout (")
	})
}

func TestFormatsOnEachTransport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		text := o.webSocket("/v1/traces?format=text")
		binary := o.webSocket("/v1/traces?format=otlp_proto")
		envelope := o.webSocket("/v1/traces?envelope=true")
		stream := o.stream("/v1/traces?format=json")
		o.passTraces(spans(2))

		kind, message, err := text.ReadMessage()
		require.NoError(t, err)
		assert.Equal(t, websocket.TextMessage, kind)
		assert.Contains(t, string(message), "checkout")

		kind, message, err = binary.ReadMessage()
		require.NoError(t, err)
		assert.Equal(t, websocket.BinaryMessage, kind)
		decoded, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(message)
		require.NoError(t, err)
		assert.Equal(t, 2, decoded.SpanCount())

		_, message, err = envelope.ReadMessage()
		require.NoError(t, err)
		assert.Contains(t, string(message), `"remoteTap":{"point":"remote_tap","time":"`)

		for i, line := range linesOf(t, stream.Body, 2) {
			var item struct{ Name string }
			require.NoError(t, json.Unmarshal([]byte(line), &item))
			assert.Equal(t, []string{"span 0", "span 1"}[i], item.Name)
		}
	})
}

func TestOneHugeItemDoesNotCostTheBatchesAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, PerTapConfig{QueueMiB: 16})
		reader := &reader{t: t, tap: r.subscribe(everything())}
		huge := spans(1)
		huge.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Attributes().PutStr("body", strings.Repeat("x", 3*mib))
		r.publish(huge)
		reader.takeAll()
		for range 3 {
			r.publish(spans(2000))
			reader.takeAll()
		}
		l := checkLedger(t, reader.tap)
		assert.Len(t, reader.spans, 1+3*2000)
		assert.Empty(t, l.droppedByReason())
		r.leave(reader.tap)
	})
}

func TestBugThatRepeatsIsLoggedOnceAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, PerTapConfig{})
		tap := r.subscribe(everything())
		r.publish(spans(5))
		calls := 0
		ops := traceOps()
		ops.marshal = func(ptrace.Traces) ([]byte, error) { calls++; panic("a bug") }
		for range 10 {
			publish(r.source, *r.source.views.Load(), ops, spans(3))
		}
		assert.Equal(t, 1, calls, "a view that failed is left alone")
		final := r.broadcaster.unsubscribe(tap, endInternalError)
		assert.Equal(t, "sent 0 of 8 matched, dropped 8 (internal_error 8)", final.String())
		assert.Zero(t, final.pending)
		assert.Equal(t, uint64(8), r.source.dropped[dropInternalError].Load())
	})
}

func TestPanicWhileCountingCostsThePipelineNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, PerTapConfig{})
		ctx, tap, err := r.broadcaster.subscribe(t.Context(), everything(), clientInfo{})
		require.NoError(t, err)
		ops := traceOps()
		ops.items = func(ptrace.Traces) int { panic("changed while it was read") }
		assert.NotPanics(t, func() { publish(r.source, *r.source.views.Load(), ops, spans(3)) })
		<-ctx.Done()
		r.broadcaster.unsubscribe(tap, endInternalError)
	})
}

func TestManySmallBatchesAreBoundedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, PerTapConfig{QueueMiB: 1})
		tap := r.subscribe(everything())
		for range 20_000 {
			r.publish(spans(1))
		}
		tap.view.mu.Lock()
		waiting := len(tap.view.captures)
		tap.view.mu.Unlock()
		assert.LessOrEqual(t, waiting*captureOverhead, mib, "what each batch costs besides its bytes counts")
		checkLedger(t, tap)
		r.leave(tap)
	})
}

func TestBatchesBeyondMaxOverheadAreSkippedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, PerTapConfig{})
		r.broadcaster.meters = newMeters(0.0001)
		tap := r.subscribe(selected("name=nothing"))
		slow := traceOps()
		match := slow.match
		slow.match = func(m *selection.Matcher, td ptrace.Traces, items int, into *selection.Marks, budget selection.Budget) error {
			advance(5 * time.Millisecond)
			return match(m, td, items, into, budget)
		}
		for range 100 {
			publish(r.source, *r.source.views.Load(), slow, spans(10))
		}
		l := checkLedger(t, tap)
		assert.Positive(t, l.skipped)
		assert.Equal(t, uint64(1000), l.seen)
		r.leave(tap)
	})
}

func TestOneSlowBatchDoesNotEndTheDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, PerTapConfig{})
		reader := &reader{t: t, tap: r.subscribe(everything())}
		slow := traceOps()
		marshal := slow.marshal
		slow.marshal = func(td ptrace.Traces) ([]byte, error) {
			advance(time.Second) // the machine was busy with something else
			return marshal(td)
		}
		publish(r.source, *r.source.views.Load(), slow, spans(1))
		advance(time.Minute)
		for range 100 {
			r.publish(spans(1))
			reader.takeAll()
		}
		checkLedger(t, reader.tap)
		assert.Greater(t, len(reader.spans), 90, "what an item costs is learned anew")
		r.leave(reader.tap)
	})
}

func TestSelectionSpansSignals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		conn := o.webSocket("/v1/tap?trace_id=01000100000000000000000000000000")
		o.passTraces(spans(3))
		logs := plog.NewLogs()
		record := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		record.SetTraceID([16]byte{1, 0, 1})
		require.NoError(t, o.collector.logs.ConsumeLogs(t.Context(), logs))
		require.NoError(t, o.metrics.ConsumeMetrics(t.Context(), points(3)))
		for _, want := range []string{`{"resourceSpans":`, `{"resourceLogs":`} {
			_, message, err := conn.ReadMessage()
			require.NoError(t, err)
			assert.True(t, strings.HasPrefix(string(message), want), "%s", message)
		}
	})
}
