package remotetapprocessor

import (
	"math"
	"sync"
	"time"
)

const (
	// overheadPeriod is the time over which max_overhead is an average.
	overheadPeriod = 10 * time.Second
	// overheadBurst is how much of the budget can be saved up.
	overheadBurst = time.Second
	// longestCall is the most that one call of a pipeline is held up for.
	longestCall = 20 * time.Millisecond
)

// overhead meters wall time against a share of one core, for all views of a server. A view asks
// before it works, and settles afterwards with what it really took; what is asked for and not
// settled yet counts as taken, so many goroutines at once cannot overdraw it.
//
// The costliest view goes without first: half of what can be saved up is kept for the views that
// have used less than an equal part.
type overhead struct {
	share float64 // of one core; set at construction

	mu sync.Mutex
	// guarded by mu
	left  float64 // seconds that may be taken now; below zero after work that took longer than asked
	at    time.Time
	views int
}

// meters are the two budgets of a server, of the same size: for the time on pipelines' goroutines,
// and for rendering.
type meters struct {
	pipeline  *overhead
	rendering *overhead
}

func newMeters(share float64) *meters {
	return &meters{pipeline: newOverhead(share), rendering: newOverhead(share)}
}

// join and leave tell among how many views the budgets are shared.
func (m *meters) join()  { m.pipeline.count(1); m.rendering.count(1) }
func (m *meters) leave() { m.pipeline.count(-1); m.rendering.count(-1) }

// spender is what one view has taken lately. It is guarded by the mu of its overhead.
type spender struct {
	taken float64 // seconds, fading over overheadPeriod
	at    time.Time
}

func newOverhead(share float64) *overhead {
	return &overhead{share: share, left: share * overheadBurst.Seconds()}
}

// count tells that there are more views to share the budget, or fewer.
func (o *overhead) count(change int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.views += change
}

// ask grants time for work that is expected to take `expected`, and more if there is some, up to
// longestCall. It grants nothing if there is less than expected: small grants would be used up
// before anything is done with them. What is granted must be settled. It never blocks.
func (o *overhead) ask(s *spender, expected time.Duration, now time.Time) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refill(now)
	s.fade(now)
	available := o.left
	if s.taken > o.share*overheadPeriod.Seconds()/float64(max(o.views, 1)) {
		available -= o.share * overheadBurst.Seconds() / 2
	}
	// However long the work is expected to take, it may begin when the bucket is well filled.
	enough := min(expected.Seconds(), longestCall.Seconds(), o.share*overheadBurst.Seconds()/4)
	if available <= 0 || available < enough {
		return 0
	}
	granted := min(available, longestCall.Seconds())
	o.left -= granted
	s.taken += granted
	return time.Duration(granted * float64(time.Second))
}

// settle replaces a grant by what was really taken.
func (o *overhead) settle(s *spender, granted, took time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	difference := (took - granted).Seconds()
	o.left -= difference
	s.taken = max(s.taken+difference, 0)
}

// work is one piece of work on its way.
type work struct {
	overhead *overhead
	spender  *spender
	began    time.Time
	granted  time.Duration
}

// begin asks for time and starts the clock.
func (o *overhead) begin(s *spender, expected time.Duration) work {
	now := time.Now()
	return work{overhead: o, spender: s, began: now, granted: o.ask(s, expected, now)}
}

// elapsed is how long the work has taken so far.
func (w *work) elapsed() time.Duration { return time.Since(w.began) }

// end settles the account and returns how long the work took.
func (w *work) end() time.Duration {
	took := w.elapsed()
	if w.granted > 0 {
		w.overhead.settle(w.spender, w.granted, took)
	}
	return took
}

func (o *overhead) refill(now time.Time) {
	if !o.at.IsZero() {
		o.left += o.share * max(now.Sub(o.at).Seconds(), 0)
	}
	o.left = min(o.left, o.share*overheadBurst.Seconds())
	o.at = now
}

func (s *spender) fade(now time.Time) {
	if !s.at.IsZero() {
		s.taken *= math.Exp(-max(now.Sub(s.at).Seconds(), 0) / overheadPeriod.Seconds())
	}
	s.at = now
}
