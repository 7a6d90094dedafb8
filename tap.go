package remotetapprocessor

import (
	"context"
	"time"

	"github.com/remotetap/remotetapprocessor/internal/selection"
)

// tap is one client's live subscription: a position in its view's log, and its own account.
type tap struct {
	// set at construction
	id     uint64
	points []string // ids of the points that it covers
	limits limits
	asked  string // the selection, as a query string
	wants  selection.Delivery
	view   *view
	client clientInfo
	opened time.Time
	ready  chan struct{}           // holds one token: there may be something to take
	cancel context.CancelCauseFunc // ends the session, with an endReason as the cause

	// guarded by view.mu
	from     uint64 // ordinal of the first capture that it is for
	position uint64 // of the next message to take; behind v.first if it wanted none of those before
	inFlight *entry // taken, and not yet accepted by the socket
	waiting  bool   // in view.waiting
	base     totals // the view's totals when it joined
	sent     uint64
	bytes    uint64
	dropped  [numDropReasons]uint64 // lost after they were queued
	final    *ledger                // the account when it had left
}

// join adds a tap to the view, for the batches that pass from now on. It fails when the view is
// already closed.
func (v *view) join(t *tap) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return false
	}
	t.view, t.from, t.position, t.base = v, v.ordinal, v.frontier(), v.total
	v.furthest = t.position
	v.taps = append(v.taps, t)
	if t.wants.Stats > 0 {
		v.hints.listen(1, t.opened)
	}
	v.work.Signal()
	return true
}

// next waits for the tap's next message. It returns nil when `wake` fires first, and the
// endReason when the context is done. Call delivered before the next call.
func (t *tap) next(ctx context.Context, wake <-chan time.Time) (*entry, error) {
	for {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if e := t.take(); e != nil {
			return e, nil
		}
		select {
		case <-ctx.Done():
		case <-t.ready:
		case <-wake:
			return nil, nil
		}
	}
}

// take moves past the next message and returns it, or asks to be woken when there is one.
func (t *tap) take() *entry {
	v := t.view
	v.mu.Lock()
	defer v.mu.Unlock()
	for t.position = max(t.position, v.first); t.position < v.frontier(); {
		e := v.log[t.position-v.first]
		t.position++
		if e.ordinal < t.from {
			continue
		}
		e.wanted--
		if e.line != nil {
			t.inFlight = e
			break
		}
		t.lose(e.source, e.ordinal, e.gap, e.items)
	}
	if t.position > v.furthest {
		v.furthest = t.position
		v.work.Signal()
	}
	v.releaseTaken()
	if t.inFlight == nil && !t.waiting {
		t.waiting = true
		v.waiting = append(v.waiting, t)
	}
	return t.inFlight
}

// wake tells the session that there may be something to take. It does not block.
func (t *tap) wake() {
	select {
	case t.ready <- struct{}{}:
	default:
	}
}

// delivered records that the socket accepted the message in flight, unless that was given up
// meanwhile, and returns the number of items that it has accepted by now.
func (t *tap) delivered() (sent uint64) {
	t.view.mu.Lock()
	defer t.view.mu.Unlock()
	if e := t.inFlight; e != nil {
		t.inFlight = nil
		t.sent += uint64(e.items)
		t.bytes += uint64(len(e.message()))
		e.source.sent.Add(uint64(e.items))
	}
	return t.sent
}

// lose counts items that were queued and will not be delivered. Call with view.mu held.
func (t *tap) lose(s *source, ordinal uint64, reason dropReason, items int) {
	if ordinal < t.from {
		return
	}
	t.dropped[reason] += uint64(items)
	s.dropped[reason].Add(uint64(items))
}

// leave ends the subscription: what still waits is counted as tap_ended. It returns the final
// account, and whether the view has no tap left. A second call only returns these.
func (t *tap) leave(now time.Time) (final ledger, last bool) {
	v := t.view
	v.mu.Lock()
	defer v.mu.Unlock()
	if t.final == nil {
		t.giveUp(dropTapEnded)
		v.remove(t)
		final := t.account(now)
		t.final = &final
	}
	return *t.final, len(v.taps) == 0
}

// giveUp counts everything that waits for the tap as lost.
func (t *tap) giveUp(reason dropReason) {
	v := t.view
	if t.inFlight != nil {
		t.lose(t.inFlight.source, t.inFlight.ordinal, reason, t.inFlight.items)
		t.inFlight = nil
	}
	for t.position = max(t.position, v.first); t.position < v.frontier(); t.position++ {
		e := v.log[t.position-v.first]
		if e.ordinal < t.from {
			continue
		}
		e.wanted--
		t.lose(e.source, e.ordinal, reason, e.items)
	}
	if v.rendering != nil && !v.abandoned {
		t.lose(v.rendering.source, v.rendering.ordinal, reason, v.rendering.items-v.settled)
	}
	for i := range v.captures {
		t.lose(v.captures[i].source, v.captures[i].ordinal, reason, v.captures[i].items)
	}
	v.releaseTaken()
}

// remove forgets a tap. With the last one the view closes and its renderer ends.
func (v *view) remove(t *tap) {
	v.taps = without(v.taps, t)
	if t.wants.Stats > 0 {
		v.hints.listen(-1, t.opened)
	}
	v.waiting = without(v.waiting, t)
	if len(v.taps) == 0 {
		v.close()
	}
}

// without returns the slice without every occurrence of one element, in place.
func without[T comparable](from []T, one T) []T {
	kept := from[:0]
	for _, element := range from {
		if element != one {
			kept = append(kept, element)
		}
	}
	clear(from[len(kept):])
	return kept
}

// ledger is the tap's account now. It may be called from any goroutine.
func (t *tap) ledger(now time.Time) ledger {
	t.view.mu.Lock()
	defer t.view.mu.Unlock()
	if t.final != nil {
		return *t.final
	}
	return t.account(now)
}

// account is the tap's account. Call with view.mu held.
func (t *tap) account(now time.Time) ledger {
	total := &t.view.total
	l := ledger{
		since:      t.opened,
		now:        now,
		seen:       total.seen - t.base.seen,
		skipped:    total.skipped - t.base.skipped,
		unmatched:  total.unmatched - t.base.unmatched,
		matched:    total.matched - t.base.matched,
		evalErrors: total.evalErrors - t.base.evalErrors,
		sent:       total.counted - t.base.counted + t.sent,
		bytes:      t.bytes,
		pending:    total.queued - t.base.queued - t.sent,
	}
	for reason := range l.dropped {
		l.pending -= t.dropped[reason]
		l.dropped[reason] = total.dropped[reason] - t.base.dropped[reason] + t.dropped[reason]
	}
	return l
}
