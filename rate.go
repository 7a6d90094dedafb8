package remotetapprocessor

import (
	"math"
	"sync"
	"time"
)

// rateSeconds is how many whole seconds a rateMeter looks back.
const rateSeconds = 10

// rateMeter counts items in one-second buckets. Adding costs a short lock; it is used only
// while somebody watches.
type rateMeter struct {
	mu sync.Mutex
	// guarded by mu
	origin  time.Time // a whole second before all that was added; seconds are counted from it
	buckets [rateSeconds + 1]struct {
		second int64
		items  int
	}
}

// second is the number of the second that a time is in. It goes by the monotonic clock, if the time
// has a reading of that. Call with mu held.
func (m *rateMeter) second(at time.Time) int64 {
	return int64(math.Floor(at.Sub(m.origin).Seconds()))
}

// add counts items that passed at a time.
func (m *rateMeter) add(now time.Time, items int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.origin.IsZero() {
		m.origin = now.Add(-time.Duration(now.Nanosecond()) - rateSeconds*time.Second)
	}
	second := m.second(now)
	if second < 0 {
		return // a time from before the first
	}
	bucket := &m.buckets[second%int64(len(m.buckets))]
	if bucket.second != second {
		bucket.second, bucket.items = second, 0
	}
	bucket.items += items
}

// perSecond is the mean rate over the last whole seconds, at most rateSeconds of them, since
// watching began. Before there is a whole second it is the rate of the time that there is.
func (m *rateMeter) perSecond(since, now time.Time) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.origin.IsZero() {
		return 0
	}
	first, last := max(m.second(now)-rateSeconds, m.second(since)+1), m.second(now)-1
	span := float64(last - first + 1)
	if span < 1 {
		first, last = m.second(since), m.second(now)
		span = max(now.Sub(since).Seconds(), 0.001)
	}
	items := 0
	for _, bucket := range m.buckets {
		if bucket.second >= first && bucket.second <= last {
			items += bucket.items
		}
	}
	return float64(items) / span
}
