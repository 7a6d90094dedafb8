package top

import (
	"sync"
	"time"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// feed is where the goroutine that watches and the one that shows meet. Its methods may be called from
// any goroutine; none blocks for longer than it takes to count a batch or to take stock.
type feed struct {
	mu      sync.Mutex
	counter *counter  // guarded by mu
	account account   // guarded by mu
	ended   time.Time // guarded by mu; when the last collector had no more, zero before
}

// state is what a feed knows at a moment. It does not change any more.
type state struct {
	*snapshot
	// connections says what is watched, hints why nothing matches.
	connections string
	hints       []string
	totals      tapclient.Totals
}

func newFeed(by []field, interval time.Duration) *feed {
	return &feed{counter: newCounter(by, interval, time.Now())}
}

// watcher has what is watched counted.
func (f *feed) watcher() app.Watcher {
	return app.Watcher{Batch: f.batch, Event: f.event, Totals: f.told}
}

func (f *feed) batch(b *app.Batch) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counter.add(b)
}

func (f *feed) event(event tapclient.Event) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.account.event(event)
	switch e := event.(type) {
	case *tapclient.Up:
		if f.counter.empty() { // the time before there was anything to see does not count
			f.counter.begin(time.Now())
		}
	case *tapclient.End:
		f.ended = e.Time
	}
	return nil
}

func (f *feed) told(totals tapclient.Totals) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.account.totals = totals
	f.counter.lose(f.account.lost())
}

// restart counts anew from zero.
func (f *feed) restart() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.account.begin()
	f.counter.begin(time.Now())
}

// state takes stock.
func (f *feed) state() *state {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	f.counter.advance(now)
	return f.stateAt(now)
}

// final takes stock after the end, with the totals that are known then.
func (f *feed) final(totals tapclient.Totals) *state {
	f.told(totals)
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.ended
	if now.IsZero() {
		now = time.Now()
	}
	return f.stateAt(now)
}

// stateAt is the state at a time. The caller holds mu.
func (f *feed) stateAt(now time.Time) *state {
	return &state{
		snapshot: f.counter.snapshot(now), connections: f.account.connections(),
		hints: f.account.hints, totals: f.account.since(),
	}
}
