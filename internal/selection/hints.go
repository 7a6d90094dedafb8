package selection

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// A Recorder finds out why nothing matches: it looks at some of the items that pass and remembers, for each criterion,
// whether it held by itself, and what there was instead. Make one when a tap asks for hints and nothing has matched for a
// while; drop it when something does.
//
// Its memory is bounded: a few hundred short texts. A call looks at no more than observedItems items. It is safe for
// concurrent use; a call that finds another one at work does nothing, so no pipeline waits.
type Recorder struct {
	// set at construction
	rules   *rules
	matcher *Matcher
	where   *Term // the selection's `where`, if it has one

	mu sync.Mutex
	// guarded by mu
	calls   int     // batches observed
	looked  uint64  // items that those looked at stand for
	notes   []notes // by the rules' terms
	keys    tally   // attribute keys, counted if a term is about attributes
	holds   uint64  // items for which a `where` held
	fails   uint64  // items on which it failed
	failure string  // how it failed first; it may quote telemetry
}

// notes is what is remembered for one term. An item that was looked at counts for those around it, too.
type notes struct {
	held    uint64
	seen    tally
	longest time.Duration
}

// Bounds of a Recorder.
const (
	observedItems = 256 // in one call
	seenTexts     = 32  // for each criterion
	seenKeys      = 128
	shownTexts    = 5 // in a hint
	shownHints    = 8
)

// subject is one item with what is around it, as hints see it.
type subject struct {
	signal     otlp.Signal
	weight     uint64 // how many items it stands for
	resource   pcommon.Map
	scope      pcommon.Map
	attributes pcommon.Map
	span       ptrace.Span                      // of traces
	record     plog.LogRecord                   // of logs
	metric     pmetric.Metric                   // of metrics
	ask        func(c *condition) (bool, error) // one of the selection's conditions, of the item
}

// NewRecorder returns a recorder for the matcher's selection.
func NewRecorder(m *Matcher) *Recorder {
	r := &Recorder{matcher: m, rules: newRules(m.selection.terms), keys: newTally(seenKeys)}
	r.notes = make([]notes, len(r.rules.terms))
	for i := range r.notes {
		r.notes[i].seen = newTally(seenTexts)
	}
	for i := range m.selection.terms {
		if m.selection.terms[i].Criterion.Name == whereName {
			r.where = &m.selection.terms[i]
		}
	}
	return r
}

// observe looks at some of a batch's items, until the budget is used up; `visit` calls look with those at the positions
// that it is given. A panic is returned as a *PanicError.
func (r *Recorder) observe(items int, budget Budget, visit func(positions stride, look func(*subject) bool)) (err error) {
	if items == 0 || !r.mu.TryLock() {
		return nil
	}
	defer r.mu.Unlock()
	defer func() {
		if problem := recover(); problem != nil {
			err = caught(problem)
		}
	}()
	every := (items + observedItems - 1) / observedItems
	r.calls++
	visit(stride{first: r.calls % every, every: every}, func(s *subject) bool {
		if budget.Now != nil && budget.Now() >= budget.Until {
			return false
		}
		s.weight = uint64(every)
		r.look(s)
		return true
	})
	return nil
}

// look takes notes of one item.
func (r *Recorder) look(s *subject) {
	r.looked += s.weight
	aboutAttributes := false
	for i := range r.rules.terms {
		t := &r.rules.terms[i]
		n := &r.notes[i]
		if holds(t, r.rules.tests[i], s) {
			n.held += s.weight
		}
		if t.Criterion.note != nil {
			t.Criterion.note(t, s, n)
		}
		aboutAttributes = aboutAttributes || t.Criterion.Name == AttributeName
	}
	if aboutAttributes {
		for _, level := range [...]pcommon.Map{s.resource, s.scope, s.attributes} {
			for key := range level.All() {
				r.keys.add(key, s.weight)
			}
		}
	}
	if r.where == nil {
		return
	}
	switch holds, err := r.anyHolds(s); {
	case err != nil:
		r.fails += s.weight
		if r.failure == "" {
			r.failure = shown(err.Error())
		}
	case holds:
		r.holds += s.weight
	}
}

// anyHolds asks the selection's conditions that apply to an item's signal.
func (r *Recorder) anyHolds(s *subject) (bool, error) {
	var first error
	for _, c := range r.matcher.conditions {
		if !c.signals().Has(s.signal) {
			continue
		}
		switch holds, err := s.ask(c); {
		case err != nil:
			if first == nil {
				first = err
			}
		case holds:
			return true, nil
		}
	}
	return false, first
}

// holds asks one term of one item.
func holds(term *Term, t tests, s *subject) bool {
	decided := undecided
	if t.resource != nil {
		decided = t.resource(s.resource)
	}
	if decided == undecided && t.scope != nil {
		decided = t.scope(s.scope)
	}
	if decided == undecided && t.metric != nil && s.signal == otlp.Metrics {
		decided = t.metric(s.metric)
	}
	if decided != undecided {
		return decided == yes
	}
	switch s.signal {
	case otlp.Traces:
		return t.span != nil && t.span(s.span)
	case otlp.Logs:
		return t.record != nil && t.record(s.record)
	case otlp.Metrics:
		return t.point != nil && t.point(s.attributes)
	default: // nothing below a profile's resource is asked
		return term.Negated
	}
}

// Hints says why nothing matches, as sentences; none if nothing has passed. They quote what was seen in the telemetry.
func (r *Recorder) Hints() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.looked == 0 {
		return nil
	}
	var hints []string
	for i := range r.rules.terms {
		if r.notes[i].held == 0 {
			hints = append(hints, r.hint(i))
		}
	}
	if hint := r.whereHint(); hint != "" {
		hints = append(hints, hint)
	}
	if len(hints) == 0 {
		hints = append(hints, r.combinationHint()...)
	}
	return hints[:min(shownHints, len(hints))]
}

// hint says what there was instead of what a term wants.
func (r *Recorder) hint(i int) string {
	t, n := &r.rules.terms[i], &r.notes[i]
	if t.Criterion.Name == AttributeName && len(n.seen.entries) == 0 {
		return fmt.Sprintf("the attribute %s was not seen; nearest: %s", t.Key, r.keys.nearest(t.Key, shownTexts))
	}
	switch {
	case n.longest > 0:
		return fmt.Sprintf("%s was not seen; the longest took %s", t, shortDuration(n.longest.Round(time.Microsecond)))
	case t.Criterion.note == nil:
		return fmt.Sprintf("%s was not seen in %d items", t, r.looked)
	default:
		return fmt.Sprintf("%s was not seen; seen: %s", t, n.seen.most(shownTexts))
	}
}

func (r *Recorder) whereHint() string {
	switch {
	case r.where == nil || r.holds > 0:
		return ""
	case r.fails == r.looked:
		return "where failed on every item: " + r.failure
	case r.fails > 0:
		return fmt.Sprintf("where held for no item, and failed on %d of %d: %s", r.fails, r.looked, r.failure)
	default:
		return fmt.Sprintf("where held for none of %d items", r.looked)
	}
}

// combinationHint says how often each criterion held by itself.
func (r *Recorder) combinationHint() []string {
	var parts []string
	for i := range r.rules.terms {
		parts = append(parts, fmt.Sprintf("%s (%d)", &r.rules.terms[i], r.notes[i].held))
	}
	if r.where != nil {
		parts = append(parts, fmt.Sprintf("where (%d)", r.holds))
	}
	if len(parts) < 2 {
		return nil
	}
	return []string{fmt.Sprintf("each criterion held for some of %d items, but for none together: %s", r.looked, strings.Join(parts, ", "))}
}
