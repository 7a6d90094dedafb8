package otlpout

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
)

// Reason says why items were not taken.
type Reason string

// The reasons. Of what is Unavailable or Interrupted nobody knows for sure: an answer may have been lost.
const (
	Rejected    Reason = "rejected"    // the receiver took the request and left these out (partial success)
	Refused     Reason = "refused"     // it refuses the request, and would again
	Unsupported Reason = "unsupported" // it does not take the signal
	Unavailable Reason = "unavailable" // it could not be reached, or was too busy, for as long as --to-retry says, or until ErrTooLate
	QueueFull   Reason = "queue_full"  // it is slower than the telemetry
	Interrupted Reason = "interrupted" // the command was ended before
)

// Count is what became of items. The zero value is ready to add to.
type Count struct {
	// Taken are those that the receiver has taken.
	Taken uint64
	// NotTaken are the others by reason.
	NotTaken map[Reason]uint64
}

// Lost is the sum of what was not taken.
func (c Count) Lost() uint64 {
	var sum uint64
	for _, n := range c.NotTaken {
		sum += n
	}
	return sum
}

// String is the count in words: "taken 1,180, not taken 24: rejected 24".
func (c Count) String() string {
	text := "taken " + app.Number(c.Taken) + ", not taken " + app.Number(c.Lost())
	reasons := slices.SortedFunc(maps.Keys(c.NotTaken), func(a, b Reason) int {
		return cmp.Or(cmp.Compare(c.NotTaken[b], c.NotTaken[a]), cmp.Compare(a, b))
	})
	var parts []string
	for _, reason := range reasons {
		parts = append(parts, string(reason)+" "+app.Number(c.NotTaken[reason]))
	}
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	return text
}

// Account is a Count that many goroutines may use.
type Account struct {
	mu    sync.Mutex
	count Count // guarded by mu
}

// Took adds items that were taken.
func (a *Account) Took(items uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.count.Taken += items
}

// Lost adds items that were not.
func (a *Account) Lost(reason Reason, items uint64) {
	if items == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.count.NotTaken == nil {
		a.count.NotTaken = map[Reason]uint64{}
	}
	a.count.NotTaken[reason] += items
}

// Count is the account so far.
func (a *Account) Count() Count {
	a.mu.Lock()
	defer a.mu.Unlock()
	return Count{Taken: a.count.Taken, NotTaken: maps.Clone(a.count.NotTaken)}
}
