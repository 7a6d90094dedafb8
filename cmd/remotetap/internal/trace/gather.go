package trace

import (
	"fmt"
	"hash/maphash"
	"iter"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/internal/subset"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// How much of one trace is collected.
const (
	mostItems = 20_000
	mostBytes = 64 << 20 // of protobuf
)

// gathered is what has come of a trace, in the order in which it came.
type gathered struct {
	pieces  []piece
	items   int
	bytes   int
	leftOut int

	seed    maphash.Seed
	spans   map[spanKey]bool
	records map[uint64]map[string]int // how often a record came, by where; the key is a hash
}

// piece is what was in one batch.
type piece struct {
	batch  *app.Batch // its Proto holds this piece only
	traces ptrace.Traces
	logs   plog.Logs
}

// spanKey is what a span is known by when it passes a second point. An id alone would not do: where
// client and server share one (Zipkin), they differ in their kind.
type spanKey struct {
	id    pcommon.SpanID
	kind  ptrace.SpanKind
	start pcommon.Timestamp
}

func newGathered() *gathered {
	return &gathered{spans: map[spanKey]bool{}, records: map[uint64]map[string]int{}, seed: maphash.MakeSeed()}
}

// add adds the items of a trace that a batch has and that have not come before. It returns how many there
// were.
func (g *gathered) add(b *app.Batch, id string) (int, error) {
	p := piece{batch: &app.Batch{From: b.From, Point: b.Point, Time: b.Time, Signal: b.Signal}}
	before := g.items
	var err error
	switch b.Signal {
	case tapclient.Traces:
		var td ptrace.Traces
		if td, err = b.Traces(); err == nil {
			p.traces = subset.Traces(td, g.newSpans(td, id))
			p.batch.Proto, err = (&ptrace.ProtoMarshaler{}).MarshalTraces(p.traces)
		}
	case tapclient.Logs:
		var ld plog.Logs
		if ld, err = b.Logs(); err == nil {
			p.logs = subset.Logs(ld, g.newRecords(ld, id, b.From+" "+b.Point))
			p.batch.Proto, err = (&plog.ProtoMarshaler{}).MarshalLogs(p.logs)
		}
	default:
		return 0, nil
	}
	added := g.items - before
	if err != nil || added == 0 {
		return 0, err
	}
	p.batch.Items = uint64(added)
	if g.bytes+len(p.batch.Proto) > mostBytes {
		g.items, g.leftOut = before, g.leftOut+added
		return 0, nil
	}
	g.bytes += len(p.batch.Proto)
	g.pieces = append(g.pieces, p)
	return added, nil
}

// newSpans says which spans of a batch are new, and counts them.
func (g *gathered) newSpans(td ptrace.Traces, id string) subset.Keep {
	var keep []bool
	for span := range spansOf(td) {
		key := spanKey{id: span.SpanID(), kind: span.Kind(), start: span.StartTimestamp()}
		keep = append(keep, span.TraceID().String() == id && !g.spans[key] && g.room())
		if keep[len(keep)-1] {
			g.spans[key] = true
		}
	}
	return func(position int) bool { return keep[position] }
}

// newRecords does the same for records. One source may well write a record twice; but a record that came
// from one source as often already is the same at another point.
func (g *gathered) newRecords(ld plog.Logs, id, source string) subset.Keep {
	var keep []bool
	for record := range recordsOf(ld) {
		isNew := false
		if record.TraceID().String() == id {
			key := maphash.String(g.seed, fmt.Sprint(record.SpanID(), record.Timestamp(), record.ObservedTimestamp(), record.Body().AsString()))
			isNew = g.isNew(key, source) && g.room()
		}
		keep = append(keep, isNew)
	}
	return func(position int) bool { return keep[position] }
}

// isNew counts a record at its source, and reports whether no source has had it as often.
func (g *gathered) isNew(key uint64, source string) bool {
	counts := g.records[key]
	if counts == nil {
		if len(g.records) >= mostItems {
			return true // there is no room for it in any case
		}
		counts = map[string]int{}
		g.records[key] = counts
	}
	most := 0
	for _, n := range counts {
		most = max(most, n)
	}
	counts[source]++
	return counts[source] > most
}

// room counts an item, if there is room for it.
func (g *gathered) room() bool {
	if g.items >= mostItems {
		g.leftOut++
		return false
	}
	g.items++
	return true
}

// spansOf are the spans of a batch, in its order.
func spansOf(td ptrace.Traces) iter.Seq[ptrace.Span] {
	return func(yield func(ptrace.Span) bool) {
		for _, rs := range td.ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, span := range ss.Spans().All() {
					if !yield(span) {
						return
					}
				}
			}
		}
	}
}

// recordsOf are the log records of a batch, in its order.
func recordsOf(ld plog.Logs) iter.Seq[plog.LogRecord] {
	return func(yield func(plog.LogRecord) bool) {
		for _, rl := range ld.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, record := range sl.LogRecords().All() {
					if !yield(record) {
						return
					}
				}
			}
		}
	}
}
