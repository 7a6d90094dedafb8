package remotetapprocessor

import (
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
	"github.com/remotetap/remotetapprocessor/internal/subset"
)

// source is one signal at one tap point: where batches come in. All pipelines of that signal
// that list the point share it.
type source struct {
	// set at construction
	point  component.ID
	signal otlp.Signal

	// atomic
	views       atomic.Pointer[[]*view] // those who watch; nil when nobody does
	seen        atomic.Uint64           // items that passed while somebody watched
	sent        atomic.Uint64           // items delivered, over all taps
	dropped     [numDropReasons]atomic.Uint64
	nanoseconds atomic.Int64 // wall time taken from pipelines' goroutines

	rate rateMeter
}

// capture is one batch as it was encoded on a pipeline's goroutine. It is never written again.
type capture struct {
	source  *source
	ordinal uint64 // counts the captures of its view
	items   int
	proto   []byte // the OTLP document
}

// batch is one call of a pipeline, as the views that watch it see it.
type batch[T any] struct {
	source *source
	ops    *signalOps[T]
	data   T
	items  int
	now    time.Time
	whole  []byte // the encoding of all items, made by the first view that wants it
}

// publish shows a batch to the views that watch its source. It runs on the pipeline's goroutine:
// it encodes and never waits for a client. The data is only read and not kept.
func publish[T any](s *source, views []*view, ops *signalOps[T], data T) {
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

// offer gives one view what it may have of the batch. A panic (a bug, or pdata that was changed
// while we read it) costs the view its taps and the pipeline nothing.
func (b *batch[T]) offer(v *view) {
	account := admission{seen: b.items}
	defer func() {
		if problem := recover(); problem != nil {
			v.fail(problem, b.items)
		}
	}()
	v.admit(&account, b.source.signal, b.ops.thin != nil, b.now)
	proto := b.encode(v, &account)
	v.publish(capture{source: b.source, items: account.admitted(), proto: proto}, &account)
}

// encode returns the admitted items as an OTLP document that fits the view's queue.
// It lowers the admission if it has to, down to nothing.
func (b *batch[T]) encode(v *view, account *admission) []byte {
	for kept := account.admitted(); kept > 0; kept = account.admitted() {
		proto, err := b.marshal(kept)
		if err != nil {
			account.drop(dropInternalError, kept)
			return nil
		}
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

// marshal encodes `kept` of the batch's items, evenly chosen. Views that want the whole batch
// share one encoding.
func (b *batch[T]) marshal(kept int) ([]byte, error) {
	if kept < b.items {
		return b.ops.marshal(b.ops.thin(b.data, subset.Evenly(kept, b.items)))
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
