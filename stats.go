package remotetapprocessor

import (
	"encoding/json"
	"time"

	"github.com/remotetap/remotetapprocessor/internal/selection"
)

const (
	// hintsAfter is how long nothing must have matched, while items passed, for a hint.
	hintsAfter = 5 * time.Second
	// watchForHintsAfter is when the view begins to look for one.
	watchForHintsAfter = 2 * time.Second
)

// statsJSON is a report as JSON.
type statsJSON struct {
	RemoteTap struct {
		Stats struct {
			ledgerJSON
			Points []string   `json:"points"`
			Limits limitsJSON `json:"limits"`
			Hints  []string   `json:"hints"`
		} `json:"stats"`
	} `json:"remoteTap"`
}

// report is a tap's account with what helps to read it: what a tap with `stats` gets, first, every
// period, and last.
type report struct {
	ledger ledger
	points []string // that the tap covers
	limits limits
	hints  []string // why nothing matches, if nothing does
}

// report is the tap's report with an account.
func (t *tap) report(l ledger) report {
	return report{ledger: l, points: t.points, limits: t.limits, hints: t.view.currentHints(l.now, hintsAfter)}
}

// lastReport is the one at the tap's end, but for the account. It has the hints that there are: there
// will be no other chance.
func (t *tap) lastReport() report {
	return report{points: t.points, limits: t.limits, hints: t.view.currentHints(time.Now(), watchForHintsAfter)}
}

// line is the report as one line of JSON, without the newline.
func (r *report) line() []byte {
	var message statsJSON
	stats := &message.RemoteTap.Stats
	stats.ledgerJSON, stats.Points, stats.Limits, stats.Hints = r.ledger.json(), r.points, r.limits.json(), r.hints
	encoded, err := json.Marshal(message)
	if err != nil { // numbers, strings and times always encode
		return []byte("{}")
	}
	return encoded
}

// hints is what a view knows about why nothing matches. It costs nothing unless a tap with stats
// is open. It is guarded by its view's mu.
type hints struct {
	listeners int       // taps with stats
	matched   time.Time // when something matched last, or the first of them joined
	recorder  *selection.Recorder
}

// listen tells that a tap with stats has joined, or, with -1, left.
func (h *hints) listen(change int, now time.Time) {
	if h.listeners == 0 {
		h.matched = now
	}
	h.listeners += change
	if h.listeners == 0 {
		h.recorder = nil
	}
}

// hintsFor returns what is to look at a batch of which so many items matched; nil if nothing is.
// It runs on a pipeline's goroutine.
func (v *view) hintsFor(matched int, now time.Time) *selection.Recorder {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.hints.listeners == 0:
		return nil
	case matched > 0:
		v.hints.matched, v.hints.recorder = now, nil
		return nil
	case now.Sub(v.hints.matched) < watchForHintsAfter:
		return nil
	case v.hints.recorder == nil:
		v.hints.recorder = selection.NewRecorder(v.matcher)
	}
	return v.hints.recorder
}

// currentHints says why nothing has matched for so long, or longer; empty if something has.
func (v *view) currentHints(now time.Time, after time.Duration) []string {
	v.mu.Lock()
	recorder := v.hints.recorder
	if now.Sub(v.hints.matched) < after {
		recorder = nil
	}
	v.mu.Unlock()
	if recorder == nil {
		return []string{}
	}
	return append([]string{}, recorder.Hints()...) // outside the lock: it may wait for a batch
}
