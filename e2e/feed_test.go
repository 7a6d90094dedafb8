package e2e

import (
	"slices"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen. It is only used up by a failing test.
const patience = 20 * time.Second

// feed is a growing list that one side appends to and tests wait on. Its zero value is ready.
type feed[T any] struct {
	mu      sync.Mutex
	items   []T           // guarded by mu
	changed chan struct{} // guarded by mu: closed at the next change; nil when nobody waits
}

func (f *feed[T]) add(item T) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.items = append(f.items, item)
	if f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
}

// from returns the items from an index on, and a channel that is closed when there are more.
func (f *feed[T]) from(i int) ([]T, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.changed == nil {
		f.changed = make(chan struct{})
	}
	return slices.Clone(f.items[min(i, len(f.items)):]), f.changed
}

func (f *feed[T]) all() []T {
	items, _ := f.from(0)
	return items
}

func (f *feed[T]) len() int { return len(f.all()) }

// await waits until an item from index i on satisfies the condition and returns it; `what` names
// it for the failure. It gives up early when `over` is closed.
func (f *feed[T]) await(t testing.TB, i int, over <-chan struct{}, what string, condition func(T) bool) T {
	t.Helper()
	return f.awaitCount(t, i, 1, over, what, condition)[0]
}

// awaitLen waits until there are n items and returns them.
func (f *feed[T]) awaitLen(t testing.TB, n int, what string) []T {
	t.Helper()
	return f.awaitCount(t, 0, n, nil, what, func(T) bool { return true })
}

// awaitCount waits until n items from index i on satisfy the condition and returns them all.
func (f *feed[T]) awaitCount(t testing.TB, i, n int, over <-chan struct{}, what string, condition func(T) bool) []T {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		items, changed := f.from(i)
		items = slices.DeleteFunc(items, func(item T) bool { return !condition(item) })
		if len(items) >= n {
			return items
		}
		select {
		case <-changed:
		case <-over:
			over = nil // and look once more: what was added last may be what we wait for
			late.Reset(0)
		case <-late.C:
			t.Fatalf("waited in vain for %d %s; there are %d", n, what, len(items))
		}
	}
}
