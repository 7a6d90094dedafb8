package top

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/remotetap/remotetapprocessor/tapclient"
)

// snapshot is what a counter has counted up to a moment. It does not change any more.
type snapshot struct {
	now, since time.Time
	// window is how long what the rows' window is about took.
	window time.Duration
	// sections are those of the signals that came, in the order of signals.
	sections []counted
	// totalLow and windowLow say that there were more items than counted: some were lost.
	totalLow, windowLow bool
}

// counted is what was counted of a signal.
type counted struct {
	signal tapclient.Signal
	// fields are the names of the rows' values.
	fields []string
	// rows are the groups, in no order.
	rows []row
	// other is what belongs to further groups, of which there are too many; nil if there are none.
	other *row
	// points are the ids of the tap points that the items came from.
	points []string
	// sum is of all rows and other.
	sum row
}

// row is what was counted of a group.
type row struct {
	values          []value
	total, window   figures
	lastValue, unit string
}

// figures are those since the beginning, or of the window.
func (r *row) figures(whole bool) figures {
	if whole {
		return r.total
	}
	return r.window
}

// elapsed is the time that they are about.
func (s *snapshot) elapsed(whole bool) time.Duration {
	if whole {
		return s.now.Sub(s.since)
	}
	return s.window
}

// low reports whether they are lower bounds.
func (s *snapshot) low(whole bool) bool { return whole && s.totalLow || !whole && s.windowLow }

// items is how many were counted since the beginning, of all signals.
func (s *snapshot) items() uint64 {
	var n uint64
	for i := range s.sections {
		n += s.sections[i].sum.total.items
	}
	return n
}

// snapshot takes stock, after advance. Until a window is complete, what there is of the first stands
// in for it.
func (c *counter) snapshot(now time.Time) *snapshot {
	s := &snapshot{now: now, since: c.since, window: c.window}
	if s.window == 0 {
		s.window = now.Sub(c.windowSince)
	}
	s.totalLow = c.losses.now > c.losses.atStart
	// An account comes a second after its items: losses of the last window may be told in the next.
	s.windowLow = c.losses.now > c.losses.atWindowBefore
	for _, signal := range signals() {
		if counted := c.sections[signal].counted(c.window == 0); counted.sum.total.items > 0 {
			s.sections = append(s.sections, counted)
		}
	}
	return s
}

// counted takes stock of a signal; partial windows stand in for complete ones if there are none yet.
func (s *section) counted(partial bool) counted {
	c := counted{
		signal: s.signal, rows: make([]row, 0, len(s.groups)), points: slices.Sorted(slices.Values(s.points)),
		sum: row{total: noFigures(), window: noFigures()},
	}
	for _, f := range s.fields {
		c.fields = append(c.fields, f.name)
	}
	s.all(func(g *group) {
		r := row{values: g.values, total: g.total.figures(), window: g.last, lastValue: g.lastValue, unit: g.unit}
		if partial {
			r.window = g.window.figures()
		}
		c.sum.total, c.sum.window = c.sum.total.plus(r.total), c.sum.window.plus(r.window)
		if g == s.other {
			c.other = &r
		} else {
			c.rows = append(c.rows, r)
		}
	})
	return c
}

// repeats reports whether an item may be in it more than once, in one row: it passed several points.
func (c *counted) repeats() bool { return len(c.points) > 1 && !slices.Contains(c.fields, "point") }

// order is one of the orders that rows can have.
type order string

// The orders, as --sort has them.
const (
	byRate   order = "rate"
	byErrors order = "errors"
	byShare  order = "share"
	byP50    order = "p50"
	byP95    order = "p95"
	byP99    order = "p99"
	byTotal  order = "total"
	byName   order = "name"
)

// orders are all, in the order in which a key goes through them.
func orders() []order {
	return []order{byRate, byErrors, byShare, byP50, byP95, byP99, byTotal, byName}
}

// weight is what a row is ordered by, the greatest first.
func (o order) weight(r *row, whole bool) float64 {
	f := r.figures(whole)
	switch o {
	case byRate:
		return float64(f.items)
	case byErrors:
		return float64(f.errors)
	case byShare:
		return f.share()
	case byP50:
		return float64(f.p50)
	case byP95:
		return float64(f.p95)
	case byP99:
		return float64(f.p99)
	case byTotal:
		return float64(r.total.items)
	default:
		return 0
	}
}

// arrange returns the rows that contain a text, whatever the case, in an order. Rows that are equal
// in it are ordered by errors, then by total, then by name, so that they stay where they are.
func arrange(rows []row, o order, whole bool, filter string) []row {
	filter = strings.ToLower(filter)
	var kept []row
	for _, r := range rows {
		if r.contains(filter) {
			kept = append(kept, r)
		}
	}
	slices.SortFunc(kept, func(a, b row) int {
		names := slices.CompareFunc(a.values, b.values, func(v, w value) int { return cmp.Compare(v.text, w.text) })
		if o == byName {
			return names
		}
		return cmp.Or(
			cmp.Compare(o.weight(&b, whole), o.weight(&a, whole)),
			cmp.Compare(b.total.errors, a.total.errors),
			cmp.Compare(b.total.items, a.total.items),
			names)
	})
	return kept
}

// contains reports whether a value has a text, in lower case, in it.
func (r *row) contains(text string) bool {
	return text == "" || slices.ContainsFunc(r.values, func(v value) bool { return strings.Contains(strings.ToLower(v.text), text) })
}
