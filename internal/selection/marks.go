package selection

import (
	"math"
	"math/bits"
	"time"
)

// Marks says which items of a batch match, one bit for each, by position as package subset counts them. Its memory is
// used again from batch to batch, and holds what a match needs on its way: keep Marks in a pool, one for each call.
// The zero value is ready. It is for one goroutine at a time.
type Marks struct {
	bitmap
	walk walk
}

// bitmap is a set of positions below a bound.
type bitmap struct {
	words []uint64
	items int
	count int
}

// reset makes the set empty, with room for positions below items.
func (b *bitmap) reset(items int) {
	n := (items + 63) / 64
	if cap(b.words) < n {
		b.words = make([]uint64, n)
	}
	b.words = b.words[:n]
	clear(b.words)
	b.items, b.count = items, 0
}

// Has reports whether the item at a position, from 0, is marked. It serves as a subset.Keep.
func (b *bitmap) Has(position int) bool { return b.words[position>>6]&(1<<(position&63)) != 0 }

// Items is the number of items in the batch.
func (b *bitmap) Items() int { return b.items }

// Count is the number of marked items.
func (b *bitmap) Count() int { return b.count }

// All reports whether every item is marked, so that the batch can be encoded whole.
func (b *bitmap) All() bool { return b.count == b.items }

// set marks an item that is not marked yet.
func (b *bitmap) set(position int) {
	b.words[position>>6] |= 1 << (position & 63)
	b.count++
}

// unset takes away a mark that is there.
func (b *bitmap) unset(position int) {
	b.words[position>>6] &^= 1 << (position & 63)
	b.count--
}

// setRange marks n items from a position on; none of them is marked yet.
func (b *bitmap) setRange(position, n int) {
	b.count += n
	for n > 0 {
		offset := position & 63
		take := min(n, 64-offset)
		b.words[position>>6] |= (1<<take - 1) << offset
		position += take
		n -= take
	}
}

// next returns the first marked position from one on; -1 if there is none.
func (b *bitmap) next(position int) int {
	for w := position >> 6; w < len(b.words); w++ {
		word := b.words[w]
		if w == position>>6 {
			word &= ^uint64(0) << (position & 63)
		}
		if word != 0 {
			return w<<6 + bits.TrailingZeros64(word)
		}
	}
	return -1
}

// Budget ends a match that takes too long. The zero value never does.
type Budget struct {
	// Now is a clock that never goes back, such as time.Since(start). It is looked at every few items, and at each one
	// after items that took long.
	Now func() time.Duration
	// Until is the clock's time when the allowance is used up.
	Until time.Duration
}

// Result is the account of one batch: Items = Matched + Unmatched + Skipped.
type Result struct {
	Items      int
	Matched    int
	Unmatched  int // read, and not selected
	Skipped    int // not read, since the budget was used up
	EvalErrors int // of the unmatched: those that only a failing `where` kept from matching
	// FirstError is the first of those failures, in OTTL's words; it may quote telemetry. nil if there is none.
	FirstError error
}

// walk is one match on its way through a batch.
type walk struct {
	marks      *bitmap
	position   int // of the next item; what lies before it has been read
	stopped    bool
	evalErrors int
	firstError error

	budget  Budget
	left    int // steps that may be taken before the clock is looked at
	stride  int
	longest int           // the longest stride
	looked  time.Duration // when the clock was looked at last; 0: not yet
}

// Strides between looks at the clock: many steps cost less than the look; a `where` may cost more than it.
const (
	simpleStride = 64
	whereStride  = 16
	// slowStride is how long a stride may take before the next one is a single step.
	slowStride = 100 * time.Microsecond
)

// begin makes the marks ready for a batch. Where a step may be costly the clock is looked at before the first.
func (m *Marks) begin(items int, budget Budget, costly bool) *walk {
	m.reset(items)
	w := &m.walk
	w.marks, w.budget = &m.bitmap, budget
	w.position, w.stopped, w.evalErrors, w.firstError = 0, false, 0, nil
	w.left, w.stride, w.longest, w.looked = simpleStride, simpleStride, simpleStride, 0
	if costly {
		w.left, w.stride, w.longest = 0, 0, whereStride
	}
	return w
}

// Gather makes the marks ready for those of a batch's parts, which Add takes in their order.
func (m *Marks) Gather(items int) { m.begin(items, Budget{}, false).stopped = true }

// Add adds the marks and the account of the next part. Items that no part holds are skipped.
func (m *Marks) Add(part *Marks) {
	w, offset := &m.walk, m.walk.position
	for i := part.next(0); i >= 0; i = part.next(i + 1) {
		m.set(offset + i)
	}
	r := part.Result()
	w.position += r.Items - r.Skipped
	w.evalErrors += r.EvalErrors
	w.fail(r.FirstError)
}

// step is taken before each resource, scope and metric; false ends the walk.
func (w *walk) step() bool {
	w.left--
	return w.left >= 0 || w.look()
}

// chunk takes the steps for up to n items at once, as many as there are until the next look at the clock; 0 ends the walk.
func (w *walk) chunk(n int) int {
	if w.left <= 0 {
		if !w.look() {
			return 0
		}
		w.left++ // look takes one step
	}
	n = min(n, w.left)
	w.left -= n
	return n
}

// look reads the clock and decides how many steps to take before the next look, the first of which it takes.
func (w *walk) look() bool {
	if w.budget.Now == nil {
		w.left = math.MaxInt - 1
		return true
	}
	now := w.budget.Now()
	if now >= w.budget.Until {
		w.stopped = true
		return false
	}
	if w.looked != 0 && now-w.looked > slowStride {
		w.stride = 1
	} else {
		w.stride = min(max(2*w.stride, 1), w.longest)
	}
	w.looked = now
	w.left = w.stride - 1
	return true
}

// take decides n items from the position on: marked, or failed if a `where` above them did.
func (w *walk) take(n int, failed bool) {
	if failed {
		w.evalErrors += n
	} else {
		w.marks.setRange(w.position, n)
	}
	w.position += n
}

// fail remembers the first error of a `where`.
func (w *walk) fail(err error) {
	if w.firstError == nil {
		w.firstError = err
	}
}

// Result is the account of the last match.
func (m *Marks) Result() Result {
	w := &m.walk
	r := Result{Items: w.marks.items, Matched: w.marks.count, EvalErrors: w.evalErrors}
	if w.evalErrors > 0 { // a failure above items that do not match anyway is none
		r.FirstError = w.firstError
	}
	if w.stopped {
		r.Skipped = r.Items - w.position
	}
	r.Unmatched = r.Items - r.Matched - r.Skipped
	return r
}
