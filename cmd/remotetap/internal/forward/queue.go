package forward

import (
	"context"
	"sync"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// maxMerged is how many bytes of what waits become one request.
const maxMerged = 1 << 20

// overhead is what a piece costs in memory besides its bytes.
const overhead = 128

// piece is encoded telemetry of one signal.
type piece struct {
	signal otlp.Signal
	proto  []byte
	items  uint64
	number uint64 // by the order in which they came
}

// queue holds what waits to be sent, bounded in bytes: when it is full, the oldest makes room for the
// newest.
type queue struct {
	// set at construction

	limit int          // bytes
	lost  func(uint64) // counts items that made room
	ready chan struct{}

	// guarded by mu

	mu      sync.Mutex
	waiting [otlp.NumSignals][]piece
	next    uint64 // number of the piece that comes next
	bytes   int
	items   uint64 // that wait, or were taken out and are not done
	closed  bool
}

func newQueue(limit int, lost func(uint64)) *queue {
	return &queue{limit: limit, lost: lost, ready: make(chan struct{}, 1)}
}

// push adds a piece. It never blocks.
func (q *queue) push(p piece) {
	q.mu.Lock()
	defer q.mu.Unlock()
	size := len(p.proto) + overhead
	for q.bytes+size > q.limit {
		oldest, ok := q.pop()
		if !ok { // larger than all the queue
			q.lost(p.items)
			return
		}
		q.items -= oldest.items
		q.lost(oldest.items)
	}
	p.number = q.next
	q.next++
	q.waiting[p.signal] = append(q.waiting[p.signal], p)
	q.bytes += size
	q.items += p.items
	q.wake()
}

// wake tells take that something has changed.
func (q *queue) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// pop takes the oldest piece out. The caller holds mu.
func (q *queue) pop() (piece, bool) {
	found := -1
	for signal, pieces := range q.waiting {
		if len(pieces) > 0 && (found < 0 || pieces[0].number < q.waiting[found][0].number) {
			found = signal
		}
	}
	if found < 0 {
		return piece{}, false
	}
	return q.popOf(found), true
}

// popOf takes the oldest piece of a signal out. The caller holds mu.
func (q *queue) popOf(signal int) piece {
	pieces := q.waiting[signal]
	p := pieces[0]
	pieces[0] = piece{} // the array may stay
	q.waiting[signal] = pieces[1:]
	if len(pieces) == 1 {
		q.waiting[signal] = nil
	}
	q.bytes -= len(p.proto) + overhead
	return p
}

// take takes out what has waited longest, with as much of the same signal as makes one request: it is
// merged, since OTLP documents may be put one behind the other (profiles may not). It blocks until there
// is something. ok is false when the queue is closed and empty, or ctx is done. done must be called
// with the items of what was taken.
func (q *queue) take(ctx context.Context) (p piece, ok bool) {
	for {
		if p, ok = q.merged(); ok || q.isOver() {
			return p, ok
		}
		select {
		case <-q.ready:
		case <-ctx.Done():
			return piece{}, false
		}
	}
}

func (q *queue) merged() (piece, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	p, ok := q.pop()
	if !ok || !p.signal.Splits() {
		return p, ok
	}
	copied := false
	for {
		more := q.waiting[p.signal]
		if len(more) == 0 || len(p.proto)+len(more[0].proto) > maxMerged {
			return p, true
		}
		if !copied { // what came is not changed
			p.proto, copied = append(make([]byte, 0, 2*len(p.proto)+len(more[0].proto)), p.proto...), true
		}
		next := q.popOf(int(p.signal))
		p.proto = append(p.proto, next.proto...)
		p.items += next.items
	}
}

// isOver reports whether nothing more will come out.
func (q *queue) isOver() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed && q.bytes == 0
}

// isClosed reports whether nothing more comes in.
func (q *queue) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

// done says that items which were taken out wait no more.
func (q *queue) done(items uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.items -= items
}

// close says that nothing more comes: take goes on until the queue is empty.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.wake()
}

// pending is how many items wait, or are on their way.
func (q *queue) pending() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.items
}
