package remotetapprocessor

import (
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
	"github.com/remotetap/remotetapprocessor/internal/selection"
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
	selection    selection.Selection
	key          string // of the broadcaster's map
	matcher      *selection.Matcher
	countsOnly   bool // format=none: nothing is encoded
	queueBytes   int  // all that may wait for one tap
	captureBytes int  // the largest encoded batch
	messageBytes int  // the size that messages are split at
	itemBytes    int  // the largest message of a single item
	logger       *zap.Logger
	only         uint64 // count=: the number of items that its tap asks for; 0: no end
	meters       *meters

	failed        atomic.Bool // it met a bug; its taps are ending
	marks         sync.Pool   // of *selection.Marks
	classes       sync.Pool   // of *selection.Classes
	pipelineShare spender     // guarded by meters.pipeline.mu
	renderShare   spender     // guarded by meters.rendering.mu

	mu   sync.Mutex
	work sync.Cond // the renderer waits here, on mu

	// guarded by mu
	budget    budget
	hints     hints
	total     totals
	captures  []capture // to be rendered, oldest first
	rendering *capture  // what the renderer works on; it may be abandoned
	abandoned bool      // rendering was dropped to make room
	settled   int       // items of rendering that are in the log or were lost
	ordinal   uint64    // of the next capture
	log       []*entry  // rendered, and still wanted by a tap
	first     uint64    // position of log[0]; the position after the log is the frontier
	furthest  uint64    // the furthest position that any tap has reached by taking
	bytes     int       // held by captures, rendering and log
	scratch   int       // held by the renderer
	claimed   int       // of `only`: items of batches that are being encoded
	taps      []*tap
	waiting   []*tap // taps at the frontier with nothing to do
	closed    bool   // no tap is left, or it failed: takes nothing any more
}

// totals counts items since the view was made; a tap's account is the difference to the
// totals at the time when it joined.
type totals struct {
	seen       uint64
	skipped    uint64
	unmatched  uint64
	matched    uint64
	evalErrors uint64
	counted    uint64 // matched, for taps that only count
	queued     uint64 // matched and admitted to the log
	dropped    [numDropReasons]uint64
}

// entry is one rendered message, or a gap: items that were lost in rendering.
type entry struct {
	source  *source
	ordinal uint64 // of the capture it comes from
	time    time.Time
	items   int
	line    []byte // the message, with a newline that is not part of it; nil: a gap
	bare    bool   // line is a capture's own bytes, without a newline
	gap     dropReason

	prepared prepared // the message as a compressed WebSocket frame, if a client wants one

	// guarded by the view's mu
	wanted int  // taps that have not taken it yet
	bytes  int  // what it holds
	logged bool // it is in the log, and its bytes are part of the view's
}

// message is what the client gets, without the newline of line-based transports.
func (e *entry) message() []byte {
	if e.bare {
		return e.line
	}
	return e.line[:len(e.line)-1]
}

// renderAhead is how many messages may be rendered before the fastest tap asks for them.
const renderAhead = 2

// newView makes the view of a selection. The error is a *selection.Error.
func newView(sel selection.Selection, ceilings PerTapConfig, shared *meters, logger *zap.Logger) (*view, error) {
	matcher, err := selection.Compile(sel)
	if err != nil {
		return nil, err
	}
	queue := ceilings.QueueMiB * mib
	v := &view{
		selection:    sel,
		matcher:      matcher,
		countsOnly:   sel.Delivery.Format == selection.FormatNone,
		only:         sel.Delivery.Count,
		meters:       shared,
		marks:        sync.Pool{New: func() any { return new(selection.Marks) }},
		classes:      sync.Pool{New: func() any { return new(selection.Classes) }},
		queueBytes:   queue,
		captureBytes: queue / 2,
		messageBytes: min(sel.Delivery.MaxMessage, queue/4),
		itemBytes:    queue / 4,
		logger:       logger,
		budget:       newBudget(sel.Delivery.Rate, ceilings),
	}
	v.work.L = &v.mu
	return v, nil
}

// quota decides how many items of a batch may be encoded. It runs on a pipeline's goroutine and
// holds the lock for a few arithmetic steps.
func (v *view) quota(signal otlp.Signal, meanSize float64, left time.Duration) quota {
	v.mu.Lock()
	defer v.mu.Unlock()
	q := v.budget.quota(signal, meanSize, v.captureBytes, left, time.Now())
	if v.only > 0 {
		q = q.atMost(v.wanted(), dropTapEnded)
	}
	return q
}

// expected is how long a batch will take, going by earlier ones.
func (v *view) expected(signal otlp.Signal, items int) time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	return time.Duration(v.budget.sizes[signal].call * float64(items))
}

// learnCall notes how long a call took that read some items.
func (v *view) learnCall(signal otlp.Signal, items int, took time.Duration) {
	if items == 0 {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	call := &v.budget.sizes[signal].call
	*call += (float64(took)/float64(items) - *call) / 4
}

// learn notes what it took to encode some items.
func (v *view) learn(signal otlp.Signal, items, bytes int, took time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	size := &v.budget.sizes[signal]
	size.learn(float64(bytes)/float64(items), float64(took)/float64(items))
	size.missed = bytes > v.captureBytes
}

// wanted is how many items more the tap of a view with a count can take.
func (v *view) wanted() int {
	taken := uint64(0)
	for _, t := range v.taps {
		l := t.account(time.Time{})
		taken = l.sent + l.pending
	}
	return int(v.only - min(taken+uint64(v.claimed), v.only))
}

// claim takes some items of what the tap of a view with a count still wants, until publish. It tells
// whether there are so many: another pipeline may have come first.
func (v *view) claim(items int) bool {
	if v.only == 0 {
		return true
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if items > v.wanted() {
		return false
	}
	v.claimed += items
	return true
}

// publish accounts for a batch and queues what was encoded of it. It runs on a pipeline's
// goroutine, makes room by dropping the oldest, and never waits.
func (v *view) publish(c capture, a *admission) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return
	}
	if v.only > 0 {
		v.claimed -= c.claimed
	}
	v.budget.spend(c.items, len(c.proto), time.Now())
	if c.items > 0 && !v.makeRoom(c.size()) {
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
	v.bytes += c.size()
	v.work.Signal()
}

// account adds a batch to the view's totals.
func (v *view) account(s *source, a *admission) {
	v.total.seen += uint64(a.seen)
	v.total.skipped += uint64(a.skipped)
	v.total.unmatched += uint64(a.unmatched)
	v.total.matched += uint64(a.matched())
	v.total.evalErrors += uint64(a.evalErrors)
	if v.countsOnly {
		v.total.counted += uint64(a.matched())
	}
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
	room := v.queueBytes - v.scratch - v.largestInFlight()
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
		v.loseForAll(v.rendering, v.rendering.items-v.settled)
	case len(v.captures) > 0:
		oldest := v.popCapture()
		v.bytes -= oldest.size()
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

// reserve makes room for another copy of a capture while it is worked on. It returns false when
// the capture had to go itself.
func (v *view) reserve(bytes int) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.bytes += bytes
	if v.makeRoom(0); !v.abandoned && !v.closed {
		return true
	}
	v.bytes -= bytes
	return false
}

// release gives back what reserve has taken.
func (v *view) release(bytes int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.bytes -= bytes
}

// replace puts another document in the place of a capture's.
func (v *view) replace(c *capture, document []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.bytes += len(document) - len(c.proto)
	c.proto = document
	v.makeRoom(0)
}

// grow accounts for what a message holds beyond its text, and makes room for it.
func (v *view) grow(e *entry, bytes int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	e.bytes += bytes
	if e.logged {
		v.bytes += bytes
	}
	v.makeRoom(0) // also for one that is on its way only
}

// fail ends all taps of the view after a bug, without waiting for them, and closes it. The items
// that met the bug, and those that still waited, are counted as internal_error.
func (v *view) fail(problem any, s *source, items int) {
	if v.failed.Swap(true) {
		return
	}
	v.logger.Error("remote_tap has a bug: the taps that met it were ended, the pipeline goes on",
		zap.String("selection", v.selection.String()), problemOf(problem), zap.Stack("stack"))
	v.mu.Lock()
	defer v.mu.Unlock()
	if items > 0 {
		v.account(s, &admission{seen: items, dropped: [numDropReasons]int{dropInternalError: items}})
	}
	for _, t := range v.taps {
		t.giveUp(dropInternalError)
		t.cancel(endInternalError)
	}
	v.close()
}

// close makes the view take nothing any more, and ends its renderer.
func (v *view) close() {
	v.closed = true
	v.abandoned = true
	v.captures, v.log = nil, nil
	v.work.Broadcast()
}
