package remotetapprocessor

import (
	"sync"
	"time"
)

// rateSeconds is how many whole seconds a rateMeter looks back.
const rateSeconds = 10

// rateMeter counts items in one-second buckets. Adding costs a short lock; it is used only
// while somebody watches.
type rateMeter struct {
	mu      sync.Mutex
	buckets [rateSeconds + 1]struct {
		second int64
		items  int
	}
}

// add counts items that passed at a time.
func (m *rateMeter) add(now time.Time, items int) {
	second := now.Unix()
	m.mu.Lock()
	defer m.mu.Unlock()
	bucket := &m.buckets[second%int64(len(m.buckets))]
	if bucket.second != second {
		bucket.second, bucket.items = second, 0
	}
	bucket.items += items
}

// perSecond is the mean rate over the last whole seconds, at most rateSeconds of them, since
// watching began. Before there is a whole second it is the rate of the time that there is.
func (m *rateMeter) perSecond(since, now time.Time) float64 {
	first, last := max(now.Unix()-rateSeconds, since.Unix()+1), now.Unix()-1
	span := float64(last - first + 1)
	if span < 1 {
		first, last = since.Unix(), now.Unix()
		span = max(now.Sub(since).Seconds(), 0.001)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	items := 0
	for _, bucket := range m.buckets {
		if bucket.second >= first && bucket.second <= last {
			items += bucket.items
		}
	}
	return float64(items) / span
}
