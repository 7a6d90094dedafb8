package remotetapprocessor

import (
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
	"github.com/remotetap/remotetapprocessor/internal/redact"
	"github.com/remotetap/remotetapprocessor/internal/selection"
	"github.com/remotetap/remotetapprocessor/internal/subset"
)

// source is one signal at one tap point: where batches come in. All pipelines of that signal
// that list the point share it.
type source struct {
	// set at construction
	point  component.ID
	signal otlp.Signal
	hiding hiding

	// atomic
	views       atomic.Pointer[[]*view] // those who watch; nil when nobody does
	seen        atomic.Uint64           // items that passed while somebody watched
	sent        atomic.Uint64           // items delivered, over all taps
	dropped     [numDropReasons]atomic.Uint64
	watched     atomic.Pointer[time.Time] // since when somebody watches; nil: nobody does
	nanoseconds atomic.Int64              // wall time taken from pipelines' goroutines

	rate rateMeter
}

func newSource(point component.ID, signal otlp.Signal, rules *redact.Rules) *source {
	return &source{point: point, signal: signal, hiding: newHiding(rules)}
}

// capture is one batch as it was encoded on a pipeline's goroutine. It is never written again.
type capture struct {
	source  *source
	ordinal uint64 // counts the captures of its view
	time    time.Time
	items   int
	proto   []byte // the OTLP document
	claimed int    // of what the view's tap still wants, if that is counted
}

// captureOverhead is what a capture holds besides its bytes, about.
const captureOverhead = 128

// size is what a capture holds in bytes.
func (c *capture) size() int { return len(c.proto) + captureOverhead }

// batch is one call of a pipeline, as the views that watch it see it.
type batch[T any] struct {
	source *source
	ops    *signalOps[T]
	data   T
	items  int
	now    time.Time
	whole  []byte   // the encoding of all items, made by the first view that wants it
	sized  float64  // mean size of an item in bytes, once a view had to know it
	part   struct { // a copy of some of the items as viewers may see them, the last that was made
		from, to int
		data     T
	}
}

// publish shows a batch to the views that watch its source. It runs on the pipeline's goroutine:
// it encodes and never waits for a client. The data is only read and not kept.
func publish[T any](s *source, views []*view, ops *signalOps[T], data T) {
	defer func() {
		if problem := recover(); problem != nil {
			for _, v := range views {
				v.fail(problem, s, 0)
			}
		}
	}()
	b := batch[T]{source: s, ops: ops, data: data, items: ops.items(data), now: time.Now()}
	if b.items == 0 {
		return
	}
	s.seen.Add(uint64(b.items))
	s.rate.add(b.now, b.items)
	for _, v := range views {
		b.offer(v)
	}
	s.nanoseconds.Add(int64(time.Since(b.now)))
}

// offer gives one view what it wants and may have of the batch. A panic (a bug, or pdata that was
// changed while we read it) costs the view its taps and the pipeline nothing.
func (b *batch[T]) offer(v *view) {
	if v.failed.Load() {
		return
	}
	account := admission{seen: b.items}
	defer func() {
		if problem := recover(); problem != nil {
			v.fail(problem, b.source, b.items)
		}
	}()
	work := v.meters.pipeline.begin(&v.pipelineShare, v.expected(b.source.signal, b.items))
	proto, claimed := b.capture(v, &account, &work)
	v.learnCall(b.source.signal, b.items-account.skipped, work.end())
	c := capture{source: b.source, time: b.now, proto: proto, claimed: claimed}
	if proto != nil {
		c.items = account.admitted() // format=none counts, and has nothing to queue
	}
	v.publish(c, &account)
}

// capture selects, trims and encodes within the time that max_overhead grants, and keeps account.
// It returns nil when there is nothing to deliver. What it claims of a count the view's publish gives
// back.
func (b *batch[T]) capture(v *view, account *admission, work *work) (proto []byte, claimed int) {
	if work.granted <= 0 {
		account.skipped = b.items
		return nil, 0
	}
	marks := v.marks.Get().(*selection.Marks)
	defer v.marks.Put(marks)
	within := selection.Budget{Now: work.elapsed, Until: work.granted}
	b.match(v, marks, within)
	result := marks.Result()
	account.skipped, account.unmatched, account.evalErrors = result.Skipped, result.Unmatched, result.EvalErrors
	if recorder := v.hintsFor(result.Matched, b.now); recorder != nil && b.ops.observe != nil {
		b.observe(recorder, within)
	}
	if v.countsOnly {
		return nil, 0
	}
	for account.admitted() > 0 {
		b.trim(v, account, marks, work.granted-work.elapsed())
		// Pipelines that pass at the same time have all seen the same number wanted: who comes
		// second trims again.
		if claimed := account.admitted(); v.claim(claimed) {
			return b.encode(v, account, marks), claimed
		}
	}
	return nil, 0
}

// trim lowers the admission to the view's quota: errors stay first.
func (b *batch[T]) trim(v *view, account *admission, marks *selection.Marks, left time.Duration) {
	q := v.quota(b.source.signal, 0, left)
	if !q.sure || !q.suffices(account.admitted()) {
		q = v.quota(b.source.signal, b.meanSize(), left)
	}
	switch {
	case q.suffices(account.admitted()):
	case b.ops.thin == nil:
		account.drop(q.reason, account.admitted())
	default:
		classes := v.classes.Get().(*selection.Classes)
		defer v.classes.Put(classes)
		b.ops.classify(classes, b.data, marks)
		account.drop(q.reason, selection.Trim(marks, classes, q.total, q.reserve).Dropped)
	}
}

// meanSize is the size of an item in bytes. It costs a fifth of the encoding, and is asked for only
// when going by earlier batches would cost items.
func (b *batch[T]) meanSize() float64 {
	if b.sized == 0 {
		b.sized = float64(b.ops.size(b.data)) / float64(b.items)
	}
	return b.sized
}

// encode returns the admitted items as an OTLP document that fits the view's queue. It lowers the
// admission if it has to, down to nothing.
func (b *batch[T]) encode(v *view, account *admission, marks *selection.Marks) []byte {
	for kept := account.admitted(); kept > 0; kept = account.admitted() {
		begin := time.Now()
		proto, err := b.marshal(kept, marks)
		if err != nil {
			account.drop(dropInternalError, kept)
			return nil
		}
		v.learn(b.source.signal, kept, len(proto), time.Since(begin))
		if len(proto) <= v.captureBytes {
			return proto
		}
		// The estimate of the size was too low: trim to what fits, and a little more.
		fits := 0
		if b.ops.thin != nil {
			fits = int(float64(kept) * 0.9 * float64(v.captureBytes) / float64(len(proto)))
		}
		account.drop(dropQueueFull, kept-fits)
	}
	return nil
}

// marshal encodes `kept` of the marked items, evenly chosen. Views that want the whole batch share
// one encoding.
func (b *batch[T]) marshal(kept int, marks *selection.Marks) ([]byte, error) {
	if kept < b.items {
		return b.ops.marshal(b.ops.thin(b.data, evenlyOf(marks, kept)))
	}
	if b.whole == nil {
		whole, err := b.ops.marshal(b.data)
		if err != nil {
			return nil, err
		}
		b.whole = whole
	}
	return b.whole, nil
}

// evenlyOf keeps some of the marked items, at even distances.
func evenlyOf(marks *selection.Marks, kept int) subset.Keep {
	if kept == marks.Count() {
		return marks.Has
	}
	evenly, position := subset.Evenly(kept, marks.Count()), -1
	return func(item int) bool {
		if !marks.Has(item) {
			return false
		}
		position++
		return evenly(position)
	}
}
