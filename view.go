package remotetapprocessor

import (
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// view is all taps with the same selection and form of delivery. It holds one log for all of
// them: captured batches that wait to be rendered, and behind those the rendered messages that
// some tap has not taken yet. Each tap is a position in that log, so what a batch costs its
// pipeline does not depend on how many taps there are.
//
//	pipeline -> publish -> [ captures ] -> renderer -> [ log ] -> taps (take, delivered)
//
// What waits for one tap, in any form, is at most queueBytes: when there is no room the oldest
// goes first, which hits those who lag and not those who keep up.
type view struct {
	// set at construction
	selection    selection
	queueBytes   int // all that may wait for one tap
	captureBytes int // the largest encoded batch
	messageBytes int // the size that messages are split at
	itemBytes    int // the largest message of a single item
	logger       *zap.Logger

	mu   sync.Mutex
	work sync.Cond // the renderer waits here, on mu

	// guarded by mu
	budget    budget
	total     totals
	captures  []capture // to be rendered, oldest first
	rendering *capture  // what the renderer works on; it may be abandoned
	abandoned bool      // rendering was dropped to make room
	rendered  int       // items of rendering that are in the log or were lost
	ordinal   uint64    // of the next capture
	log       []*entry  // rendered, and still wanted by a tap
	first     uint64    // position of log[0]; the position after the log is the frontier
	furthest  uint64    // the furthest position that any tap has reached by taking
	bytes     int       // held by captures, rendering and log
	taps      []*tap
	waiting   []*tap // taps at the frontier with nothing to do
	closed    bool   // no tap is left, or it failed: takes nothing any more
}

// totals counts items since the view was made; a tap's account is the difference to the
// totals at the time when it joined.
type totals struct {
	seen    uint64
	matched uint64
	queued  uint64 // matched and admitted to the log
	dropped [numDropReasons]uint64
}

// entry is one rendered message, or a gap: items that were lost in rendering.
type entry struct {
	source  *source
	ordinal uint64 // of the capture it comes from
	items   int
	line    []byte // the message, with a newline that is not part of it; nil: a gap
	gap     dropReason

	prepared prepared // the message as a compressed WebSocket frame, if a client wants one

	// guarded by the view's mu
	wanted int  // taps that have not taken it yet
	bytes  int  // what it holds
	logged bool // it is in the log, and its bytes are part of the view's
}

// message is what the client gets, without the newline of line-based transports.
func (e *entry) message() []byte { return e.line[:len(e.line)-1] }

// renderAhead is how many messages may be rendered before the fastest tap asks for them.
const renderAhead = 2

func newView(sel selection, ceilings PerTapConfig, logger *zap.Logger) *view {
	queue := ceilings.QueueMiB * mib
	v := &view{
		selection:    sel,
		queueBytes:   queue,
		captureBytes: queue / 2,
		messageBytes: min(sel.maxMessage, queue/4),
		itemBytes:    queue / 4,
		logger:       logger,
		budget:       newBudget(ceilings),
	}
	v.work.L = &v.mu
	return v
}

// admit decides how many of a batch's items may be encoded. It runs on a pipeline's goroutine
// and holds the lock for a few arithmetic steps.
func (v *view) admit(a *admission, signal otlp.Signal, divisible bool, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.budget.admit(a, signal, divisible, v.captureBytes, now)
}

// publish accounts for a batch and queues what was encoded of it. It runs on a pipeline's
// goroutine, makes room by dropping the oldest, and never waits.
func (v *view) publish(c capture, a *admission) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return
	}
	v.budget.spend(c.source.signal, c.items, len(c.proto), time.Now())
	if c.items > 0 && !v.makeRoom(len(c.proto)) {
		a.drop(dropQueueFull, c.items)
		c.items = 0
	}
	v.account(c.source, a)
	if c.items == 0 {
		return
	}
	c.ordinal = v.ordinal
	v.ordinal++
	v.total.queued += uint64(c.items)
	v.captures = append(v.captures, c)
	v.bytes += len(c.proto)
	v.work.Signal()
}

// account adds a batch to the view's totals. All items match: what a view does not select by
// signal it does not watch.
func (v *view) account(s *source, a *admission) {
	v.total.seen += uint64(a.seen)
	v.total.matched += uint64(a.seen)
	for reason, n := range a.dropped {
		if n > 0 {
			v.total.dropped[reason] += uint64(n)
			s.dropped[reason].Add(uint64(n) * uint64(len(v.taps)))
		}
	}
}

// makeRoom drops the oldest until `bytes` more fit and tells whether they do. Messages that are
// on their way to a socket cannot be dropped; the largest of them is part of what waits.
func (v *view) makeRoom(bytes int) bool {
	room := v.queueBytes - v.largestInFlight()
	for v.bytes+bytes > room {
		if !v.dropOldest() {
			return false
		}
	}
	return true
}

func (v *view) largestInFlight() int {
	largest := 0
	for _, t := range v.taps {
		if t.inFlight != nil {
			largest = max(largest, t.inFlight.bytes)
		}
	}
	return largest
}

// dropOldest drops the oldest message, or else batch, for all taps that still want it.
func (v *view) dropOldest() bool {
	switch {
	case len(v.log) > 0:
		oldest := v.log[0]
		for _, t := range v.taps {
			if t.position <= v.first {
				t.position = v.first + 1
				t.lose(oldest.source, oldest.ordinal, dropQueueFull, oldest.items)
			}
		}
		v.popLog()
	case v.rendering != nil && !v.abandoned:
		// Its bytes stay until the renderer lets go of them.
		v.abandoned = true
		v.work.Signal()
		v.loseForAll(v.rendering, v.rendering.items-v.rendered)
	case len(v.captures) > 0:
		oldest := v.popCapture()
		v.bytes -= len(oldest.proto)
		v.loseForAll(&oldest, oldest.items)
	default:
		return false
	}
	return true
}

func (v *view) loseForAll(c *capture, items int) {
	for _, t := range v.taps {
		t.lose(c.source, c.ordinal, dropQueueFull, items)
	}
}

func (v *view) popCapture() capture {
	c := v.captures[0]
	v.captures[0] = capture{}
	v.captures = v.captures[1:]
	return c
}

func (v *view) popLog() {
	v.bytes -= v.log[0].bytes
	v.log[0].logged = false
	v.log[0] = nil
	v.log = v.log[1:]
	v.first++
}

// frontier is the position after the newest message.
func (v *view) frontier() uint64 { return v.first + uint64(len(v.log)) }

// releaseTaken forgets the messages that every tap has taken.
func (v *view) releaseTaken() {
	for len(v.log) > 0 && v.log[0].wanted == 0 {
		v.popLog()
	}
}

// grow accounts for what a message holds beyond its text, and makes room for it.
func (v *view) grow(e *entry, bytes int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	e.bytes += bytes
	if e.logged {
		v.bytes += bytes
		v.makeRoom(0)
	}
}

// fail ends all taps of the view after a bug, without waiting for them, and closes it. The items
// that met the bug are counted.
func (v *view) fail(problem any, items int) {
	v.logger.Error("remote_tap has a bug: the taps that met it were ended, the pipeline goes on",
		zap.Stringer("selection", v.selection), zap.String("problem", fmt.Sprint(problem)), zap.Stack("stack"))
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed = true
	v.total.seen += uint64(items)
	v.total.matched += uint64(items)
	v.total.dropped[dropInternalError] += uint64(items)
	for _, t := range v.taps {
		t.cancel(endInternalError)
	}
	v.work.Broadcast()
}
