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
	seen    int
	dropped [numDropReasons]int
}

func (a *admission) drop(reason dropReason, items int) { a.dropped[reason] += items }

func (a *admission) admitted() int {
	items := a.seen
	for _, n := range a.dropped {
		items -= n
	}
	return items
}

// keepAtMost drops what goes beyond `allowed` items and tells whether it had to.
func (a *admission) keepAtMost(allowed int, reason dropReason) bool {
	excess := a.admitted() - max(allowed, 0)
	if excess <= 0 {
		return false
	}
	a.drop(reason, excess)
	return true
}

// budget is what a view may still take, by the ceilings of per_tap. It is guarded by its view's
// mutex. Both buckets hold one second of their rate.
type budget struct {
	items        *rate.Limiter // nil: no ceiling
	bytes        *rate.Limiter // nil: no ceiling
	bytesPerItem [otlp.NumSignals]float64
}

func newBudget(ceilings PerTapConfig) budget {
	var b budget
	if ceilings.ItemsPerSecond > 0 {
		b.items = rate.NewLimiter(rate.Limit(ceilings.ItemsPerSecond), int(math.Ceil(float64(ceilings.ItemsPerSecond))))
	}
	if ceilings.MiBPerSecond > 0 {
		perSecond := ceilings.MiBPerSecond * mib
		b.bytes = rate.NewLimiter(rate.Limit(perSecond), int(math.Ceil(perSecond)))
	}
	return b
}

// admit lowers the admission to what the rates allow now and what a queue can hold. How large the
// items are is not known before they are encoded: it goes by the sizes of the signal's earlier
// batches, and spend settles the difference.
func (b *budget) admit(a *admission, signal otlp.Signal, divisible bool, captureBytes int, now time.Time) {
	trimmed := false
	reason := dropRateLimit
	limit := func(allowed int, why dropReason) {
		if a.keepAtMost(allowed, why) {
			trimmed, reason = true, why
		}
	}
	if b.items != nil {
		limit(int(b.items.TokensAt(now)), dropRateLimit)
	}
	perItem := b.bytesPerItem[signal]
	if b.bytes != nil {
		limit(itemsWithin(b.bytes.TokensAt(now), perItem), dropByteLimit)
	}
	limit(itemsWithin(float64(captureBytes), perItem), dropQueueFull)
	if trimmed && !divisible {
		a.drop(reason, a.admitted())
	}
	if b.items != nil {
		b.items.ReserveN(now, a.admitted())
	}
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

// spend charges the bytes that were really encoded. A bucket may go below zero; then nothing is
// admitted until it has filled again.
func (b *budget) spend(signal otlp.Signal, items, bytes int, now time.Time) {
	if items == 0 {
		return
	}
	b.learn(signal, float64(bytes)/float64(items))
	if b.bytes == nil {
		return
	}
	for burst := b.bytes.Burst(); bytes > 0; bytes -= burst {
		b.bytes.ReserveN(now, min(bytes, burst))
	}
}

// learn follows the size of a signal's items: each batch counts a quarter.
func (b *budget) learn(signal otlp.Signal, perItem float64) {
	if b.bytesPerItem[signal] == 0 {
		b.bytesPerItem[signal] = perItem
		return
	}
	b.bytesPerItem[signal] += (perItem - b.bytesPerItem[signal]) / 4
}
