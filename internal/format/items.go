package format

import (
	"errors"
	"math/bits"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// items goes through a batch and renders one item after the other: a Renderer of formats with one item to a message.
// What a message looks like is its shape's. A profile is an item here, of as many as it has samples.
type items struct {
	options  Options
	batch    Batch
	started  bool
	tooLarge int

	write  plainWriter
	levels []itemLevel // the messages around the next item, from the top
	item   scanned     // the item that is being rendered
	shape  shape
}

// shape is the look of items in a format. All methods but line may set errTooLarge in write.err; then none of the
// items below are rendered.
type shape interface {
	// begin makes the parts that all items of a batch have in common.
	begin(b *Batch)
	// resource, scope, metric and metricData make the parts that those have in common that are in one.
	resource(data []byte)
	scope(data []byte)
	metric(s *scanned)
	metricData(s *scanned)
	// line appends an item.
	line(dst []byte, s *scanned) []byte
	// forget empties the parts.
	forget()
}

// itemLevel is a message on the way to the items.
type itemLevel struct {
	scanned
	child   *otlp.Field
	slot    otlp.Slot // where the children are that have not been visited
	visited bool      // the only child was visited, if there can be only one
}

// Reset starts a new batch.
func (w *items) Reset(b Batch) {
	w.finish()
	w.batch, w.started, w.tooLarge = b, false, 0
}

// finish forgets the batch, and scratch memory that has become unusually large.
func (w *items) finish() {
	w.batch, w.started = Batch{}, true
	clear(w.levels[:cap(w.levels)])
	w.levels = w.levels[:0]
	w.write.reset(0, 0)
	w.write.shrink()
	w.write.keys.shrink()
	w.write.strings.forget()
	w.shape.forget()
}

// TooLarge returns the number of items left out.
func (w *items) TooLarge() int { return w.tooLarge }

// Next appends the next item.
func (w *items) Next(dst []byte) (message []byte, items int, ok bool, err error) {
	start := len(dst)
	for !w.isDone() {
		m, data, ok := w.nextMessage()
		switch {
		case !ok:
			w.leave()
		case isItem(m):
			dst, items = w.render(dst, m, data)
		default:
			w.enter(m, data)
		}
		if err := w.write.err; err != nil {
			w.finish()
			return dst[:start], 0, false, err
		}
		if items > 0 {
			return dst, items, true, nil
		}
	}
	w.finish()
	return dst, 0, false, nil
}

func (w *items) isDone() bool { return w.started && len(w.levels) == 0 }

// isItem reports whether a message below the top is shown as one item.
func isItem(m *otlp.Message) bool { return m.Children == 0 || m.ID == otlp.Profile }

// nextMessage returns the next child of the innermost level, at first the top message.
func (w *items) nextMessage() (m *otlp.Message, data []byte, ok bool) {
	if !w.started {
		w.start()
		return w.batch.Signal.Message(), w.batch.Proto, true
	}
	l := &w.levels[len(w.levels)-1]
	if l.child == nil || l.visited {
		return nil, nil, false
	}
	if !l.child.Repeated {
		l.visited = true
		return l.child.Message, l.data[l.slot.Start:l.slot.End], true
	}
	start, end := l.child.Element(l.data, l.slot.Start, l.slot.End)
	if end < 0 {
		return nil, nil, false
	}
	l.slot.Start = end
	return l.child.Message, l.data[start:end], true
}

// start makes what the whole batch has in common.
func (w *items) start() {
	w.started = true
	if w.batch.Signal == otlp.Profiles {
		w.write.strings.read(&w.write.scanner, w.batch.Proto)
	}
	w.shape.begin(&w.batch)
}

// enter makes a message the innermost level, unless the items in it are too large for what they have in common.
func (w *items) enter(m *otlp.Message, data []byte) {
	var l itemLevel
	w.write.scan(&l.scanned, m, data, 0)
	if children := l.set & m.Children; children != 0 {
		i := bits.TrailingZeros32(children)
		l.child, l.slot = &m.Fields[i], l.slots[i]
	}
	w.levels = append(w.levels, l)
	w.write.limit = orUnlimited(w.options.HardLimit)
	w.common(&w.levels[len(w.levels)-1].scanned)
	if errors.Is(w.write.err, errTooLarge) {
		w.write.err = nil
		w.tooLarge += m.CountItems(data)
		w.leave()
	}
}

// common lets the shape make the parts that the items in a level have in common.
func (w *items) common(s *scanned) {
	if w.write.err != nil {
		return
	}
	switch s.message.ID {
	case otlp.ResourceSpans, otlp.ResourceMetrics, otlp.ResourceLogs, otlp.ResourceProfiles:
		data, base := w.write.part(s, &s.message.Fields[0], s.slots[0])
		w.shape.resource(data)
		w.write.release(base)
	case otlp.ScopeSpans, otlp.ScopeMetrics, otlp.ScopeLogs, otlp.ScopeProfiles:
		data, base := w.write.part(s, &s.message.Fields[0], s.slots[0])
		w.shape.scope(data)
		w.write.release(base)
	case otlp.Metric:
		w.shape.metric(s)
	case otlp.Gauge, otlp.Sum, otlp.Histogram, otlp.ExponentialHistogram, otlp.Summary:
		w.shape.metricData(s)
	default: // the top message has nothing
	}
}

// leave ends the innermost level.
func (w *items) leave() {
	last := len(w.levels) - 1
	w.write.pop(&w.levels[last].scanned)
	w.levels = w.levels[:last]
}

// render appends an item and returns how many it counts for: 0 if it was left out.
func (w *items) render(dst []byte, m *otlp.Message, data []byte) (_ []byte, n int) {
	n = 1
	if m.Children != 0 {
		if n = m.CountItems(data); n == 0 {
			return dst, 0
		}
	}
	start, room := len(dst), orUnlimited(w.options.HardLimit)
	w.write.limit = start + min(room, orUnlimited(0)-start)
	w.write.scan(&w.item, m, data, 0)
	if w.write.err == nil {
		dst = w.shape.line(dst, &w.item)
	}
	w.write.pop(&w.item)
	w.item = scanned{}
	if errors.Is(w.write.err, errTooLarge) || len(dst)-start > room {
		w.write.err = nil
		w.tooLarge += n
		return dst[:start], 0
	}
	return dst, n
}

// attributes calls do for each attribute of a Resource, and stops when it returns false.
func (w *plainWriter) attributes(f *otlp.Field, data []byte, slot otlp.Slot, do func(p pair) bool) {
	for pos, more := slot.Start, true; more && w.err == nil; {
		start, end := f.Element(data, pos, slot.End)
		if end < 0 {
			return
		}
		p, base := w.pair(data[start:end])
		more = do(p)
		w.release(base)
		pos = end
	}
}
