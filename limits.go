package remotetapprocessor

import (
	"math"
	"time"

	"golang.org/x/time/rate"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// admission is what becomes of one batch's items on the pipeline's goroutine. Every item is
// accounted for: what is not dropped is admitted to the view's queue.
type admission struct {
	seen       int
	skipped    int // not read: max_overhead was used up
	unmatched  int // read, and not selected
	evalErrors int // of those: a `where` failed on them
	dropped    [numDropReasons]int
}

func (a *admission) matched() int { return a.seen - a.skipped - a.unmatched }

func (a *admission) drop(reason dropReason, items int) { a.dropped[reason] += items }

func (a *admission) admitted() int {
	items := a.matched()
	for _, n := range a.dropped {
		items -= n
	}
	return items
}

// quota is how many items of a batch a view may take: `total`, of which `reserve` are for errors
// alone. `reason` is what the others are dropped for.
type quota struct {
	total   int
	reserve int
	reason  dropReason
	sure    bool // it does not rest on a guess that may be far off
}

// suffices reports whether some items need no trimming.
func (q quota) suffices(items int) bool { return items <= q.total-q.reserve }

// atMost lowers the quota.
func (q quota) atMost(items int, reason dropReason) quota {
	if items >= q.total-q.reserve {
		return quota{total: min(q.total, items), reserve: min(q.total, items) - (q.total - q.reserve), reason: q.reason, sure: q.sure}
	}
	return quota{total: min(q.total, items), reason: reason, sure: q.sure}
}

// budget is what a view may still take, by the rate that its clients ask for and the ceilings of
// per_tap. It is guarded by its view's mutex. Each bucket holds two seconds of its rate, one of
// which is for errors alone.
type budget struct {
	items *rate.Limiter // nil: no ceiling
	bytes *rate.Limiter // nil: no ceiling
	sizes [otlp.NumSignals]size
}

// newBudget takes the lower of the rate that a client asks for (0: none) and the ceilings.
func newBudget(asked float64, ceilings PerTapConfig) budget {
	itemsPerSecond := ceilings.ItemsPerSecond
	if asked > 0 && (itemsPerSecond == 0 || asked < itemsPerSecond) {
		itemsPerSecond = asked
	}
	return budget{items: newBucket(itemsPerSecond), bytes: newBucket(ceilings.MiBPerSecond * mib)}
}

func newBucket(perSecond float64) *rate.Limiter {
	if perSecond == 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond), 2*int(math.Ceil(perSecond)))
}

// quota is what the rates allow now, what a queue can hold, and what can be encoded in the time
// that is left. How large the items are is not known before they are encoded: unless it is told
// (meanSize, 0: not told) it goes by the signal's earlier batches, and spend settles the difference.
func (b *budget) quota(signal otlp.Signal, meanSize float64, captureBytes int, left time.Duration, now time.Time) quota {
	size := b.sizes[signal]
	q := quota{total: math.MaxInt, sure: meanSize > 0 || size.bytes > 0 && !size.missed}
	if meanSize > 0 {
		size.bytes = meanSize
	}
	others := math.MaxInt // what is not an error may take
	limit := func(all, forOthers int, reason dropReason) {
		q.total = min(q.total, all)
		if forOthers < others {
			others, q.reason = forOthers, reason
		}
	}
	if b.items != nil {
		tokens := b.items.TokensAt(now)
		limit(int(tokens), int(tokens)-b.items.Burst()/2, dropRateLimit)
	}
	if b.bytes != nil {
		tokens := b.bytes.TokensAt(now)
		limit(itemsWithin(tokens, size.bytes), itemsWithin(tokens-float64(b.bytes.Burst()/2), size.bytes), dropByteLimit)
	}
	within := itemsWithin(float64(captureBytes), size.bytes)
	limit(within, within, dropQueueFull)
	within = itemsWithin(float64(left), size.nanoseconds)
	if left > 0 {
		within = max(within, 1) // or what one item seemed to cost while the machine was busy would never be corrected
	}
	limit(within, within, dropOverhead)
	q.total = max(q.total, 0)
	q.reserve = q.total - min(max(others, 0), q.total)
	return q
}

// itemsWithin is how many items of a size fit into some bytes. While the size is unknown (0)
// any number does, unless nothing is left.
func itemsWithin(bytes, perItem float64) int {
	if bytes <= 0 {
		return 0
	}
	if perItem == 0 {
		return math.MaxInt
	}
	return int(min(bytes/perItem, math.MaxInt32))
}

// spend charges what was really encoded. A bucket may go below zero; then nothing is
// admitted until it has filled again.
func (b *budget) spend(items, bytes int, now time.Time) {
	spend(b.items, items, now)
	spend(b.bytes, bytes, now)
}

func spend(bucket *rate.Limiter, n int, now time.Time) {
	if bucket == nil {
		return
	}
	for burst := bucket.Burst(); n > 0; n -= burst {
		bucket.ReserveN(now, min(n, burst))
	}
}

// size is what an item of a signal costs, going by earlier batches; 0 while there were none.
type size struct {
	bytes       float64
	nanoseconds float64 // to encode it
	call        float64 // nanoseconds of a whole call for each item that it reads
	missed      bool    // the last batch turned out larger than a queue takes
}

// learn follows the sizes: each batch counts a quarter.
func (s *size) learn(bytes, nanoseconds float64) {
	if s.bytes == 0 {
		s.bytes, s.nanoseconds = bytes, nanoseconds
		return
	}
	s.bytes += (bytes - s.bytes) / 4
	s.nanoseconds += (nanoseconds - s.nanoseconds) / 4
}
